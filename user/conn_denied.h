/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn_denied.h: the log line of a sender or recipient that a rule of ours refused: who asked, for what, and the rule's place. Makes
 * text only; a client's bytes stand in it escaped and between quotes.
 */
#ifndef CONN_DENIED_H
#define CONN_DENIED_H

#include "user/core/sess.h"

#define DENIED_LINE_MAX 8192

/* step->denied.why is set. Returns out. */
const char *denied_line(const struct sess *s, const struct sess_step *step, char out[DENIED_LINE_MAX]);
/* The path in "MAIL FROM:<...> ..." as the session re-emits it; "<>" when there is none. */
struct str denied_path(struct str mail);
/* The first line of what the client is told, without its CRLF: a slice of reply. */
struct str denied_reply(struct str reply);

#endif
