/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy.c: what the judge tells the kernel half besides bans and lists: whom a promoted prefix spares, until when the policy is
 * vouched for, whose SYNs are held; and what the kernel half tells the judge: who retries as a queue does.
 */
#include "gate_run.h"

#include "bpf/ban_index.h"

#define S 1000000000ull

static struct run r;

static int fresh(void **state)
{
	struct pst_conf c;

	(void)state;
	run_open_sized(&r, 1024, 1024);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.grace_window_ns = 3600 * S;
	return gate_conf_put(&r.maps, &c);
}

static int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

static void put(struct pst_prefix p, enum pst_reason reason, enum pst_origin origin, unsigned grace)
{
	struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP, .reason = (__u8)reason, .origin = (__u8)origin, .grace = (__u8)grace,
			     .score = 120 };
	bool evicted;

	assert_int_equal(ban_put(&r.maps, &p, &b, NULL, true, &evicted), 0);
}

static unsigned sent(struct pst_addr src, unsigned port, bool ack)
{
	struct outcome o;
	struct frame f;

	frame_build(&f, &(struct frame_spec){ .net = addr_is4(&src) ? NET_IP4 : NET_IP6, .src = src, .dport = (__u16)port, .flags = ack ? 0x10 : 0 });
	run_frame(&r, &f, &o);
	return o.counter;
}

static unsigned syn(struct pst_addr src)
{
	return sent(src, PORT, false);
}

/* --- promoted prefixes ------------------------------------------------------- */

static void a_promoted_prefix_spares_who_delivers(void **state)
{
	const struct {
		struct pst_addr good, late, other;
		unsigned len;
	} rows[] = {
		{ frame_ip4(192, 0, 2, 1), frame_ip4(192, 0, 2, 2), frame_ip4(192, 0, 2, 3), 120 },
		{ frame_ip6(5, 1), frame_ip6(6, 1), frame_ip6(7, 1), 32 },
	};
	struct pst_prefix p;
	struct pst_ban b;

	(void)state;
	for (unsigned i = 0; i < NROWS(rows); i++) {
		put(run_prefix(rows[i].good, rows[i].len), PST_RSN_PREFIX, PST_ORIGIN_AUTOMATIC, 0);
		assert_int_equal(good_put(&r.maps, &rows[i].good, ~0ull), 0);
		assert_int_equal(good_put(&r.maps, &rows[i].late, kern_now_ns() - S), 0);
		for (unsigned again = 0; again < 3; again++) {
			assert_int_equal(syn(rows[i].good), PST_CNT_PASS_CLEAN);
			assert_int_equal(sent(rows[i].good, PORT, true), PST_CNT_PASS_CLEAN);
			assert_int_equal(syn(rows[i].late), PST_CNT_DROP_BANNED);
			assert_int_equal(syn(rows[i].other), PST_CNT_DROP_BANNED);
		}
		assert_int_equal(run_ban_of(&r, run_prefix(rows[i].good, rows[i].len)).hits, 6);
		assert_int_equal(ban_find(&r.maps, &rows[i].good, kern_now_ns(), &p, &b, NULL), -ENOENT);
		assert_int_equal(ban_find(&r.maps, &rows[i].late, kern_now_ns(), &p, &b, NULL), 0);
		/* its own ban, and an operator's of the prefix, are meant for it */
		put(run_prefix(rows[i].good, i ? 64 : 128), PST_RSN_RELAY, PST_ORIGIN_AUTOMATIC, 0);
		assert_int_equal(syn(rows[i].good), PST_CNT_DROP_BANNED);
		assert_int_equal(ban_del(&r.maps, &(struct pst_prefix){ .addr = prefix_source(&rows[i].good).addr, .len = i ? 64 : 128 }), 0);
		assert_int_equal(syn(rows[i].good), PST_CNT_PASS_CLEAN);
		put(run_prefix(rows[i].good, rows[i].len), PST_RSN_OPERATOR, PST_ORIGIN_OPERATOR, 0);
		assert_int_equal(syn(rows[i].good), PST_CNT_DROP_BANNED);
		assert_int_equal(ban_find(&r.maps, &rows[i].good, kern_now_ns(), &p, &b, NULL), 0);
	}
}

/* --- the dead man --------------------------------------------------------------- */

static void vouch(__u64 until_ns)
{
	struct pst_conf c;

	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.dead_man_ns = until_ns;
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
}

