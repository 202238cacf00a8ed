/* SPDX-License-Identifier: BSD-2-Clause */
/* test_verdict.c: settings, ban lengths, actions, expiry, hits, and the reset as it leaves the gate. */
#include "gate_run.h"

#include <stdio.h>
#include <unistd.h>

static struct run r;

static struct pst_addr guard4, guard6;

static int fresh(void **state)
{
	(void)state;
	guard4 = frame_ip4(198, 51, 100, 1);
	guard6 = frame_ip6(0xff, 1);
	return run_open_sized(&r, 1024, 1024);
}

static int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

static struct outcome send_spec(struct frame_spec s)
{
	struct frame f;
	struct outcome o;

	s.sport = s.sport ? s.sport : 40000;
	s.dport = s.dport ? s.dport : PORT;
	if (!s.dst.b[15] && !s.dst.b[0])
		s.dst = s.net == NET_IP6 ? guard6 : guard4;
	frame_build(&f, &s);
	run_frame(&r, &f, &o);
	return o;
}

static struct outcome syn_from(struct pst_addr src)
{
	return send_spec((struct frame_spec){ .net = addr_is4(&src) ? NET_IP4 : NET_IP6, .src = src });
}

#define assert_outcome(o, want_verdict, want_counter)                                                              \
	do {                                                                                                       \
		struct outcome got = (o);                                                                          \
														   \
		if (got.verdict != (want_verdict) || got.counter != (want_counter))                                \
			fail_msg("line %d: %u %s", __LINE__, got.verdict, counter_name(got.counter));              \
	} while (0)

/* --- settings ----------------------------------------------------------- */

static void modes(void **state)
{
	static const struct {
		enum pst_mode mode;
		__u32 verdict;
		unsigned ban, list, clean;
	} rows[] = {
		{ PST_MODE_ENFORCE, XDP_DROP, PST_CNT_DROP_BANNED, PST_CNT_DROP_LISTED, PST_CNT_PASS_CLEAN },
		{ PST_MODE_OBSERVE, XDP_PASS, PST_CNT_PASS_OBSERVED, PST_CNT_PASS_OBSERVED, PST_CNT_PASS_CLEAN },
		{ PST_MODE_OFF, XDP_PASS, PST_CNT_PASS_OFF, PST_CNT_PASS_OFF, PST_CNT_PASS_OFF },
	};
	struct pst_addr banned = frame_ip4(192, 0, 2, 1), listed = frame_ip4(192, 0, 2, 2), clean = frame_ip4(192, 0, 2, 3);

	(void)state;
	run_list(&r, run_prefix(listed, 128), 0, PST_ACT_DROP);
	for (size_t i = 0; i < NROWS(rows); i++) {
		run_conf(&r, rows[i].mode);
		run_ban(&r, run_prefix(banned, 128), PST_ACT_DROP, 3600);
		assert_outcome(syn_from(banned), rows[i].verdict, rows[i].ban);
		assert_outcome(syn_from(listed), rows[i].verdict, rows[i].list);
		assert_outcome(syn_from(clean), (__u32)XDP_PASS, rows[i].clean);
	}
}

static void every_port(void **state)
{
	static const unsigned guarded[] = { 0, 1, 25, 63, 64, 465, 587, 32767, 32768, 65535 };
	struct pst_addr banned = frame_ip4(192, 0, 2, 1);
	struct pst_conf c;
	struct frame f;

	(void)state;
	run_ban(&r, run_prefix(banned, 128), PST_ACT_DROP, 3600);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	memset(c.port_bits, 0, sizeof(c.port_bits));
	for (size_t i = 0; i < NROWS(guarded); i++)
		c.port_bits[guarded[i] >> 6] |= 1ull << (guarded[i] & 63);
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	frame_build(&f, &(struct frame_spec){ .src = banned, .dst = guard4, .sport = PORT });
	for (unsigned port = 0; port < 65536; port++) {
		bool drop = false;
		struct outcome o;

		for (size_t i = 0; i < NROWS(guarded); i++)
			drop |= guarded[i] == port;
		frame_be16(f.b + f.l4 + 2, port);
		run_frame(&r, &f, &o);
		if (o.counter != (drop ? PST_CNT_DROP_BANNED : PST_CNT_PASS_UNGUARDED))
			fail_msg("port %u: %s", port, counter_name(o.counter));
	}
}

