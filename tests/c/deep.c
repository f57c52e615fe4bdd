/*
 * Data must never be able to exhaust a stack: contexts are read and flags evaluated here on a thread with 256 kB of it.
 *
 * Chains of prerequisites and of segments that are ten thousand long, cycles, and JSON that is nested ten thousand deep: the
 * first two end in MALFORMED_FLAG, the last is an item that cannot be read, and its neighbours are served all the same.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK 262144
/* How long the chains are and how deep the JSON is. */
#define LENGTH (the_setting.slow ? 1000 : 10000)

static setting the_setting;

/* Flags of which each needs the next; the last one is served to everybody. */
static void put_chain_of_flags(redis *connection, const char *name, int length) {
  int index;
  for (index = 0; index < length; index++) {
    char key[64], json[512];
    sprintf(key, "%s-%d", name, index);
    if (index + 1 == length) {
      put_bool(connection, the_setting.prefix, key, 1, 1);
      continue;
    }
    sprintf(json,
            "{\"key\":\"%s\",\"version\":1,\"on\":true,\"salt\":\"s\",\"variations\":[false,true],\"fallthrough\":{\"variation\":1},"
            "\"offVariation\":0,\"prerequisites\":[{\"key\":\"%s-%d\",\"variation\":1}]}",
            key, name, index + 1);
    put_flag(connection, the_setting.prefix, key, json);
  }
}

/* Segments of which each is matched through the next; the last one has everybody whose key is ada. */
static void put_chain_of_segments(redis *connection, const char *name, int length) {
  int index;
  for (index = 0; index < length; index++) {
    char key[64], json[512];
    sprintf(key, "%s-%d", name, index);
    if (index + 1 == length) {
      sprintf(json, "{\"key\":\"%s\",\"version\":1,\"salt\":\"s\",\"included\":[\"ada\"],\"rules\":[]}", key);
    } else {
      sprintf(json,
              "{\"key\":\"%s\",\"version\":1,\"salt\":\"s\",\"rules\":[{\"id\":\"r\",\"clauses\":[{\"attribute\":\"\",\"op\":"
              "\"segmentMatch\",\"values\":[\"%s-%d\"]}]}]}",
              key, name, index + 1);
    }
    put_segment(connection, the_setting.prefix, key, json);
  }
}

/* A flag that is served to the members of a segment. */
static void put_flag_for_segment(redis *connection, const char *key, const char *segment) {
  char json[512];
  sprintf(json,
          "{\"key\":\"%s\",\"version\":1,\"on\":true,\"salt\":\"s\",\"variations\":[false,true],\"fallthrough\":{\"variation\":0},"
          "\"rules\":[{\"id\":\"r\",\"variation\":1,\"clauses\":[{\"attribute\":\"\",\"op\":\"segmentMatch\",\"values\":[\"%s\"]}]}]}",
          key, segment);
  put_flag(connection, the_setting.prefix, key, json);
}

/* Two flags that need each other, and one that needs itself; the same with segments. */
static void put_cycles(redis *connection) {
#define NEEDS(key, other)                                                                                            \
  "{\"key\":\"" key "\",\"version\":1,\"on\":true,\"salt\":\"s\",\"variations\":[false,true],\"fallthrough\":"       \
  "{\"variation\":1},\"offVariation\":0,\"prerequisites\":[{\"key\":\"" other "\",\"variation\":1}]}"
#define WITHIN(key, other)                                                                                           \
  "{\"key\":\"" key "\",\"version\":1,\"salt\":\"s\",\"rules\":[{\"clauses\":[{\"attribute\":\"\",\"op\":"           \
  "\"segmentMatch\",\"values\":[\"" other "\"]}]}]}"
  put_flag(connection, the_setting.prefix, "ping", NEEDS("ping", "pong"));
  put_flag(connection, the_setting.prefix, "pong", NEEDS("pong", "ping"));
  put_flag(connection, the_setting.prefix, "self", NEEDS("self", "self"));
  put_segment(connection, the_setting.prefix, "s-ping", WITHIN("s-ping", "s-pong"));
  put_segment(connection, the_setting.prefix, "s-pong", WITHIN("s-pong", "s-ping"));
  put_segment(connection, the_setting.prefix, "s-self", WITHIN("s-self", "s-self"));
  put_flag_for_segment(connection, "in-s-ping", "s-ping");
  put_flag_for_segment(connection, "in-s-self", "s-self");
}

