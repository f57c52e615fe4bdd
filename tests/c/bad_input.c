/*
 * What a host can pass by mistake: NULL, a handle of another type, text that is not UTF-8 or not JSON, numbers that name
 * nothing, structs that are too small; and what somebody else can leave in Redis. Each is recognised and refused with a
 * message that names the argument, nothing is written, and what was there before goes on working.
 *
 * Handles that were released are used and released again, too, each right after its release, while the library still keeps
 * the block of memory: so far the header's promise is one without exception, and the instruments have nothing to find.
 */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that are not UTF-8: a lone continuation, an overlong form, a surrogate, a cut sequence, a code point too large. */
static const char *const BAD_TEXTS[] = {"\x80", "\xc0\xaf", "\xed\xa0\x80", "ab\xe2\x82", "\xf5\x80\x80\x80"};
#define BAD BAD_TEXTS[0]

#define IS_NULL FLAGSTONE_STATUS_NULL_ARGUMENT
#define INVALID FLAGSTONE_STATUS_INVALID_ARGUMENT
#define BAD_UTF8 FLAGSTONE_STATUS_BAD_UTF8
#define BAD_JSON FLAGSTONE_STATUS_BAD_JSON

/* One live handle of each type, and the same pointer under each other type. */
typedef struct handles {
  flagstone_config *config;
  flagstone_client *client;
  flagstone_context *context;
  flagstone_context_builder *builder;
  flagstone_flag *flag;
} handles;

/* The handle of one type as a pointer to another. */
#define AS(type, handle) ((type *)(void *)(handle))
/* Something that no function may overwrite. */
#define UNTOUCHED(type) AS(type, &marker)
static int marker;

static handles make_handles(setting setting) {
  handles live;
  memset(&live, 0, sizeof live);
  live.config = flagstone_config_new();
  live.client = started_client(setting, NULL);
  live.context = user("ada");
  live.builder = flagstone_context_builder_new(str("user"), str("ada"));
  ACCEPTED(flagstone_flag_new(live.client, "good", 4, FLAGSTONE_TYPE_BOOL, "false", 5, &live.flag, &error));
  return live;
}

static void configurations(const handles *live) {
  flagstone_config *other = AS(flagstone_config, live->context);
  flagstone_client *client = UNTOUCHED(flagstone_client);
  size_t index;
  REFUSED(IS_NULL, "config", flagstone_config_set(NULL, "log.level", 9, "info", 4, &error));
  REFUSED(INVALID, "config", flagstone_config_set(other, "log.level", 9, "info", 4, &error));
  REFUSED(IS_NULL, "name", flagstone_config_set(live->config, NULL, 9, "info", 4, &error));
  REFUSED(IS_NULL, "value", flagstone_config_set(live->config, "log.level", 9, NULL, 4, &error));
  REFUSED(IS_NULL, "value", flagstone_config_set(live->config, "log.level", 9, "info", (size_t)-1, &error));
  REFUSED(INVALID, "\"\"", flagstone_config_set(live->config, NULL, 0, NULL, 0, &error));
  REFUSED(INVALID, "log.leve", flagstone_config_set(live->config, "log.level", 8, "info", 4, &error));
  for (index = 0; index < sizeof BAD_TEXTS / sizeof BAD_TEXTS[0]; index++) {
    const char *bad = BAD_TEXTS[index];
    REFUSED(BAD_UTF8, "name", flagstone_config_set(live->config, bad, strlen(bad), "info", 4, &error));
    REFUSED(BAD_UTF8, "value", flagstone_config_set(live->config, "redis.prefix", 12, bad, strlen(bad), &error));
    REFUSED(BAD_UTF8, "json", flagstone_config_load_json(live->config, bad, strlen(bad), &error));
  }
  REFUSED(IS_NULL, "config", flagstone_config_load_json(NULL, "{}", 2, &error));
  REFUSED(INVALID, "config", flagstone_config_load_json(other, "{}", 2, &error));
  REFUSED(IS_NULL, "json", flagstone_config_load_json(live->config, NULL, 2, &error));
  REFUSED(BAD_JSON, "JSON", flagstone_config_load_json(live->config, NULL, 0, &error));
  REFUSED(IS_NULL, "config", flagstone_client_new(NULL, &client, &error));
  REFUSED(INVALID, "config", flagstone_client_new(other, &client, &error));
  REFUSED(IS_NULL, "out", flagstone_client_new(live->config, NULL, &error));
  CHECK(client == UNTOUCHED(flagstone_client));
  /* A refused URL is not repeated: it may carry a password. */
  {
    const char *url = "http://user:hunter2@example.org";
    flagstone_error *error = NULL;
    CHECK(flagstone_config_set(live->config, "redis.url", 9, url, strlen(url), &error) == INVALID);
    CHECK(!contains(flagstone_error_message(error), "hunter2"));
    flagstone_error_free(error);
  }
  /* A handle of another type is not freed by mistake either. */
  flagstone_config_free(AS(flagstone_config, live->client));
}

