/* SPDX-License-Identifier: BSD-2-Clause */
/* ban.c: bans: who is refused at the network card, why and until when. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/fields.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/safety.h"
#include "tools/postern/unmanned.h"
#include "user/core/names.h"

#define DEFAULT_SECONDS 3600

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
	out_line("%zu ban%s", g->n, g->n == 1 ? "" : "s");
}

static int show(const struct pst_prefix *only)
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
		print_bans(&m, &g);
	}
	free(g.ban);
	kern_close(&m);
	return rc ? CLI_FAILED : CLI_OK;
}

static int do_show(struct args *a)
{
	struct pst_prefix p;
	bool one = a->n > 0;
	int rc = one ? arg_prefix(a, &p) : CLI_OK;

	if (!rc)
		rc = arg_end(a);
	return rc ? rc : show(one ? &p : NULL);
}

/* What the words of `ban add` asked for. */
struct order {
	struct pst_prefix prefix;
	unsigned long long seconds;
	struct pst_ban ban; /* action, scope, port, grace */
	char reason[PST_NOTE_MAX];
	bool force;
};

static int order_duration(struct args *a, struct order *o)
{
	const char *word;
	int rc = arg_need(a, "TTL", &word);

	if (rc)
		return rc;
	if (!duration_parse(str_of(word), &o->seconds) || !o->seconds)
		return usage_error(a, "\"%s\" is not a duration: write 90s, 10m, 1h30m, 7d, 2w or forever", word);
	return CLI_OK;
}

static int order_action(struct args *a, struct order *o)
{
	const char *word;
	int action;
	int rc = arg_need(a, "the action (observe, refuse, banner, reset or drop)", &word);

	if (rc)
		return rc;
	action = action_by_name(str_of(word));
	if (action < 0)
		return usage_error(a, "\"%s\" is not an action: observe, refuse, banner, reset or drop", word);
	o->ban.action = (__u8)action;
	return CLI_OK;
}

static int order_scope(struct args *a, struct order *o)
{
	unsigned long long port = 0;
	const char *word;
	int scope, rc = arg_need(a, "the scope (guarded, host or port N)", &word);

	if (rc)
		return rc;
	scope = scope_by_name(str_of(word));
	if (scope < 0)
		return usage_error(a, "\"%s\" is not a scope: guarded, host or port N", word);
	if (scope == PST_SCOPE_PORT)
		rc = arg_number(a, "the port", 65535, &port);
	o->ban.scope = (__u8)scope;
	o->ban.port = (__u16)port;
	return rc;
}

static int order_grace(struct args *a, struct order *o)
{
	unsigned long long n;
	int rc = arg_number(a, "the number of contacts", PST_GRACE_MAX, &n);

	o->ban.grace = rc ? 0 : (__u8)n;
	return rc;
}

/* The rest of the words, but a last "force" is the keyword. */
static int order_reason(struct args *a, struct order *o)
{
	size_t n = 0;

	if (a->n > 1 && !strcmp(a->v[a->n - 1], "force")) {
		o->force = true;
		a->n--;
	}
	if (!a->n)
		return usage_error(a, "TEXT is missing");
	while (a->n) {
		struct str word = str_of(arg_next(a));

		if (n + word.n + 2 > sizeof(o->reason))
			return usage_error(a, "the reason is too long: at most %zu bytes", sizeof(o->reason) - 1);
		if (n)
			o->reason[n++] = ' ';
		memcpy(o->reason + n, word.p, word.n);
		n += word.n;
	}
	for (const char *p = o->reason; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return usage_error(a, "the reason holds control characters");
	}
	json_t *utf8 = json_string(o->reason);

	json_decref(utf8);
	return utf8 ? CLI_OK : usage_error(a, "the reason is not UTF-8");
}

static int order_read(struct args *a, struct order *o)
{
	int rc = arg_prefix(a, &o->prefix);

	while (!rc && a->n) {
		if (arg_is(a, "for"))
			rc = order_duration(a, o);
		else if (arg_is(a, "forever"))
			o->seconds = ~0ull;
		else if (arg_is(a, "action"))
			rc = order_action(a, o);
		else if (arg_is(a, "scope"))
			rc = order_scope(a, o);
		else if (arg_is(a, "grace"))
			rc = order_grace(a, o);
		else if (arg_is(a, "force"))
			o->force = true;
		else if (arg_is(a, "reason"))
			rc = order_reason(a, o);
		else
			rc = arg_end(a);
	}
	return rc;
}

static json_t *order_request(const struct order *o, const char *prefix)
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

/* Shows what is in the kernel now, whoever wrote it. */
static int confirm(const struct pst_prefix *p)
{
	struct fields_ban f = { .prefix = *p };
	struct kern_maps m;
	int rc = place_open(&m, true);

	if (rc)
		return rc;
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

static int do_add(struct args *a)
{
	struct order o = { .seconds = DEFAULT_SECONDS, .ban = { .action = PST_ACT_DROP } };
	char text[PREFIX_TEXT_MAX], room[160];
	json_t *reply;
	int rc = order_read(a, &o);

	if (rc)
		return rc;
	const char *objection = o.force ? NULL : safety_objection(&o.prefix, room, sizeof(room));

	prefix_text(&o.prefix, text);
	if (objection)
		return out_error("%s is not banned: %s; add the word force if you mean it", text, objection);
	switch (call(order_request(&o, text), &reply)) {
	case CALL_OK:
		json_decref(reply);
		break;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		rc = unmanned_ban(&o.prefix, o.seconds, &o.ban, o.reason);
	}
	return rc ? rc : confirm(&o.prefix);
}

/* Is there a live ban of exactly p? Otherwise says what there is in its place. */
static int must_exist(const struct pst_prefix *p, const char *text)
{
	struct pst_prefix cover;
	struct kern_maps m;
	struct pst_ban b;
	char other[PREFIX_TEXT_MAX];
	__u64 now = kern_now_ns();
	int rc = place_open(&m, true);

	if (rc)
		return rc;
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
	out_str("prefix", NULL, text);
	out_line("%s is no longer banned", text);
	return CLI_OK;
}

static const struct cmd cmds[] = {
	{ "show", "[PREFIX]", "Lists the live bans, or those that cover PREFIX or lie in it.", do_show },
	{ "add", "PREFIX [for TTL|forever] [action observe|refuse|banner|reset|drop] [scope guarded|host|port N] [grace N] [reason TEXT...] [force]",
	  "Bans exactly PREFIX (automatic bans take an IPv4 address or an IPv6 /64) from every guarded port, for 1h unless said otherwise; scope host drops every packet of it, scope port only those to one guarded port; grace refuses its first N contacts with a reason before the action applies; force overrides the objections to wide, local, own and your own SSH session's addresses.",
	  do_add },
	{ "del", "PREFIX", "Ends a ban now; PREFIX is as `ban show` shows it.", do_del },
	{ 0 },
};

const struct object object_ban = { "ban", "sources refused at the network card until a given time", cmds };
