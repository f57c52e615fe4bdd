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

/* What one call needs, beside the keys: freed as one. */
struct memory {
  flagstone_str *texts;
  flagstone_detail *details;
  /* NULL where nobody is told of them, with what keeps their texts. */
  flagstone_default *told;
  PyObject **kept;
};

static int get_memory(struct memory *memory, size_t count, int tells)
{
  *memory = (struct memory){
    .texts = PyMem_Malloc((count + 1) * sizeof *memory->texts),
    .details = PyMem_Malloc((count + 1) * sizeof *memory->details),
    .told = tells ? PyMem_Malloc((count + 1) * sizeof *memory->told) : NULL,
    .kept = tells ? PyMem_Calloc(count + 1, sizeof *memory->kept) : NULL,
  };
  return memory->texts && memory->details && (!tells || (memory->told && memory->kept));
}

static void free_memory(struct memory *memory, size_t count)
{
  for (size_t index = 0; memory->kept && index < count; index++) {
    Py_XDECREF(memory->kept[index]);
  }
  PyMem_Free(memory->texts);
  PyMem_Free(memory->details);
  PyMem_Free(memory->told);
  PyMem_Free(memory->kept);
}

static PyObject *ask_many(const struct client *client, const flagstone_context *context, PyObject *keys, PyObject *defaults)
{
  Py_ssize_t count = PyList_Size(keys);
  int tells = client->tells && defaults;
  PyObject *results = NULL;
  Py_ssize_t ready = 0;
  struct memory memory;
  int usable = get_memory(&memory, (size_t)count, tells);
  while (usable && ready < count) {
    PyObject *key = PyList_GetItem(keys, ready);
    Py_ssize_t size;
    const char *text = PyUnicode_CheckExact(key) ? PyUnicode_AsUTF8AndSize(key, &size) : NULL;
    if (!text) {
      break;
    }
    memory.texts[ready] = (flagstone_str){text, (size_t)size};
    memory.details[ready] = (flagstone_detail){.struct_size = sizeof *memory.details};
    if (tells && !speedups_default(&memory.told[ready], PyList_GetItem(defaults, ready), &memory.kept[ready])) {
      break;
    }
    ready++;
  }
  if (usable && ready == count) {
    SPEEDUPS_CALL(speedups_may_wait(client->waits, client->handle),
                  speedups.native.variation_many_or(client->handle, context, memory.texts, memory.told, (size_t)count,
                                                    FLAGSTONE_ASK_REASON, memory.details));
    results = collect(keys, defaults, memory.details);
  }
  free_memory(&memory, (size_t)count);
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
