/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/span.h"

#include "user/core/names.h"

#define NS_PER_US 1000ull

void span_count(struct pst_stats *s, enum pst_span_row row, __u64 ns)
{
	struct pst_span *span = &s->span[row];
	__u64 us = ns / NS_PER_US;
	unsigned i = 0;

	while (i < PST_BOUNDS_MAX && us > bound_rows[i].us)
		i++;
	span->bucket[i]++;
	span->sum_us += us;
}

__u64 span_total(const struct pst_span *s)
{
	__u64 n = 0;

	for (unsigned i = 0; i <= PST_BOUNDS_MAX; i++)
		n += s->bucket[i];
	return n;
}

unsigned span_quantile(const struct pst_span *s, unsigned percent)
{
	__u64 total = span_total(s), wanted = total / 100 * percent + (total % 100 * percent + 99) / 100, n = 0;
	unsigned i = 0;

	while (i < PST_BOUNDS_MAX && (n += s->bucket[i]) < wanted)
		i++;
	return i;
}
