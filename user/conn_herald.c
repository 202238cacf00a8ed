/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn_herald.c: a balancer's connection begins with the header that names the client (core/herald.h). It is read from the
 * socket to its last octet and no further, for a TLS handshake may follow it.
 */
#include "user/conn_int.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "user/core/addr.h"
#include "user/core/herald.h"
#include "user/log.h"

#define HERALD_S 5

static void turn_away(struct conn *c, const char *why)
{
	char addr[ADDR_TEXT_MAX];

	log_warnx("balancer-refused session=%016llx balancer=%s: %s", c->who.id, addr_text(&c->who.addr, addr), why);
	c->cs->stats->counter[PST_CNT_CONN_BUSY]++;
	conn_end_now(c);
}

static void take_client(struct conn *c, const struct herald *h)
{
	if (!h->known)
		return;
	conn_rename(c, &h->client, h->client_port);
	c->local = h->local;
	c->local_port = h->local_port;
}

static void on_announced(struct conn *c, const struct herald *h)
{
	char header[HERALD_MAX];
	int low = 1;

	if (recv(c->fd, header, h->n, MSG_DONTWAIT) != (ssize_t)h->n) {
		turn_away(c, "its header could not be read");
		return;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
	event_free(c->herald);
	c->herald = NULL;
	if (h->known && conn_is_over_limit(c, &h->client)) {
		send(c->fd, CONN_BUSY_SOURCE, strlen(CONN_BUSY_SOURCE), MSG_DONTWAIT | MSG_NOSIGNAL);
		turn_away(c, "its client has too many connections");
		return;
	}
	take_client(c, h);
	conn_begin(c);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;
	char header[HERALD_MAX];
	struct herald h;
	ssize_t n = recv(fd, header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);
	int low = (int)n + 1; /* to be woken when there is more than this, not again for the same octets */

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_end_now(c);
		return;
	}
	switch (herald_take((struct str){ header, (size_t)n }, &h)) {
	case HERALD_MORE:
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
		return;
	case HERALD_BAD:
		turn_away(c, "no PROXY header came; is the balancer told to send one?");
		return;
	case HERALD_DONE:
		on_announced(c, &h);
	}
}

void conn_herald_begin(struct conn *c)
{
	struct timeval tv = { .tv_sec = HERALD_S };

	c->phase = HERALD;
	c->herald = event_new(c->cs->base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	if (!c->herald || event_add(c->herald, NULL))
		turn_away(c, "out of memory");
	else
		event_add(&c->timer, &tv);
}
