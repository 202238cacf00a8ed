/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/warden.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/cage.h"
#include "user/core/names.h"
#include "user/log.h"
#include "user/refuse.h"
#include "user/warden_int.h"

#define AUDIT_S	    10 /* a bpf_link attach or detach by others makes no netlink message */
#define LINK_WAIT_US 20000 /* changes come in bursts */
#define STOP_S	    10 /* for 421s and the backend's word on messages under way */
#define FILES_SPARE 512

/* systemd's notify protocol: one datagram to a socket named in the environment. */
void warden_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (!n || n >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, n);
	if (*path == '@')
		sa.sun_path[0] = 0; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa, offsetof(struct sockaddr_un, sun_path) + n);
	close(fd);
}

void warden_notify_ready(const struct warden *w, bool refused)
{
	const struct conf *c = w->now.conf;
	char state[PATH_MAX + 160];

	snprintf(state, sizeof(state), "READY=1\nSTATUS=Version %s, %zu listener%s, %u worker%s; %s%s", POSTERN_VERSION, c->nlisteners,
		 c->nlisteners == 1 ? "" : "s", c->workers, c->workers == 1 ? "" : "s", w->path,
		 refused ? " is refused, the configuration before it is in force" : "");
	warden_notify(state);
}

void warden_notify_reloading(void)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu", now.tv_sec * 1000000ull + now.tv_nsec / 1000);
	warden_notify(state);
}

/* A warden whose loop stands still is ended by who started it, if they said so; twice in the time that they give. */
static void pat_watchdog(evutil_socket_t fd, short what, void *ctx)
{
	struct warden *w = ctx;

	(void)fd, (void)what;
	warden_notify("WATCHDOG=1");
	event_add(w->watchdog, &w->watchdog_each);
}

static int watch_the_watchdog(struct warden *w)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long half = usec ? strtoull(usec, NULL, 10) / 2 : 0;

	if (!half || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	w->watchdog_each = (struct timeval){ .tv_sec = (time_t)(half / 1000000), .tv_usec = (suseconds_t)(half % 1000000) };
	w->watchdog = evtimer_new(w->base, pat_watchdog, w);
	if (!w->watchdog)
		return -ENOMEM;
	pat_watchdog(-1, 0, w);
	return 0;
}

/* --- end ------------------------------------------------------------------------ */

static void stop_now(evutil_socket_t fd, short what, void *ctx)
{
	struct warden *w = ctx;

	(void)fd, (void)what;
	log_warnx("stop-forced seconds=%d: not everybody stopped in time; they are ended", STOP_S);
	children_kill(w);
	event_base_loopbreak(w->base);
}

/* Workers first: their last findings are still judged; the store last: it writes what the judge has said. */
static void stop_goes_on(struct warden *w)
{
	struct judge_msg m = { .tag = JUDGE_STOP };

	if (children_alive(w))
		return;
	if (w->judge.pid)
		judge_tell(w, &m);
	else if (w->store_child.pid)
		store_stop(w);
	else
		event_base_loopbreak(w->base);
}

static void stop(struct warden *w)
{
	struct timeval limit = { .tv_sec = STOP_S };

	if (w->stopping) { /* told twice: at once */
		children_kill(w);
		event_base_loopbreak(w->base);
		return;
	}
	w->stopping = true;
	if (w->rehearsal)
		kill(w->rehearsal, SIGKILL);
	warden_notify("STOPPING=1");
	if (w->now.conf->dead_man_s)
		log_info("stopping seconds=%u: bans stay enforced for so long (dead_man), `postern gate unload` ends that", w->now.conf->dead_man_s);
	else
		log_info("stopping: bans stay enforced, `postern gate unload` ends that");
	children_stop(w);
	event_add(w->stop_timer, &limit);
	stop_goes_on(w);
}

/* --- events ------------------------------------------------------------------------ */

static void reap(struct warden *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_died(w, pid, status);
	if (w->stopping)
		stop_goes_on(w);
}

static void signalled(evutil_socket_t fd, short what, void *ctx)
{
	struct signalfd_siginfo s;
	struct warden *w = ctx;

	(void)what;
	while (read(fd, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD)
			reap(w);
		else if (s.ssi_signo == SIGHUP)
			warden_reload(w);
		else if (s.ssi_signo == SIGUSR2)
			warden_upgrade(w);
		else
			stop(w);
	}
}

