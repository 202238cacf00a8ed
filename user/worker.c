/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "user/conn.h"
#include "user/ipc.h"
#include "user/log.h"
#include "user/sock.h"

#define ACCEPTS_PER_TURN 2 /* more, and a burst would be one worker's while the others sleep */
#define RECORDS_PER_TURN 256
#define FDS_OWN		 64 /* the loop's, the listeners', the log's, and room for farewells to backends */
#define FDS_LOOKED_AT	 1024 /* for those that are open at the beginning */
#define MINUTE_S	 60
#define SECOND_S	 1
#define PAUSE_S		 1 /* between tries to accept when descriptors or memory are out */
#define STOP_S		 60 /* then whatever is left is cut off */

#define BUSY_WORKER "421 4.3.2 Too busy, try again later\r\n"
#define BUSY_LISTENER "421 4.3.2 Too busy here, try again later\r\n"

struct worker;

struct listener {
	struct worker *w;
	unsigned index;
	struct event *event; /* NULL = closed */
};

struct worker {
	const struct worker_setup *setup;
	struct conns conns;
	struct listener *listener;
	struct event *judge, *warden, *term, *drain, *minute, *second, *resume, *cut;
	unsigned sessions_max;
	unsigned files_max, files_own; /* descriptors: how many it may have, and those of no session */
	__u64 next_id;
	unsigned long long unsaid; /* as last logged */
	bool ending, cut_off;
};

/* --- accepting -------------------------------------------------------------- */

/* Too early for a session: one line, as far as it goes, and gone. */
static void turn_away(struct worker *w, int fd, const char *line)
{
	ssize_t n = send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)n; /* a client that has no room for one line does without it */
	shutdown(fd, SHUT_WR);
	close(fd);
	w->conns.stats->counter[PST_CNT_CONN_BUSY]++;
}

/* Under stress from so many sessions on; over when a quarter of them are gone, so that it does not flutter. */
static void watch_stress(struct worker *w)
{
	size_t at = (size_t)w->sessions_max * w->setup->conf->stress, used = w->conns.roster.used * 100;
	bool stress = at && used >= (w->conns.stress ? at - at / 4 : at);

	if (stress == w->conns.stress)
		return;
	w->conns.stress = stress;
	if (stress)
		log_warnx("stress sessions=%zu: the greet pause is shorter, and the greylist's mode stress enforces", w->conns.roster.used);
	else
		log_info("stress-over sessions=%zu", w->conns.roster.used);
}

static void welcome(struct listener *l, int fd, const struct sockaddr_storage *from)
{
	struct worker *w = l->w;
	const struct conf *conf = w->setup->conf;
	struct pst_addr addr;
	unsigned short port;

	watch_stress(w);
	if (!sock_read(from, &addr, &port))
		close(fd);
	else if (w->conns.roster.used >= w->sessions_max)
		turn_away(w, fd, BUSY_WORKER);
	else if (conf->listener[l->index].sessions_max && w->conns.live[l->index] >= conf->listener[l->index].sessions_max)
		turn_away(w, fd, BUSY_LISTENER);
	else if (conf->sessions_per_source && !conn_is_balancers(conf, l->index, &addr) &&
		 roster_has(&w->conns.roster, &addr, conf->sessions_per_source))
		turn_away(w, fd, CONN_BUSY_SOURCE);
	else if (!conn_open(&w->conns, fd, l->index, w->next_id++, &addr, port))
		turn_away(w, fd, BUSY_WORKER);
}

static void listen_all(struct worker *w, bool on)
{
	for (size_t i = 0; i < w->setup->conf->nlisteners; i++) {
		if (!w->listener[i].event)
			continue;
		if (on)
			event_add(w->listener[i].event, NULL);
		else
			event_del(w->listener[i].event);
	}
}

/* Level-triggered and full: without a pause the loop would spin on what it cannot take. */
static void pause_accepting(struct worker *w)
{
	struct timeval tv = { .tv_sec = PAUSE_S };

	log_warn("accept-paused seconds=%u", PAUSE_S);
	listen_all(w, false);
	event_add(w->resume, &tv);
}

static void on_resume(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	listen_all(ctx, true);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *ctx)
{
	struct listener *l = ctx;

	(void)what;
	for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t n = sizeof(from);
		int fd = accept4(listen_fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(l, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(l->w);
		else if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)
			continue;
		return;
	}
}

