/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_db.h: the store on disk: one LMDB file, DIR/state.mdb, of records as user/core/saved.h packs them. Only processes that nobody
 * waits for open it: a page that cannot be read ends the process that reads it (SIGBUS), and a write waits for the disk.
 *
 * Every commit is synced, so that the file is whole whenever the power goes: MDB_NOSYNC would make commits cheaper, but what
 * it risks is the whole file, and a commit every few seconds by a process of its own delays nobody. No MDB_WRITEMAP:
 * a full disk is then an error of a write and not a signal.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdio.h>

#include "user/core/saved.h"

#define STORE_DB_NAME "state.mdb"
#define STORE_DB_PATH 4096

struct store_db;

struct store_db_size {
	__u64 records;
	__u64 bytes;	 /* of the file that are used, free pages within them included */
	__u64 bytes_max;
};

/*
 * Opens DIR's store; without readonly it is made if there is none. size_max: bytes that it may grow to. -ENOENT: there is no store;
 * -EBADMSG: what is there is not whole, or not a store of ours; -EPROTO: of another version; else -errno. why gets a sentence.
 */
int store_db_open(struct store_db **out, const char *dir, __u64 size_max, bool readonly, char *why, size_t size);
void store_db_close(struct store_db *db);
/* Renames DIR's store, so that a new one can be made; what was there before under that name is lost. to gets the path. 0 or -errno. */
int store_db_set_aside(const char *dir, char *to, size_t size);
/*
 * Takes the lock that one writer of DIR has at a time: *fd, to be kept open. -EAGAIN: another has it. Who writes without it is no process of ours.
 */
int store_db_lock(const char *dir, int *fd);

/* Head of the store. False: a new store has none yet. */
bool store_db_head(const struct store_db *db, struct saved_head *out);

/*
 * Writing, in one transaction from the first put or delete to commit or abort. Times of records are wall clock. 0 or -errno: -ENOSPC
 * when the disk or size_max is reached, -EBADMSG when pages are not whole; then abort, and why says more.
 */
int store_db_put(struct store_db *db, const struct saved *r); /* nothing is written where it says the same already */
int store_db_del(struct store_db *db, const struct saved *r); /* by its key */
int store_db_commit(struct store_db *db);
void store_db_abort(struct store_db *db);
/* Records put and deleted since the last commit. */
size_t store_db_pending(const struct store_db *db);
/* Deletes records of a kind that keep() does not want, and those that cannot be read; *bad (may be NULL) counts the latter. */
int store_db_sweep(struct store_db *db, enum saved_kind kind, bool (*keep)(void *ctx, const struct saved *r), void *ctx, size_t *bad);
const char *store_db_why(const struct store_db *db);

/* Calls each for every record in the order of keys, head included, in one snapshot; stops when it returns non-zero, which is returned. bad as above. */
int store_db_each(struct store_db *db, int (*each)(void *ctx, const struct saved *r), void *ctx, size_t *bad);
/* False when the file was removed or another was put in its place. */
bool store_db_is_there(const struct store_db *db);
struct store_db_size store_db_size(struct store_db *db);
/* Puts a copy without free pages in the place of the store. 0: close db, which is the old one, and open it anew. -errno: nothing has changed. */
int store_db_compact(struct store_db *db);

#endif
