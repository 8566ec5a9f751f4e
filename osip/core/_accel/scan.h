/* Scan SIP bytes into spans, without Python: the plain well-formed message only.
 *
 * Every function returns 1 when what it read is plain and 0 when it is unusual in any way; unusual is not wrong, it is
 * for the pure-Python twin (osip/core/sip) to judge. A span is [start, end) in offsets from the start of the buffer.
 * `size` bounds what may be read (16 bytes at a time, where the processor can), `end` what belongs to the value.
 * Nothing is read outside [0, size) of the buffer; no number is computed without a bound on its digits.
 */
#ifndef OSIP_SCAN_H
#define OSIP_SCAN_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    OSIP_MAX_HEAD = 65536, OSIP_MAX_HEADERS = 256, OSIP_MAX_URI = 4096, OSIP_MAX_DIGITS = 10, OSIP_SLOTS = 1024,
    OSIP_LONGEST = 40, OSIP_METHODS = 32, OSIP_PARAMS = 32, OSIP_QUICK = 256, OSIP_QUICK_LONGEST = 24
};
/* Header ids that the scanner itself asks for; the reader checks them against names.py when it is made. */
enum { OSIP_VIA = 1, OSIP_FROM = 2, OSIP_TO = 3, OSIP_CALL_ID = 4, OSIP_CSEQ = 5, OSIP_MAX_FORWARDS = 7,
       OSIP_RECORD_ROUTE = 9, OSIP_CONTENT_LENGTH = 10, OSIP_TIMESTAMP = 37 };

typedef struct { uint32_t start, end; } osip_span;
typedef struct { uint16_t start, value, end; uint8_t id; } osip_header;

/* Header names in lower case, open addressing; usual spellings, one to a slot and not all; methods in a row. */
typedef struct {
    char quick[OSIP_QUICK][OSIP_QUICK_LONGEST];
    uint8_t quick_length[OSIP_QUICK], quick_id[OSIP_QUICK];
    char name[OSIP_SLOTS][OSIP_LONGEST];
    uint8_t length[OSIP_SLOTS], id[OSIP_SLOTS];
    char method[OSIP_METHODS][16];
    uint8_t method_length[OSIP_METHODS], method_id[OSIP_METHODS];
    int methods;
} osip_names;

typedef struct {
    osip_span all, host, params, branch, received, rport;
    int transport;              /* an index of OSIP_TRANSPORTS */
    int port;                   /* -1: none */
    int has_branch, has_received, has_rport, rport_has_value, has_maddr;
} osip_via;

typedef struct {
    osip_span scheme, user, password, host, headers;
    int port, params;
    osip_span name[OSIP_PARAMS], value[OSIP_PARAMS];
    uint8_t has_value[OSIP_PARAMS];
} osip_uri;

/* What is kept of a message as long as it lives. */
typedef struct {
    int is_request, method, cseq_method;        /* indexes of osip_names.method */
    int status, headers, top;                   /* top: which header is the topmost Via */
    uint32_t head_start, head_end, body_start, body_end;
    osip_span ruri, reason, from_tag, to_tag, call_id;
    uint32_t cseq;
    int64_t length;             /* -1: none */
    int hops;                   /* -1: none */
    osip_via via;
} osip_found;

typedef struct {
    osip_found found;
    osip_uri uri;
    osip_header header[OSIP_MAX_HEADERS];
} osip_scan;

static const char *const OSIP_TRANSPORTS[] = {"UDP", "TCP", "TLS", "SCTP", "WS", "WSS"};
enum { OSIP_TRANSPORT_COUNT = 6 };

/* 1: token, 2: host, 4: may stand before the < of an address */
enum { C_TOKEN = 1, C_HOST = 2, C_NAME = 4 };
static uint8_t osip_class[256];

static inline void osip_fill_classes(void)
{
    for (int c = 0; c < 256; c++) {
        uint8_t bits = 0;
        int alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (alnum || (c && strchr("-.!%*_+`'~", c)))
            bits |= C_TOKEN;
        if (alnum || c == '_' || c == '.' || c == '-')
            bits |= C_HOST;
        if ((c >= 0x20 || c == '\t') && c != '"' && c != ',' && c != ';' && c != '>' && c != '<')
            bits |= C_NAME;
        osip_class[c] = bits;
    }
}

