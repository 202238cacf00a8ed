/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/breaker.h"

#include "user/core/judgement.h"

#define S_NS 1000000000ull

static __u64 milli_at(const struct breaker_count *c, const struct breaker_rules *r, __u64 now_ns)
{
	return now_ns > c->when_ns ? judgement_halved(c->milli, now_ns - c->when_ns, r->half_life_s) : c->milli;
}

static void add(struct breaker_count *c, const struct breaker_rules *r, __u64 milli, __u64 now_ns)
{
	c->milli = milli_at(c, r, now_ns) + milli;
	c->when_ns = now_ns > c->when_ns ? now_ns : c->when_ns;
}

static __u64 whole(__u64 milli)
{
	return (milli + 500) / 1000;
}

__u64 breaker_count(const struct breaker_count *c, const struct breaker_rules *r, __u64 now_ns)
{
	return whole(milli_at(c, r, now_ns));
}

void breaker_mail(struct breaker *b, const struct breaker_rules *r, struct breaker_count *source, unsigned n, __u64 now_ns)
{
	add(&b->good, r, n * 1000ull, now_ns);
	add(source, r, n * 1000ull, now_ns);
}

bool breaker_is_open(const struct breaker *b, const struct breaker_rules *r, __u64 now_ns)
{
	return r->share && now_ns < b->open_until_ns;
}

/* Would the bans of late, and this one, hit too much? In thousandths of a message on both sides. */
static bool too_much(const struct breaker *b, const struct breaker_rules *r, __u64 milli, __u64 now_ns)
{
	__u64 sources = whole(milli_at(&b->sources, r, now_ns) + 1000), hit = milli_at(&b->hit, r, now_ns) + milli;

	return sources >= r->sources && hit / r->share * 100 > milli_at(&b->good, r, now_ns);
}

enum breaker_word breaker_ban(struct breaker *b, const struct breaker_rules *r, const struct breaker_count *source, __u64 now_ns)
{
	__u64 milli = milli_at(source, r, now_ns);
	bool open = breaker_is_open(b, r, now_ns), good = whole(milli) != 0;

	if (!r->share || (!open && !good))
		return BREAKER_PASS;
	if (open && !good)
		return BREAKER_IS_OPEN;
	if (open || too_much(b, r, milli, now_ns)) {
		__u64 until_ns = now_ns + r->pause_s * S_NS;

		b->open_until_ns = b->open_until_ns > until_ns ? b->open_until_ns : until_ns;
		return open ? BREAKER_IS_OPEN : BREAKER_OPENS;
	}
	add(&b->hit, r, milli, now_ns);
	add(&b->sources, r, 1000, now_ns);
	return BREAKER_PASS;
}

unsigned breaker_share(const struct breaker *b, const struct breaker_rules *r, __u64 now_ns)
{
	__u64 good = milli_at(&b->good, r, now_ns), hit = milli_at(&b->hit, r, now_ns);

	return good ? (unsigned)((hit * 100 + good / 2) / good) : 0;
}
