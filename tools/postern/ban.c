/* SPDX-License-Identifier: BSD-2-Clause */
/* ban.c: bans: who is refused at the network card, why and until when. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/postern/ban_file.h"
#include "tools/postern/ban_order.h"
#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/fields.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/safety.h"
#include "tools/postern/unmanned.h"
#include "user/core/names.h"

/* Bans gathered to be sorted: the map's own order is no order. */
struct gathered {
	const struct pst_prefix *only; /* NULL = all */
	__u64 now_ns;
	struct fields_ban *ban;
	size_t n, room;
};

static int gather(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct gathered *g = ctx;

	if (b->until_ns <= g->now_ns)
		return 0;
	if (g->only && !prefix_within(g->only, p) && !prefix_within(p, g->only))
		return 0;
	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 256;
		struct fields_ban *more = realloc(g->ban, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		g->ban = more;
		g->room = room;
	}
	g->ban[g->n++] = (struct fields_ban){ *p, *b };
	return 0;
}

static void print_bans(const struct kern_maps *m, const struct gathered *g)
{
	out_table("bans");
	for (size_t i = 0; i < g->n; i++) {
		out_row();
		fields_ban(m, &g->ban[i]);
	}
	out_table_end();
	out_num("count", NULL, g->n);
	out_num("room", NULL, ban_capacity(m));
	out_line("%zu ban%s", g->n, g->n == 1 ? "" : "s");
	if (!g->only)
		fields_ban_room(g->n, ban_capacity(m));
}

typedef void print_fn(const struct kern_maps *m, const struct gathered *g);

/* Those of only, NULL = all, sorted. */
static int each_sorted(const struct pst_prefix *only, print_fn *print)
{
	struct gathered g = { .only = only, .now_ns = kern_now_ns() };
	struct kern_maps m;
	int rc = place_open(&m, true);

	if (rc)
		return rc;
	rc = ban_each(&m, gather, &g);
	if (rc) {
		out_error("the bans cannot be read: %s", strerror(-rc));
	} else {
		if (g.n)
			qsort(g.ban, g.n, sizeof(*g.ban), prefix_cmp); /* the prefix comes first in the struct */
		print(&m, &g);
	}
	free(g.ban);
	kern_close(&m);
	return rc ? CLI_FAILED : CLI_OK;
}

/* [PREFIX] */
static int print_some(struct args *a, print_fn *print)
{
	struct pst_prefix p;
	bool one = a->n > 0;
	int rc = one ? arg_prefix(a, &p) : CLI_OK;

	if (!rc)
		rc = arg_end(a);
	return rc ? rc : each_sorted(one ? &p : NULL, print);
}

static int do_show(struct args *a)
{
	return print_some(a, print_bans);
}

static void export_bans(const struct kern_maps *m, const struct gathered *g)
{
	out_done(); /* a line a ban, JSON or not */
	for (size_t i = 0; i < g->n; i++) {
		if (cli.json)
			ban_export_json(m, &g->ban[i], g->now_ns);
		else
			ban_export_text(m, &g->ban[i], g->now_ns);
	}
}

static int do_export(struct args *a)
{
	return print_some(a, export_bans);
}

static json_t *order_request(const struct ban_order *o, const char *prefix)
{
	json_t *seconds = o->seconds == ~0ull ? json_null() : json_integer((json_int_t)o->seconds);

	return json_pack("{ss ss so ss ss si si ss sb}", "command", "ban add", "prefix", prefix, "seconds", seconds, "action",
			 action_name(o->ban.action), "scope", scope_name(o->ban.scope), "port", (int)o->ban.port, "grace",
			 (int)o->ban.grace, "reason", o->reason, "force", o->force);
}

/* A ban that does nothing for now is still a ban, but its maker should know. */
static void warn_idle(const struct kern_maps *m, const struct pst_prefix *p, const struct pst_ban *b)
{
	struct pst_conf c;

	if (allow_has(m, &p->addr))
		out_note("allow entries cover it: the ban does nothing there, see `postern allow show`");
	if (!gate_conf_get(m, &c) && c.mode != PST_MODE_ENFORCE)
		out_note("the gate's mode is %s: nobody is refused until `postern gate mode enforce`", mode_name(c.mode));
	if (b->scope == PST_SCOPE_PORT && !gate_conf_get(m, &c) && !(c.port_bits[b->port >> 6] >> (b->port & 63) & 1))
		out_note("port %u is not guarded: the ban does nothing until it is, see `postern gate show`", b->port);
}

static int done(const char *prefix, const char *what)
{
	out_str("prefix", NULL, prefix);
	out_line("%s is %s", prefix, what);
	return CLI_OK;
}