static inline uint8_t osip_lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c; }

static inline uint32_t osip_hash(uint32_t hash, uint8_t lower) { return (hash ^ lower) * 16777619u; }

static inline int osip_same(const uint8_t *s, uint32_t size, const char *word, uint32_t length)
{
    return size == length && memcmp(s, word, length) == 0;
}

static inline int osip_same_in_any_case(const uint8_t *s, uint32_t size, const char *word, uint32_t length)
{
    if (size != length)
        return 0;
    if (memcmp(s, word, length) == 0)
        return 1;
    for (uint32_t i = 0; i < size; i++)
        if (osip_lower(s[i]) != (uint8_t)word[i])
            return 0;
    return 1;
}

/* What ends a run of bytes, besides what is not printable ASCII: bits of a set. WIDE lets through all from the blank on. */
enum { STOP_QUOTE = 1, STOP_COMMA = 2, STOP_SEMICOLON = 4, STOP_EQUALS = 8, STOP_ANGLES = 16, STOP_AT = 32, STOP_WIDE = 64,
       IN_PARAM = STOP_QUOTE | STOP_COMMA | STOP_SEMICOLON | STOP_EQUALS, BEHIND_ADDRESS = IN_PARAM | STOP_ANGLES,
       IN_URI = STOP_QUOTE | STOP_ANGLES | STOP_AT, IN_BRACKETS = STOP_QUOTE | STOP_ANGLES | STOP_WIDE };

static inline int osip_stops(uint8_t c, int set)
{
    return c < 0x20 || (!(set & STOP_WIDE) && (c == 0x20 || c >= 0x7f)) || (set & STOP_QUOTE && c == '"')
        || (set & STOP_COMMA && c == ',') || (set & STOP_SEMICOLON && c == ';') || (set & STOP_EQUALS && c == '=')
        || (set & STOP_ANGLES && (c == '<' || c == '>')) || (set & STOP_AT && c == '@');
}

/* Return where a run of bytes ends: at `end`, or before it at the first byte that a set (a constant) stops. */
static inline uint32_t osip_run(const uint8_t *s, uint32_t pos, uint32_t end, uint32_t size, const int set)
{
#ifdef __SSE2__
#define OSIP_IS(c) _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c))
    while (pos < end && size - pos >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(s + pos)), stop;
        if (set & STOP_WIDE)
            stop = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        else            /* as signed numbers, bytes from 0x80 on are below 0x21, too */
            stop = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x21)), OSIP_IS(0x7f));
        if (set & STOP_QUOTE)
            stop = _mm_or_si128(stop, OSIP_IS('"'));
        if (set & STOP_COMMA)
            stop = _mm_or_si128(stop, OSIP_IS(','));
        if (set & STOP_SEMICOLON)
            stop = _mm_or_si128(stop, OSIP_IS(';'));
        if (set & STOP_EQUALS)
            stop = _mm_or_si128(stop, OSIP_IS('='));
        if (set & STOP_ANGLES)
            stop = _mm_or_si128(stop, _mm_or_si128(OSIP_IS('<'), OSIP_IS('>')));
        if (set & STOP_AT)
            stop = _mm_or_si128(stop, OSIP_IS('@'));
        unsigned found = (unsigned)_mm_movemask_epi8(stop);
        if (found) {
            pos += (uint32_t)__builtin_ctz(found);
            return pos < end ? pos : end;
        }
        pos += 16;
    }
    if (pos > end)
        return end;
#undef OSIP_IS
#endif
    while (pos < end && !osip_stops(s[pos], set))
        pos++;
    return pos;
}

/* Return where a quoted text ends: at the first quote or control character, or at `end`. */
static inline uint32_t osip_quoted(const uint8_t *s, uint32_t pos, uint32_t end)
{
    return osip_run(s, pos, end, end, STOP_QUOTE | STOP_WIDE);
}

