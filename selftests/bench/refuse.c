/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse.c: nanoseconds of every segment of a refused dialogue, by the kernel's own stopwatch. A reply is written over
 * the frame it answers, so every run needs a fresh frame: the stopwatch is started for each, and what it
 * takes itself (a program of two instructions, measured in the same way) is taken off. The caches have seen
 * a system call between two runs, so a card's figures are better.
 */
#include "gate.skel.h"
#include "selftests/bench/stopwatch.h"
#include "user/ban.h"
#include "user/refuse.h"

#define RUNS 40001
#define PORT 25

static struct kern_maps maps;

static __u8 out[2048];

/* The median of RUNS single runs; each must end in verdict. */
static double measure(int prog, const struct frame *f, __u32 verdict)
{
	static double ns[RUNS];

	for (int i = 0; i < RUNS; i++)
		ns[i] = stopwatch(prog, f, 1, verdict, out, sizeof(out));
	return median(ns, RUNS);
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

static void dialogue(int prog, bool v6, double floor_ns)
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
	unsigned replies = 0;
	double sum = 0;
	__u32 cookie = 0;
	struct frame f;

	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		char name[64];
		double ns;

		segment(&f, v6, turns[i].flags, cookie + 1 + turns[i].said, turns[i].data);
		ns = measure(prog, &f, turns[i].silent ? XDP_DROP : XDP_TX);
		ns = ns < floor_ns ? 0 : ns - floor_ns;
		if (!i)
			cookie = frame_get32(out + f.l4 + 4);
		sum += ns;
		replies += !turns[i].silent;
		snprintf(name, sizeof(name), "refuse_%s_%s_ns", v6 ? "v6" : "v4", turns[i].name);
		figure(name, ns, "ns");
	}
	figure(v6 ? "refuse_v6_per_s" : "refuse_per_s", replies * 1e9 / sum, "replies/s");
	figure(v6 ? "refuse_v6_dialogues_per_s" : "refuse_dialogues_per_s", 1e9 / sum, "dialogues/s");
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
	double floor_ns;
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
	figure("refuse_floor_ns", floor_ns, "ns");
	dialogue(bpf_program__fd(g->progs.gate), false, floor_ns);
	dialogue(bpf_program__fd(g->progs.gate), true, floor_ns);
	gate__destroy(g);
	return 0;
}
