/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden_child.c: judge and workers: started, told, restarted. The warden keeps both ends of every
 * channel between them, so each can be replaced without the other noticing.
 */
#include "user/warden_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/cage.h"
#include "user/ipc.h"
#include "user/log.h"
#include "user/stats.h"
#include "user/store.h"
#include "user/worker.h"

#define S_NS		 1000000000ull
#define QUICK_DEATH_NS	 (10 * S_NS)
#define MS_NS		 1000000ull
#define DRAINED_MS	 1000
#define BACKOFF_FIRST_MS 100 /* doubles with every death that follows quickly */
#define BACKOFF_MAX_MS	 10000

static int channel(int out[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out) ? -errno : 0;
}

/* --- start ---------------------------------------------------------------------------- */

static struct timeval backoff(const struct child *c)
{
	unsigned doublings = c->quick_deaths ? c->quick_deaths - 1 : 0;
	unsigned ms = doublings > 7 ? BACKOFF_MAX_MS : BACKOFF_FIRST_MS << doublings;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

static void restart_later(struct child *c)
{
	struct timeval wait = backoff(c);

	event_add(c->restart, &wait);
}

void leave_warden(struct warden *w)
{
	sigset_t mask = w->signal_mask;

	sigaddset(&mask, SIGUSR2); /* until a worker watches for it: it must not be lost, and by default it ends a process */
	sigprocmask(SIG_SETMASK, &mask, NULL);
	signal(SIGHUP, SIG_IGN); /* until the role installs its own */
	signal(SIGINT, SIG_IGN);
	log_counts(NULL);
	munmap((void *)((unsigned long)w->stats & ~(PST_SLOT_BYTES - 1ul)), PST_SLOT_BYTES);
}

static int caged(const char *role, int (*cage)(uid_t, gid_t), const char *user, const struct warden *w, const int *keep, size_t n)
{
	uid_t uid;
	gid_t gid;
	int rc = config_user(user, &uid, &gid); /* while the files that know names can be read */

	if (!rc)
		rc = cage_fds(keep, n);
	log_init(role, w->now.conf->log_to, w->now.conf->log_format == LOG_IS_JSON, w->debug);
	if (!rc)
		rc = cage(uid, gid);
	if (rc)
		log_warnx("start-failed: cannot give up its rights and ends: %s", strerror(-rc));
	return rc;
}

/* By its settings, does anything need the names of clients? */
static bool needs_names(const struct conf *c)
{
	static const enum triage_test tests[] = { TEST_HELO_OTHER, TEST_NO_RDNS, TEST_RDNS_OTHER };
	bool needs = c->relay.named || c->dns.names || (c->grey.mode != GREY_OFF && c->grey.by_name);

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		needs |= c->test[tests[i]].mode != TRIAGE_OFF;
	return needs;
}

static int worker_child(struct warden *w, struct child *c, int warden_fd)
{
	const struct serving *s = &w->now;
	struct worker_setup setup = { .conf = s->conf, .listen_fd = s->listen_fd, .tls = s->tls, .backend_tls = s->backend_tls, .judge_fd = w->worker_end[c->slot],
				      .warden_fd = warden_fd, .index = c->slot };
	int keep[2 + s->conf->nlisteners];
	size_t n = 0;

	bool named = needs_names(s->conf);
	bool lists = s->conf->dnsl.rules.nrules && s->conf->test[TEST_DNSL].mode != TRIAGE_OFF;
	const char *why;

	leave_warden(w);
	munmap(w->quotas, sizeof(*w->quotas));
	munmap(w->keep, w->keep_bytes);
	munmap(w->ledger, w->ledger_bytes); /* strangers' bytes and the ledger never share a process */
	if (w->grey)
		munmap(w->grey, w->grey_bytes);
	if (w->store)
		munmap(w->store, sizeof(*w->store));
	setup.stats = stats_map_slot(&w->maps, WORKER_SLOT + c->slot);
	log_counts(setup.stats);
	keep[n++] = warden_fd;
	keep[n++] = setup.judge_fd;
	for (size_t i = 0; i < s->conf->nlisteners; i++)
		keep[n++] = s->listen_fd[i];
	if (named) { /* while /etc/resolv.conf can be read */
		setup.names = resolve_open(&s->conf->dns, &why);
		if (!setup.names)
			log_warnx("names-off slot=%u: clients have no names: %s", c->slot, why);
	}
	if (lists) {
		setup.lists = zones_open(s->conf, &why);
		if (!setup.lists)
			log_warnx("dns-lists-off slot=%u: no DNS list is asked: %s", c->slot, why);
	}
	if (setup.stats) {
		setup.stats->counter[PST_CNT_DEGRADED_NAMES] = named && !setup.names;
		setup.stats->counter[PST_CNT_DEGRADED_DNSL] = lists && !setup.lists;
	}
	if (!setup.stats || caged("worker", named || lists ? cage_worker_names : cage_worker, s->conf->worker_user, w, keep, n))
		return 1;
	return worker_run(&setup);
}

static int judge_child(struct warden *w, int warden_fd)
{
	struct judge_setup setup = { .conf = w->now.conf, .maps = &w->maps, .ledger = w->ledger, .quotas = w->quotas, .keep = w->keep, .grey = w->grey,
				     .store = w->now.conf->store.enabled ? w->store : NULL, .never = &w->never, .control_fd = w->control_fd,
				     .warden_fd = warden_fd, .started_ns = w->started_ns, .apply_conf = w->apply_conf };
	int keep[3 + WORKER_SLOTS + sizeof(struct kern_maps) / sizeof(int)];
	size_t n = 0;

	leave_warden(w);
	serving_tls_free(&w->now); /* keys are the workers' */
	setup.stats = stats_map_slot(&w->maps, JUDGE_SLOT);
	log_counts(setup.stats);
	keep[n++] = warden_fd;
	keep[n++] = w->control_fd;
	keep[n++] = w->life[1];
	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		keep[n++] = setup.worker_fd[i] = w->judge_end[i];
		setup.worker_pid[i] = w->worker[i].pid;
	}
#define KEEP_MAP(name) keep[n++] = w->maps.name;
	KERN_MAPS(KEEP_MAP)
#undef KEEP_MAP
	if (!setup.stats || caged("judge", cage_judge, w->now.conf->judge_user, w, keep, n))
		return 1;
	return judge_run(&setup);
}

