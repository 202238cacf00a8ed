/* SPDX-License-Identifier: BSD-2-Clause */
/* sess.c: the doors of a session, and the few ways in which it changes. See sess.h */
#include "user/core/sess_internal.h"

#define NS_PER_MS 1000000ull

void fate(struct sess *s, enum pst_counter row)
{
	if (in_content(s) || s->state == S_END)
		tally(s, row);
}

void enter(struct sess *s, enum sess_state state)
{
	if (s->state == S_CLOSED)
		return;
	if (state == S_CLOSED) {
		fate(s, PST_CNT_MSG_ABORTED);
		tally(s, (enum pst_counter)(PST_CNT_SESS_QUIT + s->end));
		tally_triage(s);
		s->asked = ASK_NONE;
	}
	s->state = (unsigned char)state;
}

static void ends_by(struct sess *s, enum pst_counter end)
{
	s->end = (unsigned char)(end - PST_CNT_SESS_QUIT);
}

void greeted(struct sess *s, enum pst_counter as)
{
	if (!s->greeted)
		tally(s, as);
	s->greeted = true;
}

void say(struct sess *s, struct sess_step *step, const char *line)
{
	step->reply = str_of(line);
	s->errors += line[0] >= '4';
}

void say_last(struct sess *s, struct sess_step *step, const char *line, enum pst_counter end)
{
	step->reply = str_of(line);
	s->final = true;
	ends_by(s, end);
}

void accuse(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str evidence)
{
	struct finding *f = &step->found[step->nfound];

	if (s->peer.allowed)
		return;
	s->stats->found[reason]++;
	if (step->nfound == SESS_FINDINGS_MAX)
		return;
	memset(f, 0, sizeof(*f));
	f->session = s->peer.id;
	f->when_ns = s->now_ns;
	f->addr = s->peer.addr;
	f->reason = (__u16)reason;
	f->nevidence = (__u16)(evidence.n < FINDING_EVIDENCE_MAX ? evidence.n : FINDING_EVIDENCE_MAX);
	memcpy(f->evidence, evidence.p, f->nevidence);
	step->nfound++;
}

void found(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str evidence)
{
	const struct reason_row *row = &reason_rows[reason];
	bool content = in_content(s) || s->state == S_END; /* a message is no command line */

	if (!content && triage_test_of(reason) != TEST_MAX) {
		condemn(s, step, reason, evidence, STR(""));
		return;
	}
	accuse(s, step, reason, evidence);
	s->final |= row->final;
	if (!row->code)
		return;
	step->reply = reply_of(s, reason, STR(""));
	s->errors++;
}

void ask(struct sess *s, struct sess_step *step, enum sess_ask what)
{
	step->ask = what;
	if (what != ASK_RESET && what != ASK_ABORT)
		s->asked = (unsigned char)what;
}

void await_name(struct sess *s)
{
	s->unnamed = true;
}

void drop_transaction(struct sess *s, struct sess_step *step)
{
	if (s->begun) /* in the middle of content a backend can be told nothing */
		ask(s, step, in_content(s) ? ASK_ABORT : ASK_RESET);
	s->begun = s->refused = s->lost = s->utf8 = s->blank = s->grey.open = false;
	s->rcpts = s->route = s->diverted = 0;
	s->declared = 0;
	s->nmail = s->nheld = 0;
	s->chunking = false;
	if (in_content(s))
		fate(s, PST_CNT_MSG_ABORTED);
	if (s->state == S_MAIL || s->state == S_END || in_content(s))
		enter(s, S_READY);
}

void begin(struct sess *s, __u64 now_ns, struct sess_step *step)
{
	memset(step, 0, sizeof(*step));
	s->now_ns = now_ns;
}

/* From the last reply to a whole command: bytes that make no command do not move it. */
static void set_deadline(struct sess *s, const struct sess_step *step)
{
	if (s->state == S_CLOSED)
		s->deadline_ns = ~0ull;
	else if (s->asked && ((step->ask && s->nrcpt < 2) || step->reply.n)) /* recipients that follow do not move it */
		s->deadline_ns = s->now_ns + s->conf->answer_timeout_s * NS_PER_S;
	else if (s->state == S_TLS && step->reply.n)
		s->deadline_ns = s->now_ns + s->conf->tls_timeout_s * NS_PER_S;
	else if (s->state != S_DATA && s->state != S_CHUNK && s->state != S_PAUSE && step->reply.n)
		s->deadline_ns = s->now_ns + s->conf->command_timeout_s * NS_PER_S;
}

