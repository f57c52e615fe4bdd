/*
 * A big-segment store of the host's own, as a table of functions: what it is asked, on which thread, and what becomes of a store
 * that fails, hangs, asks itself, or says things that make no sense.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The store. Each member is used by one thread at a time, apart from those behind the lock. */
typedef struct store {
  pthread_mutex_t lock;
  pthread_t asked_by;
  /* How often it was asked for a context, and for its age. */
  int asked, polled, dropped;
  /* What the functions give. */
  int32_t membership_status, metadata_status;
  int64_t synced;
  /* Evaluates the flag meanwhile. */
  flagstone_client *client;
  /* A question that is under way. */
  flagstone_membership *kept;
  /* Every answer waits until this is unlocked. */
  pthread_mutex_t gate;
} store;

static void store_init(store *store) {
  memset(store, 0, sizeof *store);
  pthread_mutex_init(&store->lock, NULL);
  pthread_mutex_init(&store->gate, NULL);
  store->synced = 9000000000000;
}

static void store_destroy(store *store) {
  pthread_mutex_destroy(&store->lock);
  pthread_mutex_destroy(&store->gate);
}

static int counted(store *store, int *count) {
  int value;
  pthread_mutex_lock(&store->lock);
  value = *count;
  pthread_mutex_unlock(&store->lock);
  return value;
}

