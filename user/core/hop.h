/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hop.h: the gate's side of the dialogue with a backend, as a state machine: greeting, EHLO (LHLO), STARTTLS, the
 * client's identity (PROXY protocol 1 and 2, XCLIENT), then the asks of one session, and of the next session if the
 * connection may serve one. It owns no socket, reads no clock and allocates nothing. Only lines that the session
 * re-emitted are sent, each checked to be one line.
 *
 * Replies are hostile input. For every command sent there is one entry in due[], and a reply belongs to the first of
 * them: one too many, one too few or one of the wrong kind and the hop is broken. Where the backend offers
 * PIPELINING (RFC 2920), RSET, MAIL and RCPT are sent without waiting; EHLO, STARTTLS, XCLIENT, AUTH and DATA always wait
 * for what went before. DATA never goes along with a RCPT: a 354 after every recipient was refused would have to
 * be answered with an empty message.
 */
#ifndef HOP_H
#define HOP_H

#include "user/core/sess.h"

#define HOP_LINE_MAX  4096 /* a longer reply line breaks the hop */
#define HOP_OUT_MAX   1024
#define HOP_SEND_MAX  4
#define HOP_DUE_MAX   24
#define HOP_RCPTS_MAX 16 /* unanswered at once */

enum hop_xclient { HOP_XCLIENT_NEVER, HOP_XCLIENT_OFFERED, HOP_XCLIENT_MUST };
enum hop_proxy { HOP_PROXY_NONE, HOP_PROXY_V1, HOP_PROXY_V2 };
enum hop_tls { HOP_TLS_OFF, HOP_TLS_MAY, HOP_TLS_REQUIRE };

struct hop_conf {
	const char *hostname; /* the gate's, for EHLO where the client's name is not ours to use */
	enum hop_proxy proxy; /* begin with a header of the PROXY protocol */
	enum hop_xclient xclient;
	enum hop_tls tls;
	bool implicit; /* TLS from the first byte on (behind the PROXY header); tls is REQUIRE then */
	bool lmtp;     /* RFC 2033. A message has one recipient: several could have several fates, a client is told one */
	bool own;      /* nobody's session: the gate asks for itself */
	struct str helo; /* the client's, as parsed; empty = none */
	struct str name; /* its confirmed name; empty = none, or (unsure) not known yet or for now */
	bool unsure;
	unsigned score;	 /* the judge's points of its source */
	bool esmtp;	 /* the client said EHLO */
	struct pst_addr client, local;
	unsigned short client_port, local_port; /* host order */
	__u64 session;
	const char *tls_version, *tls_cipher; /* of the client's connection, NULL = in clear */
};

enum hop_event {
	HOP_WAIT,   /* nothing for the edge but step.send */
	HOP_TLS,    /* send, shake hands, hop_secured() */
	HOP_READY,  /* the dialogue stands and hop.caps holds what the backend offers; step.send may start the ask */
	HOP_ANSWER, /* hop.reply answers the oldest step.answers asks */
	HOP_LACKS,  /* the ask uses what this backend does not offer: ANSWER_CAPS */
	HOP_UNFIT,  /* no session is to be had here (hop.why): close, try another backend */
	HOP_BROKEN, /* out of step, or not SMTP (hop.why): close */
	HOP_OVER,   /* the reply to QUIT */
};

struct hop_step {
	struct str send[HOP_SEND_MAX]; /* bytes for the backend, in order; they live until the next call */
	unsigned nsend, answers;
	unsigned due; /* replies that were due behind this one before anything was sent for it: bytes behind it and 0 = surplus */
	enum hop_event event;
};

enum hop_due { /* what a reply is due for */
	HOP_DUE_GREETING,
	HOP_DUE_EHLO,
	HOP_DUE_STARTTLS,
	HOP_DUE_TLS, /* no reply but a handshake */
	HOP_DUE_XCLIENT,
	HOP_DUE_MAIL,
	HOP_DUE_RCPT,
	HOP_DUE_SKIP, /* a RCPT behind a MAIL that was refused */
	HOP_DUE_AUTH,
	HOP_DUE_DATA,
	HOP_DUE_END,
	HOP_DUE_RSET,
	HOP_DUE_QUIT,
	HOP_DUE_NOTHING,
};

struct hop {
	const struct hop_conf *conf;
	unsigned char phase;
	unsigned char ask;	/* waits for what was sent before it */
	unsigned char ndue;
	unsigned char due[HOP_DUE_MAX]; /* enum hop_due, oldest first */
	bool stood;	/* past greeting, EHLO and identity */
	bool told;	/* the backend knows whom it serves */
	bool reused;	/* it served another session before this one */
	bool worked;	/* a message or a session went over it before: it may be older than the backend likes */
	bool secured;	/* by TLS */
	bool verified;	/* and its certificate is the one it should be */
	bool mail_sent; /* and not refused */
	bool mail_open; /* MAIL was accepted: this transaction cannot move to another connection once a recipient was */
	bool auth_open; /* a 334 awaits its continuation */
	bool authed;	/* nor can this session */
	bool utf8;	/* SMTPUTF8 is in use: replies may hold UTF-8 */
	bool whole;	/* reply holds a whole one */
	bool spoilt;	/* something was refused here, or AUTH was tried: it serves nobody else */
	unsigned rcpts; /* accepted in this transaction */
	struct sess_caps caps;
	unsigned attributes; /* of XCLIENT, as offered */
	struct line_cut cut;
	struct reply reply;
	struct str mail, line;
	const char *why; /* static text */
	size_t nout;
	char out[HOP_OUT_MAX];
};

/* Connected: step.send may hold the PROXY header. conf outlives the hop. */
void hop_init(struct hop *h, const struct hop_conf *conf, struct hop_step *step);
/* After HOP_TLS: hands were shaken. Otherwise the connection is to be closed. */
void hop_secured(struct hop *h, bool verified, struct hop_step *step);
/*
 * Starts an ask, at once or when the dialogue stands. The slices must live until its answer. One ask at a time, but for
 * hop_takes_rcpt(); ASK_RESET has no answer and may be followed by another ask at once. Not for ASK_ABORT: that is closing.
 */
void hop_ask(struct hop *h, enum sess_ask ask, struct str mail, struct str line, struct hop_step *step);
/* At most one reply. Returns the bytes consumed; 0 = needs more. Offer HOP_LINE_MAX bytes at once if there are as many. */
size_t hop_bytes(struct hop *h, struct str in, struct hop_step *step);
/* QUIT if the dialogue allows it now; otherwise send stays empty: just close. */
void hop_quit(struct hop *h, struct hop_step *step);
/*
 * Another session takes over a connection that hop_free() allows; *h->conf speaks of its client already. A backend that
 * took the last client's identity by XCLIENT is told the new one before anything else.
 */
void hop_reuse(struct hop *h, struct hop_step *step);

bool hop_ready(const struct hop *h);   /* past greeting, EHLO and identity */
bool hop_alive(const struct hop *h);   /* may be asked more: no 421, nothing broken */
bool hop_waits(const struct hop *h);   /* a reply is due */
bool hop_content(const struct hop *h); /* 354 was given: message content may be sent */
/*
 * Another ASK_RCPT of the transaction may be asked before the last is answered; its answer comes in turn. A MAIL that is
 * refused meanwhile answers them all.
 */
bool hop_takes_rcpt(const struct hop *h);
/*
 * Nothing is open, nothing was refused, nobody logged in, and the identity was not bound to the connection: another
 * session may have it. idle: and no reply is due any more.
 */
bool hop_free(const struct hop *h, bool idle);
enum hop_due hop_due(const struct hop *h);

#endif
