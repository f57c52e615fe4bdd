/*
 * What the host is told and asked for, and what it tells: notifications, listeners, credentials, events.
 */
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The next notification of kind VALUE_CHANGED; the caller clears it. */
static flagstone_notification next_value(flagstone_client *client) {
  flagstone_notification notification;
  long long deadline = now_ms() + SOON;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  while (now_ms() < deadline) {
    if (flagstone_client_next_notification(client, 100, &notification) != FLAGSTONE_STATUS_OK) continue;
    if (notification.kind == FLAGSTONE_NOTIFICATION_VALUE_CHANGED) break;
    flagstone_notification_clear(&notification);
  }
  CHECK(notification.kind == FLAGSTONE_NOTIFICATION_VALUE_CHANGED && notification.dropped == 0);
  return notification;
}

static void listeners(flagstone_client *client, redis *connection, const char *prefix) {
  flagstone_context *context = user("ada");
  flagstone_notification notification;
  uint64_t first = 0, second = 0;
  char expected[80];
  ACCEPTED(flagstone_client_listen(client, context, "heard", 5, &first, &error));
  ACCEPTED(flagstone_client_listen(client, context, "heard", 5, &second, &error));
  CHECK(first != 0 && second != first);
  flagstone_context_release(context);

  put_bool(connection, prefix, "heard", 1, 1);
  notification = next_value(client);
  sprintf(expected, "{\"listener\":%llu,\"old\":null,\"new\":true}", (unsigned long long)first);
  CHECK(equals(notification.text, "heard") && equals(notification.extra, expected));
  /* While a notification is handled. */
  ACCEPTED(flagstone_client_unlisten(client, first, &error));
  flagstone_notification_clear(&notification);
  notification = next_value(client);
  CHECK(contains(notification.extra, "\"old\":null,\"new\":true"));
  flagstone_notification_clear(&notification);

  put_bool(connection, prefix, "heard", 2, 0);
  notification = next_value(client);
  sprintf(expected, "{\"listener\":%llu,\"old\":true,\"new\":false}", (unsigned long long)second);
  CHECK(equals(notification.extra, expected));
  flagstone_notification_clear(&notification);
  CHECK(flagstone_client_next_notification(client, 1, &notification) == FLAGSTONE_STATUS_TIMEOUT);
  REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "listener", flagstone_client_unlisten(client, first, &error));
  ACCEPTED(flagstone_client_unlisten(client, second, &error));
}

