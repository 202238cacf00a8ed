/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog_run.c: nanoseconds per packet of the whole program, by the kernel's own stopwatch, with a million bans
 * and a million list prefixes. Every kind of packet has its turn in every round and the median of the rounds is
 * given. One source at a time, so its path is warm; lists.c and flood.c take many.
 */
#include "gate.skel.h"
#include "selftests/bench/stopwatch.h"
#include "user/ban.h"
#include "user/gatelist.h"
#include "user/refuse.h"

#define ROUNDS	 9
#define REPEAT	 500000
#define SINGLE	 20001 /* of a kind whose packet is rewritten: fresh ones, one by one */
#define BANS	 1000000
#define PREFIXES 1000000
#define PORT	 25
#define LOADS	 3
#define LONG_NS	 (1ull << 62)

static struct kern_maps maps;

/* As an operator's file is loaded, lengths, batches and all, into an empty table every time; the last load stays. */
static void fill_bans(void)
{
	struct ban_row *row = calloc(BANS, sizeof(*row));
	double seconds[LOADS];
	struct ban_many done;

	if (!row)
		die("memory");
	for (unsigned i = 0; i < BANS; i++) { /* every fourth is an IPv6 /64 */
		struct pst_addr a4 = frame_ip4(10, i >> 16, i >> 8 & 255, i & 255), a6 = frame_ip6(i & 0xffff, 0);

		a6.b[6] = (__u8)(i >> 16);
		row[i].prefix = i % 4 == 3 ? prefix_of(&a6, 64) : prefix_of(&a4, 128);
		row[i].ban = (struct pst_ban){ .until_ns = LONG_NS, .action = PST_ACT_DROP, .origin = PST_ORIGIN_OPERATOR };
	}
	for (int i = 0; i < LOADS; i++) {
		__u64 from;

		if (ban_sweep(&maps, LONG_NS, NULL, NULL) != (i ? BANS : 0))
			die("emptying the bans");
		from = kern_now_ns();
		must(ban_put_many(&maps, row, BANS, &done), "filling the bans");
		seconds[i] = (double)(kern_now_ns() - from) / 1e9;
	}
	figure("bans_load_1m_s", median(seconds, LOADS), "s");
	free(row);
}

static void ban_refused(const struct pst_addr *a)
{
	const struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_REFUSE, .reason = PST_RSN_RELAY };
	const struct pst_prefix p = prefix_of(a, 128);
	bool evicted;

	must(ban_put(&maps, &p, &b, NULL, true, &evicted), "a ban that refuses");
}

static void fill_lists(const struct pst_addr *listed)
{
	static const struct pst_list_info info[PST_LISTS_MAX] = { { .name = "bench", .prefixes = PREFIXES, .action = PST_ACT_DROP } };
	static struct lists_entry entries[PREFIXES + 1];
	char err[256];
	__u32 x = 1;

	for (unsigned i = 0; i < PREFIXES; i++) { /* /16 to /32, scattered over 128.0.0.0/2 */
		struct pst_addr a;

		x = x * 1664525 + 1013904223;
		a = frame_ip4(128 | (x >> 24 & 63), x >> 16 & 255, x >> 8 & 255, x & 255);
		entries[i] = (struct lists_entry){ prefix_of(&a, i % 4 ? 128 : 112 + i % 16), 0 };
	}
	entries[PREFIXES] = (struct lists_entry){ prefix_of(listed, 120), 0 };
	if (list_replace(&maps, entries, PREFIXES + 1, info, err, sizeof(err))) {
		fprintf(stderr, "prog_run: %s\n", err);
		exit(1);
	}
}

static struct gate *load(void)
{
	static const struct conf_refuse words = { .hostname = "mx.example.org", .url = "https://example.org/why" };
	struct pst_conf c = { .mode = PST_MODE_ENFORCE };
	struct gate *g = gate__open_and_load();

	if (!g)
		die("loading the gate");
#define KERN_X(name) maps.name = bpf_map__fd(g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	c.port_bits[PORT >> 6] |= 1ull << (PORT & 63);
	c.no_allows = !allow_any(&maps); /* as the daemon says when it starts */
	must(gate_conf_put(&maps, &c), "settings");
	must(refuse_start(&maps), "the secret");
	must(refuse_put(&maps, &words), "the texts");
	return g;
}