/* Addresses that are new on this machine are told to the judge; those that went stay safe until the next reload. */
static void refresh_never(struct warden *w)
{
	static struct never_list now; /* large, and used here alone */
	struct judge_msg m = { .tag = JUDGE_NEVER };

	never_collect(w->now.conf, &now);
	for (size_t i = 0; i < now.n; i++) {
		if (!never_add(&w->never, &now.entry[i].prefix, now.entry[i].why))
			continue;
		m.prefix = now.entry[i].prefix;
		snprintf(m.text, sizeof(m.text), "%s", now.entry[i].why);
		judge_tell(w, &m);
	}
}

static void audit(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval next = { .tv_sec = AUDIT_S };
	struct warden *w = ctx;

	(void)fd, (void)what;
	if (gate_is_other(w))
		warden_reload(w);
	else
		gate_audit(w);
	refresh_never(w);
	if (refuse_tick(&w->maps, kern_now_ns()) > 0)
		log_debug("secret-changed: refused dialogues have a new key");
	event_add(w->audit, &next);
}

static void links_readable(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval soon = { .tv_usec = LINK_WAIT_US };
	struct warden *w = ctx;

	(void)fd, (void)what;
	if (links_changed(w->links))
		event_add(w->audit, &soon);
}

static void judge_overdue(evutil_socket_t fd, short what, void *ctx)
{
	struct warden *w = ctx;

	(void)fd, (void)what;
	if (w->judge.pid) {
		log_warnx("judge-killed pid=%d: it does not stop", w->judge.pid);
		child_signal(&w->judge, SIGKILL);
	}
}

/* --- start ------------------------------------------------------------------------------ */

static int watch_signals(struct warden *w)
{
	sigset_t ours;
	int fd;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGUSR2);
	sigaddset(&ours, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &ours, &w->signal_mask))
		return -errno;
	/* What the caller had blocked must not stay so in the children. */
	sigemptyset(&w->signal_mask);
	fd = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	w->signals = event_new(w->base, fd, EV_READ | EV_PERSIST, signalled, w);
	return w->signals && !event_add(w->signals, NULL) ? 0 : -ENOMEM;
}

static int watch_links(struct warden *w)
{
	const struct timeval first = { .tv_sec = AUDIT_S };
	int rc = links_open(&w->links);

	if (rc)
		return rc;
	w->links_readable = event_new(w->base, links_fd(w->links), EV_READ | EV_PERSIST, links_readable, w);
	w->audit = evtimer_new(w->base, audit, w);
	w->stop_timer = evtimer_new(w->base, stop_now, w);
	w->judge_timer = evtimer_new(w->base, judge_overdue, w);
	if (!w->links_readable || !w->audit || !w->stop_timer || !w->judge_timer)
		return -ENOMEM;
	event_add(w->links_readable, NULL);
	event_add(w->audit, &first);
	return 0;
}

/* Every session may hold a client and a backend. Inherited by the workers. */
static void raise_files(const struct conf *c)
{
	rlim_t need = 2ull * c->sessions_max + FILES_SPARE;
	struct rlimit now, more;

	if (getrlimit(RLIMIT_NOFILE, &now))
		return;
	more.rlim_cur = more.rlim_max = now.rlim_max > need ? now.rlim_max : need;
	if (!setrlimit(RLIMIT_NOFILE, &more))
		return;
	now.rlim_cur = now.rlim_max;
	setrlimit(RLIMIT_NOFILE, &now);
	log_warnx("files-limited limit=%llu wanted=%llu sessions=%u: raise LimitNOFILE, or want fewer with limits { sessions }",
		  (unsigned long long)now.rlim_max, (unsigned long long)need, c->sessions_max);
}

static int open_sockets(struct warden *w, const struct serving *left)
{
	char err[512] = "";
	int rc = listen_control(w, err, sizeof(err));

	if (!rc)
		rc = serving_tls(&w->now, err, sizeof(err));
	if (!rc)
		rc = listen_all(left, &w->now, err, sizeof(err));
	if (rc)
		log_warnx("start-failed: %s", *err ? err : strerror(-rc));
	return rc;
}

