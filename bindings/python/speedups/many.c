/* Evaluation of many flags by key in one native call. */
#include "speedups.h"

/* Keys and defaults of a call for many flags, as lists of its own; false for what is not plain. */
static int take_keys(PyObject *asked, PyObject **keys, PyObject **defaults)
{
  *keys = *defaults = NULL;
  if (PyDict_CheckExact(asked)) {
    *keys = PyDict_Keys(asked);
    *defaults = PyDict_Values(asked);
    return *keys && *defaults;
  }
  if (PyList_CheckExact(asked) || PyTuple_CheckExact(asked)) {
    *keys = PySequence_List(asked);
    return *keys != NULL;
  }
  return 0;
}

/* Makes the results and clears the details, all of them in any case. */
static PyObject *collect(PyObject *keys, PyObject *defaults, flagstone_detail *details)
{
  Py_ssize_t count = PyList_Size(keys);
  PyObject *results = PyDict_New();
  for (Py_ssize_t index = 0; index < count; index++) {
    PyObject *default_value = defaults ? PyList_GetItem(defaults, index) : Py_None;
    PyObject *result = results ? speedups_detail(&details[index], default_value, FORM_ANY, NULL) : NULL;
    if (results && (!result || PyDict_SetItem(results, PyList_GetItem(keys, index), result))) {
      Py_DECREF(results);
      results = NULL;
    }
    Py_XDECREF(result);
    speedups.native.detail_clear(&details[index]);
  }
  return results;
}

static PyObject *ask_many(const struct client *client, const flagstone_context *context, PyObject *keys, PyObject *defaults)
{
  Py_ssize_t count = PyList_Size(keys);
  flagstone_str *texts = PyMem_Malloc((size_t)(count + 1) * sizeof *texts);
  flagstone_detail *details = PyMem_Malloc((size_t)(count + 1) * sizeof *details);
  PyObject *results = NULL;
  Py_ssize_t ready = 0;
  while (texts && details && ready < count) {
    PyObject *key = PyList_GetItem(keys, ready);
    Py_ssize_t size;
    texts[ready].ptr = PyUnicode_CheckExact(key) ? PyUnicode_AsUTF8AndSize(key, &size) : NULL;
    if (!texts[ready].ptr) {
      break;
    }
    texts[ready].len = (size_t)size;
    details[ready++] = (flagstone_detail){.struct_size = sizeof *details};
  }
  if (texts && details && ready == count) {
    SPEEDUPS_CALL(client->may_wait,
                  speedups.native.variation_many(client->handle, context, texts, (size_t)count, details));
    results = collect(keys, defaults, details);
  }
  PyMem_Free(texts);
  PyMem_Free(details);
  return results;
}

PyObject *speedups_variation_many(SPEEDUPS_ARGUMENTS)
{
  const struct client *client = (struct client *)self;
  const flagstone_context *context = count == 2 && !names ? speedups_context(args[1]) : NULL;
  PyObject *keys = NULL, *defaults = NULL, *results = NULL;
  if (context && client->handle && take_keys(args[0], &keys, &defaults)) {
    results = ask_many(client, context, keys, defaults);
  }
  Py_XDECREF(keys);
  Py_XDECREF(defaults);
  if (!results && PyErr_Occurred()) {
    speedups_recover();
  }
  return speedups_or_else(results, METHOD_variation_many, self, args, count, names);
}
