/* The module flagstone._speedups: its types, and what the package hands over. Depends on all other files. */
#include "speedups.h"

#include <stdlib.h>
#include <string.h>

struct speedups speedups;

/* Modules alive: after all were dropped from sys.modules, an import makes everything anew. */
static int modules;

PyObject *speedups_fall_back(enum method method, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
  PyObject *function = speedups.methods[method];
  if (!function) {
    PyErr_SetString(PyExc_RuntimeError, "flagstone has been unloaded");
    return NULL;
  }
  PyObject *result = NULL, *keywords = NULL, *positional = PyTuple_New(count + 1);
  if (!positional) {
    return NULL;
  }
  PyTuple_SetItem(positional, 0, speedups_keep(self));
  for (Py_ssize_t index = 0; index < count; index++) {
    PyTuple_SetItem(positional, index + 1, speedups_keep(args[index]));
  }
  if (names) {
    keywords = PyDict_New();
    for (Py_ssize_t index = 0; keywords && index < PyTuple_Size(names); index++) {
      if (PyDict_SetItem(keywords, PyTuple_GetItem(names, index), args[count + index])) {
        goto done;
      }
    }
    if (!keywords) {
      goto done;
    }
  }
  Py_INCREF(function);
  result = PyObject_Call(function, positional, keywords);
  Py_DECREF(function);
done:
  Py_XDECREF(keywords);
  Py_DECREF(positional);
  return result;
}

int speedups_recover(void)
{
  if (!PyErr_ExceptionMatches(PyExc_Exception)) {
    return 0;
  }
  PyErr_Clear();
  return 1;
}

void *speedups_take(PyObject *pointer)
{
  PyObject *number = PyObject_GetAttr(pointer, speedups.value);
  void *address = number ? PyLong_AsVoidPtr(number) : NULL;
  Py_XDECREF(number);
  if (address && PyObject_SetAttr(pointer, speedups.value, Py_None)) {
    return NULL;
  }
  if (!address && !PyErr_Occurred()) {
    PyErr_SetString(PyExc_ValueError, "the address is NULL");
  }
  return address;
}

PyObject *speedups_pointer(const void *handle)
{
  if (!handle || !speedups.pointer) {
    PyErr_SetString(PyExc_AttributeError, "_h");
    return NULL;
  }
  return PyObject_CallFunction(speedups.pointer, "K", (unsigned long long)(uintptr_t)handle);
}

static void replace(PyObject **place, PyObject *object)
{
  PyObject *old = *place;
  *place = speedups_keep(object);
  Py_XDECREF(old);
}

