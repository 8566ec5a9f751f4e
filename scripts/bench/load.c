/* Load a SIP server from one core: many operations at once over two UDP sockets, busily polled, every answer checked.
 *
 * load MODE HOST SERVER_PORT UAC_PORT UAS_PORT WINDOW USERS BASE_CSEQ RUN SECONDS COUNT RATE HOLD TRANSPORT GATEWAY
 *   MODE     options | register | auth | call | lookup | forward | dispatch | silent
 *            auth: REGISTER with a password;  dispatch: calls whose first gateway refuses;  silent: says nothing
 *   WINDOW   operations under way at most;  RATE  operations started a second, 0: as fast as the window allows
 *   RUN      a number that no earlier run on this server had: Call-IDs and branches are made of it
 *   SECONDS  how long operations are started;  COUNT  how many are started at most, 0: no bound
 *   HOLD     seconds that each call rings, which keeps its transaction in flight
 *   TRANSPORT  udp | tcp;  GATEWAY  the port of the gateway that fails, 0 for none
 * Prints one JSON object.  Never retransmits: what gets no answer within two seconds (and HOLD; six seconds where a
 * gateway is silent) is lost, and counted so. */
#define _GNU_SOURCE
#include "agent.h"
#include <signal.h>

static const uint64_t SECOND = 1000000000u, REST = 20000;
static uint64_t PATIENCE = 2000000000u;             /* longer where a gateway must be waited for */

/* Wait a little without system calls.  Where two virtual cores are threads of one real core, a generator that polls
 * without a break takes a fifth of the speed from the server that it measures; one that sleeps would make the server
 * pay for waking it. */
static void rest(uint64_t until)
{
#if defined(__x86_64__) || defined(__i386__)
    do {
        for (int i = 0; i < 100; i++)
            __builtin_ia32_pause();
    } while (clock_ns() < until);
#else
    (void)until;
#endif
}

static int start_one(struct load *l, uint32_t *next)
{
    for (uint32_t tries = 0; tries < l->slots; tries++) {
        uint32_t slot = *next;
        struct op *op = &l->ops[slot];
        *next = slot + 1 == l->slots ? 0 : slot + 1;
        if (op->state != IDLE)
            continue;
        op->number = is_registering(l) ? (op->number ? op->number + 1 + (l->mode == AUTH) : l->base_cseq)
                                       : (uint32_t)l->started + 1;
        op->state = ASKED;
        op->heard = op->acked = op->failed_over = 0;
        op->started = clock_ns();
        l->in_flight++;
        l->started++;
        send_first(l, slot);
        return 1;
    }
    return 0;
}

static void drop_lost(struct load *l)
{
    for (uint32_t slot = 0; slot < l->slots && l->in_flight; slot++)
        if (l->ops[slot].state != IDLE && l->now > l->ops[slot].started + PATIENCE + l->hold)
            finish(l, &l->ops[slot], &l->lost);
}

/* Run until `seconds` are over or `count` operations were started, then wait for the last answers. */
static uint64_t run(struct load *l, double seconds, uint64_t count, double rate, uint64_t *rounds, uint64_t *idle)
{
    uint64_t begin = clock_ns(), end = begin + (uint64_t)(seconds * 1e9), sweep = begin + SECOND / 4, last = begin;
    uint32_t next = 0;
    for (;;) {
        uint64_t due = UINT64_MAX;
        int n, m, got;
        l->now = clock_ns();
        if (rate > 0)
            due = (uint64_t)((double)(l->now - begin) * rate / 1e9);
        if (l->now >= end || (count && l->started >= count)) {
            if (!l->in_flight || l->now >= end + PATIENCE + l->hold)
                break;
        } else {
            for (int i = 0; i < BATCH && l->in_flight < l->window && l->started < due; i++)
                if ((count && l->started >= count) || !start_one(l, &next))
                    break;
        }
        wire_flush(&l->uac);
        n = l->gateway.fd ? wire_receive(&l->gateway) : 0;
        for (int i = 0; i < n; i++)
            on_gateway_request(l, l->gateway.in_at[i], l->gateway.in_size[i]);
        wire_flush(&l->gateway);
        got = n;
        n = wire_receive(&l->uac);
        l->now = clock_ns();
        for (int i = 0; i < n; i++)
            on_response(l, l->uac.in_at[i], l->uac.in_size[i]);
        m = wire_receive(&l->uas);
        for (int i = 0; i < m; i++) {
            l->uas.on = l->uas.in_on[i];
            on_request(l, l->uas.in_at[i], l->uas.in_size[i]);
        }
        answer_ringing(l);
        wire_flush(&l->uas);
        wire_flush(&l->uac);
        ++*rounds;
        if (got + n + m) {
            last = l->now;
        } else {
            ++*idle;
            rest(l->now + REST);
        }
        if (l->now >= sweep) {
            drop_lost(l);
            sweep = l->now + SECOND / 4;
        }
    }
    l->lost += l->in_flight;
    return (last < end ? last : end) - begin;
}

