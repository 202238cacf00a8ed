/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/stats_spans.h"

#include <stdlib.h>

#include "user/core/names.h"
#include "user/core/span.h"

#define US_PER_S 1000000ull

static void print_us(FILE *f, const char *what, __u64 us)
{
	fprintf(f, "  %-28s%13llu.%06llu\n", what, us / US_PER_S, us % US_PER_S);
}

static void print_quantile(FILE *f, const struct pst_span *span, const char *what, unsigned percent)
{
	unsigned i = span_quantile(span, percent);

	if (i < PST_BOUNDS_MAX)
		fprintf(f, "  %-28s%20s\n", what, bound_rows[i].le);
	else
		fprintf(f, "  %-28s%13s %s\n", what, "over", bound_rows[PST_BOUNDS_MAX - 1].le);
}

void stats_spans_text(FILE *f, const struct pst_stats *s)
{
	for (unsigned i = 0; i < PST_SPAN_MAX; i++) {
		const struct pst_span *span = &s->span[i];
		__u64 n = span_total(span);

		fprintf(f, "\n%s: %s\n  %-28s%20llu\n", span_rows[i].family, span_rows[i].help, "count", n);
		if (!n)
			continue;
		print_us(f, "average", span->sum_us / n);
		print_quantile(f, span, "half within", 50);
		print_quantile(f, span, "90 of 100 within", 90);
		print_quantile(f, span, "99 of 100 within", 99);
	}
}

static json_t *span_json(const struct pst_span *span, const struct span_row *row)
{
	json_t *buckets = json_array();
	__u64 n = 0;

	for (unsigned i = 0; i < PST_BOUNDS_MAX; i++) {
		n += span->bucket[i];
		json_array_append_new(buckets, json_pack("{s:f, s:I}", "le", (double)bound_rows[i].us / US_PER_S, "count", (json_int_t)n));
	}
	return json_pack("{s:s, s:I, s:f, s:o}", "name", row->family, "count", (json_int_t)span_total(span), "sum",
			 (double)span->sum_us / US_PER_S, "buckets", buckets);
}

json_t *stats_spans_json(const struct pst_stats *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < PST_SPAN_MAX; i++)
		json_array_append_new(list, span_json(&s->span[i], &span_rows[i]));
	return list;
}

static void print_histogram(FILE *f, const struct pst_span *span, const struct span_row *row)
{
	__u64 n = 0;

	fprintf(f, "# TYPE postern_%s histogram\n# HELP postern_%s %s.\n", row->family, row->family, row->help);
	for (unsigned i = 0; i < PST_BOUNDS_MAX; i++) {
		n += span->bucket[i];
		fprintf(f, "postern_%s_bucket{le=\"%s\"} %llu\n", row->family, bound_rows[i].le, n);
	}
	n += span->bucket[PST_BOUNDS_MAX];
	fprintf(f, "postern_%s_bucket{le=\"+Inf\"} %llu\n", row->family, n);
	fprintf(f, "postern_%s_sum %llu.%06llu\npostern_%s_count %llu\n", row->family, span->sum_us / US_PER_S, span->sum_us % US_PER_S, row->family, n);
}

void stats_spans_prom(FILE *f, const struct pst_stats *s)
{
	for (unsigned i = 0; i < PST_SPAN_MAX; i++)
		print_histogram(f, &s->span[i], &span_rows[i]);
}
