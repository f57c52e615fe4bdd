/* Contexts: the handle of one in an object, made in one native call where key and attributes are plain. */
#include "speedups.h"

#include <string.h>

/* More attributes than these go through JSON. */
#define MOST 32

static flagstone_str as_str(PyObject *text)
{
  Py_ssize_t size = 0;
  const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
  return (flagstone_str){bytes, (size_t)size};
}

static int is(flagstone_str text, const char *name)
{
  return text.len == strlen(name) && memcmp(text.ptr, name, text.len) == 0;
}

/* What a context is made from. */
struct parts {
  flagstone_str kind, key;
  flagstone_attr attrs[MOST];
  /* JSON texts that attributes borrow from. */
  PyObject *texts[MOST];
  size_t count;
};

/*
 * Writes the value of an attribute; false when it is not plain, perhaps with an exception. The JSON of lists and dictionaries
 * is written by Python code, so the dictionary that is being read must be nobody else's.
 */
static int take_value(struct parts *parts, flagstone_attr *attr, PyObject *value)
{
  if (PyUnicode_CheckExact(value)) {
    attr->type = FLAGSTONE_TYPE_STRING;
    attr->text = as_str(value);
    return attr->text.ptr != NULL;
  }
  if (value == Py_True || value == Py_False) {
    attr->type = FLAGSTONE_TYPE_BOOL;
    attr->number = value == Py_True;
    return 1;
  }
  if (PyLong_CheckExact(value)) {
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    attr->type = FLAGSTONE_TYPE_NUMBER;
    attr->number = (double)number;
    return !overflow;
  }
  if (PyFloat_CheckExact(value)) {
    attr->type = FLAGSTONE_TYPE_NUMBER;
    attr->number = PyFloat_AsDouble(value);
    return attr->number - attr->number == 0.0;
  }
  if (PyList_CheckExact(value) || PyDict_CheckExact(value)) {
    PyObject *text = PyObject_CallFunctionObjArgs(speedups.encode, value, NULL);
    Py_ssize_t size;
    char *bytes;
    if (!text || PyBytes_AsStringAndSize(text, &bytes, &size)) {
      Py_XDECREF(text);
      return 0;
    }
    parts->texts[parts->count] = text;
    attr->type = FLAGSTONE_TYPE_JSON;
    attr->text = (flagstone_str){bytes, (size_t)size};
    return 1;
  }
  return 0;
}

/* Adds what a dictionary says; false when something is not plain, perhaps with an exception. */
static int take_members(struct parts *parts, PyObject *members)
{
  PyObject *name, *value;
  Py_ssize_t position = 0;
  while (PyDict_Next(members, &position, &name, &value)) {
    if (!PyUnicode_CheckExact(name)) {
      return 0;
    }
    flagstone_str text = as_str(name);
    if (!text.ptr) {
      return 0;
    }
    if (is(text, "key")) {
      if (parts->key.ptr || !PyUnicode_CheckExact(value)) {
        return 0;
      }
      parts->key = as_str(value);
    } else if (is(text, "kind")) {
      if (parts->kind.ptr || !PyUnicode_CheckExact(value)) {
        return 0;
      }
      parts->kind = as_str(value);
    } else if (parts->count == MOST || is(text, "_meta")) {
      return 0;
    } else {
      flagstone_attr *attr = &parts->attrs[parts->count];
      *attr = (flagstone_attr){.name = text};
      parts->texts[parts->count] = NULL;
      if (!take_value(parts, attr, value)) {
        return 0;
      }
      parts->count++;
    }
  }
  return 1;
}

/* Makes the handle; NULL when it cannot be done here, without an exception or with one that must be raised. */
static flagstone_context *make(struct parts *parts)
{
  flagstone_context *handle = NULL;
  int plain = parts->key.ptr && parts->key.len && parts->kind.ptr && parts->kind.len && !is(parts->kind, "multi");
  if (plain && !PyErr_Occurred()) {
    speedups.native.context_from_attrs(parts->kind, parts->key, parts->attrs, parts->count, &handle, NULL);
  }
  for (size_t index = 0; index < parts->count; index++) {
    Py_XDECREF(parts->texts[index]);
  }
  if (PyErr_Occurred()) {
    speedups_recover();
  }
  return handle;
}

