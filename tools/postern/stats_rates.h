/* SPDX-License-Identifier: BSD-2-Clause */
/* stats_rates.h: how fast the counters grow. Nothing is reset: the difference of two moments is divided by the time between them. */
#ifndef STATS_RATES_H
#define STATS_RATES_H

/* Every interval_s seconds, count times (0 = until interrupted). For people a table of what has changed; JSON: a line with every counter. CLI_OK or CLI_FAILED. */
int stats_rates(unsigned interval_s, unsigned long long count);

#endif
