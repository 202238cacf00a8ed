/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judge_figures.c: what the zones of DNS lists and the backends of this configuration have done and how they are, summed over the
 * workers, for pst_named. The sums stand there, so they outlive judges: the next one goes on from them, under the same names. What a
 * worker counted before this judge knew it was counted by the one before, but for the last seconds.
 */
#include "user/judge_int.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "user/core/str.h"

_Static_assert(PST_ZONES_MAX >= DNSL_ZONES_MAX && PST_BACKENDS_MAX >= IPC_BACKENDS_MAX && PST_NAME_MAX > DNSL_NAME_MAX, "room for all");

/* --- rows ------------------------------------------------------------------------- */

static void put(const struct judge *j, __u32 i)
{
	bpf_map_update_elem(j->setup->maps->named, &i, &j->figures[i], BPF_ANY);
}

/* Row i is of this name; was: the rows of before, of which [first, last) are its kind. */
static void begin_row(struct judge *j, unsigned i, const char *name, const struct pst_named *was, unsigned first, unsigned last)
{
	struct pst_named *row = &j->figures[i];

	str_escape(str_of(name), row->name, sizeof(row->name));
	for (unsigned k = first; k < last; k++)
		if (!strncmp(was[k].name, row->name, sizeof(row->name)))
			memcpy(row->figure, was[k].figure, sizeof(row->figure));
}

static size_t nbackends(const struct judge *j)
{
	return j->setup->conf->nbackends < PST_BACKENDS_MAX ? j->setup->conf->nbackends : PST_BACKENDS_MAX;
}

bool judge_figures_begin(struct judge *j)
{
	const struct dnsl_rules *r = &j->setup->conf->dnsl.rules;
	struct pst_named *was = calloc(PST_NAMED_MAX, sizeof(*was));

	j->figures = calloc(PST_NAMED_MAX, sizeof(*j->figures));
	if (was && j->figures) {
		for (__u32 i = 0; i < PST_NAMED_MAX; i++)
			bpf_map_lookup_elem(j->setup->maps->named, &i, &was[i]);
		for (unsigned i = 0; i < r->nzones; i++)
			begin_row(j, i, r->zone[i].name, was, 0, PST_ZONES_MAX);
		for (unsigned i = 0; i < nbackends(j); i++)
			begin_row(j, PST_ZONES_MAX + i, j->setup->conf->backend[i].name, was, PST_ZONES_MAX, PST_NAMED_MAX);
		for (unsigned i = 0; i < PST_NAMED_MAX; i++)
			put(j, i);
	}
	free(was);
	return was && j->figures;
}

/* --- counting --------------------------------------------------------------------- */

/* A worker is not to be believed: what falls adds nothing. */
static __u64 more(__u64 now, __u64 before)
{
	return now > before ? now - before : 0;
}

/* A worker may serve another configuration than ours. */
static bool is_zone(const struct judge *j, unsigned i, const struct ipc_zone *z)
{
	return dnsl_print(&j->setup->conf->dnsl.rules.zone[i]) == z->print;
}

static bool is_backend(const struct judge *j, unsigned i, const struct ipc_backend *b)
{
	return b->name[0] && !strncmp(j->setup->conf->backend[i].name, b->name, IPC_BACKEND_MAX - 1);
}

void judge_figures_zone(struct judge_channel *c, const struct ipc_zone *z)
{
	const struct ipc_zone *last = c->zone && c->zone[z->zone].print == z->print ? &c->zone[z->zone] : NULL, none = { 0 };
	const struct judge *j = c->judge;

	if (!last)
		last = c->fresh ? &none : z;
	for (unsigned i = 0; i < j->setup->conf->dnsl.rules.nzones; i++) {
		__u64 *figure = j->figures[i].figure;

		if (!is_zone(j, i, z))
			continue;
		figure[PST_ZONE_QUERIES] += more(z->queries, last->queries);
		figure[PST_ZONE_LISTED] += more(z->listed, last->listed);
		figure[PST_ZONE_FAILURES] += more(z->errors, last->errors) + more(z->timeouts, last->timeouts);
	}
}

void judge_figures_backend(struct judge_channel *c, const struct ipc_backend *b)
{
	const struct ipc_backend *last = c->backend ? &c->backend[b->index] : NULL, none = { 0 };
	const struct judge *j = c->judge;

	if (!last || strncmp(last->name, b->name, IPC_BACKEND_MAX))
		last = c->fresh ? &none : b;
	for (unsigned i = 0; i < nbackends(j); i++) {
		__u64 *figure = j->figures[PST_ZONES_MAX + i].figure;

		if (!is_backend(j, i, b))
			continue;
		figure[PST_BACKEND_SESSIONS] += more(b->sessions, last->sessions);
		figure[PST_BACKEND_FAILURES] += more(b->failures, last->failures);
	}
}

/* --- how they are ----------------------------------------------------------------- */

/* Some worker finds it in order, and none does not. */
static bool is_zone_up(const struct judge *j, unsigned i)
{
	unsigned up = 0, down = 0;

	for (size_t k = 0; k < WORKER_SLOTS; k++) {
		const struct judge_channel *c = &j->channel[k];

		for (unsigned z = 0; c->pid && c->zone && z < DNSL_ZONES_MAX; z++) {
			up += is_zone(j, i, &c->zone[z]) && c->zone[z].state == DNSL_STATE_UP;
			down += is_zone(j, i, &c->zone[z]) && c->zone[z].state == DNSL_STATE_DOWN;
		}
	}
	return up && !down;
}

static bool is_backend_up(const struct judge *j, unsigned i)
{
	unsigned up = 0, down = 0;

	for (size_t k = 0; k < WORKER_SLOTS; k++) {
		const struct judge_channel *c = &j->channel[k];

		for (unsigned b = 0; c->pid && c->backend && b < IPC_BACKENDS_MAX; b++) {
			up += is_backend(j, i, &c->backend[b]) && c->backend[b].health == IPC_UP;
			down += is_backend(j, i, &c->backend[b]) && c->backend[b].health == IPC_DOWN;
		}
	}
	return up && !down;
}

void judge_figures_put(struct judge *j)
{
	for (unsigned i = 0; i < j->setup->conf->dnsl.rules.nzones; i++) {
		j->figures[i].figure[PST_ZONE_UP] = is_zone_up(j, i);
		put(j, i);
	}
	for (unsigned i = 0; i < nbackends(j); i++) {
		j->figures[PST_ZONES_MAX + i].figure[PST_BACKEND_UP] = is_backend_up(j, i);
		put(j, PST_ZONES_MAX + i);
	}
}
