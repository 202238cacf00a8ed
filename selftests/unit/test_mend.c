/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_mend.c: what is mended means, to a server that obeys RFC 5321, what was sent with its flaws replaced; it holds no flaw
 * and no end of data but the sender's own. Every short stream of the octets that matter, every cut.
 */
#include "unit.h"

#include <stdlib.h>

#include "user/core/body.h"
#include "user/core/mend.h"

struct result {
	char p[512];
	size_t n, used;
};

static const struct mend_rules everything = { true, true, true }, nothing;

/* In pieces of the given size, through a buffer of the given room. */
static void mend(const struct mend_rules *rules, bool chunked, struct str in, size_t piece, size_t room, struct result *r)
{
	struct mend m;
	char buffer[64];

	mend_init(&m, chunked);
	r->n = r->used = 0;
	for (size_t n = 1; n && r->used < in.n;) {
		size_t to = r->used + piece < in.n ? r->used + piece : in.n;
		struct put out = { .p = buffer, .max = room };

		n = mend_take(&m, rules, str_sub(in, r->used, to), &out);
		assert_false(out.full);
		memcpy(r->p + r->n, buffer, out.n);
		r->n += out.n;
		r->used += n;
		if (!chunked && r->n >= 5 && !memcmp(r->p + r->n - 5, "\r\n.\r\n", 5))
			break;
		if (!chunked && r->n == 3 && !memcmp(r->p, ".\r\n", 3))
			break;
	}
	if (chunked) {
		struct put out = { .p = r->p + r->n, .max = 8 };

		mend_end(&m, rules, &out);
		r->n += out.n;
	}
}

/* What a message means: unstuffed, up to its end. *end: it has one. */
static size_t meaning(struct str in, char *out, bool *end)
{
	size_t n = 0, i = 0;

	*end = false;
	while (i < in.n) {
		const char *lf = memchr(in.p + i, '\n', in.n - i);
		size_t to = lf ? (size_t)(lf - in.p) + 1 : in.n;

		if (in.p[i] == '.' && to - i == 3 && in.p[i + 1] == '\r' && lf) {
			*end = true;
			return n;
		}
		i += in.p[i] == '.';
		memcpy(out + n, in.p + i, to - i);
		n += to - i;
		i = to;
	}
	return n;
}

/* The model for DATA: the sender's lines end at CRLF; each is unstuffed, and then its flaws are replaced. */
static size_t model_data(struct str in, char *out, bool *end)
{
	size_t n = 0, i = 0;

	*end = false;
	while (i < in.n) {
		size_t to = i, from = i;

		while (to < in.n && !(in.p[to] == '\n' && to > i && in.p[to - 1] == '\r'))
			to++;
		if (to < in.n && to - i == 2 && in.p[i] == '.') {
			*end = true;
			return n;
		}
		from += in.p[i] == '.' && to - i > 0;
		for (size_t k = from; k < to && k < in.n; k++) {
			if (in.p[k] == '\r' && k + 1 == to && to < in.n)
				break; /* of the CRLF */
			if (in.p[k] == '\n')
				out[n++] = '\r';
			out[n++] = in.p[k] == '\r' || !in.p[k] ? ' ' : in.p[k];
		}
		if (to < in.n) {
			out[n++] = '\r';
			out[n++] = '\n';
		}
		i = to + 1;
	}
	return n;
}

static void must_be_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		assert_true(s.p[i]);
		if (s.p[i] == '\n')
			assert_true(i && s.p[i - 1] == '\r');
		if (s.p[i] == '\r')
			assert_true(i + 1 < s.n && s.p[i + 1] == '\n');
	}
}

static void same_however_cut(const struct mend_rules *rules, bool chunked, struct str in, const struct result *whole)
{
	struct result cut;

	for (size_t piece = 1; piece <= in.n; piece++) {
		mend(rules, chunked, in, piece, MEND_GROWTH + MEND_END + piece, &cut);
		if (cut.n != whole->n || cut.used != whole->used || memcmp(cut.p, whole->p, cut.n))
			fail_msg("cut into %zu it is another", piece);
	}
}

