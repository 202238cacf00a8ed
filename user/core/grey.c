/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/grey.h"

#include "user/core/hash.h"
#include "user/core/when.h"

#define NS_PER_S 1000000000ull

/* --- entries ------------------------------------------------------------------ */

static bool is_free(const struct grey_entry *e)
{
	return !e->source[0];
}

static bool is_waiting(const struct grey_entry *e)
{
	return !is_free(e) && !grey_is_source(e) && !e->passed;
}

bool grey_is_live(const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns)
{
	if (is_free(e))
		return false;
	if (is_waiting(e))
		return when_since(e->since_ns, now_ns) <= r->window_s * NS_PER_S;
	return when_since(e->last_ns, now_ns) <= r->keep_s * NS_PER_S;
}

static bool has_key(const struct grey_entry *e, const char *source, const __u64 key[2])
{
	return e->key[0] == key[0] && e->key[1] == key[1] && !strcmp(e->source, source);
}

/* --- the table ------------------------------------------------------------------ */

/* A source's windows follow one another; which of them an entry lives in depends on its key. */
static size_t home(const struct grey *g, const char *source, const __u64 key[2])
{
	__u64 at = hash_bytes(g->seed, str_of(source)) + (key[0] ^ key[1]) % GREY_SPAN * GREY_PROBE;

	return at & (g->nentries - 1);
}

static struct grey_entry *nth(struct grey *g, size_t from, unsigned i)
{
	return &g->entry[(from + i) & (g->nentries - 1)];
}

static struct grey_entry *find(struct grey *g, const struct grey_rules *r, const char *source, const __u64 key[2], __u64 now_ns)
{
	size_t from = home(g, source, key);

	for (unsigned i = 0; i < GREY_PROBE; i++) {
		struct grey_entry *e = nth(g, from, i);

		if (!is_free(e) && has_key(e, source, key))
			return grey_is_live(r, e, now_ns) ? e : NULL;
	}
	return NULL;
}

const struct grey_entry *grey_find(const struct grey *g, const struct grey_rules *r, const char *source, const __u64 key[2], __u64 now_ns)
{
	return find((struct grey *)g, r, source, key, now_ns);
}

enum rank { SAME, FREE, DEAD, OWN_WAITING, PASSED, FRESH_SOURCE, KNOWN_SOURCE, KEPT };

/* Who gives his place first. A triplet never takes a source's, and nobody takes that of somebody else's who waits. */
static enum rank rank_of(const struct grey_rules *r, const struct grey_entry *e, const char *source, bool for_source, __u64 now_ns)
{
	if (is_free(e))
		return FREE;
	if (!grey_is_live(r, e, now_ns))
		return DEAD;
	if (is_waiting(e))
		return strcmp(e->source, source) ? KEPT : OWN_WAITING;
	if (!grey_is_source(e))
		return PASSED;
	if (!for_source)
		return KEPT;
	return e->count < r->passes ? FRESH_SOURCE : KNOWN_SOURCE;
}

/* An entry for somebody new, cleared and named; NULL = no room. Of equals the longest unused gives way. */
static struct grey_entry *place(struct grey *g, const struct grey_rules *r, const char *source, const __u64 key[2], __u64 now_ns)
{
	bool for_source = !key[0] && !key[1];
	struct grey_entry *best = NULL;
	size_t from = home(g, source, key);
	enum rank best_rank = KEPT;

	for (unsigned i = 0; i < GREY_PROBE; i++) {
		struct grey_entry *e = nth(g, from, i);
		enum rank rank = !is_free(e) && has_key(e, source, key) ? SAME : rank_of(r, e, source, for_source, now_ns);

		if (rank < best_rank || (best && rank == best_rank && when_before(e->last_ns, best->last_ns))) {
			best = e;
			best_rank = rank;
		}
	}
	if (!best)
		return NULL;
	g->evicted += best_rank > DEAD;
	memset(best, 0, sizeof(*best));
	memcpy(best->source, source, strlen(source));
	best->key[0] = key[0];
	best->key[1] = key[1];
	best->last_ns = now_ns;
	return best;
}

void grey_init(struct grey *g, struct grey_entry *room, size_t nentries, const __u64 seed[2])
{
	*g = (struct grey){ .entry = room, .nentries = nentries, .seed = { seed[0], seed[1] } };
}

