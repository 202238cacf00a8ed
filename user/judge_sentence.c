/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_sentence.c: an offence, and all that follows from it: the source's ban, that of its prefix, or why there is none. */
#include "user/judge_int.h"

#include "user/core/amnesty.h"
#include "user/core/names.h"
#include "user/log.h"

static const char *const by_observe = "ban { observe = yes }", *const by_breaker = "breaker";

static void log_finding(const struct finding *f, unsigned score, unsigned points)
{
	char addr[ADDR_TEXT_MAX], evidence[4 * FINDING_EVIDENCE_MAX + 1];

	str_escape((struct str){ f->evidence, f->nevidence }, evidence, sizeof(evidence));
	log_info("finding session=%016llx addr=%s reason=%s points=%u score=%u evidence=\"%s\"", (unsigned long long)f->session,
		 addr_text(&f->addr, addr), reason_name(f->reason), points, score, evidence);
}

/* Why a source that reached the threshold is not banned; NULL when it is. */
static const char *pardon(const struct judge *j, const struct pst_addr *a, const struct pst_prefix *source)
{
	const struct never *never = never_find(&j->never, source);

	if (allow_has(j->setup->maps, a))
		return "allow";
	return never ? never->why : NULL;
}

/* Said as loudly as a ban, with why there is none. */
static void say_none(struct judge *j, const struct pst_prefix *p, const struct pst_ban *b, const char *why, __u64 session)
{
	judge_log_ban(p, b, why, session, "would-ban");
	ctl_event_ban(j->ctl, p, b, why, session, "would-ban");
}

/* --- the breaker --------------------------------------------------------------- */

void judge_watch_breaker(struct judge *j)
{
	const struct breaker_rules *rules = &j->setup->conf->breaker;
	const struct breaker *b = &j->setup->keep->breaker;
	__u64 now = kern_now_ns();
	bool open = breaker_is_open(b, rules, now);
	unsigned share = breaker_share(b, rules, now);

	j->setup->stats->counter[PST_CNT_BREAKER_OPEN] = j->setup->stats->counter[PST_CNT_DEGRADED_BANS] = open;
	if (open == j->breaker_open)
		return;
	j->breaker_open = open;
	if (open)
		log_warnx("breaker-open share=%u limit=%u sources=%llu seconds=%u: automatic bans would hit too much accepted mail; none is made until "
			  "this is over. See what they were for: postern monitor verdict would-ban", share, rules->share,
			  (unsigned long long)breaker_count(&b->sources, rules, now), rules->pause_s);
	else
		log_info("breaker-closed share=%u", share);
	ctl_event_breaker(j->ctl, open, share);
}

/* Only a new ban can be one too many: a source that is banned already sends nothing. */
static bool breaker_stops(struct judge *j, const struct ledger_entry *e, __u64 now_ns)
{
	if (e->record.banned_until_ns > now_ns ||
	    breaker_ban(&j->setup->keep->breaker, &j->setup->conf->breaker, &e->mail, now_ns) == BREAKER_PASS)
		return false;
	judge_watch_breaker(j);
	return true;
}

/* --- prefixes ------------------------------------------------------------------- */

static const char *pardon_prefix(const struct judge *j, const struct pst_prefix *p, __u64 now_ns)
{
	const struct never *never = never_find(&j->never, p);

	if (breaker_is_open(&j->setup->keep->breaker, &j->setup->conf->breaker, now_ns))
		return by_breaker;
	return never ? never->why : j->setup->conf->policy.observe ? by_observe : NULL;
}

