/*
 * Values and details by key and by prepared flag, with defaults and without, one and many.
 */
#include "parts.h"

#include <math.h>
#include <string.h>

void scalars_give_their_default(const handles *live) {
  const flagstone_client *client = live->client, *no_client = AS(flagstone_client, live->flag);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  const flagstone_flag *no_flag = AS(flagstone_flag, live->context);
#define EACH_SCALAR(client, context, key, len)                                 \
  CHECK(flagstone_bool_variation(client, context, key, len, 1) == 1);          \
  CHECK(flagstone_bool_variation(client, context, key, len, 0) == 0);          \
  CHECK(flagstone_int_variation(client, context, key, len, -77) == -77);       \
  CHECK(flagstone_double_variation(client, context, key, len, -7.5) == -7.5)
  EACH_SCALAR(NULL, context, "good", 4);
  EACH_SCALAR(no_client, context, "good", 4);
  EACH_SCALAR(client, NULL, "good", 4);
  EACH_SCALAR(client, no_context, "good", 4);
  EACH_SCALAR(client, context, NULL, 4);
  EACH_SCALAR(client, context, NULL, 0);
  EACH_SCALAR(client, context, "good", (size_t)-1);
  EACH_SCALAR(client, context, BAD, 1);
  EACH_SCALAR(client, context, "good\0", 5);
  CHECK(flagstone_flag_bool(NULL, context) == 0 && flagstone_flag_bool(no_flag, context) == 0);
  CHECK(flagstone_flag_bool_try(NULL, context) == 0 && flagstone_flag_bool_try(no_flag, context) == 0);
  CHECK(flagstone_flag_int(NULL, context) == 0 && flagstone_flag_int(no_flag, context) == 0);
  CHECK(flagstone_flag_double(NULL, context) == 0 && flagstone_flag_double(no_flag, context) == 0);
  CHECK(flagstone_flag_bool(live->flag, NULL) == 0 && flagstone_flag_bool(live->flag, no_context) == 0);
  CHECK(flagstone_flag_bool_try(live->flag, NULL) == 0 && flagstone_flag_bool_try(live->flag, no_context) == 0);
  CHECK(flagstone_flag_int(live->flag, NULL) == 0 && flagstone_flag_double(live->flag, NULL) == 0);
  flagstone_flag_release(AS(flagstone_flag, live->client));
}

/* Checks that a detail was filled with an error of this kind, whatever was in it, and clears it. */
static void check_error(flagstone_detail *detail, int32_t kind, const char *what, int line) {
  check(detail->reason == FLAGSTONE_REASON_ERROR && detail->error_kind == kind && detail->flags == FLAGSTONE_DETAIL_DEFAULTED &&
            detail->value_type == FLAGSTONE_TYPE_NONE && detail->variation_index == -1 && detail->rule_index == -1 &&
            detail->number_value == 0 && detail->text.len == 0 && detail->rule_id.len == 0 &&
            detail->prerequisite_key.len == 0 && detail->owner == NULL,
        what, __FILE__, line);
  flagstone_detail_clear(detail);
}

#define REFUSED_WITH(expected, kind, call)                                     \
  do {                                                                         \
    flagstone_detail detail;                                                   \
    memset(&detail, 0x5a, sizeof detail);                                      \
    detail.struct_size = sizeof detail;                                        \
    CHECK((call) == (expected));                                               \
    check_error(&detail, FLAGSTONE_ERROR_KIND_##kind, #call, __LINE__);        \
  } while (0)

/* What is wrong with a client, a context, a key or a type, whichever call is made. */
#define EACH_OF_CLIENT(call)                                                                      \
  REFUSED_WITH(IS_NULL, EXCEPTION, call(NULL, context, "good", 4, FLAGSTONE_TYPE_BOOL));          \
  REFUSED_WITH(INVALID, EXCEPTION, call(no_client, context, "good", 4, FLAGSTONE_TYPE_BOOL));     \
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, call(client, NULL, "good", 4, FLAGSTONE_TYPE_BOOL));  \
  REFUSED_WITH(INVALID, EXCEPTION, call(client, no_context, "good", 4, FLAGSTONE_TYPE_BOOL));     \
  REFUSED_WITH(IS_NULL, EXCEPTION, call(client, context, NULL, 4, FLAGSTONE_TYPE_BOOL));          \
  REFUSED_WITH(BAD_UTF8, EXCEPTION, call(client, context, BAD, 1, FLAGSTONE_TYPE_BOOL));          \
  REFUSED_WITH(INVALID, EXCEPTION, call(client, context, "good", 4, 5))

