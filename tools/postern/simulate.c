/* SPDX-License-Identifier: BSD-2-Clause */
/* simulate.c: findings of a file, judged again by a configuration, or by two that are compared. Nothing is asked of a gate or a daemon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/record.h"
#include "tools/postern/rehearse.h"
#include "user/core/names.h"
#include "user/core/replay.h"

#define S_NS 1000000000ull

struct sim_ban {
	struct pst_prefix source;
	__u64 at_ns, until_ns;
	unsigned reason, score, relapse;
};

/* What a conversation came to. */
struct sim_found {
	unsigned line, reason, points, score;
	enum replay_said said;
	char evidence[4 * FINDING_EVIDENCE_MAX + 1];
};

/* One configuration and what it would have done. */
struct sim {
	const char *path;
	struct conf *conf;
	struct pst_prefix *never;
	struct ledger_entry *room;
	struct promote *prefixes;
	struct replay replay;
	struct sim_ban *ban;
	size_t nbans, bans_room;
	struct sim_found *found; /* of a conversation only */
	size_t nfound, found_room;
	unsigned long long said[REPLAY_OFF + 1];
};

/* What the file told. */
struct recorded {
	const char *name;
	unsigned long long lines, findings, unbans;
	unsigned sessions;	    /* of a conversation */
	const struct pst_addr *who; /* likewise, its client; NULL = it is none */
	__u64 first_ns, last_ns;
};

/* --- a configuration ------------------------------------------------------------------ */

static void say_error(void *ctx, const char *message)
{
	(void)ctx;
	out_error("%s", message);
}

/* What the file itself says must never be banned; the addresses of the machine it runs on are not in it. */
static size_t never_of(const struct conf *c, struct pst_prefix *out)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nbackends; i++)
		out[n++] = prefix_of(&c->backend[i].addr, 128);
	for (size_t i = 0; i < c->nbalancers; i++)
		out[n++] = c->balancer[i];
	for (size_t i = 0; i < c->nnever; i++)
		out[n++] = c->never_ban[i];
	return n;
}

static size_t power_of_two(size_t n)
{
	size_t p = 16;

	while (p < n)
		p *= 2;
	return p;
}

static int sim_open(struct sim *s, const char *path)
{
	struct replay_rules rules;
	size_t entries;

	*s = (struct sim){ .path = path };
	if (config_read(path, &s->conf, say_error, NULL))
		return CLI_FAILED;
	entries = power_of_two(s->conf->ledger_entries);
	s->room = calloc(entries, sizeof(*s->room));
	s->never = calloc(s->conf->nbackends + s->conf->nbalancers + s->conf->nnever + 1, sizeof(*s->never));
	s->prefixes = calloc(1, sizeof(*s->prefixes));
	if (!s->room || !s->never || !s->prefixes)
		return out_error("out of memory");
	rules = (struct replay_rules){ .policy = &s->conf->policy, .test = s->conf->test, .promote = &s->conf->promote, .allow = s->conf->allow, .nallow = s->conf->nallow,
				       .never = s->never, .nnever = never_of(s->conf, s->never) };
	replay_init(&s->replay, &rules, s->room, entries, s->prefixes);
	return CLI_OK;
}

static void sim_close(struct sim *s)
{
	if (s->conf)
		config_free(s->conf);
	free(s->room);
	free(s->prefixes);
	free(s->never);
	free(s->ban);
	free(s->found);
}

/* Room for one more in an array; NULL and said when memory is out. */
static void *grown(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 256;
	void *p = n < *room ? array : realloc(array, more * size);

	if (!p)
		out_error("out of memory");
	else if (n == *room)
		*room = more;
	return p;
}

static int keep_ban(struct sim *s, const struct sim_ban *ban)
{
	struct sim_ban *more = grown(s->ban, s->nbans, &s->bans_room, sizeof(*more));

	if (!more)
		return CLI_FAILED;
	s->ban = more;
	s->ban[s->nbans++] = *ban;
	return CLI_OK;
}

static int sim_find(struct sim *s, const struct finding *f)
{
	struct promotion whole;
	struct verdict v;
	enum replay_said said = replay_finding(&s->replay, f, &v, &whole);
	struct sim_ban source = { prefix_source(&f->addr), s->replay.now_ns, v.until_ns, f->reason, v.score, v.relapse };
	struct sim_ban prefix = { whole.prefix, s->replay.now_ns, whole.until_ns, PST_RSN_PREFIX, whole.sources, whole.relapse };
	int rc = CLI_OK;

	s->said[said]++;
	if (said == REPLAY_BANNED)
		rc = keep_ban(s, &source);
	return !rc && whole.due ? keep_ban(s, &prefix) : rc;
}

