// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * old_gate.bpf.c: a gate of schema 1, as far as an upgrade can see it: its maps, and a program
 * that drops IPv4 hosts that are banned. The layouts are frozen; they owe nothing to bpf/abi.h.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct v1_prefix {
	__u8 addr[16];
	__u32 len;
};

struct v1_lpm_key {
	__u32 len;
	__u8 addr[16];
};

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

#define V1_MAP(name, kind, flags, size, key_bytes, value_bytes) \
	struct {                                                \
		__uint(type, kind);                             \
		__uint(map_flags, flags);                       \
		__uint(max_entries, size);                      \
		__uint(key_size, key_bytes);                    \
		__uint(value_size, value_bytes);                \
	} name SEC(".maps")

V1_MAP(pst_stats, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, 4, sizeof(struct v1_stats));
V1_MAP(pst_slots, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 64, 4, 4096);
V1_MAP(pst_conf, BPF_MAP_TYPE_ARRAY, 0, 1, 4, sizeof(struct v1_conf));
V1_MAP(pst_meta, BPF_MAP_TYPE_ARRAY, 0, 1, 4, 56);
V1_MAP(pst_allow, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 65536, 20, 4);
V1_MAP(pst_bans, BPF_MAP_TYPE_HASH, 0, 65536, 20, sizeof(struct v1_ban));
V1_MAP(pst_notes, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 65536, 20, 120);
V1_MAP(pst_lists, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 65536, 20, 4);
V1_MAP(pst_list_info, BPF_MAP_TYPE_ARRAY, 0, 64, 4, 176);
V1_MAP(pst_list_hits, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 64, 4, 8);

#define V1_DROP_BANNED 17

SEC("xdp.frags")
int gate(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct v1_prefix key = { .addr = { [10] = 0xff, [11] = 0xff }, .len = 128 };
	struct v1_lpm_key listed = { .len = 128 };
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
		stats->counter[V1_DROP_BANNED]++;
	return XDP_DROP;
}
