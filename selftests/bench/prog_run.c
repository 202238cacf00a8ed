/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog_run.c: nanoseconds per packet of the whole program, by the kernel's own stopwatch
 * (BPF_PROG_RUN), with big tables. Each figure is the median of several runs; the floor is a
 * program of two instructions that drops, measured in the same process.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate.skel.h"
#include "selftests/packet/frame.h"
#include "user/ban.h"
#include "user/gatelist.h"

#define RUNS	 9
#define REPEAT	 1000000
#define BANS	 1000000
#define PREFIXES 1000000
#define PORT	 25

static struct kern_maps maps;

static void die(const char *what)
{
	fprintf(stderr, "prog_run: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int ascending(const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median, in nanoseconds per packet; every run must have ended in verdict. */
static unsigned measure(int prog, const struct frame *f, __u32 verdict)
{
	__u32 ns[RUNS];

	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->b, .data_size_in = f->n, .repeat = REPEAT);

		if (bpf_prog_test_run_opts(prog, &opts))
			die("BPF_PROG_RUN");
		if (opts.retval != verdict) {
			fprintf(stderr, "prog_run: verdict %u, should be %u\n", opts.retval, verdict);
			exit(1);
		}
		ns[i] = opts.duration;
	}
	qsort(ns, RUNS, sizeof(ns[0]), ascending);
	return ns[RUNS / 2];
}

static int floor_program(void)
{
	struct bpf_insn drop[] = { { .code = 0xb7, .imm = XDP_DROP }, { .code = 0x95 } }; /* r0 = XDP_DROP; exit */
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "floor", "GPL", drop, 2, NULL);

	if (fd < 0)
		die("loading the floor");
	return fd;
}

/* As an operator's file is loaded: lengths, batches and all. */
static void fill_bans(void)
{
	struct ban_row *row = calloc(BANS, sizeof(*row));
	struct ban_many done;
	__u64 from;

	if (!row)
		die("memory");
	for (unsigned i = 0; i < BANS; i++) { /* every fourth is an IPv6 /64 */
		struct pst_addr a4 = frame_ip4(10, i >> 16, i >> 8 & 255, i & 255), a6 = frame_ip6(i & 0xffff, 0);

		a6.b[6] = (__u8)(i >> 16);
		row[i].prefix = i % 4 == 3 ? prefix_of(&a6, 64) : prefix_of(&a4, 128);
		row[i].ban = (struct pst_ban){ .until_ns = ~0ull, .action = PST_ACT_DROP, .origin = PST_ORIGIN_OPERATOR };
	}
	from = kern_now_ns();
	errno = -ban_put_many(&maps, row, BANS, &done);
	if (errno)
		die("filling the bans");
	printf("{\"name\": \"bans_load_1m_s\", \"value\": %.3f, \"unit\": \"s\"}\n", (double)(kern_now_ns() - from) / 1e9);
	free(row);
}

static struct lists_entry entries[PREFIXES + 1];

/* Puts the first n entries into the kernel. */
static void put_lists(size_t n)
{
	static const struct pst_list_info info[PST_LISTS_MAX] = { { .name = "bench", .prefixes = PREFIXES, .action = PST_ACT_DROP } };
	char err[256];

	if (list_replace(&maps, entries, n, info, err, sizeof(err))) {
		fprintf(stderr, "prog_run: %s\n", err);
		exit(1);
	}
}

static void fill_lists(void)
{
	__u32 x = 1;

	for (unsigned i = 0; i < PREFIXES; i++) { /* /16 to /32, scattered over 128.0.0.0/2 */
		struct pst_addr a;

		x = x * 1664525 + 1013904223;
		a = frame_ip4(128 | (x >> 24 & 63), x >> 16 & 255, x >> 8 & 255, x & 255);
		entries[i] = (struct lists_entry){ prefix_of(&a, i % 4 ? 128 : 112 + i % 16), 0 };
	}
	put_lists(PREFIXES);
}

