/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/ipc.h"

#define VARIABLE       "POSTERN_HANDOVER"
#ifndef LAYOUT_VERSION	  /* the tests build another one */
#define LAYOUT_VERSION 1 /* to be raised when memory or records change their meaning and keep their size */
#endif
#define FD_MAX	       (1 << 20)

void handover_none(struct handover *h)
{
	memset(h, 0, sizeof(*h));
	h->exe_fd = h->control_fd = h->judge.fd = -1;
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		h->worker[i] = (struct handover_child){ .fd = -1, .pair = { -1, -1 }, .kept = { -1, -1 } };
	for (size_t i = 0; i < ROOM_MAX; i++)
		h->room[i].fd = -1;
}

unsigned long long handover_layout(void)
{
	static const size_t size[] = {
		sizeof(struct ledger), sizeof(struct ledger_entry), sizeof(struct quotas), sizeof(struct judge_keep), sizeof(struct crowd_entry),
		sizeof(struct grey), sizeof(struct grey_entry), sizeof(struct ipc_record), sizeof(struct judge_msg), WORKER_SLOTS,
	};
	unsigned long long sum = LAYOUT_VERSION;

	for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++)
		sum = (sum ^ size[i]) * 1099511628211ull;
	return sum;
}

/* --- text ------------------------------------------------------------------------- */

static void print_child(FILE *f, const char *slot, const struct handover_child *c)
{
	fprintf(f, "child %s %d %u %d %d %d %d %d\n", slot, c->pid, c->uid, c->fd, c->pair[0], c->pair[1], c->kept[0], c->kept[1]);
}

int handover_write(const struct handover *h, int fd)
{
	int own = dup(fd), rc;
	FILE *f = own < 0 ? NULL : fdopen(own, "w");
	char slot[16];

	if (!f)
		return -errno;
	fprintf(f, "layout %llu\nfailed %d\nexe %s\nself %d\ncontrol %d %s\n", h->layout, h->failed, h->exe, h->exe_fd, h->control_fd, h->control_path);
	for (size_t i = 0; i < h->nlisten; i++)
		fprintf(f, "listen %d\n", h->listen_fd[i]);
	print_child(f, "judge", &h->judge);
	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		snprintf(slot, sizeof(slot), "%zu", i);
		if (h->worker[i].pair[0] >= 0)
			print_child(f, slot, &h->worker[i]);
	}
	for (size_t i = 0; i < ROOM_MAX; i++)
		if (h->room[i].fd >= 0)
			fprintf(f, "room %zu %d %llu %zu\n", i, h->room[i].fd, (unsigned long long)(size_t)h->room[i].at, h->room[i].bytes);
	rc = ferror(f) ? -EIO : 0;
	return fclose(f) && !rc ? -errno : rc;
}

static bool is_fd(int fd)
{
	return fd >= 3 && fd < FD_MAX;
}

static bool read_room(struct handover *h, const char *rest)
{
	unsigned long long at;
	struct handover_room r;
	unsigned i;

	if (sscanf(rest, "%u %d %llu %zu", &i, &r.fd, &at, &r.bytes) != 4 || !is_fd(r.fd) || !at || !r.bytes)
		return false;
	r.at = (void *)(size_t)at;
	if (i < ROOM_MAX) /* else a later version's */
		h->room[i] = r;
	return true;
}

static bool read_child(struct handover *h, const char *rest)
{
	struct handover_child c;
	char slot[16];
	unsigned i;

	if (sscanf(rest, "%15s %d %u %d %d %d %d %d", slot, &c.pid, &c.uid, &c.fd, &c.pair[0], &c.pair[1], &c.kept[0], &c.kept[1]) != 8 || c.pid < 0 ||
	    (c.pid && !is_fd(c.fd)))
		return false;
	if (!strcmp(slot, "judge")) {
		h->judge = c;
		return true;
	}
	if (sscanf(slot, "%u", &i) != 1 || i >= WORKER_SLOTS || !is_fd(c.pair[0]) || !is_fd(c.pair[1]) || is_fd(c.kept[0]) != is_fd(c.kept[1]))
		return false;
	h->worker[i] = c;
	return true;
}

static bool read_listen(struct handover *h, const char *rest)
{
	int fd;

	if (sscanf(rest, "%d", &fd) != 1 || !is_fd(fd) || h->nlisten == HANDOVER_LISTENERS_MAX)
		return false;
	h->listen_fd[h->nlisten++] = fd;
	return true;
}

