/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl_import.c: bans by the million over the control socket: a header, then a row a line. Rows are written in batches,
 * so that memory is bounded and findings are judged in between.
 */
#include "user/ctl_int.h"

#include <errno.h>
#include <stdlib.h>

#include "user/core/names.h"
#include "user/ctl.h"
#include "user/log.h"

#define S_NS  1000000000ull
#define BATCH 1024
#define RECORDS_MAX 33554432 /* of a store import */

struct ctl_import {
	struct judge *judge;
	size_t left, at; /* rows to come; rows that came */
	bool force;
	bool records; /* of an export of the store, not bans alone */
	size_t skipped;
	struct ban_many done;
	unsigned n; /* in the batch */
	struct ban_row row[BATCH];
	char note[BATCH][PST_NOTE_MAX];
	struct saved record;
};

struct ctl_import *ctl_import_begin(struct judge *j, json_t *request, json_t **error)
{
	json_int_t rows = json_integer_value(json_object_get(request, "rows"));
	bool records = !strcmp(json_string_value(json_object_get(request, "command")), "store import");
	size_t room = records ? RECORDS_MAX : ban_capacity(j->setup->maps);
	struct ctl_import *m;

	if (rows < 1 || (size_t)rows > room) {
		*error = ctl_error(true, "rows is no number from 1 to %zu%s", room, records ? "" : ", the room of the ban table");
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		*error = ctl_error(false, "out of memory");
		return NULL;
	}
	m->judge = j;
	m->left = rows;
	m->records = records;
	m->force = json_is_true(json_object_get(request, "force"));
	return m;
}

void ctl_import_free(struct ctl_import *m)
{
	if (!m)
		return;
	if (m->done.written)
		judge_kick_banned(m->judge);
	free(m);
}

/* A number of at most max. */
static bool take_number(struct str *rest, unsigned long long max, unsigned long long *out)
{
	return str_u64(str_word(rest), out) && *out <= max;
}

static bool take_until(struct str *rest, __u64 now_ns, __u64 *until_ns)
{
	struct str word = str_word(rest);
	unsigned long long seconds;

	*until_ns = ~0ull;
	if (str_eq(word, STR("-")))
		return true;
	if (!str_u64(word, &seconds) || !seconds || seconds > (~0ull - now_ns) / S_NS)
		return false;
	*until_ns = now_ns + seconds * S_NS;
	return true;
}

/* PREFIX SECONDS|- ACTION SCOPE PORT GRACE [REASON]. What of it is wrong, or NULL. */
static const char *take_row(struct str rest, struct ban_row *row, char note[PST_NOTE_MAX])
{
	struct pst_ban b = { .made_ns = kern_now_ns(), .reason = PST_RSN_OPERATOR, .origin = PST_ORIGIN_OPERATOR };
	unsigned long long port, grace;
	int action, scope;

	if (prefix_parse(str_word(&rest), &row->prefix) != PREFIX_OK)
		return "the prefix";
	if (!take_until(&rest, b.made_ns, &b.until_ns))
		return "the seconds";
	if ((action = action_by_name(str_word(&rest))) < 0)
		return "the action";
	if ((scope = scope_by_name(str_word(&rest))) < 0)
		return "the scope";
	if (!take_number(&rest, 65535, &port) || (scope == PST_SCOPE_PORT) != (port != 0))
		return "the port";
	if (!take_number(&rest, PST_GRACE_MAX, &grace))
		return "the grace";
	rest = str_trim(rest);
	if (rest.n >= PST_NOTE_MAX)
		return "the length of the reason";
	b.action = action;
	b.scope = scope;
	b.port = port;
	b.grace = grace;
	memcpy(note, rest.p, rest.n);
	note[rest.n] = 0;
	row->ban = b;
	row->note = note;
	return NULL;
}

static json_t *flush(struct ctl_import *m)
{
	struct ban_many done = { 0 };
	int rc = m->n ? judge_ban_many(m->judge, m->row, m->n, &done) : 0;

	m->n = 0;
	m->done.written += done.written;
	m->done.evicted += done.evicted;
	m->done.noteless += done.noteless;
	if (rc == -ENOSPC)
		return ctl_error(false, "too many different prefix lengths are banned; %d a family at most; %zu rows are written", PST_BAN_LENS_MAX,
				 m->done.written);
	return rc ? ctl_error(false, "row %zu could not be written: %s; the rows before it are", m->done.written + 1, strerror(-rc)) : NULL;
}

static json_t *finish(struct ctl_import *m)
{
	json_t *reply = flush(m);

	if (reply)
		return reply;
	ctl_event_import(m->judge->ctl, m->done.written);
	reply = ctl_ok();
	if (m->records)
		json_object_update_new(reply, json_pack("{s:I s:I}", "records", (json_int_t)m->at, "skipped", (json_int_t)m->skipped));
	json_object_update_new(reply, json_pack("{s:I s:I s:I}", "bans", (json_int_t)m->done.written, "evicted", (json_int_t)m->done.evicted,
						"noteless", (json_int_t)m->done.noteless));
	return reply;
}

/* Nothing more is taken: what stands before the row that is wrong is written, and said. */
static json_t *stop(struct ctl_import *m, json_t *why)
{
	json_t *error = flush(m);

	m->left = 0;
	if (!error)
		return why;
	json_decref(why);
	return error;
}

/* A record of another kind than a ban is taken at once. */
static json_t *take_record(struct ctl_import *m, struct str line, bool *is_ban)
{
	struct ban_row *row = &m->row[m->n];
	struct str at;
	const char *flaw = ctl_store_take(m->judge, line, &m->record, row, is_ban, &at);

	if (flaw)
		return ctl_error(true, "row %zu: \"%.*s\": %s", m->at, (int)at.n, at.p, flaw);
	m->skipped += m->record.kind == SAVED_BAN && !*is_ban;
	if (*is_ban && row->note)
		row->note = strcpy(m->note[m->n], row->note);
	return NULL;
}

static json_t *take_ban(struct ctl_import *m, struct str line)
{
	const char *flaw = take_row(line, &m->row[m->n], m->note[m->n]);

	return flaw ? ctl_error(true, "row %zu: %s is wrong; PREFIX SECONDS|- ACTION SCOPE PORT GRACE [REASON]", m->at, flaw) : NULL;
}

json_t *ctl_import_row(struct ctl_import *m, const char *line, size_t n)
{
	struct str text = { line, n };
	bool is_ban = true;
	json_t *error;

	m->at++;
	m->left--;
	error = m->records ? take_record(m, text, &is_ban) : take_ban(m, text);
	if (!error && is_ban && !m->force)
		error = ctl_objection(m->judge, &m->row[m->n].prefix);
	if (error)
		return stop(m, error);
	m->n += is_ban;
	if (!m->left)
		return finish(m);
	return m->n == BATCH ? flush(m) : NULL;
}

size_t ctl_import_written(const struct ctl_import *m)
{
	return m->done.written;
}
