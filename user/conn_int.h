/* SPDX-License-Identifier: BSD-2-Clause */
/* conn_int.h: one connection, as the files of conn share it. Nobody else includes it. */
#ifndef CONN_INT_H
#define CONN_INT_H

#include <openssl/ssl.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event_struct.h>

#include "user/conn.h"
#include "user/conn_log.h"

enum conn_phase {
	OPEN,
	TLS_FLUSH, /* the reply to STARTTLS is leaving */
	TLS_SHAKE,
	FLUSH,	/* the last reply is leaving */
	LINGER, /* it has left: the client closes, or what it still says is discarded, so that no reset overtakes the reply */
	HERALD, /* not begun: the balancer has not said yet who the client is */
};

struct conn {
	struct roster_entry who; /* first: the roster hands this back */
	struct conns *cs;
	int fd;
	unsigned listener;
	unsigned char phase, want;
	bool balancer;	/* it says by XCLIENT who the client is */
	bool eof;	/* the client will send no more */
	bool throttled; /* the backend is full: the client is not to blame for silence */
	bool content_begun;
	bool looked;   /* for bytes that wait, when the pause was over */
	bool stutters; /* answers slowly */
	bool more; /* the command being served is not the last that has come */
	struct bufferevent *bev;
	SSL *ssl;
	struct event timer;
	struct event *herald; /* NULL unless the phase is HERALD */
	__u64 deadline_ns, throttled_ns;
	size_t discarded;
	__u64 opened_ns, told_ns; /* the judge heard of the session; of its state, 0 = never */
	__u64 told;		  /* that state, in short */
	__u64 asked_ns;		  /* the backend, which has not replied since; 0 = it owes nothing, or the reply that is being waited for is not the first */
	struct pst_addr local;
	unsigned short port, local_port;
	unsigned score;		 /* points of its source, those of this session included */
	struct backend *backend; /* NULL until a recipient or a login is asked for */
	struct conn_totals totals;
	unsigned told_messages, told_rcpts; /* of which the judge has heard */
	struct sess sess;
};

/* conn.c: does what a step says, and gives the session what bytes it may have. conn_drive() may free c. */
void conn_obey(struct conn *c, const struct sess_step *step);
void conn_drive(struct conn *c);
void conn_listen_to(struct conn *c, struct bufferevent *bev);

/* The session begins: greeting, or handshake. */
void conn_begin(struct conn *c);

/* conn_client.c: who the client is. */
struct sess_peer conn_peer(struct conn *c);
/* Another address than the source's own: a balancer has said so. */
void conn_rename(struct conn *c, const struct pst_addr *addr, unsigned short port);
bool conn_is_over_limit(const struct conn *c, const struct pst_addr *addr);
/* SESS_CLIENT: tells the judge, and lets the session go on with the client that the step names. */
void conn_client(struct conn *c, const struct sess_step *step);

/* conn_ask.c: asks. What is known already is said to the session at once. */
void conn_ask_lists(struct conn *c);
void conn_ask_helo(struct conn *c);

/* conn_herald.c: waits for the header, then calls conn_begin(). Frees c when memory is out. */
void conn_herald_begin(struct conn *c);

/* conn_judge.c: what the judge hears of a session. */
void conn_judge_opened(struct conn *c);
/* Asks whether the step's account may be charged; the answer is conn_charged(). */
void conn_judge_charge(struct conn *c, const struct sess_step *step);
void conn_judge_finding(struct conn *c, const struct finding *f);
void conn_judge_message(struct conn *c);
void conn_judge_closed(struct conn *c);
/* May a recipient pass the greylist? conn_greyed() is the answer, if there is one. */
void conn_judge_grey(struct conn *c, const __u64 key[2]);

/* conn_tarpit.c: answers an octet at a time from now on, if there is room; bev, too, if c does; does so no more. */
void conn_tarpit(struct conn *c);
void conn_tarpit_pace(struct conn *c, struct bufferevent *bev);
void conn_tarpit_leave(struct conn *c);
/* Has it not said all of its last answer yet? How long that may take. */
bool conn_tarpit_speaks(const struct conn *c);
unsigned conn_tarpit_seconds(const struct conn *c);

/* conn_tls.c: the reply to STARTTLS is queued; it has left; hands are shaken, or not. */
void conn_tls_begin(struct conn *c);
void conn_tls_shake(struct conn *c);
void conn_tls_over(struct conn *c, bool ok);

/* conn_end.c, in the order in which it happens. */
void conn_end_gone(struct conn *c);   /* the client will say no more; replies that it is owed still leave */
void conn_end(struct conn *c);	      /* the session is over; its last reply is queued */
void conn_end_linger(struct conn *c); /* the last reply has left */
void conn_end_now(struct conn *c);    /* frees c */

#endif
