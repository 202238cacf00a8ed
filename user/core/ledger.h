/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.h: who has done what. A bounded table of sources with their records and
 * last findings, in memory given by the caller; when it is full the source with the
 * lowest score (then the oldest) among a bounded probe makes room. Pure: no malloc, no clock.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "user/core/addr.h"
#include "user/core/breaker.h"
#include "user/core/judgement.h"
#include "user/core/triage.h"

#define LEDGER_FINDINGS 8

struct ledger_entry {
	struct pst_prefix source; /* prefix_source(); len 0 = free */
	struct record record;
	__u64 first_ns, last_ns; /* see when.h */
	__u64 pass_until_ns[TEST_MAX]; /* tests that the source has passed, 0 = not */
	__u64 sessions, messages; /* opened; accepted by the backend */
	struct breaker_count mail; /* messages accepted of late */
	__u8 nfindings;		  /* kept below, newest first */
	struct finding finding[LEDGER_FINDINGS];
};

struct ledger {
	struct ledger_entry *entry;
	size_t nentries; /* a power of two */
	size_t used;
	__u64 evicted;
	__u64 seed; /* of the hash: strangers choose addresses */
};

/* room: nentries zeroed entries, caller's. nentries must be a power of two >= 16. */
void ledger_init(struct ledger *l, struct ledger_entry *room, size_t nentries, __u64 seed);
/* NULL when unknown. The pointer lives until the next ledger_take() or ledger_forget(). */
struct ledger_entry *ledger_find(struct ledger *l, const struct pst_addr *a);
/* Finds or makes; never NULL; may evict another source. */
struct ledger_entry *ledger_take(struct ledger *l, const struct pst_addr *a,
				 const struct policy *p, __u64 now_ns);
/* An offence erases the pass of its test. */
void ledger_note(struct ledger_entry *e, const struct finding *f);
/* The tests of passes, a bit per enum triage_test, are passed for the life that rule, TEST_MAX of them, gives them. Never shortens a pass. */
void ledger_pass(struct ledger_entry *e, unsigned passes, const struct triage_rule *rule, __u64 now_ns);
/* Nobody has passed this test any more: it is another one now. */
void ledger_unpass(struct ledger *l, enum triage_test test);
/* Those that are remembered, likewise. */
unsigned ledger_passes(const struct ledger_entry *e, __u64 now_ns);
/*
 * Takes over what was kept elsewhere of a source, which may have been heard of since; twice is as once. A pass that is over is none. old
 * is sound, and its moments may be before the machine's start.
 */
void ledger_restore(struct ledger *l, const struct ledger_entry *old, const struct policy *p, __u64 now_ns);
/* Puts a finding of before into its place among the last ones, if there is one; a finding that is there is not put twice. */
void ledger_recall(struct ledger_entry *e, const struct finding *f);
bool ledger_forget(struct ledger *l, const struct pst_addr *a);

#endif
