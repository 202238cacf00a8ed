/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_commands.c: what an operator may ask of the judge: one row a command. */
#include "user/ctl_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/core/names.h"
#include "user/core/when.h"
#include "user/ctl.h"
#include "user/gatelist.h"
#include "user/log.h"

#define S_NS	       1000000000ull
#define LIST_DEFAULT   50
#define LIST_MAX       10000

typedef json_t *command_fn(struct judge *j, json_t *request);

/* --- arguments ---------------------------------------------------------------------- */

json_t *ctl_need_prefix(json_t *request, struct pst_prefix *p)
{
	const char *text = json_string_value(json_object_get(request, "prefix"));
	char network[PREFIX_TEXT_MAX];
	enum prefix_flaw flaw = text ? prefix_parse(str_of(text), p) : PREFIX_BAD_ADDRESS;

	if (flaw == PREFIX_OK)
		return NULL;
	if (flaw == PREFIX_HOST_BITS)
		return ctl_error(true, "prefix \"%s\" has host bits; %s is the network", text, prefix_text(p, network));
	return ctl_error(true, "prefix \"%s\": %s; an address or network like 192.0.2.7 or 2001:db8::/32", text ? text : "",
			 prefix_flaw_text(flaw));
}

static json_t *need_address(json_t *request, struct pst_addr *a)
{
	const char *text = json_string_value(json_object_get(request, "address"));

	if (text && addr_parse(str_of(text), a))
		return NULL;
	return ctl_error(true, "address \"%s\" is none; write one like 192.0.2.7 or 2001:db8::1", text ? text : "");
}

/* A word of a table; def when it is missing. */
static json_t *need_word(json_t *request, const char *key, int (*by_name)(struct str), int def, int *out)
{
	const char *text = json_string_value(json_object_get(request, key));

	*out = text ? by_name(str_of(text)) : def;
	return *out < 0 ? ctl_error(true, "%s \"%s\" is not known", key, text ? text : "") : NULL;
}

static json_t *failed(const char *what, int rc)
{
	return ctl_error(false, "%s: %s", what, strerror(-rc));
}

/* --- pieces --------------------------------------------------------------------------- */

static json_t *seconds_left(__u64 until_ns, __u64 now_ns)
{
	if (until_ns == ~0ull)
		return json_null();
	return json_integer(until_ns > now_ns ? (until_ns - now_ns + S_NS / 2) / S_NS : 0);
}

static json_t *seconds_ago(__u64 then_ns, __u64 now_ns)
{
	return json_integer(when_since(then_ns, now_ns) / S_NS);
}

json_t *ctl_ban_json(const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 now_ns)
{
	char prefix[PREFIX_TEXT_MAX], safe[4 * PST_NOTE_MAX + 1];

	str_escape(str_of(note ? note : ""), safe, sizeof(safe));
	return json_pack("{s:s s:s s:s s:s s:s s:o s:i s:i s:s*}", "prefix", prefix_text(p, prefix), "reason", reason_name(b->reason), "action",
			 action_name(b->action), "scope", scope_name(b->scope), "origin", origin_name(b->origin), "seconds_left", seconds_left(b->until_ns, now_ns), "score",
			 (int)PST_BAN_SCORE(b->score), "relapse", (int)b->relapse, "note", *safe ? safe : NULL);
}

static json_t *live_ban(struct judge *j, const struct pst_addr *a, __u64 now_ns)
{
	struct pst_note note = { 0 };
	struct pst_prefix p;
	struct pst_ban b;
	json_t *ban;

	if (ban_find(j->setup->maps, a, now_ns, &p, &b, &note))
		return json_null();
	note.text[PST_NOTE_MAX - 1] = 0;
	ban = ctl_ban_json(&p, &b, *note.text ? note.text : NULL, now_ns);
	json_object_set_new(ban, "packets_refused", json_integer(b.hits));
	return ban;
}

static json_t *findings_json(const struct ledger_entry *e, __u64 now_ns)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < e->nfindings && i < LEDGER_FINDINGS; i++) {
		const struct finding *f = &e->finding[i];

		json_array_append_new(all, json_pack("{s:s s:o s:o s:o}", "reason", reason_name(f->reason), "seconds_ago",
						     seconds_ago(f->when_ns, now_ns), "session", ctl_session_id(f->session), "evidence",
						     ctl_evidence(f)));
	}
	return all;
}

