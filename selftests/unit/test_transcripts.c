/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_transcripts.c: whole SMTP sessions from the .txt files of selftests/smtp, played to user/core/sess. Every session is run
 * twice: each client line in one piece, and again byte by byte; both must give the same outcome.
 *
 *	== NAME			a session begins ("== NAME (whole)": only in one piece)
 *	with: OPTION...		pause=MS tls=off|offer|require auth=off|offer|require cleartext allowed relay denied
 *				errors=N rcpts=N messages=N size=N headers=N received=N caps=8BITMIME,... mechs=PLAIN,... backend-size=N mend
 *				hide=8BITMIME,... hide-chunking hide-limits hide-vrfy hide-help closed deliverby=N profile=NAME implicit session=N rate=N null-rcpts=N own=observe|enforce|off sender=ACTION:ENTRY (divert: to route 1) senders-all
 *				routes (far.example: anybody may send there; small.local.test: ours, 500 octets, one recipient;
 *				sealed.example: anybody, in TLS; users.example: anybody who authenticated)
 *				naming=SECONDS (the client's name is being looked up); admit=NAME deny=NAME grant=NAME except=NAME:
 *				one name as the only entry of connection control or relay control
 *				no-mail (mx.local.test and all below mute.example take no mail)
 *				grey=MODE (of the greylist; grey-name: the source is known by its name) stress exempt-rcpt=ENTRY exempt-from=ENTRY
 *				lists (of DNS: "bad" weighs 3, "worse" 3 with a text of its own, "good" -2; ban at 6, enforced at 2, skipped at -2) test-TEST=MODE (test-pregreet=off) known-as=NAME (of the client, known from the beginning)
 *				test=NAME:MODE (of user/core/triage.h) local=ADDRESS (ours) backup (the listener is one) trap-domain (as no-mail)
 *				balancer (XCLIENT is believed; a client at 203.0.113.9 is looked up as naming and allowed say, one at
 *				203.0.113.99 has too many sessions)
 *				recipient=ENTRY... (of the recipient list; "+" begins a tag) owner=ACCOUNT:SENDER... account-sender=observe|enforce
 *				quota (accounts have hourly limits: the judge is asked)
 *	C: TEXT			the client sends TEXT and CRLF; a final \c sends no CRLF. \r \n \t \0 \\ \xHH
 *	A: TEXT			the backend answers; " | " between lines; "down", "busy" and "caps" are outcomes of their own
 *	T: N			N seconds pass (N may be "300ms"), then the tick
 *	E: EVENT		hangup, kick, shutdown, known, unknown, banned ("+pregreet": the source has passed that test before), secured, insecure, greyed=pass|known|defer[:SECONDS] (the answer to the last "(grey)"; greyed-old: to the one before), passes=BITS (the judge knows of these), listed=BITS[:unsure] (these rules match; the answer to "(lists)"), charged, over (an account's quota), named, named=NAME, nameless (no answer), unproven (it has a name that does not lead back), led=yes|no|? (the answer to "(helo)"; led-old: to an older one)
 *	S: PREFIX		the client gets a line that begins so
 *	B: TEXT			the backend is sent the line TEXT ("TEXT...": a line that begins so); "(abort)" = it is cut off, "(grey)" = the judge is asked, "(lists)" = DNS lists are, "(helo)" = DNS is asked where the client's HELO leads,
 *				"(route N)" = what follows goes to that route, if it is not the default one
 *	D: TEXT			the backend has been sent the content TEXT since the last D:
 *	F: REASON [EVIDENCE]	a finding; the evidence begins so, "-" = there is none
 *	L: WORD PATH RULE	the last step denied this path for the log, by the rule at FILE:LINE ("-" = none); "WORD observed ..." = it would have
 *	W: WANT			read, ask, name, quota, tls, client, close or grey
 *	N: COUNTER VALUE	a row of bpf/abi.h
 *	I: TIMES		the lines up to the next "O:" are played that many times; %d in them is the turn, from 1
 *	U: NAME			the lines behind "-- NAME" (before the first session), up to an empty line, are played here
 *
 * A C, A, T or E line, and the end, demand that all that came before was expected: nothing may come unseen.
 */
#include "unit.h"

#include <glob.h>
#include <stdlib.h>

#include "sess_fixture.h"

#define QUEUE_MAX 512

/* A transcript that fails is left where it stands; what the core allocates is nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

struct queue {
	char *item[QUEUE_MAX];
	size_t head, n;
};

struct play {
	struct fixture f;
	struct sess s;
	struct sess_step step;
	__u64 now_ns;
	bool split, opened, mail_open;
	__u64 grey[2][2]; /* the last question, and the one before */
	struct queue replies, asks, findings;
	char *in; /* what the client sent and the session has not taken */
	size_t nin, nbody;
	char body[65536];
	char denied[MAILBOX_TEXT_MAX + 64]; /* since the last line of the client */
	const char *file, *name;
	unsigned line;
};

#define BAD(p, ...)                                                                                                \
	do {                                                                                                       \
		print_error("%s:%u: [%s%s] ", (p)->file, (p)->line, (p)->name, (p)->split ? ", byte by byte" : ""); \
		fail_msg(__VA_ARGS__);                                                                             \
	} while (0)

static void push(struct play *p, struct queue *q, const char *text, size_t n)
{
	if (q->n == QUEUE_MAX)
		BAD(p, "too many events");
	q->item[q->n] = malloc(n + 1);
	memcpy(q->item[q->n], text, n);
	q->item[q->n++][n] = '\0';
}

static void expect(struct play *p, struct queue *q, const char *what, const char *prefix, bool whole)
{
	char escaped[256];

	if (q->head == q->n)
		BAD(p, "expected %s \"%s\", there is none", what, prefix);
	if (strncmp(q->item[q->head], prefix, strlen(prefix)) || (whole && strlen(prefix) != strlen(q->item[q->head]))) {
		str_escape(str_of(q->item[q->head]), escaped, sizeof(escaped));
		BAD(p, "expected %s \"%s\", got \"%s\"", what, prefix, escaped);
	}
	free(q->item[q->head++]);
}

static void expect_line(struct play *p, char *text)
{
	size_t n = strlen(text);
	bool begins = n > 3 && !strcmp(text + n - 3, "...");

	if (begins)
		text[n - 3] = '\0';
	expect(p, &p->asks, "line to the backend", text, !begins);
}

static void expect_finding(struct play *p, char *text)
{
	size_t n = strlen(text);
	bool bare = n > 2 && !strcmp(text + n - 2, " -");

	if (bare)
		text[n - 2] = '\0';
	expect(p, &p->findings, "finding", text, bare);
}

static void must_be_empty(struct play *p, struct queue *q, const char *what)
{
	if (q->head < q->n)
		BAD(p, "unexpected %s \"%s\"", what, q->item[q->head]);
	q->head = q->n = 0;
}

static void all_seen(struct play *p)
{
	must_be_empty(p, &p->replies, "reply");
	must_be_empty(p, &p->asks, "line to the backend");
	must_be_empty(p, &p->findings, "finding");
	if (p->nbody)
		BAD(p, "unexpected content for the backend: %.*s", (int)p->nbody, p->body);
}

/* RFC 5321 section 4.2: every reply to a client is whole lines of three digits, at most 512 octets. */
static void take_reply(struct play *p, struct str reply)
{
	while (reply.n) {
		const char *lf = memchr(reply.p, '\n', reply.n);
		size_t n = lf ? (size_t)(lf + 1 - reply.p) : 0;

		if (n < 5 || n > 512 || lf[-1] != '\r' || !memchr("2345", reply.p[0], 4))
			BAD(p, "malformed reply: %.*s", (int)reply.n, reply.p);
		push(p, &p->replies, reply.p, n - 2);
		reply = str_sub(reply, n, reply.n);
	}
}

static void take_finding(struct play *p, const struct finding *f)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "%s%s%.*s", reason_rows[f->reason].name, f->nevidence ? " " : "", f->nevidence, f->evidence);

	push(p, &p->findings, text, (size_t)n);
}

