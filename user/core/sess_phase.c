/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/sess_phase.h"

#include "user/core/sess_internal.h"

static const unsigned char phases[] = {
	[S_PAUSE] = PHASE_GREETING, [S_START] = PHASE_HELO,	[S_READY] = PHASE_READY,     [S_MAIL] = PHASE_ENVELOPE,
	[S_AUTH] = PHASE_AUTH,	    [S_DATA] = PHASE_CONTENT,	[S_CHUNK] = PHASE_CONTENT,   [S_CHUNKS] = PHASE_CONTENT,
	[S_SWALLOW] = PHASE_CONTENT, [S_END] = PHASE_BACKEND,	[S_TLS] = PHASE_TLS,	     [S_CLIENT] = PHASE_HELO,
	[S_CLOSED] = PHASE_CLOSED,
};

enum sess_phase sess_phase(const struct sess *s)
{
	return s->state < sizeof(phases) ? phases[s->state] : PHASE_CLOSED;
}

const char *sess_phase_name(unsigned phase)
{
	static const char *const names[] = {
#define SESS_X(sym, name) [PHASE_##sym] = name,
		SESS_PHASES(SESS_X)
#undef SESS_X
	};

	return phase < PHASE_MAX ? names[phase] : "?";
}