/* One more source of a prefix is banned. Said once for each ban that the prefix would get, whether or not it gets it. */
static void judge_prefix(struct judge *j, const struct finding *f, __u64 now_ns)
{
	const struct policy *policy = &j->setup->conf->policy;
	struct promote *table = &j->setup->keep->promote;
	struct promotion v = promote_note(table, &j->setup->conf->promote, policy, &f->addr, now_ns);
	struct pst_ban b = { .until_ns = v.until_ns, .made_ns = now_ns, .action = policy->action, .reason = PST_RSN_PREFIX,
			     .origin = PST_ORIGIN_AUTOMATIC, .relapse = v.relapse > 255 ? 255 : v.relapse, .score = v.sources,
			     .grace = policy->grace };
	const char *why;

	if (!v.due)
		return;
	why = pardon_prefix(j, &v.prefix, now_ns);
	if (!why && judge_ban(j, &v.prefix, &b, NULL, f->session))
		return;
	promote_done(table, &v);
	judge_count(j, PST_CNT_BAN_PROMOTED, !why);
	judge_count(j, PST_CNT_BAN_REFUSED, why && why != by_observe && why != by_breaker);
	if (why)
		say_none(j, &v.prefix, &b, why, f->session);
}

/* --- sources ---------------------------------------------------------------------- */

/* Judges f and remembers it. *why: what stands against the ban that it would be worth. */
static struct verdict pronounce(struct judge *j, struct ledger_entry *e, const struct finding *f, __u64 now_ns, const char **why)
{
	const struct policy *policy = &j->setup->conf->policy;
	struct verdict v;

	*why = pardon(j, &f->addr, &e->source);
	v = judgement(policy, &e->record, f, *why, now_ns);
	if (v.ban && breaker_stops(j, e, now_ns)) {
		*why = by_breaker;
		v = judgement(policy, &e->record, f, true, now_ns);
	} else if (policy->observe && !*why) {
		*why = by_observe;
	}
	e->record = v.next;
	e->last_ns = now_ns;
	ledger_note(e, f);
	return v;
}

void judge_find(struct judge *j, struct finding *f)
{
	const struct policy *policy = &j->setup->conf->policy;
	__u64 now = kern_now_ns();
	struct ledger_entry *e = ledger_take(j->setup->ledger, &f->addr, policy, now);
	struct pst_prefix source = prefix_source(&f->addr);
	const char *why;
	struct verdict v;
	struct pst_ban b;

	if (f->when_ns > now)
		f->when_ns = now;
	v = pronounce(j, e, f, now, &why);
	log_finding(f, v.score, policy->points[f->reason]);
	ctl_event_finding(j->ctl, f, v.score);
	if (!v.would_ban)
		return;
	b = (struct pst_ban){ .until_ns = v.until_ns, .made_ns = f->when_ns, .action = policy->action, .reason = f->reason,
			      .origin = PST_ORIGIN_AUTOMATIC, .relapse = v.relapse > 255 ? 255 : v.relapse,
			      .score = v.score < PST_SCORE_MAX ? v.score : PST_SCORE_MAX, .grace = policy->grace };
	if (v.ban) {
		judge_ban(j, &source, &b, NULL, f->session);
	} else {
		judge_count(j, PST_CNT_BAN_REFUSED, why != by_observe && why != by_breaker);
		judge_count(j, PST_CNT_BAN_BREAKER, why == by_breaker);
		say_none(j, &source, &b, why, f->session);
	}
	if ((v.ban || why == by_observe) && !f->life_s) /* what is true of a source for a time says nothing of its neighbours */
		judge_prefix(j, f, now);
}

/* --- amnesty ---------------------------------------------------------------------- */

void judge_amnesty(struct judge *j, const struct pst_prefix *p)
{
	struct pst_ban b;
	bool evicted;

	if (ban_get(j->setup->maps, p, &b, NULL) || !amnesty_due(p, &b, j->setup->conf->amnesty, kern_now_ns()))
		return;
	b.action = PST_ACT_REFUSE;
	if (ban_put(j->setup->maps, p, &b, NULL, false, &evicted))
		return; /* the next sweep finds it again */
	judge_count(j, PST_CNT_BAN_AMNESTY, 1);
	judge_log_ban(p, &b, NULL, 0, "amnesty");
	ctl_event_ban(j->ctl, p, &b, NULL, 0, "amnesty");
}
