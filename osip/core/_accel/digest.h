/* MD5 (RFC 1321) of short texts, without the ceremony that a crypto library wants for each of them.
 *
 * It marks copies of a message and answers challenges that ask for MD5; nothing here relies on it being strong.
 */
#ifndef OSIP_DIGEST_H
#define OSIP_DIGEST_H

#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t state[4];
    uint64_t size;              /* bytes so far; the last size % 64 of them wait in `rest` */
    uint8_t rest[64];
} osip_md5;

static inline uint32_t osip_turn(uint32_t value, int by) { return value << by | value >> (32 - by); }

static inline uint32_t osip_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

#define OSIP_F(b, c, d) (((c ^ d) & b) ^ d)
#define OSIP_G(b, c, d) (((b ^ c) & d) ^ c)
#define OSIP_H(b, c, d) (b ^ c ^ d)
#define OSIP_I(b, c, d) (c ^ (b | ~d))
#define OSIP_STEP(f, a, b, c, d, word, sine, by) a = osip_turn(a + f(b, c, d) + (word) + (sine), by) + b
#define OSIP_FOUR(f, one, two, three, four, s1, s2, s3, s4, t1, t2, t3, t4) \
    OSIP_STEP(f, a, b, c, d, w[one], s1, t1); OSIP_STEP(f, d, a, b, c, w[two], s2, t2); \
    OSIP_STEP(f, c, d, a, b, w[three], s3, t3); OSIP_STEP(f, b, c, d, a, w[four], s4, t4)