static void put_conf(enum pst_mode mode)
{
	struct pst_conf c = { .mode = mode };

	c.port_bits[PORT >> 6] |= 1ull << (PORT & 63);
	errno = -gate_conf_put(&maps, &c);
	if (errno)
		die("settings");
}

static struct gate *load(void)
{
	struct gate *g = gate__open_and_load();

	if (!g)
		die("loading the gate");
#define KERN_X(name) maps.name = bpf_map__fd(g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	put_conf(PST_MODE_ENFORCE);
	return g;
}

/* Budgets that are never spent: what counting alone costs a SYN. */
static void put_budget(bool on)
{
	static const struct pst_rate wide = { .cost_ns = 1, .slack_ns = 1ull << 60 };
	struct pst_conf c;

	errno = -gate_conf_get(&maps, &c);
	c.budget = on ? (struct pst_budget){ .source = wide, .global = wide, .seed = 1 } : (struct pst_budget){ 0 };
	if (!errno)
		errno = -gate_conf_put(&maps, &c);
	if (errno)
		die("the SYN budget");
}

static struct frame from(struct pst_addr src, unsigned dport)
{
	bool v4 = addr_is4(&src);
	struct frame_spec s = {
		.net = v4 ? NET_IP4 : NET_IP6,
		.src = src,
		.dst = v4 ? frame_ip4(198, 51, 100, 1) : frame_ip6(0xfff0, 1),
		.sport = 40000,
		.dport = (__u16)dport,
	};
	struct frame f;

	frame_build(&f, &s);
	return f;
}

int main(void)
{
	struct pst_addr allowed = frame_ip4(192, 0, 2, 9), listed = frame_ip4(192, 0, 2, 10), clean = frame_ip4(192, 0, 2, 1);
	const struct {
		const char *name;
		struct pst_addr src;
		unsigned dport;
		__u32 verdict;
		bool budget;
	} rows[] = {
		{ "gate_other_port_ns", clean, 80, XDP_PASS, false },
		{ "gate_clean_ns", clean, PORT, XDP_PASS, false },
		{ "gate_clean_ip6_ns", frame_ip6(0xfff1, 1), PORT, XDP_PASS, false },
		{ "gate_clean_syn_budget_ns", clean, PORT, XDP_PASS, true },
		{ "gate_allowed_ns", allowed, PORT, XDP_PASS, false },
		{ "gate_banned_ns", frame_ip4(10, 0, 1, 0), PORT, XDP_DROP, false },
		{ "gate_banned_ip6_ns", frame_ip6(3, 1), PORT, XDP_DROP, false },
		{ "gate_listed_ns", listed, PORT, XDP_DROP, false },
	};
	struct pst_prefix allow = prefix_of(&allowed, 128);
	struct gate *g = load();
	int prog = bpf_program__fd(g->progs.gate), bare = floor_program();
	struct frame f = from(clean, PORT);

	fill_bans();
	fill_lists();
	errno = -allow_replace(&maps, NULL, 0); /* as the daemon does when it starts */
	if (errno)
		die("allowing nobody");
	printf("{\"name\": \"gate_floor_ns\", \"value\": %u, \"unit\": \"ns\"}\n", measure(bare, &f, XDP_DROP));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(rows[i].name, "gate_listed_ns")) { /* only now: it would cover the clean one */
			entries[PREFIXES] = (struct lists_entry){ prefix_of(&listed, 120), 0 };
			put_lists(PREFIXES + 1);
		}
		if (!strcmp(rows[i].name, "gate_allowed_ns") && (errno = -allow_put(&maps, &allow)))
			die("allowing");
		put_budget(rows[i].budget);
		f = from(rows[i].src, rows[i].dport);
		printf("{\"name\": \"%s\", \"value\": %u, \"unit\": \"ns\"}\n", rows[i].name, measure(prog, &f, rows[i].verdict));
		fflush(stdout);
	}
	printf("%u bans, %u list prefixes; one source at a time, so its path is warm\n", BANS, PREFIXES);
	gate__destroy(g);
	return 0;
}
