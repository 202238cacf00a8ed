/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: options, and the list of objects. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"

struct cli cli;

const struct option_row option_rows[] = {
	{ 'j', "json", NULL, "JSON instead of text, in one line" },
	{ 'p', "pretty", NULL, "JSON for reading: indented (implies -j)" },
	{ 'l', "lines", NULL, "JSON Lines: every row of a list is a document on a line of its own (implies -j)" },
	{ 'c', "config", "CONFIG", "configuration file (/etc/postern/postern.conf)" },
	{ 's', "socket", "SOCKET", "control socket of the daemon (environment: POSTERN_SOCKET)" },
	{ 0, "pins", "DIR", "directory of the pinned maps (environment: POSTERN_PINS)" },
	{ 'V', "version", NULL, "print the version" },
	{ 'h', "help", NULL, "print help" },
	{ 0 },
};

const struct object *const objects[] = {
	&object_gate,	 &object_ban,	  &object_allow,  &object_list,	      &object_client, &object_explain, &object_session, &object_grey, &object_dnsl, &object_relay, &object_backend, &object_store,
	&object_stats,	 &object_monitor, &object_top, &object_config, &object_simulate, &object_batch, &object_feature, &object_completion, &object_manual, NULL,
};

#define LONG_ONLY 256 /* + row: an option without a letter */

static void options_of(const struct option_row *rows, struct option *longs, char *shorts)
{
	*shorts++ = '+'; /* options end where the object begins */
	*shorts++ = ':'; /* errors are said here, not by getopt */
	for (int i = 0; rows[i].name; i++) {
		longs[i] = (struct option){ rows[i].name, rows[i].arg ? required_argument : no_argument, NULL,
					    rows[i].letter ? rows[i].letter : LONG_ONLY + i };
		if (!rows[i].letter)
			continue;
		*shorts++ = rows[i].letter;
		if (rows[i].arg)
			*shorts++ = ':';
	}
}

static int version(void)
{
	out_str("version", NULL, POSTERN_VERSION);
	out_line("postern %s", POSTERN_VERSION);
	return out_finish(CLI_OK);
}

int main(int argc, char **argv)
{
	struct option longs[sizeof(option_rows) / sizeof(*option_rows)] = { 0 };
	char shorts[2 * sizeof(option_rows) / sizeof(*option_rows) + 3] = "";
	bool pretty = false, lines = false, ask_version = false, ask_help = false;
	int c, bad = 0;

	cli.socket = getenv("POSTERN_SOCKET");
	cli.pins = getenv("POSTERN_PINS");
	options_of(option_rows, longs, shorts);
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			pretty = true;
			cli.json = true;
			break;
		case 'l':
			lines = true;
			/* fallthrough */
		case 'j':
			cli.json = true;
			break;
		case 'c':
			cli.config = optarg;
			break;
		case 's':
			cli.socket = optarg;
			break;
		case 'V':
			ask_version = true;
			break;
		case 'h':
			ask_help = true;
			break;
		case '?':
		case ':':
			bad = c;
			break;
		default:
			cli.pins = optarg; /* the only one without a letter */
		}
	}
	out_init(cli.json, pretty);
	if (lines)
		out_lines();
	if (bad) {
		out_error("option \"%s\" %s", argv[optind - 1], bad == ':' ? "needs an argument" : "is unknown");
		if (!cli.json)
			fprintf(stderr, "Usage: postern [OPTIONS] OBJECT [COMMAND [ARGS]]\n       postern help\n");
		return out_finish(CLI_USAGE);
	}
	if (ask_version)
		return version();
	if (ask_help) {
		help_all();
		return out_finish(CLI_OK);
	}
	return out_finish(cmd_run(argc - optind, argv + optind));
}
