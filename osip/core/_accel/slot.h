/* Reach the __slots__ of Python classes by their offset: a store is then one pointer write instead of a lookup. */
#ifndef OSIP_SLOT_H
#define OSIP_SLOT_H

#include <Python.h>
#include <structmember.h>

/* Return the offset of a slot of `type`; -1 when it has no such slot. */
static inline Py_ssize_t osip_slot(PyObject *type, const char *name)
{
    Py_ssize_t offset = -1;
    PyObject *found = PyObject_GetAttrString(type, name);
    if (!found) {
        PyErr_Clear();
        return -1;
    }
    if (Py_TYPE(found) == &PyMemberDescr_Type) {
        PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type == T_OBJECT_EX && !(member->flags & READONLY))
            offset = member->offset;
    }
    Py_DECREF(found);
    return offset;
}

/* Fill a slot with a reference that the slot then owns. */
static inline void osip_put(PyObject *object, Py_ssize_t offset, PyObject *value)
{
    PyObject **slot = (PyObject **)((char *)object + offset);
    PyObject *old = *slot;
    *slot = value;
    Py_XDECREF(old);
}

/* Return what a slot holds, borrowed; NULL while it is empty. */
static inline PyObject *osip_take(PyObject *object, Py_ssize_t offset)
{
    return *(PyObject **)((char *)object + offset);
}

/* Make an instance as `type.__new__(type)` does. */
static inline PyObject *osip_new(PyObject *type)
{
    return ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
}

/* Free an instance of a class that has nothing but slots: the usual way asks the class for each of them. */
static void osip_free(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject **slot = (PyObject **)((char *)object + sizeof(PyObject));
    PyObject **end;
    /* A class derived from this one frees its own part first, and then calls this function. */
    while (type->tp_dealloc != osip_free)
        type = type->tp_base;
    end = (PyObject **)((char *)object + type->tp_basicsize);
    PyObject_GC_UnTrack(object);
    for (; slot < end; slot++)
        Py_CLEAR(*slot);
    type = Py_TYPE(object);
    type->tp_free(object);
    Py_DECREF(type);
}

/* Let instances of a class be freed by `osip_free`, if they have slots of objects and nothing else. */
static inline void osip_slots_only(PyObject *cls)
{
    PyTypeObject *type = (PyTypeObject *)cls, *each;
    Py_ssize_t slots = 0;
    if (!PyType_IS_GC(type) || type->tp_itemsize || type->tp_dictoffset || type->tp_weaklistoffset || type->tp_finalize
            || type->tp_del)
        return;
    for (each = type; each && each != &PyBaseObject_Type; each = each->tp_base)
        if (((PyHeapTypeObject *)each)->ht_slots)
            slots += PyTuple_GET_SIZE(((PyHeapTypeObject *)each)->ht_slots);
    if (type->tp_basicsize == (Py_ssize_t)(sizeof(PyObject) + slots * sizeof(PyObject *)))
        type->tp_dealloc = osip_free;
}

/* Make text of bytes that are ASCII. */
static inline PyObject *osip_ascii(const uint8_t *s, uint32_t start, uint32_t end)
{
    PyObject *text = PyUnicode_New((Py_ssize_t)(end - start), 127);
    if (text)
        memcpy(PyUnicode_1BYTE_DATA(text), s + start, end - start);
    return text;
}

#endif
