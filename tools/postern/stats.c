/* SPDX-License-Identifier: BSD-2-Clause */
/* stats.c: the counters, in the three outputs of user/stats.h. */
#include <errno.h>
#include <stdio.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/stats_rates.h"
#include "user/stats.h"
#include "user/stats_named.h"

#define INTERVAL_MAX_S 86400

struct figures {
	struct pst_stats stats;
	struct pst_named named[PST_NAMED_MAX];
};

static int read_all(struct args *a, struct figures *s)
{
	struct kern_maps m;
	int rc = arg_end(a);

	if (rc || (rc = place_open(&m, true)))
		return rc;
	rc = stats_read(&m, &s->stats);
	if (!rc)
		rc = stats_named_read(&m, s->named);
	kern_close(&m);
	return rc ? out_error("the counters cannot be read: %s", strerror(-rc)) : CLI_OK;
}

static int print_json(struct args *a)
{
	struct figures s;
	int rc = read_all(a, &s);

	if (rc)
		return rc;
	stats_print_json(stdout, &s.stats, s.named, out_pretty());
	out_done();
	return CLI_OK;
}

static int do_interval(struct args *a)
{
	unsigned long long interval, count = 0;
	int rc = arg_number(a, "SECONDS", INTERVAL_MAX_S, &interval);

	if (!rc && arg_is(a, "count"))
		rc = arg_number(a, "count", ~0ull >> 1, &count);
	if (!rc)
		rc = arg_end(a);
	return rc ? rc : stats_rates((unsigned)interval, count);
}

static int do_show(struct args *a)
{
	struct figures s;

	if (cli.json)
		return print_json(a);
	int rc = read_all(a, &s);

	if (!rc)
		stats_print_text(stdout, &s.stats, s.named);
	return rc;
}

static int do_prom(struct args *a)
{
	struct figures s;
	int rc = read_all(a, &s);

	if (rc)
		return rc;
	stats_print_prom(stdout, &s.stats, s.named);
	out_done();
	return CLI_OK;
}

static const struct cmd cmds[] = {
	{ "show", NULL, "Prints all counters of the kernel half and of the processes.", do_show },
	{ "interval", "SECONDS [count N]", "Prints what has grown, and how fast, every so many seconds, until interrupted or count times; nothing is reset.", do_interval },
	{ "json", NULL, "The same as JSON.", print_json },
	{ "prom", NULL, "The same as OpenMetrics text, for Prometheus or its textfile collector.", do_prom },
	{ 0 },
};

const struct object object_stats = { "stats", "the counters, also with the daemon down", cmds };
