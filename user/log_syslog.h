/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_syslog.h: a line of the log for the machine's syslog (RFC 3164): one datagram. The C library's syslog() waits for a syslogd that does not
 * read, and in a process that may make no socket it loses what it cannot send.
 */
#ifndef LOG_SYSLOG_H
#define LOG_SYSLOG_H

#include "user/log_json.h"

#define LOG_SYSLOG_SOCKET "/dev/log"

/* "<PRIORITY>STAMP postern[PID]: LINE", facility mail, the stamp in local time. Into out, NUL-terminated; returns its length. size: 128 at least. */
size_t log_syslog(const struct log_source *from, struct str line, char *out, size_t size);

#endif
