/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate_run.h: the real XDP program with maps of its own, nothing pinned, run on one frame at
 * a time. Every run says the verdict and which counter rose; a run in which not exactly one
 * rose fails the test.
 */
#ifndef GATE_RUN_H
#define GATE_RUN_H

#include "selftests/unit/unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "gate.skel.h"
#include "selftests/packet/frame.h"
#include "user/ban.h"
#include "user/gatelist.h"
#include "user/refuse.h"
#include "user/stats.h"

#define PORT 25

struct run {
	struct gate *skel;
	struct kern_maps maps;
	struct pst_stats before;
	struct lists_entry listed[16]; /* by run_list() */
	size_t nlisted;
	struct pst_list_info list[PST_LISTS_MAX];
};

struct outcome {
	__u32 verdict; /* enum xdp_action */
	unsigned counter;
	__u8 out[2048];
	__u32 nout;
};

static inline const char *counter_name(unsigned c)
{
	static const char *const names[] = {
#define PST_X(sym, family, labels, help) #sym,
		PST_COUNTERS(PST_X)
#undef PST_X
	};

	return c < PST_CNT_MAX ? names[c] : "?";
}

/* Guards TCP port 25 of every address. */
static inline void run_conf(struct run *r, enum pst_mode mode)
{
	struct pst_conf c = { .mode = mode, .ban_len4 = { 128 }, .ban_len6 = { 64 } };

	c.port_bits[PORT >> 6] |= 1ull << (PORT & 63);
	assert_int_equal(gate_conf_put(&r->maps, &c), 0);
}

static inline int run_open_sized(struct run *r, unsigned bans_max, unsigned lists_max)
{
	struct gate *g = gate__open();

	assert_non_null(g);
	assert_int_equal(bpf_map__set_max_entries(g->maps.pst_bans, bans_max), 0);
	assert_int_equal(bpf_map__set_max_entries(g->maps.pst_leaf4, lists_max), 0);
	assert_int_equal(bpf_map__set_max_entries(g->maps.pst_rich4, lists_max), 0);
	assert_int_equal(bpf_map__set_max_entries(g->maps.pst_net6, lists_max), 0);
	assert_int_equal(gate__load(g), 0);
	r->skel = g;
	r->nlisted = 0;
	memset(r->list, 0, sizeof(r->list));
#define KERN_X(name) r->maps.name = bpf_map__fd(g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	run_conf(r, PST_MODE_ENFORCE);
	assert_int_equal(refuse_start(&r->maps), 0);
	assert_int_equal(stats_read(&r->maps, &r->before), 0);
	return 0;
}

static inline void run_close(struct run *r)
{
	gate__destroy(r->skel);
}

static inline bool is_bytes(unsigned c)
{
	return c == PST_CNT_BYTES_DROPPED || c == PST_CNT_BYTES_PASSED || c == PST_CNT_BYTES_ANSWERED;
}

/* The one counter that rose by one since the run before. The packet's n bytes are counted by its verdict, and nowhere else. */
static inline unsigned run_counter(struct run *r, unsigned verdict, unsigned n)
{
	unsigned bytes = verdict == XDP_PASS ? PST_CNT_BYTES_PASSED : verdict == XDP_DROP ? PST_CNT_BYTES_DROPPED : PST_CNT_BYTES_ANSWERED;
	struct pst_stats now;
	unsigned found = PST_CNT_MAX;

	assert_int_equal(stats_read(&r->maps, &now), 0);
	for (unsigned i = 0; i < PST_CNT_MAX; i++) {
		__u64 rise = now.counter[i] - r->before.counter[i];

		if (is_bytes(i) && rise != (i == bytes ? n : 0))
			fail_msg("counter %s rose by %llu for %u bytes", counter_name(i), (unsigned long long)rise, n);
		if (!rise || is_bytes(i) || i == PST_CNT_DEGRADED_POLICY) /* the last is what the reader finds in the settings */
			continue;
		if (rise != 1 || found != PST_CNT_MAX)
			fail_msg("counter %s rose by %llu", counter_name(i), (unsigned long long)rise);
		found = i;
	}
	if (found == PST_CNT_MAX)
		fail_msg("no counter rose");
	r->before = now;
	return found;
}

static inline void run_bytes(struct run *r, const __u8 *b, unsigned n, struct outcome *o)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b, .data_size_in = n, .data_out = o->out, .data_size_out = sizeof(o->out));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(r->skel->progs.gate), &opts), 0);
	o->verdict = opts.retval;
	o->nout = opts.data_size_out;
	o->counter = run_counter(r, o->verdict, n);
}

static inline void run_frame(struct run *r, const struct frame *f, struct outcome *o)
{
	run_bytes(r, f->b, f->n, o);
}

static inline struct pst_prefix run_prefix(struct pst_addr a, unsigned len)
{
	return prefix_of(&a, len);
}

/* A ban from now on for s seconds; negative = it has ended. */
static inline void run_ban(struct run *r, struct pst_prefix p, enum pst_action action, int s)
{
	struct pst_ban b = {
		.until_ns = kern_now_ns() + (__u64)(s * 1000000000ll),
		.made_ns = kern_now_ns(),
		.action = (__u8)action,
		.reason = PST_RSN_RELAY,
	};
	bool evicted;

	assert_int_equal(ban_put(&r->maps, &p, &b, NULL, true, &evicted), 0);
}

/* One prefix more on list number `list`, whose action is the last one given. */
static inline void run_list(struct run *r, struct pst_prefix p, unsigned list, enum pst_action action)
{
	struct lists_entry e[16];
	char err[256] = "";

	assert_true(r->nlisted < 16);
	r->listed[r->nlisted++] = (struct lists_entry){ p, list };
	snprintf(r->list[list].name, sizeof(r->list[list].name), "list %u", list);
	r->list[list].action = (__u8)action;
	r->list[list].prefixes++;
	memcpy(e, r->listed, sizeof(e));
	if (list_replace(&r->maps, e, r->nlisted, r->list, err, sizeof(err)))
		fail_msg("%s", err);
}

/* Its row in the kernel; -1 = it has none. */
static inline int run_list_row(struct run *r, const char *name)
{
	struct pst_list_info info;

	for (unsigned row = 0; row < PST_LISTS_MAX; row++)
		if (!list_info(&r->maps, row, &info) && !strcmp(info.name, name))
			return (int)row;
	return -1;
}

static inline __u64 run_list_hits(struct run *r, const char *name)
{
	int row = run_list_row(r, name);
	__u64 hits;

	if (row < 0)
		return 0;
	assert_int_equal(list_hits(&r->maps, (unsigned)row, &hits), 0);
	return hits;
}

static inline struct pst_ban run_ban_of(struct run *r, struct pst_prefix p)
{
	struct pst_ban b;

	assert_int_equal(ban_get(&r->maps, &p, &b, NULL), 0);
	return b;
}

#endif
