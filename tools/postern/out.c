/* SPDX-License-Identifier: BSD-2-Clause */
/* out.c: one call per field, two outputs. The JSON half builds with jansson; the text half is textout.c. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tools/postern/out.h"
#include "tools/postern/textout.h"
#include "tools/postern/textvalue.h"
#include "user/core/names.h"
#include "user/core/str.h"
#include "user/kern.h"

#define DEPTH_MAX 6

/* What is written of the document so far. */
enum place { DOC_NONE, DOC_MEMBERS, DOC_ROWS };

static struct {
	bool json, pretty, done;
	enum place place;
	unsigned members[2], rows; /* written, for the commas: of the document, of the section that is being written */
	int level;		   /* 1 = within a section of the document, which is written piece by piece like the document itself */
	const char *section;	   /* the outermost one that is open */
	json_t *at[DEPTH_MAX];	/* at[0]: members of the document not yet written; deeper: open sections, tables, rows */
	int depth;
	json_t *row; /* of the outermost table */
	json_t *notes;
	const char *table; /* the outermost one that is open */
	long long wall_offset_ns; /* wall clock minus monotonic clock */
} out;

/* What holds for every document. */
static struct {
	char *text; /* where errors go instead; NULL = they are printed */
	size_t size;
	const char *where;
	bool lines;
} aside;

void out_init(bool json, bool pretty)
{
	struct timespec wall;

	memset(&out, 0, sizeof(out));
	clock_gettime(CLOCK_REALTIME, &wall);
	out.wall_offset_ns = wall.tv_sec * 1000000000ll + wall.tv_nsec - (long long)kern_now_ns();
	out.json = json;
	out.pretty = pretty;
	out.at[0] = json_object();
	json_object_set_new(out.at[0], "schema", json_integer(OUT_SCHEMA));
	textout_init();
}

/* --- the document, written piece by piece ---------------------------------- */

static void newline(int indent)
{
	if (out.pretty)
		printf("\n%*s", 2 * indent, "");
}

/* jansson indents from column 0; what is nested moves right by indent. */
static void write_value(json_t *v, int indent)
{
	char *text = json_dumps(v, JSON_ENCODE_ANY | (out.pretty ? JSON_INDENT(2) : JSON_COMPACT));

	for (const char *p = text; p && *p; p++) {
		putchar(*p);
		if (*p == '\n')
			printf("%*s", 2 * indent, "");
	}
	free(text);
}

static void write_key(const char *key)
{
	putchar(out.members[out.level]++ ? ',' : '{');
	newline(1 + out.level);
	printf("\"%s\":%s", key, out.pretty ? " " : "");
}

/* Writes the members gathered so far. */
static void flush_members(void)
{
	const char *key;
	json_t *v;

	json_object_foreach(out.at[out.level], key, v) {
		write_key(key);
		write_value(v, 1 + out.level);
	}
	json_object_clear(out.at[out.level]);
}

/* A section of the document that has a table is no longer kept whole: what it has is taken out of the document and written. */
static void enter_section(void)
{
	json_t *members = json_incref(out.at[1]);

	if (!aside.lines) {
		json_object_del(out.at[0], out.section);
		flush_members();
		write_key(out.section);
	}
	out.level = 1;
	out.members[1] = 0;
	out.at[1] = members;
}

static void leave_section(void)
{
	if (!aside.lines) {
		flush_members();
		newline(1);
		putchar('}');
	}
	json_decref(out.at[1]);
	out.level = 0;
}

/* "bans", or "running.bans" of a section. */
static void write_line(json_t *row)
{
	char of[64];
	json_t *line;

	snprintf(of, sizeof(of), "%s%s%s", out.level ? out.section : "", out.level ? "." : "", out.table);
	line = json_pack("{s:i s:s}", "schema", OUT_SCHEMA, "row_of", of);

	json_object_update(line, row);
	write_value(line, 0);
	putchar('\n');
	json_decref(line);
}

static void flush_row(void)
{
	if (!out.row)
		return;
	if (aside.lines) {
		write_line(out.row);
		json_decref(out.row);
		out.row = NULL;
		return;
	}
	if (out.rows++)
		putchar(',');
	newline(2 + out.level);
	write_value(out.row, 2 + out.level);
	json_decref(out.row);
	out.row = NULL;
}

