/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_scan.c: what is new since it was last written. Ledger and greylist are the judge's and change while they are read: an entry is
 * copied until two copies are the same, and one that was torn all the same is another one at the next look.
 */
#include "user/store_int.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/ban.h"
#include "user/core/hash.h"

#define COPIES	   3
#define BATCH	   20000 /* records of one transaction: what it holds in memory is bounded */

static const __u64 seen_key[2] = { 3, 5 };

static struct str bytes_of(const void *p, size_t n)
{
	return (struct str){ p, n };
}

static void copy_entry(void *to, const void *from, size_t n)
{
	static char again[sizeof(struct ledger_entry) > sizeof(struct grey_entry) ? sizeof(struct ledger_entry) : sizeof(struct grey_entry)];

	for (unsigned i = 0; i < COPIES; i++) {
		memcpy(to, from, n);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		memcpy(again, from, n);
		if (!memcmp(to, again, n))
			return;
	}
}

int store_scan_commit(struct store *s)
{
	struct saved head = { .kind = SAVED_HEAD, .head = { .schema = SAVED_SCHEMA, .gate = s->setup->gate, .offset_ns = s->offset_ns } };
	size_t n = store_db_pending(s->db);
	__u64 from = kern_now_ns();
	int rc = 0;

	if (n) {
		head.head.written_ns = from + s->offset_ns;
		memcpy(head.head.boot, s->setup->boot, strnlen(s->setup->boot, SAVED_BOOT_MAX - 1));
		rc = store_db_put(s->db, &head);
	}
	if (!rc)
		rc = store_db_commit(s->db);
	if (rc)
		return rc;
	store_count(s, PST_CNT_STORE_OK, n);
	if (n) {
		s->setup->share->status.commit_ns = kern_now_ns();
		s->setup->share->status.commit_took_ns = kern_now_ns() - from;
	}
	return 0;
}

static int put(struct store *s, struct saved *r)
{
	int rc;

	saved_shift(r, s->offset_ns);
	if (!saved_is_sound(r))
		return 0; /* torn; or another's fault, which need not outlive it */
	rc = store_db_put(s->db, r);
	return rc || store_db_pending(s->db) < BATCH ? rc : store_scan_commit(s);
}

static int finish(struct store *s, int rc)
{
	size_t n = store_db_pending(s->db);

	if (!rc)
		rc = store_scan_commit(s);
	if (!rc)
		return 0;
	store_count(s, PST_CNT_STORE_FAILED, n ? n : 1);
	store_db_abort(s->db);
	return rc;
}

void store_scan_forget(struct store *s)
{
	memset(s->ledger_seen, 0, s->setup->ledger->nentries * sizeof(*s->ledger_seen));
	if (s->grey_seen)
		memset(s->grey_seen, 0, s->setup->grey->nentries * sizeof(*s->grey_seen));
	s->swept_ns = 0;
}

/* --- ledger and greylist -------------------------------------------------------------------- */

int store_scan_ledger(struct store *s)
{
	const struct ledger *l = s->setup->ledger;
	struct saved r;
	int rc = 0;

	for (size_t i = 0; i < l->nentries && !rc; i++) {
		__u64 hash;

		if (!l->entry[i].source.len)
			continue;
		memset(&r, 0, sizeof(r));
		r.kind = SAVED_SOURCE;
		copy_entry(&r.source, &l->entry[i], sizeof(r.source));
		hash = hash_bytes(seen_key, bytes_of(&r.source, sizeof(r.source)));
		if (hash == s->ledger_seen[i])
			continue;
		rc = put(s, &r);
		s->ledger_seen[i] = hash;
	}
	return finish(s, rc);
}

int store_scan_grey(struct store *s)
{
	const struct grey *g = s->setup->grey;
	const struct grey_rules *rules = &s->setup->conf->grey;
	__u64 now = kern_now_ns();
	struct saved r;
	int rc = 0;

	for (size_t i = 0; g && i < g->nentries && !rc; i++) {
		__u64 hash;

		if (!g->entry[i].source[0])
			continue;
		memset(&r, 0, sizeof(r));
		r.kind = SAVED_GREY;
		copy_entry(&r.grey, &g->entry[i], sizeof(r.grey));
		hash = hash_bytes(seen_key, bytes_of(&r.grey, sizeof(r.grey)));
		r.grey.source[GREY_SOURCE_MAX - 1] = 0;
		if (hash == s->grey_seen[i] || !grey_is_live(rules, &r.grey, now))
			continue;
		rc = put(s, &r);
		s->grey_seen[i] = hash;
	}
	return g ? finish(s, rc) : rc;
}

