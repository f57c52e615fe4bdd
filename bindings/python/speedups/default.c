/* A caller's default as events tell it: as it is where native code has its type, as JSON where it is anything else. */
#include "speedups.h"

/* Keeps text that is made for the call. False when there is none: then it is null. */
static int lend(flagstone_default *told, int32_t type, PyObject *bytes, PyObject **kept)
{
  char *text;
  Py_ssize_t size;
  if (!bytes || !PyBytes_Check(bytes) || PyBytes_AsStringAndSize(bytes, &text, &size)) {
    speedups_recover();
    Py_XDECREF(bytes);
    return 0;
  }
  *kept = bytes;
  told->value_type = type;
  told->text = (flagstone_str){text, (size_t)size};
  return 1;
}

static void tell_text(flagstone_default *told, PyObject *value, PyObject **kept)
{
  Py_ssize_t size;
  const char *text = PyUnicode_AsUTF8AndSize(value, &size);
  if (text) {
    told->value_type = FLAGSTONE_TYPE_STRING;
    told->text = (flagstone_str){text, (size_t)size};
    return;
  }
  PyErr_Clear();
  lend(told, FLAGSTONE_TYPE_STRING, PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass"), kept);
}

void speedups_default(flagstone_default *told, PyObject *value, PyObject **kept)
{
  *told = (flagstone_default){0};
  *kept = NULL;
  if (value == Py_None) {
    return;
  }
  if (value == Py_True || value == Py_False) {
    told->value_type = FLAGSTONE_TYPE_BOOL;
    told->integer = value == Py_True;
    return;
  }
  if (PyUnicode_CheckExact(value)) {
    tell_text(told, value, kept);
    return;
  }
  if (PyFloat_CheckExact(value)) {
    told->value_type = FLAGSTONE_TYPE_NUMBER;
    told->number = PyFloat_AsDouble(value);
    return;
  }
  if (PyLong_CheckExact(value)) {
    int overflow;
    told->integer = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow) {
      told->value_type = FLAGSTONE_TYPE_NUMBER;
      told->is_integer = 1;
      return;
    }
  }
  if ((PyDict_CheckExact(value) && !PyDict_Size(value)) || (PyList_CheckExact(value) && !PyList_Size(value))) {
    told->value_type = FLAGSTONE_TYPE_JSON;
    told->text = (flagstone_str){PyDict_CheckExact(value) ? "{}" : "[]", 2};
    return;
  }
  lend(told, FLAGSTONE_TYPE_JSON, speedups.tell ? PyObject_CallFunctionObjArgs(speedups.tell, value, NULL) : NULL, kept);
}
