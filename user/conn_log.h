/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn_log.h: the log lines of a session: one per message, one per sender or recipient that a rule of ours refused, one at its end, and on
 * request one per command and reply. A message's fate is
 * read from the counters that the session itself writes, so log and counters cannot disagree.
 */
#ifndef CONN_LOG_H
#define CONN_LOG_H

#include "user/core/sess.h"

struct conn_totals {
	unsigned rcpts; /* accepted, in the whole session */
};

/* Around every door of the session. Sessions take turns in one thread, so what before() notes is kept once. */
void conn_log_before(const struct sess *s, struct conn_totals *t);
void conn_log_after(const struct sess *s, struct conn_totals *t, const struct sess_step *step);
/* A line for the command that was served, and one for the reply; where the configuration says so. */
void conn_log_talk(const struct sess *s, const struct sess_step *step);
/* ssl: the SSL of the connection, NULL = none. */
void conn_log_session(const struct sess *s, const struct conn_totals *t, const void *ssl);

#endif
