/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judge_rates.c: ceilings over all workers. What the workers say is counted for the source, its prefix and all together; who is over
 * a ceiling is told to the workers once and for how long, so nothing has to be taken back.
 */
#include "user/judge_int.h"

#include "user/log.h"

#define S_NS 1000000000ull

struct arrival { /* one record, as it is counted */
	const struct pst_addr *addr;
	__u64 session, now_ns;
};

static bool is_exempt(const struct judge *j, const struct pst_addr *a)
{
	const struct conf *c = j->setup->conf;

	for (size_t i = 0; i < c->nbalancers; i++)
		if (prefix_covers(&c->balancer[i], a))
			return true;
	return allow_has(j->setup->maps, a);
}

static bool is_on(const struct judge *j, const struct pst_addr *a)
{
	return j->setup->conf->rates.mode != PST_MODE_OFF && !is_exempt(j, a);
}

static void note_fresh(struct judge *j, struct crowd_entry *e, enum crowd_scope scope, unsigned fresh, const struct arrival *a)
{
	const struct crowd_rules *rules = &j->setup->conf->rates;
	char text[PREFIX_TEXT_MAX];

	for (unsigned k = 0; k < CROWD_MAX; k++) {
		__u64 count = crowd_now(e, rules, k, a->now_ns);

		if (!(fresh >> k & 1))
			continue;
		judge_count(j, crowd_counter(k), 1);
		log_info("limit prefix=%s what=%s count=%llu ceiling=%u session=%016llx", e->who.len ? prefix_text(&e->who, text) : "all", crowd_name(k),
			 (unsigned long long)count, rules->max[scope][k], (unsigned long long)a->session);
		ctl_event_limit(j->ctl, &e->who, k, count, rules->max[scope][k], a->session);
	}
}

static unsigned seconds_until(__u64 until_ns, __u64 now_ns)
{
	return until_ns > now_ns ? (unsigned)((until_ns - now_ns + S_NS - 1) / S_NS) : 0;
}

/* To the sessions that live; those that begin are told by the answer. One that has no room for it now hears it with the next. */
static void tell_workers(struct judge *j, struct crowd_entry *e, const struct crowd_word *w, __u64 now_ns)
{
	struct ipc_record r = { .tag = IPC_LIMIT, .prefix = e->who, .limits = w->limits & ~LIMIT_SESSIONS,
				.seconds = seconds_until(w->until_ns, now_ns) };

	if (!r.limits || (!w->fresh && w->until_ns <= e->told_ns))
		return;
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		if (j->channel[i].pid && !j->channel[i].muted)
			ipc_send(j->setup->worker_fd[i], &r);
	e->told_ns = w->until_ns;
}

/* What of e is over now: said once, and to be refused if that is wanted. */
static struct crowd_word look(struct judge *j, struct crowd_entry *e, enum crowd_scope scope, const struct arrival *a)
{
	const struct crowd_rules *rules = &j->setup->conf->rates;
	struct crowd_word w = crowd_judge(e, rules, scope, a->now_ns);

	if (!w.kinds)
		return w;
	note_fresh(j, e, scope, w.fresh, a);
	if (rules->mode != PST_MODE_ENFORCE || judge_mode(j) != PST_MODE_ENFORCE)
		return (struct crowd_word){ 0 };
	tell_workers(j, e, &w, a->now_ns);
	return w;
}

/*
 * Who goes on connecting while told that it is too much offends: once in an eighth of the window, so that a moment's
 * crossing costs little and only hammering leads to a ban.
 */
static bool repeats(struct crowd_entry *e, const struct crowd_rules *r, __u64 now_ns)
{
	__u64 slot_ns = crowd_slot_ns(r, CROWD_CONNECTIONS), past_ns = now_ns - e->accused_ns;

	if (e->accused_ns && past_ns < slot_ns)
		return false;
	e->accused_ns = now_ns;
	return past_ns < 2 * slot_ns;
}

static void accuse(struct judge *j, const struct arrival *a)
{
	static const char evidence[] = "connections";
	struct finding f = { .session = a->session, .when_ns = a->now_ns, .addr = *a->addr, .reason = PST_RSN_RATE, .nevidence = sizeof(evidence) - 1 };

	memcpy(f.evidence, evidence, f.nevidence);
	j->setup->stats->found[PST_RSN_RATE]++;
	judge_find(j, &f);
}