static json_t *entry_json(struct judge *j, const struct ledger_entry *e, __u64 now_ns)
{
	char source[PREFIX_TEXT_MAX];

	return json_pack("{s:s s:i s:I s:I s:i s:i s:o s:o}", "source", prefix_text(&e->source, source), "score",
			 (int)judgement_score(&j->setup->conf->policy, &e->record, now_ns), "sessions", (json_int_t)e->sessions, "messages",
			 (json_int_t)e->messages, "offences", (int)e->record.findings, "relapses", (int)e->record.relapse, "first_seen_seconds_ago",
			 seconds_ago(e->first_ns, now_ns), "last_seen_seconds_ago", seconds_ago(e->last_ns, now_ns));
}

/* --- bans --------------------------------------------------------------------------------- */

json_t *ctl_objection(struct judge *j, const struct pst_prefix *p)
{
	char never[PREFIX_TEXT_MAX], text[PREFIX_TEXT_MAX];
	const struct never *rule = never_find(&j->never, p);

	if (prefix_is_wide(p))
		return ctl_error(false, "%s is very wide; say force if you mean it", prefix_text(p, text));
	if (!rule)
		return NULL;
	j->setup->stats->counter[PST_CNT_BAN_REFUSED]++;
	return ctl_error(false, "%s must not be banned: %s is %s; say force if you mean it", prefix_text(p, text), prefix_text(&rule->prefix, never),
			 rule->why);
}

/* "seconds": a number, or null for a ban without an end. */
static json_t *need_until(json_t *request, __u64 now_ns, __u64 *until_ns)
{
	json_t *seconds = json_object_get(request, "seconds");
	json_int_t n = json_integer_value(seconds);

	*until_ns = ~0ull;
	if (json_is_null(seconds))
		return NULL;
	if (!json_is_integer(seconds) || n <= 0 || (__u64)n > (~0ull - now_ns) / S_NS)
		return ctl_error(true, "seconds is no number of seconds; 1 or more, or null for a ban without an end");
	*until_ns = now_ns + n * S_NS;
	return NULL;
}

/* "scope" and, for a port's, "port"; "grace". All may be missing. */
static json_t *need_reach(json_t *request, struct pst_ban *b)
{
	json_int_t port = json_integer_value(json_object_get(request, "port")), grace = json_integer_value(json_object_get(request, "grace"));
	int scope;
	json_t *error = need_word(request, "scope", scope_by_name, PST_SCOPE_GUARDED, &scope);

	if (error)
		return error;
	if ((scope == PST_SCOPE_PORT) != (port != 0) || port < 0 || port > 65535)
		return ctl_error(true, "port goes with scope \"port\", and is a number from 1 to 65535");
	if (grace < 0 || grace > PST_GRACE_MAX)
		return ctl_error(true, "grace is no number of contacts from 0 to %d", PST_GRACE_MAX);
	b->scope = scope;
	b->port = port;
	b->grace = grace;
	return NULL;
}

static json_t *do_ban_add(struct judge *j, json_t *request)
{
	const char *note = json_string_value(json_object_get(request, "reason"));
	struct pst_ban b = { .made_ns = kern_now_ns(), .reason = PST_RSN_OPERATOR, .origin = PST_ORIGIN_OPERATOR };
	struct pst_prefix p;
	json_t *error;
	int action, rc;

	if ((error = ctl_need_prefix(request, &p)) || (error = need_until(request, b.made_ns, &b.until_ns)) ||
	    (error = need_word(request, "action", action_by_name, PST_ACT_DROP, &action)) || (error = need_reach(request, &b)))
		return error;
	if (note && strlen(note) >= PST_NOTE_MAX)
		return ctl_error(true, "reason is too long; %d octets at most", PST_NOTE_MAX - 1);
	if (!json_is_true(json_object_get(request, "force")) && (error = ctl_objection(j, &p)))
		return error;
	b.action = action;
	rc = judge_ban(j, &p, &b, note && *note ? note : NULL, 0);
	if (rc == -ENOSPC)
		return ctl_error(false, "too many different prefix lengths are banned; %d a family at most", PST_BAN_LENS_MAX);
	return rc ? failed("the ban could not be written", rc) : ctl_ok();
}

/* Whoever is let go by hand starts from zero: the next small offence is not a relapse at the threshold. */
static void pardon_source(struct judge *j, const struct pst_prefix *p)
{
	struct ledger_entry *e = ledger_find(j->setup->ledger, &p->addr);

	if (e && prefix_within(p, &e->source))
		e->record = (struct record){ .findings = e->record.findings };
	promote_forget(&j->setup->keep->promote, p);
}