/* Budgets that are never spent: what counting alone costs a SYN. */
static void put_budget(bool on)
{
	static const struct pst_rate wide = { .cost_ns = 1, .slack_ns = 1ull << 60 };
	struct pst_conf c;

	must(gate_conf_get(&maps, &c), "settings");
	c.budget = on ? (struct pst_budget){ .source = wide, .global = wide, .seed = 1 } : (struct pst_budget){ 0 };
	must(gate_conf_put(&maps, &c), "the SYN budget");
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

/* The packet comes back as a reply: the median of single runs, without what a single run costs by itself. */
static double single(int prog, int bare, const struct frame *f, __u32 verdict)
{
	static double ns[SINGLE], floor_ns[SINGLE];
	static __u8 out[2048];

	for (int i = 0; i < SINGLE; i++) {
		floor_ns[i] = stopwatch(bare, f, 1, XDP_DROP, out, sizeof(out));
		ns[i] = stopwatch(prog, f, 1, verdict, out, sizeof(out));
	}
	return median(ns, SINGLE) - median(floor_ns, SINGLE);
}

static double turn(int prog, int bare, const struct frame *f, __u32 verdict)
{
	return verdict == XDP_TX ? single(prog, bare, f, verdict) : stopwatch(prog, f, REPEAT, verdict, NULL, 0);
}

static void allow(const struct pst_addr *a, bool on)
{
	const struct pst_prefix p = prefix_of(a, 128);

	must(on ? allow_put(&maps, &p) : allow_del(&maps, &p), "the allow list");
}

int main(void)
{
	const struct pst_addr allowed = frame_ip4(192, 0, 2, 9), listed = frame_ip4(192, 0, 3, 10), clean = frame_ip4(192, 0, 2, 1);
	const struct pst_addr refused = frame_ip4(192, 0, 2, 11);
	const struct {
		const char *name;
		struct pst_addr src;
		unsigned dport;
		__u32 verdict;
		bool budget, allow;
	} rows[] = {
		{ "gate_other_port_ns", clean, 80, XDP_PASS, false, false },
		{ "gate_clean_ns", clean, PORT, XDP_PASS, false, false },
		{ "gate_clean_ip6_ns", frame_ip6(0xfff1, 1), PORT, XDP_PASS, false, false },
		{ "gate_clean_some_allowed_ns", clean, PORT, XDP_PASS, false, true },
		{ "gate_clean_syn_budget_ns", clean, PORT, XDP_PASS, true, false },
		{ "gate_allowed_ns", allowed, PORT, XDP_PASS, false, true },
		{ "gate_banned_ns", frame_ip4(10, 0, 1, 0), PORT, XDP_DROP, false, false },
		{ "gate_banned_ip6_ns", frame_ip6(3, 1), PORT, XDP_DROP, false, false },
		{ "gate_listed_ns", listed, PORT, XDP_DROP, false, false },
		{ "gate_refused_ns", refused, PORT, XDP_TX, false, false },
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
	struct gate *g = load();
	int prog = bpf_program__fd(g->progs.gate), bare = floor_program();
	double ns[ROWS][ROUNDS], floor_ns[ROUNDS];
	struct frame f = from(clean, PORT);

	fill_bans();
	ban_refused(&refused);
	fill_lists(&listed);
	for (int round = 0; round < ROUNDS; round++) {
		floor_ns[round] = stopwatch(bare, &f, REPEAT, XDP_DROP, NULL, 0);
		for (size_t i = 0; i < ROWS; i++) {
			struct frame packet = from(rows[i].src, rows[i].dport);

			put_budget(rows[i].budget);
			if (rows[i].allow)
				allow(&allowed, true);
			ns[i][round] = turn(prog, bare, &packet, rows[i].verdict);
			if (rows[i].allow)
				allow(&allowed, false);
		}
	}
	figure("gate_floor_ns", median(floor_ns, ROUNDS), "ns");
	for (size_t i = 0; i < ROWS; i++)
		figure(rows[i].name, median(ns[i], ROUNDS), "ns");
	gate__destroy(g);
	return 0;
}