static void a_policy_without_a_master_ends(void **state)
{
	const struct pst_addr banned[] = { frame_ip4(192, 0, 2, 1), frame_ip6(5, 1) };
	const struct pst_addr listed = frame_ip4(192, 0, 2, 9), allowed = frame_ip4(192, 0, 2, 8), clean = frame_ip4(192, 0, 2, 7);
	struct pst_prefix host = run_prefix(frame_ip4(192, 0, 2, 5), 128), one = run_prefix(allowed, 128);
	const __u64 now = kern_now_ns();
	const struct {
		__u64 until_ns;
		bool ended;
	} rows[] = { { 0, false }, { ~0ull, false }, { now + 3600 * S, false }, { now - S, true }, { 1, true }, { 0, false } };
	struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP, .scope = PST_SCOPE_HOST };
	bool evicted;

	(void)state;
	for (unsigned i = 0; i < NROWS(banned); i++)
		run_ban(&r, run_prefix(banned[i], i ? 64 : 128), PST_ACT_DROP, 3600);
	run_list(&r, run_prefix(listed, 128), 0, PST_ACT_DROP);
	assert_int_equal(allow_put(&r.maps, &one), 0);
	assert_int_equal(ban_put(&r.maps, &host, &b, NULL, true, &evicted), 0);
	for (unsigned i = 0; i < NROWS(rows); i++) {
		vouch(rows[i].until_ns);
		for (unsigned k = 0; k < 2 * NROWS(banned); k++) /* the second from pst_ban_quick, where there is one */
			assert_int_equal(syn(banned[k / 2]), rows[i].ended ? PST_CNT_PASS_DEAD_MAN : PST_CNT_DROP_BANNED);
		assert_int_equal(syn(listed), rows[i].ended ? PST_CNT_PASS_DEAD_MAN : PST_CNT_DROP_LISTED);
		assert_int_equal(syn(clean), rows[i].ended ? PST_CNT_PASS_DEAD_MAN : PST_CNT_PASS_CLEAN);
		assert_int_equal(syn(allowed), PST_CNT_PASS_ALLOWED);
		assert_int_equal(sent(clean, 80, false), PST_CNT_PASS_UNGUARDED);
		assert_int_equal(sent(host.addr, 80, false), rows[i].ended ? PST_CNT_PASS_UNGUARDED : PST_CNT_DROP_BANNED_HOST);
	}
}

/* --- sources that are held ------------------------------------------------------- */

static void syn_budget(bool on, bool observe, __u64 held_ns)
{
	struct pst_conf c;

	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.budget = (struct pst_budget){ .source = { on ? S / 100 : 0, S }, .seed = 7, .observe = observe };
	c.held_ns = held_ns;
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
}

static void held_sources_wait(void **state)
{
	const struct pst_addr held[] = { frame_ip4(192, 0, 2, 1), frame_ip6(5, 1) }, other[] = { frame_ip4(192, 0, 2, 2), frame_ip6(6, 1) };
	const __u64 now = kern_now_ns();
	struct pst_conf c;

	(void)state;
	for (unsigned i = 0; i < 4; i++) { /* whether or not there is a budget, and whether or not it only observes */
		syn_budget(i & 1, i & 2, 0);
		for (unsigned k = 0; k < NROWS(held); k++) {
			assert_int_equal(syn(held[k]), PST_CNT_PASS_CLEAN);
			assert_int_equal(source_hold(&r.maps, &held[k], now + 3600 * S), 0);
			assert_int_equal(syn(held[k]), PST_CNT_DROP_SYN_SOURCE);
			assert_int_equal(sent(held[k], PORT, true), PST_CNT_PASS_CLEAN); /* what is open goes on */
			assert_int_equal(syn(other[k]), PST_CNT_PASS_CLEAN);
			assert_int_equal(source_hold(&r.maps, &held[k], now - S), 0); /* over */
			assert_int_equal(syn(held[k]), PST_CNT_PASS_CLEAN);
		}
		assert_int_equal(gate_conf_get(&r.maps, &c), 0);
		assert_int_equal(c.held_ns, now + 3600 * S); /* never sooner than the last one */
	}
	assert_int_equal(source_hold(&r.maps, &held[0], now + 3600 * S), 0);
	c.mode = PST_MODE_OBSERVE;
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	assert_int_equal(syn(held[0]), PST_CNT_PASS_SYN_OBSERVED);
}

