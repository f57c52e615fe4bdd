/*
 * The hot calls of the Python package as an extension module, flagstone._speedups: contexts, evaluation by key, prepared
 * flags. It does what the package does without it, and no more: plain arguments and results are handled here, everything
 * else goes to the method in Python that the call stands for (speedups_fall_back). So what odd arguments give is written down
 * once, in Python, and no object but a real context reaches native code.
 *
 * Nothing is linked: the package hands over the addresses of the library that it has loaded (module.c). Limited API of
 * CPython 3.9. Everything here runs under the GIL; it is released around native calls that may wait for a store.
 *
 * module.c    the module, what Python hands over
 * context.c   contexts
 * client.c    evaluation by key
 * default.c   defaults, for events
 * many.c      evaluation of many flags
 * flag.c      prepared flags
 * tell.c      identify and track
 * pen.c       plain values as JSON
 * result.c    results as Python objects
 * json.c      JSON values that are parsed once
 */
#ifndef SPEEDUPS_H
#define SPEEDUPS_H

#define Py_LIMITED_API 0x03090000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#define FLAGSTONE_STATIC
#include <flagstone.h>

/* Both joined the limited API in 3.10, unchanged. */
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif
PyAPI_FUNC(const char *) PyUnicode_AsUTF8AndSize(PyObject *text, Py_ssize_t *size);

/* Addresses of the library's functions; the header checks their types. */
#define SPEEDUPS_NATIVE(X)                                                                                                   \
  X(bytes_clear) X(client_retain) X(client_release) X(client_may_wait) X(client_wake) X(context_from_attrs) X(context_release) X(detail_clear) X(detail_int)     \
  X(bool_variation) X(int_variation) X(double_variation) X(string_variation) X(variation_or) X(variation_many_or)            \
  X(flag_bool) X(flag_int) X(flag_double) X(flag_string) X(flag_detail) X(flag_value) X(flag_release) X(identify)      \
  X(track)

struct native {
#define X(name) __typeof__(&flagstone_##name) name;
  SPEEDUPS_NATIVE(X)
#undef X
};

/* Methods in Python that calls fall back to. */
#define SPEEDUPS_METHODS(X)                                                                                                  \
  X(context_init, "__init__") X(flag_value, "value") X(flag_detail, "detail") X(bool_variation, "bool_variation")             \
  X(int_variation, "int_variation") X(float_variation, "float_variation") X(string_variation, "string_variation")            \
  X(json_variation, "json_variation") X(variation, "variation") X(bool_variation_detail, "bool_variation_detail")            \
  X(int_variation_detail, "int_variation_detail") X(float_variation_detail, "float_variation_detail")                        \
  X(string_variation_detail, "string_variation_detail") X(json_variation_detail, "json_variation_detail")                    \
  X(variation_detail, "variation_detail") X(variation_many, "variation_many") X(identify, "identify") X(track, "track")

enum method {
#define X(name, text) METHOD_##name,
  SPEEDUPS_METHODS(X)
#undef X
  METHODS
};

/* All that is not in an object. Strong references; NULL before the module is made and once it is gone. */
struct speedups {
  struct native native;
  PyTypeObject *context_base, *flag_base, *client_base;
  /* Classes of the package; of contexts twice: NULL in a process that is asleep, where all calls go to Python. */
  PyTypeObject *context_type, *awake_type, *detail_type;
  /* Functions of the package: see the stub file. */
  PyObject *decode, *reason, *tell, *write, *encode, *pointer;
  PyObject *methods[METHODS];
  /* Interned names. */
  PyObject *value, *variation_index, *reason_name, *is_stale, *parameters[3], *told[4];
};
extern struct speedups speedups;

/* An object of the package's class Context. */
struct context {
  PyObject_HEAD
  flagstone_context *handle;
};

/* Whether evaluation waits for a store: never, perhaps at any time, or when the data have big segments. As in _fast.py. */
enum waits { WAITS_NEVER, WAITS_ALWAYS, WAITS_PERHAPS };

/* An object of the package's class Client. */
struct client {
  PyObject_HEAD
  flagstone_client *handle;
  enum waits waits;
  /* Events may tell the defaults that callers give. */
  int tells;
};

/* In what form a number is promised, if in one. The letters are those of _fast.py. */
enum form { FORM_BOOL = 'b', FORM_INT = 'i', FORM_FLOAT = 'f', FORM_STRING = 's', FORM_ANY = 'a' };

/* What a JSON value was parsed from, and into what. */
struct parsed {
  PyObject *text, *value;
};
struct json_cache {
  struct parsed *entries;
  int count;
};