/* Shows what is in the kernel now, whoever wrote it. */
static int confirm(const struct pst_prefix *p)
{
	struct fields_ban f = { .prefix = *p };
	char text[PREFIX_TEXT_MAX];
	struct kern_maps m;
	bool closed;
	int rc = place_look(&m, &closed);

	if (rc)
		return rc;
	if (closed)
		return done(prefix_text(p, text), "banned");
	rc = ban_get(&m, p, &f.ban, NULL);
	if (rc) {
		out_error("the ban was accepted but is not in the maps under %s", place_pins());
	} else {
		out_table("bans");
		out_row();
		fields_ban(&m, &f);
		out_table_end();
		warn_idle(&m, p, &f.ban);
	}
	kern_close(&m);
	return rc ? CLI_FAILED : CLI_OK;
}

static int object(const char *prefix, const char *why)
{
	return out_error("%s is not banned: %s; add the word force if you mean it", prefix, why);
}

static int do_add(struct args *a)
{
	struct ban_order o = ban_order_default();
	char text[PREFIX_TEXT_MAX], room[160];
	struct pst_prefix p;
	json_t *reply;
	int rc = arg_prefix(a, &p);

	if (!rc)
		rc = ban_order_words(a, &o);
	if (rc)
		return rc;
	const char *objection = o.force ? NULL : safety_objection(&p, room, sizeof(room));

	prefix_text(&p, text);
	if (objection)
		return object(text, objection);
	switch (call(order_request(&o, text), &reply)) {
	case CALL_OK:
		json_decref(reply);
		break;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		objection = o.force ? NULL : safety_unmanned(&p, room, sizeof(room));
		rc = objection ? object(text, objection) : unmanned_ban(&p, o.seconds, &o.ban, o.reason);
	}
	return rc ? rc : confirm(&p);
}

/* Is there a live ban of exactly p? Otherwise says what there is in its place. */
static int must_exist(const struct pst_prefix *p, const char *text)
{
	struct pst_prefix cover;
	struct kern_maps m;
	struct pst_ban b;
	char other[PREFIX_TEXT_MAX];
	__u64 now = kern_now_ns();
	bool closed;
	int rc = place_look(&m, &closed);

	if (rc || closed)
		return rc; /* closed: the judge will say */
	bool alive = !ban_get(&m, p, &b, NULL) && b.until_ns > now;
	bool covered = !alive && !ban_find(&m, &p->addr, now, &cover, &b, NULL);

	kern_close(&m);
	if (alive)
		return CLI_OK;
	if (covered)
		return out_error("%s itself is not banned; %s is", text, prefix_text(&cover, other));
	return out_error("%s is not banned", text);
}

static int do_del(struct args *a)
{
	struct pst_prefix p;
	char text[PREFIX_TEXT_MAX];
	json_t *reply;
	int rc = arg_prefix(a, &p);

	if (!rc)
		rc = arg_end(a);
	if (rc || (rc = must_exist(&p, prefix_text(&p, text))))
		return rc;
	switch (call(json_pack("{ss ss}", "command", "ban del", "prefix", text), &reply)) {
	case CALL_OK:
		json_decref(reply);
		break;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		rc = unmanned_unban(&p);
	}
	if (rc)
		return rc;
	return done(text, "no longer banned");
}

static const struct cmd cmds[] = {
	{ "show", "[PREFIX]", "Lists the live bans, or those that cover PREFIX or lie in it.", do_show },
	{ "add", "PREFIX [for TTL | forever] [action observe|refuse|banner|reset|drop] [scope guarded|host|port N] [grace N] [reason TEXT...] [force]",
	  "Bans exactly PREFIX (automatic bans take an IPv4 address or an IPv6 /64) from every guarded port, for 1h unless said otherwise; scope host drops every packet of it, scope port only those to one guarded port; grace refuses its first N contacts with a reason before the action applies; force overrides the objections to networks too wide, loopback, this machine's addresses, your own SSH session's, gateways, resolvers, backends, balancers and never_ban.",
	  do_add },
	{ "import", "FILE [for TTL | forever] [action observe|refuse|banner|reset|drop] [scope guarded|host|port N] [grace N] [reason TEXT...] [force]",
	  "Bans what FILE (- is standard input, gzip will do) names: a PREFIX a line, and behind it what ban add takes, where the line shall differ from the words of the command; nothing is banned when a line is wrong.",
	  ban_import },
	{ "export", "[PREFIX]", "Prints the live bans as ban import reads them; with -j a JSON object a line.", do_export },
	{ "del", "PREFIX", "Ends a ban now; PREFIX is as `ban show` shows it.", do_del },
	{ 0 },
};

const struct object object_ban = { "ban", "sources refused at the network card until a given time", cmds };
