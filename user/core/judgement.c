/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/judgement.h"

#include "user/core/names.h"
#include "user/core/when.h"

#define S_NS 1000000000ull
#define SCORE_MAX_MILLI 0xffffffffull /* 4.2 million points; times 2^32 it still fits 64 bits */
#define RELAPSE_MAX 255 /* struct pst_ban keeps it in a byte */

/* 2^32 * 2^(-i/16), rounded to nearest. */
static const __u64 half_table[17] = {
	4294967296, 4112874773, 3938502376, 3771522796, 3611622603, 3458501653,
	3311872529, 3171459999, 3037000500, 2908241642, 2784941738, 2666869345,
	2553802834, 2445529972, 2341847524, 2242560872, 2147483648,
};

/*
 * 2^32 * 2^(-f/65536), f < 65536: a table of sixteenths, straight lines between them. A line
 * runs above the curve by at most (ln 2 / 16)^2 / 8 = 0.024 %; f is rounded down, which adds
 * 0.001 %. So a score is at most 0.025 % too high, and too low only by the final rounding to a
 * thousandth of a point.
 */
static __u64 half_fraction(unsigned f)
{
	__u64 from = half_table[f >> 12], to = half_table[(f >> 12) + 1];

	return from - ((from - to) * (f & 0xfff) >> 12);
}

/* Time passed in 65536ths of a half-life. 65536 / 10^9 = 128 / 1953125: no step overflows. */
static __u64 half_lives(__u64 past_ns, unsigned half_life_s)
{
	__u64 ticks = past_ns / 1953125 * 128 + past_ns % 1953125 * 128 / 1953125;

	return ticks / half_life_s;
}

__u64 judgement_halved(__u64 milli, __u64 past_ns, unsigned half_life_s)
{
	__u64 halves = half_life_s ? half_lives(past_ns, half_life_s) : ~0ull, fraction = half_fraction(halves & 0xffff);

	if (halves >> 16 >= 64)
		return 0;
	return ((milli >> 32) * fraction + ((milli & 0xffffffff) * fraction >> 32)) >> (halves >> 16);
}

/* A clock that stands still or runs back is no time; no half-life is no memory. */
static __u64 score_at(const struct policy *p, const struct record *r, __u64 now_ns)
{
	__u64 score = r->score_milli < SCORE_MAX_MILLI ? r->score_milli : SCORE_MAX_MILLI;

	return now_ns > r->updated_ns ? judgement_halved(score, now_ns - r->updated_ns, p->half_life_s) : score;
}

static __u64 ban_length_ns(const struct policy *p, unsigned relapse)
{
	__u64 s = (__u64)p->ban_s << (relapse < 32 ? relapse : 32);

	return (s < p->ban_max_s ? s : p->ban_max_s) * S_NS;
}

/* The last ban, which may have ended before the machine was up. */
static bool has_ended(const struct record *r, __u64 now_ns)
{
	return r->banned_until_ns != ~0ull && !when_before(now_ns, r->banned_until_ns);
}

/* How many bans count before the next one. A live ban is prolonged, not counted again. */
static unsigned relapse_before(const struct policy *p, const struct record *r, __u64 now_ns)
{
	unsigned relapse = r->relapse < RELAPSE_MAX ? r->relapse : RELAPSE_MAX;

	if (!relapse)
		return 0;
	if (r->banned_until_ns && !has_ended(r, now_ns))
		return relapse - 1;
	return now_ns - r->banned_until_ns > p->relapse_s * S_NS ? 0 : relapse;
}

/*
 * To the nearest point: two offences of half the threshold each make a ban also when half a
 * minute lies between them, not only in the same instant.
 */
static unsigned whole_points(__u64 milli)
{
	return (unsigned)((milli + 500) / 1000);
}

struct verdict judgement_ban(const struct policy *p, const struct record *r, unsigned life_s, __u64 now_ns)
{
	struct verdict v = { .next = *r, .ban = true, .would_ban = true, .relapse = relapse_before(p, r, now_ns) };
	__u64 length_ns = ban_length_ns(p, v.relapse), until_ns;

	if (life_s && life_s * S_NS < length_ns)
		length_ns = life_s * S_NS;
	until_ns = now_ns + length_ns;
	v.until_ns = has_ended(r, now_ns) || until_ns > r->banned_until_ns ? until_ns : r->banned_until_ns;
	v.next.banned_until_ns = v.until_ns;
	v.next.relapse = v.relapse < RELAPSE_MAX ? v.relapse + 1 : RELAPSE_MAX;
	return v;
}

struct verdict judgement(const struct policy *p, const struct record *r, const struct finding *f,
			 bool exempt, __u64 now_ns)
{
	unsigned points = f->reason < PST_RSN_MAX ? p->points[f->reason] : 0;
	__u64 score = score_at(p, r, now_ns) + points * 1000ull;
	struct verdict v = { .next = *r }, ban;

	v.next.score_milli = score < SCORE_MAX_MILLI ? score : SCORE_MAX_MILLI;
	v.next.updated_ns = now_ns > r->updated_ns ? now_ns : r->updated_ns;
	v.next.findings += r->findings != ~0u;
	v.score = whole_points(v.next.score_milli);
	v.would_ban = points && v.score >= p->threshold;
	if (!v.would_ban)
		return v;

	ban = judgement_ban(p, &v.next, f->life_s, now_ns);
	v.relapse = ban.relapse;
	v.until_ns = ban.until_ns;
	v.ban = !exempt && !p->observe;
	if (v.ban)
		v.next = ban.next;
	return v;
}

unsigned judgement_score(const struct policy *p, const struct record *r, __u64 now_ns)
{
	return whole_points(score_at(p, r, now_ns));
}

struct record record_settle(const struct policy *p, const struct record *r, __u64 now_ns)
{
	struct record then = { .score_milli = r->score_milli }, now = *r;

	now.score_milli = score_at(p, &then, when_since(r->updated_ns, now_ns));
	now.updated_ns = now_ns;
	return now;
}

/* The worse of both at now, the later end, and no more than either has. */
struct record record_join(const struct policy *p, const struct record *a, const struct record *b, __u64 now_ns)
{
	struct record r = *a, mine = record_settle(p, a, now_ns), other = record_settle(p, b, now_ns);

	if (mine.score_milli < other.score_milli) {
		r.score_milli = other.score_milli;
		r.updated_ns = now_ns;
	}
	if (b->banned_until_ns && (!r.banned_until_ns || when_before(r.banned_until_ns, b->banned_until_ns)))
		r.banned_until_ns = b->banned_until_ns;
	if (r.relapse < b->relapse)
		r.relapse = b->relapse;
	if (r.findings < b->findings)
		r.findings = b->findings;
	return r;
}

void policy_defaults(struct policy *p)
{
	*p = (struct policy){
		.threshold = 100,
		.half_life_s = 3600,
		.ban_s = 10 * 60,
		.ban_max_s = 7 * 86400,
		.relapse_s = 30 * 86400,
		.action = PST_ACT_DROP,
	};
	for (int i = 0; i < PST_RSN_MAX; i++)
		p->points[i] = reason_rows[i].points;
}