/* A CR at the very end may still become CRLF, and a dot the end of data: they are held back, the model knows of no future. */
static void check_data(struct str in)
{
	char got[64], want[64];
	struct result r;
	bool got_end, want_end;
	size_t ngot, nwant;

	if (in.n && (in.p[in.n - 1] == '\r' || in.p[in.n - 1] == '.'))
		return;
	mend(&everything, false, in, in.n + 1, 64, &r);
	must_be_clean((struct str){ r.p, r.n });
	ngot = meaning((struct str){ r.p, r.n }, got, &got_end);
	nwant = model_data(in, want, &want_end);
	assert_int_equal(got_end, want_end);
	if (ngot != nwant || memcmp(got, want, ngot)) {
		char a[200], b[200], c[200];

		str_escape(in, a, sizeof(a));
		str_escape((struct str){ got, ngot }, b, sizeof(b));
		str_escape((struct str){ want, nwant }, c, sizeof(c));
		fail_msg("%s means %s, not %s", a, b, c);
	}
	same_however_cut(&everything, false, in, &r);
	mend(&nothing, false, in, in.n + 1, 64, &r); /* what is not to be mended is as it was */
	assert_true(r.n == r.used && !memcmp(r.p, in.p, r.n));
}

/* Chunks: the meaning is what was sent, with an end to its last line, and never an end of data. */
static void check_chunks(struct str in)
{
	char got[64], want[64];
	struct result r;
	size_t ngot, nwant = 0;
	bool end;

	mend(&everything, true, in, in.n + 1, 64, &r);
	must_be_clean((struct str){ r.p, r.n });
	ngot = meaning((struct str){ r.p, r.n }, got, &end);
	assert_false(end);
	for (size_t i = 0; i < in.n; i++) {
		bool crlf = in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n';

		if (in.p[i] == '\n' && !(i && in.p[i - 1] == '\r'))
			want[nwant++] = '\r';
		want[nwant++] = (in.p[i] == '\r' && !crlf) || !in.p[i] ? ' ' : in.p[i];
	}
	if (nwant && want[nwant - 1] != '\n') {
		want[nwant++] = '\r';
		want[nwant++] = '\n';
	}
	assert_int_equal(ngot, nwant);
	assert_memory_equal(got, want, ngot);
	same_however_cut(&everything, true, in, &r);
}

static void every_stream(void (*check)(struct str in))
{
	static const char octets[] = { '\r', '\n', '.', 'a', '\0' };
	char in[7];

	for (size_t length = 0; length <= sizeof(in); length++) {
		unsigned combinations = 1;

		for (size_t k = 0; k < length; k++)
			combinations *= sizeof(octets);
		for (unsigned i = 0; i < combinations; i++) {
			unsigned v = i;

			for (size_t k = 0; k < length; k++, v /= sizeof(octets))
				in[k] = octets[v % sizeof(octets)];
			check((struct str){ in, length });
		}
	}
}

static void test_data(void **state)
{
	(void)state;
	every_stream(check_data);
}

static void test_chunks(void **state)
{
	(void)state;
	every_stream(check_chunks);
}

/* What is not to be mended in chunks is still there for body_take() to find. */
static void check_flaws_stay(struct str in)
{
	struct body_limits none = { 0 };
	struct body_out out;
	struct result r;
	struct body b;
	unsigned flaws = 0;

	for (size_t i = 0; i < in.n; i++) {
		flaws |= in.p[i] ? 0 : BODY_NUL;
		flaws |= in.p[i] == '\n' && !(i && in.p[i - 1] == '\r') ? BODY_BARE_LF : 0;
		flaws |= in.p[i] == '\r' && !(i + 1 < in.n && in.p[i + 1] == '\n') ? BODY_BARE_CR : 0;
	}
	mend(&nothing, true, in, in.n + 1, 64, &r);
	body_init(&b);
	body_take(&b, &none, (struct str){ r.p, r.n }, &out);
	assert_false(out.end);
	assert_int_equal(b.flaws, flaws);
}

static void test_flaws_stay(void **state)
{
	(void)state;
	every_stream(check_flaws_stay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_flaws_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
