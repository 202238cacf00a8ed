/* SPDX-License-Identifier: BSD-2-Clause */
/* Times in buckets: which one a time falls into, and what many together say, against a list that is sorted. */
#include "unit.h"
#include "rnd.h"

#include <stdlib.h>

#include "user/core/names.h"
#include "user/core/span.h"

#define S_NS 1000000000ull
#define MANY 400

static void bounds_rise_and_say_what_they_are(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PST_BOUNDS_MAX; i++) {
		double seconds = strtod(bound_rows[i].le, NULL);

		assert_true(!i || bound_rows[i].us > bound_rows[i - 1].us);
		assert_int_equal((__u64)(seconds * 1e6 + 0.5), bound_rows[i].us);
		assert_non_null(strchr(bound_rows[i].le, '.'));
	}
}

static void a_time_has_one_bucket(void **state)
{
	static const struct {
		__u64 ns;
		const char *le; /* NULL = longer than the last */
		__u64 sum_us;
	} rows[] = {
		{ 0, "0.001", 0 }, { 999, "0.001", 0 }, { 1000000, "0.001", 1000 }, { 1000999, "0.001", 1000 }, { 1001000, "0.0025", 1001 },
		{ S_NS, "1.0", 1000000 }, { S_NS + 1000, "2.5", 1000001 }, { 1800 * S_NS, "1800.0", 1800000000 }, { 1801 * S_NS, NULL, 1801000000 },
		{ ~0ull, NULL, ~0ull / 1000 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_stats s = { 0 };

		span_count(&s, PST_SPAN_DNSL, rows[i].ns);
		assert_int_equal(s.span[PST_SPAN_DNSL].sum_us, rows[i].sum_us);
		assert_int_equal(span_total(&s.span[PST_SPAN_DNSL]), 1);
		assert_int_equal(span_total(&s.span[PST_SPAN_SESSION]), 0);
		for (unsigned b = 0; b <= PST_BOUNDS_MAX; b++)
			assert_int_equal(s.span[PST_SPAN_DNSL].bucket[b], b < PST_BOUNDS_MAX ? rows[i].le && !strcmp(rows[i].le, bound_rows[b].le) : !rows[i].le);
	}
}

static int by_size(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static unsigned bucket_of(__u64 ns)
{
	unsigned i = 0;

	while (i < PST_BOUNDS_MAX && ns / 1000 > bound_rows[i].us)
		i++;
	return i;
}

/* The n-th smallest of all, counted from 1, where n is that share of them rounded up. */
static void quantiles_are_those_of_a_sorted_list(void **state)
{
	static const unsigned percents[] = { 1, 50, 90, 99, 100 };
	__u64 ns[MANY];

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct pst_stats s = { 0 };
		unsigned n = 1 + rnd() % MANY;

		for (unsigned i = 0; i < n; i++) {
			ns[i] = ((__u64)rnd() << 32 | rnd()) >> (22 + rnd() % 32);
			span_count(&s, PST_SPAN_BACKEND, ns[i]);
		}
		qsort(ns, n, sizeof(*ns), by_size);
		assert_int_equal(span_total(&s.span[PST_SPAN_BACKEND]), n);
		for (size_t p = 0; p < NROWS(percents); p++)
			assert_int_equal(span_quantile(&s.span[PST_SPAN_BACKEND], percents[p]), bucket_of(ns[(n * percents[p] + 99) / 100 - 1]));
	}
}

static void nothing_is_no_trouble(void **state)
{
	struct pst_span none = { 0 }, huge = { .bucket = { 0, 0, ~0ull / 2 } };

	(void)state;
	assert_int_equal(span_quantile(&none, 99), 0);
	assert_int_equal(span_quantile(&huge, 99), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_rise_and_say_what_they_are),
		cmocka_unit_test(a_time_has_one_bucket),
		cmocka_unit_test(quantiles_are_those_of_a_sorted_list),
		cmocka_unit_test(nothing_is_no_trouble),
	};

	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
