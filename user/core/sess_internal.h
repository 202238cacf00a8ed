/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_internal.h: what the files of one session share. Nobody else includes it. */
#ifndef SESS_INTERNAL_H
#define SESS_INTERNAL_H

#include "user/core/names.h"
#include "user/core/put.h"
#include "user/core/sess.h"
#include "user/core/smtp.h"

enum sess_state {
	S_PAUSE,  /* the teaser is out, the greeting is not: silence is expected */
	S_START,  /* greeted, no EHLO yet */
	S_READY,
	S_MAIL,	  /* in a transaction */
	S_AUTH,	  /* the client owes a continuation line */
	S_DATA,	  /* content comes */
	S_CHUNK,  /* octets of a chunk come */
	S_CHUNKS, /* between two chunks */
	S_SWALLOW, /* octets of a BDAT that was refused come */
	S_END,	  /* the backend owes the message's fate */
	S_TLS,	  /* hands are being shaken */
	S_CLIENT, /* the edge looks up who the client is that the balancer has named */
	S_CLOSED,
};

/* The only way to change state; CLOSED counts how the session and an unfinished message ended. */
void enter(struct sess *s, enum sess_state state);
/*
 * The only way to accuse. Where a test finds the reason (user/core/triage.h), its mode decides what becomes of the client, and only
 * where s->final is set then has the step its reply; otherwise: counts, records, answers with the reason's row and ends the session if that is final.
 */
void found(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str evidence);
/* found() without a reply and without an end: counts and records. */
void accuse(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str evidence);
/* Answers with a whole static line; an own 4xx or 5xx is an error of the session. */
void say(struct sess *s, struct sess_step *step, const char *line);
/* say(), and the session ends with it. end: PST_CNT_SESS_*. */
void say_last(struct sess *s, struct sess_step *step, const char *line, enum pst_counter end);
void ask(struct sess *s, struct sess_step *step, enum sess_ask what);
/* The command is not consumed; it comes again when the client's name is known, or known to be none. */
void await_name(struct sess *s);
/* The command at hand does so, for its name or for the judge's word. */
bool comes_again(const struct sess *s);
static inline struct relay_client client_of(const struct sess *s)
{
	return (struct relay_client){ s->peer.addr, s->authenticated, s->peer.naming, s->peer.unsure, { s->name, s->nname }, s->tls };
}
static inline void tally(struct sess *s, enum pst_counter row)
{
	s->stats->counter[row]++;
}

/* Deferred, not refused: the recipient comes in another transaction (RFC 5321 section 4.5.3.1.10). */
void defer_rcpt(struct sess *s, struct sess_step *step, const char *line);
/* Forgets the transaction; the backend is told when it has heard of it. */
void drop_transaction(struct sess *s, struct sess_step *step);
/* The message whose DATA was begun ends so: PST_CNT_MSG_*. */
void fate(struct sess *s, enum pst_counter row);

/* sess_limit.c: is the client over this ceiling now? */
bool limited(const struct sess *s, enum sess_limit limit);
/* No session, no sender, no recipient, no password: true when the step says so. */
bool over_sessions(struct sess *s, struct sess_step *step);
bool over_mail(struct sess *s, struct sess_step *step);
bool over_rcpt(struct sess *s, struct sess_step *step);
bool over_auth(struct sess *s, struct sess_step *step);

/* sess_commands.c */
void run_line(struct sess *s, struct sess_step *step, const struct line *line, bool more);
/* A refusal of what the client wrote; the reply says it better than the reason's own row does. */
void syntax(struct sess *s, struct sess_step *step, const char *line, struct str evidence);
#define NS_PER_S  1000000000ull
#define NOT_IMPLEMENTED "502 5.5.1 Command not implemented\r\n"

unsigned promised(const struct sess *s); /* enum sess_cap bits whose parameters this client may use */
const struct relay_route *own_route(const struct sess *s); /* of this transaction; NULL = there are no routes */
unsigned long long stricter(unsigned long long a, unsigned long long b); /* of two limits the one that binds; 0 = none */
/* Both by the listener and the route; 0 = none. */
unsigned long long size_limit(const struct sess *s);
unsigned long long session_max(const struct sess *s);

/* sess_filter.c. For the log: a rule of ours is against the recipient, or the sender. */
void deny(struct sess_step *step, const struct mailbox *m, bool sender, const char *why, const char *file, unsigned line);
/* The step's answer to a recipient that relay control refuses or cannot judge yet. */
void refuse_rcpt(struct sess *s, struct sess_step *step, const struct relay_decision *d, const struct mailbox *to, struct str args);
/* False when the step says why this sender may not be one. */
bool sender_fits(struct sess *s, struct sess_step *step, const struct mailbox *from, struct str args);

/* sess_account.c: may the account have this recipient too? False: wait, or the step says why not. */
bool quota_lets(struct sess *s, struct sess_step *step, const struct mailbox *to);
/* The judge has answered, or had its time. */
void quota_told(struct sess *s, bool over);
/*
 * sess_triage.c. condemn(): a test has found reason. By the test's mode it is recorded (observe), every recipient is refused for it
 * from now on (enforce), or the session ends with its reply (drop). Recorded once a session. text: in place of the row's own, without code and CRLF,
 * printable ASCII, SESS_VERDICT_TEXT_MAX octets at most; empty = the row's.
 */
