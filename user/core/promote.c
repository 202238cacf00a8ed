/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/promote.h"

#include "user/core/hash.h"

#define PROBE 16 /* as in ledger.c: all of a neighbourhood is looked at, so no chain ever forms */
#define S_NS  1000000000ull

struct pst_prefix promote_prefix(const struct pst_addr *a)
{
	return prefix_of(a, addr_is4(a) ? 96 + 24 : 48);
}

/* What tells the sources of a prefix apart: the last octet, or the two between /48 and /64. */
static __u32 id_of(const struct pst_addr *a)
{
	return addr_is4(a) ? a->b[15] : (__u32)a->b[6] << 8 | a->b[7];
}

static size_t place_of(const struct promote *t, const struct pst_prefix *p, unsigned i)
{
	return (hash_addr(&p->addr, t->seed ^ p->len) + i) % PROMOTE_ENTRIES;
}

/* Its place, or PROMOTE_ENTRIES: it has none. */
static size_t look_up(const struct promote *t, const struct pst_prefix *p)
{
	for (unsigned i = 0; i < PROBE; i++) {
		size_t at = place_of(t, p, i);

		if (t->entry[at].prefix.len && !prefix_cmp(&t->entry[at].prefix, p))
			return at;
	}
	return PROMOTE_ENTRIES;
}

/* A free one, or the one that was heard of longest ago. */
static struct promote_entry *take(struct promote *t, const struct pst_prefix *p)
{
	size_t at = look_up(t, p);
	struct promote_entry *best = NULL;

	if (at < PROMOTE_ENTRIES)
		return &t->entry[at];
	for (unsigned i = 0; i < PROBE; i++) {
		struct promote_entry *e = &t->entry[place_of(t, p, i)];

		if (!best || (best->prefix.len && (!e->prefix.len || e->last_ns < best->last_ns)))
			best = e;
	}
	t->evicted += best->prefix.len != 0;
	*best = (struct promote_entry){ .prefix = *p };
	return best;
}

/* Which of two is forgotten first: the elder, of one instant the higher id, so that order does not matter. */
static bool goes_first(const struct promote_source *a, const struct promote_source *b)
{
	return a->when_ns != b->when_ns ? a->when_ns < b->when_ns : a->id > b->id;
}

static void remember(struct promote_entry *e, __u32 id, __u64 now_ns)
{
	struct promote_source new = { now_ns, id }, *worst = NULL;

	for (unsigned i = 0; i < e->n; i++) {
		struct promote_source *s = &e->source[i];

		if (s->id == id) {
			s->when_ns = s->when_ns > now_ns ? s->when_ns : now_ns;
			return;
		}
		if (!worst || goes_first(s, worst))
			worst = s;
	}
	if (e->n < PROMOTE_SOURCES)
		e->source[e->n++] = new;
	else if (goes_first(worst, &new))
		*worst = new;
}

unsigned promote_count(const struct promote_entry *e, const struct promote_rules *r, __u64 now_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n && i < PROMOTE_SOURCES; i++)
		n += e->source[i].when_ns >= now_ns || now_ns - e->source[i].when_ns < r->window_s * S_NS;
	return n;
}

struct promotion promote_note(struct promote *t, const struct promote_rules *r, const struct policy *p, const struct pst_addr *a, __u64 now_ns)
{
	struct promotion v = { .prefix = promote_prefix(a) };
	struct promote_entry *e;
	struct verdict ban;

	if (!r->sources)
		return v;
	e = take(t, &v.prefix);
	if (e->last_ns < now_ns)
		e->last_ns = now_ns;
	remember(e, id_of(a), now_ns);
	v.sources = promote_count(e, r, now_ns);
	v.due = v.sources >= r->sources && now_ns >= e->record.banned_until_ns;
	if (!v.due)
		return v;
	ban = judgement_ban(p, &e->record, 0, now_ns);
	v.until_ns = ban.until_ns;
	v.relapse = ban.relapse;
	return v;
}

void promote_done(struct promote *t, const struct promotion *done)
{
	size_t at = look_up(t, &done->prefix);

	if (at == PROMOTE_ENTRIES)
		return;
	t->entry[at].record.banned_until_ns = done->until_ns;
	t->entry[at].record.relapse = done->relapse + 1;
}

const struct promote_entry *promote_find(const struct promote *t, const struct pst_addr *a)
{
	struct pst_prefix p = promote_prefix(a);
	size_t at = look_up(t, &p);

	return at < PROMOTE_ENTRIES ? &t->entry[at] : NULL;
}

void promote_forget(struct promote *t, const struct pst_prefix *p)
{
	size_t at = look_up(t, p);

	if (at < PROMOTE_ENTRIES)
		t->entry[at] = (struct promote_entry){ .prefix = { .len = 0 } };
}
