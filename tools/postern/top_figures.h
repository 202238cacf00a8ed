/* SPDX-License-Identifier: BSD-2-Clause */
/* top_figures.h: totals and rates of `postern top`, from the counters of two moments. Without an earlier moment rates are not known: negative. */
#ifndef TOP_FIGURES_H
#define TOP_FIGURES_H

#include "tools/postern/top_sample.h"

/* What is kept of a moment until the next one. */
struct top_past {
	__u64 at_ns; /* 0 = there was none */
	struct pst_stats stats;
	struct top_list list[PST_LISTS_MAX];
	unsigned nlists;
};

struct top_figure {
	char name[48]; /* "dropped banned"; the name of a list */
	__u64 total;
	double per_second;
};

/* The sums of one line: families or parts of them. symbol, name for people and JSON, family, what its labels begin with */
#define TOP_SUMS(X) \
	X(PASSED, "passed", "xdp_packets_total", "verdict=\"passed\"") \
	X(DROPPED, "dropped", "xdp_packets_total", "verdict=\"dropped\"") \
	X(RESET, "reset", "xdp_packets_total", "verdict=\"reset\"") \
	X(REFUSED, "refused", "xdp_packets_total", "verdict=\"refused\"") \
	X(CONNECTIONS, "connections", "connections_total", "") \
	X(MESSAGES, "messages", "messages_total", "result=\"accepted\"") \
	X(RECIPIENTS, "recipients", "recipients_total", "result=\"accepted\"") \
	X(BANS, "bans", "bans_total", "") \
	X(OVER_BUDGET, "over_budget", "xdp_packets_total", "verdict=\"dropped\",reason=\"syn_") \
	X(OVER_RATE, "over_rate", "over_rate_total", "")

enum top_sum {
#define TOP_X(sym, name, family, labels) TOP_##sym,
	TOP_SUMS(TOP_X)
#undef TOP_X
	TOP_SUM_MAX
};

struct top_figures {
	double seconds; /* between the moments; 0 = there is one only */
	struct top_figure sum[TOP_SUM_MAX];
	struct top_figure drop[PST_CNT_MAX]; /* every way in which a packet does not pass, the busiest first */
	unsigned ndrops;
	struct top_figure list[PST_LISTS_MAX]; /* packets that met it, the busiest first */
	unsigned nlists;
	struct top_figure finding[PST_RSN_MAX]; /* the busiest first */
	unsigned nfindings;
};

void top_figures(const struct top_sample *now, const struct top_past *before, struct top_figures *out);
void top_past_keep(const struct top_sample *now, struct top_past *out);

#endif