void condemn(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str evidence, struct str text);
/* Likewise, by mode in place of the test's own. */
void condemn_as(struct sess *s, struct sess_step *step, enum triage_mode mode, enum pst_reason reason, struct str evidence, struct str text);
/* OFF also where this client is spared the test. */
enum triage_mode test_mode(const struct sess *s, enum triage_test test);
/* On, and neither remembered as passed nor failed here already. */
bool test_due(const struct sess *s, enum triage_test test);
/* The test ran, and the client has passed it unless it offends later in this session. */
void test_pass(struct sess *s, enum triage_test test);
/* The row's code and enhanced code with text, or with its own. In s->out. */
struct str reply_of(struct sess *s, enum pst_reason reason, struct str text);
/* True: the recipient, which relay control would let pass, is refused because the session is condemned. */
bool rcpt_condemned(struct sess *s, struct sess_step *step, const struct mailbox *to);
void tally_triage(struct sess *s);
/* sess_grey.c: what is noted of the sender; may this recipient be asked for, may DATA? False: wait, or the step says why not. */
void grey_mail(struct sess *s, const struct mailbox *from);
bool grey_lets_rcpt(struct sess *s, struct sess_step *step, const struct mailbox *to);
bool grey_lets_data(struct sess *s, struct sess_step *step);
/* The judge has answered, or had its time. */
void grey_told(struct sess *s, enum sess_grey said, unsigned seconds, bool answered);

/* sess_dnsl.c: asks, unless it has been asked or nobody needs to know. Would the answer be of use, and is it still to come? */
void lists_ask(struct sess *s, struct sess_step *step);
bool lists_awaited(const struct sess *s);

/*
 * sess_helo.c: the tests of the client's name, once it is known; and of whether what it calls itself leads to it, once it has said
 * so, and once its name is known. Does a recipient have to wait for what is still to come?
 */
void name_tests(struct sess *s, struct sess_step *step);
void helo_said(struct sess *s, struct sess_step *step);
void helo_asks(struct sess *s, struct sess_step *step);
bool name_tests_awaited(const struct sess *s);

/* sess_tests.c: EHLO or HELO is in order; so is MAIL; a command has come; the client is gone. A step that ends the session says so. */
void test_helo(struct sess *s, struct sess_step *step);
void test_mail(struct sess *s, struct sess_step *step);
void test_command(struct sess *s, struct sess_step *step, enum smtp_verb verb);
void test_hangup(struct sess *s, struct sess_step *step);

/* sess_ehlo.c */
void run_ehlo(struct sess *s, struct sess_step *step, struct str args);
void run_helo(struct sess *s, struct sess_step *step, struct str args);

/* sess_xclient.c: may this client say XCLIENT now? */
bool may_xclient(const struct sess *s);
void run_xclient(struct sess *s, struct sess_step *step, struct str args);

/* sess.c: connection control, then the greeting: at once, behind the pause, or when the client's name is known. */
void admit(struct sess *s, struct sess_step *step);
/* Greets when nothing is waited for any more. */
void pause_over(struct sess *s, struct sess_step *step);
/* Counts the connection, once. */
void greeted(struct sess *s, enum pst_counter as);
void begin(struct sess *s, __u64 now_ns, struct sess_step *step);
void finish(struct sess *s, struct sess_step *step);
void keep_name(struct sess *s, struct str name);

/* At the backend, which alone knows who it is then. A balancer's word is enough for relay control, but no backend has it. */
static inline bool logged_in(const struct sess *s)
{
	return s->authenticated && !s->vouched;
}

/* sess_auth.c */
void run_starttls(struct sess *s, struct sess_step *step, struct str args);
void run_auth(struct sess *s, struct sess_step *step, struct str args);
void run_continuation(struct sess *s, struct sess_step *step, const struct line *line);
/* A client's line as evidence; empty when it may hold credentials. */
struct str evidence_of(const struct sess *s, struct str line);

static inline bool in_content(const struct sess *s)
{
	return s->state == S_DATA || s->state == S_CHUNK || s->state == S_CHUNKS;
}

/* sess_chunk.c */
void run_bdat(struct sess *s, struct sess_step *step, struct str args);
/* The backend answered the DATA that a first BDAT caused. */
void chunk_answered(struct sess *s, struct sess_step *step);
size_t chunk_bytes(struct sess *s, struct sess_step *step, struct str in);

/* sess_data.c */
void data_begin(struct sess *s);
/* Passes content on and returns the octets consumed. last: in ends the last chunk. *end: the end of data was among them. */
size_t data_take(struct sess *s, struct sess_step *step, struct str in, bool last, bool *end);
/* The content is complete: its fate is asked for, or said. */
void data_end(struct sess *s, struct sess_step *step);
/* Ends the session when a message that is refused anyway does not end. */
void data_give_up(struct sess *s, struct sess_step *step);
size_t data_bytes(struct sess *s, struct sess_step *step, struct str in);
/* The next block is due, or the message has been too slow for too long: whichever comes first. */
void data_deadline(struct sess *s);
/* The session ends inside a message: what was wrong with it so far is said now. */
void data_broken_off(struct sess *s, struct sess_step *step);

/* sess_answer.c */
void take_answer(struct sess *s, struct sess_step *step, enum sess_outcome outcome, const struct reply *r);

#endif
