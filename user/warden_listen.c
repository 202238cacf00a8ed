/* SPDX-License-Identifier: BSD-2-Clause */
/* warden_listen.c: the sockets that strangers and operators connect to. Workers and judge inherit them, so none of them ever binds. */
#include "user/warden_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/core/addr.h"
#include "user/log.h"

#define BACKLOG	     1024
#define BUSY_TRIES   60 /* a predecessor that was killed lets go within moments */
#define BUSY_WAIT_US 50000

static socklen_t sockaddr_of(const struct conf_listener *l, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (addr_is4(&l->addr)) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(l->port);
		memcpy(&in4->sin_addr, &l->addr.b[12], 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(l->port);
	memcpy(&in6->sin6_addr, l->addr.b, 16);
	return sizeof(*in6);
}

static int bind_patiently(int fd, const void *sa, socklen_t n)
{
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (!bind(fd, sa, n))
			return 0;
		if (errno != EADDRINUSE)
			break;
		usleep(BUSY_WAIT_US);
	}
	return -errno;
}

static const char *bind_hint(int err)
{
	switch (err) {
	case EADDRINUSE:
		return "; is another mail server there?";
	case EADDRNOTAVAIL:
		return "; name an address of this machine";
	case EACCES:
		return "; ports below 1024 take CAP_NET_BIND_SERVICE";
	}
	return "";
}

/*
 * A reload may widen an address or narrow it: the new socket is bound while the old one, on the same port, still listens.
 * Only for that moment: else another program could share the port unnoticed.
 */
static void share_port(const struct serving *s, unsigned port, int yes)
{
	for (size_t i = 0; s && s->listen_fd && i < s->conf->nlisteners; i++)
		if (s->conf->listener[i].port == port)
			setsockopt(s->listen_fd[i], SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
}

/* Bound, and listening if that is wanted; -errno. */
static int listen_one(const struct conf_listener *l, const struct serving *old, bool wanted)
{
	static const struct pst_addr any6;
	struct sockaddr_storage sa;
	socklen_t n = sockaddr_of(l, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1, no = 0, rc;
	int only6 = memcmp(&l->addr, &any6, sizeof(any6)) != 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof(only6));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	share_port(old, l->port, yes);
	rc = bind_patiently(fd, &sa, n);
	if (!rc && wanted && listen(fd, BACKLOG))
		rc = -errno;
	share_port(old, l->port, no);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &no, sizeof(no));
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

/* The descriptor that s has for the same address and port, -1 = none. */
static int listen_find(const struct serving *s, const struct conf_listener *l)
{
	for (size_t i = 0; s && s->listen_fd && i < s->conf->nlisteners; i++) {
		const struct conf_listener *o = &s->conf->listener[i];

		if (o->port == l->port && !memcmp(&o->addr, &l->addr, sizeof(o->addr)))
			return s->listen_fd[i];
	}
	return -1;
}

static bool fd_is_of(const struct serving *s, int fd)
{
	for (size_t i = 0; s && s->listen_fd && i < s->conf->nlisteners; i++)
		if (s->listen_fd[i] == fd)
			return true;
	return false;
}

void listen_release(struct serving *s, const struct serving *keep)
{
	for (size_t i = 0; s->listen_fd && i < s->conf->nlisteners; i++)
		if (s->listen_fd[i] >= 0 && !fd_is_of(keep, s->listen_fd[i]))
			close(s->listen_fd[i]);
	free(s->listen_fd);
	s->listen_fd = NULL;
}

static void say_unbound(const struct conf *c, const struct conf_listener *l, int rc, char *err, size_t errsize)
{
	char addr[ADDR_TEXT_MAX];

	snprintf(err, errsize, "%s:%u: listener \"%s\": cannot bind %s port %u: %s%s", conf_file(c, l->line), conf_line(l->line), l->name, addr_text(&l->addr, addr), l->port,
		 strerror(-rc), bind_hint(-rc));
}

int listen_try(const struct serving *old, const struct conf *c, char *err, size_t errsize)
{
	for (size_t i = 0; i < c->nlisteners; i++) {
		int fd;

		if (listen_find(old, &c->listener[i]) >= 0)
			continue;
		fd = listen_one(&c->listener[i], old, false);
		if (fd < 0) {
			say_unbound(c, &c->listener[i], fd, err, errsize);
			return fd;
		}
		close(fd);
	}
	return 0;
}

int listen_all(const struct serving *old, struct serving *s, char *err, size_t errsize)
{
	const struct conf *c = s->conf;

	s->listen_fd = malloc(c->nlisteners * sizeof(int));
	if (!s->listen_fd)
		return -ENOMEM;
	for (size_t i = 0; i < c->nlisteners; i++)
		s->listen_fd[i] = -1;
	for (size_t i = 0; i < c->nlisteners; i++) {
		const struct conf_listener *l = &c->listener[i];
		int fd = listen_find(old, l);

		if (fd < 0)
			fd = listen_one(l, old, true);
		s->listen_fd[i] = fd;
		if (fd >= 0)
			continue;
		say_unbound(c, l, fd, err, errsize);
		listen_release(s, old);
		return fd;
	}
	return 0;
}

void serving_free(struct serving *s, const struct serving *keep)
{
	serving_tls_free(s);
	listen_release(s, keep);
	config_free(s->conf);
	*s = (struct serving){ 0 };
}

/* Does a process answer on this path? Its warden may be dying: it is given a moment. */
static bool is_answered(const struct sockaddr_un *sa)
{
	for (int i = 0; i < BUSY_TRIES; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

		if (fd < 0)
			return false;
		rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
		close(fd);
		if (rc)
			return false;
		usleep(BUSY_WAIT_US);
	}
	return true;
}

static void make_parent(const char *path)
{
	char dir[108];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = 0;
		mkdir(dir, 0755); /* exists: fine; anything else: bind() says so */
	}
}

