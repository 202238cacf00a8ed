/* SPDX-License-Identifier: BSD-2-Clause */
/* resolve_answer.c: what an answer of DNS says, as far as it is well formed (RFC 1035 section 4.1). */
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdio.h>

#include "user/core/addr.h"
#include "user/resolve.h"

#define DENIAL_TTL_S 60 /* of a denial that does not say */

void resolve_arpa(const struct pst_addr *addr, char out[RESOLVE_ARPA_MAX])
{
	const unsigned char *b = addr->b;

	if (addr_is4(addr)) {
		snprintf(out, RESOLVE_ARPA_MAX, "%u.%u.%u.%u.in-addr.arpa", b[15], b[14], b[13], b[12]);
		return;
	}
	for (int i = 0; i < 16; i++, out += 4)
		snprintf(out, 5, "%x.%x.", b[15 - i] & 15, b[15 - i] >> 4);
	memcpy(out, "ip6.arpa", sizeof("ip6.arpa"));
}

/* A cursor over a message. */
struct scan {
	const unsigned char *reply, *at;
	int n;
};

struct rr {
	unsigned type, ttl_s, size;
	const unsigned char *data;
};

static size_t left(const struct scan *s)
{
	return (size_t)(s->reply + s->n - s->at);
}

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static unsigned get32(const unsigned char *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* The name at p, NULL when there is none; for ares_free_string(). *took: its octets in the message. */
static char *name_at(const struct scan *s, const unsigned char *p, long *took)
{
	char *name;

	return p < s->reply + s->n && ares_expand_name(p, s->reply, s->n, &name, took) == ARES_SUCCESS ? name : NULL;
}

static bool skip_name(struct scan *s)
{
	long took;
	char *name = name_at(s, s->at, &took);

	if (!name)
		return false;
	ares_free_string(name);
	s->at += took;
	return true;
}

static bool skip_question(struct scan *s)
{
	if (!skip_name(s) || left(s) < 4)
		return false;
	s->at += 4;
	return true;
}

static bool next_record(struct scan *s, struct rr *r)
{
	if (!skip_name(s) || left(s) < 10)
		return false;
	*r = (struct rr){ get16(s->at), get32(s->at + 4), get16(s->at + 8), s->at + 10 };
	if (r->ttl_s > 0x7fffffff) /* RFC 2181 section 8 */
		r->ttl_s = 0;
	s->at += 10;
	if (left(s) < r->size)
		return false;
	s->at += r->size;
	return true;
}

/* RFC 2308 section 5: the lesser of the SOA's own TTL and its last number. */
static unsigned denial_ttl(const struct rr *soa)
{
	unsigned minimum = soa->size >= 20 ? get32(soa->data + soa->size - 4) : 0;

	return minimum < soa->ttl_s ? minimum : soa->ttl_s;
}

struct reading {
	struct scan scan;
	struct rr record;
	unsigned answers, ttl_s;
	bool soa; /* one was seen, in the authority section */
	unsigned denial_ttl_s;
};

/* Calls each for every answer and reads how long all this is true. False when the message is malformed. */
static bool read_reply(const unsigned char *reply, int n, struct reading *r, void (*each)(struct reading *r, void *ctx), void *ctx)
{
	struct rr *rec = &r->record;
	unsigned questions, answers, authorities;

	if (!reply || n < NS_HFIXEDSZ)
		return false;
	*r = (struct reading){ .scan = { reply, reply + NS_HFIXEDSZ, n }, .ttl_s = ~0u };
	questions = get16(reply + 4);
	answers = get16(reply + 6);
	authorities = get16(reply + 8);
	while (questions--)
		if (!skip_question(&r->scan))
			return false;
	for (r->answers = 0; r->answers < answers; r->answers++) {
		if (!next_record(&r->scan, rec))
			return false;
		if (rec->ttl_s < r->ttl_s)
			r->ttl_s = rec->ttl_s;
		each(r, ctx);
	}
	for (; authorities && next_record(&r->scan, rec); authorities--)
		if (rec->type == ns_t_soa && !r->soa) {
			r->soa = true;
			r->denial_ttl_s = denial_ttl(rec);
		}
	return true;
}

/* How long it is true that there is no such record. */
static unsigned denied_for(const struct reading *r)
{
	unsigned ttl_s = r->soa ? r->denial_ttl_s : DENIAL_TTL_S;

	return r->answers && r->ttl_s < ttl_s ? r->ttl_s : ttl_s;
}

/* Only what is a host name by the grammar of RFC 5321 can be one: no control byte, no space, no more than 255 octets. */
static void take_name(struct reading *r, void *ctx)
{
	struct resolve_names *out = ctx;
	struct mailbox m;
	long took;
	char *name;

	if (r->record.type != ns_t_ptr || out->n == RESOLVE_NAMES_MAX)
		return;
	name = name_at(&r->scan, r->record.data, &took);
	if (!name)
		return;
	if (mailbox_domain(str_of(name), false, &m) && m.kind == MAILBOX_DOMAIN)
		memcpy(out->name[out->n++], m.domain, m.ndomain + 1);
	ares_free_string(name);
}

void resolve_read_names(const unsigned char *reply, int n, struct resolve_names *out)
{
	struct reading r;

	out->n = 0;
	if (!read_reply(reply, n, &r, take_name, out)) {
		out->n = 0;
		out->ttl_s = 0;
		return;
	}
	out->ttl_s = out->n ? r.ttl_s : denied_for(&r);
}

struct wanted {
	const struct pst_addr *addr;
	bool found;
};

static void compare(struct reading *r, void *ctx)
{
	const struct rr *rec = &r->record;
	struct wanted *w = ctx;
	unsigned size = addr_is4(w->addr) ? 4 : 16;

	if (rec->type == (size == 4 ? ns_t_a : ns_t_aaaa) && rec->size == size)
		w->found |= !memcmp(rec->data, w->addr->b + 16 - size, size);
}

bool resolve_has_addr(const unsigned char *reply, int n, const struct pst_addr *addr, unsigned *ttl_s)
{
	struct wanted w = { addr, false };
	struct reading r;

	*ttl_s = 0;
	if (!read_reply(reply, n, &r, compare, &w))
		return false;
	*ttl_s = w.found ? r.ttl_s : denied_for(&r);
	return w.found;
}

struct taken {
	unsigned char (*addr)[4];
	size_t n;
};

static void take_addr(struct reading *r, void *ctx)
{
	struct taken *t = ctx;

	if (r->record.type == ns_t_a && r->record.size == 4 && t->n < RESOLVE_ADDRS_MAX)
		memcpy(t->addr[t->n++], r->record.data, 4);
}

bool resolve_read_addrs(const unsigned char *reply, int n, unsigned char addr[RESOLVE_ADDRS_MAX][4], size_t *naddrs, unsigned *ttl_s)
{
	struct taken t = { addr, 0 };
	struct reading r;
	bool sound = read_reply(reply, n, &r, take_addr, &t);

	*naddrs = sound ? t.n : 0;
	*ttl_s = !sound ? 0 : t.n ? r.ttl_s : denied_for(&r);
	return sound;
}
