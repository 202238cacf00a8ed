// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * old_gate.bpf.c: a gate of schema 1, as far as an upgrade can see it: its maps, and a program
 * that drops IPv4 hosts that are banned. The layouts are frozen; they owe nothing to bpf/abi.h.
 */
#include "selftests/packet/old_gate.bpf.h"

struct v1_ban {
	__u64 until_ns, made_ns, first_ns, last_ns, hits;
	__u8 action, reason, origin, relapse;
	__u32 score;
};

struct v1_conf {
	__u32 mode, naddrs;
	__u8 addr[16][16], ban_len4[8], ban_len6[8];
	__u64 port_bits[1024];
};

struct v1_stats {
	__u64 counter[59], found[17];
};

OLD_MAP(pst_stats, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, 4, sizeof(struct v1_stats));
OLD_MAP(pst_slots, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 64, 4, 4096);
OLD_MAP(pst_conf, BPF_MAP_TYPE_ARRAY, 0, 1, 4, sizeof(struct v1_conf));
OLD_MAP(pst_meta, BPF_MAP_TYPE_ARRAY, 0, 1, 4, 56);
OLD_MAP(pst_allow, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 65536, 20, 4);
OLD_MAP(pst_bans, BPF_MAP_TYPE_HASH, 0, 65536, 20, sizeof(struct v1_ban));
OLD_MAP(pst_notes, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 65536, 20, 120);
OLD_MAP(pst_lists, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 65536, 20, 4);
OLD_MAP(pst_list_info, BPF_MAP_TYPE_ARRAY, 0, 64, 4, 176);
OLD_MAP(pst_list_hits, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 64, 4, 8);

SEC("xdp.frags")
int gate(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct old_prefix key = { .addr = { [10] = 0xff, [11] = 0xff }, .len = 128 };
	struct old_trie_key listed = { .len = 128 };
	struct v1_stats *stats;
	struct v1_ban *ban;
	__u32 zero = 0;

	if (data + 34 > end || data[12] != 8 || data[13] != 0)
		return XDP_PASS;
	__builtin_memcpy(key.addr + 12, data + 26, 4);
	__builtin_memcpy(listed.addr, key.addr, 16);
	if (bpf_map_lookup_elem(&pst_lists, &listed))
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