static void take_question(struct play *p)
{
	if (!p->step.grey[0] && !p->step.grey[1])
		return;
	memcpy(p->grey[1], p->grey[0], sizeof(p->grey[0]));
	memcpy(p->grey[0], p->step.grey, sizeof(p->grey[0]));
	push(p, &p->asks, "(grey)", 6);
}

static void take_ask(struct play *p)
{
	const struct sess_step *step = &p->step;
	char route[24];
	bool first;

	switch (step->ask) {
	case ASK_NONE:
		return;
	case ASK_RCPT:
		first = !p->mail_open && p->s.nrcpt == 1;
		if (step->route && first)
			push(p, &p->asks, route, (size_t)snprintf(route, sizeof(route), "(route %u)", step->route));
		if (first)
			push(p, &p->asks, step->ask_mail.p, step->ask_mail.n);
		push(p, &p->asks, step->ask_line.p, step->ask_line.n);
		return;
	case ASK_AUTH:
		push(p, &p->asks, step->ask_line.p, step->ask_line.n);
		return;
	case ASK_DATA:
		push(p, &p->asks, "DATA", 4);
		return;
	case ASK_END:
		push(p, &p->asks, ".", 1);
		break;
	case ASK_RESET:
		push(p, &p->asks, "RSET", 4);
		break;
	case ASK_ABORT:
		push(p, &p->asks, "(abort)", 7);
		break;
	}
	p->mail_open = false;
}

static void take_step(struct play *p);

