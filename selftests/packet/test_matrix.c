/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_matrix.c: every way of wrapping a segment x every kind of source, also cut at every
 * byte, and as a jumbo frame in several buffers. What must happen follows from the description of the frame alone; bpf/pkt.h is not asked.
 */
#include "gate_run.h"

#include <stdio.h>

enum source { CLEAN, ALLOWED, BANNED, EXPIRED, LISTED, OBSERVED, NSOURCES };

static const char *const source_names[] = { "clean", "allowed", "banned", "expired", "listed", "observed" };

struct expected {
	__u32 verdict;
	unsigned counter;
};

static struct pst_addr address(enum source s, bool v6)
{
	return v6 ? frame_ip6(s + 1, 7) : frame_ip4(192, 0, 2, s + 1);
}

static void furnish(struct run *r)
{
	for (int v6 = 0; v6 < 2; v6++) {
		unsigned len = v6 ? 64 : 128;
		struct pst_prefix allow = run_prefix(address(ALLOWED, v6), len);

		assert_int_equal(allow_put(&r->maps, &allow), 0);
		run_ban(r, allow, PST_ACT_DROP, 3600); /* allow wins */
		run_list(r, allow, 3, PST_ACT_DROP);
		run_ban(r, run_prefix(address(BANNED, v6), len), PST_ACT_DROP, 3600);
		run_ban(r, run_prefix(address(EXPIRED, v6), len), PST_ACT_DROP, -1);
		run_list(r, run_prefix(address(LISTED, v6), len), 3, PST_ACT_DROP);
		run_ban(r, run_prefix(address(OBSERVED, v6), len), PST_ACT_OBSERVE, 3600);
	}
}

/* --- the model ---------------------------------------------------------- */

#define SEEN PST_CNT_MAX /* addresses and ports of a TCP segment are in the frame */

/*
 * How far can anybody look into the first n bytes of f? SEEN, or the counter under which the frame passes.
 * *hidden: its source is known and it may be TCP, so a refusal of the source holds.
 */
static unsigned depth(const struct frame_spec *s, const struct frame *f, unsigned n, bool *hidden)
{
	*hidden = false;
	for (unsigned i = 0; i < s->tags && i < 2; i++)
		if (n < 14 + 4 * (i + 1))
			return PST_CNT_PASS_SHORT_VLAN;
	if (s->tags > 2)
		return PST_CNT_PASS_VLAN_DEPTH;
	if (s->l4 == L4_ARP)
		return PST_CNT_PASS_NOT_IP;
	if (s->net != NET_IP6) {
		if (n < f->l3 + 20)
			return PST_CNT_PASS_SHORT_IP4;
		if (s->l4 != L4_TCP)
			return PST_CNT_PASS_UNGUARDED;
		*hidden = true;
		if (s->frag == FRAG_LATER)
			return PST_CNT_PASS_FRAGMENT;
		return n < f->l4 + 20 ? PST_CNT_PASS_SHORT_TCP : SEEN;
	}
	if (n < f->l3 + 40)
		return PST_CNT_PASS_SHORT_IP6;
	*hidden = true;
	for (unsigned i = 0; i < f->next; i++) {
		if (i == 8)
			return PST_CNT_PASS_EXT_DEPTH;
		if (n < f->ext[i] + 8)
			return PST_CNT_PASS_SHORT_EXT;
		if (i + 1 == f->next && s->frag == FRAG_LATER) {
			*hidden = s->l4 == L4_TCP;
			return *hidden ? PST_CNT_PASS_FRAGMENT : PST_CNT_PASS_UNGUARDED;
		}
	}
	*hidden = s->l4 == L4_TCP;
	if (!*hidden)
		return PST_CNT_PASS_UNGUARDED;
	return n < f->l4 + 20 ? PST_CNT_PASS_SHORT_TCP : SEEN;
}

static struct expected model(const struct frame_spec *s, const struct frame *f, unsigned n, enum source source)
{
	bool hidden;
	unsigned reach = depth(s, f, n, &hidden);
	unsigned nothing_refused = reach == SEEN ? PST_CNT_PASS_CLEAN : reach;

