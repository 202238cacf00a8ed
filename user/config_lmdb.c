/* SPDX-License-Identifier: BSD-2-Clause */
/* config_lmdb.c: the keys of an LMDB map, read whole: what is decided later never depends on a file that changes. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/config_int.h"

#define KEY_MAX	  1024
#define VALUE_MAX 65536

struct map {
	MDB_env *env;
	MDB_txn *txn;
	MDB_cursor *cursor;
	int data; /* the file itself, locked as Postfix does it; -1 = LMDB's own lock file is there */
};

/* Opened so that it never waits, and large enough for what its head says: a torn file must not end the reader. */
static int check_size(const struct map *m, off_t bytes, char *why, size_t size)
{
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(m->env, &info);
	mdb_env_stat(m->env, &stat);
	if ((unsigned long long)bytes >= (info.me_last_pgno + 1ull) * stat.ms_psize)
		return 0;
	snprintf(why, size, "it is shorter than it says");
	return -EINVAL;
}

/* Without LMDB's own lock file a writer is known by its lock on the data. */
static int lock(struct map *m, const char *data, const char *lockfile, char *why, size_t size)
{
	struct flock wanted = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (!access(lockfile, F_OK))
		return 0;
	m->data = open(data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (m->data >= 0 && !fcntl(m->data, F_OFD_SETLK, &wanted))
		return 0;
	snprintf(why, size, "%s", errno == EAGAIN || errno == EACCES ? "it is being written" : strerror(errno));
	return -errno;
}

static int open_map(struct map *m, const char *path, char *why, size_t size)
{
	char data[4096], lockfile[4096];
	struct stat st, whole;
	bool folder;
	int err;

	if (stat(path, &st)) {
		snprintf(why, size, "%s", strerror(errno));
		return -errno;
	}
	folder = S_ISDIR(st.st_mode);
	snprintf(data, sizeof(data), folder ? "%s/data.mdb" : "%s", path);
	snprintf(lockfile, sizeof(lockfile), folder ? "%s/lock.mdb" : "%s-lock", path);
	if (stat(data, &whole) || !S_ISREG(whole.st_mode)) {
		snprintf(why, size, "it is not a regular file");
		return -EINVAL;
	}
	err = lock(m, data, lockfile, why, size);
	if (err)
		return err;
	err = mdb_env_create(&m->env);
	if (!err)
		err = mdb_env_open(m->env, path, MDB_RDONLY | (folder ? 0 : MDB_NOSUBDIR) | (m->data < 0 ? 0 : MDB_NOLOCK), 0);
	if (!err)
		return check_size(m, whole.st_size, why, size);
	snprintf(why, size, "%s", mdb_strerror(err));
	return -EINVAL;
}

/* What is longer or has a NUL inside is handed on cut and marked: it is no domain, and who takes it says so. */
static void text_of(const MDB_val *v, char *text, size_t size)
{
	size_t n = v->mv_size < size - 1 ? v->mv_size : size - 1;

	memcpy(text, v->mv_data, n);
	text[n] = '\0';
	for (size_t i = 0; i + 1 < n; i++)
		if (!text[i])
			text[i] = '?';
}

static bool hand_on(const MDB_val *key, const MDB_val *value, bool (*each)(void *ctx, const char *key, const char *value), void *ctx)
{
	char name[KEY_MAX], text[VALUE_MAX];

	text_of(key, name, sizeof(name));
	text_of(value, text, sizeof(text));
	return each(ctx, name, text);
}

static int read_map(struct map *m, bool (*each)(void *ctx, const char *key, const char *value), void *ctx)
{
	MDB_val key, value;
	MDB_dbi dbi;
	int err = mdb_txn_begin(m->env, NULL, MDB_RDONLY, &m->txn);

	if (!err)
		err = mdb_dbi_open(m->txn, NULL, 0, &dbi);
	if (!err)
		err = mdb_cursor_open(m->txn, dbi, &m->cursor);
	while (!err && !(err = mdb_cursor_get(m->cursor, &key, &value, MDB_NEXT)))
		if (!hand_on(&key, &value, each, ctx))
			return 0;
	return err == MDB_NOTFOUND ? 0 : err;
}

static void close_map(struct map *m)
{
	if (m->cursor)
		mdb_cursor_close(m->cursor);
	if (m->txn)
		mdb_txn_abort(m->txn);
	if (m->env)
		mdb_env_close(m->env);
	if (m->data >= 0)
		close(m->data);
}

int config_lmdb(const char *path, bool (*each)(void *ctx, const char *key, const char *value), void *ctx, char *why, size_t size)
{
	struct map m = { .data = -1 };
	int rc = open_map(&m, path, why, size);

	if (!rc) {
		rc = read_map(&m, each, ctx);
		if (rc) {
			snprintf(why, size, "%s", mdb_strerror(rc));
			rc = -EINVAL;
		}
	}
	close_map(&m);
	return rc;
}