/* Fills the table of functions from a dictionary of addresses: all or none. */
static int take_native(PyObject *addresses)
{
  struct native native;
#define X(name)                                                                                                              \
  {                                                                                                                          \
    PyObject *address = PyDict_GetItemString(addresses, "flagstone_" #name);                                                 \
    void *pointer = address ? PyLong_AsVoidPtr(address) : NULL;                                                              \
    if (!pointer) {                                                                                                          \
      return PyErr_Occurred() ? -1 : (PyErr_SetString(PyExc_KeyError, "flagstone_" #name), -1);                              \
    }                                                                                                                        \
    *(void **)&native.name = pointer;                                                                                        \
  }
  SPEEDUPS_NATIVE(X)
#undef X
  static int bound;
  if (bound && memcmp(&speedups.native, &native, sizeof native) != 0) {
    /* Objects of the first one are still about. */
    PyErr_SetString(PyExc_ImportError, "the extension module serves another native library already");
    return -1;
  }
  speedups.native = native;
  bound = 1;
  return 0;
}

static PyObject *bind(PyObject *module, PyObject *args)
{
  (void)module;
  PyObject *addresses, *pointer, *detail_type, *decode, *reason, *tell, *write;
  if (!PyArg_ParseTuple(args, "O!OO!OOOO:bind", &PyDict_Type, &addresses, &pointer, &PyType_Type, &detail_type, &decode,
                        &reason, &tell, &write) ||
      take_native(addresses)) {
    return NULL;
  }
  speedups_forget_results();
  speedups_forget_reasons();
  speedups_forget_json();
  replace(&speedups.pointer, pointer);
  replace((PyObject **)&speedups.detail_type, detail_type);
  replace(&speedups.decode, decode);
  replace(&speedups.reason, reason);
  replace(&speedups.tell, tell);
  replace(&speedups.write, write);
  Py_RETURN_NONE;
}

static PyObject *bind_context(PyObject *module, PyObject *args)
{
  (void)module;
  PyObject *type, *encode;
  if (!PyArg_ParseTuple(args, "O!O:bind_context", &PyType_Type, &type, &encode)) {
    return NULL;
  }
  if (!PyType_IsSubtype((PyTypeObject *)type, speedups.context_base)) {
    PyErr_SetString(PyExc_TypeError, "a subclass of ContextBase is needed");
    return NULL;
  }
  replace((PyObject **)&speedups.context_type, type);
  speedups.awake_type = speedups.context_type;
  replace(&speedups.encode, encode);
  Py_RETURN_NONE;
}

static PyObject *set_awake(PyObject *module, PyObject *open)
{
  (void)module;
  speedups.awake_type = open == Py_True ? speedups.context_type : NULL;
  Py_RETURN_NONE;
}

static const char *const method_names[] = {
#define X(name, text) text,
  SPEEDUPS_METHODS(X)
#undef X
};

/* Gives a method the documentation of the one that it stands for, once and for good. */
static int describe(PyMethodDef *method, const char *name, PyObject *function)
{
  while (method->ml_name && strcmp(method->ml_name, name) != 0) {
    method++;
  }
  PyObject *text = method->ml_name ? PyObject_GetAttrString(function, "__doc__") : NULL;
  if (!text) {
    return PyErr_Occurred() ? -1 : 0;
  }
  const char *end = "\n--\n\n";
  size_t signature = strlen(method->ml_doc);
  int described = strcmp(method->ml_doc + signature - strlen(end), end) != 0;
  PyObject *utf8 = PyUnicode_Check(text) && !described ? PyUnicode_AsUTF8String(text) : NULL;
  Py_ssize_t size;
  char *bytes, *whole;
  if (utf8 && PyBytes_AsStringAndSize(utf8, &bytes, &size) == 0 && (whole = malloc(signature + (size_t)size + 1))) {
    memcpy(whole, method->ml_doc, signature);
    memcpy(whole + signature, bytes, (size_t)size + 1);
    method->ml_doc = whole;
  }
  Py_XDECREF(utf8);
  Py_DECREF(text);
  return PyErr_Occurred() ? -1 : 0;
}

static PyObject *stand_for(PyObject *module, PyObject *args)
{
  (void)module;
  const char *name;
  PyObject *function;
  if (!PyArg_ParseTuple(args, "sO:stand_for", &name, &function)) {
    return NULL;
  }
  for (int method = 0; method < METHODS; method++) {
    if (strcmp(name, method_names[method]) == 0) {
      replace(&speedups.methods[method], function);
      if (describe(speedups_client_methods, name, function) || describe(speedups_flag_methods, name, function)) {
        return NULL;
      }
      Py_RETURN_NONE;
    }
  }
  PyErr_SetString(PyExc_KeyError, name);
  return NULL;
}

static PyMethodDef functions[] = {
  {"bind", bind, METH_VARARGS, "Takes the library's functions and the package's."},
  {"bind_context", bind_context, METH_VARARGS, "Takes the class of contexts."},
  {"set_awake", set_awake, METH_O, "Opens the way through the extension, or closes it: see _forks.py."},
  {"stand_for", stand_for, METH_VARARGS, "Takes the method in Python that is called where arguments are not plain."},
  {"context_from", (PyCFunction)(void (*)(void))speedups_context_from, METH_FASTCALL,
   "A context from a dictionary that nobody else has; None when that is not plain."},
  {0},
};

static struct { PyObject **place; const char *text; } interned[] = {
  {&speedups.value, "value"}, {&speedups.variation_index, "variation_index"}, {&speedups.reason_name, "reason"},
  {&speedups.is_stale, "is_stale"}, {&speedups.parameters[0], "key"}, {&speedups.parameters[1], "context"},
  {&speedups.parameters[2], "default"}, {&speedups.told[0], "event_name"}, {&speedups.told[1], "context"},
  {&speedups.told[2], "data"}, {&speedups.told[3], "metric_value"},
};

static struct { PyTypeObject **place; PyType_Spec *spec; const char *name; } types[] = {
  {&speedups.context_base, &speedups_context_spec, "ContextBase"},
  {&speedups.client_base, &speedups_client_spec, "ClientBase"},
  {&speedups.flag_base, &speedups_flag_spec, "FlagBase"},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static PyObject *native_names(void)
{
#define X(name) "flagstone_" #name,
  static const char *const names[] = {SPEEDUPS_NATIVE(X)};
#undef X
  PyObject *tuple = PyTuple_New(LENGTH(names));
  for (size_t index = 0; tuple && index < LENGTH(names); index++) {
    PyObject *name = PyUnicode_FromString(names[index]);
    if (!name || PyTuple_SetItem(tuple, (Py_ssize_t)index, name)) {
      Py_DECREF(tuple);
      return NULL;
    }
  }
  return tuple;
}

/* Adds a strong reference of its own. */
static int add(PyObject *module, const char *name, PyObject *object)
{
  Py_XINCREF(object);
  if (!object || PyModule_AddObject(module, name, object)) {
    Py_XDECREF(object);
    return -1;
  }
  return 0;
}

static int execute(PyObject *module)
{
  /* What is static belongs to one interpreter. */
  if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
    PyErr_SetString(PyExc_ImportError, "flagstone._speedups works in the main interpreter alone");
    return -1;
  }
  *(int *)PyModule_GetState(module) = 1;
  modules++;
  for (size_t index = 0; index < LENGTH(interned); index++) {
    if (!*interned[index].place && !(*interned[index].place = PyUnicode_InternFromString(interned[index].text))) {
      return -1;
    }
  }
  for (size_t index = 0; index < LENGTH(types); index++) {
    if (!*types[index].place && !(*types[index].place = (PyTypeObject *)PyType_FromSpec(types[index].spec))) {
      return -1;
    }
    if (add(module, types[index].name, (PyObject *)*types[index].place)) {
      return -1;
    }
  }
  PyObject *names = native_names();
  int status = add(module, "NATIVE", names);
  Py_XDECREF(names);
  return status;
}

/* Objects that outlive the module find no context to be one, and no method to fall back to. */
static void forget(void *module)
{
  int *counted = PyModule_GetState(module);
  if (!counted || !*counted || --modules > 0) {
    return;
  }
  speedups.awake_type = NULL;
  speedups_forget_results();
  speedups_forget_reasons();
  speedups_forget_json();
  for (size_t index = 0; index < LENGTH(types); index++) {
    PyTypeObject *type = *types[index].place;
    *types[index].place = NULL;
    Py_XDECREF(type);
  }
  PyObject **kept[] = {(PyObject **)&speedups.context_type, (PyObject **)&speedups.detail_type, &speedups.decode,
                       &speedups.reason, &speedups.tell, &speedups.write, &speedups.encode, &speedups.pointer};
  for (size_t index = 0; index < LENGTH(kept); index++) {
    PyObject *object = *kept[index];
    *kept[index] = NULL;
    Py_XDECREF(object);
  }
  for (int method = 0; method < METHODS; method++) {
    PyObject *object = speedups.methods[method];
    speedups.methods[method] = NULL;
    Py_XDECREF(object);
  }
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0}};

static struct PyModuleDef definition = {
  PyModuleDef_HEAD_INIT,
  .m_name = "flagstone._speedups",
  .m_doc = "The hot calls in C; what the package does without it is in flagstone._fast.",
  .m_size = sizeof(int),
  .m_methods = functions,
  .m_slots = slots,
  .m_free = forget,
};

PyMODINIT_FUNC PyInit__speedups(void);
PyMODINIT_FUNC PyInit__speedups(void)
{
  return PyModuleDef_Init(&definition);
}
