/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * old_gate.h: a gate of schema 1 or 2, loaded, pinned, filled and attached as the version that had it did:
 *   banned by the operator with a note: 192.0.2.1; banned for 1000 s after three relapses: 192.0.2.2;
 *   listed: 198.51.100.0/24, and in schema 2 198.51.102.128/25 and 2001:db8:f::/48, too; allowed: 203.0.113.0/24; counted: 1000 + i in row i by the last CPU, and 10 by slots 0 and 63
 */
#ifndef OLD_GATE_H
#define OLD_GATE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "old_gate.skel.h"
#include "old_gate2.skel.h"

#define OLD_NOTE     "an old grudge"
#define OLD_GREETING "220 old ESMTP\r\n"
#define OLD_END_S    1000
#define OLD_SCHEMAS  2 /* the younger of the two */

/* What differs, and what an upgrade can learn of it. */
static const struct old_schema {
	__u32 ban_bytes, conf_bytes;
	unsigned counters, reasons, prefixes;
} old_schemas[OLD_SCHEMAS + 1] = {
	[1] = { 48, 8472, 59, 17, 1 },
	[2] = { 64, 8552, 71, 17, 3 },
};

/* In schema 1 without the last five. */
struct old_ban {
	__u64 until_ns, made_ns, first_ns, last_ns, hits;
	__u8 action, reason, origin, relapse;
	__u32 score;
	__u16 port;
	__u8 scope, grace;
	__u32 contacts;
	__u64 window_ns;
};

struct old_meta {
	__u32 magic, schema, ban_bytes, stats_bytes;
	__u64 loaded_ns;
	char version[32];
};

struct old_prefix {
	__u8 addr[16];
	__u32 len;
};

struct old_trie_key {
	__u32 len;
	__u8 addr[16];
};

static const struct old_ban old_bans[2] = {
	{ .until_ns = ~0ull, .made_ns = 11, .action = 2, .origin = 1 },
	{ .made_ns = 12, .first_ns = 13, .last_ns = 14, .hits = 15, .action = 2, .reason = 3, .relapse = 3, .score = 120, .port = 25, .scope = 1,
	  .contacts = 7, .window_ns = 16 },
};

static inline int old_put(struct bpf_object *g, const char *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_object__find_map_fd_by_name(g, map), key, value, BPF_ANY);
}