void details_say_what_is_wrong(const handles *live) {
  const flagstone_client *client = live->client, *no_client = AS(flagstone_client, live->flag);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  const flagstone_flag *no_flag = AS(flagstone_flag, live->context);
#define VARIATION(client, context, key, len, type) flagstone_variation(client, context, key, len, type, NULL, 0, &detail)
  EACH_OF_CLIENT(VARIATION);
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, VARIATION(NULL, NULL, "good", 4, FLAGSTONE_TYPE_BOOL));
  REFUSED_WITH(INVALID, EXCEPTION, VARIATION(client, context, "good", 4, -1));
#define EACH_OF_FLAG(call)                                                              \
  REFUSED_WITH(IS_NULL, EXCEPTION, call(NULL, context, &detail));                       \
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, call(NULL, NULL, &detail));                 \
  REFUSED_WITH(INVALID, EXCEPTION, call(no_flag, context, &detail));                    \
  REFUSED_WITH(IS_NULL, USER_NOT_SPECIFIED, call(live->flag, NULL, &detail));           \
  REFUSED_WITH(INVALID, EXCEPTION, call(live->flag, no_context, &detail));              \
  CHECK(call(live->flag, context, NULL) == IS_NULL)
  EACH_OF_FLAG(flagstone_flag_detail);
  EACH_OF_FLAG(flagstone_flag_value);
  CHECK(flagstone_variation(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, NULL) == IS_NULL);
}

/* The same of the calls that take a default as it is; a default that is none spoils nothing. */
void defaults_that_are_none(const handles *live) {
  const flagstone_client *client = live->client, *no_client = AS(flagstone_client, live->flag);
  const flagstone_context *context = live->context, *no_context = AS(flagstone_context, live->config);
  flagstone_default odd[6];
  size_t index;
  uint32_t options;
#define VARIATION_OR(client, context, key, len, type) flagstone_variation_or(client, context, key, len, type, &odd[0], 1, &detail)
  memset(odd, 0, sizeof odd);
  odd[0].value_type = odd[1].value_type = odd[2].value_type = FLAGSTONE_TYPE_STRING;
  odd[0].text.len = 4; /* no text at all */
  odd[1].text = str(BAD);
  odd[2].text.ptr = "x";
  odd[2].text.len = (size_t)-1;
  odd[3].value_type = FLAGSTONE_TYPE_JSON;
  odd[3].text = str("{\"a\":");
  odd[4].value_type = FLAGSTONE_TYPE_NUMBER;
  odd[4].number = NAN;
  odd[5].value_type = -1;
  EACH_OF_CLIENT(VARIATION_OR);
  CHECK(flagstone_variation_or(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, &odd[0], 1, NULL) == IS_NULL);
  for (index = 0; index < sizeof odd / sizeof odd[0]; index++) {
    for (options = 0; options < 4; options++) {
      flagstone_detail details[2];
      flagstone_str keys[2];
      flagstone_default defaults[2];
      keys[0] = keys[1] = str("good");
      details[0] = details[1] = empty_detail();
      defaults[0] = defaults[1] = odd[index];
      CHECK(flagstone_variation_or(client, context, "good", 4, FLAGSTONE_TYPE_BOOL, &odd[index], options, &details[0]) == FLAGSTONE_STATUS_OK);
      CHECK(details[0].number_value == 1);
      flagstone_detail_clear(&details[0]);
      CHECK(flagstone_variation_many_or(client, context, keys, defaults, 2, options, details) == FLAGSTONE_STATUS_OK);
      CHECK(details[0].number_value == 1 && details[1].number_value == 1);
      flagstone_detail_clear(&details[0]);
      flagstone_detail_clear(&details[1]);
    }
  }
}

