/*
 * JSON values of prepared flags: parsed once for each text that a variation has, and handed out as copies, so that whoever
 * changes what he got changes it for himself alone.
 */
#include "speedups.h"

#include <string.h>

/* Variations beyond these are parsed each time. */
#define MOST 64

static PyObject *copy(PyObject *value);

static PyObject *copy_list(PyObject *list)
{
  Py_ssize_t size = PyList_Size(list);
  PyObject *made = PyList_New(size);
  for (Py_ssize_t index = 0; made && index < size; index++) {
    PyObject *item = copy(PyList_GetItem(list, index));
    if (!item) {
      Py_DECREF(made);
      return NULL;
    }
    PyList_SetItem(made, index, item);
  }
  return made;
}

static PyObject *copy_dict(PyObject *dict)
{
  PyObject *name, *value, *made = PyDict_New();
  Py_ssize_t position = 0;
  while (made && PyDict_Next(dict, &position, &name, &value)) {
    PyObject *item = copy(value);
    if (!item || PyDict_SetItem(made, name, item)) {
      Py_XDECREF(item);
      Py_DECREF(made);
      return NULL;
    }
    Py_DECREF(item);
  }
  return made;
}

/* A copy of what json.loads gave; its strings and numbers are shared. The caller holds a reference. */
static PyObject *copy(PyObject *value)
{
  int list = PyList_CheckExact(value);
  if (!list && !PyDict_CheckExact(value)) {
    return speedups_keep(value);
  }
  if (Py_EnterRecursiveCall(" while a JSON value is copied")) {
    return NULL;
  }
  PyObject *made = list ? copy_list(value) : copy_dict(value);
  Py_LeaveRecursiveCall();
  return made;
}

/* The place of a variation; NULL for one that is not kept. */
static struct parsed *place(struct json_cache *cache, int index)
{
  if (!cache || index < 0 || index >= MOST) {
    return NULL;
  }
  if (index >= cache->count) {
    struct parsed *entries = PyMem_Realloc(cache->entries, (size_t)(index + 1) * sizeof *entries);
    if (!entries) {
      return NULL;
    }
    memset(entries + cache->count, 0, (size_t)(index + 1 - cache->count) * sizeof *entries);
    cache->entries = entries;
    cache->count = index + 1;
  }
  return &cache->entries[index];
}

static int is_text(PyObject *kept, flagstone_str text)
{
  char *bytes;
  Py_ssize_t size;
  return kept && PyBytes_AsStringAndSize(kept, &bytes, &size) == 0 && (size_t)size == text.len &&
         memcmp(bytes, text.ptr, text.len) == 0;
}

PyObject *speedups_json(const flagstone_detail *detail, struct json_cache *cache)
{
  struct parsed *entry = place(cache, detail->variation_index);
  PyObject *value, *result;
  if (entry && is_text(entry->text, detail->text)) {
    /* Allocation may start a collection, and that any Python code, which may replace the entry. */
    value = speedups_keep(entry->value);
    result = copy(value);
    Py_DECREF(value);
    return result;
  }
  PyObject *text = PyBytes_FromStringAndSize(detail->text.ptr, (Py_ssize_t)detail->text.len);
  value = text ? PyObject_CallFunction(speedups.decode, "idO", detail->value_type, detail->number_value, text) : NULL;
  if (!value || !cache) {
    Py_XDECREF(text);
    return value;
  }
  result = copy(value);
  entry = place(cache, detail->variation_index);
  struct parsed old = {text, value};
  if (result && entry) {
    old = *entry;
    *entry = (struct parsed){text, value};
  }
  Py_XDECREF(old.text);
  Py_XDECREF(old.value);
  return result;
}

int speedups_json_traverse(struct json_cache *cache, visitproc visit, void *arg)
{
  for (int index = 0; index < cache->count; index++) {
    Py_VISIT(cache->entries[index].value);
  }
  return 0;
}

void speedups_json_clear(struct json_cache *cache)
{
  struct json_cache old = *cache;
  *cache = (struct json_cache){NULL, 0};
  for (int index = 0; index < old.count; index++) {
    Py_XDECREF(old.entries[index].text);
    Py_XDECREF(old.entries[index].value);
  }
  PyMem_Free(old.entries);
}