static int initialize(PyObject *self, PyObject *args, PyObject *keywords)
{
  struct context *context = (struct context *)self;
  struct parts parts;
  parts.count = 0;
  parts.key = parts.kind = (flagstone_str){NULL, 0};
  Py_ssize_t positional = PyTuple_Size(args);
  int plain = !context->handle && positional <= 2;
  if (plain && positional > 0) {
    PyObject *key = PyTuple_GetItem(args, 0);
    plain = PyUnicode_CheckExact(key) && (parts.key = as_str(key)).ptr;
  }
  if (plain && positional > 1) {
    PyObject *kind = PyTuple_GetItem(args, 1);
    plain = PyUnicode_CheckExact(kind) && (parts.kind = as_str(kind)).ptr;
  }
  plain = plain && (!keywords || take_members(&parts, keywords));
  if (plain && !parts.kind.ptr) {
    parts.kind = (flagstone_str){"user", 4};
  }
  if (!plain) {
    parts.key.ptr = NULL;
  }
  flagstone_context *handle = make(&parts);
  if (handle) {
    context->handle = handle;
    return 0;
  }
  if (PyErr_Occurred()) {
    return -1;
  }
  PyObject *function = speedups.methods[METHOD_context_init];
  if (!function) {
    PyErr_SetString(PyExc_RuntimeError, "flagstone has been unloaded");
    return -1;
  }
  Py_INCREF(function);
  PyObject *bound = PyTuple_New(positional + 1), *done = NULL;
  if (bound) {
    PyTuple_SetItem(bound, 0, speedups_keep(self));
    for (Py_ssize_t index = 0; index < positional; index++) {
      PyTuple_SetItem(bound, index + 1, speedups_keep(PyTuple_GetItem(args, index)));
    }
    done = PyObject_Call(function, bound, keywords);
    Py_DECREF(bound);
  }
  Py_DECREF(function);
  Py_XDECREF(done);
  return done ? 0 : -1;
}

PyObject *speedups_context_from(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
  (void)module;
  if (count != 2 || !PyType_Check(args[0]) || !PyDict_CheckExact(args[1]) || !speedups.context_base ||
      !PyType_IsSubtype((PyTypeObject *)args[0], speedups.context_base)) {
    Py_RETURN_NONE;
  }
  PyObject *type = args[0], *members = args[1];
  struct parts parts;
  parts.count = 0;
  parts.key = parts.kind = (flagstone_str){NULL, 0};
  if (!take_members(&parts, members)) {
    parts.key.ptr = NULL;
  }
  flagstone_context *handle = make(&parts);
  if (!handle) {
    return PyErr_Occurred() ? NULL : speedups_keep(Py_None);
  }
  PyObject *context = PyType_GenericNew((PyTypeObject *)type, NULL, NULL);
  if (!context) {
    speedups.native.context_release(handle);
    return NULL;
  }
  ((struct context *)context)->handle = handle;
  return context;
}

static PyObject *adopt(PyObject *self, PyObject *pointer)
{
  struct context *context = (struct context *)self;
  flagstone_context *handle = speedups_take(pointer);
  if (!handle) {
    return NULL;
  }
  /* A call that has given the GIL away may be using the one there is. */
  if (context->handle) {
    speedups.native.context_release(handle);
    PyErr_SetString(PyExc_TypeError, "a context is made once");
    return NULL;
  }
  context->handle = handle;
  Py_RETURN_NONE;
}

static PyObject *get_handle(PyObject *self, void *closure)
{
  (void)closure;
  return speedups_pointer(((struct context *)self)->handle);
}

static void dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  speedups.native.context_release(((struct context *)self)->handle);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {
  {"_adopt", adopt, METH_O, "Takes a handle that nobody else gives back."},
  {0},
};

static PyGetSetDef members[] = {
  {"_h", get_handle, NULL, "The handle, for calls through ctypes.", NULL},
  {0},
};

static PyType_Slot slots[] = {
  /* inspect looks here for the signature of classes made from this one. */
  {Py_tp_doc, "ContextBase(key, kind='user', **attributes)\n--\n\nThe handle of a context."},
  {Py_tp_new, PyType_GenericNew},
  {Py_tp_init, initialize},
  {Py_tp_dealloc, dealloc},
  {Py_tp_methods, methods},
  {Py_tp_getset, members},
  {0, NULL},
};

PyType_Spec speedups_context_spec = {
  .name = "flagstone._speedups.ContextBase",
  .basicsize = sizeof(struct context),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
  .slots = slots,
};
