/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd.c: from words to the function of a row, and help from the same rows. */
#include <stdarg.h>
#include <stdio.h>

#include "tools/postern/cli.h"
#include "tools/postern/match.h"
#include "tools/postern/out.h"

static struct match match_object(const char *word)
{
	struct match m = match_new();

	for (int i = 0; objects[i]; i++) {
		if (!objects[i]->hidden || !strcmp(word, objects[i]->name))
			match_name(&m, word, str_of(objects[i]->name), i);
	}
	return m;
}

/* "list" says the same as "show" where an object has no list of its own. */
static struct match match_cmd(const struct object *o, const char *word)
{
	struct match m = match_new();
	int show = -1;
	bool own_list = false;

	for (int i = 0; o->cmds[i].name; i++) {
		match_name(&m, word, str_of(o->cmds[i].name), i);
		if (!strcmp(o->cmds[i].name, "show"))
			show = i;
		own_list |= !strcmp(o->cmds[i].name, "list");
	}
	if (show >= 0 && !own_list)
		match_name(&m, word, STR("list"), show);
	return m;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "-h") || !strcmp(word, "--help");
}

const char *cmd_synopsis(const struct object *o, const struct cmd *c, char *out, size_t size)
{
	snprintf(out, size, "postern %s%s%s%s%s", o->name, o->direct ? "" : " ", o->direct ? "" : c->name,
		 c->usage ? " " : "", c->usage ? c->usage : "");
	return out;
}

/* The names of what could have been meant, as a sentence's end. */
static const char *names_of(const struct object *o, char *out, size_t size)
{
	size_t n = 0;

	*out = 0;
	for (int i = 0; o ? o->cmds[i].name != NULL : objects[i] != NULL; i++) {
		if (n < size && (o || !objects[i]->hidden))
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
					      o ? o->cmds[i].name : objects[i]->name);
	}
	return out;
}

static int usage_lines(const struct object *o)
{
	char names[512], line[640];

	names_of(o, names, sizeof(names));
	if (o)
		snprintf(line, sizeof(line), "postern %s COMMAND; commands: %s", o->name, names);
	else
		snprintf(line, sizeof(line), "postern [OPTIONS] OBJECT [COMMAND [ARGS]]; objects: %s", names);
	out_str("usage", NULL, line);
	if (!cli.json)
		fprintf(stderr, "Usage: %s\n", line);
	return CLI_USAGE;
}

static int unknown(const struct object *o, const char *word, const struct match *m)
{
	const char *what = o ? "command" : "object";

	if (m->count > 1)
		out_error("\"%s\" is ambiguous: %s", word, m->candidates);
	else
		out_error("unknown %s \"%s\"", what, word);
	return usage_lines(o);
}

/* A sentence in lines of at most WIDTH columns. */
static void help_text(const char *text, int indent)
{
	enum { WIDTH = 96 };

	while (*text) {
		size_t room = (size_t)(WIDTH - indent), n = strlen(text);

		if (n > room) {
			for (n = room; n && text[n] != ' '; n--)
				;
			n = n ? n : room;
		}
		out_line("%*s%.*s", indent, "", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

static int run_row(const struct object *o, const struct cmd *c, int n, char **v)
{
	struct args a = { .object = o, .cmd = c, .n = n, .v = v };
	char line[512];

	if (n == 1 && is_help(v[0])) {
		out_str("usage", NULL, cmd_synopsis(o, c, line, sizeof(line)));
		out_str("help", NULL, c->help);
		out_line("Usage: %s", line);
		help_text(c->help, 2);
		return CLI_OK;
	}
	return c->func(&a);
}

static int run_object(const struct object *o, int n, char **v)
{
	if (o->direct)
		return run_row(o, o->cmds, n, v);
	if (!n)
		return run_row(o, o->cmds, 0, v);
	if (is_help(v[0])) {
		help_object(o);
		return CLI_OK;
	}
	struct match m = match_cmd(o, v[0]);

	if (match_index(&m) < 0)
		return unknown(o, v[0], &m);
	return run_row(o, &o->cmds[match_index(&m)], n - 1, v + 1);
}

static int run_help(int n, char **v)
{
	if (!n) {
		help_all();
		return CLI_OK;
	}
	struct match m = match_object(v[0]);

	if (match_index(&m) < 0)
		return unknown(NULL, v[0], &m);
	help_object(objects[match_index(&m)]);
	return CLI_OK;
}

int cmd_run(int n, char **v)
{
	if (!n) {
		out_error("no object given");
		return usage_lines(NULL);
	}
	if (is_help(v[0]))
		return run_help(n - 1, v + 1);
	struct match m = match_object(v[0]);

	if (match_index(&m) < 0)
		return unknown(NULL, v[0], &m);
	return run_object(objects[match_index(&m)], n - 1, v + 1);
}

int usage_error(const struct args *a, const char *fmt, ...)
{
	char text[512], line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (a->flaw) {
		snprintf(a->flaw, FLAW_MAX, "%.*s", FLAW_MAX - 1, text);
		return CLI_USAGE;
	}
	out_error("%s", text);
	out_str("usage", NULL, cmd_synopsis(a->object, a->cmd, line, sizeof(line)));
	if (!cli.json)
		fprintf(stderr, "Usage: %s\n", line);
	return CLI_USAGE;
}

static void help_row(const struct object *o, const struct cmd *c)
{
	char line[512];

	out_row();
	out_str("usage", NULL, cmd_synopsis(o, c, line, sizeof(line)));
	out_str("help", NULL, c->help);
	out_line("  %s", line);
	help_text(c->help, 6);
}

void help_object(const struct object *o)
{
	out_str("object", NULL, o->name);
	out_str("help", NULL, o->help);
	out_line("%s: %s\n", o->name, o->help);
	out_table("commands");
	for (const struct cmd *c = o->cmds; c->name; c++)
		help_row(o, c);
	out_table_end();
}

static void help_options(void)
{
	out_table("options");
	for (const struct option_row *r = option_rows; r->name; r++) {
		char text[64], letter[3] = { '-', r->letter, 0 };

		snprintf(text, sizeof(text), "--%s%s%s", r->name, r->arg ? " " : "", r->arg ? r->arg : "");
		out_row();
		out_str("letter", NULL, r->letter ? letter : NULL);
		out_str("name", NULL, r->name);
		out_str("argument", NULL, r->arg);
		out_str("help", NULL, r->help);
		out_line("  %s%s %-17s %s", r->letter ? letter : "  ", r->letter ? "," : " ", text, r->help);
	}
	out_table_end();
}

void help_all(void)
{
	out_line("Usage: postern [OPTIONS] OBJECT [COMMAND [ARGS]]\n\nObjects:");
	out_table("objects");
	for (int i = 0; objects[i]; i++) {
		char names[512];

		if (objects[i]->hidden)
			continue;
		out_row();
		out_str("object", NULL, objects[i]->name);
		out_str("help", NULL, objects[i]->help);
		out_bool("direct", NULL, objects[i]->direct);
		out_line("  %-8s %s", objects[i]->name, objects[i]->help);
		if (!objects[i]->direct)
			out_line("  %-8s   %s", "", names_of(objects[i], names, sizeof(names)));
	}
	out_table_end();
	out_line("\nOptions:");
	help_options();
	out_line("\nWords may be abbreviated as long as they stay unambiguous; show and list mean the same.\n"
		 "`postern help OBJECT` or `postern OBJECT help` lists commands; manual: postern(8), postern-OBJECT(8).");
}
