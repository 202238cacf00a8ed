/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess.h: one SMTP session as a state machine (RFC 5321 and the extensions that the
 * backend offers). It owns no socket, reads no clock, allocates nothing and never
 * frees itself: every door fills one step that tells the edge all it has to do next.
 *
 * Ownership: slices in a step point into the session, the caller's input or static
 * text, and die at the next call on the same session.
 *
 * Order of work for the edge after every door: send the findings to the judge, queue step.reply
 * to the client, pass step.body to the backend, start step.ask, then do what step.want says. While an
 * ask is outstanding (want ASK) no bytes are given to the session, with two exceptions. DATA streams: after a 354 the session
 * wants READ, and an answer may come in at any time. And while ASK_RCPT is outstanding bytes may be given if the edge
 * takes another ASK_RCPT: the session consumes no more than recipients that it asks for then, answered in turn. ask_mail and ask_line must be copied if they cannot be
 * sent at once: an AUTH line is longer than the session and stays in the caller's input.
 *
 * Counters written here: CONN_ACCEPTED, CONN_BANNED, CONN_DENIED and CONN_BUSY (one of them once per session), SESS_*, MSG_*,
 * RCPT_*, AUTH_*, TLS_*, CMD_* (a command that waits for something once), TEST_*, FAILED_* and found[]. CONN_BUSY is the edge's too, which turns away whom
 * there is no room for; BACKEND_* are its alone.
 */
#ifndef SESS_H
#define SESS_H

#include "user/core/account.h"
#include "user/core/body.h"
#include "user/core/dnsl.h"
#include "user/core/finding.h"
#include "user/core/grey.h"
#include "user/core/line.h"
#include "user/core/mend.h"
#include "user/core/quota.h"
#include "user/core/relay.h"
#include "user/core/reply.h"
#include "user/core/sender.h"
#include "user/core/triage.h"

#define SESS_LINE_MAX	   2048	 /* command line incl. CRLF: 512 and the parameters of RFC 1870, 3461, 6531 */
#define SESS_AUTH_LINE_MAX 12290 /* RFC 4954 section 4 */
#define SESS_FINDINGS_MAX  4
#define SESS_OUT_MAX	   1024
#define SESS_ROOM_MIN	   64
#define SESS_ASK_MAX	   1024 /* MAIL or RCPT as re-emitted: the path, ENVID 100, ORCPT 500 and small change */
#define SESS_RATE_GRACE_S  60	/* a slow start is nobody's offence */
#define SESS_RCPTS_MAX	   16	/* recipients asked for and not answered; their lines share SESS_ASK_MAX */
#define QUOTA_WAIT_S	   5	/* for the judge's word on an account; then it counts as a yes */
#define SESS_VERDICT_TEXT_MAX 160 /* of condemn() */
#define SESS_HELD_MAX	   512	/* of a backend's reply that came before the end of data */

/*
 * What a backend offers and the gate parses: keyword in EHLO. The gate has PIPELINING and STARTTLS of its own, whatever the backend
 * says; XCLIENT of the backend is never offered to a client, the gate's own to balancers only (sess_peer.balancer).
 */
#define SESS_EXTENSIONS(X) \
	X(8BITMIME, "8BITMIME") X(SMTPUTF8, "SMTPUTF8") X(DSN, "DSN") X(SIZE, "SIZE") X(AUTH, "AUTH") X(XCLIENT, "XCLIENT") \
	X(PIPELINING, "PIPELINING") X(STARTTLS, "STARTTLS") X(DELIVERBY, "DELIVERBY") \
	X(MT_PRIORITY, "MT-PRIORITY") X(REQUIRETLS, "REQUIRETLS")

enum sess_extension {
#define SESS_X(sym, keyword) EXT_##sym,
	SESS_EXTENSIONS(SESS_X)
#undef SESS_X
	/* what is the gate's own alone, for sess_conf.hide */
	EXT_CHUNKING,
	EXT_LIMITS,
	EXT_VRFY,
	EXT_HELP,
	EXT_MAX
};

enum sess_cap {
#define SESS_X(sym, keyword) CAP_##sym = 1 << EXT_##sym,
	SESS_EXTENSIONS(SESS_X)
#undef SESS_X
};

#define SESS_MECHS_MAX 128
#define SESS_PROFILE_MAX 20 /* RFC 6710 section 4.1 */

