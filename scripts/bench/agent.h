/* The generator's two ends: a UAC that starts operations and a UAS that answers them, both checking what they get.
 *
 * An operation has a number that travels in Call-ID and branch; its slot in `ops` remembers how far it came.  What
 * does not fit the slot is counted: "bad" when it is wrong, "repeated" when it is a second copy of something right. */
#ifndef BENCH_AGENT_H
#define BENCH_AGENT_H

#include "digest.h"
#include "wire.h"

enum mode { OPTIONS, REGISTER, AUTH, CALL, LOOKUP, FORWARD, DISPATCH, SILENT };
enum state { IDLE, ASKED, RINGING, ANSWERED, ENDING };
enum { HISTOGRAM = 4000000, DIALOG = 512 };

struct op {
    uint64_t started;
    uint32_t number;                    /* of the operation in this slot; in CSeq for registering */
    uint8_t state, heard, acked, failed_over;   /* of the UAC; the UAS saw the INVITE, the ACK; the gateway did */
    uint16_t target_len, dialog_len;    /* dialog: target URI, then the Route and To lines for ACK and BYE */
    char *dialog;                       /* DIALOG bytes, of calls only: a million users must fit */
    uint64_t answer_at;                 /* of the UAS, when calls ring for a while */
    int invite_len;
    char *invite;
};

struct load {
    enum mode mode;
    const char *host;
    int port, uac_port, uas_port, is_stream;
    const char *proto, *suffix;         /* in Via; behind URIs */
    uint32_t window, users, base_cseq, run;
    struct op *ops;
    uint32_t slots;
    uint64_t started, completed, failed, lost, bad, repeated;
    uint32_t in_flight, *histogram;
    uint64_t now, hold;                 /* nanoseconds that a call rings */
    uint32_t *ringing, ring_first, ring_count;      /* slots of the calls that ring, in the order of their answers */
    int complaints;
    uint64_t turned_away, turned_away_acked;
    struct wire uac, uas, gateway;      /* gateway: the first one of DISPATCH and SILENT, which fails */
};

static const char AGENT[] = "User-Agent: osip-load\r\n";
static const char MEDIA[] = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO\r\nSupported: replaces, timer\r\n"
                            "Content-Type: application/sdp\r\n";
static const char SDP[] = "v=0\r\no=load 20240101 20240101 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                          "m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
                          "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

static void complain(struct load *l, const char *what, const char *raw, int len)
{
    l->bad++;
    if (l->complaints++ < 3)
        fprintf(stderr, "load: %s:\n%.*s\n", what, len > 1200 ? 1200 : len, raw);
}

static char *put(char *p, const char *text, int len)
{
    memcpy(p, text, (size_t)len);
    return p + len;
}

static char *put_line(char *p, const char *name, struct span value)
{
    p = put(p, name, (int)strlen(name));
    p = put(p, value.at, value.len);
    return put(p, "\r\n", 2);
}

static int is_call(const struct load *l)
{
    return l->mode == CALL || l->mode == LOOKUP || l->mode == DISPATCH || l->mode == SILENT;
}

static int is_registering(const struct load *l)
{
    return l->mode == REGISTER || l->mode == AUTH;
}

/* ---- UAC: requests ---------------------------------------------------------------------------------------- */

static int put_identity(struct load *l, char *p, uint32_t slot, const char *method, char kind, uint32_t cseq)
{
    struct op *op = &l->ops[slot];
    uint32_t number = is_registering(l) ? 0 : op->number;       /* a phone keeps its Call-ID when it refreshes */
    return sprintf(p, "Via: SIP/2.0/%s %s:%d;branch=z9hG4bK%08x%08x%08x%c\r\nMax-Forwards: 70\r\n"
                      "From: \"Load\" <sip:u%07u@%s>;tag=f%08x%08x\r\nCall-ID: %08x-%08x-%08x@load\r\nCSeq: %u %s\r\n",
                   l->proto, l->host, l->uac_port, l->run, slot, op->number, kind, slot % (l->users ? l->users : 1),
                   l->host, slot, number, slot, number, is_registering(l) ? 0 : l->run, cseq, method);
}

