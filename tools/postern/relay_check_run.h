/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_check_run.h: asks a mail server, as a stranger, to relay every vector, and says what came of it. Prints nothing. */
#ifndef RELAY_CHECK_RUN_H
#define RELAY_CHECK_RUN_H

#include "tools/postern/relay_check_vectors.h"
#include "tools/postern/relay_check_wire.h"

#define CHECK_CONNECTIONS_MAX 100 /* of one run, whatever the server does */
#define CHECK_NAME_MAX	      256
#define CHECK_ADDRESS_MAX     (64 + 1 + CHECK_NAME_MAX)
#define CHECK_LINE_MAX	      4096

enum check_result {
	CHECK_REFUSED,
	CHECK_OPEN,
	CHECK_UNDECIDED, /* accepted, but perhaps as a user of the server's own domain */
	CHECK_DEFERRED,	 /* a temporary refusal, twice */
	CHECK_NOT_ASKED, /* the tester's own sender was refused, or no more connections may be made */
	CHECK_FAILED,	 /* no reply in time, or one that is none */
	CHECK_SKIPPED,	 /* needs an extension that the server does not offer */
	CHECK_RESULTS_MAX
};

const char *check_result_text(enum check_result r);

struct check_options {
	const char *host, *port, *helo;
	const char *domain; /* the server's own; NULL = the name that it gives itself */
	const char *from, *to;
	unsigned timeout_s, pause_s; /* pause: before those that were deferred are asked once more */
	bool starttls, deliver;
};

struct check_row {
	const struct relay_vector *vector;
	enum check_result result;
	bool sent; /* a message was accepted for it */
	char mail[CHECK_LINE_MAX], rcpt[CHECK_LINE_MAX]; /* as sent, escaped */
	char reply[WIRE_TEXT_MAX];
};

struct check {
	const struct check_options *o;
	struct wire wire;
	struct wire_reply last;
	unsigned connections, refusals; /* refusals: on this connection */
	bool smtputf8, delivering;
	bool takes_anyone; /* a user whom the own domain has not was accepted */
	char greeting[WIRE_TEXT_MAX], peer[ADDR_TEXT_MAX], name[CHECK_NAME_MAX], domain[CHECK_NAME_MAX], token[17];
	char anyone[WIRE_TEXT_MAX], postmaster[WIRE_TEXT_MAX]; /* what was said to the two controls */
	char why[WIRE_TEXT_MAX]; /* why nothing could be asked */
};

/* Connects, learns the server's name and asks the two controls. 0, or -1 with the reason in c->why. */
int check_begin(struct check *c, const struct check_options *o);
/* Asks about a vector; called again for one that was deferred. */
void check_vector(struct check *c, const struct relay_vector *v, struct check_row *row);
void check_end(struct check *c);

#endif
