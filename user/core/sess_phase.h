/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_phase.h: where a session is, in few words, for whoever looks at it from outside. Pure. */
#ifndef SESS_PHASE_H
#define SESS_PHASE_H

#include "user/core/sess.h"

#define SESS_PHASES(X) \
	X(GREETING, "greeting") X(HELO, "helo") X(READY, "ready") X(ENVELOPE, "envelope") X(AUTH, "auth") X(CONTENT, "content") \
	X(BACKEND, "backend") X(TLS, "tls") X(CLOSED, "closed")

enum sess_phase {
#define SESS_X(sym, name) PHASE_##sym,
	SESS_PHASES(SESS_X)
#undef SESS_X
	PHASE_MAX
};

enum sess_phase sess_phase(const struct sess *s);
const char *sess_phase_name(unsigned phase); /* "?" for a number without a row */

#endif
