/*
 * Many threads on one client at once: eight evaluate in every way there is, one polls for notifications, two take and give back
 * references and make clients of their own, while the main thread changes a flag in Redis again and again.
 *
 * Every value that is seen must be one that was written, and the last one written must be seen by everybody. What is not
 * checked here is watched by the instruments under which this program runs: use after free, leaks, torn reads.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define EVALUATORS 8
#define LAST 1000000

static setting the_setting;
static flagstone_client *the_client;
static flagstone_context *the_context;
static int stopping;

static int stopped(void) {
  return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

/* A number flag whose value is also its version and, as text, its rule's id. */
static void put_number(redis *connection, int value) {
  char json[512];
  snprintf(json, sizeof json,
           "{\"key\":\"n\",\"version\":%d,\"on\":true,\"salt\":\"s\",\"variations\":[%d],\"fallthrough\":{\"variation\":0},"
           "\"rules\":[{\"id\":\"%d\",\"variation\":0,\"clauses\":[{\"attribute\":\"key\",\"op\":\"in\",\"values\":[\"ada\"]}]}]}",
           value, value, value);
  put_flag(connection, the_setting.prefix, "n", json);
}

/* Whether all parts of a detail come from one and the same version of the flag; gives its value, or -1. */
static int64_t consistent(const flagstone_detail *detail) {
  char text[32];
  snprintf(text, sizeof text, "%.0f", detail->number_value);
  if (detail->value_type != FLAGSTONE_TYPE_NUMBER || detail->reason != FLAGSTONE_REASON_RULE_MATCH) return -1;
  return equals(detail->text, text) && equals(detail->rule_id, text) ? (int64_t)detail->number_value : -1;
}

static int64_t by_key(const flagstone_flag *flag) {
  (void)flag;
  return flagstone_int_variation(the_client, the_context, "n", 1, -1);
}

static int64_t by_prepared_flag(const flagstone_flag *flag) {
  return flagstone_flag_int(flag, the_context);
}

static int64_t with_detail(const flagstone_flag *flag) {
  flagstone_detail by_key = empty_detail(), prepared = empty_detail();
  int64_t value = -1;
  if (flagstone_variation(the_client, the_context, "n", 1, FLAGSTONE_TYPE_NUMBER, NULL, 0, &by_key) == FLAGSTONE_STATUS_OK &&
      flagstone_flag_detail(flag, the_context, &prepared) == FLAGSTONE_STATUS_OK && consistent(&by_key) > 0) {
    value = consistent(&prepared);
  }
  flagstone_detail_clear(&by_key);
  flagstone_detail_clear(&prepared);
  return value;
}

static int64_t many_at_once(const flagstone_flag *flag) {
  flagstone_str keys[3];
  flagstone_detail details[3];
  int64_t value;
  int index;
  (void)flag;
  for (index = 0; index < 3; index++) {
    keys[index] = str(index == 1 ? "missing" : "n");
    details[index] = empty_detail();
  }
  value = flagstone_variation_many(the_client, the_context, keys, 3, details) == FLAGSTONE_STATUS_OK ? consistent(&details[0]) : -1;
  if (details[1].error_kind != FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND || consistent(&details[2]) < 0) value = -1;
  for (index = 0; index < 3; index++) flagstone_detail_clear(&details[index]);
  return value;
}

static int64_t (*const WAYS[])(const flagstone_flag *) = {by_key, by_prepared_flag, with_detail, many_at_once};

/* Evaluates until the last value is seen, or everything is stopped. */
static void *evaluate(void *argument) {
  int way = *(int *)argument % 4;
  flagstone_flag *flag = NULL;
  int64_t seen = 0;
  int wrong = 0;
  ACCEPTED(flagstone_flag_new(the_client, "n", 1, FLAGSTONE_TYPE_NUMBER, "-1", 2, &flag, &error));
  while (seen != LAST && !stopped()) {
    int64_t value = WAYS[way](flag);
    /* Values only go up. */
    if (value < 1 || value < seen) wrong++;
    seen = value;
  }
  CHECK(wrong == 0);
  CHECK(seen == LAST);
  flagstone_flag_release(flag);
  return NULL;
}

static void *poll_events(void *argument) {
  flagstone_notification notification;
  int changes = 0;
  flagstone_status status;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  (void)argument;
  while ((status = flagstone_client_next_notification(the_client, 100, &notification)) != FLAGSTONE_STATUS_CLOSED) {
    int changed = status == FLAGSTONE_STATUS_OK && notification.kind == FLAGSTONE_NOTIFICATION_FLAG_CHANGED;
    if (changed && equals(notification.text, "n")) changes++;
    flagstone_notification_clear(&notification);
  }
  CHECK(changes > 0);
  return NULL;
}