/* Send a REGISTER; with a challenge the one that answers it, under the next CSeq. */
static void send_register(struct load *l, uint32_t slot, const struct span *challenge)
{
    char *text = wire_next(&l->uac), *p = text, user[16], uri[64];
    struct op *op = &l->ops[slot];
    int room;
    sprintf(user, "u%07u", slot);
    sprintf(uri, "sip:%s:%d", l->host, l->port);
    p += sprintf(p, "REGISTER %s SIP/2.0\r\n", uri);
    p += put_identity(l, p, slot, "REGISTER", challenge ? 'd' : 'r', op->number + !!challenge);
    p += sprintf(p, "To: <sip:%s@%s>\r\nContact: <sip:%s@%s:%d%s>\r\nExpires: 3600\r\n%s", user, l->host, user,
                 l->host, l->uas_port, l->suffix, AGENT);
    if (challenge) {
        room = put_authorization(p, *challenge, user, "REGISTER", uri);
        if (!room)
            complain(l, "401 with a challenge that cannot be answered", challenge->at, challenge->len);
        p += room;
    }
    p += sprintf(p, "Content-Length: 0\r\n\r\n");
    wire_commit(&l->uac, (int)(p - text));
}

static void send_first(struct load *l, uint32_t slot)
{
    char *text = wire_next(&l->uac), *p = text;
    struct op *op = &l->ops[slot];
    uint32_t user = l->users ? (uint32_t)((uint64_t)op->number * 7919u % l->users) : 0;
    switch (l->mode) {
    case OPTIONS:
        p += sprintf(p, "OPTIONS sip:%s:%d SIP/2.0\r\n", l->host, l->port);
        p += put_identity(l, p, slot, "OPTIONS", 'o', op->number);
        p += sprintf(p, "To: <sip:%s:%d>\r\n%sAccept: application/sdp\r\nContent-Length: 0\r\n\r\n", l->host, l->port,
                     AGENT);
        break;
    case REGISTER:
    case AUTH:
        send_register(l, slot, NULL);
        return;
    case FORWARD:
        p += sprintf(p, "OPTIONS sip:u%07u@%s:%d SIP/2.0\r\n", user, l->host, l->uas_port);
        p += put_identity(l, p, slot, "OPTIONS", 'o', op->number);
        p += sprintf(p, "To: <sip:u%07u@%s:%d>\r\n%sAccept: application/sdp\r\nContent-Length: 0\r\n\r\n", user,
                     l->host, l->uas_port, AGENT);
        break;
    default:        /* the callee by its contact, or by its address of record */
        p += sprintf(p, "INVITE sip:u%07u@%s:%d%s SIP/2.0\r\n", user, l->host, l->mode == CALL ? l->uas_port : l->port,
                     l->suffix);
        p += put_identity(l, p, slot, "INVITE", 'i', 1);
        p += sprintf(p, "To: <sip:u%07u@%s:%d>\r\nContact: <sip:load@%s:%d%s>\r\n%s%sContent-Length: %d\r\n\r\n%s",
                     user, l->host, l->port, l->host, l->uac_port, l->suffix, AGENT, MEDIA, (int)sizeof SDP - 1, SDP);
    }
    wire_commit(&l->uac, (int)(p - text));
}

static void send_in_dialog(struct load *l, uint32_t slot, const char *method, char kind, uint32_t cseq)
{
    char *text = wire_next(&l->uac), *p = text;
    struct op *op = &l->ops[slot];
    p += sprintf(p, "%s %.*s SIP/2.0\r\n", method, op->target_len, op->dialog);
    p += put_identity(l, p, slot, method, kind, cseq);
    p = put(p, op->dialog + op->target_len, op->dialog_len);
    p += sprintf(p, "%sContent-Length: 0\r\n\r\n", AGENT);
    wire_commit(&l->uac, (int)(p - text));
}

/* Keep target, route set and remote tag of the 200 (RFC 3261 section 12.1.2); 0 when it has none to keep. */
static int keep_dialog(struct op *op, const struct message *m)
{
    struct span target = span_find(m->contact, "<");
    const char *close = target.len ? memchr(target.at, '>', (size_t)target.len) : NULL;
    int size = m->to.len + 16;
    char *p;
    if (!close || m->rrs < 1 || m->rrs > MAX_RR || !span_find(m->to, ";tag=").len)
        return 0;
    for (int i = 0; i < m->rrs; i++)
        size += m->rr[i].len + 16;
    op->target_len = (uint16_t)(close - target.at - 1);
    if (op->target_len + size > DIALOG)
        return 0;
    p = put(op->dialog, target.at + 1, op->target_len);
    for (int i = m->rrs - 1; i >= 0; i--)
        p = put_line(p, "Route: ", m->rr[i]);
    p = put_line(p, "To: ", m->to);
    op->dialog_len = (uint16_t)(p - op->dialog - op->target_len);
    return 1;
}