static int32_t big_of(const flagstone_client *client, const char *key, int expected) {
  flagstone_context *context = user(key);
  flagstone_detail detail = empty_detail();
  int32_t status;
  CHECK(flagstone_variation(client, context, FLAGSTONE_TEXT("big"), FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(detail.number_value == expected);
  status = detail.big_segments_status;
  flagstone_detail_clear(&detail);
  flagstone_context_release(context);
  return status;
}

/* Nothing is known of "unknown"; everybody else is a vip. */
static int32_t membership(void *user_data, const char *hash, size_t length, flagstone_membership *out) {
  store *self = user_data;
  pthread_mutex_lock(&self->lock);
  self->asked++;
  self->asked_by = pthread_self();
  pthread_mutex_unlock(&self->lock);
  pthread_mutex_lock(&self->gate);
  pthread_mutex_unlock(&self->gate);
  if (self->client != NULL) CHECK(big_of(self->client, "carol", 0) == FLAGSTONE_BIG_SEGMENTS_STORE_ERROR);
  self->kept = out;
  CHECK(length == 44);
  if (length == 44 && strncmp(hash, "sjpqhDnA3eVRWJPnyQweMjO4YW5jRHDyDcSSi882Cbw=", 44) == 0) return self->membership_status;
  if (flagstone_membership_add(out, FLAGSTONE_TEXT("vip.g0"), 1) != FLAGSTONE_STATUS_OK) return FLAGSTONE_STATUS_STORE;
  CHECK(flagstone_membership_add(out, FLAGSTONE_TEXT("vip.g7"), 0) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_membership_add(out, FLAGSTONE_TEXT("vip.g7"), 1) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_membership_add(out, "\x80", 1, 1) == FLAGSTONE_STATUS_BAD_UTF8);
  CHECK(flagstone_membership_add(out, NULL, 1, 1) == FLAGSTONE_STATUS_NULL_ARGUMENT);
  CHECK(flagstone_membership_add(NULL, FLAGSTONE_TEXT("vip.g7"), 1) == FLAGSTONE_STATUS_NULL_ARGUMENT);
  return self->membership_status;
}

static int32_t metadata(void *user_data, int64_t *last_up_to_date_ms) {
  store *self = user_data;
  pthread_mutex_lock(&self->lock);
  self->polled++;
  *last_up_to_date_ms = self->synced;
  pthread_mutex_unlock(&self->lock);
  return self->metadata_status;
}

static void drop(void *user_data) {
  store *self = user_data;
  self->dropped++;
}

static flagstone_big_segment_store table(store *store) {
  flagstone_big_segment_store table;
  memset(&table, 0, sizeof table);
  table.struct_size = sizeof table;
  table.user_data = store;
  table.membership = membership;
  table.metadata = metadata;
  table.drop = drop;
  return table;
}

static flagstone_config *config_of(const char *options) {
  const char *segment = "{\"key\":\"vip\",\"unbounded\":true,\"generation\":7,\"included\":[\"nobody\"]}";
  const char *flag =
      "{\"key\":\"big\",\"on\":true,\"variations\":[false,true],\"fallthrough\":{\"variation\":0},"
      "\"rules\":[{\"variation\":1,\"clauses\":[{\"op\":\"segmentMatch\",\"values\":[\"vip\"]}]}]}";
  flagstone_test_data *data = flagstone_test_data_new();
  flagstone_config *config = flagstone_config_new();
  ACCEPTED(flagstone_test_data_set_json(data, FLAGSTONE_KIND_SEGMENT, segment, strlen(segment), &error));
  ACCEPTED(flagstone_test_data_set_json(data, FLAGSTONE_KIND_FLAG, flag, strlen(flag), &error));
  ACCEPTED(flagstone_config_set_test_data(config, data, &error));
  if (options != NULL) ACCEPTED(flagstone_config_load_json(config, options, strlen(options), &error));
  flagstone_test_data_release(data);
  return config;
}

static flagstone_client *client_of(flagstone_config *config) {
  flagstone_client *client = NULL;
  ACCEPTED(flagstone_client_new(config, &client, &error));
  flagstone_config_free(config);
  ACCEPTED(flagstone_client_start(client, SOON, &error));
  return client;
}

static flagstone_client *client_with(store *store, const char *options) {
  flagstone_config *config = config_of(options);
  flagstone_big_segment_store functions = table(store);
  ACCEPTED(flagstone_config_set_big_segment_store(config, &functions, &error));
  return client_of(config);
}

static void end(flagstone_client *client) {
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
}

static flagstone_big_segment_status empty_status(void) {
  flagstone_big_segment_status status;
  memset(&status, 0, sizeof status);
  status.struct_size = sizeof status;
  return status;
}

static void a_table_that_is_none_is_refused_and_nothing_is_taken(void) {
  flagstone_config *config = flagstone_config_new();
  flagstone_big_segment_store functions;
  store store;
  store_init(&store);
  functions = table(&store);
  REFUSED(FLAGSTONE_STATUS_NULL_ARGUMENT, "config", flagstone_config_set_big_segment_store(NULL, &functions, &error));
  REFUSED(FLAGSTONE_STATUS_NULL_ARGUMENT, "store", flagstone_config_set_big_segment_store(config, NULL, &error));
  functions.struct_size = 39;
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "struct_size", flagstone_config_set_big_segment_store(config, &functions, &error));
  functions = table(&store);
  functions.reserved = 1;
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "reserved", flagstone_config_set_big_segment_store(config, &functions, &error));
  functions = table(&store);
  functions.membership = NULL;
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "membership", flagstone_config_set_big_segment_store(config, &functions, &error));
  functions = table(&store);
  functions.metadata = NULL;
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "metadata", flagstone_config_set_big_segment_store(config, &functions, &error));
  flagstone_config_free(config);
  CHECK(store.dropped == 0);
  store_destroy(&store);
}

