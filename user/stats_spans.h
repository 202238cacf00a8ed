/* SPDX-License-Identifier: BSD-2-Clause */
/* stats_spans.h: the histograms, for the outputs of stats.c. */
#ifndef STATS_SPANS_H
#define STATS_SPANS_H

#include <jansson.h>
#include <stdio.h>

#include "bpf/abi.h"

/* For people: how many, how long on average, and what half, nine of ten and 99 of a hundred do not exceed. */
void stats_spans_text(FILE *f, const struct pst_stats *s);
/*
 * [{"name":"session_duration_seconds","count":3,"sum":1.25,"buckets":[{"le":0.001,"count":0}, ...]}, ...]: seconds; a bucket counts
 * all that took no longer than le, and count those that took longer than the last as well. NULL when memory is out.
 */
json_t *stats_spans_json(const struct pst_stats *s);
/* Histograms of OpenMetrics and of the text format 0.0.4, which write them alike. */
void stats_spans_prom(FILE *f, const struct pst_stats *s);

#endif
