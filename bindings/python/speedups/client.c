/* Evaluation by key: the native client in an object, and a method for each call that asks for one flag. */
#include "speedups.h"

#include <string.h>

static const struct native *const native = &speedups.native;

/* A call with a real context, a key and a default. */
struct asked {
  const flagstone_client *client;
  const flagstone_context *context;
  const char *key;
  size_t key_len;
  PyObject *default_value;
  int may_wait, tells;
};

/* Arguments by name count as plain in the order of the parameters. */
static int in_order(Py_ssize_t count, PyObject *names)
{
  Py_ssize_t named = names ? PyTuple_Size(names) : 0;
  if (count + named != 3) {
    return 0;
  }
  for (Py_ssize_t index = 0; index < named; index++) {
    if (PyTuple_GetItem(names, index) != speedups.parameters[count + index]) {
      return 0;
    }
  }
  return 1;
}

/* True for plain arguments. */
static int take(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names, struct asked *asked)
{
  struct client *client = (struct client *)self;
  Py_ssize_t size;
  if ((count != 3 || names) && !in_order(count, names)) {
    return 0;
  }
  asked->context = speedups_context(args[1]);
  if (!asked->context || !PyUnicode_CheckExact(args[0]) || !client->handle) {
    return 0;
  }
  asked->key = PyUnicode_AsUTF8AndSize(args[0], &size);
  if (!asked->key) {
    PyErr_Clear();
    return 0;
  }
  asked->key_len = (size_t)size;
  asked->client = client->handle;
  asked->default_value = args[2];
  asked->may_wait = speedups_may_wait(client->waits, client->handle);
  asked->tells = client->tells;
  return 1;
}

static PyObject *ask_bool(const struct asked *asked)
{
  int32_t value;
  SPEEDUPS_CALL(asked->may_wait, value = native->bool_variation(asked->client, asked->context, asked->key, asked->key_len,
                                                               asked->default_value == Py_True));
  return speedups_keep(value == 1 ? Py_True : Py_False);
}

/* The function that makes a result of a filled detail. */
typedef PyObject *convert(flagstone_detail *, PyObject *, enum form, struct json_cache *);

/* Value or detail of a type; NULL without an exception when the method in Python is to say it. */
static PyObject *ask(const struct asked *asked, int32_t want, enum form form, convert *convert)
{
  flagstone_detail detail = {.struct_size = sizeof detail};
  flagstone_default told;
  PyObject *kept = NULL;
  if (asked->tells && !speedups_default(&told, asked->default_value, &kept)) {
    return NULL;
  }
  SPEEDUPS_CALL(asked->may_wait, native->variation_or(asked->client, asked->context, asked->key, asked->key_len, want,
                                                     asked->tells ? &told : NULL,
                                                     convert == speedups_detail ? FLAGSTONE_ASK_REASON : 0, &detail));
  PyObject *result = convert(&detail, asked->default_value, form, NULL);
  Py_XDECREF(kept);
  if (!result) {
    speedups_recover();
  }
  return result;
}

static PyObject *ask_text(const struct asked *asked)
{
  flagstone_bytes bytes = {0};
  const char *told = NULL;
  Py_ssize_t size = 0;
  int32_t found;
  if (asked->tells && asked->default_value != Py_None) {
    told = PyUnicode_CheckExact(asked->default_value) ? PyUnicode_AsUTF8AndSize(asked->default_value, &size) : NULL;
    if (!told) {
      /* Of another type, or with a lone surrogate. */
      PyErr_Clear();
      return ask(asked, FLAGSTONE_TYPE_STRING, FORM_STRING, speedups_value);
    }
  }
  SPEEDUPS_CALL(asked->may_wait, found = native->string_variation(asked->client, asked->context, asked->key, asked->key_len,
                                                                 told, (size_t)size, &bytes));
  return speedups_text(found, &bytes, asked->default_value);
}

/* The type that a default asks for; -1 for one that is not plain. */
static int want_of(PyObject *value)
{
  if (value == Py_True || value == Py_False) {
    return FLAGSTONE_TYPE_BOOL;
  }
  if (PyUnicode_CheckExact(value)) {
    return FLAGSTONE_TYPE_STRING;
  }
  if (PyLong_CheckExact(value) || PyFloat_CheckExact(value)) {
    return FLAGSTONE_TYPE_NUMBER;
  }
  return value == Py_None || PyDict_CheckExact(value) || PyList_CheckExact(value) ? FLAGSTONE_TYPE_NONE : -1;
}

static PyObject *bool_variation(SPEEDUPS_ARGUMENTS)
{
  struct asked asked;
  if (take(self, args, count, names, &asked) && PyBool_Check(asked.default_value)) {
    return ask_bool(&asked);
  }
  return speedups_fall_back(METHOD_bool_variation, self, args, count, names);
}

static PyObject *int_variation(SPEEDUPS_ARGUMENTS)
{
  struct asked asked;
  if (take(self, args, count, names, &asked) && PyLong_CheckExact(asked.default_value)) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(asked.default_value, &overflow);
    if (!overflow) {
      SPEEDUPS_CALL(asked.may_wait, value = native->int_variation(asked.client, asked.context, asked.key, asked.key_len, value));
      return PyLong_FromLongLong(value);
    }
  }
  return speedups_fall_back(METHOD_int_variation, self, args, count, names);
}

static PyObject *float_variation(SPEEDUPS_ARGUMENTS)
{
  struct asked asked;
  if (take(self, args, count, names, &asked) && PyFloat_CheckExact(asked.default_value)) {
    double value = PyFloat_AsDouble(asked.default_value);
    SPEEDUPS_CALL(asked.may_wait, value = native->double_variation(asked.client, asked.context, asked.key, asked.key_len, value));
    return PyFloat_FromDouble(value);
  }
  return speedups_fall_back(METHOD_float_variation, self, args, count, names);
}