/* Py_NewRef, which is younger. */
static inline PyObject *speedups_keep(PyObject *object)
{
  Py_INCREF(object);
  return object;
}

extern PyType_Spec speedups_context_spec, speedups_client_spec, speedups_flag_spec;
/* Each with its signature for documentation, to which module.c adds that of the method in Python. */
extern PyMethodDef speedups_client_methods[], speedups_flag_methods[];

/* What a METH_FASTCALL | METH_KEYWORDS function gets. */
#define SPEEDUPS_ARGUMENTS PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names

/* Calls the method in Python. */
PyObject *speedups_fall_back(enum method method, SPEEDUPS_ARGUMENTS);

/* What was found, or an exception that is set; without either, what the method in Python says. */
static inline PyObject *speedups_or_else(PyObject *result, enum method method, SPEEDUPS_ARGUMENTS)
{
  return result || PyErr_Occurred() ? result : speedups_fall_back(method, self, args, count, names);
}

PyObject *speedups_variation_many(SPEEDUPS_ARGUMENTS);
PyObject *speedups_identify(SPEEDUPS_ARGUMENTS);
PyObject *speedups_track(SPEEDUPS_ARGUMENTS);

/* True when the exception that is set may be answered by the method in Python, which meets it again or not; clears it. */
int speedups_recover(void);

/* Takes the address out of an object of ctypes.c_void_p, which is NULL then; NULL with an exception for none. */
void *speedups_take(PyObject *pointer);

/* An object of ctypes.c_void_p for a handle: what the member _h gives; raises AttributeError for NULL. */
PyObject *speedups_pointer(const void *handle);

/* A context from a dictionary that nobody else has; None when not all of it is plain. Takes class and dictionary. */
PyObject *speedups_context_from(PyObject *module, PyObject *const *args, Py_ssize_t count);

/*
 * What events are told of a default: null for what has no JSON form. `kept`, which may be NULL afterwards, keeps the text; so
 * does the default itself. False with an exception that is none of the default's, from a signal handler for example.
 */
int speedups_default(flagstone_default *told, PyObject *value, PyObject **kept);

/* The JSON form of a value as bytes: of a small plain one at once, of all others what `otherwise`, a function in Python, makes. */
PyObject *speedups_written(PyObject *value, PyObject *otherwise);

/*
 * A filled detail as a value or as an EvaluationDetail; clears it. `cache` may be NULL. NULL with an exception when it cannot
 * be done here.
 */
PyObject *speedups_value(flagstone_detail *detail, PyObject *default_value, enum form form, struct json_cache *cache);
PyObject *speedups_detail(flagstone_detail *detail, PyObject *default_value, enum form form, struct json_cache *cache);

/* Text that was handed out, or the default; gives the text back. */
PyObject *speedups_text(int32_t found, flagstone_bytes *bytes, PyObject *default_value);
void speedups_forget_reasons(void);
void speedups_forget_results(void);

/* The value of a JSON variation: a copy that belongs to the caller. Without a cache, that of all calls by key is used. */
PyObject *speedups_json(const flagstone_detail *detail, struct json_cache *cache);
int speedups_json_traverse(struct json_cache *cache, visitproc visit, void *arg);
void speedups_json_clear(struct json_cache *cache);
void speedups_forget_json(void);

/* The handle of a real context that has been made; NULL for everything else, and for all in a process that is asleep. */
static inline const flagstone_context *speedups_context(PyObject *object)
{
  PyTypeObject *type = Py_TYPE(object);
  if (type != speedups.awake_type && (!speedups.awake_type || !PyType_IsSubtype(type, speedups.context_base))) {
    return NULL;
  }
  return ((struct context *)object)->handle;
}

/* Whether the GIL is to be given away now. */
static inline int speedups_may_wait(enum waits waits, const flagstone_client *client)
{
  return waits == WAITS_PERHAPS ? speedups.native.client_may_wait(client) : (int)waits;
}

/* A native call; the GIL is given away where it may wait for a store. Handles and texts belong to objects that callers hold. */
#define SPEEDUPS_CALL(may_wait, statement)                                                                                   \
  do {                                                                                                                       \
    if (may_wait) {                                                                                                          \
      PyThreadState *saved = PyEval_SaveThread();                                                                            \
      statement;                                                                                                             \
      PyEval_RestoreThread(saved);                                                                                           \
    } else {                                                                                                                 \
      statement;                                                                                                             \
    }                                                                                                                        \
  } while (0)

#endif