struct sess_caps {
	unsigned bits;	     /* enum sess_cap */
	unsigned long long size; /* the backend's SIZE, 0 = none given */
	char mechs[SESS_MECHS_MAX]; /* "PLAIN LOGIN", upper case */
	unsigned deliverby_min_s;   /* RFC 2852 section 4.2; 0 = none given */
	char profile[SESS_PROFILE_MAX + 1]; /* of MT-PRIORITY; "" = none given */
};

enum sess_level { SESS_OFF, SESS_OFFER, SESS_REQUIRE };

struct sess_conf {
	const char *hostname; /* in the greeting and the EHLO reply */
	const char *banner;   /* after the host name; no version */
	unsigned greet_pause_ms;
	unsigned stress_pause_ms;   /* in its place, if it is shorter, under stress */
	unsigned command_timeout_s; /* from the last reply to a whole command */
	unsigned data_timeout_s;    /* between blocks of a message */
	unsigned data_rate;	    /* octets of content a second, on the average since 354 and SESS_RATE_GRACE_S; 0 = no minimum */
	unsigned tls_timeout_s;	    /* for the handshake */
	unsigned name_timeout_s;    /* for the client's name, where a decision needs it; then it has none */
	unsigned answer_timeout_s;  /* the gate's wait for the backend's reply to the end of data */
	unsigned commands_max;	    /* that bring no mail forward, in a row; 0 = no limit */
	unsigned errors_max;	    /* 4xx/5xx of the session's own making before 421 */
	unsigned auth_failures_max; /* refused logins, behind which the next one is 421; 0 = no limit */
	unsigned rcpt_max;	    /* accepted recipients of one message */
	unsigned messages_max;	    /* 0 = no limit */
	unsigned null_rcpt_max;	    /* recipients of a message from <>; 0 = rcpt_max alone. A DSN has one (RFC 3461) */
	unsigned long long session_max; /* octets of content of all messages; 0 = no limit */
	enum pst_mode own_sender;   /* a sender in a domain of ours, from a client that may not relay */
	const struct sender_rules *senders;
	const struct grey_rules *grey; /* NULL = there is no greylist */
	const struct dnsl_rules *dnsl; /* NULL = there are no DNS lists */
	struct body_limits body;
	struct mend_rules mend;
	bool hide[EXT_MAX]; /* neither offered nor served, though gate and backend have it */
	bool closed;	    /* this host takes no mail: 521 (RFC 7504) */
	enum sess_level tls;
	bool tls_implicit; /* from the first byte on: RFC 8314 section 3 */
	enum sess_level auth;
	bool auth_cleartext; /* AUTH without TLS, for listeners on trusted wires */
	const struct relay_rules *relay;
	enum pst_mode account_sender; /* a sender that is not the account's own, from a client that authenticated */
	const struct account_rules *accounts; /* NULL = there are none */
	bool tested; /* the client is, by the rows of test[] */
	bool backup; /* a stranger should have come to another host first */
	struct triage_rule test[TEST_MAX];
};

struct sess_peer {
	struct pst_addr addr;
	struct pst_addr local; /* ours, that it has come to; all zero = not known */
	__u64 id; /* the session's name in logs and findings */
	bool allowed; /* allow-listed: no greet pause, no findings */
	bool check;   /* a balancer's own connection, as its health checks make them: no greet pause */
	bool balancer; /* trusted, and expected to say by XCLIENT who the client is: no greet pause, connection control waits */
	bool naming;  /* its name is being looked up: sess_named() follows, once */
	struct str name; /* known already, as sess_named() would tell it; copied */
	bool unsure;	 /* likewise: there was no answer */
	bool unproven;	 /* likewise: it has one that does not lead back to it */
	bool looked;	 /* its name is, or was, looked up at all */
	bool stress;	 /* the gate has more clients than is good for it: a shorter pause, and the greylist's mode of that name */
	const struct sess_caps *caps; /* the backend's, as last seen; copied at EHLO */
	char *room;   /* for content that is changed on its way; sessions may share it: it is used in one call, until its step is obeyed */
	size_t nroom; /* SESS_ROOM_MIN at least */
};

/* Why a client has no name. */
enum sess_lack { LACK_NAME, LACK_ANSWER, LACK_PROOF };

/* What the judge knows of the source. */
enum sess_standing { STANDING_UNKNOWN, STANDING_KNOWN, STANDING_BANNED };

/* Ceilings that a source, its prefix or all together are over now. */
enum sess_limit {
	LIMIT_SESSIONS = 1 << 0, /* no further session: 421 */
	LIMIT_MAIL = 1 << 1,	 /* no further message: 450 to MAIL */
	LIMIT_RCPT = 1 << 2,	 /* no further recipient: 450 to RCPT */
	LIMIT_AUTH = 1 << 3,	 /* no further try of a password: 421 to AUTH */
	LIMITS = 4,
	LIMIT_ALL = (1 << LIMITS) - 1,
};