/* Say whether all in [pos, end) is printable ASCII. Nothing outside of it is read. */
static inline int osip_printable(const uint8_t *s, uint32_t pos, uint32_t end)
{
#ifdef __SSE2__
    while (pos < end && end - pos >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(s + pos));
        if (_mm_movemask_epi8(_mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                                           _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)))))
            return 0;
        pos += end - pos >= 32 || end - pos == 16 ? 16 : end - pos - 16;       /* the last 16 may overlap */
    }
#endif
    for (; pos < end; pos++)
        if (s[pos] < 32 || s[pos] > 126)
            return 0;
    return 1;
}

/* Return where a header name ends: at the first colon, or at `end`. */
static inline uint32_t osip_colon(const uint8_t *s, uint32_t pos, uint32_t end, uint32_t size)
{
#ifdef __SSE2__
    if (size - pos >= 16) {
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(s + pos)),
                                                                    _mm_set1_epi8(':')));
        pos += found ? (uint32_t)__builtin_ctz(found) : 16;
        if (pos >= end)
            return end;
    }
#endif
    while (pos < end && s[pos] != ':')
        pos++;
    return pos;
}

/* Return the first line feed in [pos, end); NULL when there is none. Lines are short: a call would cost more than this. */
static inline const uint8_t *osip_line_feed(const uint8_t *s, uint32_t pos, uint32_t end)
{
#ifdef __SSE2__
    for (; pos < end && end - pos >= 16; pos += 16) {
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(s + pos)),
                                                                    _mm_set1_epi8('\n')));
        if (found)
            return s + pos + __builtin_ctz(found);
    }
#endif
    return pos < end ? memchr(s + pos, '\n', end - pos) : NULL;
}

static inline uint32_t osip_quick_at(const uint8_t *s, uint32_t size)
{
    /* The factors are those that leave nearly every usual name its own place. */
    return (s[0] * 56u + s[size - 1] * 12u + s[size / 2] * 45u + size * 26u) & (OSIP_QUICK - 1);
}

/* Say whether the usual spelling at a place is the name of that length at `pos`. */
static inline int osip_is_quick(const osip_names *names, uint32_t at, const uint8_t *s, uint32_t pos, uint32_t length,
                                uint32_t size)
{
    if (names->quick_length[at] != length)
        return 0;
#ifdef __SSE2__
    if (length <= 16 && size - pos >= 16) {
        unsigned equal = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(
            _mm_loadu_si128((const __m128i *)(s + pos)), _mm_loadu_si128((const __m128i *)names->quick[at])));
        return (~equal & ((1u << length) - 1)) == 0;
    }
#endif
    return memcmp(names->quick[at], s + pos, length) == 0;
}

/* Add a usual spelling of a name, if its place is free. */
static inline void osip_add_quick(osip_names *names, const char *name, uint32_t size, uint8_t id)
{
    if (!size || size > OSIP_QUICK_LONGEST)
        return;
    uint32_t at = osip_quick_at((const uint8_t *)name, size);
    if (names->quick_length[at])
        return;
    memcpy(names->quick[at], name, size);
    names->quick_length[at] = (uint8_t)size;
    names->quick_id[at] = id;
}

/* Add a lower-case name; 0 when it does not fit. */
static inline int osip_add_name(osip_names *names, const char *name, uint32_t size, uint8_t id)
{
    uint32_t hash = 2166136261u, tries = 0;
    if (!size || size > OSIP_LONGEST)
        return 0;
    for (uint32_t i = 0; i < size; i++)
        hash = osip_hash(hash, (uint8_t)name[i]);
    uint32_t at = (hash ^ hash >> 15) & (OSIP_SLOTS - 1);
    for (; names->length[at]; at = (at + 1) & (OSIP_SLOTS - 1))
        if (++tries > OSIP_SLOTS / 2)
            return 0;
    memcpy(names->name[at], name, size);
    names->length[at] = (uint8_t)size;
    names->id[at] = id;
    return 1;
}

