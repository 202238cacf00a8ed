/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/dnsl.h"

#include "user/core/hash.h"
#include "user/core/put.h"

/* --- filters -------------------------------------------------------------------- */

static const char *const no_octet = "holds something that is no number from 0 to 255";

static bool take_char(struct str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

static bool take_octet(struct str *s, unsigned *v)
{
	size_t n = 0;

	*v = 0;
	while (n < s->n && n < 4 && s->p[n] >= '0' && s->p[n] <= '9')
		*v = *v * 10 + (unsigned)(s->p[n++] - '0');
	*s = str_sub(*s, n, s->n);
	return n && n < 4 && *v <= 255;
}

static void add_range(__u64 set[4], unsigned from, unsigned to)
{
	for (unsigned v = from; v <= to; v++)
		set[v / 64] |= 1ull << v % 64;
}

static bool in_set(const __u64 set[4], unsigned v)
{
	return set[v / 64] >> v % 64 & 1;
}

/* "2" or "2..11" */
static const char *take_range(struct str *s, __u64 set[4])
{
	unsigned from, to;

	if (!take_octet(s, &from))
		return no_octet;
	to = from;
	if (s->n > 1 && s->p[0] == '.' && s->p[1] == '.') {
		*s = str_sub(*s, 2, s->n);
		if (!take_octet(s, &to))
			return no_octet;
		if (to < from)
			return "has a range that ends before it begins";
	}
	add_range(set, from, to);
	return NULL;
}

/* "2" or "[2..11;13]" */
static const char *take_set(struct str *s, __u64 set[4])
{
	const char *flaw;
	unsigned v;

	if (!take_char(s, '[')) {
		if (!take_octet(s, &v))
			return no_octet;
		add_range(set, v, v);
		return NULL;
	}
	do {
		flaw = take_range(s, set);
		if (flaw)
			return flaw;
	} while (take_char(s, ';'));
	return take_char(s, ']') ? NULL : "has a bracket that is not closed";
}

static bool is_only(const __u64 set[4], unsigned v)
{
	for (unsigned i = 0; i < 256; i++)
		if (in_set(set, i) != (i == v))
			return false;
	return true;
}

static bool never_matches(const struct dnsl_filter *f)
{
	const __u64(*o)[4] = f->octet;

	return (is_only(o[0], 255) && is_only(o[1], 255)) || (is_only(o[0], 0) && is_only(o[1], 0) && is_only(o[2], 1));
}

static const char *read_pattern(struct str s, struct dnsl_filter *out)
{
	__u64 first[4] = { 0 };
	const char *flaw = take_set(&s, first);

	for (unsigned i = 0; !flaw && i < 3; i++)
		flaw = take_char(&s, '.') ? take_set(&s, out->octet[i]) : "has no four octets";
	if (flaw)
		return flaw;
	if (s.n)
		return "has more than four octets";
	if (!is_only(first, 127))
		return "does not begin with 127";
	return never_matches(out) ? "has only answers that are errors (127.0.0.1, 127.255.255.0/24)" : NULL;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *read_mask(struct str s, struct dnsl_filter *out)
{
	if (s.n < 3 || s.n > 8 || s.p[0] != '0' || (s.p[1] != 'x' && s.p[1] != 'X'))
		return "is no mask of 0x1 to 0xffffff";
	for (size_t i = 2; i < s.n; i++) {
		if (hex_digit(s.p[i]) < 0)
			return "is no mask of 0x1 to 0xffffff";
		out->bits = out->bits << 4 | (__u32)hex_digit(s.p[i]);
	}
	out->mask = true;
	return out->bits ? NULL : "is a mask without a bit";
}

const char *dnsl_filter_read(struct str text, struct dnsl_filter *out)
{
	memset(out, 0, sizeof(*out));
	return take_char(&text, '&') ? read_mask(text, out) : read_pattern(text, out);
}

bool dnsl_filter_has(const struct dnsl_filter *f, const unsigned char a[4])
{
	if (a[0] != 127)
		return false;
	if (f->mask)
		return f->bits & ((__u32)a[1] << 16 | (__u32)a[2] << 8 | a[3]);
	return in_set(f->octet[0], a[1]) && in_set(f->octet[1], a[2]) && in_set(f->octet[2], a[3]);
}

/* --- questions and answers ---------------------------------------------------------- */

size_t dnsl_name(const struct pst_addr *addr, bool nibbles, const char *domain, char out[DNSL_NAME_MAX + 1])
{
	struct put o = { .p = out, .max = DNSL_NAME_MAX };
	const char *digits = "0123456789abcdef";

	for (int i = 15; i >= (nibbles ? 0 : 12); i--) {
		if (!nibbles) {
			put_u64(&o, addr->b[i]);
			put_text(&o, ".");
			continue;
		}
		put_str(&o, (struct str){ digits + (addr->b[i] & 15), 1 });
		put_text(&o, ".");
		put_str(&o, (struct str){ digits + (addr->b[i] >> 4), 1 });
		put_text(&o, ".");
	}
	put_text(&o, domain);
	out[o.n] = '\0';
	return o.n;
}

enum dnsl_meaning dnsl_record(const unsigned char a[4])
{
	static const unsigned char loopback[4] = { 127, 0, 0, 1 }, refusals[3] = { 127, 255, 255 };

	return a[0] != 127 || !memcmp(a, loopback, 4) || !memcmp(a, refusals, 3) ? DNSL_ERROR : DNSL_LISTED;
}

static bool rule_matches(const struct dnsl_rule *rule, const unsigned char (*answer)[4], size_t n)
{
	if (!rule->nfilters)
		return n;
	for (size_t i = 0; i < n; i++)
		for (size_t f = 0; f < rule->nfilters; f++)
			if (dnsl_filter_has(&rule->filter[f], answer[i]))
				return true;
	return false;
}

enum dnsl_meaning dnsl_answer(const struct dnsl_rules *r, unsigned zone, const unsigned char (*answer)[4], size_t n, __u64 *matched)
{
	enum dnsl_meaning means = DNSL_CLEAN;

	for (size_t i = 0; i < n; i++)
		if (dnsl_record(answer[i]) == DNSL_ERROR)
			return DNSL_ERROR;
	for (size_t i = 0; i < r->nrules; i++)
		if (r->rule[i].zone == zone && rule_matches(&r->rule[i], answer, n)) {
			*matched |= 1ull << i;
			means = DNSL_LISTED;
		}
	return means;
}

unsigned dnsl_life(unsigned ttl_s)
{
	return ttl_s < DNSL_LIFE_MIN_S ? DNSL_LIFE_MIN_S : ttl_s > DNSL_LIFE_MAX_S ? DNSL_LIFE_MAX_S : ttl_s;
}

/* --- the sum ----------------------------------------------------------------------- */

static unsigned does(const struct dnsl_rules *r, int low, int high)
{
	if (r->ban && low >= r->ban)
		return DNSL_BAN;
	if (low >= r->enforce)
		return DNSL_ENFORCE;
	if (r->skip && high <= r->skip)
		return DNSL_SKIP;
	return high < r->enforce && (!r->skip || low > r->skip) ? DNSL_PASS : DNSL_OPEN;
}

struct dnsl_verdict dnsl_weigh(const struct dnsl_rules *r, const struct dnsl_known *k)
{
	struct dnsl_verdict v = { .over = !k->asked, .sure = !k->asked && !k->failed, .life_s = k->life_s, .matched = k->matched };
	int low, high;

	for (size_t i = 0; i < r->nrules; i++) {
		if (!(k->matched >> i & 1))
			continue;
		v.score += r->rule[i].weight;
		if (r->rule[i].weight > (v.worst ? v.worst->weight : 0))
			v.worst = &r->rule[i];
	}
	low = high = v.score;
	for (size_t i = 0; i < r->nrules; i++) {
		int *bound = r->rule[i].weight < 0 ? &low : &high;

		if (k->asked >> r->rule[i].zone & 1)
			*bound += r->rule[i].weight;
	}
	v.does = does(r, low, high);
	return v;
}

static void put_int(struct put *o, int n)
{
	put_text(o, n < 0 ? "-" : "");
	put_u64(o, n < 0 ? 0ull - (unsigned long long)n : (unsigned long long)n);
}

size_t dnsl_told(const struct dnsl_rules *r, const struct dnsl_verdict *v, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };
	size_t whole = 0;

	put_text(&o, "score ");
	put_int(&o, v->score);
	for (size_t i = 0; i < r->nrules && !o.full; i++) {
		whole = o.n;
		if (!(v->matched >> i & 1))
			continue;
		put_text(&o, ", ");
		put_text(&o, r->rule[i].name);
		put_text(&o, " ");
		put_int(&o, r->rule[i].weight);
	}
	return o.full ? whole : o.n;
}

const char *dnsl_does_name(unsigned verdict)
{
	static const char *const names[] = {
#define DNSL_X(sym, name) name,
		DNSL_VERDICTS(DNSL_X)
#undef DNSL_X
	};

	return verdict < sizeof(names) / sizeof(*names) ? names[verdict] : "?";
}

/* --- tests of a zone ------------------------------------------------------------------ */

bool dnsl_test(const struct dnsl_zone *z, unsigned n, struct dnsl_test *out)
{
	static const struct dnsl_test four[] = {
		{ { { [10] = 0xff, 0xff, 127, 0, 0, 2 } }, false, true, DNSL_WHY_EMPTY },
		{ { { [10] = 0xff, 0xff, 127, 0, 0, 1 } }, false, false, DNSL_WHY_EVERYBODY },
	}, six[] = {
		{ { { [10] = 0xff, 0xff, 127, 0, 0, 2 } }, true, true, DNSL_WHY_EMPTY6 },
		{ { { [10] = 0xff, 0xff, 127, 0, 0, 1 } }, true, false, DNSL_WHY_EVERYBODY6 },
	};
	unsigned nfour = z->asked4 ? 2 : 0;

	if (n >= nfour + (z->asked6 ? 2 : 0))
		return false;
	*out = n < nfour ? four[n] : six[n - nfour];
	return true;
}

enum dnsl_why dnsl_tested(const struct dnsl_test *t, const unsigned char (*answer)[4], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (dnsl_record(answer[i]) == DNSL_ERROR)
			return DNSL_WHY_REFUSES;
	return t->listed == (n > 0) ? DNSL_WHY_NONE : t->unlike;
}

__u64 dnsl_print(const struct dnsl_zone *z)
{
	return hash_bytes((const __u64[2]){ 0 }, str_of(z->name));
}

static void mix(__u64 key[2], const void *bytes, size_t n)
{
	key[0] = hash_bytes(key, (struct str){ bytes, n });
}

__u64 dnsl_rules_print(const struct dnsl_rules *r)
{
	const int limits[] = { r->enforce, r->ban, r->skip };
	__u64 key[2] = { 0 };

	mix(key, limits, sizeof(limits));
	for (size_t i = 0; i < r->nrules; i++) {
		const struct dnsl_rule *rule = &r->rule[i];
		const char *domain = r->zone[rule->zone].domain;

		mix(key, domain, strlen(domain));
		mix(key, &rule->weight, sizeof(rule->weight));
		mix(key, rule->filter, rule->nfilters * sizeof(*rule->filter));
	}
	return key[0];
}

const char *dnsl_state_name(unsigned state)
{
	static const char *const names[] = {
#define DNSL_X(sym, name) name,
		DNSL_STATES(DNSL_X)
#undef DNSL_X
	};

	return state < DNSL_STATE_MAX ? names[state] : "?";
}

const char *dnsl_why_text(unsigned why)
{
	static const char *const texts[] = {
#define DNSL_X(sym, text) text,
		DNSL_WHYS(DNSL_X)
#undef DNSL_X
	};

	return why < DNSL_WHY_MAX ? texts[why] : "?";
}
