/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "user/core/names.h"
#include "user/core/parts.h"
#include "user/stats_named.h"
#include "user/stats_spans.h"

/* --- reading ----------------------------------------------------------- */

static void add_span(struct pst_span *sum, const struct pst_span *s)
{
	sum->sum_us += s->sum_us;
	for (int i = 0; i <= PST_BOUNDS_MAX; i++)
		sum->bucket[i] += s->bucket[i];
}

static void add(struct pst_stats *sum, const struct pst_stats *s)
{
	for (int i = 0; i < PST_CNT_MAX; i++)
		sum->counter[i] += s->counter[i];
	for (int i = 0; i < PST_RSN_MAX; i++)
		sum->found[i] += s->found[i];
	for (int i = 0; i < PST_SPAN_MAX; i++)
		add_span(&sum->span[i], &s->span[i]);
}

static int add_cpus(int map, struct pst_stats *sum)
{
	int ncpus = libbpf_num_possible_cpus();
	struct pst_stats *cpu;
	__u32 key = 0;
	int err;

	if (ncpus < 0)
		return ncpus;
	cpu = calloc((size_t)ncpus, sizeof(*cpu));
	if (!cpu)
		return -ENOMEM;
	err = bpf_map_lookup_elem(map, &key, cpu);
	for (int i = 0; i < ncpus && !err; i++)
		add(sum, &cpu[i]);
	free(cpu);
	return err;
}

static int add_slots(int map, struct pst_stats *sum)
{
	struct pst_slot slot;

	for (__u32 i = 0; i < PST_SLOTS_MAX; i++) {
		int err = bpf_map_lookup_elem(map, &i, &slot);

		if (err)
			return err;
		add(sum, &slot.stats);
	}
	return 0;
}

/* Nobody is left to say so. */
static bool is_dead_man(int map)
{
	struct timespec now;
	struct pst_conf c;
	__u32 key = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return !bpf_map_lookup_elem(map, &key, &c) && c.dead_man_ns && c.dead_man_ns <= now.tv_sec * 1000000000ull + (__u64)now.tv_nsec;
}