static uint32_t quantile(const struct load *l, double share)
{
    uint64_t total = 0, seen = 0;
    for (uint32_t us = 0; us < HISTOGRAM; us++)
        total += l->histogram[us];
    for (uint32_t us = 0; us < HISTOGRAM; us++)
        if ((seen += l->histogram[us]) && (double)seen >= share * (double)total)
            return us;
    return 0;
}

static enum mode read_mode(const char *word)
{
    static const char *const names[] = {"options", "register", "auth", "call", "lookup", "forward", "dispatch",
                                        "silent"};
    for (int i = 0; i < 8; i++)
        if (strcmp(word, names[i]) == 0)
            return (enum mode)i;
    fprintf(stderr, "load: no such mode: %s\n", word);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct load l;
    uint64_t rounds = 0, idle = 0, took;
    if (argc != 16) {
        fprintf(stderr, "load: 15 arguments, see load.c\n");
        return 2;
    }
    l.mode = read_mode(argv[1]);
    l.host = argv[2];
    l.port = atoi(argv[3]), l.uac_port = atoi(argv[4]), l.uas_port = atoi(argv[5]);
    l.window = (uint32_t)atoi(argv[6]), l.users = (uint32_t)atoi(argv[7]);
    l.base_cseq = (uint32_t)strtoul(argv[8], NULL, 10), l.run = (uint32_t)strtoul(argv[9], NULL, 10);
    l.slots = is_registering(&l) ? l.users : l.window;
    l.ops = calloc(l.slots, sizeof *l.ops);
    l.histogram = calloc(HISTOGRAM, sizeof *l.histogram);
    l.hold = (uint64_t)(atof(argv[13]) * 1e9);
    l.ringing = calloc(l.slots ? l.slots : 1, sizeof *l.ringing);
    if (!l.slots || !l.ops || !l.histogram || !l.ringing) {
        fprintf(stderr, "load: no memory, or a window or number of users of 0\n");
        return 2;
    }
    for (uint32_t slot = 0; is_call(&l) && slot < l.slots; slot++)
        if (!(l.ops[slot].dialog = malloc(DIALOG)))
            return 2;
    alarm((unsigned)(atof(argv[10]) + atof(argv[13])) + 30);           /* whatever happens, it ends */
    if (l.mode == SILENT)
        PATIENCE = 6 * SECOND;
    l.is_stream = strcmp(argv[14], "tcp") == 0;
    l.proto = l.is_stream ? "TCP" : "UDP";
    l.suffix = l.is_stream ? ";transport=tcp" : "";
    if (l.is_stream) {
        l.uac_port = wire_open_stream(&l.uac, l.host, 0, l.port);
        wire_open_stream(&l.uas, l.host, l.uas_port, 0);
    } else {
        wire_open(&l.uac, l.host, l.uac_port, l.port);
        wire_open(&l.uas, l.host, l.uas_port, l.port);
    }
    if (atoi(argv[15]))
        wire_open(&l.gateway, l.host, atoi(argv[15]), l.port);
    took = run(&l, atof(argv[10]), strtoull(argv[11], NULL, 10), atof(argv[12]), &rounds, &idle);
    if (l.turned_away > l.turned_away_acked + l.lost)
        l.bad += l.turned_away - l.turned_away_acked - l.lost;          /* refusals of which no ACK came */
    printf("{\"started\": %lu, \"completed\": %lu, \"failed\": %lu, \"lost\": %lu, \"bad\": %lu, \"repeated\": %lu, "
           "\"sent\": %lu, \"received\": %lu, \"refused\": %lu, \"seconds\": %.6f, \"idle\": %.4f, "
           "\"p50_us\": %u, \"p95_us\": %u, \"p99_us\": %u}\n",
           l.started, l.completed, l.failed, l.lost, l.bad, l.repeated, l.uac.sent + l.uas.sent + l.gateway.sent,
           l.uac.received + l.uas.received + l.gateway.received,
           l.uac.refused + l.uas.refused + l.uac.unsent + l.uas.unsent,
           (double)took / 1e9, rounds ? (double)idle / (double)rounds : 0.0, quantile(&l, .5), quantile(&l, .95),
           quantile(&l, .99));
    return 0;
}
