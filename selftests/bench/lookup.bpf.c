// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lookup.bpf.c: the gate's own list lookup (bpf/list.h) beside a trie and a hash of the same content, each
 * asked for LOOKUPS sources in a row. Sources are random, or from the /24s and /48s of the list itself.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/list.h"
#include "selftests/bench/lookup.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1200000);
	__type(key, struct pst_lpm_key);
	__type(value, __u32);
} trie SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1200000);
	__type(key, struct pst_addr);
	__type(value, __u32);
} hash SEC(".maps");

/* Addresses inside the list. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOOKUP_SOURCES);
	__type(key, __u32);
	__type(value, struct pst_addr);
} sources SEC(".maps");

__u32 what, clustered; /* enum lookup_what; 1 = sources of the list */
__u64 state = 88172645463325252ull, found;

/* A body for bpf_loop(). */
#define LOOP(name) static long name(__u32 i __attribute__((unused)), void *ctx __attribute__((unused)))

/*
 * Written in whole words, as the gate has it (pkt_addr4() says why): or no source would be looked for before the one before it is found,
 * and no two misses of the cache would be waited for at the same time.
 */
PKT_INLINE void source(struct pst_addr *a, int v6)
{
	__u64 *half = (void *)a, x = state;
	__u32 i;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	state = x;
	half[0] = v6 ? pkt_swap64(0x2000000000000000ull | (x >> 3)) : 0;
	half[1] = v6 ? 0 : pkt_swap64(0xffffull << 32 | (__u32)(x >> 16));
	if (clustered) {
		const __u64 *from;

		i = (__u32)x & (LOOKUP_SOURCES - 1);
		from = bpf_map_lookup_elem(&sources, &i);
		if (from) {
			half[0] = from[0];
			half[1] = pkt_swap64((pkt_swap64(from[1]) & ~0xffull) | (x >> 40 & 0xff)); /* a neighbour, mostly */
		}
	}
}

LOOP(one4)
{
	struct pst_addr a __attribute__((aligned(8))) = { 0 };

	source(&a, 0);
	found += list_class(&a) != 0;
	return 0;
}

LOOP(one6)
{
	struct pst_addr a __attribute__((aligned(8))) = { 0 };

	source(&a, 1);
	found += list_class(&a) != 0;
	return 0;
}

PKT_INLINE long in_trie(int v6)
{
	struct pst_addr a __attribute__((aligned(8))) = { 0 };
	struct pst_lpm_key key = { .len = 128 };

	source(&a, v6);
	for (int i = 0; i < 4; i++)
		((__u32 *)&key.addr)[i] = ((__u32 *)&a)[i];
	found += bpf_map_lookup_elem(&trie, &key) != 0;
	return 0;
}

LOOP(trie4)
{
	return in_trie(0);
}

LOOP(trie6)
{
	return in_trie(1);
}

PKT_INLINE long in_hash(int v6)
{
	struct pst_addr a __attribute__((aligned(8))) = { 0 };

	source(&a, v6);
	found += bpf_map_lookup_elem(&hash, &a) != 0;
	return 0;
}

LOOP(hash4)
{
	return in_hash(0);
}

LOOP(hash6)
{
	return in_hash(1);
}

PKT_INLINE long no_table(int v6)
{
	struct pst_addr a __attribute__((aligned(8))) = { 0 };

	source(&a, v6);
	found += a.b[15] == 1;
	return 0;
}

LOOP(base4)
{
	return no_table(0);
}

LOOP(base6)
{
	return no_table(1);
}

/*
 * Each in a call of its own whose body is a constant, so that the kernel makes a plain loop of it: a body called through a pointer
 * costs a mispredicted jump a round where the kernel guards such jumps, and hides what a lookup costs behind it.
 */
#define RUN(body)                                             \
	static __attribute__((noinline)) long run_##body(void) \
	{                                                     \
		return bpf_loop(LOOKUPS, body, NULL, 0);      \
	}
RUN(base4)
RUN(one4)
RUN(trie4)
RUN(hash4)
RUN(base6)
RUN(one6)
RUN(trie6)
RUN(hash6)

#define LOOKUP_ROWS(X) X(BASE4, base4) X(LIST4, one4) X(TRIE4, trie4) X(HASH4, hash4) X(BASE6, base6) X(LIST6, one6) X(TRIE6, trie6) X(HASH6, hash6)

SEC("xdp")
int lookup(struct xdp_md *ctx __attribute__((unused)))
{
	switch (what) {
#define LOOKUP_X(sym, body)    \
	case LOOKUP_##sym:     \
		run_##body();  \
		break;
	LOOKUP_ROWS(LOOKUP_X)
#undef LOOKUP_X
	}
	return XDP_PASS;
}
