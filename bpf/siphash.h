/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * siphash.h: SipHash (Aumasson and Bernstein, 2012) over whole 64-bit words: the value is the one that
 * the byte-wise definition gives for these words in little-endian order. A keyed hash: who does not have
 * the key can neither foretell a value nor choose inputs that collide. Knows no map; also compiled natively.
 */
#ifndef PST_SIPHASH_H
#define PST_SIPHASH_H

#include "bpf/pkt.h"

struct siphash {
	__u64 v0, v1, v2, v3;
};

PKT_INLINE __u64 siphash_rotl(__u64 x, int n)
{
	return x << n | x >> (64 - n);
}

PKT_INLINE void siphash_rounds(struct siphash *s, int n)
{
	for (int i = 0; i < n; i++) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
		s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
		s->v0 = siphash_rotl(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
		s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
		s->v2 = siphash_rotl(s->v2, 32);
	}
}

/* SipHash-c-d of n < 32 words. */
PKT_INLINE __u64 siphash(const __u64 key[2], const __u64 *word, int n, int c, int d)
{
	struct siphash s = {
		.v0 = key[0] ^ 0x736f6d6570736575ull,
		.v1 = key[1] ^ 0x646f72616e646f6dull,
		.v2 = key[0] ^ 0x6c7967656e657261ull,
		.v3 = key[1] ^ 0x7465646279746573ull,
	};

	for (int i = 0; i <= n; i++) {
		__u64 m = i < n ? word[i] : (__u64)n * 8 << 56; /* the last one holds the length in bytes */

		s.v3 ^= m;
		siphash_rounds(&s, c);
		s.v0 ^= m;
	}
	s.v2 ^= 0xff;
	siphash_rounds(&s, d);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* Where a value goes out on the wire. */
PKT_INLINE __u64 siphash_24(const __u64 key[2], const __u64 *word, int n)
{
	return siphash(key, word, n, 2, 4);
}

/* Where it only spreads load: half the work. */
PKT_INLINE __u64 siphash_13(const __u64 key[2], const __u64 *word, int n)
{
	return siphash(key, word, n, 1, 3);
}

#endif