/* It does not hear: until it is below its ceiling again it need not be told. Whose mail is accepted is told all the same. */
static void hold(struct judge *j, const struct arrival *a, __u64 until_ns)
{
	struct pst_prefix source = prefix_source(a->addr);
	char text[PREFIX_TEXT_MAX];

	if (never_find(&j->never, &source) || source_hold(j->setup->maps, a->addr, until_ns))
		return;
	judge_count(j, PST_CNT_RATE_HELD, 1);
	log_info("held prefix=%s seconds=%u session=%016llx", prefix_text(&source, text), seconds_until(until_ns, a->now_ns),
		 (unsigned long long)a->session);
}

void rates_opened(struct judge *j, const struct ipc_record *r, bool known, struct ipc_record *answer)
{
	const struct crowd_rules *rules = &j->setup->conf->rates;
	struct arrival a = { &r->addr, r->session, kern_now_ns() };
	__u64 over_ns = 0;
	bool again = false;

	if (!is_on(j, &r->addr))
		return;
	for (unsigned scope = 0; scope < CROWD_SCOPES; scope++) {
		struct crowd_entry *e = crowd_take(&j->setup->keep->crowd, &r->addr, scope, a.now_ns);
		struct crowd_word w;

		crowd_count(e, rules, CROWD_CONNECTIONS, a.now_ns, 1);
		e->sessions++;
		w = look(j, e, scope, &a);
		if (scope == CROWD_SOURCE && w.kinds >> CROWD_CONNECTIONS & 1) {
			again = repeats(e, rules, a.now_ns);
			over_ns = w.until_ns;
		}
		if (!w.limits || (known && scope != CROWD_SOURCE))
			continue;
		answer->limits |= w.limits;
		if (answer->seconds < seconds_until(w.until_ns, a.now_ns))
			answer->seconds = seconds_until(w.until_ns, a.now_ns);
	}
	if (again && !known && over_ns > a.now_ns)
		hold(j, &a, over_ns);
	if (again)
		accuse(j, &a);
}

static void count_all(struct judge *j, const struct arrival *a, enum crowd_kind kind, __u32 n)
{
	for (unsigned scope = 0; n && scope < CROWD_SCOPES; scope++) {
		struct crowd_entry *e = crowd_take(&j->setup->keep->crowd, a->addr, scope, a->now_ns);

		crowd_count(e, &j->setup->conf->rates, kind, a->now_ns, n);
		look(j, e, scope, a);
	}
}

void rates_message(struct judge *j, const struct ipc_record *r)
{
	struct arrival a = { &r->addr, r->session, kern_now_ns() };

	if (!is_on(j, &r->addr))
		return;
	count_all(j, &a, CROWD_MESSAGES, r->messages);
	count_all(j, &a, CROWD_RCPTS, r->rcpts);
}

void rates_finding(struct judge *j, const struct finding *f)
{
	struct arrival a = { &f->addr, f->session, kern_now_ns() };

	if ((f->reason != PST_RSN_AUTH && f->reason != PST_RSN_HARVEST) || !is_on(j, &f->addr))
		return;
	if (f->reason == PST_RSN_HARVEST) {
		count_all(j, &a, CROWD_UNKNOWN, 1);
		return;
	}
	count_all(j, &a, CROWD_AUTH, 1);
	count_all(j, &a, CROWD_AUTH_LONG, 1);
}

void rates_closed(struct judge *j, const struct ipc_record *r)
{
	for (unsigned scope = 0; scope < CROWD_SCOPES; scope++) {
		struct crowd_entry *e = crowd_find(&j->setup->keep->crowd, &r->addr, scope);

		if (e && e->sessions)
			e->sessions--;
	}
}

static bool count_session(void *ctx, const struct live_session *s)
{
	struct judge *j = ctx;

	for (unsigned scope = 0; scope < CROWD_SCOPES; scope++) {
		struct crowd_entry *e = crowd_find(&j->setup->keep->crowd, &s->addr, scope);

		if (e)
			e->sessions++;
	}
	return true;
}

void rates_recount(struct judge *j)
{
	static const struct pst_prefix all = { .len = 0 };

	crowd_recount(&j->setup->keep->crowd);
	live_each(&j->live, &all, kern_now_ns(), count_session, j);
}
