/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flood.c [ROW...]: real frames over a veth pair from banned sources at random, dropped by the gate and by its peers, each holding
 * the same sources: xdp-filter, an nftables set (hash, interval) in the netdev ingress hook, which is its earliest, an ipset
 * asked by iptables in the raw table, which is its earliest, and a bare XDP drop: the floor. First 8,192 sources, as many
 * as all of them can hold; then 65,536 without xdp-filter, whose table ends at 10,000.
 *
 * Everybody has a turn in every round. Medians of the rounds are given, and medians of the ratio
 * of the gate's rate to the peer's within a round, which a busy machine disturbs less. A row that did not drop every frame ends the run.
 */
#include "selftests/bench/wire.h"
#include "user/ban.h"
#include "user/stats.h"

#define DIR	  KERN_PIN_DIR
#define ROUNDS	  9
#define SLICES	  5
#define SLICE	  65536 /* frames */
#define ALL_TAKE  8192
#define FILTER_TAKES 10000
#define MOST	  65536 /* 10.0.0.0/16, host by host */

/* --- who drops ------------------------------------------------------------- */

static struct kern_maps maps;
static int bare_link;

static void gate_up(unsigned sources)
{
	struct pst_conf c = { .mode = PST_MODE_ENFORCE };
	struct ban_row *row = calloc(sources, sizeof(*row));
	struct ban_many done;
	char err[256];

	if (!row)
		die("memory");
	if (kern_load(DIR, err, sizeof(err))) {
		fprintf(stderr, "flood: %s\n", err);
		exit(1);
	}
	c.port_bits[WIRE_PORT >> 6] |= 1ull << (WIRE_PORT & 63);
	must(kern_open(DIR, false, &maps, NULL), "opening the maps");
	c.no_allows = !allow_any(&maps); /* as the daemon says when it starts */
	must(gate_conf_put(&maps, &c), "settings");
	for (unsigned i = 0; i < sources; i++)
		row[i] = (struct ban_row){ { frame_ip4(10, 0, i >> 8, i & 255), 128 }, { .until_ns = ~0ull, .action = PST_ACT_DROP }, NULL };
	must(ban_put_many(&maps, row, sources, &done), "filling the bans");
	free(row);
}

static void gate_down(void)
{
	kern_close(&maps);
	must(kern_unload(DIR), "unloading the gate");
}

static void gate_attach(enum xdp_mode mode)
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

static void gate_on(void)
{
	gate_attach(XDP_NATIVE);
}

static void generic_on(void)
{
	gate_attach(XDP_GENERIC);
}

static void gate_off(void)
{
	must(kern_detach(DIR, "g0"), "detaching");
}

static __u64 gate_count(void)
{
	struct pst_stats s;

	must(stats_read(&maps, &s), "counters");
	return s.counter[PST_CNT_DROP_BANNED];
}

static void bare_on(void)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int fd = floor_program();

	bare_link = bpf_link_create(fd, (int)if_nametoindex("g0"), BPF_XDP, &opts);
	if (bare_link < 0)
		die("attaching the floor");
	close(fd);
}

static void bare_off(void)
{
	close(bare_link);
}

/* Its own command puts the first address in; the others get the same value, for a process an address would take minutes. */
static void filter_up(unsigned sources)
{
	int cpus = libbpf_num_possible_cpus(), fd;
	__u64 value[cpus > 0 ? cpus : 1];
	__u32 key = htonl(10u << 24);

	sh("xdp-filter load g0 -m native -f ipv4 && xdp-filter ip -m src 10.0.0.0");
	fd = bpf_obj_get("/sys/fs/bpf/xdp-filter/filter_ipv4");
	if (fd < 0 || bpf_map_lookup_elem(fd, &key, value))
		die("xdp-filter's table");
	for (unsigned i = 0; i < sources; i++) {
		key = htonl(10u << 24 | i);
		if (bpf_map_update_elem(fd, &key, value, BPF_ANY))
			die("filling xdp-filter's table");
	}
	close(fd);
	sh("xdp-filter unload g0 --keep-maps");
}

static void filter_down(void)
{
	sh("rm -r /sys/fs/bpf/xdp-filter");
}

static void filter_on(void)
{
	sh("xdp-filter load g0 -m native -f ipv4");
}

static void filter_off(void)
{
	sh("xdp-filter unload g0 --keep-maps");
}

static __u64 filter_count(void)
{
	return sh_number("xdp-filter status", "XDP_DROP");
}

static void nft_table(const char *name, const char *flags, unsigned sources)
{
	FILE *nft = popen("nft -f -", "w");

	if (!nft)
		die("nft");
	fprintf(nft, "table netdev %s {\n counter dropped { }\n set banned { type ipv4_addr; %s elements = {", name, flags);
	for (unsigned i = 0; i < sources; i++)
		fprintf(nft, "%s10.0.%u.%u", i ? "," : "", i >> 8, i & 255);
	fprintf(nft, "} }\n}\n");
	if (pclose(nft))
		die("nft -f -");
}

static void nft_chain(const char *name)
{
	sh("echo 'table netdev %s { chain in { type filter hook ingress device g0 priority 0; "
	   "tcp dport %d ip saddr @banned counter name dropped drop; }; }' | nft -f -", name, WIRE_PORT);
}

