/* SPDX-License-Identifier: BSD-2-Clause */
/* ban_export.c: live bans as lines that ban_import.c reads back. */
#include "tools/postern/ban_file.h"

#include <jansson.h>
#include <stdio.h>

#include "tools/postern/out.h"
#include "user/core/names.h"

#define S_NS 1000000000ull

static const char *note_of(const struct kern_maps *m, const struct pst_prefix *p, struct pst_note *note)
{
	struct pst_ban ban;

	if (ban_get(m, p, &ban, note))
		return "";
	note->text[PST_NOTE_MAX - 1] = 0;
	for (char *c = note->text; *c; c++) /* of another program's making */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return note->text;
}

static unsigned long long seconds_left(const struct pst_ban *b, __u64 now_ns)
{
	return b->until_ns > now_ns ? (b->until_ns - now_ns + S_NS - 1) / S_NS : 0;
}

static void print_quoted(const char *text)
{
	printf(" reason \"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

void ban_export_text(const struct kern_maps *m, const struct fields_ban *f, __u64 now_ns)
{
	const struct pst_ban *b = &f->ban;
	char text[PREFIX_TEXT_MAX];
	struct pst_note note = { 0 };
	const char *reason = note_of(m, &f->prefix, &note);

	printf("%s", prefix_text(&f->prefix, text));
	if (b->until_ns == ~0ull)
		printf(" forever");
	else
		printf(" for %llus", seconds_left(b, now_ns));
	printf(" action %s scope %s", action_name(b->action), scope_name(b->scope));
	if (b->scope == PST_SCOPE_PORT)
		printf(" %u", b->port);
	if (b->grace)
		printf(" grace %u", b->grace);
	if (*reason)
		print_quoted(reason);
	if (b->origin != PST_ORIGIN_OPERATOR)
		printf(" # %s %s", origin_name(b->origin), reason_name(b->reason));
	putchar('\n');
}

void ban_export_json(const struct kern_maps *m, const struct fields_ban *f, __u64 now_ns)
{
	const struct pst_ban *b = &f->ban;
	char text[PREFIX_TEXT_MAX];
	struct pst_note note = { 0 };
	const char *reason = note_of(m, &f->prefix, &note);
	json_t *left = b->until_ns == ~0ull ? json_null() : json_integer((json_int_t)seconds_left(b, now_ns));
	json_t *line = json_pack("{si ss so ss ss so si ss ss ss*}", "schema", OUT_SCHEMA, "prefix", prefix_text(&f->prefix, text), "seconds_left", left, "action",
				 action_name(b->action), "scope", scope_name(b->scope), "port",
				 b->scope == PST_SCOPE_PORT ? json_integer(b->port) : json_null(), "grace", (int)b->grace, "origin",
				 origin_name(b->origin), "reason", reason_name(b->reason), "note", *reason ? reason : NULL);

	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}
