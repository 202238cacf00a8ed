/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ban.h: bans, allow entries and gate settings in the maps. One writer at a time: the
 * judge, or the CLI when there is no daemon.
 */
#ifndef BAN_H
#define BAN_H

#include "user/kern.h"

#define BAN_HIGH_PERCENT 80 /* of the table: from there on it is time to look */

struct ban_row {
	struct pst_prefix prefix;
	struct pst_ban ban;
	const char *note; /* NULL = none */
};

struct ban_many {
	size_t written, evicted;
	size_t noteless; /* bans whose note found no room */
};

/*
 * Writes a ban. A live ban is never shortened unless shorten is set (an operator's word), keeps the packets it has refused, and,
 * when it is an operator's, stays one: an automatic ban can only make it longer, and one of a single port wider. Keeps the
 * lengths in pst_conf.
 * Full map: evicts the soonest-to-expire automatic ban when the new one is an operator's or outlives it, and tells by *evicted.
 * -ENOSPC: too many prefix lengths in use; -E2BIG: full, and no ban in it may give way. note may be NULL; it is cut to PST_NOTE_MAX - 1,
 * and a full notes table loses the note, never the ban.
 */
int ban_put(const struct kern_maps *m, const struct pst_prefix *p, const struct pst_ban *b, const char *note, bool shorten, bool *evicted);
/*
 * The same for many, by an operator's word (shorten), in batches. Of a prefix named twice the last row counts. -EINVAL and -ENOSPC as
 * above, before anything is written; after another error *done tells how far it came. One lookup a row unless the table is empty.
 */
int ban_put_many(const struct kern_maps *m, const struct ban_row *row, size_t n, struct ban_many *done);
/*
 * The same for bans that come back, of prefixes that have no live ban (ban_stands()): no lookup a row. empty: the table was, when the
 * first of them came, and nobody else has written since.
 */
int ban_put_new(const struct kern_maps *m, const struct ban_row *row, size_t n, bool empty, struct ban_many *done);
/* Has p a live ban of its own? One lookup. */
bool ban_stands(const struct kern_maps *m, const struct pst_prefix *p, __u64 now_ns);
bool ban_is_empty(const struct kern_maps *m);
int ban_get(const struct kern_maps *m, const struct pst_prefix *p, struct pst_ban *out, struct pst_note *note);
/* The ban that the kernel would obey for a: the longest live one; one that only observes gives way to a shorter that does not, and a promoted prefix's spares who has delivered mail. Of any scope. -ENOENT = none alive. */
int ban_find(const struct kern_maps *m, const struct pst_addr *a, __u64 now_ns, struct pst_prefix *p, struct pst_ban *out, struct pst_note *note);
int ban_del(const struct kern_maps *m, const struct pst_prefix *p);
/* Calls each for every entry, alive or not, in batches; stops when it returns non-zero and returns that. */
int ban_each(const struct kern_maps *m, int (*each)(void *ctx, const struct pst_prefix *, const struct pst_ban *), void *ctx);
/* Bans whose sources retry as a queue does (core/amnesty.h): those that there is room for, the others are found by the next sweep. */
#define BAN_PATIENT_MAX 64

struct ban_patient {
	unsigned tries; /* in: what it takes */
	size_t n;
	struct pst_prefix prefix[BAN_PATIENT_MAX];
};

/*
 * Deletes what ended by now_ns, and prefix lengths nobody uses any more from pst_conf. Returns how many bans, or -errno; *live (may be
 * NULL) is how many are left, patient (likewise) gets who has been. Reads the whole table.
 */
long ban_sweep(const struct kern_maps *m, __u64 now_ns, size_t *live, struct ban_patient *patient);
/* Sets right the tables in front of pst_bans where another than this file wrote bans (copies of an older gate's): until then they are not obeyed. */
int ban_index_all(const struct kern_maps *m);
size_t ban_capacity(const struct kern_maps *m);

/* A source whose mail was accepted: when SYNs are too many it comes first, until until_ns. A full table forgets the longest idle. */
int good_put(const struct kern_maps *m, const struct pst_addr *a, __u64 until_ns);
bool good_has(const struct kern_maps *m, const struct pst_addr *a, __u64 now_ns);
/* Until when it is held; 0 = it is not. */
__u64 source_held_ns(const struct kern_maps *m, const struct pst_addr *a, __u64 now_ns);
/* A source that does not hear what it is told: its SYNs are dropped until then. A full table forgets the longest idle of the busy ones. */
int source_hold(const struct kern_maps *m, const struct pst_addr *a, __u64 until_ns);
void good_del(const struct kern_maps *m, const struct pst_addr *a);

/* An operator's word: it stays until allow_del(), whatever the configuration says. */
int allow_put(const struct kern_maps *m, const struct pst_prefix *p);
int allow_del(const struct kern_maps *m, const struct pst_prefix *p);
int allow_each(const struct kern_maps *m, int (*each)(void *ctx, const struct pst_prefix *), void *ctx);
bool allow_has(const struct kern_maps *m, const struct pst_addr *a);
bool allow_any(const struct kern_maps *m); /* the map has an entry */
/*
 * Makes the map hold exactly these and what operators said: new ones are added before old ones go. Whether the map is asked at all is
 * pst_conf.no_allows, which is not touched here: that belongs to the judge, who alone may change pst_conf while he lives.
 */
int allow_replace(const struct kern_maps *m, const struct pst_prefix *p, size_t n);

int gate_conf_get(const struct kern_maps *m, struct pst_conf *out);
/* All of it but ban_mask, which stays what it is. Two who change it at a time would undo each other's changes: see allow_replace(). */
int gate_conf_put(const struct kern_maps *m, const struct pst_conf *c);

#endif
