/* SPDX-License-Identifier: BSD-2-Clause */
/* store.c: the state on disk: how it fares, what is in it, and out of it. The file is read by a process of its own: a page that is not there ends it, not us. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/postern/call.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/store_file.h"
#include "user/store_db.h"

#define PATH_DEFAULT "/var/lib/postern/store"
#define SIZE_READ    (1ull << 44) /* whatever it has grown to */
#define WAIT_MS	     100
#define WAIT_MAX     600 /* of these: a minute */

/* What the reading process tells. */
struct report {
	int rc;
	char why[512];
	size_t of[SAVED_KIND_MAX], bad;
	struct saved_head head;
	__u64 bytes;
	bool done;
};

static const char *dir_of(void)
{
	return place_conf() ? place_conf()->store.path : PATH_DEFAULT;
}

/* --- apart ------------------------------------------------------------------------------ */

struct reading {
	struct report *report;
	FILE *out; /* NULL = nothing is written */
};

static int take(void *ctx, const struct saved *r)
{
	struct reading *reading = ctx;

	reading->report->of[r->kind]++;
	if (r->kind == SAVED_HEAD || !reading->out)
		return 0;
	store_file_write(reading->out, r, cli.json);
	return ferror(reading->out) ? -errno : 0;
}

static void read_store(struct reading *reading)
{
	struct report *rep = reading->report;
	struct store_db *db;

	rep->rc = store_db_open(&db, dir_of(), SIZE_READ, true, rep->why, sizeof(rep->why));
	if (rep->rc)
		return;
	rep->bytes = store_db_size(db).bytes;
	store_db_head(db, &rep->head);
	rep->rc = store_db_each(db, take, reading, &rep->bad);
	if (!rep->rc && reading->out && fflush(reading->out))
		rep->rc = -errno;
	if (rep->rc)
		snprintf(rep->why, sizeof(rep->why), "%s: %s", dir_of(), *store_db_why(db) ? store_db_why(db) : strerror(-rep->rc));
	store_db_close(db);
}

/* Shared with the child; NULL after having said why not. */
static struct report *read_apart(FILE *out)
{
	struct report *rep = mmap(NULL, sizeof(*rep), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct reading reading = { rep, out };
	int status = 0;
	pid_t pid;

	if (rep == MAP_FAILED)
		return NULL;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		read_store(&reading);
		rep->done = true;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !rep->done) {
		rep->rc = -EBADMSG;
		snprintf(rep->why, sizeof(rep->why), "%s: it cannot be read: %s", dir_of(), WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : strerror(errno));
	}
	return rep;
}

static int fail(const struct report *rep)
{
	if (rep->rc == -ENOENT)
		return out_error("%s; posternd makes it", rep->why);
	return out_error("%s", rep->why);
}

/* --- show, check --------------------------------------------------------------------------- */

static const char *const texts[] = { "state", "path", "why", "set_aside" };
static const char *const numbers[] = { "since_seconds", "written_seconds_ago", "write_ms", "records", "bytes", "bytes_max", "damaged",
				       "restored_bans", "restored_sources", "restored_greylist", "restore_ms", "compactions" };

static unsigned long long number_of(json_t *reply, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(reply, key));
}

static int show_live(json_t *reply)
{
	const char *why = json_string_value(json_object_get(reply, "why"));
	char label[32];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		const char *text = json_string_value(json_object_get(reply, texts[i]));

		out_str(texts[i], text ? i == 3 ? "set aside" : texts[i] : NULL, text);
	}
	out_bool("restored", "restored", json_is_true(json_object_get(reply, "restored")));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		snprintf(label, sizeof(label), "%s", numbers[i]);
		for (char *c = label; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		if (json_is_null(json_object_get(reply, numbers[i])))
			out_null(numbers[i]);
		else
			out_num(numbers[i], label, number_of(reply, numbers[i]));
	}
	if (why)
		out_note("ALARM: state is kept in memory alone: %s", why);
	return CLI_OK;
}

static int show_file(bool check)
{
	struct report *rep = read_apart(NULL);
	int rc = CLI_OK;

	if (!rep)
		return out_error("out of memory");
	if (rep->rc) {
		rc = fail(rep);
	} else {
		out_str("path", "path", dir_of());
		out_num("store_schema", "schema", rep->head.schema); /* "schema" is the document's own */
		out_wall("written", "written", rep->head.written_ns / 1000000000);
		out_num("bytes", "bytes", rep->bytes);
		out_num("bans", "bans", rep->of[SAVED_BAN]);
		out_num("sources", "sources", rep->of[SAVED_SOURCE]);
		out_num("greylist", "greylist", rep->of[SAVED_GREY]);
		out_num("damaged", "damaged", rep->bad);
		if (check && rep->bad)
			rc = out_error("%zu records cannot be read; posternd drops them when it reads the store, and writes what it knows", rep->bad);
		else if (check)
			out_line("every record can be read");
	}
	munmap(rep, sizeof(*rep));
	return rc;
}

static int do_show(struct args *a)
{
	json_t *reply = NULL;
	int rc = arg_end(a);

	if (rc)
		return rc;
	switch (call(json_pack("{ss}", "command", "store show"), &reply)) {
	case CALL_OK:
		rc = show_live(reply);
		json_decref(reply);
		return rc;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		break;
	}
	out_note("posternd is not running: this is what it left");
	return show_file(false);
}

