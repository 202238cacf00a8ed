/* SPDX-License-Identifier: BSD-2-Clause */
/* monitor.c: events as they happen: JSON lines with -j, readable lines otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/out.h"

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

static int each(json_t *event)
{
	bool first = !json_object_get(event, "event");

	if (first)
		watching(event);
	if (cli.json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!first) {
		print_text(event);
	}
	return fflush(stdout) ? CLI_FAILED : CLI_OK;
}

static int do_monitor(struct args *a)
{
	int rc = arg_end(a);

	return rc ? rc : call_stream(json_pack("{ss}", "command", "monitor"), each);
}

static const struct cmd cmds[] = {
	{ "monitor", NULL, "Prints findings, bans and sessions as they happen, one a line, until interrupted.", do_monitor },
	{ 0 },
};

const struct object object_monitor = { "monitor", "live events", cmds, .direct = true };
