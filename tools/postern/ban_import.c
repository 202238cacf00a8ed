/* SPDX-License-Identifier: BSD-2-Clause */
/* ban_import.c: bans by the million from a file: read and checked whole, then written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/postern/ban_file.h"
#include "tools/postern/ban_order.h"
#include "tools/postern/call.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/progress.h"
#include "tools/postern/safety.h"
#include "tools/postern/unmanned.h"
#include "user/core/names.h"
#include "user/never.h"

#define WORDS_MAX     (PST_NOTE_MAX + 16) /* a reason of one-letter words, and all the keywords */
#define ERRORS_MAX    100
#define PROGRESS_ROWS 4096 /* between looks at the clock */
#define S_NS	      1000000000ull

struct row {
	struct pst_prefix prefix;
	unsigned line;
	unsigned long long seconds;
	const char *reason; /* "" = none */
	__u16 port;
	__u8 action, scope, grace;
};

struct import {
	const char *name; /* of the file, for messages */
	struct args *args;
	struct ban_order usual; /* what a line without words means */
	struct row *row;
	size_t n, room;
	unsigned line;
	size_t errors;
	json_t *said; /* the first of them */
	const char *last_reason;
	struct never_list never;
	struct progress progress;
	size_t bytes; /* of the file, 0 = not known */
};

/* --- what is wrong ------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void blame(struct import *m, const char *fmt, ...)
{
	char text[FLAW_MAX + 160], line[sizeof(text) + 256], safe[4 * sizeof(line)];
	json_t *said;
	va_list ap;

	m->errors++;
	if (json_array_size(m->said) == ERRORS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "%.200s:%u: %s", m->name, m->line, text);
	said = json_string(line);
	if (!said) { /* not UTF-8: of a file that is something else */
		str_escape(str_of(line), safe, sizeof(safe));
		said = json_string(safe);
	}
	json_array_append_new(m->said, said);
}

static int say_errors(struct import *m)
{
	json_t *e;
	size_t i;

	out_value("errors", NULL, m->said);
	json_array_foreach(m->said, i, e) {
		if (!cli.json)
			out_error("%s", json_string_value(e));
	}
	return out_error("nothing is banned: %zu line%s %s wrong%s", m->errors, m->errors == 1 ? "" : "s", m->errors == 1 ? "is" : "are",
			 m->errors > json_array_size(m->said) ? "; the first of them are named" : "");
}

/* --- a line -------------------------------------------------------------------- */

