/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three outputs of the counters, byte for byte against selftests/golden/. Run from the top of the
 * tree; UPDATE=1 writes the files anew, and the diff is then the reviewer's.
 */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/core/names.h"
#include "user/stats.h"

#define GOLDEN "selftests/golden/"

/* No two counters are alike, so that a row printed in another's place is seen. */
static struct pst_stats distinct(void)
{
	struct pst_stats s = { 0 };

	for (int i = 0; i < PST_CNT_MAX; i++)
		s.counter[i] = 1000 + (__u64)i * 7;
	for (int i = 0; i < PST_RSN_MAX; i++)
		s.found[i] = 500000 + (__u64)i * 11;
	for (int i = 0; i < PST_SPAN_MAX - 1; i++) { /* the last one has had none */
		s.span[i].sum_us = 1234567ull * (unsigned)(i + 1);
		for (int b = 0; b <= PST_BOUNDS_MAX; b++)
			s.span[i].bucket[b] = (unsigned)(b % 5 + 1 + i);
	}
	s.span[0].bucket[PST_BOUNDS_MAX] = 0;
	s.counter[PST_CNT_PASS_CLEAN] = 0;
	s.counter[PST_CNT_DROP_BANNED] = 9000000000000000000ull; /* does not fit 32 bits, nor a double */
	return s;
}

/* With gaps, and a name that needs to be escaped. */
static const struct pst_named named[PST_NAMED_MAX] = {
	[0] = { .name = "zen.example", .figure = { 1000001, 1000002, 1000003, 1 } },
	[PST_ZONES_MAX - 1] = { .name = "bl.example", .figure = { 1000011, 1000012, 1000013, 0 } },
	[PST_ZONES_MAX + 2] = { .name = "a \"main\" one\\x41", .figure = { 1000021, 1000022, 1 } },
};

static void print_json_line(FILE *f, const struct pst_stats *s, const struct pst_named *rows)
{
	assert_int_equal(stats_print_json(f, s, rows, false), 0);
}

static void print_json_pretty(FILE *f, const struct pst_stats *s, const struct pst_named *rows)
{
	assert_int_equal(stats_print_json(f, s, rows, true), 0);
}

