/* SPDX-License-Identifier: BSD-2-Clause */
/* backend_set.c: the backends of a worker: choice, health, and what clients may be promised. See backend_int.h */
#include "user/backend_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/core/addr.h"
#include "user/kern.h"
#include "user/log.h"

#define AGAIN_S 5 /* between checks of one that is down, or has not answered yet */

struct check {
	struct backends *bs;
	unsigned at;
};

unsigned long long set_members(const struct backends *bs, unsigned route)
{
	const struct conf_route *r = &bs->conf->route[route];
	unsigned long long may = 0;

	for (size_t i = 0; i < r->nbackends; i++)
		if (r->backend[i] < bs->n)
			may |= 1ull << r->backend[i];
	return may;
}

int set_next(struct backends *bs, unsigned route, unsigned long long tried, unsigned keep)
{
	return pick_next(bs->pick, bs->n, set_members(bs, route) & ~tried, keep, kern_now_ns());
}

bool set_full(const struct backends *bs, unsigned route, unsigned long long tried, unsigned keep)
{
	unsigned long long left = set_members(bs, route) & ~tried;
	__u64 now_ns = kern_now_ns();

	for (size_t i = 0; i < bs->n; i++)
		if (left >> i & 1 && pick_is_full(&bs->pick[i], keep, now_ns))
			return true;
	return false;
}

/* --- what clients may be promised ------------------------------------------- */

static bool in_route(const struct conf_route *r, unsigned at)
{
	for (size_t i = 0; i < r->nbackends; i++)
		if (r->backend[i] == at)
			return true;
	return false;
}

static void agree(struct sess_caps *all, const struct sess_caps *one)
{
	all->bits &= one->bits | CAP_AUTH;
	if (one->size && (!all->size || one->size < all->size))
		all->size = one->size;
}

/* Mechanisms are those of the default route's backends: logins go there. */
static void agree_auth(struct sess_caps *all, const struct sess_caps *one)
{
	struct str rest = str_of(all->mechs);
	char both[SESS_MECHS_MAX] = "";
	size_t n = 0;

	for (struct str word = str_word(&rest); word.n; word = str_word(&rest)) {
		struct str theirs = str_of(one->mechs), w = str_word(&theirs);

		while (w.n && !str_ieq(w, word))
			w = str_word(&theirs);
		if (!w.n)
			continue;
		if (n)
			both[n++] = ' ';
		memcpy(both + n, word.p, word.n);
		n += word.n;
	}
	memcpy(all->mechs, both, sizeof(both));
}

/* Any of them may get the next message: what they have in common. Those that are down count when all are. */
static void promise(struct backends *bs)
{
	struct sess_caps all = { .bits = ~0u };
	bool down = true, begun = false, any = false;

	for (size_t i = 0; i < bs->n; i++)
		down = down && (bs->pick[i].down || !bs->state[i].answered);
	for (size_t i = 0; i < bs->n; i++) {
		const struct sess_caps *one = &bs->state[i].caps;

		if (!bs->state[i].answered || (bs->pick[i].down && !down))
			continue;
		agree(&all, one);
		any = true;
		if (!in_route(&bs->conf->route[0], (unsigned)i))
			continue;
		if (begun)
			agree_auth(&all, one);
		else
			memcpy(all.mechs, one->mechs, sizeof(all.mechs));
		begun = true;
	}
	if (!all.mechs[0])
		all.bits &= ~(unsigned)CAP_AUTH;
	if (any)
		bs->caps = all;
}

/* --- up and down ------------------------------------------------------------ */

void set_up(struct link *l)
{
	struct backend_state *state = &l->bs->state[l->at];
	__u64 now_ns = kern_now_ns();
	bool again;

	if (l->counted_up)
		return;
	l->counted_up = true;
	l->bs->stats->counter[PST_CNT_BACKEND_OK]++;
	state->caps = l->hop.caps;
	again = pick_good(&l->bs->pick[l->at], now_ns);
	if (again)
		log_info("backend-up backend=%s", l->bs->conf->backend[l->at].name);
	if (again || (!state->answered && !l->bs->pick[l->at].down))
		state->since_ns = now_ns;
	state->answered = true;
	promise(l->bs);
}

void set_flush(struct backends *bs, unsigned at)
{
	while (!LIST_EMPTY(&bs->state[at].idle))
		link_close(LIST_FIRST(&bs->state[at].idle));
}

