/* SPDX-License-Identifier: BSD-2-Clause */
/* monitor.c: events as they happen: JSON lines with -j, readable lines otherwise. */
#include "tools/postern/monitor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "user/core/names.h"

static void append(char *line, size_t size, size_t *n, const char *key, json_t *v)
{
	const char *plain = json_string_value(v);
	bool bare = plain && *plain && !strpbrk(plain, " \"=");
	char *text = bare ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

	if (*n < size)
		*n += (size_t)snprintf(line + *n, size - *n, " %s=%s", key, bare ? plain : text ? text : "");
	free(text);
}

/* "TIME EVENT key=value ...": every field, in the daemon's order. */
static void print_text(json_t *event)
{
	const char *time = json_string_value(json_object_get(event, "time")), *name = json_string_value(json_object_get(event, "event"));
	char line[2048];
	size_t n = 0;
	const char *key;
	json_t *v;

	line[0] = 0;
	json_object_foreach(event, key, v) {
		if (strcmp(key, "schema") && strcmp(key, "time") && strcmp(key, "event") && !json_is_null(v))
			append(line, sizeof(line), &n, key, v);
	}
	out_plain("%s %-10s%s", time ? time : "-", name ? name : "-", line);
}

/* The daemon's first line says that it listens: nothing that happens from now on is missed. */
static void watching(json_t *event)
{
	if (cli.json)
		json_object_set_new(event, "event", json_string("watching"));
	else
		out_note("watching; interrupt ends it");
}

static struct {
	unsigned long long left; /* events; 0 = no end */
	bool counted;
} want;

/* An interrupt is how a person ends this: nothing has failed. */
static void interrupted(int signal)
{
	(void)signal;
	_exit(CLI_OK); /* every line has left already */
}

static enum call_each each(json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "event"));

	if (!name)
		watching(event);
	if (cli.json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (name) {
		print_text(event);
	}
	if (fflush(stdout))
		return CALL_FAIL;
	if (!name || !want.counted || !strcmp(name, "lost") || --want.left)
		return CALL_ON;
	if (cli.json)
		out_done(); /* every line was a document of its own */
	return CALL_ENOUGH;
}

int monitor(json_t *request, unsigned long long count)
{
	want.left = count;
	want.counted = count;
	signal(SIGINT, interrupted);
	signal(SIGPIPE, interrupted); /* `postern monitor | head` has seen enough */
	return call_stream(request, each);
}

/* "reason NAME" and the like: words as the daemon knows them. Of a reason the usage has no list. */
static int filter(struct args *a, json_t *request)
{
	static const char *const keys[] = { "reason", "verdict", "kind" };
	const char *word;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (!arg_is(a, keys[i]))
			continue;
		int rc = arg_choice(a, keys[i], keys[i], &word);

		if (rc)
			return rc;
		if (!i ? reason_by_name(str_of(word)) < 0 : word != a->choice)
			return usage_error(a, "\"%s\" is not a %s; %s", word, keys[i], !i ? "those of section points in postern.conf(5) are" : "the usage has them all");
		json_object_set_new(request, keys[i], json_string(word));
		return CLI_OK;
	}
	return arg_end(a);
}

static int words(struct args *a, json_t *request, unsigned long long *count)
{
	struct pst_prefix source;
	char text[PREFIX_TEXT_MAX];
	int rc = CLI_OK;

	while (!rc && a->n) {
		if (arg_is(a, "count"))
			rc = arg_number(a, "count", ~0ull >> 1, count);
		else if (!arg_is(a, "source"))
			rc = filter(a, request);
		else if (!(rc = arg_prefix(a, &source)))
			json_object_set_new(request, "source", json_string(prefix_text(&source, text)));
	}
	return rc;
}

static int do_monitor(struct args *a)
{
	json_t *request = json_pack("{ss}", "command", "monitor");
	unsigned long long count = 0;
	int rc = words(a, request, &count);

	if (rc) {
		json_decref(request);
		return rc;
	}
	return monitor(request, count);
}

static const struct cmd cmds[] = {
	{ "monitor", "[kind session|finding|ban|import|limit|breaker] [verdict opened|state|closed|finding|ban|would-ban|unban|import|limit|breaker|amnesty] [reason NAME] [source PREFIX] [count N]",
	  "Prints findings, bans and sessions as they happen, one a line, until interrupted or until count were printed.", do_monitor },
	{ 0 },
};

const struct object object_monitor = { "monitor", "live events", cmds, .direct = true };
