# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Read and build SIP messages in C; the pure-Python twin in osip/core/sip is the source of truth.

Each reader is made by its twin with the class to fill and the function to call for what is unusual. A message that
was read here has an `Index` as its `headers`; the builders know by that that its top Via stands alone and is plain.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLong, PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset

from osip.core._accel.scan cimport *

cdef extern from "Python.h":
    const uint8_t *PyUnicode_1BYTE_DATA(object)
    bint PyUnicode_IS_COMPACT_ASCII(object)
    bint PyUnicode_CheckExact(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    object PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *)
    object PyUnicode_InternFromString(const char *)

DEF MOST_EDITS = 48
DEF MOST_PIECES = 1200
DEF LONGEST_VIA = 1024

osip_fill_classes()

ctypedef struct piece:
    const char *start
    Py_ssize_t size

ctypedef struct pieces:
    int count
    Py_ssize_t size
    piece item[MOST_PIECES]


cdef inline void add(pieces *out, const char *start, Py_ssize_t size) noexcept nogil:
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


cdef class Index:
    """Be the header index of one message: a sequence of (header id, start, value start, end)."""
    cdef osip_header *header
    cdef Py_ssize_t count
    cdef uint32_t head_start, head_end, body_start, body_end, ruri_start, ruri_end
    cdef int via, method
    cdef bint has_length

    def __cinit__(self):
        self.header = NULL
        self.count = 0

    def __dealloc__(self):
        PyMem_Free(self.header)

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
    cdef Py_ssize_t size = scan.headers * sizeof(osip_header)
    cdef int i
    index.header = <osip_header *>PyMem_Malloc(size)
    if index.header == NULL:
        raise MemoryError
    memcpy(index.header, scan.header, size)
    index.count = scan.headers
    index.head_start, index.head_end = scan.head_start, scan.head_end
    index.body_start, index.body_end = scan.body_start, scan.body_end
    index.ruri_start, index.ruri_end = scan.ruri.start, scan.ruri.end
    index.has_length = scan.length >= 0
    for i in range(scan.headers):
        if scan.ids[i] == OSIP_VIA:
            index.via = i
            break
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
        for i in range(index.via, index.count):
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
        cdef uint32_t end, pos = 0, name = 0, uri
        cdef const uint8_t *s
        cdef object made
        if not is_ascii(text) or not 0 < PyUnicode_GET_LENGTH(text) < 65536:
            return self.fallback(text)
        s = PyUnicode_1BYTE_DATA(text)
        end = <uint32_t>PyUnicode_GET_LENGTH(text)
        if s[0] <= 32 or s[end - 1] <= 32:
            return self.fallback(text)
        if s[0] == 34:
            pos = 1
            while pos < end and s[pos] != 34:
                if s[pos] == 92:
                    return self.fallback(text)
                pos += 1
            pos += 1
            name = pos
            while pos < end and (s[pos] == 32 or s[pos] == 9):
                pos += 1
            if pos >= end or s[pos] != 60:
                return self.fallback(text)
        else:
            while pos < end and s[pos] != 60:
                if s[pos] == 34 or s[pos] == 44 or s[pos] == 59 or s[pos] == 62 or s[pos] < 32:
                    return self.fallback(text)
                pos += 1
            name = pos
            while name and s[name - 1] == 32:
                name -= 1
        pos += 1
        uri = pos
        while pos < end and s[pos] != 62:
            pos += 1
        if pos >= end or pos == uri or (pos + 1 < end and s[pos + 1] != 59):
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
    cdef Py_ssize_t s_raw, s_head_start, s_head_end, s_body_start, s_body_end, s_headers, s_ids, s_method, s_method_id
    cdef Py_ssize_t s_via1, s_via1_span, s_via1_alone, s_via1_branch, s_from_tag, s_to_tag, s_call_id, s_cseq
    cdef Py_ssize_t s_cseq_method, s_content_length, s_max_forwards, s_checked
    cdef Py_ssize_t s_ruri, s_uri, s_ruri_start, s_ruri_end, s_status, s_reason

    def __init__(self, request, response, ViaReader via, UriReader uri, headers, methods, fallback):
        """`headers` maps lower-case names to ids, `methods` names to ids; `fallback` reads what is unusual."""
        self.request, self.response, self.via, self.uri, self.fallback = request, response, via, uri, fallback
        wanted = {"via": OSIP_VIA, "from": OSIP_FROM, "to": OSIP_TO, "call-id": OSIP_CALL_ID, "cseq": OSIP_CSEQ,
                  "max-forwards": OSIP_MAX_FORWARDS, "record-route": OSIP_RECORD_ROUTE,
                  "content-length": OSIP_CONTENT_LENGTH, "timestamp": OSIP_TIMESTAMP}
        if {name: headers[name] for name in wanted} != wanted:
            raise ValueError("the accelerator was built for other header ids")
        memset(&self.names, 0, sizeof(osip_names))
        for name, number in headers.items():
            text = name.encode()
            if not osip_add_name(&self.names, text, <uint32_t>len(text), number):
                raise ValueError("header name too long")
        for name, number in methods.items():
            text = name.encode()
            if not osip_add_method(&self.names, text, <uint32_t>len(text), number):
                raise ValueError("method too long")
        self.methods, self.method_ids = tuple(methods), tuple(methods.values())
        self.find_slots(request, response)

    cdef int find_slots(self, request, response) except -1:
        self.s_raw, self.s_head_start, self.s_head_end = [slot_of(request, n) for n in ("raw", "head_start", "head_end")]
        self.s_body_start, self.s_body_end = slot_of(request, "body_start"), slot_of(request, "body_end")
        self.s_headers, self.s_ids = slot_of(request, "headers"), slot_of(request, "ids")
        self.s_method, self.s_method_id = slot_of(request, "method"), slot_of(request, "method_id")
        self.s_via1, self.s_via1_span = slot_of(request, "via1"), slot_of(request, "via1_span")
        self.s_via1_alone, self.s_via1_branch = slot_of(request, "via1_alone"), slot_of(request, "via1_branch")
        self.s_from_tag, self.s_to_tag = slot_of(request, "from_tag"), slot_of(request, "to_tag")
        self.s_call_id, self.s_cseq = slot_of(request, "call_id"), slot_of(request, "cseq")
        self.s_cseq_method, self.s_checked = slot_of(request, "cseq_method"), slot_of(request, "checked")
        self.s_content_length, self.s_max_forwards = slot_of(request, "content_length"), slot_of(request, "max_forwards")
        self.s_ruri, self.s_uri = slot_of(request, "ruri"), slot_of(request, "uri")
        self.s_ruri_start, self.s_ruri_end = slot_of(request, "ruri_start"), slot_of(request, "ruri_end")
        self.s_status, self.s_reason = slot_of(response, "status"), slot_of(response, "reason")
        return 0

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

    cdef object make(self, object raw, const uint8_t *s, osip_scan *scan):
        cdef object msg, text
        if scan.is_request:
            msg = osip_new(self.request)
            text = osip_ascii(s, scan.ruri.start, scan.ruri.end)
            put(msg, self.s_ruri, text)
            put(msg, self.s_uri, self.uri.make(s, &scan.uri, text))
            put(msg, self.s_ruri_start, scan.ruri.start)
            put(msg, self.s_ruri_end, scan.ruri.end)
        else:
            msg = osip_new(self.response)
            put(msg, self.s_status, scan.status)
            put(msg, self.s_reason, PyUnicode_DecodeUTF8(<const char *>s + scan.reason.start,
                                                         scan.reason.end - scan.reason.start, "surrogateescape"))
        put(msg, self.s_raw, raw)
        put(msg, self.s_head_start, scan.head_start)
        put(msg, self.s_head_end, scan.head_end)
        put(msg, self.s_body_start, scan.body_start)
        put(msg, self.s_body_end, scan.body_end)
        put(msg, self.s_headers, make_index(scan))
        put(msg, self.s_ids, PyBytes_FromStringAndSize(<const char *>scan.ids, scan.headers))
        put(msg, self.s_method, self.methods[scan.method])
        put(msg, self.s_method_id, self.method_ids[scan.method])
        put(msg, self.s_cseq_method, self.methods[scan.method])
        put(msg, self.s_cseq, scan.cseq)
        text = self.via.make(s, &scan.via)
        put(msg, self.s_via1, text)
        osip_put(msg, self.s_via1_branch, take(text, self.via.s_branch))
        put(msg, self.s_via1_span, (scan.via.all.start, scan.via.all.end))
        put(msg, self.s_via1_alone, True)
        put(msg, self.s_from_tag, osip_ascii(s, scan.from_tag.start, scan.from_tag.end))
        put(msg, self.s_to_tag, osip_ascii(s, scan.to_tag.start, scan.to_tag.end))
        put(msg, self.s_call_id, osip_ascii(s, scan.call_id.start, scan.call_id.end))
        if scan.length < 0:
            put(msg, self.s_content_length, None)
        else:
            put(msg, self.s_content_length, scan.length)
        if scan.hops < 0:
            put(msg, self.s_max_forwards, None)
        else:
            put(msg, self.s_max_forwards, scan.hops)
        put(msg, self.s_checked, True)
        return msg

    cdef Index index_of(self, object msg):
        """Return the index of a message that was read here; None for any other."""
        cdef void *headers
        if type(msg) is not self.request and type(msg) is not self.response:
            return None
        headers = osip_take(msg, self.s_headers)
        if headers == NULL or type(<object>headers) is not Index:
            return None
        return <Index>headers

    cdef int reply(self, pieces *out, object msg, Index index, int status, object to_tag, const char *via,
                   Py_ssize_t via_size) except -1:
        """Add what a reply copies from its request, up to and without what is its own."""
        cdef const char *s = PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw))
        cdef osip_header *header
        cdef bint routed = status > 100 and status < 300 and (<object>osip_take(msg, self.s_method)) != "REGISTER"
        cdef bint tagged
        cdef Py_ssize_t i
        tagged = to_tag and not <object>osip_take(msg, self.s_to_tag)
        for i in range(index.count):
            header = &index.header[i]
            if header.id == 0 or not (header.id <= OSIP_CSEQ or (routed and header.id == OSIP_RECORD_ROUTE)
                                      or (status == 100 and header.id == OSIP_TIMESTAMP)):
                continue
            if i == index.via and via != NULL:
                add(out, s + header.start, header.value - header.start)
                add(out, via, via_size)
            else:
                add(out, s + header.start, header.end - header.start)
                if header.id == OSIP_TO and tagged:
                    add(out, b";tag=", 5)
                    add(out, <const char *>PyUnicode_1BYTE_DATA(to_tag), PyUnicode_GET_LENGTH(to_tag))
            add(out, b"\r\n", 2)
        return 0

    def build_reply(self, msg, int status, reason, to_tag, extra, body, server, received, int rport, bint force_rport):
        """Build a reply; None when the twin must do it."""
        cdef pieces out
        cdef char first[32]
        cdef char length[48]
        cdef char via[LONGEST_VIA]
        cdef int via_size = 0
        cdef Index index = self.index_of(msg)
        if index is None or not is_ascii(reason) or not is_ascii(to_tag) or not is_ascii(received) \
                or not PyBytes_CheckExact(extra) or not PyBytes_CheckExact(body) or not PyBytes_CheckExact(server):
            return None
        if PyBytes_GET_SIZE(extra) and (PyBytes_GET_SIZE(extra) < 2 or memcmp(
                PyBytes_AS_STRING(extra) + PyBytes_GET_SIZE(extra) - 2, b"\r\n", 2) != 0):
            return None
        if PyUnicode_GET_LENGTH(received):
            via_size = complete(via, <const uint8_t *>PyBytes_AS_STRING(<object>osip_take(msg, self.s_raw)),
                                index.header[index.via].value, index.header[index.via].end, received, rport, force_rport)
            if via_size < 0:
                return None
        out.count = 0
        out.size = 0
        add(&out, first, snprintf(first, sizeof(first), b"SIP/2.0 %d ", status))
        add(&out, <const char *>PyUnicode_1BYTE_DATA(reason), PyUnicode_GET_LENGTH(reason))
        add(&out, b"\r\n", 2)
        self.reply(&out, msg, index, status, to_tag, via if via_size else NULL, via_size)
        if PyBytes_GET_SIZE(extra):
            add(&out, PyBytes_AS_STRING(extra), PyBytes_GET_SIZE(extra))
        if PyBytes_GET_SIZE(server):
            add(&out, b"Server: ", 8)
            add(&out, PyBytes_AS_STRING(server), PyBytes_GET_SIZE(server))
            add(&out, b"\r\n", 2)
        add(&out, length, snprintf(length, sizeof(length), b"Content-Length: %zd\r\n\r\n", PyBytes_GET_SIZE(body)))
        if PyBytes_GET_SIZE(body):
            add(&out, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
        return join(&out)

    def build_forward(self, msg, ruri, via, items, out):
        """Build the request to send on; None when the twin must do it. `items` is a list of edits, or None."""
        cdef Index index = self.index_of(msg)
        cdef Py_ssize_t size
        cdef const char *s
        if index is None or not PyBytes_CheckExact(via) or not index.has_length:
            return None
        size = PyBytes_GET_SIZE(via)
        s = PyBytes_AS_STRING(via)
        if size < 4 or memcmp(s, b"SIP/", 4) == 0 or not (ruri is None or is_ascii(ruri)):
            return None
        return splice(index, <object>osip_take(msg, self.s_raw), ruri, index.head_start, index.head_start, via, items, out)

    def build_forward_reply(self, msg, items, out):
        """Build the response to pass on; None when the twin must do it. `items` is a list of edits, or None."""
        cdef Index index = self.index_of(msg)
        cdef Py_ssize_t following
        if index is None or not index.has_length:
            return None
        following = index.via + 1
        return splice(index, <object>osip_take(msg, self.s_raw), None, index.header[index.via].start,
                      index.header[following].start if following < index.count else index.head_end + 2, b"", items, out)


cdef inline void *take(object instance, Py_ssize_t slot):
    """Return what a slot holds with a reference of its own."""
    cdef void *found = osip_take(instance, slot)
    Py_INCREF(<object>found)
    return found


cdef int complete(char *to, const uint8_t *s, uint32_t start, uint32_t end, object host, int rport, bint force):
    """Write a plain Via value with received and rport filled in; return its size, -1 for what the twin must do."""
    cdef osip_via via
    cdef uint32_t pos, name, size
    cdef int used
    cdef const char *address = <const char *>PyUnicode_1BYTE_DATA(host)
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(host)
    if end - start + length + 64 > LONGEST_VIA or not osip_read_via(s, start, end, &via):
        return -1
    used = via.params.start - start
    memcpy(to, s + start, used)
    pos = via.params.start
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
    if via.has_rport or force:
        return used + snprintf(to + used, LONGEST_VIA - used, b";received=%.*s;rport=%d", <int>length, address, rport)
    if via.host.end - via.host.start == <uint32_t>length and memcmp(s + via.host.start, address, length) == 0:
        return used
    return used + snprintf(to + used, LONGEST_VIA - used, b";received=%.*s", <int>length, address)


def complete_via(value, host, int port, bint force_rport):
    """Return a Via value with received and rport filled in; None when the twin must do it."""
    cdef char to[LONGEST_VIA]
    cdef int size
    if not PyBytes_CheckExact(value) or not is_ascii(host) or PyBytes_GET_SIZE(value) > LONGEST_VIA:
        return None
    size = complete(to, <const uint8_t *>PyBytes_AS_STRING(value), 0, <uint32_t>PyBytes_GET_SIZE(value), host, port,
                    force_rport)
    return None if size < 0 else PyBytes_FromStringAndSize(to, size)


ctypedef struct change:
    long start
    long end
    void *data


cdef object splice(Index index, object raw, object ruri, long start, long end, object data, object items, object out):
    """Join a message with one edit of its own and those of a list; None when the twin must do it."""
    cdef change edit[MOST_EDITS + 1]
    cdef pieces to
    cdef int count = 1, i
    cdef long pos = 0
    cdef const char *s = PyBytes_AS_STRING(raw)
    cdef list kept = None
    edit[0].start, edit[0].end, edit[0].data = start, end, <void *>data
    if items is not None:
        kept = list(items)                  # a replacement that is called might change the list
        count = gather(edit, kept)
    if count < 0:
        return None
    to.count = 0
    to.size = 0
    if ruri is not None:
        add(&to, s, index.ruri_start)
        add(&to, <const char *>PyUnicode_1BYTE_DATA(ruri), PyUnicode_GET_LENGTH(ruri))
        pos = index.ruri_end
    start = pos
    for i in range(count):                  # nothing may be called before it is sure that the twin is not needed
        if edit[i].start < start or edit[i].end < edit[i].start or edit[i].start >= index.body_start \
                or edit[i].end > index.body_end:
            return None
        start = edit[i].end
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
    add(&to, s + pos, index.body_end - pos)
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
