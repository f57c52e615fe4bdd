/* Writes small plain values as JSON, as a default of a dictionary is told at each call: all others are for json.dumps. */
#include "speedups.h"

#include <stdio.h>
#include <string.h>

/* Longer texts, and deeper values, are left to json.dumps. */
#define ROOM 1024
#define DEEPEST 16

struct pen {
  char text[ROOM];
  size_t size;
};

static int put(struct pen *pen, const char *text, size_t size)
{
  if (size > ROOM - pen->size) {
    return 0;
  }
  memcpy(pen->text + pen->size, text, size);
  pen->size += size;
  return 1;
}

static int put_text(struct pen *pen, PyObject *value)
{
  Py_ssize_t size;
  const char *text = PyUnicode_AsUTF8AndSize(value, &size);
  if (!text) {
    PyErr_Clear();
    return 0;
  }
  if (!put(pen, "\"", 1)) {
    return 0;
  }
  for (Py_ssize_t at = 0; at < size; at++) {
    unsigned char byte = (unsigned char)text[at];
    char escaped[8] = {'\\', (char)byte};
    size_t length = byte == '"' || byte == '\\' ? 2 : 1;
    if (byte < 0x20) {
      length = (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", byte);
    }
    if (!put(pen, length == 1 ? &text[at] : escaped, length)) {
      return 0;
    }
  }
  return put(pen, "\"", 1);
}

static int put_integer(struct pen *pen, PyObject *value)
{
  int overflow;
  long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  char digits[24];
  return !overflow && put(pen, digits, (size_t)snprintf(digits, sizeof digits, "%lld", number));
}

static int put_float(struct pen *pen, PyObject *value)
{
  double number = PyFloat_AsDouble(value);
  char *digits = number - number == 0.0 ? PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL) : NULL;
  int done = digits && put(pen, digits, strlen(digits));
  PyMem_Free(digits);
  PyErr_Clear();
  return done;
}

static int put_value(struct pen *pen, PyObject *value, int depth);

static int put_list(struct pen *pen, PyObject *list, int depth)
{
  for (Py_ssize_t index = 0; index < PyList_Size(list); index++) {
    if (!put(pen, index ? "," : "[", 1) || !put_value(pen, PyList_GetItem(list, index), depth)) {
      return 0;
    }
  }
  return PyList_Size(list) ? put(pen, "]", 1) : put(pen, "[]", 2);
}

static int put_dict(struct pen *pen, PyObject *dict, int depth)
{
  PyObject *name, *value;
  Py_ssize_t position = 0, written = 0;
  while (PyDict_Next(dict, &position, &name, &value)) {
    if (!PyUnicode_CheckExact(name) || !put(pen, written++ ? "," : "{", 1) || !put_text(pen, name) || !put(pen, ":", 1) ||
        !put_value(pen, value, depth)) {
      return 0;
    }
  }
  return written ? put(pen, "}", 1) : put(pen, "{}", 2);
}

/* Runs no Python code. */
static int put_value(struct pen *pen, PyObject *value, int depth)
{
  if (value == Py_None) {
    return put(pen, "null", 4);
  }
  if (value == Py_True || value == Py_False) {
    return value == Py_True ? put(pen, "true", 4) : put(pen, "false", 5);
  }
  if (PyUnicode_CheckExact(value)) {
    return put_text(pen, value);
  }
  if (PyLong_CheckExact(value)) {
    return put_integer(pen, value);
  }
  if (PyFloat_CheckExact(value)) {
    return put_float(pen, value);
  }
  if (depth == DEEPEST) {
    return 0;
  }
  return PyDict_CheckExact(value)   ? put_dict(pen, value, depth + 1)
         : PyList_CheckExact(value) ? put_list(pen, value, depth + 1)
                                    : 0;
}

PyObject *speedups_written(PyObject *value, PyObject *otherwise)
{
  struct pen pen;
  pen.size = 0;
  if (put_value(&pen, value, 0)) {
    return PyBytes_FromStringAndSize(pen.text, (Py_ssize_t)pen.size);
  }
  if (!otherwise) {
    PyErr_SetString(PyExc_RuntimeError, "flagstone has been unloaded");
    return NULL;
  }
  return PyObject_CallFunctionObjArgs(otherwise, value, NULL);
}