static void close_listeners(struct worker *w)
{
	for (size_t i = 0; i < w->setup->conf->nlisteners; i++) {
		struct listener *l = &w->listener[i];

		if (!l->event)
			continue;
		event_free(l->event);
		l->event = NULL;
		close(w->setup->listen_fd[i]);
	}
	event_del(w->resume);
}

/* --- ending ----------------------------------------------------------------- */

static void on_emptied(struct conns *cs)
{
	struct worker *w = (struct worker *)((char *)cs - offsetof(struct worker, conns));

	if (w->ending)
		event_base_loopexit(cs->base, NULL);
}

static void drain(struct worker *w)
{
	close_listeners(w);
	shutdown(w->setup->warden_fd, SHUT_WR); /* so the warden knows: IPC_DRAIN */
	w->ending = true;
	if (!w->conns.roster.used)
		event_base_loopexit(w->conns.base, NULL);
}

static void stop(struct worker *w)
{
	struct timeval tv = { .tv_sec = STOP_S };

	drain(w);
	conn_stop_all(&w->conns);
	if (!evtimer_pending(w->cut, NULL))
		evtimer_add(w->cut, &tv);
}

static void on_cut(evutil_socket_t fd, short what, void *ctx)
{
	struct worker *w = ctx;

	(void)fd, (void)what;
	log_warnx("sessions-cut sessions=%zu seconds=%u: they did not end in time", w->conns.roster.used, STOP_S);
	w->cut_off = true;
	event_base_loopbreak(w->conns.base);
}

static void on_term(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	stop(ctx);
}

/* As IPC_DRAIN, from a warden of another version. */
static void on_drain(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	drain(ctx);
}

/* --- the judge and the warden ----------------------------------------------- */

/* Without a judge nobody would be banned: the warden starts a worker that has one. */
static void lose_judge(struct worker *w, const char *why)
{
	log_warnx("judge-lost: %s; stopping", why);
	event_del(w->judge);
	w->conns.judge_fd = -1;
	stop(w);
}

static struct sess_word word_of(const struct ipc_record *r)
{
	return (struct sess_word){ (enum sess_standing)r->standing, r->passes, r->limits, r->seconds, r->score, r->stutter };
}

static bool obey_judge(struct worker *w, const struct ipc_record *r)
{
	struct sess_word word = word_of(r);

	switch (r->tag) {
	case IPC_STANDING:
		conn_standing(&w->conns, r->session, &word);
		return true;
	case IPC_GREYED:
		conn_greyed(&w->conns, r->session, r->key, (enum sess_grey)r->grey, r->seconds);
		return true;
	case IPC_KICK:
		if (r->session)
			conn_kick_one(&w->conns, r->session);
		else
			conn_kick(&w->conns, &r->prefix, r->standing == STANDING_BANNED);
		return true;
	case IPC_CHARGED:
		conn_charged(&w->conns, r->session, r->limits & LIMIT_RCPT);
		return true;
	case IPC_LIMIT:
		conn_limit(&w->conns, &r->prefix, &word);
		return true;
	default:
		return false;
	}
}

static void on_judge(evutil_socket_t fd, short what, void *ctx)
{
	struct worker *w = ctx;
	struct ipc_record r;
	int got = 1;

	(void)what;
	for (unsigned i = 0; i < RECORDS_PER_TURN && got == 1; i++) {
		got = ipc_recv(fd, &r);
		if (got == 1 && !obey_judge(w, &r))
			got = -EBADMSG;
	}
	if (got == 0)
		lose_judge(w, "gone");
	else if (got == -EBADMSG)
		lose_judge(w, "said what it never says");
	else if (got < 0 && got != -EAGAIN)
		lose_judge(w, strerror(-got));
}

static void on_warden(evutil_socket_t fd, short what, void *ctx)
{
	struct worker *w = ctx;
	struct ipc_record r;
	int got = ipc_recv(fd, &r);

	(void)what;
	if (got == 1 && r.tag == IPC_DRAIN) {
		drain(w);
	} else if (got == 1 && r.tag == IPC_STOP) {
		stop(w);
	} else if (got != -EAGAIN) {
		log_warnx("warden-lost: %s; stopping", got == 0 ? "gone" : got == 1 ? "said what it never says" : strerror(-got));
		event_del(w->warden);
		stop(w);
	}
}

/* --- once a minute ---------------------------------------------------------- */

