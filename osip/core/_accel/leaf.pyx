# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Read and build SIP messages in C; the pure-Python twin in osip/core/sip is the source of truth.

Each reader is made by its twin with the class to fill and the function to call for what is unusual. A message that
was read here has an `Index` as its `headers`; the builders know by that that its top Via stands alone and is plain.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.long cimport PyLong_AsLong, PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_INCREF, PyObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from osip.core._accel.scan cimport *

cdef extern from "Python.h":
    const uint8_t *PyUnicode_1BYTE_DATA(object)
    bint PyUnicode_IS_COMPACT_ASCII(object)
    bint PyUnicode_CheckExact(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    object PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *)
    object PyUnicode_InternFromString(const char *)
    object PyUnicode_New(Py_ssize_t, Py_UCS4)
    PyObject *PyList_GET_ITEM(object, Py_ssize_t)

DEF MOST_EDITS = 48
DEF MOST_PIECES = 1200
DEF LONGEST_VIA = 1024
DEF MAX_DIGITS = 10
DEF USUAL_HEADERS = 16
DEF LONGEST_TAG = 64
DEF LONGEST_IDENTITY = 512
DEF HINTS = 12

osip_fill_classes()
cdef const char *HEX = b"0123456789abcdef"

ctypedef struct piece:
    const char *start
    Py_ssize_t size

ctypedef struct pieces:
    int count
    Py_ssize_t size
    piece item[MOST_PIECES]


cdef inline void add(pieces *out, const char *start, Py_ssize_t size) noexcept nogil:
    if out.count and out.item[out.count - 1].start + out.item[out.count - 1].size == start:
        out.item[out.count - 1].size += size        # lines that are copied one after the other
        out.size += size
        return
    out.item[out.count].start = start
    out.item[out.count].size = size
    out.count += 1
    out.size += size


cdef object join(pieces *out):
    cdef object data = PyBytes_FromStringAndSize(NULL, out.size)
    cdef char *to = PyBytes_AS_STRING(data)
    cdef int i
    for i in range(out.count):
        memcpy(to, out.item[i].start, out.item[i].size)
        to += out.item[i].size
    return data


cdef inline int write_number(char *to, unsigned long number) noexcept nogil:
    """Write a number; return how many digits it has."""
    cdef char digit[24]
    cdef int count = 0, i
    while True:
        digit[count] = <char>(48 + number % 10)
        count += 1
        number = number / 10
        if not number:
            break
    for i in range(count):
        to[i] = digit[count - 1 - i]
    return count


cdef inline void put(object instance, Py_ssize_t slot, object value):
    Py_INCREF(value)
    osip_put(instance, slot, <void *>value)


cdef Py_ssize_t slot_of(object cls, str name) except -1:
    cdef Py_ssize_t slot = osip_slot(cls, name.encode())
    if slot < 0:
        raise TypeError(f"{cls.__name__} has no slot {name}")
    return slot


cdef inline bint is_ascii(object text):
    return PyUnicode_CheckExact(text) and PyUnicode_IS_COMPACT_ASCII(text)


@cython.freelist(8)
@cython.final
cdef class Index:
    """Be the header index of one message: a sequence of (header id, start, value start, end)."""
    cdef osip_header *header            # `room` where they fit
    cdef Py_ssize_t count
    cdef osip_found found
    cdef osip_header room[USUAL_HEADERS]

    def __cinit__(self):
        self.header = NULL
        self.count = 0

    def __dealloc__(self):
        if self.header != &self.room[0]:
            PyMem_Free(self.header)

    cdef Py_ssize_t first(self, int number) noexcept:
        """Return which header is the first of an id; -1 for none."""
        cdef Py_ssize_t i
        for i in range(self.count):
            if self.header[i].id == number:
                return i
        return -1

    cdef tuple at(self, Py_ssize_t i):
        cdef osip_header *header = &self.header[i]
        return (header.id, header.start, header.value, header.end)

    def __len__(self):
        return self.count

    def __getitem__(self, key):
        cdef Py_ssize_t i
        if isinstance(key, slice):
            return list(self)[key]
        i = key
        if i < 0:
            i += self.count
        if i < 0 or i >= self.count:
            raise IndexError("header index out of range")
        return self.at(i)

    def __iter__(self):
        cdef Py_ssize_t i
        return iter([self.at(i) for i in range(self.count)])

    def __eq__(self, other):
        return list(self) == list(other)

    __hash__ = None

    def __repr__(self):
        return repr(list(self))


cdef object make_index(osip_scan *scan):
    cdef Index index = Index.__new__(Index)
    cdef Py_ssize_t size = scan.found.headers * sizeof(osip_header)
    if scan.found.headers <= USUAL_HEADERS:
        index.header = &index.room[0]
    else:
        index.header = <osip_header *>PyMem_Malloc(size)
    if index.header == NULL:
        raise MemoryError
    memcpy(index.header, scan.header, size)
    index.count = scan.found.headers
    index.found = scan.found
    return index


cdef class ViaReader:
    """Parse Via values (osip.core.sip.via)."""
    cdef object cls, fallback, version
    cdef tuple transports
    cdef Py_ssize_t s_version, s_transport, s_host, s_port, s_params_text, s_branch, s_received, s_rport, s_is_ipv6

    def __init__(self, cls, fallback):
        self.cls, self.fallback, self.version = cls, fallback, "2.0"
        self.transports = tuple([PyUnicode_InternFromString(OSIP_TRANSPORTS[i]) for i in range(OSIP_TRANSPORT_COUNT)])
        self.s_version, self.s_transport = slot_of(cls, "version"), slot_of(cls, "transport")
        self.s_host, self.s_port = slot_of(cls, "host"), slot_of(cls, "port")
        self.s_params_text, self.s_branch = slot_of(cls, "params_text"), slot_of(cls, "branch")
        self.s_received, self.s_rport = slot_of(cls, "received"), slot_of(cls, "rport")
        self.s_is_ipv6 = slot_of(cls, "is_ipv6")

    cdef object make(self, const uint8_t *s, osip_via *via):
        cdef object made = osip_new(self.cls)
        put(made, self.s_version, self.version)
        put(made, self.s_transport, self.transports[via.transport])
        put(made, self.s_host, osip_ascii(s, via.host.start, via.host.end))
        if via.port < 0:
            put(made, self.s_port, None)
        else:
            put(made, self.s_port, via.port)
        put(made, self.s_params_text, osip_ascii(s, via.params.start, via.params.end))
        put(made, self.s_is_ipv6, False)
        if via.has_branch:
            put(made, self.s_branch, osip_ascii(s, via.branch.start, via.branch.end))
        else:
            put(made, self.s_branch, "")
        if not via.has_received:
            put(made, self.s_received, "")
        if not via.has_rport:
            put(made, self.s_rport, None)
        elif via.rport_has_value:
            put(made, self.s_rport, osip_ascii(s, via.rport.start, via.rport.end))
        else:
            put(made, self.s_rport, "")
        return made

    def parse(self, text):
        """Parse one Via value (no commas); raise ParseError when it is malformed."""
        cdef osip_via via
        cdef const uint8_t *s
        if is_ascii(text):
            s = PyUnicode_1BYTE_DATA(text)
            if osip_read_via(s, 0, <uint32_t>PyUnicode_GET_LENGTH(text), &via):
                return self.make(s, &via)
        return self.fallback(text)

    def all(self, raw, headers):
        """Return all Via values of a message whose Via lines are plain; None when the twin must read them."""
        cdef Index index
        cdef osip_via via
        cdef Py_ssize_t i
        cdef const uint8_t *s
        cdef list found = []
        if type(headers) is not Index:
            return None
        index = <Index>headers
        s = <const uint8_t *>PyBytes_AS_STRING(raw)
        for i in range(index.found.top, index.count):
            if index.header[i].id == OSIP_VIA:
                if not osip_read_via(s, index.header[i].value, index.header[i].end, &via):
                    return None
                found.append(self.make(s, &via))
        return found


cdef class UriReader:
    """Parse SIP and SIPS URIs (osip.core.sip.uri)."""
    cdef object cls, fallback
    cdef tuple schemes
    cdef Py_ssize_t s_scheme, s_user, s_password, s_host, s_port, s_params, s_headers, s_is_ipv6, s_opaque, s_text

    def __init__(self, cls, fallback):
        self.cls, self.fallback, self.schemes = cls, fallback, ("sip", "sips")
        self.s_scheme, self.s_user, self.s_password = slot_of(cls, "scheme"), slot_of(cls, "user"), slot_of(cls, "password")
        self.s_host, self.s_port, self.s_params = slot_of(cls, "host"), slot_of(cls, "port"), slot_of(cls, "params")
        self.s_headers, self.s_is_ipv6 = slot_of(cls, "headers"), slot_of(cls, "is_ipv6")
        self.s_opaque, self.s_text = slot_of(cls, "opaque"), slot_of(cls, "_text")

    cdef object make(self, const uint8_t *s, osip_uri *uri, object text):
        cdef object made = osip_new(self.cls)
        cdef int i
        cdef list params
        put(made, self.s_scheme, self.schemes[uri.scheme.end - uri.scheme.start == 4])
        put(made, self.s_user, osip_ascii(s, uri.user.start, uri.user.end))
        put(made, self.s_password, osip_ascii(s, uri.password.start, uri.password.end))
        put(made, self.s_host, osip_ascii(s, uri.host.start, uri.host.end))
        if uri.port < 0:
            put(made, self.s_port, None)
        else:
            put(made, self.s_port, uri.port)
        if uri.params:
            params = []
            for i in range(uri.params):
                params.append((osip_ascii(s, uri.name[i].start, uri.name[i].end),
                               osip_ascii(s, uri.value[i].start, uri.value[i].end) if uri.has_value[i] else None))
            put(made, self.s_params, tuple(params))
        else:
            put(made, self.s_params, ())
        put(made, self.s_headers, osip_ascii(s, uri.headers.start, uri.headers.end))
        put(made, self.s_is_ipv6, False)
        put(made, self.s_opaque, "")
        put(made, self.s_text, text)
        return made

    def parse(self, text):
        """Parse a URI of any scheme; raise ParseError when it is malformed."""
        cdef osip_uri uri
        cdef const uint8_t *s
        if is_ascii(text):
            s = PyUnicode_1BYTE_DATA(text)
            if PyUnicode_GET_LENGTH(text) < 65536 and osip_read_uri(s, 0, <uint32_t>PyUnicode_GET_LENGTH(text), &uri):
                return self.make(s, &uri, text)
        return self.fallback(text)


