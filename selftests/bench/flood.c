/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flood.c: real frames over a veth pair, dropped by the gate, by an nftables set in the netdev
 * ingress hook (its earliest), and by a bare XDP program: the floor.
 *
 * 65536 banned sources take turns at random. The frames are made by the kernel's own generator
 * (BPF_F_TEST_XDP_LIVE_FRAMES) and received on the same core, so every rate includes the making of
 * the frames: compare the rows, do not take them for a network card's. Rounds are interleaved
 * and the median is given, so that a busy machine does not favour anyone.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selftests/packet/frame.h"
#include "user/ban.h"
#include "user/stats.h"

#define DIR	KERN_PIN_DIR
#define PORT	25
#define SOURCES 65536 /* 10.0.0.0/16, host by host */
#define ROUNDS	5
#define ROUND_NS 1000000000ull

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void run(const char *command)
{
	errno = 0;
	if (system(command))
		die(command);
}

/* --- the generator ------------------------------------------------------- */

#define INSN(c, d, s, o, i) ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/* Writes a random host of 10.0.0.0/16 into the source and sends the frame out of ifindex. */
static int generator(int ifindex)
{
	const struct bpf_insn insn[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 6, 1, 0, 0), /* r6 = data */
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 4, 0), /* r2 = data_end */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 6, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, 34),
		INSN(BPF_JMP | BPF_JGT | BPF_X, 3, 2, 6, 0), /* too short: to the last two */
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32),
		INSN(BPF_STX | BPF_MEM | BPF_H, 6, 0, 28, 0), /* the low half of the IPv4 source */
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, ifindex),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_DROP),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "generator", "GPL", insn, sizeof(insn) / sizeof(insn[0]), NULL);

	if (fd < 0)
		die("loading the generator");
	return fd;
}

static __u32 received(void)
{
	struct ifaddrs *all, *a;
	__u32 n = 0;

	if (getifaddrs(&all))
		die("getifaddrs");
	for (a = all; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_PACKET && !strcmp(a->ifa_name, "g0") && a->ifa_data)
			n = ((struct rtnl_link_stats *)a->ifa_data)->rx_packets;
	freeifaddrs(all);
	return n;
}

/* Sends for one round; frames per second that g0 took in. *frames is how many those were. */
static double flood(int prog, const struct frame *f, __u64 *frames)
{
	__u64 start, now;
	__u32 before = received();

	start = kern_now_ns();
	do {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->b, .data_size_in = f->n, .repeat = 1 << 18,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

		if (bpf_prog_test_run_opts(prog, &opts))
			die("live frames");
		now = kern_now_ns();
	} while (now - start < ROUND_NS);
	*frames = received() - before;
	return (double)*frames * 1e9 / (double)(now - start);
}

/* --- who drops ------------------------------------------------------------- */

static struct kern_maps maps;
static int bare_link;

static void gate_on(enum xdp_mode mode)
{
	struct kern_link link;
	char err[256];

	if (kern_attach(DIR, "g0", mode, &link, err, sizeof(err))) {
		fprintf(stderr, "flood: %s\n", err);
		exit(1);
	}
	if (link.native != (mode == XDP_NATIVE)) {
		fprintf(stderr, "flood: g0 is not in the mode asked for: %s\n", link.why);
		exit(1);
	}
}

static void gate_native_on(void)
{
	gate_on(XDP_NATIVE);
}

static void gate_generic_on(void)
{
	gate_on(XDP_GENERIC);
}

static void gate_off(void)
{
	errno = -kern_detach(DIR, "g0");
	if (errno)
		die("detaching");
}

static __u64 gate_count(void)
{
	struct pst_stats s;

	errno = -stats_read(&maps, &s);
	if (errno)
		die("counters");
	return s.counter[PST_CNT_DROP_BANNED];
}

static void bare_on(void)
{
	const struct bpf_insn drop[] = { INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_DROP), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0) };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "floor", "GPL", drop, 2, NULL);

	bare_link = fd < 0 ? fd : bpf_link_create(fd, (int)if_nametoindex("g0"), BPF_XDP, &opts);
	if (bare_link < 0)
		die("attaching the floor");
	close(fd);
}

static void bare_off(void)
{
	close(bare_link);
}

static void nft_on(void)
{
	FILE *nft = popen("nft -f -", "w");

	if (!nft)
		die("nft");
	fprintf(nft, "table netdev flood {\n set banned { type ipv4_addr; size %d; elements = {", SOURCES);
	for (unsigned i = 0; i < SOURCES; i++)
		fprintf(nft, "%s10.0.%u.%u", i ? "," : "", i >> 8, i & 255);
	fprintf(nft, "} }\n counter dropped { }\n"
		     " chain in { type filter hook ingress device g0 priority 0;\n"
		     "  tcp dport %d ip saddr @banned counter name dropped drop\n }\n}\n", PORT);
	if (pclose(nft))
		die("nft -f -");
}

