/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/follow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOST_S 5 /* a path that cannot be watched is tried again */

/* One for all: a folder may be watched for itself and for a file in it, and the kernel keeps one mask. */
#define SIGNS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

struct followed {
	LIST_ENTRY(followed) entry;
	size_t which;
	char *parent, *name; /* of the path */
	char *path;
	int parent_wd, folder_wd; /* -1 = not watched; folder_wd stays so for a file */
	bool any;	/* the path is a symbolic link: any change beside it may change what it leads to */
	bool lost;	/* to be tried again */
	bool changed;	/* to be told */
};

struct follow {
	LIST_HEAD(, followed) all;
	int fd;
	struct event *readable, *quiet, *retry;
	unsigned waited_ms;
	void (*tell)(void *ctx, size_t which);
	void *ctx;
};

static void sign(struct follow *f, struct followed *e)
{
	const struct timeval quiet = { .tv_usec = FOLLOW_QUIET_MS * 1000 };

	e->changed = true;
	if (f->waited_ms < FOLLOW_WAIT_MS)
		event_add(f->quiet, &quiet);
	f->waited_ms += FOLLOW_QUIET_MS;
}

static void lose(struct follow *f, struct followed *e)
{
	const struct timeval later = { .tv_sec = LOST_S };

	e->lost = true;
	if (!evtimer_pending(f->retry, NULL))
		event_add(f->retry, &later);
}

/* Watches what there is to watch. Whether that is all. */
static bool watch(struct follow *f, struct followed *e)
{
	struct stat st;

	e->parent_wd = inotify_add_watch(f->fd, e->parent, SIGNS | IN_ONLYDIR);
	e->folder_wd = -1;
	e->any = !lstat(e->path, &st) && S_ISLNK(st.st_mode);
	if (stat(e->path, &st)) /* a file will be seen when it comes; a folder, too */
		return e->parent_wd >= 0;
	if (S_ISDIR(st.st_mode))
		e->folder_wd = inotify_add_watch(f->fd, e->path, SIGNS | IN_ONLYDIR);
	return e->parent_wd >= 0 && (!S_ISDIR(st.st_mode) || e->folder_wd >= 0);
}

/* Something new that nobody is still writing: a link. A plain file says so itself when it is whole. */
static bool is_whole(const char *folder, const char *name)
{
	char path[4096];
	struct stat st;

	if (strlen(folder) + strlen(name) + 2 > sizeof(path))
		return false;
	stpcpy(stpcpy(stpcpy(path, folder), "/"), name);
	return !lstat(path, &st) && (!S_ISREG(st.st_mode) || st.st_nlink > 1);
}

static bool in_folder(const struct followed *e, const struct inotify_event *ev)
{
	size_t n = strlen(ev->name);

	if (!n || ev->name[0] == '.' || ev->name[n - 1] == '~') /* no part of a list, see listfile.h */
		return false;
	return !(ev->mask & IN_CREATE) || is_whole(e->path, ev->name);
}

static bool in_parent(const struct followed *e, const struct inotify_event *ev)
{
	if (!e->any && strcmp(ev->name, e->name))
		return false;
	if (ev->mask & (IN_DELETE | IN_MOVED_FROM)) /* what follows in its place is told of */
		return false;
	return !(ev->mask & IN_CREATE) || is_whole(e->parent, ev->name);
}

static void take_event(struct follow *f, struct followed *e, const struct inotify_event *ev)
{
	bool parent = ev->wd == e->parent_wd, folder = ev->wd == e->folder_wd;

	if (ev->mask & IN_Q_OVERFLOW) {
		sign(f, e);
		return;
	}
	if (!parent && !folder)
		return;
	if (ev->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) {
		lose(f, e);
	} else if (ev->len && ((parent && in_parent(e, ev)) || (folder && in_folder(e, ev)))) {
		if (parent && !watch(f, e)) /* another thing of that name */
			lose(f, e);
		sign(f, e);
	}
}

static void readable(evutil_socket_t fd, short what, void *ctx)
{
	_Alignas(struct inotify_event) char buf[16384];
	struct follow *f = ctx;
	struct followed *e;
	ssize_t n;

	(void)what;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *at = buf; at < buf + n; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len)
			LIST_FOREACH(e, &f->all, entry)
				take_event(f, e, (struct inotify_event *)at);
}

static void quiet(evutil_socket_t fd, short what, void *ctx)
{
	struct follow *f = ctx;
	struct followed *e;

	(void)fd, (void)what;
	f->waited_ms = 0;
	LIST_FOREACH(e, &f->all, entry) {
		if (!e->changed)
			continue;
		e->changed = false;
		f->tell(f->ctx, e->which);
	}
}

static void retry(evutil_socket_t fd, short what, void *ctx)
{
	struct follow *f = ctx;
	struct followed *e;

	(void)fd, (void)what;
	LIST_FOREACH(e, &f->all, entry) {
		if (!e->lost)
			continue;
		e->lost = false;
		if (watch(f, e))
			sign(f, e); /* what happened meanwhile nobody saw */
		else
			lose(f, e);
	}
}

int follow_new(struct follow **out, struct event_base *base, void (*changed)(void *ctx, size_t which), void *ctx)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	LIST_INIT(&f->all);
	f->tell = changed;
	f->ctx = ctx;
	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->fd < 0) {
		int err = -errno;

		free(f);
		return err;
	}
	f->readable = event_new(base, f->fd, EV_READ | EV_PERSIST, readable, f);
	f->quiet = evtimer_new(base, quiet, f);
	f->retry = evtimer_new(base, retry, f);
	if (!f->readable || !f->quiet || !f->retry || event_add(f->readable, NULL)) {
		follow_free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

static void followed_free(struct followed *e)
{
	free(e->path);
	free(e->parent);
	free(e);
}

/* "/a/b/" is b in /a. */
static bool split(struct followed *e)
{
	size_t n = strlen(e->path);
	char *slash;

	while (n > 1 && e->path[n - 1] == '/')
		e->path[--n] = 0;
	e->parent = strdup(e->path);
	if (!e->parent)
		return false;
	slash = strrchr(e->path, '/');
	e->name = slash ? slash + 1 : e->path;
	strcpy(e->parent, slash == e->path ? "/" : ".");
	if (slash && slash != e->path) {
		memcpy(e->parent, e->path, (size_t)(slash - e->path));
		e->parent[slash - e->path] = 0;
	}
	return true;
}

int follow_add(struct follow *f, size_t which, const char *path)
{
	struct followed *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->which = which;
	e->path = strdup(path);
	if (!e->path || !split(e)) {
		followed_free(e);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&f->all, e, entry);
	if (!watch(f, e))
		lose(f, e);
	return 0;
}

static void event_end(struct event *e)
{
	if (e)
		event_free(e);
}

void follow_free(struct follow *f)
{
	struct followed *e;

	if (!f)
		return;
	while ((e = LIST_FIRST(&f->all))) {
		LIST_REMOVE(e, entry);
		followed_free(e);
	}
	event_end(f->readable);
	event_end(f->quiet);
	event_end(f->retry);
	close(f->fd);
	free(f);
}