static int child_run(struct warden *w, struct child *c, int fd)
{
	if (c == &w->judge)
		return judge_child(w, fd);
	return c == &w->store_child ? store_child(w, fd) : worker_child(w, c, fd);
}

static int child_user(const struct warden *w, const struct child *c, uid_t *uid)
{
	bool worker = c != &w->judge && c != &w->store_child;
	gid_t gid;

	return config_user(worker ? w->now.conf->worker_user : w->now.conf->judge_user, uid, &gid);
}

int child_start(struct warden *w, struct child *c)
{
	int pair[2], rc = child_user(w, c, &c->uid);
	pid_t pid;

	if (!rc)
		rc = channel(pair);
	if (rc)
		return rc;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(child_run(w, c, pair[1]));
	}
	close(pair[1]);
	if (pid < 0) {
		rc = -errno;
		close(pair[0]);
		return rc;
	}
	c->pid = pid;
	c->fd = pair[0];
	c->wanted = true;
	c->draining = c->told_stop = c->inherited = false;
	c->started_ns = kern_now_ns();
	return 0;
}

void judge_tell(struct warden *w, const struct judge_msg *m)
{
	if (w->judge.pid && !w->replacing_judge && judge_send(w->judge.fd, m))
		log_debug("judge-deaf tag=%u", m->tag);
}

static void tell_worker(struct warden *w, const struct child *c)
{
	struct judge_msg m = { .tag = JUDGE_WORKER, .slot = c->slot, .pid = c->pid };

	judge_tell(w, &m);
}

static void worker_kill(struct warden *w, const struct judge_msg *m)
{
	struct child *c = &w->worker[m->slot];

	if (c->pid && c->pid == m->pid)
		child_signal(c, SIGKILL);
}

static void hear_judge(evutil_socket_t fd, short what, void *ctx)
{
	struct warden *w = ctx;
	struct judge_msg m;
	int rc;

	(void)what;
	while ((rc = judge_recv(fd, &m)) == 1) {
		if (m.tag == JUDGE_RELOAD)
			warden_reload(w);
		else if (m.tag == JUDGE_BAD_WORKER)
			worker_kill(w, &m);
		if (w->judge.fd != fd)
			return;
	}
	if (rc == -EAGAIN)
		return;
	event_del(w->judge_readable); /* its death is reaped as such */
	if (rc == -EBADMSG && w->judge.pid) {
		log_warnx("judge-hostile: hostile message from the judge; it is ended");
		child_signal(&w->judge, SIGKILL);
	}
}

