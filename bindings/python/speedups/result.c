/* Results as Python objects: values, reasons, and both as an EvaluationDetail. */
#include "speedups.h"

#include <string.h>

/* A number as its text says: an int where that has neither fraction nor exponent. */
static PyObject *number(const flagstone_detail *detail)
{
  const char *text = detail->text.ptr;
  size_t size = detail->text.len, first = size && text[0] == '-';
  long long value = 0;
  if (size > first && size - first <= 18) {
    for (size_t index = first; index < size; index++) {
      if (text[index] < '0' || text[index] > '9') {
        return PyFloat_FromDouble(detail->number_value);
      }
      value = value * 10 + (text[index] - '0');
    }
    return PyLong_FromLongLong(first ? -value : value);
  }
  return PyObject_CallFunction(speedups.decode, "idy#", detail->value_type, detail->number_value, text ? text : "",
                               (Py_ssize_t)size);
}

static PyObject *value_of(const flagstone_detail *detail, PyObject *default_value, enum form form, struct json_cache *cache)
{
  if (detail->flags & FLAGSTONE_DETAIL_DEFAULTED) {
    return speedups_keep(default_value);
  }
  switch (detail->value_type) {
    case FLAGSTONE_TYPE_BOOL:
      return speedups_keep(detail->number_value != 0.0 ? Py_True : Py_False);
    case FLAGSTONE_TYPE_STRING:
      return PyUnicode_DecodeUTF8(detail->text.len ? detail->text.ptr : "", (Py_ssize_t)detail->text.len, NULL);
    case FLAGSTONE_TYPE_NUMBER:
      if (form == FORM_INT) {
        return PyLong_FromLongLong(speedups.native.detail_int(detail, 0));
      }
      return form == FORM_FLOAT ? PyFloat_FromDouble(detail->number_value) : number(detail);
    case FLAGSTONE_TYPE_JSON:
      return speedups_json(detail, cache);
    default:
      return speedups_keep(Py_None);
  }
}

PyObject *speedups_value(flagstone_detail *detail, PyObject *default_value, enum form form, struct json_cache *cache)
{
  PyObject *value = value_of(detail, default_value, form, cache);
  speedups.native.detail_clear(detail);
  return value;
}

PyObject *speedups_text(int32_t found, flagstone_bytes *bytes, PyObject *default_value)
{
  PyObject *text = found == 1 ? PyUnicode_DecodeUTF8(bytes->len ? bytes->ptr : "", (Py_ssize_t)bytes->len, NULL)
                              : speedups_keep(default_value);
  speedups.native.bytes_clear(bytes);
  return text;
}

/* Reasons are immutable and few, so they are kept: each in the one place that its content leads to. */
#define KEPT 256
#define LONGEST 64

struct kept {
  /* Reason, kind of error, index of the rule, big segments, in an experiment or not. */
  int32_t codes[5];
  size_t size;
  char text[LONGEST];
  PyObject *object;
};
static struct kept kept[KEPT];

void speedups_forget_reasons(void)
{
  for (int index = 0; index < KEPT; index++) {
    PyObject *object = kept[index].object;
    kept[index].object = NULL;
    Py_XDECREF(object);
  }
}

static PyObject *make_reason(const flagstone_detail *detail)
{
  PyObject *in_experiment = detail->flags & FLAGSTONE_DETAIL_IN_EXPERIMENT ? Py_True : Py_False;
  flagstone_str id = detail->rule_id, key = detail->prerequisite_key;
  return PyObject_CallFunction(speedups.reason, "iiiy#y#Oi", detail->reason, detail->error_kind, detail->rule_index,
                               id.len ? id.ptr : "", (Py_ssize_t)id.len, key.len ? key.ptr : "", (Py_ssize_t)key.len,
                               in_experiment, detail->big_segments_status);
}

static struct kept *place(const struct kept *wanted)
{
  uint32_t hash = 0;
  for (int index = 0; index < 5; index++) {
    hash = hash * 31 + (uint32_t)wanted->codes[index];
  }
  for (size_t index = 0; index < wanted->size; index++) {
    hash = hash * 16777619u ^ (unsigned char)wanted->text[index];
  }
  return &kept[(hash ^ hash >> 8 ^ hash >> 16) % KEPT];
}

