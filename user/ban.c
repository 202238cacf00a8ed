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
#include "user/ban_index.h"
#include "user/core/amnesty.h"

#define AHEAD 16 /* rows whose cache lines are asked for before they are needed */
#define BATCH 8192 /* over the longest hash chain, or the kernel answers ENOSPC */

/* --- prefix lengths in use --------------------------------------------- */

/* The lengths of all bans of a family, and of its host-wide ones. */
static __u8 *lens_of(struct pst_conf *c, const struct pst_prefix *p, bool host)
{
	if (host)
		return prefix_is4(p) ? c->host_len4 : c->host_len6;
	return prefix_is4(p) ? c->ban_len4 : c->ban_len6;
}

/* Keeps lens longest first. -ENOSPC when all places are taken, 1 when something changed. */
static int len_add(__u8 lens[PST_BAN_LENS_MAX], __u8 len)
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

/* As len_add(), for a ban of p. A host-wide length is a length: it has room wherever the other has. */
static int lens_add(struct pst_conf *c, const struct pst_prefix *p, const struct pst_ban *b)
{
	int e = len_add(lens_of(c, p, false), (__u8)p->len);

	if (e >= 0 && b->scope == PST_SCOPE_HOST)
		e |= len_add(lens_of(c, p, true), (__u8)p->len);
	return e;
}

static int lens_ensure(const struct kern_maps *m, const struct ban_row *row, size_t n)
{
	struct pst_conf c;
	int e = gate_conf_get(m, &c), changed = 0;

	for (size_t i = 0; i < n && e >= 0; i++) {
		const struct pst_prefix *p = &row[i].prefix;

		e = p->len && p->len <= 128 ? lens_add(&c, p, &row[i].ban) : -EINVAL;
		changed |= e > 0;
	}
	return e < 0 ? e : changed ? gate_conf_put(m, &c) : 0;
}