/* It is waited for with a command in hand, which comes again then. */
static bool judge_asked(const struct sess *s)
{
	return s->quota.asking || s->grey.asking;
}

bool comes_again(const struct sess *s)
{
	return !s->final && (s->unnamed || judge_asked(s));
}

static __u64 due_ns(const struct sess *s)
{
	if (s->state == S_CLOSED)
		return s->deadline_ns;
	if (s->unnamed)
		return s->name_until_ns;
	return s->quota.asking ? s->quota.until_ns : s->grey.asking ? s->grey.until_ns : s->deadline_ns;
}

void finish(struct sess *s, struct sess_step *step)
{
	bool open = s->state != S_CLOSED;

	if (open && !s->final && s->conf->errors_max && s->errors > s->conf->errors_max && step->reply.n && step->reply.p[0] >= '4')
		found(s, step, PST_RSN_ERRORS, STR(""));
	s->final |= step->ask == ASK_ABORT && logged_in(s); /* the backend's half of it is gone */
	if (open && s->final && s->asked == ASK_RCPT) { /* this was the last reply: other recipients hear none */
		s->asked = ASK_NONE;
		step->ask = ASK_ABORT;
	}
	if (open && s->final && !s->asked) {
		if (s->state == S_AUTH) /* the backend waits for a response, so it cannot be told anything */
			step->ask = ASK_ABORT;
		enter(s, S_CLOSED);
	}
	set_deadline(s, step);
	step->deadline_ns = due_ns(s);
	step->want = s->state == S_CLOSED ? SESS_CLOSE :
		     s->asked		  ? SESS_ASK :
		     s->state == S_TLS	  ? SESS_TLS :
		     s->state == S_CLIENT ? SESS_CLIENT :
		     s->unnamed		  ? SESS_NAME :
		     s->quota.asking	  ? SESS_QUOTA :
		     s->grey.asking	  ? SESS_GREY :
					    SESS_READ;
}

/* "220-host banner" while the pause lasts, "220 host banner ESMTP" when it is over. */
static void greet(struct sess *s, struct sess_step *step, bool whole)
{
	struct put o = { .p = s->out, .max = sizeof(s->out) };

	put_text(&o, whole ? "220 " : "220-");
	put_text(&o, s->conf->hostname);
	put_text(&o, s->conf->banner[0] ? " " : "");
	put_text(&o, s->conf->banner);
	put_text(&o, whole ? " ESMTP\r\n" : "\r\n");
	step->reply = put_done(&o);
	if (!whole)
		return;
	greeted(s, PST_CNT_CONN_ACCEPTED);
	enter(s, S_START);
}

void keep_name(struct sess *s, struct str name)
{
	s->peer.name = STR("");
	s->nname = name.n <= MAILBOX_DOMAIN_MAX ? name.n : 0;
	if (s->nname)
		memcpy(s->name, name.p, s->nname);
	s->name[s->nname] = '\0';
}

/* Does anything wait for the client's silence? */
static bool pauses(struct sess *s)
{
	if (s->peer.allowed || s->peer.balancer || s->peer.check || !s->conf->greet_pause_ms)
		return false;
	s->spared |= s->known || s->remembered & 1u << TEST_PREGREET;
	return !s->known && !s->lists.skips && (test_due(s, TEST_PREGREET) || s->offended & 1u << TEST_PREGREET || lists_awaited(s));
}

void pause_over(struct sess *s, struct sess_step *step)
{
	if (s->state == S_PAUSE && !s->unnamed && !s->final && !pauses(s))
		greet(s, step, true);
}

/* So that the greeting refuses. */
static bool name_offends(struct sess *s, struct sess_step *step)
{
	name_tests(s, step);
	return s->final;
}

static unsigned pause_ms(const struct sess *s)
{
	unsigned ms = s->conf->greet_pause_ms;

	return s->peer.stress && s->conf->stress_pause_ms < ms ? s->conf->stress_pause_ms : ms;
}

