/*
 * Values and details by key and by prepared flag, one and many, and all flags at once.
 */
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

void evaluation(setting setting, const char *options, int holds) {
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

#define ALL_FLAGS(options) ACCEPTED(flagstone_all_flags_json(client, context, options, &bytes, &error))

void all_flags(setting setting, const char *options) {
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

void secure_mode_hash(setting setting) {
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

void a_lazy_client_says_that_it_would_have_to_read(setting setting) {
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

void texts_outlive_the_client_and_the_flag(setting setting) {
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