static json_t *do_ban_del(struct judge *j, json_t *request)
{
	struct pst_prefix p;
	struct pst_ban b;
	json_t *error = ctl_need_prefix(request, &p);
	char text[PREFIX_TEXT_MAX];
	int rc;

	if (error)
		return error;
	rc = ban_get(j->setup->maps, &p, &b, NULL);
	if (!rc)
		rc = ban_del(j->setup->maps, &p);
	if (rc == -ENOENT)
		return ctl_error(false, "%s is not banned", prefix_text(&p, text));
	if (rc)
		return failed("the ban could not be deleted", rc);
	pardon_source(j, &p);
	judge_store_changed(j, &p);
	j->setup->stats->counter[PST_CNT_BAN_DELETED]++;
	ctl_event_ban(j->ctl, &p, &b, NULL, 0, "unban");
	return ctl_ok();
}

static json_t *do_allow(struct judge *j, json_t *request, int (*change)(const struct kern_maps *, const struct pst_prefix *))
{
	struct pst_prefix p;
	json_t *error = ctl_need_prefix(request, &p);
	char text[PREFIX_TEXT_MAX];
	int rc;

	if (error)
		return error;
	rc = change(j->setup->maps, &p);
	if (rc == -ENOENT)
		return ctl_error(false, "%s is not in the allow table", prefix_text(&p, text));
	return rc ? failed("the allow table could not be changed", rc) : ctl_ok();
}

static json_t *do_allow_add(struct judge *j, json_t *request)
{
	return do_allow(j, request, allow_put);
}

static json_t *do_allow_del(struct judge *j, json_t *request)
{
	return do_allow(j, request, allow_del);
}

/* --- sources --------------------------------------------------------------------------------- */

static json_t *list_of(struct judge *j, const struct pst_addr *a)
{
	struct pst_list_info info;
	struct pst_class hit;

	if (list_find(j->setup->maps, a, &hit))
		return json_null();
	return json_pack("{s:s s:s}", "name", list_info(j->setup->maps, hit.list, &info) ? "?" : info.name, "action", action_name(hit.action));
}

/* How far its /24 or /48 is from being banned as a whole. */
static json_t *prefix_json(struct judge *j, const struct pst_addr *a, __u64 now_ns)
{
	const struct promote_rules *rules = &j->setup->conf->promote;
	const struct promote_entry *e = promote_find(&j->setup->keep->promote, a);
	struct pst_prefix p = promote_prefix(a);
	char text[PREFIX_TEXT_MAX];

	return json_pack("{s:s s:i s:i s:i}", "prefix", prefix_text(&p, text), "banned_sources", e ? (int)promote_count(e, rules, now_ns) : 0,
			 "banned_sources_max", (int)rules->sources, "relapses", e ? (int)e->record.relapse : 0);
}

static json_t *do_client_show(struct judge *j, json_t *request)
{
	__u64 now = kern_now_ns();
	struct ledger_entry *e;
	struct pst_prefix source;
	const struct never *never;
	char text[PREFIX_TEXT_MAX];
	struct pst_addr a;
	json_t *reply = need_address(request, &a);

	if (reply)
		return reply;
	e = ledger_find(j->setup->ledger, &a);
	source = prefix_source(&a);
	never = never_find(&j->never, &source);
	reply = ctl_ok();
	json_object_set_new(reply, "known", json_boolean(e != NULL));
	if (e)
		json_object_update_new(reply, entry_json(j, e, now));
	else
		json_object_set_new(reply, "source", json_string(prefix_text(&source, text)));
	json_object_set_new(reply, "threshold", json_integer(j->setup->conf->policy.threshold));
	json_object_set_new(reply, "ban", live_ban(j, &a, now));
	json_object_set_new(reply, "prefix", prefix_json(j, &a, now));
	json_object_set_new(reply, "delivers", json_boolean(good_has(j->setup->maps, &a, now)));
	json_object_set_new(reply, "allow", json_boolean(allow_has(j->setup->maps, &a)));
	json_object_set_new(reply, "never_ban", never ? json_string(never->why) : json_null());
	json_object_set_new(reply, "list", list_of(j, &a));
	json_object_set_new(reply, "findings", e ? findings_json(e, now) : json_array());
	ctl_client_more(j, &a, e, now, reply);
	return reply;
}

