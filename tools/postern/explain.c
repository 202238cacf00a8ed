/* SPDX-License-Identifier: BSD-2-Clause */
/* explain.c: the same order as the packet's way: mode, allow, ban, list; then what the judge remembers. */
#include "tools/postern/explain.h"

#include <errno.h>
#include <stdio.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/dnsl_check.h"
#include "tools/postern/fields.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "user/core/promote.h"
#include "user/core/names.h"
#include "user/refuse.h"

/* What the kernel holds about the address. */
struct facts {
	char addr[ADDR_TEXT_MAX];
	unsigned mode;
	struct pst_prefix allow; /* the longest that covers */
	bool let_go; /* nobody has vouched for the policy for too long */
	bool allowed, banned, listed;
	__u64 held_ns; /* its SYNs are dropped until then; 0 = they are not */
	bool spared; /* its prefix is banned, and it is not meant */
	struct pst_prefix promoted;
	struct fields_ban ban;
	struct pst_class class;
	struct fields_list list; /* whose action it is */
	unsigned nlists;
	__u64 grace_window_ns;
	bool answers; /* the kernel took the dialogue */
	char lists[FIELDS_NAMES_MAX];
};

/* Is its /24 or /48 banned for what others did, and its mail speaks for it? */
static void look_for_promoted(const struct kern_maps *m, const struct pst_addr *a, struct facts *f)
{
	__u64 now_ns = kern_now_ns();
	struct pst_ban b;

	f->promoted = promote_prefix(a);
	f->spared = !ban_get(m, &f->promoted, &b, NULL) && now_ns < b.until_ns && b.reason == PST_RSN_PREFIX &&
		    b.origin == PST_ORIGIN_AUTOMATIC && good_has(m, a, now_ns);
}

/* What an entry of the allow table is compared with. */
struct search {
	const struct pst_addr *addr;
	struct facts *facts;
};

static int allow_cover(void *ctx, const struct pst_prefix *p)
{
	const struct search *s = ctx;

	if (prefix_covers(p, s->addr) && p->len >= s->facts->allow.len) {
		s->facts->allow = *p;
		s->facts->allowed = true;
	}
	return 0;
}

static void name_lists(const struct kern_maps *m, struct facts *f)
{
	json_t *names = fields_class(m, &f->class);

	f->nlists = (unsigned)json_array_size(names);
	fields_names(names, f->lists, sizeof(f->lists));
	json_decref(names);
	if (fields_list_get(m, f->class.list, &f->list))
		snprintf(f->list.info.name, sizeof(f->list.info.name), "number %u", f->class.list);
}

static int gather(const struct kern_maps *m, const struct pst_addr *a, struct facts *f)
{
	struct pst_conf conf;
	int rc = gate_conf_get(m, &conf);

	if (rc)
		return rc;
	f->mode = conf.mode;
	f->grace_window_ns = conf.grace_window_ns;
	f->let_go = conf.dead_man_ns && conf.dead_man_ns <= kern_now_ns();
	f->answers = refuse_started(m);
	rc = allow_each(m, allow_cover, &(struct search){ a, f });
	if (rc)
		return rc;
	rc = ban_find(m, a, kern_now_ns(), &f->ban.prefix, &f->ban.ban, NULL);
	if (rc && rc != -ENOENT)
		return rc;
	f->banned = !rc;
	look_for_promoted(m, a, f);
	f->held_ns = source_held_ns(m, a, kern_now_ns());
	rc = list_find(m, a, &f->class);
	if (rc && rc != -ENOENT)
		return rc;
	f->listed = !rc;
	if (f->listed)
		name_lists(m, f);
	return 0;
}

/* The one thing that decides, in the kernel's order. */
enum ruling { BY_OFF, BY_ALLOW, BY_DEAD_MAN, BY_BAN, BY_LIST, BY_NOTHING };

static enum ruling ruling_of(const struct facts *f)
{
	if (f->mode == PST_MODE_OFF)
		return BY_OFF;
	if (f->allowed)
		return BY_ALLOW;
	if (f->let_go)
		return BY_DEAD_MAN;
	if (f->banned)
		return BY_BAN;
	return f->listed ? BY_LIST : BY_NOTHING;
}

enum fate { PASSED, OBSERVED, REFUSED, BANNER, RESET, DROPPED };

static const struct {
	const char *name, *text;
} fates[] = {
	[PASSED] = { "passed", "packets pass" },
	[OBSERVED] = { "observed", "packets are counted and pass" },
	[REFUSED] = { "refused", "packets are answered with an SMTP dialogue that refuses every recipient" },
	[BANNER] = { "banner", "packets are answered with a greeting that refuses" },
	[RESET] = { "reset", "packets are answered with a reset" },
	[DROPPED] = { "dropped", "packets are dropped" },
};

