/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ban_index.h: the two tables in front of pst_bans, kept by the writer of bans: ban.c, and migrate.c for a whole table.
 * What dies between two of these calls leaves bans that are obeyed and found, at worst more slowly.
 */
#ifndef BAN_INDEX_H
#define BAN_INDEX_H

#include "user/kern.h"

/* For so many bans; rows are only ever added. 0 or -errno. */
int ban_index_room(const struct kern_maps *m, size_t bans);
/* For one more: a sweep knows how many there are, but many may come before the next one. */
int ban_index_one(const struct kern_maps *m);
/*
 * A gate whose tables are not in use yet, or no more (ban_index_begun() is false): begin() empties them, for so many bans;
 * then all bans are made; then end() has the kernel look there, or forgets it when that failed (error: -errno, returned).
 */
bool ban_index_begun(void);
void ban_index_begin(size_t bans);
int ban_index_end(const struct kern_maps *m, int error);

/* What the kernel counted for a ban in its place. */
struct ban_counted {
	__u64 hits;
	__u64 last_ns; /* to the millisecond, rounded down; 0 = nothing */
};

/* Maps the tables of this gate, if they are not: before any of the others. 0 or -errno; without write those that change must not be called. */
int ban_index_open(const struct kern_maps *m, bool write);

/* Before a ban of p is written or deleted: its bit is set, its place is free, and what was counted there is the caller's to keep. */
struct ban_counted ban_index_before(const struct pst_prefix *p);
/* The bit alone: where pst_bans is empty. */
void ban_index_announce(const struct pst_prefix *p);
/* p comes a few rows from now. */
void ban_index_soon(const struct pst_prefix *p);
/* After it was written: gives it a place if it is of the kind and there is one. */
void ban_index_after(const struct pst_prefix *p, const struct pst_ban *b);
/* Of a ban that is written already, as after both; a place that is there keeps its counts. */
void ban_index_make(const struct pst_prefix *p, const struct pst_ban *b);
/* Frees the places of bans that are no more what they were: where a program without these tables has written bans. One lookup a place. */
void ban_index_check(const struct kern_maps *m);
/* Before many are read, and after: where the table is not mapped, its rows are copied at once. Without memory nothing is, and each is looked up. */
void ban_index_hold(void);
void ban_index_let_go(void);
/* Adds what was counted in its place to a ban that was read. */
void ban_index_read(const struct pst_prefix *p, struct pst_ban *b);
void ban_index_add(struct pst_ban *b, const struct ban_counted *c);

/* Bits of the bans that are alive, collected while all are read. */
void ban_index_want(struct pst_ban_bits *want, const struct pst_prefix *p);
/* Forgets every other bit. Those wanted are set at every moment. */
void ban_index_keep(const struct pst_ban_bits *want);

#endif
