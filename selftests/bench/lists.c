/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists.c: nanoseconds of one list lookup, by size, family and kind of source, beside a trie and a hash with the
 * same content, each in its turn in every round; seconds to replace a list of a million by another; memory. The hash knows no
 * lengths: it is asked for the address alone, as an exact set is. 75 % of the IPv4
 * prefixes are /32, 20 % /24, 5 % /20 to /23; IPv6 are /32 to /64. What the loop itself costs is measured and taken off.
 */
#include "lookup.skel.h"
#include "selftests/bench/lookup.h"
#include "selftests/bench/stopwatch.h"
#include "selftests/unit/rnd.h"
#include "user/gatelist.h"
#include "user/lpm.h"

#define ROUNDS	 9
#define REPLACED 3 /* times, to take the median of */
#define MOST	 1000000

static struct lookup *g;
static struct kern_maps maps;
static struct lists_entry *set, *copy;

static struct lists_entry rnd_entry(bool v6)
{
	struct pst_addr a = v6 ? rnd_addr6() : rnd_addr4();
	unsigned kind = rnd_below(100), len = v6 ? 32 + rnd_below(33) : kind < 75 ? 128 : kind < 95 ? 120 : 116 + rnd_below(4);

	if (v6)
		a.b[0] = (__u8)(0x20 | (a.b[0] & 0x1f));
	return (struct lists_entry){ prefix_of(&a, len), 0 };
}

/* Distinct and sorted, as a trie and a hash want them. */
static size_t make(size_t n, bool v6)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		set[i] = rnd_entry(v6);
	lists_sort(set, copy, n);
	for (size_t i = 0; i < n; i++)
		if (!kept || prefix_cmp(&set[kept - 1].prefix, &set[i].prefix))
			set[kept++] = set[i];
	return kept;
}

static double replace(size_t n)
{
	static const struct pst_list_info info[PST_LISTS_MAX] = { { .name = "bench", .action = PST_ACT_DROP } };
	char err[256];
	__u64 began;

	memcpy(copy, set, n * sizeof(*set));
	began = kern_now_ns();
	if (list_replace(&maps, copy, n, info, err, sizeof(err))) {
		fprintf(stderr, "lists: %s\n", err);
		exit(1);
	}
	return (double)(kern_now_ns() - began) / 1e9;
}

/* A search from the start passes all the buckets that are empty already, so each key is asked for its follower. */
static void empty_hash(int fd)
{
	struct pst_addr key, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &key);

	while (more) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		bpf_map_delete_elem(fd, &key);
		key = next;
	}
}

/* A network stands for itself. */
static void fill_hash(size_t n)
{
	int fd = bpf_map__fd(g->maps.hash);
	__u32 one = 1;

	empty_hash(fd);
	for (size_t i = 0; i < n; i++)
		if (bpf_map_update_elem(fd, &set[i].prefix.addr, &one, BPF_ANY))
			die("filling the hash");
}

static void fill_sources(size_t n)
{
	for (__u32 i = 0; i < LOOKUP_SOURCES; i++)
		if (bpf_map_update_elem(bpf_map__fd(g->maps.sources), &i, &set[rnd_below((unsigned)n)].prefix.addr, BPF_ANY))
			die("filling the sources");
}

/* Of one source, all else included. */
static double ns_of(unsigned what, bool clustered)
{
	static const struct frame packet = { .n = 64 };

	g->bss->what = what;
	g->bss->clustered = clustered;
	return stopwatch(bpf_program__fd(g->progs.lookup), &packet, 1, XDP_PASS, NULL, 0) / LOOKUPS;
}

/* What the loop and the making of a source cost is measured in the same round and taken off. */
static void measure(bool v6, const char *size, bool clustered)
{
	static const char *const kind[] = { "list", "lpm", "hash" };
	enum { KINDS = sizeof(kind) / sizeof(kind[0]) };
	unsigned base = v6 ? LOOKUP_BASE6 : LOOKUP_BASE4;
	double ns[KINDS][ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		double loop = ns_of(base, clustered);

		for (unsigned i = 0; i < KINDS; i++)
			ns[i][round] = ns_of(base + 1 + i, clustered) - loop;
	}
	for (unsigned i = 0; i < KINDS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s_%s_%s%s_ns", kind[i], v6 ? "v6" : "v4", size, clustered ? "_clustered" : "");
		figure(name, median(ns[i], ROUNDS), "ns");
	}
}

static void family(bool v6)
{
	static const struct {
		size_t n;
		const char *name;
	} sizes[] = { { 1000, "1k" }, { 10000, "10k" }, { 100000, "100k" }, { MOST, "1m" } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t n = make(sizes[i].n, v6);

		replace(n);
		must(lpm_replace(bpf_map__fd(g->maps.trie), set, n), "filling the trie");
		fill_hash(n);
		fill_sources(n);
		measure(v6, sizes[i].name, false);
		measure(v6, sizes[i].name, true);
	}
}

static void memory(const char *name, int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "memlock: %llu", &bytes);
	if (f)
		fclose(f);
	figure(name, (double)bytes / 1048576, "MiB");
}

/*
 * Into an empty table; then all of a million gives way to another million, the worst reload there is; then 1 % of it changes,
 * a usual one.
 */
static void replacements(bool v6)
{
	double load[REPLACED], whole[REPLACED], some[REPLACED];

	for (int round = 0; round < REPLACED; round++) {
		size_t n;

		replace(0);
		n = make(MOST, v6);
		load[round] = replace(n);
		n = make(MOST, v6);
		whole[round] = replace(n);
		for (size_t i = 0; i < n; i += 100)
			set[i] = rnd_entry(v6);
		some[round] = replace(n);
	}
	figure(v6 ? "list_load_v6_1m_s" : "list_load_1m_s", median(load, REPLACED), "s");
	figure(v6 ? "list_replace_v6_1m_s" : "list_replace_1m_s", median(whole, REPLACED), "s");
	figure(v6 ? "list_replace_v6_1m_1pct_s" : "list_replace_1m_1pct_s", median(some, REPLACED), "s");
}

int main(void)
{
	g = lookup__open();
	set = calloc(MOST, sizeof(*set));
	copy = calloc(MOST, sizeof(*copy));
	if (!g || !set || !copy)
		die("memory");
	bpf_map__set_max_entries(g->maps.pst_bans, 16);
	if (lookup__load(g))
		die("loading");
#define KERN_X(name) maps.name = bpf_map__fd(g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	family(false);
	replacements(false);
	memory("list_v4_1m_leaves_mib", maps.leaf4);
	memory("list_cells_mib", maps.cell4);
	family(true);
	replacements(true);
	memory("list_v6_1m_nets_mib", maps.net6);
	memory("lpm_v6_1m_mib", bpf_map__fd(g->maps.trie));
	lookup__destroy(g);
	return 0;
}
