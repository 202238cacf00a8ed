/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h: what a policy would have made of findings that were written down: the judge without a clock, a map or a
 * network. The same findings in the same order give the same answers, whatever the day.
 *
 * A source that is banned here would not have come: what it did meanwhile is spared, neither judged nor remembered. Where the record was
 * made under longer bans than the policy gives, what the source would have done in between is in no record.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "user/core/ledger.h"
#include "user/core/promote.h"

#define REPLAY_SEED 0x706f737465726eull /* of the ledger's hash: a replay is no target, but it must be the same twice */

struct replay_rules {
	const struct policy *policy;
	const struct triage_rule *test;	 /* TEST_MAX of them: what finds nothing when it is off. NULL = all find */
	const struct promote_rules *promote; /* NULL = prefixes are never banned as a whole */
	const struct pst_prefix *allow;	 /* addresses in them are judged, never banned */
	size_t nallow;
	const struct pst_prefix *never; /* likewise, and with each the whole source it lies in */
	size_t nnever;
};

struct replay {
	struct replay_rules rules;
	struct ledger ledger;
	struct promote *prefixes;
	__u64 now_ns; /* of the latest finding */
};

enum replay_said {
	REPLAY_NOTED,  /* judged, and not enough for a ban */
	REPLAY_BANNED, /* a new ban */
	REPLAY_EXEMPT, /* it would be banned, were it not exempt */
	REPLAY_WOULD,  /* it would be banned, did the policy not observe */
	REPLAY_SPARED, /* it is banned, and would not have come */
	REPLAY_OFF,    /* what finds it is off */
};

/*
 * room: nentries zeroed entries, the caller's; a power of two >= 16. prefixes: zeroed, the caller's too; needed with rules->promote. rules
 * are copied, what they point to must live.
 */
void replay_init(struct replay *r, const struct replay_rules *rules, struct ledger_entry *room, size_t nentries, struct promote *prefixes);
/*
 * f->when_ns is the time; one that lies before the last counts as the last. *v is the verdict of what was judged, else zero; whole->due: the
 * source's prefix is banned with it, whole->until_ns. Of whom mail was accepted is in no record: a replay spares only the allow-listed of a prefix.
 */
enum replay_said replay_finding(struct replay *r, const struct finding *f, struct verdict *v, struct promotion *whole);
/* An operator's word ended the ban of p: the sources in it begin anew, as the judge has it. */
void replay_unban(struct replay *r, const struct pst_prefix *p);

#endif
