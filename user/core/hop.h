/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hop.h: the gate's side of the dialogue with a backend, as a state machine: greeting, EHLO, the client's
 * identity (PROXY protocol v1, XCLIENT), then the asks of one session. It owns no socket, reads no clock and
 * allocates nothing. Only lines that the session re-emitted are sent, each checked to be one line.
 * Replies are hostile input: one at a time, in step with what was sent, or the hop is broken.
 */
#ifndef HOP_H
#define HOP_H

#include "user/core/sess.h"

#define HOP_LINE_MAX 4096 /* a longer reply line breaks the hop */
#define HOP_OUT_MAX  1024

enum hop_xclient { HOP_XCLIENT_NEVER, HOP_XCLIENT_OFFERED, HOP_XCLIENT_MUST };

struct hop_conf {
	const char *hostname; /* the gate's, for EHLO where the client's name is not ours to use */
	bool proxy;	      /* begin with a PROXY protocol v1 header */
	enum hop_xclient xclient;
	struct str helo; /* the client's, as parsed; empty = none */
	bool esmtp;	 /* the client said EHLO */
	struct pst_addr client, local;
	unsigned short client_port, local_port; /* host order */
};

enum hop_event {
	HOP_WAIT,   /* nothing for the edge but step.send */
	HOP_READY,  /* the dialogue stands and hop.caps holds what the backend offers; step.send may start the ask */
	HOP_ANSWER, /* hop.reply answers the ask */
	HOP_LACKS,  /* the ask uses what this backend does not offer: ANSWER_CAPS */
	HOP_UNFIT,  /* no session is to be had here (hop.why): close, try another backend */
	HOP_BROKEN, /* out of step, or not SMTP (hop.why): close */
	HOP_OVER,   /* the reply to QUIT */
};

struct hop_step {
	struct str send[2]; /* bytes for the backend, in order; they live until the next call */
	enum hop_event event;
};

struct hop {
	const struct hop_conf *conf;
	unsigned char state, ask;
	bool told;	/* the backend knows whom it serves */
	bool mail_open; /* MAIL was accepted: this transaction cannot move to another connection */
	bool auth_open; /* a 334 awaits its continuation */
	bool authed;	/* nor can this session */
	bool utf8;	/* SMTPUTF8 is in use: replies may hold UTF-8 */
	bool whole;	/* reply holds a whole one */
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
/*
 * Starts an ask, at once or when the dialogue stands. The slices must live until its answer. One ask at a time; ASK_RESET has
 * no answer and may be followed by another ask at once. Not for ASK_ABORT: that is closing.
 */
void hop_ask(struct hop *h, enum sess_ask ask, struct str mail, struct str line, struct hop_step *step);
/* At most one reply. Returns the bytes consumed; 0 = needs more. Offer HOP_LINE_MAX bytes at once if there are as many. */
size_t hop_bytes(struct hop *h, struct str in, struct hop_step *step);
/* QUIT if the dialogue allows it now; otherwise send stays empty: just close. */
void hop_quit(struct hop *h, struct hop_step *step);

bool hop_ready(const struct hop *h);   /* past greeting, EHLO and identity */
bool hop_alive(const struct hop *h);   /* may be asked more: no 421, nothing broken */
bool hop_waits(const struct hop *h);   /* a reply is due */
bool hop_content(const struct hop *h); /* 354 was given: message content may be sent */

#endif
