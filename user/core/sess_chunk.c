/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_chunk.c: BDAT (RFC 3030 section 2). Chunks are counted, never searched for an end, and go to the backend as DATA:
 * CRLF.CRLF inside them is content like any other, and one kind of stream is all that a backend can misread. The octets of a
 * BDAT that is refused are swallowed, for else they would be commands.
 */
#include "user/core/sess_internal.h"

/* "1*20DIGIT [LAST]": anything else leaves it open where the next command begins. */
static bool parse(struct str args, unsigned long long *n, bool *last)
{
	const char *space = memchr(args.p, ' ', args.n);
	struct str digits = space ? str_sub(args, 0, (size_t)(space - args.p)) : args;
	struct str rest = str_sub(args, digits.n, args.n);

	*last = str_ieq(rest, STR(" LAST"));
	return digits.n <= 20 && str_u64(digits, n) && (*last || !rest.n);
}

static const char *why_not(const struct sess *s)
{
	if (s->conf->tls == SESS_REQUIRE && !s->tls)
		return "530 5.7.0 Must issue a STARTTLS command first\r\n";
	if (s->state == S_MAIL && s->esmtp && s->rcpts)
		return NULL;
	if (s->state == S_MAIL && s->refused && !s->rcpts)
		return "554 5.5.1 No valid recipients\r\n";
	return s->state == S_CHUNKS ? NULL : "503 5.5.1 Bad sequence of commands\r\n";
}

/* As many whole lines as can be held: the first always can. */
static void hold_lines(struct sess *s, struct str reply)
{
	size_t last = 0;

	s->nheld = 0;
	while (reply.n) {
		const char *lf = memchr(reply.p, '\n', reply.n);
		size_t n = lf ? (size_t)(lf + 1 - reply.p) : reply.n;

		if (n > sizeof(s->held) - s->nheld)
			break;
		last = s->nheld;
		memcpy(s->held + s->nheld, reply.p, n);
		s->nheld += n;
		reply = str_sub(reply, n, reply.n);
	}
	if (s->nheld)
		s->held[last + 3] = ' ';
}

/* What is said when the octets of this chunk are gone. */
static void swallow(struct sess *s, struct sess_step *step, struct str reply)
{
	if (!s->chunk) {
		step->reply = reply;
		return;
	}
	hold_lines(s, reply);
	s->after = s->state;
	step->reply = STR("");
	enter(s, S_SWALLOW);
}

void run_bdat(struct sess *s, struct sess_step *step, struct str args)
{
	unsigned long long patience = 2 * size_limit(s) + 1048576;
	const char *why;

	if (s->conf->hide[EXT_CHUNKING] || !parse(args, &s->chunk, &s->last)) {
		say(s, step, s->conf->hide[EXT_CHUNKING] ? NOT_IMPLEMENTED : "501 5.5.4 Syntax: BDAT octets [LAST]\r\n");
		s->final = true; /* how much of what follows is content is not known */
		return;
	}
	if (size_limit(s) && s->chunk > patience) {
		say(s, step, "552 5.3.4 Message is over the size limit\r\n");
		s->final = true;
		return;
	}
	why = why_not(s);
	s->nchunk = s->chunk;
	if (why) {
		s->errors++;
		swallow(s, step, str_of(why));
	} else if (s->state == S_CHUNKS) {
		enter(s, S_CHUNK);
		chunk_bytes(s, step, STR(""));
	} else if (grey_lets_data(s, step)) {
		s->chunking = true;
		ask(s, step, ASK_DATA);
	} else if (step->reply.n) {
		swallow(s, step, step->reply);
	}
}

void chunk_answered(struct sess *s, struct sess_step *step)
{
	if (s->state == S_CHUNK)
		chunk_bytes(s, step, STR(""));
	else if (!s->final)
		swallow(s, step, step->reply);
}

static void accept_chunk(struct sess *s, struct sess_step *step)
{
	struct put o = { .p = s->out, .max = sizeof(s->out) };

	put_text(&o, "250 2.0.0 ");
	put_u64(&o, s->nchunk);
	put_text(&o, " octets received\r\n");
	step->reply = put_done(&o);
	enter(s, S_CHUNKS);
}

static void swallow_bytes(struct sess *s, struct sess_step *step, size_t n)
{
	s->chunk -= n;
	s->deadline_ns = s->now_ns + s->conf->data_timeout_s * NS_PER_S;
	if (s->chunk)
		return;
	memcpy(s->out, s->held, s->nheld);
	step->reply = (struct str){ s->out, s->nheld };
	s->nheld = 0;
	enter(s, (enum sess_state)s->after);
}

size_t chunk_bytes(struct sess *s, struct sess_step *step, struct str in)
{
	size_t n = in.n < s->chunk ? in.n : (size_t)s->chunk;
	bool end; /* there is none inside chunks */

	if (s->state == S_SWALLOW) {
		swallow_bytes(s, step, n);
		return n;
	}
	n = data_take(s, step, str_sub(in, 0, n), s->chunk == n && s->last, &end);
	s->chunk -= n;
	if (s->chunk)
		data_give_up(s, step);
	else if (s->last || s->body.flaws || s->lost)
		data_end(s, step);
	else
		accept_chunk(s, step);
	return n;
}
