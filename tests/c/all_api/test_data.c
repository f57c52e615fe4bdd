/*
 * Test data, and the state of source and store.
 */
#include "parts.h"

#include <stdio.h>
#include <string.h>

static flagstone_test_data *one_flag(int value) {
  char json[160];
  flagstone_test_data *data = flagstone_test_data_new();
  snprintf(json, sizeof json,
           "{\"key\":\"a\",\"on\":true,\"variations\":[false,true],\"fallthrough\":{\"variation\":%d}}", value);
  ACCEPTED(flagstone_test_data_set_json(data, FLAGSTONE_KIND_FLAG, json, strlen(json), &error));
  return data;
}

/* Two clients are fed by the same data, which outlive the handle of the test. */
void test_data(void) {
  const char *segment = "{\"key\":\"s\",\"included\":[\"ada\"]}";
  const char *off = "{\"key\":\"a\",\"on\":false,\"variations\":[false,true],\"offVariation\":0}";
  flagstone_context *context = user("ada");
  flagstone_test_data *data = one_flag(1);
  flagstone_client *clients[2] = {NULL, NULL};
  int i;
  CHECK(flagstone_test_data_retain(data) == data);
  flagstone_test_data_release(data);
  for (i = 0; i < 2; i++) {
    flagstone_config *config = flagstone_config_new();
    ACCEPTED(flagstone_config_set_test_data(config, data, &error));
    ACCEPTED(flagstone_client_new(config, &clients[i], &error));
    flagstone_config_free(config);
    ACCEPTED(flagstone_client_start(clients[i], SOON, &error));
    CHECK(bool_value(clients[i], context, "a", 0) == 1);
  }
  ACCEPTED(flagstone_test_data_set_json(data, FLAGSTONE_KIND_SEGMENT, segment, strlen(segment), &error));
  ACCEPTED(flagstone_test_data_set_json(data, FLAGSTONE_KIND_FLAG, off, strlen(off), &error));
  for (i = 0; i < 2; i++) CHECK(bool_value(clients[i], context, "a", 1) == 0);
  ACCEPTED(flagstone_test_data_delete(data, FLAGSTONE_KIND_FLAG, "a", 1, &error));
  for (i = 0; i < 2; i++) CHECK(bool_value(clients[i], context, "a", 1) == 1);
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "kind", flagstone_test_data_set_json(data, 2, off, strlen(off), &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "json", flagstone_test_data_set_json(data, 0, "{", 1, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "key", flagstone_test_data_set_json(data, 0, "{}", 2, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "kind", flagstone_test_data_delete(data, -1, "a", 1, &error));
  REFUSED(FLAGSTONE_STATUS_NULL_ARGUMENT, "data", flagstone_test_data_set_json(NULL, 0, off, strlen(off), &error));
  flagstone_test_data_release(data);
  flagstone_test_data_release(NULL);
  for (i = 0; i < 2; i++) {
    CHECK(flagstone_client_close(clients[i], SOON) == FLAGSTONE_STATUS_OK);
    flagstone_client_release(clients[i]);
  }
  flagstone_context_release(context);
}

void status_of_source_and_store(void) {
  flagstone_test_data *data = one_flag(1);
  flagstone_config *config = flagstone_config_new();
  flagstone_client *client = NULL;
  flagstone_client_status_info info;
  memset(&info, 0, sizeof info);
  ACCEPTED(flagstone_config_set_test_data(config, data, &error));
  ACCEPTED(flagstone_client_new(config, &client, &error));
  flagstone_config_free(config);
  ACCEPTED(flagstone_client_start(client, SOON, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "struct_size", flagstone_client_status(client, &info, &error));
  info.struct_size = sizeof info;
  ACCEPTED(flagstone_client_status(client, &info, &error));
  CHECK(info.source_state == FLAGSTONE_STATE_VALID && info.source_since_ms > 0 && info.last_error_ms == 0);
  CHECK(info.store_available == 1 && info.store_stale_since_ms == 0 && info.owner == NULL);
  ACCEPTED(flagstone_test_data_set_status(data, FLAGSTONE_STATE_INTERRUPTED, FLAGSTONE_SOURCE_ERROR_ERROR_RESPONSE, 503,
                                          "busy", 4, &error));
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_INTERRUPTED, SOON) == FLAGSTONE_STATUS_OK);
  ACCEPTED(flagstone_client_status(client, &info, &error));
  CHECK(info.source_state == FLAGSTONE_STATE_INTERRUPTED && info.last_error_kind == FLAGSTONE_SOURCE_ERROR_ERROR_RESPONSE);
  CHECK(info.last_error_status == 503 && info.last_error_ms > 0 && equals(info.last_error, "busy"));
  flagstone_client_status_info_clear(&info);
  CHECK(info.owner == NULL && info.struct_size == sizeof info);
  flagstone_client_status_info_clear(&info);
  flagstone_client_status_info_clear(NULL);
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "state",
          flagstone_test_data_set_status(data, FLAGSTONE_STATE_INIT, 0, 0, NULL, 0, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "error_kind",
          flagstone_test_data_set_status(data, FLAGSTONE_STATE_OFF, 9, 0, NULL, 0, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "http_status",
          flagstone_test_data_set_status(data, FLAGSTONE_STATE_OFF, 0, -1, NULL, 0, &error));
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_client_status(client, &info, &error));
  flagstone_client_release(client);
  flagstone_test_data_release(data);
}