/* The judge's word. It may come again while the session lives: standing BANNED ends it, limits hold from then on, for limit_s. */
struct sess_word {
	enum sess_standing standing;
	unsigned passes; /* a bit per enum triage_test that the source has passed and that is remembered */
	unsigned limits; /* enum sess_limit */
	unsigned limit_s;
	unsigned score;	 /* whole points, for the backend */
	bool stutter;	 /* answer slowly */
};

enum sess_want {
	SESS_READ,  /* give client bytes; step.deadline_ns is set */
	SESS_ASK,   /* wait for the answer to step.ask before giving bytes, but for another recipient; see above */
	SESS_NAME,  /* wait for sess_named() before giving bytes, those not consumed among them; step.deadline_ns is set */
	SESS_TLS,   /* discard all input not yet consumed, flush the reply, shake hands, call sess_secured() */
	SESS_CLIENT, /* the balancer has named its client: find out about step.client, call sess_client() at once */
	SESS_CLOSE, /* flush the reply, close */
	SESS_QUOTA, /* wait for sess_charged() before giving bytes, those not consumed among them; step.deadline_ns is set */
	SESS_GREY,  /* wait for sess_greyed() before giving bytes, those not consumed among them; step.deadline_ns is set */
};

enum sess_ask {
	ASK_NONE,
	ASK_RCPT,  /* connect if need be; send ask_mail unless this transaction's MAIL is accepted already; then ask_line */
	ASK_AUTH,  /* connect if need be; send ask_line: "AUTH ..." or a continuation */
	ASK_DATA,  /* send DATA */
	ASK_END,   /* send ".\r\n": the reply is the message's fate */
	ASK_RESET, /* send RSET, await no answer for the client */
	ASK_ABORT, /* close the backend connection at once: what was sent must not be delivered */
};

/* A sender or recipient that a rule of ours refused, for the log. */
struct sess_denied {
	const char *why;	     /* a word; NULL = nothing was denied */
	bool observed;		     /* it would have been: the rule only observes */
	bool sender;		     /* it is the sender; otherwise a recipient */
	const char *file;	     /* of the rule, NULL = built in */
	unsigned line;
	size_t npath;
	char path[MAILBOX_TEXT_MAX]; /* canonical, in angle brackets */
};

struct sess_step {
	struct str reply;
	enum sess_want want;
	__u64 deadline_ns; /* sess_tick() then at the latest; ~0 = none */
	enum sess_ask ask;
	struct str ask_mail, ask_line; /* without CRLF */
	unsigned route; /* of ASK_RCPT and ASK_AUTH: index into the configuration's routes. Until a recipient is accepted it may change */
	struct str body[2];	       /* message octets for the backend, in order */
	struct pst_addr client;	       /* of SESS_CLIENT; the one it was, unless the balancer gave an address */
	unsigned short client_port;    /* likewise; 0 = not told */
	struct str account;	       /* of SESS_QUOTA, the first time: the judge is asked about it; empty = it has been asked */
	unsigned charge[QUOTAS];       /* what the account is to be charged with */
	__u64 grey[2];		       /* of SESS_GREY: what the judge is asked about; both 0 = it has been asked */
	struct finding found[SESS_FINDINGS_MAX];
	unsigned nfound;
	bool helo;  /* find out whether the session's helo leads to the client's address; sess_helo_led() is the answer */
	bool lists; /* ask the DNS lists about the client; sess_listed() is the answer, whenever it comes */
	struct sess_denied denied;
	struct str said; /* the command line that was served, "(hidden)" where credentials may be in it; empty = none */
};

enum sess_outcome {
	ANSWER_REPLY, /* the backend replied to the oldest ask */
	ANSWER_DOWN,  /* no backend could be reached, or it went away: a temporary failure of all asks, never a permanent one */
	ANSWER_BUSY,  /* every backend had as many connections as it may have, for as long as a session waits: as DOWN, before anything was begun */
	ANSWER_CAPS,  /* the backend no longer offers what the client was promised in the oldest ask */
};

struct sess_rcpt { /* asked for */
	unsigned short nline;
	bool own; /* in a domain of ours */
};

