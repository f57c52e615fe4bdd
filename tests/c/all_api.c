/*
 * Every exported function: what it gives, and how it fails where the header says that it can.
 *
 * What no function may accept (NULL, handles of another type, text that is not UTF-8) is the subject of bad_input.c. The
 * driver checks that every exported function is named here.
 */
#include "support.h"

#include <math.h>
#include <stdio.h>
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

#define SET(name, value) flagstone_config_set(config, name, strlen(name), value, strlen(value), &error)
#define LOAD(json) flagstone_config_load_json(config, json, strlen(json), &error)

static void configuration(void) {
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

static void a_client_needs_options_that_fit(void) {
  flagstone_config *config = flagstone_config_new();
  flagstone_client *untouched = (flagstone_client *)(void *)config, *client = untouched;
  ACCEPTED(SET("redis.tls.ca_file", "/no/such/file.pem"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "rediss://", flagstone_client_new(config, &client, &error));
  ACCEPTED(SET("redis.url", "rediss://localhost:6379"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "redis.tls.ca_file", flagstone_client_new(config, &client, &error));
  CHECK(client == untouched);
  flagstone_config_free(config);
}

static void a_client_that_was_not_started(setting setting) {
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

static void starting_without_redis(void) {
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

static void lifecycle(setting setting) {
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
  {
    flagstone_str text;
    text.ptr = bytes.ptr;
    text.len = bytes.len;
    CHECK(contains(text, "\nflagstone_client_state{state=\"VALID\"} 1\n"));
  }
  flagstone_bytes_clear(&bytes);
  ACCEPTED(flagstone_client_status_json(client, &bytes, &error));
  CHECK(bytes.len > 2 && bytes.ptr[0] == '{' && bytes.ptr[bytes.len - 1] == '}');
  {
    static const char *const members[] = {"\"state\":\"VALID\"", "\"ready\":true", "\"available\":true", "\"wiped\":false",
                                          "\"stale_since_ms\":null", "\"verified_age_ms\":", "\"freshness\":\"push\"",
                                          "\"freshness_reason\":", "\"flags\":", "\"segments\":0", "\"malformed\":1",
                                          "\"dropped\":0", "\"panics\":0", "\"last_error\":"};
    flagstone_str text;
    size_t index;
    text.ptr = bytes.ptr;
    text.len = bytes.len;
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

static void after_close(setting setting, const char *options, int expected) {
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

/* Checks the JSON form and the canonical key of a context, and releases it. */
static void check_context(flagstone_context *context, const char *json, const char *canonical_key) {
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str text;
  ACCEPTED(flagstone_context_to_json(context, &bytes, &error));
  text.ptr = bytes.ptr;
  text.len = bytes.len;
  if (!CHECK(equals(text, json))) fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
  flagstone_bytes_clear(&bytes);
  ACCEPTED(flagstone_context_canonical_key(context, &bytes, &error));
  text.ptr = bytes.ptr;
  text.len = bytes.len;
  if (!CHECK(equals(text, canonical_key))) fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
  flagstone_bytes_clear(&bytes);
  flagstone_context_release(context);
}

#define FROM_JSON(json) flagstone_context_from_json(json, strlen(json), &context, &error)
#define FROM_KEY(kind, key) flagstone_context_from_key(str(kind), str(key), &context, &error)

static void contexts(void) {
  flagstone_context *context = NULL, *org = NULL, *parts[2];
  ACCEPTED(FROM_KEY("", "ada"));
  check_context(context, "{\"kind\":\"user\",\"key\":\"ada\"}", "ada");
  ACCEPTED(FROM_KEY("org", "a:b%"));
  check_context(context, "{\"kind\":\"org\",\"key\":\"a:b%\"}", "org:a%3Ab%25");
  ACCEPTED(FROM_JSON("{\"kind\":\"multi\",\"user\":{\"key\":\"u\"},\"org\":{\"key\":\"o\"}}"));
  check_context(context, "{\"kind\":\"multi\",\"org\":{\"key\":\"o\"},\"user\":{\"key\":\"u\"}}", "org:o:user:u");
  ACCEPTED(FROM_JSON("{\"key\":\"old\",\"custom\":{\"group\":7}}"));
  check_context(context, "{\"kind\":\"user\",\"key\":\"old\",\"group\":7}", "old");

  ACCEPTED(FROM_KEY("user", "u"));
  ACCEPTED(flagstone_context_from_key(str("org"), str("o"), &org, &error));
  CHECK(flagstone_context_retain(org) == org);
  parts[0] = context;
  parts[1] = org;
  {
    flagstone_context *merged = NULL;
    const flagstone_context *twice[2];
    ACCEPTED(flagstone_context_merge((const flagstone_context *const *)parts, 2, &merged, &error));
    check_context(merged, "{\"kind\":\"multi\",\"org\":{\"key\":\"o\"},\"user\":{\"key\":\"u\"}}", "org:o:user:u");
    merged = NULL;
    ACCEPTED(flagstone_context_merge((const flagstone_context *const *)parts, 1, &merged, &error));
    check_context(merged, "{\"kind\":\"user\",\"key\":\"u\"}", "u");
    merged = NULL;
    twice[0] = twice[1] = org;
    REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "org", flagstone_context_merge(twice, 2, &merged, &error));
    REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "at least one", flagstone_context_merge(NULL, 0, &merged, &error));
    CHECK(merged == NULL);
  }
  flagstone_context_release(context);
  flagstone_context_release(org);
  check_context(org, "{\"kind\":\"org\",\"key\":\"o\"}", "org:o");
  flagstone_context_release(NULL);

  context = NULL;
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "key", FROM_KEY("user", ""));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "kind", FROM_KEY("kind", "k"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "multi", FROM_KEY("multi", "k"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "kind", FROM_KEY("a b", "k"));
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "JSON", FROM_JSON("{\"kind\":\"user\""));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "object", FROM_JSON("[]"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "key", FROM_JSON("{\"kind\":\"user\"}"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "anonymous", FROM_JSON("{\"kind\":\"user\",\"key\":\"k\",\"anonymous\":1}"));
  CHECK(context == NULL);
}

static flagstone_attr attr(const char *name, int32_t type, double number, const char *text) {
  flagstone_attr result;
  memset(&result, 0, sizeof result);
  result.name = str(name);
  result.type = type;
  result.number = number;
  result.text = str(text);
  return result;
}

static void attributes(void) {
  flagstone_attr attrs[6];
  flagstone_context *context = NULL;
  attrs[0] = attr("name", FLAGSTONE_TYPE_STRING, 0, "Ada");
  attrs[1] = attr("anonymous", FLAGSTONE_TYPE_BOOL, 3, "");
  attrs[2] = attr("age", FLAGSTONE_TYPE_NUMBER, 1, "");
  attrs[3] = attr("age", FLAGSTONE_TYPE_NUMBER, 36, "");
  attrs[4] = attr("address", FLAGSTONE_TYPE_JSON, 0, "{\"city\":\"London\"}");
  attrs[5] = attr("email", FLAGSTONE_TYPE_NONE, 0, "");
  attrs[4].flags = FLAGSTONE_ATTR_PRIVATE;
  ACCEPTED(flagstone_context_from_attrs(str(""), str("ada"), attrs, 6, &context, &error));
  check_context(context,
                "{\"kind\":\"user\",\"key\":\"ada\",\"name\":\"Ada\",\"anonymous\":true,\"age\":36,"
                "\"address\":{\"city\":\"London\"},\"_meta\":{\"privateAttributes\":[\"address\"]}}",
                "ada");
  ACCEPTED(flagstone_context_from_attrs(str("org"), str("o"), NULL, 0, &context, &error));
  check_context(context, "{\"kind\":\"org\",\"key\":\"o\"}", "org:o");

  context = NULL;
  attrs[0] = attr("name", FLAGSTONE_TYPE_BOOL, 1, "");
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "name", flagstone_context_from_attrs(str(""), str("k"), attrs, 1, &context, &error));
  attrs[0] = attr("x", 5, 1, "");
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "type 5", flagstone_context_from_attrs(str(""), str("k"), attrs, 1, &context, &error));
  attrs[0] = attr("x", FLAGSTONE_TYPE_NUMBER, HUGE_VAL, "");
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "finite", flagstone_context_from_attrs(str(""), str("k"), attrs, 1, &context, &error));
  attrs[0] = attr("x", FLAGSTONE_TYPE_JSON, 0, "{");
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "\"x\"", flagstone_context_from_attrs(str(""), str("k"), attrs, 1, &context, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "key", flagstone_context_from_attrs(str(""), str(""), attrs, 0, &context, &error));
  CHECK(context == NULL);
}

/* Checks a call that gives text through `bytes`. */
#define SAYS(expected, call)                                                         \
  do {                                                                               \
    flagstone_bytes bytes = {NULL, 0, NULL};                                         \
    flagstone_str text;                                                              \
    ACCEPTED(call);                                                                  \
    text.ptr = bytes.ptr;                                                            \
    text.len = bytes.len;                                                            \
    if (!CHECK(equals(text, expected))) fprintf(stderr, "%.*s\n", (int)text.len, text.ptr); \
    flagstone_bytes_clear(&bytes);                                                   \
  } while (0)

#define GET(expected, kind, reference) SAYS(expected, flagstone_context_get(context, str(kind), str(reference), &bytes, &error))

static void parts_of_contexts(void) {
  flagstone_context *context = NULL, *user = NULL, *other = NULL;
  flagstone_bytes bytes = {NULL, 0, NULL};
  ACCEPTED(FROM_JSON("{\"kind\":\"multi\",\"user\":{\"key\":\"u\",\"name\":\"\\u00e9\\n\",\"address\":{\"city\":\"London\",\"no\":7},"
                     "\"a/b\":[1,null],\"_meta\":{\"privateAttributes\":[\"name\",\"/address/city\"]}},\"org\":{\"key\":\"o\",\"anonymous\":true}}"));
  SAYS("[\"org\",\"user\"]", flagstone_context_kinds(context, &bytes, &error));
  GET("\"multi\"", "", "kind");
  GET("null", "", "key");
  GET("\"user\"", "user", "kind");
  GET("\"o\"", "org", "key");
  GET("true", "org", "/anonymous");
  GET("false", "user", "anonymous");
  GET("\"\xc3\xa9\\n\"", "user", "name");
  GET("null", "org", "name");
  GET("{\"city\":\"London\",\"no\":7}", "user", "address");
  GET("\"London\"", "user", "/address/city");
  GET("null", "user", "/address/street");
  GET("[1,null]", "user", "a/b");
  GET("[1,null]", "user", "/a~1b");
  GET("null", "device", "key");
  SAYS("[\"name\",\"/address/city\"]", flagstone_context_private_attributes(context, str("user"), &bytes, &error));
  SAYS("[]", flagstone_context_private_attributes(context, str("org"), &bytes, &error));
  SAYS("[]", flagstone_context_private_attributes(context, str(""), &bytes, &error));
  SAYS("[]", flagstone_context_private_attributes(context, str("device"), &bytes, &error));

  ACCEPTED(flagstone_context_individual(context, str("org"), &other, &error));
  check_context(other, "{\"kind\":\"org\",\"key\":\"o\",\"anonymous\":true}", "org:o");
  ACCEPTED(flagstone_context_individual(context, str("user"), &user, &error));
  flagstone_context_release(context);
  context = user; /* what was handed out does not need the whole */
  SAYS("[\"user\"]", flagstone_context_kinds(context, &bytes, &error));
  GET("\"user\"", "", "kind");
  GET("\"u\"", "", "key");
  GET("7", "", "/address/no");
  SAYS("[\"name\",\"/address/city\"]", flagstone_context_private_attributes(context, str(""), &bytes, &error));
  ACCEPTED(flagstone_context_individual(context, str(""), &other, &error));
  CHECK(other == user);
  flagstone_context_release(other);
  ACCEPTED(flagstone_context_individual(context, str("user"), &other, &error));
  CHECK(other == user);
  flagstone_context_release(other);
  other = NULL;
  REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "kind", flagstone_context_individual(context, str("org"), &other, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "reference", flagstone_context_get(context, str(""), str(""), &bytes, &error));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "reference", flagstone_context_get(context, str(""), str("/address//no"), &bytes, &error));
  flagstone_context_release(user);
  ACCEPTED(FROM_JSON("{\"kind\":\"multi\",\"user\":{\"key\":\"u\"},\"org\":{\"key\":\"o\"}}"));
  REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "kind", flagstone_context_individual(context, str(""), &other, &error));
  flagstone_context_release(context);
  CHECK(other == NULL && bytes.ptr == NULL);
}

static void builders(void) {
  flagstone_context_builder *builder = flagstone_context_builder_new(str("org"), str("o"));
  flagstone_context *context = NULL;
  flagstone_attr value = attr("plan", FLAGSTONE_TYPE_STRING, 0, "basic");
  ACCEPTED(flagstone_context_builder_set(builder, &value, &error));
  value = attr("plan", FLAGSTONE_TYPE_STRING, 0, "gold");
  ACCEPTED(flagstone_context_builder_set(builder, &value, &error));
  ACCEPTED(flagstone_context_builder_set_private(builder, str("/address/street"), &error));
  ACCEPTED(flagstone_context_builder_build(builder, &context, &error));
  check_context(context, "{\"kind\":\"org\",\"key\":\"o\",\"plan\":\"gold\",\"_meta\":{\"privateAttributes\":[\"/address/street\"]}}", "org:o");
  value = attr("size", FLAGSTONE_TYPE_NUMBER, 12, "");
  ACCEPTED(flagstone_context_builder_set(builder, &value, &error));
  ACCEPTED(flagstone_context_builder_build(builder, &context, &error)); /* once more */
  check_context(context,
                "{\"kind\":\"org\",\"key\":\"o\",\"plan\":\"gold\",\"size\":12,\"_meta\":{\"privateAttributes\":[\"/address/street\"]}}",
                "org:o");
  context = NULL;
  value = attr("x", 9, 0, "");
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "type 9", flagstone_context_builder_set(builder, &value, &error));
  value = attr("x", FLAGSTONE_TYPE_JSON, 0, "nope");
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "\"x\"", flagstone_context_builder_set(builder, &value, &error));
  value = attr("anonymous", FLAGSTONE_TYPE_STRING, 0, "yes");
  ACCEPTED(flagstone_context_builder_set(builder, &value, &error)); /* reported by build */
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "anonymous", flagstone_context_builder_build(builder, &context, &error));
  CHECK(context == NULL);
  flagstone_context_builder_free(builder);
  flagstone_context_builder_free(NULL);

  builder = flagstone_context_builder_new(str("a b"), str("k"));
  CHECK(builder != NULL);
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "kind", flagstone_context_builder_build(builder, &context, &error));
  flagstone_context_builder_free(builder);
}

