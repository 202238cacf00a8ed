/* SPDX-License-Identifier: BSD-2-Clause */
/* top_json.c: the same facts for programs: one object a moment. */
#include "tools/postern/top_view.h"
#include "user/core/addr.h"
#include "user/core/names.h"

/* To a tenth; null when not known. */
static json_t *rate(double per_second)
{
	return per_second < 0 ? json_null() : json_real((double)(long long)(per_second * 10 + 0.5) / 10);
}

static json_t *figures(const struct top_figure *f, unsigned n)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s:s s:o s:I}", "name", f[i].name, "per_second", rate(f[i].per_second), "total",
						     (json_int_t)f[i].total));
	return all;
}

static json_t *links(const struct top_sample *now)
{
	json_t *all = json_array();

	for (int i = 0; i < now->nlinks && i < TOP_LINKS_MAX; i++)
		json_array_append_new(all, json_pack("{s:s s:s s:b}", "interface", now->link[i].interface, "mode", now->link[i].native ? "native" : "generic",
						     "shared", now->link[i].shared));
	return all;
}

static json_t *knocks(const struct top_sample *now)
{
	json_t *all = json_array();
	char text[PREFIX_TEXT_MAX];

	for (unsigned i = 0; i < now->nknocks; i++) {
		const struct top_knock *k = &now->knock[i];

		json_array_append_new(all, json_pack("{s:s s:s s:s s:o s:I}", "prefix", prefix_text(&k->prefix, text), "reason", reason_name(k->ban.reason),
						     "action", action_name(k->ban.action), "per_second", rate(k->per_second), "refused",
						     (json_int_t)k->ban.hits));
	}
	return all;
}

static json_t *copy(json_t *reply, const char *key)
{
	json_t *v = json_object_get(reply, key);

	return v ? json_incref(v) : json_null();
}

/* Without what it says of itself. */
static json_t *member(json_t *reply)
{
	json_t *v = reply ? json_copy(reply) : json_null();

	if (reply)
		json_object_del(v, "schema");
	return v;
}

json_t *top_json(const struct top_sample *now, const struct top_figures *f)
{
	json_t *gate = json_null();

	if (!*now->no_gate)
		gate = json_pack("{s:s s:b s:b s:o s:I s:I s:o s:o s:o s:o s:o}", "mode", mode_name(now->mode), "silent", now->silent,
				 "breaker_open", now->stats.counter[PST_CNT_BREAKER_OPEN] != 0, "links", links(now), "bans", (json_int_t)now->bans,
				 "bans_room", (json_int_t)now->bans_room, "sums", figures(f->sum, TOP_SUM_MAX), "refused", figures(f->drop, f->ndrops),
				 "lists", figures(f->list, f->nlists), "findings", figures(f->finding, f->nfindings), "knocking", knocks(now));
	return json_pack("{s:o s:o s:s* s:o s:s* s:o s:o s:o}", "seconds", rate(f->seconds ? f->seconds : -1), "gate", gate, "gate_error",
			 *now->no_gate ? now->no_gate : NULL, "daemon", member(now->daemon), "daemon_error", *now->no_daemon ? now->no_daemon : NULL,
			 "sessions", member(now->sessions), "backends", copy(now->backends, "backends"), "clients", copy(now->clients, "clients"));
}