static void named_by_balancer(struct play *p)
{
	struct sess_peer peer = p->f.peer;
	char addr[ADDR_TEXT_MAX];

	peer.addr = p->step.client;
	peer.balancer = false;
	sess_client(&p->s, !strcmp(addr_text(&peer.addr, addr), "203.0.113.99") ? NULL : &peer, p->now_ns, &p->step);
	take_step(p);
}

static void take_denied(struct play *p, const struct sess_denied *d)
{
	int n = snprintf(p->denied, sizeof(p->denied), "%s%s %.*s ", d->why, d->observed ? " observed" : "", (int)d->npath, d->path);

	snprintf(p->denied + n, sizeof(p->denied) - (size_t)n, d->file ? "%s:%u" : "-", d->file, d->line);
}

static void check_denied(struct play *p, const char *text)
{
	if (strcmp(p->denied, text))
		BAD(p, "denied is \"%s\", not \"%s\"", p->denied, text);
}

/* What an edge does with a step. */
static void take_step(struct play *p)
{
	unsigned i;

	if (p->step.denied.why)
		take_denied(p, &p->step.denied);
	for (i = 0; i < p->step.nfound; i++)
		take_finding(p, &p->step.found[i]);
	take_reply(p, p->step.reply);
	for (i = 0; i < 2; i++) {
		if (!p->step.body[i].n)
			continue;
		if (p->nbody + p->step.body[i].n > sizeof(p->body))
			BAD(p, "too much content");
		memcpy(p->body + p->nbody, p->step.body[i].p, p->step.body[i].n);
		p->nbody += p->step.body[i].n;
	}
	take_ask(p);
	take_question(p);
	if (p->step.helo)
		push(p, &p->asks, "(helo)", 6);
	if (p->step.lists)
		push(p, &p->asks, "(lists)", 7);
	if (p->step.want == SESS_TLS || p->step.want == SESS_CLOSE)
		p->nin = 0;
	if (p->step.want == SESS_CLIENT)
		named_by_balancer(p);
}

/* The backend of a transcript takes any number of recipients at once. */
static bool may_read(const struct play *p)
{
	return p->step.want == SESS_READ || (p->step.want == SESS_ASK && p->s.asked == ASK_RCPT);
}

static void pump(struct play *p)
{
	while (p->nin && may_read(p)) {
		char *copy = malloc(p->nin); /* its own block: a read past the end is seen */
		size_t n;

		memcpy(copy, p->in, p->nin);
		n = sess_bytes(&p->s, (struct str){ copy, p->nin }, p->now_ns, &p->step);
		if (n > p->nin)
			BAD(p, "consumed more than there was");
		memmove(p->in, p->in + n, p->nin - n);
		p->nin -= n;
		take_step(p);
		free(copy);
		if (!n)
			break;
	}
}

static void feed(struct play *p, const char *bytes, size_t n)
{
	size_t i, piece = p->split ? 1 : n;

	for (i = 0; i < n; i += piece) {
		if (p->step.want == SESS_CLOSE || p->step.want == SESS_TLS) /* to nobody, or to the handshake */
			return;
		p->in = realloc(p->in, p->nin + piece);
		memcpy(p->in + p->nin, bytes + i, piece);
		p->nin += piece;
		pump(p);
	}
}

static void client(struct play *p, char *text)
{
	size_t n = strlen(text);
	bool crlf = n < 2 || strcmp(text + n - 2, "\\c");

	if (!crlf)
		text[n - 2] = '\0';
	n = unescape(text);
	if (crlf) {
		memcpy(text + n, "\r\n", 2);
		n += 2;
	}
	feed(p, text, n);
}

static void backend(struct play *p, char *text)
{
	enum sess_outcome outcome = !strcmp(text, "down") ? ANSWER_DOWN : !strcmp(text, "busy") ? ANSWER_BUSY :
				    !strcmp(text, "caps") ? ANSWER_CAPS : ANSWER_REPLY;
	struct reply *r = malloc(sizeof(*r));
	enum reply_result result = REPLY_MORE;
	char *at = text, *bar;

	reply_init(r);
	while (outcome == ANSWER_REPLY && at) {
		bar = strstr(at, " | ");
		if (bar)
			*bar = '\0';
		result = reply_line(r, (struct str){ at, unescape(at) });
		at = bar ? bar + 3 : NULL;
	}
	if (outcome == ANSWER_REPLY && result != REPLY_DONE)
		BAD(p, "not a whole reply");
	if (outcome == ANSWER_REPLY && p->s.asked == ASK_RCPT && r->code / 100 == 2)
		p->mail_open = true;
	sess_answer(&p->s, outcome, outcome == ANSWER_REPLY ? r : NULL, p->now_ns, &p->step);
	take_step(p);
	free(r);
	pump(p);
}

static void pass_time(struct play *p, const char *text)
{
	char *unit;
	unsigned long long n = strtoull(text, &unit, 10);

	p->now_ns += n * (!strcmp(unit, "ms") ? 1000000ull : 1000000000ull);
	sess_tick(&p->s, p->now_ns, &p->step);
	take_step(p);
	pump(p);
}