static void finish(struct load *l, struct op *op, uint64_t *counter)
{
    ++*counter;
    op->state = IDLE;
    l->in_flight--;
}

static void note_time(struct load *l, const struct op *op)
{
    uint64_t took = l->now - op->started, us = (took > l->hold ? took - l->hold : 0) / 1000;
    l->histogram[us < HISTOGRAM ? us : HISTOGRAM - 1]++;
}

/* ---- UAC: responses --------------------------------------------------------------------------------------- */

static void on_refused(struct load *l, uint32_t slot, const struct message *m)
{
    if (span_is(m->cseq_method, "INVITE")) {        /* RFC 3261 section 17.1.1.3 */
        char *text = wire_next(&l->uac), *p = text;
        p += sprintf(p, "ACK sip:%s:%d SIP/2.0\r\n", l->host, l->port);
        p += put_identity(l, p, slot, "ACK", 'i', 1);
        p = put_line(p, "To: ", m->to);
        p += sprintf(p, "Content-Length: 0\r\n\r\n");
        wire_commit(&l->uac, (int)(p - text));
    }
    finish(l, &l->ops[slot], &l->failed);
}

/* Nobody repeats a 180, so in a long run one may be lost where a socket's queue is full: only calls that do not ring
 * must have had it, and only where calls do not come in bursts (SILENT: with the timers of the server). */
static void on_invite_response(struct load *l, uint32_t slot, const struct message *m, const char *raw, int len)
{
    struct op *op = &l->ops[slot];
    if (m->status < 200) {
        if (m->status == 180 && op->state == ASKED)
            op->state = RINGING;
        else if (m->status != 100)
            l->repeated++;
    } else if (op->state >= ANSWERED) {
        l->repeated++;                              /* the ACK was lost or late: RFC 3261 section 13.2.2.4 */
        send_in_dialog(l, slot, "ACK", 'a', 1);
    } else if ((op->state != RINGING && !l->hold && l->mode != SILENT) || m->body.len != (int)sizeof SDP - 1
               || !keep_dialog(op, m)) {
        complain(l, "200 to INVITE without 180 before it, Record-Route, Contact, tag or its body", raw, len);
        finish(l, op, &l->failed);
    } else {
        op->state = ANSWERED;
        note_time(l, op);
        send_in_dialog(l, slot, "ACK", 'a', 1);
    }
}

static int is_for(struct load *l, uint32_t slot, const struct message *m)
{
    struct op *op = &l->ops[slot];
    struct span branch = span_find(m->via[0], ";branch=");
    int bye = span_is(m->cseq_method, "BYE");
    int challenged = l->mode == AUTH && op->state == RINGING;
    char want[64], kind = is_registering(l) ? (challenged ? 'd' : 'r') : !is_call(l) ? 'o' : bye ? 'b' : 'i';
    uint32_t cseq = is_call(l) ? (bye ? 2 : 1) : op->number + (uint32_t)challenged;
    int len = sprintf(want, ";branch=z9hG4bK%08x%08x%08x%c", l->run, slot, op->number, kind);
    return m->vias == 1 && branch.len >= len && memcmp(branch.at, want, (size_t)len) == 0 && m->cseq == cseq;
}

