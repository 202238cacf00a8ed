/* SPDX-License-Identifier: BSD-2-Clause */
/* idna.c: see idna.h */
#include "user/core/idna.h"

static const struct range {
	unsigned first, last;
	unsigned char kind;
} allowed[] = {
#include "user/core/idna_table.h"
};

#define NALLOWED (sizeof(allowed) / sizeof(allowed[0]))

enum kind { KIND_LETTER, KIND_MARK, KIND_ORDERED_MARK, KIND_NONE };

size_t idna_take(struct str s, unsigned *code_point)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = s.n ? (unsigned char)s.p[0] : 0;
	size_t i, n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
	unsigned cp = n == 1 ? c : c & (0x7fu >> n);

	if (!s.n || !n || s.n < n)
		return 0;
	for (i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*code_point = cp;
	return n;
}

bool idna_is_utf8(struct str s)
{
	unsigned cp;
	size_t n;

	while (s.n && (n = idna_take(s, &cp)))
		s = str_sub(s, n, s.n);
	return !s.n;
}

static enum kind kind_of(unsigned cp)
{
	size_t lo = 0, hi = NALLOWED;

	if (cp < 0x80)
		return (cp >= 'a' && cp <= 'z') || (cp >= '0' && cp <= '9') || cp == '-' ? KIND_LETTER : KIND_NONE;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cp > allowed[mid].last)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < NALLOWED && cp >= allowed[lo].first ? (enum kind)allowed[lo].kind : KIND_NONE;
}

/*
 * RFC 5891 section 4.2.3 over code points. Two ordered marks in a row could stand in the
 * wrong order (not NFC); without a table of combining classes all such pairs stay out.
 */
static bool label_ok(const unsigned *cp, size_t n)
{
	enum kind before = KIND_LETTER;
	size_t i;

	if (!n || cp[0] == '-' || cp[n - 1] == '-' || kind_of(cp[0]) != KIND_LETTER)
		return false;
	if (n >= 4 && cp[2] == '-' && cp[3] == '-')
		return false;
	for (i = 0; i < n; i++) {
		enum kind k = kind_of(cp[i]);

		if (k == KIND_NONE || (k == KIND_ORDERED_MARK && before == KIND_ORDERED_MARK))
			return false;
		before = k;
	}
	return true;
}

/* RFC 3492 section 5 */
enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, BIAS = 72 };

struct code {
	char *out;
	size_t n;
	bool full;
};

static void emit(struct code *c, char digit)
{
	if (c->n == IDNA_LABEL_MAX)
		c->full = true;
	else
		c->out[c->n++] = digit;
}

static char digit_of(unsigned v)
{
	return (char)(v < 26 ? 'a' + v : '0' + v - 26);
}

static unsigned adapt(unsigned delta, unsigned points, bool first)
{
	unsigned k;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (k = 0; delta > ((BASE - TMIN) * TMAX) / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static void emit_delta(struct code *c, unsigned delta, unsigned bias)
{
	unsigned k, t;

	for (k = BASE;; k += BASE) {
		t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
		if (delta < t)
			break;
		emit(c, digit_of(t + (delta - t) % (BASE - t)));
		delta = (delta - t) / (BASE - t);
	}
	emit(c, digit_of(delta));
}

/* The smallest code point that is not below least; there is one. */
static unsigned next_of(const unsigned *cp, size_t n, unsigned least)
{
	unsigned m = ~0u;
	size_t i;

	for (i = 0; i < n; i++)
		if (cp[i] >= least && cp[i] < m)
			m = cp[i];
	return m;
}

static void punycode(struct code *c, const unsigned *cp, unsigned n)
{
	unsigned i, least = 0x80, delta = 0, bias = BIAS, basic = 0, done;

	for (i = 0; i < n; i++)
		if (cp[i] < 0x80) {
			emit(c, (char)cp[i]);
			basic++;
		}
	if (basic)
		emit(c, '-');
	for (done = basic; done < n; delta++, least++) {
		unsigned m = next_of(cp, n, least);

		delta += (m - least) * (done + 1); /* at most 0x10ffff * 64: no overflow */
		least = m;
		for (i = 0; i < n; i++) {
			delta += cp[i] < least;
			if (cp[i] != least)
				continue;
			emit_delta(c, delta, bias);
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
}

size_t idna_label(struct str label, char out[IDNA_LABEL_MAX])
{
	unsigned cp[IDNA_LABEL_MAX];
	struct code c = { out, 0, false };
	unsigned n = 0;

	while (label.n) {
		size_t took = n < IDNA_LABEL_MAX ? idna_take(label, &cp[n]) : 0;

		if (!took)
			return 0;
		if (cp[n] >= 'A' && cp[n] <= 'Z')
			cp[n] += 'a' - 'A';
		label = str_sub(label, took, label.n);
		n++;
	}
	if (!label_ok(cp, n))
		return 0;
	emit(&c, 'x');
	emit(&c, 'n');
	emit(&c, '-');
	emit(&c, '-');
	punycode(&c, cp, n);
	return c.full ? 0 : c.n;
}