/* `depth` times `open`, then `inside`, then `depth` times `close`; to be freed. */
static char *nested(const char *before, const char *open, const char *inside, const char *close, const char *after, int depth) {
  size_t size = strlen(before) + strlen(open) * depth + strlen(inside) + strlen(close) * depth + strlen(after) + 1;
  char *text = malloc(size), *at = text;
  int index;
  at += sprintf(at, "%s", before);
  for (index = 0; index < depth; index++) at += sprintf(at, "%s", open);
  at += sprintf(at, "%s", inside);
  for (index = 0; index < depth; index++) at += sprintf(at, "%s", close);
  sprintf(at, "%s", after);
  return text;
}

static void put_deep_items(redis *connection) {
  const char *before = "{\"key\":\"deep\",\"version\":1,\"on\":true,\"salt\":\"s\",\"fallthrough\":{\"variation\":0},\"variations\":[";
  char *arrays = nested(before, "[", "7", "]", "]}", LENGTH);
  char *objects = nested(before, "{\"a\":", "7", "}", "]}", LENGTH);
  char *unknown = nested("{\"key\":\"deep\",\"version\":1,\"later\":", "[", "", "]", "}", LENGTH);
  char *open = nested("", "[", "", "", "", LENGTH);
  put_flag(connection, the_setting.prefix, "deep-arrays", arrays);
  put_flag(connection, the_setting.prefix, "deep-objects", objects);
  put_flag(connection, the_setting.prefix, "deep-unknown", unknown);
  put_flag(connection, the_setting.prefix, "deep-open", open);
  put_segment(connection, the_setting.prefix, "deep-segment", unknown);
  put_flag_for_segment(connection, "in-deep-segment", "deep-segment");
  free(arrays);
  /* The flag and its variations are the first two levels. */
  arrays = nested(before, "[", "7", "]", "]}", FLAGSTONE_LIMIT_JSON_DEPTH - 2);
  put_flag(connection, the_setting.prefix, "just-deep", arrays);
  free(arrays);
  arrays = nested(before, "[", "7", "]", "]}", FLAGSTONE_LIMIT_JSON_DEPTH - 1);
  put_flag(connection, the_setting.prefix, "too-deep", arrays);
  free(arrays);
  free(objects);
  free(unknown);
  free(open);
}

static void fill(void) {
  redis *connection = redis_open(the_setting.port);
  put_bool(connection, the_setting.prefix, "neighbour", 1, 1);
  put_chain_of_flags(connection, "long", LENGTH);
  put_chain_of_flags(connection, "short", FLAGSTONE_LIMIT_CHAIN);
  put_chain_of_flags(connection, "above", FLAGSTONE_LIMIT_CHAIN + 2);
  put_chain_of_segments(connection, "s-long", LENGTH);
  put_chain_of_segments(connection, "s-short", FLAGSTONE_LIMIT_CHAIN);
  put_chain_of_segments(connection, "s-above", FLAGSTONE_LIMIT_CHAIN + 1);
  put_flag_for_segment(connection, "in-s-long", "s-long-0");
  put_flag_for_segment(connection, "in-s-short", "s-short-0");
  put_flag_for_segment(connection, "in-s-above", "s-above-0");
  put_cycles(connection);
  put_deep_items(connection);
  put_inited(connection, the_setting.prefix);
  redis_close(connection);
}