static char *printed(void (*print)(FILE *, const struct pst_stats *, const struct pst_named *), size_t *n)
{
	struct pst_stats s = distinct();
	char *text = NULL;
	FILE *f = open_memstream(&text, n);

	assert_non_null(f);
	print(f, &s, named);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void update(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void outputs_are_golden(void **state)
{
	static const struct {
		const char *path;
		void (*print)(FILE *, const struct pst_stats *, const struct pst_named *);
	} rows[] = {
		{ GOLDEN "stats.txt", stats_print_text },
		{ GOLDEN "stats.json", print_json_line },
		{ GOLDEN "stats-pretty.json", print_json_pretty },
		{ GOLDEN "stats.openmetrics", stats_print_prom },
	};
	static char want[65536];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		size_t n, nwant;
		char *text = printed(rows[i].print, &n);
		FILE *f;

		if (getenv("UPDATE"))
			update(rows[i].path, text, n);
		f = fopen(rows[i].path, "r");
		if (!f)
			fail_msg("%s: %s (run from the top of the tree)", rows[i].path, strerror(errno));
		nwant = fread(want, 1, sizeof(want), f);
		fclose(f);
		if (n != nwant || memcmp(text, want, n))
			fail_msg("%s is not what is printed now; UPDATE=1 writes it anew", rows[i].path);
		free(text);
	}
}

/* The golden files say how it looks; this says that nothing is missing: every value once, under its own name. */
static void json_holds_every_counter(void **state)
{
	struct pst_stats s = distinct();
	size_t n;
	char *text = printed(print_json_line, &n);
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(root, "counters");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	assert_int_equal(json_array_size(list), PST_CNT_MAX + PST_RSN_MAX + 2 * PST_ZONE_FIGURES_MAX + PST_BACKEND_FIGURES_MAX);
	for (int i = 0; i < PST_CNT_MAX; i++) {
		json_t *row = json_array_get(list, (size_t)i);

		assert_string_equal(json_string_value(json_object_get(row, "name")), counter_rows[counter_nth((unsigned)i)].family);
		assert_int_equal(json_integer_value(json_object_get(row, "value")), s.counter[counter_nth((unsigned)i)]);
	}
	for (int i = 0; i < PST_RSN_MAX; i++) {
		json_t *row = json_array_get(list, (size_t)(PST_CNT_MAX + i));

		assert_string_equal(json_string_value(json_object_get(row, "name")), "findings_total");
		assert_string_equal(json_string_value(json_object_get(json_object_get(row, "labels"), "reason")), reason_name((unsigned)i));
		assert_int_equal(json_integer_value(json_object_get(row, "value")), s.found[i]);
	}
	json_decref(root);
	free(text);
}

static void json_holds_every_bucket(void **state)
{
	struct pst_stats s = distinct();
	size_t n;
	char *text = printed(print_json_line, &n);
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(root, "histograms");

	(void)state;
	assert_int_equal(json_array_size(list), PST_SPAN_MAX);
	for (unsigned i = 0; i < PST_SPAN_MAX; i++) {
		json_t *row = json_array_get(list, i), *buckets = json_object_get(row, "buckets");
		json_int_t below = 0;

		assert_string_equal(json_string_value(json_object_get(row, "name")), span_rows[i].family);
		assert_int_equal(json_array_size(buckets), PST_BOUNDS_MAX);
		for (unsigned b = 0; b < PST_BOUNDS_MAX; b++) {
			below += (json_int_t)s.span[i].bucket[b];
			assert_int_equal(json_integer_value(json_object_get(json_array_get(buckets, b), "count")), below);
		}
		below += (json_int_t)s.span[i].bucket[PST_BOUNDS_MAX];
		assert_int_equal(json_integer_value(json_object_get(row, "count")), below);
	}
	json_decref(root);
	free(text);
}

/* The sum over CPUs and slots, on maps of the gate's own shapes. */
static void reads_cpus_and_slots(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, mmapable, .map_flags = BPF_F_MMAPABLE);
	struct kern_maps m = { 0 };
	int ncpus = libbpf_num_possible_cpus();
	struct pst_stats *cpu = calloc((size_t)ncpus, sizeof(*cpu)), *own, sum;
	struct pst_conf conf = { 0 };
	__u32 key = 0;

	(void)state;
	m.stats = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "t_stats", 4, sizeof(struct pst_stats), 1, NULL);
	if (m.stats == -EPERM) {
		free(cpu);
		skip(); /* not allowed to make maps: not root */
	}
	m.slots = bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_slots", 4, sizeof(struct pst_slot), PST_SLOTS_MAX, &mmapable);
	m.conf = bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_conf", 4, sizeof(conf), 1, NULL);
	assert_true(m.stats >= 0 && m.slots >= 0 && m.conf >= 0);
	for (int c = 0; c < ncpus; c++) {
		cpu[c].counter[PST_CNT_PASS_CLEAN] = 1;
		cpu[c].counter[PST_CNT_GATE_REATTACHED] = 100;
		cpu[c].found[PST_RSN_TRAP] = 3;
	}
	assert_int_equal(bpf_map_update_elem(m.stats, &key, cpu, BPF_ANY), 0);
	for (unsigned i = 0; i < PST_SLOTS_MAX; i++) {
		own = stats_map_slot(&m, i);
		assert_non_null(own);
		own->counter[PST_CNT_CONN_ACCEPTED] += i;
		own->found[PST_RSN_TRAP] += 1000;
		own->counter[PST_CNT_DEGRADED_LOG] = 1;
		own->span[PST_SPAN_DNSL].sum_us += 7;
		own->span[PST_SPAN_DNSL].bucket[PST_BOUNDS_MAX] += i;
		assert_int_equal(munmap(own, PST_SLOT_BYTES), 0);
	}
	own = stats_map_slot(&m, 5);
	assert_non_null(own);
	own->counter[PST_CNT_FILES_USED] = own->counter[PST_CNT_DNSL_ZONES_UP] = 3;
	stats_slot_ended(&m, 5);
	stats_slot_ended(&m, PST_SLOTS_MAX);
	assert_int_equal(own->counter[PST_CNT_FILES_USED] + own->counter[PST_CNT_DNSL_ZONES_UP], 0);
	assert_int_equal(own->counter[PST_CNT_CONN_ACCEPTED], 5); /* and of the sums below nothing is missing */
	assert_int_equal(munmap(own, PST_SLOT_BYTES), 0);
	assert_null(stats_map_slot(&m, PST_SLOTS_MAX));
	assert_int_equal(errno, EINVAL);

	assert_int_equal(stats_read(&m, &sum), 0);
	assert_int_equal(sum.counter[PST_CNT_PASS_CLEAN], ncpus);
	assert_int_equal(sum.counter[PST_CNT_GATE_REATTACHED], 100 * ncpus);
	assert_int_equal(sum.counter[PST_CNT_CONN_ACCEPTED], PST_SLOTS_MAX * (PST_SLOTS_MAX - 1) / 2);
	assert_int_equal(sum.counter[PST_CNT_DROP_BANNED], 0);
	assert_int_equal(sum.found[PST_RSN_TRAP], 3 * ncpus + 1000 * PST_SLOTS_MAX);
	assert_int_equal(sum.span[PST_SPAN_DNSL].sum_us, 7 * PST_SLOTS_MAX);
	assert_int_equal(sum.span[PST_SPAN_DNSL].bucket[PST_BOUNDS_MAX], PST_SLOTS_MAX * (PST_SLOTS_MAX - 1) / 2);

	assert_int_equal(sum.counter[PST_CNT_DEGRADED_LOG], 1); /* however many say so */
	assert_int_equal(sum.counter[PST_CNT_DEGRADED_GATE] + sum.counter[PST_CNT_DEGRADED_POLICY], 0);
	for (conf.dead_man_ns = ~0ull; conf.dead_man_ns; conf.dead_man_ns = conf.dead_man_ns != 1) { /* to come, and over */
		assert_int_equal(bpf_map_update_elem(m.conf, &key, &conf, BPF_ANY), 0);
		assert_int_equal(stats_read(&m, &sum), 0);
		assert_int_equal(sum.counter[PST_CNT_DEGRADED_POLICY], conf.dead_man_ns == 1);
	}

	close(m.conf);
	close(m.slots);
	m.slots = -1;
	sum.found[0] = 4711;
	assert_int_equal(stats_read(&m, &sum), -EBADF);
	assert_int_equal(sum.found[0], 4711);
	close(m.stats);
	free(cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outputs_are_golden),
		cmocka_unit_test(json_holds_every_counter),
		cmocka_unit_test(json_holds_every_bucket),
		cmocka_unit_test(reads_cpus_and_slots),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