static void scalars(const flagstone_client *client, const flagstone_context *context) {
  CHECK(flagstone_bool_variation(client, context, "bool", 4, 0) == 1);
  CHECK(flagstone_bool_variation(client, context, "off", 3, 1) == 0);
  CHECK(flagstone_bool_variation(client, context, "int", 3, 1) == 1); /* wrong type */
  CHECK(flagstone_bool_variation(client, context, "", 0, -5) == 1);
  CHECK(flagstone_int_variation(client, context, "int", 3, 5) == -7);
  CHECK(flagstone_int_variation(client, context, "double", 6, 5) == 3);
  CHECK(flagstone_int_variation(client, context, "huge", 4, 5) == INT64_MAX);
  CHECK(flagstone_int_variation(client, context, "bool", 4, 5) == 5);
  CHECK(flagstone_int_variation(client, context, "missing", 7, INT64_MIN) == INT64_MIN);
  CHECK(flagstone_double_variation(client, context, "double", 6, 0.5) == 2.75);
  CHECK(flagstone_double_variation(client, context, "huge", 4, 0.5) == 1e300);
  CHECK(flagstone_double_variation(client, context, "string", 6, 0.5) == 0.5);
  CHECK(flagstone_double_variation(client, context, "missing", 7, HUGE_VAL) == HUGE_VAL);
}

