/* SPDX-License-Identifier: BSD-2-Clause */
/* log_json.h: a line of the log as JSON. */
#ifndef LOG_JSON_H
#define LOG_JSON_H

#include <stddef.h>
#include <time.h>

#include "user/core/str.h"

#define LOG_JSON_SCHEMA 1

struct log_source {
	const char *role;
	int pid, priority; /* as of syslog(3) */
	struct timespec when;
};

/*
 * {"schema":1,"time":T,"role":R,"process":N,"priority":N,"event":E,KEY:VALUE,...,"text":T} into out, NUL-terminated; returns its length. Always
 * whole JSON in valid UTF-8: members that do not fit are left out. size: 512 at least. Values stay escaped as they are in the line;
 * a line of another form is "text" alone.
 */
size_t log_json(const struct log_source *from, struct str line, char *out, size_t size);

#endif