cdef bint find_brackets(const uint8_t *s, uint32_t start, uint32_t end, uint32_t *name, uint32_t *uri,
                        uint32_t *closing) noexcept:
    """Find the end of the display name of a name-addr, its URI, and the bracket behind that; 0 for what is unusual."""
    cdef uint32_t pos = start
    cdef const uint8_t *found
    if s[pos] == 34:
        pos += 1
        while pos < end and s[pos] != 34:
            if s[pos] == 92:
                return False
            pos += 1
        pos += 1
        name[0] = pos
        while pos < end and (s[pos] == 32 or s[pos] == 9):
            pos += 1
        if pos >= end or s[pos] != 60:
            return False
    else:
        while pos < end and s[pos] != 60:
            if s[pos] == 34 or s[pos] == 44 or s[pos] == 59 or s[pos] == 62 or s[pos] < 32:
                return False
            pos += 1
        name[0] = pos
        while name[0] > start and s[name[0] - 1] == 32:
            name[0] -= 1
    pos += 1
    uri[0] = pos
    found = <const uint8_t *>memchr(s + pos, 62, end - pos) if pos < end else NULL
    pos = end if found == NULL else <uint32_t>(found - s)
    closing[0] = pos
    return pos < end and pos > uri[0] and (pos + 1 == end or s[pos + 1] == 59)


cdef class AddressReader:
    """Parse name-addr values (osip.core.sip.address)."""
    cdef object cls, fallback
    cdef Py_ssize_t s_display, s_uri_text, s_params_text, s_has_brackets

    def __init__(self, cls, fallback):
        self.cls, self.fallback = cls, fallback
        self.s_display, self.s_uri_text = slot_of(cls, "display"), slot_of(cls, "uri_text")
        self.s_params_text, self.s_has_brackets = slot_of(cls, "params_text"), slot_of(cls, "has_brackets")

    def parse(self, text):
        """Parse one name-addr or addr-spec with its parameters; raise ParseError when it is malformed."""
        cdef uint32_t end, pos, name, uri
        cdef const uint8_t *s
        cdef object made
        if not is_ascii(text) or not 0 < PyUnicode_GET_LENGTH(text) < 65536:
            return self.fallback(text)
        s = PyUnicode_1BYTE_DATA(text)
        end = <uint32_t>PyUnicode_GET_LENGTH(text)
        if s[0] <= 32 or s[end - 1] <= 32 or not find_brackets(s, 0, end, &name, &uri, &pos):
            return self.fallback(text)
        made = osip_new(self.cls)
        put(made, self.s_display, osip_ascii(s, 0, name))
        put(made, self.s_uri_text, osip_ascii(s, uri, pos))
        put(made, self.s_params_text, osip_ascii(s, pos + 1, end))
        put(made, self.s_has_brackets, True)
        return made