static inline int osip_add_method(osip_names *names, const char *name, uint32_t size, uint8_t id)
{
    if (names->methods == OSIP_METHODS || !size || size > 16)
        return 0;
    memcpy(names->method[names->methods], name, size);
    names->method_length[names->methods] = (uint8_t)size;
    names->method_id[names->methods++] = id;
    return 1;
}

static inline int osip_method(const osip_names *names, const uint8_t *s, uint32_t size)
{
    for (int i = 0; i < names->methods; i++)
        if (names->method_length[i] == size && memcmp(names->method[i], s, size) == 0)
            return i;
    return -1;
}

/* Read digits up to `end`; -1 for none, too many or anything else. */
static inline int64_t osip_digits(const uint8_t *s, uint32_t pos, uint32_t end, uint32_t most)
{
    int64_t value = 0;
    if (pos >= end || end - pos > most)
        return -1;
    for (; pos < end; pos++) {
        if (s[pos] < 48 || s[pos] > 57)
            return -1;
        value = value * 10 + (s[pos] - 48);
    }
    return value;
}

static inline int osip_read_via_in(const uint8_t *s, uint32_t pos, uint32_t end, uint32_t size, osip_via *via)
{
    uint32_t at;
    via->all.start = pos;
    via->all.end = end;
    if (end - pos < 12 || memcmp(s + pos, "SIP/2.0/", 8) != 0)
        return 0;
    at = pos += 8;
    via->transport = -1;
    if (memcmp(s + pos, "UDP ", 4) == 0) {
        via->transport = 0;
        pos += 3;
    }
    while (pos < end && s[pos] >= 'A' && s[pos] <= 'Z')
        pos++;
    for (int i = 0; i < OSIP_TRANSPORT_COUNT && via->transport < 0; i++)
        if (osip_same(s + at, pos - at, OSIP_TRANSPORTS[i], (uint32_t)strlen(OSIP_TRANSPORTS[i])))
            via->transport = i;
    if (via->transport < 0 || pos >= end || s[pos++] != ' ')
        return 0;
    via->host.start = pos;
    while (pos < end && osip_class[s[pos]] & C_HOST)
        pos++;
    via->host.end = pos;
    if (via->host.start == pos)
        return 0;
    via->port = -1;
    if (pos < end && s[pos] == ':') {
        at = ++pos;
        while (pos < end && s[pos] != ';')
            pos++;
        via->port = (int)osip_digits(s, at, pos, 5);
        if (via->port < 0 || via->port > 65535)
            return 0;
    }
    via->params.start = pos;
    via->params.end = end;
    via->has_branch = via->has_received = via->has_rport = via->rport_has_value = via->has_maddr = 0;
    while (pos < end) {
        uint32_t name, equals = 0;
        if (s[pos] != ';')
            return 0;
        name = ++pos;
        for (;; pos++) {
            pos = osip_run(s, pos, end, size, IN_PARAM);
            if (pos == end || s[pos] == ';')
                break;
            if (s[pos] != '=')
                return 0;
            if (!equals)
                equals = pos;
        }
        uint32_t length = (equals ? equals : pos) - name;
        uint32_t value = equals ? equals + 1 : pos;
        if (length == 6 && osip_same_in_any_case(s + name, length, "branch", 6)) {
            if (memcmp(s + name, "branch", 6) != 0 || !equals || via->has_branch)
                return 0;
            via->has_branch = 1;
            via->branch.start = value;
            via->branch.end = pos;
        } else if (length == 8 && osip_same_in_any_case(s + name, length, "received", 8)) {
            if (!equals || via->has_received)
                return 0;
            via->has_received = 1;
            via->received.start = value;
            via->received.end = pos;
        } else if (length == 5 && osip_same_in_any_case(s + name, length, "maddr", 5)) {
            via->has_maddr = 1;
        } else if (length == 5 && osip_same_in_any_case(s + name, length, "rport", 5)) {
            if (via->has_rport)
                return 0;
            via->has_rport = 1;
            via->rport_has_value = equals != 0 && osip_digits(s, value, pos, 5) >= 0;
            via->rport.start = value;
            via->rport.end = pos;
        }
    }
    return 1;
}

