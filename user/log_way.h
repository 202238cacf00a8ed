/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_way.h: a descriptor that lines of the log are written to without ever waiting for whoever reads them: a pipe that nobody empties, a
 * terminal that was stopped or a service manager that hangs must not hold up a session.
 */
#ifndef LOG_WAY_H
#define LOG_WAY_H

#include <stdbool.h>
#include <stddef.h>

struct log_way {
	int fd;
	bool socket, own; /* own: to be closed by log_way_close() */
	bool torn;	  /* the last line was taken in part */
};

/*
 * Of fd. O_NONBLOCK would be everybody's who has it, the shell's as well, so a pipe or a terminal is opened once more. Another user's cannot be, and
 * gets O_NONBLOCK all the same: mail is not to wait for it. A file is never waited for anyway.
 */
void log_way_open(struct log_way *w, int fd);
/* To a daemon that takes datagrams, on a socket to keep: the path is not needed again. 0, or -errno when there is nobody. */
int log_way_connect(struct log_way *w, const char *path);
void log_way_close(struct log_way *w);
/* line: with its line end. False: it was not taken, or not whole. */
bool log_way_put(struct log_way *w, const char *line, size_t n);

#endif