/* The word at *p, unquoted in place; NULL at the end, at a comment, and with *flaw at a quote that does not end. */
static char *next_word(char **p, const char **flaw)
{
	char *from = *p + strspn(*p, " \t\r\n"), *to, *word;
	bool quoted = *from == '"';

	if (!*from || *from == '#' || *from == ';')
		return NULL;
	word = to = from += quoted;
	while (*from && (quoted ? *from != '"' : !strchr(" \t\r\n", *from))) {
		if (quoted && *from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from++;
	}
	if (quoted && !*from) {
		*flaw = "a \" is missing at the end of a word";
		return NULL;
	}
	*p = from + (*from != 0);
	*to = 0;
	return word;
}

static int words_of(char *line, char *v[WORDS_MAX], const char **flaw)
{
	int n = 0;

	while ((v[n] = next_word(&line, flaw)))
		if (++n == WORDS_MAX) {
			*flaw = "too many words";
			break;
		}
	return n;
}

/* Most lines of a file say the same, or nothing. */
static const char *keep_reason(struct import *m, const char *reason)
{
	if (!*reason)
		return "";
	if (!m->last_reason || strcmp(m->last_reason, reason))
		m->last_reason = strdup(reason);
	return m->last_reason;
}

static const char *objection(struct import *m, const struct pst_prefix *p, char *room, size_t size)
{
	const char *why = safety_objection(p, room, size);
	const struct never *rule = why ? NULL : never_find(&m->never, p);
	char text[PREFIX_TEXT_MAX];

	if (!rule)
		return why;
	snprintf(room, size, "%s is %s", prefix_text(&rule->prefix, text), rule->why);
	return room;
}

static bool keep(struct import *m, const struct pst_prefix *p, const struct ban_order *o)
{
	if (m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 4096;
		struct row *more = reallocarray(m->row, room, sizeof(*more));

		if (!more)
			return false;
		m->row = more;
		m->room = room;
	}
	m->row[m->n] = (struct row){ .prefix = *p, .line = m->line, .seconds = o->seconds, .reason = keep_reason(m, o->reason), .port = o->ban.port,
				     .action = o->ban.action, .scope = o->ban.scope, .grace = o->ban.grace };
	return m->row[m->n++].reason != NULL;
}

/* False when memory is out. What is wrong with the line is noted. */
static bool take_line(struct import *m, char *line)
{
	char flaw[FLAW_MAX], room[160], text[PREFIX_TEXT_MAX], *v[WORDS_MAX];
	struct args a = { .object = m->args->object, .cmd = m->args->cmd, .v = v, .flaw = flaw };
	struct ban_order o = m->usual;
	const char *why = NULL;
	struct pst_prefix p;

	a.n = words_of(line, v, &why);
	if (!why && !a.n)
		return true;
	if (!why && (arg_prefix(&a, &p) || ban_order_words(&a, &o)))
		why = flaw;
	if (why) {
		blame(m, "%s", why);
		return true;
	}
	if (o.force && !m->usual.force) {
		blame(m, "force is not for a single line; add it to the command if you mean it");
		return true;
	}
	if (!o.force && (why = objection(m, &p, room, sizeof(room)))) {
		blame(m, "%s is not banned: %s; add the word force to the command if you mean it", prefix_text(&p, text), why);
		return true;
	}
	return keep(m, &p, &o);
}

/* --- the file ------------------------------------------------------------------- */

/* How far the file is read, by its own bytes: what gzip makes of them is not known before. */
static void tell_lines(struct import *m, gzFile gz)
{
	z_off_t at = m->line % PROGRESS_ROWS ? -1 : gzoffset(gz);

	if (at >= 0)
		progress_bar(&m->progress, (size_t)at, m->bytes, m->line, "lines read");
}

static void tell_rows(struct import *m, size_t i, const char *what)
{
	if (i % PROGRESS_ROWS == 0)
		progress_bar(&m->progress, i, m->n, i, what);
	if (i + 1 == m->n)
		progress_end(&m->progress);
}

static bool is_whole(gzFile gz, const char *line)
{
	size_t n = strlen(line);

	return n && (line[n - 1] == '\n' || (n < BAN_LINE_MAX - 1 && gzeof(gz)));
}

/* What is left of a line that was cut. */
static void skip_line(gzFile gz, char *line)
{
	while (!strchr(line, '\n') && gzgets(gz, line, BAN_LINE_MAX))
		;
}

static int read_lines(struct import *m, gzFile gz)
{
	char line[BAN_LINE_MAX];
	int code;

	while (gzgets(gz, line, sizeof(line))) {
		m->line++;
		tell_lines(m, gz);
		if (!is_whole(gz, line)) {
			blame(m, "longer than %d bytes, or a NUL byte in it: not a list of bans", BAN_LINE_MAX - 2);
			skip_line(gz, line);
		} else if (!take_line(m, line)) {
			return out_error("out of memory after %zu bans", m->n);
		}
		if (m->n > PST_BANS_MAX)
			return out_error("%s: more than %d bans, the room of the table; nothing is banned", m->name, PST_BANS_MAX);
	}
	gzerror(gz, &code);
	if (code == Z_ERRNO)
		return out_error("%s: %s", m->name, strerror(errno));
	return code ? out_error("%s: damaged or cut-off gzip after line %u; nothing is banned", m->name, m->line) : CLI_OK;
}

static int open_file(struct import *m, const char *path)
{
	struct stat st;
	int fd;

	if (!strcmp(path, "-")) {
		m->name = "standard input";
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		close(fd);
		errno = EISDIR;
		return -1;
	}
	return fd;
}

static int read_file(struct import *m, const char *path)
{
	int rc, fd = open_file(m, path);
	gzFile gz = fd < 0 ? NULL : gzdopen(fd, "r");
	struct stat st;

	if (!gz)
		return out_error("%s: %s", m->name, strerror(errno));
	m->bytes = !fstat(fd, &st) && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
	gzbuffer(gz, 128 * 1024);
	rc = read_lines(m, gz);
	progress_end(&m->progress);
	gzclose_r(gz);
	if (rc)
		return rc;
	return m->errors ? say_errors(m) : CLI_OK;
}

/* --- what the table takes --------------------------------------------------------- */

/* The kernel tries each length in use with every packet, so there may only be a few; one of a row that is in use already costs nothing. */
static int check_lengths(const struct import *m, const struct pst_conf *c)
{
	bool used[2][129] = { { false } };
	unsigned n[2] = { 0 };

	for (int i = 0; i < PST_BAN_LENS_MAX; i++)
		used[0][c->ban_len4[i]] = used[1][c->ban_len6[i]] = true;
	for (size_t i = 0; i < m->n; i++)
		used[!prefix_is4(&m->row[i].prefix)][m->row[i].prefix.len] = true;
	for (unsigned len = 1; len <= 128; len++) {
		n[0] += used[0][len];
		n[1] += used[1][len];
	}
	for (int six = 0; six < 2; six++) {
		if (n[six] > PST_BAN_LENS_MAX)
			return out_error("nothing is banned: with the bans that are there it would be %u different prefix lengths of IPv%d, and the gate looks up %d; see `postern ban show`, or make it a list",
					 n[six], six ? 6 : 4, PST_BAN_LENS_MAX);
	}
	return CLI_OK;
}

static int check_gate(const struct import *m)
{
	struct pst_conf c;
	struct kern_maps maps;
	bool closed;
	int rc = place_look(&maps, &closed);

	if (rc || closed)
		return rc; /* closed: the judge will say */
	rc = gate_conf_get(&maps, &c);
	kern_close(&maps);
	if (rc)
		return out_error("%s: the gate's settings cannot be read: %s", place_pins(), strerror(-rc));
	if (c.mode != PST_MODE_ENFORCE)
		out_note("the gate's mode is %s: nobody is refused until `postern gate mode enforce`", mode_name(c.mode));
	return check_lengths(m, &c);
}

/* --- writing ---------------------------------------------------------------------- */

/* A row as the control socket takes it, user/ctl.h. */
static size_t row_text(void *ctx, size_t i, char *text, size_t size)
{
	struct import *m = ctx;
	const struct row *r = &m->row[i];
	char prefix[PREFIX_TEXT_MAX], seconds[24] = "-";

	tell_rows(m, i, "bans sent");
	if (r->seconds != ~0ull)
		snprintf(seconds, sizeof(seconds), "%llu", r->seconds);
	return (size_t)snprintf(text, size, "%s %s %s %s %u %u %s\n", prefix_text(&r->prefix, prefix), seconds, action_name(r->action),
				scope_name(r->scope), r->port, r->grace, r->reason);
}

static void row_ban(void *ctx, size_t i, struct ban_row *out)
{
	struct import *m = ctx;
	const struct row *r = &m->row[i];
	__u64 now = kern_now_ns();

	tell_rows(m, i, "bans written");
	*out = (struct ban_row){ .prefix = r->prefix, .note = *r->reason ? r->reason : NULL };
	out->ban = (struct pst_ban){ .until_ns = r->seconds == ~0ull ? ~0ull : now + r->seconds * S_NS, .made_ns = now, .action = r->action,
				     .reason = PST_RSN_OPERATOR, .origin = PST_ORIGIN_OPERATOR, .port = r->port, .scope = r->scope, .grace = r->grace };
}

static size_t member(json_t *reply, const char *name)
{
	return (size_t)json_integer_value(json_object_get(reply, name));
}

static int write_all(struct import *m, struct ban_many *done)
{
	json_t *request = json_pack("{ss sI sb}", "command", "ban import", "rows", (json_int_t)m->n, "force", m->usual.force), *reply;
	const struct call_rows rows = { m->n, row_text, m };
	int rc = CLI_OK;

	switch (call_rows(request, &rows, &reply)) {
	case CALL_OK:
		*done = (struct ban_many){ member(reply, "bans"), member(reply, "evicted"), member(reply, "noteless") };
		json_decref(reply);
		break;
	case CALL_FAILED:
		rc = CLI_FAILED;
		break;
	case CALL_DOWN:
		rc = unmanned_bans(m->n, row_ban, m, done);
	}
	progress_end(&m->progress);
	return rc;
}

/* The daemon's rules are asked for once and not found out row by row. Without a daemon they are gathered here. */
static int ask_never(struct import *m)
{
	json_t *reply, *rule;
	struct pst_prefix p;
	size_t i;

	switch (call(json_pack("{ss}", "command", "never show"), &reply)) {
	case CALL_OK:
		break;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		m->never = *safety_never();
		return CLI_OK;
	}
	json_array_foreach(json_object_get(reply, "never_ban"), i, rule) {
		const char *prefix = json_string_value(json_object_get(rule, "prefix")), *why = json_string_value(json_object_get(rule, "why"));

		if (prefix && why && prefix_parse(str_of(prefix), &p) == PREFIX_OK)
			never_add(&m->never, &p, why);
	}
	json_decref(reply);
	return CLI_OK;
}

static void say_done(const struct import *m, const struct ban_many *done, __u64 took_ms)
{
	out_str("file", NULL, m->name);
	out_num("bans", NULL, done->written);
	out_num("evicted", NULL, done->evicted);
	out_num("noteless", NULL, done->noteless);
	out_num("took_ms", NULL, took_ms);
	out_line("%s: %zu ban%s, imported in %llu.%llu s", m->name, done->written, done->written == 1 ? "" : "s", (unsigned long long)took_ms / 1000,
		 (unsigned long long)took_ms / 100 % 10);
	if (done->evicted)
		out_note("the table was full: %zu automatic bans that end soonest made room", done->evicted);
	if (done->noteless)
		out_note("the reasons of %zu bans found no room; the bans stand", done->noteless);
}

static int import(struct import *m, const char *path)
{
	__u64 began_ns = kern_now_ns();
	struct ban_many done = { 0 };
	int rc = ask_never(m);

	if (!rc)
		rc = read_file(m, path);
	if (!rc)
		rc = check_gate(m);
	if (!rc && m->n)
		rc = write_all(m, &done);
	if (!rc)
		say_done(m, &done, (kern_now_ns() - began_ns) / 1000000);
	return rc;
}

int ban_import(struct args *a)
{
	static struct import m; /* large */
	const char *path;
	int rc = arg_need(a, "FILE", &path);

	if (rc)
		return rc;
	m = (struct import){ .name = path, .args = a, .usual = ban_order_default(), .said = json_array() };
	progress_begin(&m.progress);
	rc = ban_order_words(a, &m.usual);
	if (!rc)
		rc = import(&m, path);
	json_decref(m.said);
	free(m.row);
	return rc;
}
