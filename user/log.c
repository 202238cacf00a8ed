/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c: one line per decision, to stderr, syslog or the journal. A line is one write, so processes do not mix theirs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "user/log.h"
#include "user/log_journal.h"
#include "user/log_json.h"
#include "user/log_syslog.h"
#include "user/log_way.h"

#define LOG_LINE_MAX  2048
#define LOG_WHOLE_MAX (4 * LOG_LINE_MAX)

static struct {
	char role[32];
	pid_t pid;
	enum log_target to;
	bool json, debug, prefixed;
	struct log_way err, daemon; /* the daemon's fd: -1 = not there, or none is wanted */
	struct pst_stats *stats;
	unsigned long long lost; /* since a line was taken last */
} log_to = { .role = "posternd", .err = { .fd = STDERR_FILENO }, .daemon = { .fd = -1 } };

static const struct {
	const char *path;
	size_t (*text)(const struct log_source *, struct str, char *, size_t);
} daemons[] = {
	[LOG_TO_SYSLOG] = { LOG_SYSLOG_SOCKET, log_syslog },
	[LOG_TO_JOURNAL] = { LOG_JOURNAL_SOCKET, log_journal },
};

static void open_daemon(void)
{
	int rc = log_way_connect(&log_to.daemon, daemons[log_to.to].path);

	if (rc && log_to.to == LOG_TO_JOURNAL)
		log_warnx("journal-failed: no journal on %s: %s; lines go to standard error", LOG_JOURNAL_SOCKET, strerror(-rc));
	else if (rc)
		log_warnx("syslog-failed: no syslog on %s: %s; lines go to standard error", LOG_SYSLOG_SOCKET, strerror(-rc));
}

void log_init(const char *role, enum log_target to, bool json, bool debug)
{
	snprintf(log_to.role, sizeof(log_to.role), "%s", role);
	if (log_to.pid == getpid()) { /* after a fork: whatever had the numbers before was closed or is somebody else's */
		log_way_close(&log_to.daemon);
		log_way_close(&log_to.err);
	}
	log_to.daemon = (struct log_way){ .fd = -1 };
	log_way_open(&log_to.err, STDERR_FILENO);
	log_to.pid = getpid(); /* a system call each time, and busy processes write many lines */
	log_to.to = to;
	log_to.json = json;
	log_to.debug = debug;
	log_to.prefixed = getenv("JOURNAL_STREAM");
	tzset(); /* while its file can be read */
	if (to != LOG_TO_STDERR)
		open_daemon();
}

void log_counts(struct pst_stats *stats)
{
	log_to.stats = stats;
	log_to.lost = 0;
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
	if (log_to.prefixed)
		return snprintf(out, size, log_to.json ? "<%d>" : "<%d>%s: ", priority, log_to.role);
	return log_to.json ? 0 : snprintf(out, size, "postern-%s[%d]: ", log_to.role, own_pid());
}

static bool to_stderr(const struct log_source *from, const char *line)
{
	char whole[LOG_WHOLE_MAX + 1];
	size_t n = head_of(from->priority, whole, LOG_WHOLE_MAX);

	if (log_to.json)
		n += log_json(from, str_of(line), whole + n, LOG_WHOLE_MAX - n);
	else
		n += (size_t)snprintf(whole + n, LOG_WHOLE_MAX - n, "%s", line);
	whole[n++] = '\n';
	return log_way_put(&log_to.err, whole, n);
}

/* What syslog gets as a line: an entry of the journal has the role in a field. */
static struct str syslog_line(const struct log_source *from, const char *line, char *out, size_t size)
{
	size_t n = log_to.json ? log_json(from, str_of(line), out, size) : (size_t)snprintf(out, size, "%s: %s", from->role, line);

	return (struct str){ out, n };
}

static bool to_daemon(const struct log_source *from, const char *line)
{
	char whole[LOG_WHOLE_MAX], entry[LOG_WHOLE_MAX + 256];
	struct str text = log_to.to == LOG_TO_SYSLOG ? syslog_line(from, line, whole, sizeof(whole)) : str_of(line);

	return log_way_put(&log_to.daemon, entry, daemons[log_to.to].text(from, text, entry, sizeof(entry)));
}

static void account(bool by_daemon, bool taken)
{
	unsigned long long lost = log_to.lost;

	if (log_to.stats)
		log_to.stats->counter[PST_CNT_DEGRADED_LOG] = !taken || (log_to.to != LOG_TO_STDERR && !by_daemon);
	if (!taken) {
		log_to.lost++;
		if (log_to.stats)
			log_to.stats->counter[PST_CNT_LOG_DROPPED]++;
	} else if (lost) {
		log_to.lost = 0;
		log_warnx("log-dropped lines=%llu: nobody took them", lost);
	}
}

static void log_line(int priority, int error, const char *fmt, va_list ap)
{
	struct log_source from = { .role = log_to.role, .pid = own_pid(), .priority = priority };
	char line[LOG_LINE_MAX];
	int n, saved = errno;
	bool by_daemon;

	clock_gettime(CLOCK_REALTIME, &from.when);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n >= 0 && n < (int)sizeof(line) && error)
		snprintf(line + n, sizeof(line) - n, ": %s", strerror(error));
	flatten(line);
	by_daemon = log_to.daemon.fd >= 0 && to_daemon(&from, line);
	account(by_daemon, by_daemon || to_stderr(&from, line));
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
