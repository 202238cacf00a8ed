/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/log_way.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

static int opened_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void log_way_open(struct log_way *w, int fd)
{
	struct stat st;
	int again = -1, saved = errno;
	bool waits = false;

	*w = (struct log_way){ .fd = fd };
	if (!fstat(fd, &st)) {
		w->socket = S_ISSOCK(st.st_mode);
		waits = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);
	}
	if (waits)
		again = opened_again(fd);
	if (waits && again < 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	w->own = again >= 0;
	if (w->own)
		w->fd = again;
	errno = saved;
}

int log_way_connect(struct log_way *w, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	*w = (struct log_way){ .fd = -1 };
	if (fd < 0)
		return -errno;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*w = (struct log_way){ .fd = fd, .socket = true, .own = true };
	return 0;
}

void log_way_close(struct log_way *w)
{
	if (w->own)
		close(w->fd);
	*w = (struct log_way){ .fd = -1 };
}

static ssize_t put(const struct log_way *w, const char *p, size_t n)
{
	return w->socket ? send(w->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(w->fd, p, n);
}

bool log_way_put(struct log_way *w, const char *line, size_t n)
{
	ssize_t took;

	if (w->torn && put(w, "\n", 1) != 1)
		return false;
	took = put(w, line, n);
	w->torn = took > 0 && (size_t)took < n;
	return took >= (ssize_t)n - 1; /* a line end alone comes with the next line */
}