/* What a predecessor left. Anything else under that name is somebody's: bind() then says that it is in use. */
static void unlink_socket(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
}

int listen_control(struct warden *w, char *err, size_t errsize)
{
	const struct conf *c = w->now.conf;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	gid_t gid = 0;
	mode_t old;
	int rc = 0;

	if (strlen(c->control_socket) >= sizeof(sa.sun_path)) {
		snprintf(err, errsize, "control_socket: the path is too long; %zu characters at most", sizeof(sa.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(sa.sun_path, c->control_socket, strlen(c->control_socket) + 1);
	memcpy(w->control_path, sa.sun_path, sizeof(w->control_path));
	if (w->handed) {
		w->control_fd = w->handed->control_fd;
		if (strcmp(w->handed->control_path, w->control_path))
			log_warnx("restart-needed setting=control_socket next=\"%s\" now=\"%s\": it takes a restart", w->control_path, w->handed->control_path);
		memcpy(w->control_path, w->handed->control_path, sizeof(w->control_path));
		return 0;
	}
	if (is_answered(&sa)) {
		snprintf(err, errsize, "another posternd runs: it answers on %s; stop it first", sa.sun_path);
		return -EADDRINUSE;
	}
	if (c->control_group)
		config_group(c->control_group, &gid);
	make_parent(sa.sun_path);
	unlink_socket(sa.sun_path);
	w->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	old = umask(0117);
	setfsgid(gid); /* it is the group's from the beginning, and nobody has to give it away */
	if (w->control_fd < 0 || bind(w->control_fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(w->control_fd, 16))
		rc = -errno;
	setfsgid(getegid());
	umask(old);
	if (!rc)
		return 0;
	snprintf(err, errsize, "control_socket %s: %s; name a new path in a folder that exists", sa.sun_path, strerror(-rc));
	if (w->control_fd >= 0)
		close(w->control_fd);
	w->control_fd = -1;
	unlink_socket(sa.sun_path); /* nothing else of that name is ours */
	return rc;
}