static inline int old_fill_sources(struct bpf_object *g)
{
	struct old_prefix host = { { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 128 };
	struct old_trie_key net = { 120, { [10] = 0xff, 0xff, 203, 0, 113 } };
	char note[120] = OLD_NOTE;
	struct timespec now;
	struct old_ban b;
	__u32 word = 1;
	int e;

	clock_gettime(CLOCK_MONOTONIC, &now);
	e = old_put(g, "pst_bans", &host, &old_bans[0]) | old_put(g, "pst_notes", &host, note) | old_put(g, "pst_allow", &net, &word);
	host.addr[15] = 2;
	b = old_bans[1];
	b.until_ns = (now.tv_sec + OLD_END_S) * 1000000000ull;
	return e | old_put(g, "pst_bans", &host, &b);
}

static inline int old_fill_lists1(struct bpf_object *g)
{
	struct { char name[32], source[128]; __u64 loaded_ns; __u32 prefixes; __u8 action, pad[3]; } info = {
		"old", "/old.txt", 9, 1, 2, { 0 } };
	struct old_trie_key net = { 120, { [10] = 0xff, 0xff, 198, 51, 100 } };
	__u32 zero = 0, word = 2 << 8; /* list 0, drop */

	return old_put(g, "pst_lists", &net, &word) | old_put(g, "pst_list_info", &zero, &info);
}

/* Class 1 is list 0: all of a /24 by its byte, half of one by a leaf, and an IPv6 prefix of the first group of lengths. */
static inline int old_fill_lists2(struct bpf_object *g)
{
	struct { char name[32], source[128]; __u64 loaded_ns, modified_s; __u32 prefixes; __u8 action, follow, stale, zero; } info = {
		"old", "/old.txt", 9, 8, 3, 2, 0, 0, 0 };
	struct { __u64 lists; __u8 action, list, zero[6]; } class = { 1, 2, 0, { 0 } };
	struct { __u32 now; __u16 n; __u8 outside, all; struct { __u8 mask[16]; __u32 len, group; } row[129]; } lens = {
		.n = 1, .row = { { { 255, 255, 255, 255, 255, 255 }, 48, 1 } } };
	struct { __u32 lock, class; } net6 = { 0, 1 };
	struct { __u64 bits[4], class; } leaf = { { 0, 0, ~0ull, ~0ull }, 1 };
	struct old_trie_key net = { 48, { 0x20, 1, 0xd, 0xb8, 0, 0xf } };
	__u32 zero = 0, one = 1, at = (198 << 16 | 51 << 8 | 102) << 1;
	__u64 hits = 5;
	__u8 *cells = calloc(1, 1 << 24);
	int e = old_put(g, "pst_class", &one, &class) | old_put(g, "pst_list_info", &zero, &info) | old_put(g, "pst_leaf4", &at, &leaf) |
		old_put(g, "pst_net6", &net, &net6) | old_put(g, "pst_lens6", &zero, &lens) | old_put(g, "pst_list_hits", &zero, &hits);

	cells[0x20010db8 >> 5 & 0xffffff] = 1;
	e |= old_put(g, "pst_cell6", &zero, cells);
	cells[0x20010db8 >> 5 & 0xffffff] = 0;
	cells[198 << 16 | 51 << 8 | 100] = 1;
	cells[198 << 16 | 51 << 8 | 102] = 252;
	e |= old_put(g, "pst_cell4", &zero, cells);
	free(cells);
	return e;
}

/* What only schema 2 has: the words of its refusals, their secret, and who has delivered mail. */
static inline int old_fill_more(struct bpf_object *g)
{
	struct { __u64 from_slot, key[2]; } secret[2] = { { 0, { 1, 2 } } };
	struct { __u32 n; char text[124]; } greeting = { sizeof(OLD_GREETING) - 1, OLD_GREETING };
	__u8 source[16] = { [10] = 0xff, 0xff, 203, 0, 113, 9 };
	__u32 zero = 0, row = 129;
	__u64 end = ~0ull;

	return old_put(g, "pst_secret", &zero, secret) | old_put(g, "pst_text", &row, &greeting) | old_put(g, "pst_good", source, &end);
}

static inline int old_fill_counters(struct bpf_object *g, const struct old_schema *s)
{
	int cpus = libbpf_num_possible_cpus();
	unsigned n = s->counters + s->reasons;
	__u64 *rows = calloc((size_t)cpus * n, 8), *last = rows + (unsigned)(cpus - 1) * n;
	__u64 slot[512] = { 0 };
	__u32 key = 0;
	int e;

	for (unsigned i = 0; i < n; i++) {
		last[i] = 1000 + i;
		slot[i] = 10;
	}
	e = old_put(g, "pst_stats", &key, rows) | old_put(g, "pst_slots", &key, slot);
	key = 63;
	free(rows);
	return e | old_put(g, "pst_slots", &key, slot);
}

/* Guards TCP port 25 in mode enforce, with host bans. */
static inline int old_fill_settings(struct bpf_object *g, unsigned schema)
{
	const struct old_schema *s = &old_schemas[schema];
	struct old_meta meta = { 0x5053544e, schema, s->ban_bytes, 8 * (s->counters + s->reasons), 7, "0.1.0" };
	__u64 conf[8552 / 8] = { [280 / 8] = 1 << 25 };
	__u32 zero = 0;

	((__u8 *)conf)[264] = 128; /* ban_len4 */
	((__u8 *)conf)[272] = 64;  /* ban_len6 */
	return old_put(g, "pst_conf", &zero, conf) | old_put(g, "pst_meta", &zero, &meta);
}

static inline int old_pin(struct bpf_object *g, const char *dir, const char *interface)
{
	LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
	LIBBPF_OPTS(bpf_link_create_opts, generic, .flags = XDP_FLAGS_SKB_MODE);
	int prog = bpf_program__fd(bpf_object__find_program_by_name(g, "gate")), ifindex = (int)if_nametoindex(interface);
	int link = bpf_link_create(prog, ifindex, BPF_XDP, &native);
	char path[512];
	const struct bpf_map *map;
	int e = 0;

	if (link < 0)
		link = bpf_link_create(prog, ifindex, BPF_XDP, &generic);
	bpf_object__for_each_map(map, g) {
		if (strncmp(bpf_map__name(map), "pst_", 4))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, bpf_map__name(map));
		e |= bpf_obj_pin(bpf_map__fd(map), path);
	}
	snprintf(path, sizeof(path), "%s/prog", dir);
	e |= bpf_obj_pin(prog, path);
	snprintf(path, sizeof(path), "%s/link_%s", dir, interface);
	e |= link < 0 ? link : bpf_obj_pin(link, path);
	close(link);
	return e;
}

static inline int old_gate_fill(struct bpf_object *g, unsigned schema)
{
	int e = old_fill_sources(g) | old_fill_counters(g, &old_schemas[schema]) | old_fill_settings(g, schema);

	return e | (schema == 1 ? old_fill_lists1(g) : old_fill_lists2(g) | old_fill_more(g));
}

/* dir is made, its parent too. 0 = it is there and works. */
static inline int old_gate_make(unsigned schema, const char *dir, const char *interface)
{
	struct old_gate *one = schema == 1 ? old_gate__open_and_load() : NULL;
	struct old_gate2 *two = schema == 2 ? old_gate2__open_and_load() : NULL;
	struct bpf_object *g = one ? one->obj : two ? two->obj : NULL;
	char parent[256];
	int e = -1;

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(dir, '/') - dir), dir);
	mkdir(parent, 0700);
	mkdir(dir, 0700);
	if (g)
		e = old_gate_fill(g, schema) | old_pin(g, dir, interface);
	old_gate__destroy(one);
	old_gate2__destroy(two);
	return e;
}

#endif