cdef class Reader:
    """Parse whole messages, and build replies and copies to send on (osip.core.sip.message and build)."""
    cdef object request, response, fallback
    cdef ViaReader via
    cdef UriReader uri
    cdef osip_names names
    cdef tuple methods, method_ids
    cdef int h_contact, h_expires, h_agent, h_allow, m_register
    cdef Py_ssize_t s_raw, s_headers, s_checked

    def __init__(self, request, response, ViaReader via, UriReader uri, headers, methods, fallback, compute):
        """`headers` maps names (those in lower case, and usual spellings) to ids, `methods` names to ids.

        `fallback` reads what is unusual.

        `compute` maps names of fields to what finds the value of a field that is empty in a message of another reader.
        """
        self.request, self.response, self.via, self.uri, self.fallback = request, response, via, uri, fallback
        wanted = {"via": OSIP_VIA, "from": OSIP_FROM, "to": OSIP_TO, "call-id": OSIP_CALL_ID, "cseq": OSIP_CSEQ,
                  "max-forwards": OSIP_MAX_FORWARDS, "record-route": OSIP_RECORD_ROUTE,
                  "content-length": OSIP_CONTENT_LENGTH, "timestamp": OSIP_TIMESTAMP}
        if {name: headers[name] for name in wanted} != wanted:
            raise ValueError("the accelerator was built for other header ids")
        self.h_contact, self.h_expires = headers["contact"], headers["expires"]
        self.h_agent, self.h_allow = headers["user-agent"], headers["allow"]
        memset(&self.names, 0, sizeof(osip_names))
        for name, number in headers.items():
            text = name.encode()
            osip_add_quick(&self.names, text, <uint32_t>len(text), number)
            if name == name.lower() and not osip_add_name(&self.names, text, <uint32_t>len(text), number):
                raise ValueError("header name too long")
        for name, number in methods.items():
            text = name.encode()
            if not osip_add_method(&self.names, text, <uint32_t>len(text), number):
                raise ValueError("method too long")
        self.methods, self.method_ids = tuple(methods), tuple(methods.values())
        self.m_register = self.methods.index("REGISTER")
        self.s_raw, self.s_headers = slot_of(request, "raw"), slot_of(request, "headers")
        self.s_checked = slot_of(request, "checked")
        slots = {}
        for cls in (request.__base__, request, response):
            for name in cls.__slots__:
                slots[cls, name] = slot_of(cls, name)
                if name in FIELDS or name in compute:
                    setattr(cls, name, Field(self, cls, name, slots[cls, name], compute.get(name)))
        del request.__base__.__getattr__        # each field now fills itself
        for kind, cls in enumerate((request, response)):
            osip_slots_only(cls)
            osip_know_class(kind, cls)
            osip_know_name(kind, "is_request", cls.is_request, 0)
            for base in (cls.__base__, cls):
                for name in base.__slots__:
                    osip_know_name(kind, name, base.__dict__[name], slots[base, name])

    def parse(self, raw):
        """Parse the start line of a message and find its head; raise ParseError when that cannot be done.

        A plain message is read whole, since that costs little more.
        """
        cdef osip_scan scan
        cdef const uint8_t *s
        if not PyBytes_CheckExact(raw):
            return self.fallback(raw)
        s = <const uint8_t *>PyBytes_AS_STRING(raw)
        if not osip_read(s, PyBytes_GET_SIZE(raw), &self.names, &scan):
            return self.fallback(raw)
        return self.make(raw, s, &scan)

    def take(self, raw):
        """Parse a plain message, in which `check` would find no fault; None for any other."""
        cdef osip_scan scan
        cdef const uint8_t *s
        if not PyBytes_CheckExact(raw):
            return None
        s = <const uint8_t *>PyBytes_AS_STRING(raw)
        return self.make(raw, s, &scan) if osip_read(s, PyBytes_GET_SIZE(raw), &self.names, &scan) else None

    cdef object make(self, object raw, const uint8_t *s, osip_scan *scan):
        cdef object msg = osip_new(self.request if scan.found.is_request else self.response)
        put(msg, self.s_raw, raw)
        put(msg, self.s_headers, make_index(scan))
        put(msg, self.s_checked, True)
        return msg

    cdef object read(self, Index index, object raw, int field):
        """Return one field of a message that was read here; `UNREAD` when the twin must find it."""
        cdef const uint8_t *s = <const uint8_t *>PyBytes_AS_STRING(raw)
        cdef osip_found *found = &index.found
        cdef osip_uri uri
        cdef object ids
        cdef Py_ssize_t i
        if field == F_METHOD or field == F_CSEQ_METHOD:
            return self.methods[found.method]
        if field == F_METHOD_ID:
            return self.method_ids[found.method]
        if field == F_CALL_ID:
            return osip_ascii(s, found.call_id.start, found.call_id.end)
        if field == F_VIA1_BRANCH:
            return osip_ascii(s, found.via.branch.start, found.via.branch.end) if found.via.has_branch else ""
        if field == F_FROM_TAG:
            return osip_ascii(s, found.from_tag.start, found.from_tag.end)
        if field == F_TO_TAG:
            return osip_ascii(s, found.to_tag.start, found.to_tag.end)
        if field == F_CSEQ:
            return found.cseq
        if field == F_VIA1:
            return self.via.make(s, &found.via)
        if field == F_VIA1_SPAN:
            return (found.via.all.start, found.via.all.end)
        if field == F_VIA1_ALONE:
            return True
        if field == F_VIA1_CUT:
            return (index.header[found.top].start, after(index, found.top))
        if field == F_IDS:
            ids = PyBytes_FromStringAndSize(NULL, index.count)
            for i in range(index.count):
                PyBytes_AS_STRING(ids)[i] = <char>index.header[i].id
            return ids
        if field == F_HEAD_START:
            return found.head_start
        if field == F_HEAD_END:
            return found.head_end
        if field == F_BODY_START:
            return found.body_start
        if field == F_BODY_END:
            return found.body_end
        if field == F_CONTENT_LENGTH:
            return None if found.length < 0 else found.length
        if field == F_MAX_FORWARDS:
            return None if found.hops < 0 else found.hops
        if found.is_request:
            if field == F_RURI:
                return osip_ascii(s, found.ruri.start, found.ruri.end)
            if field == F_URI and osip_read_uri(s, found.ruri.start, found.ruri.end, &uri):
                return self.uri.make(s, &uri, osip_ascii(s, found.ruri.start, found.ruri.end))
            if field == F_RURI_START:
                return found.ruri.start
            if field == F_RURI_END:
                return found.ruri.end
        else:
            if field == F_STATUS:
                return found.status
            if field == F_REASON:
                return PyUnicode_DecodeUTF8(<const char *>s + found.reason.start, found.reason.end - found.reason.start,
                                            "surrogateescape")
        return UNREAD

    cdef Index index_of(self, object msg):
        """Return the index of a message that was read here; None for any other."""
        cdef void *headers
        if type(msg) is not self.request and type(msg) is not self.response:
            return None
        headers = osip_take(msg, self.s_headers)
        if headers == NULL or type(<object>headers) is not Index:
            return None
        return <Index>headers

    cdef void reply(self, pieces *out, const char *s, Index index, int status, const char *tag, Py_ssize_t tag_size,
                    const char *via, Py_ssize_t via_size) noexcept:
        """Add what a reply copies from its request, up to and without what is its own."""
        cdef osip_header *header
        cdef bint routed = status > 100 and status < 300 and index.found.method != self.m_register
        cdef bint tagged = tag_size and index.found.to_tag.start == index.found.to_tag.end
        cdef Py_ssize_t i
        for i in range(index.count):
            header = &index.header[i]
            if header.id == 0 or not (header.id <= OSIP_CSEQ or (routed and header.id == OSIP_RECORD_ROUTE)
                                      or (status == 100 and header.id == OSIP_TIMESTAMP)):
                continue
            if i == index.found.top and via != NULL:
                add(out, s + header.start, header.value - header.start)
                add(out, via, via_size)
                add(out, b"\r\n", 2)
            elif header.id == OSIP_TO and tagged:
                add(out, s + header.start, header.end - header.start)
                add(out, b";tag=", 5)
                add(out, tag, tag_size)
                add(out, b"\r\n", 2)
            else:                               # a line of a plain message ends with CRLF
                add(out, s + header.start, header.end + 2 - header.start)

    def build_reply(self, msg, int status, reason, to_tag, extra, body, server, received, int rport, bint force_rport):
        """Build a reply; None when the twin must do it."""
        cdef Index index = self.index_of(msg)
        if index is None or not is_ascii(to_tag):
            return None
        return self.whole_reply(PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw)), index, status, reason,
                                <const char *>PyUnicode_1BYTE_DATA(to_tag), PyUnicode_GET_LENGTH(to_tag), extra, body,
                                server, received, rport, force_rport)

    def build_answer(self, msg, int status, reason, secret, ending, extra, body, server, received, int rport):
        """Build a stateless reply that goes back where its request came from (osip.core.sip.build).

        None when the twin must do it, or when the top Via asks for it elsewhere.
        """
        cdef Index index = self.index_of(msg)
        cdef osip_via *via
        cdef char tag[LONGEST_TAG]
        cdef Py_ssize_t size = 0
        cdef const char *s
        if index is None or not index.found.is_request or not is_ascii(secret) or not is_ascii(ending) \
                or PyUnicode_GET_LENGTH(ending) > LONGEST_TAG - 16:
            return None
        via = &index.found.via
        if via.has_maddr or not (via.has_rport or via.port == rport):
            return None
        s = PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        if status != 100 and index.found.to_tag.start == index.found.to_tag.end:
            write_hex(tag, identity(s, index, secret))
            size = 16 + PyUnicode_GET_LENGTH(ending)
            memcpy(tag + 16, PyUnicode_1BYTE_DATA(ending), size - 16)
        return self.whole_reply(s, index, status, reason, tag, size, extra, body, server, received, rport, False)

    cdef object whole_reply(self, const char *s, Index index, int status, object reason, const char *tag,
                            Py_ssize_t tag_size, object extra, object body, object server, object received, int rport,
                            bint force_rport):
        cdef pieces out
        cdef char first[32]
        cdef char length[48]
        cdef char via[LONGEST_VIA]
        cdef int via_size = 0, used
        if not is_ascii(reason) or not is_ascii(received) or not PyBytes_CheckExact(extra) \
                or not PyBytes_CheckExact(body) or not PyBytes_CheckExact(server) or not 0 <= status <= 999999:
            return None
        if PyBytes_GET_SIZE(extra) and (PyBytes_GET_SIZE(extra) < 2 or memcmp(
                PyBytes_AS_STRING(extra) + PyBytes_GET_SIZE(extra) - 2, b"\r\n", 2) != 0):
            return None
        if PyUnicode_GET_LENGTH(received):
            via_size = complete(via, <const uint8_t *>s, &index.found.via, received, rport, force_rport)
            if via_size < 0:
                return None
        out.count = 0
        out.size = 0
        memcpy(first, b"SIP/2.0 ", 8)
        used = 8 + write_number(first + 8, status)
        first[used] = 32
        add(&out, first, used + 1)
        add(&out, <const char *>PyUnicode_1BYTE_DATA(reason), PyUnicode_GET_LENGTH(reason))
        add(&out, b"\r\n", 2)
        self.reply(&out, s, index, status, tag, tag_size, via if via_size else NULL, via_size)
        if PyBytes_GET_SIZE(extra):
            add(&out, PyBytes_AS_STRING(extra), PyBytes_GET_SIZE(extra))
        if PyBytes_GET_SIZE(server):
            add(&out, b"Server: ", 8)
            add(&out, PyBytes_AS_STRING(server), PyBytes_GET_SIZE(server))
            add(&out, b"\r\n", 2)
        memcpy(length, b"Content-Length: ", 16)
        used = 16 + write_number(length + 16, PyBytes_GET_SIZE(body))
        memcpy(length + used, b"\r\n\r\n", 4)
        add(&out, length, used + 4)
        if PyBytes_GET_SIZE(body):
            add(&out, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
        return join(&out)

    def plain_binding(self, msg):
        """Return what a REGISTER with one plain Contact says (osip.core.sip.binding); None for any other."""
        cdef Index index = self.index_of(msg)
        cdef Py_ssize_t i, contact = -1, to = -1, expires = -1, agent = -1, allow = -1
        cdef uint32_t start, end, name, uri, closing, at
        cdef int64_t asked = -1
        cdef osip_uri parts
        cdef const uint8_t *s
        cdef object user, host, binding, software, methods
        if index is None:
            return None
        for i in range(index.count):
            if index.header[i].id == OSIP_TO:
                to = i
            elif index.header[i].id == self.h_contact:
                if contact >= 0:
                    return None
                contact = i
            elif index.header[i].id == self.h_expires:
                if expires < 0:
                    expires = i
            elif index.header[i].id == self.h_agent:
                if agent < 0:
                    agent = i
            elif index.header[i].id == self.h_allow:
                if allow >= 0:
                    return None
                allow = i
        if contact < 0 or to < 0:
            return None
        s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        start, end = index.header[to].value, index.header[to].end
        if not trim(s, &start, &end) or start == end or not find_brackets(s, start, end, &name, &uri, &closing):
            return None
        at = plain_sign(s, uri, closing)
        if not at:
            return None
        user, host = osip_ascii(s, uri + 4, at), lowered(s, at + 1, closing)
        start, end = index.header[contact].value, index.header[contact].end
        if not trim(s, &start, &end) or start == end or not find_brackets(s, start, end, &name, &uri, &closing) \
                or not osip_read_uri(s, uri, closing, &parts):
            return None
        at = parts.host.end
        if at - parts.host.start >= 8 and osip_same_in_any_case(s + at - 8, 8, b".invalid", 8):
            return None
        if closing + 1 < end:
            if end - closing < 11 or memcmp(s + closing + 1, b";expires=", 9) != 0:
                return None
            asked = osip_digits(s, closing + 10, end, 9)
            if asked < 0:
                return None
        elif expires >= 0:
            start, end = index.header[expires].value, index.header[expires].end
            if not trim(s, &start, &end):
                return None
            asked = osip_digits(s, start, end, 9)
            if asked < 0:
                return None
        software = None if agent < 0 else trimmed(s, index.header[agent].value, index.header[agent].end)
        methods = None if allow < 0 else trimmed(s, index.header[allow].value, index.header[allow].end)
        if software is NotImplemented or methods is NotImplemented:
            return None
        binding = osip_ascii(s, uri, closing)
        return (user, host, osip_ascii(s, index.found.call_id.start, index.found.call_id.end), index.found.cseq, binding,
                asked, software, methods)

    def answer_port(self, msg):
        """Return the port to which the top Via wants answers, -1 for the port of the source, 0 when it names none.

        None when the twin must find it.
        """
        cdef Index index = self.index_of(msg)
        if index is None or index.found.via.has_maddr:
            return None
        return -1 if index.found.via.has_rport else index.found.via.port if index.found.via.port > 0 else 0

    def answer_route(self, msg):
        """Say whose a response is by its top Via and where it goes by the next one.

        (our host, our port or 0, IPv4 address, port, host of the next Via); None when the twin must find it, and for
        all that does not go by UDP.
        """
        cdef Index index = self.index_of(msg)
        cdef const uint8_t *s
        cdef Py_ssize_t i
        cdef int64_t port
        cdef osip_via via
        cdef osip_span *own
        cdef osip_span *host
        if index is None or index.found.is_request:
            return None
        s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        i = index.found.top + 1
        while i < index.count and index.header[i].id != OSIP_VIA:
            i += 1
        if i == index.count or not osip_read_via(s, index.header[i].value, index.header[i].end, &via) or via.transport != 0:
            return None
        host = &via.received if via.has_received else &via.host
        if not is_ipv4(s, host) or via.has_maddr:
            return None
        port = via.port if via.port > 0 else 5060
        if via.has_rport and via.rport_has_value:
            port = osip_digits(s, via.rport.start, via.rport.end, 5)
        if not 0 < port < 65536:
            return None
        own = &index.found.via.host
        return (osip_ascii(s, own.start, own.end), index.found.via.port if index.found.via.port > 0 else 0,
                osip_ascii(s, host.start, host.end), port, osip_ascii(s, via.host.start, via.host.end))

    def next_place(self, msg):
        """Return (IPv4 address, port or 0, transport or "") of a request-URI that is no more than those and a user.

        None when there is more to it.
        """
        cdef Index index = self.index_of(msg)
        cdef osip_span host
        cdef int port, transport
        cdef const uint8_t *s
        if index is None or not index.found.is_request:
            return None
        s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        if plain_uri(s, &index.found.ruri, &host, &port, &transport) < 0 or not is_ipv4(s, &host):
            return None
        return osip_ascii(s, host.start, host.end), port, "" if transport < 0 else "tcp" if transport else "udp"

    def has_plain_user(self, msg):
        """Say whether the request-URI is a user, a host, perhaps a port and UDP or TCP; None when the twin must look."""
        cdef Index index = self.index_of(msg)
        cdef osip_span host
        cdef int port, transport
        if index is None or not index.found.is_request:
            return None
        return plain_uri(<const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw)), &index.found.ruri,
                         &host, &port, &transport) > 0

    def start(self, msg, int number):
        """Return where the value of the first header of an id starts, -1 for none; None when the twin must find it."""
        cdef Index index = self.index_of(msg)
        cdef Py_ssize_t i
        if index is None:
            return None
        i = index.first(number)
        return index.header[i].value if i >= 0 else -1

    def new_value(self, msg, int number, data):
        """Return the edit that gives the first header of an id another value; None when the twin must look for it."""
        cdef Index index = self.index_of(msg)
        cdef Py_ssize_t i = index.first(number) if index is not None else -1
        return (index.header[i].value, index.header[i].end, data) if i >= 0 else None

    def value(self, msg, int number):
        """Return the value of the first header of an id, as `Message.value` does: () for none.

        None when the twin must find it: it is folded, or not all printable ASCII.
        """
        cdef Index index = self.index_of(msg)
        cdef Py_ssize_t i
        cdef uint32_t start, end
        cdef const uint8_t *s
        if index is None:
            return None
        i = index.first(number)
        if i < 0:
            return ()
        start, end = index.header[i].value, index.header[i].end
        s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        return osip_ascii(s, start, end) if trim(s, &start, &end) else None

    def mark_identity(self, msg, secret):
        """Return a keyed hash of the identity of a request with a secret; None when the twin must make it."""
        cdef Index index = self.index_of(msg)
        if index is None or not is_ascii(secret):
            return None
        return hex_text(identity(PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw)), index, secret))

    def mark_copy(self, msg):
        """Return a digest of what copies of a request share; None when the twin must make it."""
        cdef Index index = self.index_of(msg)
        cdef osip_md5 md5
        cdef char port[24]
        cdef const uint8_t *s
        cdef osip_via *via
        if index is None:
            return None
        via = &index.found.via
        s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        if not via.has_branch or via.branch.end - via.branch.start < 7 or memcmp(s + via.branch.start, b"z9hG4bK", 7) != 0:
            return None
        osip_md5_begin(&md5)
        add_span(&md5, s, &via.branch)
        add_span(&md5, s, &via.host)
        if via.port >= 0:
            port[0] = 58
            osip_md5_add(&md5, port, 1 + write_number(port + 1, via.port))
        return md5_text(&md5)

    def build_forward(self, msg, ruri, via, items, out, received, int rport, bint force_rport):
        """Build the request to send on; None when the twin must do it. `items` is a list of edits, or None."""
        cdef Index index = self.index_of(msg)
        cdef Py_ssize_t size
        cdef int used
        cdef const char *s
        cdef const char *raw
        cdef char done[LONGEST_VIA]
        cdef object completed = None
        if index is None or not PyBytes_CheckExact(via) or index.found.length < 0:
            return None
        size = PyBytes_GET_SIZE(via)
        s = PyBytes_AS_STRING(via)
        if size < 4 or memcmp(s, b"SIP/", 4) == 0 or not (ruri is None or is_ascii(ruri)) or not is_ascii(received):
            return None
        raw = PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        if PyUnicode_GET_LENGTH(received) and not (items and is_replaced(<list?>items, &index.found.via.all)):
            used = complete(done, <const uint8_t *>raw, &index.found.via, received, rport, force_rport)
            if used < 0:
                return None
            if used != <int>(index.found.via.all.end - index.found.via.all.start) \
                    or memcmp(done, raw + index.found.via.all.start, used) != 0:
                completed = PyBytes_FromStringAndSize(done, used)
        return splice(index, <object>osip_take(msg, self.s_raw), ruri, index.found.head_start,
                      index.found.head_start, via, items, out, completed)

    def build_forward_reply(self, msg, items, out):
        """Build the response to pass on; None when the twin must do it. `items` is a list of edits, or None."""
        cdef Index index = self.index_of(msg)
        if index is None or index.found.length < 0:
            return None
        return splice(index, <object>osip_take(msg, self.s_raw), None, index.header[index.found.top].start,
                      after(index, index.found.top), b"", items, out, None)


