/*
 * Configurations, and clients from their making to what is left of them after close.
 */
#include "parts.h"

#include <stdio.h>
#include <string.h>

#define SET(name, value) flagstone_config_set(config, name, strlen(name), value, strlen(value), &error)
#define LOAD(json) flagstone_config_load_json(config, json, strlen(json), &error)

void configuration(void) {
  flagstone_config *config = flagstone_config_new();
  CHECK(config != NULL);
  ACCEPTED(SET("sdk.key", "sdk-1"));
  ACCEPTED(SET("redis.url", "redis://user:secret@example.org:6380/2"));
  ACCEPTED(SET("redis.url", "unix:///run/redis.sock"));
  ACCEPTED(SET("redis.prefix", ""));
  ACCEPTED(SET("redis.username", "u"));
  ACCEPTED(SET("redis.password", "p"));
  ACCEPTED(SET("redis.database", "3"));
  ACCEPTED(SET("redis.connect_timeout_ms", "1"));
  ACCEPTED(SET("redis.command_timeout_ms", "86400000"));
  ACCEPTED(SET("redis.ping_ms", "500"));
  ACCEPTED(SET("redis.tls.ca_file", "/ca.pem"));
  ACCEPTED(SET("redis.tls.cert_file", "/cert.pem"));
  ACCEPTED(SET("redis.tls.key_file", "/key.pem"));
  ACCEPTED(SET("redis.tls.server_name", "redis.example"));
  ACCEPTED(SET("redis.tls.skip_verify", "false"));
  ACCEPTED(SET("cache.residency", "lazy"));
  ACCEPTED(SET("cache.freshness", "ttl"));
  ACCEPTED(SET("cache.ttl_ms", "30000"));
  ACCEPTED(SET("cache.capacity", "7"));
  ACCEPTED(SET("cache.on_wipe", "clear"));
  ACCEPTED(SET("refresh.interval_ms", "1000"));
  ACCEPTED(SET("notifications.capacity", "10"));
  ACCEPTED(SET("events.enabled", "true"));
  ACCEPTED(SET("events.capacity", "10000000"));
  ACCEPTED(SET("events.private_attributes", "[\"name\",\"/address/city\"]"));
  ACCEPTED(SET("log.level", "none"));

  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "cache.residencies", SET("cache.residencies", "all"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "cache.residency", SET("cache.residency", "some"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "redis.url", SET("redis.url", "http://example.org"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "cache.ttl_ms", SET("cache.ttl_ms", "0"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "cache.ttl_ms", SET("cache.ttl_ms", "86400001"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "redis.database", SET("redis.database", "one"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "events.capacity", SET("events.capacity", "0"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "events.private_attributes", SET("events.private_attributes", "name"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "notifications.capacity", SET("events.queue_capacity", "10"));

  ACCEPTED(LOAD("{\"redis.prefix\":\"p\",\"cache\":{\"ttl_ms\":5,\"on_wipe\":\"keep\"}}"));
  ACCEPTED(LOAD("{}"));
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "JSON", LOAD("{\"redis.prefix\":"));
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "JSON", LOAD("[]"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "no.such", LOAD("{\"no\":{\"such\":1}}"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "cache.ttl_ms", LOAD("{\"cache\":{\"ttl_ms\":null}}"));
  flagstone_config_free(config);
  flagstone_config_free(NULL);
}

void a_client_needs_options_that_fit(void) {
  flagstone_config *config = flagstone_config_new();
  flagstone_client *untouched = (flagstone_client *)(void *)config, *client = untouched;
  ACCEPTED(SET("redis.tls.ca_file", "/no/such/file.pem"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "rediss://", flagstone_client_new(config, &client, &error));
  ACCEPTED(SET("redis.url", "rediss://localhost:6379"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "redis.tls.ca_file", flagstone_client_new(config, &client, &error));
  CHECK(client == untouched);
  flagstone_config_free(config);
}

void a_client_that_was_not_started(setting setting) {
  flagstone_client *client = new_client(setting, NULL);
  flagstone_context *context = user("ada");
  flagstone_detail detail = empty_detail();
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_INIT);
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_INIT, 0) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_VALID, 1) == FLAGSTONE_STATUS_TIMEOUT);
  CHECK(bool_value(client, context, "bool", 0) == 0);
  CHECK(bool_value(client, context, "bool", 7) == 1); /* a default is 0 or 1 */
  CHECK(flagstone_variation(client, context, "bool", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(detail.reason == FLAGSTONE_REASON_ERROR && detail.error_kind == FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY);
  CHECK(detail.flags & FLAGSTONE_DETAIL_DEFAULTED);
  flagstone_detail_clear(&detail);
  flagstone_context_release(context);
  flagstone_client_release(client); /* without close */
}

void starting_without_redis(void) {
  flagstone_config *config = flagstone_config_new();
  flagstone_client *client = NULL;
  /* Nobody listens at port 1. */
  ACCEPTED(SET("redis.url", "redis://127.0.0.1:1"));
  ACCEPTED(flagstone_client_new(config, &client, &error));
  ACCEPTED(flagstone_client_start(client, 0, &error));
  REFUSED(FLAGSTONE_STATUS_TIMEOUT, "not ready", flagstone_client_start(client, 50, &error));
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_INIT);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_config_free(config);
}

void lifecycle(setting setting) {
  flagstone_client *client = started_client(setting, NULL);
  flagstone_bytes bytes = {NULL, 0, NULL};
  ACCEPTED(flagstone_client_start(client, 0, &error));    /* again, without waiting */
  ACCEPTED(flagstone_client_start(client, SOON, &error)); /* again, waiting */
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_VALID);
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_OFF, 1) == FLAGSTONE_STATUS_TIMEOUT);
  CHECK(flagstone_client_wait(client, 17, 0) == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  CHECK(flagstone_client_wait(client, -1, 0) == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  ACCEPTED(flagstone_client_postfork(client, &error));
  ACCEPTED(flagstone_client_flush(client, 1, &error));
  ACCEPTED(flagstone_client_subscribe(client, FLAGSTONE_SUBSCRIBE_FLAG_CHANGES, &error));

  {
    int64_t version = 0;
    ACCEPTED(flagstone_client_flag_version(client, "bool", 4, &version, &error));
    CHECK(version == 3);
    REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "held", flagstone_client_flag_version(client, "tombstone", 9, &version, &error));
    REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "held", flagstone_client_flag_version(client, "unreadable", 10, &version, &error));
  }
  ACCEPTED(flagstone_client_metrics_text(client, &bytes, &error));
  CHECK(contains(text_of(bytes), "\nflagstone_client_state{state=\"VALID\"} 1\n"));
  flagstone_bytes_clear(&bytes);
  ACCEPTED(flagstone_client_status_json(client, &bytes, &error));
  CHECK(bytes.len > 2 && bytes.ptr[0] == '{' && bytes.ptr[bytes.len - 1] == '}');
  {
    static const char *const members[] = {"\"state\":\"VALID\"", "\"ready\":true", "\"available\":true", "\"wiped\":false",
                                          "\"stale_since_ms\":null", "\"verified_age_ms\":", "\"freshness\":\"push\"",
                                          "\"freshness_reason\":", "\"flags\":", "\"segments\":0", "\"malformed\":1",
                                          "\"dropped\":0", "\"panics\":0", "\"last_error\":"};
    flagstone_str text = text_of(bytes);
    size_t index;
    for (index = 0; index < sizeof members / sizeof members[0]; index++) {
      if (!CHECK(contains(text, members[index]))) fprintf(stderr, "%s in %.*s\n", members[index], (int)text.len, text.ptr);
    }
  }
  flagstone_bytes_clear(&bytes);
  CHECK(bytes.ptr == NULL && bytes.len == 0 && bytes.owner == NULL);
  flagstone_bytes_clear(&bytes); /* twice */
  flagstone_bytes_clear(NULL);

  CHECK(flagstone_client_retain(client) == client);
  flagstone_client_release(client);
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_VALID);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_client_release(NULL);
}

void after_close(setting setting, const char *options, int expected) {
  flagstone_client *client = started_client(setting, options);
  flagstone_context *context = user("ada");
  flagstone_flag *flag = NULL, *late = NULL;
  uint64_t listener = 0;
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_notification notification;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  ACCEPTED(flagstone_flag_new(client, "bool", 4, FLAGSTONE_TYPE_BOOL, "false", 5, &flag, &error));
  CHECK(bool_value(client, context, "bool", 0) == 1);

  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_client_close(client, 0) == FLAGSTONE_STATUS_OK); /* again */
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_OFF);
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_OFF, 0) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_VALID, 0) == FLAGSTONE_STATUS_CLOSED);
  CHECK(bool_value(client, context, "bool", 0) == expected);
  CHECK(flagstone_flag_bool(flag, context) == expected);
  CHECK(flagstone_flag_bool_try(flag, context) == expected);

  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_start(client, 0, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_postfork(client, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_flush(client, 0, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_identify(client, context, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_track(client, context, "late", 4, NULL, NULL, 0, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_subscribe(client, 0, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_listen(client, context, "bool", 4, &listener, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_unlisten(client, 1, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_set_credentials(client, NULL, 0, "late", 4, 0, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_status_json(client, &bytes, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_metrics_text(client, &bytes, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_all_flags_json(client, context, 0, &bytes, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_secure_mode_hash(client, context, &bytes, &error));
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_flag_new(client, "bool", 4, FLAGSTONE_TYPE_BOOL, "", 0, &late, &error));
  CHECK(bytes.ptr == NULL && bytes.owner == NULL && late == NULL);
  /* What was queued is delivered first. */
  while (flagstone_client_next_notification(client, 0, &notification) == FLAGSTONE_STATUS_OK) flagstone_notification_clear(&notification);
  CHECK(flagstone_client_next_notification(client, SOON, &notification) == FLAGSTONE_STATUS_CLOSED);
  flagstone_client_wake(client);

  flagstone_client_release(client);
  CHECK(flagstone_flag_bool(flag, context) == expected); /* a prepared flag keeps its client */
  flagstone_flag_release(flag);
  flagstone_flag_release(NULL);
  flagstone_context_release(context);
}