/* Of as many processes as say so. */
static void degrade(struct pst_stats *sum)
{
	static const enum pst_counter row[] = {
#define PARTS_X(sym, name, meaning, advice) PST_CNT_DEGRADED_##sym,
		PARTS(PARTS_X)
#undef PARTS_X
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		sum->counter[row[i]] = sum->counter[row[i]] != 0;
}

int stats_read(const struct kern_maps *m, struct pst_stats *out)
{
	struct pst_stats sum = { 0 };
	int err = add_cpus(m->stats, &sum);

	if (!err)
		err = add_slots(m->slots, &sum);
	if (err)
		return err;
	sum.counter[PST_CNT_DEGRADED_POLICY] = is_dead_man(m->conf);
	degrade(&sum);
	*out = sum;
	return 0;
}

struct pst_stats *stats_map_slot(const struct kern_maps *m, unsigned slot)
{
	void *page;

	if (slot >= PST_SLOTS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	page = mmap(NULL, PST_SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, m->slots,
		    (off_t)slot * PST_SLOT_BYTES);
	return page == MAP_FAILED ? NULL : page;
}

void stats_slot_ended(const struct kern_maps *m, unsigned slot)
{
	struct pst_stats *s = stats_map_slot(m, slot);

	for (unsigned i = 0; s && i < PST_CNT_MAX; i++)
		if (!strstr(counter_rows[i].family, "_total"))
			s->counter[i] = 0;
	if (s)
		munmap(s, PST_SLOT_BYTES);
}

/* --- the rows that all three outputs print ----------------------------- */

/* The counters, and behind them the findings: one more family, labelled by the reasons. */
struct sample {
	const char *family;
	const char *help; /* of the family; empty but in its first row */
	char labels[128];
	unsigned long long value;
};
#define NSAMPLES (PST_CNT_MAX + PST_RSN_MAX)

static struct sample sample_at(const struct pst_stats *s, int i)
{
	struct sample row = { 0 };

	if (i < PST_CNT_MAX) {
		unsigned c = counter_nth((unsigned)i);

		row.family = counter_rows[c].family;
		row.help = counter_rows[c].help;
		row.value = s->counter[c];
		snprintf(row.labels, sizeof(row.labels), "%s", counter_rows[c].labels);
		return row;
	}
	i -= PST_CNT_MAX;
	row.family = "findings_total";
	row.help = i ? "" : "Offences found in SMTP sessions, by reason";
	row.value = s->found[i];
	snprintf(row.labels, sizeof(row.labels), "reason=\"%s\"", reason_rows[i].name);
	return row;
}

/* One name="value" from the head of *labels; false at the end. No value holds quotes or commas. */
static bool next_label(const char **labels, struct str *name, struct str *value)
{
	const char *p = *labels + (**labels == ',');
	const char *equals = strchr(p, '='), *end;

	if (!equals)
		return false;
	end = strchr(equals + 2, '"');
	*name = (struct str){ p, (size_t)(equals - p) };
	*value = (struct str){ equals + 2, (size_t)(end - equals - 2) };
	*labels = end + 1;
	return true;
}

/* --- text -------------------------------------------------------------- */

static void print_text_row(FILE *f, const struct sample *row)
{
	const char *labels = row->labels;
	struct str name, value;
	int width = 0;

	fputs("  ", f);
	while (next_label(&labels, &name, &value))
		width += fprintf(f, STR_FMT " ", STR_ARG(value));
	if (!width) /* a family of one row without labels is its own total */
		width = fprintf(f, "total");
	fprintf(f, "%*s%20llu\n", width < 28 ? 28 - width : 0, "", row->value);
}

static void print_total(FILE *f, unsigned rows, unsigned long long total)
{
	if (rows > 1)
		fprintf(f, "  %-28s%20llu\n", "total", total);
}

void stats_print_text(FILE *f, const struct pst_stats *s, const struct pst_named *named)
{
	unsigned rows = 0;
	unsigned long long total = 0;

	for (int i = 0; i < NSAMPLES; i++) {
		struct sample row = sample_at(s, i);

		if (row.help[0]) {
			print_total(f, rows, total);
			fprintf(f, "%s%s: %s\n", i ? "\n" : "", row.family, row.help);
			rows = 0;
			total = 0;
		}
		print_text_row(f, &row);
		rows++;
		total += row.value;
	}
	print_total(f, rows, total);
	stats_named_text(f, named);
	stats_spans_text(f, s);
}

/* --- JSON -------------------------------------------------------------- */

static json_t *labels_json(const char *labels)
{
	json_t *object = json_object();
	struct str name, value;
	char key[64];

	while (next_label(&labels, &name, &value)) {
		snprintf(key, sizeof(key), STR_FMT, STR_ARG(name));
		json_object_set_new(object, key, json_stringn(value.p, value.n));
	}
	return object;
}

int stats_print_json(FILE *f, const struct pst_stats *s, const struct pst_named *named, bool pretty)
{
	json_t *list = json_array(), *root;
	int err;

	for (int i = 0; i < NSAMPLES; i++) {
		struct sample row = sample_at(s, i);
		json_int_t value = row.value < LLONG_MAX ? (json_int_t)row.value : LLONG_MAX;

		json_array_append_new(list, json_pack("{s:s, s:o, s:I}", "name", row.family,
						      "labels", labels_json(row.labels),
						      "value", value));
	}
	stats_named_json(list, named);
	root = json_pack("{s:i, s:o, s:o}", "schema", 1, "counters", list, "histograms", stats_spans_json(s));
	if (!root)
		return -ENOMEM;
	err = json_dumpf(root, f, JSON_REAL_PRECISION(15) | (pretty ? JSON_INDENT(2) : JSON_COMPACT));
	json_decref(root);
	fputc('\n', f);
	return err ? -EIO : 0;
}

/* --- OpenMetrics ------------------------------------------------------- */

void stats_prom_head(FILE *f, const char *family, const char *help, bool open)
{
	const char *total = strstr(family, "_total");
	int n = (int)(total && open ? (size_t)(total - family) : strlen(family));

	fprintf(f, "# TYPE postern_%.*s %s\n", n, family, total ? "counter" : "gauge");
	fprintf(f, "# HELP postern_%.*s %s.\n", n, family, help);
}

static void print_prom(FILE *f, const struct pst_stats *s, const struct pst_named *named, bool open)
{
	for (int i = 0; i < NSAMPLES; i++) {
		struct sample row = sample_at(s, i);
		bool labelled = row.labels[0];

		if (row.help[0])
			stats_prom_head(f, row.family, row.help, open);
		fprintf(f, "postern_%s%s%s%s %llu\n", row.family, labelled ? "{" : "", row.labels,
			labelled ? "}" : "", row.value);
	}
	stats_named_prom(f, named, open);
	stats_spans_prom(f, s);
}

void stats_print_prom(FILE *f, const struct pst_stats *s, const struct pst_named *named)
{
	print_prom(f, s, named, true);
	fputs("# EOF\n", f);
}

void stats_print_prom_004(FILE *f, const struct pst_stats *s, const struct pst_named *named)
{
	print_prom(f, s, named, false);
}
