/* Prepared flags: the native flag, its key and default in an object. */
#include "speedups.h"

struct flag {
  PyObject_HEAD
  flagstone_flag *handle;
  PyObject *key, *default_value;
  struct json_cache cache;
  enum form form;
  enum waits waits;
  /* A reference of its own; NULL where nobody asks. */
  flagstone_client *client;
};

/* The context of a call; NULL for arguments that are not plain. */
static const flagstone_context *context_of(const struct flag *flag, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
  if (count != 1 || names) {
    if (count || !names || PyTuple_Size(names) != 1 || PyTuple_GetItem(names, 0) != speedups.parameters[1]) {
      return NULL;
    }
  }
  return flag->handle ? speedups_context(args[0]) : NULL;
}

/* The function that makes a result of a filled detail. */
typedef PyObject *convert(flagstone_detail *, PyObject *, enum form, struct json_cache *);

/* NULL without an exception when the method in Python is to say it. */
static PyObject *evaluate(struct flag *flag, const flagstone_context *context, convert *convert)
{
  flagstone_detail detail = {.struct_size = sizeof detail};
  /* Events tell the reason where the caller gets it. */
  __typeof__(speedups.native.flag_value) call =
    convert == speedups_detail ? speedups.native.flag_detail : speedups.native.flag_value;
  SPEEDUPS_CALL(speedups_may_wait(flag->waits, flag->client), call(flag->handle, context, &detail));
  PyObject *result = convert(&detail, flag->default_value, flag->form, &flag->cache);
  if (!result) {
    speedups_recover();
  }
  return result;
}

static PyObject *scalar(struct flag *flag, const flagstone_context *context)
{
  int32_t truth;
  int64_t integer;
  double number;
  flagstone_bytes bytes = {0};
  int may_wait = flag->form == FORM_ANY ? 0 : speedups_may_wait(flag->waits, flag->client);
  switch (flag->form) {
    case FORM_BOOL:
      SPEEDUPS_CALL(may_wait, truth = speedups.native.flag_bool(flag->handle, context));
      return speedups_keep(truth == 1 ? Py_True : Py_False);
    case FORM_INT:
      SPEEDUPS_CALL(may_wait, integer = speedups.native.flag_int(flag->handle, context));
      return PyLong_FromLongLong(integer);
    case FORM_FLOAT:
      SPEEDUPS_CALL(may_wait, number = speedups.native.flag_double(flag->handle, context));
      return PyFloat_FromDouble(number);
    case FORM_STRING:
      SPEEDUPS_CALL(may_wait, truth = speedups.native.flag_string(flag->handle, context, &bytes));
      return speedups_text(truth, &bytes, flag->default_value);
    default:
      return evaluate(flag, context, speedups_value);
  }
}

static PyObject *value(SPEEDUPS_ARGUMENTS)
{
  struct flag *flag = (struct flag *)self;
  const flagstone_context *context = context_of(flag, args, count, names);
  PyObject *result = context ? scalar(flag, context) : NULL;
  return speedups_or_else(result, METHOD_flag_value, self, args, count, names);
}

static PyObject *detail(SPEEDUPS_ARGUMENTS)
{
  struct flag *flag = (struct flag *)self;
  const flagstone_context *context = context_of(flag, args, count, names);
  PyObject *result = context ? evaluate(flag, context, speedups_detail) : NULL;
  return speedups_or_else(result, METHOD_flag_detail, self, args, count, names);
}

/* A reference to the client of a pointer object; NULL for none. */
static flagstone_client *retained(PyObject *pointer)
{
  PyObject *number = PyObject_GetAttr(pointer, speedups.value);
  void *address = number && number != Py_None ? PyLong_AsVoidPtr(number) : NULL;
  Py_XDECREF(number);
  PyErr_Clear();
  return speedups.native.client_retain(address);
}

static PyObject *attach(PyObject *self, PyObject *args)
{
  struct flag *flag = (struct flag *)self;
  PyObject *pointer, *key, *default_value, *client;
  int form, waits;
  if (!PyArg_ParseTuple(args, "OOOCiO:_attach", &pointer, &key, &default_value, &form, &waits, &client)) {
    return NULL;
  }
  flagstone_flag *handle = speedups_take(pointer);
  if (!handle) {
    return NULL;
  }
  if (flag->handle) {
    speedups.native.flag_release(handle);
    PyErr_SetString(PyExc_TypeError, "a flag is prepared once");
    return NULL;
  }
  flag->handle = handle;
  flag->key = speedups_keep(key);
  flag->default_value = speedups_keep(default_value);
  flag->waits = (enum waits)waits;
  flag->client = waits == WAITS_PERHAPS ? retained(client) : NULL;
  flag->form = (enum form)form;
  Py_RETURN_NONE;
}

static PyObject *get_handle(PyObject *self, void *closure)
{
  (void)closure;
  return speedups_pointer(((struct flag *)self)->handle);
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
  struct flag *flag = (struct flag *)self;
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(flag->key);
  Py_VISIT(flag->default_value);
  return speedups_json_traverse(&flag->cache, visit, arg);
}

static int clear(PyObject *self)
{
  struct flag *flag = (struct flag *)self;
  PyObject *key = flag->key, *default_value = flag->default_value;
  /* A finalizer that is called later may still evaluate: a default is needed as long as there is a handle. */
  flag->key = NULL;
  flag->default_value = speedups_keep(Py_None);
  Py_XDECREF(key);
  Py_XDECREF(default_value);
  speedups_json_clear(&flag->cache);
  return 0;
}

static void dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  struct flag *flag = (struct flag *)self;
  PyObject_GC_UnTrack(self);
  Py_XDECREF(flag->key);
  Py_XDECREF(flag->default_value);
  speedups_json_clear(&flag->cache);
  speedups.native.flag_release(flag->handle);
  speedups.native.client_release(flag->client);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

#define CALL(name)                                                                                                           \
  {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, #name "($self, context)\n--\n\n"}

PyMethodDef speedups_flag_methods[] = {
  CALL(value),
  CALL(detail),
  {"_attach", attach, METH_VARARGS, "Takes a handle that nobody else gives back, the form of the values, and of its client what is there."},
  {0},
};

static PyMemberDef members[] = {
  {"key", T_OBJECT_EX, offsetof(struct flag, key), READONLY, "Key of the flag."},
  {"default", T_OBJECT_EX, offsetof(struct flag, default_value), READONLY, "What is returned when there is no value."},
  {0},
};

static PyGetSetDef handles[] = {
  {"_h", get_handle, NULL, "The handle, for calls through ctypes.", NULL},
  {0},
};

static PyType_Slot slots[] = {
  {Py_tp_doc, "The native flag."},
  {Py_tp_new, PyType_GenericNew},
  {Py_tp_dealloc, dealloc},
  {Py_tp_traverse, traverse},
  {Py_tp_clear, clear},
  {Py_tp_methods, speedups_flag_methods},
  {Py_tp_members, members},
  {Py_tp_getset, handles},
  {0, NULL},
};

PyType_Spec speedups_flag_spec = {
  .name = "flagstone._speedups.FlagBase",
  .basicsize = sizeof(struct flag),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
  .slots = slots,
};
