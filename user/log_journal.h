/* SPDX-License-Identifier: BSD-2-Clause */
/* log_journal.h: a line of the log as an entry of systemd's journal, in its native form: one datagram, a field a line. No library is needed. */
#ifndef LOG_JOURNAL_H
#define LOG_JOURNAL_H

#include "user/log_json.h"

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

/*
 * MESSAGE (the classic line, "ROLE: LINE"), PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_FACILITY (mail), POSTERN_ROLE; and of a line in the form of core/logline.h
 * POSTERN_EVENT, MESSAGE_ID (the same for every line of that event, in all versions), and POSTERN_KEY for each pair, its value still escaped. Into out,
 * NUL-terminated; returns its length. Fields that do not fit are left out. size: 512 at least.
 */
size_t log_journal(const struct log_source *from, struct str line, char *out, size_t size);

/* MESSAGE_ID of an event, 32 hexadecimal digits. */
#define LOG_JOURNAL_ID_SIZE 33
void log_journal_id(struct str event, char id[LOG_JOURNAL_ID_SIZE]);

#endif