void admit(struct sess *s, struct sess_step *step)
{
	struct relay_client client = client_of(s);
	bool announces = s->peer.balancer && !s->told; /* nobody's client yet. If it stays so, each RCPT asks connection control */
	enum access access = announces ? ACCESS_GRANTED : relay_admits(s->conf->relay, &client, NULL);

	s->unnamed = access == ACCESS_AWAITS_NAME;
	if (s->conf->closed) {
		s->unnamed = false;
		greeted(s, PST_CNT_CONN_DENIED);
		say_last(s, step, "521 5.3.2 This host accepts no mail\r\n", PST_CNT_SESS_REFUSED);
	} else if (over_sessions(s, step)) {
		return;
	} else if (s->unnamed) {
		s->deadline_ns = s->name_until_ns;
	} else if (access == ACCESS_DENIED) {
		greeted(s, PST_CNT_CONN_DENIED);
		say_last(s, step, "554 5.7.1 Access denied\r\n", PST_CNT_SESS_REFUSED);
	} else if (name_offends(s, step)) {
		greeted(s, PST_CNT_CONN_ACCEPTED);
	} else if (pauses(s)) {
		greet(s, step, false);
		s->deadline_ns = s->now_ns + pause_ms(s) * NS_PER_MS;
	} else {
		greet(s, step, true);
	}
}

/* Nothing is said in clear; sess_secured() goes on with the greeting. */
static void shake_first(struct sess *s)
{
	enter(s, S_TLS);
	s->deadline_ns = s->now_ns + s->conf->tls_timeout_s * NS_PER_S;
}

void sess_open(struct sess *s, const struct sess_conf *c, const struct sess_peer *p, struct pst_stats *stats, __u64 now_ns,
	       struct sess_step *step)
{
	memset(s, 0, sizeof(*s));
	s->conf = c;
	s->stats = stats;
	s->peer = *p;
	ends_by(s, PST_CNT_SESS_REFUSED);
	begin(s, now_ns, step);
	keep_name(s, p->name);
	s->name_until_ns = now_ns + c->name_timeout_s * NS_PER_S;
	if (c->tls_implicit)
		shake_first(s);
	else
		admit(s, step);
	finish(s, step);
}

/* The lookup is over, whatever came of it: what waited for it goes on. */
static void name_settled(struct sess *s, struct sess_step *step)
{
	s->peer.naming = false;
	if (s->state == S_PAUSE && s->unnamed)
		admit(s, step);
	s->unnamed = false;
	if (!name_offends(s, step))
		helo_asks(s, step);
	if (s->final)
		greeted(s, PST_CNT_CONN_ACCEPTED);
}

void sess_named(struct sess *s, struct str name, enum sess_lack lack, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->state != S_CLOSED && !s->told_name) {
		keep_name(s, name);
		s->peer.unsure = lack == LACK_ANSWER;
		s->peer.unproven = lack == LACK_PROOF;
		name_settled(s, step);
	}
	finish(s, step);
}

void sess_standing(struct sess *s, const struct sess_word *word, __u64 now_ns, struct sess_step *step)
{
	enum sess_standing standing = word->standing;

	begin(s, now_ns, step);
	s->heard = true;
	s->remembered = word->passes;
	s->good = standing == STANDING_KNOWN;
	sess_limit(s, word->limits, word->limit_s, true, now_ns);
	if (standing == STANDING_BANNED && s->state == S_PAUSE) {
		greeted(s, PST_CNT_CONN_BANNED);
		say_last(s, step, "554 5.7.1 Service unavailable\r\n", PST_CNT_SESS_REFUSED);
	} else if (standing == STANDING_BANNED && !s->peer.allowed) {
		sess_end(s, true, now_ns, step);
		return;
	} else if (word->limits & LIMIT_SESSIONS && over_sessions(s, step)) {
		finish(s, step);
		return;
	}
	s->known |= standing == STANDING_KNOWN;
	lists_ask(s, step);
	pause_over(s, step);
	finish(s, step);
}

static size_t line_limit(const struct sess *s, struct str in)
{
	return s->state == S_AUTH || str_istarts(in, STR("AUTH ")) ? SESS_AUTH_LINE_MAX : SESS_LINE_MAX;
}

#define SKIP_MAX 1048576 /* bytes without CRLF before patience ends */

/* Where LF alone ends a line, a client that does it is noted here; elsewhere it has offended before its line is complete. */
static size_t take_line(struct sess *s, struct sess_step *step, struct str in, struct line *line, bool *done)
{
	size_t n, limit = line_limit(s, in);

	if (test_mode(s, TEST_BARE_NEWLINE) != TRIAGE_DROP) {
		n = line_take_lf(&s->cut, in, limit, line, done);
		if (*done && !(line->flaws & LINE_LONG) && line->text.n + 1 == n)
			found(s, step, PST_RSN_BARE_LF, evidence_of(s, line->text));
		return n;
	}
	n = line_take(&s->cut, in, limit, line, done);
	if (!*done && line->flaws & LINE_BARE_LF)
		found(s, step, PST_RSN_BARE_LF, evidence_of(s, in));
	return n;
}

