/* SPDX-License-Identifier: BSD-2-Clause */
/* rnd.h: numbers for property tests. The same in every run, so that a failure can be run again. */
#ifndef RND_H
#define RND_H

#include "bpf/abi.h"

static __u64 rnd_state = 0x9e3779b97f4a7c15;

static inline __u64 rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state * 0x2545f4914f6cdd1d;
}

/* 0 .. n - 1 */
static inline unsigned rnd_below(unsigned n)
{
	return (unsigned)((rnd() >> 32) * n >> 32);
}

static inline struct pst_addr rnd_addr4(void)
{
	__u32 v = (__u32)(rnd() >> 32);
	struct pst_addr a = { { [10] = 0xff, 0xff, (__u8)(v >> 24), (__u8)(v >> 16), (__u8)(v >> 8), (__u8)v } };

	return a;
}

static inline struct pst_addr rnd_addr6(void)
{
	struct pst_addr a;

	for (int i = 0; i < 16; i++)
		a.b[i] = (__u8)(rnd() >> 40);
	return a;
}

#endif
