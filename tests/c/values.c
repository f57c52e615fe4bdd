/*
 * What a flag writes is what a host gets, in every call: integers exact over 64 bits and rounded by one rule, numbers in JSON
 * digit for digit, texts without a copy for as long as they are kept.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

/* A number as a flag writes it, and the integer that it is under either rule. */
typedef struct number {
  const char *written;
  int64_t half_even, truncated;
} number;

static const number NUMBERS[] = {
    {"0", 0, 0},
    {"-0", 0, 0},
    {"-7", -7, -7},
    {"0.5", 0, 0},
    {"1.5", 2, 1},
    {"2.5", 2, 2},
    {"2.25", 2, 2},
    {"2.75", 3, 2},
    {"3.50", 4, 3},
    {"-0.5", 0, 0},
    {"-2.5", -2, -2},
    {"-3.5", -4, -3},
    {"-2.75", -3, -2},
    {"25e-1", 2, 2},
    {"1e3", 1000, 1000},
    {"9007199254740991", INT64_C(9007199254740991), INT64_C(9007199254740991)},
    {"9007199254740992", INT64_C(9007199254740992), INT64_C(9007199254740992)},
    {"9007199254740993", INT64_C(9007199254740993), INT64_C(9007199254740993)},
    {"-9007199254740993", -INT64_C(9007199254740993), -INT64_C(9007199254740993)},
    {"1234567890123456789", INT64_C(1234567890123456789), INT64_C(1234567890123456789)},
    {"1234567890123456789.0", INT64_C(1234567890123456768), INT64_C(1234567890123456768)}, /* a fraction: the nearest double */
    {"9223372036854775806", INT64_MAX - 1, INT64_MAX - 1},
    {"9223372036854775807", INT64_MAX, INT64_MAX},
    {"9223372036854775808", INT64_MAX, INT64_MAX},
    {"18446744073709551615", INT64_MAX, INT64_MAX},
    {"-9223372036854775808", INT64_MIN, INT64_MIN},
    {"-9223372036854775809", INT64_MIN, INT64_MIN},
    {"1e300", INT64_MAX, INT64_MAX},
    {"-1e300", INT64_MIN, INT64_MIN},
    {"1e-300", 0, 0},
};
#define NUMBERS_OF (sizeof NUMBERS / sizeof NUMBERS[0])

/* A JSON value with numbers that no double holds. */
#define TREE "{\"id\":1234567890123456789,\"sum\":[0.10,1.50E+2,123456789012345678901234567890]}"

static void put_value(redis *connection, setting setting, const char *key, const char *json) {
  char flag[512];
  snprintf(flag, sizeof flag, "{\"key\":\"%s\",\"version\":1,\"on\":true,\"variations\":[%s],\"fallthrough\":{\"variation\":0}}", key, json);
  put_flag(connection, setting.prefix, key, flag);
}

static void fill(setting setting) {
  redis *connection = redis_open(setting.port);
  char key[16];
  size_t index;
  for (index = 0; index < NUMBERS_OF; index++) {
    snprintf(key, sizeof key, "n%02u", (unsigned)index);
    put_value(connection, setting, key, NUMBERS[index].written);
  }
  put_value(connection, setting, "tree", TREE);
  put_value(connection, setting, "plain", "\"gr\xc3\xbcn\"");
  put_value(connection, setting, "escaped", "\"a\\u0000\\n\\\"z\"");
  put_value(connection, setting, "empty", "\"\"");
  put_value(connection, setting, "bool", "true");
  put_value(connection, setting, "beyond", "1e400");
  put_inited(connection, setting.prefix);
  redis_close(connection);
}