void details_that_are_too_small_are_not_written(const handles *live) {
  static const uint32_t sizes[] = {0, 1, 8, sizeof(flagstone_detail) - 1};
  size_t index;
  for (index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
    flagstone_detail detail, before;
    flagstone_str key = str("good");
    memset(&detail, 0x5a, sizeof detail);
    detail.struct_size = sizes[index];
    before = detail;
    CHECK(flagstone_variation(live->client, live->context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
    CHECK(flagstone_variation(live->client, NULL, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
    CHECK(flagstone_flag_detail(live->flag, live->context, &detail) == INVALID);
    CHECK(flagstone_flag_value(live->flag, live->context, &detail) == INVALID);
    CHECK(flagstone_variation_or(live->client, live->context, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) == INVALID);
    CHECK(flagstone_variation_many(live->client, live->context, &key, 1, &detail) == INVALID);
    CHECK(flagstone_variation_many_or(live->client, live->context, &key, NULL, 1, 0, &detail) == INVALID);
    CHECK(memcmp(&detail, &before, sizeof detail) == 0);
  }
}

void many(const handles *live) {
  flagstone_str keys[3];
  flagstone_detail details[3];
  size_t index;
  for (index = 0; index < 3; index++) {
    keys[index] = str("good");
    details[index] = empty_detail();
  }
  keys[1].ptr = BAD;
  keys[1].len = 1;
  keys[2].ptr = NULL;
  /* Every detail is written; the status is that of the first key that was refused. */
  CHECK(flagstone_variation_many(live->client, live->context, keys, 3, details) == BAD_UTF8);
  CHECK(details[0].value_type == FLAGSTONE_TYPE_BOOL && details[0].number_value == 1);
  check_error(&details[1], FLAGSTONE_ERROR_KIND_EXCEPTION, "a key that is not UTF-8", __LINE__);
  check_error(&details[2], FLAGSTONE_ERROR_KIND_EXCEPTION, "a key that is NULL", __LINE__);
  CHECK(flagstone_variation_many(live->client, NULL, keys, 1, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED, "no context", __LINE__);
  CHECK(flagstone_variation_many(NULL, live->context, keys, 1, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_EXCEPTION, "no client", __LINE__);
  CHECK(flagstone_variation_many(live->client, live->context, NULL, 2, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_EXCEPTION, "no keys", __LINE__);
  check_error(&details[1], FLAGSTONE_ERROR_KIND_EXCEPTION, "no keys", __LINE__);
  CHECK(flagstone_variation_many(live->client, live->context, keys, 1, NULL) == IS_NULL);
  CHECK(flagstone_variation_many_or(live->client, live->context, keys, NULL, 3, 1, details) == BAD_UTF8);
  CHECK(details[0].value_type == FLAGSTONE_TYPE_BOOL && details[0].number_value == 1);
  check_error(&details[1], FLAGSTONE_ERROR_KIND_EXCEPTION, "a key that is not UTF-8", __LINE__);
  CHECK(flagstone_variation_many_or(live->client, NULL, keys, NULL, 1, 0, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED, "no context", __LINE__);
  CHECK(flagstone_variation_many_or(NULL, live->context, keys, NULL, 1, 0, details) == IS_NULL);
  CHECK(flagstone_variation_many_or(live->client, live->context, NULL, NULL, 1, 0, details) == IS_NULL);
  check_error(&details[0], FLAGSTONE_ERROR_KIND_EXCEPTION, "no keys", __LINE__);
  CHECK(flagstone_variation_many_or(live->client, live->context, keys, NULL, 1, 0, NULL) == IS_NULL);

  /* Nothing is written when the sizes do not agree, or cannot be those of an array. */
  for (index = 0; index < 3; index++) memset(&details[index], 0x5a, sizeof details[index]);
  details[0].struct_size = details[1].struct_size = sizeof details[0];
  details[2].struct_size = sizeof details[0] + 8;
  CHECK(flagstone_variation_many(live->client, live->context, keys, 3, details) == INVALID);
  details[0].struct_size = sizeof details[0] + 1;
  CHECK(flagstone_variation_many(live->client, live->context, keys, 2, details) == INVALID);
  CHECK(details[0].variation_index == 0x5a5a5a5a && details[1].variation_index == 0x5a5a5a5a);
}

void prepared_flags(const handles *live) {
  flagstone_flag *flag = UNTOUCHED(flagstone_flag);
#define FLAG_NEW(client, key, len, type, json, json_len) flagstone_flag_new(client, key, len, type, json, json_len, &flag, &error)
  REFUSED(IS_NULL, "client", FLAG_NEW(NULL, "good", 4, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(INVALID, "client", FLAG_NEW(AS(flagstone_client, live->builder), "good", 4, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(IS_NULL, "key", FLAG_NEW(live->client, NULL, 4, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(BAD_UTF8, "key", FLAG_NEW(live->client, BAD, 1, FLAGSTONE_TYPE_BOOL, "", 0));
  REFUSED(INVALID, "type -1", FLAG_NEW(live->client, "good", 4, -1, "", 0));
  REFUSED(INVALID, "type 5", FLAG_NEW(live->client, "good", 4, 5, "", 0));
  REFUSED(IS_NULL, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, NULL, 4));
  REFUSED(BAD_UTF8, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, BAD, 1));
  REFUSED(BAD_JSON, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, "true!", 5));
  REFUSED(INVALID, "default_json", FLAG_NEW(live->client, "good", 4, FLAGSTONE_TYPE_NUMBER, "\"7\"", 3));
  REFUSED(IS_NULL, "out", flagstone_flag_new(live->client, "good", 4, FLAGSTONE_TYPE_BOOL, "", 0, NULL, &error));
  CHECK(flag == UNTOUCHED(flagstone_flag));
}