/* The tables in front, ready for a ban; the first one of a gate makes them. */
static int index_ready(const struct kern_maps *m)
{
	int e = ban_index_open(m, true);

	return e || ban_index_begun() ? e : ban_index_all(m);
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

/* An operator's ban of one port that the source now offends at another is one of all of them. */
static void widen(struct pst_ban *standing, const struct pst_ban *b)
{
	if (standing->scope == PST_SCOPE_PORT && (b->scope != PST_SCOPE_PORT || b->port != standing->port)) {
		standing->scope = PST_SCOPE_GUARDED;
		standing->port = 0;
	}
}

/* What stands after b was pronounced over a live ban. What the kernel wrote stays on its account. */
static struct pst_ban merged(const struct pst_ban *old, const struct pst_ban *b, bool shorten)
{
	bool operator_stands = old->origin == PST_ORIGIN_OPERATOR && b->origin != PST_ORIGIN_OPERATOR;
	struct pst_ban r = operator_stands ? *old : *b;

	if (operator_stands)
		widen(&r, b);
	r.score = PST_BAN_SCORE(r.score);
	r.until_ns = shorten || b->until_ns > old->until_ns ? b->until_ns : old->until_ns;
	r.first_ns = old->first_ns;
	r.last_ns = old->last_ns;
	r.hits = old->hits;
	r.contacts = old->contacts;
	r.window_ns = old->window_ns;
	return r;
}

/* The value to write for b, whose place it takes; true = a live ban stands there now. */
static bool sentence(const struct kern_maps *m, const struct pst_prefix *p, const struct pst_ban *b, bool shorten, struct pst_ban *out)
{
	struct ban_counted counted = ban_index_before(p);
	struct pst_ban old;
	bool standing = !bpf_map_lookup_elem(m->bans, p, &old) && alive(&old, kern_now_ns());

	if (standing) {
		ban_index_add(&old, &counted);
		if (counted.hits) /* told at once: a batch may name the prefix again */
			bpf_map_update_elem(m->bans, p, &old, BPF_EXIST);
		*out = merged(&old, b, shorten);
		return true;
	}
	*out = *b;
	out->score = PST_BAN_SCORE(b->score);
	out->hits = out->first_ns = out->last_ns = out->window_ns = 0;
	out->contacts = 0;
	return false;
}

static int write_ban(const struct kern_maps *m, const struct pst_prefix *p, const struct pst_ban *now, bool *evicted)
{
	int e = bpf_map_update_elem(m->bans, p, now, BPF_ANY) ? -errno : 0;

	if (e == -E2BIG) {
		e = ban_evict(m, now);
		*evicted = e == BAN_ROOM_EVICTED;
		if (e >= 0)
			e = bpf_map_update_elem(m->bans, p, now, BPF_ANY) ? -errno : 0;
	}
	if (e)
		return e;
	ban_index_after(p, now);
	ban_evict_written(now->until_ns);
	return 0;
}

int ban_put(const struct kern_maps *m, const struct pst_prefix *p, const struct pst_ban *b, const char *note, bool shorten, bool *evicted)
{
	const struct ban_row row = { .prefix = *p, .ban = *b };
	int e = index_ready(m);
	struct pst_ban now;
	bool standing;

	*evicted = false;
	if (!e)
		e = ban_index_one(m);
	if (!e)
		e = lens_ensure(m, &row, 1); /* those of a ban that stands are there */
	if (e)
		return e;
	standing = sentence(m, p, b, shorten, &now);
	e = write_ban(m, p, &now, evicted);
	if (e)
		return e;
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
	if (!ban_index_open(m, false))
		ban_index_read(p, out);
	if (note && bpf_map_lookup_elem(m->notes, p, note))
		memset(note, 0, sizeof(*note));
	return 0;
}

/* As ban_spares() of the kernel half. */
static bool spares(const struct kern_maps *m, const struct pst_ban *b, const struct pst_addr *a, __u64 now_ns)
{
	return b->reason == PST_RSN_PREFIX && b->origin == PST_ORIGIN_AUTOMATIC && good_has(m, a, now_ns);
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
		if (ban_get(m, p, out, note) || !alive(out, now_ns) || spares(m, out, a, now_ns))
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
	int e = ban_index_open(m, true);

	if (e)
		return e;
	ban_index_before(p);
	bpf_map_delete_elem(m->notes, p);
	return bpf_map_delete_elem(m->bans, p) ? -errno : 0;
}

/* --- many bans ---------------------------------------------------------- */

struct rows {
	struct pst_prefix key[BATCH];
	struct pst_ban value[BATCH];
};

static bool is_empty(int map)
{
	struct pst_prefix first;

	return bpf_map_get_next_key(map, NULL, &first) != 0;
}

/* n rows, BATCH at most: in one call as far as there is room, then one by one. */
static int write_batch(const struct kern_maps *m, const struct rows *rows, __u32 n, struct ban_many *done)
{
	__u32 at = n;
	int e = bpf_map_update_batch(m->bans, rows->key, rows->value, &at, NULL) ? -errno : 0;

	if (e && e != -E2BIG)
		return e;
	done->written += at;
	for (__u32 i = 0; i < at; i++) {
		if (i + AHEAD < at)
			ban_index_soon(&rows->key[i + AHEAD]);
		ban_index_after(&rows->key[i], &rows->value[i]);
		ban_evict_written(rows->value[i].until_ns);
	}
	for (e = 0; at < n && !e; at++) {
		bool evicted = false;

		e = write_ban(m, &rows->key[at], &rows->value[at], &evicted);
		done->written += !e;
		done->evicted += evicted;
	}
	return e;
}

/* old: there may be notes of bans that were there before. */
static void write_notes(const struct kern_maps *m, const struct ban_row *row, size_t n, bool old, struct ban_many *done)
{
	for (size_t i = 0; i < n; i++) {
		if (!row[i].note || !row[i].note[0]) {
			if (old)
				bpf_map_delete_elem(m->notes, &row[i].prefix);
		} else if (done->noteless || note_put(m, &row[i].prefix, row[i].note)) {
			done->noteless++; /* full: it stays so */
		}
	}
}

/* fresh: no row has a live ban in the table. */
static int put_rows(const struct kern_maps *m, const struct ban_row *row, size_t n, bool fresh, bool old, struct ban_many *done)
{
	struct rows *rows = malloc(sizeof(*rows));
	int e = rows ? index_ready(m) : -ENOMEM;

	if (!e)
		e = lens_ensure(m, row, n);
	if (!e)
		e = ban_index_room(m, n);
	*done = (struct ban_many){ 0 };
	for (size_t at = 0; at < n && !e; at += BATCH) {
		__u32 take = n - at < BATCH ? (__u32)(n - at) : BATCH;

		for (__u32 i = 0; i < take; i++) {
			rows->key[i] = row[at + i].prefix;
			rows->value[i] = row[at + i].ban;
			if (fresh)
				ban_index_announce(&rows->key[i]);
			else
				sentence(m, &rows->key[i], &row[at + i].ban, true, &rows->value[i]);
		}
		e = write_batch(m, rows, take, done);
		if (!e)
			write_notes(m, row + at, take, old, done);
	}
	free(rows);
	return e;
}

int ban_put_many(const struct kern_maps *m, const struct ban_row *row, size_t n, struct ban_many *done)
{
	return put_rows(m, row, n, is_empty(m->bans), !is_empty(m->notes), done);
}

int ban_put_new(const struct kern_maps *m, const struct ban_row *row, size_t n, bool empty, struct ban_many *done)
{
	return put_rows(m, row, n, true, !empty && !is_empty(m->notes), done);
}

bool ban_stands(const struct kern_maps *m, const struct pst_prefix *p, __u64 now_ns)
{
	struct pst_ban b;

	return !bpf_map_lookup_elem(m->bans, p, &b) && alive(&b, now_ns);
}

bool ban_is_empty(const struct kern_maps *m)
{
	return is_empty(m->bans);
}

/* --- all bans ----------------------------------------------------------- */

int ban_each(const struct kern_maps *m, int (*each)(void *ctx, const struct pst_prefix *, const struct pst_ban *), void *ctx)
{
	struct rows *rows = malloc(sizeof(*rows));
	__u32 place, *from = NULL; /* the hash table's cursor is a bucket number */
	bool index = !ban_index_open(m, false);
	int e = 0, r = 0;

	if (!rows)
		return -ENOMEM;
	if (index)
		ban_index_hold();
	while (!e && !r) {
		__u32 count = BATCH;

		e = bpf_map_lookup_batch(m->bans, from, &place, rows->key, rows->value, &count, NULL) ? -errno : 0;
		if (e && e != -ENOENT)
			break;
		for (__u32 i = 0; i < count && !r; i++) {
			if (index)
				ban_index_read(&rows->key[i], &rows->value[i]);
			r = each(ctx, &rows->key[i], &rows->value[i]);
		}
		from = &place;
	}
	ban_index_let_go();
	free(rows);
	return r ? r : e == -ENOENT ? 0 : e;
}

static int make_one(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	(void)ctx;
	ban_index_make(p, b);
	return 0;
}

static int count_one(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	(void)p, (void)b;
	++*(size_t *)ctx;
	return 0;
}

int ban_index_all(const struct kern_maps *m)
{
	int e = ban_index_open(m, true);
	bool begun = ban_index_begun();
	size_t bans = 0;

	if (!e)
		e = ban_each(m, count_one, &bans);
	if (!e && begun)
		ban_index_check(m);
	else if (!e)
		ban_index_begin(bans);
	if (!e)
		e = ban_each(m, make_one, NULL);
	if (!begun)
		return ban_index_end(m, e);
	return e ? e : ban_index_room(m, bans);
}

struct sweep {
	const struct kern_maps *m;
	__u64 now_ns;
	long gone;
	size_t live, ndead;
	struct pst_prefix dead[BATCH];
	struct pst_conf lens; /* only the lengths: what the living use */
	struct pst_ban_bits bits;
	struct ban_patient *patient;
};

static int sweep_dead(struct sweep *s)
{
	bool notes = !is_empty(s->m->notes);

	for (size_t i = 0; i < s->ndead; i++)
		ban_index_before(&s->dead[i]);
	for (size_t at = 0; at < s->ndead;) {
		__u32 n = (__u32)(s->ndead - at);
		int e = bpf_map_delete_batch(s->m->bans, s->dead + at, &n, NULL) ? -errno : 0;

		if (e && e != -ENOENT)
			return e;
		at += n + (e != 0); /* one that went by itself ends the batch */
		s->gone += n;
	}
	for (size_t i = 0; notes && i < s->ndead; i++)
		bpf_map_delete_elem(s->m->notes, &s->dead[i]);
	s->ndead = 0;
	return 0;
}

static void look_at(struct ban_patient *l, const struct pst_prefix *p, const struct pst_ban *b, __u64 now_ns)
{
	if (l && l->n < BAN_PATIENT_MAX && amnesty_due(p, b, l->tries, now_ns))
		l->prefix[l->n++] = *p;
}

static int sweep_one(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct sweep *s = ctx;

	if (alive(b, s->now_ns)) {
		lens_add(&s->lens, p, b);
		ban_index_want(&s->bits, p);
		look_at(s->patient, p, b, s->now_ns);
		s->live++;
	} else {
		s->dead[s->ndead++] = *p;
	}
	return s->ndead == BATCH ? sweep_dead(s) : 0;
}

/* Every length costs each packet a look: those that nobody uses any more go. */
static int lens_prune(const struct sweep *s)
{
	struct pst_conf c;
	int e = gate_conf_get(s->m, &c);
	bool changed = false;
	const struct {
		__u8 *have;
		const __u8 *used;
	} rows[] = {
		{ c.ban_len4, s->lens.ban_len4 },
		{ c.ban_len6, s->lens.ban_len6 },
		{ c.host_len4, s->lens.host_len4 },
		{ c.host_len6, s->lens.host_len6 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && !e; i++) {
		changed |= memcmp(rows[i].have, rows[i].used, PST_BAN_LENS_MAX) != 0;
		memcpy(rows[i].have, rows[i].used, PST_BAN_LENS_MAX);
	}
	return changed ? gate_conf_put(s->m, &c) : e;
}

long ban_sweep(const struct kern_maps *m, __u64 now_ns, size_t *live, struct ban_patient *patient)
{
	struct sweep *s = calloc(1, sizeof(*s));
	long gone;
	int e;

	if (!s)
		return -ENOMEM;
	s->m = m;
	s->now_ns = now_ns;
	s->patient = patient;
	e = ban_index_open(m, true);
	if (!e)
		e = ban_each(m, sweep_one, s);
	if (!e)
		e = sweep_dead(s);
	if (!e)
		ban_index_keep(&s->bits);
	if (!e)
		e = ban_index_room(m, s->live);
	if (!e)
		e = lens_prune(s);
	gone = s->gone;
	if (live)
		*live = s->live;
	free(s);
	return e ? e : gone;
}

size_t ban_capacity(const struct kern_maps *m)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(m->bans, &info, &size) ? PST_BANS_MAX : info.max_entries;
}

/* --- sources that have delivered mail ------------------------------------ */

static struct pst_addr good_key(const struct pst_addr *a)
{
	return prefix_source(a).addr;
}

int good_put(const struct kern_maps *m, const struct pst_addr *a, __u64 until_ns)
{
	struct pst_addr key = good_key(a);
	struct pst_good good = { until_ns };

	return bpf_map_update_elem(m->good, &key, &good, BPF_ANY) ? -errno : 0;
}

bool good_has(const struct kern_maps *m, const struct pst_addr *a, __u64 now_ns)
{
	struct pst_addr key = good_key(a);
	struct pst_good good;

	return !bpf_map_lookup_elem(m->good, &key, &good) && now_ns < good.until_ns;
}

__u64 source_held_ns(const struct kern_maps *m, const struct pst_addr *a, __u64 now_ns)
{
	struct pst_addr key = good_key(a);
	struct pst_bucket b;
	__u64 until_ns;

	if (bpf_map_lookup_elem(m->buckets, &key, &b) || !(b.spent_ns & PST_BUCKET_HELD))
		return 0;
	until_ns = b.spent_ns & ~PST_BUCKET_HELD;
	return until_ns > now_ns ? until_ns : 0;
}

int source_hold(const struct kern_maps *m, const struct pst_addr *a, __u64 until_ns)
{
	struct pst_addr key = good_key(a);
	struct pst_bucket b = { until_ns | PST_BUCKET_HELD };
	struct pst_conf c;
	int e = bpf_map_update_elem(m->buckets, &key, &b, BPF_ANY) ? -errno : gate_conf_get(m, &c);

	if (e || c.held_ns >= until_ns)
		return e;
	c.held_ns = until_ns;
	return gate_conf_put(m, &c);
}

void good_del(const struct kern_maps *m, const struct pst_addr *a)
{
	struct pst_addr key = good_key(a);

	bpf_map_delete_elem(m->good, &key);
}
