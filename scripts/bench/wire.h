/* Send and receive datagrams in batches over a socket that is connected to the server. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM = 4096 };

struct wire {
    int fd, queued;
    uint64_t sent, received, refused, unsent;
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

static void wire_flush(struct wire *w)
{
    int done = 0;
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
        wire_flush(w);
    return w->out_text[w->queued];
}

static void wire_commit(struct wire *w, int len)
{
    if (len <= 0 || len >= DATAGRAM) {
        fprintf(stderr, "load: a message of %d bytes does not fit\n", len);
        exit(2);
    }
    w->out_vec[w->queued++].iov_len = (size_t)len;
}

static int wire_receive(struct wire *w)
{
    int n = recvmmsg(w->fd, w->in, BATCH, MSG_DONTWAIT, NULL);
    if (n < 0) {
        if (errno == ECONNREFUSED)
            w->refused++;
        return 0;
    }
    w->received += (uint64_t)n;
    return n;
}

#endif
