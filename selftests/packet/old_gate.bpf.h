/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* old_gate.bpf.h: what the gates of all older schemas have alike. Frozen, as they are. */
#ifndef OLD_GATE_BPF_H
#define OLD_GATE_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define OLD_DROP_BANNED 17 /* row of the counters */

struct old_prefix {
	__u8 addr[16];
	__u32 len;
};

struct old_trie_key {
	__u32 len;
	__u8 addr[16];
};

#define OLD_MAP(name, kind, flags, size, key_bytes, value_bytes) \
	struct { \
		__uint(type, kind); \
		__uint(map_flags, flags); \
		__uint(max_entries, size); \
		__uint(key_size, key_bytes); \
		__uint(value_size, value_bytes); \
	} name SEC(".maps")

#endif
