/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rehearse.h: a written-down conversation, its client's half said again to the gate's own session code. Lines:
 *
 *   C: TEXT   or " -> TEXT", " ~> TEXT" as swaks writes them: the client says TEXT and CRLF
 *   S: TEXT   or "<-  TEXT", "<~  TEXT", "<** TEXT", "<~* TEXT": the server replied. What it said to a recipient or to credentials is taken for a backend's word
 *   T: TIME   so much time passes, as "3s"
 *   === Connected, as swaks writes it, begins another session
 *
 * Client lines without a reply between them were sent at once; one before the first reply was sent before the greeting. A greeting behind a client's line begins another
 * session. Other lines are passed over. Names of clients are not looked up, accounts have their quota, the greylist lets pass.
 */
#ifndef REHEARSE_H
#define REHEARSE_H

#include "user/config.h"

struct rehearsal;

/* line: that of the file whose words made the finding. */
typedef void rehearse_found(void *ctx, const struct finding *f, unsigned line);

/* By the first listener of c, as client a. NULL when memory is out. Times of findings begin at 1 s. */
struct rehearsal *rehearse_open(const struct conf *c, const struct pst_addr *a, rehearse_found *found, void *ctx);
void rehearse_free(struct rehearsal *r);
/* One line, without its end. False when it is a time that is none, or more than is heard at once. */
bool rehearse_line(struct rehearsal *r, const char *text);
/* The file has ended: so does the last session. */
void rehearse_end(struct rehearsal *r);
/* Sessions that were begun. */
unsigned rehearse_sessions(const struct rehearsal *r);

#endif
