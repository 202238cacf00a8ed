/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_budget.c: the SYN budget in the real program. Rates are so low that no token comes back
 * while a test runs, so the clock decides nothing.
 */
#include "gate_run.h"

#include "selftests/unit/rnd.h"

#define S     1000000000ull
#define NEVER (1000000 * S) /* a token takes eleven days */
#define FLOOD 1000000

static struct run r;

static struct pst_rate rate(unsigned burst)
{
	return (struct pst_rate){ .cost_ns = burst ? NEVER : 0, .slack_ns = burst ? (burst - 1) * NEVER : 0 };
}

static void settings(unsigned source, unsigned global, bool observe)
{
	struct pst_conf c;

	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.budget = (struct pst_budget){ .source = rate(source), .global = rate(global), .seed = 7, .observe = observe };
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
}

static int fresh(void **state)
{
	(void)state;
	return run_open_sized(&r, 1024, 1024);
}

static int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

static unsigned sent(const struct frame_spec *s)
{
	struct outcome o;
	struct frame f;

	frame_build(&f, s);
	run_frame(&r, &f, &o);
	return o.counter;
}

static unsigned syn(struct pst_addr src)
{
	return sent(&(struct frame_spec){ .net = addr_is4(&src) ? NET_IP4 : NET_IP6, .src = src, .dport = PORT });
}

static bool has_bucket(struct pst_addr a)
{
	struct pst_bucket b;

	return !bpf_map_lookup_elem(r.maps.buckets, &a, &b);
}

static unsigned buckets(void)
{
	struct pst_addr at, next;
	unsigned n = 0;

	for (int e = bpf_map_get_next_key(r.maps.buckets, NULL, &next); !e; e = bpf_map_get_next_key(r.maps.buckets, &at, &next)) {
		at = next;
		n++;
	}
	return n;
}

/* --- what is over ----------------------------------------------------------- */

static void bursts(void **state)
{
	static const struct {
		unsigned source, global, syns;
		bool observe;
		unsigned passed, over; /* how many of the syns pass, and what the rest counts as */
	} rows[] = {
		{ 0, 0, 50, false, 50, 0 },
		{ 1, 0, 50, false, 1, PST_CNT_DROP_SYN_SOURCE },
		{ 2, 0, 50, false, 2, PST_CNT_DROP_SYN_SOURCE },
		{ 30, 0, 50, false, 30, PST_CNT_DROP_SYN_SOURCE },
		{ 60, 0, 50, false, 50, 0 },
		{ 0, 1, 50, false, 1, PST_CNT_DROP_SYN_GLOBAL },
		{ 0, 20, 50, false, 20, PST_CNT_DROP_SYN_GLOBAL },
		{ 10, 20, 50, false, 10, PST_CNT_DROP_SYN_SOURCE },
		{ 20, 10, 50, false, 10, PST_CNT_DROP_SYN_GLOBAL }, /* and at 21 the source's own */
		{ 30, 0, 50, true, 30, PST_CNT_PASS_SYN_OBSERVED },
		{ 0, 20, 50, true, 20, PST_CNT_PASS_SYN_OBSERVED },
	};

	(void)state;
	for (unsigned i = 0; i < NROWS(rows) * 2; i++) {
		struct pst_addr a = i % 2 ? frame_ip6(i, 1) : frame_ip4(192, 0, 2, i);
		__u64 last = 0;

		gone(NULL);
		fresh(NULL);
		settings(rows[i / 2].source, rows[i / 2].global, rows[i / 2].observe);
		for (unsigned k = 0; k < rows[i / 2].syns; k++) {
			unsigned want = k < rows[i / 2].passed ? PST_CNT_PASS_CLEAN : rows[i / 2].over, got = syn(a);

			if (rows[i / 2].source && rows[i / 2].global && k >= rows[i / 2].source)
				want = PST_CNT_DROP_SYN_SOURCE;
			/* A machine that stood still for a second between two SYNs has made the source a light one. */
			if (got != want && kern_now_ns() - last < S)
				fail_msg("row %u syn %u: %s", i / 2, k, counter_name(got));
			last = kern_now_ns();
		}
	}
}