static void on_response(struct load *l, const char *raw, int len)
{
    struct message m;
    uint32_t slot, number;
    struct op *op;
    if (!read_message(&m, raw, len) || m.status == 0 || m.call_id.len < 26) {
        complain(l, "UAC got something that is no response", raw, len);
        return;
    }
    slot = (uint32_t)strtoul(m.call_id.at, NULL, 16);
    number = (uint32_t)strtoul(m.call_id.at + 9, NULL, 16);
    if (is_registering(l))
        number = m.cseq - (l->mode == AUTH && slot < l->slots && m.cseq == l->ops[slot].number + 1);
    if (slot >= l->slots || number > l->ops[slot].number) {
        complain(l, "UAC got a response to nothing it sent", raw, len);
        return;
    }
    op = &l->ops[slot];
    if (op->state == IDLE || number != op->number) {
        l->repeated++;                              /* of an operation that is over */
    } else if (l->mode == AUTH && op->state == RINGING && m.cseq == op->number && m.status == 401) {
        l->repeated++;                              /* the question that was answered already */
    } else if (!is_for(l, slot, &m)) {
        complain(l, "UAC got a response with a wrong Via, branch or CSeq", raw, len);
    } else if (m.status == 401 && l->mode == AUTH && op->state == ASKED) {
        op->state = RINGING;
        send_register(l, slot, &m.challenge);
    } else if (m.status >= 300) {
        if (l->complaints++ < 3)
            fprintf(stderr, "load: refused:\n%.*s\n", len, raw);
        on_refused(l, slot, &m);
    } else if (is_call(l)) {
        if (span_is(m.cseq_method, "INVITE"))
            on_invite_response(l, slot, &m, raw, len);
        else if (op->state == ENDING && m.status == 200)
            finish(l, op, &l->completed);
        else
            complain(l, "UAC got an answer to BYE too early", raw, len);
    } else if (m.status == 200) {
        char contact[80];
        sprintf(contact, "sip:u%07u@%s:%d%s>", slot, l->host, l->uas_port, l->suffix);
        if (is_registering(l) && !span_find(m.contact, contact).len)
            complain(l, "200 to REGISTER without the contact", raw, len);
        if (l->mode == AUTH && op->state == ASKED)
            complain(l, "200 to REGISTER without having asked for a password", raw, len);
        note_time(l, op);
        finish(l, op, &l->completed);
    }
}

/* ---- UAS -------------------------------------------------------------------------------------------------- */

static void reply_from(struct load *l, int on_gateway, const struct message *m, const char *start_line, int with_body)
{
    struct wire *w = on_gateway ? &l->gateway : &l->uas;
    char *text = wire_next(w), *p = text;
    char contact[80];
    p = put(p, start_line, (int)strlen(start_line));
    for (int i = 0; i < m->vias; i++)
        p = put_line(p, "Via: ", m->via[i]);
    for (int i = 0; i < m->rrs; i++)
        p = put_line(p, "Record-Route: ", m->rr[i]);
    p = put_line(p, "From: ", m->from);
    p = put(p, "To: ", 4);
    p = put(p, m->to.at, m->to.len);
    if (!span_find(m->to, ";tag=").len) {
        p = put(p, ";tag=s", 6);
        p = put(p, m->call_id.at, 17);
    }
    p = put(p, "\r\n", 2);
    p = put_line(p, "Call-ID: ", m->call_id);
    p += sprintf(p, "CSeq: %u %.*s\r\n", m->cseq, m->cseq_method.len, m->cseq_method.at);
    p = put(p, contact, sprintf(contact, "Contact: <sip:s@%s:%d%s>\r\n", l->host, l->uas_port, l->suffix));
    if (with_body) {
        p = put(p, MEDIA, (int)sizeof MEDIA - 1);
        p += sprintf(p, "Content-Length: %d\r\n\r\n", (int)sizeof SDP - 1);
        p = put(p, SDP, (int)sizeof SDP - 1);
    } else {
        p = put(p, "Content-Length: 0\r\n\r\n", 21);
    }
    wire_commit(w, (int)(p - text));
}

static void reply(struct load *l, const struct message *m, const char *start_line, int with_body)
{
    reply_from(l, 0, m, start_line, with_body);
}

/* Keep an INVITE until its call is answered.  All ring for the same time, so the first to come is the first to go. */
static void let_ring(struct load *l, uint32_t slot, const char *raw, int len)
{
    struct op *op = &l->ops[slot];
    char *kept = realloc(op->invite, (size_t)len + 1);
    if (!kept || l->ring_count == l->slots)
        return;                                     /* counted as lost in its time */
    op->invite = memcpy(kept, raw, (size_t)len);
    op->invite[len] = 0;
    op->invite_len = len;
    op->answer_at = l->now + l->hold;
    l->ringing[(l->ring_first + l->ring_count++) % l->slots] = slot;
}