static PyObject *variation(SPEEDUPS_ARGUMENTS)
{
  struct asked asked;
  PyObject *result = NULL;
  if (take(self, args, count, names, &asked)) {
    int want = want_of(asked.default_value);
    if (want == FLAGSTONE_TYPE_BOOL) {
      return ask_bool(&asked);
    }
    if (want == FLAGSTONE_TYPE_STRING) {
      result = ask_text(&asked);
    } else if (want >= 0) {
      result = ask(&asked, want, FORM_ANY, speedups_value);
    }
  }
  return speedups_or_else(result, METHOD_variation, self, args, count, names);
}

static PyObject *variation_detail(SPEEDUPS_ARGUMENTS)
{
  struct asked asked;
  PyObject *result = NULL;
  if (take(self, args, count, names, &asked)) {
    int want = want_of(asked.default_value);
    result = want < 0 ? NULL : ask(&asked, want, FORM_ANY, speedups_detail);
  }
  return speedups_or_else(result, METHOD_variation_detail, self, args, count, names);
}

static PyObject *string_variation(SPEEDUPS_ARGUMENTS)
{
  struct asked asked;
  PyObject *result = take(self, args, count, names, &asked) ? ask_text(&asked) : NULL;
  return speedups_or_else(result, METHOD_string_variation, self, args, count, names);
}

#define TYPED(name, want, form, convert)                                                                                     \
  static PyObject *name(SPEEDUPS_ARGUMENTS)                                                                                           \
  {                                                                                                                          \
    struct asked asked;                                                                                                      \
    PyObject *result = take(self, args, count, names, &asked) ? ask(&asked, want, form, convert) : NULL;                     \
    return speedups_or_else(result, METHOD_##name, self, args, count, names);                                                         \
  }

TYPED(json_variation, FLAGSTONE_TYPE_NONE, FORM_ANY, speedups_value)
TYPED(bool_variation_detail, FLAGSTONE_TYPE_BOOL, FORM_BOOL, speedups_detail)
TYPED(int_variation_detail, FLAGSTONE_TYPE_NUMBER, FORM_INT, speedups_detail)
TYPED(float_variation_detail, FLAGSTONE_TYPE_NUMBER, FORM_FLOAT, speedups_detail)
TYPED(string_variation_detail, FLAGSTONE_TYPE_STRING, FORM_STRING, speedups_detail)
TYPED(json_variation_detail, FLAGSTONE_TYPE_NONE, FORM_ANY, speedups_detail)

static PyObject *attach(PyObject *self, PyObject *args)
{
  struct client *client = (struct client *)self;
  PyObject *pointer;
  int waits, tells;
  if (!PyArg_ParseTuple(args, "Oip:_attach", &pointer, &waits, &tells)) {
    return NULL;
  }
  flagstone_client *handle = speedups_take(pointer);
  if (!handle) {
    return NULL;
  }
  if (client->handle) {
    speedups.native.client_release(handle);
    PyErr_SetString(PyExc_TypeError, "a client is made once");
    return NULL;
  }
  client->handle = handle;
  client->waits = (enum waits)waits;
  client->tells = tells;
  Py_RETURN_NONE;
}

static PyObject *get_handle(PyObject *self, void *closure)
{
  (void)closure;
  return speedups_pointer(((struct client *)self)->handle);
}

static void dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  flagstone_client *handle = ((struct client *)self)->handle;
  if (handle) {
    /* The thread that waits for notifications, if there is one, sees that the client is gone. */
    speedups.native.client_wake(handle);
    speedups.native.client_release(handle);
  }
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

#define CALL(name, parameters)                                                                                               \
  {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, #name "($self, " parameters ")\n--\n\n"}
#define ONE "key, context, default"
#define OF_TYPE ONE ", *, check_type=True"

PyMethodDef speedups_client_methods[] = {
  CALL(bool_variation, ONE),
  CALL(int_variation, ONE),
  CALL(float_variation, ONE),
  CALL(string_variation, ONE),
  CALL(json_variation, ONE),
  CALL(variation, OF_TYPE),
  CALL(bool_variation_detail, ONE),
  CALL(int_variation_detail, ONE),
  CALL(float_variation_detail, ONE),
  CALL(string_variation_detail, ONE),
  CALL(json_variation_detail, ONE),
  CALL(variation_detail, OF_TYPE),
  {"variation_many", (PyCFunction)(void (*)(void))speedups_variation_many, METH_FASTCALL | METH_KEYWORDS,
   "variation_many($self, keys, context)\n--\n\n"},
  {"identify", (PyCFunction)(void (*)(void))speedups_identify, METH_FASTCALL | METH_KEYWORDS,
   "identify($self, context)\n--\n\n"},
  {"track", (PyCFunction)(void (*)(void))speedups_track, METH_FASTCALL | METH_KEYWORDS,
   "track($self, event_name, context, data=None, metric_value=None)\n--\n\n"},
  {"_attach", attach, METH_VARARGS, "Takes a handle that nobody else gives back, whether evaluation waits, and whether events tell defaults."},
  {0},
};

static PyGetSetDef handles[] = {
  {"_h", get_handle, NULL, "The handle, for calls through ctypes.", NULL},
  {0},
};

static PyType_Slot slots[] = {
  {Py_tp_doc, "The native client."},
  {Py_tp_new, PyType_GenericNew},
  {Py_tp_dealloc, dealloc},
  {Py_tp_methods, speedups_client_methods},
  {Py_tp_getset, handles},
  {0, NULL},
};

PyType_Spec speedups_client_spec = {
  .name = "flagstone._speedups.ClientBase",
  .basicsize = sizeof(struct client),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
  .slots = slots,
};
