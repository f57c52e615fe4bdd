/*
 * Contexts from JSON, keys, attributes and builders, and what can be asked of them.
 */
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Checks the JSON form and the canonical key of a context, and releases it. */
static void check_context(flagstone_context *context, const char *json, const char *canonical_key) {
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str text;
  ACCEPTED(flagstone_context_to_json(context, &bytes, &error));
  text = text_of(bytes);
  if (!CHECK(equals(text, json))) fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
  flagstone_bytes_clear(&bytes);
  ACCEPTED(flagstone_context_canonical_key(context, &bytes, &error));
  text = text_of(bytes);
  if (!CHECK(equals(text, canonical_key))) fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
  flagstone_bytes_clear(&bytes);
  flagstone_context_release(context);
}

#define FROM_JSON(json) flagstone_context_from_json(json, strlen(json), &context, &error)
#define FROM_KEY(kind, key) flagstone_context_from_key(str(kind), str(key), &context, &error)

void contexts(void) {
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

void attributes(void) {
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

void parts_of_contexts(void) {
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

void builders(void) {
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