/* --- the record ------------------------------------------------------------------------- */

static int take_event(struct recorded *r, struct sim *sim, size_t n, const struct record_event *e)
{
	int rc = CLI_OK;

	if (e->kind == RECORD_UNBAN) {
		r->unbans++;
		for (size_t i = 0; i < n; i++)
			replay_unban(&sim[i].replay, &e->unban);
	}
	if (e->kind != RECORD_FINDING)
		return CLI_OK;
	r->findings++;
	if (!r->first_ns || e->finding.when_ns < r->first_ns)
		r->first_ns = e->finding.when_ns;
	if (e->finding.when_ns > r->last_ns)
		r->last_ns = e->finding.when_ns;
	for (size_t i = 0; !rc && i < n; i++)
		rc = sim_find(&sim[i], &e->finding);
	return rc;
}

static int read_record(FILE *f, struct recorded *r, struct sim *sim, size_t n)
{
	struct record_event e;
	char *line = NULL;
	size_t room = 0;
	long long now_s = time(NULL);
	int rc = CLI_OK;

	while (!rc && getline(&line, &room, f) >= 0) {
		r->lines++;
		line[strcspn(line, "\r\n")] = 0;
		record_read(line, now_s, &e);
		if (e.kind == RECORD_BAD)
			rc = out_error("%s:%llu: %s", r->name, r->lines, e.flaw);
		else
			rc = take_event(r, sim, n, &e);
	}
	free(line);
	if (!rc && ferror(f))
		rc = out_error("%s: %s", r->name, strerror(errno));
	return rc;
}

/* --- a conversation -------------------------------------------------------------------------- */

struct hearing {
	struct sim *sim;
	int rc;
};

static void heard(void *ctx, const struct finding *f, unsigned line)
{
	struct hearing *h = ctx;
	struct sim *s = h->sim;
	struct sim_found *more = grown(s->found, s->nfound, &s->found_room, sizeof(*more)), *row;
	unsigned long long before[REPLAY_OFF + 1];
	struct pst_addr addr = f->addr;

	if (!more) {
		h->rc = CLI_FAILED;
		return;
	}
	s->found = more;
	row = &s->found[s->nfound++];
	memcpy(before, s->said, sizeof(before));
	h->rc = h->rc ? h->rc : sim_find(s, f);
	*row = (struct sim_found){ .line = line, .reason = f->reason, .points = f->reason < PST_RSN_MAX ? s->conf->policy.points[f->reason] : 0 };
	for (unsigned i = 0; i <= REPLAY_OFF; i++)
		if (s->said[i] != before[i])
			row->said = i;
	if (ledger_find(&s->replay.ledger, &addr))
		row->score = judgement_score(&s->conf->policy, &ledger_find(&s->replay.ledger, &addr)->record, s->replay.now_ns);
	str_escape((struct str){ f->evidence, f->nevidence }, row->evidence, sizeof(row->evidence));
}

/* The file is heard once for each configuration: what a session finds depends on it. */
static int hear_once(FILE *f, struct recorded *r, struct sim *s, const struct pst_addr *a)
{
	struct hearing h = { .sim = s };
	struct rehearsal *rehearsal = rehearse_open(s->conf, a, heard, &h);
	char *line = NULL;
	size_t room = 0;

	if (!rehearsal)
		return out_error("out of memory");
	r->lines = 0;
	while (!h.rc && getline(&line, &room, f) >= 0) {
		r->lines++;
		line[strcspn(line, "\r\n")] = 0;
		if (!rehearse_line(rehearsal, line))
			h.rc = out_error("%s:%llu: a time is no duration like 10s, or too much is said without a reply", r->name, r->lines);
	}
	if (!h.rc && ferror(f))
		h.rc = out_error("%s: %s", r->name, strerror(errno));
	rehearse_end(rehearsal);
	r->sessions = rehearse_sessions(rehearsal);
	free(line);
	rehearse_free(rehearsal);
	return h.rc;
}

static int hear_all(FILE *f, struct recorded *r, struct sim *sim, size_t n, const struct pst_addr *a)
{
	int rc = CLI_OK;

	for (size_t i = 0; !rc && i < n; i++) {
		if (i && fseek(f, 0, SEEK_SET))
			return out_error("%s: it is to be read twice, and cannot: %s", r->name, strerror(errno));
		rc = hear_once(f, r, &sim[i], a);
	}
	return rc;
}

