/*
 * JSON values, handed out as copies, so that whoever changes what he got changes it for himself alone. A prepared flag parses
 * the text of each variation once; calls by key share a small table, in which a text has one place.
 */
#include "speedups.h"

#include <string.h>

/* Variations beyond these are parsed each time. */
#define MOST 64

/* The table of calls by key, and the longest text in it. */
#define SHARED 256
#define LONGEST 16384
static struct parsed shared[SHARED];

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

/* The place of a text in the table: found by its length, its ends and its middle. */
static struct parsed *shared_place(flagstone_str text)
{
  uint32_t hash = (uint32_t)text.len;
  size_t step = text.len < 48 ? 1 : text.len / 48;
  for (size_t at = 0; at < text.len; at += step) {
    hash = hash * 16777619u ^ (unsigned char)text.ptr[at];
  }
  return text.len > LONGEST ? NULL : &shared[(hash ^ hash >> 8 ^ hash >> 16) % SHARED];
}

/* The place of a variation's text; NULL for one that is not kept. */
static struct parsed *place(struct json_cache *cache, int index, flagstone_str text)
{
  if (!cache) {
    return shared_place(text);
  }
  if (index < 0 || index >= MOST) {
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
  struct parsed *entry = place(cache, detail->variation_index, detail->text);
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
  if (!value) {
    Py_XDECREF(text);
    return NULL;
  }
  result = copy(value);
  /* Python code has run: the places may have moved. */
  entry = place(cache, detail->variation_index, detail->text);
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

void speedups_forget_json(void)
{
  for (int index = 0; index < SHARED; index++) {
    struct parsed old = shared[index];
    shared[index] = (struct parsed){NULL, NULL};
    Py_XDECREF(old.text);
    Py_XDECREF(old.value);
  }
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