static bool read_control(struct handover *h, const char *rest)
{
	return sscanf(rest, "%d %107[^\n]", &h->control_fd, h->control_path) == 2 && is_fd(h->control_fd);
}

static bool read_exe(struct handover *h, const char *rest)
{
	return sscanf(rest, "%511[^\n]", h->exe) == 1 && *h->exe == '/';
}

static bool read_self(struct handover *h, const char *rest)
{
	return sscanf(rest, "%d", &h->exe_fd) == 1 && (h->exe_fd == -1 || is_fd(h->exe_fd));
}

static bool read_failed(struct handover *h, const char *rest)
{
	int failed;

	if (sscanf(rest, "%d", &failed) != 1)
		return false;
	h->failed = failed;
	return true;
}

static bool read_layout(struct handover *h, const char *rest)
{
	return sscanf(rest, "%llu", &h->layout) == 1;
}

static const struct {
	const char *word;
	bool (*read)(struct handover *h, const char *rest);
} rows[] = {
	{ "layout ", read_layout }, { "failed ", read_failed }, { "exe ", read_exe },	{ "self ", read_self },
	{ "control ", read_control }, { "listen ", read_listen }, { "child ", read_child }, { "room ", read_room },
};

static bool read_line(struct handover *h, const char *line)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strncmp(line, rows[i].word, strlen(rows[i].word)))
			return rows[i].read(h, line + strlen(rows[i].word));
	return true;
}

int handover_read(struct handover *h, int fd, char *err, size_t errsize)
{
	int own = dup(fd), rc = 0;
	FILE *f = own < 0 ? NULL : fdopen(own, "r");
	char line[1024];

	if (!f)
		return -errno;
	handover_none(h);
	rewind(f);
	while (!rc && fgets(line, sizeof(line), f)) {
		if (read_line(h, line))
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(err, errsize, "what the version before left is damaged: \"%s\"", line);
		rc = -EINVAL;
	}
	fclose(f);
	return rc;
}

/* --- from one program to the next ---------------------------------------------------- */

/* Every descriptor of h: it closes on exec, or no longer does. */
static void close_on_exec(const struct handover *h, bool yes)
{
	int flag = yes ? FD_CLOEXEC : 0;

	fcntl(h->exe_fd, F_SETFD, flag);
	fcntl(h->control_fd, F_SETFD, flag);
	fcntl(h->judge.fd, F_SETFD, flag);
	for (size_t i = 0; i < h->nlisten; i++)
		fcntl(h->listen_fd[i], F_SETFD, flag);
	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		fcntl(h->worker[i].fd, F_SETFD, flag);
		for (int end = 0; end < 2; end++) {
			fcntl(h->worker[i].pair[end], F_SETFD, flag);
			fcntl(h->worker[i].kept[end], F_SETFD, flag);
		}
	}
	for (size_t i = 0; i < ROOM_MAX; i++)
		fcntl(h->room[i].fd, F_SETFD, flag);
}

int handover_exec(const struct handover *h, char *const *argv, bool back)
{
	char number[16];
	int fd = memfd_create("postern-handover", 0), rc;

	if (fd < 0)
		return -errno;
	rc = handover_write(h, fd);
	snprintf(number, sizeof(number), "%d", fd);
	if (!rc && setenv(VARIABLE, number, 1))
		rc = -errno;
	if (!rc && close_range(3, ~0u, CLOSE_RANGE_CLOEXEC))
		rc = -errno;
	if (!rc) {
		close_on_exec(h, false);
		fcntl(fd, F_SETFD, 0);
		if (back)
			execveat(h->exe_fd, "", argv, environ, AT_EMPTY_PATH);
		else
			execv(h->exe, argv);
		rc = -errno;
		close_on_exec(h, true);
	}
	unsetenv(VARIABLE);
	close(fd);
	return rc;
}

int handover_take(struct handover *h, char *err, size_t errsize)
{
	const char *number = getenv(VARIABLE);
	int fd = number ? atoi(number) : -1, rc;

	if (!number)
		return 0;
	unsetenv(VARIABLE);
	if (!is_fd(fd)) {
		snprintf(err, errsize, "%s is set to something else than a descriptor; it is for posternd alone", VARIABLE);
		return -EINVAL;
	}
	rc = handover_read(h, fd, err, errsize);
	close(fd);
	return rc ? rc : 1;
}

void handover_keep(const struct handover *h)
{
	close_on_exec(h, true);
}