	if (!hidden)
		return (struct expected){ XDP_PASS, reach };
	if (reach == SEEN && s->dport != PORT)
		return (struct expected){ XDP_PASS, PST_CNT_PASS_UNGUARDED };
	switch (source) {
	case ALLOWED:
		return (struct expected){ XDP_PASS, PST_CNT_PASS_ALLOWED };
	case BANNED:
		return (struct expected){ XDP_DROP, PST_CNT_DROP_BANNED };
	case LISTED:
		return (struct expected){ XDP_DROP, PST_CNT_DROP_LISTED };
	case OBSERVED:
		return (struct expected){ XDP_PASS, PST_CNT_PASS_OBSERVED };
	default:
		return (struct expected){ XDP_PASS, nothing_refused };
	}
}

/* --- the rows ----------------------------------------------------------- */

static void check(struct run *r, const struct frame_spec *s, const struct frame *f, unsigned n, enum source source)
{
	struct expected want = model(s, f, n, source);
	struct outcome got;

	run_bytes(r, f->b, n, &got);
	if (got.verdict != want.verdict || got.counter != want.counter)
		fail_msg("tags %u net %d exts %u frag %d l4 %d dport %u source %s, %u of %u bytes: %u %s, should be %u %s", s->tags,
			 s->net, s->exts, s->frag, s->l4, s->dport, source_names[source], n, f->n, got.verdict,
			 counter_name(got.counter), want.verdict, counter_name(want.counter));
	if (want.verdict == XDP_PASS) { /* what passes, passes untouched */
		assert_int_equal(got.nout, n);
		assert_memory_equal(got.out, f->b, n);
	}
}

/* Calls each for every shape of frame; one IPv6 chain length after another counts as its own shape. */
static void shapes(struct run *r, void (*each)(struct run *, struct frame_spec *))
{
	static const struct {
		enum frame_l4 l4;
		unsigned dport;
	} kinds[] = { { L4_TCP, PORT }, { L4_TCP, 80 }, { L4_UDP, PORT }, { L4_ICMP, 0 }, { L4_ARP, 0 } };

	for (unsigned tags = 0; tags <= 3; tags++)
		for (unsigned net = 0; net < 12; net++)
			for (unsigned frag = 0; frag < 3; frag++)
				for (unsigned k = 0; k < NROWS(kinds); k++)
					each(r, &(struct frame_spec){
							.tags = tags,
							.net = net < 2 ? net : NET_IP6,
							.exts = net < 2 ? 0 : net - 2,
							.frag = frag,
							.l4 = kinds[k].l4,
							.sport = 40000,
							.dport = (__u16)kinds[k].dport,
						});
}

static void build(struct frame *f, struct frame_spec *s, enum source source)
{
	bool v6 = s->net == NET_IP6;

	s->src = address(source, v6);
	s->dst = v6 ? frame_ip6(0xff, 1) : frame_ip4(198, 51, 100, 1);
	frame_build(f, s);
}

static unsigned runs;

static void whole(struct run *r, struct frame_spec *s)
{
	struct frame f;

	for (enum source source = CLEAN; source < NSOURCES; source++, runs++) {
		build(&f, s, source);
		check(r, s, &f, f.n, source);
	}
}

static void cut(struct run *r, struct frame_spec *s)
{
	static const enum source both[] = { CLEAN, BANNED };
	struct frame f;

	for (unsigned i = 0; i < NROWS(both); i++) {
		build(&f, s, both[i]);
		for (unsigned n = 14; n < f.n; n++, runs++) /* the kernel runs no XDP program on less than Ethernet's header */
			check(r, s, &f, n, both[i]);
	}
}

static void every_shape_and_source(void **state)
{
	runs = 0;
	shapes(*state, whole);
	assert_int_equal(runs, 4 * 12 * 3 * 5 * NSOURCES);
}

static void cut_at_every_byte(void **state)
{
	runs = 0;
	shapes(*state, cut);
	assert_true(runs > 50000);
}

/* --- more than one buffer -------------------------------------------------- */

#define JUMBO_MAX    9018
#define FIRST_BUFFER 3520 /* of a test run: a page without its head and tail room */

