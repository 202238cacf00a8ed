/* SPDX-License-Identifier: BSD-2-Clause */
/* top.c: the live view: a moment, a page, and so on until q. Without a terminal it prints pages, with -j a line of JSON for each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/term.h"
#include "tools/postern/top_view.h"
#include "user/core/names.h"

#define INTERVAL_S	2
#define INTERVAL_MAX_S	3600
#define PATIENCE_S	2 /* for the daemon's answers: a key must not wait for long */
#define PRINTED_COLUMNS 100
#define PRINTED_ROWS	60

static const char foot[] = "q quits   + - interval   space stops and goes on   any other key looks again";

struct top {
	unsigned interval_s;
	unsigned long long left; /* pages; 0 = no end */
	bool counted, paused;
	struct top_sample now;
	struct top_past before;
	struct top_figures figures;
	struct screen screen;
};

static void look(struct top *t)
{
	top_sample_take(&t->now);
	top_figures(&t->now, &t->before, &t->figures);
	top_past_keep(&t->now, &t->before);
}

static void head_of(const struct top *t, char *out, size_t size)
{
	time_t now = time(NULL);
	char clock[16];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(out, size, "%severy %us  %s ", t->paused ? "STOPPED  " : "", t->interval_s, clock);
}

/* --- on a terminal ---------------------------------------------------------------------- */

static int draw(struct top *t)
{
	unsigned columns, rows;
	char head[64];

	head_of(t, head, sizeof(head));
	term_size(&columns, &rows);
	screen_clear(&t->screen, columns, rows);
	top_view(&t->screen, &t->now, &t->figures, head, foot);
	screen_draw(&t->screen, stdout, term_colour());
	return fflush(stdout);
}

static void pressed(struct top *t, char key)
{
	if (key == ' ')
		t->paused = !t->paused;
	else if (key == '+' && t->interval_s < INTERVAL_MAX_S)
		t->interval_s++;
	else if (key == '-' && t->interval_s > 1)
		t->interval_s--;
}

static __u64 due_after(const struct top *t)
{
	return kern_now_ns() + t->interval_s * 1000000000ull;
}

/* Looks when it is time, or when a key asks for it; draws anew whenever the terminal has changed. */
static int live(struct top *t)
{
	__u64 due = 0;
	char key = 0;

	for (;;) {
		__u64 now = kern_now_ns();
		bool look_now = !due || (now >= due && !t->paused);

		if (look_now) {
			if (t->counted && !t->left--)
				return CLI_OK;
			look(t);
			due = due_after(t);
		}
		if (draw(t))
			return CLI_FAILED;
		now = kern_now_ns();
		switch (term_wait(t->paused ? -1 : due > now ? (int)((due - now) / 1000000 + 1) : 0, &key)) {
		case TERM_ENDED:
			return CLI_OK;
		case TERM_KEY:
			if (key == 'q' || key == 'Q' || key == 3)
				return CLI_OK;
			pressed(t, key);
			if (!strchr(" +-", key))
				due = 0;
			else if (key != ' ')
				due = due_after(t);
			break;
		case TERM_TIME:
		case TERM_RESIZED:
			break;
		}
	}
}

static int run_live(struct top *t)
{
	int rc = term_open();

	if (rc)
		return out_error("the terminal cannot be taken over: %s", strerror(-rc));
	rc = live(t);
	term_close();
	return rc;
}

/* --- without one -------------------------------------------------------------------------- */

static int print_json(const struct top *t)
{
	char clock[32];
	time_t now = time(NULL);
	struct tm tm;
	json_t *all;

	gmtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%Y-%m-%dT%H:%M:%SZ", &tm);
	all = json_pack("{s:i s:s}", "schema", OUT_SCHEMA, "time", clock);
	json_object_update_new(all, top_json(&t->now, &t->figures));
	json_dumpf(all, stdout, out_pretty() ? JSON_INDENT(2) : JSON_COMPACT);
	json_decref(all);
	putchar('\n');
	return fflush(stdout);
}

static int print(struct top *t)
{
	char head[64];

	if (cli.json)
		return print_json(t);
	head_of(t, head, sizeof(head));
	screen_clear(&t->screen, PRINTED_COLUMNS, PRINTED_ROWS);
	top_view(&t->screen, &t->now, &t->figures, head, NULL);
	screen_print(&t->screen, stdout);
	if (t->left)
		putchar('\n');
	return fflush(stdout);
}

/* The first page needs two moments: a page without rates is no use to a script. */
static int run_printed(struct top *t)
{
	t->left = t->counted ? t->left : 1;
	look(t);
	while (t->left--) {
		sleep(t->interval_s);
		look(t);
		if (print(t))
			return CLI_FAILED;
	}
	if (cli.json)
		out_done(); /* every line was a document of its own */
	return *t->now.no_gate && *t->now.no_daemon ? CLI_FAILED : CLI_OK;
}

static int words(struct args *a, struct top *t)
{
	unsigned long long n;
	int rc = CLI_OK;

	while (!rc && a->n) {
		if (arg_is(a, "interval")) {
			rc = arg_number(a, "interval", INTERVAL_MAX_S, &n);
			t->interval_s = rc ? t->interval_s : (unsigned)n;
		} else if (arg_is(a, "count")) {
			rc = arg_number(a, "count", ~0ull >> 1, &t->left);
			t->counted = true;
		} else {
			rc = arg_end(a);
		}
	}
	return rc;
}

static int do_top(struct args *a)
{
	static struct top t; /* large */
	int rc;

	t = (struct top){ .interval_s = INTERVAL_S };
	rc = words(a, &t);
	if (rc)
		return rc;
	call_patience(PATIENCE_S);
	rc = !cli.json && term_usable() ? run_live(&t) : run_printed(&t);
	top_sample_free(&t.now);
	return rc;
}

static const struct cmd cmds[] = {
	{ "top", "[interval SECONDS] [count N]",
	  "Shows drops, lists, sessions, backends and offenders on the whole screen, every 2 seconds, until q; without a terminal prints one page, or count.", do_top },
	{ 0 },
};

const struct object object_top = { "top", "live view of everything", cmds, .direct = true };