static void a_store_is_asked_by_those_who_evaluate_and_let_go_of_once(void) {
  flagstone_client *client;
  flagstone_big_segment_status status = empty_status();
  store store;
  store_init(&store);
  client = client_with(&store, NULL);
  CHECK(flagstone_client_may_wait(client) == 1);
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
  CHECK(big_of(client, "unknown", 0) == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
  CHECK(store.asked == 2 && store.polled == 1 && pthread_equal(store.asked_by, pthread_self()));
  CHECK(flagstone_membership_add(store.kept, FLAGSTONE_TEXT("late"), 1) == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  ACCEPTED(flagstone_big_segments_status(client, &status, &error));
  CHECK(status.available == 1 && status.stale == 0 && status.last_sync_ms == 9000000000000 && store.polled == 1);
  ACCEPTED(flagstone_big_segments_poll(client, &status, &error));
  CHECK(store.polled == 2);
  REFUSED(FLAGSTONE_STATUS_NULL_ARGUMENT, "client", flagstone_big_segments_status(NULL, &status, &error));
  REFUSED(FLAGSTONE_STATUS_NULL_ARGUMENT, "out", flagstone_big_segments_poll(client, NULL, &error));
  status.struct_size = 23;
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "struct_size", flagstone_big_segments_status(client, &status, &error));
  status = empty_status();
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  CHECK(big_of(client, "ada", 0) == FLAGSTONE_BIG_SEGMENTS_STORE_ERROR);
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_big_segments_status(client, &status, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_big_segments_poll(client, &status, &error));
  CHECK(store.asked == 2 && store.dropped == 0);
  flagstone_client_release(client);
  CHECK(store.dropped == 1);
  store_destroy(&store);
}

static void without_a_store_nothing_is_configured(void) {
  flagstone_client *client = client_of(config_of(NULL));
  flagstone_big_segment_status status = empty_status();
  CHECK(flagstone_client_may_wait(client) == 0 && flagstone_client_may_wait(NULL) == 0);
  CHECK(big_of(client, "ada", 0) == FLAGSTONE_BIG_SEGMENTS_NOT_CONFIGURED);
  ACCEPTED(flagstone_big_segments_status(client, &status, &error));
  CHECK(status.available == 0 && status.stale == 0 && status.last_sync_ms == 0);
  end(client);
}

/* How many lines of log name the store, and the latest notification of how it stands; none must wait. */
static int told(flagstone_client *client, char *standing, size_t size) {
  int lines = 0;
  flagstone_notification notification;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  standing[0] = 0;
  while (flagstone_client_next_notification(client, 0, &notification) == FLAGSTONE_STATUS_OK) {
    if (notification.kind == FLAGSTONE_NOTIFICATION_LOG && contains(notification.text, "big-segment store")) lines++;
    if (notification.kind == FLAGSTONE_NOTIFICATION_BIG_SEGMENTS) {
      CHECK(notification.text.len > 0);
      snprintf(standing, size, "%.*s", (int)notification.extra.len, notification.extra.ptr);
    }
    flagstone_notification_clear(&notification);
  }
  return lines;
}

static void a_store_that_fails_is_told_once_and_asked_again(void) {
  flagstone_client *client;
  flagstone_big_segment_status status = empty_status();
  char standing[120];
  int i;
  store store;
  store_init(&store);
  client = client_with(&store, NULL);
  store.membership_status = FLAGSTONE_STATUS_STORE;
  for (i = 0; i < 3; i++) CHECK(big_of(client, "ada", 0) == FLAGSTONE_BIG_SEGMENTS_STORE_ERROR);
  CHECK(store.asked == 3 && store.polled == 0);
  CHECK(told(client, standing, sizeof standing) == 1 && standing[0] == 0);
  store.membership_status = 12345; /* no status that there is */
  CHECK(big_of(client, "ada", 0) == FLAGSTONE_BIG_SEGMENTS_STORE_ERROR);
  store.membership_status = FLAGSTONE_STATUS_OK;
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
  CHECK(told(client, standing, sizeof standing) == 1);
  CHECK(strcmp(standing, "{\"available\":true,\"last_sync_ms\":9000000000000,\"stale\":false}") == 0);
  store.metadata_status = -7;
  for (i = 0; i < 3; i++) ACCEPTED(flagstone_big_segments_poll(client, &status, &error));
  CHECK(status.available == 0 && status.stale == 0);
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
  CHECK(told(client, standing, sizeof standing) == 1 && strstr(standing, "\"available\":false") != NULL);
  store.metadata_status = FLAGSTONE_STATUS_NOT_FOUND;
  ACCEPTED(flagstone_big_segments_poll(client, &status, &error));
  CHECK(status.available == 1 && status.stale == 1 && status.last_sync_ms == 0);
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_STALE);
  CHECK(told(client, standing, sizeof standing) == 1);
  CHECK(strcmp(standing, "{\"available\":true,\"last_sync_ms\":null,\"stale\":true}") == 0);
  end(client);
  store_destroy(&store);
}