struct sess {
	const struct sess_conf *conf;
	struct pst_stats *stats; /* the edge's own row; counters are plain increments */
	struct sess_peer peer;
	struct sess_caps caps; /* as promised in the last EHLO reply */
	__u64 now_ns, deadline_ns;
	__u64 arrived_ns; /* of the bytes at hand; 0 = not told */
	unsigned char state, asked, end; /* end: offset of the SESS_ counter, counted at CLOSE */
	unsigned char form; /* enum account_form of the mechanism under way, until its first response has come */
	unsigned char after; /* the state behind the octets of a refused BDAT */
	bool chunking;	     /* the message comes by BDAT */
	bool last;	     /* this chunk is the last */
	bool esmtp, tls, authenticated;
	bool final;	/* the session ends with this reply */
	bool greeted;	/* the connection is counted */
	bool secrets;	/* AUTH was tried: what follows may be credentials, so no evidence is kept */
	bool utf8;	/* this transaction's MAIL carried SMTPUTF8 */
	bool blank;	/* its sender is <> */
	bool own;	/* the recipient being asked for is in a domain of ours */
	bool begun;	/* the backend has seen this transaction */
	bool refused;	/* a recipient of this transaction was refused */
	bool lost;	/* the backend can no longer take this message: held says why */
	bool unnamed;	/* a decision waits for the client's name */
	bool name_tested; /* the tests of it have run */
	bool helo_asked;  /* whether helo leads to the client */
	bool helo_tested; /* and that is known, or nobody can tell */
	bool told;	/* XCLIENT said who the client is */
	bool met;	/* it will not be said again: what comes now may be the client's own words, passed through */
	bool told_name, told_helo; /* both as the balancer has them; name and helo are not to be replaced */
	bool vouched;	/* authenticated by the balancer's word: no backend knows of it */
	bool heard;	/* the judge has spoken */
	bool good;	/* the judge has said STANDING_KNOWN */
	bool known;	/* the judge has said so, while the greeting waited for the name */
	struct {
		bool asking, told, over; /* the judge is asked; it has spoken or had its time; what it said */
		bool charged;		 /* this message is counted */
		__u64 until_ns;
	} quota;
	bool spared;	/* a remembered pass, or that the judge knows the source, took the place of a test */
	bool dropped;	/* by a test */
	unsigned char condemned; /* enum pst_reason: every recipient is refused with verdict; 0 = not condemned */
	unsigned remembered, passed, offended; /* a bit per enum triage_test: by the judge's word; here; caught here */
	struct {
		bool asked, told; /* the DNS lists are; what they say has been heard */
		bool skips;	  /* they speak for the client: it is spared what the allow list is spared */
		__u64 until_ns;	  /* the pass of their test lives no longer; 0 = there is none */
	} lists;
	struct {
		bool spared; /* this transaction's sender is exempt */
		bool open;   /* it is <>, and a recipient is to be asked about at DATA */
		bool asking, told, answered; /* the judge is asked, it has spoken or had its time, it has spoken */
		bool known;	    /* its source waits no more */
		unsigned char said; /* enum sess_grey */
		unsigned seconds;
		__u64 sender[2], key[2]; /* of this transaction's sender; of the question */
		__u64 until_ns;
	} grey;
	unsigned errors, rcpts, messages, auth_failures;
	unsigned idle, idle_messages; /* commands that brought no mail forward since so many messages */
	unsigned nrcpt; /* not answered: more than one only of ASK_RCPT */
	unsigned route;		    /* of this transaction's recipients; see transaction_route() */
	unsigned diverted;	    /* the route of a sender list, which all recipients of this transaction take; 0 = none */
	unsigned long long declared; /* SIZE of this transaction's MAIL, 0 = none */
	__u64 name_until_ns;	    /* then the client has no name */
	__u64 limited_ns[LIMITS];   /* until when each enum sess_limit holds, by its bit */
	unsigned long long content; /* octets of the messages before this one */
	__u64 data_ns;		    /* 354 was said, later by what the backend made the client wait */
	struct line_cut cut;
	struct body body;
	struct mend mend;
	unsigned long long chunk, nchunk; /* octets of the chunk: still to come, all */
	char account[ACCOUNT_MAX + 1];	  /* as the client gave it; its own once authenticated. "" = not known */
	size_t nhelo, nname, nmail, nline, nheld;
	char name[MAILBOX_DOMAIN_MAX + 1]; /* of the client, confirmed; NUL-terminated */
	char helo[MAILBOX_DOMAIN_MAX + 1]; /* canonical, NUL-terminated */
	char mail[SESS_ASK_MAX];	   /* MAIL as re-emitted for the backend */
	char line[SESS_ASK_MAX];	   /* RCPTs as re-emitted that are not answered, one behind the other, oldest first */
	struct sess_rcpt rcpt[SESS_RCPTS_MAX]; /* of each */
	char held[SESS_HELD_MAX];	   /* the reply that waits for the end of data */
	size_t nverdict;
	char verdict[SESS_VERDICT_TEXT_MAX + 16];
	char out[SESS_OUT_MAX];
};

