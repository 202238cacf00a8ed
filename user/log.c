/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c: one line per decision, to stderr or syslog. A line is one write, so processes do not mix theirs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "user/log.h"

#define LOG_LINE_MAX 2048

static struct {
	char role[32];
	bool to_syslog, debug, prefixed;
} log_to = { .role = "posternd" };

void log_init(const char *role, bool to_syslog, bool debug)
{
	snprintf(log_to.role, sizeof(log_to.role), "%s", role);
	log_to.to_syslog = to_syslog;
	log_to.debug = debug;
	log_to.prefixed = getenv("JOURNAL_STREAM");
	if (to_syslog)
		openlog("postern", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* The caller's line is one line whatever its arguments hold. */
static void flatten(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
}

static void log_line(int priority, int error, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t size = sizeof(line) - 1; /* room for the newline */
	int head = 0, n, saved = errno;

	if (!log_to.to_syslog)
		head = log_to.prefixed ? snprintf(line, size, "<%d>%s: ", priority, log_to.role)
				       : snprintf(line, size, "postern-%s[%d]: ", log_to.role, getpid());
	else
		head = snprintf(line, size, "%s: ", log_to.role);
	n = vsnprintf(line + head, size - head, fmt, ap);
	n = head + (n < 0 ? 0 : n);
	if (n >= (int)size)
		n = size - 1;
	if (error)
		n += snprintf(line + n, size - n, ": %s", strerror(error));
	if (n >= (int)size)
		n = size - 1;
	flatten(line + (log_to.prefixed && !log_to.to_syslog ? 3 : 0));
	if (log_to.to_syslog) {
		syslog(priority, "%s", line);
	} else {
		line[n] = '\n';
		if (write(STDERR_FILENO, line, n + 1) < 0)
			errno = saved; /* nobody is left to be told */
	}
	errno = saved;
}

#define LOG_AS(priority, error)                        \
	do {                                           \
		va_list ap;                            \
		va_start(ap, fmt);                     \
		log_line((priority), (error), fmt, ap); \
		va_end(ap);                            \
	} while (0)

void log_info(const char *fmt, ...)
{
	LOG_AS(LOG_INFO, 0);
}

void log_warn(const char *fmt, ...)
{
	LOG_AS(LOG_WARNING, errno);
}

void log_warnx(const char *fmt, ...)
{
	LOG_AS(LOG_WARNING, 0);
}

void log_debug(const char *fmt, ...)
{
	if (log_to.debug)
		LOG_AS(LOG_DEBUG, 0);
}