/* --- JSON containers -------------------------------------------------------- */

static bool streaming(void)
{
	return out.place == DOC_ROWS && out.depth == out.level;
}

/* Where the next member goes. */
static json_t *here(void)
{
	json_t *at = out.at[out.depth];

	if (streaming() && out.row)
		return out.row;
	return json_is_array(at) ? json_array_get(at, json_array_size(at) - 1) : at;
}

static void put(const char *key, json_t *v)
{
	if (key && out.json)
		json_object_set_new(here(), key, v);
	else
		json_decref(v);
}

static void push(const char *key, json_t *container)
{
	put(key, container);
	out.at[++out.depth] = container;
}

void out_section(const char *key, const char *title)
{
	if (!out.json) {
		textout_section(title);
		return;
	}
	if (!out.depth && out.place != DOC_ROWS)
		out.section = key;
	push(key, json_object());
}

void out_section_end(void)
{
	if (!out.json) {
		textout_section_end();
		return;
	}
	if (out.level && out.depth == 1)
		leave_section();
	out.depth--;
}

void out_null(const char *key)
{
	put(key, json_null());
}

void out_table(const char *key)
{
	if (!out.json) {
		textout_table();
		return;
	}
	if (out.depth > 1 || out.place == DOC_ROWS) {
		push(key, json_array());
		return;
	}
	if (out.depth && !out.level)
		enter_section();
	out.table = key;
	out.place = DOC_ROWS;
	out.rows = 0;
	if (aside.lines)
		return;
	flush_members();
	write_key(key);
	putchar('[');
}

void out_row(void)
{
	if (!out.json) {
		textout_row();
	} else if (streaming()) {
		flush_row();
		out.row = json_object();
	} else {
		json_array_append_new(out.at[out.depth], json_object());
	}
}

void out_table_end(void)
{
	if (!out.json) {
		textout_table_end();
	} else if (streaming()) {
		flush_row();
		if (out.rows)
			newline(1 + out.level);
		if (!aside.lines)
			putchar(']');
		out.place = DOC_MEMBERS;
	} else {
		out.depth--;
	}
}

void out_lines(void)
{
	aside.lines = true;
	out.pretty = false;
}

void out_done(void)
{
	out.done = true;
}

bool out_pretty(void)
{
	return out.pretty;
}

int out_finish(int rc)
{
	if (out.json && !out.done) {
		out.depth = out.level;
		if (out.place == DOC_ROWS)
			out_table_end();
		if (out.level)
			out_section_end();
		if (out.notes)
			json_object_set_new(out.at[0], "notes", out.notes);
		flush_members();
		newline(0);
		puts("}");
	}
	json_decref(out.at[0]);
	out.at[0] = NULL;
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "Error: standard output: could not be written\n");
		return 1;
	}
	return rc;
}

/* --- fields ------------------------------------------------------------------ */

/* Bytes of others (a note, a reply) never reach JSON as broken UTF-8. */
static json_t *json_text(const char *s)
{
	json_t *v = json_string(s);
	char safe[1024];

	if (v)
		return v;
	str_escape(str_of(s), safe, sizeof(safe));
	return json_string(safe);
}

void out_str(const char *key, const char *label, const char *value)
{
	if (out.json)
		put(key, value ? json_text(value) : json_null());
	else if (label)
		textout_field(label, value ? value : "-", false);
}

void out_num(const char *key, const char *label, unsigned long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", value);
	if (out.json)
		put(key, json_integer((json_int_t)value));
	else if (label)
		textout_field(label, text, true);
}

void out_real(const char *key, const char *label, double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.1f", value);
	if (out.json)
		put(key, json_real((double)(long long)(value * 1000 + 0.5) / 1000));
	else if (label)
		textout_field(label, text, true);
}

void out_int(const char *key, const char *label, long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	if (out.json)
		put(key, json_integer((json_int_t)value));
	else if (label)
		textout_field(label, text, true);
}

