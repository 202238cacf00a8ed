/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend.h: one session's way to a backend: connects when first asked, fails over while nothing
 * is lost by it, speaks through core/hop and bounds what is buffered. A transaction or a login
 * never moves to another connection: when its connection is gone, so is it.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <sys/queue.h>

#include <event2/event.h>

#include "user/config.h"

#define BACKENDS_MAX 64 /* tried; more in a configuration are not used */

struct backend;

/* What the sessions of one worker share. */
struct backends {
	struct event_base *base;
	const struct conf *conf;
	struct pst_stats *stats;
	bool answered;	       /* some backend has, once */
	struct sess_caps caps; /* as last seen in an EHLO reply; what clients are promised */
	__u64 down_until_ns[BACKENDS_MAX]; /* a backend that failed is tried last for a while */
	LIST_HEAD(, backend) all;
};

struct backend_client {
	__u64 session;
	struct pst_addr addr, local;
	unsigned short port, local_port;
	const struct sess *sess; /* read only, for the client's name and the listener's settings */
	/*
	 * Called from the event loop, never from inside a call made here. An answer without an ask comes in the middle of message
	 * content only: the backend refused early or is gone.
	 */
	void (*answer)(void *ctx, enum sess_outcome outcome, const struct reply *r);
	void (*room)(void *ctx); /* no longer full */
	void *ctx;
};

void backends_init(struct backends *bs, struct event_base *base, const struct conf *conf, struct pst_stats *stats);
void backends_free(struct backends *bs);
/* Asks the first backend that answers what it offers, and says QUIT. Results go to bs->caps. */
void backends_probe(struct backends *bs);

/* Opens nothing yet. NULL when memory is out. */
struct backend *backend_new(struct backends *bs, const struct backend_client *client);
/*
 * The slices are copied. ASK_RESET and ASK_ABORT have no answer. route (of ASK_RCPT and ASK_AUTH; others go where those went):
 * index into conf.route, whose backends are tried in their order. A connection to another route's backend is left; the session
 * asks for that only while no recipient of its transaction was accepted and nobody logged in.
 */
void backend_ask(struct backend *b, enum sess_ask ask, unsigned route, struct str mail, struct str line);
/* Message content, as it goes over the wire. Dropped when the backend takes none (any more). */
void backend_content(struct backend *b, struct str bytes);
bool backend_takes_content(const struct backend *b);
/* Over the high-water mark: give no more until room(). */
bool backend_full(const struct backend *b);
/* The backend was told of the client in no other way and its conf wants it told: begin with a Received field. */
bool backend_wants_received(const struct backend *b);
/* Ends it: QUIT if the dialogue allows, otherwise at once. b is gone for the caller, who hears no more. */
void backend_leave(struct backend *b);

#endif
