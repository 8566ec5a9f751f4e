/* Send and receive messages in batches: datagrams over a socket that is connected to the server, or TCP streams.
 *
 * A caller's stream is made by it, a callee's by the server; a callee that has several answers on the one that the
 * request came on (`on`). */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <arpa/inet.h>
#include "message.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM = 4096, STREAMS = 8, READ_ROOM = 1 << 18 };

struct stream {
    int fd, in_len, used;               /* bytes read, and those of them that were given away */
    char *in, *out;
    size_t out_len, out_room;
};

struct wire {
    int fd, queued, is_stream, streams, on;         /* on: the stream that the next message leaves by */
    uint64_t sent, received, refused, unsent;
    const char *in_at[BATCH];
    int in_size[BATCH], in_on[BATCH];
    struct stream stream[STREAMS];
    struct mmsghdr out[BATCH], in[BATCH];
    struct iovec out_vec[BATCH], in_vec[BATCH];
    char out_text[BATCH][DATAGRAM], in_text[BATCH][DATAGRAM];
};

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in address(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
        fprintf(stderr, "load: not an IPv4 address: %s\n", host);
        exit(2);
    }
    return a;
}

static void wire_open(struct wire *w, const char *host, int port, int server_port)
{
    struct sockaddr_in near = address(host, port), far = address(host, server_port);
    int room = 16 << 20;
    w->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    /* FORCE works for root only; without it the system's limit applies, which small windows can live with. */
    if (setsockopt(w->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room))
        setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (bind(w->fd, (void *)&near, sizeof near) || connect(w->fd, (void *)&far, sizeof far)) {
        perror("load: bind or connect");
        exit(2);
    }
    for (int i = 0; i < BATCH; i++) {
        w->in_vec[i] = (struct iovec){w->in_text[i], DATAGRAM};
        w->in[i].msg_hdr.msg_iov = &w->in_vec[i];
        w->out_vec[i].iov_base = w->out_text[i];
        w->out[i].msg_hdr.msg_iov = &w->out_vec[i];
        w->in[i].msg_hdr.msg_iovlen = w->out[i].msg_hdr.msg_iovlen = 1;
    }
}

static void stream_add(struct wire *w, int fd)
{
    struct stream *s = &w->stream[w->streams++];
    int yes = 1;
    *s = (struct stream){.fd = fd, .in = malloc(READ_ROOM)};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (!s->in) {
        fprintf(stderr, "load: no memory\n");
        exit(2);
    }
}

/* Connect to the server (a caller), or listen for it (a callee); returns the port that is ours. */
static int wire_open_stream(struct wire *w, const char *host, int port, int server_port)
{
    struct sockaddr_in near = address(host, port), far = address(host, server_port);
    socklen_t size = sizeof near;
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    w->is_stream = 1;
    w->fd = -1;
    if (server_port) {
        if (connect(fd, (void *)&far, sizeof far) || getsockname(fd, (void *)&near, &size)) {
            perror("load: connect");
            exit(2);
        }
        stream_add(w, fd);
        return ntohs(near.sin_port);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (void *)&near, sizeof near) || listen(fd, STREAMS)) {
        perror("load: bind or listen");
        exit(2);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    w->fd = fd;
    return port;
}

static void stream_flush(struct wire *w, struct stream *s)
{
    size_t done = 0;
    while (s->fd >= 0 && done < s->out_len) {
        ssize_t n = send(s->fd, s->out + done, s->out_len - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            break;                      /* the server is slow: it goes out the next time */
        } else if (errno != EINTR) {
            w->refused++;
            close(s->fd);
            s->fd = -1;
        }
    }
    memmove(s->out, s->out + done, s->out_len - done);
    s->out_len -= done;
}