/* "greyed=defer:300" */
static void greyed(struct play *p, const char *name)
{
	const char *said = strchr(name, '=') + 1, *seconds = strchr(said, ':');

	sess_greyed(&p->s, p->grey[!strncmp(name, "greyed-old", 10)], said[0] == 'd' ? GREY_DEFER : said[0] == 'k' ? GREY_KNOWN : GREY_PASS,
		    seconds ? (unsigned)strtoul(seconds + 1, NULL, 10) : 0, p->now_ns, &p->step);
}

/* "listed=3:unsure" */
static void listed(struct play *p, const char *text)
{
	struct dnsl_known known = { .matched = strtoull(text, NULL, 10), .failed = strchr(text, ':') ? 1 : 0, .life_s = 600 };
	struct dnsl_verdict v = dnsl_weigh(p->s.conf->dnsl, &known);

	sess_listed(&p->s, &v, p->now_ns, &p->step);
}

static void event(struct play *p, const char *name)
{
	if (!strcmp(name, "hangup"))
		sess_gone(&p->s, p->now_ns, &p->step);
	else if (!strcmp(name, "kick") || !strcmp(name, "shutdown"))
		sess_end(&p->s, name[0] == 'k', p->now_ns, &p->step);
	else if (!strncmp(name, "named", 5))
		sess_named(&p->s, str_of(name + strcspn(name, "=") + (name[5] == '=')), LACK_NAME, p->now_ns, &p->step);
	else if (!strcmp(name, "charged") || !strcmp(name, "over"))
		sess_charged(&p->s, name[0] == 'o', p->now_ns, &p->step);
	else if (!strncmp(name, "greyed", 6))
		greyed(p, name);
	else if (!strncmp(name, "listed=", 7))
		listed(p, name + 7);
	else if (!strncmp(name, "passes=", 7))
		sess_standing(&p->s, &(struct sess_word){ .passes = (unsigned)strtoul(name + 7, NULL, 10) }, p->now_ns, &p->step);
	else if (!strcmp(name, "nameless"))
		sess_named(&p->s, STR(""), LACK_ANSWER, p->now_ns, &p->step);
	else if (!strcmp(name, "unproven"))
		sess_named(&p->s, STR(""), LACK_PROOF, p->now_ns, &p->step);
	else if (!strncmp(name, "led=", 4))
		sess_helo_led(&p->s, str_of(p->s.helo), name[4] == 'y', name[4] == '?', p->now_ns, &p->step);
	else if (!strcmp(name, "led-old"))
		sess_helo_led(&p->s, STR("old.example"), false, false, p->now_ns, &p->step);
	else if (!strcmp(name, "secured") || !strcmp(name, "insecure"))
		sess_secured(&p->s, name[0] == 's', p->now_ns, &p->step);
	else if (!strncmp(name, "limit=", 6))
		sess_standing(&p->s, &(struct sess_word){ .limits = (unsigned)strtoul(name + 6, NULL, 10), .limit_s = 60 }, p->now_ns, &p->step);
	else
		sess_standing(&p->s, &(struct sess_word){ .standing = name[0] == 'b' ? STANDING_BANNED :
							  name[0] == 'k' ? STANDING_KNOWN :
									   STANDING_UNKNOWN,
							  .passes = strstr(name, "+backup") ? 1u << TEST_BACKUP : strchr(name, '+') ? 1u << TEST_PREGREET : 0 },
			      p->now_ns, &p->step);
	take_step(p);
	pump(p);
}

static void check_want(struct play *p, const char *text)
{
	static const char *const name[] = { "read", "ask", "name", "tls", "client", "close", "quota", "grey" };

	if (strcmp(name[p->step.want], text))
		BAD(p, "wants %s, not %s", name[p->step.want], text);
}

static void check_counter(struct play *p, char *text)
{
	static const char *const symbol[] = {
#define PST_X(sym, family, labels, help) #sym,
		PST_COUNTERS(PST_X)
#undef PST_X
	};
	char *space = strchr(text, ' ');
	unsigned i;

	if (!space)
		BAD(p, "N: COUNTER VALUE");
	*space = '\0';
	for (i = 0; i < PST_CNT_MAX; i++)
		if (!strcmp(symbol[i], text))
			break;
	if (i == PST_CNT_MAX)
		BAD(p, "no counter \"%s\"", text);
	if (p->f.stats.counter[i] != strtoull(space + 1, NULL, 10))
		BAD(p, "%s is %llu, not %s", text, (unsigned long long)p->f.stats.counter[i], space + 1);
}

static enum sess_level level_of(const char *text)
{
	return !strcmp(text, "require") ? SESS_REQUIRE : !strcmp(text, "offer") ? SESS_OFFER : SESS_OFF;
}

