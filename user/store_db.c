/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_BYTES  8192
#define READERS_MAX 16 /* commands of operators, and ours */

struct store_db {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn;
	size_t pending;
	bool has_head;
	struct saved_head head;
	__u64 size_max;
	char path[STORE_DB_PATH];
	char why[256];
};

/* --- errors ---------------------------------------------------------------------------- */

static int say(struct store_db *db, int err)
{
	if (!err)
		return 0;
	if (err == MDB_MAP_FULL)
		snprintf(db->why, sizeof(db->why), "it has reached its size of %llu bytes; raise size in section store", (unsigned long long)db->size_max);
	else
		snprintf(db->why, sizeof(db->why), "%s", mdb_strerror(err));
	if (err == MDB_MAP_FULL || err == MDB_TXN_FULL)
		return -ENOSPC;
	if (err == MDB_NOTFOUND)
		return -ENOENT;
	return err > 0 ? -err : -EBADMSG;
}

const char *store_db_why(const struct store_db *db)
{
	return db->why;
}

/* --- open --------------------------------------------------------------------------------- */

static MDB_val val_of(const char *p, size_t n)
{
	return (MDB_val){ n, (void *)(unsigned long)p };
}

static struct str str_of_val(const MDB_val *v)
{
	return (struct str){ v->mv_data, v->mv_size };
}

/* As large as its head says: a page that is missing would end us. */
static int check_size(struct store_db *db)
{
	MDB_envinfo info;
	struct stat st;
	MDB_stat stat_;

	mdb_env_info(db->env, &info);
	mdb_env_stat(db->env, &stat_);
	if (stat(db->path, &st))
		return -errno;
	if (!st.st_size || (__u64)st.st_size >= (info.me_last_pgno + 1ull) * stat_.ms_psize)
		return 0;
	snprintf(db->why, sizeof(db->why), "it is shorter than it says");
	return -EBADMSG;
}

static int read_head(struct store_db *db, MDB_txn *txn)
{
	struct saved r = { .kind = SAVED_HEAD };
	char key[SAVED_KEY_MAX];
	MDB_val k = val_of(key, saved_key(&r, key)), v;
	MDB_stat st;
	int err = mdb_stat(txn, db->dbi, &st);

	if (err)
		return say(db, err);
	if (!st.ms_entries)
		return 0;
	err = mdb_get(txn, db->dbi, &k, &v);
	if (err && err != MDB_NOTFOUND)
		return say(db, err);
	if (err || !saved_unpack(str_of_val(&k), str_of_val(&v), &r)) {
		snprintf(db->why, sizeof(db->why), "it is no store of Postern");
		return -EBADMSG;
	}
	db->head = r.head;
	db->has_head = true;
	if (r.head.schema == SAVED_SCHEMA)
		return 0;
	snprintf(db->why, sizeof(db->why), "it is of schema %u, and this version knows %u", r.head.schema, SAVED_SCHEMA);
	return -EPROTO;
}

/* A reader that comes first would make the lock file, and perhaps for itself alone; where there is none there is no writer. */
static unsigned read_flags(const struct store_db *db)
{
	char lock[STORE_DB_PATH + 8];

	snprintf(lock, sizeof(lock), "%s-lock", db->path);
	return MDB_RDONLY | (access(lock, F_OK) ? MDB_NOLOCK : 0);
}

/* LMDB maps its lock file and writes there: on a disk without room for it that would be a signal. */
static int make_lock(struct store_db *db)
{
	char lock[STORE_DB_PATH + 8];
	int fd, err;

	snprintf(lock, sizeof(lock), "%s-lock", db->path);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno;
	err = posix_fallocate(fd, 0, LOCK_BYTES);
	close(fd);
	return err;
}

static int open_env(struct store_db *db, bool readonly)
{
	MDB_txn *txn = NULL;
	int dead, rc, err = readonly ? 0 : make_lock(db);

	if (!err)
		err = mdb_env_create(&db->env);

	if (!err)
		err = mdb_env_set_mapsize(db->env, db->size_max);
	if (!err)
		err = mdb_env_set_maxreaders(db->env, READERS_MAX);
	if (!err)
		err = mdb_env_open(db->env, db->path, MDB_NOSUBDIR | MDB_NOTLS | (readonly ? read_flags(db) : 0), 0600);
	if (err)
		return say(db, err);
	rc = check_size(db);
	if (rc)
		return rc;
	mdb_reader_check(db->env, &dead); /* a reader that was killed would hold on to pages for ever */
	err = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);
	if (!err)
		err = mdb_dbi_open(txn, NULL, 0, &db->dbi);
	rc = err ? say(db, err) : read_head(db, txn);
	if (!rc)
		mdb_txn_commit(txn); /* keeps the handle */
	else if (txn)
		mdb_txn_abort(txn);
	return rc;
}

