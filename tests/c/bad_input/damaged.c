/*
 * JSON of contexts with characters that are wrong or missing, and items in Redis that cannot be read.
 */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
void damaged_contexts(void) {
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
void damaged_items(setting setting, const char *options) {
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
