/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * old_gate.h: a gate of schema 1, loaded, pinned, filled and attached as the version that had it did:
 *   banned by the operator with a note: 192.0.2.1; banned for 1000 s after three relapses: 192.0.2.2;
 *   listed: 198.51.100.0/24; allowed: 203.0.113.0/24; counted: 1000 + i in row i by the last CPU, and 10 by slots 0 and 63
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

#include "old_gate.skel.h"

#define OLD_COUNTERS 59
#define OLD_REASONS  17
#define OLD_NOTE     "an old grudge"
#define OLD_END_S    1000
#define OLD_LISTED   "198.51.100.0/24" /* of the list "old" */

struct old_ban {
	__u64 until_ns, made_ns, first_ns, last_ns, hits;
	__u8 action, reason, origin, relapse;
	__u32 score;
};

struct old_meta {
	__u32 magic, schema, ban_bytes, stats_bytes;
	__u64 loaded_ns;
	char version[32];
};

static const struct old_ban old_bans[2] = {
	{ .until_ns = ~0ull, .made_ns = 11, .action = 2, .origin = 1 },
	{ .made_ns = 12, .first_ns = 13, .last_ns = 14, .hits = 15, .action = 2, .reason = 3, .relapse = 3, .score = 120 },
};

static inline int old_put(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY);
}

static inline int old_fill_sources(struct old_gate *g)
{
	struct { __u8 addr[16]; __u32 len; } host = { { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 128 };
	struct { __u32 len; __u8 addr[16]; } net = { 120, { [10] = 0xff, 0xff, 203, 0, 113 } };
	struct { char name[32], source[128]; __u64 loaded_ns; __u32 prefixes; __u8 action, pad[3]; } info = {
		"old", "/old.txt", 9, 1, 2, { 0 } };
	char note[120] = OLD_NOTE;
	__u32 zero = 0;
	struct timespec now;
	struct old_ban b;
	__u32 word = 1;
	int e;

	clock_gettime(CLOCK_MONOTONIC, &now);
	e = old_put(g->maps.pst_bans, &host, &old_bans[0]) | old_put(g->maps.pst_notes, &host, note) | old_put(g->maps.pst_allow, &net, &word);
	host.addr[15] = 2;
	b = old_bans[1];
	b.until_ns = (now.tv_sec + OLD_END_S) * 1000000000ull;
	e |= old_put(g->maps.pst_bans, &host, &b);
	memcpy(&net.addr[12], (__u8[]){ 198, 51, 100, 0 }, 4);
	word = 2 << 8; /* list 0, drop */
	return e | old_put(g->maps.pst_lists, &net, &word) | old_put(g->maps.pst_list_info, &zero, &info);
}

static inline int old_fill_counters(struct old_gate *g)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *rows = calloc((size_t)cpus * (OLD_COUNTERS + OLD_REASONS), 8), *last = rows + (cpus - 1) * (OLD_COUNTERS + OLD_REASONS);
	__u64 slot[512] = { 0 };
	__u32 key = 0;
	int e;

	for (unsigned i = 0; i < OLD_COUNTERS + OLD_REASONS; i++) {
		last[i] = 1000 + i;
		slot[i] = 10;
	}
	e = old_put(g->maps.pst_stats, &key, rows) | old_put(g->maps.pst_slots, &key, slot);
	key = 63;
	free(rows);
	return e | old_put(g->maps.pst_slots, &key, slot);
}

/* Guards TCP port 25 in mode enforce, with host bans. */
static inline int old_fill_settings(struct old_gate *g)
{
	struct old_meta meta = { 0x5053544e, 1, sizeof(struct old_ban), 8 * (OLD_COUNTERS + OLD_REASONS), 7, "0.1.0" };
	__u64 conf[8472 / 8] = { [280 / 8] = 1 << 25 };
	__u32 zero = 0;

	((__u8 *)conf)[264] = 128; /* ban_len4 */
	((__u8 *)conf)[272] = 64;  /* ban_len6 */
	return old_put(g->maps.pst_conf, &zero, conf) | old_put(g->maps.pst_meta, &zero, &meta);
}

static inline int old_pin(struct old_gate *g, const char *dir, const char *interface)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int prog = bpf_program__fd(g->progs.gate), link = bpf_link_create(prog, (int)if_nametoindex(interface), BPF_XDP, &opts);
	char path[512];
	const struct bpf_map *map;
	int e = 0;

	bpf_object__for_each_map(map, g->obj) {
		if (strncmp(bpf_map__name(map), "pst_", 4))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, bpf_map__name(map));
		e |= bpf_obj_pin(bpf_map__fd(map), path);
	}
	snprintf(path, sizeof(path), "%s/prog", dir);
	e |= bpf_obj_pin(prog, path);
	snprintf(path, sizeof(path), "%s/link_%s", dir, interface);
	return link < 0 ? link : e | bpf_obj_pin(link, path);
}

/* dir is made, its parent too. 0 = it is there and works. */
static inline int old_gate_make(const char *dir, const char *interface)
{
	struct old_gate *g = old_gate__open_and_load();
	char parent[256];
	int e;

	if (!g)
		return -1;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(dir, '/') - dir), dir);
	mkdir(parent, 0700);
	mkdir(dir, 0700);
	e = old_fill_sources(g) | old_fill_counters(g) | old_fill_settings(g) | old_pin(g, dir, interface);
	old_gate__destroy(g);
	return e;
}

#endif
