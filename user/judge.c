/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/judge_int.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/log.h"
#include "user/refuse.h"

#define S_NS	      1000000000ull
#define DRAIN_US      500000 /* for requests on the control socket that are on their way */
#define SWEEP_MIN_S   1
#define BANS_CALM_PERCENT 70
#define SWEEP_SHARE   50 /* a sweep may take one part in this many of the judge's time */

/* --- messages of the warden ------------------------------------------------------ */

int judge_send(int fd, const struct judge_msg *m)
{
	ssize_t n;

	do
		n = send(fd, m, sizeof(*m), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == sizeof(*m) ? 0 : n < 0 ? -errno : -EMSGSIZE;
}

int judge_recv(int fd, struct judge_msg *m)
{
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(fd, &head, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return !n || errno == ECONNRESET ? 0 : -errno;
	m->text[sizeof(m->text) - 1] = 0;
	if (n != sizeof(*m) || head.msg_flags & MSG_TRUNC || !m->tag || m->tag >= JUDGE_TAG_MAX || m->slot >= WORKER_SLOTS)
		return -EBADMSG;
	return 1;
}

/* --- the warden's word ---------------------------------------------------------------- */

/* What a dead worker had sent before it was muted is judged; after, thrown away. */
static void worker_changed(struct judge *j, const struct judge_msg *m)
{
	struct judge_channel *c = &j->channel[m->slot];
	struct ipc_record r;

	while (c->muted && ipc_recv(j->setup->worker_fd[m->slot], &r) != -EAGAIN)
		;
	if (c->muted)
		event_add(c->readable, NULL);
	c->muted = false;
	c->pid = m->pid;
	c->fresh = true;
	c->live = 0;
	live_drop(&j->live, m->slot);
	judge_backend_drop(c);
	judge_zone_drop(c);
	j->setup->keep->serial[m->slot] = 0;
	rates_recount(j);
}

int judge_ask_reload(struct judge *j)
{
	struct judge_msg m = { .tag = JUDGE_RELOAD };
	int rc = j->reloading ? -EBUSY : judge_send(j->setup->warden_fd, &m);

	j->reloading |= !rc;
	return rc;
}

static void finish(struct judge *j)
{
	const struct timeval limit = { .tv_usec = DRAIN_US };

	event_base_loopexit(j->base, &limit);
	ctl_drain(j->ctl);
}

static void take_word(struct judge *j, const struct judge_msg *m)
{
	switch (m->tag) {
	case JUDGE_WORKER:
		worker_changed(j, m);
		break;
	case JUDGE_NEVER:
		never_add(&j->never, &m->prefix, m->text);
		break;
	case JUDGE_NOTE:
		ctl_reload_note(j->ctl, m->text);
		break;
	case JUDGE_RELOADED:
		j->reloading = false;
		ctl_reload_done(j->ctl, m->ok);
		break;
	case JUDGE_STOP:
		finish(j);
		break;
	}
}

static void warden_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct judge *j = ctx;
	struct judge_msg m;
	int rc;

	(void)what;
	while ((rc = judge_recv(fd, &m)) == 1)
		take_word(j, &m);
	if (rc != -EAGAIN)
		event_base_loopbreak(j->base); /* the warden is gone: a new one brings its own judge */
}

/* --- housekeeping ----------------------------------------------------------------------- */

/* Said once on the way up; the way down re-arms it, well below. */
static void watch_room(struct judge *j, size_t live)
{
	size_t room = ban_capacity(j->setup->maps);

	j->setup->stats->counter[PST_CNT_BANS_USED] = live;
	j->setup->stats->counter[PST_CNT_BANS_FREE] = room > live ? room - live : 0;
	if (live * 100 < room * BANS_CALM_PERCENT)
		j->bans_high = false;
	if (j->bans_high || live * 100 < room * BAN_HIGH_PERCENT)
		return;
	j->bans_high = true;
	log_warnx("ban-table-fills bans=%zu room=%zu: when it is full, the automatic ban that ends soonest makes room", live, room);
}

static void watch_sessions(struct judge *j)
{
	__u64 live = 0;

	for (size_t i = 0; i < WORKER_SLOTS; i++)
		live += j->channel[i].live;
	j->setup->stats->counter[PST_CNT_SESSIONS_LIVE] = live;
}

/* Not while it is about to be. */
static void watch_store(struct judge *j)
{
	j->setup->stats->counter[PST_CNT_DEGRADED_STORE] = j->setup->store && j->setup->store->status.state == STORE_FAILED;
}

/* The kernel ends bans by itself; this only returns the room. A large table is swept less often, not longer. */
static void sweep(evutil_socket_t fd, short what, void *ctx)
{
	struct judge *j = ctx;
	__u64 from = kern_now_ns(), took_s;
	size_t live = 0;
	struct ban_patient patient = { .tries = j->setup->conf->amnesty };
	long n = ban_sweep(j->setup->maps, from, &live, &patient);
	struct timeval next = { .tv_sec = SWEEP_MIN_S };

	(void)fd, (void)what;
	if (n > 0) {
		judge_count(j, PST_CNT_BAN_EXPIRED, n);
		log_info("bans-expired bans=%ld", n);
	}
	if (n >= 0)
		watch_room(j, live);
	for (size_t i = 0; i < patient.n; i++)
		judge_amnesty(j, &patient.prefix[i]);
	judge_watch_breaker(j);
	watch_sessions(j);
	watch_store(j);
	ctl_backends_count(j);
	judge_figures_put(j);
	took_s = (kern_now_ns() - from) * SWEEP_SHARE / S_NS;
	next.tv_sec += took_s;
	event_add(j->sweep, &next);
}

static struct pst_rate rate_of(unsigned per_second, unsigned burst)
{
	struct pst_rate r = { .cost_ns = per_second ? S_NS / per_second : 0 };

	r.slack_ns = burst > 1 ? (burst - 1) * r.cost_ns : 0;
	return r;
}

static struct pst_budget budget_of(const struct conf *c, __u64 seed)
{
	struct pst_budget b = { .seed = seed, .observe = c->syn_mode != PST_MODE_ENFORCE };

	if (!seed && getrandom(&b.seed, sizeof(b.seed), GRND_NONBLOCK) != sizeof(b.seed))
		b.seed = kern_now_ns();
	if (c->syn_mode != PST_MODE_OFF) {
		b.source = rate_of(c->syn_source, c->syn_source_burst);
		b.global = rate_of(c->syn_global, c->syn_global_burst);
	}
	return b;
}

int judge_put_conf(const struct kern_maps *maps, const struct conf *c)
{
	struct pst_conf k;
	int rc = gate_conf_get(maps, &k);

	if (rc)
		return rc;
	k.mode = c->mode;
	k.naddrs = c->nguards;
	memset(k.addr, 0, sizeof(k.addr));
	memset(k.port_bits, 0, sizeof(k.port_bits));
	for (size_t i = 0; i < c->nguards; i++)
		k.addr[i] = c->guard[i];
	for (size_t i = 0; i < c->nports; i++)
		k.port_bits[c->port[i] >> 6] |= 1ull << (c->port[i] & 63);
	for (size_t i = 0; i < c->nlisteners; i++)
		k.port_bits[c->listener[i].port >> 6] |= 1ull << (c->listener[i].port & 63);
	k.grace_window_ns = c->grace_window_s * S_NS;
	k.retry_ns = c->amnesty ? c->amnesty_pause_s * S_NS : 0;
	k.budget = budget_of(c, k.budget.seed);
	k.no_allows = !allow_any(maps);
	rc = gate_conf_put(maps, &k);
	return rc ? rc : refuse_put(maps, &c->refuse);
}

static void stop(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	finish(ctx);
}

static struct event *watch(struct judge *j, int fd, short what, event_callback_fn fn, void *ctx)
{
	struct event *e = event_new(j->base, fd, what, fn, ctx);

	return e && !event_add(e, NULL) ? e : NULL;
}

static bool judge_open(struct judge *j)
{
	const struct judge_setup *s = j->setup;
	struct timeval soon = { .tv_sec = SWEEP_MIN_S };

	j->base = event_base_new();
	if (!j->base || live_init(&j->live, (size_t)s->conf->sessions_max * s->conf->workers, s->ledger->seed))
		return false;
	j->ctl = ctl_open(j, s->control_fd);
	j->warden = watch(j, s->warden_fd, EV_READ | EV_PERSIST, warden_readable, j);
	j->sigterm = watch(j, SIGTERM, EV_SIGNAL | EV_PERSIST, stop, j);
	j->sweep = event_new(j->base, -1, 0, sweep, j);
	j->beat = event_new(j->base, -1, EV_PERSIST, judge_beat, j);
	j->kicks = event_new(j->base, -1, 0, judge_kick_some, j);
	if (!judge_store_open(j) || !judge_figures_begin(j))
		return false;
	if (!j->ctl || !j->warden || !j->sigterm || !j->sweep || !j->kicks || !j->beat)
		return false;
	event_add(j->sweep, &soon);
	judge_begin_beating(j);
	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		struct judge_channel *c = &j->channel[i];

		c->judge = j;
		c->pid = s->worker_pid[i];
		c->readable = watch(j, s->worker_fd[i], EV_READ | EV_PERSIST, judge_worker_readable, c);
		if (!c->readable)
			return false;
	}
	return true;
}

/* What the sources have passed was another test. */
static void unpass_other_lists(const struct judge_setup *s)
{
	__u64 print = dnsl_rules_print(&s->conf->dnsl.rules);

	if (s->keep->lists != print)
		ledger_unpass(s->ledger, TEST_DNSL);
	s->keep->lists = print;
}

int judge_run(const struct judge_setup *setup)
{
	struct judge j = { .setup = setup, .never = *setup->never };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* the warden's business */
	signal(SIGHUP, SIG_IGN);
	if (setup->apply_conf && judge_put_conf(setup->maps, setup->conf))
		log_warnx("settings-kept: mode and guarded ports could not be set in the kernel; the old ones stay");
	unpass_other_lists(setup);
	if (!judge_open(&j)) {
		log_warn("judge-failed: the judge cannot start");
		return 1;
	}
	log_debug("judge-runs entries=%zu", setup->ledger->nentries);
	event_base_dispatch(j.base);
	ctl_close(j.ctl);
	live_free(&j.live);
	free(j.figures);
	return 0;
}
