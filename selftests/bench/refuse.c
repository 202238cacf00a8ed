/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse.c: nanoseconds of every segment of a refused dialogue, by the kernel's own stopwatch. A reply is written over
 * the frame it answers, so every run needs a fresh frame: the stopwatch is started for each, and what it
 * takes itself (a program of two instructions, measured in the same way) is taken off. The caches have seen
 * a system call between two runs, so a card's figures are better.
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
#include "user/refuse.h"

#define RUNS 40001
#define PORT 25

static struct kern_maps maps;

static void die(const char *what)
{
	fprintf(stderr, "refuse: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int ascending(const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static __u8 out[2048];

/* The median of RUNS single runs; each must end in verdict. */
static unsigned measure(int prog, const struct frame *f, __u32 verdict)
{
	static __u32 ns[RUNS];

	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->b, .data_size_in = f->n, .data_out = out, .data_size_out = sizeof(out), .repeat = 1);

		if (bpf_prog_test_run_opts(prog, &opts))
			die("BPF_PROG_RUN");
		if (opts.retval != verdict) {
			fprintf(stderr, "refuse: verdict %u, should be %u\n", opts.retval, verdict);
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

static void segment(struct frame *f, bool v6, unsigned flags, __u32 ack, const char *data)
{
	struct frame_spec s = {
		.net = v6 ? NET_IP6 : NET_IP4,
		.src = v6 ? frame_ip6(1, 1) : frame_ip4(192, 0, 2, 1),
		.dst = v6 ? frame_ip6(0xff, 1) : frame_ip4(198, 51, 100, 1),
		.sport = 40000,
		.dport = PORT,
		.flags = (__u8)flags,
		.ack = ack,
		.data_bytes = (unsigned)strlen(data),
	};

	frame_build(f, &s);
	memcpy(f->b + f->n - s.data_bytes, data, s.data_bytes);
}

static void dialogue(int prog, bool v6, unsigned floor_ns)
{
	static const struct {
		const char *name, *data;
		unsigned flags;
		__u32 said;
		bool silent;
	} turns[] = {
		{ "syn", "", TCP_SYN, 0, false },
		{ "ack", "", TCP_ACK, 0, false },
		{ "ehlo", "EHLO client.example.net\r\n", TCP_ACK, 28, false },
		{ "mail", "MAIL FROM:<sender@example.net>\r\n", TCP_ACK, 48, false },
		{ "rcpt", "RCPT TO:<someone@example.org>\r\n", TCP_ACK, 56, false },
		{ "quit", "QUIT\r\n", TCP_ACK, 156, false },
		{ "fin", "", TCP_ACK | TCP_FIN, 169, false },
		{ "silence", "", TCP_ACK, 56, true }, /* an acknowledgment alone: one or two in a dialogue */
	};
	unsigned sum = 0, replies = 0;
	__u32 cookie = 0;
	struct frame f;

	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		unsigned ns;

		segment(&f, v6, turns[i].flags, cookie + 1 + turns[i].said, turns[i].data);
		ns = measure(prog, &f, turns[i].silent ? XDP_DROP : XDP_TX);
		ns -= ns < floor_ns ? ns : floor_ns;
		if (!i)
			cookie = frame_get32(out + f.l4 + 4);
		sum += ns;
		replies += !turns[i].silent;
		printf("{\"name\": \"refuse_%s_%s_ns\", \"value\": %u, \"unit\": \"ns/packet\"}\n", v6 ? "v6" : "v4", turns[i].name, ns);
	}
	printf("{\"name\": \"%s\", \"value\": %.0f, \"unit\": \"replies/s\"}\n", v6 ? "refuse_v6_per_s" : "refuse_per_s", replies * 1e9 / sum);
	printf("{\"name\": \"%s\", \"value\": %.0f, \"unit\": \"dialogues/s\"}\n", v6 ? "refuse_v6_dialogues_per_s" : "refuse_dialogues_per_s", 1e9 / sum);
}

static void ban(struct pst_addr a, unsigned len)
{
	struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_REFUSE, .reason = PST_RSN_RELAY };
	struct pst_prefix p = prefix_of(&a, len);
	bool evicted;

	if (ban_put(&maps, &p, &b, NULL, true, &evicted))
		die("ban");
}

int main(void)
{
	static const struct conf_refuse words = { .hostname = "mx.example.org", .url = "https://example.org/why" };
	struct pst_conf c = { .mode = PST_MODE_ENFORCE, .ban_len4 = { 128 }, .ban_len6 = { 64 } };
	struct gate *g = gate__open_and_load();
	unsigned floor_ns;
	struct frame f;

	if (!g)
		die("loading the gate");
#define KERN_X(name) maps.name = bpf_map__fd(g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	c.port_bits[PORT >> 6] |= 1ull << (PORT & 63);
	if (gate_conf_put(&maps, &c) || refuse_start(&maps) || refuse_put(&maps, &words))
		die("filling the maps");
	ban(frame_ip4(192, 0, 2, 1), 128);
	ban(frame_ip6(1, 1), 64);
	segment(&f, false, TCP_SYN, 0, "");
	floor_ns = measure(floor_program(), &f, XDP_DROP);
	printf("{\"name\": \"refuse_floor_ns\", \"value\": %u, \"unit\": \"ns/packet\"}\n", floor_ns);
	dialogue(bpf_program__fd(g->progs.gate), false, floor_ns);
	dialogue(bpf_program__fd(g->progs.gate), true, floor_ns);
	gate__destroy(g);
	return 0;
}