static unsigned caps_of(struct play *p, char *text)
{
	static const char *const name[] = {
#define SESS_X(sym, keyword) keyword,
		SESS_EXTENSIONS(SESS_X)
#undef SESS_X
	};
	unsigned bits = 0, i;
	char *save, *word;

	for (word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < NROWS(name); i++)
			if (!strcmp(name[i], word))
				break;
		if (i == NROWS(name))
			BAD(p, "no extension \"%s\"", word);
		bits |= 1u << i;
	}
	return bits;
}

static void hide(struct fixture *f, unsigned bits)
{
	for (unsigned i = 0; i < EXT_CHUNKING; i++)
		f->conf.hide[i] = bits >> i & 1;
}

static void sender_list(struct play *p, char *text)
{
	static const char *const name[] = { "observe", "divert", "refuse", "close" };
	struct fixture *f = &p->f;
	size_t n = f->senders.nlists++, i = 0;
	char *entry = strchr(text, ':');

	*entry++ = '\0';
	while (strcmp(name[i], text))
		i++;
	if (!sender_key(str_of(entry), f->key[n]))
		BAD(p, "\"%s\" is no sender", entry);
	f->entry[n] = (struct sender_rule){ .key = str_of(f->key[n]) };
	f->list[n] = (struct sender_list){ .rule = &f->entry[n], .nrules = 1, .action = (enum sender_action)i, .route = i == SENDER_DIVERT };
}

static int by_recipient(const void *a, const void *b)
{
	return recipient_order(((const struct recipient_rule *)a)->key, ((const struct recipient_rule *)b)->key);
}

static void recipient(struct play *p, const char *entry)
{
	struct fixture *f = &p->f;
	size_t n = f->relay.recipients.nrules++;

	if (!recipient_key(str_of(entry), f->recipient_key[n]))
		BAD(p, "\"%s\" is no recipient", entry);
	f->recipient[n] = (struct recipient_rule){ str_of(f->recipient_key[n]), "list", (unsigned)n + 1 };
	f->relay.recipients.rule = f->recipient;
	f->relay.recipients.delimiters = "+";
	qsort(f->recipient, n + 1, sizeof(*f->recipient), by_recipient);
}

static void owner(struct play *p, char *text)
{
	struct fixture *f = &p->f;
	size_t n = f->accounts.nowners++;
	char *sender = strchr(text, ':');

	*sender++ = '\0';
	snprintf(f->account[n], sizeof(f->account[n]), "%s", text);
	if (!sender_key(str_of(sender), f->owned[n]))
		BAD(p, "\"%s\" is no sender", sender);
	f->owner[n] = (struct account_owner){ str_of(f->account[n]), { .key = str_of(f->owned[n]), .file = "owners", .line = (unsigned)n + 1 } };
	f->accounts.owner = f->owner;
}

static enum grey_mode grey_mode_of(const char *text)
{
	static const char *const name[] = {
#define GREY_X(sym, name) name,
		GREY_MODES(GREY_X)
#undef GREY_X
	};
	unsigned i = 0;

	while (strcmp(name[i], text))
		i++;
	return (enum grey_mode)i;
}

/* Of the recipients (0) or the senders (1). */
static void exempt(struct play *p, int which, const char *text)
{
	struct sender_list *l = which ? &p->f.grey.exempt_senders : &p->f.grey.exempt_recipients;

	if (!sender_key(str_of(text), p->f.exempt_key[which]))
		BAD(p, "\"%s\" is no address", text);
	p->f.exempt[which] = (struct sender_rule){ .key = str_of(p->f.exempt_key[which]) };
	*l = (struct sender_list){ .rule = &p->f.exempt[which], .nrules = 1 };
}

static const struct dnsl_zone zones[] = { { "bad.test", "bad.test", true, true, false } };
static const struct dnsl_rule list_rules[] = { { "bad.test", 0, NULL, 0, 3, "", 1 }, { "worse.test", 0, NULL, 0, 3, "See https://worse.test/", 2 },
					       { "good.test", 0, NULL, 0, -2, "", 3 } };
static const struct dnsl_rules lists = { zones, 1, list_rules, 3, .enforce = 2, .ban = 6, .skip = -2 };

static unsigned test_mode_of(struct play *p, const char *text)
{
	static const char *const name[] = {
#define TRIAGE_X(sym, name) name,
		TRIAGE_MODES(TRIAGE_X)
#undef TRIAGE_X
	};

	unsigned i = 0;

	while (i < NROWS(name) && strcmp(name[i], text))
		i++;
	if (i == NROWS(name))
		BAD(p, "no mode of a test: \"%s\"", text);
	return i;
}

static unsigned test_of(struct play *p, const char *name)
{
	unsigned i = 0;

	while (i < TEST_MAX && strcmp(triage_name(i), name))
		i++;
	if (i == TEST_MAX)
		BAD(p, "no test \"%s\"", name);
	return i;
}