static int check_file(const struct store_db *db, bool readonly, char *why, size_t size)
{
	struct stat st;

	if (stat(db->path, &st)) {
		snprintf(why, size, "%s: %s", db->path, errno == ENOENT ? "there is no store" : strerror(errno));
		return errno == ENOENT && !readonly ? 0 : -errno;
	}
	if (S_ISREG(st.st_mode) && st.st_size)
		return 0;
	snprintf(why, size, "%s: %s", db->path, S_ISREG(st.st_mode) ? "it is empty" : "not a regular file");
	return -EBADMSG;
}

int store_db_open(struct store_db **out, const char *dir, __u64 size_max, bool readonly, char *why, size_t size)
{
	const __u64 page = (__u64)sysconf(_SC_PAGESIZE);
	struct store_db *db = calloc(1, sizeof(*db));
	int rc = db ? 0 : -ENOMEM;

	*out = NULL;
	if (!rc && (size_t)snprintf(db->path, sizeof(db->path), "%s/" STORE_DB_NAME, dir) >= sizeof(db->path))
		rc = -ENAMETOOLONG;
	if (rc) {
		snprintf(why, size, "%s: %s", dir, strerror(-rc));
		free(db);
		return rc;
	}
	db->size_max = (size_max + page - 1) / page * page;
	rc = check_file(db, readonly, why, size);
	if (!rc) {
		rc = open_env(db, readonly);
		snprintf(why, size, "%s: %s", db->path, db->why);
	}
	if (rc) {
		store_db_close(db);
		return rc;
	}
	*out = db;
	return 0;
}

void store_db_close(struct store_db *db)
{
	if (!db)
		return;
	store_db_abort(db);
	if (db->env)
		mdb_env_close(db->env);
	free(db);
}

int store_db_set_aside(const char *dir, char *to, size_t size)
{
	char from[STORE_DB_PATH], lock[STORE_DB_PATH + 8];

	snprintf(from, sizeof(from), "%s/" STORE_DB_NAME, dir);
	snprintf(lock, sizeof(lock), "%s-lock", from);
	snprintf(to, size, "%s.bad", from);
	if (rename(from, to))
		return -errno;
	unlink(lock);
	return 0;
}

int store_db_lock(const char *dir, int *fd)
{
	int rc;

	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	if (!flock(*fd, LOCK_EX | LOCK_NB))
		return 0;
	rc = -errno;
	close(*fd);
	*fd = -1;
	return rc;
}

bool store_db_head(const struct store_db *db, struct saved_head *out)
{
	*out = db->head;
	return db->has_head;
}

/* --- write ---------------------------------------------------------------------------------- */

static int begin(struct store_db *db)
{
	return db->txn ? 0 : say(db, mdb_txn_begin(db->env, NULL, 0, &db->txn));
}

int store_db_put(struct store_db *db, const struct saved *r)
{
	char key[SAVED_KEY_MAX], value[SAVED_VALUE_MAX];
	MDB_val k = val_of(key, saved_key(r, key)), v = val_of(value, saved_pack(r, value)), old;
	int rc = begin(db), err;

	if (rc)
		return rc;
	err = mdb_get(db->txn, db->dbi, &k, &old);
	if (!err && old.mv_size == v.mv_size && !memcmp(old.mv_data, v.mv_data, v.mv_size))
		return 0;
	if (!err || err == MDB_NOTFOUND)
		err = mdb_put(db->txn, db->dbi, &k, &v, 0);
	if (err)
		return say(db, err);
	db->pending++;
	if (r->kind == SAVED_HEAD) {
		db->head = r->head;
		db->has_head = true;
	}
	return 0;
}