void grey_adopt(struct grey *g, const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns)
{
	struct grey_entry *to = grey_is_live(r, e, now_ns) ? place(g, r, e->source, e->key, now_ns) : NULL;

	if (to)
		*to = *e;
}

/* Of two words on one source or triplet: the first try, the last one, and whatever makes it wait less. */
static void join(struct grey_entry *to, const struct grey_entry *e)
{
	bool later = !to->since_ns || (e->since_ns && when_before(to->since_ns, e->since_ns));

	if (later == grey_is_source(to) && e->since_ns) /* a triplet's first try, a source's last pass */
		to->since_ns = e->since_ns;
	if (when_before(to->last_ns, e->last_ns))
		to->last_ns = e->last_ns;
	if (to->count < e->count)
		to->count = e->count;
	to->passed |= e->passed;
}

void grey_restore(struct grey *g, const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns)
{
	struct grey_entry *standing = find(g, r, e->source, e->key, now_ns);

	if (!standing)
		grey_adopt(g, r, e, now_ns);
	else if (grey_is_live(r, e, now_ns))
		join(standing, e);
}

size_t grey_forget(struct grey *g, const char *source)
{
	size_t n = 0;

	for (size_t i = 0; i < g->nentries; i++) {
		struct grey_entry *e = &g->entry[i];

		if (is_free(e) || (*source && strcmp(e->source, source)))
			continue;
		memset(e, 0, sizeof(*e));
		n++;
	}
	return n;
}

/* --- a try ---------------------------------------------------------------------- */

static const __u64 the_source[2];

/* Tries that began before the last pass that counted belong to the same wave. */
static void note_pass(struct grey *g, const struct grey_rules *r, const char *source, __u64 first_ns, __u64 now_ns)
{
	struct grey_entry *s = find(g, r, source, the_source, now_ns);

	if (!s)
		s = place(g, r, source, the_source, now_ns);
	if (!s)
		return;
	s->passed |= !s->since_ns || !when_before(first_ns, s->since_ns);
	s->last_ns = now_ns;
}

void grey_took(struct grey *g, const struct grey_rules *r, const char *source, __u64 now_ns)
{
	struct grey_entry *s = find(g, r, source, the_source, now_ns);

	if (!s || (!s->passed && s->count < r->passes))
		return;
	s->last_ns = now_ns;
	if (!s->passed)
		return;
	s->passed = false;
	s->since_ns = now_ns;
	s->count += s->count < ~0u;
}

static struct grey_answer begin_wait(struct grey *g, const struct grey_rules *r, const char *source, const __u64 key[2], __u64 now_ns)
{
	struct grey_entry *t = place(g, r, source, key, now_ns);

	if (!t) {
		g->full++;
		return (struct grey_answer){ .what = GREY_PASS };
	}
	t->since_ns = now_ns;
	t->count = 1;
	return (struct grey_answer){ GREY_DEFER, r->delay_s, 1 };
}

struct grey_answer grey_try(struct grey *g, const struct grey_rules *r, const char *source, const __u64 given[2], __u64 now_ns)
{
	__u64 key[2] = { given[0] + (!given[0] && !given[1]), given[1] }; /* zero is the source's own */
	struct grey_entry *s = find(g, r, source, the_source, now_ns), *t;
	__u64 waited_ns;

	if (s && s->count >= r->passes)
		return (struct grey_answer){ .what = GREY_KNOWN };
	t = find(g, r, source, key, now_ns);
	if (!t)
		return begin_wait(g, r, source, key, now_ns);
	t->count += t->count < ~0u;
	if (when_before(t->last_ns, now_ns))
		t->last_ns = now_ns;
	waited_ns = when_since(t->since_ns, now_ns);
	if (!t->passed && waited_ns < r->delay_s * NS_PER_S)
		return (struct grey_answer){ GREY_DEFER, (unsigned)((r->delay_s * NS_PER_S - waited_ns + NS_PER_S - 1) / NS_PER_S), t->count };
	if (!t->passed) {
		t->passed = true;
		note_pass(g, r, source, t->since_ns, now_ns);
	}
	return (struct grey_answer){ .what = GREY_PASS, .tries = t->count };
}