/* The only entry of a list of clients. */
static void named_rule(struct fixture *f, struct access_list *l, enum access_mode mode, const char *name)
{
	snprintf(f->client, sizeof(f->client), "%s", name);
	f->rule = (struct access_rule){ .name = str_of(f->client) };
	*l = (struct access_list){ .mode = mode, .rule = &f->rule, .nrules = 1, .named = true };
}

static const struct domain_rule sealed[] = { { STR("sealed.example"), "test", 7 } }, users[] = { { STR("users.example"), "test", 8 } };
static const struct domain_rule far[] = { { STR("far.example"), "test", 3 } }, small[] = { { STR("small.local.test"), "test", 4 } };
static const struct domain_rule no_mail[] = { { STR(".mute.example"), "test", 5 }, { STR("mx.local.test"), "test", 6 } };
static const struct domain_rule narrow[] = { { STR("narrow.example"), "test", 9 } }, slim[] = { { STR("slim.example"), "test", 10 } };
static const struct relay_route routes[] = {
	{ .name = "default" },
	{ .name = "far", .domain = far, .ndomains = 1, .open = true },
	{ .name = "small", .domain = small, .ndomains = 1, .open = true, .message_size = 500, .rcpt_max = 1 },
	{ .name = "sealed", .file = "test", .line = 17, .domain = sealed, .ndomains = 1, .open = true, .needs_tls = true },
	{ .name = "users", .file = "test", .line = 18, .domain = users, .ndomains = 1, .open = true, .needs_auth = true },
	{ .name = "narrow", .domain = narrow, .ndomains = 1, .open = true, .messages_max = 2, .data_timeout_s = 20, .data_rate = 10 },
	{ .name = "slim", .domain = slim, .ndomains = 1, .open = true, .session_size = 5 },
};

/* "helo_own:drop" */
static void test_by(struct play *p, const char *value)
{
	static const char *const modes[] = {
#define TRIAGE_X(sym, name) name,
		TRIAGE_MODES(TRIAGE_X)
#undef TRIAGE_X
	};
	const char *colon = strchr(value, ':');
	unsigned test = 0, mode = 0;

	while (test < TEST_MAX && !(colon && !strncmp(triage_name(test), value, (size_t)(colon - value)) && !triage_name(test)[colon - value]))
		test++;
	while (mode < NROWS(modes) && !(colon && !strcmp(modes[mode], colon + 1)))
		mode++;
	if (test == TEST_MAX || mode == NROWS(modes))
		BAD(p, "no test and mode \"%s\"", value);
	p->f.conf.test[test].mode = mode;
}

