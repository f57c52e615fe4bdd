/*
 * Every exported function: what it gives, and how it fails where the header says that it can.
 *
 * What no function may accept (NULL, handles of another type, text that is not UTF-8) is the subject of bad_input.c. The
 * driver checks that every exported function is named here.
 */
#include "all_api/parts.h"

#include <string.h>

#define FLAG(key, rest) "{\"key\":\"" key "\",\"version\":3,\"salt\":\"s\",\"offVariation\":0," rest "}"
#define SERVES(index) "\"on\":true,\"fallthrough\":{\"variation\":" #index "}"

static void fill(setting setting) {
  static const char *const flags[][2] = {
      {"bool", FLAG("bool", SERVES(1) ",\"variations\":[false,true]")},
      {"int", FLAG("int", SERVES(1) ",\"variations\":[0,-7]")},
      {"double", FLAG("double", SERVES(1) ",\"variations\":[0,2.750]")},
      {"huge", FLAG("huge", SERVES(1) ",\"variations\":[0,1e300]")},
      {"string", FLAG("string", SERVES(1) ",\"variations\":[\"\",\"gr\xc3\xbcn\"]")},
      {"json", FLAG("json", SERVES(1) ",\"variations\":[[],{\"a\":[1,2]}]")},
      {"null", FLAG("null", SERVES(1) ",\"variations\":[false,null]")},
      {"off", FLAG("off", "\"on\":false,\"fallthrough\":{\"variation\":1},\"variations\":[false,true]")},
      {"off-none", "{\"key\":\"off-none\",\"version\":1,\"on\":false,\"variations\":[true],\"fallthrough\":{\"variation\":0}}"},
      {"target", FLAG("target", SERVES(0) ",\"variations\":[false,true],\"targets\":[{\"values\":[\"ada\"],\"variation\":1}]")},
      {"rule", FLAG("rule", SERVES(0) ",\"variations\":[false,true],\"rules\":["
                    "{\"id\":\"first\",\"variation\":0,\"clauses\":[{\"attribute\":\"key\",\"op\":\"in\",\"values\":[\"bob\"]}]},"
                    "{\"id\":\"second\",\"variation\":1,\"clauses\":[{\"attribute\":\"key\",\"op\":\"in\",\"values\":[\"ada\"]}]}]")},
      {"needs-off", FLAG("needs-off", SERVES(1) ",\"variations\":[false,true],\"prerequisites\":[{\"key\":\"off\",\"variation\":1}]")},
      {"experiment", FLAG("experiment", "\"on\":true,\"variations\":[false,true],\"fallthrough\":{\"rollout\":{\"kind\":\"experiment\","
                          "\"seed\":61,\"variations\":[{\"variation\":1,\"weight\":100000}]}}")},
      {"malformed", FLAG("malformed", SERVES(9) ",\"variations\":[false,true]")},
      {"unreadable", "{\"key\":\"unreadable\",\"version\":1,\"on\":"},
      {"tombstone", "{\"key\":\"tombstone\",\"version\":4,\"deleted\":true}"},
  };
  redis *connection = redis_open(setting.port);
  size_t index;
  for (index = 0; index < sizeof flags / sizeof flags[0]; index++) {
    put_flag(connection, setting.prefix, flags[index][0], flags[index][1]);
  }
  put_inited(connection, setting.prefix);
  redis_close(connection);
}

static void version(void) {
  CHECK(flagstone_abi_version() == ((FLAGSTONE_ABI_MAJOR << 16) | FLAGSTONE_ABI_MINOR));
  CHECK(strlen(flagstone_version_string()) >= 5);
  CHECK(flagstone_version_string() == flagstone_version_string());
  CHECK((flagstone_features() & FLAGSTONE_FEATURE_TLS) != 0);
  CHECK((flagstone_features() & FLAGSTONE_FEATURE_CREDENTIALS) != 0);
}

static void errors(void) {
  flagstone_config *config = flagstone_config_new();
  flagstone_error *error = NULL;
  CHECK(strcmp(flagstone_status_name(FLAGSTONE_STATUS_OK), "OK") == 0);
  CHECK(strcmp(flagstone_status_name(FLAGSTONE_STATUS_TIMEOUT), "TIMEOUT") == 0);
  CHECK(strcmp(flagstone_status_name(FLAGSTONE_STATUS_ABI_MISMATCH), "ABI_MISMATCH") == 0);
  CHECK(strcmp(flagstone_status_name(FLAGSTONE_STATUS_PANIC), "PANIC") == 0);
  CHECK(strcmp(flagstone_status_name(98), "UNKNOWN") == 0);
  CHECK(strcmp(flagstone_status_name(-1), "UNKNOWN") == 0);

  CHECK(flagstone_config_set(config, "no.such", 7, "", 0, &error) == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  CHECK(flagstone_error_code(error) == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  CHECK(contains(flagstone_error_message(error), "no.such"));
  CHECK(contains(flagstone_error_message(error), "no.such")); /* reading does not consume */
  flagstone_error_free(error);
  flagstone_error_free(NULL);
  CHECK(flagstone_error_code(NULL) == FLAGSTONE_STATUS_NULL_ARGUMENT);
  CHECK(flagstone_error_message(NULL).len == 0);
  /* An error is not needed. */
  CHECK(flagstone_config_set(config, "no.such", 7, "", 0, NULL) == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  flagstone_config_free(config);
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  flagstone_client *client;
  fill(setting);
  version();
  errors();
  configuration();
  a_client_needs_options_that_fit();
  a_client_that_was_not_started(setting);
  starting_without_redis();
  contexts();
  attributes();
  parts_of_contexts();
  builders();
  lifecycle(setting);
  evaluation(setting, NULL, 1);
  evaluation(setting, "{\"cache.residency\":\"lazy\"}", 1);
  evaluation(setting, "{\"cache.residency\":\"off\"}", 0);
  evaluation(setting, "{\"cache.freshness\":\"ttl\"}", 1);
  all_flags(setting, NULL);
  all_flags(setting, "{\"cache.residency\":\"lazy\",\"redis.command_timeout_ms\":30000}");
  all_flags(setting, "{\"cache.residency\":\"off\",\"redis.command_timeout_ms\":30000}");
  secure_mode_hash(setting);
  telling(setting);
  credentials(setting, "{\"redis.credentials\":\"host\"}");
  test_data();
  status_of_source_and_store();
  a_lazy_client_says_that_it_would_have_to_read(setting);
  texts_outlive_the_client_and_the_flag(setting);
  after_close(setting, NULL, 1);
  after_close(setting, "{\"cache.residency\":\"lazy\"}", 1);
  after_close(setting, "{\"cache.residency\":\"off\"}", 0);
  client = started_client(setting, NULL);
  notifications(setting, client);
  old_names(client);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  return report();
}
