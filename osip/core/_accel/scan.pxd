from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t


cdef extern from "scan.h" nogil:
    enum: OSIP_VIA, OSIP_FROM, OSIP_TO, OSIP_CALL_ID, OSIP_CSEQ, OSIP_MAX_FORWARDS, OSIP_RECORD_ROUTE
    enum: OSIP_CONTENT_LENGTH, OSIP_TIMESTAMP, OSIP_TRANSPORT_COUNT, OSIP_METHODS

    ctypedef struct osip_span:
        uint32_t start
        uint32_t end

    ctypedef struct osip_header:
        uint16_t start
        uint16_t value
        uint16_t end
        uint8_t id

    ctypedef struct osip_names:
        int methods

    ctypedef struct osip_via:
        osip_span all
        osip_span host
        osip_span params
        osip_span branch
        osip_span received
        osip_span rport
        int transport
        int port
        int has_branch
        int has_received
        int has_rport
        int rport_has_value
        int has_maddr

    ctypedef struct osip_uri:
        osip_span scheme
        osip_span user
        osip_span password
        osip_span host
        osip_span headers
        int port
        int params
        osip_span *name
        osip_span *value
        uint8_t *has_value

    ctypedef struct osip_found:
        int is_request
        int method
        int cseq_method
        int status
        int headers
        int top
        uint32_t head_start
        uint32_t head_end
        uint32_t body_start
        uint32_t body_end
        osip_span ruri
        osip_span reason
        osip_span from_tag
        osip_span to_tag
        osip_span call_id
        uint32_t cseq
        int64_t length
        int hops
        osip_via via

    ctypedef struct osip_scan:
        osip_found found
        osip_uri uri
        osip_header *header

    const char **OSIP_TRANSPORTS
    void osip_fill_classes()
    void osip_add_quick(osip_names *, const char *, uint32_t, uint8_t)
    int osip_add_name(osip_names *, const char *, uint32_t, uint8_t)
    int osip_add_method(osip_names *, const char *, uint32_t, uint8_t)
    int osip_read_via(const uint8_t *, uint32_t, uint32_t, osip_via *)
    int osip_read_uri(const uint8_t *, uint32_t, uint32_t, osip_uri *)
    int osip_read(const uint8_t *, size_t, const osip_names *, osip_scan *)
    int64_t osip_digits(const uint8_t *, uint32_t, uint32_t, uint32_t)
    uint32_t osip_quoted(const uint8_t *, uint32_t, uint32_t)
    int osip_printable(const uint8_t *, uint32_t, uint32_t)
    int osip_same_in_any_case(const uint8_t *, uint32_t, const char *, uint32_t)


cdef extern from "slot.h":
    Py_ssize_t osip_slot(object, const char *)
    void osip_put(object, Py_ssize_t, void *)
    void *osip_take(object, Py_ssize_t)
    void osip_know_class(int, object)
    int osip_know_name(int, object, object, Py_ssize_t) except -1
    object osip_new(object)
    void osip_slots_only(object)
    Py_ssize_t osip_hash_of(const void *, Py_ssize_t)
    object osip_ascii(const uint8_t *, uint32_t, uint32_t)
    uint8_t osip_lower(uint8_t) nogil


cdef extern from "digest.h" nogil:
    ctypedef struct osip_md5:
        pass

    void osip_md5_begin(osip_md5 *)
    void osip_md5_add(osip_md5 *, const void *, size_t)
    void osip_md5_hex(osip_md5 *, char *)
    void osip_blake2(const uint8_t *, size_t, uint8_t *)