/* --- queues ------------------------------------------------------------------------ */

/* The source was last heard of so long ago: as the ban and, where it has one, its place have it. */
static void last_heard(struct pst_prefix p, __u64 ago_ns)
{
	__u64 then_ns = kern_now_ns() - ago_ns;
	struct pst_ban b;

	assert_int_equal(bpf_map_lookup_elem(r.maps.bans, &p, &b), 0);
	b.last_ns = then_ns;
	assert_int_equal(bpf_map_update_elem(r.maps.bans, &p, &b, BPF_EXIST), 0);
	for (__u32 row = 0; row < PST_BAN_ROWS_MIN; row++) {
		struct pst_quick q;

		assert_int_equal(bpf_map_lookup_elem(r.maps.ban_quick, &row, &q), 0);
		for (unsigned i = 0; i < 4; i++)
			if (q.place[i].ban && q.place[i].last)
				q.place[i].last = (__u32)(then_ns >> PST_QUICK_LAST_SHIFT) | !(__u32)(then_ns >> PST_QUICK_LAST_SHIFT);
		assert_int_equal(bpf_map_update_elem(r.maps.ban_quick, &row, &q, BPF_ANY), 0);
	}
}

static void retries_are_counted(void **state)
{
	static const struct {
		unsigned ago_s, tries; /* of the SYN since the last packet; and what is counted then */
	} rows[] = {
		{ 1, 0 }, { 60, 0 }, { 119, 0 }, /* one try and its retransmissions */
		{ 300, 1 }, { 2, 1 }, { 600, 2 }, { 1200, 3 }, { 1200, 4 }, { 1000, 5 }, /* a quarter less is no shorter */
		{ 300, 1 }, { 290, 2 }, { 121, 1 }, { 125, 2 },
	};
	const struct pst_prefix who[] = { run_prefix(frame_ip4(192, 0, 2, 1), 128), run_prefix(frame_ip6(5, 1), 64),
					  run_prefix(frame_ip4(192, 0, 2, 4), 128) };
	struct pst_conf c;

	(void)state;
	if (kern_now_ns() < 1300 * S)
		skip(); /* there is no such long ago yet */
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.retry_ns = 120 * S;
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	for (unsigned i = 0; i < NROWS(who); i++) {
		struct pst_addr a = who[i].addr;
		__u64 hits = 1;

		put(who[i], PST_RSN_RELAY, PST_ORIGIN_AUTOMATIC, i == 2);
		syn(a);
		for (unsigned k = 0; k < NROWS(rows); k++) {
			struct pst_ban b;

			last_heard(who[i], rows[k].ago_s * S);
			for (unsigned n = 0; n < 3; n++) /* retransmissions, of which a place may answer some */
				syn(a);
			hits += 3;
			b = run_ban_of(&r, who[i]);
			assert_int_equal(PST_BAN_RETRIES(b.score), rows[k].tries);
			assert_int_equal(PST_BAN_SCORE(b.score), 120);
			assert_int_equal(b.hits, hits);
		}
		put(who[i], PST_RSN_RELAY, PST_ORIGIN_AUTOMATIC, 0); /* it offended again */
		assert_int_equal(run_ban_of(&r, who[i]).score, 120);
		assert_int_equal(run_ban_of(&r, who[i]).hits, hits);
	}
}

/* Without the setting nothing is noted, and other packets are no tries. */
static void only_syns_are_tries(void **state)
{
	struct pst_prefix p = run_prefix(frame_ip4(192, 0, 2, 1), 128);
	struct pst_conf c;

	(void)state;
	put(p, PST_RSN_RELAY, PST_ORIGIN_AUTOMATIC, 0);
	for (unsigned on = 0; on < 2; on++) {
		assert_int_equal(gate_conf_get(&r.maps, &c), 0);
		c.retry_ns = on ? 120 * S : 0;
		assert_int_equal(gate_conf_put(&r.maps, &c), 0);
		for (unsigned k = 0; k < 3; k++) {
			sent(p.addr, PORT, on);
			last_heard(p, 1000 * S);
			sent(p.addr, PORT, on);
		}
		assert_int_equal(PST_BAN_RETRIES(run_ban_of(&r, p).score), 0);
	}
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(a_promoted_prefix_spares_who_delivers),
		TEST(a_policy_without_a_master_ends),
		TEST(held_sources_wait),
		TEST(retries_are_counted),
		TEST(only_syns_are_tries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
