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

PKT_INLINE void source(struct pst_addr *a, int v6)
{
	__u32 *word = (void *)a, i;
	__u64 x = state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	state = x;
	if (clustered) {
		const struct pst_addr *from;

		i = (__u32)x & (LOOKUP_SOURCES - 1);
		from = bpf_map_lookup_elem(&sources, &i);
		if (from)
			*a = *from;
		a->b[15] = (__u8)(x >> 40); /* a neighbour, mostly */
		return;
	}
	word[0] = v6 ? pkt_swap32(0x20000000 | ((__u32)(x >> 35) & 0x1fffffff)) : 0;
	word[1] = v6 ? (__u32)x : 0;
	word[2] = v6 ? 0 : pkt_swap32(0xffff);
	word[3] = (__u32)(x >> 16);
}

LOOP(one4)
{
	struct pst_addr a = { 0 };

	source(&a, 0);
	found += list_class(&a) != 0;
	return 0;
}

LOOP(one6)
{
	struct pst_addr a = { 0 };

	source(&a, 1);
	found += list_class(&a) != 0;
	return 0;
}

PKT_INLINE long in_trie(int v6)
{
	struct pst_lpm_key key = { .len = 128 };

	source(&key.addr, v6);
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
	struct pst_addr a = { 0 };

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
	struct pst_addr a = { 0 };

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

SEC("xdp")
int lookup(struct xdp_md *ctx __attribute__((unused)))
{
	switch (what) {
	case LOOKUP_BASE4:
		bpf_loop(LOOKUPS, base4, NULL, 0);
		break;
	case LOOKUP_LIST4:
		bpf_loop(LOOKUPS, one4, NULL, 0);
		break;
	case LOOKUP_TRIE4:
		bpf_loop(LOOKUPS, trie4, NULL, 0);
		break;
	case LOOKUP_HASH4:
		bpf_loop(LOOKUPS, hash4, NULL, 0);
		break;
	case LOOKUP_BASE6:
		bpf_loop(LOOKUPS, base6, NULL, 0);
		break;
	case LOOKUP_LIST6:
		bpf_loop(LOOKUPS, one6, NULL, 0);
		break;
	case LOOKUP_TRIE6:
		bpf_loop(LOOKUPS, trie6, NULL, 0);
		break;
	case LOOKUP_HASH6:
		bpf_loop(LOOKUPS, hash6, NULL, 0);
	}
	return XDP_PASS;
}
