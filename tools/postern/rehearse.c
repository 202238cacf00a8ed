/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/rehearse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/core/names.h"
#include "user/core/reply.h"
#include "user/core/sess_phase.h"

#define S_NS	  1000000000ull
#define SAID_MAX  (1 << 20) /* of the client without a reply between */
#define LINES_MAX 4096	    /* likewise */
#define CODES_MAX 4096	    /* replies behind them */
#define GREETING_STEPS 8
#define STEPS_MAX 100000    /* of one session: no transcript goes round for ever */

struct rehearsal {
	const struct conf *conf;
	struct sess_peer peer;
	struct sess_caps caps;
	struct pst_stats stats;
	struct sess s;
	struct sess_step step;
	struct reply reply;
	rehearse_found *found;
	void *ctx;
	__u64 now_ns;
	unsigned line, sessions, steps, replied;
	bool begun; /* a session is, or was until it ended */
	bool open, greeted, answered, starttls; /* a session lives; the file's server has greeted; it has replied since the client spoke, who asked for TLS */
	size_t nsaid, at, nlines;     /* what the client said, and how much of it is taken */
	size_t end[LINES_MAX];	      /* of each line in it */
	unsigned number[LINES_MAX];   /* its number in the file */
	unsigned code[CODES_MAX], ncodes;
	char said[SAID_MAX], room[SESS_ROOM_MIN];
};

struct rehearsal *rehearse_open(const struct conf *c, const struct pst_addr *a, rehearse_found *found, void *ctx)
{
	struct rehearsal *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->conf = c;
	r->found = found;
	r->ctx = ctx;
	r->now_ns = S_NS;
	/* a backend that has everything: what is written down decides */
	r->caps = (struct sess_caps){ .bits = ~0u, .mechs = "PLAIN LOGIN CRAM-MD5" };
	r->peer = (struct sess_peer){ .addr = *a, .caps = &r->caps, .room = r->room, .nroom = sizeof(r->room) };
	for (size_t i = 0; i < c->nallow; i++)
		r->peer.allowed |= prefix_covers(&c->allow[i], a);
	return r;
}

void rehearse_free(struct rehearsal *r)
{
	free(r);
}

unsigned rehearse_sessions(const struct rehearsal *r)
{
	return r->sessions;
}

/* The line that was being taken when something was found. */
static unsigned line_now(const struct rehearsal *r)
{
	for (size_t i = 0; i < r->nlines; i++)
		if (r->at < r->end[i])
			return r->number[i];
	return r->nlines ? r->number[r->nlines - 1] : r->line;
}

/* --- what the session wants ---------------------------------------------------------------- */

/* What the file's server said to the command that is being answered; an accepting code where it said nothing. */
static void answer(struct rehearsal *r)
{
	static const unsigned usual[] = { [ASK_RCPT] = 250, [ASK_AUTH] = 235, [ASK_DATA] = 354, [ASK_END] = 250, [ASK_RESET] = 250, [ASK_ABORT] = 250 };
	unsigned code = r->replied < r->ncodes ? r->code[r->replied] : usual[r->step.ask];
	char text[32];
	size_t n;

	if (r->step.ask == ASK_DATA && code / 100 == 2)
		code = usual[ASK_DATA];
	reply_init(&r->reply);
	n = (size_t)snprintf(text, sizeof(text), "%u as written down", code);
	reply_line(&r->reply, (struct str){ text, n });
	sess_answer(&r->s, ANSWER_REPLY, &r->reply, r->now_ns, &r->step);
}

static unsigned whole_replies(struct str reply)
{
	unsigned n = 0;

	while (reply.n) {
		const char *lf = memchr(reply.p, '\n', reply.n);
		size_t k = lf ? (size_t)(lf + 1 - reply.p) : reply.n;

		n += k > 4 && reply.p[3] == ' ';
		reply = str_sub(reply, k, reply.n);
	}
	return n;
}

static void take_step(struct rehearsal *r)
{
	for (unsigned i = 0; i < r->step.nfound; i++)
		r->found(r->ctx, &r->step.found[i], line_now(r));
	r->replied += whole_replies(r->step.reply);
	if (r->step.want == SESS_CLOSE)
		r->open = false;
	if (r->step.want == SESS_CLOSE || r->step.want == SESS_TLS)
		r->at = r->nsaid; /* to nobody, or to the handshake */
}

/* True when something was done that needs none of the client's bytes. */
static bool obey(struct rehearsal *r)
{
	switch (r->step.want) {
	case SESS_READ:
	case SESS_CLOSE:
		return false;
	case SESS_ASK:
		answer(r);
		break;
	case SESS_NAME:
		sess_named(&r->s, STR(""), false, r->now_ns, &r->step);
		break;
	case SESS_TLS:
		sess_secured(&r->s, true, r->now_ns, &r->step);
		break;
	case SESS_QUOTA:
		sess_charged(&r->s, false, r->now_ns, &r->step);
		break;
	case SESS_GREY:
		sess_greyed(&r->s, r->step.grey, GREY_PASS, 0, r->now_ns, &r->step);
		break;
	default: /* nobody answers: its deadline passes */
		if (r->step.deadline_ns == ~0ull)
			return false;
		r->now_ns = r->step.deadline_ns > r->now_ns ? r->step.deadline_ns : r->now_ns;
		sess_tick(&r->s, r->now_ns, &r->step);
	}
	take_step(r);
	return true;
}

