/*
 * Contexts, their attributes and builders.
 */
#include "parts.h"

#include <string.h>

void contexts(const handles *live) {
  flagstone_context *context = UNTOUCHED(flagstone_context), *other = AS(flagstone_context, live->client);
  const flagstone_context *parts[2];
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str nothing = {NULL, 3}, bad;
  bad.ptr = BAD;
  bad.len = strlen(BAD);
  REFUSED(IS_NULL, "kind", flagstone_context_from_key(nothing, str("k"), &context, &error));
  REFUSED(IS_NULL, "key", flagstone_context_from_key(str("user"), nothing, &context, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_from_key(bad, str("k"), &context, &error));
  REFUSED(BAD_UTF8, "key", flagstone_context_from_key(str("user"), bad, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_from_key(str("user"), str("k"), NULL, &error));
  REFUSED(IS_NULL, "json", flagstone_context_from_json(NULL, 2, &context, &error));
  REFUSED(BAD_UTF8, "json", flagstone_context_from_json(BAD, 1, &context, &error));
  REFUSED(BAD_JSON, "JSON", flagstone_context_from_json(NULL, 0, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_from_json("{\"key\":\"k\"}", 11, NULL, &error));
  parts[0] = live->context;
  parts[1] = NULL;
  REFUSED(IS_NULL, "contexts", flagstone_context_merge(parts, 2, &context, &error));
  parts[1] = other;
  REFUSED(INVALID, "contexts", flagstone_context_merge(parts, 2, &context, &error));
  REFUSED(IS_NULL, "contexts", flagstone_context_merge(NULL, 2, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_merge(parts, 1, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_to_json(NULL, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_to_json(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_to_json(live->context, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_canonical_key(NULL, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_canonical_key(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_canonical_key(live->context, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_kinds(NULL, &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_kinds(other, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_kinds(live->context, NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_get(NULL, str(""), str("key"), &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_get(other, str(""), str("key"), &bytes, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_get(live->context, bad, str("key"), &bytes, &error));
  REFUSED(BAD_UTF8, "reference", flagstone_context_get(live->context, str(""), bad, &bytes, &error));
  REFUSED(IS_NULL, "reference", flagstone_context_get(live->context, str(""), nothing, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_get(live->context, str(""), str("key"), NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_private_attributes(NULL, str(""), &bytes, &error));
  REFUSED(INVALID, "context", flagstone_context_private_attributes(other, str(""), &bytes, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_private_attributes(live->context, bad, &bytes, &error));
  REFUSED(IS_NULL, "out", flagstone_context_private_attributes(live->context, str(""), NULL, &error));
  REFUSED(IS_NULL, "context", flagstone_context_individual(NULL, str(""), &context, &error));
  REFUSED(INVALID, "context", flagstone_context_individual(other, str(""), &context, &error));
  REFUSED(BAD_UTF8, "kind", flagstone_context_individual(live->context, bad, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_individual(live->context, str(""), NULL, &error));
  CHECK(context == UNTOUCHED(flagstone_context) && bytes.ptr == NULL && bytes.owner == NULL);
  CHECK(flagstone_context_retain(NULL) == NULL);
  CHECK(flagstone_context_retain(other) == NULL);
  flagstone_context_release(other);
  {
    /* Longer than any context may be, which is seen without reading it. */
    flagstone_str huge = {"x", FLAGSTONE_CONTEXT_MAX_BYTES + (size_t)1};
    flagstone_attr attr;
    flagstone_context_builder *builder;
    memset(&attr, 0, sizeof attr);
    attr.name = str("x");
    attr.type = FLAGSTONE_TYPE_STRING;
    attr.text = huge;
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_key(str("user"), huge, &context, &error));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_key(huge, str("k"), &context, &error));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_json(huge.ptr, huge.len, &context, &error));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error));
    attr.type = FLAGSTONE_TYPE_JSON;
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error));
    attr.name = huge;
    REFUSED(INVALID, "268435456 bytes", flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error));
    CHECK(flagstone_context_builder_new(str("user"), huge) == NULL);
    builder = flagstone_context_builder_new(str("user"), str("k"));
    REFUSED(INVALID, "268435456 bytes", flagstone_context_builder_set_private(builder, huge, &error));
    flagstone_context_builder_free(builder);
    CHECK(context == UNTOUCHED(flagstone_context));
  }
}

void attributes(const handles *live) {
  flagstone_context *context = UNTOUCHED(flagstone_context);
  flagstone_context_builder *other = AS(flagstone_context_builder, live->flag);
  flagstone_attr attr;
  flagstone_str nothing = {NULL, 3}, bad;
  bad.ptr = BAD;
  bad.len = strlen(BAD);
  memset(&attr, 0, sizeof attr);
  attr.type = FLAGSTONE_TYPE_STRING;
  attr.name = nothing;
#define FROM_ATTRS flagstone_context_from_attrs(str(""), str("k"), &attr, 1, &context, &error)
#define BUILDER_SET flagstone_context_builder_set(live->builder, &attr, &error)
  REFUSED(IS_NULL, "name", FROM_ATTRS);
  REFUSED(IS_NULL, "name", BUILDER_SET);
  attr.name = bad;
  REFUSED(BAD_UTF8, "name", FROM_ATTRS);
  REFUSED(BAD_UTF8, "name", BUILDER_SET);
  attr.name = str("x");
  attr.text = nothing;
  REFUSED(IS_NULL, "text", FROM_ATTRS);
  REFUSED(IS_NULL, "text", BUILDER_SET);
  attr.text = bad;
  REFUSED(BAD_UTF8, "text", FROM_ATTRS);
  REFUSED(BAD_UTF8, "text", BUILDER_SET);
  attr.type = FLAGSTONE_TYPE_JSON;
  REFUSED(BAD_UTF8, "text", FROM_ATTRS);
  attr.text = str("");
  REFUSED(BAD_JSON, "\"x\"", FROM_ATTRS);
  attr.text = str("1");
  attr.flags = 2;
  REFUSED(INVALID, "flags", FROM_ATTRS);
  REFUSED(INVALID, "flags", BUILDER_SET);
  attr.flags = 0;
  attr.type = -1;
  REFUSED(INVALID, "type -1", FROM_ATTRS);
  REFUSED(INVALID, "type -1", BUILDER_SET);
  REFUSED(IS_NULL, "attrs", flagstone_context_from_attrs(str(""), str("k"), NULL, 1, &context, &error));
  REFUSED(BAD_UTF8, "key", flagstone_context_from_attrs(str(""), bad, NULL, 0, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_from_attrs(str(""), str("k"), NULL, 0, NULL, &error));

  CHECK(flagstone_context_builder_new(bad, str("k")) == NULL);
  CHECK(flagstone_context_builder_new(str("user"), bad) == NULL);
  CHECK(flagstone_context_builder_new(nothing, str("k")) == NULL);
  REFUSED(IS_NULL, "attr", flagstone_context_builder_set(live->builder, NULL, &error));
  REFUSED(IS_NULL, "builder", flagstone_context_builder_set(NULL, &attr, &error));
  REFUSED(INVALID, "builder", flagstone_context_builder_set(other, &attr, &error));
  REFUSED(IS_NULL, "builder", flagstone_context_builder_set_private(NULL, str("x"), &error));
  REFUSED(INVALID, "builder", flagstone_context_builder_set_private(other, str("x"), &error));
  REFUSED(BAD_UTF8, "reference", flagstone_context_builder_set_private(live->builder, bad, &error));
  REFUSED(IS_NULL, "reference", flagstone_context_builder_set_private(live->builder, nothing, &error));
  REFUSED(IS_NULL, "builder", flagstone_context_builder_build(NULL, &context, &error));
  REFUSED(INVALID, "builder", flagstone_context_builder_build(other, &context, &error));
  REFUSED(IS_NULL, "out", flagstone_context_builder_build(live->builder, NULL, &error));
  CHECK(context == UNTOUCHED(flagstone_context));
  flagstone_context_builder_free(other);
  /* After all that was refused the builder is as it was. */
  ACCEPTED(flagstone_context_builder_build(live->builder, &context, &error));
  {
    flagstone_bytes bytes = {NULL, 0, NULL};
    ACCEPTED(flagstone_context_to_json(context, &bytes, &error));
    CHECK(equals(text_of(bytes), "{\"kind\":\"user\",\"key\":\"ada\"}"));
    flagstone_bytes_clear(&bytes);
  }
  flagstone_context_release(context);
}
