/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_share.h: what judge and store have in common: shared memory of the warden's, that outlives both. The judge never waits for the
 * store: it leaves hints and goes on. What the store read from disk waits here until the judge takes it, and lies here until
 * it has: who is killed meanwhile loses nothing. One writer and one reader for each of the two queues.
 */
#ifndef STORE_SHARE_H
#define STORE_SHARE_H

#include "user/core/saved.h"

#define STORE_HINTS 8192
#define STORE_ROWS  4096

/* symbol, word. OFF: not wanted. */
#define STORE_STATES(X) X(OFF, "off") X(OPENING, "opening") X(RESTORING, "restoring") X(UP, "up") X(FAILED, "failed")

enum store_state {
#define STORE_X(sym, name) STORE_##sym,
	STORE_STATES(STORE_X)
#undef STORE_X
	STORE_STATE_MAX
};

/* Written by the store, read by the judge for an operator. Seconds are CLOCK_MONOTONIC's nanoseconds. */
struct store_status {
	__u32 state;
	__u32 compactions; /* done */
	__u64 since_ns;	   /* of the state */
	__u64 commit_ns;   /* the last one; 0 = none yet */
	__u64 commit_took_ns;
	__u64 records;	   /* in the store, when it was last looked at */
	__u64 bytes, bytes_max;
	__u64 bad;	   /* records that could not be read */
	__u64 restored[SAVED_KIND_MAX];
	__u64 restore_took_ns;
	__u64 offset_ns;   /* wall clock less CLOCK_MONOTONIC, as the store has it; 0 = not known yet */
	char why[256];	   /* of FAILED: what is wrong, and what helps */
	char aside[256];   /* where an unreadable store was put; "" = none was */
};

struct store_share {
	struct store_status status;
	/* judge -> store: prefixes whose ban was written or deleted. */
	__u64 hints_put, hints_taken;
	__u32 sweep;	 /* raised by whoever knows that more has changed than hints tell: everything is compared */
	__u32 compact;	 /* raised by an operator's wish */
	/* store -> judge: records of before. */
	__u64 rows_put, rows_taken;
	__u32 restored; /* 1 = all that was kept has been taken over, or there was nothing: memory is the truth from now on */
	__u32 zero;
	struct pst_prefix hint[STORE_HINTS];
	struct saved row[STORE_ROWS];
};

/* The judge's: false when there is no room; then everything is compared, soon. */
bool store_hint(struct store_share *s, const struct pst_prefix *p);
void store_want_sweep(struct store_share *s);
/* The next row, NULL = none now. It is taken with store_rows_taken(), when it is dealt with. */
const struct saved *store_row_at(const struct store_share *s, unsigned ahead);
void store_rows_taken(struct store_share *s, unsigned n);
bool store_is_restored(const struct store_share *s);

/* The store's: as above. A copy, for what is shared is written meanwhile. */
bool store_hint_at(const struct store_share *s, unsigned ahead, struct pst_prefix *out);
void store_hints_taken(struct store_share *s, unsigned n);
/* False when there is no room now. */
bool store_row_put(struct store_share *s, const struct saved *r);
bool store_rows_are_taken(const struct store_share *s);

/* Bytes of a record that are of its kind. */
size_t store_row_bytes(const struct saved *r);

#endif
