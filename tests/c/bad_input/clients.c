/*
 * Configurations, clients, errors, and events that a client is to tell.
 */
#include "parts.h"

#include <math.h>
#include <string.h>

void configurations(const handles *live) {
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

void clients(const handles *live) {
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

void errors(const handles *live) {
  flagstone_error *other = AS(flagstone_error, live->client);
  CHECK(flagstone_error_code(other) == IS_NULL);
  CHECK(flagstone_error_message(other).len == 0);
  flagstone_error_free(other);
}

/* Events that are none: for a client that makes events, and for one that does not. Nobody listens at port 1. */
void events_that_are_none(setting setting, const handles *live) {
  flagstone_client *telling = new_client(setting, "{\"sdk.key\":\"sdk\",\"endpoints.events\":\"http://127.0.0.1:1\"}");
  flagstone_client *clients[2], *other = AS(flagstone_client, live->config);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  const double metrics[] = {NAN, HUGE_VAL, -HUGE_VAL};
  flagstone_bytes bytes = {NULL, 0, NULL};
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
  CHECK(contains(text_of(bytes), "\"waiting\":0") && contains(text_of(bytes), "\"panics\":0")); /* nothing is told */
  flagstone_bytes_clear(&bytes);
  flagstone_client_release(telling);
}