static void on_minute(evutil_socket_t fd, short what, void *ctx)
{
	struct worker *w = ctx;
	struct timeval tv = { .tv_sec = MINUTE_S };

	(void)fd, (void)what;
	event_add(w->minute, &tv);
	if (w->conns.unsaid != w->unsaid)
		log_warnx("judge-slow records=%llu: it was too slow for them", w->conns.unsaid - w->unsaid);
	w->unsaid = w->conns.unsaid;
}

static void tell_gauges(struct worker *w)
{
	__u64 used = w->files_own + w->conns.roster.used + backends_links(&w->conns.backs);
	__u64 *counter = w->conns.stats->counter;

	counter[PST_CNT_FILES_USED] = used;
	counter[PST_CNT_FILES_FREE] = w->files_max > used ? w->files_max - used : 0;
	counter[PST_CNT_WORKERS_STRESSED] = w->conns.stress;
}

static void on_second(evutil_socket_t fd, short what, void *ctx)
{
	struct timeval tv = { .tv_sec = SECOND_S };
	struct worker *w = ctx;

	(void)fd, (void)what;
	event_add(w->second, &tv);
	watch_stress(w);
	tell_gauges(w);
	conn_judge_states(&w->conns);
	backends_tell(&w->conns.backs, w->conns.judge_fd);
	if (w->conns.lists)
		zones_tell(w->conns.lists, w->conns.judge_fd);
}

/* --- beginning -------------------------------------------------------------- */

/* A session needs its own descriptor and one for its backend: no more sessions than there are. */
static unsigned sessions_for(const struct worker_setup *setup)
{
	rlim_t want = 2 * (rlim_t)setup->conf->sessions_max + FDS_OWN;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return setup->conf->sessions_max;
	if (rl.rlim_cur < want) {
		rl.rlim_cur = want < rl.rlim_max ? want : rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
		getrlimit(RLIMIT_NOFILE, &rl);
	}
	if (rl.rlim_cur >= want)
		return setup->conf->sessions_max;
	log_warnx("files-limited sessions=%u limit=%llu enough=%llu: raise the limit of open files",
		  setup->conf->sessions_max, (unsigned long long)rl.rlim_cur,
		  (unsigned long long)(rl.rlim_cur > FDS_OWN ? (rl.rlim_cur - FDS_OWN) / 2 : 1));
	return rl.rlim_cur > FDS_OWN ? (unsigned)((rl.rlim_cur - FDS_OWN) / 2) : 1;
}

/* Before there is a session. Descriptors are given out from the lowest on. */
static void count_files(struct worker *w)
{
	struct rlimit rl = { .rlim_cur = 0 };

	getrlimit(RLIMIT_NOFILE, &rl);
	w->files_max = rl.rlim_cur < UINT_MAX ? (unsigned)rl.rlim_cur : UINT_MAX;
	for (int fd = 0; fd < FDS_LOOKED_AT; fd++)
		w->files_own += fcntl(fd, F_GETFD) >= 0;
}

/* Unique over workers, restarts and time: 8 bits of worker, then seconds, then a count that may run into them. */
static __u64 first_id(unsigned index)
{
	return ((__u64)(index & 0xff) << 56) | ((__u64)time(NULL) & 0xffffffff) << 24;
}

static bool add_listeners(struct worker *w)
{
	const struct worker_setup *s = w->setup;

	w->listener = calloc(s->conf->nlisteners + 1, sizeof(*w->listener));
	if (!w->listener)
		return false;
	for (unsigned i = 0; i < s->conf->nlisteners; i++) {
		struct listener *l = &w->listener[i];

		l->w = w;
		l->index = i;
		l->event = event_new(w->conns.base, s->listen_fd[i], EV_READ | EV_PERSIST, on_accept, l);
		if (!l->event)
			return false;
	}
	return true;
}

static bool add_events(struct worker *w)
{
	struct event_base *base = w->conns.base;
	struct timeval minute = { .tv_sec = MINUTE_S }, second = { .tv_sec = SECOND_S };
	sigset_t drain_only;

	w->judge = event_new(base, w->setup->judge_fd, EV_READ | EV_PERSIST, on_judge, w);
	w->warden = event_new(base, w->setup->warden_fd, EV_READ | EV_PERSIST, on_warden, w);
	w->term = evsignal_new(base, SIGTERM, on_term, w);
	w->drain = evsignal_new(base, SIGUSR2, on_drain, w);
	w->minute = evtimer_new(base, on_minute, w);
	w->second = evtimer_new(base, on_second, w);
	w->resume = evtimer_new(base, on_resume, w);
	w->cut = evtimer_new(base, on_cut, w);
	if (!w->judge || !w->warden || !w->term || !w->drain || !w->minute || !w->second || !w->resume || !w->cut || !add_listeners(w))
		return false;
	event_add(w->judge, NULL);
	event_add(w->warden, NULL);
	event_add(w->term, NULL);
	event_add(w->drain, NULL);
	sigemptyset(&drain_only);
	sigaddset(&drain_only, SIGUSR2);
	sigprocmask(SIG_UNBLOCK, &drain_only, NULL); /* it may have been waiting since the fork */
	event_add(w->minute, &minute);
	event_add(w->second, &second);
	listen_all(w, true);
	return true;
}