static void expect_error(const flagstone_client *client, const flagstone_context *context, const char *key, int32_t kind) {
  flagstone_detail detail = empty_detail();
  CHECK(flagstone_variation(client, context, key, strlen(key), FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  if (!CHECK(detail.reason == FLAGSTONE_REASON_ERROR && detail.error_kind == kind)) {
    fprintf(stderr, "  with %s: reason %d, error kind %d\n", key, (int)detail.reason, (int)detail.error_kind);
  }
  flagstone_detail_clear(&detail);
  CHECK(bool_value(client, context, key, 1) == 1 && bool_value(client, context, key, 0) == 0);
}

static void contexts_that_are_nested_too_deep(void) {
  char *arrays = nested("{\"kind\":\"user\",\"key\":\"k\",\"a\":", "[", "", "]", "}", LENGTH);
  char *open = nested("{\"kind\":\"user\",\"key\":\"k\",\"a\":", "{\"a\":", "", "", "", LENGTH);
  flagstone_context *context = NULL;
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "JSON", flagstone_context_from_json(arrays, strlen(arrays), &context, &error));
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "JSON", flagstone_context_from_json(open, strlen(open), &context, &error));
  CHECK(context == NULL);
  free(arrays);
  free(open);
  /* The context itself is the first level. */
  arrays = nested("{\"kind\":\"user\",\"key\":\"k\",\"a\":", "[", "", "]", "}", FLAGSTONE_LIMIT_JSON_DEPTH - 1);
  open = nested("{\"kind\":\"user\",\"key\":\"k\",\"a\":", "[", "", "]", "}", FLAGSTONE_LIMIT_JSON_DEPTH);
  ACCEPTED(flagstone_context_from_json(arrays, strlen(arrays), &context, &error));
  flagstone_context_release(context);
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "JSON", flagstone_context_from_json(open, strlen(open), &context, &error));
  free(arrays);
  free(open);
}

/* Options are read once, by the thread that starts the program: that one has an ordinary stack. */
static void a_configuration_that_is_nested_too_deep(void) {
  char *open = nested("", "{\"a\":", "", "", "", LENGTH);
  flagstone_config *config = flagstone_config_new();
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "JSON", flagstone_config_load_json(config, open, strlen(open), &error));
  flagstone_config_free(config);
  free(open);
}

static void evaluate_all(const char *options) {
  flagstone_client *client = started_client(the_setting, options);
  flagstone_context *context = user("ada");
  flagstone_detail detail = empty_detail();
  CHECK(bool_value(client, context, "neighbour", 0) == 1);
  CHECK(bool_value(client, context, "short-0", 0) == 1);
  CHECK(bool_value(client, context, "in-s-short", 0) == 1);
  expect_error(client, context, "long-0", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  expect_error(client, context, "in-s-long", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  expect_error(client, context, "above-0", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  expect_error(client, context, "in-s-above", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  expect_error(client, context, "ping", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  expect_error(client, context, "self", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  expect_error(client, context, "in-s-ping", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  expect_error(client, context, "in-s-self", FLAGSTONE_ERROR_KIND_MALFORMED_FLAG);
  CHECK(flagstone_variation(client, context, "just-deep", 9, FLAGSTONE_TYPE_JSON, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(detail.text.len == 2 * (FLAGSTONE_LIMIT_JSON_DEPTH - 2) + 1);
  flagstone_detail_clear(&detail);
  expect_error(client, context, "too-deep", FLAGSTONE_ERROR_KIND_EXCEPTION);
  expect_error(client, context, "deep-arrays", FLAGSTONE_ERROR_KIND_EXCEPTION);
  expect_error(client, context, "deep-objects", FLAGSTONE_ERROR_KIND_EXCEPTION);
  expect_error(client, context, "deep-unknown", FLAGSTONE_ERROR_KIND_EXCEPTION);
  expect_error(client, context, "deep-open", FLAGSTONE_ERROR_KIND_EXCEPTION);
  expect_error(client, context, "in-deep-segment", FLAGSTONE_ERROR_KIND_EXCEPTION);
  CHECK(bool_value(client, context, "neighbour", 0) == 1);
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_VALID);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
}

static void *on_a_small_stack(void *nothing) {
  contexts_that_are_nested_too_deep();
  evaluate_all(NULL);
  evaluate_all("{\"cache.residency\":\"lazy\"}");
  evaluate_all("{\"cache.residency\":\"off\"}");
  return nothing;
}

int main(int argc, char **argv) {
  pthread_attr_t attributes;
  pthread_t thread;
  the_setting = read_arguments(argc, argv);
  a_configuration_that_is_nested_too_deep();
  fill();
  CHECK(pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstacksize(&attributes, STACK) == 0);
  CHECK(pthread_create(&thread, &attributes, on_a_small_stack, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  pthread_attr_destroy(&attributes);
  return report();
}