def measure(bytes data, Py_ssize_t pos, Py_ssize_t max_head, Py_ssize_t max_body):
    """Return the size of the message that starts at `pos` of a stream, if it is plain and all there; 0 if not."""
    cdef const uint8_t *s = <const uint8_t *>PyBytes_AS_STRING(data) + pos
    cdef const uint8_t *line
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data) - pos, at = 0, end, name
    cdef int64_t length = -1
    if size < 20:
        return 0
    line = <const uint8_t *>memchr(s, 10, size if size < max_head else max_head)
    if line == NULL or line - s < 14:
        return 0
    end = line - s - 1
    if s[end] != 13 or end > 32767:
        return 0
    if memcmp(s, b"SIP/2.0 ", 8) == 0:
        if osip_digits(s, 8, 11, 3) < 0:
            return 0
    else:
        while at < end and 33 <= s[at] <= 126:
            at += 1
        if at == 0 or at >= end - 8 or s[at] != 32 or memcmp(s + end - 8, b" SIP/2.0", 8) != 0 \
                or memchr(s, 13, end) != NULL:
            return 0
    at = end + 2
    while True:
        line = <const uint8_t *>memchr(s + at, 10, size - at) if at < size else NULL
        if line == NULL or line == s + at or line[-1] != 13 or s[at] == 32 or s[at] == 9:
            return 0
        end = line - s - 1
        if end == at:
            break
        name = 1 if s[at] | 32 == 108 else 14 if s[at] | 32 == 99 and end - at > 14 and osip_same_in_any_case(
            s + at, 14, b"content-length", 14) else 0
        if name:
            name += at
            while name < end and (s[name] == 32 or s[name] == 9):
                name += 1
            if s[name] == 58:
                name += 1
                while name < end and (s[name] == 32 or s[name] == 9):
                    name += 1
                at = end
                while at > name and (s[at - 1] == 32 or s[at - 1] == 9):
                    at -= 1
                if length >= 0 or at > 65535:
                    return 0
                length = osip_digits(s, <uint32_t>name, <uint32_t>at, MAX_DIGITS)
                if length < 0:
                    return 0
        at = end + 2
    end += 2
    if length < 0:
        length = 0
    return 0 if end > max_head or length > max_body or length > size - end else end + length


def numbered(start, unsigned long number, tail):
    """Join a text, a number and another text; None when the twin must do it."""
    cdef char digits[24]
    cdef Py_ssize_t first, last
    cdef int size
    cdef object text
    cdef char *to
    if not is_ascii(start) or not is_ascii(tail):
        return None
    first, last, size = PyUnicode_GET_LENGTH(start), PyUnicode_GET_LENGTH(tail), write_number(digits, number)
    text = PyUnicode_New(first + size + last, 127)
    to = <char *>PyUnicode_1BYTE_DATA(text)
    memcpy(to, PyUnicode_1BYTE_DATA(start), first)
    memcpy(to + first, digits, size)
    memcpy(to + first + size, PyUnicode_1BYTE_DATA(tail), last)
    return text


def via_line(bytes start, branch, bytes tail):
    """Join what a line begins with, a text, and what follows; None when the twin must do it."""
    cdef object line
    cdef char *to
    cdef Py_ssize_t first = PyBytes_GET_SIZE(start), second, third = PyBytes_GET_SIZE(tail)
    if not is_ascii(branch):
        return None
    second = PyUnicode_GET_LENGTH(branch)
    line = PyBytes_FromStringAndSize(NULL, first + second + third)
    to = PyBytes_AS_STRING(line)
    memcpy(to, PyBytes_AS_STRING(start), first)
    memcpy(to + first, PyUnicode_1BYTE_DATA(branch), second)
    memcpy(to + first + second, PyBytes_AS_STRING(tail), third)
    return line


cdef bint is_replaced(list items, osip_span *span) except -1:
    """Say whether an edit replaces just this."""
    cdef object item, first, last
    for item in items:
        if PyTuple_CheckExact(item) and PyTuple_GET_SIZE(item) == 3:
            first, last = <object>PyTuple_GET_ITEM(item, 0), <object>PyTuple_GET_ITEM(item, 1)
            if PyLong_CheckExact(first) and PyLong_CheckExact(last) and PyLong_AsLong(first) == span.start \
                    and PyLong_AsLong(last) == span.end:
                return True
    return False


