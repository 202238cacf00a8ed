/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/log_syslog.h"

#include <stdio.h>
#include <syslog.h>
#include <time.h>

size_t log_syslog(const struct log_source *from, struct str line, char *out, size_t size)
{
	char stamp[32] = "";
	struct tm when;
	int n;

	if (localtime_r(&from->when.tv_sec, &when))
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &when);
	n = snprintf(out, size, "<%d>%s postern[%d]: " STR_FMT, LOG_MAIL | from->priority, stamp, (int)from->pid, STR_ARG(line));
	return n < (int)size ? (size_t)n : size - 1;
}
