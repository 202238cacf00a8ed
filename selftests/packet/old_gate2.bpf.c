// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * old_gate2.bpf.c: a gate of schema 2, as far as an upgrade can see it: its maps, and a program that drops IPv4
 * hosts that are banned or listed. The layouts are frozen; they owe nothing to bpf/abi.h.
 */
#include "selftests/packet/old_gate.bpf.h"

struct v2_ban {
	__u64 until_ns, made_ns, first_ns, last_ns, hits;
	__u8 action, reason, origin, relapse;
	__u32 score;
	__u16 port;
	__u8 scope, grace;
	__u32 contacts;
	__u64 window_ns;
};

struct v2_stats {
	__u64 counter[71], found[17];
};

struct v2_leaf {
	__u64 bits[4], class;
};

struct v2_net6 {
	struct bpf_spin_lock lock;
	__u32 class;
};

#define V2_CELLS (1u << 24)

OLD_MAP(pst_stats, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, 4, sizeof(struct v2_stats));
OLD_MAP(pst_slots, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 64, 4, 4096);
OLD_MAP(pst_conf, BPF_MAP_TYPE_ARRAY, 0, 1, 4, 8552);
OLD_MAP(pst_meta, BPF_MAP_TYPE_ARRAY, 0, 1, 4, 56);
OLD_MAP(pst_allow, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 65536, 20, 4);
OLD_MAP(pst_bans, BPF_MAP_TYPE_HASH, 0, 65536, 20, sizeof(struct v2_ban));
OLD_MAP(pst_notes, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 65536, 20, 120);
OLD_MAP(pst_cell4, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 1, 4, V2_CELLS);
OLD_MAP(pst_leaf4, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 65536, 4, sizeof(struct v2_leaf));
OLD_MAP(pst_rich4, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 65536, 4, 256);
OLD_MAP(pst_cell6, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 1, 4, V2_CELLS);
OLD_MAP(pst_lens6, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 2, 4, 3104);
OLD_MAP(pst_class, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 256, 4, 16);
OLD_MAP(pst_class_hits, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 256, 4, 8);
OLD_MAP(pst_list_info, BPF_MAP_TYPE_ARRAY, 0, 64, 4, 184);
OLD_MAP(pst_list_hits, BPF_MAP_TYPE_ARRAY, 0, 64, 4, 8);
OLD_MAP(pst_secret, BPF_MAP_TYPE_ARRAY, 0, 1, 4, 48);
OLD_MAP(pst_text, BPF_MAP_TYPE_ARRAY, 0, 131, 4, 128);
OLD_MAP(pst_reply_budget, BPF_MAP_TYPE_ARRAY, 0, 2, 4, 16);
OLD_MAP(pst_sketch, BPF_MAP_TYPE_ARRAY, 0, 1, 4, 1048704);
OLD_MAP(pst_buckets, BPF_MAP_TYPE_LRU_HASH, 0, 65536, 16, 8);
OLD_MAP(pst_good, BPF_MAP_TYPE_LRU_HASH, 0, 65536, 16, 8);

/* With types: the kernel has to be told of the lock. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct old_trie_key);
	__type(value, struct v2_net6);
} pst_net6 SEC(".maps");

SEC("xdp.frags")
int gate(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct old_prefix key = { .addr = { [10] = 0xff, [11] = 0xff }, .len = 128 };
	const __u8 *cells;
	struct v2_stats *stats;
	struct v2_ban *ban;
	__u32 zero = 0;

	if (data + 34 > end || data[12] != 8 || data[13] != 0)
		return XDP_PASS;
	__builtin_memcpy(key.addr + 12, data + 26, 4);
	cells = bpf_map_lookup_elem(&pst_cell4, &zero);
	if (cells && cells[data[26] << 16 | data[27] << 8 | data[28]])
		return XDP_DROP;
	ban = bpf_map_lookup_elem(&pst_bans, &key);
	if (!ban || !ban->action)
		return XDP_PASS;
	__sync_fetch_and_add(&ban->hits, 1);
	stats = bpf_map_lookup_elem(&pst_stats, &zero);
	if (stats)
		stats->counter[OLD_DROP_BANNED]++;
	return XDP_DROP;
}
