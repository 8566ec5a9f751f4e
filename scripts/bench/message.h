/* Read the parts of a SIP message that the load generator checks.  Nothing is copied: spans point into it. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span { const char *at; int len; };

enum { MAX_VIA = 4, MAX_RR = 4 };

struct message {
    int status;                         /* 0: a request */
    struct span method, uri;            /* of a request */
    struct span via[MAX_VIA], rr[MAX_RR], from, to, call_id, contact, challenge, body;
    int vias, rrs, routes, max_forwards, content_length;
    unsigned cseq;
    struct span cseq_method;
};

static int span_is(struct span s, const char *word)
{
    int len = (int)strlen(word);
    return s.len == len && memcmp(s.at, word, (size_t)len) == 0;
}

static struct span span_find(struct span s, const char *word)
{
    struct span none = {0, 0}, rest;
    const char *hit = memmem(s.at, (size_t)s.len, word, strlen(word));
    if (!hit)
        return none;
    rest.at = hit;
    rest.len = s.len - (int)(hit - s.at);
    return rest;
}

static unsigned span_number(struct span s)
{
    unsigned value = 0;
    for (int i = 0; i < s.len && i < 10 && s.at[i] >= '0' && s.at[i] <= '9'; i++)
        value = value * 10 + (unsigned)(s.at[i] - '0');
    return value;
}

static int named(const char *line, int len, const char *name, char compact)
{
    int n = (int)strlen(name);
    return (len == n && strncasecmp(line, name, (size_t)n) == 0) || (compact && len == 1 && (line[0] | 32) == compact);
}

/* File one header; a name that the generator does not check is passed over. */
static void take_header(struct message *m, const char *name, int len, struct span value)
{
    switch (name[0] | 32) {
    case 'v':
        if (named(name, len, "Via", 'v') && m->vias++ < MAX_VIA)
            m->via[m->vias - 1] = value;
        break;
    case 'r':
        if (named(name, len, "Record-Route", 0) && m->rrs++ < MAX_RR)
            m->rr[m->rrs - 1] = value;
        else if (named(name, len, "Route", 0))
            m->routes++;
        break;
    case 'f':
        if (named(name, len, "From", 'f'))
            m->from = value;
        break;
    case 't':
        if (named(name, len, "To", 't'))
            m->to = value;
        break;
    case 'i':
        if (len == 1)
            m->call_id = value;
        break;
    case 'w':
        if (named(name, len, "WWW-Authenticate", 0))
            m->challenge = value;
        break;
    case 'm':
        if (named(name, len, "Max-Forwards", 0))
            m->max_forwards = (int)span_number(value);
        else if (len == 1)
            m->contact = value;
        break;
    case 'l':
        if (len == 1)
            m->content_length = (int)span_number(value);
        break;
    case 'c':
        if (named(name, len, "Call-ID", 0)) {
            m->call_id = value;
        } else if (named(name, len, "Contact", 0)) {
            m->contact = value;
        } else if (named(name, len, "Content-Length", 0)) {
            m->content_length = (int)span_number(value);
        } else if (named(name, len, "CSeq", 0)) {
            struct span method = span_find(value, " ");
            m->cseq = span_number(value);
            if (method.len > 1)
                m->cseq_method = (struct span){method.at + 1, method.len - 1};
        }
        break;
    }
}

static int take_start_line(struct message *m, const char *line, int len)
{
    struct span all = {line, len}, rest;
    if (len > 12 && memcmp(line, "SIP/2.0 ", 8) == 0) {
        m->status = (int)span_number((struct span){line + 8, 3});
        return m->status >= 100 && m->status < 700;
    }
    rest = span_find(all, " ");
    if (rest.len < 12 || memcmp(line + len - 8, " SIP/2.0", 8) != 0)
        return 0;
    m->method = (struct span){line, len - rest.len};
    m->uri = (struct span){rest.at + 1, rest.len - 9};
    return m->uri.len > 0;
}

/* Read a datagram; 0 when it is not a complete, well-formed message (a lying Content-Length included). */
static int read_message(struct message *m, const char *raw, int len)
{
    const char *end = raw + len, *line = raw;
    memset(m, 0, sizeof *m);
    m->max_forwards = m->content_length = -1;
    for (int first = 1; line < end; first = 0) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        int size = stop ? (int)(stop - line) - 1 : -1;
        if (size < 0 || stop[-1] != '\r')
            return 0;
        if (size == 0) {
            m->body = (struct span){stop + 1, (int)(end - stop - 1)};
            return !first && m->vias && m->call_id.len && m->cseq && m->cseq_method.len && m->from.len && m->to.len
                && m->content_length == m->body.len;
        }
        if (first) {
            if (!take_start_line(m, line, size))
                return 0;
        } else if (line[0] != ' ' && line[0] != '\t') {
            const char *colon = memchr(line, ':', (size_t)size);
            struct span value;
            int name_len;
            if (!colon)
                return 0;
            for (name_len = (int)(colon - line); name_len > 1 && line[name_len - 1] == ' ';)
                name_len--;
            value = (struct span){colon + 1, size - (int)(colon + 1 - line)};
            while (value.len && *value.at == ' ')
                value.at++, value.len--;
            take_header(m, line, name_len, value);
        }
        line = stop + 1;
    }
    return 0;
}

#endif
