/* SPDX-License-Identifier: BSD-2-Clause */
/* manual.c: the parts of the manual that are rows, as reStructuredText; `make man` includes them. */
#include <stdio.h>

#include "tools/postern/cli.h"
#include "tools/postern/manual_catalog.h"
#include "tools/postern/out.h"
#include "user/config_rows.h"
#include "user/core/names.h"
#include "user/core/parts.h"
#include "user/log_rows.h"

/* Running text: nothing in it is markup. */
static void plain(const char *s)
{
	for (; *s; s++) {
		if (strchr("\\*`|_", *s))
			putchar('\\');
		putchar(*s);
	}
}

/* Words in backquotes are commands. */
static void markup(const char *s)
{
	for (; *s; s++) {
		if (strchr("\\*|_", *s))
			putchar('\\');
		fputs(*s == '`' ? "``" : (const char[]){ *s, 0 }, stdout);
	}
}

static void term(const char *head, const char *name, const char *rest)
{
	printf("**");
	plain(head);
	plain(name);
	printf("**");
	if (rest && *rest) {
		putchar(' ');
		plain(rest);
	}
	printf("\n    ");
}

static int finished(void)
{
	out_done();
	return CLI_OK;
}

static void command(const struct object *o, const struct cmd *c)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", o->name, o->direct ? "" : " ", o->direct ? "" : c->name);
	term("postern ", name, c->usage);
	plain(c->help);
	printf("\n\n");
}

static int do_commands(struct args *a)
{
	const char *name;
	int rc = arg_need(a, "OBJECT", &name);

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	for (int i = 0; objects[i]; i++) {
		if (strcmp(objects[i]->name, name))
			continue;
		for (const struct cmd *c = objects[i]->cmds; c->name; c++)
			command(objects[i], c);
		return finished();
	}
	return usage_error(a, "no object is called \"%s\"", name);
}

static int do_objects(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	for (int i = 0; objects[i]; i++) {
		if (objects[i]->hidden)
			continue;
		term("", objects[i]->name, NULL);
		plain(objects[i]->help);
		printf("; see **postern-%s**\\ (8)\n\n", objects[i]->name);
	}
	return finished();
}

/* For make: whose commands the manual has pages of. */
static int do_names(struct args *a)
{
	int rc = arg_end(a);

	for (int i = 0; !rc && objects[i]; i++)
		if (!objects[i]->hidden)
			printf("%s\n", objects[i]->name);
	return rc ? rc : finished();
}

static int do_exits(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
#define CLI_X(sym, status, help) printf("**" #status "**\n    " help "\n\n");
	CLI_EXITS(CLI_X)
#undef CLI_X
	return finished();
}

static int do_options(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	for (const struct option_row *r = option_rows; r->name; r++) {
		char letter[8] = "";

		if (r->letter)
			snprintf(letter, sizeof(letter), "-%c, ", r->letter);
		char name[32];

		snprintf(name, sizeof(name), "--%s", r->name);
		term(letter, name, r->arg);
		plain(r->help);
		printf("\n\n");
	}
	return finished();
}

static int do_reasons(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	for (unsigned i = 0; i < PST_RSN_MAX; i++) {
		const struct reason_row *r = &reason_rows[i];
		char rest[64];

		snprintf(rest, sizeof(rest), "(%u points)", r->points);
		term("", r->name, rest);
		plain(r->why);
		if (r->code)
			printf(" Reply: ``%u %s %s``%s.", r->code, r->enhanced, r->text, r->final ? ", and the session ends" : "");
		else
			printf(" The backend's own reply is passed on.");
		printf("\n\n");
	}
	return finished();
}

static int do_counters(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	for (unsigned i = 0; i < PST_CNT_MAX; i++) {
		const struct counter_row *r = &counter_rows[counter_nth(i)];

		if (*r->help) {
			term("postern_", r->family, NULL);
			plain(r->help);
			printf("\n\n");
		}
		if (*r->labels)
			printf("    | ``%s``\n", r->labels);
		if (i + 1 == PST_CNT_MAX || *counter_rows[counter_nth(i + 1)].help)
			putchar('\n');
	}
	for (unsigned i = 0; i < FIGURES_MAX; i++) {
		term("postern_", figure_rows[i].family, NULL);
		plain(figure_rows[i].help);
		printf("\n\n    | ``%s=``\\ *name*\n\n", figure_rows[i].label);
	}
	for (unsigned i = 0; i < PST_SPAN_MAX; i++) {
		term("postern_", span_rows[i].family, NULL);
		plain(span_rows[i].help);
		printf(" (a histogram, with ``_bucket``, ``_sum`` and ``_count``)\n\n");
	}
	return finished();
}

static int do_parts(struct args *a)
{
	static const struct {
		const char *name, *meaning, *advice;
	} parts[] = {
#define PARTS_X(sym, name, meaning, advice) { name, meaning, advice },
		PARTS(PARTS_X)
#undef PARTS_X
	};
	int rc = arg_end(a);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		term("", parts[i].name, NULL);
		markup(parts[i].meaning);
		putchar(' ');
		markup(parts[i].advice);
		printf("\n\n");
	}
	return finished();
}

