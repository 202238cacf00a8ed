/* SPDX-License-Identifier: BSD-2-Clause */
/* store_import.c: an export goes back, through the daemon: every line or none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/postern/call.h"
#include "tools/postern/out.h"
#include "tools/postern/store_file.h"
#include "user/ctl.h"

#define FLAWS_MAX 20

struct import {
	const char *name;
	char *text; /* lines as the daemon takes them, one after another */
	size_t n, room, rows, sent;
	size_t flaws;
	json_t *said;
};

static void blame(struct import *m, unsigned long line, const char *why)
{
	if (m->flaws++ >= FLAWS_MAX)
		return;
	if (!cli.json)
		out_error("%s:%lu: %s", m->name, line, why);
	json_array_append_new(m->said, json_sprintf("%s:%lu: %s", m->name, line, why));
}

static bool keep(struct import *m, const char *line)
{
	size_t n = strlen(line);

	if (m->room - m->n < n + 1) {
		size_t room = m->room ? 2 * m->room : 1 << 20;
		char *more = realloc(m->text, room);

		if (!more)
			return false;
		m->text = more;
		m->room = room;
	}
	memcpy(m->text + m->n, line, n);
	m->text[m->n + n] = '\n';
	m->n += n + 1;
	m->rows++;
	return true;
}

static bool take_line(struct import *m, const char *line, size_t n, unsigned long number)
{
	char text[SAVED_LINE_MAX], flaw[256], safe[4 * sizeof(flaw)];
	const char *why;

	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (!n || line[0] == '#')
		return true;
	why = store_file_read(line, n, text, flaw, sizeof(flaw));
	if (!why)
		return keep(m, text);
	str_escape(str_of(why), safe, sizeof(safe));
	blame(m, number, safe);
	return true;
}

static int read_lines(struct import *m, FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	bool kept = true;

	for (unsigned long number = 1; kept && (n = getline(&line, &room, f)) >= 0; number++)
		kept = take_line(m, line, (size_t)n, number);
	free(line);
	if (!kept)
		return out_error("out of memory");
	if (ferror(f))
		return out_error("%s: %s", m->name, strerror(errno));
	if (!m->flaws)
		return CLI_OK;
	out_value("errors", NULL, m->said);
	return out_error("%s: %zu line%s wrong; nothing is imported", m->name, m->flaws, m->flaws == 1 ? " is" : "s are");
}

static size_t row_text(void *ctx, size_t i, char *text, size_t size)
{
	struct import *m = ctx;
	const char *from = m->text + m->sent, *end = memchr(from, '\n', m->n - m->sent);
	size_t n = (size_t)(end - from) + 1;

	(void)i, (void)size; /* lines of SAVED_LINE_MAX at most */
	memcpy(text, from, n);
	m->sent += n;
	return n;
}

static unsigned long long number_of(json_t *reply, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(reply, key));
}

static int send(struct import *m, bool force)
{
	const struct call_rows rows = { m->rows, row_text, m };
	json_t *reply = NULL, *request = json_pack("{ss sI sb}", "command", "store import", "rows", (json_int_t)m->rows, "force", force);

	switch (call_rows(request, &rows, &reply)) {
	case CALL_DOWN:
		return out_error("posternd is not running, and only it can do this; start it, and import then");
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_OK:
		break;
	}
	out_str("file", NULL, m->name);
	out_num("records", NULL, number_of(reply, "records"));
	out_num("bans", NULL, number_of(reply, "bans"));
	out_num("skipped", NULL, number_of(reply, "skipped"));
	out_line("%s: %llu records, %llu of them new bans; %llu bans left out, for they are over or another stands", m->name, number_of(reply, "records"),
		 number_of(reply, "bans"), number_of(reply, "skipped"));
	json_decref(reply);
	return CLI_OK;
}

int store_import(struct args *a)
{
	struct import m = { .said = json_array() };
	const char *path;
	bool force = false;
	FILE *f = NULL;
	int rc = arg_need(a, "FILE", &path);

	if (!rc)
		force = arg_is(a, "force");
	if (!rc)
		rc = arg_end(a);
	if (!rc) {
		m.name = strcmp(path, "-") ? path : "standard input";
		f = strcmp(path, "-") ? fopen(path, "re") : stdin;
		rc = f ? read_lines(&m, f) : out_error("%s: %s", path, strerror(errno));
	}
	if (f && f != stdin)
		fclose(f);
	if (!rc && !m.rows)
		out_line("%s: no records", m.name);
	else if (!rc)
		rc = send(&m, force);
	json_decref(m.said);
	free(m.text);
	return rc;
}
