/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn_tarpit.c: sessions that are answered an octet at a time, for the judge expects to ban their source soon. There are so many places
 * and no more, and such a session costs no more memory than another: it is not read on before its answer has left.
 */
#include "user/conn_int.h"

#include "user/log.h"

/* One octet a tick; what comes in is bounded elsewhere. */
static struct ev_token_bucket_cfg *pace_of(struct conns *cs)
{
	unsigned ms = cs->conf->tarpit.octet_ms ? cs->conf->tarpit.octet_ms : 1;
	const struct timeval tick = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (!cs->pace)
		cs->pace = ev_token_bucket_cfg_new(EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, 1, 1, &tick);
	return cs->pace;
}

/* Each worker has its share of the places. */
static bool has_room(const struct conns *cs)
{
	return cs->stuttering < cs->conf->tarpit.sessions / cs->conf->workers;
}

void conn_tarpit(struct conn *c)
{
	struct conns *cs = c->cs;

	if (c->stutters || c->phase >= FLUSH)
		return;
	if (!has_room(cs) || !pace_of(cs)) {
		cs->stats->counter[PST_CNT_TARPIT_FULL]++;
		return;
	}
	c->stutters = true;
	cs->stuttering++;
	cs->stats->counter[PST_CNT_TARPIT_HELD]++;
	conn_tarpit_pace(c, c->bev);
	log_info("tarpit session=%016llx", (unsigned long long)c->who.id);
}

void conn_tarpit_pace(struct conn *c, struct bufferevent *bev)
{
	if (c->stutters)
		bufferevent_set_rate_limit(bev, c->cs->pace);
}

void conn_tarpit_leave(struct conn *c)
{
	c->cs->stuttering -= c->stutters;
	c->stutters = false;
}

bool conn_tarpit_speaks(const struct conn *c)
{
	return c->stutters && c->bev && evbuffer_get_length(bufferevent_get_output(c->bev));
}

unsigned conn_tarpit_seconds(const struct conn *c)
{
	size_t octets = c->stutters ? evbuffer_get_length(bufferevent_get_output(c->bev)) : 0;

	return (unsigned)(octets * c->cs->conf->tarpit.octet_ms / 1000);
}
