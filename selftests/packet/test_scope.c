/* SPDX-License-Identifier: BSD-2-Clause */
/* test_scope.c: what a ban speaks of (a port, the guarded ports, the host) and how it begins (grace). */
#include "gate_run.h"

#include <unistd.h>

static struct run r;

static int fresh(void **state)
{
	struct pst_conf c;

	(void)state;
	run_open_sized(&r, 1024, 1024);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.port_bits[587 >> 6] |= 1ull << (587 & 63);
	c.grace_window_ns = 3600 * 1000000000ull;
	return gate_conf_put(&r.maps, &c);
}

static int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

static void ban(struct pst_prefix p, enum pst_action action, enum pst_scope scope, unsigned port, unsigned grace)
{
	struct pst_ban b = {
		.until_ns = ~0ull,
		.action = (__u8)action,
		.origin = PST_ORIGIN_OPERATOR,
		.scope = (__u8)scope,
		.port = (__u16)port,
		.grace = (__u8)grace,
	};
	bool evicted;

	assert_int_equal(ban_put(&r.maps, &p, &b, NULL, true, &evicted), 0);
}

static unsigned sent(const struct frame_spec *s)
{
	struct outcome o;
	struct frame f;

	frame_build(&f, s);
	run_frame(&r, &f, &o);
	return o.counter;
}

/* --- scope ---------------------------------------------------------------- */

#define TCP_TO(p, frag_) { .dport = p, .frag = frag_ }

static void scopes(void **state)
{
	static const struct frame_spec packet[] = {
		TCP_TO(25, FRAG_NONE), TCP_TO(587, FRAG_NONE), TCP_TO(80, FRAG_NONE), TCP_TO(25, FRAG_LATER),
		{ .l4 = L4_UDP, .dport = 53 }, { .l4 = L4_ICMP }, { .l4 = L4_UDP, .frag = FRAG_LATER }, { .l4 = L4_ARP },
	};
#define DROP PST_CNT_DROP_BANNED
#define HOST PST_CNT_DROP_BANNED_HOST
#define CLEAN PST_CNT_PASS_CLEAN
#define UNG PST_CNT_PASS_UNGUARDED
#define NOIP PST_CNT_PASS_NOT_IP
	static const struct {
		enum pst_scope scope;
		unsigned port;
		unsigned want[NROWS(packet)];
	} rows[] = {
		{ PST_SCOPE_GUARDED, 0, { DROP, DROP, UNG, DROP, UNG, UNG, UNG, NOIP } },
		{ PST_SCOPE_PORT, 25, { DROP, CLEAN, UNG, DROP, UNG, UNG, UNG, NOIP } },
		{ PST_SCOPE_PORT, 587, { CLEAN, DROP, UNG, DROP, UNG, UNG, UNG, NOIP } },
		{ PST_SCOPE_HOST, 0, { DROP, DROP, HOST, DROP, HOST, HOST, HOST, NOIP } },
	};

	(void)state;
	for (unsigned i = 0; i < NROWS(rows) * NROWS(packet) * 2 * 3; i++) {
		unsigned row = i % NROWS(rows), k = i / NROWS(rows) % NROWS(packet), v6 = i / (NROWS(rows) * NROWS(packet)) % 2;
		struct frame_spec s = packet[k];
		struct pst_prefix p;
		unsigned got;

		s.net = v6 ? NET_IP6 : NET_IP4;
		s.tags = i / (2 * NROWS(rows) * NROWS(packet));
		s.src = v6 ? frame_ip6(1, 1) : frame_ip4(192, 0, 2, 1);
		s.dst = v6 ? frame_ip6(2, 1) : frame_ip4(198, 51, 100, 1);
		p = run_prefix(s.src, v6 ? 48 : 120);
		ban(p, PST_ACT_DROP, rows[row].scope, rows[row].port, 0);
		got = sent(&s);
		if (got != rows[row].want[k])
			fail_msg("scope %u port %u packet %u: %s", rows[row].scope, rows[row].port, k, counter_name(got));
		assert_int_equal(ban_del(&r.maps, &p), 0);
		ban_sweep(&r.maps, kern_now_ns(), NULL, NULL);
	}
}

/* The way to a shorter ban leads past one that speaks of another port. */
static void a_port_shelters_nobody(void **state)
{
	struct frame_spec s = { .src = frame_ip4(192, 0, 2, 1), .dport = 25 };

	(void)state;
	ban(run_prefix(s.src, 128), PST_ACT_DROP, PST_SCOPE_PORT, 587, 0);
	assert_int_equal(sent(&s), PST_CNT_PASS_CLEAN);
	ban(run_prefix(s.src, 120), PST_ACT_DROP, PST_SCOPE_GUARDED, 0, 0);
	assert_int_equal(sent(&s), PST_CNT_DROP_BANNED);
	s.dport = 80;
	assert_int_equal(sent(&s), PST_CNT_PASS_UNGUARDED);
	ban(run_prefix(s.src, 112), PST_ACT_DROP, PST_SCOPE_HOST, 0, 0);
	assert_int_equal(sent(&s), PST_CNT_DROP_BANNED_HOST);
}

