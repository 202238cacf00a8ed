/* SPDX-License-Identifier: BSD-2-Clause */
/* backend_wait.c: sessions that wait until one of their backends has room for them. See backend_int.h */
#include "user/backend_int.h"

#include "user/kern.h"
#include "user/log.h"

#define SAY_AGAIN_NS (60 * 1000000000ull)

/*
 * How early a session's turn comes. A guessed password holds a connection for seconds, and whoever came first would hold them all:
 * so the last connections are for those whose turn comes earlier. A later turn leaves no more than an earlier one.
 */
enum turn { TURN_KNOWN, TURN_MAIL, TURN_LOGIN, TURN_OFFENDER };

static const unsigned char keep_percent[] = { [TURN_KNOWN] = 0, [TURN_MAIL] = 10, [TURN_LOGIN] = 30, [TURN_OFFENDER] = 50 };

_Static_assert(TURN_OFFENDER + 1 == BACKEND_TURNS, "one list for each");

unsigned wait_keep(unsigned turn)
{
	return keep_percent[turn];
}

unsigned wait_turn(const struct backend_client *c, enum sess_ask ask)
{
	if (c->sess->authenticated || c->sess->good || c->sess->known)
		return TURN_KNOWN;
	if (*c->score || c->sess->offended)
		return TURN_OFFENDER;
	return ask == ASK_AUTH ? TURN_LOGIN : TURN_MAIL;
}

/* Once in a while: a crowd would fill the log. */
static void say(struct backends *bs)
{
	__u64 now_ns = kern_now_ns();

	if (bs->waits_said_ns && now_ns - bs->waits_said_ns < SAY_AGAIN_NS)
		return;
	bs->waits_said_ns = now_ns;
	log_warnx("backends-full: as many connections are in use as backend.connections allows or the server takes; sessions wait for one");
}

void wait_join(struct backends *bs, struct waiter *w)
{
	TAILQ_INSERT_TAIL(&bs->waiting[w->turn], w, entry);
	w->in = true;
	bs->nwaiting++;
	bs->stats->counter[PST_CNT_BACKEND_WAITED]++;
	say(bs);
}

void wait_leave(struct backends *bs, struct waiter *w)
{
	if (!w->in)
		return;
	TAILQ_REMOVE(&bs->waiting[w->turn], w, entry);
	w->in = false;
	bs->nwaiting--;
}

void wait_room(struct backends *bs)
{
	if (bs->nwaiting)
		event_active(&bs->room, EV_TIMEOUT, 0);
}

/* Those of a route that has just been found full need not ask again, unless they have been somewhere already. */
static void on_room(evutil_socket_t fd, short what, void *ctx)
{
	struct backends *bs = ctx;
	unsigned full = ~0u;

	(void)fd, (void)what;
	for (unsigned turn = 0; turn < BACKEND_TURNS; turn++) {
		struct waiter *w, *next;

		for (w = TAILQ_FIRST(&bs->waiting[turn]); w; w = next) {
			next = TAILQ_NEXT(w, entry);
			if (w->fresh && w->route == full)
				continue;
			if (!backend_enter(w->owner) && w->fresh)
				full = w->route;
		}
	}
}

unsigned wait_count(const struct backends *bs, unsigned at)
{
	const struct waiter *w;
	unsigned n = 0;

	for (unsigned turn = 0; turn < BACKEND_TURNS; turn++)
		TAILQ_FOREACH(w, &bs->waiting[turn], entry)
			n += set_members(bs, w->route) >> at & 1;
	return n;
}

void wait_init(struct backends *bs)
{
	for (unsigned turn = 0; turn < BACKEND_TURNS; turn++)
		TAILQ_INIT(&bs->waiting[turn]);
	evtimer_assign(&bs->room, bs->base, on_room, bs);
}

void wait_free(struct backends *bs)
{
	event_del(&bs->room);
}
