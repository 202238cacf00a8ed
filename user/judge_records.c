/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_records.c: what the workers say, each record as hostile as a stranger's bytes. */
#include "user/judge_int.h"

#include <errno.h>

#include "user/core/names.h"
#include "user/log.h"

#define S_NS	    1000000000ull
#define RECORDS_MAX 64		   /* of one worker before the others have their turn */
#define KNOWN_NS    (30 * 86400 * S_NS) /* how long accepted mail speaks for a source */

static enum sess_standing standing_of(const struct judge *j, const struct ledger_entry *e, const struct pst_addr *a, __u64 now)
{
	const struct policy *p = &j->setup->conf->policy;

	if (judge_bans(j, a, now))
		return STANDING_BANNED;
	if (e->messages && now - e->last_ns < KNOWN_NS && judgement_score(p, &e->record, now) < p->threshold / 4)
		return STANDING_KNOWN;
	return STANDING_UNKNOWN;
}

/* Is it close to a ban, with nothing that would stand against one? */
static bool is_for_tarpit(const struct judge *j, const struct ledger_entry *e, const struct pst_addr *a, __u64 now)
{
	const struct conf_tarpit *t = &j->setup->conf->tarpit;
	const struct policy *p = &j->setup->conf->policy;

	return t->sessions && !p->observe && judgement_score(p, &e->record, now) * 100ull >= (__u64)p->threshold * t->from &&
	       !allow_has(j->setup->maps, a) && !never_find(&j->never, &e->source) && judge_mode(j) == PST_MODE_ENFORCE;
}

static void take_opened(struct judge *j, struct judge_channel *c, const struct ipc_record *r)
{
	__u64 now = kern_now_ns();
	struct ledger_entry *e = ledger_take(j->setup->ledger, &r->addr, &j->setup->conf->policy, now);
	struct ipc_record answer = { .tag = IPC_STANDING, .session = r->session, .addr = r->addr };

	answer.standing = standing_of(j, e, &r->addr, now);
	answer.passes = ledger_passes(e, now);
	answer.score = judgement_score(&j->setup->conf->policy, &e->record, now);
	answer.stutter = answer.standing == STANDING_UNKNOWN && is_for_tarpit(j, e, &r->addr, now);
	rates_opened(j, r, answer.standing == STANDING_KNOWN, &answer);
	ipc_send(j->setup->worker_fd[c - j->channel], &answer); /* unanswered = unknown */
	e->sessions++;
	e->last_ns = now;
	c->live++;
	live_hear(&j->live, c - j->channel, r, now);
	ctl_event_session(j->ctl, r, "opened");
}

static void take_message(struct judge *j, const struct ipc_record *r)
{
	__u64 now = kern_now_ns();
	struct ledger_entry *e = ledger_take(j->setup->ledger, &r->addr, &j->setup->conf->policy, now);

	e->messages += r->messages;
	breaker_mail(&j->setup->keep->breaker, &j->setup->conf->breaker, &e->mail, r->messages, now);
	rates_message(j, r);
	judge_grey_took(j, r);
	if (r->messages && standing_of(j, e, &r->addr, now) == STANDING_KNOWN)
		good_put(j->setup->maps, &r->addr, now + KNOWN_NS);
}

static void take_grey(struct judge *j, struct judge_channel *c, const struct ipc_record *r)
{
	__u64 now = kern_now_ns();
	struct ledger_entry *e = ledger_take(j->setup->ledger, &r->addr, &j->setup->conf->policy, now);

	judge_grey_asked(j, c, r, standing_of(j, e, &r->addr, now) == STANDING_KNOWN || allow_has(j->setup->maps, &r->addr));
}

/* A pass of DNS lists lives no longer than their answers, and a worker that drains may have asked other lists. */
static void keep_passes(const struct judge *j, struct ledger_entry *e, const struct ipc_record *r, __u64 now)
{
	unsigned life_s = r->zone.print == j->setup->keep->lists ? r->seconds : 0;
	struct triage_rule own[TEST_MAX];

	memcpy(own, j->setup->conf->test, sizeof(own));
	if (life_s < own[TEST_DNSL].life_s)
		own[TEST_DNSL].life_s = life_s;
	ledger_pass(e, r->passes, own, now);
}