/* The frame with so many octets behind it, as its headers say. */
static void jumbo(struct run *r, const struct frame_spec *s, struct frame *f, unsigned n, enum source source)
{
	static __u8 in[JUMBO_MAX], out[JUMBO_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = n, .data_out = out, .data_size_out = sizeof(out));
	struct expected want = model(s, f, f->n < FIRST_BUFFER ? f->n : FIRST_BUFFER, source);
	unsigned counter;

	if (s->l4 != L4_ARP && s->net == NET_IP6)
		frame_be16(f->b + f->l3 + 4, n - f->l3 - 40);
	else if (s->l4 != L4_ARP)
		frame_be16(f->b + f->l3 + 2, n - f->l3);
	memset(in, 'x', n);
	memcpy(in, f->b, f->n);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(r->skel->progs.gate), &opts), 0);
	counter = run_counter(r, opts.retval, n < FIRST_BUFFER ? n : FIRST_BUFFER);
	if (opts.retval != want.verdict || counter != want.counter)
		fail_msg("tags %u net %d exts %u frag %d l4 %d dport %u source %s, %u octets: %u %s, should be %u %s", s->tags, s->net, s->exts,
			 s->frag, s->l4, s->dport, source_names[source], n, opts.retval, counter_name(counter), want.verdict,
			 counter_name(want.counter));
	assert_int_equal(opts.data_size_out, n);
	assert_memory_equal(out, in, n);
}

static void whole_jumbo(struct run *r, struct frame_spec *s)
{
	static const unsigned sizes[] = { FIRST_BUFFER, FIRST_BUFFER + 1, 4096, 8192, JUMBO_MAX };
	struct frame f;

	for (enum source source = CLEAN; source < NSOURCES; source++)
		for (unsigned i = 0; i < NROWS(sizes); i++, runs++) {
			build(&f, s, source);
			jumbo(r, s, &f, sizes[i], source);
		}
}

static void jumbo_frames(void **state)
{
	runs = 0;
	shapes(*state, whole_jumbo);
	assert_int_equal(runs, 4 * 12 * 3 * 5 * NSOURCES * 5);
}

/* Two extension headers that fill the first buffer: the TCP header is in the second one, where the gate does not look. The source decides. */
static void header_beyond_the_first_buffer(void **state)
{
	static const struct expected wants[NSOURCES] = {
		[CLEAN] = { XDP_PASS, PST_CNT_PASS_SHORT_TCP },	 [ALLOWED] = { XDP_PASS, PST_CNT_PASS_ALLOWED },
		[BANNED] = { XDP_DROP, PST_CNT_DROP_BANNED },	 [EXPIRED] = { XDP_PASS, PST_CNT_PASS_SHORT_TCP },
		[LISTED] = { XDP_DROP, PST_CNT_DROP_LISTED },	 [OBSERVED] = { XDP_PASS, PST_CNT_PASS_OBSERVED },
	};
	static __u8 in[JUMBO_MAX], out[JUMBO_MAX];

	for (unsigned i = 0; i < NSOURCES * 3; i++) {
		enum source source = i % NSOURCES;
		struct frame_spec s = { .tags = i / NSOURCES, .net = NET_IP6, .sport = 40000, .dport = PORT };
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_out = out, .data_size_out = sizeof(out));
		unsigned n, counter;
		struct frame f;

		build(&f, &s, source);
		n = f.l4 + 2 * 2048 + (f.n - f.l4);
		memset(in, 0, n);
		memcpy(in, f.b, f.l4);
		in[f.l3 + 6] = 60;
		frame_be16(in + f.l3 + 4, n - f.l3 - 40);
		memcpy(in + f.l4, (__u8[]){ 60, 255 }, 2);
		memcpy(in + f.l4 + 2048, (__u8[]){ 6, 255 }, 2);
		memcpy(in + f.l4 + 2 * 2048, f.b + f.l4, f.n - f.l4);
		opts.data_size_in = n;
		assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(((struct run *)*state)->skel->progs.gate), &opts), 0);
		counter = run_counter(*state, opts.retval, n < FIRST_BUFFER ? n : FIRST_BUFFER);
		if (opts.retval != wants[source].verdict || counter != wants[source].counter)
			fail_msg("tags %u source %s: %u %s", s.tags, source_names[source], opts.retval, counter_name(counter));
	}
}

static int setup(void **state)
{
	static struct run r;

	*state = &r;
	run_open_sized(&r, 1024, 1024);
	furnish(&r);
	return 0;
}

static int teardown(void **state)
{
	run_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_and_source),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(jumbo_frames),
		cmocka_unit_test(header_beyond_the_first_buffer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