static void nft_off(void)
{
	run("nft delete table netdev flood");
}

static __u64 nft_count(void)
{
	FILE *nft = popen("nft list counter netdev flood dropped", "r");
	unsigned long long n = 0;
	char line[256];

	while (nft && fgets(line, sizeof(line), nft))
		sscanf(line, " packets %llu", &n);
	if (!nft || pclose(nft))
		die("nft list");
	return n;
}

static const struct row {
	const char *name;
	void (*on)(void), (*off)(void);
	__u64 (*count)(void); /* of frames it dropped; NULL = it does not count */
} rows[] = {
	{ "floor_bare_xdp_drop", bare_on, bare_off, NULL },
	{ "gate_native", gate_native_on, gate_off, gate_count },
	{ "gate_generic", gate_generic_on, gate_off, gate_count },
	{ "nft_ingress_hash_set", nft_on, nft_off, nft_count },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

/* --- the scene --------------------------------------------------------------- */

/* veth takes redirected frames without an XDP program only with GRO, so everyone gets GRO. */
static void gro_on(const char *interface)
{
	struct ethtool_value on = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(ifr.ifr_name, interface);
	ifr.ifr_data = (void *)&on;
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &ifr))
		die("GRO");
	close(fd);
}

static void scene(void)
{
	cpu_set_t one;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		die("a network and a bpffs of our own");
	run("ip link add g0 type veth peer name w0 && ip link set g0 up && ip link set w0 up");
	gro_on("g0");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("one core");
}

static void ban_all(void)
{
	struct pst_conf c = { .mode = PST_MODE_ENFORCE, .ban_len4 = { 128 }, .ban_len6 = { 64 } };
	struct pst_prefix *key = calloc(SOURCES, sizeof(*key));
	struct pst_ban *ban = calloc(SOURCES, sizeof(*ban));
	__u32 count = SOURCES;
	char err[256];

	if (!key || !ban)
		die("memory");
	if (kern_load(DIR, err, sizeof(err))) {
		fprintf(stderr, "flood: %s\n", err);
		exit(1);
	}
	for (unsigned i = 0; i < SOURCES; i++) {
		key[i] = (struct pst_prefix){ frame_ip4(10, 0, i >> 8, i & 255), 128 };
		ban[i] = (struct pst_ban){ .until_ns = ~0ull, .action = PST_ACT_DROP };
	}
	c.port_bits[PORT >> 6] |= 1ull << (PORT & 63);
	errno = -kern_open(DIR, false, &maps, NULL);
	if (errno || bpf_map_update_batch(maps.bans, key, ban, &count, NULL) || (errno = -gate_conf_put(&maps, &c)))
		die("filling the bans");
	free(key);
	free(ban);
}

static double round_of(const struct row *row, int prog, const struct frame *f)
{
	__u64 frames, before, dropped;
	double rate;

	row->on();
	before = row->count ? row->count() : 0;
	rate = flood(prog, f, &frames);
	dropped = row->count ? row->count() - before : frames;
	row->off();
	/* A stray frame of the kernel's own (IPv6 neighbours) is no news; anything more makes the figure a lie. */
	if (!frames || dropped + 100 < frames) {
		fprintf(stderr, "flood: %s dropped %llu of %llu frames\n", row->name, (unsigned long long)dropped,
			(unsigned long long)frames);
		exit(1);
	}
	return rate;
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(void)
{
	struct frame_spec spec = { .src = frame_ip4(10, 0, 0, 0), .dst = frame_ip4(198, 51, 100, 1), .sport = 40000, .dport = PORT };
	double rate[NROWS][ROUNDS];
	struct frame f;
	int prog;

	scene();
	ban_all();
	prog = generator((int)if_nametoindex("w0"));
	frame_build(&f, &spec);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < NROWS; i++)
			rate[i][round] = round_of(&rows[i], prog, &f);
	for (size_t i = 0; i < NROWS; i++) {
		qsort(rate[i], ROUNDS, sizeof(rate[i][0]), ascending);
		printf("{\"name\": \"flood.%s\", \"value\": %.0f, \"unit\": \"packets/s\"}\n", rows[i].name, rate[i][ROUNDS / 2]);
	}
	printf("{\"name\": \"flood.gate_native_to_nft\", \"value\": %.2f, \"unit\": \"ratio\"}\n", rate[1][ROUNDS / 2] / rate[3][ROUNDS / 2]);
	kern_close(&maps);
	kern_unload(DIR);
	return 0;
}