/* The doors. Each fills *step completely. now_ns: CLOCK_MONOTONIC. */
void sess_open(struct sess *s, const struct sess_conf *c, const struct sess_peer *p, struct pst_stats *stats, __u64 now_ns, struct sess_step *step);
void sess_standing(struct sess *s, const struct sess_word *word, __u64 now_ns, struct sess_step *step);
/*
 * Limits alone, for limit_s seconds from now: what the session asks for meanwhile is deferred. They hold neither for allowed sources
 * and balancers nor for who authenticated, and they never cut a transaction that has begun. own: they are the source's and not
 * those of a crowd, of which a known source is no part.
 */
void sess_limit(struct sess *s, unsigned limits, unsigned limit_s, bool own, __u64 now_ns);
/*
 * What came of the lookup of the client's name: canonical, or empty when it has none or none could be confirmed. lack: why it is
 * empty; where nobody answered, what only a name could grant is deferred.
 */
void sess_named(struct sess *s, struct str name, enum sess_lack lack, __u64 now_ns, struct sess_step *step);
/*
 * The answer to SESS_CLIENT: p is the client whom the balancer has named, told as sess_open() is. The session starts anew with its
 * greeting, or ends by connection control; LOGIN, HELO and NAME of XCLIENT hold, TLS stays. p NULL: that client has too many sessions, 421.
 * No message was begun before: the judge is told that the balancer's session is over, and that the client's has begun.
 */
void sess_client(struct sess *s, const struct sess_peer *p, __u64 now_ns, struct sess_step *step);
/*
 * The bytes that the next sess_bytes() offers came at when_ns at the latest, as the kernel has it; untold, they came now. A gate
 * that is late with its greeting must not accuse a client that kept to the pause.
 */
void sess_arrived(struct sess *s, __u64 when_ns);
/* At most one command, or one block of message content. Returns the bytes consumed; 0 with want READ = needs more. */
size_t sess_bytes(struct sess *s, struct str in, __u64 now_ns, struct sess_step *step);
void sess_answer(struct sess *s, enum sess_outcome outcome, const struct reply *r, __u64 now_ns, struct sess_step *step);
void sess_secured(struct sess *s, bool ok, __u64 now_ns, struct sess_step *step);
/* The judge's answer to SESS_QUOTA: over = the account's hour is used up. Ignored when nobody asks. */
void sess_charged(struct sess *s, bool over, __u64 now_ns, struct sess_step *step);
/* The judge's answer to SESS_GREY; one to an older question is ignored. */
void sess_greyed(struct sess *s, const __u64 key[2], enum sess_grey said, unsigned seconds, __u64 now_ns, struct sess_step *step);
/* Whether helo, as the session had it when it asked, leads to the client's address; unsure: nobody answered. An answer to another is ignored. */
void sess_helo_led(struct sess *s, struct str helo, bool leads, bool unsure, __u64 now_ns, struct sess_step *step);
/*
 * What the DNS lists say, in answer to step.lists: once, when all zones have answered or had their time, or when it is SKIP whatever
 * the others will say. It may come at any time, or never.
 */
void sess_listed(struct sess *s, const struct dnsl_verdict *v, __u64 now_ns, struct sess_step *step);
/* The client was not read from for so long because the backend was too slow: not the client's fault. */
void sess_waited(struct sess *s, __u64 waited_ns);
void sess_tick(struct sess *s, __u64 now_ns, struct sess_step *step);
void sess_gone(struct sess *s, __u64 now_ns, struct sess_step *step); /* the client hung up */
/* Ends the session politely: banned while live (421 4.7.0), or the daemon is stopping (421 4.3.2). Mid-message it aborts the backend. */
void sess_end(struct sess *s, bool banned, __u64 now_ns, struct sess_step *step);

/* Tests that the client has passed in this session, a bit per enum triage_test: what the judge is to remember. */
unsigned sess_passes(const struct sess *s);

/* "Received: ..." field for backends that take the client's identity no other way (RFC 5321 section 4.4). CRLF-ended; parsed values only. */
size_t sess_received(const struct sess *s, const char *date, char *out, size_t size);

#endif