static void destinations(void **state)
{
	struct pst_addr banned4 = frame_ip4(192, 0, 2, 1), banned6 = frame_ip6(1, 1);
	struct pst_conf c;

	(void)state;
	run_ban(&r, run_prefix(banned4, 128), PST_ACT_DROP, 3600);
	run_ban(&r, run_prefix(banned6, 64), PST_ACT_DROP, 3600);
	for (unsigned n = 1; n <= PST_GUARD_ADDRS_MAX; n++) {
		assert_int_equal(gate_conf_get(&r.maps, &c), 0);
		memset(c.addr, 0, sizeof(c.addr));
		c.naddrs = n;
		for (unsigned i = 0; i < n; i++)
			c.addr[i] = frame_ip6(0xfe, i + 1);
		c.addr[n - 1] = guard4;
		assert_int_equal(gate_conf_put(&r.maps, &c), 0);
		for (enum frame_frag frag = FRAG_NONE; frag <= FRAG_LATER; frag++) {
			struct frame_spec s4 = { .src = banned4, .frag = frag }, s6 = { .src = banned6, .net = NET_IP6, .frag = frag };

			assert_outcome(send_spec(s4), (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
			s4.dst = frame_ip4(198, 51, 100, 2);
			assert_outcome(send_spec(s4), (__u32)XDP_PASS, PST_CNT_PASS_UNGUARDED);
			assert_outcome(send_spec(s6), (__u32)XDP_PASS, PST_CNT_PASS_UNGUARDED);
			s6.dst = frame_ip6(0xfe, 1);
			assert_outcome(send_spec(s6), n > 1 ? XDP_DROP : XDP_PASS,
				       n > 1 ? PST_CNT_DROP_BANNED : PST_CNT_PASS_UNGUARDED);
		}
	}
}

static void a_gate_without_settings_guards_nothing(void **state)
{
	struct pst_conf c = { .mode = PST_MODE_ENFORCE, .ban_len4 = { 128 }, .ban_len6 = { 64 } };
	struct pst_addr banned = frame_ip4(192, 0, 2, 1);

	(void)state;
	run_ban(&r, run_prefix(banned, 128), PST_ACT_DROP, 3600);
	assert_int_equal(gate_conf_put(&r.maps, &c), 0);
	assert_outcome(syn_from(banned), (__u32)XDP_PASS, PST_CNT_PASS_UNGUARDED);
}

/* --- bans ---------------------------------------------------------------- */

static void lengths(void **state)
{
	static const struct {
		unsigned len; /* 128-bit space */
		__u8 base[16], in[16], out[16];
	} rows[] = {
#define V4(a, b, c, d) { [10] = 0xff, 0xff, a, b, c, d }
#define V6(a, b, c, d) { 0x20, 1, 0x0d, 0xb8, a, b, c, d }
		{ 128, V4(192, 0, 2, 1), V4(192, 0, 2, 1), V4(192, 0, 2, 0) },
		{ 127, V4(192, 0, 2, 2), V4(192, 0, 2, 3), V4(192, 0, 2, 4) },
		{ 120, V4(192, 0, 2, 0), V4(192, 0, 2, 255), V4(192, 0, 3, 0) },
		{ 113, V4(192, 0, 128, 0), V4(192, 0, 255, 255), V4(192, 0, 127, 255) },
		{ 97, V4(128, 0, 0, 0), V4(192, 0, 2, 1), V4(127, 0, 2, 1) },
		{ 64, V6(0, 1, 0, 2), V6(0, 1, 0, 2), V6(0, 1, 0, 3) },
		{ 63, V6(0, 1, 0, 2), V6(0, 1, 0, 3), V6(0, 1, 0, 4) },
		{ 48, V6(0, 1, 0, 0), V6(0, 1, 9, 9), V6(0, 2, 0, 0) },
		{ 32, V6(0, 0, 0, 0), V6(0, 2, 0, 0), V4(32, 1, 13, 184) },
		{ 65, { 0x20, 1, [8] = 0x80 }, { 0x20, 1, [8] = 0xff, [15] = 1 }, { 0x20, 1, [8] = 0x7f } },
		{ 128, { 0x20, 1, [15] = 1 }, { 0x20, 1, [15] = 1 }, { 0x20, 1, [15] = 2 } },
		{ 1, { 0x80 }, { 0xfd, [15] = 1 }, { 0x7f, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_addr base, in, out;
		struct pst_prefix p;

		memcpy(&base, rows[i].base, 16);
		memcpy(&in, rows[i].in, 16);
		memcpy(&out, rows[i].out, 16);
		p = run_prefix(base, rows[i].len);
		assert_memory_equal(&p.addr, &base, 16);
		run_conf(&r, PST_MODE_ENFORCE);
		run_ban(&r, p, PST_ACT_DROP, 3600);
		assert_outcome(syn_from(in), (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
		assert_outcome(syn_from(out), (__u32)XDP_PASS, PST_CNT_PASS_CLEAN);
		assert_int_equal(run_ban_of(&r, p).hits, 1);
		assert_int_equal(ban_del(&r.maps, &p), 0);
	}
}

static void mapped_source_is_the_ip4_source(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);

	(void)state;
	run_ban(&r, run_prefix(a, 128), PST_ACT_DROP, 3600);
	assert_outcome(send_spec((struct frame_spec){ .net = NET_IP6, .src = a }), (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
	assert_outcome(send_spec((struct frame_spec){ .net = NET_IP4, .src = a }), (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
	assert_int_equal(run_ban_of(&r, run_prefix(a, 128)).hits, 2);
}

static void ends_by_itself(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct pst_prefix p = run_prefix(a, 128);
	struct pst_ban b = { .until_ns = kern_now_ns() + 200000000, .action = PST_ACT_DROP };
	bool evicted;

	(void)state;
	assert_int_equal(ban_put(&r.maps, &p, &b, NULL, false, &evicted), 0);
	while (kern_now_ns() < b.until_ns - 50000000) {
		struct outcome o = syn_from(a);

		if (kern_now_ns() < b.until_ns)
			assert_outcome(o, (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
	}
	while (kern_now_ns() < b.until_ns + 20000000) /* the coarse clock lags by a tick */
		usleep(1000);
	assert_outcome(syn_from(a), (__u32)XDP_PASS, PST_CNT_PASS_CLEAN);
}

static void for_ever(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct pst_prefix p = run_prefix(a, 128);
	struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP };
	bool evicted;

	(void)state;
	assert_int_equal(ban_put(&r.maps, &p, &b, NULL, false, &evicted), 0);
	assert_outcome(syn_from(a), (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
}

static void hits_and_times(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct pst_prefix p = run_prefix(a, 128);
	__u64 before = kern_now_ns(), first;
	struct pst_ban b;

	(void)state;
	run_ban(&r, p, PST_ACT_DROP, 3600);
	b = run_ban_of(&r, p);
	assert_true(!b.hits && !b.first_ns && !b.last_ns);
	syn_from(a);
	first = run_ban_of(&r, p).first_ns;
	assert_true(first > before && first < kern_now_ns());
	usleep(20000); /* so that the coarse clock has moved on */
	for (int i = 0; i < 9; i++)
		syn_from(a);
	b = run_ban_of(&r, p);
	assert_int_equal(b.hits, 10);
	assert_int_equal(b.first_ns, first);
	assert_true(b.last_ns > first && b.last_ns <= kern_now_ns());
	run_ban(&r, p, PST_ACT_DROP, 7200); /* a longer sentence keeps the account */
	assert_int_equal(run_ban_of(&r, p).hits, 10);
	assert_int_equal(run_ban_of(&r, p).first_ns, first);
}

static void lists(void **state)
{
	(void)state;
	run_list(&r, run_prefix(frame_ip4(192, 0, 2, 0), 120), 2, PST_ACT_DROP);
	run_list(&r, run_prefix(frame_ip4(192, 0, 2, 128), 121), 5, PST_ACT_OBSERVE);
	run_list(&r, run_prefix(frame_ip4(192, 0, 4, 0), 120), 5, PST_ACT_OBSERVE);
	run_list(&r, run_prefix(frame_ip6(1, 0), 48), 63, PST_ACT_DROP);
	assert_outcome(syn_from(frame_ip4(192, 0, 2, 1)), (__u32)XDP_DROP, PST_CNT_DROP_LISTED);
	assert_outcome(syn_from(frame_ip4(192, 0, 2, 129)), (__u32)XDP_DROP, PST_CNT_DROP_LISTED); /* on both: the strictest */
	assert_outcome(syn_from(frame_ip4(192, 0, 4, 1)), (__u32)XDP_PASS, PST_CNT_PASS_OBSERVED);
	assert_outcome(syn_from(frame_ip4(192, 0, 3, 1)), (__u32)XDP_PASS, PST_CNT_PASS_CLEAN);
	assert_outcome(syn_from(frame_ip6(1, 1)), (__u32)XDP_DROP, PST_CNT_DROP_LISTED);
	assert_outcome(syn_from(frame_ip6(2, 1)), (__u32)XDP_PASS, PST_CNT_PASS_CLEAN);
	assert_int_equal(run_list_hits(&r, "list 2"), 2);
	assert_int_equal(run_list_hits(&r, "list 5"), 2);
	assert_int_equal(run_list_hits(&r, "list 63"), 1);
	assert_int_equal(run_list_hits(&r, "list 0"), 0);
}

static void observing_shelters_nobody(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1), found;
	struct pst_prefix p;
	struct pst_ban b;

	(void)state;
	run_ban(&r, run_prefix(a, 128), PST_ACT_OBSERVE, 3600);
	assert_outcome(syn_from(a), (__u32)XDP_PASS, PST_CNT_PASS_OBSERVED);
	run_list(&r, run_prefix(a, 120), 0, PST_ACT_DROP);
	assert_outcome(syn_from(a), (__u32)XDP_DROP, PST_CNT_DROP_LISTED);
	run_ban(&r, run_prefix(a, 120), PST_ACT_DROP, 3600);
	assert_outcome(syn_from(a), (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
	assert_int_equal(run_ban_of(&r, run_prefix(a, 128)).hits, 3);
	assert_int_equal(run_ban_of(&r, run_prefix(a, 120)).hits, 1);
	found = a;
	assert_int_equal(ban_find(&r.maps, &found, kern_now_ns(), &p, &b, NULL), 0);
	assert_int_equal(p.len, 120);
}

/* --- the reset ----------------------------------------------------------- */

#define SEQ 0xfffffff0u /* so that sums wrap */
#define ACK 0x01020304u

static void reset_is_right(const struct frame_spec *s, const struct outcome *o, __u32 want_seq, __u32 want_ack, unsigned want_flags)
{
	bool v6 = s->net == NET_IP6;
	unsigned l3 = 14 + 4 * s->tags, bytes = l3 + (v6 ? 60 : 40);
	const __u8 *ip = o->out + l3, *tcp = ip + (v6 ? 40 : 20);
	struct frame f;

	frame_build(&f, s);
	assert_int_equal(o->nout, bytes < 60 && f.n >= 60 ? 60 : bytes);
	for (unsigned i = bytes; i < o->nout; i++)
		assert_int_equal(o->out[i], 0);
	assert_memory_equal(o->out, f.b + 6, 6);
	assert_memory_equal(o->out + 6, f.b, 6);
	assert_memory_equal(o->out + 12, f.b + 12, l3 - 12); /* tags and type */
	if (v6) {
		static const __u8 head[8] = { 0x60, 0, 0, 0, 0, 20, 6, 64 };

		assert_memory_equal(ip, head, 8);
		assert_memory_equal(ip + 8, s->dst.b, 16);
		assert_memory_equal(ip + 24, s->src.b, 16);
		assert_int_equal(frame_tcp_check(ip + 8, ip + 24, 16, tcp, 20), 0);
	} else {
		static const __u8 head[10] = { 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6 };

		assert_memory_equal(ip, head, 10);
		assert_memory_equal(ip + 12, s->dst.b + 12, 4);
		assert_memory_equal(ip + 16, s->src.b + 12, 4);
		assert_int_equal(frame_fold(frame_sum(0, ip, 20)), 0);
		assert_int_equal(frame_tcp_check(ip + 12, ip + 16, 4, tcp, 20), 0);
	}
	assert_int_equal(frame_get16(tcp), s->dport);
	assert_int_equal(frame_get16(tcp + 2), s->sport);
	assert_int_equal(frame_get32(tcp + 4), want_seq);
	assert_int_equal(frame_get32(tcp + 8), want_ack);
	assert_int_equal(tcp[12], 5 << 4);
	assert_int_equal(tcp[13], want_flags);
	assert_int_equal(frame_get32(tcp + 16) & 0xffff, 0); /* urgent pointer */
}

static void resets(void **state)
{
	static const struct {
		unsigned flags, data_bytes;
		__u32 verdict, seq, ack;
		unsigned reply_flags;
	} rows[] = {
		{ TCP_SYN, 0, XDP_TX, 0, SEQ + 1, TCP_RST | TCP_ACK },
		{ TCP_SYN, 7, XDP_TX, 0, SEQ + 8, TCP_RST | TCP_ACK }, /* data in the SYN, RFC 7413 */
		{ TCP_FIN, 0, XDP_TX, 0, SEQ + 1, TCP_RST | TCP_ACK },
		{ 8, 100, XDP_TX, 0, SEQ + 100, TCP_RST | TCP_ACK },
		{ TCP_SYN | TCP_FIN, 16, XDP_TX, 0, SEQ + 18, TCP_RST | TCP_ACK },
		{ TCP_ACK, 0, XDP_TX, ACK, 0, TCP_RST },
		{ TCP_ACK | 8, 1400, XDP_TX, ACK, 0, TCP_RST },
		{ TCP_SYN | TCP_ACK, 0, XDP_TX, ACK, 0, TCP_RST },
		{ TCP_FIN | TCP_ACK, 0, XDP_TX, ACK, 0, TCP_RST },
		{ TCP_RST, 0, XDP_DROP, 0, 0, 0 },
		{ TCP_RST | TCP_ACK, 0, XDP_DROP, 0, 0, 0 },
		{ TCP_RST | TCP_SYN, 0, XDP_DROP, 0, 0, 0 },
	};
	struct pst_addr a4 = frame_ip4(192, 0, 2, 1), a6 = frame_ip6(1, 1), l4 = frame_ip4(192, 0, 2, 2), l6 = frame_ip6(2, 2);

	(void)state;
	run_ban(&r, run_prefix(a4, 128), PST_ACT_RESET, 3600);
	run_ban(&r, run_prefix(a6, 64), PST_ACT_RESET, 3600);
	run_list(&r, run_prefix(l4, 128), 1, PST_ACT_RESET);
	run_list(&r, run_prefix(l6, 128), 1, PST_ACT_RESET);
	for (unsigned i = 0; i < NROWS(rows) * 3 * 12 * 2; i++) {
		unsigned row = i % NROWS(rows), shape = i / NROWS(rows), net = shape / 3 % 12, listed = shape / 36;
		bool v6 = net >= 2;
		struct frame_spec s = {
			.tags = shape % 3,
			.net = v6 ? NET_IP6 : net,
			.exts = v6 ? net - 2 : 0,
			.src = listed ? (v6 ? l6 : l4) : v6 ? a6 : a4,
			.dst = v6 ? guard6 : guard4,
			.sport = 40000,
			.dport = PORT,
			.flags = (__u8)rows[row].flags,
			.seq = SEQ,
			.ack = ACK,
			.data_bytes = rows[row].data_bytes,
		};
		struct outcome o = send_spec(s);

		if (s.exts > 8) { /* too deep to see the port: no reset, but no way in either */
			assert_outcome(o, (__u32)XDP_DROP, listed ? PST_CNT_DROP_LISTED : PST_CNT_DROP_BANNED);
		} else if (rows[row].verdict == XDP_DROP) {
			assert_outcome(o, (__u32)XDP_DROP, listed ? PST_CNT_DROP_LISTED : PST_CNT_DROP_BANNED);
		} else {
			assert_outcome(o, (__u32)XDP_TX, listed ? PST_CNT_RESET_LISTED : PST_CNT_RESET_BANNED);
			reset_is_right(&s, &o, rows[row].seq, rows[row].ack, rows[row].reply_flags);
		}
	}
}

/* What is not answered is dropped, and counted as such. */
static void no_reset(void **state)
{
	enum wrong { FRAGMENT, LATER_FRAGMENT, GROUP_MAC, SHORT_HEADER, LONG_HEADER, LONG_IP, SHORT_IP, NWRONG };
	struct pst_addr a4 = frame_ip4(192, 0, 2, 1), a6 = frame_ip6(1, 1);

	(void)state;
	run_ban(&r, run_prefix(a4, 128), PST_ACT_RESET, 3600);
	run_ban(&r, run_prefix(a6, 64), PST_ACT_RESET, 3600);
	for (int i = 0; i < NWRONG * 2; i++) {
		enum wrong wrong = i / 2;
		bool v6 = i % 2;
		struct frame_spec s = {
			.net = v6 ? NET_IP6 : NET_IP4,
			.src = v6 ? a6 : a4,
			.dst = v6 ? guard6 : guard4,
			.dport = PORT,
			.frag = wrong == FRAGMENT ? FRAG_FIRST : wrong == LATER_FRAGMENT ? FRAG_LATER : FRAG_NONE,
		};
		struct frame f;
		struct outcome o;

		frame_build(&f, &s);
		if (wrong == GROUP_MAC)
			f.b[0] |= 1;
		if (wrong == SHORT_HEADER)
			f.b[f.l4 + 12] = 4 << 4;
		if (wrong == LONG_HEADER)
			f.b[f.l4 + 12] = 7 << 4;
		if (wrong == LONG_IP)
			f.b[f.l3 + (v6 ? 5 : 3)]++;
		if (wrong == SHORT_IP)
			frame_be16(f.b + f.l3 + (v6 ? 4 : 2), v6 ? 0 : 20);
		run_frame(&r, &f, &o);
		assert_outcome(o, (__u32)XDP_DROP, PST_CNT_DROP_BANNED);
	}
}

/* A frame shorter than Ethernet allows is answered without padding it. */
static void reset_of_a_short_frame(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct frame_spec s = { .src = a, .dst = guard4, .dport = PORT };
	struct frame f;
	struct outcome o;

	(void)state;
	run_ban(&r, run_prefix(a, 128), PST_ACT_RESET, 3600);
	frame_build(&f, &s);
	f.b[f.l4 + 12] = 5 << 4;
	frame_be16(f.b + f.l3 + 2, 40);
	run_bytes(&r, f.b, 54, &o);
	assert_outcome(o, (__u32)XDP_TX, PST_CNT_RESET_BANNED);
	assert_int_equal(o.nout, 54);
}

/* Reads no more than there is: whatever the bytes, a verdict of the three and one counter. */
static void noise(void **state)
{
	struct pst_addr a4 = frame_ip4(192, 0, 2, 1), a6 = frame_ip6(1, 1);
	unsigned x = 12345;

	(void)state;
	run_ban(&r, run_prefix(a4, 128), PST_ACT_RESET, 3600);
	run_ban(&r, run_prefix(a6, 64), PST_ACT_RESET, 3600);
	for (int i = 0; i < 20000; i++) {
		struct frame_spec s = { .tags = i % 3, .net = i % 3, .exts = i % 9, .src = i % 3 == 2 ? a6 : a4, .dport = PORT };
		struct frame f;
		struct outcome o;

		frame_build(&f, &s);
		for (int k = 0; k < 3; k++) {
			x = x * 1103515245 + 12345;
			f.b[12 + (x >> 8) % (f.n - 12)] = (__u8)(x >> 24);
		}
		run_frame(&r, &f, &o);
		assert_true(o.verdict == XDP_PASS || o.verdict == XDP_DROP || o.verdict == XDP_TX);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(modes),
		TEST(every_port),
		TEST(destinations),
		TEST(a_gate_without_settings_guards_nothing),
		TEST(lengths),
		TEST(mapped_source_is_the_ip4_source),
		TEST(ends_by_itself),
		TEST(for_ever),
		TEST(hits_and_times),
		TEST(lists),
		TEST(observing_shelters_nobody),
		TEST(resets),
		TEST(no_reset),
		TEST(reset_of_a_short_frame),
		TEST(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
