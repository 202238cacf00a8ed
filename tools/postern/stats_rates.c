/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/stats_rates.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "user/core/names.h"
#include "user/stats.h"

struct moment {
	__u64 at_ns;
	struct pst_stats stats;
};

/* The maps are opened anew each time: the gate may have been loaded anew. */
static int look(struct moment *m)
{
	struct kern_maps maps;
	int rc = place_open(&maps, true);

	if (rc)
		return rc;
	m->at_ns = kern_now_ns();
	rc = stats_read(&maps, &m->stats);
	kern_close(&maps);
	return rc ? out_error("the counters cannot be read: %s", strerror(-rc)) : CLI_OK;
}

/* What two moments say of a counter: how it grew, and that a second. */
struct growth {
	const char *family, *labels;
	__u64 value, more;
	bool gauge; /* its value is all there is to say */
	double per_second;
};

static struct growth growth_of(unsigned i, const struct moment *from, const struct moment *to)
{
	bool counter = i < PST_CNT_MAX;
	unsigned c = counter ? counter_nth(i) : i - PST_CNT_MAX;
	struct growth g = { .family = counter ? counter_rows[c].family : "findings_total", .labels = counter ? counter_rows[c].labels : reason_name(c) };
	__u64 before = counter ? from->stats.counter[c] : from->stats.found[c];
	size_t n = strlen(g.family);

	g.value = counter ? to->stats.counter[c] : to->stats.found[c];
	g.gauge = n < 6 || strcmp(g.family + n - 6, "_total");
	g.more = g.value >= before ? g.value - before : g.value; /* of a gate that was loaded anew */
	g.per_second = (double)g.more * 1e9 / (double)(to->at_ns - from->at_ns);
	return g;
}

/* "dropped banned" of verdict="dropped",reason="banned". */
static void words_of(const char *labels, char *out, size_t size)
{
	bool inside = false, quoted = strchr(labels, '"') != NULL;
	size_t n = 0;

	for (; *labels && n + 1 < size; labels++) {
		if (*labels == '"') {
			inside = !inside;
			if (inside && n)
				out[n++] = ' ';
		} else if (inside || !quoted) {
			out[n++] = *labels;
		}
	}
	out[n] = 0;
}

static void say_row(const struct growth *g)
{
	char words[96];

	words_of(g->labels, words, sizeof(words));
	out_row();
	out_str("family", "family", g->family);
	out_str("row", "row", words);
	out_real("per_second", "per second", g->per_second);
	out_num("more", "more", g->more);
	out_num("value", "total", g->value);
}

static void say(const struct moment *from, const struct moment *to)
{
	double seconds = (double)(to->at_ns - from->at_ns) / 1e9;
	size_t shown = 0;

	out_wall("time", NULL, (unsigned long long)time(NULL));
	out_real("seconds", NULL, seconds);
	out_table("counters");
	for (unsigned i = 0; i < PST_CNT_MAX + PST_RSN_MAX; i++) {
		struct growth g = growth_of(i, from, to);

		if (g.gauge || (!g.more && !cli.json))
			continue;
		say_row(&g);
		shown++;
	}
	out_table_end();
	out_line("%zu counter%s grew in %.1f s", shown, shown == 1 ? "" : "s", seconds);
}

/* Ended by a person: nothing has failed. Every line has left already. */
static void interrupted(int number)
{
	(void)number;
	_exit(CLI_OK);
}

int stats_rates(unsigned interval_s, unsigned long long count)
{
	static struct moment m[2]; /* large */
	unsigned now = 0;
	int rc = look(&m[0]);

	signal(SIGINT, interrupted);
	signal(SIGPIPE, interrupted);
	for (unsigned long long i = 0; !rc && (!count || i < count); i++) {
		sleep(interval_s);
		now = !now;
		rc = look(&m[now]);
		if (rc)
			break;
		say(&m[!now], &m[now]);
		if (i + 1 == count)
			break;
		rc = out_finish(CLI_OK);
		out_init(cli.json, out_pretty());
	}
	return rc;
}
