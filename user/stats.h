/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h: all counters of the product, summed over CPUs and slots, in three
 * outputs made from the same rows. Never iterates a big map.
 */
#ifndef STATS_H
#define STATS_H

#include <stdio.h>

#include "user/kern.h"

/* The last slot has no process: it holds what an older gate has counted (migrate.h). */
#define STATS_CARRY_SLOT (PST_SLOTS_MAX - 1)

/* Sums every CPU and every slot; a part is degraded (core/parts.h) when any says so, or the gate's settings do. 0, or -errno and *out is left alone. */
int stats_read(const struct kern_maps *m, struct pst_stats *out);
/*
 * A process's own slot, mapped writable for as long as it lives; slot < PST_SLOTS_MAX. NULL and
 * errno on failure.
 */
struct pst_stats *stats_map_slot(const struct kern_maps *m, unsigned slot);

/* The process of a slot is no more: what it counted stays, what it said to be so (its gauges) is not. */
void stats_slot_ended(const struct kern_maps *m, unsigned slot);

/* The outputs. named: PST_NAMED_MAX rows (stats_named.h). */

/* For people: one block a family, its total last when it has more than one row. */
void stats_print_text(FILE *f, const struct pst_stats *s, const struct pst_named *named);
/*
 * One line, or indented when pretty: {"schema":1,"counters":[{"name":"xdp_packets_total",
 * "labels":{"verdict":"dropped","reason":"banned"},"value":5}, ...],
 * "histograms":[...]} (stats_spans.h). 0, -ENOMEM or -EIO.
 */
int stats_print_json(FILE *f, const struct pst_stats *s, const struct pst_named *named, bool pretty);
/* OpenMetrics 1.0 text, "# EOF" included; names prefixed postern_. */
void stats_print_prom(FILE *f, const struct pst_stats *s, const struct pst_named *named);
/* The same families in the older text format 0.0.4, where a counter's family has its _total; no "# EOF". */
void stats_print_prom_004(FILE *f, const struct pst_stats *s, const struct pst_named *named);
/* What stands before the rows of a family. OpenMetrics names a counter without the _total of its samples, 0.0.4 with it; what has none is a gauge. */
void stats_prom_head(FILE *f, const char *family, const char *help, bool open);

#endif