/* Only SYNs are counted, and only those that nothing else has an answer to. */
static void who_is_asked(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1), banned = frame_ip4(192, 0, 2, 2), listed = frame_ip4(192, 0, 2, 3),
			allowed = frame_ip4(192, 0, 2, 4);
	struct pst_prefix p = run_prefix(allowed, 128);

	(void)state;
	settings(1, 1, false);
	run_ban(&r, run_prefix(banned, 128), PST_ACT_DROP, 3600);
	run_list(&r, run_prefix(listed, 128), 0, PST_ACT_DROP);
	assert_int_equal(allow_put(&r.maps, &p), 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(syn(banned), PST_CNT_DROP_BANNED);
		assert_int_equal(syn(listed), PST_CNT_DROP_LISTED);
		assert_int_equal(syn(allowed), PST_CNT_PASS_ALLOWED);
		assert_int_equal(sent(&(struct frame_spec){ .src = a, .dport = 80 }), PST_CNT_PASS_UNGUARDED);
		assert_int_equal(sent(&(struct frame_spec){ .src = a, .dport = PORT, .flags = TCP_ACK }), PST_CNT_PASS_CLEAN);
		assert_int_equal(sent(&(struct frame_spec){ .src = a, .dport = PORT, .flags = TCP_SYN | TCP_ACK }), PST_CNT_PASS_CLEAN);
		assert_int_equal(sent(&(struct frame_spec){ .src = a, .dport = PORT, .frag = FRAG_LATER }), PST_CNT_PASS_FRAGMENT);
	}
	assert_int_equal(buckets(), 0);
	assert_int_equal(syn(a), PST_CNT_PASS_CLEAN);
	assert_int_equal(syn(a), PST_CNT_DROP_SYN_SOURCE);
	assert_int_equal(syn(frame_ip4(192, 0, 2, 5)), PST_CNT_DROP_SYN_GLOBAL);
	assert_int_equal(sent(&(struct frame_spec){ .src = a, .dport = PORT, .flags = TCP_ACK }), PST_CNT_PASS_CLEAN);
}

static void a_source_of_ip6_is_its_64(void **state)
{
	(void)state;
	settings(4, 0, false);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(syn(frame_ip6(1, i)), i < 4 ? PST_CNT_PASS_CLEAN : PST_CNT_DROP_SYN_SOURCE);
	assert_int_equal(syn(frame_ip6(2, 0)), PST_CNT_PASS_CLEAN);
	assert_true(has_bucket(frame_ip6(1, 0)));
	assert_int_equal(buckets(), 1);
}

/* A token that comes back. The rate is too low for a source to be a quiet one. */
static void tokens_come_back(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct pst_bucket b = { 0 };
	struct pst_conf c;

	(void)state;
	settings(1, 0, false);
	assert_int_equal(syn(a), PST_CNT_PASS_CLEAN);
	assert_int_equal(syn(a), PST_CNT_DROP_SYN_SOURCE);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.budget.source = (struct pst_rate){ .cost_ns = S, .slack_ns = 1000 * S };
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	assert_int_equal(bpf_map_update_elem(r.maps.buckets, &a, &b, BPF_ANY), 0); /* long ago */
	assert_int_equal(syn(a), PST_CNT_PASS_CLEAN);
	assert_int_equal(bpf_map_lookup_elem(r.maps.buckets, &a, &b), 0);
	assert_in_range(b.spent_ns, kern_now_ns() - 100 * S, kern_now_ns() + S + 1); /* what was saved up is one burst, no more */
}

/* Who sends a half of what the rate allows is counted by the sketch alone; and no rate is ever exceeded by who has no bucket yet. */
static void quiet_sources(void **state)
{
	static const struct {
		unsigned per_s, burst, quiet; /* so many SYNs make no bucket */
	} rows[] = {
		{ 20, 100, 10 }, { 20, 10, 5 }, { 1000, 4, 2 }, { 100000, 300, 150 }, { 1, 100, 1 }, { 5, 1, 1 },
	};

	(void)state;
	for (unsigned i = 0; i < NROWS(rows) * 2; i++) {
		struct pst_addr a = i % 2 ? frame_ip6(i, 0) : frame_ip4(192, 0, 2, i);
		const __u64 cost_ns = S / rows[i / 2].per_s;
		unsigned passed = 0, most, k;
		struct pst_conf c;
		__u64 from;

		settings(1, 0, false);
		assert_int_equal(gate_conf_get(&r.maps, &c), 0);
		c.budget.source = (struct pst_rate){ .cost_ns = cost_ns, .slack_ns = (rows[i / 2].burst - 1) * cost_ns };
		assert_int_equal(gate_conf_put(&r.maps, &c), 0);
		from = kern_now_ns();
		for (k = 0; k < rows[i / 2].quiet; k++)
			passed += syn(a) == PST_CNT_PASS_CLEAN;
		assert_int_equal(passed, rows[i / 2].quiet);
		assert_false(has_bucket(a));
		for (; k < 3 * rows[i / 2].burst + 20; k++)
			passed += syn(a) == PST_CNT_PASS_CLEAN;
		most = rows[i / 2].burst + (unsigned)((kern_now_ns() - from + S / 50) / cost_ns) + 1; /* the coarse clock lags by a tick */
		assert_in_range(passed, rows[i / 2].quiet, most);
	}
}

