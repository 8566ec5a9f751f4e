/* Answer a digest challenge: MD5 (RFC 1321) and the response of RFC 2617 section 3.2.2 with qop=auth. */
#ifndef BENCH_DIGEST_H
#define BENCH_DIGEST_H

#include "message.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>

static const char PASSWORD[] = "secret";        /* of every user; the scripts and the tables of users have it too */

static uint32_t md5_sines[64];

static void md5_block(uint32_t state[4], const unsigned char *block)
{
    static const unsigned char turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], word[16];
    if (!md5_sines[0])
        for (int i = 0; i < 64; i++)
            md5_sines[i] = (uint32_t)(int64_t)floor(fabs(sin(i + 1.0)) * 4294967296.0);
    memcpy(word, block, 64);                    /* little-endian machines only, like all that this is built for */
    for (int i = 0; i < 64; i++) {
        uint32_t mix, old = d;
        int at, turn = turns[i / 16][i % 4];
        switch (i / 16) {
        case 0: mix = (b & c) | (~b & d), at = i; break;
        case 1: mix = (d & b) | (~d & c), at = (5 * i + 1) % 16; break;
        case 2: mix = b ^ c ^ d, at = (3 * i + 5) % 16; break;
        default: mix = c ^ (b | ~d), at = 7 * i % 16;
        }
        mix += a + md5_sines[i] + word[at];
        d = c, c = b, a = old;
        b += mix << turn | mix >> (32 - turn);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

/* Write the digest of a text as 32 hex digits and a 0. */
static void md5_hex(char *out, const char *text, size_t len)
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    unsigned char tail[128] = {0};
    size_t whole = len / 64 * 64, rest = len - whole, size = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)len * 8;
    for (size_t at = 0; at < whole; at += 64)
        md5_block(state, (const unsigned char *)text + at);
    memcpy(tail, text + whole, rest);
    tail[rest] = 0x80;
    memcpy(tail + size - 8, &bits, 8);
    for (size_t at = 0; at < size; at += 64)
        md5_block(state, tail + at);
    for (int i = 0; i < 16; i++)
        sprintf(out + 2 * i, "%02x", (unsigned)(state[i / 4] >> (i % 4 * 8)) & 255);
}

/* Find a quoted value of a challenge; its length is 0 when it is not there. */
static struct span challenge_part(struct span challenge, const char *name)
{
    struct span none = {0, 0}, found = span_find(challenge, name);
    int skip = (int)strlen(name);
    const char *end = found.len > skip ? memchr(found.at + skip, '"', (size_t)(found.len - skip)) : NULL;
    return end ? (struct span){found.at + skip, (int)(end - found.at) - skip} : none;
}

/* Write an Authorization header for a challenge; 0 when the challenge is not one that can be answered. */
static int put_authorization(char *p, struct span challenge, const char *user, const char *method, const char *uri)
{
    struct span realm = challenge_part(challenge, "realm=\""), nonce = challenge_part(challenge, "nonce=\"");
    char text[1024], ha1[33], ha2[33], response[33];
    if (challenge.len < 8 || memcmp(challenge.at, "Digest ", 7) || !realm.len || !nonce.len || nonce.len > 256
        || realm.len > 256 || !span_find(challenge, "qop=\"auth\"").len)
        return 0;
    md5_hex(ha1, text, (size_t)sprintf(text, "%s:%.*s:%s", user, realm.len, realm.at, PASSWORD));
    md5_hex(ha2, text, (size_t)sprintf(text, "%s:%s", method, uri));
    md5_hex(response, text, (size_t)sprintf(text, "%s:%.*s:00000001:0a4f113b:auth:%s", ha1, nonce.len, nonce.at, ha2));
    return sprintf(p, "Authorization: Digest username=\"%s\", realm=\"%.*s\", nonce=\"%.*s\", uri=\"%s\", "
                      "response=\"%s\", algorithm=MD5, cnonce=\"0a4f113b\", qop=auth, nc=00000001\r\n",
                   user, realm.len, realm.at, nonce.len, nonce.at, uri, response);
}

#endif
