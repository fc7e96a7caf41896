/* One frame to many sockets: the loop of sweeping.py in one call, without the interpreter's lock.

   write_all(descriptors, frame) sends the same bytes to each socket once and never waits. It
   returns (index, taken) for every socket that did not take the whole frame: how many bytes it
   took, or -errno. What to do then is Python's business; there is no other logic here. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <sys/socket.h>

static PyObject *told(const Py_ssize_t *taken, Py_ssize_t count, Py_ssize_t bytes) {
    PyObject *result = PyList_New(0);
    for (Py_ssize_t at = 0; result != NULL && at < count; at++) {
        if (taken[at] == bytes)
            continue;
        PyObject *row = Py_BuildValue("nn", at, taken[at]);
        if (row == NULL || PyList_Append(result, row) < 0)
            Py_CLEAR(result);
        Py_XDECREF(row);
    }
    return result;
}

static PyObject *sweep_write_all(PyObject *module, PyObject *arguments) {
    PyObject *listed, *result = NULL;
    Py_buffer frame;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!y*", &PyList_Type, &listed, &frame))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(listed);
    int *descriptors = PyMem_New(int, count);
    Py_ssize_t *taken = PyMem_New(Py_ssize_t, count);
    if (descriptors == NULL || taken == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t at = 0; at < count; at++) {
        long value = PyLong_AsLong(PyList_GET_ITEM(listed, at));
        if (value == -1 && PyErr_Occurred())
            goto done;
        if (value < 0 || value > INT_MAX) {
            PyErr_SetString(PyExc_ValueError, "a descriptor is a small whole number");
            goto done;
        }
        descriptors[at] = (int)value;
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t at = 0; at < count; at++) {
        ssize_t sent = send(descriptors[at], frame.buf, (size_t)frame.len,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        taken[at] = sent < 0 ? -errno : sent;
    }
    Py_END_ALLOW_THREADS
    result = told(taken, count, frame.len);
done:
    PyMem_Free(taken);
    PyMem_Free(descriptors);
    PyBuffer_Release(&frame);
    return result;
}

static PyMethodDef methods[] = {
    {"write_all", sweep_write_all, METH_VARARGS, "Send a frame to sockets; see _sweep.pyi."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "liveroom.edge._sweep", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__sweep(void) {
    return PyModule_Create(&definition);
}
