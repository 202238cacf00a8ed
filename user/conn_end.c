/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn_end.c: how a connection ends so that its last reply arrives: flush it, shut down our half, discard what
 * the client still says until it closes, and only then close. Each stage has its limit.
 */
#include "user/conn_int.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/core/span.h"
#include "user/core/when.h"
#include "user/kern.h"

#define FLUSH_S	 10 /* for the last reply to leave */
#define LINGER_S 2  /* for the client to close after it */

static void arm_s(struct conn *c, unsigned seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	c->deadline_ns = 0;
	event_add(&c->timer, &tv);
}

void conn_end_now(struct conn *c)
{
	struct conns *cs = c->cs;

	if (c->backend)
		backend_leave(c->backend);
	event_del(&c->timer);
	if (c->herald)
		event_free(c->herald);
	if (c->bev)
		bufferevent_free(c->bev);
	if (c->ssl)
		SSL_free(c->ssl);
	close(c->fd);
	cs->live[c->listener]--;
	conn_tarpit_leave(c);
	roster_del(&cs->roster, &c->who);
	free(c);
	if (!cs->roster.used && cs->emptied)
		cs->emptied(cs);
}

void conn_end_linger(struct conn *c)
{
	if (c->ssl)
		SSL_shutdown(c->ssl);
	ERR_clear_error(); /* the next session must not find this one's troubles in the queue */
	shutdown(c->fd, SHUT_WR);
	c->phase = LINGER;
	bufferevent_disable(c->bev, EV_WRITE);
	bufferevent_enable(c->bev, EV_READ);
	arm_s(c, LINGER_S);
}

void conn_end(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	if (c->phase >= FLUSH)
		return;
	conn_log_session(&c->sess, &c->totals, c->ssl);
	span_count(c->cs->stats, PST_SPAN_SESSION, when_since(c->opened_ns, kern_now_ns()));
	conn_judge_closed(c);
	if (c->backend)
		backend_leave(c->backend);
	c->backend = NULL;
	evbuffer_drain(in, evbuffer_get_length(in));
	c->phase = FLUSH;
	bufferevent_disable(c->bev, EV_READ);
	arm_s(c, FLUSH_S + conn_tarpit_seconds(c));
	/* Queued or not, the write callback comes from the loop: no caller up the stack loses c. */
	bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

void conn_end_gone(struct conn *c)
{
	struct sess_step step;

	if (c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_gone(&c->sess, kern_now_ns(), &step);
	conn_obey(c, &step);
}