static inline int osip_read_via(const uint8_t *s, uint32_t pos, uint32_t end, osip_via *via)
{
    return osip_read_via_in(s, pos, end, end, via);
}

static inline int osip_read_uri_in(const uint8_t *s, uint32_t pos, uint32_t end, uint32_t size, osip_uri *uri)
{
    uint32_t at, sign = 0;
    if (pos >= end || end - pos > OSIP_MAX_URI)
        return 0;
    uri->scheme.start = pos;
    if (end - pos > 4 && memcmp(s + pos, "sip:", 4) == 0)
        pos += 4;
    else if (end - pos > 5 && memcmp(s + pos, "sips:", 5) == 0)
        pos += 5;
    else
        return 0;
    uri->scheme.end = pos - 1;
    for (at = osip_run(s, pos, end, size, IN_URI); at < end; at = osip_run(s, at + 1, end, size, IN_URI)) {
        if (s[at] != '@' || sign)
            return 0;
        sign = at;
    }
    uri->user.start = uri->user.end = uri->password.start = uri->password.end = pos;
    if (sign) {
        for (at = pos; at < sign && s[at] != ':'; at++)
            ;
        uri->user.end = at;
        uri->password.start = at < sign ? at + 1 : sign;
        uri->password.end = sign;
        pos = sign + 1;
    }
    uri->host.start = pos;
    while (pos < end && osip_class[s[pos]] & C_HOST)
        pos++;
    uri->host.end = pos;
    if (uri->host.start == pos)
        return 0;
    uri->port = -1;
    if (pos < end && s[pos] == ':') {
        at = ++pos;
        while (pos < end && s[pos] != ';' && s[pos] != '?')
            pos++;
        uri->port = (int)osip_digits(s, at, pos, 5);
        if (uri->port < 0 || uri->port > 65535)
            return 0;
    }
    uri->params = 0;
    while (pos < end && s[pos] == ';') {
        uint32_t name = ++pos, equals = 0;
        for (; pos < end && s[pos] != ';' && s[pos] != '?'; pos++)
            if (s[pos] == '=' && !equals)
                equals = pos;
        int i = uri->params;
        if (i == OSIP_PARAMS)
            return 0;
        uri->name[i].start = name;
        uri->name[i].end = equals ? equals : pos;
        uri->value[i].start = equals ? equals + 1 : pos;
        uri->value[i].end = pos;
        uri->has_value[i] = equals != 0;
        if (uri->name[i].start != uri->name[i].end)
            uri->params++;
        else if (equals)
            return 0;
    }
    uri->headers.start = uri->headers.end = pos;
    if (pos < end) {
        if (s[pos] != '?')
            return 0;
        uri->headers.start = pos + 1;
        uri->headers.end = end;
    }
    return 1;
}

static inline int osip_read_uri(const uint8_t *s, uint32_t pos, uint32_t end, osip_uri *uri)
{
    return osip_read_uri_in(s, pos, end, end, uri);
}

/* Find the tag of a From or To value; an empty span when it has none. */
static inline int osip_read_tag(const uint8_t *s, uint32_t pos, uint32_t end, uint32_t size, osip_span *tag)
{
    uint32_t uri;
    tag->start = tag->end = 0;
    if (pos < end && s[pos] == '"') {
        for (pos++; pos < end && s[pos] != '"'; pos++)
            if (s[pos] == '\\' || s[pos] < 0x20)
                return 0;
        for (pos++; pos < end && (s[pos] == ' ' || s[pos] == '\t'); pos++)
            ;
        if (pos >= end || s[pos] != '<')
            return 0;
    } else {
        while (pos < end && osip_class[s[pos]] & C_NAME)
            pos++;
    }
    if (pos >= end || s[pos] != '<')
        return 0;
    uri = ++pos;
    pos = osip_run(s, pos, end, size, IN_BRACKETS);
    if (pos >= end || s[pos] != '>' || pos == uri)
        return 0;
    pos++;
    while (pos < end) {
        uint32_t name, equals = 0;
        if (s[pos] != ';')
            return 0;
        name = ++pos;
        for (;; pos++) {
            pos = osip_run(s, pos, end, size, BEHIND_ADDRESS);
            if (pos == end || s[pos] == ';')
                break;
            if (s[pos] != '=')
                return 0;
            if (!equals)
                equals = pos;
        }
        if ((equals ? equals : pos) - name == 3 && osip_same_in_any_case(s + name, 3, "tag", 3)) {
            if (memcmp(s + name, "tag", 3) != 0 || !equals || equals + 1 == pos)
                return 0;
            if (!tag->end) {
                tag->start = equals + 1;
                tag->end = pos;
            }
        }
    }
    return 1;
}