static void clients(const handles *live) {
  flagstone_client *other = AS(flagstone_client, live->config);
  uint64_t listener = 0;
  int64_t version = -7;
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_notification notification;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  REFUSED(IS_NULL, "client", flagstone_client_start(NULL, 0, &error));
  REFUSED(INVALID, "client", flagstone_client_start(other, 0, &error));
  REFUSED(IS_NULL, "client", flagstone_client_postfork(NULL, &error));
  REFUSED(INVALID, "client", flagstone_client_postfork(other, &error));
  REFUSED(IS_NULL, "client", flagstone_client_flush(NULL, 0, &error));
  REFUSED(INVALID, "client", flagstone_client_flush(other, 0, &error));
  REFUSED(IS_NULL, "client", flagstone_client_subscribe(NULL, 1, &error));
  REFUSED(INVALID, "client", flagstone_client_subscribe(other, 1, &error));
  REFUSED(IS_NULL, "client", flagstone_client_listen(NULL, live->context, "a", 1, &listener, &error));
  REFUSED(INVALID, "client", flagstone_client_listen(other, live->context, "a", 1, &listener, &error));
  REFUSED(IS_NULL, "context", flagstone_client_listen(live->client, NULL, "a", 1, &listener, &error));
  REFUSED(INVALID, "context", flagstone_client_listen(live->client, AS(flagstone_context, live->config), "a", 1, &listener, &error));
  REFUSED(IS_NULL, "key", flagstone_client_listen(live->client, live->context, NULL, 1, &listener, &error));
  REFUSED(FLAGSTONE_STATUS_BAD_UTF8, "key", flagstone_client_listen(live->client, live->context, "\xff", 1, &listener, &error));
  REFUSED(IS_NULL, "listener", flagstone_client_listen(live->client, live->context, "a", 1, NULL, &error));
  REFUSED(IS_NULL, "client", flagstone_client_unlisten(NULL, 1, &error));
  REFUSED(INVALID, "client", flagstone_client_unlisten(other, 1, &error));
  REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "listener", flagstone_client_unlisten(live->client, UINT64_MAX, &error));
  CHECK(listener == 0);
  REFUSED(IS_NULL, "client", flagstone_client_set_credentials(NULL, "a", 1, "b", 1, 0, &error));
  REFUSED(INVALID, "client", flagstone_client_set_credentials(other, "a", 1, "b", 1, 0, &error));
  REFUSED(IS_NULL, "user", flagstone_client_set_credentials(live->client, NULL, 1, "b", 1, 0, &error));
  REFUSED(IS_NULL, "password", flagstone_client_set_credentials(live->client, "a", 1, NULL, 1, 0, &error));
  REFUSED(FLAGSTONE_STATUS_BAD_UTF8, "user", flagstone_client_set_credentials(live->client, "\xff", 1, "b", 1, 0, &error));
  REFUSED(FLAGSTONE_STATUS_BAD_UTF8, "password", flagstone_client_set_credentials(live->client, "a", 1, "\xff", 1, 0, &error));
  REFUSED(INVALID, "empty", flagstone_client_set_credentials(live->client, NULL, 0, NULL, 0, 0, &error));
  REFUSED(INVALID, "NUL", flagstone_client_set_credentials(live->client, "a\0c", 3, "b", 1, 0, &error));
  REFUSED(INVALID, "NUL", flagstone_client_set_credentials(live->client, "a", 1, "b\0", 2, 0, &error));
  REFUSED(INVALID, "negative", flagstone_client_set_credentials(live->client, "a", 1, "b", 1, -1, &error));
  REFUSED(IS_NULL, "client", flagstone_client_status_json(NULL, &bytes, &error));
  REFUSED(INVALID, "client", flagstone_client_status_json(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_client_status_json(live->client, NULL, &error));
  REFUSED(IS_NULL, "client", flagstone_client_flag_version(NULL, "bool", 4, &version, &error));
  REFUSED(INVALID, "client", flagstone_client_flag_version(other, "bool", 4, &version, &error));
  REFUSED(IS_NULL, "key", flagstone_client_flag_version(live->client, NULL, 4, &version, &error));
  REFUSED(IS_NULL, "out", flagstone_client_flag_version(live->client, "bool", 4, NULL, &error));
  REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "held", flagstone_client_flag_version(live->client, "nix", 3, &version, &error));
  CHECK(version == -7);
  REFUSED(IS_NULL, "client", flagstone_client_metrics_text(NULL, &bytes, &error));
  REFUSED(INVALID, "client", flagstone_client_metrics_text(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_client_metrics_text(live->client, NULL, &error));
  REFUSED(IS_NULL, "client", flagstone_all_flags_json(NULL, live->context, 0, &bytes, &error));
  REFUSED(INVALID, "client", flagstone_all_flags_json(other, live->context, 0, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_all_flags_json(live->client, AS(flagstone_context, live->config), 0, &bytes, &error));
  REFUSED(INVALID, "options", flagstone_all_flags_json(live->client, live->context, UINT32_MAX, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_all_flags_json(live->client, live->context, 0, NULL, &error));
  REFUSED(IS_NULL, "client", flagstone_secure_mode_hash(NULL, live->context, &bytes, &error));
  REFUSED(INVALID, "client", flagstone_secure_mode_hash(other, live->context, &bytes, &error));
  REFUSED(IS_NULL, "context", flagstone_secure_mode_hash(live->client, NULL, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_secure_mode_hash(live->client, AS(flagstone_context, live->config), &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_secure_mode_hash(live->client, live->context, NULL, &error));
  CHECK(bytes.ptr == NULL && bytes.len == 0 && bytes.owner == NULL);
  CHECK(flagstone_client_wait(NULL, FLAGSTONE_STATE_VALID, 0) == IS_NULL);
  CHECK(flagstone_client_wait(other, FLAGSTONE_STATE_VALID, 0) == INVALID);
  CHECK(flagstone_client_wait(live->client, 5, 0) == INVALID);
  CHECK(flagstone_client_wait(live->client, INT32_MIN, 0) == INVALID);
  CHECK(flagstone_client_state(NULL) == FLAGSTONE_STATE_OFF);
  CHECK(flagstone_client_state(other) == FLAGSTONE_STATE_OFF);
  CHECK(flagstone_client_close(NULL, 0) == IS_NULL);
  CHECK(flagstone_client_close(other, 0) == INVALID);
  CHECK(flagstone_client_retain(NULL) == NULL);
  CHECK(flagstone_client_retain(other) == NULL);
  flagstone_client_release(other);
  flagstone_client_wake(NULL);
  flagstone_client_wake(other);
  CHECK(flagstone_client_next_notification(NULL, 0, &notification) == IS_NULL);
  CHECK(flagstone_client_next_notification(other, 0, &notification) == INVALID);
  CHECK(flagstone_client_next_notification(live->client, 0, NULL) == IS_NULL);
  notification.struct_size = 0;
  CHECK(flagstone_client_next_notification(live->client, 0, &notification) == INVALID);
  CHECK(notification.kind == 0 && notification.owner == NULL);
}

static void contexts(const handles *live) {
  flagstone_context *context = UNTOUCHED(flagstone_context), *other = AS(flagstone_context, live->client);
  const flagstone_context *parts[2];
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str nothing = {NULL, 3}, bad;
  bad.ptr = BAD;
  bad.len = strlen(BAD);
  REFUSED(IS_NULL, "kind", flagstone_context_from_key(nothing, str("k"), &context, &error));
  REFUSED(IS_NULL, "key", flagstone_context_from_key(str("user"), nothing, &context, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_from_key(bad, str("k"), &context, &error));
  REFUSED(BAD_UTF8, "key", flagstone_context_from_key(str("user"), bad, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_from_key(str("user"), str("k"), NULL, &error));
  REFUSED(IS_NULL, "json", flagstone_context_from_json(NULL, 2, &context, &error));
  REFUSED(BAD_UTF8, "json", flagstone_context_from_json(BAD, 1, &context, &error));
  REFUSED(BAD_JSON, "JSON", flagstone_context_from_json(NULL, 0, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_from_json("{\"key\":\"k\"}", 11, NULL, &error));
  parts[0] = live->context;
  parts[1] = NULL;
  REFUSED(IS_NULL, "contexts", flagstone_context_merge(parts, 2, &context, &error));
  parts[1] = other;
  REFUSED(INVALID, "contexts", flagstone_context_merge(parts, 2, &context, &error));
  REFUSED(IS_NULL, "contexts", flagstone_context_merge(NULL, 2, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_merge(parts, 1, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_to_json(NULL, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_to_json(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_to_json(live->context, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_canonical_key(NULL, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_canonical_key(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_canonical_key(live->context, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_kinds(NULL, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_kinds(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_kinds(live->context, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_get(NULL, str(""), str("key"), &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_get(other, str(""), str("key"), &bytes, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_get(live->context, bad, str("key"), &bytes, &error));
  REFUSED(BAD_UTF8, "reference", flagstone_context_get(live->context, str(""), bad, &bytes, &error));
  REFUSED(IS_NULL, "reference", flagstone_context_get(live->context, str(""), nothing, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_get(live->context, str(""), str("key"), NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_private_attributes(NULL, str(""), &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_private_attributes(other, str(""), &bytes, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_private_attributes(live->context, bad, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_private_attributes(live->context, str(""), NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_individual(NULL, str(""), &context, &error));
  REFUSED(INVALID, "context", flagstone_context_individual(other, str(""), &context, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_individual(live->context, bad, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_individual(live->context, str(""), NULL, &error));
  CHECK(context == UNTOUCHED(flagstone_context) && bytes.ptr == NULL && bytes.owner == NULL);
  CHECK(flagstone_context_retain(NULL) == NULL);
  CHECK(flagstone_context_retain(other) == NULL);
  flagstone_context_release(other);
  {
    /* Longer than any context may be, which is seen without reading it. */
    flagstone_str huge = {"x", FLAGSTONE_CONTEXT_MAX_BYTES + (size_t)1};
    flagstone_attr attr;
    flagstone_context_builder *builder;
    memset(&attr, 0, sizeof attr);
    attr.name = str("x");
    attr.type = FLAGSTONE_TYPE_STRING;
    attr.text = huge;
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_key(str("user"), huge, &context, &error));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_key(huge, str("k"), &context, &error));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_json(huge.ptr, huge.len, &context, &error));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error));
    attr.type = FLAGSTONE_TYPE_JSON;
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error));
    attr.name = huge;
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error));
    CHECK(flagstone_context_builder_new(str("user"), huge) == NULL);
    builder = flagstone_context_builder_new(str("user"), str("k"));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_builder_set_private(builder, huge, &error));
    flagstone_context_builder_free(builder);
    CHECK(context == UNTOUCHED(flagstone_context));
  }
}

static void attributes(const handles *live) {
  flagstone_context *context = UNTOUCHED(flagstone_context);
  flagstone_context_builder *other = AS(flagstone_context_builder, live->flag);
  flagstone_attr attr;
  flagstone_str nothing = {NULL, 3}, bad;
  bad.ptr = BAD;
  bad.len = strlen(BAD);
  memset(&attr, 0, sizeof attr);
  attr.type = FLAGSTONE_TYPE_STRING;
  attr.name = nothing;
#define FROM_ATTRS flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error)
#define BUILDER_SET flagstone_context_builder_set(live->builder, &attr, &error)
  REFUSED(IS_NULL, "name", FROM_ATTRS);
  REFUSED(IS_NULL, "name", BUILDER_SET);
  attr.name = bad;
  REFUSED(BAD_UTF8, "name", FROM_ATTRS);
  REFUSED(BAD_UTF8, "name", BUILDER_SET);
  attr.name = str("x");
  attr.text = nothing;
  REFUSED(IS_NULL, "text", FROM_ATTRS);
  REFUSED(IS_NULL, "text", BUILDER_SET);
  attr.text = bad;
  REFUSED(BAD_UTF8, "text", FROM_ATTRS);
  REFUSED(BAD_UTF8, "text", BUILDER_SET);
  attr.type = FLAGSTONE_TYPE_JSON;
  REFUSED(BAD_UTF8, "text", FROM_ATTRS);
  attr.text = str("");
  REFUSED(BAD_JSON, "\"x\"", FROM_ATTRS);
  attr.text = str("1");
  attr.flags = 2;
  REFUSED(INVALID, "flags", FROM_ATTRS);
  REFUSED(INVALID, "flags", BUILDER_SET);
  attr.flags = 0;
  attr.type = -1;
  REFUSED(INVALID, "type -1", FROM_ATTRS);
  REFUSED(INVALID, "type -1", BUILDER_SET);
  REFUSED(IS_NULL, "attrs", flagstone_context_from_attrs(str(""), str("k"), NULL, 1, &context, &error));
  REFUSED(BAD_UTF8, "key", flagstone_context_from_attrs(str(""), bad, NULL, 0, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_from_attrs(str(""), str("k"), NULL, 0, NULL, &error));

  CHECK(flagstone_context_builder_new(bad, str("k")) == NULL);
  CHECK(flagstone_context_builder_new(str("user"), bad) == NULL);
  CHECK(flagstone_context_builder_new(nothing, str("k")) == NULL);
  REFUSED(IS_NULL, "attr", flagstone_context_builder_set(live->builder, NULL, &error));
  REFUSED(IS_NULL, "builder", flagstone_context_builder_set(NULL, &attr, &error));
  REFUSED(INVALID, "builder", flagstone_context_builder_set(other, &attr, &error));
  REFUSED(IS_NULL, "builder", flagstone_context_builder_set_private(NULL, str("x"), &error));
  REFUSED(INVALID, "builder", flagstone_context_builder_set_private(other, str("x"), &error));
  REFUSED(BAD_UTF8, "reference", flagstone_context_builder_set_private(live->builder, bad, &error));
  REFUSED(IS_NULL, "reference", flagstone_context_builder_set_private(live->builder, nothing, &error));
  REFUSED(IS_NULL, "builder", flagstone_context_builder_build(NULL, &context, &error));
  REFUSED(INVALID, "builder", flagstone_context_builder_build(other, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_builder_build(live->builder, NULL, &error));
  CHECK(context == UNTOUCHED(flagstone_context));
  flagstone_context_builder_free(other);
  /* After all that was refused the builder is as it was. */
  ACCEPTED(flagstone_context_builder_build(live->builder, &context, &error));
  {
    flagstone_bytes bytes = {NULL, 0, NULL};
    flagstone_str text;
    ACCEPTED(flagstone_context_to_json(context, &bytes, &error));
    text.ptr = bytes.ptr;
    text.len = bytes.len;
    CHECK(equals(text, "{\"kind\":\"user\",\"key\":\"ada\"}"));
    flagstone_bytes_clear(&bytes);
  }
  flagstone_context_release(context);
}

static void errors(const handles *live) {
  flagstone_error *other = AS(flagstone_error, live->client);
  CHECK(flagstone_error_code(other) == IS_NULL);
  CHECK(flagstone_error_message(other).len == 0);
  flagstone_error_free(other);
}

static void scalars_give_their_default(const handles *live) {
  const flagstone_client *client = live->client, *no_client = AS(flagstone_client, live->flag);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  const flagstone_flag *no_flag = AS(flagstone_flag, live->context);
#define EACH_SCALAR(client, context, key, len)                                 \
  CHECK(flagstone_bool_variation(client, context, key, len, 1) == 1);          \
  CHECK(flagstone_bool_variation(client, context, key, len, 0) == 0);          \
  CHECK(flagstone_int_variation(client, context, key, len, -77) == -77);       \
  CHECK(flagstone_double_variation(client, context, key, len, -7.5) == -7.5)
  EACH_SCALAR(NULL, context, "good", 4);
  EACH_SCALAR(no_client, context, "good", 4);
  EACH_SCALAR(client, NULL, "good", 4);
  EACH_SCALAR(client, no_context, "good", 4);
  EACH_SCALAR(client, context, NULL, 4);
  EACH_SCALAR(client, context, NULL, 0);
  EACH_SCALAR(client, context, "good", (size_t)-1);
  EACH_SCALAR(client, context, BAD, 1);
  EACH_SCALAR(client, context, "good\0", 5);
  CHECK(flagstone_flag_bool(NULL, context) == 0 && flagstone_flag_bool(no_flag, context) == 0);
  CHECK(flagstone_flag_bool_try(NULL, context) == 0 && flagstone_flag_bool_try(no_flag, context) == 0);
  CHECK(flagstone_flag_int(NULL, context) == 0 && flagstone_flag_int(no_flag, context) == 0);
  CHECK(flagstone_flag_double(NULL, context) == 0 && flagstone_flag_double(no_flag, context) == 0);
  CHECK(flagstone_flag_bool(live->flag, NULL) == 0 && flagstone_flag_bool(live->flag, no_context) == 0);
  CHECK(flagstone_flag_bool_try(live->flag, NULL) == 0 && flagstone_flag_bool_try(live->flag, no_context) == 0);
  CHECK(flagstone_flag_int(live->flag, NULL) == 0 && flagstone_flag_double(live->flag, NULL) == 0);
  flagstone_flag_release(AS(flagstone_flag, live->client));
}

/* Checks that a detail was filled with an error of this kind, whatever was in it, and clears it. */
static void check_error(flagstone_detail *detail, int32_t kind, const char *what, int line) {
  check(detail->reason == FLAGSTONE_REASON_ERROR && detail->error_kind == kind && detail->flags == FLAGSTONE_DETAIL_DEFAULTED &&
            detail->value_type == FLAGSTONE_TYPE_NONE && detail->variation_index == -1 && detail->rule_index == -1 &&
            detail->number_value == 0 && detail->text.len == 0 && detail->rule_id.len == 0 &&
            detail->prerequisite_key.len == 0 && detail->owner == NULL,
        what, __FILE__, line);
  flagstone_detail_clear(detail);
}

#define REFUSED_WITH(expected, kind, call)                                     \
  do {                                                                         \
    flagstone_detail detail;                                                   \
    memset(&detail, 0x5a, sizeof detail);                                      \
    detail.struct_size = sizeof detail;                                        \
    CHECK((call) == (expected));                                               \
    check_error(&detail, FLAGSTONE_ERROR_KIND_##kind, #call, __LINE__);        \
  } while (0)

static void details_say_what_is_wrong(const handles *live) {
  const flagstone_client *client = live->client, *no_client = AS(flagstone_client, live->flag);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  const flagstone_flag *no_flag = AS(flagstone_flag, live->context);
#define VARIATION(client, context, key, len, type) flagstone_variation(client, context, key, len, type, NULL, 0, &detail)
  REFUSED_WITH(IS_NULL, EXCEPTION, VARIATION(NULL, context, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION(no_client, context, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, VARIATION(client, NULL, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, VARIATION(NULL, NULL, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION(client, no_context, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(IS_NULL, EXCEPTION, VARIATION(client, context, NULL, 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(BAD_UTF8, EXCEPTION, VARIATION(client, context, BAD, 1, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION(client, context, "good", 4, 5));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION(client, context, "good", 4, -1));
#define EACH_OF_FLAG(call)                                                              \
  REFUSED_WITH(IS_NULL, EXCEPTION, call(NULL, context, &detail));                       \
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, call(NULL, NULL, &detail));                 \
  REFUSED_WITH(INVALID, EXCEPTION, call(no_flag, context, &detail));                    \
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, call(live->flag, NULL, &detail));           \
  REFUSED_WITH(INVALID, EXCEPTION, call(live->flag, no_context, &detail));              \
  CHECK(call(live->flag, context, NULL) == IS_NULL)
  EACH_OF_FLAG(flagstone_flag_detail);
  EACH_OF_FLAG(flagstone_flag_value);
  CHECK(flagstone_variation(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, NULL) == IS_NULL);
}

/* The same of the calls that take a default as it is; a default that is none spoils nothing. */
static void defaults_that_are_none(const handles *live) {
  const flagstone_client *client = live->client, *no_client = AS(flagstone_client, live->flag);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  flagstone_default odd[6];
  size_t index;
  uint32_t options;
#define VARIATION_OR(client, context, key, len, type) flagstone_variation_or(client, context, key, len, type, &odd[0], 1, &detail)
  memset(odd, 0, sizeof odd);
  odd[0].value_type = odd[1].value_type = odd[2].value_type = FLAGSTONE_TYPE_STRING;
  odd[0].text.len = 4; /* no text at all */
  odd[1].text = str(BAD);
  odd[2].text.ptr = "x";
  odd[2].text.len = (size_t)-1;
  odd[3].value_type = FLAGSTONE_TYPE_JSON;
  odd[3].text = str("{\"a\":");
  odd[4].value_type = FLAGSTONE_TYPE_NUMBER;
  odd[4].number = NAN;
  odd[5].value_type = -1;
  REFUSED_WITH(IS_NULL, EXCEPTION, VARIATION_OR(NULL, context, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION_OR(no_client, context, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, VARIATION_OR(client, NULL, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION_OR(client, no_context, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(IS_NULL, EXCEPTION, VARIATION_OR(client, context, NULL, 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(BAD_UTF8, EXCEPTION, VARIATION_OR(client, context, BAD, 1, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION_OR(client, context, "good", 4, 5));
  CHECK(flagstone_variation_or(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, &odd[0], 1, NULL) == IS_NULL);
  for (index = 0; index < sizeof odd / sizeof odd[0]; index++) {
    for (options = 0; options < 4; options++) {
      flagstone_detail details[2];
      flagstone_str keys[2];
      flagstone_default defaults[2];
      keys[0] = keys[1] = str("good");
      details[0] = details[1] = empty_detail();
      defaults[0] = defaults[1] = odd[index];
      CHECK(flagstone_variation_or(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, &odd[index], options, &details[0]) == FLAGSTONE_STATUS_OK);
      CHECK(details[0].number_value == 1);
      flagstone_detail_clear(&details[0]);
      CHECK(flagstone_variation_many_or(client, context, keys, defaults, 2, options, details) == FLAGSTONE_STATUS_OK);
      CHECK(details[0].number_value == 1 && details[1].number_value == 1);
      flagstone_detail_clear(&details[0]);
      flagstone_detail_clear(&details[1]);
    }
  }
}

/* Events that are none: for a client that makes events, and for one that does not. Nobody listens at port 1. */
static void events_that_are_none(setting setting, const handles *live) {
  flagstone_client *telling = new_client(setting, "{\"sdk.key\":\"sdk\",\"endpoints.events\":\"http://127.0.0.1:1\"}");
  flagstone_client *clients[2], *other = AS(flagstone_client, live->config);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  const double metrics[] = {NAN, HUGE_VAL, -HUGE_VAL};
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str text;
  size_t each, index;
  clients[0] = telling;
  clients[1] = live->client;
#define TRACK(client, context, name, len, metric, data, data_len) flagstone_track(client, context, name, len, metric, data, data_len, &error)
  for (each = 0; each < 2; each++) {
    flagstone_client *client = clients[each];
    REFUSED(IS_NULL, "context", flagstone_identify(client, NULL, &error));
    REFUSED(INVALID, "context", flagstone_identify(client, no_context, &error));
    REFUSED(IS_NULL, "context", TRACK(client, NULL, "done", 4, NULL, NULL, 0));
    REFUSED(INVALID, "context", TRACK(client, no_context, "done", 4, NULL, NULL, 0));
    REFUSED(IS_NULL, "name", TRACK(client, context, NULL, 4, NULL, NULL, 0));
    REFUSED(IS_NULL, "name", TRACK(client, context, "done", (size_t)-1, NULL, NULL, 0));
    REFUSED(IS_NULL, "data_json", TRACK(client, context, "done", 4, NULL, NULL, 4));
    for (index = 0; index < sizeof BAD_TEXTS / sizeof BAD_TEXTS[0]; index++) {
      const char *bad = BAD_TEXTS[index];
      REFUSED(BAD_UTF8, "name", TRACK(client, context, bad, strlen(bad), NULL, NULL, 0));
      REFUSED(BAD_UTF8, "data_json", TRACK(client, context, "done", 4, NULL, bad, strlen(bad)));
    }
    REFUSED(BAD_JSON, "JSON", TRACK(client, context, "done", 4, NULL, "{", 1));
    REFUSED(BAD_JSON, "JSON", TRACK(client, context, "done", 4, NULL, "1 2", 3));
    REFUSED(BAD_JSON, "JSON", TRACK(client, context, "done", 4, NULL, " ", 1));
    for (index = 0; index < sizeof metrics / sizeof metrics[0]; index++) {
      REFUSED(INVALID, "metric", TRACK(client, context, "done", 4, &metrics[index], "1", 1));
    }
    CHECK(flagstone_track(client, context, "done", 4, &metrics[0], NULL, 0, NULL) == INVALID); /* an error is not needed */
    CHECK(flagstone_identify(client, NULL, NULL) == IS_NULL);
  }
  REFUSED(IS_NULL, "client", flagstone_identify(NULL, context, &error));
  REFUSED(INVALID, "client", flagstone_identify(other, context, &error));
  REFUSED(IS_NULL, "client", TRACK(NULL, context, "done", 4, NULL, NULL, 0));
  REFUSED(INVALID, "client", TRACK(other, context, "done", 4, NULL, NULL, 0));
  ACCEPTED(flagstone_client_status_json(telling, &bytes, &error));
  text.ptr = bytes.ptr;
  text.len = bytes.len;
  CHECK(contains(text, "\"waiting\":0") && contains(text, "\"panics\":0")); /* nothing is told */
  flagstone_bytes_clear(&bytes);
  flagstone_client_release(telling);
}

static void details_that_are_too_small_are_not_written(const handles *live) {
  static const uint32_t sizes[] = {0, 1, 8, sizeof(flagstone_detail) - 1};
  size_t index;
  for (index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
    flagstone_detail detail, before;
    flagstone_str key = str("good");
    memset(&detail, 0x5a, sizeof detail);
    detail.struct_size = sizes[index];
    before = detail;
    CHECK(flagstone_variation(live->client, live->context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
    CHECK(flagstone_variation(live->client, NULL, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
    CHECK(flagstone_flag_detail(live->flag, live->context, &detail) == INVALID);
    CHECK(flagstone_flag_value(live->flag, live->context, &detail) == INVALID);
    CHECK(flagstone_variation_or(live->client, live->context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
    CHECK(flagstone_variation_many(live->client, live->context, &key, 1, &detail) == INVALID);
    CHECK(flagstone_variation_many_or(live->client, live->context, &key, NULL, 1, 0, &detail) == INVALID);
    CHECK(memcmp(&detail, &before, sizeof detail) == 0);
  }
}

static void many(const handles *live) {
  flagstone_str keys[3];
  flagstone_detail details[3];
  size_t index;
  for (index = 0; index < 3; index++) {
    keys[index] = str("good");
    details[index] = empty_detail();
  }
  keys[1].ptr = BAD;
  keys[1].len = 1;
  keys[2].ptr = NULL;
  /* Every detail is written; the status is that of the first key that was refused. */
  CHECK(flagstone_variation_many(live->client, live->context, keys, 3, details) == BAD_UTF8);
  CHECK(details[0].value_type == FLAGSTONE_TYPE_BOOL && details[0].number_value == 1);
  check_error(&details[1], FLAGSTONE_ERROR_KIND_EXCEPTION, "a key that is not UTF-8", __LINE__);
  check_error(&details[2], FLAGSTONE_ERROR_KIND_EXCEPTION, "a key that is NULL", __LINE__);
  CHECK(flagstone_variation_many(live->client, NULL, keys, 1, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED, "no context", __LINE__);
  CHECK(flagstone_variation_many(NULL, live->context, keys, 1, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_EXCEPTION, "no client", __LINE__);
  CHECK(flagstone_variation_many(live->client, live->context, NULL, 2, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_EXCEPTION, "no keys", __LINE__);
  check_error(&details[1], FLAGSTONE_ERROR_KIND_EXCEPTION, "no keys", __LINE__);
  CHECK(flagstone_variation_many(live->client, live->context, keys, 1, NULL) == IS_NULL);
  CHECK(flagstone_variation_many_or(live->client, live->context, keys, NULL, 3, 1, details) == BAD_UTF8);
  CHECK(details[0].value_type == FLAGSTONE_TYPE_BOOL && details[0].number_value == 1);
  check_error(&details[1], FLAGSTONE_ERROR_KIND_EXCEPTION, "a key that is not UTF-8", __LINE__);
  CHECK(flagstone_variation_many_or(live->client, NULL, keys, NULL, 1, 0, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED, "no context", __LINE__);
  CHECK(flagstone_variation_many_or(NULL, live->context, keys, NULL, 1, 0, details) == IS_NULL);
  CHECK(flagstone_variation_many_or(live->client, live->context, NULL, NULL, 1, 0, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_EXCEPTION, "no keys", __LINE__);
  CHECK(flagstone_variation_many_or(live->client, live->context, keys, NULL, 1, 0, NULL) == IS_NULL);

  /* Nothing is written when the sizes do not agree, or cannot be those of an array. */
  for (index = 0; index < 3; index++) memset(&details[index], 0x5a, sizeof details[index]);
  details[0].struct_size = details[1].struct_size = sizeof details[0];
  details[2].struct_size = sizeof details[0] + 8;
  CHECK(flagstone_variation_many(live->client, live->context, keys, 3, details) == INVALID);
  details[0].struct_size = sizeof details[0] + 1;
  CHECK(flagstone_variation_many(live->client, live->context, keys, 2, details) == INVALID);
  CHECK(details[0].variation_index == 0x5a5a5a5a && details[1].variation_index == 0x5a5a5a5a);
}

static void prepared_flags(const handles *live) {
  flagstone_flag *flag = UNTOUCHED(flagstone_flag);
#define FLAG_NEW(client, key, len, type, json, json_len) flagstone_flag_new(client, key, len, type, json, json_len, &flag, &error)
  REFUSED(IS_NULL, "client", FLAG_NEW(NULL, "good", 4, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(INVALID, "client", FLAG_NEW(AS(flagstone_client, live->builder), "good", 4, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(IS_NULL, "key", FLAG_NEW(live->client, NULL, 4, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(BAD_UTF8, "key", FLAG_NEW(live->client, BAD, 1, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(INVALID, "type -1", FLAG_NEW(live->client, "good", 4, -1, "", 0));
  REFUSED(INVALID, "type 5", FLAG_NEW(live->client, "good", 4, 5, "", 0));
  REFUSED(IS_NULL, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 4));
  REFUSED(BAD_UTF8, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, BAD, 1));
  REFUSED(BAD_JSON, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, "true!", 5));
  REFUSED(INVALID, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_NUMBER, "\"7\"", 3));
  REFUSED(IS_NULL, "out", flagstone_flag_new(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, "", 0, NULL, &error));
  CHECK(flag == UNTOUCHED(flagstone_flag));
}

/* The first `length` characters of a context's JSON, in memory that ends there. */
static flagstone_status context_cut_at(const char *json, size_t length, flagstone_error **error) {
  flagstone_context *context = NULL;
  char *copy = malloc(length == 0 ? 1 : length);
  flagstone_status status;
  memcpy(copy, json, length);
  status = flagstone_context_from_json(copy, length, &context, error);
  free(copy);
  flagstone_context_release(context);
  return status;
}

/* JSON with every single character replaced or cut off: nothing crashes, and what is accepted can be released. */
static void damaged_contexts(void) {
  static const char json[] = "{\"kind\":\"multi\",\"user\":{\"key\":\"u\",\"n\":[1,-2.5e3,null]},\"org\":{\"key\":\"\\u00e9\"}}";
  static const char damage[] = "\"\\{}[],:x0\n\x7f\x80";
  char copy[sizeof json];
  size_t at, kind, refused = 0;
  for (at = 0; at < sizeof json - 1; at++) {
    for (kind = 0; kind < sizeof damage; kind++) {
      flagstone_context *context = NULL;
      flagstone_error *error = NULL;
      flagstone_status status;
      memcpy(copy, json, sizeof json);
      copy[at] = damage[kind];
      status = flagstone_context_from_json(copy, sizeof json - 1, &context, &error);
      if ((status == FLAGSTONE_STATUS_OK) != (context != NULL) || (status == FLAGSTONE_STATUS_OK) != (error == NULL)) {
        CHECK(!"a context or an error, never both or none");
      }
      refused += status != FLAGSTONE_STATUS_OK;
      flagstone_context_release(context);
      flagstone_error_free(error);
    }
    REFUSED(BAD_JSON, "JSON", context_cut_at(json, at, &error));
  }
  CHECK(refused > sizeof json);
}

/* Items in Redis that cannot be read take nothing with them. */
static void damaged_items(setting setting, const char *options) {
  static const char *const items[] = {"", "{", "null", "[]", "7", "\"text\"", "{\"version\":\"x\"}", "\x80\xff", "{\"key\":7}",
                                      "{\"key\":\"bad\",\"version\":1,\"variations\":7}",
                                      "{\"key\":\"bad\",\"version\":1,\"rules\":{\"a\":1}}"};
  redis *connection = redis_open(setting.port);
  flagstone_client *client = started_client(setting, options);
  flagstone_context *context = user("ada");
  size_t index;
  for (index = 0; index < sizeof items / sizeof items[0]; index++) {
    char name[32];
    flagstone_detail detail = empty_detail();
    long long deadline = now_ms() + SOON;
    sprintf(name, "bad-%lu", (unsigned long)index);
    put_flag(connection, setting.prefix, name, items[index]);
    for (;;) {
      CHECK(flagstone_variation(client, context, name, strlen(name), FLAGSTONE_TYPE_NONE, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
      if (detail.error_kind != FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND || now_ms() > deadline) break;
      flagstone_detail_clear(&detail);
      sleep_ms(2);
    }
    if (!CHECK(detail.reason == FLAGSTONE_REASON_ERROR && detail.error_kind == FLAGSTONE_ERROR_KIND_EXCEPTION)) {
      fprintf(stderr, "  with %s: reason %d, error kind %d\n", items[index], (int)detail.reason, (int)detail.error_kind);
    }
    flagstone_detail_clear(&detail);
    CHECK(bool_value(client, context, "good", 0) == 1);
    delete_flag(connection, setting.prefix, name);
  }
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_VALID);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  redis_close(connection);
}

/* Whether the client has said in its log that a handle was released. */
static int told_of_a_released_handle(flagstone_client *client) {
  flagstone_notification notification;
  int told = 0;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  while (flagstone_client_next_notification(client, 0, &notification) == FLAGSTONE_STATUS_OK) {
    told += notification.kind == FLAGSTONE_NOTIFICATION_LOG && notification.level_or_state == FLAGSTONE_LEVEL_ERROR &&
            contains(notification.text, "released");
    flagstone_notification_clear(&notification);
  }
  return told;
}

static void released_contexts(setting setting) {
  flagstone_client *client = started_client(setting, NULL);
  flagstone_flag *flag = NULL;
  flagstone_context *context = user("ada"), *merged = NULL;
  flagstone_detail detail = empty_detail();
  flagstone_bytes bytes = {NULL, 0, NULL};
  ACCEPTED(flagstone_flag_new(client, "good", 4, FLAGSTONE_TYPE_BOOL, "false", 5, &flag, &error));
  CHECK(flagstone_context_retain(context) == context);
  flagstone_context_release(context);
  CHECK(bool_value(client, context, "good", 0) == 1 && !told_of_a_released_handle(client)); /* one reference is left */
  flagstone_context_release(context);
  flagstone_context_release(context);
  flagstone_context_release(context);
  CHECK(bool_value(client, context, "good", 0) == 0 && bool_value(client, context, "good", 1) == 1);
  CHECK(flagstone_flag_bool(flag, context) == 0 && flagstone_flag_bool_try(flag, context) == 0);
  CHECK(flagstone_flag_detail(flag, context, &detail) == INVALID && detail.error_kind == FLAGSTONE_ERROR_KIND_EXCEPTION);
  CHECK(flagstone_variation(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
  CHECK(told_of_a_released_handle(client) == 1); /* once */
  CHECK(flagstone_flag_value(flag, context, &detail) == INVALID && detail.error_kind == FLAGSTONE_ERROR_KIND_EXCEPTION);
  CHECK(flagstone_variation_or(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
  REFUSED(INVALID, "released", flagstone_identify(client, context, &error));
  REFUSED(INVALID, "released", flagstone_track(client, context, "done", 4, NULL, NULL, 0, &error));
  REFUSED(INVALID, "released", flagstone_context_to_json(context, &bytes, &error));
  REFUSED(INVALID, "released", flagstone_all_flags_json(client, context, 0, &bytes, &error));
  REFUSED(INVALID, "contexts", flagstone_context_merge((const flagstone_context *const *)&context, 1, &merged, &error));
  CHECK(flagstone_context_retain(context) == NULL && bytes.ptr == NULL && merged == NULL);
  flagstone_flag_release(flag);
  flagstone_client_release(client);
}

static void released_clients_and_flags(setting setting, const flagstone_context *context) {
  flagstone_client *client = started_client(setting, NULL);
  flagstone_flag *flag = NULL;
  flagstone_detail detail = empty_detail();
  ACCEPTED(flagstone_flag_new(client, "good", 4, FLAGSTONE_TYPE_BOOL, "true", 4, &flag, &error));
  flagstone_client_release(client);
  flagstone_client_release(client);
  CHECK(bool_value(client, context, "good", 0) == 0 && bool_value(client, context, "good", 1) == 1);
  CHECK(flagstone_variation(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_OFF && flagstone_client_retain(client) == NULL);
  CHECK(flagstone_client_close(client, 0) == INVALID);
  REFUSED(INVALID, "client", flagstone_client_start(client, 0, &error));
  REFUSED(INVALID, "client", flagstone_identify(client, context, &error));
  REFUSED(INVALID, "client", flagstone_track(client, context, "done", 4, NULL, NULL, 0, &error));
  CHECK(flagstone_flag_bool(flag, context) == 1); /* it keeps the client itself */
  flagstone_flag_release(flag);
  flagstone_flag_release(flag);
  CHECK(flagstone_flag_bool(flag, context) == 0 && flagstone_flag_bool_try(flag, context) == 0);
  CHECK(flagstone_flag_int(flag, context) == 0 && flagstone_flag_double(flag, context) == 0);
  CHECK(flagstone_flag_detail(flag, context, &detail) == INVALID);
  CHECK(flagstone_flag_value(flag, context, &detail) == INVALID);
}

static void other_released_handles(void) {
  flagstone_config *config = flagstone_config_new();
  flagstone_context_builder *builder = flagstone_context_builder_new(str("user"), str("ada"));
  flagstone_test_data *data = flagstone_test_data_new();
  flagstone_context *context = NULL;
  flagstone_client *client = NULL;
  flagstone_error *error = NULL;
  flagstone_config_free(config);
  flagstone_config_free(config);
  REFUSED(INVALID, "config", flagstone_config_set(config, FLAGSTONE_TEXT("log.level"), FLAGSTONE_TEXT("info"), &error));
  REFUSED(INVALID, "config", flagstone_client_new(config, &client, &error));
  flagstone_context_builder_free(builder);
  flagstone_context_builder_free(builder);
  REFUSED(INVALID, "builder", flagstone_context_builder_build(builder, &context, &error));
  flagstone_test_data_release(data);
  flagstone_test_data_release(data);
  CHECK(flagstone_test_data_retain(data) == NULL);
  CHECK(flagstone_context_from_json("{", 1, &context, &error) == BAD_JSON);
  flagstone_error_free(error);
  flagstone_error_free(error);
  CHECK(flagstone_error_code(error) != FLAGSTONE_STATUS_OK && flagstone_error_message(error).len == 0);
  CHECK(context == NULL && client == NULL);
}

static void nothing_was_harmed(const handles *live) {
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str text;
  CHECK(bool_value(live->client, live->context, "good", 0) == 1);
  CHECK(flagstone_flag_bool(live->flag, live->context) == 1);
  CHECK(flagstone_client_state(live->client) == FLAGSTONE_STATE_VALID);
  ACCEPTED(flagstone_client_status_json(live->client, &bytes, &error));
  text.ptr = bytes.ptr;
  text.len = bytes.len;
  CHECK(contains(text, "\"panics\":0"));
  flagstone_bytes_clear(&bytes);
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  redis *connection = redis_open(setting.port);
  handles live;
  put_bool(connection, setting.prefix, "good", 1, 1);
  put_inited(connection, setting.prefix);
  redis_close(connection);
  live = make_handles(setting);
  configurations(&live);
  clients(&live);
  contexts(&live);
  attributes(&live);
  errors(&live);
  scalars_give_their_default(&live);
  details_say_what_is_wrong(&live);
  defaults_that_are_none(&live);
  events_that_are_none(setting, &live);
  details_that_are_too_small_are_not_written(&live);
  many(&live);
  prepared_flags(&live);
  damaged_contexts();
  nothing_was_harmed(&live);
  released_contexts(setting);
  released_clients_and_flags(setting, live.context);
  other_released_handles();
  nothing_was_harmed(&live);
  damaged_items(setting, NULL);
  damaged_items(setting, "{\"cache.residency\":\"lazy\"}");
  nothing_was_harmed(&live);
  flagstone_flag_release(live.flag);
  flagstone_context_builder_free(live.builder);
  flagstone_context_release(live.context);
  CHECK(flagstone_client_close(live.client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(live.client);
  flagstone_config_free(live.config);
  return report();
}