static enum fate fate_of(const struct facts *f, enum ruling r)
{
	unsigned action = r == BY_BAN ? f->ban.ban.action : f->class.action;

	if (r != BY_BAN && r != BY_LIST)
		return PASSED;
	if (f->mode == PST_MODE_OBSERVE || action == PST_ACT_OBSERVE)
		return OBSERVED;
	return action == PST_ACT_REFUSE ? REFUSED : action == PST_ACT_BANNER ? BANNER : action == PST_ACT_RESET ? RESET : DROPPED;
}

/* How it may be told why. Contacts of a window that has passed count no more. */
static void say_contacts(const struct facts *f)
{
	const struct pst_ban *b = &f->ban.ban;
	bool fresh = b->window_ns && kern_now_ns() - b->window_ns < f->grace_window_ns;
	char window[32];

	if (PST_BAN_RETRIES(b->score))
		out_line("It has come again as a mail queue does, after pauses: %u times in a row.", PST_BAN_RETRIES(b->score));
	if (b->grace)
		out_line("The first %u contact%s in %s are %s before that; %u came so far.", b->grace, b->grace == 1 ? "" : "s",
			 duration_text(f->grace_window_ns / 1000000000, window),
			 f->answers ? "refused with a reason" : "reset (this kernel does not take the program that would tell them why)",
			 fresh ? b->contacts : 0);
}

static void say_ruling(const struct facts *f, enum ruling r)
{
	char prefix[PREFIX_TEXT_MAX], left[32], text[FIELDS_NAMES_MAX + 64];
	const struct pst_ban *b = &f->ban.ban;

	switch (r) {
	case BY_OFF:
		snprintf(text, sizeof(text), "the gate's mode is off");
		break;
	case BY_ALLOW:
		snprintf(text, sizeof(text), "%s is allow-listed", prefix_text(&f->allow, prefix));
		break;
	case BY_DEAD_MAN:
		snprintf(text, sizeof(text), "no daemon has vouched for the policy for longer than dead_man");
		break;
	case BY_BAN:
		prefix_text(&f->ban.prefix, prefix);
		if (b->until_ns == ~0ull)
			snprintf(text, sizeof(text), "%s is banned (%s) without an end", prefix, reason_name(b->reason));
		else
			snprintf(text, sizeof(text), "%s is banned (%s), %s left", prefix, reason_name(b->reason), out_left(b->until_ns, left));
		break;
	case BY_LIST:
		snprintf(text, sizeof(text), "it is on list%s %s", f->nlists > 1 ? "s" : "", f->lists);
		break;
	case BY_NOTHING:
		if (f->spared)
			snprintf(text, sizeof(text), "%s is banned for what others in it did, but mail of this source was accepted",
				 prefix_text(&f->promoted, prefix));
		else
			snprintf(text, sizeof(text), "nothing is held against it in the kernel");
	}
	out_str("fate", NULL, fates[fate_of(f, r)].name);
	out_str("because", NULL, text);
	if (f->held_ns)
		out_num("held_seconds", NULL, (f->held_ns - kern_now_ns()) / 1000000000);
	else
		out_null("held_seconds");
	out_line("%s: %s: %s.", f->addr, fates[fate_of(f, r)].text, text);
	if (f->held_ns)
		out_line("New connections of it are dropped for %s: it went on connecting while it was told that it is too much.", out_left(f->held_ns, left));
	if (r == BY_BAN && fate_of(f, r) != OBSERVED)
		say_contacts(f);
}

static void say_lift(const struct facts *f, enum ruling r)
{
	char text[512], prefix[PREFIX_TEXT_MAX];

	switch (r) {
	case BY_OFF:
		snprintf(text, sizeof(text), "Everything passes until `postern gate mode enforce`.");
		break;
	case BY_ALLOW:
		snprintf(text, sizeof(text), "Allow wins over bans and lists; `postern allow del %s` takes it back.", prefix_text(&f->allow, prefix));
		break;
	case BY_DEAD_MAN:
		snprintf(text, sizeof(text), "Everything passes until posternd runs, or until `postern gate mode enforce`.");
		break;
	case BY_BAN:
		snprintf(text, sizeof(text), "`postern ban del %s` ends the ban now%s; `postern allow add %s` lets the address through whatever comes.%s",
			 prefix_text(&f->ban.prefix, prefix), f->ban.ban.until_ns == ~0ull ? "" : ", time ends it otherwise", f->addr,
			 f->listed ? " It is on a list, too." : "");
		break;
	case BY_LIST:
		snprintf(text, sizeof(text), "Take the entry out of %s and run `postern list reload`; `postern allow add %s` lets the address through whatever the lists say.",
			 *f->list.info.source ? f->list.info.source : "the list", f->addr);
		break;
	case BY_NOTHING:
		snprintf(text, sizeof(text), "There is nothing to lift.");
	}
	out_str("lift", NULL, text);
	out_line("\n%s", text);
}

