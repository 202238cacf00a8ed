/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden_upgrade.c: another version of this program takes over, in the same process, so whoever supervises it notices as little as the
 * clients. First it rehearses its start in a child: a version that cannot start is never executed. Then it is, with all sockets and children
 * of this one, and while it starts the old workers and the old judge serve on. At last it replaces them as a reload does. Should it fail
 * after all, it calls this one back.
 */
#include "user/warden_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/cage.h"
#include "user/log.h"
#include "user/sock.h"

#define REHEARSAL_S 120 /* then it is ended, and nothing has changed */

void upgrade_prepare(struct warden *w)
{
	ssize_t n = -1;

	w->exe_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (w->handed) { /* the link would name a file that is gone */
		memcpy(w->exe, w->handed->exe, sizeof(w->exe));
		return;
	}
	n = readlink("/proc/self/exe", w->exe, sizeof(w->exe) - 1);
	w->exe[n > 0 ? n : 0] = 0;
}

/* --- what is left ------------------------------------------------------------------- */

static void leave_children(const struct warden *w, struct handover *h)
{
	h->judge.pid = w->judge.pid;
	h->judge.uid = w->judge.uid;
	h->judge.fd = w->judge.fd;
	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		h->worker[i].pid = w->worker[i].pid;
		h->worker[i].uid = w->worker[i].uid;
		h->worker[i].fd = w->worker[i].fd;
		h->worker[i].pair[0] = w->judge_end[i];
		h->worker[i].pair[1] = w->worker_end[i];
		memcpy(h->worker[i].kept, w->worker[i].kept, sizeof(h->worker[i].kept));
	}
}

static void leave(const struct warden *w, struct handover *h)
{
	handover_none(h);
	h->layout = handover_layout();
	memcpy(h->exe, w->exe, sizeof(h->exe));
	h->exe_fd = w->exe_fd;
	h->control_fd = w->control_fd;
	memcpy(h->control_path, w->control_path, sizeof(h->control_path));
	for (size_t i = 0; i < w->now.conf->nlisteners && i < HANDOVER_LISTENERS_MAX; i++)
		h->listen_fd[h->nlisten++] = w->now.listen_fd[i];
	leave_children(w, h);
	for (size_t i = 0; i < ROOM_MAX; i++)
		if (w->room[i].at)
			h->room[i] = w->room[i];
}

/* Returns -errno when it cannot be executed. */
static int execute(const struct warden *w, bool rehearse)
{
	static struct handover h;
	char path[4096];
	char *argv[6];
	size_t n = 0;
	int rc;

	snprintf(path, sizeof(path), "%s", w->path);
	leave(w, &h);
	argv[n++] = h.exe;
	argv[n++] = "-c";
	argv[n++] = path;
	if (rehearse)
		argv[n++] = "--rehearse";
	if (w->debug)
		argv[n++] = "-d";
	argv[n] = NULL;
	rc = cage_warden_passes_on();
	if (!rc)
		rc = handover_exec(&h, argv, false);
	cage_warden(w->now.conf->shared);
	return rc;
}

/* --- rehearsal, and after ------------------------------------------------------------- */

void warden_upgrade(struct warden *w)
{
	pid_t pid;

	if (w->stopping || w->rehearsal)
		return;
	if (w->replacing_judge) {
		w->upgrade_again = true;
		return;
	}
	pid = fork();
	if (pid == 0) {
		alarm(REHEARSAL_S);
		log_warnx("upgrade-refused file=\"%s\": it cannot be executed: %s", w->exe, strerror(-execute(w, true)));
		_exit(1);
	}
	if (pid < 0)
		log_warn("upgrade-refused: no process for its rehearsal");
	else
		w->rehearsal = pid;
}

void upgrade_rehearsed(struct warden *w, int status)
{
	w->rehearsal = 0;
	if (w->stopping)
		return;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		log_warnx("upgrade-refused file=\"%s\": its rehearsal failed; this version goes on", w->exe);
		return;
	}
	if (w->replacing_judge) { /* a reload came in between */
		w->upgrade_again = true;
		return;
	}
	log_info("upgrading file=\"%s\" from=%s", w->exe, POSTERN_VERSION);
	warden_notify_reloading();
	log_warnx("upgrade-refused file=\"%s\": it cannot be executed: %s", w->exe, strerror(-execute(w, false)));
	warden_notify_ready(w, false);
}

/* --- in the new version ----------------------------------------------------------------- */

static bool listener_of(int fd, struct conf_listener *l)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	return !getsockname(fd, (struct sockaddr *)&sa, &n) && sock_read(&sa, &l->addr, &l->port);
}

struct serving *upgrade_sockets(const struct handover *h)
{
	struct serving *s = calloc(1, sizeof(*s));
	struct conf *c = s ? calloc(1, sizeof(*c)) : NULL;

	if (c) {
		c->listener = calloc(h->nlisten + 1, sizeof(*c->listener));
		s->listen_fd = calloc(h->nlisten + 1, sizeof(int));
	}
	if (!c || !c->listener || !s->listen_fd)
		return NULL; /* and no start without memory */
	for (size_t i = 0; i < h->nlisten; i++)
		if (listener_of(h->listen_fd[i], &c->listener[c->nlisteners]))
			s->listen_fd[c->nlisteners++] = h->listen_fd[i];
	s->conf = c;
	return s;
}