static void say_found(const struct sim *s)
{
	static const char *const said[] = { [REPLAY_NOTED] = "noted", [REPLAY_BANNED] = "ban", [REPLAY_EXEMPT] = "exempt", [REPLAY_WOULD] = "observed",
					    [REPLAY_SPARED] = "spared", [REPLAY_OFF] = "off" };

	out_table("findings");
	for (size_t i = 0; i < s->nfound; i++) {
		const struct sim_found *f = &s->found[i];

		out_row();
		out_num("line", "line", f->line);
		out_str("reason", "reason", reason_name(f->reason));
		out_num("points", "points", f->points);
		out_num("score", "score", f->score);
		out_str("said", "comes to", said[f->said]);
		out_str("evidence", "evidence", f->evidence);
	}
	out_table_end();
}

/* --- what comes of it -------------------------------------------------------------------- */

static const char *length_text(const struct sim_ban *b, char out[32])
{
	return duration_text((b->until_ns - b->at_ns) / S_NS, out);
}

/* Of a conversation nobody knows when it was: its first second is 1. */
static void say_moment(const struct sim_ban *b)
{
	char after[32];

	if (b->at_ns / S_NS > 366 * 86400u) {
		out_wall("at", "at", b->at_ns / S_NS);
		out_wall("until", NULL, b->until_ns / S_NS);
	} else {
		out_num("after_seconds", NULL, b->at_ns / S_NS - 1);
		out_str(NULL, "after", duration_text(b->at_ns / S_NS - 1, after));
	}
}

static void say_ban(const struct sim_ban *b)
{
	char text[PREFIX_TEXT_MAX], length[32];

	out_str("source", "source", prefix_text(&b->source, text));
	say_moment(b);
	out_num("seconds", NULL, (b->until_ns - b->at_ns) / S_NS);
	out_str(NULL, "for", length_text(b, length));
	out_str("reason", "reason", reason_name(b->reason));
	out_num("score", "score", b->score);
	out_num("relapse", "relapse", b->relapse);
}

static int by_source(const void *a, const void *b)
{
	const struct sim_ban *x = a, *y = b;
	int c = prefix_cmp(&x->source, &y->source);

	return c ? c : x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

/* ban[] is sorted by source. */
static size_t sources_of(const struct sim *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nbans; i++)
		n += !i || prefix_cmp(&s->ban[i].source, &s->ban[i - 1].source);
	return n;
}

static void say_sim(const char *key, struct sim *s, bool rows)
{
	static const struct {
		enum replay_said said;
		const char *key, *text;
	} counts[] = {
		{ REPLAY_SPARED, "spared", "of a source that is banned: it would not have come" },
		{ REPLAY_EXEMPT, "exempt", "enough for a ban, of sources that are exempt" },
		{ REPLAY_WOULD, "observed", "enough for a ban, and the configuration only observes" },
		{ REPLAY_OFF, "off", "found by tests that are off" },
	};

	if (s->nbans)
		qsort(s->ban, s->nbans, sizeof(*s->ban), by_source);
	out_section(key, NULL);
	out_str("config", NULL, s->path);
	out_num("banned_sources", NULL, sources_of(s));
	out_line("%s: %zu ban%s of %zu source%s", s->path, s->nbans, s->nbans == 1 ? "" : "s", sources_of(s), sources_of(s) == 1 ? "" : "s");
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		out_num(counts[i].key, NULL, s->said[counts[i].said]);
		if (s->said[counts[i].said])
			out_line("  %llu finding%s %s", s->said[counts[i].said], s->said[counts[i].said] == 1 ? "" : "s", counts[i].text);
	}
	if (s->found)
		say_found(s);
	if ((rows && s->nbans) || cli.json) {
		out_table("bans");
		for (size_t i = 0; i < s->nbans; i++) {
			out_row();
			say_ban(&s->ban[i]);
		}
		out_table_end();
	}
	out_section_end();
}

/* --- the difference ------------------------------------------------------------------------ */

static const char *change_of(const struct sim_ban *with, const struct sim_ban *now)
{
	__u64 a, b;

	if (!with || !now)
		return with ? "new" : "gone";
	if (with->at_ns != now->at_ns)
		return with->at_ns < now->at_ns ? "earlier" : "later";
	a = with->until_ns - with->at_ns;
	b = now->until_ns - now->at_ns;
	return a > b ? "longer" : a < b ? "shorter" : NULL;
}