static void pump(struct rehearsal *r)
{
	while (r->open && r->steps++ < STEPS_MAX) {
		size_t n;

		if (obey(r))
			continue;
		if (!r->open || r->step.want != SESS_READ || r->at == r->nsaid)
			return;
		n = sess_bytes(&r->s, (struct str){ r->said + r->at, r->nsaid - r->at }, r->now_ns, &r->step);
		take_step(r);
		r->at += n;
		if (r->at > r->nsaid)
			r->at = r->nsaid;
		if (!n && r->step.want == SESS_READ)
			return;
	}
	r->open = r->open && r->steps < STEPS_MAX;
}

/* --- the course of a session ------------------------------------------------------------------ */

static void begin(struct rehearsal *r)
{
	struct sess_word word = { .standing = STANDING_UNKNOWN };

	r->peer.id = ++r->sessions;
	r->begun = r->open = true;
	r->greeted = r->answered = r->starttls = false;
	r->steps = r->replied = r->ncodes = 0;
	r->nsaid = r->at = r->nlines = 0;
	sess_open(&r->s, &r->conf->listener[0].sess, &r->peer, &r->stats, r->now_ns, &r->step);
	take_step(r);
	if (r->open) {
		sess_standing(&r->s, &word, r->now_ns, &r->step);
		take_step(r);
	}
}

/* A client that waits hears the greeting: the pause passes. */
static void greet(struct rehearsal *r)
{
	for (int i = 0; i < GREETING_STEPS && r->open && sess_phase(&r->s) == PHASE_GREETING; i++) {
		if (r->step.want != SESS_READ || r->step.deadline_ns == ~0ull)
			return;
		r->now_ns = r->step.deadline_ns > r->now_ns ? r->step.deadline_ns : r->now_ns;
		sess_tick(&r->s, r->now_ns, &r->step);
		take_step(r);
	}
}

/* What was said at once is heard when it is known what the file's server replied to it. */
static void hear(struct rehearsal *r)
{
	r->replied = 0;
	pump(r);
	r->nsaid = r->at = r->nlines = 0;
	r->ncodes = 0;
	r->answered = false;
}

static void over(struct rehearsal *r)
{
	if (r->open)
		hear(r);
	if (r->open) {
		sess_gone(&r->s, r->now_ns, &r->step);
		take_step(r);
	}
	r->open = r->begun = false;
}

static bool client_said(struct rehearsal *r, const char *text)
{
	size_t n = strlen(text);

	if (!r->begun)
		begin(r);
	if (r->answered)
		hear(r);
	if (r->nlines == LINES_MAX || n + 2 > SAID_MAX - r->nsaid)
		return false;
	memcpy(r->said + r->nsaid, text, n);
	memcpy(r->said + r->nsaid + n, "\r\n", 2);
	r->nsaid += n + 2;
	r->end[r->nlines] = r->nsaid;
	r->number[r->nlines++] = r->line;
	r->starttls = !strncasecmp(text, "STARTTLS", 8);
	return true;
}

static void server_said(struct rehearsal *r, const char *text)
{
	unsigned code;

	if (sscanf(text, "%3u", &code) != 1 || code < 200 || code > 599 || (text[3] != ' ' && text[3]))
		return; /* not the last line of a reply */
	if (r->begun && r->greeted && code == 220 && !r->starttls)
		over(r);
	if (!r->begun)
		begin(r);
	if (!r->greeted) {
		r->greeted = true;
		if (!r->nsaid)
			greet(r);
		else
			hear(r); /* it spoke before */
		return;
	}
	if (r->ncodes < CODES_MAX)
		r->code[r->ncodes++] = code;
	r->answered = true;
}

static bool time_passed(struct rehearsal *r, const char *text)
{
	unsigned long long seconds;

	if (!duration_parse(str_trim(str_of(text)), &seconds) || seconds == ~0ull)
		return false;
	if (r->open)
		hear(r);
	r->now_ns += seconds * S_NS;
	if (r->open) {
		sess_tick(&r->s, r->now_ns, &r->step);
		take_step(r);
	}
	return true;
}

/* The text behind one of the marks, NULL = it begins with none. */
static const char *behind(const char *line, const char *const *marks)
{
	for (; *marks; marks++)
		if (!strncmp(line, *marks, strlen(*marks)))
			return line + strlen(*marks);
	return NULL;
}

bool rehearse_line(struct rehearsal *r, const char *line)
{
	static const char *const client[] = { "C: ", "C:", " -> ", " ~> ", NULL }, *const server[] = { "S: ", "S:", "<-  ", "<~  ", "<** ", "<~* ", NULL };
	static const char *const time[] = { "T: ", "T:", NULL }, *const anew[] = { "=== Connected", NULL };
	const char *text;

	r->line++;
	if ((text = behind(line, client)))
		return client_said(r, text);
	if ((text = behind(line, server)))
		server_said(r, text);
	else if ((text = behind(line, time)))
		return time_passed(r, text);
	else if (behind(line, anew))
		over(r);
	return true;
}

void rehearse_end(struct rehearsal *r)
{
	over(r);
}
