/* SPDX-License-Identifier: BSD-2-Clause */
/* span.h: times by how long they were: counting one, and what many say together. Buckets and sums are integers. */
#ifndef SPAN_H
#define SPAN_H

#include "bpf/abi.h"

/* Counts one that took so long; part of a microsecond is dropped. */
void span_count(struct pst_stats *s, enum pst_span_row row, __u64 ns);
/* How many there are. */
__u64 span_total(const struct pst_span *s);
/*
 * The bucket that holds the time which so many in a hundred do not exceed: an index of bound_rows, or PST_BOUNDS_MAX when that
 * time is over the last bound. 0 when there are none. percent: 1 to 100.
 */
unsigned span_quantile(const struct pst_span *s, unsigned percent);

#endif
