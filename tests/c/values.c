/*
 * What a flag writes is what a host gets, in every call: integers exact over 64 bits and rounded by one rule, numbers in JSON
 * digit for digit, texts without a copy for as long as they are kept. And what a host gives is what its events tell.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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
  put_flag(connection, setting.prefix, "tracked",
           "{\"key\":\"tracked\",\"version\":3,\"on\":true,\"trackEvents\":true,\"variations\":[\"a\",\"b\"],"
           "\"fallthrough\":{\"variation\":1}}");
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

/* A server that takes one payload of events at a time. */
typedef struct sink {
  int listener, connection;
  char options[256]; /* of a client that sends them there, when it is told to */
} sink;

static struct timeval soon(void) {
  struct timeval time;
  time.tv_sec = SOON / 1000;
  time.tv_usec = 0;
  return time;
}

static void listen_anywhere(sink *sink) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  struct timeval limit = soon();
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sink->connection = -1;
  sink->listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(sink->listener, (struct sockaddr *)&address, size) == 0 && listen(sink->listener, 8) == 0);
  CHECK(getsockname(sink->listener, (struct sockaddr *)&address, &size) == 0);
  CHECK(setsockopt(sink->listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  snprintf(sink->options, sizeof sink->options,
           "{\"sdk.key\":\"sdk\",\"endpoints.events\":\"http://127.0.0.1:%d\",\"events\":{\"gzip\":false,\"diagnostics\":false,"
           "\"flush_interval_ms\":3600000}}",
           (int)ntohs(address.sin_port));
}

/* Reads up to the end of the headers, or as many bytes as are still missing of the body. */
static size_t read_part(sink *sink, char *text, size_t size, size_t have, size_t wanted) {
  while (wanted == 0 ? strstr(text, "\r\n\r\n") == NULL : have < wanted) {
    ssize_t got = recv(sink->connection, text + have, size - 1 - have, 0);
    if (!CHECK(got > 0)) break;
    have += (size_t)got;
    text[have] = 0;
  }
  return have;
}

/* The next request with events, its headers and its body, which is answered; then all of the flush is delivered. */
static void flushed(sink *sink, flagstone_client *client, char *text, size_t size) {
  static const char answer[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
  struct timeval limit = soon();
  const char *body, *length;
  size_t have;
  text[0] = 0;
  CHECK(flagstone_client_flush(client, 1, NULL) == FLAGSTONE_STATUS_TIMEOUT); /* begun */
  if (sink->connection < 0) sink->connection = accept(sink->listener, NULL, NULL);
  CHECK(sink->connection >= 0 && setsockopt(sink->connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  have = read_part(sink, text, size, 0, 0);
  body = strstr(text, "\r\n\r\n");
  length = strstr(text, "ontent-length:");
  if (length == NULL) length = strstr(text, "ontent-Length:");
  if (!CHECK(body != NULL && length != NULL)) return;
  read_part(sink, text, size, have, (size_t)(body + 4 - text) + strtoul(length + 14, NULL, 10));
  CHECK(send(sink->connection, answer, sizeof answer - 1, 0) == (ssize_t)sizeof answer - 1);
  ACCEPTED(flagstone_client_flush(client, SOON, &error));
}

static void close_sink(const sink *sink) {
  close(sink->connection);
  close(sink->listener);
}

static flagstone_default given(int32_t type, int64_t integer, double number, const char *text) {
  flagstone_default value;
  memset(&value, 0, sizeof value);
  value.value_type = type;
  value.integer = integer;
  value.number = number;
  value.text = str(text);
  return value;
}

static flagstone_default given_integer(int64_t integer) {
  flagstone_default value = given(FLAGSTONE_TYPE_NUMBER, integer, 0.5, "not looked at");
  value.is_integer = 1;
  return value;
}

/* A default of every type, in the calls for one flag and for many, and what events make of it. */
static void defaults_are_told_as_they_are(setting setting) {
  static const char *const told[] = {"null", "true", "false", "9007199254740993", "-2.5", "\"gr\xc3\xbcn \\\"1\\\"\"", "\"\"",
                                     "{\"a\":[1,2]}", "null", "null", "null", "null"};
  enum { COUNT = sizeof told / sizeof told[0] };
  flagstone_default defaults[COUNT];
  flagstone_detail details[COUNT];
  flagstone_str keys[COUNT];
  char names[COUNT][24], text[16384], member[64];
  sink sink;
  flagstone_client *client;
  flagstone_context *context = user("ada");
  int index;
  listen_anywhere(&sink);
  client = started_client(setting, sink.options);
  memset(&defaults[0], 0, sizeof defaults[0]); /* zeroed memory is null */
  defaults[1] = given(FLAGSTONE_TYPE_BOOL, 7, 0, "");
  defaults[2] = given(FLAGSTONE_TYPE_BOOL, 0, 1, "true");
  defaults[3] = given_integer(INT64_C(9007199254740993));
  defaults[4] = given(FLAGSTONE_TYPE_NUMBER, 3, -2.5, "");
  defaults[5] = given(FLAGSTONE_TYPE_STRING, 0, 0, "gr\xc3\xbcn \"1\"");
  defaults[6] = given(FLAGSTONE_TYPE_STRING, 0, 0, "");
  defaults[7] = given(FLAGSTONE_TYPE_JSON, 0, 0, "{\"a\":[1,2]}");
  defaults[8] = given(FLAGSTONE_TYPE_JSON, 0, 0, "{"); /* what is not JSON, or no type, is told as null */
  defaults[9] = given(FLAGSTONE_TYPE_NUMBER, 3, HUGE_VAL, "");
  defaults[10] = given(17, 1, 1, "x");
  defaults[11] = given(FLAGSTONE_TYPE_STRING, 0, 0, "");
  defaults[11].text.ptr = NULL;
  defaults[11].text.len = 3;
  for (index = 0; index < COUNT; index++) {
    flagstone_detail detail = empty_detail();
    snprintf(names[index], sizeof names[index], "one-%02d", index);
    CHECK(flagstone_variation_or(client, context, names[index], 6, FLAGSTONE_TYPE_NONE, &defaults[index], 0, &detail) ==
          FLAGSTONE_STATUS_OK);
    CHECK(detail.error_kind == FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND && (detail.flags & FLAGSTONE_DETAIL_DEFAULTED));
    flagstone_detail_clear(&detail);
    snprintf(names[index], sizeof names[index], "all-%02d", index);
    keys[index] = str(names[index]);
    details[index] = empty_detail();
  }
  CHECK(flagstone_variation_many_or(client, context, keys, defaults, COUNT, FLAGSTONE_ASK_REASON, details) == FLAGSTONE_STATUS_OK);
  for (index = 0; index < COUNT; index++) flagstone_detail_clear(&details[index]);
  flushed(&sink, client, text, sizeof text);
  for (index = 0; index < COUNT; index++) {
    snprintf(member, sizeof member, "\"one-%02d\":{\"default\":%s,", index, told[index]);
    if (!CHECK(strstr(text, member) != NULL)) fprintf(stderr, "%s is not in %s\n", member, text);
    snprintf(member, sizeof member, "\"all-%02d\":{\"default\":%s,", index, told[index]);
    if (!CHECK(strstr(text, member) != NULL)) fprintf(stderr, "%s is not in %s\n", member, text);
  }
  CHECK(strstr(text, "\"kind\":\"index\"") != NULL && strstr(text, "\"kind\":\"feature\"") == NULL);
  flagstone_client_close(client, SOON);
  flagstone_client_release(client);
  flagstone_context_release(context);
  close_sink(&sink);
}

static int count(const char *text, const char *part) {
  int found = 0;
  while ((text = strstr(text, part)) != NULL) {
    found++;
    text += strlen(part);
  }
  return found;
}

/* A reason is told where the host hands it on, and nowhere else. */
static void reasons_are_told_where_they_are_handed_on(setting setting) {
  char text[16384];
  sink sink;
  flagstone_client *client;
  flagstone_context *context = user("ada");
  flagstone_default mine = given(FLAGSTONE_TYPE_STRING, 0, 0, "mine");
  flagstone_detail detail = empty_detail();
  flagstone_str key = str("tracked");
  flagstone_flag *flag;
  uint32_t options;
  listen_anywhere(&sink);
  client = started_client(setting, sink.options);
  flag = prepare(client, "tracked", FLAGSTONE_TYPE_STRING, "\"prepared\"");
  for (options = 0; options <= FLAGSTONE_ASK_REASON; options++) {
    CHECK(flagstone_variation_or(client, context, "tracked", 7, FLAGSTONE_TYPE_STRING, &mine, options | 0x80000000u, &detail) ==
          FLAGSTONE_STATUS_OK);
    CHECK(detail.reason == FLAGSTONE_REASON_FALLTHROUGH && equals(detail.text, "b")); /* the caller is told in any case */
    flagstone_detail_clear(&detail);
    CHECK(flagstone_variation_many_or(client, context, &key, NULL, 1, options, &detail) == FLAGSTONE_STATUS_OK);
    CHECK(detail.reason == FLAGSTONE_REASON_FALLTHROUGH && equals(detail.text, "b"));
    flagstone_detail_clear(&detail);
    CHECK((options == 0 ? flagstone_flag_value : flagstone_flag_detail)(flag, context, &detail) == FLAGSTONE_STATUS_OK);
    CHECK(detail.reason == FLAGSTONE_REASON_FALLTHROUGH && equals(detail.text, "b"));
    flagstone_detail_clear(&detail);
    flushed(&sink, client, text, sizeof text);
    CHECK(count(text, "\"kind\":\"feature\"") == 3 && count(text, "\"variation\":1,") >= 3);
    CHECK(count(text, "\"reason\":{\"kind\":\"FALLTHROUGH\"}") == (options == 0 ? 0 : 3));
    if (!CHECK(count(text, "\"default\":\"mine\"") >= 1 && count(text, "\"default\":\"prepared\"") == 1)) fprintf(stderr, "%s\n", text);
  }
  flagstone_flag_release(flag);
  flagstone_client_close(client, SOON);
  flagstone_client_release(client);
  flagstone_context_release(context);
  close_sink(&sink);
}

static void what_a_host_tells_is_sent(setting setting) {
  static const double metric = -2.5;
  char text[16384];
  sink sink;
  flagstone_client *client;
  flagstone_context *context = user("ada");
  listen_anywhere(&sink);
  client = started_client(setting, sink.options);
  ACCEPTED(flagstone_identify(client, context, &error));
  ACCEPTED(flagstone_track(client, context, "plain", 5, NULL, NULL, 0, &error));
  ACCEPTED(flagstone_track(client, context, "gr\xc3\xbcn", 5, &metric, "{\"a\":[1, 2]}", 12, &error));
  ACCEPTED(flagstone_track(client, context, NULL, 0, NULL, "null", 4, &error));
  flushed(&sink, client, text, sizeof text);
  CHECK(strstr(text, "POST /bulk HTTP/1.1\r\n") == text);
  CHECK(count(text, "\"kind\":\"identify\"") == 1 && count(text, "\"kind\":\"custom\"") == 3);
  CHECK(count(text, "\"kind\":\"index\"") == 0 && count(text, "\"kind\":\"summary\"") == 0);
  CHECK(count(text, "\"key\":\"plain\"") == 1 && count(text, "\"key\":\"gr\xc3\xbcn\"") == 1 && count(text, "\"key\":\"\"") == 1);
  if (!CHECK(count(text, "\"metricValue\":-2.5") == 1 && count(text, "\"data\":") == 1)) fprintf(stderr, "%s\n", text);
  flagstone_client_close(client, SOON);
  flagstone_client_release(client);
  flagstone_context_release(context);
  close_sink(&sink);
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
  defaults_are_told_as_they_are(setting);
  reasons_are_told_where_they_are_handed_on(setting);
  what_a_host_tells_is_sent(setting);
  return report();
}