/* An integer in every call that gives one. */
static void check_integer(flagstone_client *client, const flagstone_context *context, const char *key, const char *written, int64_t expected) {
  unsigned before = failures();
  flagstone_detail detail = empty_detail(), of_many = empty_detail();
  flagstone_str keys[1];
  flagstone_flag *flag = NULL;
  size_t len = strlen(key);
  keys[0] = str(key);
  CHECK(flagstone_int_variation(client, context, key, len, 5) == expected);
  ACCEPTED(flagstone_flag_new(client, key, len, FLAGSTONE_TYPE_NUMBER, "5", 1, &flag, &error));
  CHECK(flagstone_flag_int(flag, context) == expected);

  CHECK(flagstone_flag_detail(flag, context, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_detail_int(&detail, 5) == expected && equals(detail.text, written));
  flagstone_detail_clear(&detail);
  CHECK(flagstone_variation(client, context, key, len, FLAGSTONE_TYPE_NUMBER, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_detail_int(&detail, 5) == expected);
  CHECK(flagstone_double_variation(client, context, key, len, 5) == detail.number_value);
  flagstone_detail_clear(&detail);
  CHECK(flagstone_detail_int(&detail, 5) == 5); /* cleared */
  CHECK(flagstone_variation_many(client, context, keys, 1, &of_many) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_detail_int(&of_many, 5) == expected);
  flagstone_detail_clear(&of_many);
  CHECK(flagstone_variation(client, context, key, len, FLAGSTONE_TYPE_JSON, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(equals(detail.text, written) && flagstone_detail_int(&detail, 5) == 5); /* text, not a number */
  flagstone_detail_clear(&detail);
  flagstone_flag_release(flag);
  if (failures() != before) fprintf(stderr, "  for %s\n", written);
}

/* The state of all flags has every number as it is written. */
static void check_all_flags(const flagstone_client *client, const flagstone_context *context) {
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str text;
  char member[64];
  size_t index;
  ACCEPTED(flagstone_all_flags_json(client, context, 0, &bytes, &error));
  text.ptr = bytes.ptr;
  text.len = bytes.len;
  for (index = 0; index < NUMBERS_OF; index++) {
    snprintf(member, sizeof member, "\"n%02u\":%s,", (unsigned)index, NUMBERS[index].written);
    CHECK(contains(text, member));
  }
  CHECK(contains(text, "\"tree\":" TREE ","));
  flagstone_bytes_clear(&bytes);
}

static void integers(setting setting, const char *options, int truncates) {
  flagstone_client *client = started_client(setting, options);
  flagstone_context *context = user("ada");
  flagstone_detail detail = empty_detail();
  char key[16];
  size_t index;
  for (index = 0; index < NUMBERS_OF; index++) {
    const number *one = &NUMBERS[index];
    snprintf(key, sizeof key, "n%02u", (unsigned)index);
    check_integer(client, context, key, one->written, truncates ? one->truncated : one->half_even);
  }
  check_all_flags(client, context);
  CHECK(flagstone_variation(client, context, "tree", 4, FLAGSTONE_TYPE_NONE, NULL, 0, &detail) == FLAGSTONE_STATUS_OK);
  CHECK(equals(detail.text, TREE));
  flagstone_detail_clear(&detail);
  /* Beyond doubles a flag cannot be read. */
  CHECK(flagstone_int_variation(client, context, "beyond", 6, 5) == 5);
  CHECK(flagstone_int_variation(client, context, "bool", 4, 5) == 5);
  CHECK(flagstone_detail_int(NULL, 5) == 5);
  detail.struct_size = 8;
  CHECK(flagstone_detail_int(&detail, 5) == 5);
  flagstone_context_release(context);
  flagstone_client_release(client);
}

/* The same rule holds for the default of a prepared flag. */
static void defaults(setting setting, const char *options, int truncates) {
  flagstone_client *client = started_client(setting, options);
  flagstone_context *context = user("ada");
  size_t index;
  for (index = 0; index < NUMBERS_OF; index++) {
    const number *one = &NUMBERS[index];
    flagstone_flag *flag = NULL;
    ACCEPTED(flagstone_flag_new(client, "missing", 7, FLAGSTONE_TYPE_NUMBER, one->written, strlen(one->written), &flag, &error));
    CHECK(flagstone_flag_int(flag, context) == (truncates ? one->truncated : one->half_even));
    flagstone_flag_release(flag);
  }
  flagstone_context_release(context);
  flagstone_client_release(client);
}

/* Whether a call gave the text of the flag (1) or the default (0), and which; gives it back. */
static int gave(flagstone_bytes *bytes, int got, int expected, const char *text, size_t len) {
  int held = got == expected && bytes->len == len && (len == 0 || memcmp(bytes->ptr, text, len) == 0);
  flagstone_bytes_clear(bytes);
  return held && bytes->ptr == NULL && bytes->len == 0 && bytes->owner == NULL;
}

#define BY_KEY(key) flagstone_string_variation(client, context, key, strlen(key), mine, sizeof mine - 1, &bytes)

static void strings_by_key(const flagstone_client *client, const flagstone_context *context) {
  static const char mine[] = "my default";
  flagstone_bytes bytes = {NULL, 0, NULL};
  CHECK(gave(&bytes, BY_KEY("plain"), 1, "gr\xc3\xbcn", 5));
  CHECK(gave(&bytes, BY_KEY("escaped"), 1, "a\0\n\"z", 5));
  CHECK(gave(&bytes, BY_KEY("empty"), 1, "", 0));
  CHECK(gave(&bytes, BY_KEY("missing"), 0, mine, sizeof mine - 1));
  CHECK(gave(&bytes, BY_KEY("bool"), 0, mine, sizeof mine - 1)); /* wrong type */
  CHECK(BY_KEY("missing") == 0 && bytes.ptr == mine && bytes.owner == NULL); /* nothing was copied */
  CHECK(flagstone_string_variation(client, context, "missing", 7, NULL, 0, &bytes) == 0 && bytes.ptr == NULL && bytes.len == 0);
  CHECK(flagstone_string_variation(client, context, "plain", 5, mine, 10, NULL) == 0);
  CHECK(flagstone_string_variation(NULL, context, "plain", 5, mine, 10, &bytes) == 0 && bytes.ptr == mine);
  CHECK(flagstone_string_variation(client, NULL, "plain", 5, mine, 10, &bytes) == 0 && bytes.ptr == mine);
  CHECK(flagstone_string_variation(client, context, NULL, 5, mine, 10, &bytes) == 0 && bytes.ptr == mine);
  CHECK(flagstone_string_variation(client, context, "\x80", 1, mine, 10, &bytes) == 0 && bytes.ptr == mine);
}

static flagstone_flag *prepare(flagstone_client *client, const char *key, int32_t type, const char *json) {
  flagstone_flag *flag = NULL;
  ACCEPTED(flagstone_flag_new(client, key, strlen(key), type, json, strlen(json), &flag, &error));
  return flag;
}

static void prepared_strings(flagstone_client *client, const flagstone_context *context) {
  flagstone_flag *plain = prepare(client, "plain", FLAGSTONE_TYPE_STRING, "\"\"");
  flagstone_flag *missing = prepare(client, "missing", FLAGSTONE_TYPE_STRING, "\"\\u00e9\\n\"");
  flagstone_flag *boolean = prepare(client, "bool", FLAGSTONE_TYPE_BOOL, "true");
  flagstone_bytes bytes = {NULL, 0, NULL};
  CHECK(gave(&bytes, flagstone_flag_string(plain, context, &bytes), 1, "gr\xc3\xbcn", 5));
  CHECK(gave(&bytes, flagstone_flag_string(plain, NULL, &bytes), 0, "", 0));
  CHECK(gave(&bytes, flagstone_flag_string(boolean, context, &bytes), 0, "", 0));
  CHECK(gave(&bytes, flagstone_flag_string(NULL, context, &bytes), 0, "", 0));
  CHECK(flagstone_flag_string(plain, context, NULL) == 0);
  CHECK(flagstone_flag_string(missing, context, &bytes) == 0);
  flagstone_flag_release(missing);
  CHECK(bytes.len == 3 && memcmp(bytes.ptr, "\xc3\xa9\n", 3) == 0); /* the text keeps its flag alive */
  flagstone_bytes_clear(&bytes);
  flagstone_bytes_clear(&bytes); /* twice */
  flagstone_flag_release(plain);
  flagstone_flag_release(boolean);
}

static void strings(setting setting, const char *options) {
  flagstone_client *client = started_client(setting, options);
  flagstone_context *context = user("ada");
  flagstone_bytes bytes = {NULL, 0, NULL};
  strings_by_key(client, context);
  prepared_strings(client, context);
  CHECK(flagstone_string_variation(client, context, "plain", 5, NULL, 0, &bytes) == 1);
  flagstone_client_close(client, SOON);
  flagstone_client_release(client);
  flagstone_context_release(context);
  CHECK(bytes.len == 5 && memcmp(bytes.ptr, "gr\xc3\xbcn", 5) == 0); /* it outlives the client */
  flagstone_bytes_clear(&bytes);
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  fill(setting);
  integers(setting, NULL, 0);
  integers(setting, "{\"evaluation.integer_rounding\":\"half_even\",\"cache.residency\":\"lazy\"}", 0);
  integers(setting, "{\"evaluation.integer_rounding\":\"truncate\"}", 1);
  defaults(setting, NULL, 0);
  defaults(setting, "{\"evaluation\":{\"integer_rounding\":\"truncate\"}}", 1);
  strings(setting, NULL);
  strings(setting, "{\"cache.residency\":\"lazy\"}");
  strings(setting, "{\"cache.residency\":\"off\"}");
  return report();
}
