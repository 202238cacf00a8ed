/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h: one line per decision: "EVENT key=value ...: text for people" (core/logline.h), each event and key a row of log_rows.h. stderr lines are "<prio>" prefixed when run under
 * systemd (JOURNAL_STREAM), plain otherwise; or syslog(LOG_MAIL). Stranger's bytes are escaped by the
 * caller (str_escape). The x-less warn adds ": strerror(errno)". With json every line is an object (log_json.h), on stderr as in syslog.
 *
 * Nobody waits for whoever reads the log (log_way.h): what the journal or syslog does not take goes to stderr, and what that does not take is
 * dropped and counted; when lines are taken again, one says how many were not.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

struct pst_stats;

/* May be called again, also by a child. */
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL };

void log_init(const char *role, enum log_target to, bool json, bool debug);
/* Where dropped lines are counted: the process's own row. NULL = nowhere; so it is until this is called, and a child begins anew. */
void log_counts(struct pst_stats *stats);
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