static void on_named(void *ctx, const struct pst_addr *addr, struct str name, enum sess_lack lack)
{
	conn_named(ctx, addr, name, lack);
}

static void on_led(void *ctx, const struct pst_addr *addr, struct str name, bool leads, bool unsure)
{
	conn_led(ctx, addr, name, leads, unsure);
}

static void on_listed(void *ctx, const struct pst_addr *addr, const struct dnsl_verdict *v)
{
	conn_listed(ctx, addr, v);
}

static void on_zone(void *ctx, const struct dnsl_zone *zone, unsigned state, unsigned why)
{
	(void)ctx;
	if (state == DNSL_STATE_DOWN)
		log_warnx("dns-list-down zone=%s: %s; it is not asked", zone->name, dnsl_why_text(why));
	else if (why)
		log_info("dns-list-up zone=%s: for IPv4 alone: %s", zone->name, dnsl_why_text(why));
	else
		log_info("dns-list-up zone=%s", zone->name);
}

/* Names and DNS lists. */
static int begin_asking(struct worker *w, __u64 seed)
{
	struct conns *cs = &w->conns;
	static const struct resolve_calls calls = { on_named, on_led };
	int rc = cs->names ? resolve_start(cs->names, cs->base, seed, &calls, cs) : 0;

	return rc || !cs->lists ? rc : zones_start(cs->lists, cs->base, seed, cs->stats, on_listed, on_zone, cs);
}

static int begin(struct worker *w, const struct worker_setup *setup)
{
	__u64 seed = 0;

	w->setup = setup;
	w->sessions_max = sessions_for(setup);
	w->next_id = first_id(setup->index);
	w->conns.conf = setup->conf;
	w->conns.tls = setup->tls;
	w->conns.stats = setup->stats;
	w->conns.judge_fd = setup->judge_fd;
	w->conns.emptied = on_emptied;
	w->conns.names = setup->names;
	w->conns.lists = setup->lists;
	w->conns.lists_print = dnsl_rules_print(&setup->conf->dnsl.rules);
	w->conns.base = event_base_new();
	if (!w->conns.base)
		return -errno;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	w->conns.live = calloc(setup->conf->nlisteners + 1, sizeof(*w->conns.live));
	if (!w->conns.live)
		return -ENOMEM;
	backends_init(&w->conns.backs, w->conns.base, setup->conf, setup->backend_tls, setup->stats);
	if (roster_init(&w->conns.roster, w->sessions_max, seed) || !add_events(w))
		return -ENOMEM;
	return begin_asking(w, seed);
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

static void finish(struct worker *w)
{
	if (w->listener)
		close_listeners(w);
	conn_free_all(&w->conns);
	backends_free(&w->conns.backs);
	resolve_free(w->conns.names);
	zones_free(w->conns.lists);
	free_event(w->judge);
	free_event(w->warden);
	free_event(w->term);
	free_event(w->drain);
	free_event(w->minute);
	free_event(w->second);
	free_event(w->resume);
	free_event(w->cut);
	roster_free(&w->conns.roster);
	free(w->listener);
	free(w->conns.live);
	if (w->conns.base)
		event_base_free(w->conns.base);
	close(w->setup->judge_fd);
	close(w->setup->warden_fd);
}

int worker_run(const struct worker_setup *setup)
{
	struct worker w;
	int err;

	memset(&w, 0, sizeof(w));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	err = begin(&w, setup);
	count_files(&w);
	if (err)
		log_warnx("worker-failed slot=%u: it cannot start: %s", setup->index, strerror(-err));
	else
		err = event_base_dispatch(w.conns.base) < 0 ? -EIO : 0;
	finish(&w);
	return err || w.cut_off ? 1 : 0;
}
