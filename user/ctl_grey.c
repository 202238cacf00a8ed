/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_grey.c: the greylist for an operator: who waits, who has passed, and the end of that. */
#include "user/ctl_int.h"

#include <stdlib.h>

#include "user/core/names.h"
#include "user/core/when.h"
#include "user/ctl.h"

#define S_NS	     1000000000ull
#define SHOW_DEFAULT 50
#define SHOW_MAX     10000

static const char *const modes[] = {
#define GREY_X(sym, name) name,
	GREY_MODES(GREY_X)
#undef GREY_X
};

static const struct grey_rules *rules_of(const struct judge *j)
{
	return &j->setup->conf->grey;
}

/* --- which source is meant ------------------------------------------------------------ */

/* An address stands for its network: the name that made another source of it is not known here. Of any other text its own form. */
static json_t *need_source(struct judge *j, json_t *request, char out[GREY_SOURCE_MAX])
{
	const char *text = json_string_value(json_object_get(request, "source"));
	char network[PREFIX_TEXT_MAX];
	struct pst_prefix p;
	struct mailbox m;

	*out = 0;
	if (!text || strlen(text) >= GREY_SOURCE_MAX)
		return ctl_error(true, "source is missing or too long; an address, a network or a domain");
	if (prefix_parse(str_of(text), &p) == PREFIX_OK) {
		if (p.len == 128)
			grey_source(rules_of(j), &p.addr, STR(""), out);
		else
			strcpy(out, prefix_text(&p, network));
		return NULL;
	}
	if (!mailbox_domain(str_of(text), true, &m) || m.domain[0] == '[' || m.ndomain >= GREY_SOURCE_MAX)
		return ctl_error(true, "\"%s\" is neither an address nor a network nor a domain", text);
	strcpy(out, m.domain);
	return NULL;
}

static json_t *is_off(void)
{
	return ctl_error(false, "the greylist is off; set mode in section greylist");
}

/* --- what is remembered ------------------------------------------------------------------ */

static const char *state_of(const struct grey_rules *r, const struct grey_entry *e)
{
	if (grey_is_source(e))
		return e->count >= r->passes ? "known" : "source";
	return e->passed ? "passed" : "waiting";
}

static json_t *ago(__u64 then_ns, __u64 now_ns)
{
	return then_ns ? json_integer(when_since(then_ns, now_ns) / S_NS) : json_null();
}

/* Until a try passes, or until it is forgotten if nothing happens. */
static __u64 left_s(const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns)
{
	bool waits = !grey_is_source(e) && !e->passed;
	__u64 until_ns = waits ? e->since_ns + r->delay_s * S_NS : e->last_ns + r->keep_s * S_NS;

	return (when_since(now_ns, until_ns) + S_NS - 1) / S_NS;
}

static json_t *entry_json(const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns)
{
	json_t *key = grey_is_source(e) ? json_null() : json_sprintf("%016llx", (unsigned long long)e->key[0]);

	return json_pack("{s:s s:s s:o s:I s:o s:o s:I}", "source", e->source, "state", state_of(r, e), "key", key, "count", (json_int_t)e->count,
			 "since_seconds_ago", ago(e->since_ns, now_ns), "last_seconds_ago", ago(e->last_ns, now_ns), "seconds",
			 (json_int_t)left_s(r, e, now_ns));
}

static int by_last(const void *a, const void *b)
{
	const struct grey_entry *x = *(const struct grey_entry *const *)a, *y = *(const struct grey_entry *const *)b;

	return x->last_ns != y->last_ns ? (when_before(x->last_ns, y->last_ns) ? 1 : -1) : x < y ? -1 : x > y;
}

/* The live entries of source, "" = of all. NULL when memory is out. */
static const struct grey_entry **gather(struct judge *j, const char *source, __u64 now_ns, size_t *n)
{
	const struct grey *g = j->setup->grey;
	const struct grey_entry **v = calloc(g->nentries + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; v && i < g->nentries; i++)
		if (grey_is_live(rules_of(j), &g->entry[i], now_ns) && (!*source || !strcmp(source, g->entry[i].source)))
			v[(*n)++] = &g->entry[i];
	if (v && *n)
		qsort(v, *n, sizeof(*v), by_last);
	return v;
}