static int do_check(struct args *a)
{
	int rc = arg_end(a);

	return rc ? rc : show_file(true);
}

/* --- export ---------------------------------------------------------------------------------- */

static int export_to(FILE *f, const char *name)
{
	struct report *rep = read_apart(f);
	int rc = CLI_OK;

	if (!rep)
		return out_error("out of memory");
	if (rep->rc)
		rc = fail(rep);
	else if (rep->bad)
		out_note("%zu records cannot be read and are left out", rep->bad);
	if (!rc && name) {
		out_str("file", NULL, name);
		out_num("bans", NULL, rep->of[SAVED_BAN]);
		out_num("sources", NULL, rep->of[SAVED_SOURCE]);
		out_num("greylist", NULL, rep->of[SAVED_GREY]);
		out_line("%s: %zu bans, %zu sources, %zu entries of the greylist", name, rep->of[SAVED_BAN], rep->of[SAVED_SOURCE], rep->of[SAVED_GREY]);
	} else if (!rc) {
		out_done();
	}
	munmap(rep, sizeof(*rep));
	return rc;
}

/* A file is whole or as it was. */
static int export_file(const char *path)
{
	char part[STORE_DB_PATH];
	int fd, rc;
	FILE *f;

	if ((size_t)snprintf(part, sizeof(part), "%s.part", path) >= sizeof(part))
		return out_error("%s: %s", path, strerror(ENAMETOOLONG));
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return out_error("%s: %s", part, strerror(errno));
	rc = export_to(f, path);
	if (fclose(f) && !rc)
		rc = out_error("%s: %s", part, strerror(errno));
	if (!rc && rename(part, path))
		rc = out_error("%s: %s", path, strerror(errno));
	if (rc)
		unlink(part);
	return rc;
}

static int do_export(struct args *a)
{
	const char *path = arg_next(a);
	int rc = arg_end(a);

	if (rc)
		return rc;
	return path && strcmp(path, "-") ? export_file(path) : export_to(stdout, NULL);
}

/* --- compact ------------------------------------------------------------------------------------ */

static unsigned long long compactions(unsigned long long *bytes)
{
	unsigned long long n = 0;
	json_t *reply = NULL;

	if (call(json_pack("{ss}", "command", "store show"), &reply) != CALL_OK)
		return 0;
	n = number_of(reply, "compactions");
	*bytes = number_of(reply, "bytes");
	json_decref(reply);
	return n;
}

static int say_compact(unsigned long long before, unsigned long long after)
{
	out_num("bytes_before", NULL, before);
	out_num("bytes", NULL, after);
	out_line("compacted: %llu bytes, before %llu", after, before);
	return CLI_OK;
}

static int wait_compact(json_t *reply, unsigned long long before)
{
	const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000 };
	unsigned long long was = number_of(reply, "compactions"), bytes = 0;

	for (int i = 0; i < WAIT_MAX; i++) {
		if (compactions(&bytes) > was)
			return say_compact(before, bytes);
		nanosleep(&pause, NULL);
	}
	return out_error("the store has not been compacted within a minute; `postern store show` and the log tell why");
}

/* The file stays its owner's. */
static int compact_file(void)
{
	struct store_db *db = NULL;
	char why[512], path[STORE_DB_PATH];
	unsigned long long before;
	struct stat st;
	int fd, rc = store_db_lock(dir_of(), &fd);

	if (rc)
		return out_error("%s: %s", dir_of(), rc == -EAGAIN ? "a daemon writes it" : strerror(-rc));
	snprintf(path, sizeof(path), "%s/" STORE_DB_NAME, dir_of());
	rc = stat(path, &st) ? -errno : store_db_open(&db, dir_of(), SIZE_READ, true, why, sizeof(why));
	if (rc) {
		close(fd);
		return out_error("%s", db ? why : strerror(-rc));
	}
	before = store_db_size(db).bytes;
	rc = store_db_compact(db);
	if (!rc && chown(path, st.st_uid, st.st_gid))
		rc = -errno;
	if (rc)
		out_error("%s: %s", path, *store_db_why(db) ? store_db_why(db) : strerror(-rc));
	store_db_close(db);
	close(fd);
	if (rc)
		return CLI_FAILED;
	return say_compact(before, stat(path, &st) ? 0 : (unsigned long long)st.st_size);
}

static int do_compact(struct args *a)
{
	unsigned long long before = 0;
	json_t *reply = NULL;
	int rc = arg_end(a);

	if (rc)
		return rc;
	compactions(&before);
	switch (call(json_pack("{ss}", "command", "store compact"), &reply)) {
	case CALL_OK:
		rc = wait_compact(reply, before);
		json_decref(reply);
		return rc;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		break;
	}
	return compact_file();
}

static const struct cmd cmds[] = {
	{ "show", NULL, "Shows whether state is kept on disk, how much of it, what was given back at the start, and an alarm if there is one.", do_show },
	{ "check", NULL, "Reads every record of the store, also beside a daemon that writes it: fails when one cannot be read.", do_check },
	{ "export", "[FILE]", "Writes all records, a line each, to FILE or standard output; with -j every line is a JSON object.", do_export },
	{ "import", "FILE|- [force]", "Takes over the records of an export, of either form: every line or none. What stands, stands; force is for bans of own addresses.", store_import },
	{ "compact", NULL, "Makes the file as small as its records are.", do_compact },
	{ 0 },
};

const struct object object_store = { "store", "the state on disk", cmds };