static void take_closed(struct judge *j, struct judge_channel *c, const struct ipc_record *r)
{
	__u64 now = kern_now_ns();
	struct ledger_entry *e = ledger_take(j->setup->ledger, &r->addr, &j->setup->conf->policy, now);

	keep_passes(j, e, r, now);
	e->last_ns = now;
	c->live -= c->live > 0;
	rates_closed(j, r);
	live_close(&j->live, c - j->channel, r->session);
	ctl_event_session(j->ctl, r, "closed");
}

static void take_state(struct judge *j, struct judge_channel *c, const struct ipc_record *r)
{
	live_hear(&j->live, c - j->channel, r, kern_now_ns());
	ctl_event_state(j->ctl, r);
}

/* Unanswered, the session goes on after a while. */
static void take_charge(struct judge *j, struct judge_channel *c, const struct ipc_record *r)
{
	const struct account_rules *rules = &j->setup->conf->accounts;
	struct ipc_record answer = { .tag = IPC_CHARGED, .session = r->session };
	const unsigned n[] = { [QUOTA_MESSAGES] = r->messages, [QUOTA_RCPTS] = r->rcpts };
	const unsigned hourly[] = { [QUOTA_MESSAGES] = rules->messages, [QUOTA_RCPTS] = rules->rcpts };

	if (!quota_take(j->setup->quotas, r->key, n, hourly, kern_now_ns(), &answer.seconds))
		answer.limits = LIMIT_RCPT;
	ipc_send(j->setup->worker_fd[c - j->channel], &answer);
}

/* A record that is missing was lost, or read by a judge that died over it. */
static void take_serial(struct judge *j, struct judge_channel *c, __u32 serial)
{
	__u32 *last = &j->setup->keep->serial[c - j->channel];

	if (serial && *last && serial != *last + 1)
		rates_recount(j);
}

static bool take_record(struct judge *j, struct judge_channel *c, struct ipc_record *r)
{
	take_serial(j, c, r->serial);
	switch (r->tag) {
	case IPC_OPENED:
		take_opened(j, c, r);
		return true;
	case IPC_FINDING:
		judge_find(j, &r->finding);
		rates_finding(j, &r->finding);
		return true;
	case IPC_MESSAGE:
		take_message(j, r);
		return true;
	case IPC_GREY:
		take_grey(j, c, r);
		return true;
	case IPC_CLOSED:
		take_closed(j, c, r);
		return true;
	case IPC_CHARGE:
		take_charge(j, c, r);
		return true;
	case IPC_ZONE:
		judge_figures_zone(c, &r->zone);
		judge_zone_hear(c, &r->zone);
		return true;
	case IPC_BACKEND:
		judge_figures_backend(c, &r->backend);
		judge_backend_hear(c, &r->backend);
		return true;
	case IPC_STATE:
		take_state(j, c, r);
		return true;
	}
	return false; /* not for a worker to say */
}

static void mute(struct judge *j, struct judge_channel *c)
{
	struct judge_msg m = { .tag = JUDGE_BAD_WORKER, .slot = c - j->channel, .pid = c->pid };

	c->muted = true;
	event_del(c->readable);
	log_warnx("worker-hostile pid=%d: hostile record; the worker is ended", c->pid);
	if (judge_send(j->setup->warden_fd, &m))
		log_warnx("warden-deaf: the warden does not listen");
}

void judge_worker_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct judge_channel *c = ctx;
	struct ipc_record r;

	(void)what;
	for (int i = 0; i < RECORDS_MAX; i++) {
		int rc = ipc_recv(fd, &r);

		if (rc == -EAGAIN)
			return;
		if (rc != 1 || !take_record(c->judge, c, &r)) {
			mute(c->judge, c);
			return;
		}
		if (r.serial)
			c->judge->setup->keep->serial[c - c->judge->channel] = r.serial;
	}
}
