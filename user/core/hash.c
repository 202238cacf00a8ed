/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/hash.h"

#include <string.h>

static __u64 rotl(__u64 x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(__u64 v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

__u64 hash_addr(const struct pst_addr *a, __u64 seed)
{
	__u64 v[4] = { seed ^ 0x736f6d6570736575, seed ^ 0x646f72616e646f6d,
		       seed ^ 0x6c7967656e657261, seed ^ 0x7465646279746573 };
	__u64 m[3] = { 0, 0, 16ull << 56 };

	memcpy(m, a->b, sizeof(a->b));
	for (int i = 0; i < 3; i++) {
		v[3] ^= m[i];
		sip_round(v);
		v[0] ^= m[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Of n <= 8 bytes, the first one the lowest. */
static __u64 word(const char *p, size_t n)
{
	__u64 m = 0;

	for (size_t i = 0; i < n; i++)
		m |= (__u64)(unsigned char)p[i] << 8 * i;
	return m;
}

__u64 hash_bytes(const __u64 key[2], struct str s)
{
	__u64 v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };

	for (size_t i = 0; i <= s.n; i += 8) {
		size_t left = s.n - i;
		__u64 m = left >= 8 ? word(s.p + i, 8) : word(s.p + i, left) | (__u64)s.n << 56;

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