static void osip_md5_block(uint32_t state[4], const uint8_t *at)
{
    uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (int i = 0; i < 16; i++)
        w[i] = osip_word(at + 4 * i);
    OSIP_FOUR(OSIP_F, 0, 1, 2, 3, 0xd76aa478u, 0xe8c7b756u, 0x242070dbu, 0xc1bdceeeu, 7, 12, 17, 22);
    OSIP_FOUR(OSIP_F, 4, 5, 6, 7, 0xf57c0fafu, 0x4787c62au, 0xa8304613u, 0xfd469501u, 7, 12, 17, 22);
    OSIP_FOUR(OSIP_F, 8, 9, 10, 11, 0x698098d8u, 0x8b44f7afu, 0xffff5bb1u, 0x895cd7beu, 7, 12, 17, 22);
    OSIP_FOUR(OSIP_F, 12, 13, 14, 15, 0x6b901122u, 0xfd987193u, 0xa679438eu, 0x49b40821u, 7, 12, 17, 22);
    OSIP_FOUR(OSIP_G, 1, 6, 11, 0, 0xf61e2562u, 0xc040b340u, 0x265e5a51u, 0xe9b6c7aau, 5, 9, 14, 20);
    OSIP_FOUR(OSIP_G, 5, 10, 15, 4, 0xd62f105du, 0x02441453u, 0xd8a1e681u, 0xe7d3fbc8u, 5, 9, 14, 20);
    OSIP_FOUR(OSIP_G, 9, 14, 3, 8, 0x21e1cde6u, 0xc33707d6u, 0xf4d50d87u, 0x455a14edu, 5, 9, 14, 20);
    OSIP_FOUR(OSIP_G, 13, 2, 7, 12, 0xa9e3e905u, 0xfcefa3f8u, 0x676f02d9u, 0x8d2a4c8au, 5, 9, 14, 20);
    OSIP_FOUR(OSIP_H, 5, 8, 11, 14, 0xfffa3942u, 0x8771f681u, 0x6d9d6122u, 0xfde5380cu, 4, 11, 16, 23);
    OSIP_FOUR(OSIP_H, 1, 4, 7, 10, 0xa4beea44u, 0x4bdecfa9u, 0xf6bb4b60u, 0xbebfbc70u, 4, 11, 16, 23);
    OSIP_FOUR(OSIP_H, 13, 0, 3, 6, 0x289b7ec6u, 0xeaa127fau, 0xd4ef3085u, 0x04881d05u, 4, 11, 16, 23);
    OSIP_FOUR(OSIP_H, 9, 12, 15, 2, 0xd9d4d039u, 0xe6db99e5u, 0x1fa27cf8u, 0xc4ac5665u, 4, 11, 16, 23);
    OSIP_FOUR(OSIP_I, 0, 7, 14, 5, 0xf4292244u, 0x432aff97u, 0xab9423a7u, 0xfc93a039u, 6, 10, 15, 21);
    OSIP_FOUR(OSIP_I, 12, 3, 10, 1, 0x655b59c3u, 0x8f0ccc92u, 0xffeff47du, 0x85845dd1u, 6, 10, 15, 21);
    OSIP_FOUR(OSIP_I, 8, 15, 6, 13, 0x6fa87e4fu, 0xfe2ce6e0u, 0xa3014314u, 0x4e0811a1u, 6, 10, 15, 21);
    OSIP_FOUR(OSIP_I, 4, 11, 2, 9, 0xf7537e82u, 0xbd3af235u, 0x2ad7d2bbu, 0xeb86d391u, 6, 10, 15, 21);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static inline void osip_md5_begin(osip_md5 *md5)
{
    md5->state[0] = 0x67452301;
    md5->state[1] = 0xefcdab89;
    md5->state[2] = 0x98badcfe;
    md5->state[3] = 0x10325476;
    md5->size = 0;
}

static inline void osip_md5_add(osip_md5 *md5, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    size_t used = md5->size % 64, room = 64 - used;
    md5->size += size;
    if (size < room) {
        memcpy(md5->rest + used, at, size);
        return;
    }
    if (used) {
        memcpy(md5->rest + used, at, room);
        osip_md5_block(md5->state, md5->rest);
        at += room;
        size -= room;
    }
    for (; size >= 64; at += 64, size -= 64)
        osip_md5_block(md5->state, at);
    memcpy(md5->rest, at, size);
}

/* Write the 32 hex digits of what was added. */
static inline void osip_md5_hex(osip_md5 *md5, char *to)
{
    static const char digit[] = "0123456789abcdef";
    size_t used = md5->size % 64;
    uint64_t bits = md5->size * 8;
    md5->rest[used++] = 0x80;
    if (used > 56) {
        memset(md5->rest + used, 0, 64 - used);
        osip_md5_block(md5->state, md5->rest);
        used = 0;
    }
    memset(md5->rest + used, 0, 56 - used);
    for (int i = 0; i < 8; i++)
        md5->rest[56 + i] = (uint8_t)(bits >> 8 * i);
    osip_md5_block(md5->state, md5->rest);
    for (int i = 0; i < 16; i++) {
        uint8_t byte = (uint8_t)(md5->state[i / 4] >> 8 * (i % 4));
        *to++ = digit[byte >> 4];
        *to++ = digit[byte & 15];
    }
}

/* BLAKE2b (RFC 7693) of at most one block, unkeyed, 16 bytes long. `block` holds `size` bytes and then zeros. */
static inline uint64_t osip_turn_right(uint64_t value, int by) { return value >> by | value << (64 - by); }

#define OSIP_MIX(a, b, c, d, x, y) \
    a += b + (x); d = osip_turn_right(d ^ a, 32); c += d; b = osip_turn_right(b ^ c, 24); \
    a += b + (y); d = osip_turn_right(d ^ a, 16); c += d; b = osip_turn_right(b ^ c, 63)
#define OSIP_ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
    OSIP_MIX(v[0], v[4], v[8], v[12], m[s0], m[s1]); OSIP_MIX(v[1], v[5], v[9], v[13], m[s2], m[s3]); \
    OSIP_MIX(v[2], v[6], v[10], v[14], m[s4], m[s5]); OSIP_MIX(v[3], v[7], v[11], v[15], m[s6], m[s7]); \
    OSIP_MIX(v[0], v[5], v[10], v[15], m[s8], m[s9]); OSIP_MIX(v[1], v[6], v[11], v[12], m[s10], m[s11]); \
    OSIP_MIX(v[2], v[7], v[8], v[13], m[s12], m[s13]); OSIP_MIX(v[3], v[4], v[9], v[14], m[s14], m[s15])

static void osip_blake2(const uint8_t block[128], size_t size, uint8_t to[16])
{
    static const uint64_t iv[8] = {
        0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
        0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};
    uint64_t m[16], v[16];
    for (int i = 0; i < 16; i++)
        m[i] = (uint64_t)osip_word(block + 8 * i) | (uint64_t)osip_word(block + 8 * i + 4) << 32;
    for (int i = 0; i < 8; i++)
        v[i] = v[i + 8] = iv[i];
    v[0] ^= 0x01010000u ^ 16u;
    v[12] ^= (uint64_t)size;
    v[14] = ~v[14];
    OSIP_ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    OSIP_ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
    OSIP_ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
    OSIP_ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
    OSIP_ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
    OSIP_ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
    OSIP_ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
    OSIP_ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
    OSIP_ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
    OSIP_ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);
    OSIP_ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    OSIP_ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
    for (int i = 0; i < 16; i++) {
        uint64_t word = (i < 8 ? iv[0] ^ 0x01010000u ^ 16u : iv[1]) ^ v[i / 8] ^ v[i / 8 + 8];
        to[i] = (uint8_t)(word >> 8 * (i % 8));
    }
}

#endif
