/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/crowd.h"

#include "user/core/hash.h"

#define PROBE 16 /* as in ledger.c: all of a neighbourhood is looked at, so no chain ever forms */
#define S_NS  1000000000ull

static const struct {
	const char *name;
	enum pst_counter counter;
	enum sess_limit limit;
	bool arrived;
} rows[CROWD_MAX] = {
#define CROWD_X(sym, word, cnt, lim, arr) { .name = word, .counter = PST_CNT_##cnt, .limit = LIMIT_##lim, .arrived = arr },
	CROWD_KINDS(CROWD_X)
#undef CROWD_X
};

const char *crowd_name(enum crowd_kind kind)
{
	return rows[kind].name;
}

enum pst_counter crowd_counter(enum crowd_kind kind)
{
	return rows[kind].counter;
}

__u64 crowd_slot_ns(const struct crowd_rules *r, enum crowd_kind kind)
{
	unsigned s = kind == CROWD_AUTH_LONG ? r->long_window_s : r->window_s;

	return (s ? s : 1) * S_NS / WINDOW_SLOTS;
}

struct pst_prefix crowd_prefix(const struct pst_addr *a, enum crowd_scope scope)
{
	if (scope == CROWD_SOURCE)
		return prefix_source(a);
	return prefix_of(a, scope == CROWD_TOTAL ? 0 : addr_is4(a) ? 96 + 24 : 48);
}

void crowd_init(struct crowd *c, struct crowd_entry *room, size_t nentries, __u64 seed)
{
	*c = (struct crowd){ .entry = room, .nentries = nentries, .seed = seed };
}

static struct crowd_entry *place(const struct crowd *c, const struct pst_prefix *p, unsigned i)
{
	return &c->entry[(hash_addr(&p->addr, c->seed ^ p->len) + i) & (c->nentries - 1)];
}

static struct crowd_entry *look_up(const struct crowd *c, const struct pst_prefix *p)
{
	__u64 h = hash_addr(&p->addr, c->seed ^ p->len);

	for (unsigned i = 0; i < PROBE; i++) {
		struct crowd_entry *e = &c->entry[(h + i) & (c->nentries - 1)];

		if (e->who.len && !prefix_cmp(&e->who, p))
			return e;
	}
	return NULL;
}

/* A free place, or the one that was heard of longest ago. */
static struct crowd_entry *oldest(const struct crowd *c, const struct pst_prefix *p)
{
	struct crowd_entry *first = place(c, p, 0), *best = first;

	for (unsigned i = 0; i < PROBE; i++) {
		struct crowd_entry *e = &c->entry[((size_t)(first - c->entry) + i) & (c->nentries - 1)];

		if (!e->who.len)
			return e;
		if (e->last_ns < best->last_ns)
			best = e;
	}
	return best;
}

struct crowd_entry *crowd_find(struct crowd *c, const struct pst_addr *a, enum crowd_scope scope)
{
	struct pst_prefix p = crowd_prefix(a, scope);

	return scope == CROWD_TOTAL ? &c->total : look_up(c, &p);
}

struct crowd_entry *crowd_take(struct crowd *c, const struct pst_addr *a, enum crowd_scope scope, __u64 now_ns)
{
	struct pst_prefix p = crowd_prefix(a, scope);
	struct crowd_entry *e = crowd_find(c, a, scope);

	if (!e) {
		e = oldest(c, &p);
		if (e->who.len)
			c->evicted++;
		else
			c->used++;
		*e = (struct crowd_entry){ .who = p };
	}
	if (e->last_ns < now_ns)
		e->last_ns = now_ns;
	return e;
}

void crowd_recount(struct crowd *c)
{
	c->total.sessions = 0;
	for (size_t i = 0; i < c->nentries; i++)
		if (c->entry[i].sessions) /* an empty page of the table stays untouched */
			c->entry[i].sessions = 0;
}

void crowd_count(struct crowd_entry *e, const struct crowd_rules *r, enum crowd_kind kind, __u64 now_ns, __u32 n)
{
	window_add(&e->window[kind], crowd_slot_ns(r, kind), now_ns, n);
}

__u64 crowd_now(const struct crowd_entry *e, const struct crowd_rules *r, enum crowd_kind kind, __u64 now_ns)
{
	return kind == CROWD_SESSIONS ? e->sessions : window_count(&e->window[kind], crowd_slot_ns(r, kind), now_ns);
}

/* Until when this kind is over its ceiling; 0 = it is not. */
static __u64 over_until(const struct crowd_entry *e, const struct crowd_rules *r, enum crowd_kind kind, unsigned max, __u64 now_ns)
{
	__u64 slot_ns = crowd_slot_ns(r, kind), from = (__u64)max + rows[kind].arrived;

	if (!max || crowd_now(e, r, kind, now_ns) < from)
		return 0;
	return kind == CROWD_SESSIONS ? now_ns + S_NS : window_below_ns(&e->window[kind], slot_ns, now_ns, from);
}

struct crowd_word crowd_judge(struct crowd_entry *e, const struct crowd_rules *r, enum crowd_scope scope, __u64 now_ns)
{
	struct crowd_word w = { .until_ns = now_ns };

	for (unsigned k = 0; k < CROWD_MAX; k++) {
		__u64 until_ns = over_until(e, r, (enum crowd_kind)k, r->max[scope][k], now_ns);

		if (!until_ns)
			continue;
		w.limits |= rows[k].limit;
		w.kinds |= 1u << k;
		w.fresh |= now_ns > e->over_ns[k] ? 1u << k : 0;
		w.until_ns = until_ns > w.until_ns ? until_ns : w.until_ns;
		e->over_ns[k] = until_ns + crowd_slot_ns(r, (enum crowd_kind)k); /* at its edge it is one crossing, not many */
	}
	return w;
}
