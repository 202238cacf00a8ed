/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile client and a hostile backend. The input is a sequence of [event][length][bytes]; whatever
 * comes, replies are whole lines, the backend is asked one thing at a time with clean lines, the content it gets holds no
 * end of data, and each session and each message is counted once.
 */
#include "fuzz.h"
#include "user/core/names.h"
#include "user/core/sess.h"

struct world {
	struct sess s;
	struct sess_step step;
	struct pst_stats stats;
	struct reply reply;
	char in[16384];
	size_t nin;
	unsigned messages; /* 354 given */
	char tail[2];	   /* of the content passed */
	unsigned owed;	   /* recipients asked for: each is answered once, in turn */
	__u64 now_ns;
	bool closed, trusted;
};

static const struct domain_rule domains[] = { { STR("a.b"), "fuzz", 1 } }, far[] = { { STR(".f"), "fuzz", 2 } };
static const struct access_rule bad[] = { { .name = STR(".bad") } }, good[] = { { .name = STR(".good") } };
static const struct relay_route routes[] = {
	{ .name = "default" }, { .name = "far", .domain = far, .ndomains = 1, .open = true, .message_size = 100, .rcpt_max = 2 },
};

static void check_reply(struct str r)
{
	while (r.n) {
		const char *lf = memchr(r.p, '\n', r.n);
		size_t i, n;

		MUST(lf && r.n >= 5);
		n = (size_t)(lf + 1 - r.p);
		MUST(n <= 512 && lf[-1] == '\r' && r.p[0] >= '2' && r.p[0] <= '5' && (r.p[3] == ' ' || r.p[3] == '-'));
		for (i = 0; i < n - 2; i++)
			MUST((unsigned char)r.p[i] >= ' ' && r.p[i] != 0x7f);
		r = str_sub(r, n, r.n);
	}
}

static void check_ask_line(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		MUST((unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f);
}

static void check_body(struct world *w, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		MUST(s.p[i] && (s.p[i] != '\n' || w->tail[1] == '\r') && (w->tail[1] != '\r' || s.p[i] == '\n'));
		MUST(s.p[i] != '\r' || w->tail[1] != '.' || w->tail[0] != '\n');
		w->tail[0] = w->tail[1];
		w->tail[1] = s.p[i];
	}
}

static unsigned replies_in(struct str r)
{
	unsigned n = 0;

	for (size_t at = 0; at < r.n; at += (size_t)((const char *)memchr(r.p + at, '\n', r.n - at) - (r.p + at)) + 1)
		n += r.p[at + 3] == ' ';
	return n;
}

static __u64 sum(const struct world *w, unsigned from, unsigned to)
{
	__u64 n = 0;

	while (from <= to)
		n += w->stats.counter[from++];
	return n;
}

static void begin(struct world *w)
{
	w->messages++;
	w->tail[0] = '\r';
	w->tail[1] = '\n';
}

static void after(struct world *w)
{
	const struct sess_step *step = &w->step;

	check_reply(step->reply);
	if (step->reply.n >= 3 && !memcmp(step->reply.p, "354", 3))
		begin(w);
	MUST(step->nfound <= SESS_FINDINGS_MAX);
	check_body(w, step->body[0]);
	check_body(w, step->body[1]);
	if (step->ask == ASK_RCPT) {
		check_ask_line(step->ask_mail);
		MUST(step->ask_mail.n > 10 && step->ask_line.n > 8);
		w->owed++;
	}
	w->owed = w->s.asked == ASK_RCPT ? w->owed : 0;
	MUST(step->want == SESS_CLOSE || w->owed == w->s.nrcpt);
	check_ask_line(step->ask_line);
	MUST(step->want != SESS_NAME || w->s.peer.naming || w->s.helo_asked);
	MUST(step->want != SESS_CLIENT || (w->trusted && !w->s.messages && !w->s.rcpts));
	MUST(step->route < 2 && (!step->route || step->ask == ASK_RCPT));
	MUST((step->want == SESS_ASK) == (w->s.asked != ASK_NONE));
	MUST(!w->closed || (step->want == SESS_CLOSE && !step->reply.n && !step->ask && !step->nfound));
	w->closed = step->want == SESS_CLOSE;
	MUST(sum(w, PST_CNT_SESS_QUIT, PST_CNT_SESS_SHUTDOWN) == w->closed);
	MUST(sum(w, PST_CNT_CONN_ACCEPTED, PST_CNT_CONN_DENIED) <= 1);
	if (w->closed)
		MUST(sum(w, PST_CNT_MSG_ACCEPTED, PST_CNT_MSG_ABORTED) == w->messages);
	for (unsigned i = 0; i < TEST_MAX; i++)
		MUST(w->stats.counter[PST_CNT_TEST_PREGREET + i] <= w->closed && w->stats.counter[PST_CNT_FAILED_PREGREET + i] <= w->stats.counter[PST_CNT_TEST_PREGREET + i]);
	if (step->want == SESS_TLS || w->closed)
		w->nin = 0;
}