static inline int osip_start_line(const uint8_t *s, uint32_t end, uint32_t size, const osip_names *names, osip_scan *out)
{
    const uint8_t *blank;
    if (end >= 12 && memcmp(s, "SIP/2.0 ", 8) == 0) {
        out->found.is_request = 0;
        out->found.status = (int)osip_digits(s, 8, 11, 3);
        out->found.reason.start = 12;
        out->found.reason.end = end;
        return out->found.status >= 100 && out->found.status <= 699 && s[11] == ' ';
    }
    out->found.is_request = 1;
    blank = memchr(s, ' ', end);
    if (!blank || end < 12 || memcmp(s + end - 8, " SIP/2.0", 8) != 0)
        return 0;
    out->found.method = osip_method(names, s, (uint32_t)(blank - s));
    out->found.ruri.start = (uint32_t)(blank - s) + 1;
    out->found.ruri.end = end - 8;
    return out->found.method >= 0 && out->found.ruri.end > out->found.ruri.start
        && osip_read_uri_in(s, out->found.ruri.start, out->found.ruri.end, size, &out->uri);
}

/* Index the header lines from `pos` on; sets head_end, body_start and the place of each header that may stand once. */
static inline int osip_index(const uint8_t *s, uint32_t pos, uint32_t size, const osip_names *names, osip_scan *out,
                             int place[16])
{
    uint32_t most = size < OSIP_MAX_HEAD ? size : OSIP_MAX_HEAD;
    out->found.headers = 0;
    for (;;) {
        uint32_t start = pos, hash = 2166136261u, at, name;
        uint8_t lower[OSIP_LONGEST];
        const uint8_t *line = osip_line_feed(s, pos, most);
        if (!line || line == s + pos || line[-1] != '\r')
            return 0;
        uint32_t end = (uint32_t)(line - s) - 1;
        if (end == start) {
            out->found.head_end = start - 2;
            out->found.body_start = start + 2;
            return out->found.headers > 0;
        }
        if (out->found.headers == OSIP_MAX_HEADERS)
            return 0;
        uint8_t id = 0;
        at = osip_colon(s, start, end, size);
        name = at - start;
        if (name && at < end) {
            uint32_t slot = osip_quick_at(s + start, name);
            if (osip_is_quick(names, slot, s, start, name, size)) {
                id = names->quick_id[slot];
                pos = at;
            }
        }
        if (!id) {
            for (; pos < end && osip_class[s[pos]] & C_TOKEN; pos++) {
                if (pos - start < OSIP_LONGEST) {
                    lower[pos - start] = osip_lower(s[pos]);
                    hash = osip_hash(hash, lower[pos - start]);
                }
            }
            name = pos - start;
            if (!name || pos >= end || s[pos] != ':')
                return 0;
        }
        if (!id && name <= OSIP_LONGEST)
            for (at = (hash ^ hash >> 15) & (OSIP_SLOTS - 1); names->length[at]; at = (at + 1) & (OSIP_SLOTS - 1))
                if (names->length[at] == name && memcmp(names->name[at], lower, name) == 0) {
                    id = names->id[at];
                    break;
                }
        for (pos++; pos < end && (s[pos] == ' ' || s[pos] == '\t'); pos++)
            ;
        if (id && id < 16) {
            if (place[id] < 0)
                place[id] = out->found.headers;
            else if (id == OSIP_FROM || id == OSIP_TO || id == OSIP_CALL_ID || id == OSIP_CSEQ
                     || id == OSIP_MAX_FORWARDS || id == OSIP_CONTENT_LENGTH)
                return 0;
        }
        osip_header *header = &out->header[out->found.headers];
        out->found.headers++;
        header->id = id;
        header->start = (uint16_t)start;
        header->value = (uint16_t)pos;
        header->end = (uint16_t)end;
        pos = end + 2;
    }
}

