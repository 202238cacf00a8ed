/* SPDX-License-Identifier: BSD-2-Clause */
/* allow.c: sources that are never judged and never dropped. */
#include <errno.h>
#include <stdlib.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/safety.h"
#include "tools/postern/unmanned.h"
#include "user/ban.h"

struct gathered {
	struct pst_prefix prefix[PST_ALLOW_MAX];
	size_t n;
};

static int gather(void *ctx, const struct pst_prefix *p)
{
	struct gathered *g = ctx;

	if (g->n < PST_ALLOW_MAX)
		g->prefix[g->n++] = *p;
	return 0;
}

static void print(const struct gathered *g)
{
	char text[PREFIX_TEXT_MAX];

	out_table("allow");
	for (size_t i = 0; i < g->n; i++) {
		out_row();
		out_str("prefix", "prefix", prefix_text(&g->prefix[i], text));
	}
	out_table_end();
	out_num("count", NULL, g->n);
	out_line("%zu allow entr%s", g->n, g->n == 1 ? "y" : "ies");
}

static int do_show(struct args *a)
{
	struct gathered *g;
	struct kern_maps m;
	int rc = arg_end(a);

	if (rc || (rc = place_open(&m, true)))
		return rc;
	g = calloc(1, sizeof(*g));
	rc = g ? allow_each(&m, gather, g) : -ENOMEM;
	kern_close(&m);
	if (rc) {
		out_error("the allow entries cannot be read: %s", strerror(-rc));
	} else {
		qsort(g->prefix, g->n, sizeof(g->prefix[0]), prefix_cmp);
		print(g);
	}
	free(g);
	return rc ? CLI_FAILED : CLI_OK;
}

static int finder(void *ctx, const struct pst_prefix *p)
{
	return !memcmp(ctx, p, sizeof(*p));
}

static int must_exist(const struct pst_prefix *p, const char *text)
{
	struct pst_prefix wanted = *p;
	struct kern_maps m;
	bool closed;
	int rc = place_look(&m, &closed);

	if (rc || closed)
		return rc; /* closed: the judge will say */
	rc = allow_each(&m, finder, &wanted);
	kern_close(&m);
	if (rc < 0)
		return out_error("the allow entries cannot be read: %s", strerror(-rc));
	return rc ? CLI_OK : out_error("%s is not an allow entry; `postern allow show` lists them", text);
}

static int change(struct args *a, bool add)
{
	struct pst_prefix p;
	char text[PREFIX_TEXT_MAX];
	json_t *reply;
	int rc = arg_prefix(a, &p);
	bool force = !rc && add && arg_is(a, "force");

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	prefix_text(&p, text);
	if (add && !force && safety_too_wide(&p))
		return out_error("%s is not allow-listed: %s, and nobody in it would be refused any more; add the word force if you mean it", text, safety_too_wide(&p));
	if (!add && (rc = must_exist(&p, text)))
		return rc;
	switch (call(json_pack("{ss ss}", "command", add ? "allow add" : "allow del", "prefix", text), &reply)) {
	case CALL_OK:
		json_decref(reply);
		break;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		rc = unmanned_allow(&p, add);
	}
	if (rc)
		return rc;
	out_str("prefix", NULL, text);
	out_line("%s is %s allow-listed", text, add ? "now" : "no longer");
	return CLI_OK;
}

static int do_add(struct args *a)
{
	return change(a, true);
}

static int do_del(struct args *a)
{
	return change(a, false);
}

static const struct cmd cmds[] = {
	{ "show", NULL, "Lists the sources that are never judged and never dropped.", do_show },
	{ "add", "PREFIX [force]", "Allows PREFIX until it is taken back, also over restarts of posternd.", do_add },
	{ "del", "PREFIX", "Takes an entry back; one that the configuration names returns with the next reload.", do_del },
	{ 0 },
};

const struct object object_allow = { "allow", "sources that are never judged and never dropped", cmds };