/* Whom the balancer names is looked up as it is itself; every eighth address has too many sessions. */
static void named(struct world *w)
{
	struct sess_peer peer = w->s.peer;

	peer.addr = w->step.client;
	peer.balancer = false;
	peer.naming = peer.addr.b[15] & 1;
	sess_client(&w->s, peer.addr.b[15] & 7 ? &peer : NULL, w->now_ns, &w->step);
	MUST(w->step.want != SESS_CLIENT);
	after(w);
}

static void client(struct world *w, struct str bytes)
{
	if (bytes.n > sizeof(w->in) - w->nin)
		return;
	memcpy(w->in + w->nin, bytes.p, bytes.n);
	w->nin += bytes.n;
	while (w->nin && (w->step.want == SESS_READ || (w->step.want == SESS_ASK && w->s.asked == ASK_RCPT))) {
		bool behind = w->step.want == SESS_ASK;
		size_t n = sess_bytes(&w->s, (struct str){ w->in, w->nin }, w->now_ns, &w->step);

		MUST(n <= w->nin);
		if (behind) /* nothing is said out of turn */
			MUST(!w->step.reply.n && !w->step.nfound && (n > 0) == (w->step.ask == ASK_RCPT));
		after(w); /* slices of the step point into the input */
		if (w->step.want == SESS_CLIENT)
			named(w);
		w->nin -= w->nin ? n : 0;
		memmove(w->in, w->in + n, w->nin);
		if (!n)
			break;
	}
	MUST(w->step.want != SESS_READ || w->nin < SESS_AUTH_LINE_MAX);
}

static void answer(struct world *w, enum sess_outcome outcome, struct str line)
{
	unsigned owed = w->owed;
	bool rcpt = w->s.asked == ASK_RCPT;

	reply_init(&w->reply);
	if (outcome == ANSWER_REPLY && reply_line(&w->reply, line) != REPLY_DONE)
		return;
	if (w->s.asked == ASK_DATA && w->s.chunking && outcome == ANSWER_REPLY && w->reply.code == 354)
		begin(w); /* of which the client hears nothing */
	sess_answer(&w->s, outcome, &w->reply, w->now_ns, &w->step);
	if (rcpt) {
		w->owed = w->s.asked == ASK_RCPT ? w->owed - 1 : 0;
		MUST(w->step.want == SESS_CLOSE || replies_in(w->step.reply) == owed - w->owed);
	}
	after(w);
	client(w, STR(""));
}

