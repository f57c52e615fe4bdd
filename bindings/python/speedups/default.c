/* A caller's default as events tell it: as it is where native code has its type, as JSON where it is anything else. */
#include "speedups.h"

static int tell_json(flagstone_default *told, PyObject *value, PyObject **kept)
{
  PyObject *bytes = speedups_written(value, speedups.tell);
  char *text;
  Py_ssize_t size;
  if (!bytes || !PyBytes_Check(bytes) || PyBytes_AsStringAndSize(bytes, &text, &size)) {
    Py_XDECREF(bytes);
    return !PyErr_Occurred() || speedups_recover();
  }
  *kept = bytes;
  told->value_type = FLAGSTONE_TYPE_JSON;
  told->text = (flagstone_str){text, (size_t)size};
  return 1;
}

static int tell_text(flagstone_default *told, PyObject *value)
{
  Py_ssize_t size;
  const char *text = PyUnicode_AsUTF8AndSize(value, &size);
  if (!text) {
    /* A lone surrogate. */
    PyErr_Clear();
    return 0;
  }
  told->value_type = FLAGSTONE_TYPE_STRING;
  told->text = (flagstone_str){text, (size_t)size};
  return 1;
}

int speedups_default(flagstone_default *told, PyObject *value, PyObject **kept)
{
  *told = (flagstone_default){0};
  *kept = NULL;
  if (value == Py_None) {
    return 1;
  }
  if (value == Py_True || value == Py_False) {
    told->value_type = FLAGSTONE_TYPE_BOOL;
    told->integer = value == Py_True;
    return 1;
  }
  if (PyUnicode_CheckExact(value) && tell_text(told, value)) {
    return 1;
  }
  if (PyFloat_CheckExact(value)) {
    told->value_type = FLAGSTONE_TYPE_NUMBER;
    told->number = PyFloat_AsDouble(value);
    return 1;
  }
  if (PyLong_CheckExact(value)) {
    int overflow;
    told->integer = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow) {
      told->value_type = FLAGSTONE_TYPE_NUMBER;
      told->is_integer = 1;
      return 1;
    }
  }
  return tell_json(told, value, kept);
}
