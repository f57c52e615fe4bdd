/* What a program tells of itself: the methods identify and track. What is not told here, the methods in Python say. */
#include "speedups.h"

enum parameter { EVENT_NAME, CONTEXT, DATA, METRIC_VALUE, PARAMETERS };

/* Sorts the arguments; false for those that are not plain. */
static int take(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **found)
{
  if (count > PARAMETERS) {
    return 0;
  }
  for (Py_ssize_t index = 0; index < PARAMETERS; index++) {
    found[index] = index < count ? args[index] : NULL;
  }
  for (Py_ssize_t index = 0; names && index < PyTuple_Size(names); index++) {
    Py_ssize_t place = count;
    while (place < PARAMETERS && PyTuple_GetItem(names, index) != speedups.told[place]) {
      place++;
    }
    if (place == PARAMETERS) {
      return 0;
    }
    found[place] = args[count + index];
  }
  return found[EVENT_NAME] && found[CONTEXT] && PyUnicode_CheckExact(found[EVENT_NAME]);
}

/* The number behind a metric; false for what is none. */
static int number(PyObject *metric, double *value)
{
  if (PyFloat_CheckExact(metric)) {
    *value = PyFloat_AsDouble(metric);
    return 1;
  }
  if (!PyLong_CheckExact(metric)) {
    return 0;
  }
  *value = PyLong_AsDouble(metric);
  return !PyErr_Occurred();
}

/* True when it was told; false, with an exception or not, when the method in Python is to see to it. */
static int tell(const struct client *client, PyObject **found)
{
  const flagstone_context *context = speedups_context(found[CONTEXT]);
  PyObject *data = found[DATA] == Py_None ? NULL : found[DATA], *metric = found[METRIC_VALUE] == Py_None ? NULL : found[METRIC_VALUE];
  Py_ssize_t name_size, size = 0;
  const char *name = context && client->handle ? PyUnicode_AsUTF8AndSize(found[EVENT_NAME], &name_size) : NULL;
  double value;
  if (!name || (metric && !number(metric, &value))) {
    return 0;
  }
  PyObject *json = data ? speedups_written(data, speedups.write) : NULL;
  char *text = NULL;
  if (data && (!json || PyBytes_AsStringAndSize(json, &text, &size))) {
    Py_XDECREF(json);
    return 0;
  }
  int32_t status = speedups.native.track(client->handle, context, name, (size_t)name_size, metric ? &value : NULL, text,
                                         (size_t)size, NULL);
  Py_XDECREF(json);
  return status == FLAGSTONE_STATUS_OK;
}

PyObject *speedups_track(SPEEDUPS_ARGUMENTS)
{
  PyObject *found[PARAMETERS];
  if (take(args, count, names, found) && tell((struct client *)self, found)) {
    Py_RETURN_NONE;
  }
  if (PyErr_Occurred() && !speedups_recover()) {
    return NULL;
  }
  return speedups_fall_back(METHOD_track, self, args, count, names);
}

PyObject *speedups_identify(SPEEDUPS_ARGUMENTS)
{
  const struct client *client = (struct client *)self;
  const flagstone_context *context = count == 1 && !names ? speedups_context(args[0]) : NULL;
  if (context && client->handle &&
      speedups.native.identify(client->handle, context, NULL) == FLAGSTONE_STATUS_OK) {
    Py_RETURN_NONE;
  }
  return speedups_fall_back(METHOD_identify, self, args, count, names);
}
