/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_watch.h: what a client of `monitor` wants to see of all events. One row an event. */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include <jansson.h>

#include "user/core/addr.h"

/* symbol, name, kind */
#define CTL_EVENTS(X) \
	X(OPENED, "opened", "session") X(STATE, "state", "session") X(CLOSED, "closed", "session") X(FINDING, "finding", "finding") \
	X(BAN, "ban", "ban") X(WOULD_BAN, "would-ban", "ban") X(UNBAN, "unban", "ban") X(IMPORT, "import", "import") \
	X(LIMIT, "limit", "limit") X(BREAKER, "breaker", "breaker") X(AMNESTY, "amnesty", "ban")

enum ctl_event {
#define CTL_X(sym, name, kind) EVENT_##sym,
	CTL_EVENTS(CTL_X)
#undef CTL_X
	EVENT_MAX
};

/* What an event is about, for those who look at some only. */
struct ctl_about {
	enum ctl_event event;
	int reason;		  /* enum pst_reason; -1 = of none */
	const struct pst_prefix *source; /* NULL = of nobody in particular */
};

struct ctl_watch {
	unsigned events;	  /* a bit per enum ctl_event */
	int reason;		  /* -1 = any */
	struct pst_prefix source; /* len 0 = any */
};

/*
 * From the members "reason", "source", "verdict" (an event's name) and "kind" of a request, all of which may be missing.
 * NULL, or the error.
 */
json_t *ctl_watch_read(json_t *request, struct ctl_watch *out);
bool ctl_watch_wants(const struct ctl_watch *w, const struct ctl_about *about);
const char *ctl_event_name(enum ctl_event event);

#endif
