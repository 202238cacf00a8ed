/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pkt.c: the packet walk natively under the sanitizers: in a block that ends where the
 * frame is cut, one byte read too far stops the test.
 */
#include "unit.h"

#include <stdlib.h>

#include "bpf/pkt.h"
#include "rnd.h"
#include "selftests/packet/frame.h"

/* The walk over the first n bytes of f, in a block of exactly that size. */
static enum pkt_kind walk(const struct frame *f, unsigned n, struct pkt *p)
{
	__u8 *b = malloc(n ? n : 1);
	enum pkt_kind kind;

	assert_non_null(b);
	memcpy(b, f->b, n);
	kind = pkt_walk(b, b + n, p);
	free(b);
	return kind;
}

static struct frame_spec spec_of(unsigned i)
{
	struct frame_spec s = {
		.tags = i % 4,
		.net = i / 4 % 13 < 2 ? i / 4 % 13 : NET_IP6,
		.exts = i / 4 % 13 < 2 ? 0 : i / 4 % 13 - 2,
		.frag = i / 52 % 3,
		.l4 = i / 156 % 4,
		.sport = 40000,
		.dport = 25,
	};

	s.src = s.net == NET_IP6 ? frame_ip6(1, 2) : frame_ip4(192, 0, 2, 1);
	s.dst = s.net == NET_IP6 ? frame_ip6(3, 4) : frame_ip4(198, 51, 100, 1);
	return s;
}

#define SPECS (4 * 13 * 3 * 4)

static void finds_what_was_written(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SPECS; i++) {
		struct frame_spec s = spec_of(i);
		struct frame f;
		struct pkt p;
		enum pkt_kind kind;

		frame_build(&f, &s);
		kind = walk(&f, f.n, &p);
		if (s.tags > 2 || s.l4 != L4_TCP || s.exts > 8 || s.frag == FRAG_LATER || f.next > 8) {
			assert_true(kind != PKT_TCP);
			continue;
		}
		assert_int_equal(kind, PKT_TCP);
		assert_memory_equal(&p.src, &s.src, 16);
		assert_memory_equal(&p.dst, &s.dst, 16);
		assert_int_equal(p.l3, f.l3);
		assert_int_equal(p.l4, f.l4);
		assert_int_equal(p.sport, s.sport);
		assert_int_equal(p.dport, s.dport);
		assert_int_equal(p.v6, s.net == NET_IP6);
		assert_int_equal(p.flags, TCP_SYN);
		assert_int_equal(p.fragment, s.frag != FRAG_NONE);
		assert_int_equal(p.why, PST_CNT_PASS_CLEAN);
	}
}

static void cut_at_every_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SPECS; i++) {
		struct frame_spec s = spec_of(i);
		struct frame f;
		struct pkt p;

		frame_build(&f, &s);
		for (unsigned n = 0; n <= f.n; n++) {
			enum pkt_kind kind = walk(&f, n, &p);

			assert_true(kind != PKT_TCP || n >= f.l4 + 20);
			assert_in_range(p.why, PST_CNT_PASS_CLEAN, PST_CNT_PASS_SHORT_TCP);
		}
	}
}

/* Valid headers with bytes changed at random, cut at random: any answer will do, no stray read will. */
static void noise(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		struct frame_spec s = spec_of(rnd_below(SPECS));
		struct frame f;
		struct pkt p;
		enum pkt_kind kind;

		frame_build(&f, &s);
		for (unsigned k = rnd_below(6); k; k--)
			f.b[rnd_below(f.n)] = (__u8)rnd();
		kind = walk(&f, rnd_below(f.n + 1), &p);
		assert_true(p.why < PST_CNT_MAX);
		assert_true((kind == PKT_TCP) == (p.why == PST_CNT_PASS_CLEAN));
	}
}

static void counts_each_flaw(void **state)
{
	static const struct {
		unsigned at; /* byte behind the start of the IP header */
		__u8 value;
		enum frame_net net;
		enum pkt_kind kind;
		unsigned why;
	} rows[] = {
		{ 0, 0x55, NET_IP4, PKT_PASS, PST_CNT_PASS_BAD_IP4 },
		{ 0, 0x44, NET_IP4, PKT_PASS, PST_CNT_PASS_BAD_IP4 },
		{ 0, 0x40, NET_IP4, PKT_PASS, PST_CNT_PASS_BAD_IP4 },
		{ 0, 0x4f, NET_IP4, PKT_UNLOCATED, PST_CNT_PASS_SHORT_TCP },
		{ 9, 17, NET_IP4, PKT_OTHER, PST_CNT_PASS_UNGUARDED },
		{ 9, 51, NET_IP4, PKT_OTHER, PST_CNT_PASS_UNGUARDED },
		{ 6, 0x1f, NET_IP4, PKT_UNLOCATED, PST_CNT_PASS_FRAGMENT },
		{ 7, 0x01, NET_IP4, PKT_UNLOCATED, PST_CNT_PASS_FRAGMENT },
		{ 6, 0xc0, NET_IP4, PKT_TCP, PST_CNT_PASS_CLEAN }, /* reserved bit and DF are no fragment */
		{ 0, 0x70, NET_IP6, PKT_PASS, PST_CNT_PASS_BAD_IP6 },
		{ 6, 59, NET_IP6, PKT_OTHER, PST_CNT_PASS_UNGUARDED },	/* no next header */
		{ 6, 50, NET_IP6, PKT_OTHER, PST_CNT_PASS_UNGUARDED },	/* ESP hides what is in it */
		{ 6, 253, NET_IP6, PKT_OTHER, PST_CNT_PASS_UNGUARDED },
	};

	(void)state;
	for (unsigned i = 0; i < NROWS(rows); i++) {
		struct frame f;
		struct pkt p;

		frame_build(&f, &(struct frame_spec){ .net = rows[i].net });
		f.b[f.l3 + rows[i].at] = rows[i].value;
		assert_int_equal(walk(&f, f.n, &p), rows[i].kind);
		assert_int_equal(p.why, rows[i].why);
	}
}

/* Neighbour discovery is the link's own business, as ARP is; the rest of ICMPv6 is a source's. */
static void neighbour_discovery(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++)
		for (unsigned exts = 0; exts <= 8; exts++) {
			struct frame f;
			struct pkt p;

			frame_build(&f, &(struct frame_spec){ .net = NET_IP6, .l4 = L4_ICMP, .exts = exts });
			f.b[f.l4] = (__u8)type;
			assert_int_equal(walk(&f, f.n, &p), type >= 133 && type <= 137 ? PKT_PASS : PKT_OTHER);
			assert_int_equal(p.why, PST_CNT_PASS_UNGUARDED);
			assert_int_equal(walk(&f, f.l4, &p), PKT_PASS); /* cut before the type */
		}
}

/* An atomic fragment (RFC 6946) is a whole packet. */
static void atomic_fragment(void **state)
{
	struct frame f;
	struct pkt p;

	(void)state;
	frame_build(&f, &(struct frame_spec){ .net = NET_IP6, .frag = FRAG_FIRST, .dport = 25 });
	frame_be16(f.b + f.ext[0] + 2, 0);
	assert_int_equal(walk(&f, f.n, &p), PKT_TCP);
	assert_int_equal(p.fragment, 0);
	assert_int_equal(p.dport, 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_written),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(noise),
		cmocka_unit_test(counts_each_flaw),
		cmocka_unit_test(neighbour_discovery),
		cmocka_unit_test(atomic_fragment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