/* Each step has said what is wrong. */
static int warden_open(struct warden *w, const struct serving *left)
{
	int rc;

	w->base = event_base_new();
	if (!w->base)
		return -ENOMEM;
	raise_files(w->now.conf);
	/* The control socket first: it tells whether another posternd runs here, before its tables are touched. */
	if ((rc = open_sockets(w, left)) || (rc = gate_start(w)))
		return rc;
	never_collect(w->now.conf, &w->never);
	if ((rc = watch_signals(w)) || (rc = watch_links(w)) || (rc = watch_the_watchdog(w)) || (rc = children_open(w)) ||
	    (rc = ledger_open(w, w->now.conf->ledger_entries)) || (rc = quotas_open(w)) || (rc = grey_open(w, &w->now.conf->grey)) ||
	    (rc = store_open(w)))
		log_warnx("start-failed: the warden cannot start: %s", strerror(-rc));
	else
		lists_follow(w);
	return rc;
}

/* What the version before left is taken for good, and its judge and workers give way as after a reload. */
static void take_over(struct warden *w, struct serving *left)
{
	handover_keep(w->handed);
	if (w->handed->failed)
		log_warnx("upgrade-failed file=\"%s\": the new version could not start; this one goes on", w->exe);
	children_inherit(w);
	workers_drain(w);
	replace_children(w);
	listen_release(left, &w->now);
	free(left->conf->listener);
	free(left->conf);
	free(left);
	reap(w); /* who died in between */
}

static int start_failed(struct warden *w)
{
	if (w->control_fd >= 0 && !w->handed)
		unlink(w->control_path);
	return 1;
}

static bool is_warden_too(const char *user)
{
	uid_t uid;
	gid_t gid;

	return !config_user(user, &uid, &gid) && uid == geteuid();
}

/* Root, or another user with the capabilities; whoever it is, judge and workers are others. */
static bool is_able(const struct conf *c)
{
	const char *lacks = cage_warden_lacks(c->shared), *twice = is_warden_too(c->judge_user) ? c->judge_user : is_warden_too(c->worker_user) ? c->worker_user : NULL;

	if (lacks)
		log_warnx("start-failed: posternd lacks %s; start it as root, or as a user with the capabilities that posternd(8) names; judge and workers then run as %s and %s",
			  lacks, c->judge_user, c->worker_user);
	else if (twice)
		log_warnx("start-failed: posternd itself runs as %s; start it as another user than judge_user and worker_user", twice);
	return !lacks && !twice;
}

int warden_rehearse(struct conf *conf, const struct handover *handed)
{
	struct serving next = { .conf = conf }, *left = handed ? upgrade_sockets(handed) : NULL;
	char err[512] = "";
	int rc = is_able(conf) ? serving_tls(&next, err, sizeof(err)) : -EPERM;

	if (!rc)
		rc = listen_try(left, conf, err, sizeof(err));
	if (!rc && (rc = cage_warden(conf->shared)))
		snprintf(err, sizeof(err), "the rights that it needs are not to be had: %s", strerror(-rc));
	if (*err)
		log_warnx("rehearsal-failed version=%s: %s", POSTERN_VERSION, err);
	return rc ? 1 : 0;
}

int warden_run(const char *path, struct conf *conf, bool debug, struct handover *handed)
{
	static struct warden w; /* large; one a process */
	struct serving *left = handed ? upgrade_sockets(handed) : NULL;
	int rc;

	w = (struct warden){ .path = path, .debug = debug, .now.conf = conf, .pin_dir = strdup(conf->pin_dir), .control_fd = -1,
			     .started_ns = kern_now_ns(), .handed = handed };
	if (!is_able(conf) || (handed && !left))
		return 1;
	upgrade_prepare(&w);
	if (warden_open(&w, left))
		return start_failed(&w);
	if (!handed) { /* they may have more rights than the warden keeps, to give them up */
		judge_start(&w);
		store_renew(&w);
		workers_start(&w, conf->workers);
	}
	rc = cage_warden(conf->shared);
	if (rc) {
		log_warnx("start-failed: rights could not be given up: %s", strerror(-rc));
		children_kill(&w);
		return 1;
	}
	if (handed)
		take_over(&w, left);
	log_info("started version=%s file=\"%s\" mode=%s listeners=%zu workers=%u", POSTERN_VERSION, path, mode_name(conf->mode), conf->nlisteners,
		 conf->workers);
	warden_notify_ready(&w, false);
	event_base_dispatch(w.base);
	unlink(w.control_path);
	log_info("stopped");
	return 0;
}