static void option(struct play *p, const char *key, char *value)
{
	struct fixture *f = &p->f;
	unsigned long long n = strtoull(value, NULL, 10);
	const struct {
		const char *key;
		unsigned *to;
	} number[] = {
		{ "pause", &f->conf.greet_pause_ms },	{ "errors", &f->conf.errors_max },
		{ "rcpts", &f->conf.rcpt_max },		{ "messages", &f->conf.messages_max },
		{ "headers", &f->conf.body.header_bytes }, { "received", &f->conf.body.received },
		{ "auth-failures", &f->conf.auth_failures_max }, { "rate", &f->conf.data_rate },
		{ "commands", &f->conf.commands_max }, { "stress-pause", &f->conf.stress_pause_ms },		{ "null-rcpts", &f->conf.null_rcpt_max },
	};
	unsigned i;

	for (i = 0; i < NROWS(number); i++)
		if (!strcmp(number[i].key, key)) {
			*number[i].to = (unsigned)n;
			return;
		}
	if (!strcmp(key, "tls"))
		f->conf.tls = level_of(value);
	else if (!strcmp(key, "auth"))
		f->conf.auth = level_of(value);
	else if (!strcmp(key, "cleartext"))
		f->conf.auth_cleartext = true;
	else if (!strcmp(key, "allowed"))
		f->peer.allowed = true;
	else if (!strcmp(key, "relay"))
		f->relay.relay.rule = &f->rule, f->relay.relay.nrules = 1;
	else if (!strcmp(key, "denied"))
		f->relay.connect.rule = &f->rule, f->relay.connect.nrules = 1;
	else if (!strcmp(key, "size"))
		f->conf.body.size = n;
	else if (!strcmp(key, "hide"))
		hide(f, caps_of(p, value));
	else if (!strcmp(key, "hide-chunking"))
		f->conf.hide[EXT_CHUNKING] = true;
	else if (!strcmp(key, "hide-limits"))
		f->conf.hide[EXT_LIMITS] = true;
	else if (!strcmp(key, "hide-vrfy"))
		f->conf.hide[EXT_VRFY] = true;
	else if (!strcmp(key, "hide-help"))
		f->conf.hide[EXT_HELP] = true;
	else if (!strcmp(key, "mend"))
		f->conf.mend = (struct mend_rules){ true, true, true };
	else if (!strcmp(key, "closed"))
		f->conf.closed = true;
	else if (!strcmp(key, "deliverby"))
		f->caps.deliverby_min_s = (unsigned)n;
	else if (!strcmp(key, "profile"))
		snprintf(f->caps.profile, sizeof(f->caps.profile), "%s", value);
	else if (!strcmp(key, "balancer"))
		f->peer.balancer = true;
	else if (!strcmp(key, "no-mail"))
		f->relay.no_mail = no_mail, f->relay.nno_mail = NROWS(no_mail);
	else if (!strcmp(key, "trap-domain"))
		f->relay.trap_domain = no_mail, f->relay.ntrap_domains = NROWS(no_mail);
	else if (!strcmp(key, "backup"))
		f->conf.backup = true;
	else if (!strcmp(key, "local"))
		addr_parse(str_of(value), &f->peer.local);
	else if (!strcmp(key, "test"))
		test_by(p, value);
	else if (!strcmp(key, "implicit"))
		f->conf.tls_implicit = true;
	else if (!strcmp(key, "session"))
		f->conf.session_max = n;
	else if (!strcmp(key, "own"))
		f->conf.own_sender = (enum pst_mode)mode_by_name(str_of(value));
	else if (!strcmp(key, "sender"))
		sender_list(p, value);
	else if (!strcmp(key, "recipient"))
		recipient(p, value);
	else if (!strcmp(key, "owner")) /* in account_order() */
		owner(p, value);
	else if (!strcmp(key, "quota"))
		f->accounts.messages = 1, f->conf.accounts = &f->accounts;
	else if (!strcmp(key, "account-sender"))
		f->conf.account_sender = (enum pst_mode)mode_by_name(str_of(value)), f->conf.accounts = &f->accounts;
	else if (!strcmp(key, "routes"))
		f->relay.route = routes, f->relay.nroutes = NROWS(routes);
	else if (!strcmp(key, "naming"))
		f->peer.naming = f->peer.looked = true, f->conf.name_timeout_s = (unsigned)n;
	else if (!strcmp(key, "known-as"))
		snprintf(f->client, sizeof(f->client), "%s", value), f->peer.name = str_of(f->client), f->peer.looked = true, f->conf.name_timeout_s = 5;
	else if (!strncmp(key, "test-", 5))
		f->conf.test[test_of(p, key + 5)].mode = test_mode_of(p, value);
	else if (!strcmp(key, "admit") || !strcmp(key, "deny"))
		named_rule(f, &f->relay.connect, *key == 'a' ? ACCESS_ONLY : ACCESS_EXCEPT, value);
	else if (!strcmp(key, "grant") || !strcmp(key, "except"))
		named_rule(f, &f->relay.relay, *key == 'g' ? ACCESS_ONLY : ACCESS_EXCEPT, value);
	else if (!strcmp(key, "grey"))
		f->grey.mode = grey_mode_of(value);
	else if (!strcmp(key, "lists"))
		f->conf.dnsl = &lists, f->conf.test[TEST_DNSL].mode = TRIAGE_ENFORCE;
	else if (!strcmp(key, "grey-name"))
		f->grey.by_name = true;
	else if (!strcmp(key, "stress"))
		f->peer.stress = true;
	else if (!strncmp(key, "exempt-", 7))
		exempt(p, key[7] == 'f', value);
	else if (!strcmp(key, "senders-all"))
		f->list[0].trusted = true;
	else if (!strcmp(key, "backend-size"))
		f->caps.size = n;
	else if (!strcmp(key, "caps"))
		f->caps.bits = caps_of(p, value);
	else if (!strcmp(key, "mechs"))
		for (snprintf(f->caps.mechs, sizeof(f->caps.mechs), "%s", value), value = f->caps.mechs; (value = strchr(value, ',')); value++)
			*value = ' ';
	else
		BAD(p, "no option \"%s\"", key);
}

static void options(struct play *p, char *text)
{
	char *save, *word, *value;

	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		option(p, word, value ? value : (char[]){ "" });
	}
}

static void open_session(struct play *p)
{
	if (p->opened)
		return;
	p->opened = true;
	sess_open(&p->s, &p->f.conf, &p->f.peer, &p->f.stats, p->now_ns, &p->step);
	take_step(p);
}

static void content(struct play *p, char *text)
{
	size_t n = unescape(text);
	char escaped[256];

	if (n != p->nbody || memcmp(text, p->body, n)) {
		str_escape((struct str){ p->body, p->nbody }, escaped, sizeof(escaped));
		BAD(p, "content for the backend is \"%s\"", escaped);
	}
	p->nbody = 0;
}