void out_bool(const char *key, const char *label, bool value)
{
	if (out.json)
		put(key, json_boolean(value));
	else if (label)
		textout_field(label, value ? "yes" : "no", false);
}

static const char *wall_text(time_t t, char text[32])
{
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return NULL;
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}

static const char *moment_text(unsigned long long mono_ns, char text[32])
{
	if (mono_ns == 0 || mono_ns == ~0ull)
		return NULL;
	return wall_text((time_t)(((long long)mono_ns + out.wall_offset_ns + 500000000) / 1000000000), text);
}

void out_wall(const char *key, const char *label, unsigned long long seconds)
{
	char text[32];

	out_str(key, label, seconds ? wall_text((time_t)seconds, text) : NULL);
}

void out_moment(const char *key, const char *label, unsigned long long mono_ns)
{
	char text[32];

	out_str(key, label, moment_text(mono_ns, text));
}

void out_ago(const char *key, const char *label, unsigned long long mono_ns)
{
	unsigned long long now = kern_now_ns(), seconds = mono_ns < now ? (now - mono_ns) / 1000000000 : 0;
	char span[32], text[40];

	if (!mono_ns) {
		out_str(key, label, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%s ago", duration_text(textvalue_round(seconds), span));
	if (out.json)
		out_num(key, NULL, seconds);
	else
		out_str(NULL, label, text);
}

static unsigned long long seconds_until(unsigned long long until_ns)
{
	unsigned long long now = kern_now_ns();

	return until_ns > now ? (until_ns - now + 999999999) / 1000000000 : 0;
}

const char *out_left(unsigned long long until_ns, char text[32])
{
	return duration_text(textvalue_round(seconds_until(until_ns)), text);
}

void out_until(unsigned long long until_ns)
{
	char text[32];

	if (until_ns == ~0ull) {
		out_str("until", NULL, NULL);
		out_str("seconds_left", NULL, NULL);
		out_str(NULL, "until", "forever");
		out_str(NULL, "left", NULL);
		return;
	}
	out_str("until", "until", moment_text(until_ns, text));
	out_num("seconds_left", NULL, seconds_until(until_ns));
	out_str(NULL, "left", out_left(until_ns, text));
}

/* --- values of others ---------------------------------------------------------- */

void out_value(const char *key, const char *label, json_t *value)
{
	if (out.json)
		put(key, json_incref(value));
	else if (label)
		textvalue(label, value);
}

void out_rows(const char *key, json_t *rows)
{
	size_t i;
	json_t *row;

	out.table = key;
	if (out.json && aside.lines && !out.depth && out.place != DOC_ROWS)
		json_array_foreach(rows, i, row)
			write_line(row);
	else if (out.json)
		put(key, json_incref(rows));
	else
		textvalue_rows(rows);
}

void out_members(json_t *object)
{
	if (out.json)
		json_object_update(here(), object);
	else
		textvalue_members(object);
}

/* --- what is said besides ------------------------------------------------------- */

void out_quiet(char *text, size_t size)
{
	if (text && size)
		*text = 0;
	aside.text = text;
	aside.size = size;
}

void out_where(const char *where)
{
	aside.where = where;
}

/* --- sentences ------------------------------------------------------------------ */

void out_line(const char *fmt, ...)
{
	va_list ap;

	if (out.json)
		return;
	textout_flush();
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void out_plain(const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	if (out.json)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	textout_line(stdout, text);
}

static void say_text(const char *head, const char *text)
{
	textout_flush();
	fflush(stdout);
	fputs(head, stderr);
	fputs(aside.where ? aside.where : "", stderr);
	textout_line(stderr, text);
}

void out_note(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (aside.text)
		return;
	if (!out.json) {
		say_text("Note: ", text);
		return;
	}
	if (!out.notes)
		out.notes = json_array();
	json_array_append_new(out.notes, json_text(text));
}

int out_error(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (aside.text) {
		snprintf(aside.text, aside.size, "%s", text);
		return 1;
	}
	if (out.json) /* always a member of the document itself, wherever the command was */
		json_object_set_new(out.at[0], "error", json_text(text));
	else
		say_text(textout_error_head(), text);
	return 1;
}
