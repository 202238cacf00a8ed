/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c: one line per decision, to stderr or syslog. A line is one write, so processes do not mix theirs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "user/log.h"
#include "user/log_journal.h"
#include "user/log_json.h"

#define LOG_LINE_MAX  2048
#define LOG_WHOLE_MAX (4 * LOG_LINE_MAX)

static struct {
	char role[32];
	pid_t pid;
	bool to_syslog, json, debug, prefixed;
	int journal; /* -1 = not there */
} log_to = { .role = "posternd", .journal = -1 };

/* After a fork a new one: whatever had the number before was closed or is somebody else's. */
static void open_journal(void)
{
	log_to.journal = log_journal_open(LOG_JOURNAL_SOCKET);
	if (log_to.journal < 0)
		log_warnx("journal-failed: no journal on %s: %s; lines go to standard error", LOG_JOURNAL_SOCKET, strerror(-log_to.journal));
}

void log_init(const char *role, enum log_target to, bool json, bool debug)
{
	snprintf(log_to.role, sizeof(log_to.role), "%s", role);
	if (log_to.journal >= 0 && log_to.pid == getpid())
		close(log_to.journal);
	log_to.journal = -1;
	log_to.pid = getpid(); /* a system call each time, and busy processes write many lines */
	log_to.to_syslog = to == LOG_TO_SYSLOG;
	log_to.json = json;
	log_to.debug = debug;
	log_to.prefixed = getenv("JOURNAL_STREAM");
	if (to == LOG_TO_SYSLOG)
		openlog("postern", LOG_PID | LOG_NDELAY, LOG_MAIL);
	else if (to == LOG_TO_JOURNAL)
		open_journal();
}

/* False: it was not taken, and the line goes the way that is always open. Nobody waits for a journal that hangs. */
static bool to_journal(int priority, const char *line)
{
	struct log_source from = { .role = log_to.role, .priority = priority };
	char entry[LOG_WHOLE_MAX];
	size_t n;

	if (log_to.journal < 0)
		return false;
	n = log_journal(&from, str_of(line), entry, sizeof(entry));
	return send(log_to.journal, entry, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

static pid_t own_pid(void)
{
	return log_to.pid ? log_to.pid : getpid();
}

/* The caller's line is one line whatever its arguments hold. */
static void flatten(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
}

/* What goes in front of a line in text, and in part of one in JSON. Returns its length. */
static size_t head_of(int priority, char *out, size_t size)
{
	if (log_to.to_syslog)
		return log_to.json ? 0 : snprintf(out, size, "%s: ", log_to.role);
	if (log_to.prefixed)
		return snprintf(out, size, log_to.json ? "<%d>" : "<%d>%s: ", priority, log_to.role);
	return log_to.json ? 0 : snprintf(out, size, "postern-%s[%d]: ", log_to.role, own_pid());
}

static size_t body_of(int priority, const char *line, char *out, size_t size)
{
	struct log_source from = { .role = log_to.role, .pid = own_pid(), .priority = priority };
	size_t n = strlen(line);

	if (log_to.json) {
		clock_gettime(CLOCK_REALTIME, &from.when);
		return log_json(&from, str_of(line), out, size);
	}
	memcpy(out, line, n + 1);
	return n;
}

static void log_line(int priority, int error, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX], whole[LOG_WHOLE_MAX + 1];
	int n, saved = errno;
	size_t head;

	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n >= 0 && n < (int)sizeof(line) && error)
		snprintf(line + n, sizeof(line) - n, ": %s", strerror(error));
	flatten(line);
	if (to_journal(priority, line)) {
		errno = saved;
		return;
	}
	head = head_of(priority, whole, LOG_WHOLE_MAX);
	head += body_of(priority, line, whole + head, LOG_WHOLE_MAX - head);
	if (log_to.to_syslog) {
		syslog(priority, "%s", whole);
	} else {
		whole[head++] = '\n';
		if (write(STDERR_FILENO, whole, head) < 0)
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
