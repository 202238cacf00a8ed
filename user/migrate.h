/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * migrate.h: the gate of an older version, pinned in the folder beside ours (v1 beside v2), and what it knows. Every step may be done twice; pst_meta of the old gate goes last,
 * so that a start that died half-way is finished by the next one.
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "user/kern.h"
#include "user/kern_pins.h"

/*
 * The folder of an older gate beside dir. 1: found; 0: there is none, also when the name of dir is not "v" and our schema;
 * -EPROTO and a sentence in err: there is one of a newer or unknown schema, and nothing may be touched.
 */
int migrate_find(const char *dir, char old[KERN_PATH_MAX], unsigned *schema, char *err, size_t errsize);
/*
 * Opens those maps of the gate under old that are laid out as ours are, all others -1: the new program is to use them in
 * common with the old one, so nothing in them is copied, and what the old one learns until its end is known. 0 or -errno; to be closed either way.
 */
int migrate_share(const char *old, struct kern_maps *out);
/*
 * Copies bans, notes, allow entries, lists, settings and the counters of the processes from the gate under old; fields that it has
 * not are zero, settings that it has not keep their default. What both have in common stays where it is. again: to was copied to before and may be newer: only bans, notes and allow entries that are missing in it
 * are added. 0 or -errno, with a sentence in err.
 */
int migrate_copy(const char *old, const struct kern_maps *to, bool again, char *err, size_t errsize);
/*
 * Puts what the gate of schema 1 under old has listed into the lists of to, unless that has some already: a file may be unreadable
 * at this very start, and an upgrade opens nothing. Until they are read from their files they are stale. -ENOENT: it has none.
 */
int migrate_lists(const char *old, const struct kern_maps *to, char *err, size_t errsize);
/*
 * Carries over what the old program has counted, into a slot that has no other writer: totals never go back, whatever the
 * new program counts in the meantime. To be called again when the old program runs no more.
 */
int migrate_counters(const char *old, const struct kern_maps *to);

#endif