static void a_store_that_evaluates_flags_itself_is_not_asked_by_them(void) {
  flagstone_client *client;
  store store;
  store_init(&store);
  client = client_with(&store, NULL);
  store.client = client;
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
  CHECK(store.asked == 1);
  end(client);
  store_destroy(&store);
}

static void *evaluate(void *client) {
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
  return NULL;
}

static void a_store_that_hangs_keeps_others_waiting_no_longer_than_the_command_timeout(void) {
  flagstone_client *client;
  flagstone_big_segment_status status = empty_status();
  pthread_t thread;
  long long began;
  int i;
  store store;
  store_init(&store);
  client = client_with(&store, "{\"redis.command_timeout_ms\":100}");
  pthread_mutex_lock(&store.gate);
  CHECK(pthread_create(&thread, NULL, evaluate, client) == 0);
  while (counted(&store, &store.asked) == 0) sleep_ms(1);
  began = now_ms();
  for (i = 0; i < 1000; i++) CHECK(big_of(client, "ada", 0) == FLAGSTONE_BIG_SEGMENTS_STORE_ERROR);
  CHECK(now_ms() - began < 60000); /* each would have waited 100 ms */
  ACCEPTED(flagstone_big_segments_status(client, &status, &error));
  CHECK(status.available == 1);
  pthread_mutex_unlock(&store.gate);
  pthread_join(thread, NULL);
  CHECK(big_of(client, "ada", 1) == FLAGSTONE_BIG_SEGMENTS_HEALTHY && store.asked == 1);
  end(client);
  store_destroy(&store);
}

static void a_flag_that_may_not_wait_says_that_it_would(void) {
  flagstone_client *client;
  flagstone_context *ada = user("ada");
  flagstone_flag *flag = NULL;
  store store;
  store_init(&store);
  client = client_with(&store, NULL);
  ACCEPTED(flagstone_flag_new(client, FLAGSTONE_TEXT("big"), FLAGSTONE_TYPE_BOOL, NULL, 0, &flag, &error));
  CHECK(flagstone_flag_bool_try(flag, ada) == -1 && store.asked == 0);
  CHECK(flagstone_flag_bool(flag, ada) == 1 && store.asked == 1);
  CHECK(flagstone_flag_bool_try(flag, ada) == 1 && store.asked == 1);
  flagstone_flag_release(flag);
  flagstone_context_release(ada);
  end(client);
  store_destroy(&store);
}

static void another_store_in_its_place_lets_go_of_the_first(void) {
  flagstone_config *config = flagstone_config_new();
  flagstone_big_segment_store functions;
  store first, second;
  store_init(&first);
  store_init(&second);
  functions = table(&first);
  ACCEPTED(flagstone_config_set_big_segment_store(config, &functions, &error));
  functions = table(&second);
  functions.drop = NULL;
  ACCEPTED(flagstone_config_set_big_segment_store(config, &functions, &error));
  CHECK(first.dropped == 1);
  flagstone_config_free(config);
  CHECK(second.dropped == 0);
  store_destroy(&first);
  store_destroy(&second);
}

int main(int argc, char **argv) {
  read_arguments(argc, argv);
  CHECK((flagstone_features() & FLAGSTONE_FEATURE_BIG_SEGMENTS) != 0);
  a_table_that_is_none_is_refused_and_nothing_is_taken();
  a_store_is_asked_by_those_who_evaluate_and_let_go_of_once();
  without_a_store_nothing_is_configured();
  a_store_that_fails_is_told_once_and_asked_again();
  a_store_that_evaluates_flags_itself_is_not_asked_by_them();
  a_store_that_hangs_keeps_others_waiting_no_longer_than_the_command_timeout();
  a_flag_that_may_not_wait_says_that_it_would();
  another_store_in_its_place_lets_go_of_the_first();
  return report();
}