/* --- bans ---------------------------------------------------------------------------------------- */

static void note_of(struct store *s, struct saved *r)
{
	struct pst_note note;

	if (bpf_map_lookup_elem(s->setup->maps->notes, &r->ban.prefix, &note))
		return;
	memcpy(r->ban.note, note.text, strnlen(note.text, sizeof(note.text) - 1));
}

static int put_ban(struct store *s, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct saved r = { .kind = SAVED_BAN };

	r.ban.prefix = *p;
	r.ban.ban = *b;
	r.ban.ban.contacts = 0;
	r.ban.ban.window_ns = 0;
	note_of(s, &r);
	return put(s, &r);
}

int store_scan_hints(struct store *s)
{
	struct store_share *share = s->setup->share;
	struct pst_prefix p;
	unsigned n = 0;
	int rc = 0;

	for (; !rc && store_hint_at(share, n, &p); n++) {
		struct saved r = { .kind = SAVED_BAN, .ban.prefix = p };
		struct pst_ban b;

		if (!bpf_map_lookup_elem(s->setup->maps->bans, &p, &b))
			rc = put_ban(s, &p, &b);
		else
			rc = store_db_del(s->db, &r);
	}
	rc = n ? finish(s, rc) : rc;
	if (!rc)
		store_hints_taken(share, n);
	return rc;
}

struct all_bans {
	struct row {
		struct pst_prefix prefix;
		struct pst_ban ban;
	} *row;
	size_t n, room;
};

static int gather_ban(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct all_bans *all = ctx;

	if (all->n == all->room) {
		size_t room = all->room ? 2 * all->room : 4096;
		struct row *more = realloc(all->row, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		all->row = more;
		all->room = room;
	}
	all->row[all->n++] = (struct row){ *p, *b };
	return 0;
}

static bool is_banned(void *ctx, const struct saved *r)
{
	const struct all_bans *all = ctx;

	return all->n && bsearch(&r->ban.prefix, all->row, all->n, sizeof(*all->row), prefix_cmp);
}

static bool is_known(void *ctx, const struct saved *r)
{
	const struct store *s = ctx;

	return ledger_find(s->setup->ledger, &r->source.source.addr) != NULL;
}

/* A greylist that is off keeps what the store has of it: it may be turned on again. */
static bool is_greylisted(void *ctx, const struct saved *r)
{
	const struct store *s = ctx;
	struct saved mono = *r;
	const struct grey_rules *rules = &s->setup->conf->grey;
	__u64 now = kern_now_ns();

	if (s->setup->grey)
		return grey_find(s->setup->grey, rules, r->grey.source, r->grey.key, now) != NULL;
	saved_shift(&mono, -s->offset_ns);
	return grey_is_live(rules, &mono.grey, now);
}

static int scan_bans(struct store *s)
{
	struct all_bans all = { 0 };
	int rc = ban_each(s->setup->maps, gather_ban, &all);

	if (!rc && all.n)
		qsort(all.row, all.n, sizeof(*all.row), prefix_cmp);
	if (!rc)
		rc = store_db_sweep(s->db, SAVED_BAN, is_banned, &all, &s->bad);
	for (size_t i = 0; i < all.n && !rc; i++)
		rc = put_ban(s, &all.row[i].prefix, &all.row[i].ban);
	free(all.row);
	return finish(s, rc);
}

int store_scan_all(struct store *s)
{
	int rc = scan_bans(s);

	if (!rc)
		rc = finish(s, store_db_sweep(s->db, SAVED_SOURCE, is_known, s, &s->bad));
	if (!rc)
		rc = finish(s, store_db_sweep(s->db, SAVED_GREY, is_greylisted, s, &s->bad));
	return rc;
}