static void say_side(const char *key, const char *label, const struct sim_ban *b)
{
	char text[64], length[32];

	if (b)
		snprintf(text, sizeof(text), "%s for %s", reason_name(b->reason), length_text(b, length));
	out_str(NULL, label, b ? text : NULL);
	if (!b) {
		out_null(key);
		return;
	}
	if (cli.json) {
		out_section(key, NULL);
		say_ban(b);
		out_section_end();
	}
}

static size_t say_change(const struct sim_ban *with, const struct sim_ban *now)
{
	const char *change = change_of(with, now);
	char text[PREFIX_TEXT_MAX];

	if (!change)
		return 0;
	out_row();
	out_str("source", "source", prefix_text(with ? &with->source : &now->source, text));
	out_str("change", "change", change);
	say_side("candidate", "candidate", with);
	say_side("running", "running", now);
	return 1;
}

/* The nth ban of a source is compared with its nth. */
static void say_differences(const struct sim *with, const struct sim *now)
{
	size_t i = 0, k = 0, n = 0;

	out_line("%s", "");
	out_table("differences");
	while (i < with->nbans || k < now->nbans) {
		int c = i == with->nbans ? 1 : k == now->nbans ? -1 : prefix_cmp(&with->ban[i].source, &now->ban[k].source);

		n += say_change(c <= 0 ? &with->ban[i] : NULL, c >= 0 ? &now->ban[k] : NULL);
		i += c <= 0;
		k += c >= 0;
	}
	out_table_end();
	if (n)
		out_line("%zu difference%s", n, n == 1 ? "" : "s");
	else
		out_line("No difference");
}

static void say_record(const struct recorded *r)
{
	char span[32];

	char addr[ADDR_TEXT_MAX];

	out_str("file", NULL, r->name);
	if (r->who) {
		out_str("client", NULL, addr_text(r->who, addr));
		out_num("sessions", NULL, r->sessions);
		out_line("%s: %u session%s of %s, %llu lines", r->name, r->sessions, r->sessions == 1 ? "" : "s", addr_text(r->who, addr), r->lines);
		return;
	}
	out_num("findings", NULL, r->findings);
	out_num("unbans", NULL, r->unbans);
	out_num("other_lines", NULL, r->lines - r->findings - r->unbans);
	out_wall("first", NULL, r->first_ns / S_NS);
	out_wall("last", NULL, r->last_ns / S_NS);
	out_line("%s: %llu finding%s in %s, %llu other lines", r->name, r->findings, r->findings == 1 ? "" : "s",
		 duration_text((r->last_ns - r->first_ns) / S_NS, span), r->lines - r->findings);
}

/* --- the command --------------------------------------------------------------------------- */

static int simulate(FILE *f, const char *name, const struct pst_addr *who, const char *candidate)
{
	struct sim sim[2] = { 0 };
	struct recorded r = { .name = name, .who = who };
	size_t n = candidate ? 2 : 1;
	int rc = sim_open(&sim[0], place_config());

	if (!rc && candidate)
		rc = sim_open(&sim[1], candidate);
	if (!rc)
		rc = who ? hear_all(f, &r, sim, n, who) : read_record(f, &r, sim, n);
	if (!rc) {
		say_record(&r);
		if (candidate)
			say_sim("candidate", &sim[1], true);
		say_sim("running", &sim[0], !candidate);
		if (candidate)
			say_differences(&sim[1], &sim[0]);
	}
	for (size_t i = 0; i < n; i++)
		sim_close(&sim[i]);
	return rc;
}

static int do_simulate(struct args *a)
{
	const char *name, *candidate = NULL;
	struct pst_addr who;
	bool conversation = false;
	int rc = arg_need(a, "FILE", &name);
	FILE *f;

	if (!rc && arg_is(a, "from")) {
		conversation = true;
		rc = arg_addr(a, &who);
	}
	if (!rc && arg_is(a, "with"))
		rc = arg_need(a, "CONFIG", &candidate);
	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	f = strcmp(name, "-") ? fopen(name, "re") : stdin;
	if (!f)
		return out_error("%s: %s", name, strerror(errno));
	rc = simulate(f, name, conversation ? &who : NULL, candidate);
	if (f != stdin)
		fclose(f);
	return rc;
}

static const struct cmd cmds[] = {
	{ "simulate", "FILE|- [from ADDRESS] [with CONFIG]",
	  "Judges recorded findings again, or with from what that address said in a conversation: who would have been banned, when and for how long, and with CONFIG "
	  "what it would do differently.", do_simulate },
	{ 0 },
};

const struct object object_simulate = { "simulate", "what a configuration would have made of what is on record", cmds, .direct = true };