/* The worst first; among equals the latest. */
struct ranked {
	const struct ledger_entry *entry;
	unsigned score;
};

static int rank_cmp(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return when_before(x->entry->last_ns, y->entry->last_ns) ? 1 : -when_before(y->entry->last_ns, x->entry->last_ns);
}

/* Of n the best ones first, as in a heap whose root is the worst of those that are kept: the ledger is large, and the judge has no time to sort it. */
static void keep_ranked(struct ranked *heap, size_t *n, size_t max, struct ranked r)
{
	size_t i = *n, child;

	if (*n < max) {
		for ((*n)++; i && rank_cmp(&r, &heap[(i - 1) / 2]) > 0; i = (i - 1) / 2)
			heap[i] = heap[(i - 1) / 2];
		heap[i] = r;
		return;
	}
	if (rank_cmp(&r, &heap[0]) >= 0)
		return;
	for (i = 0; (child = 2 * i + 1) < *n; i = child) {
		child += child + 1 < *n && rank_cmp(&heap[child + 1], &heap[child]) > 0;
		if (rank_cmp(&r, &heap[child]) >= 0)
			break;
		heap[i] = heap[child];
	}
	heap[i] = r;
}

static json_t *do_client_list(struct judge *j, json_t *request)
{
	const struct ledger *l = j->setup->ledger;
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	size_t max = limit > 0 && limit <= LIST_MAX ? (size_t)limit : LIST_DEFAULT, n = 0;
	struct ranked *best = calloc(max, sizeof(*best));
	json_t *clients = json_array(), *reply = ctl_ok();
	__u64 now = kern_now_ns();

	for (size_t i = 0; best && i < l->nentries; i++)
		if (l->entry[i].source.len)
			keep_ranked(best, &n, max, (struct ranked){ &l->entry[i], judgement_score(&j->setup->conf->policy, &l->entry[i].record, now) });
	if (n)
		qsort(best, n, sizeof(*best), rank_cmp);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(clients, entry_json(j, best[i].entry, now));
	free(best);
	json_object_set_new(reply, "clients", clients);
	json_object_set_new(reply, "known", json_integer((json_int_t)l->used));
	return reply;
}

static json_t *do_client_forget(struct judge *j, json_t *request)
{
	struct pst_addr a;
	json_t *error = need_address(request, &a);
	char text[ADDR_TEXT_MAX];

	if (error)
		return error;
	if (!ledger_forget(j->setup->ledger, &a))
		return ctl_error(false, "%s is not known", addr_text(&a, text));
	judge_store_forgot(j);
	return ctl_ok();
}

/* Those that a ban needs force for, so that a client can tell before it asks. */
static json_t *do_never_show(struct judge *j, json_t *request)
{
	json_t *reply = ctl_ok(), *rules = json_array();
	char text[PREFIX_TEXT_MAX];

	(void)request;
	for (size_t i = 0; i < j->never.n; i++)
		json_array_append_new(rules, json_pack("{s:s s:s}", "prefix", prefix_text(&j->never.entry[i].prefix, text), "why",
						       j->never.entry[i].why));
	json_object_set_new(reply, "never_ban", rules);
	return reply;
}

/* --- the daemon ---------------------------------------------------------------------------------- */

static json_t *do_gate_mode(struct judge *j, json_t *request)
{
	struct pst_conf c;
	json_t *error;
	int mode, rc;

	error = need_word(request, "mode", mode_by_name, -1, &mode);
	if (error)
		return error;
	rc = gate_conf_get(j->setup->maps, &c);
	c.mode = mode;
	if (!rc)
		rc = gate_conf_put(j->setup->maps, &c);
	return rc ? failed("the mode could not be set", rc) : ctl_ok();
}

static json_t *breaker_json(struct judge *j)
{
	const struct breaker_rules *rules = &j->setup->conf->breaker;
	const struct breaker *b = &j->setup->keep->breaker;
	__u64 now = kern_now_ns();
	bool open = breaker_is_open(b, rules, now);

	return json_pack("{s:b s:o s:i s:i s:I s:I}", "open", open, "seconds_left", open ? seconds_left(b->open_until_ns, now) : json_null(), "share",
			 (int)breaker_share(b, rules, now), "share_max", (int)rules->share, "messages", (json_int_t)breaker_count(&b->good, rules, now),
			 "banned_sources", (json_int_t)breaker_count(&b->sources, rules, now));
}