static int do_log(struct args *a)
{
	static const struct {
		const char *event, *keys, *meaning, *advice;
	} events[] = {
#define LOG_X(event, keys, meaning, advice) { event, keys, meaning, advice },
		LOG_EVENTS(LOG_X)
#undef LOG_X
	};
	static const struct {
		const char *key, *meaning;
	} keys[] = {
#define LOG_X(key, type, meaning) { key, meaning },
		LOG_KEYS(LOG_X)
#undef LOG_X
	};
	int rc = arg_end(a);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		bool calm = !strncmp(events[i].advice, LOG_CALM, strlen(LOG_CALM)); /* of most events, so it is not said */

		term("", events[i].event, events[i].keys);
		plain(events[i].meaning);
		fputs(calm ? "." : ". ", stdout);
		markup(events[i].advice + (calm ? strlen(LOG_CALM) : 0));
		printf("\n\n");
	}
	printf("Keys:\n\n");
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		term("", keys[i].key, NULL);
		plain(keys[i].meaning);
		printf("\n\n");
	}
	return finished();
}

static void setting(const struct config_row *r)
{
	char choice[256];

	if (r->words && *r->words) {
		snprintf(choice, sizeof(choice), "= %s", r->words + 1);
		term("", r->name, choice);
	} else {
		term("", r->name, NULL);
	}
	plain(r->help);
	if (r->kind == CONFIG_KIND_NUMBER)
		printf("; %llu to %llu", r->min, r->max);
	if (r->def && *r->def)
		printf(". Default: ``%s``", r->def);
	printf("%s\n\n", !*r->def && strchr(".!?", r->help[strlen(r->help) - 1]) ? "" : ".");
}

static int do_settings(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	for (size_t s = 0; s < config_nsections; s++) {
		const struct config_section *section = &config_sections[s];

		if (*section->name)
			printf("Section %s%s\n%.*s\n\n%s\n\n", section->name, section->multi ? " NAME" : "",
			       (int)(strlen(section->name) + (section->multi ? 13 : 8)), "-----------------------------------------", section->help);
		for (size_t i = 0; i < config_nrows; i++) {
			if (!strcmp(config_rows[i].section, section->name))
				setting(&config_rows[i]);
		}
	}
	return finished();
}

/* --- the sample configuration -------------------------------------------------- */

static void comment(const char *indent, const char *text)
{
	while (*text) {
		size_t n = strlen(text);

		if (n > 76) {
			for (n = 76; n > 1 && text[n] != ' '; n--)
				;
		}
		printf("%s# %.*s\n", indent, (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

static const char *quote_of(const char *value)
{
	return *value && !value[strcspn(value, " :/.,=+")] ? "" : "\"";
}

static void sample_row(const struct config_row *r, const char *indent)
{
	const char *quote = quote_of(r->def);

	if (r->kind >= CONFIG_KIND_NAMES) {
		comment(indent, r->help);
		printf("%s#%s = {%s}\n", indent, r->name, r->def);
		return;
	}
	if (strcmp(r->section, "points")) /* their names say it; the manual says the rest */
		comment(indent, r->help);
	if (r->words && *r->words)
		printf("%s# one of: %s\n", indent, r->words + 1);
	printf("%s#%s = %s%s%s\n", indent, r->name, quote, r->def, quote);
}

/* A section that must be there stands open with defaults; others that take a name are examples in comments. */
static void sample_section(const struct config_section *s)
{
	const char *title = !strcmp(s->name, "listener") ? " smtp" : !strcmp(s->name, "backend") ? " mta" : s->multi ? " NAME" : "";
	bool example = !strcmp(title, " NAME");

	if (*s->name) {
		putchar('\n');
		comment("", s->help);
		printf("%s%s%s {\n", example ? "#" : "", s->name, title);
	}
	for (size_t i = 0; i < config_nrows; i++) {
		if (!strcmp(config_rows[i].section, s->name))
			sample_row(&config_rows[i], *s->name ? "\t" : "");
	}
	if (*s->name)
		printf("%s}\n", example ? "#" : "");
}

static int do_sample(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	printf("# Configuration of posternd; postern.conf(5) explains it. Every setting is here with its default;\n"
	       "# take the # away to change it. At least interface and domains want a value of yours.\n"
	       "# `postern config check` says what is wrong with a file, `postern config reload` makes it count.\n\n");
	for (size_t i = 0; i < config_nsections; i++)
		sample_section(&config_sections[i]);
	return finished();
}

static const struct cmd cmds[] = {
	{ "objects", NULL, "The objects.", do_objects },
	{ "names", NULL, "The names of the objects.", do_names },
	{ "commands", "OBJECT", "The commands of an object.", do_commands },
	{ "options", NULL, "The options.", do_options },
	{ "exits", NULL, "The exit statuses.", do_exits },
	{ "reasons", NULL, "Every reason for a ban.", do_reasons },
	{ "counters", NULL, "Every counter.", do_counters },
	{ "parts", NULL, "Every part that can be degraded.", do_parts },
	{ "log", NULL, "Every event of the log.", do_log },
	{ "catalog", NULL, "The same as a catalog of systemd's journal.", manual_catalog },
	{ "settings", NULL, "Every setting.", do_settings },
	{ "sample", NULL, "A configuration file with every setting at its default.", do_sample },
	{ 0 },
};

const struct object object_manual = { "manual", "the parts of the manual that are made from rows", cmds, .hidden = true };