void notifications(setting setting, flagstone_client *client) {
  redis *connection = redis_open(setting.port);
  flagstone_notification notification;
  long long deadline = now_ms() + SOON;
  int valid = 0, changed = 0;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  /* A state is there a moment before it is told. */
  while (!valid && flagstone_client_next_notification(client, SOON, &notification) == FLAGSTONE_STATUS_OK) {
    valid = notification.kind == FLAGSTONE_NOTIFICATION_STATUS && notification.level_or_state == FLAGSTONE_STATE_VALID;
    CHECK(notification.kind >= FLAGSTONE_NOTIFICATION_LOG && notification.kind <= FLAGSTONE_NOTIFICATION_WAKE);
    CHECK(notification.dropped == 0);
    CHECK(notification.unix_ms > INT64_C(1500000000000));
    flagstone_notification_clear(&notification);
  }
  CHECK(valid);
  CHECK(flagstone_client_next_notification(client, 1, &notification) == FLAGSTONE_STATUS_TIMEOUT);

  flagstone_client_wake(client);
  CHECK(flagstone_client_next_notification(client, SOON, &notification) == FLAGSTONE_STATUS_OK);
  CHECK(notification.kind == FLAGSTONE_NOTIFICATION_WAKE);
  flagstone_notification_clear(&notification);

  put_bool(connection, setting.prefix, "announced", 1, 1);
  while (!changed && now_ms() < deadline) {
    if (flagstone_client_next_notification(client, SOON, &notification) != FLAGSTONE_STATUS_OK) continue;
    if (notification.kind == FLAGSTONE_NOTIFICATION_FLAG_CHANGED && equals(notification.text, "announced")) {
      changed = 1;
      CHECK(contains(notification.extra, "\"old_version\":null") && contains(notification.extra, "\"new_version\":1"));
    }
    flagstone_notification_clear(&notification);
    CHECK(notification.struct_size == sizeof notification && notification.owner == NULL);
    CHECK(notification.text.len == 0 && notification.extra.len == 0);
    flagstone_notification_clear(&notification); /* twice */
  }
  CHECK(changed);
  flagstone_notification_clear(NULL);
  listeners(client, connection, setting.prefix);
  notification.struct_size = sizeof notification - 1;
  CHECK(flagstone_client_next_notification(client, 0, &notification) == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  redis_close(connection);
}

/* Asked for credentials: of a user without a password a server takes any, if the user is named. */
void credentials(setting setting, const char *options) {
  flagstone_client *client = new_client(setting, options);
  flagstone_notification notification;
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str status;
  long long deadline = now_ms() + SOON;
  int asked = 0;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  REFUSED(FLAGSTONE_STATUS_TIMEOUT, "the host has not set credentials yet", flagstone_client_start(client, 1, &error));
  while (!asked && now_ms() < deadline) {
    if (flagstone_client_next_notification(client, 100, &notification) != FLAGSTONE_STATUS_OK) continue;
    if (notification.kind == FLAGSTONE_NOTIFICATION_CREDENTIALS) {
      asked = 1;
      CHECK(equals(notification.text, "start") && equals(notification.extra, "{\"user\":null}"));
    }
    flagstone_notification_clear(&notification);
  }
  CHECK(asked);
  ACCEPTED(flagstone_client_set_credentials(client, "default", 7, "hunter2", 7, 3600000, &error));
  ACCEPTED(flagstone_client_start(client, SOON, &error));
  ACCEPTED(flagstone_client_set_credentials(client, "default", 7, "hunter3", 7, 0, &error));
  ACCEPTED(flagstone_client_status_json(client, &bytes, &error));
  status = text_of(bytes);
  CHECK(contains(status, "\"credentials\":{") && contains(status, "\"source\":\"host\"") && !contains(status, "hunter"));
  flagstone_bytes_clear(&bytes);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
}

/* Notifications used to be called events: hosts that were written then go on working. */
void old_names(flagstone_client *client) {
  flagstone_event event;
  memset(&event, 0, sizeof event);
  event.struct_size = sizeof event;
  flagstone_wake(client);
  while (flagstone_poll_event(client, SOON, &event) == FLAGSTONE_STATUS_OK && event.kind != FLAGSTONE_EVENT_WAKE) {
    CHECK(event.kind >= FLAGSTONE_EVENT_LOG && event.kind <= FLAGSTONE_EVENT_BIG_SEGMENTS && event.owner != NULL);
    flagstone_event_clear(&event);
  }
  CHECK(event.kind == FLAGSTONE_EVENT_WAKE);
  flagstone_event_clear(&event);
  CHECK(event.struct_size == sizeof event && event.kind == 0 && event.owner == NULL);
  CHECK(FLAGSTONE_EVENT_STATUS == (int)FLAGSTONE_NOTIFICATION_STATUS);
  CHECK(FLAGSTONE_EVENT_FLAG_CHANGED == (int)FLAGSTONE_NOTIFICATION_FLAG_CHANGED);
}

/* How many events wait for the next flush, as the status says. */
static int waiting(flagstone_client *client) {
  flagstone_bytes bytes = {NULL, 0, NULL};
  char wanted[32];
  int events, found = -1;
  ACCEPTED(flagstone_client_status_json(client, &bytes, &error));
  if (contains(text_of(bytes), "\"events\":null")) found = -2;
  for (events = 0; events < 9 && found == -1; events++) {
    snprintf(wanted, sizeof wanted, "\"waiting\":%d}", events);
    if (contains(text_of(bytes), wanted)) found = events;
    wanted[strlen(wanted) - 1] = ',';
    if (contains(text_of(bytes), wanted)) found = events;
  }
  flagstone_bytes_clear(&bytes);
  return found;
}

/* What events tell is the subject of values.c. Nobody listens at port 1. */
void telling(setting setting) {
  static const char *const deep = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";
  flagstone_client *client = new_client(setting, "{\"sdk.key\":\"sdk\",\"endpoints.events\":\"http://127.0.0.1:1\",\"events.capacity\":4}");
  flagstone_client *silent = new_client(setting, "{\"sdk.key\":\"sdk\",\"events.enabled\":false}");
  flagstone_context *context = user("ada");
  double metric = 1.5, none = NAN, infinite = -HUGE_VAL;
  char nested[256];
  CHECK(waiting(client) == 0 && waiting(silent) == -2);
  ACCEPTED(flagstone_identify(client, context, &error));
  CHECK(waiting(client) == 1);
  ACCEPTED(flagstone_track(client, context, "done", 4, &metric, "[1,{\"a\":null}]", 14, &error));
  CHECK(waiting(client) == 2);
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "data_json", flagstone_track(client, context, "done", 4, NULL, "[1", 2, &error));
  memset(nested, ']', sizeof nested); /* two times sixty-four are deeper than anybody reads */
  memcpy(nested, deep, 64);
  memcpy(nested + 64, deep, 64);
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "data_json", flagstone_track(client, context, "done", 4, NULL, nested, 256, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "metric", flagstone_track(client, context, "done", 4, &none, NULL, 0, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "metric", flagstone_track(client, context, "done", 4, &infinite, NULL, 0, &error));
  CHECK(waiting(client) == 2);
  /* More than there is room for is dropped, and no error of the caller. */
  ACCEPTED(flagstone_track(client, context, "", 0, NULL, NULL, 0, &error));
  ACCEPTED(flagstone_track(client, context, "done", 4, NULL, NULL, 0, &error));
  ACCEPTED(flagstone_track(client, context, "done", 4, NULL, NULL, 0, &error));
  CHECK(waiting(client) == 4);
  /* Without events it is checked all the same. */
  ACCEPTED(flagstone_identify(silent, context, &error));
  ACCEPTED(flagstone_track(silent, context, "done", 4, &metric, "{}", 2, &error));
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "data_json", flagstone_track(silent, context, "done", 4, NULL, "[1", 2, &error));
  CHECK(flagstone_client_flush(silent, 0, NULL) == FLAGSTONE_STATUS_OK);
  /* A server that is not there. */
  ACCEPTED(flagstone_client_start(client, SOON, &error));
  CHECK(flagstone_client_flush(client, 0, NULL) == FLAGSTONE_STATUS_TIMEOUT);
  REFUSED(FLAGSTONE_STATUS_STORE, "127.0.0.1:1", flagstone_client_flush(client, SOON, &error));
  CHECK(waiting(client) == 0);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_client_release(silent);
  flagstone_context_release(context);
}
