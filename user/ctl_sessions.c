/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_sessions.c: the live sessions for an operator: which there are, and the end of some. */
#include "user/ctl_int.h"

#include <stdlib.h>

#include "user/core/addr.h"

#define S_NS	     1000000000ull
#define SHOW_DEFAULT 1000
#define SHOW_MAX     10000

/* --- which there are ------------------------------------------------------------ */

static json_t *text_or_null(const char *text)
{
	char safe[4 * IPC_HELO_MAX + 1];

	str_escape(str_of(text), safe, sizeof(safe));
	return *safe ? json_string(safe) : json_null();
}

static json_t *session_json(struct judge *j, const struct live_session *s, __u64 now_ns)
{
	const struct ledger_entry *e = ledger_find(j->setup->ledger, &s->addr);
	char addr[ADDR_TEXT_MAX];

	return json_pack("{s:o s:s s:s s:I s:o s:b s:b s:i s:i s:o s:i s:i}", "session", ctl_session_id(s->id), "address", addr_text(&s->addr, addr), "phase",
			 sess_phase_name(s->state.phase), "seconds", (json_int_t)((now_ns - s->state.since_ns) / S_NS), "helo",
			 text_or_null(s->state.helo), "tls", s->state.traits & IPC_TLS, "authenticated", s->state.traits & IPC_LOGGED_IN, "messages",
			 (int)s->messages, "recipients", (int)s->rcpts, "backend", text_or_null(s->state.backend), "score",
			 e ? (int)judgement_score(&j->setup->conf->policy, &e->record, now_ns) : 0, "worker_pid", j->channel[s->slot].pid);
}

struct collection {
	const struct live_session **s;
	size_t n, room;
};

static bool collect(void *ctx, const struct live_session *s)
{
	struct collection *c = ctx;

	if (c->n < c->room)
		c->s[c->n] = s;
	c->n++;
	return true;
}

static int by_age(const void *a, const void *b)
{
	const struct live_session *x = *(const struct live_session *const *)a, *y = *(const struct live_session *const *)b;

	if (x->state.since_ns != y->state.since_ns)
		return x->state.since_ns < y->state.since_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

json_t *ctl_sessions_of(struct judge *j, const struct pst_prefix *p, size_t max, size_t *all)
{
	struct collection c = { .room = j->live.used };
	json_t *rows = json_array();
	__u64 now = kern_now_ns();

	c.s = calloc(c.room + 1, sizeof(*c.s));
	if (c.s)
		live_each(&j->live, p, now, collect, &c);
	if (c.n)
		qsort(c.s, c.n, sizeof(*c.s), by_age);
	for (size_t i = 0; i < c.n && i < max; i++)
		json_array_append_new(rows, session_json(j, c.s[i], now));
	*all = c.n;
	free(c.s);
	return rows;
}

/* Of "prefix", all of them when it is missing. */
static json_t *need_scope(json_t *request, struct pst_prefix *p)
{
	*p = (struct pst_prefix){ .len = 0 };
	return json_object_get(request, "prefix") ? ctl_need_prefix(request, p) : NULL;
}

json_t *ctl_session_show(struct judge *j, json_t *request)
{
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	struct pst_prefix p;
	json_t *reply = need_scope(request, &p);
	size_t all = 0;

	if (reply)
		return reply;
	reply = ctl_ok();
	json_object_set_new(reply, "sessions", ctl_sessions_of(j, &p, limit > 0 && limit <= SHOW_MAX ? limit : SHOW_DEFAULT, &all));
	json_object_set_new(reply, "live", json_integer(all));
	json_object_set_new(reply, "left_out", json_integer(j->live.left_out));
	return reply;
}

/* How many are how far. */
static bool count_phase(void *ctx, const struct live_session *s)
{
	((size_t *)ctx)[s->state.phase < PHASE_MAX ? s->state.phase : PHASE_CLOSED]++;
	return true;
}

json_t *ctl_session_count(struct judge *j, json_t *request)
{
	const struct conf *c = j->setup->conf;
	size_t n[PHASE_MAX] = { 0 }, live = 0;
	json_t *phases = json_object(), *reply;
	struct pst_prefix p;

	reply = need_scope(request, &p);
	if (reply) {
		json_decref(phases);
		return reply;
	}
	live_each(&j->live, &p, kern_now_ns(), count_phase, n);
	for (unsigned i = 0; i < PHASE_MAX; i++) {
		live += n[i];
		json_object_set_new(phases, sess_phase_name(i), json_integer(n[i]));
	}
	reply = ctl_ok();
	json_object_update_new(reply, json_pack("{s:I s:I s:o}", "live", (json_int_t)live, "room", (json_int_t)c->sessions_max * c->workers, "phases", phases));
	return reply;
}

/* --- their end -------------------------------------------------------------------- */

struct count {
	size_t n;
};

static bool add(void *ctx, const struct live_session *s)
{
	(void)s;
	((struct count *)ctx)->n++;
	return true;
}

static json_t *ended(size_t n)
{
	json_t *reply = ctl_ok();

	json_object_set_new(reply, "ended", json_integer(n));
	return reply;
}

static json_t *kill_prefix(struct judge *j, const struct pst_prefix *p)
{
	struct count live = { 0 };

	live_each(&j->live, p, kern_now_ns(), add, &live);
	if (live.n && !judge_kick(j, p, false))
		return ctl_error(false, "a worker is too busy to listen; try again");
	return ended(live.n);
}

static json_t *kill_one(struct judge *j, const char *text)
{
	__u64 id = strtoull(text, NULL, 16);
	const struct live_session *s = live_find(&j->live, id, kern_now_ns());
	struct ipc_record r = { .tag = IPC_KICK, .session = id };

	if (strlen(text) != 16 || text[strspn(text, "0123456789abcdef")])
		return ctl_error(true, "session \"%s\" is none; write the 16 hexadecimal digits that `postern session show` shows", text);
	if (!s)
		return ctl_error(false, "session %s is not alive", text);
	if (ipc_send(j->setup->worker_fd[s->slot], &r))
		return ctl_error(false, "the worker of session %s is too busy to listen; try again", text);
	return ended(1);
}

json_t *ctl_session_kill(struct judge *j, json_t *request)
{
	const char *id = json_string_value(json_object_get(request, "session"));
	struct pst_prefix p;
	json_t *error;

	if (id)
		return kill_one(j, id);
	error = ctl_need_prefix(request, &p);
	return error ? error : kill_prefix(j, &p);
}
