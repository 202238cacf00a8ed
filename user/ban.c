/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ban.c: bans in the map. The kernel finds a ban by trying each prefix length in pst_conf,
 * so a length is written there before the first ban that uses it.
 */
#include "user/ban.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "user/ban_evict.h"

#define BATCH 8192 /* over the longest hash chain, or the kernel answers ENOSPC */

/* --- prefix lengths in use --------------------------------------------- */

static __u8 *lens_of(struct pst_conf *c, const struct pst_prefix *p)
{
	return prefix_is4(p) ? c->ban_len4 : c->ban_len6;
}

/* Keeps lens longest first. -ENOSPC when all places are taken, 1 when something changed. */
static int lens_add(__u8 lens[PST_BAN_LENS_MAX], __u8 len)
{
	int at = 0;

	while (at < PST_BAN_LENS_MAX && lens[at] > len)
		at++;
	if (at < PST_BAN_LENS_MAX && lens[at] == len)
		return 0;
	if (lens[PST_BAN_LENS_MAX - 1])
		return -ENOSPC;
	memmove(lens + at + 1, lens + at, (size_t)(PST_BAN_LENS_MAX - 1 - at));
	lens[at] = len;
	return 1;
}

static int len_ensure(const struct kern_maps *m, const struct pst_prefix *p)
{
	struct pst_conf c;
	int e = gate_conf_get(m, &c);

	if (e)
		return e;
	if (!p->len || p->len > 128)
		return -EINVAL;
	e = lens_add(lens_of(&c, p), (__u8)p->len);
	return e > 0 ? gate_conf_put(m, &c) : e;
}

/* --- one ban ------------------------------------------------------------ */

static bool alive(const struct pst_ban *b, __u64 now_ns)
{
	return now_ns < b->until_ns;
}

static int note_put(const struct kern_maps *m, const struct pst_prefix *p, const char *text)
{
	struct pst_note note = { 0 };
	size_t n = strlen(text);

	memcpy(note.text, text, n < sizeof(note.text) ? n : sizeof(note.text) - 1);
	return bpf_map_update_elem(m->notes, p, &note, BPF_ANY) ? -errno : 0;
}

/* What stands after b was pronounced over a live ban. The packets already refused stay on its account. */
static struct pst_ban merged(const struct pst_ban *old, const struct pst_ban *b, bool shorten)
{
	bool operator_stands = old->origin == PST_ORIGIN_OPERATOR && b->origin != PST_ORIGIN_OPERATOR;
	struct pst_ban r = operator_stands ? *old : *b;

	r.until_ns = shorten || b->until_ns > old->until_ns ? b->until_ns : old->until_ns;
	r.first_ns = old->first_ns;
	r.last_ns = old->last_ns;
	r.hits = old->hits;
	return r;
}

int ban_put(const struct kern_maps *m, const struct pst_prefix *p, const struct pst_ban *b, const char *note, bool shorten, bool *evicted)
{
	struct pst_ban old, now = *b;
	bool standing = !bpf_map_lookup_elem(m->bans, p, &old) && alive(&old, kern_now_ns());
	int e = len_ensure(m, p);

	*evicted = false;
	if (e)
		return e;
	if (standing)
		now = merged(&old, b, shorten);
	else
		now.hits = now.first_ns = now.last_ns = 0;
	e = bpf_map_update_elem(m->bans, p, &now, BPF_ANY) ? -errno : 0;
	if (e == -E2BIG) {
		e = ban_evict(m, b);
		*evicted = e == BAN_ROOM_EVICTED;
		if (e >= 0)
			e = bpf_map_update_elem(m->bans, p, &now, BPF_ANY) ? -errno : 0;
	}
	if (e)
		return e;
	ban_evict_written(now.until_ns);
	/* A note is a comfort: without room for it the ban stands all the same. */
	if (note && note[0])
		note_put(m, p, note);
	else if (!standing || now.origin == b->origin)
		bpf_map_delete_elem(m->notes, p);
	return 0;
}