static inline int osip_values(const uint8_t *s, uint32_t size, const osip_names *names, osip_scan *out,
                              const int place[16])
{
    const osip_header *header;
    uint32_t pos;
    int64_t number;
    if (place[OSIP_VIA] < 0 || place[OSIP_FROM] < 0 || place[OSIP_TO] < 0 || place[OSIP_CALL_ID] < 0
        || place[OSIP_CSEQ] < 0)
        return 0;
    out->found.top = place[OSIP_VIA];
    header = &out->header[place[OSIP_VIA]];
    if (!osip_read_via_in(s, header->value, header->end, size, &out->found.via))
        return 0;
    header = &out->header[place[OSIP_FROM]];
    if (!osip_read_tag(s, header->value, header->end, size, &out->found.from_tag))
        return 0;
    header = &out->header[place[OSIP_TO]];
    if (!osip_read_tag(s, header->value, header->end, size, &out->found.to_tag))
        return 0;
    header = &out->header[place[OSIP_CALL_ID]];
    if (header->value == header->end)
        return 0;
    if (osip_run(s, header->value, header->end, size, 0) != header->end)
        return 0;
    out->found.call_id.start = header->value;
    out->found.call_id.end = header->end;
    header = &out->header[place[OSIP_CSEQ]];
    for (pos = header->value; pos < header->end && s[pos] != ' '; pos++)
        ;
    number = osip_digits(s, header->value, pos, OSIP_MAX_DIGITS);
    if (number < 0 || number >= 2147483648LL || pos >= header->end)
        return 0;
    out->found.cseq = (uint32_t)number;
    out->found.cseq_method = osip_method(names, s + pos + 1, header->end - pos - 1u);
    if (out->found.cseq_method < 0 || (out->found.is_request && out->found.cseq_method != out->found.method))
        return 0;
    out->found.method = out->found.cseq_method;
    out->found.hops = -1;
    if (place[OSIP_MAX_FORWARDS] >= 0) {
        header = &out->header[place[OSIP_MAX_FORWARDS]];
        out->found.hops = (int)osip_digits(s, header->value, header->end, 3);
        if (out->found.hops < 0 || out->found.hops > 255)
            return 0;
    }
    out->found.length = -1;
    out->found.body_end = size;
    if (place[OSIP_CONTENT_LENGTH] >= 0) {
        header = &out->header[place[OSIP_CONTENT_LENGTH]];
        out->found.length = osip_digits(s, header->value, header->end, OSIP_MAX_DIGITS);
        if (out->found.length < 0 || out->found.length > (int64_t)(size - out->found.body_start))
            return 0;
        out->found.body_end = out->found.body_start + (uint32_t)out->found.length;
    }
    return 1;
}

/* Read a whole message. */
static inline int osip_read(const uint8_t *s, size_t length, const osip_names *names, osip_scan *out)
{
    int place[16];
    const uint8_t *line;
    if (length < 20 || length > 0x7fffffff)
        return 0;
    uint32_t size = (uint32_t)length;
    line = memchr(s, '\n', size < OSIP_MAX_HEAD ? size : OSIP_MAX_HEAD);
    if (!line || line == s || line[-1] != '\r')
        return 0;
    memset(place, -1, sizeof place);
    out->found.head_start = (uint32_t)(line - s) + 1;
    return osip_start_line(s, out->found.head_start - 2, size, names, out)
        && osip_index(s, out->found.head_start, size, names, out, place)
        && osip_values(s, size, names, out, place);
}

#endif
