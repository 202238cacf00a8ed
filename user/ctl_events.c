/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_events.c: what `monitor` hears of, as JSON. Made only when somebody watches. */
#include "user/ctl_int.h"

#include <stdio.h>

#include "user/core/addr.h"
#include "user/core/names.h"

json_t *ctl_session_id(__u64 id)
{
	char text[20];

	if (!id)
		return json_null();
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)id);
	return json_string(text);
}

json_t *ctl_evidence(const struct finding *f)
{
	char text[4 * FINDING_EVIDENCE_MAX + 1];

	str_escape((struct str){ f->evidence, f->nevidence }, text, sizeof(text));
	return json_string(text);
}

/* An event of one address. */
static void send_one(struct ctl *c, const struct pst_addr *a, enum ctl_event event, int reason, json_t *json)
{
	struct pst_prefix one = prefix_of(a, 128);

	ctl_event_send(c, &(struct ctl_about){ event, reason, &one }, ctl_event_name(event), json);
}

static enum ctl_event event_by_name(const char *name, enum ctl_event other)
{
	for (unsigned i = 0; i < EVENT_MAX; i++)
		if (!strcmp(ctl_event_name(i), name))
			return i;
	return other;
}

void ctl_event_finding(struct ctl *c, const struct finding *f, unsigned score)
{
	char addr[ADDR_TEXT_MAX];

	if (ctl_watched(c))
		send_one(c, &f->addr, EVENT_FINDING, f->reason,
			 json_pack("{s:s s:s s:o s:i s:o}", "address", addr_text(&f->addr, addr), "reason", reason_name(f->reason), "session",
				   ctl_session_id(f->session), "score", (int)score, "evidence", ctl_evidence(f)));
}

void ctl_event_ban(struct ctl *c, const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 session, const char *what)
{
	struct ctl_about about = { event_by_name(what, EVENT_BAN), b->reason, p };
	json_t *ban;

	if (!ctl_watched(c))
		return;
	ban = ctl_ban_json(p, b, note, kern_now_ns());
	json_object_set_new(ban, "session", ctl_session_id(session));
	ctl_event_send(c, &about, what, ban);
}

void ctl_event_limit(struct ctl *c, const struct pst_prefix *p, enum crowd_kind kind, __u64 count, unsigned ceiling, __u64 session)
{
	char prefix[PREFIX_TEXT_MAX];

	if (ctl_watched(c))
		ctl_event_send(c, &(struct ctl_about){ EVENT_LIMIT, -1, p->len ? p : NULL }, "limit",
			       json_pack("{s:s s:s s:I s:I s:o}", "prefix", p->len ? prefix_text(p, prefix) : "all", "what", crowd_name(kind), "count",
					 (json_int_t)count, "ceiling", (json_int_t)ceiling, "session", ctl_session_id(session)));
}

void ctl_event_breaker(struct ctl *c, bool open, unsigned share)
{
	if (ctl_watched(c))
		ctl_event_send(c, &(struct ctl_about){ EVENT_BREAKER, -1, NULL }, "breaker", json_pack("{s:b s:i}", "open", open, "share", (int)share));
}

void ctl_event_import(struct ctl *c, size_t bans)
{
	if (ctl_watched(c))
		ctl_event_send(c, &(struct ctl_about){ EVENT_IMPORT, -1, NULL }, "import", json_pack("{s:I}", "bans", (json_int_t)bans));
}

void ctl_event_session(struct ctl *c, const struct ipc_record *r, const char *what)
{
	char addr[ADDR_TEXT_MAX];

	if (ctl_watched(c))
		send_one(c, &r->addr, event_by_name(what, EVENT_OPENED), -1,
			 json_pack("{s:s s:o s:i s:i}", "address", addr_text(&r->addr, addr), "session", ctl_session_id(r->session), "messages",
				   (int)r->messages, "recipients", (int)r->rcpts));
}

void ctl_event_state(struct ctl *c, const struct ipc_record *r)
{
	char addr[ADDR_TEXT_MAX], helo[4 * IPC_HELO_MAX + 1];

	if (!ctl_watched(c))
		return;
	str_escape(str_of(r->state.helo), helo, sizeof(helo));
	send_one(c, &r->addr, EVENT_STATE, -1,
		 json_pack("{s:s s:o s:s s:s* s:s* s:b s:b s:i s:i}", "address", addr_text(&r->addr, addr), "session", ctl_session_id(r->session),
			   "phase", sess_phase_name(r->state.phase), "helo", *helo ? helo : NULL, "backend", *r->state.backend ? r->state.backend : NULL,
			   "tls", r->state.traits & IPC_TLS, "authenticated", r->state.traits & IPC_LOGGED_IN, "messages", (int)r->messages,
			   "recipients", (int)r->rcpts));
}
