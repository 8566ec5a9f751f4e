# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Receive and send many datagrams with one system call (recvmmsg, sendmmsg)."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <netinet/in.h>
    #include <sys/socket.h>
    """

cdef extern from "sys/socket.h" nogil:
    enum: AF_INET, AF_INET6, MSG_DONTWAIT
    ctypedef unsigned int socklen_t
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        void *msg_name
        socklen_t msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    struct sockaddr_storage:
        unsigned short ss_family
    int recvmmsg(int, mmsghdr *, unsigned int, int, void *)
    int sendmmsg(int, mmsghdr *, unsigned int, int)

cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
    uint16_t htons(uint16_t)
    uint16_t ntohs(uint16_t)
    uint32_t ntohl(uint32_t)

cdef enum:
    MOST = 64
    NEAR = 2112             # nearly all messages fit; an odd number of cache lines, so that all sets of the cache are used
    FAR = 65536 - NEAR


cdef class Batch:
    """Hold the buffers; one serves all sockets of a worker, since none keeps them beyond a call."""
    cdef char *near
    cdef char *far
    cdef mmsghdr header[MOST]
    cdef iovec part[MOST]
    cdef sockaddr_storage name[MOST]
    # Those of received datagrams stay as they are: only what a call has used is made ready again.
    cdef mmsghdr arrived[MOST]
    cdef iovec arrived_part[2 * MOST]
    cdef sockaddr_storage sender[MOST]
    # A peer that is busy sends many in a row: they get one object as their address, known again at a glance.
    cdef uint64_t last_number
    cdef object last_address

    def __cinit__(self):
        # What is long goes on in `far`: what is written and read again and again stays together, in the cache.
        # Calloc of that size is an anonymous mapping: a page is taken only when a datagram is written to it.
        self.near = <char *>PyMem_RawCalloc(MOST, NEAR)
        self.far = <char *>PyMem_RawCalloc(MOST, FAR)
        if self.near == NULL or self.far == NULL:
            raise MemoryError
        cdef int i
        memset(self.arrived, 0, sizeof(self.arrived))
        for i in range(MOST):
            self.arrived_part[2 * i].iov_base = self.near + i * NEAR
            self.arrived_part[2 * i].iov_len = NEAR
            self.arrived_part[2 * i + 1].iov_base = self.far + i * FAR
            self.arrived_part[2 * i + 1].iov_len = FAR
            self.arrived[i].msg_hdr.msg_name = &self.sender[i]
            self.arrived[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage)
            self.arrived[i].msg_hdr.msg_iov = &self.arrived_part[2 * i]
            self.arrived[i].msg_hdr.msg_iovlen = 2

    def __dealloc__(self):
        PyMem_RawFree(self.near)
        PyMem_RawFree(self.far)

    cdef bytes data(self, int i, size_t length):
        """Return the datagram that arrived as number `i`."""
        cdef bytes data
        if length <= NEAR:
            return PyBytes_FromStringAndSize(self.near + i * NEAR, length)
        data = PyBytes_FromStringAndSize(NULL, length)
        memcpy(PyBytes_AS_STRING(data), self.near + i * NEAR, NEAR)
        memcpy(PyBytes_AS_STRING(data) + NEAR, self.far + i * FAR, length - NEAR)
        return data

    cdef void prepare(self, int i, void *base, size_t size, socklen_t name) noexcept:
        self.part[i].iov_base = base
        self.part[i].iov_len = size
        memset(&self.header[i], 0, sizeof(mmsghdr))
        self.header[i].msg_hdr.msg_name = &self.name[i]
        self.header[i].msg_hdr.msg_namelen = name
        self.header[i].msg_hdr.msg_iov = &self.part[i]
        self.header[i].msg_hdr.msg_iovlen = 1

    def receive(self, int fileno):
        """Return up to 64 waiting datagrams as (bytes, address); OSError for an error that was waiting.

        An address is a number for IPv4 (address times 65536 plus port), the bytes of sockaddr_in6 for IPv6.
        """
        cdef int i, count
        cdef list found = []
        cdef sockaddr_in *v4
        cdef object address
        cdef uint64_t number
        count = recvmmsg(fileno, self.arrived, MOST, MSG_DONTWAIT, NULL)
        if count < 0:
            if errno == EAGAIN or errno == EINTR:
                return found
            raise OSError(errno, "recvmmsg")
        for i in range(count):
            if self.sender[i].ss_family == AF_INET:
                v4 = <sockaddr_in *>&self.sender[i]
                number = (<uint64_t>ntohl((<uint32_t *>&v4.sin_addr)[0])) << 16 | ntohs(v4.sin_port)
                if number != self.last_number or self.last_address is None:
                    self.last_number, self.last_address = number, number
                address = self.last_address
            else:
                address = PyBytes_FromStringAndSize(<char *>&self.sender[i], self.arrived[i].msg_hdr.msg_namelen)
            found.append((self.data(i, self.arrived[i].msg_len), address))
            self.arrived[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage)
        return found

    def send(self, int fileno, list items, Py_ssize_t start):
        """Send items[start:], each (data, packed host, port, ...); return (first that was not sent, errno or 0)."""
        cdef int i, count, sent
        cdef bytes data, host
        while start < len(items):
            count = min(len(items) - start, MOST)
            for i in range(count):
                data, host = items[start + i][0], items[start + i][1]
                self.prepare(i, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data),
                             self.address(i, host, items[start + i][2]))
            sent = sendmmsg(fileno, self.header, count, MSG_DONTWAIT)
            if sent < 0:
                return start, errno
            start += sent
        return start, 0

    cdef socklen_t address(self, int i, bytes host, int port):
        cdef sockaddr_in *v4 = <sockaddr_in *>&self.name[i]
        cdef sockaddr_in6 *v6 = <sockaddr_in6 *>&self.name[i]
        memset(&self.name[i], 0, sizeof(sockaddr_in6))
        if PyBytes_GET_SIZE(host) == 4:
            v4.sin_family = AF_INET
            v4.sin_port = htons(<uint16_t>port)
            memcpy(&v4.sin_addr, PyBytes_AS_STRING(host), 4)
            return sizeof(sockaddr_in)
        v6.sin6_family = AF_INET6
        v6.sin6_port = htons(<uint16_t>port)
        memcpy(&v6.sin6_addr, PyBytes_AS_STRING(host), 16)
        return sizeof(sockaddr_in6)