static void a_host_that_is_banned_whole(void **state)
{
	struct frame_spec s = { .src = frame_ip4(192, 0, 2, 1), .dport = 80 }, udp = { .l4 = L4_UDP, .src = s.src };
	struct pst_prefix p = run_prefix(s.src, 128);
	struct pst_conf c;

	(void)state;
	ban(p, PST_ACT_RESET, PST_SCOPE_HOST, 0, 0);
	assert_int_equal(sent(&s), PST_CNT_RESET_BANNED);
	assert_int_equal(sent(&udp), PST_CNT_DROP_BANNED_HOST);
	assert_int_equal(run_ban_of(&r, p).hits, 2);
	ban(p, PST_ACT_OBSERVE, PST_SCOPE_HOST, 0, 0);
	assert_int_equal(sent(&udp), PST_CNT_PASS_OBSERVED);
	ban(p, PST_ACT_DROP, PST_SCOPE_HOST, 0, 5); /* grace is for mail: nothing else is told anything */
	assert_int_equal(sent(&s), PST_CNT_DROP_BANNED_HOST);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	c.mode = PST_MODE_OBSERVE;
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	assert_int_equal(sent(&udp), PST_CNT_PASS_OBSERVED);
	c.mode = PST_MODE_ENFORCE;
	c.naddrs = 1;
	c.addr[0] = frame_ip4(198, 51, 100, 1); /* an address that is not guarded is this host's all the same */
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	assert_int_equal(sent(&udp), PST_CNT_DROP_BANNED_HOST);
	assert_int_equal(allow_put(&r.maps, &p), 0);
	assert_int_equal(sent(&udp), PST_CNT_PASS_UNGUARDED);
	assert_int_equal(sent(&s), PST_CNT_PASS_UNGUARDED);
}

/* --- grace ---------------------------------------------------------------- */

static void grace_is_for_the_first_contacts(void **state)
{
	static const struct {
		unsigned flags, counter, contacts;
	} steps[] = {
		{ TCP_ACK, PST_CNT_DROP_BANNED, 0 }, /* no contact yet: a session that was there before the ban */
		{ TCP_SYN, PST_CNT_REFUSE_SYNACK, 1 },
		{ TCP_ACK, PST_CNT_REFUSE_UNVERIFIED, 1 }, /* the dialogue's own; this one has no cookie */
		{ TCP_SYN, PST_CNT_REFUSE_SYNACK, 2 },
		{ TCP_SYN, PST_CNT_DROP_BANNED, 3 },
		{ TCP_ACK, PST_CNT_REFUSE_UNVERIFIED, 3 }, /* a dialogue that has begun may end */
		{ TCP_SYN, PST_CNT_DROP_BANNED, 4 },
	};
	struct frame_spec s = { .src = frame_ip4(192, 0, 2, 1), .dport = 25 };
	struct pst_prefix p = run_prefix(s.src, 128);

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		ban(p, PST_ACT_DROP, PST_SCOPE_GUARDED, 0, 2);
		for (unsigned i = 0; i < NROWS(steps); i++) {
			s.flags = (__u8)steps[i].flags;
			assert_int_equal(sent(&s), steps[i].counter);
			assert_int_equal(run_ban_of(&r, p).contacts, steps[i].contacts);
		}
		ban(p, PST_ACT_DROP, PST_SCOPE_GUARDED, 0, 2); /* a longer sentence gives no new grace */
		s.flags = TCP_SYN;
		assert_int_equal(sent(&s), PST_CNT_DROP_BANNED);
		assert_int_equal(ban_del(&r.maps, &p), 0); /* another ban does */
	}
}

static void grace_comes_back_with_the_window(void **state)
{
	struct frame_spec s = { .src = frame_ip4(192, 0, 2, 1), .dport = 25 };
	struct pst_prefix p = run_prefix(s.src, 128);
	struct pst_conf c;
	__u64 from;

	(void)state;
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	ban(p, PST_ACT_DROP, PST_SCOPE_GUARDED, 0, 1);
	assert_int_equal(sent(&s), PST_CNT_REFUSE_SYNACK);
	assert_int_equal(sent(&s), PST_CNT_DROP_BANNED);
	from = run_ban_of(&r, p).window_ns;
	c.grace_window_ns = 50000000;
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	while (kern_now_ns() < from + c.grace_window_ns + 20000000) /* the coarse clock lags by a tick */
		usleep(1000);
	assert_int_equal(sent(&s), PST_CNT_REFUSE_SYNACK);
	assert_int_equal(run_ban_of(&r, p).contacts, 1);
}

static void grace_of_an_observing_ban_is_none(void **state)
{
	struct frame_spec s = { .src = frame_ip4(192, 0, 2, 1), .dport = 25 };

	(void)state;
	ban(run_prefix(s.src, 128), PST_ACT_OBSERVE, PST_SCOPE_GUARDED, 0, 10);
	assert_int_equal(sent(&s), PST_CNT_PASS_OBSERVED);
	assert_int_equal(run_ban_of(&r, run_prefix(s.src, 128)).contacts, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(scopes),
		TEST(a_port_shelters_nobody),
		TEST(a_host_that_is_banned_whole),
		TEST(grace_is_for_the_first_contacts),
		TEST(grace_comes_back_with_the_window),
		TEST(grace_of_an_observing_ban_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
