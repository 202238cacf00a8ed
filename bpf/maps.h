/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.h: every map once, with the reason for its type and size. KERN_MAPS in
 * user/kern.h has the same rows; kern_load() pins them by these names.
 */
#ifndef PST_MAPS_H
#define PST_MAPS_H

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

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

/* Only bans that a person wrote have a note: allocated as needed, kept out of the hot value. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PST_NOTES_MAX);
	__type(key, struct pst_prefix);
	__type(value, struct pst_note);
} pst_notes SEC(".maps");

/* Twice the promised million: a list is replaced by adding the new before removing the old. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PST_LIST_PREFIXES_MAX);
	__type(key, struct pst_lpm_key);
	__type(value, struct pst_listed);
} pst_lists SEC(".maps");

/* For people: which list is number n. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PST_LISTS_MAX);
	__type(key, __u32);
	__type(value, struct pst_list_info);
} pst_list_info SEC(".maps");

/* Packets that met list n. Per CPU, as the counters. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PST_LISTS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} pst_list_hits SEC(".maps");

#endif
