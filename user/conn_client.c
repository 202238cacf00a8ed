/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn_client.c: who the client of a connection is: the source, or whom a trusted balancer names. From then on standing, findings,
 * bans, the allow list, connection control and the limits are the client's.
 */
#include "user/conn_int.h"

#include "user/core/addr.h"
#include "user/kern.h"

static bool has(const struct pst_prefix *p, size_t n, const struct pst_addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (prefix_covers(&p[i], a))
			return true;
	return false;
}

bool conn_is_balancers(const struct conf *conf, unsigned listener, const struct pst_addr *a)
{
	const struct conf_listener *l = &conf->listener[listener];

	return (l->proxy || l->xclient) && has(conf->balancer, conf->nbalancers, a);
}

bool conn_is_over_limit(const struct conn *c, const struct pst_addr *addr)
{
	unsigned limit = c->cs->conf->sessions_per_source;

	return limit && roster_has(&c->cs->roster, addr, limit);
}

void conn_rename(struct conn *c, const struct pst_addr *addr, unsigned short port)
{
	roster_del(&c->cs->roster, &c->who);
	c->who.addr = *addr;
	c->port = port;
	roster_add(&c->cs->roster, &c->who);
}

struct sess_peer conn_peer(struct conn *c)
{
	struct sess_peer peer = { .addr = c->who.addr, .local = c->local, .id = c->who.id, .balancer = c->balancer, .caps = &c->cs->backs.caps, .room = c->cs->room,
				  .nroom = sizeof(c->cs->room), .stress = c->cs->stress };
	enum sess_lack lack = LACK_NAME;

	peer.check = conn_is_balancers(c->cs->conf, c->listener, &peer.addr);
	peer.allowed = has(c->cs->conf->allow, c->cs->conf->nallow, &peer.addr);
	peer.looked = c->cs->names;
	if (peer.looked)
		peer.naming = !resolve_name(c->cs->names, &peer.addr, &peer.name, &lack);
	peer.unsure = peer.looked ? lack == LACK_ANSWER : c->cs->conf->relay.named;
	peer.unproven = lack == LACK_PROOF;
	return peer;
}

static bool is_other(const struct conn *c, const struct pst_addr *addr)
{
	return memcmp(&c->who.addr, addr, sizeof(*addr)) != 0;
}

/* A login that the balancer tried before is not the client's. */
static void leave_backend(struct conn *c)
{
	if (c->backend)
		backend_leave(c->backend);
	c->backend = NULL;
}

void conn_client(struct conn *c, const struct sess_step *step)
{
	bool other = is_other(c, &step->client), over = other && conn_is_over_limit(c, &step->client);
	struct sess_peer peer;
	struct sess_step next;

	leave_backend(c);
	if (other) {
		conn_judge_closed(c);
		conn_rename(c, &step->client, step->client_port);
		conn_judge_opened(c);
	} else if (step->client_port) {
		c->port = step->client_port;
	}
	peer = conn_peer(c);
	conn_log_before(&c->sess, &c->totals);
	sess_client(&c->sess, over ? NULL : &peer, kern_now_ns(), &next);
	conn_obey(c, &next);
}
