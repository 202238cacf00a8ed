/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.h: the rows of bpf/abi.h as text. Every name that a user sees for a
 * counter, reason, action, origin or mode comes from here.
 */
#ifndef NAMES_H
#define NAMES_H

#include "bpf/abi.h"
#include "user/core/str.h"

struct counter_row {
	const char *symbol; /* "PASS_CLEAN" */
	const char *family; /* "xdp_packets_total" */
	const char *labels; /* "verdict=\"passed\",reason=\"clean\"", or "" */
	const char *help;   /* of the family; only its first row has one */
};

struct span_row {
	const char *family; /* "session_duration_seconds" */
	const char *help;
};

/* A figure of everything that the configuration names alike. */
struct figure_row {
	const char *label;    /* "zone", "backend" */
	unsigned first, last; /* of pst_named: [first, last) */
	unsigned place;	      /* in figure[] */
	const char *family;   /* "backend_up" */
	const char *help;
};

#define FIGURES_MAX ((unsigned)PST_ZONE_FIGURES_MAX + (unsigned)PST_BACKEND_FIGURES_MAX)

struct bound_row {
	__u64 us;
	const char *le; /* seconds, as OpenMetrics writes them */
};

struct reason_row {
	const char *name;
	unsigned code; /* 0 = the backend's own reply stands */
	const char *enhanced;
	const char *text;
	unsigned points;
	bool final;
	const char *why;
};

extern const struct counter_row counter_rows[PST_CNT_MAX];
extern const struct reason_row reason_rows[PST_RSN_MAX];
extern const struct span_row span_rows[PST_SPAN_MAX];
extern const struct figure_row figure_rows[FIGURES_MAX];
extern const struct bound_row bound_rows[PST_BOUNDS_MAX]; /* from the shortest */

/*
 * The nth counter as they are printed: rows of a family together, families as they first appear. The rows themselves stand in
 * the order in which they came to be, which is ABI. n < PST_CNT_MAX.
 */
unsigned counter_nth(unsigned n);

/* "?" for a number without a row: pins may come from a newer version. */
const char *reason_name(unsigned reason);
const char *action_name(unsigned action);
const char *origin_name(unsigned origin);
const char *mode_name(unsigned mode);
const char *scope_name(unsigned scope);
/* How strict an action is: observe < refuse < banner < reset < drop. An unknown one ranks as drop, which the gate does then. */
unsigned action_rank(unsigned action);
/* -1 when there is no such name. */
int action_by_name(struct str name);
int mode_by_name(struct str name);
int reason_by_name(struct str name);
int scope_by_name(struct str name);

/*
 * Durations: "90s", "10m", "1h", "7d", "2w", "forever" (~0), and sums with the larger unit
 * first: "1h30m".
 * A bare number is refused: units are always written. So is more than DURATION_MAX_S, which keeps
 * "now + duration" in nanoseconds far from overflow. False leaves *seconds alone.
 */
#define DURATION_MAX_S (100ull * 365 * 24 * 3600)
bool duration_parse(struct str text, unsigned long long *seconds);
/*
 * Exact, larger unit first, days the largest: 3600 -> "1h", 90 -> "1m30s", 0 -> "0s",
 * ~0 -> "forever". Returns out.
 */
const char *duration_text(unsigned long long seconds, char out[32]);

#endif