cdef int plain_uri(const uint8_t *s, osip_span *uri, osip_span *host, int *port, int *transport) noexcept:
    """Find host and port (0 for none) of `sip:[user@]host[:port]`; 1 with a user, 0 without, -1 for any other URI.

    It may say `;transport=udp` (`transport` is then 0) or `;transport=tcp` (1; -1 for neither).
    """
    cdef uint32_t pos = uri.start + 4, end = uri.end, first
    cdef int has_user = 0
    cdef int64_t number
    transport[0] = -1
    if end < pos or memcmp(s + uri.start, b"sip:", 4) != 0:
        return -1
    if end - pos > 14 and memcmp(s + end - 14, b";transport=", 11) == 0:
        transport[0] = memcmp(s + end - 3, b"tcp", 3) == 0
        if not transport[0] and memcmp(s + end - 3, b"udp", 3) != 0:
            return -1
        end -= 14
    first = pos
    while pos < end and (is_plain(s[pos]) or s[pos] == 43):
        pos += 1
    if pos < end and s[pos] == 64:
        if pos == first:
            return -1
        has_user = 1
        pos += 1
        first = pos
        while pos < end and is_plain(s[pos]):
            pos += 1
    host.start, host.end = first, pos
    port[0] = 0
    if pos == first:
        return -1
    if pos < end:
        if s[pos] != 58:
            return -1
        number = osip_digits(s, pos + 1, end, 5)
        if not 0 < number < 65536:
            return -1
        port[0] = <int>number
    return has_user


cdef bint is_ipv4(const uint8_t *s, osip_span *span) noexcept:
    """Say whether this is an IPv4 address as one writes it: four numbers without leading zeros."""
    cdef uint32_t pos = span.start, first, number
    cdef int count
    for count in range(4):
        if count:
            if pos >= span.end or s[pos] != 46:
                return False
            pos += 1
        first = pos
        number = 0
        while pos < span.end and pos - first < 3 and 48 <= s[pos] <= 57:
            number = number * 10 + s[pos] - 48
            pos += 1
        if pos == first or number > 255 or (s[first] == 48 and pos - first > 1):
            return False
    return pos == span.end


cdef inline uint32_t after(Index index, Py_ssize_t i):
    """Return one past the line of a header, its CRLF included."""
    return index.header[i + 1].start if i + 1 < index.count else index.found.head_end + 2


cdef inline void add_span(osip_md5 *md5, const uint8_t *s, osip_span *span) noexcept:
    osip_md5_add(md5, s + span.start, span.end - span.start)


cdef uint64_t identity(const char *s, Index index, object secret):
    """Return the keyed hash of a secret in ASCII and the identity of a request."""
    cdef pieces text
    cdef char number[24]
    cdef char whole[LONGEST_IDENTITY]
    cdef char *to = whole
    cdef osip_found *found = &index.found
    cdef int i
    text.count = 0
    text.size = 0
    add(&text, <const char *>PyUnicode_1BYTE_DATA(secret), PyUnicode_GET_LENGTH(secret))
    add(&text, s + found.call_id.start, found.call_id.end - found.call_id.start)
    add(&text, s + found.from_tag.start, found.from_tag.end - found.from_tag.start)
    add(&text, number, write_number(number, found.cseq))
    if found.via.has_branch:
        add(&text, s + found.via.branch.start, found.via.branch.end - found.via.branch.start)
    if text.size > LONGEST_IDENTITY:
        return <uint64_t>hash(join(&text))
    for i in range(text.count):
        memcpy(to, text.item[i].start, text.item[i].size)
        to += text.item[i].size
    return <uint64_t>osip_hash_of(whole, text.size)         # as of bytes with that content


cdef inline void write_hex(char *to, uint64_t value) noexcept:
    """Write a number as 16 hex digits."""
    cdef int i
    for i in range(16):
        to[15 - i] = HEX[value & 15]
        value >>= 4


cdef object hex_text(uint64_t value):
    cdef object text = PyUnicode_New(16, 127)
    write_hex(<char *>PyUnicode_1BYTE_DATA(text), value)
    return text


cdef object md5_text(osip_md5 *md5):
    cdef object text = PyUnicode_New(32, 127)
    osip_md5_hex(md5, <char *>PyUnicode_1BYTE_DATA(text))
    return text


def md5_hex(data):
    """Return the MD5 digest of bytes, or of ASCII text, in hex; None for anything else."""
    cdef osip_md5 md5
    osip_md5_begin(&md5)
    if PyBytes_CheckExact(data):
        osip_md5_add(&md5, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    elif is_ascii(data):
        osip_md5_add(&md5, PyUnicode_1BYTE_DATA(data), PyUnicode_GET_LENGTH(data))
    else:
        return None
    return md5_text(&md5)


def seal(key, text):
    """Return the BLAKE2b digest of a key and ASCII text in hex, 16 bytes of it; None for more than one block."""
    cdef uint8_t block[128]
    cdef uint8_t digest[16]
    cdef Py_ssize_t first, size
    cdef object made
    cdef char *to
    cdef int i
    if not PyBytes_CheckExact(key) or not is_ascii(text):
        return None
    first = PyBytes_GET_SIZE(key)
    size = first + PyUnicode_GET_LENGTH(text)
    if size > 128:
        return None
    memcpy(block, PyBytes_AS_STRING(key), first)
    memcpy(block + first, PyUnicode_1BYTE_DATA(text), size - first)
    memset(block + size, 0, 128 - size)
    osip_blake2(block, size, digest)
    made = PyUnicode_New(32, 127)
    to = <char *>PyUnicode_1BYTE_DATA(made)
    for i in range(16):
        to[2 * i] = HEX[digest[i] >> 4]
        to[2 * i + 1] = HEX[digest[i] & 15]
    return made


def header_values(raw, headers, int first, int second):
    """Return (id, index, trimmed value) of all headers of one id, then of another; None when the twin must find them."""
    cdef Index index
    cdef Py_ssize_t i
    cdef int number, turn
    cdef const uint8_t *s
    cdef object value
    cdef list found = []
    if type(headers) is not Index or not PyBytes_CheckExact(raw):
        return None
    index = <Index>headers
    s = <const uint8_t *>PyBytes_AS_STRING(raw)
    for turn in range(2):
        number = second if turn else first
        for i in range(index.count):
            if index.header[i].id == number:
                value = trimmed(s, index.header[i].value, index.header[i].end)
                if value is NotImplemented:
                    return None
                found.append((number, i, value))
    return found


cdef inline void add_text(osip_md5 *md5, object text, const char *end) noexcept:
    osip_md5_add(md5, PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text))
    osip_md5_add(md5, end, 1)


def md5_response(ha1, method, uri, nonce, nc, cnonce, qop):
    """Return the response of credentials for MD5 and qop auth or none (osip.core.sip.digest); None unless all is ASCII."""
    cdef osip_md5 md5
    cdef char ha2[32]
    if not (is_ascii(ha1) and is_ascii(method) and is_ascii(uri) and is_ascii(nonce) and is_ascii(nc) and is_ascii(cnonce)
            and is_ascii(qop)):
        return None
    osip_md5_begin(&md5)
    add_text(&md5, method, b":")
    osip_md5_add(&md5, PyUnicode_1BYTE_DATA(uri), PyUnicode_GET_LENGTH(uri))
    osip_md5_hex(&md5, ha2)
    osip_md5_begin(&md5)
    add_text(&md5, ha1, b":")
    add_text(&md5, nonce, b":")
    if PyUnicode_GET_LENGTH(qop):
        add_text(&md5, nc, b":")
        add_text(&md5, cnonce, b":")
        add_text(&md5, qop, b":")
    osip_md5_add(&md5, ha2, 32)
    return md5_text(&md5)


cdef tuple DIGEST_NAMES = ("username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc")


cdef object digest_name(const uint8_t *s, uint32_t start, uint32_t end):
    """Return the name of a parameter in lower case."""
    cdef object name
    cdef char *to
    cdef uint32_t i
    for name in DIGEST_NAMES:
        if PyUnicode_GET_LENGTH(name) == end - start and PyUnicode_1BYTE_DATA(name)[0] == s[start] \
                and memcmp(PyUnicode_1BYTE_DATA(name), s + start, end - start) == 0:
            return name
    name = PyUnicode_New(end - start, 127)
    to = <char *>PyUnicode_1BYTE_DATA(name)
    for i in range(end - start):
        to[i] = <char>osip_lower(s[start + i])
    return name


def digest_params(text):
    """Return the parameters of a plain header value of the scheme Digest (osip.core.sip.auth).

    None when the twin must read it.
    """
    cdef uint32_t pos = 7, end, name, start
    cdef Py_ssize_t count
    cdef const uint8_t *s
    cdef object key
    cdef dict params = {}
    if not is_ascii(text) or not 8 < PyUnicode_GET_LENGTH(text) < 65536:
        return None
    s = PyUnicode_1BYTE_DATA(text)
    end = <uint32_t>PyUnicode_GET_LENGTH(text)
    if memcmp(s, b"Digest ", 7) != 0:
        return None
    while True:
        while pos < end and s[pos] == 32:
            pos += 1
        name = pos
        while pos < end and (48 <= s[pos] <= 57 or 65 <= s[pos] <= 90 or 97 <= s[pos] <= 122):
            pos += 1
        if pos == name or pos >= end or s[pos] != 61:
            return None
        key = digest_name(s, name, pos)
        count = len(params)
        pos += 1
        if pos < end and s[pos] == 34:
            pos += 1
            start = pos
            pos = osip_quoted(s, pos, end)
            if pos >= end or s[pos] != 34 or (pos > start and memchr(s + start, 92, pos - start) != NULL):
                return None
            params[key] = osip_ascii(s, start, pos)
            pos += 1
        else:
            start = pos
            while pos < end and 32 < s[pos] < 127 and s[pos] != 34 and s[pos] != 44 and s[pos] != 92:
                pos += 1
            params[key] = osip_ascii(s, start, pos)
        if len(params) == count:            # it was there before
            return None
        while pos < end and s[pos] == 32:
            pos += 1
        if pos >= end:
            return params
        if s[pos] != 44:
            return None
        pos += 1