/* A whole line, or what can be said without one: another protocol, a bare LF, a line without end. */
static size_t command_bytes(struct sess *s, struct sess_step *step, struct str in)
{
	struct line line;
	bool done;
	size_t n;

	if (!s->cut.skipping && smtp_is_foreign_byte((unsigned char)in.p[0]))
		found(s, step, PST_RSN_NON_SMTP, in);
	if (s->final)
		return in.n;
	n = take_line(s, step, in, &line, &done);
	if (done)
		run_line(s, step, &line, n < in.n);
	else if (s->cut.skipped > SKIP_MAX) {
		found(s, step, PST_RSN_LONG_LINE, evidence_of(s, (struct str){ s->cut.head, LINE_HEAD_MAX }));
		s->final = true;
	}
	return s->final ? in.n : comes_again(s) ? 0 : n;
}

/*
 * Behind recipients that are asked for only one more is served, and only if it will be asked for whatever becomes of
 * them: so every reply to the client is the next one that it waits for. All else waits for their answers. What the command
 * comes to is found out on a copy; the worst case for it is that they are all accepted.
 */
static size_t rcpt_bytes(struct sess *s, struct sess_step *step, struct str in)
{
	struct pst_stats nobodys = { 0 };
	struct sess copy = *s;
	struct sess_step tried;

	if (!str_istarts(in, STR("RCPT ")) || s->cut.skipping)
		return 0;
	begin(&copy, s->now_ns, &tried);
	copy.stats = &nobodys;
	copy.rcpts += copy.nrcpt;
	if (!command_bytes(&copy, &tried, in) || tried.ask != ASK_RCPT || tried.reply.n || tried.nfound)
		return 0;
	return command_bytes(s, step, in);
}

/* What is not refused waits for the greeting; so does what came when that was due, which only has to be said. */
static size_t early_bytes(struct sess *s, struct sess_step *step, struct str in)
{
	struct str line = evidence_of(s, in);
	char text[FINDING_EVIDENCE_MAX];
	struct put o = { .p = text, .max = sizeof(text) };

	if (test_due(s, TEST_PREGREET) && s->arrived_ns < s->deadline_ns) {
		put_u64(&o, (s->deadline_ns - s->arrived_ns) / NS_PER_MS);
		put_text(&o, "ms early: ");
		put_str(&o, str_sub(line, 0, line.n < sizeof(text) - o.n ? line.n : sizeof(text) - o.n));
		found(s, step, PST_RSN_EARLY, put_done(&o));
	}
	if (!s->final)
		return 0;
	greeted(s, PST_CNT_CONN_ACCEPTED);
	return in.n;
}

void sess_arrived(struct sess *s, __u64 when_ns)
{
	s->arrived_ns = when_ns;
}

size_t sess_bytes(struct sess *s, struct str in, __u64 now_ns, struct sess_step *step)
{
	size_t n = in.n;

	begin(s, now_ns, step);
	if (!s->arrived_ns || s->arrived_ns > now_ns)
		s->arrived_ns = now_ns;
	if (s->asked == ASK_RCPT && in.n && !s->unnamed) {
		n = rcpt_bytes(s, step, in);
	} else if (s->asked || s->state == S_TLS || s->state == S_CLIENT || judge_asked(s) || (s->unnamed && s->state != S_PAUSE)) {
		n = 0;
	} else if (in.n && s->state == S_PAUSE) {
		n = early_bytes(s, step, in);
	} else if (in.n && s->state == S_DATA) {
		n = data_bytes(s, step, in);
		data_deadline(s);
	} else if (in.n && (s->state == S_CHUNK || s->state == S_SWALLOW)) {
		n = chunk_bytes(s, step, in);
		data_deadline(s);
	} else if (in.n && s->state != S_CLOSED) {
		n = command_bytes(s, step, in);
	}
	s->arrived_ns = 0;
	finish(s, step);
	return n;
}

