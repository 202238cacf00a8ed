/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_dnsl.c: the zones of DNS lists for an operator, each summed over the workers that ask it. What is really asked may be a secret and stays one. */
#include "user/ctl_int.h"

#include "user/ctl.h"

#define S_NS 1000000000ull

static const char *const modes[] = {
#define TRIAGE_X(sym, name) name,
	TRIAGE_MODES(TRIAGE_X)
#undef TRIAGE_X
};

struct summed {
	unsigned workers, up, down, why;
	__u64 since_ns, queries, listed, errors, timeouts;
};

static void add(struct summed *s, const struct ipc_zone *z)
{
	s->workers++;
	s->up += z->state == DNSL_STATE_UP;
	s->down += z->state == DNSL_STATE_DOWN;
	s->why = z->why && (!s->why || z->state == DNSL_STATE_DOWN) ? z->why : s->why;
	s->since_ns = z->since_ns > s->since_ns ? z->since_ns : s->since_ns;
	s->queries += z->queries;
	s->listed += z->listed;
	s->errors += z->errors;
	s->timeouts += z->timeouts;
}

/* Of workers with this configuration; one of another age may have another zone in this place. */
static struct summed sum(const struct judge *j, unsigned i)
{
	__u64 print = dnsl_print(&j->setup->conf->dnsl.rules.zone[i]);
	struct summed s = { 0 };

	for (size_t k = 0; k < WORKER_SLOTS; k++) {
		const struct judge_channel *c = &j->channel[k];

		if (c->pid && c->zone && c->zone[i].print == print)
			add(&s, &c->zone[i]);
	}
	return s;
}

static const char *state_of(const struct summed *s)
{
	if (s->up && s->down)
		return "mixed";
	return dnsl_state_name(s->down ? DNSL_STATE_DOWN : s->up ? DNSL_STATE_UP : DNSL_STATE_NEW);
}

/* A worker's clock is not to be believed: what lies ahead is now. */
static json_t *ago(__u64 moment_ns, __u64 now_ns)
{
	return moment_ns ? json_integer(now_ns > moment_ns ? (json_int_t)((now_ns - moment_ns) / S_NS) : 0) : json_null();
}

static json_t *weights(const struct dnsl_rules *r, unsigned zone)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->nrules; i++)
		if (r->rule[i].zone == zone)
			json_array_append_new(all, json_integer(r->rule[i].weight));
	return all;
}

static json_t *zone_json(const struct judge *j, unsigned i, __u64 now_ns)
{
	const struct dnsl_rules *r = &j->setup->conf->dnsl.rules;
	struct summed s = sum(j, i);

	return json_pack("{s:s s:s s:o s:i s:i s:o s:I s:I s:I s:I s:o}", "zone", r->zone[i].name, "state", state_of(&s), "seconds",
			 ago(s.since_ns, now_ns), "workers", (int)s.workers, "workers_up", (int)s.up, "weights", weights(r, i), "queries",
			 (json_int_t)s.queries, "listed", (json_int_t)s.listed, "errors", (json_int_t)s.errors, "timeouts", (json_int_t)s.timeouts, "why",
			 s.why ? json_string(dnsl_why_text(s.why)) : json_null());
}

json_t *ctl_dnsl_show(struct judge *j, json_t *request)
{
	const struct dnsl_rules *r = &j->setup->conf->dnsl.rules;
	json_t *rows = json_array(), *reply = ctl_ok();
	__u64 now_ns = kern_now_ns();

	(void)request;
	for (unsigned i = 0; i < r->nzones; i++)
		json_array_append_new(rows, zone_json(j, i, now_ns));
	json_object_set_new(reply, "mode", json_string(modes[j->setup->conf->test[TEST_DNSL].mode]));
	json_object_set_new(reply, "enforce", json_integer(r->enforce));
	json_object_set_new(reply, "ban", r->ban ? json_integer(r->ban) : json_null());
	json_object_set_new(reply, "skip", r->skip ? json_integer(r->skip) : json_null());
	json_object_set_new(reply, "zones", rows);
	return reply;
}