def header_value(raw, headers, int number, bint alone):
    """Return the trimmed value of the first header by id, None when there is none; NotImplemented for what is unusual.

    A second one of its kind is unusual when `alone` is set.
    """
    cdef Index index
    cdef Py_ssize_t i
    cdef const uint8_t *s
    cdef object value = None
    if type(headers) is not Index or not PyBytes_CheckExact(raw):
        return NotImplemented
    index = <Index>headers
    s = <const uint8_t *>PyBytes_AS_STRING(raw)
    for i in range(index.count):
        if index.header[i].id == number:
            if value is not None:
                return NotImplemented
            value = trimmed(s, index.header[i].value, index.header[i].end)
            if not alone or value is NotImplemented:
                return value
    return value


def contact_line(uri, seconds):
    """Return the Contact line of a binding (osip.core.sip.binding); None when the twin must build it."""
    cdef pieces out
    cdef char number[24]
    cdef long left
    if not is_ascii(uri) or not PyLong_CheckExact(seconds):
        return None
    left = PyLong_AsLong(seconds)
    if left < 0:
        return None
    out.count = 0
    out.size = 0
    add(&out, b"Contact: <", 10)
    add(&out, <const char *>PyUnicode_1BYTE_DATA(uri), PyUnicode_GET_LENGTH(uri))
    add(&out, b">;expires=", 10)
    add(&out, number, write_number(number, left))
    add(&out, b"\r\n", 2)
    return join(&out)


def plain_address(text):
    """Return user and host, in lower case, of a URI that is no more than `sip:user@host`; None for any other text.

    Plain are letters, digits, full stops, hyphens and underscores: nothing that could be escaped.
    """
    cdef const uint8_t *s
    cdef uint32_t end, at
    if not is_ascii(text) or not 6 < PyUnicode_GET_LENGTH(text) < 512:
        return None
    s = PyUnicode_1BYTE_DATA(text)
    end = <uint32_t>PyUnicode_GET_LENGTH(text)
    at = plain_sign(s, 0, end)
    return (osip_ascii(s, 4, at), lowered(s, at + 1, end)) if at else None


cdef uint32_t plain_sign(const uint8_t *s, uint32_t start, uint32_t end) noexcept:
    """Return the place of the @ in a URI that is no more than `sip:user@host`; 0 for any other."""
    cdef uint32_t pos = start + 4, at = 0
    if not start + 6 < end < start + 512 or memcmp(s + start, b"sip:", 4) != 0:
        return 0
    while pos < end:
        if s[pos] == 64 and not at and pos > start + 4:
            at = pos
        elif not is_plain(s[pos]):
            return 0
        pos += 1
    return at if at + 1 < end else 0


cdef object lowered(const uint8_t *s, uint32_t start, uint32_t end):
    """Return ASCII text in lower case."""
    cdef object text = osip_ascii(s, start, end)
    cdef uint8_t *to = <uint8_t *>PyUnicode_1BYTE_DATA(text)
    cdef uint32_t i
    for i in range(end - start):
        if 65 <= to[i] <= 90:
            to[i] += 32
    return text


cdef bint trim(const uint8_t *s, uint32_t *start, uint32_t *end) noexcept:
    """Leave out the blanks around a value; 0 when there is more in it than printable ASCII."""
    while start[0] < end[0] and (s[start[0]] == 32 or s[start[0]] == 9):
        start[0] += 1
    while end[0] > start[0] and (s[end[0] - 1] == 32 or s[end[0] - 1] == 9):
        end[0] -= 1
    return osip_printable(s, start[0], end[0])


def without_user(text):
    """Return a URI without its user when it is no more than `sip:user@address[:port][;transport=word]`, else as it is."""
    cdef const uint8_t *s
    cdef uint32_t end, pos = 4, at
    cdef object short
    cdef char *to
    if not is_ascii(text) or not 6 < PyUnicode_GET_LENGTH(text) < 512:
        return text
    s = PyUnicode_1BYTE_DATA(text)
    end = <uint32_t>PyUnicode_GET_LENGTH(text)
    if memcmp(s, b"sip:", 4) != 0:
        return text
    while pos < end and (is_plain(s[pos]) or s[pos] == 43):
        pos += 1
    if pos == 4 or pos + 1 >= end or s[pos] != 64:
        return text
    pos += 1
    at = pos
    while pos < end and (48 <= s[pos] <= 58 or s[pos] == 46):
        pos += 1
    if pos == at:
        return text
    if pos < end:
        if end - pos < 12 or memcmp(s + pos, b";transport=", 11) != 0:
            return text
        pos += 11
        while pos < end and 97 <= s[pos] <= 122:
            pos += 1
        if pos < end:
            return text
    short = PyUnicode_New(4 + end - at, 127)
    to = <char *>PyUnicode_1BYTE_DATA(short)
    memcpy(to, b"sip:", 4)
    memcpy(to + 4, s + at, end - at)
    return short


cdef object trimmed(const uint8_t *s, uint32_t start, uint32_t end):
    """Return printable ASCII without the blanks around it; NotImplemented for any other bytes."""
    return osip_ascii(s, start, end) if trim(s, &start, &end) else NotImplemented


cdef enum:
    F_NONE, F_METHOD, F_METHOD_ID, F_CSEQ_METHOD, F_CALL_ID, F_VIA1_BRANCH, F_FROM_TAG, F_TO_TAG, F_CSEQ, F_VIA1
    F_VIA1_SPAN, F_VIA1_ALONE, F_VIA1_CUT, F_IDS, F_HEAD_START, F_HEAD_END, F_BODY_START, F_BODY_END, F_CONTENT_LENGTH
    F_MAX_FORWARDS, F_RURI, F_RURI_START, F_RURI_END, F_STATUS, F_REASON, F_URI

cdef dict FIELDS = {
    "method": F_METHOD, "method_id": F_METHOD_ID, "cseq_method": F_CSEQ_METHOD, "call_id": F_CALL_ID,
    "via1_branch": F_VIA1_BRANCH, "from_tag": F_FROM_TAG, "to_tag": F_TO_TAG, "cseq": F_CSEQ, "via1": F_VIA1,
    "via1_span": F_VIA1_SPAN, "via1_alone": F_VIA1_ALONE, "via1_cut": F_VIA1_CUT, "ids": F_IDS,
    "head_start": F_HEAD_START, "head_end": F_HEAD_END, "body_start": F_BODY_START, "body_end": F_BODY_END,
    "content_length": F_CONTENT_LENGTH, "max_forwards": F_MAX_FORWARDS, "ruri": F_RURI, "ruri_start": F_RURI_START,
    "ruri_end": F_RURI_END, "uri": F_URI, "status": F_STATUS, "reason": F_REASON,
}
cdef object UNREAD = object()


cdef class Field:
    """Be one attribute of messages: a slot that is filled when it is first read."""
    cdef Reader reader
    cdef object cls, compute
    cdef readonly str __name__
    cdef Py_ssize_t slot
    cdef int number

    def __init__(self, reader, cls, name, slot, compute):
        self.reader, self.cls, self.__name__, self.slot, self.compute = reader, cls, name, slot, compute
        self.number = FIELDS.get(name, F_NONE)

    cdef int check(self, object instance) except -1:
        if type(instance) is not self.reader.request and type(instance) is not self.reader.response \
                and not isinstance(instance, self.cls):
            raise TypeError(f"{self.__name__} is a field of {self.cls.__name__}")
        return 0

    def __get__(self, instance, owner):
        cdef void *found
        if instance is None:
            return self
        self.check(instance)
        found = osip_take(instance, self.slot)
        if found == NULL:
            return self.fill(instance)
        return <object>found

    cdef object fill(self, object instance):
        cdef Index index = self.reader.index_of(instance)
        cdef object value = UNREAD
        if self.number and index is not None:
            value = self.reader.read(index, <object>osip_take(instance, self.reader.s_raw), self.number)
        if value is UNREAD:
            if self.compute is None:
                raise AttributeError(self.__name__)
            value = self.compute(instance)
        put(instance, self.slot, value)
        return value

    def __set__(self, instance, value):
        self.check(instance)
        put(instance, self.slot, value)

    def __delete__(self, instance):
        self.check(instance)
        if osip_take(instance, self.slot) == NULL:
            raise AttributeError(self.__name__)
        osip_put(instance, self.slot, NULL)