/* --- under stress ------------------------------------------------------------- */

static void known_good_sources_come_first(void **state)
{
	struct pst_addr good = frame_ip4(192, 0, 2, 1), late = frame_ip4(192, 0, 2, 2), good6 = frame_ip6(1, 77);

	(void)state;
	settings(5, 3, false);
	assert_int_equal(good_put(&r.maps, &good, ~0ull), 0);
	assert_int_equal(good_put(&r.maps, &good6, ~0ull), 0);
	assert_int_equal(good_put(&r.maps, &late, kern_now_ns() - S), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(syn(frame_ip4(10, 0, 0, i)), PST_CNT_PASS_CLEAN);
	assert_int_equal(syn(frame_ip4(10, 0, 0, 9)), PST_CNT_DROP_SYN_GLOBAL);
	assert_int_equal(syn(late), PST_CNT_DROP_SYN_GLOBAL);
	assert_int_equal(syn(frame_ip6(1, 1)), PST_CNT_PASS_CLEAN); /* of the same /64 */
	for (unsigned i = 0; i < 10; i++) /* but not without end */
		assert_int_equal(syn(good), i < 5 ? PST_CNT_PASS_CLEAN : PST_CNT_DROP_SYN_SOURCE);
	good_del(&r.maps, &good6);
	assert_int_equal(syn(frame_ip6(1, 1)), PST_CNT_DROP_SYN_GLOBAL);
}

/* Sources that never come twice. The counters are read before and after, not each time. */
static void flood(unsigned n)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct frame f;

	frame_build(&f, &(struct frame_spec){ .dport = PORT });
	opts.data_in = f.b;
	opts.data_size_in = f.n;
	for (unsigned i = 0; i < n; i++) {
		frame_be32(f.b + f.l3 + 12, 0x20000000 + i * 2654435761u % 0x40000000);
		assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(r.skel->progs.gate), &opts), 0);
	}
}

static void a_spoofed_flood_evicts_nobody(void **state)
{
	struct pst_addr heavy[64], good = frame_ip4(192, 0, 2, 200);
	struct pst_stats before, after;
	__u64 clean, dropped, source;

	(void)state;
	settings(5, 1000, false);
	assert_int_equal(good_put(&r.maps, &good, ~0ull), 0);
	for (unsigned i = 0; i < NROWS(heavy); i++) {
		heavy[i] = frame_ip4(192, 0, 2, i);
		for (unsigned k = 0; k < 10; k++)
			assert_int_equal(syn(heavy[i]), k < 5 ? PST_CNT_PASS_CLEAN : PST_CNT_DROP_SYN_SOURCE);
	}
	assert_int_equal(buckets(), NROWS(heavy));
	assert_int_equal(stats_read(&r.maps, &before), 0);
	flood(FLOOD);
	assert_int_equal(stats_read(&r.maps, &after), 0);
	r.before = after;
	clean = after.counter[PST_CNT_PASS_CLEAN] - before.counter[PST_CNT_PASS_CLEAN];
	dropped = after.counter[PST_CNT_DROP_SYN_GLOBAL] - before.counter[PST_CNT_DROP_SYN_GLOBAL];
	source = after.counter[PST_CNT_DROP_SYN_SOURCE] - before.counter[PST_CNT_DROP_SYN_SOURCE];
	assert_int_equal(clean + dropped + source, FLOOD);
	assert_int_equal(clean, 1000 - 5 * NROWS(heavy)); /* the global bucket, to the last token */
	for (unsigned i = 0; i < NROWS(heavy); i++)
		assert_true(has_bucket(heavy[i]));
	if (buckets() > PST_BUCKETS_MAX / 16)
		fail_msg("the flood made %u buckets", buckets() - (unsigned)NROWS(heavy));
	assert_int_equal(syn(good), PST_CNT_PASS_CLEAN);
	assert_int_equal(syn(frame_ip4(192, 0, 2, 201)), PST_CNT_DROP_SYN_GLOBAL);
	assert_int_equal(buckets() > 0, true);
}

/* No SYN, however many, makes a ban: there is nothing in the program that writes one. */
static int count_ban(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	(void)p;
	(void)b;
	++*(unsigned *)ctx;
	return 0;
}

static void syns_make_no_ban(void **state)
{
	unsigned n = 0;

	(void)state;
	settings(1, 1, false);
	flood(1000);
	assert_int_equal(ban_each(&r.maps, count_ban, &n), 0);
	assert_int_equal(n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(bursts),
		TEST(who_is_asked),
		TEST(a_source_of_ip6_is_its_64),
		TEST(tokens_come_back),
		TEST(quiet_sources),
		TEST(known_good_sources_come_first),
		TEST(a_spoofed_flood_evicts_nobody),
		TEST(syns_make_no_ban),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
