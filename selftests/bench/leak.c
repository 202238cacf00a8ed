/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leak.c: a list of a million prefixes is replaced, again and again, by list_replace(), while another core floods the gate from
 * sources that every one of the lists covers, IPv4 and IPv6 by turns. What the gate lets through is counted behind it, in
 * nftables' ingress hook: it must be nothing. That this counter sees what passes is tried first, without a list.
 *
 * The lists cover the same sources by prefixes of other lengths each time, and by one list or two, so that every kind of
 * entry in the kernel's table gives way to every other.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "selftests/bench/wire.h"
#include "selftests/unit/rnd.h"
#include "user/ban.h"
#include "user/gatelist.h"
#include "user/stats.h"

#define DIR	KERN_PIN_DIR
#define MANY	1000000 /* prefixes besides those that cover the sources */
#define NETS	256	/* /24s of 10.0.0.0/16; 256 times as many /48s of 2001:db8::/32 */
#define ROUNDS	2
#define SOURCE_BITS 0xff7f /* the lower half of each IPv4 /24, so that no list need cover a whole one */

/* How the sources are covered: lengths in their own family, and for a second list, 0 = none. */
static const struct cover {
	unsigned len4, second4, len6, second6;
} covers[] = {
	{ 25, 0, 48, 0 },   /* a leaf of bits; one length */
	{ 16, 0, 32, 0 },   /* a byte; the only prefix */
	{ 25, 26, 48, 50 }, /* a leaf of classes; a longer one within */
	{ 24, 0, 47, 0 },   /* a byte */
};

#define COVERS (sizeof(covers) / sizeof(covers[0]))

static struct lists_entry *entry;
static size_t entries;
static struct kern_maps maps;
static atomic_bool done;
static struct wire wire[2];

static void add(struct pst_addr a, unsigned len, __u32 list)
{
	entry[entries++] = (struct lists_entry){ prefix_of(&a, len), list };
}

static void cover4(unsigned len, __u32 list)
{
	unsigned hosts = 1u << (32 - len), all = NETS * 256;

	for (unsigned host = 0; host < all; host += hosts)
		if (!(host & 128) || hosts > 128) /* nobody is in the upper half of a /24 */
			add(frame_ip4(10, 0, host >> 8, host & 255), 96 + len, list);
}

static void cover6(unsigned len, __u32 list)
{
	unsigned nets = len < 48 ? 1u << (48 - len) : 1;

	for (unsigned net = 0; net < NETS * 256; net += nets)
		add(frame_ip6(net, 0), len, list);
}

static void put(const struct cover *c)
{
	static const struct pst_list_info info[PST_LISTS_MAX] = {
		{ .name = "first", .action = PST_ACT_DROP }, { .name = "second", .action = PST_ACT_DROP } };
	char err[256];

	entries = 0;
	cover4(c->len4, 0);
	cover6(c->len6, 0);
	if (c->second4)
		cover4(c->second4, 1);
	if (c->second6)
		cover6(c->second6, 1);
	for (unsigned i = 0; i < MANY; i++) { /* other sources, others every time */
		struct pst_addr a = i % 2 ? rnd_addr6() : rnd_addr4();

		if (i % 2)
			a.b[0] = 0x26;
		else
			a.b[12] |= 128;
		add(a, i % 2 ? 40 + rnd_below(25) : 120 + rnd_below(9), i % 4 < 2);
	}
	if (list_replace(&maps, entry, entries, info, err, sizeof(err))) {
		fprintf(stderr, "leak: %s\n", err);
		exit(1);
	}
}

static void *flood(void *arg)
{
	wire_core(0);
	for (unsigned i = 0; !atomic_load(&done); i++)
		wire_send(&wire[i % 2], 1 << 13);
	return arg;
}

static __u64 passed(void)
{
	return sh_number("nft list counter netdev behind passed", "packets");
}

static __u64 dropped(void)
{
	struct pst_stats s;

	must(stats_read(&maps, &s), "counters");
	return s.counter[PST_CNT_DROP_LISTED];
}

static void gate(void)
{
	struct pst_conf c = { .mode = PST_MODE_ENFORCE };
	struct kern_link link;
	char err[256];

	if (kern_load(DIR, err, sizeof(err)) || kern_attach(DIR, "g0", XDP_NATIVE, &link, err, sizeof(err))) {
		fprintf(stderr, "leak: %s\n", err);
		exit(1);
	}
	c.port_bits[WIRE_PORT >> 6] |= 1ull << (WIRE_PORT & 63);
	must(kern_open(DIR, false, &maps, NULL), "opening the maps");
	must(gate_conf_put(&maps, &c), "settings");
}

/* The counter behind the gate sees every frame of both families when nothing is listed. */
static void check_counter(void)
{
	for (int i = 0; i < 2; i++) {
		__u64 before = passed();

		wire_send(&wire[i], 10000);
		if (passed() - before != 10000) {
			fprintf(stderr, "leak: of 10000 frames the counter behind the gate saw %llu\n", (unsigned long long)(passed() - before));
			exit(1);
		}
	}
}

int main(void)
{
	__u64 passed_before, dropped_before;
	double seconds[ROUNDS * COVERS];
	pthread_t sender;

	entry = calloc(MANY + 4 * NETS * 256, sizeof(*entry));
	if (!entry)
		die("memory");
	wire_make();
	gate();
	sh("echo 'table netdev behind { counter passed { }; chain in { type filter hook ingress device g0 priority 0; "
	   "tcp dport %d counter name passed drop; }; }' | nft -f -", WIRE_PORT);
	wire[0] = wire_syns(false, SOURCE_BITS);
	wire[1] = wire_syns(true, 0xffff);
	check_counter();
	put(&covers[0]);
	passed_before = passed();
	dropped_before = dropped();
	must(-pthread_create(&sender, NULL, flood, NULL), "a thread");
	wire_core(1);
	for (unsigned i = 1; i <= ROUNDS * COVERS; i++) {
		__u64 from = kern_now_ns();

		put(&covers[i % COVERS]);
		seconds[i - 1] = (double)(kern_now_ns() - from) / 1e9;
	}
	atomic_store(&done, true);
	pthread_join(sender, NULL);
	figure("list_replace_leaked_packets", (double)(passed() - passed_before), "packets");
	figure("list_replace_flood_packets", (double)(dropped() - dropped_before), "packets");
	figure("list_replace_in_flood_s", median(seconds, ROUNDS * COVERS), "s");
	kern_close(&maps);
	must(kern_unload(DIR), "unloading the gate");
	return 0;
}
