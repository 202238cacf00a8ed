/* SPDX-License-Identifier: BSD-2-Clause */
/* history.h: the last hour of a few figures, for the status page. Fixed memory; no clock, no file. */
#ifndef HISTORY_H
#define HISTORY_H

#include "bpf/abi.h"

#define HISTORY_STEP_S 10
#define HISTORY_MAX    360

/*
 * What is plotted: symbol, title, what a figure counts, metric family, a label that its rows must have ("" = all rows).
 * Counters are plotted as events a second, gauges (no _total) as they are.
 */
#define HISTORY_SERIES(X) \
	X(PASSED, "Packets passed", "packets/s", "xdp_packets_total", "verdict=\"passed\"") \
	X(DROPPED, "Packets dropped", "packets/s", "xdp_packets_total", "verdict=\"dropped\"") \
	X(REFUSED, "Packets refused with words", "packets/s", "xdp_packets_total", "verdict=\"refused\"") \
	X(CONNECTIONS, "SMTP connections", "connections/s", "connections_total", "") \
	X(MESSAGES, "Messages accepted", "messages/s", "messages_total", "result=\"accepted\"") \
	X(RECIPIENTS, "Relay attempts refused", "recipients/s", "recipients_total", "result=\"relay_refused\"") \
	X(BANS_MADE, "Bans made", "bans/s", "bans_total", "") \
	X(BANS, "Bans in force", "bans", "ban_table", "state=\"used\"")

enum history_series {
#define HISTORY_X(sym, title, unit, family, label) HISTORY_##sym,
	HISTORY_SERIES(HISTORY_X)
#undef HISTORY_X
	HISTORY_SERIES_MAX
};

struct history_row {
	const char *title, *unit, *family, *label;
};

extern const struct history_row history_rows[HISTORY_SERIES_MAX];

struct history {
	double value[HISTORY_SERIES_MAX][HISTORY_MAX]; /* a ring; next is where the next one goes */
	unsigned n, next;
	unsigned long long last[HISTORY_SERIES_MAX]; /* sums, as of the reading before */
	unsigned long long last_ns;
	int primed; /* there was one */
};

/* One reading, at now_ns. The first one only begins; a clock that stood still adds nothing; a counter that fell began anew. */
void history_add(struct history *h, const struct pst_stats *s, unsigned long long now_ns);
/* The i-th value from the oldest, i < h->n. */
double history_at(const struct history *h, enum history_series series, unsigned i);

#endif