static void play_line(struct play *p, const char *written)
{
	char *line = malloc(strlen(written) + 16), *text = line + 3;

	strcpy(line, written);
	if (!strncmp(line, "with: ", 6)) {
		options(p, line + 6);
		free(line);
		return;
	}
	if (strlen(line) < 3 || line[1] != ':')
		BAD(p, "not a line of a transcript: %s", line);
	open_session(p);
	if (strchr("CATE", line[0]))
		all_seen(p);
	if (line[0] == 'B' || line[0] == 'F')
		text[unescape(text)] = '\0';
	if (line[0] == 'C')
		p->denied[0] = '\0';
	switch (line[0]) {
	case 'C': client(p, text); break;
	case 'A': backend(p, text); break;
	case 'T': pass_time(p, text); break;
	case 'E': event(p, text); break;
	case 'S': expect(p, &p->replies, "reply", text, false); break;
	case 'B': expect_line(p, text); break;
	case 'D': content(p, text); break;
	case 'F': expect_finding(p, text); break;
	case 'L': check_denied(p, text); break;
	case 'W': check_want(p, text); break;
	case 'N': check_counter(p, text); break;
	default: BAD(p, "no line begins with %c:", line[0]);
	}
	free(line);
}

struct script {
	char **line;
	unsigned n;
};

/* %d is the turn of a loop. */
static void play_turn(struct play *p, const char *written, unsigned turn)
{
	const char *at = strstr(written, "%d");
	char *line;

	if (!turn || !at) {
		play_line(p, written);
		return;
	}
	if (asprintf(&line, "%.*s%u%s", (int)(at - written), written, turn, at + 2) < 0)
		BAD(p, "no memory");
	play_line(p, line);
	free(line);
}

static unsigned play_loop(struct play *p, const struct script *t, unsigned from)
{
	unsigned times = (unsigned)atoi(t->line[from] + 3), turn, i = from;

	for (turn = 1; turn <= times; turn++)
		for (i = from + 1; i < t->n && strcmp(t->line[i], "O:"); i++) {
			p->line = i + 1;
			play_turn(p, t->line[i], turn);
		}
	return i;
}

static void play_block(struct play *p, const struct script *t, const char *name)
{
	unsigned i;

	for (i = 0; i < t->n && (strncmp(t->line[i], "-- ", 3) || strcmp(t->line[i] + 3, name)); i++)
		;
	if (i == t->n)
		BAD(p, "no block \"%s\"", name);
	while (++i < t->n && t->line[i][0]) {
		if (!strncmp(t->line[i], "U: ", 3))
			play_block(p, t, t->line[i] + 3);
		else
			play_line(p, t->line[i]);
	}
}

/* Plays the session that begins behind line from; returns the line where the next one begins. */
static unsigned play_session(const struct script *t, const char *file, unsigned from, bool split)
{
	struct play *p = calloc(1, sizeof(*p));
	unsigned i;

	p->file = file;
	p->name = t->line[from] + 3;
	p->split = split;
	p->now_ns = START_NS;
	fixture_init(&p->f);
	for (i = from + 1; i < t->n && strncmp(t->line[i], "== ", 3); i++) {
		p->line = i + 1;
		if (!strncmp(t->line[i], "I: ", 3))
			i = play_loop(p, t, i);
		else if (!strncmp(t->line[i], "U: ", 3))
			play_block(p, t, t->line[i] + 3);
		else if (t->line[i][0] && t->line[i][0] != '#')
			play_line(p, t->line[i]);
	}
	open_session(p);
	all_seen(p);
	free(p->in);
	free(p);
	return i;
}

static void read_script(struct script *t, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	assert_non_null(f);
	while ((n = getline(&line, &room, f)) > 0) {
		line[n - 1] = '\0';
		t->line = realloc(t->line, (t->n + 1) * sizeof(*t->line));
		t->line[t->n++] = strdup(line);
	}
	free(line);
	fclose(f);
}

static void transcript(void **state)
{
	struct script t = { NULL, 0 };
	const char *path = *state;
	unsigned i = 0, sessions = 0;

	read_script(&t, path);
	while (i < t.n && strncmp(t.line[i], "== ", 3))
		i++;
	for (; i < t.n; sessions++) {
		unsigned next = play_session(&t, path, i, false);

		if (!strstr(t.line[i], "(whole)"))
			play_session(&t, path, i, true);
		i = next;
	}
	assert_true(sessions > 0);
	while (t.n)
		free(t.line[--t.n]);
	free(t.line);
}

int main(void)
{
	glob_t files;
	struct CMUnitTest *tests;
	size_t i;
	int failed;

	if (glob("selftests/smtp/*.txt", 0, NULL, &files)) {
		fprintf(stderr, "no selftests/smtp/*.txt here: run this from the top of the tree\n");
		return 2;
	}
	tests = calloc(files.gl_pathc, sizeof(*tests));
	for (i = 0; i < files.gl_pathc; i++)
		tests[i] = (struct CMUnitTest){ files.gl_pathv[i], transcript, NULL, NULL, files.gl_pathv[i] };
	failed = _cmocka_run_group_tests("transcripts", tests, files.gl_pathc, NULL, NULL);
	free(tests);
	globfree(&files);
	return failed;
}
