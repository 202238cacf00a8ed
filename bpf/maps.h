/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.h: every map once, with the reason for its type and size. KERN_MAPS in
 * user/kern.h has the rows that user space touches; kern_load() pins them by these names.
 */
#ifndef PST_MAPS_H
#define PST_MAPS_H

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/pkt.h"

/* Per CPU: the hot path adds without atomics. One entry: one lookup reaches every counter. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_stats);
} pst_stats SEC(".maps");

/* Counters of the processes: mappable, so an increment is a store and the sum outlives its writer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PST_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct pst_slot);
} pst_slots SEC(".maps");

/* Figures of zones and backends, under their names. Neither read nor written by the program: the judge writes, who shows them reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PST_NAMED_MAX);
	__type(key, __u32);
	__type(value, struct pst_named);
} pst_named SEC(".maps");

/* One entry, one lookup a packet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_conf);
} pst_conf SEC(".maps");

/* Never read by the program; user space asks it whether the pins are of its schema. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_meta);
} pst_meta SEC(".maps");

/* Small and of any prefix length, so a trie; a trie cannot be preallocated. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PST_ALLOW_MAX);
	__type(key, struct pst_lpm_key);
	__type(value, __u32);
} pst_allow SEC(".maps");

/*
 * HASH, never LRU: a flood of new bans must not push out live ones. Preallocated: a ban must
 * not fail for want of memory in the very minute it is needed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PST_BANS_MAX);
	__type(key, struct pst_prefix);
	__type(value, struct pst_ban);
} pst_bans SEC(".maps");

/* Who is not banned is told by one load, whatever the bans weigh: a hash of a million costs two misses of the cache. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_ban_bits);
} pst_ban_bits SEC(".maps");

/* A flood of banned hosts is answered from one cache line each, the packet counted in the same. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PST_BAN_ROWS_MAX);
	__type(key, __u32);
	__type(value, struct pst_quick);
} pst_ban_quick SEC(".maps");

/* Only bans that a person wrote have a note: allocated as needed, kept out of the hot value. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PST_NOTES_MAX);
	__type(key, struct pst_prefix);
	__type(value, struct pst_note);
} pst_notes SEC(".maps");

/*
 * The first level for IPv4: 16 MiB that one load answers from. One entry, because an array rounds each
 * entry up to 8 bytes; mappable, because a byte stored is an update that no packet sees by halves.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_cells);
} pst_cell4 SEC(".maps");

/* In front of pst_cell4: a million prefixes leave nine in ten /24s without a bit. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_some);
} pst_some4 SEC(".maps");

/* In front of the leaves. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_cells);
} pst_part4 SEC(".maps");

/* Not preallocated: a machine without lists pays for its buckets only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PST_LEAVES4_MAX);
	__type(key, __u32);
	__type(value, struct pst_leaf4);
} pst_leaf4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PST_RICHES4_MAX);
	__type(key, __u32);
	__type(value, struct pst_rich4);
} pst_rich4 SEC(".maps");

/* The filter in front of pst_net6. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_cells);
} pst_cell6 SEC(".maps");

/*
 * A hash that is asked once per length, not a trie: the filter leaves few lengths to ask for where a list
 * has few. A million random prefixes of 33 lengths: 47 ns against a trie's 924, of listed sources 368 against 1063.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PST_NETS6_MAX);
	__type(key, struct pst_lpm_key);
	__type(value, struct pst_net6);
} pst_net6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct pst_lens6);
} pst_lens6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct pst_class);
} pst_class SEC(".maps");

/* Packets that met class n: one addition, however many lists cover the source. Per CPU, as the counters. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} pst_class_hits SEC(".maps");

/* For people: which list is number n. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PST_LISTS_MAX);
	__type(key, __u32);
	__type(value, struct pst_list_info);
} pst_list_info SEC(".maps");

/* Packets that met list n in classes that are no more; user space adds them up when it retires a class. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PST_LISTS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} pst_list_hits SEC(".maps");

/* The key of the cookies. One entry, written whole: see struct pst_secret for why no reader meets half of one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_secret);
} pst_secret SEC(".maps");

/* What refused clients are told: whole texts, made by user space once, copied by the program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PST_TEXT_ROWS);
	__type(key, __u32);
	__type(value, struct pst_text);
} pst_text SEC(".maps");

/* How many replies there may be. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PST_REPLY_ROWS);
	__type(key, __u32);
	__type(value, struct pst_reply_budget);
} pst_reply_budget SEC(".maps");

/*
 * SYNs by source, roughly, in bounded room. Shared by the CPUs and counted without atomics: a lost
 * increment costs a rough count nothing, and a sum over CPUs would cost every SYN. Mappable ones begin at a page, so lines are lines.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pst_sketch);
} pst_sketch SEC(".maps");

/* Exactly, for those of whom the sketch says it is worth it: only heavy sources can push one another out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PST_BUCKETS_MAX);
	__type(key, struct pst_addr);
	__type(value, struct pst_bucket);
} pst_buckets SEC(".maps");

/* Written by the judge alone, for mail that was accepted: no packet adds to it, so the LRU forgets the longest idle. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PST_GOOD_MAX);
	__type(key, struct pst_addr);
	__type(value, struct pst_good);
} pst_good SEC(".maps");

/*
 * --- the program's own memory, of no interest to user space: not pinned, new with every load ---
 */

/*
 * The reply budgets' clocks (see reply.h). Those of the sources are a count-min sketch: two rows of cells, a source
 * is charged in one of each and has what the better one says. Fixed memory, and no flood can evict anybody.
 */
#define MAPS_REPLY_CELLS 65536

struct reply_clocks {
	__u64 all;
	__u64 source[2][MAPS_REPLY_CELLS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reply_clocks);
} pst_reply_clocks SEC(".maps");

/* One segment of a refused dialogue and the answer to it. Per CPU: nothing of it outlives the packet. */
#define DIALOGUE_IN  536 /* octets of a segment that are read, and the window that is offered */
#define DIALOGUE_OUT 508 /* octets of a reply: no host takes segments of less than 536 */
#define DIALOGUE_HEAD 96 /* Ethernet, two tags, IPv6, TCP: 82 */

struct dialogue {
	struct pkt p;
	__u32 text;   /* row of pst_text */
	__u32 banner; /* 554 and the end, no dialogue */
	__u32 said;   /* octets that the client has had of us before */
	__u32 nin;    /* octets in `in` */
	__u32 at;     /* how far `in` has been read */
	__u32 eaten;  /* octets of the segment that are acknowledged */
	__u32 nout;
	__u32 early;   /* the last line was answered before its end had come */
	__u32 fin;     /* this reply is our last */
	__u32 refused; /* recipients */
	__u8 in[DIALOGUE_IN + 16];
	__u8 head[DIALOGUE_HEAD];	/* ends where the text begins, so that both are stored at once */
	__u8 out[DIALOGUE_OUT + 4 + 320]; /* room for one whole refusal too much */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dialogue);
} pst_dialogue SEC(".maps");

#endif
