/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend_check.h: one backend, asked now and from here as the gate asks it: with the same dialogue (core/hop), the same
 * TLS and the same identity, as nobody's session. Blocks, never longer than the backend's own time-outs for each step.
 */
#ifndef BACKEND_CHECK_H
#define BACKEND_CHECK_H

#include "user/config.h"
#include "user/core/hop.h"

enum check_relays { RELAYS_UNASKED, RELAYS_NO, RELAYS_YES, RELAYS_UNDECIDED };

struct backend_check {
	bool ok;       /* the dialogue stands, with all that the configuration demands */
	char why[320]; /* why not */
	char tls[80];  /* version and cipher; "" = in clear */
	bool verified; /* and its certificate is the one that it should be */
	struct sess_caps caps;
	bool told;		  /* by XCLIENT or PROXY it hears who the gate's clients are */
	enum check_relays relays; /* did it take a recipient elsewhere, from this address? */
	char said[320];		  /* its last word on that, escaped */
};

/* to: whom it is asked to relay to; nothing is delivered. */
void backend_check(const struct conf_backend *c, const char *hostname, const char *to, struct backend_check *out);

#endif