static void tell_children(struct warden *w)
{
	unsigned accept = 0;

	for (size_t i = 0; i < WORKER_SLOTS; i++)
		accept += w->worker[i].pid && !w->worker[i].draining;
	w->stats->counter[PST_CNT_DEGRADED_JUDGE] = !w->judge.pid;
	w->stats->counter[PST_CNT_DEGRADED_WORKERS] = accept < w->now.conf->workers;
}

void judge_start(struct warden *w)
{
	int rc = child_start(w, &w->judge);

	if (rc) {
		log_warnx("judge-failed: the judge cannot be started: %s", strerror(-rc));
		w->judge.quick_deaths++;
		restart_later(&w->judge);
		return;
	}
	if (w->judge_readable)
		event_free(w->judge_readable);
	w->judge_readable = event_new(w->base, w->judge.fd, EV_READ | EV_PERSIST, hear_judge, w);
	if (w->judge_readable)
		event_add(w->judge_readable, NULL);
	w->apply_conf = false;
	tell_children(w);
	log_info("judge-started pid=%d", w->judge.pid);
}

static void worker_start(struct warden *w, struct child *c, bool replacement)
{
	int rc = child_start(w, c);

	if (rc) {
		log_warnx("worker-failed: a worker cannot be started: %s", strerror(-rc));
		c->wanted = true;
		c->quick_deaths++;
		restart_later(c);
		return;
	}
	warden_count(w, replacement ? PST_CNT_WORKER_RESTARTED : PST_CNT_WORKER_STARTED);
	tell_worker(w, c);
	tell_children(w);
	log_info("worker-started pid=%d slot=%u", c->pid, c->slot);
}

static void restart(evutil_socket_t fd, short what, void *ctx)
{
	struct child *c = ctx;
	struct warden *w = c->warden;

	(void)fd, (void)what;
	if (w->stopping || c->pid || !c->wanted)
		return;
	if (c == &w->judge)
		judge_start(w);
	else if (c == &w->store_child)
		store_start(w);
	else
		worker_start(w, c, true);
}

static struct child *free_slot(struct warden *w)
{
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		if (!w->worker[i].pid && !w->worker[i].wanted)
			return &w->worker[i];
	return NULL;
}

/* When reloads come faster than old sessions end, the oldest drained worker makes room. */
static void make_room(struct warden *w)
{
	const struct ipc_record stop = { .tag = IPC_STOP };
	struct child *oldest = NULL;

	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		struct child *c = &w->worker[i];

		if (c->draining && !c->told_stop && (!oldest || c->started_ns < oldest->started_ns))
			oldest = c;
	}
	if (!oldest)
		return;
	log_warnx("worker-stopped pid=%d: all slots are taken, and it was to end anyway", oldest->pid);
	oldest->told_stop = true;
	ipc_send(oldest->fd, &stop);
}

void workers_start(struct warden *w, unsigned n)
{
	w->missing = 0;
	while (n--) {
		struct child *c = free_slot(w);

		if (c) {
			worker_start(w, c, false);
			continue;
		}
		w->missing++; /* child_died() goes on when a slot is free */
		make_room(w);
	}
}

/* A worker that accepts no more closes its half of the channel, or dies. One that hangs is not waited for long. */
static void wait_for_drained(const struct warden *w)
{
	__u64 until_ms = kern_now_ns() / MS_NS + DRAINED_MS;

	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		struct pollfd channel = { .fd = w->worker[i].fd, .events = POLLRDHUP };
		__u64 now_ms = kern_now_ns() / MS_NS;

		if (w->worker[i].pid && w->worker[i].draining)
			poll(&channel, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0);
	}
}

void workers_drain(struct warden *w)
{
	struct ipc_record drain = { .tag = IPC_DRAIN };

	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		struct child *c = &w->worker[i];

		c->wanted = false;
		if (c->pid && c->inherited)
			child_signal(c, SIGUSR2); /* whatever records its version has: the same as IPC_DRAIN */
		else if (c->pid && !c->draining && ipc_send(c->fd, &drain))
			log_warnx("worker-deaf pid=%d: it does not listen", c->pid);
		c->draining |= c->pid != 0;
	}
	wait_for_drained(w);
}

/* --- end --------------------------------------------------------------------------------- */

static struct child *child_of(struct warden *w, pid_t pid)
{
	if (w->judge.pid == pid)
		return &w->judge;
	if (w->store_child.pid == pid)
		return &w->store_child;
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		if (w->worker[i].pid == pid)
			return &w->worker[i];
	return NULL;
}