int store_db_del(struct store_db *db, const struct saved *r)
{
	char key[SAVED_KEY_MAX];
	MDB_val k = val_of(key, saved_key(r, key));
	int rc = begin(db), err;

	if (rc)
		return rc;
	err = mdb_del(db->txn, db->dbi, &k, NULL);
	db->pending += !err;
	return err == MDB_NOTFOUND ? 0 : say(db, err);
}

int store_db_commit(struct store_db *db)
{
	MDB_txn *txn = db->txn;

	db->txn = NULL;
	db->pending = 0;
	return txn ? say(db, mdb_txn_commit(txn)) : 0;
}

void store_db_abort(struct store_db *db)
{
	if (db->txn)
		mdb_txn_abort(db->txn);
	db->txn = NULL;
	db->pending = 0;
}

size_t store_db_pending(const struct store_db *db)
{
	return db->pending;
}

int store_db_sweep(struct store_db *db, enum saved_kind kind, bool (*keep)(void *ctx, const struct saved *r), void *ctx, size_t *bad)
{
	const char first = saved_first(kind);
	MDB_val k = val_of(&first, 1), v;
	MDB_cursor *cursor = NULL;
	struct saved r;
	int rc = begin(db), err;

	if (rc)
		return rc;
	err = mdb_cursor_open(db->txn, db->dbi, &cursor);
	if (!err)
		err = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	for (; !err && k.mv_size && *(const char *)k.mv_data == first; err = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
		bool readable = saved_unpack(str_of_val(&k), str_of_val(&v), &r);

		if (bad)
			*bad += !readable;
		if (readable && keep(ctx, &r))
			continue;
		err = mdb_cursor_del(cursor, 0);
		db->pending += !err;
		if (err)
			break;
	}
	if (cursor)
		mdb_cursor_close(cursor);
	return err == MDB_NOTFOUND ? 0 : say(db, err);
}

/* --- read ------------------------------------------------------------------------------------ */

int store_db_each(struct store_db *db, int (*each)(void *ctx, const struct saved *r), void *ctx, size_t *bad)
{
	MDB_cursor *cursor = NULL;
	MDB_txn *txn = NULL;
	size_t left = 0;
	MDB_val k, v;
	struct saved r;
	MDB_stat st;
	int rc = 0, err = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);

	if (!err)
		err = mdb_stat(txn, db->dbi, &st);
	if (!err) {
		left = st.ms_entries; /* pages that point in a circle end, too */
		err = mdb_cursor_open(txn, db->dbi, &cursor);
	}
	for (; !err && !rc && left && !(err = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)); left--) {
		if (saved_unpack(str_of_val(&k), str_of_val(&v), &r))
			rc = each(ctx, &r);
		else if (bad)
			++*bad;
	}
	if (cursor)
		mdb_cursor_close(cursor);
	if (txn)
		mdb_txn_abort(txn);
	return rc ? rc : err == MDB_NOTFOUND ? 0 : say(db, err);
}

bool store_db_is_there(const struct store_db *db)
{
	struct stat ours, now;
	int fd;

	return !mdb_env_get_fd(db->env, &fd) && !fstat(fd, &ours) && !stat(db->path, &now) && ours.st_ino == now.st_ino && ours.st_dev == now.st_dev;
}

struct store_db_size store_db_size(struct store_db *db)
{
	MDB_envinfo info;
	MDB_stat st;

	mdb_env_info(db->env, &info);
	mdb_env_stat(db->env, &st);
	return (struct store_db_size){ st.ms_entries, (info.me_last_pgno + 1ull) * st.ms_psize, db->size_max };
}

/* The copy counts its transactions anew: the lock file, which knows the last one, goes with the old store. */
static int put_in_place(struct store_db *db, const char *copy)
{
	char lock[STORE_DB_PATH + 8];

	snprintf(lock, sizeof(lock), "%s-lock", db->path);
	unlink(lock);
	if (!rename(copy, db->path))
		return 0;
	snprintf(db->why, sizeof(db->why), "%s", strerror(errno));
	return -errno;
}

int store_db_compact(struct store_db *db)
{
	char copy[STORE_DB_PATH + 8];
	int err, rc;

	snprintf(copy, sizeof(copy), "%s.new", db->path);
	unlink(copy);
	err = mdb_env_copy2(db->env, copy, MDB_CP_COMPACT);
	rc = say(db, err);
	if (!rc)
		rc = put_in_place(db, copy);
	if (rc)
		unlink(copy);
	return rc;
}