cdef int complete(char *to, const uint8_t *s, osip_via *via, object host, int rport, bint force):
    """Write a plain Via value with received and rport filled in; return its size, -1 for what the twin must do."""
    cdef uint32_t pos, name, size, end = via.all.end
    cdef int used
    cdef const char *address = <const char *>PyUnicode_1BYTE_DATA(host)
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(host)
    if end - via.all.start + length + 64 > LONGEST_VIA:
        return -1
    pos = end if not via.has_received and not via.has_rport else via.params.start
    used = pos - via.all.start
    memcpy(to, s + via.all.start, used)
    while pos < end:
        name = pos + 1
        pos = name
        while pos < end and s[pos] != 59:
            pos += 1
        size = 0
        while name + size < pos and s[name + size] != 61:
            size += 1
        if osip_same_in_any_case(s + name, size, b"received", 8):
            continue
        if osip_same_in_any_case(s + name, size, b"rport", 5):
            continue
        memcpy(to + used, s + name - 1, pos - name + 1)
        used += pos - name + 1
    if not via.has_rport and not force:
        if via.host.end - via.host.start == <uint32_t>length and memcmp(s + via.host.start, address, length) == 0:
            return used
    memcpy(to + used, b";received=", 10)
    memcpy(to + used + 10, address, length)
    used += 10 + <int>length
    if via.has_rport or force:
        memcpy(to + used, b";rport=", 7)
        used += 7
        if rport < 0:
            to[used] = 45
            used += 1
        used += write_number(to + used, rport if rport >= 0 else -<long>rport)
    return used


def complete_via(value, host, int port, bint force_rport):
    """Return a Via value with received and rport filled in; None when the twin must do it."""
    cdef char to[LONGEST_VIA]
    cdef osip_via via
    cdef const uint8_t *s
    cdef int size
    if not PyBytes_CheckExact(value) or not is_ascii(host) or PyBytes_GET_SIZE(value) > LONGEST_VIA:
        return None
    s = <const uint8_t *>PyBytes_AS_STRING(value)
    if not osip_read_via(s, 0, <uint32_t>PyBytes_GET_SIZE(value), &via):
        return None
    size = complete(to, s, &via, host, port, force_rport)
    return None if size < 0 else PyBytes_FromStringAndSize(to, size)


ctypedef struct change:
    long start
    long end
    void *data


cdef object splice(Index index, object raw, object ruri, long start, long end, object data, object items, object out,
                   object completed):
    """Join a message with one edit of its own and those of a list; None when the twin must do it.

    `completed`, when it is not None, takes the place of the topmost Via value.
    """
    cdef change edit[MOST_EDITS + 2]
    cdef pieces to
    cdef int count = 1, i
    cdef long pos = 0
    cdef const char *s = PyBytes_AS_STRING(raw)
    cdef list kept = None
    edit[0].start, edit[0].end, edit[0].data = start, end, <void *>data
    if items is not None:
        kept = <list?>items
        count = gather(edit, kept)
    if count < 0:
        return None
    if completed is not None:
        i = count
        start, end = index.found.via.all.start, index.found.via.all.end
        while i and (edit[i - 1].start > start or (edit[i - 1].start == start and edit[i - 1].end > end)):
            edit[i] = edit[i - 1]
            i -= 1
        edit[i].start, edit[i].end, edit[i].data = start, end, <void *>completed
        count += 1
    to.count = 0
    to.size = 0
    if ruri is not None:
        add(&to, s, index.found.ruri.start)
        add(&to, <const char *>PyUnicode_1BYTE_DATA(ruri), PyUnicode_GET_LENGTH(ruri))
        pos = index.found.ruri.end
    start = pos
    for i in range(count):                  # nothing may be called before it is sure that the twin is not needed
        if edit[i].start < start or edit[i].end < edit[i].start or edit[i].start >= index.found.body_start \
                or edit[i].end > index.found.body_end:
            return None
        start = edit[i].end
        if not PyBytes_CheckExact(<object>edit[i].data) and kept is items:
            kept = list(items)              # a replacement that is called might change the list
    for i in range(count):
        if edit[i].start > pos:
            add(&to, s + pos, edit[i].start - pos)
        data = <object>edit[i].data
        if not PyBytes_CheckExact(data):
            data = data(out)
            if not PyBytes_CheckExact(data):
                raise TypeError("a replacement must be bytes")
            kept.append(data)
        add(&to, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        pos = edit[i].end
    add(&to, s + pos, index.found.body_end - pos)
    return join(&to)


cdef int gather(change *edit, list items):
    """Put the edits of a list behind the first one, sorted by place; return how many there are, -1 when unusual."""
    cdef int count = 1, at
    cdef object item, first, last
    cdef change new
    if len(items) > MOST_EDITS:
        return -1
    for item in items:
        if not PyTuple_CheckExact(item) or PyTuple_GET_SIZE(item) != 3:
            return -1
        first, last = <object>PyTuple_GET_ITEM(item, 0), <object>PyTuple_GET_ITEM(item, 1)
        if not PyLong_CheckExact(first) or not PyLong_CheckExact(last):
            return -1
        new.start, new.end = PyLong_AsLong(first), PyLong_AsLong(last)
        new.data = <void *>PyTuple_GET_ITEM(item, 2)
        at = count
        while at and (edit[at - 1].start > new.start or (edit[at - 1].start == new.start and edit[at - 1].end > new.end)):
            edit[at] = edit[at - 1]
            at -= 1
        edit[at] = new
        count += 1
    return count


# --- knowing requests again (osip.core.sip.identity) -----------------------------------------------------------------

cdef inline char *copy(char *to, const uint8_t *s, osip_span *span) noexcept:
    memcpy(to, s + span.start, span.end - span.start)
    return to + (span.end - span.start)


def request_key(Reader reader, msg, int method_id):
    """Return the key of a request whose branch has the cookie; None when the twin must make it."""
    cdef Index index = reader.index_of(msg)
    cdef char front[24]
    cdef char port[24]
    cdef int front_size, port_size
    cdef const uint8_t *s
    cdef osip_via *via
    cdef object text
    cdef char *to
    if index is None or method_id <= 0:
        return None
    via = &index.found.via
    s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, reader.s_raw))
    if not via.has_branch or via.branch.end - via.branch.start < 8 or memcmp(s + via.branch.start, b"z9hG4bK", 7) != 0:
        return None
    front_size = write_number(front, method_id)
    if via.port < 0:
        port_size = 4
        memcpy(port, b"None", 4)
    else:
        port_size = write_number(port, via.port)
    text = PyUnicode_New(front_size + port_size + 3 + (via.branch.end - via.branch.start)
                         + (via.host.end - via.host.start), 127)
    to = <char *>PyUnicode_1BYTE_DATA(text)
    memcpy(to, front, front_size)
    to[front_size] = 124
    to = copy(to + front_size + 1, s, &via.branch)
    to[0] = 124
    to = copy(to + 1, s, &via.host)
    to[0] = 58
    memcpy(to + 1, port, port_size)
    return text


cdef inline void add_line(pieces *out, const uint8_t *s, osip_span *span) noexcept:
    add(out, <const char *>s + span.start, span.end - span.start)
    add(out, b"\n", 1)


cdef Py_hash_t hash_of(pieces *out):
    """Return the hash of what `join` would return."""
    cdef char text[1024]
    cdef char *to = text
    cdef int i
    if out.size > <Py_ssize_t>sizeof(text):
        return hash(join(out))
    for i in range(out.count):
        memcpy(to, out.item[i].start, out.item[i].size)
        to += out.item[i].size
    return osip_hash_of(text, out.size)


def loop_mark(Reader reader, msg, secret, came, int route):
    """Return the mark of a request's way; None when the twin must make it."""
    cdef Index index = reader.index_of(msg)
    cdef pieces out
    cdef char number[24]
    cdef char text[16]
    cdef const uint8_t *s
    cdef const char *method
    cdef object name
    cdef Py_ssize_t i
    cdef unsigned long long value
    if index is None or not is_ascii(secret) or not is_ascii(came):
        return None
    s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, reader.s_raw))
    out.count = 0
    out.size = 0
    add(&out, <const char *>PyUnicode_1BYTE_DATA(secret), PyUnicode_GET_LENGTH(secret))
    add(&out, b"\n", 1)
    add_line(&out, s, &index.found.ruri)
    for i in range(index.count):
        if index.header[i].id == route:
            add(&out, <const char *>s + index.header[i].value, index.header[i].end - index.header[i].value)
            add(&out, b"\n", 1)
    add_line(&out, s, &index.found.call_id)
    add_line(&out, s, &index.found.from_tag)
    add_line(&out, s, &index.found.to_tag)
    add(&out, number, write_number(number, index.found.cseq))
    add(&out, b"\n", 1)
    name = reader.methods[index.found.method]
    add(&out, <const char *>PyUnicode_1BYTE_DATA(name), PyUnicode_GET_LENGTH(name))
    add(&out, b"\n", 1)
    add(&out, <const char *>PyUnicode_1BYTE_DATA(came), PyUnicode_GET_LENGTH(came))
    value = <unsigned long long>hash_of(&out) & <unsigned long long>0x7fffffffffff | <unsigned long long>0x800000000000
    text[0] = 46
    for i in range(12):
        text[12 - i] = b"0123456789abcdef"[value & 15]
        value >>= 4
    return osip_ascii(<const uint8_t *>text, 0, 13)


def bears_mark(Reader reader, msg, mark):
    """Say whether a Via of a message bears a mark of `loop_mark`; None when the twin must look."""
    cdef Index index = reader.index_of(msg)
    cdef const uint8_t *s
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef const uint8_t *wanted
    cdef Py_ssize_t size, i
    if index is None or not is_ascii(mark) or not PyUnicode_GET_LENGTH(mark):
        return None
    s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, reader.s_raw))
    wanted, size = PyUnicode_1BYTE_DATA(mark), PyUnicode_GET_LENGTH(mark)
    for i in range(index.count):
        if index.header[i].id == OSIP_VIA:
            at, end = s + index.header[i].value, s + index.header[i].end
            while end - at >= size:
                at = <const uint8_t *>memchr(at, wanted[0], end - at - size + 1)
                if at == NULL:
                    break
                if memcmp(at, wanted, size) == 0:
                    return True
                at += 1
    return False