static void wire_flush(struct wire *w)
{
    int done = 0;
    if (w->is_stream) {
        for (int i = 0; i < w->streams; i++)
            if (w->stream[i].out_len)
                stream_flush(w, &w->stream[i]);
        return;
    }
    for (int tries = 0; done < w->queued && tries < 100000; tries++) {
        int n = sendmmsg(w->fd, w->out + done, (unsigned)(w->queued - done), 0);
        if (n > 0) {
            done += n;
        } else if (errno == ECONNREFUSED) {
            w->refused++;           /* the report of an earlier datagram: nobody listened */
        } else if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
            perror("load: sendmmsg");
            exit(2);
        }
    }
    w->sent += (uint64_t)done;
    w->unsent += (uint64_t)(w->queued - done);
    w->queued = 0;
}

/* Give the text buffer for the next datagram; wire_commit names its length. */
static char *wire_next(struct wire *w)
{
    if (w->queued == BATCH)
        wire_flush(w);                  /* of a stream nothing is queued here */
    return w->out_text[w->queued];
}

static void wire_commit(struct wire *w, int len)
{
    if (len <= 0 || len >= DATAGRAM) {
        fprintf(stderr, "load: a message of %d bytes does not fit\n", len);
        exit(2);
    }
    if (w->is_stream) {
        struct stream *s = &w->stream[w->on];
        if (s->out_len + (size_t)len > s->out_room) {
            s->out_room = 2 * s->out_room + 65536;
            s->out = realloc(s->out, s->out_room);
        }
        if (!s->out || w->on >= w->streams) {
            fprintf(stderr, "load: no memory, or no stream to answer on\n");
            exit(2);
        }
        memcpy(s->out + s->out_len, w->out_text[0], (size_t)len);
        s->out_len += (size_t)len;
        w->sent++;
        return;
    }
    w->out_vec[w->queued++].iov_len = (size_t)len;
}

/* Give the length of the message at the start of a stream's bytes; 0 when it is not whole yet. */
static int framed(const char *text, int len)
{
    const char *end = memmem(text, (size_t)len, "\r\n\r\n", 4), *line = text;
    int size = 0;
    if (!end)
        return 0;
    for (; line < end; line = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1) {
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            size = atoi(line + 15);
        else if (strncasecmp(line, "l:", 2) == 0)
            size = atoi(line + 2);
    }
    size += (int)(end - text) + 4;
    return size <= len ? size : 0;
}

static int stream_receive(struct wire *w)
{
    int found = 0;
    if (w->fd >= 0 && w->streams < STREAMS) {
        int fd = accept(w->fd, NULL, NULL);
        if (fd >= 0)
            stream_add(w, fd);
    }
    for (int i = 0; i < w->streams; i++) {
        struct stream *s = &w->stream[i];
        ssize_t n;
        memmove(s->in, s->in + s->used, (size_t)(s->in_len - s->used));
        s->in_len -= s->used;
        s->used = 0;
        n = s->fd < 0 ? -1 : recv(s->fd, s->in + s->in_len, (size_t)(READ_ROOM - s->in_len), 0);
        if (n == 0) {
            close(s->fd);
            s->fd = -1;
            w->refused++;
        }
        s->in_len += n > 0 ? (int)n : 0;
        for (int size; found < BATCH; found++, s->used += size) {
            while (s->used + 1 < s->in_len && s->in[s->used] == '\r' && s->in[s->used + 1] == '\n')
                s->used += 2;           /* a keep-alive */
            size = framed(s->in + s->used, s->in_len - s->used);
            if (!size)
                break;
            w->in_at[found] = s->in + s->used;
            w->in_size[found] = size;
            w->in_on[found] = i;
        }
    }
    w->received += (uint64_t)found;
    return found;
}

static int wire_receive(struct wire *w)
{
    int n;
    if (w->is_stream)
        return stream_receive(w);
    n = recvmmsg(w->fd, w->in, BATCH, MSG_DONTWAIT, NULL);
    if (n < 0) {
        if (errno == ECONNREFUSED)
            w->refused++;
        return 0;
    }
    for (int i = 0; i < n; i++)
        w->in_at[i] = w->in_text[i], w->in_size[i] = (int)w->in[i].msg_len;
    w->received += (uint64_t)n;
    return n;
}

#endif