#define NFT(name, flags)                                                                                  \
	static void name##_up(unsigned sources)                                                           \
	{                                                                                                 \
		nft_table(#name, flags, sources);                                                         \
	}                                                                                                 \
	static void name##_down(void)                                                                     \
	{                                                                                                 \
		sh("nft delete table netdev " #name);                                                     \
	}                                                                                                 \
	static void name##_on(void)                                                                       \
	{                                                                                                 \
		nft_chain(#name);                                                                         \
	}                                                                                                 \
	static void name##_off(void)                                                                      \
	{                                                                                                 \
		sh("nft 'flush chain netdev " #name " in; delete chain netdev " #name " in'");            \
	}                                                                                                 \
	static __u64 name##_count(void)                                                                   \
	{                                                                                                 \
		return sh_number("nft list counter netdev " #name " dropped", "packets");                 \
	}

NFT(nft_set, "size 65536;")
NFT(nft_interval, "flags interval;")

#define IPSET_RULE "iptables-legacy -t raw %s PREROUTING -p tcp --dport 25 -m set --match-set banned src -j DROP"

static void ipset_up(unsigned sources)
{
	FILE *ipset = popen("ipset restore", "w");

	if (!ipset)
		die("ipset");
	fprintf(ipset, "create banned hash:ip maxelem 65536\n");
	for (unsigned i = 0; i < sources; i++)
		fprintf(ipset, "add banned 10.0.%u.%u\n", i >> 8, i & 255);
	if (pclose(ipset))
		die("ipset restore");
}

static void ipset_down(void)
{
	sh("ipset destroy banned");
}

static void ipset_on(void)
{
	sh(IPSET_RULE, "-A");
}

static void ipset_off(void)
{
	sh(IPSET_RULE, "-D");
}

/* The rule is new in every round, and its counter, too. */
static __u64 ipset_count(void)
{
	return sh_number("iptables-legacy -t raw -nvxL PREROUTING", "destination");
}

static const struct row {
	const char *name;
	void (*up)(unsigned sources), (*down)(void); /* NULL = there is nothing to fill */
	void (*on)(void), (*off)(void);
	__u64 (*count)(void); /* of frames it dropped; NULL = it does not count */
	unsigned most;	      /* sources that it can hold */
} rows[] = {
	{ "gate", gate_up, gate_down, gate_on, gate_off, gate_count, MOST }, /* first: the others are compared with it */
	{ "empty", NULL, NULL, bare_on, bare_off, NULL, MOST },
	{ "xdpfilter", filter_up, filter_down, filter_on, filter_off, filter_count, FILTER_TAKES },
	{ "nft_set", nft_set_up, nft_set_down, nft_set_on, nft_set_off, nft_set_count, MOST },
	{ "nft_interval", nft_interval_up, nft_interval_down, nft_interval_on, nft_interval_off, nft_interval_count, MOST },
	{ "ipset", ipset_up, ipset_down, ipset_on, ipset_off, ipset_count, MOST },
	{ "gate_generic", NULL, NULL, generic_on, gate_off, gate_count, MOST }, /* the first one's maps */
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

/* --- rounds ------------------------------------------------------------------ */

/* Sends for one round; frames per second. *frames: that g0 took in. */
static double flood(const struct wire *w, __u64 *frames)
{
	double ns[SLICES];
	__u32 before = wire_received();

	for (int i = 0; i < SLICES; i++)
		ns[i] = wire_send(w, SLICE);
	*frames = wire_received() - before;
	return 1e9 / median(ns, SLICES);
}

static double round_of(const struct row *row, const struct wire *w)
{
	__u64 frames, before, dropped;
	double rate;

	row->on();
	before = row->count ? row->count() : 0;
	rate = flood(w, &frames);
	dropped = row->count ? row->count() - before : frames;
	row->off();
	/* A stray frame of the kernel's own (IPv6 neighbours) is no news; anything more makes the figure a lie. */
	if (frames < SLICES * SLICE || dropped + 100 < frames) {
		fprintf(stderr, "flood: %s dropped %llu of %llu frames that came, of %u sent\n", row->name,
			(unsigned long long)dropped, (unsigned long long)frames, SLICES * SLICE);
		exit(1);
	}
	return rate;
}

static bool chosen(const struct row *row, unsigned sources, char **names)
{
	if (sources > row->most)
		return false;
	if (!*names || row == &rows[0])
		return true;
	while (*names && strcmp(*names, row->name))
		names++;
	return *names;
}

static void tell(const char *size, const char *name, const char *what, double value, const char *unit)
{
	char full[64];

	snprintf(full, sizeof(full), "flood_%s%s%s", size, name, what);
	figure(full, value, unit);
}

static void race(unsigned sources, const char *size, char **names)
{
	struct wire w = wire_syns(false, (__u16)(sources - 1));
	double mpps[NROWS][ROUNDS], ratio[NROWS][ROUNDS];

	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].up && chosen(&rows[i], sources, names))
			rows[i].up(sources);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < NROWS; i++)
			if (chosen(&rows[i], sources, names)) {
				mpps[i][round] = round_of(&rows[i], &w) / 1e6;
				ratio[i][round] = mpps[0][round] / mpps[i][round];
			}
	for (size_t i = 0; i < NROWS; i++) {
		if (!chosen(&rows[i], sources, names))
			continue;
		tell(size, rows[i].name, "_mpps", median(mpps[i], ROUNDS), "Mpps");
		if (i)
			tell(size, "gate_to_", rows[i].name, median(ratio[i], ROUNDS), "ratio");
		if (rows[i].down)
			rows[i].down();
	}
	close(w.prog);
}

int main(int argc, char **argv)
{
	(void)argc;
	wire_make();
	wire_core(0);
	race(ALL_TAKE, "", argv + 1);
	race(MOST, "64k_", argv + 1);
	return 0;
}