static void event(struct world *w, uint8_t what, struct str bytes)
{
	unsigned before = w->step.want;

	switch (what % 16) {
	default:
		client(w, bytes);
		return;
	case 7:
		sess_named(&w->s, bytes.n % 3 == 2 ? STR("x.bad") : bytes.n % 3 ? STR("x.good") : STR(""), (enum sess_lack)(bytes.n % 3), w->now_ns, &w->step);
		MUST(w->step.want != SESS_NAME);
		after(w);
		sess_helo_led(&w->s, bytes.n & 4 ? str_of(w->s.helo) : STR("other.example"), bytes.n & 8, bytes.n & 16, w->now_ns, &w->step);
		after(w);
		sess_listed(&w->s, &(struct dnsl_verdict){ .does = (unsigned)(bytes.n % 5), .sure = bytes.n & 32, .life_s = 60 }, w->now_ns, &w->step);
		break;
	case 8:
		answer(w, ANSWER_REPLY, bytes);
		return;
	case 9:
		answer(w, ANSWER_REPLY, STR("250 2.0.0 ok"));
		return;
	case 10:
		answer(w, ANSWER_REPLY, w->s.asked == ASK_DATA ? STR("354 go") : STR("550 no"));
		return;
	case 11:
		answer(w, bytes.n & 1 ? ANSWER_DOWN : ANSWER_CAPS, STR(""));
		return;
	case 12:
		w->now_ns += bytes.n * 10000000000ull;
		sess_tick(&w->s, w->now_ns, &w->step);
		break;
	case 13:
		if (before == SESS_TLS)
			sess_secured(&w->s, bytes.n & 1, w->now_ns, &w->step);
		else
			sess_standing(&w->s, &(struct sess_word){ .standing = (enum sess_standing)(bytes.n % 3), .limits = bytes.n & LIMIT_ALL }, w->now_ns, &w->step);
		break;
	case 14:
		sess_end(&w->s, bytes.n & 1, w->now_ns, &w->step);
		break;
	case 15:
		sess_gone(&w->s, w->now_ns, &w->step);
		break;
	}
	after(w);
	client(w, STR(""));
}

static const struct dnsl_zone zone = { "l.example", "l.example", true, true, false };
static const struct dnsl_rule rule = { "l.example", 0, NULL, 0, 1, "", 1 };
static const struct dnsl_rules lists = { &zone, 1, &rule, 1, .enforce = 1, .ban = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	static char room[SESS_ROOM_MIN];
	struct relay_rules relay = {
		.connect = { .mode = ACCESS_EXCEPT }, .authenticated_may_relay = true, .domain = domains, .ndomains = 1, .route = routes, .nroutes = 2,
	};
	struct sess_caps caps = { .bits = 0xff, .size = 1000, .mechs = "PLAIN LOGIN" };
	struct sess_conf conf = {
		.hostname = "mx.a.b", .banner = "gate", .command_timeout_s = 100, .data_timeout_s = 100, .answer_timeout_s = 100,
		.errors_max = 20, .rcpt_max = 3, .messages_max = 3, .relay = &relay, .body = { 500, 200, 3 },
	};
	struct sess_peer peer = { .caps = &caps, .room = room, .nroom = sizeof(room) };
	size_t at = 1;

	if (size < 2)
		return 0;
	memset(&w, 0, sizeof(w));
	conf.tls = (enum sess_level)(data[0] % 3);
	conf.auth = (enum sess_level)(data[0] / 3 % 3);
	conf.auth_cleartext = data[0] & 64;
	conf.mend = (struct mend_rules){ size & 1, size & 2, size & 4 };
	peer.allowed = data[0] & 128;
	peer.balancer = w.trusted = size & 8;
	conf.tested = true;
	for (unsigned i = 0; i < TEST_MAX; i++)
		conf.test[i].mode = (size + i) % 4;
	conf.greet_pause_ms = data[0] & 32 ? 1000 : 0;
	conf.name_timeout_s = 5;
	conf.dnsl = &lists;
	peer.looked = size & 16;
	peer.naming = (data[0] ^ data[0] >> 3) & 1;
	if (data[0] & 4)
		relay.connect = (struct access_list){ .mode = ACCESS_EXCEPT, .rule = bad, .nrules = 1, .named = true };
	if (data[0] & 8)
		relay.relay = (struct access_list){ .mode = ACCESS_ONLY, .rule = good, .nrules = 1, .named = true };
	w.now_ns = 1000;
	sess_open(&w.s, &conf, &peer, &w.stats, w.now_ns, &w.step);
	after(&w);
	while (at + 2 <= size) {
		size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;

		event(&w, data[at], (struct str){ (const char *)data + at + 2, n });
		at += 2 + n;
	}
	event(&w, 15, STR(""));
	MUST(w.closed);
	return 0;
}