/* Takes references to what the others use and gives them back; makes and merges contexts; asks for the status. */
static void *share(void *argument) {
  int64_t rounds = 0;
  (void)argument;
  while (!stopped()) {
    flagstone_client *client = flagstone_client_retain(the_client);
    flagstone_context *context = flagstone_context_retain(the_context), *org = NULL, *both = NULL;
    const flagstone_context *parts[2];
    flagstone_bytes bytes = {NULL, 0, NULL};
    flagstone_context_from_key(str("org"), str("o"), &org, NULL);
    parts[0] = context;
    parts[1] = org;
    if (flagstone_context_merge(parts, 2, &both, NULL) != FLAGSTONE_STATUS_OK) CHECK(!"contexts are merged");
    if (flagstone_int_variation(client, both, "n", 1, -1) < 1) CHECK(!"a merged context is served");
    if (flagstone_client_status_json(client, &bytes, NULL) != FLAGSTONE_STATUS_OK) CHECK(!"there is a status");
    flagstone_bytes_clear(&bytes);
    if (flagstone_all_flags_json(client, both, 0, &bytes, NULL) != FLAGSTONE_STATUS_OK) CHECK(!"there is a state of all flags");
    flagstone_bytes_clear(&bytes);
    flagstone_client_wake(client);
    flagstone_context_release(both);
    flagstone_context_release(org);
    flagstone_context_release(context);
    flagstone_client_release(client);
    rounds++;
    sleep_ms(1);
  }
  CHECK(rounds > 0);
  return NULL;
}

/* Whether the thread below is at work. */
static int in_use;

/* Uses a client while another thread closes it. */
static void *use_until_closed(void *argument) {
  flagstone_client *client = argument;
  int wrong = 0;
  do {
    /* It goes on answering, also when it is closed. */
    wrong += flagstone_int_variation(client, the_context, "n", 1, -1) < 1;
    __atomic_store_n(&in_use, 1, __ATOMIC_RELEASE);
  } while (flagstone_client_wait(client, FLAGSTONE_STATE_OFF, 1) != FLAGSTONE_STATUS_OK);
  wrong += flagstone_int_variation(client, the_context, "n", 1, -1) < 1;
  CHECK(wrong == 0);
  flagstone_client_release(client);
  return NULL;
}

/* Clients come and go beside the one that everybody uses. */
static void *open_and_close(void *argument) {
  static const char *const options[] = {NULL, "{\"cache.residency\":\"lazy\"}", "{\"cache.freshness\":\"ttl\",\"cache.ttl_ms\":5}"};
  int round;
  (void)argument;
  for (round = 0; round < 3 || !stopped(); round++) {
    flagstone_client *client = started_client(the_setting, options[round % 3]);
    pthread_t user;
    __atomic_store_n(&in_use, 0, __ATOMIC_RELEASE);
    CHECK(flagstone_int_variation(client, the_context, "n", 1, -1) >= 1);
    CHECK(pthread_create(&user, NULL, use_until_closed, flagstone_client_retain(client)) == 0);
    while (!__atomic_load_n(&in_use, __ATOMIC_ACQUIRE)) sleep_ms(1);
    if (round % 2 == 0) CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
    else CHECK(flagstone_client_close(client, 0) != FLAGSTONE_STATUS_CLOSED);
    flagstone_client_release(client);
    CHECK(pthread_join(user, NULL) == 0);
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t evaluators[EVALUATORS], poller, sharer, opener;
  int ways[EVALUATORS], index, writes;
  redis *connection;
  long long deadline;
  the_setting = read_arguments(argc, argv);
  connection = redis_open(the_setting.port);
  put_number(connection, 1);
  put_inited(connection, the_setting.prefix);
  the_client = started_client(the_setting, NULL);
  the_context = user("ada");

  CHECK(pthread_create(&poller, NULL, poll_events, NULL) == 0);
  CHECK(pthread_create(&sharer, NULL, share, NULL) == 0);
  CHECK(pthread_create(&opener, NULL, open_and_close, NULL) == 0);
  for (index = 0; index < EVALUATORS; index++) {
    ways[index] = index;
    CHECK(pthread_create(&evaluators[index], NULL, evaluate, &ways[index]) == 0);
  }
  writes = the_setting.slow ? 100 : 1000;
  for (index = 2; index <= writes; index++) {
    put_number(connection, index);
    sleep_ms(1);
  }
  put_number(connection, LAST);

  /* Evaluators end by themselves; should one not see the last value, it is told to stop. */
  deadline = now_ms() + 2 * SOON;
  while (flagstone_int_variation(the_client, the_context, "n", 1, -1) != LAST && now_ms() < deadline) sleep_ms(1);
  CHECK(flagstone_int_variation(the_client, the_context, "n", 1, -1) == LAST);
  for (index = 0; index < EVALUATORS; index++) {
    if (now_ms() > deadline) __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    CHECK(pthread_join(evaluators[index], NULL) == 0);
  }
  __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
  CHECK(pthread_join(sharer, NULL) == 0);
  CHECK(pthread_join(opener, NULL) == 0);
  CHECK(flagstone_client_close(the_client, SOON) == FLAGSTONE_STATUS_OK);
  CHECK(pthread_join(poller, NULL) == 0);
  flagstone_client_release(the_client);
  flagstone_context_release(the_context);
  redis_close(connection);
  return report();
}
