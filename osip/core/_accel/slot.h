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

/* Return what hash() says of bytes with that content. */
static inline Py_ssize_t osip_hash_of(const void *at, Py_ssize_t size)
{
#if PY_VERSION_HEX >= 0x030E0000
    return Py_HashBuffer(at, size);
#else
    return _Py_HashBytes(at, size);
#endif
}

/* Make text of bytes that are ASCII. */
static inline PyObject *osip_ascii(const uint8_t *s, uint32_t start, uint32_t end)
{
    PyObject *text = PyUnicode_New((Py_ssize_t)(end - start), 127);
    if (text)
        memcpy(PyUnicode_1BYTE_DATA(text), s + start, end - start);
    return text;
}

/* What `osip_getattro` finds at once: for the two classes of messages, each name with its slot and the descriptor that
   fills that, or with a value that all instances share. Names are interned: the same text is the same object. */
#define OSIP_NAMES 256
struct osip_name {
    PyObject *name;
    PyObject *value;            /* descriptor, or the value itself where there is no slot */
    Py_ssize_t offset;          /* 0 where there is no slot */
};
static struct {
    PyTypeObject *type;
    int used;
    struct osip_name name[OSIP_NAMES];
} osip_known[2];

static inline unsigned osip_place(PyObject *name)
{
    return (unsigned)(((uintptr_t)name >> 4 ^ (uintptr_t)name >> 12) & (OSIP_NAMES - 1));
}

/* Read an attribute of a message: the usual way asks the class and each of its bases for the name. */
static PyObject *osip_getattro(PyObject *object, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(object);
    int kind = type == osip_known[0].type ? 0 : 1;
    unsigned at = osip_place(name);
    struct osip_name *known;
    PyObject *found;
    if (type == osip_known[kind].type)
        for (;; at = (at + 1) & (OSIP_NAMES - 1)) {
            known = &osip_known[kind].name[at];
            if (known->name == name) {
                found = known->offset ? *(PyObject **)((char *)object + known->offset) : known->value;
                if (!found)
                    return Py_TYPE(known->value)->tp_descr_get(known->value, object, (PyObject *)type);
                Py_INCREF(found);
                return found;
            }
            if (!known->name)
                break;
        }
    return PyObject_GenericGetAttr(object, name);
}

/* Let `osip_getattro` read the attributes of a class; forget what it knew of another one of this kind. */
static inline void osip_know_class(int kind, PyObject *cls)
{
    int i;
    for (i = 0; i < OSIP_NAMES; i++) {
        Py_CLEAR(osip_known[kind].name[i].name);
        Py_CLEAR(osip_known[kind].name[i].value);
    }
    osip_known[kind].used = 0;
    Py_INCREF(cls);             /* kept for good, so that no other class is taken for it */
    osip_known[kind].type = (PyTypeObject *)cls;
    ((PyTypeObject *)cls)->tp_getattro = osip_getattro;
    PyType_Modified((PyTypeObject *)cls);
}

/* Add a name; half of the places stay free, so that each search ends. -1 with an exception when there are too many. */
static inline int osip_know_name(int kind, PyObject *name, PyObject *value, Py_ssize_t offset)
{
    unsigned at;
    if (osip_known[kind].used == OSIP_NAMES / 2) {
        PyErr_SetString(PyExc_ValueError, "too many attributes");
        return -1;
    }
    osip_known[kind].used++;
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    for (at = osip_place(name); osip_known[kind].name[at].name; at = (at + 1) & (OSIP_NAMES - 1))
        ;
    Py_INCREF(value);
    osip_known[kind].name[at].name = name;
    osip_known[kind].name[at].value = value;
    osip_known[kind].name[at].offset = offset;
    return 0;
}

#endif