/* One expected result. */
typedef struct expected {
  const char *key;
  int32_t want_type, value_type, reason, error_kind, variation_index, rule_index;
  uint32_t flags;
  double number;
  const char *text, *rule_id, *prerequisite_key;
} expected;

#define NONE FLAGSTONE_TYPE_NONE
#define BOOL FLAGSTONE_TYPE_BOOL
#define NUMBER FLAGSTONE_TYPE_NUMBER
#define STRING FLAGSTONE_TYPE_STRING
#define JSON FLAGSTONE_TYPE_JSON
#define OFF FLAGSTONE_REASON_OFF
#define FALLTHROUGH FLAGSTONE_REASON_FALLTHROUGH
#define DEFAULTED FLAGSTONE_DETAIL_DEFAULTED
/* A value served to everybody. */
#define SERVED(key, want, type, number, text) {key, want, type, FALLTHROUGH, 0, 1, -1, 0, number, text, "", ""}
/* An evaluation that ended in an error. */
#define FAILED(key, want, kind) \
  {key, want, NONE, FLAGSTONE_REASON_ERROR, FLAGSTONE_ERROR_KIND_##kind, -1, -1, DEFAULTED, 0, "", "", ""}

static const expected EXPECTED[] = {
    SERVED("bool", BOOL, BOOL, 1, ""),
    SERVED("bool", NONE, BOOL, 1, ""),
    SERVED("bool", JSON, JSON, 0, "true"),
    SERVED("int", NUMBER, NUMBER, -7, "-7"),
    SERVED("double", NUMBER, NUMBER, 2.75, "2.750"),
    SERVED("double", NONE, NUMBER, 2.75, "2.750"),
    SERVED("double", JSON, JSON, 0, "2.750"),
    SERVED("string", STRING, STRING, 0, "gr\xc3\xbcn"),
    SERVED("string", JSON, JSON, 0, "\"gr\xc3\xbcn\""),
    SERVED("json", JSON, JSON, 0, "{\"a\":[1,2]}"),
    SERVED("json", NONE, JSON, 0, "{\"a\":[1,2]}"),
    SERVED("null", NONE, NONE, 0, ""),
    {"off", BOOL, BOOL, OFF, 0, 0, -1, 0, 0, "", "", ""},
    {"off-none", BOOL, NONE, OFF, 0, -1, -1, DEFAULTED, 0, "", "", ""},
    {"target", BOOL, BOOL, FLAGSTONE_REASON_TARGET_MATCH, 0, 1, -1, 0, 1, "", "", ""},
    {"rule", BOOL, BOOL, FLAGSTONE_REASON_RULE_MATCH, 0, 1, 1, 0, 1, "", "second", ""},
    {"needs-off", BOOL, BOOL, FLAGSTONE_REASON_PREREQUISITE_FAILED, 0, 0, -1, 0, 0, "", "", "off"},
    {"experiment", BOOL, BOOL, FALLTHROUGH, 0, 1, -1, FLAGSTONE_DETAIL_IN_EXPERIMENT, 1, "", "", ""},
    FAILED("bool", NUMBER, WRONG_TYPE),
    FAILED("bool", STRING, WRONG_TYPE),
    FAILED("int", BOOL, WRONG_TYPE),
    FAILED("json", STRING, WRONG_TYPE),
    FAILED("malformed", BOOL, MALFORMED_FLAG),
    FAILED("unreadable", BOOL, EXCEPTION),
    FAILED("tombstone", BOOL, FLAG_NOT_FOUND),
    FAILED("missing", BOOL, FLAG_NOT_FOUND),
    FAILED("", BOOL, FLAG_NOT_FOUND),
};
#define EXPECTATIONS (sizeof EXPECTED / sizeof EXPECTED[0])

static void check_detail(const flagstone_detail *detail, const expected *expected) {
  unsigned before = failures();
  CHECK(detail->struct_size == sizeof *detail);
  CHECK(detail->value_type == expected->value_type);
  CHECK(detail->reason == expected->reason);
  CHECK(detail->error_kind == expected->error_kind);
  CHECK(detail->variation_index == expected->variation_index);
  CHECK(detail->rule_index == expected->rule_index);
  CHECK(detail->flags == expected->flags);
  CHECK(detail->big_segments_status == FLAGSTONE_BIG_SEGMENTS_NONE);
  CHECK(detail->number_value == expected->number);
  CHECK(equals(detail->text, expected->text));
  CHECK(equals(detail->rule_id, expected->rule_id));
  CHECK(equals(detail->prerequisite_key, expected->prerequisite_key));
  if (failures() != before) fprintf(stderr, "  in flag \"%s\", type asked for %d\n", expected->key, (int)expected->want_type);
}

static void details(const flagstone_client *client, const flagstone_context *context) {
  size_t index;
  for (index = 0; index < EXPECTATIONS; index++) {
    const expected *one = &EXPECTED[index];
    flagstone_detail detail = empty_detail();
    CHECK(flagstone_variation(client, context, one->key, strlen(one->key), one->want_type, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
    check_detail(&detail, one);
    flagstone_detail_clear(&detail);
    CHECK(detail.struct_size == sizeof detail && detail.owner == NULL && detail.text.len == 0);
    flagstone_detail_clear(&detail); /* twice */
    CHECK(flagstone_variation_or(client, context, one->key, strlen(one->key), one->want_type, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
    check_detail(&detail, one);
    flagstone_detail_clear(&detail);
  }
  flagstone_detail_clear(NULL);
}

static void a_larger_detail_of_a_later_header(const flagstone_client *client, const flagstone_context *context) {
  struct {
    flagstone_detail known;
    uint64_t later;
  } detail;
  memset(&detail, 0xab, sizeof detail);
  detail.known = empty_detail();
  detail.known.struct_size = sizeof detail;
  CHECK(flagstone_variation(client, context, "string", 6, STRING, NULL, 0, &detail.known) == FLAGSTONE_STATUS_OK);
  CHECK(equals(detail.known.text, "gr\xc3\xbcn"));
  CHECK(detail.known.struct_size == sizeof detail && detail.later == UINT64_C(0xabababababababab));
  flagstone_detail_clear(&detail.known);
  CHECK(detail.known.struct_size == sizeof detail && detail.later == UINT64_C(0xabababababababab));
}

static void many(const flagstone_client *client, const flagstone_context *context) {
  flagstone_str keys[4];
  flagstone_detail details[4];
  size_t index;
  keys[0] = str("bool");
  keys[1] = str("double");
  keys[2] = str("missing");
  keys[3] = str("rule");
  for (index = 0; index < 4; index++) details[index] = empty_detail();
  CHECK(flagstone_variation_many(client, context, keys, 4, details) == FLAGSTONE_STATUS_OK);
  CHECK(details[0].value_type == BOOL && details[0].number_value == 1);
  CHECK(details[1].value_type == NUMBER && details[1].number_value == 2.75);
  CHECK(details[2].error_kind == FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND);
  CHECK(details[3].rule_index == 1 && equals(details[3].rule_id, "second"));
  for (index = 0; index < 4; index++) flagstone_detail_clear(&details[index]);
  CHECK(flagstone_variation_many_or(client, context, keys, NULL, 4, 0, details) == FLAGSTONE_STATUS_OK);
  CHECK(details[0].number_value == 1 && details[1].number_value == 2.75 && details[3].rule_index == 1);
  CHECK(details[2].error_kind == FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND);
  for (index = 0; index < 4; index++) flagstone_detail_clear(&details[index]);
  CHECK(flagstone_variation_many(client, context, NULL, 0, NULL) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_variation_many_or(client, context, NULL, NULL, 0, 0, NULL) == FLAGSTONE_STATUS_OK);
}

#define PREPARE(key, type, default) flagstone_flag_new(client, key, strlen(key), type, default, strlen(default), &flag, &error)

/* With residency off nothing is held, so that the call that never waits (`_try`) never knows. */
static void prepared_flags(flagstone_client *client, const flagstone_context *context, int holds) {
  flagstone_flag *flag = NULL;
  size_t index;
  for (index = 0; index < EXPECTATIONS; index++) {
    const expected *one = &EXPECTED[index];
    flagstone_detail detail = empty_detail();
    int repeat;
    ACCEPTED(PREPARE(one->key, one->want_type, ""));
    for (repeat = 0; repeat < 2; repeat++) { /* the second time the place is remembered */
      CHECK(flagstone_flag_detail(flag, context, &detail) == FLAGSTONE_STATUS_OK);
      check_detail(&detail, one);
      flagstone_detail_clear(&detail);
      CHECK(flagstone_flag_value(flag, context, &detail) == FLAGSTONE_STATUS_OK);
      check_detail(&detail, one);
      flagstone_detail_clear(&detail);
    }
    flagstone_flag_release(flag);
  }
  ACCEPTED(PREPARE("bool", BOOL, "false"));
  CHECK(flagstone_flag_bool(flag, context) == 1 && flagstone_flag_bool_try(flag, context) == (holds ? 1 : -1));
  CHECK(flagstone_flag_int(flag, context) == 0 && flagstone_flag_double(flag, context) == 0);
  flagstone_flag_release(flag);
  ACCEPTED(PREPARE("missing", BOOL, "true"));
  CHECK(flagstone_flag_bool(flag, context) == 1 && flagstone_flag_bool_try(flag, context) == (holds ? 1 : -1));
  flagstone_flag_release(flag);
  ACCEPTED(PREPARE("double", NUMBER, "9007199254740993"));
  CHECK(flagstone_flag_int(flag, context) == 3 && flagstone_flag_double(flag, context) == 2.75);
  flagstone_flag_release(flag);
  ACCEPTED(PREPARE("missing", NUMBER, "9007199254740993")); /* more than a double can hold */
  CHECK(flagstone_flag_int(flag, context) == INT64_C(9007199254740993));
  CHECK(flagstone_flag_double(flag, context) == 9007199254740992.0);
  flagstone_flag_release(flag);

  flag = NULL;
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "default_json", PREPARE("bool", BOOL, "1"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "default_json", PREPARE("string", STRING, "true"));
  REFUSED(FLAGSTONE_STATUS_BAD_JSON, "default_json", PREPARE("bool", BOOL, "tru"));
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "type 5", PREPARE("bool", 5, ""));
  CHECK(flag == NULL);
}

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

static void notifications(setting setting, flagstone_client *client) {
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
static void credentials(setting setting, const char *options) {
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
  status.ptr = bytes.ptr;
  status.len = bytes.len;
  CHECK(contains(status, "\"credentials\":{") && contains(status, "\"source\":\"host\"") && !contains(status, "hunter"));
  flagstone_bytes_clear(&bytes);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
}

/* Notifications used to be called events: hosts that were written then go on working. */
static void old_names(flagstone_client *client) {
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

static void evaluation(setting setting, const char *options, int holds) {
  flagstone_client *client = started_client(setting, options);
  flagstone_context *context = user("ada");
  scalars(client, context);
  details(client, context);
  a_larger_detail_of_a_later_header(client, context);
  many(client, context);
  prepared_flags(client, context, holds);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
}

static flagstone_str text_of(flagstone_bytes bytes) {
  flagstone_str text;
  text.ptr = bytes.ptr;
  text.len = bytes.len;
  return text;
}

#define ALL_FLAGS(options) ACCEPTED(flagstone_all_flags_json(client, context, options, &bytes, &error))

static void all_flags(setting setting, const char *options) {
  flagstone_client *client = new_client(setting, options);
  flagstone_context *context = user("ada");
  flagstone_bytes bytes = {NULL, 0, NULL}, again = {NULL, 0, NULL};
  const char *invalid = "{\"$valid\":false,\"$flagsState\":{}}";
  ALL_FLAGS(0);
  CHECK(equals(text_of(bytes), invalid)); /* not ready */
  flagstone_bytes_clear(&bytes);
  flagstone_client_release(client);

  client = started_client(setting, options);
  ALL_FLAGS(0);
  CHECK(contains(text_of(bytes), "{\"bool\":true,\"double\":2.750,\"experiment\":true,\"huge\":1e300,\"int\":-7,\"json\":{\"a\":[1,2]},"
                                 "\"malformed\":null,\"needs-off\":false,\"null\":null,\"off\":false,\"off-none\":null,\"rule\":true,"
                                 "\"string\":\"gr\xc3\xbcn\",\"target\":true,\"$flagsState\":{\"bool\":{\"variation\":1,\"version\":3},"));
  CHECK(contains(text_of(bytes), "\"experiment\":{\"variation\":1,\"version\":3,\"reason\":{\"kind\":\"FALLTHROUGH\","
                                 "\"inExperiment\":true},\"trackEvents\":true,\"trackReason\":true},"));
  CHECK(contains(text_of(bytes), "\"malformed\":{\"version\":3},"));
  CHECK(contains(text_of(bytes), "\"needs-off\":{\"variation\":0,\"version\":3,\"prerequisites\":[\"off\"]},"));
  CHECK(contains(text_of(bytes), "},\"$valid\":true}"));
  CHECK(!contains(text_of(bytes), "unreadable") && !contains(text_of(bytes), "tombstone"));
  ACCEPTED(flagstone_all_flags_json(client, context, 0, &again, &error));
  CHECK(again.len == bytes.len && memcmp(again.ptr, bytes.ptr, bytes.len) == 0);
  flagstone_bytes_clear(&again);
  flagstone_bytes_clear(&bytes);

  ALL_FLAGS(FLAGSTONE_ALL_FLAGS_WITH_REASONS);
  CHECK(contains(text_of(bytes), "\"rule\":{\"variation\":1,\"version\":3,\"reason\":{\"kind\":\"RULE_MATCH\",\"ruleIndex\":1,\"ruleId\":\"second\"}}"));
  flagstone_bytes_clear(&bytes);
  ALL_FLAGS(FLAGSTONE_ALL_FLAGS_WITH_REASONS | FLAGSTONE_ALL_FLAGS_DETAILS_ONLY_FOR_TRACKED);
  CHECK(contains(text_of(bytes), "\"rule\":{\"variation\":1},"));
  flagstone_bytes_clear(&bytes);
  ALL_FLAGS(FLAGSTONE_ALL_FLAGS_CLIENT_SIDE_ONLY);
  CHECK(equals(text_of(bytes), "{\"$flagsState\":{},\"$valid\":true}"));
  flagstone_bytes_clear(&bytes);
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "options", flagstone_all_flags_json(client, context, 8, &bytes, &error));
  ACCEPTED(flagstone_all_flags_json(client, NULL, 0, &bytes, &error));
  CHECK(equals(text_of(bytes), invalid));
  flagstone_bytes_clear(&bytes);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
}

static void secure_mode_hash(setting setting) {
  flagstone_client *client = new_client(setting, "{\"sdk.key\":\"sdk-01234567-89ab-cdef-0123-456789abcdef\"}");
  flagstone_client *keyless = new_client(setting, NULL);
  flagstone_context *context = user("user-key-123");
  flagstone_bytes bytes = {NULL, 0, NULL};
  ACCEPTED(flagstone_secure_mode_hash(client, context, &bytes, &error));
  CHECK(equals(text_of(bytes), "73df666a13f2c474e50aa34ca5a761e89abb737fb139ff65fdde7fa85c9dcacd"));
  flagstone_bytes_clear(&bytes);
  REFUSED(FLAGSTONE_STATUS_INVALID_ARGUMENT, "sdk.key", flagstone_secure_mode_hash(keyless, context, &bytes, &error));
  CHECK(bytes.ptr == NULL && bytes.owner == NULL);
  flagstone_client_release(keyless);
  flagstone_client_release(client);
  flagstone_context_release(context);
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
static void telling(setting setting) {
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

static void a_lazy_client_says_that_it_would_have_to_read(setting setting) {
  flagstone_client *client = started_client(setting, "{\"cache.residency\":\"lazy\"}");
  flagstone_context *context = user("ada");
  flagstone_flag *flag = NULL;
  ACCEPTED(PREPARE("bool", BOOL, "false"));
  CHECK(flagstone_flag_bool_try(flag, context) == -1);
  CHECK(flagstone_flag_bool(flag, context) == 1);
  CHECK(flagstone_flag_bool_try(flag, context) == 1);
  flagstone_flag_release(flag);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
}

static void texts_outlive_the_client_and_the_flag(setting setting) {
  flagstone_client *client = started_client(setting, NULL);
  flagstone_context *context = user("ada");
  flagstone_detail detail = empty_detail();
  CHECK(flagstone_variation(client, context, "json", 4, JSON, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  CHECK(detail.owner != NULL && equals(detail.text, "{\"a\":[1,2]}"));
  flagstone_detail_clear(&detail);
}

static flagstone_test_data *one_flag(int value) {
  char json[160];
  flagstone_test_data *data = flagstone_test_data_new();
  snprintf(json, sizeof json,
           "{\"key\":\"a\",\"on\":true,\"variations\":[false,true],\"fallthrough\":{\"variation\":%d}}", value);
  ACCEPTED(flagstone_test_data_set_json(data, FLAGSTONE_KIND_FLAG, json, strlen(json), &error));
  return data;
}

/* Two clients are fed by the same data, which outlive the handle of the test. */
static void test_data(void) {
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

static void status_of_source_and_store(void) {
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
