/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend.h: one session's way to a backend: connects when first asked, fails over while nothing
 * is lost by it, speaks through core/hop and bounds what is buffered. A transaction in which a recipient was accepted
 * and a login never move to another connection: when their connection is gone, so are they. A connection that a
 * session leaves as it found it may serve another session; see hop_free().
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "user/config.h"
#include "user/core/pick.h"
#include "user/ipc.h"

#define BACKENDS_MAX  PICK_MAX /* tried; more in a configuration are not used */
#define BACKEND_TURNS 4

struct backend;
struct hop_conf;
struct link;
struct waiter;

LIST_HEAD(link_list, link);
TAILQ_HEAD(waiter_list, waiter);

/* One backend, as one worker sees it. */
struct backend_state {
	struct pick_conf pick;
	bool answered;	       /* once, at least */
	struct sess_caps caps; /* as last seen in an EHLO reply */
	struct event *check;   /* the next one */
	struct link_list idle; /* connections that wait for a session */
	unsigned nidle;
	__u64 sessions, checks, failures; /* served; ended; connections that came to nothing */
	__u64 since_ns, error_ns;	  /* it is up or down since; 0 = never */
	char error[IPC_ERROR_MAX];	  /* the last one */
	struct ipc_backend told;	  /* to the judge, */
	__u64 told_ns;			  /* then */
};

/* What the sessions of one worker share. */
struct backends {
	struct event_base *base;
	const struct conf *conf;
	void *const *tls; /* one context per conf->backend: tls_client_load()'s, NULL = none */
	struct pst_stats *stats;
	struct sess_caps caps; /* what clients are promised: what the backends that answered have in common */
	size_t n;
	struct backend_state state[BACKENDS_MAX];
	struct pick pick[BACKENDS_MAX];
	struct link_list links; /* all that are not idle */
	LIST_HEAD(, backend) all;
	struct waiter_list waiting[BACKEND_TURNS]; /* for room at a backend */
	unsigned nwaiting;
	__u64 waits_said_ns;
	struct event room; /* lets them in */
};

struct backend_client {
	__u64 session;
	struct pst_addr addr, local;
	unsigned short port, local_port;
	const struct sess *sess; /* read only, for the client's names and the listener's settings */
	const unsigned *score;	 /* likewise: of the client's source, by now */
	const char *tls_version, *tls_cipher; /* of the client's connection, static; NULL = in clear */
	/*
	 * Called from the event loop, never from inside a call made here. An answer without an ask comes in the middle of message
	 * content only: the backend refused early or is gone.
	 */
	void (*answer)(void *ctx, enum sess_outcome outcome, const struct reply *r);
	void (*room)(void *ctx); /* no longer full */
	void *ctx;
};

/* tls: as in struct backends; NULL = no backend has any. Checks begin when the loop runs. */
void backends_init(struct backends *bs, struct event_base *base, const struct conf *conf, void *const *tls, struct pst_stats *stats);
void backends_free(struct backends *bs);
/* Once a second: tells the judge of those that fare otherwise than it was told, and of all every ten seconds. It is not waited for. */
void backends_tell(struct backends *bs, int judge_fd);

/* Connections to all backends, whatever they do: a descriptor each. */
size_t backends_links(const struct backends *bs);

/* How the gate speaks to a backend for itself, but for the addresses: nobody's session yet. */
void backend_speak(const struct conf_backend *c, const char *hostname, struct hop_conf *h);

/* Opens nothing yet. NULL when memory is out. */
struct backend *backend_new(struct backends *bs, const struct backend_client *client);
/*
 * The slices are copied. One ask at a time, but for backend_takes_rcpt(). ASK_RESET and ASK_ABORT have no answer. route (of ASK_RCPT and ASK_AUTH; others go where those went):
 * index into conf.route. A connection to another route's backend is left; the session asks for that only while no recipient
 * of its transaction was accepted and nobody logged in. more: more of the client's commands have come already, so a recipient waits
 * a turn of the loop for others that leave with it.
 */
void backend_ask(struct backend *b, enum sess_ask ask, unsigned route, struct str mail, struct str line, bool more);
/*
 * ASK_RCPT is unanswered, and another of the same transaction and route may be asked: it goes to the backend as soon as that
 * takes it, and is answered in turn. ANSWER_DOWN and ANSWER_BUSY answer all of them at once.
 */
bool backend_takes_rcpt(const struct backend *b);
/*
 * Message content, as it goes over the wire, in three parts at most. Dropped when the backend takes none (any more).
 * end: ASK_END follows at once, before the parts die, and they leave with it.
 */
void backend_content(struct backend *b, const struct str *part, unsigned n, bool end);
bool backend_takes_content(const struct backend *b);
/* Over the high-water mark: give no more until room(). */
bool backend_full(const struct backend *b);
/* Of the connection that it has now, as the configuration calls it; NULL = none. */
const char *backend_name(const struct backend *b);
/* The backend was told of the client in no other way and its conf wants it told: begin with a Received field. */
bool backend_wants_received(const struct backend *b);
/* Ends it: the connection is kept for another session, or QUIT. b is gone for the caller, who hears no more. */
void backend_leave(struct backend *b);

#endif
