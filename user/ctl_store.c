/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_store.c: the state on disk, for an operator: how the store fares, and what is put back from an export. */
#include "user/ctl_int.h"

#include <stdio.h>
#include <time.h>

#include "user/core/when.h"
#include "user/ctl.h"

#define S_NS 1000000000ull

static const char *const states[] = {
#define STORE_X(sym, name) name,
	STORE_STATES(STORE_X)
#undef STORE_X
};

/* What another process writes is copied once, and need not end. */
static struct store_status status_of(const struct judge *j)
{
	struct store_status st = { .state = STORE_OFF };

	if (!j->setup->store)
		return st;
	memcpy(&st, &j->setup->store->status, sizeof(st));
	st.why[sizeof(st.why) - 1] = st.aside[sizeof(st.aside) - 1] = 0;
	if (st.state >= STORE_STATE_MAX)
		st.state = STORE_FAILED;
	return st;
}

static json_t *text_of(const char *text)
{
	char safe[4 * sizeof(((struct store_status *)0)->why) + 1];

	str_escape(str_of(text), safe, sizeof(safe));
	return *safe ? json_string(safe) : json_null();
}

static json_t *why_of(const struct store_status *st)
{
	return text_of(st->state == STORE_FAILED ? st->why : "");
}

json_t *ctl_store_state(struct judge *j)
{
	struct store_status st = status_of(j);

	return json_pack("{s:s s:o}", "state", states[st.state], "why", why_of(&st));
}

static json_t *ago(__u64 then_ns)
{
	return then_ns ? json_integer((json_int_t)(when_since(then_ns, kern_now_ns()) / S_NS)) : json_null();
}

json_t *ctl_store_show(struct judge *j, json_t *request)
{
	struct store_status st = status_of(j);
	json_t *reply = ctl_ok();

	(void)request;
	json_object_update_new(reply, json_pack("{s:s s:s s:o s:o s:o s:o s:I s:I s:I s:I s:I}", "state", states[st.state], "path", j->setup->conf->store.path,
						"why", why_of(&st), "set_aside", text_of(st.aside), "since_seconds", ago(st.since_ns), "written_seconds_ago",
						ago(st.commit_ns), "records", (json_int_t)st.records, "bytes", (json_int_t)st.bytes, "bytes_max",
						(json_int_t)st.bytes_max, "damaged", (json_int_t)st.bad, "write_ms", (json_int_t)(st.commit_took_ns / 1000000)));
	json_object_update_new(reply, json_pack("{s:b s:I s:I s:I s:I s:i}", "restored", j->setup->store && store_is_restored(j->setup->store), "restored_bans",
						(json_int_t)st.restored[SAVED_BAN], "restored_sources", (json_int_t)st.restored[SAVED_SOURCE], "restored_greylist",
						(json_int_t)st.restored[SAVED_GREY], "restore_ms", (json_int_t)(st.restore_took_ns / 1000000), "compactions",
						(int)st.compactions));
	return reply;
}

json_t *ctl_store_compact(struct judge *j, json_t *request)
{
	struct store_status st = status_of(j);
	json_t *reply;

	(void)request;
	if (st.state != STORE_UP)
		return ctl_error(false, "the store is %s, and only one that is up can be compacted", states[st.state]);
	__atomic_store_n(&j->setup->store->compact, 1, __ATOMIC_RELEASE);
	reply = ctl_ok();
	json_object_set_new(reply, "compactions", json_integer(st.compactions));
	return reply;
}

/* --- an export comes back ------------------------------------------------------------------ */

/* The store's own, so that what it wrote comes back to the nanosecond. */
static __u64 offset_of(const struct judge *j)
{
	struct store_status st = status_of(j);
	struct timespec t;

	if (st.offset_ns)
		return st.offset_ns;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * S_NS + t.tv_nsec - kern_now_ns();
}

static void take_part(struct judge *j, const struct saved *r, __u64 now_ns)
{
	const struct pst_prefix *source = r->kind == SAVED_PASS ? &r->pass.source : &r->finding.source;
	const struct ledger_entry *e = ledger_find(j->setup->ledger, &source->addr);
	struct ledger_entry old = { .source = *source, .first_ns = e ? e->first_ns : now_ns, .last_ns = e ? e->last_ns : now_ns };

	if (r->kind == SAVED_PASS)
		old.pass_until_ns[r->pass.test] = r->pass.until_ns;
	else
		old.finding[old.nfindings++] = r->finding.finding;
	judge_restore_source(j, &old, now_ns);
}

const char *ctl_store_take(struct judge *j, struct str line, struct saved *r, struct ban_row *row, bool *is_ban, struct str *at)
{
	const char *flaw = saved_parse(line, r, at);
	__u64 now = kern_now_ns();

	*is_ban = false;
	if (flaw)
		return flaw;
	saved_shift(r, -offset_of(j));
	if (r->kind == SAVED_BAN)
		*is_ban = judge_restore_ban(j, &r->ban, now, row);
	else if (r->kind == SAVED_SOURCE)
		judge_restore_source(j, &r->source, now);
	else if (r->kind == SAVED_GREY)
		judge_restore_grey(j, &r->grey, now);
	else
		take_part(j, r, now);
	return NULL;
}