static json_t *rows_of(struct judge *j, const struct grey_entry **v, size_t n, size_t max, __u64 now_ns)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < n && i < max; i++)
		json_array_append_new(rows, entry_json(rules_of(j), v[i], now_ns));
	return rows;
}

json_t *ctl_grey_of(struct judge *j, const struct pst_addr *a, size_t max)
{
	const struct grey_entry **v;
	char source[GREY_SOURCE_MAX];
	__u64 now = kern_now_ns();
	json_t *rows;
	size_t n = 0;

	if (!j->setup->grey)
		return json_array();
	grey_source(rules_of(j), a, STR(""), source);
	v = gather(j, source, now, &n);
	rows = rows_of(j, v, n, max, now);
	free(v);
	return rows;
}

json_t *ctl_grey_show(struct judge *j, json_t *request)
{
	json_t *limit = json_object_get(request, "limit"), *error, *rows, *reply;
	json_int_t max = limit ? json_integer_value(limit) : SHOW_DEFAULT;
	const struct grey_entry **v;
	char source[GREY_SOURCE_MAX] = "";
	__u64 now = kern_now_ns();
	size_t n;

	if (json_object_get(request, "source") && (error = need_source(j, request, source)))
		return error;
	if (max < 1 || max > SHOW_MAX)
		return ctl_error(true, "limit is no number from 1 to %d", SHOW_MAX);
	if (!j->setup->grey)
		return is_off();
	v = gather(j, source, now, &n);
	if (!v)
		return ctl_error(false, "no memory");
	rows = rows_of(j, v, n, (size_t)max, now);
	free(v);
	reply = ctl_ok();
	json_object_set_new(reply, "source", *source ? json_string(source) : json_null());
	json_object_set_new(reply, "known", json_integer((json_int_t)n));
	json_object_set_new(reply, "entries", rows);
	return reply;
}

static json_t *forget(struct judge *j, const char *source)
{
	json_t *reply;

	if (!j->setup->grey)
		return is_off();
	reply = ctl_ok();
	judge_store_forgot(j);
	json_object_set_new(reply, "forgotten", json_integer((json_int_t)grey_forget(j->setup->grey, source)));
	return reply;
}

json_t *ctl_grey_del(struct judge *j, json_t *request)
{
	char source[GREY_SOURCE_MAX];
	json_t *error = need_source(j, request, source);

	return error ? error : forget(j, source);
}

json_t *ctl_grey_flush(struct judge *j, json_t *request)
{
	(void)request;
	return forget(j, "");
}

json_t *ctl_grey_stats(struct judge *j, json_t *request)
{
	const struct grey_rules *r = rules_of(j);
	const struct grey *g = j->setup->grey;
	size_t waiting = 0, passed = 0, sources = 0, known = 0;
	__u64 now = kern_now_ns();

	(void)request;
	for (size_t i = 0; g && i < g->nentries; i++) {
		const struct grey_entry *e = &g->entry[i];

		if (!grey_is_live(r, e, now))
			continue;
		sources += grey_is_source(e);
		known += grey_is_source(e) && e->count >= r->passes;
		passed += !grey_is_source(e) && e->passed;
		waiting += !grey_is_source(e) && !e->passed;
	}
	return json_pack("{s:i s:s s:I s:I s:I s:I s:I s:I s:I}", "schema", CTL_SCHEMA, "mode", modes[r->mode], "waiting", (json_int_t)waiting, "passed",
			 (json_int_t)passed, "sources", (json_int_t)sources, "known", (json_int_t)known, "room", (json_int_t)(g ? g->nentries : 0),
			 "evicted", (json_int_t)(g ? g->evicted : 0), "full", (json_int_t)(g ? g->full : 0));
}
