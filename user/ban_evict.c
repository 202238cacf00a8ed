/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/ban_evict.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define CANDIDATES 256

struct candidate {
	struct pst_prefix prefix;
	__u64 until_ns;
};

/* The soonest to end, soonest first, of the map with this id. There is one writer of bans, so one memory. */
static struct {
	__u32 map_id;
	size_t n, next;
	struct candidate c[CANDIDATES];
} soonest;

struct scan {
	const struct kern_maps *m;
	__u64 now_ns;
	size_t freed;
};

static void remember(const struct pst_prefix *p, __u64 until_ns)
{
	size_t at = soonest.n;

	if (at == CANDIDATES && until_ns >= soonest.c[at - 1].until_ns)
		return;
	if (at == CANDIDATES)
		soonest.n = --at;
	while (at && soonest.c[at - 1].until_ns > until_ns)
		at--;
	memmove(&soonest.c[at + 1], &soonest.c[at], (soonest.n - at) * sizeof(soonest.c[0]));
	soonest.c[at] = (struct candidate){ *p, until_ns };
	soonest.n++;
}

static int scan_one(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct scan *s = ctx;

	if (b->until_ns <= s->now_ns)
		s->freed += ban_del(s->m, p) == 0;
	else if (b->origin == PST_ORIGIN_AUTOMATIC)
		remember(p, b->until_ns);
	return 0;
}

static __u32 map_id(const struct kern_maps *m)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(m->bans, &info, &size) ? 0 : info.id;
}

/* Is the candidate still what it was when it was remembered? */
static bool still(const struct kern_maps *m, const struct candidate *c)
{
	struct pst_ban b;

	return !bpf_map_lookup_elem(m->bans, &c->prefix, &b) && b.until_ns == c->until_ns && b.origin == PST_ORIGIN_AUTOMATIC;
}

static const struct candidate *remembered(const struct kern_maps *m)
{
	if (soonest.map_id != map_id(m))
		return NULL;
	while (soonest.next < soonest.n && !still(m, &soonest.c[soonest.next]))
		soonest.next++;
	return soonest.next < soonest.n ? &soonest.c[soonest.next] : NULL;
}

int ban_evict(const struct kern_maps *m, const struct pst_ban *incoming)
{
	struct scan s = { .m = m, .now_ns = kern_now_ns() };
	const struct candidate *c = remembered(m);
	int e;

	if (!c) {
		soonest.map_id = map_id(m);
		soonest.n = soonest.next = 0;
		e = ban_each(m, scan_one, &s);
		if (e)
			return e;
		if (s.freed)
			return BAN_ROOM_EXPIRED;
		c = remembered(m);
	}
	if (!c || (incoming->origin == PST_ORIGIN_AUTOMATIC && incoming->until_ns <= c->until_ns))
		return -E2BIG;
	e = ban_del(m, &c->prefix);
	return e ? e : BAN_ROOM_EVICTED;
}

void ban_evict_written(__u64 until_ns)
{
	while (soonest.n > soonest.next && soonest.c[soonest.n - 1].until_ns > until_ns)
		soonest.n--;
}