/* Why, and what the backend itself said. */
static void keep_error(struct link *l, const char *why, __u64 now_ns)
{
	struct backend_state *state = &l->bs->state[l->at];
	char said[200] = "";

	if (l->hop.whole && reply_class(&l->hop.reply) >= 4)
		str_escape((struct str){ l->hop.reply.text, strcspn(l->hop.reply.text, "\r") }, said, sizeof(said));
	memset(state->error, 0, sizeof(state->error));
	snprintf(state->error, sizeof(state->error), "%s%s%s", why, said[0] ? ": " : "", said);
	state->error_ns = now_ns;
	state->failures++;
}

bool set_busy(struct link *l, const char *why)
{
	struct pick *p = &l->bs->pick[l->at];
	__u64 now_ns = kern_now_ns();

	if (!l->hop.whole || l->hop.reply.code != 421 || !pick_busy(p, p->live - (l->use == LINK_SERVING), now_ns))
		return false;
	keep_error(l, why, now_ns);
	return true;
}

void set_down(struct link *l, const char *why)
{
	const struct conf_backend *c = &l->bs->conf->backend[l->at];
	struct backend_state *state = &l->bs->state[l->at];
	__u64 now_ns = kern_now_ns();
	char addr[ADDR_TEXT_MAX];

	l->bs->stats->counter[PST_CNT_BACKEND_FAILED]++;
	keep_error(l, why, now_ns);
	if (!pick_failed(&l->bs->pick[l->at], now_ns))
		return;
	state->since_ns = now_ns;
	log_warnx("backend-down backend=%s address=[%s]:%u: %s", c->name, addr_text(&c->addr, addr), c->port, state->error);
	set_flush(l->bs, l->at);
	promise(l->bs);
}

/* --- checks ----------------------------------------------------------------- */

static void check_in(struct backends *bs, unsigned at, unsigned seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	event_add(bs->state[at].check, &tv);
}

/* A server that works is looked after at the pace that was asked for; without one, only until it has answered. */
void set_check_over(struct link *l)
{
	unsigned every_s = l->bs->conf->backend[l->at].health_interval_s;
	bool well = !l->bs->pick[l->at].down && l->bs->state[l->at].answered;

	l->bs->state[l->at].checks++;
	if (!well && (!every_s || every_s > AGAIN_S))
		every_s = AGAIN_S;
	if (!well || every_s)
		check_in(l->bs, l->at, every_s);
}

/* As a mail server would: it says its name and QUIT. */
static void on_check(evutil_socket_t fd, short what, void *ctx)
{
	struct check *c = ctx;

	(void)fd, (void)what;
	if (!link_open(c->bs, c->at, NULL))
		check_in(c->bs, c->at, AGAIN_S);
}

static void begin_checks(struct backends *bs, unsigned at)
{
	struct check *c = malloc(sizeof(*c));

	if (!c)
		return;
	*c = (struct check){ bs, at };
	bs->state[at].check = evtimer_new(bs->base, on_check, c);
	if (bs->state[at].check)
		check_in(bs, at, 0);
	else
		free(c);
}

static void end_checks(struct backend_state *state)
{
	if (!state->check)
		return;
	free(event_get_callback_arg(state->check));
	event_free(state->check);
}

/* --- doors ------------------------------------------------------------------ */

/* Of what all workers may have together. */
static unsigned share(unsigned connections, unsigned workers)
{
	return connections / workers + (connections % workers > 0);
}

void backends_init(struct backends *bs, struct event_base *base, const struct conf *conf, void *const *tls, struct pst_stats *stats)
{
	memset(bs, 0, sizeof(*bs));
	bs->base = base;
	bs->conf = conf;
	bs->tls = tls;
	bs->stats = stats;
	bs->caps.bits = CAP_PIPELINING;
	bs->n = conf->nbackends < BACKENDS_MAX ? conf->nbackends : BACKENDS_MAX;
	LIST_INIT(&bs->all);
	LIST_INIT(&bs->links);
	wait_init(bs);
	for (unsigned i = 0; i < bs->n; i++) {
		const struct conf_backend *c = &conf->backend[i];

		bs->state[i].pick = (struct pick_conf){ c->weight, c->priority, share(c->connections_max, conf->workers),
							c->down_after, c->up_after, c->slow_start_s, c->health_interval_s > 0 };
		bs->pick[i].conf = &bs->state[i].pick;
		LIST_INIT(&bs->state[i].idle);
		begin_checks(bs, i);
	}
}

void backends_free(struct backends *bs)
{
	struct backend *b;

	while ((b = LIST_FIRST(&bs->all)))
		backend_leave(b);
	while (!LIST_EMPTY(&bs->links))
		link_close(LIST_FIRST(&bs->links));
	for (size_t i = 0; i < bs->n; i++) {
		set_flush(bs, (unsigned)i);
		end_checks(&bs->state[i]);
	}
	wait_free(bs);
}