static void log_death(const struct warden *w, const struct child *c, int status)
{
	const char *role = c == &w->judge ? "judge" : c == &w->store_child ? "store" : "worker";

	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == STORE_AGAIN))
		log_info("child-ended role=%s pid=%d", role, c->pid);
	else if (WIFSIGNALED(status))
		log_warnx("child-died role=%s pid=%d signal=%d: %s", role, c->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_warnx("child-failed role=%s pid=%d status=%d", role, c->pid, WEXITSTATUS(status));
}

void child_died(struct warden *w, pid_t pid, int status)
{
	struct child *c = child_of(w, pid);

	if (pid == w->rehearsal)
		upgrade_rehearsed(w, status);
	if (!c)
		return;
	log_death(w, c, status);
	if (c == &w->judge && w->judge_readable)
		event_del(w->judge_readable);
	close(c->fd);
	c->fd = -1;
	c->pid = 0;
	c->draining = c->inherited = false;
	for (int i = 0; i < 2; i++)
		if (c->kept[i] >= 0)
			close(c->kept[i]);
	c->kept[0] = c->kept[1] = -1;
	if (c != &w->judge && c != &w->store_child) {
		stats_slot_ended(&w->maps, WORKER_SLOT + c->slot);
		tell_worker(w, c);
	}
	c->quick_deaths = kern_now_ns() - c->started_ns < QUICK_DEATH_NS ? c->quick_deaths + 1 : 0;
	if (c == &w->store_child && store_died(w, status))
		c->quick_deaths = 0;
	tell_children(w);
	if (w->stopping)
		return;
	if (c == &w->judge && w->replacing_judge)
		judge_replace(w);
	else if (c->wanted)
		restart_later(c);
	else if (w->missing)
		workers_start(w, w->missing);
}

unsigned children_alive(const struct warden *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < WORKER_SLOTS; i++)
		n += w->worker[i].pid != 0;
	return n;
}

void children_stop(struct warden *w)
{
	struct ipc_record stop = { .tag = IPC_STOP };

	for (size_t i = 0; i < WORKER_SLOTS; i++)
		if (w->worker[i].pid)
			ipc_send(w->worker[i].fd, &stop);
}

void children_kill(struct warden *w)
{
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		child_signal(&w->worker[i], SIGKILL);
	child_signal(&w->judge, SIGKILL);
	child_signal(&w->store_child, SIGKILL);
}

/*
 * The channel of a slot: where a worker of the version before has it still, it goes on being used if both versions speak alike. If not, that
 * worker keeps it, and nobody listens: what it has to say in its last sessions is lost, the sessions are not.
 */
static int take_channel(struct warden *w, struct child *c, int pair[2])
{
	const struct handover_child *left = w->handed ? &w->handed->worker[c->slot] : NULL;

	if (!left || left->pair[0] < 0)
		return channel(pair);
	memcpy(c->kept, left->kept, sizeof(c->kept));
	if (w->handed->layout == handover_layout()) {
		memcpy(pair, left->pair, sizeof(left->pair));
		return 0;
	}
	if (left->pid && c->kept[0] < 0)
		memcpy(c->kept, left->pair, sizeof(c->kept));
	return channel(pair);
}

int children_open(struct warden *w)
{
	for (size_t i = 0; i < WORKER_SLOTS + 2; i++) {
		struct child *c = i < WORKER_SLOTS ? &w->worker[i] : i == WORKER_SLOTS ? &w->judge : &w->store_child;
		int pair[2], rc;

		c->warden = w;
		c->slot = i % WORKER_SLOTS;
		c->fd = c->kept[0] = c->kept[1] = -1;
		c->restart = evtimer_new(w->base, restart, c);
		if (!c->restart)
			return -ENOMEM;
		if (i >= WORKER_SLOTS)
			continue;
		rc = take_channel(w, c, pair);
		if (rc)
			return rc;
		w->judge_end[i] = pair[0];
		w->worker_end[i] = pair[1];
	}
	return 0;
}

static void inherit(struct child *c, const struct handover_child *left)
{
	if (!left->pid)
		return;
	c->pid = left->pid;
	c->uid = left->uid;
	c->fd = left->fd;
	c->inherited = true;
	c->started_ns = kern_now_ns();
}

void children_inherit(struct warden *w)
{
	inherit(&w->judge, &w->handed->judge);
	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		const struct handover_child *left = &w->handed->worker[i];

		inherit(&w->worker[i], left);
		for (int end = 0; end < 2; end++)
			if (left->pair[end] >= 0 && left->pair[end] != w->worker[i].kept[end] && w->handed->layout != handover_layout())
				close(left->pair[end]); /* nobody has it */
	}
}
