/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/live.h"

#include <errno.h>
#include <stdlib.h>

#include "user/core/addr.h"

#define PROBE	 16 /* neighbouring entries, the first of which is the hash of the id */
#define BITS_MIN 8
#define S_NS	 1000000000ull

int live_init(struct live *l, size_t max, __u64 seed)
{
	*l = (struct live){ .bits = BITS_MIN, .seed = seed };
	while (1ul << l->bits < 2 * max && 1ul << l->bits < LIVE_MAX)
		l->bits++;
	l->entry = calloc(1ul << l->bits, sizeof(*l->entry));
	return l->entry ? 0 : -ENOMEM;
}

void live_free(struct live *l)
{
	free(l->entry);
	l->entry = NULL;
}

static struct live_session *place(const struct live *l, __u64 id, unsigned i)
{
	__u64 h = (id ^ l->seed) * 0x9e3779b97f4a7c15ull;

	return &l->entry[((h >> (64 - l->bits)) + i) & ((1ul << l->bits) - 1)];
}

static bool is_stale(const struct live_session *s, __u64 now_ns)
{
	return now_ns > s->heard_ns && now_ns - s->heard_ns > LIVE_STALE_S * S_NS;
}

static struct live_session *look_up(const struct live *l, __u64 id)
{
	for (unsigned i = 0; id && i < PROBE; i++)
		if (place(l, id, i)->id == id)
			return place(l, id, i);
	return NULL;
}

static struct live_session *make(struct live *l, __u64 id, __u64 now_ns)
{
	for (unsigned i = 0; id && i < PROBE; i++) {
		struct live_session *s = place(l, id, i);

		if (s->id && !is_stale(s, now_ns))
			continue;
		l->used += !s->id;
		*s = (struct live_session){ .id = id };
		return s;
	}
	l->left_out++;
	return NULL;
}

void live_hear(struct live *l, unsigned slot, const struct ipc_record *r, __u64 now_ns)
{
	struct live_session *s = look_up(l, r->session);

	if (s && s->slot != slot && !is_stale(s, now_ns))
		return;
	if (!s)
		s = make(l, r->session, now_ns);
	if (!s)
		return;
	s->slot = slot;
	s->heard_ns = now_ns;
	s->addr = r->addr;
	s->messages = r->messages;
	s->rcpts = r->rcpts;
	s->state = r->state;
	if (!s->state.since_ns || s->state.since_ns > now_ns)
		s->state.since_ns = now_ns;
}

static void forget(struct live *l, struct live_session *s)
{
	*s = (struct live_session){ 0 };
	l->used--;
}

void live_close(struct live *l, unsigned slot, __u64 id)
{
	struct live_session *s = look_up(l, id);

	if (s && s->slot == slot)
		forget(l, s);
}

void live_drop(struct live *l, unsigned slot)
{
	for (size_t i = 0; i < 1ul << l->bits; i++)
		if (l->entry[i].id && l->entry[i].slot == slot)
			forget(l, &l->entry[i]);
}

const struct live_session *live_find(const struct live *l, __u64 id, __u64 now_ns)
{
	const struct live_session *s = look_up(l, id);

	return s && !is_stale(s, now_ns) ? s : NULL;
}

void live_each(const struct live *l, const struct pst_prefix *p, __u64 now_ns, bool (*each)(void *ctx, const struct live_session *s),
	       void *ctx)
{
	for (size_t i = 0; i < 1ul << l->bits; i++) {
		const struct live_session *s = &l->entry[i];

		if (s->id && !is_stale(s, now_ns) && prefix_covers(p, &s->addr) && !each(ctx, s))
			return;
	}
}
