/* SPDX-License-Identifier: BSD-2-Clause */
/* batch.c: a command a line, each as if it had been given alone; JSON is one document a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"

#define WORDS_MAX 256

struct batch {
	const char *name; /* of the file, for people */
	unsigned long long line, done, failed;
	bool force;
	int error; /* errno of the reading, 0 = it ended well */
	char where[512]; /* "FILE:LINE: " */
};

/* --- a line's words, split in place ------------------------------------------------ */

/* One word from *p on, quotes and backslashes taken away; NULL when a quote is not closed. */
static char *word(char **p)
{
	char *from = *p, *to = from, *begin = from, quote = 0;

	for (; *from && (quote || !strchr(" \t", *from)); from++) {
		if (*from == quote)
			quote = 0;
		else if (!quote && (*from == '"' || *from == '\''))
			quote = *from;
		else if (*from == '\\' && quote != '\'' && from[1])
			*to++ = *++from;
		else
			*to++ = *from;
	}
	if (quote)
		return NULL;
	*p = *from ? from + 1 : from;
	*to = 0;
	return begin;
}

/* How many words; -1 after saying what is wrong. A word that begins with # begins a comment. */
static int split(char *line, char **v)
{
	int n = 0;

	for (;;) {
		line += strspn(line, " \t");
		if (!*line || *line == '#')
			return n;
		if (n == WORDS_MAX) {
			out_error("more than %d words in a line", WORDS_MAX);
			return -1;
		}
		v[n] = word(&line);
		if (!v[n++]) {
			out_error("a quote is not closed");
			return -1;
		}
	}
}

/* --- running --------------------------------------------------------------------------- */

static int run_words(int n, char **v)
{
	if (v[0][0] == '-') {
		out_error("options stand before batch, for all of its commands: \"%s\"", v[0]);
		return CLI_USAGE;
	}
	return cmd_run(n, v);
}

/* A line that holds no command makes no document. */
static int run_line(struct batch *b, char *line)
{
	char *v[WORDS_MAX + 1];
	int n, rc;

	snprintf(b->where, sizeof(b->where), "%s:%llu: ", b->name, b->line);
	out_init(cli.json, out_pretty());
	out_str("file", NULL, b->name);
	out_num("line", NULL, b->line);
	out_where(b->where);
	n = split(line, v);
	if (!n) {
		out_where(NULL);
		out_done();
		return out_finish(CLI_OK);
	}
	rc = n < 0 ? CLI_USAGE : run_words(n, v);
	rc = out_finish(rc);
	out_where(NULL);
	b->done++;
	b->failed += rc != CLI_OK;
	return rc;
}

/* The code of the first command that failed. */
static int run_file(struct batch *b, FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int rc = CLI_OK;

	while ((n = getline(&line, &room, f)) >= 0) {
		int one;

		b->line++;
		if (strlen(line) != (size_t)n) { /* a NUL: no text */
			out_init(cli.json, out_pretty());
			out_error("%s:%llu: the line holds a NUL byte", b->name, b->line);
			b->failed++;
			one = out_finish(CLI_USAGE);
		} else {
			line[strcspn(line, "\r\n")] = 0;
			one = run_line(b, line);
		}
		rc = rc ? rc : one;
		if (rc && !b->force)
			break;
		errno = 0;
	}
	b->error = n < 0 && !feof(f) ? errno : 0;
	free(line);
	return rc;
}

/* The last document: how it went. */
static void report(const struct batch *b, int rc)
{
	out_init(cli.json, out_pretty());
	out_str("file", NULL, b->name);
	out_num("commands", NULL, b->done);
	out_num("failed", NULL, b->failed);
	if (!rc)
		return;
	if (!b->force) {
		out_num("stopped_at", NULL, b->line);
		out_error("%s: stopped at line %llu; %llu command%s before it done", b->name, b->line, b->done - (b->done > 0), b->done == 2 ? "" : "s");
	} else {
		out_error("%s: %llu of %llu commands failed", b->name, b->failed, b->done);
	}
}

static int do_batch(struct args *a)
{
	static bool inside;
	struct batch b = { 0 };
	FILE *f;
	int rc = arg_need(a, "FILE", &b.name);

	if (!rc)
		b.force = arg_is(a, "force");
	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	if (inside)
		return out_error("a batch cannot run a batch");
	f = strcmp(b.name, "-") ? fopen(b.name, "re") : stdin;
	if (!f)
		return out_error("%s: %s", b.name, strerror(errno));
	inside = true;
	out_done();
	out_finish(CLI_OK); /* every command makes its own */
	rc = run_file(&b, f);
	inside = false;
	report(&b, rc);
	if (!rc && b.error)
		rc = out_error("%s: %s", b.name, strerror(b.error));
	if (f != stdin)
		fclose(f);
	return rc;
}

static const struct cmd cmds[] = {
	{ "batch", "FILE|- [force]",
	  "Runs the commands of a file, one a line, as they would be given after postern; stops at the first that fails, or with force goes on to the end.", do_batch },
	{ 0 },
};

const struct object object_batch = { "batch", "many commands from a file", cmds, .direct = true };