static void answer_ringing(struct load *l)
{
    for (int i = 0; i < 32 && l->ring_count; i++) {
        struct op *op = &l->ops[l->ringing[l->ring_first]];
        struct message m;
        if (op->answer_at > l->now)
            return;
        l->ring_first = (l->ring_first + 1) % l->slots;
        l->ring_count--;
        if (op->state != IDLE && read_message(&m, op->invite, op->invite_len))
            reply(l, &m, "SIP/2.0 200 OK\r\n", 1);
    }
}

static void on_request(struct load *l, const char *raw, int len)
{
    struct message m;
    uint32_t slot;
    struct op *op;
    if (!read_message(&m, raw, len) || m.status || m.call_id.len < 26 || m.vias > MAX_VIA || m.rrs > MAX_RR) {
        complain(l, "UAS got something that is no request", raw, len);
        return;
    }
    slot = (uint32_t)strtoul(m.call_id.at, NULL, 16);
    if (slot >= l->slots || (uint32_t)strtoul(m.call_id.at + 9, NULL, 16) != l->ops[slot].number
        || l->ops[slot].state == IDLE) {
        l->repeated++;
        return;
    }
    op = &l->ops[slot];
    if (m.vias != 2 || m.max_forwards != 69 || m.routes || !span_find(m.via[1], "z9hG4bK").len) {
        complain(l, "UAS got a request that was not forwarded as it should", raw, len);
    } else if (l->mode == FORWARD && span_is(m.method, "OPTIONS")) {
        reply(l, &m, "SIP/2.0 200 OK\r\n", 0);
    } else if (span_is(m.method, "INVITE")) {
        if (m.body.len != (int)sizeof SDP - 1 || memcmp(m.body.at, SDP, sizeof SDP - 1) || !m.rrs) {
            complain(l, "UAS got an INVITE without Record-Route or with another body", raw, len);
            return;
        }
        if ((l->mode == DISPATCH || l->mode == SILENT) && !op->failed_over)
            complain(l, "UAS got an INVITE that the failing gateway had not got before", raw, len);
        l->repeated += op->heard;
        if (!op->heard)
            reply(l, &m, "SIP/2.0 180 Ringing\r\n", 0);
        if (!l->hold)
            reply(l, &m, "SIP/2.0 200 OK\r\n", 1);
        else if (!op->heard)
            let_ring(l, slot, raw, len);
        op->heard = 1;
    } else if (span_is(m.method, "ACK") && op->state >= ANSWERED) {
        l->repeated += op->acked;
        if (!op->acked) {
            op->state = ENDING;
            send_in_dialog(l, slot, "BYE", 'b', 2);
        }
        op->acked = 1;
    } else if (span_is(m.method, "BYE") && op->state == ENDING) {
        reply(l, &m, "SIP/2.0 200 OK\r\n", 0);
    } else {
        complain(l, "UAS got a request that it does not expect", raw, len);
    }
}

/* The gateway that fails: it refuses each INVITE (DISPATCH), or says nothing (SILENT). */
static void on_gateway_request(struct load *l, const char *raw, int len)
{
    struct message m;
    uint32_t slot;
    struct op *op;
    if (!read_message(&m, raw, len) || m.status || m.call_id.len < 26) {
        complain(l, "the gateway got something that is no request", raw, len);
        return;
    }
    slot = (uint32_t)strtoul(m.call_id.at, NULL, 16);
    if (slot >= l->slots || (uint32_t)strtoul(m.call_id.at + 9, NULL, 16) != l->ops[slot].number) {
        l->repeated++;
        return;
    }
    op = &l->ops[slot];
    if (span_is(m.method, "ACK") && l->mode == DISPATCH && m.vias == 1) {
        l->turned_away_acked++;         /* made by the server itself: RFC 3261 section 17.1.1.3 */
    } else if (!span_is(m.method, "INVITE") || m.vias != 2 || m.max_forwards != 69) {
        complain(l, "the gateway got a request that it does not expect, or not forwarded as it should", raw, len);
    } else {
        if (l->mode == DISPATCH) {
            l->repeated += op->failed_over;
            l->turned_away++;
            reply_from(l, 1, &m, "SIP/2.0 503 Service Unavailable\r\n", 0);
        }
        op->failed_over = 1;
    }
}

#endif