void sess_answer(struct sess *s, enum sess_outcome outcome, const struct reply *r, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->state != S_CLOSED)
		take_answer(s, step, outcome, r);
	data_deadline(s);
	finish(s, step);
}

void sess_secured(struct sess *s, bool ok, __u64 now_ns, struct sess_step *step)
{
	bool first = !s->greeted;

	begin(s, now_ns, step);
	if (s->state == S_TLS) {
		tally(s, ok ? PST_CNT_TLS_OK : PST_CNT_TLS_FAILED);
		s->tls = ok;
		s->final |= !ok;
		/* RFC 3207 section 4.2: nothing said in clear counts any more */
		memset(&s->caps, 0, sizeof(s->caps));
		memset(&s->cut, 0, sizeof(s->cut));
		s->esmtp = s->authenticated = s->vouched = s->secrets = s->told_helo = false;
		s->nhelo = 0;
		s->helo[0] = s->account[0] = '\0';
		s->deadline_ns = now_ns + s->conf->command_timeout_s * NS_PER_S;
		enter(s, first ? S_PAUSE : S_START);
		if (first && ok)
			admit(s, step);
		else
			greeted(s, PST_CNT_CONN_ACCEPTED);
	}
	finish(s, step);
}

/* What is under way at the backend must not be delivered, unless its end was sent: then it is the backend's. */
static void abandon(struct sess *s, struct sess_step *step)
{
	if (in_content(s)) {
		data_broken_off(s, step);
		step->ask = ASK_ABORT;
	} else if (s->asked && s->state != S_END) {
		step->ask = ASK_ABORT;
	}
}

static void timed_out(struct sess *s, struct sess_step *step)
{
	if (s->unnamed && !s->peer.naming) { /* whether its HELO leads to it */
		s->unnamed = s->helo_asked = false;
		s->helo_tested = true;
		return;
	}
	if (s->unnamed) {
		s->peer.unsure = true;
		name_settled(s, step);
		return;
	}
	if (s->quota.asking) {
		quota_told(s, false);
		return;
	}
	if (s->grey.asking) {
		grey_told(s, GREY_PASS, 0, false);
		return;
	}
	if (s->state == S_PAUSE) {
		test_pass(s, TEST_PREGREET);
		lists_ask(s, step); /* the judge has not spoken */
		greet(s, step, true);
		return;
	}
	if (s->asked) {
		take_answer(s, step, ANSWER_DOWN, NULL);
		step->ask = ASK_ABORT;
		return;
	}
	abandon(s, step);
	found(s, step, PST_RSN_SLOW, STR(""));
	ends_by(s, PST_CNT_SESS_TIMEOUT);
	if (s->state == S_TLS) { /* no clear text into a handshake */
		greeted(s, PST_CNT_CONN_ACCEPTED);
		tally(s, PST_CNT_TLS_FAILED);
		step->reply = STR("");
	}
}

void sess_waited(struct sess *s, __u64 waited_ns)
{
	s->data_ns += waited_ns;
	if (s->deadline_ns < ~0ull - waited_ns)
		s->deadline_ns += waited_ns;
}

void sess_tick(struct sess *s, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->state != S_CLOSED && now_ns >= due_ns(s))
		timed_out(s, step);
	finish(s, step);
}

void sess_gone(struct sess *s, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->state != S_CLOSED) {
		greeted(s, PST_CNT_CONN_ACCEPTED);
		test_hangup(s, step);
		abandon(s, step);
		step->reply = STR("");
		s->asked = ASK_NONE;
		s->final = true;
		ends_by(s, PST_CNT_SESS_HANGUP);
	}
	finish(s, step);
}

void sess_end(struct sess *s, bool banned, __u64 now_ns, struct sess_step *step)
{
	enum pst_counter end = banned ? PST_CNT_SESS_KICKED : PST_CNT_SESS_SHUTDOWN;

	begin(s, now_ns, step);
	if (s->state == S_END) { /* nobody but the backend knows the message's fate: its reply is still passed on */
		s->final = true;
		ends_by(s, end);
	} else if (s->state != S_CLOSED) {
		bool clear = s->state != S_TLS;

		greeted(s, PST_CNT_CONN_ACCEPTED);
		abandon(s, step);
		s->asked = ASK_NONE;
		say_last(s, step, banned ? "421 4.7.0 Service unavailable\r\n" : "421 4.3.2 Service is shutting down\r\n", end);
		if (!clear)
			step->reply = STR("");
	}
	finish(s, step);
}
