/* SPDX-License-Identifier: BSD-2-Clause */
/* store_int.h: the store process's state, shared by its files and nobody else. */
#ifndef STORE_INT_H
#define STORE_INT_H

#include "user/store.h"
#include "user/store_db.h"

struct store {
	const struct store_setup *setup;
	struct store_db *db; /* NULL = not open */
	int lock_fd;
	__u64 offset_ns; /* wall clock = CLOCK_MONOTONIC + this */
	__u64 *ledger_seen, *grey_seen; /* a hash of each entry as it is on disk */
	__u64 swept_ns; /* 0 = to be done now */
	size_t bad;
	bool stop;
	bool orphan; /* the warden is gone */
	bool well;   /* something was written since it was opened */
	char why[256]; /* what was last said of a fault; "" = all is well */
};

/* store_scan.c. Each is one transaction, or several where it is long; 0, or -errno after an abort. */
int store_scan_hints(struct store *s);
int store_scan_ledger(struct store *s);
int store_scan_grey(struct store *s);
/* Everything in the store that is nowhere else any more is deleted, and every ban is written that is not there. */
int store_scan_all(struct store *s);
/* What it thought to be on disk may not be. */
void store_scan_forget(struct store *s);
/* Ends a transaction: head, commit, counters. */
int store_scan_commit(struct store *s);

/* store_restore.c: everything to the judge, and waits until it has it. 0; -EINTR: told to stop; or -errno. */
int store_restore(struct store *s);

/* store.c: waits so long; true when it was told to stop. */
bool store_wait(struct store *s, unsigned ms);
void store_count(struct store *s, enum pst_counter c, __u64 n);

#endif
