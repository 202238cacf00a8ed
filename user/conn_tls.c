/* SPDX-License-Identifier: BSD-2-Clause */
/* conn_tls.c: STARTTLS (RFC 3207). */
#include "user/conn_int.h"

#include <event2/bufferevent_ssl.h>

#include "user/kern.h"
#include "user/log.h"

void conn_tls_over(struct conn *c, bool ok)
{
	struct sess_step step;

	c->phase = OPEN;
	conn_log_before(&c->sess, &c->totals);
	sess_secured(&c->sess, ok, kern_now_ns(), &step);
	conn_obey(c, &step);
	if (ok)
		conn_drive(c);
}

/* Section 4.2: what came in clear after STARTTLS is discarded, here and in the session. */
void conn_tls_begin(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	evbuffer_drain(in, evbuffer_get_length(in));
	bufferevent_disable(c->bev, EV_READ);
	c->phase = TLS_FLUSH;
	bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

void conn_tls_shake(struct conn *c)
{
	SSL_CTX *ctx = c->cs->tls[c->listener];
	struct bufferevent *bev = NULL;

	c->ssl = ctx ? SSL_new(ctx) : NULL;
	if (c->ssl)
		bev = bufferevent_openssl_socket_new(c->cs->base, c->fd, c->ssl, BUFFEREVENT_SSL_ACCEPTING, 0);
	if (!bev) {
		log_warnx("tls-unavailable session=%016llx: out of memory, or none is configured", c->who.id);
		conn_tls_over(c, false);
		return;
	}
	bufferevent_free(c->bev);
	c->bev = bev;
	c->phase = TLS_SHAKE;
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	conn_listen_to(c, bev);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}