static PyObject *reason(const flagstone_detail *detail)
{
  flagstone_str text = detail->rule_id.len ? detail->rule_id : detail->prerequisite_key;
  if (text.len > LONGEST || (detail->rule_id.len && detail->prerequisite_key.len)) {
    return make_reason(detail);
  }
  struct kept wanted;
  wanted.codes[0] = detail->reason;
  wanted.codes[1] = detail->error_kind;
  wanted.codes[2] = detail->rule_index;
  wanted.codes[3] = detail->big_segments_status;
  wanted.codes[4] = (detail->flags & FLAGSTONE_DETAIL_IN_EXPERIMENT) != 0;
  wanted.size = text.len;
  if (text.len) {
    memcpy(wanted.text, text.ptr, text.len);
  }
  struct kept *entry = place(&wanted);
  /* A reason tells by itself whether its text is a rule's or a prerequisite's. */
  if (entry->object && memcmp(entry->codes, wanted.codes, sizeof wanted.codes) == 0 && entry->size == wanted.size &&
      memcmp(entry->text, wanted.text, wanted.size) == 0) {
    return speedups_keep(entry->object);
  }
  wanted.object = make_reason(detail);
  if (wanted.object) {
    PyObject *old = entry->object;
    Py_INCREF(wanted.object);
    *entry = wanted;
    Py_XDECREF(old);
  }
  return wanted.object;
}

/* Sets a member of an object whose class lets nobody set one. */
static int set(PyObject *object, PyObject *name, PyObject *value)
{
  return value ? PyObject_GenericSetAttr(object, name, value) : -1;
}

static PyObject *detail_of(const flagstone_detail *detail, PyObject *value)
{
  PyObject *object = PyType_GenericAlloc(speedups.detail_type, 0), *why = reason(detail);
  PyObject *index = detail->variation_index >= 0 ? PyLong_FromLong(detail->variation_index) : speedups_keep(Py_None);
  PyObject *stale = detail->flags & FLAGSTONE_DETAIL_STALE ? Py_True : Py_False;
  if (!object || set(object, speedups.value, value) || set(object, speedups.variation_index, index) ||
      set(object, speedups.reason_name, why) || set(object, speedups.is_stale, stale)) {
    Py_XDECREF(object);
    object = NULL;
  }
  Py_XDECREF(why);
  Py_XDECREF(index);
  return object;
}

/*
 * Results that were given before, to be given again: they are immutable, and most evaluations give what one gave before. Each
 * has the one place that its native detail leads to. The detail is kept, so what its pointers point to stays, and an equal
 * one says the same.
 */
#define GIVEN_BITS 9

struct given {
  flagstone_detail detail;
  enum form form;
  PyObject *object;
};
static struct given given[1 << GIVEN_BITS];

_Static_assert(sizeof(flagstone_detail) == 5 * sizeof(int32_t) + 3 * sizeof(uint32_t) + sizeof(double) + 7 * sizeof(void *),
               "details are compared byte by byte");

/* NULL for what is never kept: a default is the caller's, and JSON is his to change. */
static struct given *given_place(const flagstone_detail *detail, enum form form)
{
  if (detail->flags & FLAGSTONE_DETAIL_DEFAULTED || detail->value_type == FLAGSTONE_TYPE_JSON) {
    return NULL;
  }
  uint64_t hash = (uint64_t)(uintptr_t)detail->owner ^ (uint64_t)(uintptr_t)detail->text.ptr << 16;
  hash += (uint64_t)(detail->variation_index * 131 + detail->rule_index * 1009 + detail->reason * 17 + (int)form);
  hash = (hash + detail->flags) * 0x9E3779B97F4A7C15u;
  return &given[hash >> (64 - GIVEN_BITS)];
}

/* Puts a result in its place and takes what the detail borrows. */
static void give_again(struct given *place, flagstone_detail *detail, enum form form, PyObject *object)
{
  struct given old = *place;
  *place = (struct given){*detail, form, speedups_keep(object)};
  *detail = (flagstone_detail){.struct_size = sizeof *detail};
  if (old.object) {
    speedups.native.detail_clear(&old.detail);
    Py_DECREF(old.object);
  }
}

void speedups_forget_results(void)
{
  for (size_t index = 0; index < sizeof given / sizeof given[0]; index++) {
    struct given old = given[index];
    given[index].object = NULL;
    if (old.object) {
      speedups.native.detail_clear(&old.detail);
      Py_DECREF(old.object);
    }
  }
}

PyObject *speedups_detail(flagstone_detail *detail, PyObject *default_value, enum form form, struct json_cache *cache)
{
  /* A value is the same in all other forms. */
  enum form kept_form = form == FORM_INT || form == FORM_FLOAT ? form : FORM_ANY;
  struct given *place = given_place(detail, kept_form);
  if (place && place->object && place->form == kept_form && memcmp(&place->detail, detail, sizeof *detail) == 0) {
    speedups.native.detail_clear(detail);
    return speedups_keep(place->object);
  }
  PyObject *value = value_of(detail, default_value, form, cache);
  PyObject *result = value ? detail_of(detail, value) : NULL;
  Py_XDECREF(value);
  if (result && place) {
    give_again(place, detail, kept_form, result);
  }
  speedups.native.detail_clear(detail);
  return result;
}