int ban_get(const struct kern_maps *m, const struct pst_prefix *p, struct pst_ban *out, struct pst_note *note)
{
	if (bpf_map_lookup_elem(m->bans, p, out))
		return -errno;
	if (note && bpf_map_lookup_elem(m->notes, p, note))
		memset(note, 0, sizeof(*note));
	return 0;
}

int ban_find(const struct kern_maps *m, const struct pst_addr *a, __u64 now_ns, struct pst_prefix *p, struct pst_ban *out, struct pst_note *note)
{
	struct pst_conf c;
	struct pst_prefix observing;
	const __u8 *lens = addr_is4(a) ? c.ban_len4 : c.ban_len6;
	bool observed = false;
	int e = gate_conf_get(m, &c);

	if (e)
		return e;
	for (int i = 0; i < PST_BAN_LENS_MAX && lens[i]; i++) {
		*p = prefix_of(a, lens[i]);
		if (ban_get(m, p, out, note) || !alive(out, now_ns))
			continue;
		if (out->action != PST_ACT_OBSERVE)
			return 0;
		if (!observed)
			observing = *p;
		observed = true;
	}
	if (!observed)
		return -ENOENT;
	*p = observing;
	return ban_get(m, p, out, note);
}

int ban_del(const struct kern_maps *m, const struct pst_prefix *p)
{
	bpf_map_delete_elem(m->notes, p);
	return bpf_map_delete_elem(m->bans, p) ? -errno : 0;
}

/* --- all bans ----------------------------------------------------------- */

struct rows {
	struct pst_prefix key[BATCH];
	struct pst_ban value[BATCH];
};

int ban_each(const struct kern_maps *m, int (*each)(void *ctx, const struct pst_prefix *, const struct pst_ban *), void *ctx)
{
	struct rows *rows = malloc(sizeof(*rows));
	__u32 place, *from = NULL; /* the hash table's cursor is a bucket number */
	int e = 0, r = 0;

	if (!rows)
		return -ENOMEM;
	while (!e && !r) {
		__u32 count = BATCH;

		e = bpf_map_lookup_batch(m->bans, from, &place, rows->key, rows->value, &count, NULL) ? -errno : 0;
		if (e && e != -ENOENT)
			break;
		for (__u32 i = 0; i < count && !r; i++)
			r = each(ctx, &rows->key[i], &rows->value[i]);
		from = &place;
	}
	free(rows);
	return r ? r : e == -ENOENT ? 0 : e;
}

struct sweep {
	const struct kern_maps *m;
	__u64 now_ns;
	long gone;
	struct pst_conf lens; /* only ban_len4 and ban_len6: what the living use */
};

static int sweep_one(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct sweep *s = ctx;

	if (alive(b, s->now_ns))
		lens_add(lens_of(&s->lens, p), (__u8)p->len);
	else if (!ban_del(s->m, p))
		s->gone++;
	return 0;
}

/* Every length costs each packet a lookup: those that nobody uses any more go. The usual ones stay. */
static int lens_prune(const struct sweep *s)
{
	struct pst_conf c;
	int e = gate_conf_get(s->m, &c);

	if (e)
		return e;
	if (!memcmp(c.ban_len4, s->lens.ban_len4, sizeof(c.ban_len4)) && !memcmp(c.ban_len6, s->lens.ban_len6, sizeof(c.ban_len6)))
		return 0;
	memcpy(c.ban_len4, s->lens.ban_len4, sizeof(c.ban_len4));
	memcpy(c.ban_len6, s->lens.ban_len6, sizeof(c.ban_len6));
	return gate_conf_put(s->m, &c);
}

long ban_sweep(const struct kern_maps *m, __u64 now_ns)
{
	struct sweep s = { .m = m, .now_ns = now_ns };
	int e;

	lens_add(s.lens.ban_len4, 128);
	lens_add(s.lens.ban_len6, 64);
	e = ban_each(m, sweep_one, &s);
	if (!e)
		e = lens_prune(&s);
	return e ? e : s.gone;
}
