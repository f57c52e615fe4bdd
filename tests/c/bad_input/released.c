/*
 * Handles that were released are used and released again, each right after its release, while the library still keeps the
 * block of memory.
 */
#include "parts.h"

#include <string.h>

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

void released_contexts(setting setting) {
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

void released_clients_and_flags(setting setting, const flagstone_context *context) {
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

void other_released_handles(void) {
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
