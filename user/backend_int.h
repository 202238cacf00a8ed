/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend_int.h: what the files of the way to a backend share, and nobody else includes.
 *
 *   backend.c       a session's asks: where they go, what becomes of them when a connection fails
 *   backend_link.c  one connection: bytes, deadlines, TLS; it serves a session, waits for one, or is a check
 *   backend_set.c   all backends of a worker: which is next, which are up, what they offer
 *   backend_wait.c  sessions for which no backend has room, and whose turn it is
 */
#ifndef BACKEND_INT_H
#define BACKEND_INT_H

#include <openssl/ssl.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event_struct.h>

#include "user/backend.h"
#include "user/core/hop.h"

#define LINK_PARTS_MAX 3

enum link_use { LINK_SERVING, LINK_IDLE, LINK_LEAVING, LINK_CHECK };

struct link {
	LIST_ENTRY(link) entry;
	struct backends *bs;
	struct backend *owner; /* SERVING only */
	struct bufferevent *bev;
	SSL *ssl;
	struct event timer; /* connecting, a reply due, or idle for too long */
	unsigned at;	    /* index into conf->backend */
	unsigned char use;
	bool connected, counted_up;
	bool *gone; /* set when it is freed while somebody still has work with it */
	unsigned sessions; /* that it served, this one included */
	struct str held[LINK_PARTS_MAX];
	unsigned nheld;
	struct hop_conf conf;
	struct hop hop;
};

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	struct backend *owner;
	unsigned route;
	unsigned char turn;
	bool in, fresh; /* it waits; it has been nowhere yet */
};

/* --- backend_link.c --- */

/* A new connection; what happens on it is told to owner, or is a check when there is none. NULL = at once impossible. */
struct link *link_open(struct backends *bs, unsigned at, struct backend *owner);
/* One that waits, as if it were new; NULL = none does. Says nothing to the backend before link_greet(). */
struct link *link_take(struct backends *bs, unsigned at, struct backend *owner);
/* Tells the backend about the new session. False: it is gone, without a word to the owner. */
bool link_greet(struct link *l);
/* Passes an ask on. HOP_WAIT: under way; otherwise what became of it, and nothing was sent. more: another follows, let them leave together. */
enum hop_event link_ask(struct link *l, enum sess_ask ask, struct str mail, struct str line, bool more);
/* Bytes behind whatever waits. n <= LINK_PARTS_MAX */
void link_send(struct link *l, const struct str *part, unsigned n);
/* Bytes that leave together with the next ask, which comes before they die. */
void link_hold(struct link *l, const struct str *part, unsigned n);
/* The session is done with it: keeps it for another, says QUIT, or closes. */
void link_release(struct link *l);
void link_close(struct link *l);

/* --- backend.c, called by the link of a session; b may be gone when these return --- */
void backend_connected(struct backend *b);
void backend_stands(struct backend *b); /* the dialogue does; the first ask is under way */
/* The link's reply answers its oldest asks. over: the connection is of no more use. */
void backend_answered(struct backend *b, unsigned answers, bool over);
void backend_lacks(struct backend *b);
void backend_unfit(struct backend *b, const char *why);  /* the connection is of no use */
void backend_dropped(struct backend *b, const char *why); /* it is gone, or out of step */
void backend_drained(struct backend *b);
const struct backend_client *backend_client_of(const struct backend *b);
unsigned backend_end_timeout_s(const struct backend *b); /* for the backend's word on a message */

/* One that waits takes a connection, or hears that there is none to be had. False: it waits on. */
bool backend_enter(struct backend *b);

/* --- backend_wait.c --- */

/* Whose turn it is first, and whom the last connections are for: known clients and who logged in, then strangers with mail, then those that log in, then those with points. */
unsigned wait_turn(const struct backend_client *client, enum sess_ask ask);
/* Percent of a backend's connections that are not for that turn. */
unsigned wait_keep(unsigned turn);
/* Behind those of its turn. */
void wait_join(struct backends *bs, struct waiter *w);
void wait_leave(struct backends *bs, struct waiter *w); /* also one that does not wait */
/* There may be room: they are let in, in the order of their turns, when the loop goes round. */
void wait_room(struct backends *bs);
/* Sessions that wait and that this one could serve. */
unsigned wait_count(const struct backends *bs, unsigned at);
void wait_init(struct backends *bs);
void wait_free(struct backends *bs);

/* --- backend_set.c --- */

/* A bit for each of the route's backends. */
unsigned long long set_members(const struct backends *bs, unsigned route);
/* The next one of the route whose bit is not set in tried; -1 = none is left. keep: pick_is_full()'s. */
int set_next(struct backends *bs, unsigned route, unsigned long long tried, unsigned keep);
/* One of those is full: there will be room. */
bool set_full(const struct backends *bs, unsigned route, unsigned long long tried, unsigned keep);
/* A link is up to work, or came to nothing: said once, not once per session. */
void set_up(struct link *l);
void set_down(struct link *l, const char *why);
/* It would not speak with us (421) while it serves others of ours: it is full, not down, and true is returned. */
bool set_busy(struct link *l, const char *why);
void set_check_over(struct link *l);
/* Closes those that wait for a session. */
void set_flush(struct backends *bs, unsigned at);

#endif
