/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/top_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/postern/call.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "user/ban.h"
#include "user/core/addr.h"

#define S_NS	     1000000000ull
#define KNOCKING_NS  (60 * S_NS) /* a ban that refused nothing for so long is at rest */
#define WALK_SHARE   10		 /* a walk over the bans may take one part in this many of the time */

/* --- the bans, walked over now and then -------------------------------------------- */

struct walk {
	__u64 now_ns;
	struct top_sample *s;
	size_t live;
	struct top_knock found[TOP_KNOCKS_MAX];
	unsigned n;
};

static double rate_of(const struct top_sample *before, const struct pst_prefix *p, __u64 hits, __u64 past_ns)
{
	for (unsigned i = 0; i < before->nknocks; i++)
		if (!prefix_cmp(&before->knock[i].prefix, p))
			return hits >= before->knock[i].ban.hits ? (double)(hits - before->knock[i].ban.hits) * S_NS / past_ns : 0;
	return -1;
}

/* By what they refused in all: a rate is only known of those that were among them before. */
static int keep(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct walk *w = ctx;
	unsigned i;

	if (b->until_ns <= w->now_ns)
		return 0;
	w->live++;
	if (!b->last_ns || b->last_ns + KNOCKING_NS < w->now_ns)
		return 0;
	if (w->n == TOP_KNOCKS_MAX && b->hits <= w->found[w->n - 1].ban.hits)
		return 0;
	w->n += w->n < TOP_KNOCKS_MAX;
	for (i = w->n - 1; i && w->found[i - 1].ban.hits < b->hits; i--)
		w->found[i] = w->found[i - 1];
	w->found[i] = (struct top_knock){ .prefix = *p, .ban = *b };
	return 0;
}

static int busier(const void *a, const void *b)
{
	const struct top_knock *x = a, *y = b;

	if (x->per_second != y->per_second)
		return x->per_second < y->per_second ? 1 : -1;
	return x->ban.hits < y->ban.hits ? 1 : x->ban.hits > y->ban.hits ? -1 : prefix_cmp(&x->prefix, &y->prefix);
}

/* A large table is walked over less often, not longer. */
static void walk_bans(const struct kern_maps *m, struct top_sample *s)
{
	static __u64 last_ns, next_ns;
	static struct walk w;
	__u64 now_ns = kern_now_ns();

	if (now_ns < next_ns)
		return;
	w = (struct walk){ .now_ns = now_ns, .s = s };
	if (ban_each(m, keep, &w))
		return;
	for (unsigned i = 0; i < w.n; i++)
		w.found[i].per_second = last_ns ? rate_of(s, &w.found[i].prefix, w.found[i].ban.hits, now_ns - last_ns) : -1;
	qsort(w.found, w.n, sizeof(w.found[0]), busier);
	memcpy(s->knock, w.found, sizeof(s->knock));
	s->nknocks = w.n;
	s->bans = w.live;
	last_ns = now_ns;
	next_ns = kern_now_ns() + (kern_now_ns() - now_ns) * WALK_SHARE;
}

/* --- the kernel's half ------------------------------------------------------------------ */

static void read_lists(const struct kern_maps *m, struct top_sample *s)
{
	struct pst_list_info info;

	s->nlists = 0;
	for (unsigned i = 0; i < PST_LISTS_MAX; i++) {
		struct top_list *l = &s->list[s->nlists];

		if (list_info(m, i, &info) || list_hits(m, i, &l->hits))
			continue;
		memcpy(l->name, info.name, sizeof(l->name));
		l->action = info.action;
		s->nlists++;
	}
}

static void kernel_half(struct top_sample *s)
{
	struct kern_maps m;
	struct pst_conf conf;
	int rc;

	out_quiet(s->no_gate, sizeof(s->no_gate));
	rc = place_open(&m, true);
	out_quiet(NULL, 0);
	if (rc)
		return;
	s->at_ns = kern_now_ns();
	rc = stats_read(&m, &s->stats);
	if (!rc)
		rc = gate_conf_get(&m, &conf);
	if (rc)
		snprintf(s->no_gate, sizeof(s->no_gate), "the maps cannot be read: %s", strerror(-rc));
	s->mode = rc ? 0 : conf.mode;
	s->silent = !rc && conf.dead_man_ns && conf.dead_man_ns <= s->at_ns;
	s->bans_room = ban_capacity(&m);
	read_lists(&m, s);
	walk_bans(&m, s);
	kern_close(&m);
	s->nlinks = kern_links(place_pins(), s->link, TOP_LINKS_MAX);
}

/* --- the daemon's half --------------------------------------------------------------------- */

/* Once it has not answered it is not asked again for this moment. */
static json_t *ask(struct top_sample *s, json_t *request)
{
	json_t *reply = NULL;
	enum call_result result;

	if (*s->no_daemon) {
		json_decref(request);
		return NULL;
	}
	out_quiet(s->no_daemon, sizeof(s->no_daemon));
	result = call(request, &reply);
	out_quiet(NULL, 0);
	if (result == CALL_DOWN)
		snprintf(s->no_daemon, sizeof(s->no_daemon), "posternd is not running");
	return result == CALL_OK ? reply : NULL;
}

static void forget(struct top_sample *s)
{
	json_decref(s->daemon);
	json_decref(s->sessions);
	json_decref(s->clients);
	json_decref(s->backends);
	s->daemon = s->sessions = s->clients = s->backends = NULL;
}

/* Whoever was banned and keeps away has no place among those who go on sending, but is banned all the same. */
static void find_bans(struct top_sample *s)
{
	char why[TOP_WHY_MAX];
	struct pst_prefix p;
	struct kern_maps m;
	json_t *c;
	size_t i;

	memset(s->held, 0, sizeof(s->held));
	out_quiet(why, sizeof(why));
	if (!s->clients || place_open(&m, true)) {
		out_quiet(NULL, 0);
		return;
	}
	out_quiet(NULL, 0);
	json_array_foreach(json_object_get(s->clients, "clients"), i, c) {
		const char *source = json_string_value(json_object_get(c, "source"));

		if (i < TOP_CLIENTS_MAX && source && prefix_parse(str_of(source), &p) == PREFIX_OK &&
		    ban_find(&m, &p.addr, s->at_ns, &p, &s->held[i], NULL))
			s->held[i].until_ns = 0;
	}
	kern_close(&m);
}

void top_sample_take(struct top_sample *s)
{
	forget(s);
	s->no_daemon[0] = 0;
	s->at_ns = kern_now_ns();
	kernel_half(s);
	s->daemon = ask(s, json_pack("{ss}", "command", "daemon show"));
	s->sessions = ask(s, json_pack("{ss}", "command", "session count"));
	s->clients = ask(s, json_pack("{ss si}", "command", "client list", "limit", TOP_CLIENTS_MAX));
	find_bans(s);
	s->backends = ask(s, json_pack("{ss}", "command", "backend show"));
}

void top_sample_free(struct top_sample *s)
{
	forget(s);
}