static json_t *do_daemon_show(struct judge *j, json_t *request)
{
	const struct judge_setup *s = j->setup;
	json_t *workers = json_array(), *reply = ctl_ok();
	json_int_t live = 0;

	(void)request;
	for (size_t i = 0; i < WORKER_SLOTS; i++) {
		const struct judge_channel *c = &j->channel[i];

		live += c->live;
		if (c->pid)
			json_array_append_new(workers, json_pack("{s:i s:i}", "pid", c->pid, "sessions", (int)c->live));
	}
	json_object_update_new(reply, json_pack("{s:s s:i s:i s:o s:s s:s s:I s:I s:I s:I}", "version", POSTERN_VERSION, "warden_pid", (int)getppid(),
						"judge_pid", (int)getpid(), "uptime_seconds", seconds_ago(s->started_ns, kern_now_ns()), "config",
						s->conf->path, "mode", mode_name(judge_mode(j)), "sessions", live, "sources_known",
						(json_int_t)s->ledger->used, "sources_max", (json_int_t)s->ledger->nentries, "sources_evicted",
						(json_int_t)s->ledger->evicted));
	json_object_set_new(reply, "breaker", breaker_json(j));
	json_object_set_new(reply, "workers", workers);
	json_object_set_new(reply, "store", ctl_store_state(j));
	return reply;
}

/* --- the table ---------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	command_fn *run; /* NULL: see ctl_command() */
	bool changes;	 /* said in the log, with who asked */
} commands[] = {
	{ "ban add", do_ban_add, true },
	{ "ban del", do_ban_del, true },
	{ "ban import", NULL, true },
	{ "never show", do_never_show, false },
	{ "allow add", do_allow_add, true },
	{ "allow del", do_allow_del, true },
	{ "client show", do_client_show, false },
	{ "client list", do_client_list, false },
	{ "client forget", do_client_forget, true },
	{ "gate mode", do_gate_mode, true },
	{ "daemon show", do_daemon_show, false },
	{ "backend show", ctl_backend_show, false },
	{ "dnsl show", ctl_dnsl_show, false },
	{ "session show", ctl_session_show, false },
	{ "session count", ctl_session_count, false },
	{ "session kill", ctl_session_kill, true },
	{ "grey show", ctl_grey_show, false },
	{ "grey del", ctl_grey_del, true },
	{ "grey flush", ctl_grey_flush, true },
	{ "grey stats", ctl_grey_stats, false },
	{ "store show", ctl_store_show, false },
	{ "store compact", ctl_store_compact, true },
	{ "store import", NULL, true },
	{ "config reload", NULL, true },
	{ "monitor", NULL, false },
};

static json_t *unknown(const char *name)
{
	char all[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		n += snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "", commands[i].name);
	return ctl_error(true, "command \"%s\" is not known; there are %s", name ? name : "", all);
}

/* key=value of every member, whatever it holds: escaped and cut. */
static void log_request(json_t *request, const char *who, const char *result)
{
	char line[512] = "", name[32], value[160];
	size_t n = 0;
	const char *key;
	json_t *v;

	json_object_foreach(request, key, v) {
		char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

		str_escape(str_of(key), name, sizeof(name));
		str_escape(str_of(text ? text : json_is_string(v) ? json_string_value(v) : ""), value, sizeof(value));
		free(text);
		if (n < sizeof(line))
			n += snprintf(line + n, sizeof(line) - n, " %s=\"%s\"", name, value);
	}
	log_info("control %s%s result=%s", who, line, result);
}

enum ctl_then ctl_command(struct judge *j, json_t *request, const char *who, json_t **reply)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	size_t i = 0, n = sizeof(commands) / sizeof(*commands);

	while (i < n && (!name || strcmp(name, commands[i].name)))
		i++;
	if (i == n) {
		*reply = unknown(name);
		return CTL_REPLIED;
	}
	if (commands[i].run) {
		*reply = commands[i].run(j, request);
		if (commands[i].changes)
			log_request(request, who, json_object_get(*reply, "error") ? "refused" : "done");
		return CTL_REPLIED;
	}
	if (!strcmp(name, "monitor"))
		return CTL_STREAMS;
	log_request(request, who, "asked");
	if (!strcmp(name, "ban import") || !strcmp(name, "store import"))
		return CTL_ROWS;
	if (judge_ask_reload(j) && !j->reloading) {
		*reply = ctl_error(false, "the warden does not answer");
		return CTL_REPLIED;
	}
	return CTL_WAITS;
}