static void kernel_half(const struct kern_maps *m, const struct facts *f)
{
	char prefix[PREFIX_TEXT_MAX];

	out_str("gate_mode", "gate mode", mode_name(f->mode));
	out_str("allow", NULL, f->allowed ? prefix_text(&f->allow, prefix) : NULL);
	out_str(NULL, "allow", f->allowed ? prefix : "none");
	if (f->banned) {
		out_section("ban", "ban");
		fields_ban(m, &f->ban);
		out_section_end();
	} else {
		out_null("ban");
		out_str(NULL, "ban", "none");
	}
	if (f->listed) {
		out_section("list", "list");
		fields_list(&f->list);
		out_section_end();
	} else {
		out_null("list");
		out_str(NULL, "list", "none");
	}
}

/* What holds it up besides bans and lists, each with its end. */
static void say_waits(json_t *client)
{
	json_t *e, *waits = json_array();
	size_t i;
	char span[32];

	json_array_foreach(json_object_get(client, "limits"), i, e) {
		if (json_is_true(json_object_get(e, "over")))
			json_array_append_new(waits, json_sprintf("%s is over its ceiling of %s for %s at least: deferred until then, or until section rates allows more.",
								  json_string_value(json_object_get(e, "of")), json_string_value(json_object_get(e, "what")),
								  duration_text((unsigned long long)json_integer_value(json_object_get(e, "seconds_left")), span)));
	}
	json_array_foreach(json_object_get(client, "greylist"), i, e) {
		if (!strcmp(json_string_value(json_object_get(e, "state")), "waiting"))
			json_array_append_new(waits, json_sprintf("A sender and recipient of %s wait in the greylist: a try passes in %s, `postern allow add` ends the wait.",
								  json_string_value(json_object_get(e, "source")),
								  duration_text((unsigned long long)json_integer_value(json_object_get(e, "seconds")), span)));
	}
	out_value("waits", NULL, waits);
	json_array_foreach(waits, i, e)
		out_line("%s%s", i ? "" : "\n", json_string_value(e));
	json_decref(waits);
}

static int judge_half(const struct facts *f)
{
	static const char *const said[] = { "schema", "ban", "allow", "list" }; /* by the kernel's half already */
	json_t *reply = NULL;

	switch (call(json_pack("{ss ss}", "command", "client show", "address", f->addr), &reply)) {
	case CALL_OK:
		for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
			json_object_del(reply, said[i]);
		out_value("client", "client", reply);
		say_waits(reply);
		json_decref(reply);
		return CLI_OK;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		out_null("client");
		out_null("waits");
		out_note("posternd is not running: score and findings are not known");
	}
	return CLI_OK;
}

/* What they say now, if there are any. */
static void dns_half(const struct pst_addr *a)
{
	const struct conf *conf = place_conf();
	bool listed = conf && conf->dnsl.rules.nrules;
	const char *why = "";
	struct dnsl_check *c = listed ? dnsl_check(conf, a, &why) : NULL;

	if (!c) {
		out_null("dns_lists");
		if (listed)
			out_note("DNS lists cannot be asked: %s", why);
		return;
	}
	out_section("dns_lists", "DNS lists");
	out_str("verdict", "verdict", dnsl_does_name(dnsl_check_verdict(c)->does));
	out_bool("sure", "all answered", dnsl_check_verdict(c)->sure);
	out_str("told", "they say", dnsl_check_told(c));
	dnsl_check_table(c, "zones");
	out_section_end();
	dnsl_check_free(c);
}

int explain(const struct pst_addr *a)
{
	struct facts f = { 0 };
	struct kern_maps m;
	char source[PREFIX_TEXT_MAX];
	struct pst_prefix judged = prefix_source(a);
	int rc = place_open(&m, true);

	if (rc)
		return rc;
	addr_text(a, f.addr);
	rc = gather(&m, a, &f);
	if (rc) {
		kern_close(&m);
		return out_error("the maps under %s cannot be read: %s", place_pins(), strerror(-rc));
	}
	out_str("address", NULL, f.addr);
	out_str("source", NULL, prefix_text(&judged, source));
	say_ruling(&f, ruling_of(&f));
	out_line("%s", "");
	if (judged.len < 128)
		out_str(NULL, "judged as", source);
	kernel_half(&m, &f);
	kern_close(&m);
	rc = judge_half(&f);
	dns_half(a);
	say_lift(&f, ruling_of(&f));
	return rc;
}