cdef inline bint is_plain(uint8_t c) noexcept:
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c == 46 or c == 45 or c == 95


def only_route(Reader reader, msg, int route):
    """Return (start, end, address, parameters) of the only Route when it is plain; (-1, -1, b"", "") when it is not.

    None when the twin must look.
    """
    cdef Index index = reader.index_of(msg)
    cdef Py_ssize_t i, found = -1
    cdef const uint8_t *s
    cdef uint32_t pos, end, name, size, start, value
    cdef bint has_port = False
    if index is None:
        return None
    for i in range(index.count):
        if index.header[i].id == route:
            if found >= 0:
                return -1, -1, b"", ""
            found = i
    if found < 0:
        return -1, -1, b"", ""
    s = <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, reader.s_raw))
    start, end = index.header[found].value, index.header[found].end
    if end - start < 7 or memcmp(s + start, b"<sip:", 5) != 0 or s[end - 1] != 62:
        return -1, -1, b"", ""
    end -= 1
    start += 5
    pos = start
    while pos < end and (is_plain(s[pos]) or s[pos] == 58 or s[pos] == 91 or s[pos] == 93):
        has_port = s[pos] == 58 or (has_port and s[pos] != 93)          # a colon behind the last bracket
        pos += 1
    if pos == start or (pos < end and s[pos] != 59):
        return -1, -1, b"", ""
    name = pos
    while pos < end:
        pos += 1
        size = pos
        while pos < end and (is_plain(s[pos]) or s[pos] == 43 or s[pos] == 42 or s[pos] == 37 or s[pos] == 33
                             or s[pos] == 126 or s[pos] == 39):
            pos += 1
        if osip_same_in_any_case(s + size, pos - size, b"r2", 2):
            return -1, -1, b"", ""
        value = pos + 1 if osip_same_in_any_case(s + size, pos - size, b"transport", 9) else 0
        while pos < end and (is_plain(s[pos]) or s[pos] == 43 or s[pos] == 42 or s[pos] == 37 or s[pos] == 33
                             or s[pos] == 126 or s[pos] == 39 or s[pos] == 61):
            pos += 1
        if pos < end and s[pos] != 59:
            return -1, -1, b"", ""
        if value and (not has_port or value > pos or not (osip_same_in_any_case(s + value, pos - value, b"udp", 3)
                                                          or osip_same_in_any_case(s + value, pos - value, b"tcp", 3))):
            return -1, -1, b"", ""
    return index.header[found].start, after(index, found), PyBytes_FromStringAndSize(<const char *>s + start, name - start), \
        osip_ascii(s, name + 1 if name < end else end, end)


def like_invite(Reader reader, invite, bytes method, bytes to_line, bytes extra, int route):
    """Build the ACK or CANCEL that belongs to an INVITE as it was sent; None when the twin must do it."""
    cdef Index index = reader.index_of(invite)
    cdef pieces out
    cdef char number[24]
    cdef const char *s
    cdef osip_header *header
    cdef Py_ssize_t i, sender = -1, call = -1, size = PyBytes_GET_SIZE(extra)
    if index is None or not index.found.is_request or (size and (size < 2 or memcmp(
            PyBytes_AS_STRING(extra) + size - 2, b"\r\n", 2) != 0)):
        return None
    s = PyBytes_AS_STRING(<object>osip_take(invite, reader.s_raw))
    header = &index.header[index.found.top]
    out.count = 0
    out.size = 0
    add(&out, PyBytes_AS_STRING(method), PyBytes_GET_SIZE(method))
    add(&out, b" ", 1)
    add(&out, s + index.found.ruri.start, index.found.ruri.end - index.found.ruri.start)
    add(&out, b" SIP/2.0\r\nVia: ", 15)
    add(&out, s + index.found.via.all.start, index.found.via.all.end - index.found.via.all.start)
    add(&out, b"\r\nMax-Forwards: 70\r\n", 20)
    for i in range(index.count):
        header = &index.header[i]
        if header.id == route:
            add(&out, s + header.start, header.end + 2 - header.start)
        elif header.id == OSIP_FROM:
            sender = i
        elif header.id == OSIP_CALL_ID:
            call = i
    header = &index.header[sender]
    add(&out, s + header.start, header.end + 2 - header.start)
    add(&out, PyBytes_AS_STRING(to_line), PyBytes_GET_SIZE(to_line))
    header = &index.header[call]
    add(&out, s + header.start, header.end + 2 - header.start)
    add(&out, b"CSeq: ", 6)
    add(&out, number, write_number(number, index.found.cseq))
    add(&out, b" ", 1)
    add(&out, PyBytes_AS_STRING(method), PyBytes_GET_SIZE(method))
    add(&out, b"\r\n", 2)
    add(&out, PyBytes_AS_STRING(extra), size)
    add(&out, b"Content-Length: 0\r\n\r\n", 21)
    return join(&out)


# --- log lines -----------------------------------------------------------------------------------------------

cdef bint is_printable(const uint8_t *s, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i = 0
    cdef uint64_t eight, odd = 0
    # Eight at a time: of bytes below 128, the first test sets the high bit of those below 32, the second that of 127.
    while i + 8 <= size:
        memcpy(&eight, s + i, 8)
        odd |= (eight - <uint64_t>0x2020202020202020) | (eight + <uint64_t>0x0101010101010101)
        i += 8
    if odd & <uint64_t>0x8080808080808080:
        return False
    while i < size:
        if s[i] < 32 or s[i] > 126:
            return False
        i += 1
    return True


def is_printable_ascii(text):
    """Say whether a text is printable ASCII."""
    if not is_ascii(text):
        return text.isascii() and text.isprintable()
    return is_printable(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text))


def joined(list parts):
    """Return texts joined, as `"".join` does; quicker where all are ASCII."""
    cdef Py_ssize_t i, length, size = 0, count = PyList_GET_SIZE(parts)
    cdef object whole
    cdef uint8_t *to
    for i in range(count):
        if not is_ascii(<object>PyList_GET_ITEM(parts, i)):
            return "".join(parts)
        size += PyUnicode_GET_LENGTH(<object>PyList_GET_ITEM(parts, i))
    if not size:
        return ""
    whole = PyUnicode_New(size, 127)
    to = <uint8_t *>PyUnicode_1BYTE_DATA(whole)
    for i in range(count):
        length = PyUnicode_GET_LENGTH(<object>PyList_GET_ITEM(parts, i))
        memcpy(to, PyUnicode_1BYTE_DATA(<object>PyList_GET_ITEM(parts, i)), length)
        to += length
    return whole


cdef inline bint begins(const uint8_t *s, Py_ssize_t left, const char *hint) noexcept nogil:
    """Say whether text goes on with a hint, which is in small letters, whatever its own letters are."""
    while hint[0]:
        if not left or (s[0] | 32 if 65 <= s[0] <= 90 else s[0]) != <uint8_t>hint[0]:
            return False
        s += 1
        hint += 1
        left -= 1
    return True


cdef const char *HINT[HINTS]
HINT[:] = [b"response", b"nonce", b"pass", b"secret", b"ha1", b"api", b"token", b"ice-pwd", b"://", b"auth",
           b"bearer", b"inline:"]
# Of each hint three letters one after the other, which other words seldom have. Wherever it stands, its first two of
# them or its last two are a letter at an even place of the text and the one behind it.
cdef int HINT_AT[HINTS]
HINT_AT[:] = [2, 2, 1, 1, 0, 0, 1, 3, 0, 0, 0, 1]
cdef uint32_t FIRST_OF[256]
cdef uint32_t SECOND_OF[256]


cdef void note_pairs() noexcept:
    """Set the bits 2n and 2n + 1 of the letters that the two pairs of hint n begin with, and end with."""
    cdef int hint, second, letter
    cdef uint32_t bit
    memset(FIRST_OF, 0, sizeof(FIRST_OF))
    memset(SECOND_OF, 0, sizeof(SECOND_OF))
    for hint in range(HINTS):
        for second in range(2):
            bit = <uint32_t>1 << 2 * hint + second
            letter = HINT[hint][HINT_AT[hint] + second]
            FIRST_OF[letter] |= bit
            if 97 <= letter <= 122:
                FIRST_OF[letter - 32] |= bit
            letter = HINT[hint][HINT_AT[hint] + second + 1]
            SECOND_OF[letter] |= bit
            if 97 <= letter <= 122:
                SECOND_OF[letter - 32] |= bit


note_pairs()


cdef bint has_hint(const uint8_t *s, Py_ssize_t size) noexcept nogil:
    """Say whether one of the hints of core/run/logline.py is in a text."""
    cdef Py_ssize_t i = 0, start
    cdef uint32_t found
    cdef int bit
    while i + 1 < size:
        found = FIRST_OF[s[i]] & SECOND_OF[s[i + 1]]
        bit = 0
        while found:
            if found & 1:
                start = i - HINT_AT[bit >> 1] - (bit & 1)
                if start >= 0 and begins(s + start, size - start, HINT[bit >> 1]):
                    return True
            found >>= 1
            bit += 1
        i += 2
    return False


def may_tell(text):
    """Say whether a text may hold a secret: one of the hints of core/run/logline.py is in it, or what is not ASCII."""
    if not is_ascii(text):
        return True
    return has_hint(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text))


def is_harmless(text):
    """Say whether a text is printable ASCII without any of the hints."""
    cdef const uint8_t *s
    cdef Py_ssize_t size
    if not is_ascii(text):
        return text.isascii() and text.isprintable() and not may_tell(text)
    s = PyUnicode_1BYTE_DATA(text)
    size = PyUnicode_GET_LENGTH(text)
    return is_printable(s, size) and not has_hint(s, size)
