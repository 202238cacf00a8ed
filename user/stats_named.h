/* SPDX-License-Identifier: BSD-2-Clause */
/* stats_named.h: figures of what the configuration names, zones of DNS lists and backends, for the outputs of stats.c. */
#ifndef STATS_NAMED_H
#define STATS_NAMED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "user/kern.h"

/* All rows, PST_NAMED_MAX of them; names end in them whatever the map holds. 0, or -errno. */
int stats_named_read(const struct kern_maps *m, struct pst_named *out);

/* A block for every family that has rows, and a row for every name. */
void stats_named_text(FILE *f, const struct pst_named *rows);
/* Rows as those of the counters, behind them in their list. */
void stats_named_json(json_t *list, const struct pst_named *rows);
/* Every family, those without rows too. open: in OpenMetrics, otherwise in the text format 0.0.4. */
void stats_named_prom(FILE *f, const struct pst_named *rows, bool open);

#endif
