/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "rnd.h"
#include "user/core/line.h"

#define LIMIT 80

/* All that a stream gives: each line as "flaws:text;". */
struct heard {
	char text[4096];
	size_t n;
};

static void hear(struct heard *h, const struct line *l)
{
	h->text[h->n++] = (char)('@' + l->flaws);
	memcpy(h->text + h->n, l->text.p, l->text.n);
	h->n += l->text.n;
	h->text[h->n++] = ';';
}

/* Offers the bytes up to each cut; what was not consumed is offered again, as an edge does. */
static void offer(struct str in, const size_t *cut, size_t ncuts, struct heard *h)
{
	struct line_cut c = { 0 };
	size_t from = 0, i;

	h->n = 0;
	for (i = 0; i <= ncuts; i++) {
		size_t to = i < ncuts ? cut[i] : in.n, n;
		bool done;

		do {
			char *copy = malloc(to - from + 1);
			struct line l;

			memcpy(copy, in.p + from, to - from);
			n = line_take(&c, (struct str){ copy, to - from }, LIMIT, &l, &done);
			assert_true(n <= to - from);
			if (done)
				hear(h, &l);
			from += n;
			free(copy);
		} while (n && from < to);
		assert_true(to - from < LIMIT); /* bounded: a full buffer is always taken */
	}
}

/* The model: the whole stream at once, lines by the first CRLF, judged byte by byte. */
static unsigned model_flaws(const char *p, size_t n)
{
	unsigned flaws = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		flaws |= c == '\n' ? LINE_BARE_LF : c == '\r' ? LINE_BARE_CR : !c ? LINE_NUL : 0;
		flaws |= c >= 128 ? LINE_8BIT : 0;
		flaws |= (c < 32 && c && !strchr("\r\n\t", c)) || c == 127 ? LINE_CTRL : 0;
	}
	return flaws;
}

static void model(struct str in, struct heard *h)
{
	size_t from = 0, i;

	h->n = 0;
	for (i = 0; i + 1 < in.n; i++) {
		struct line l = { str_sub(in, from, i), 0 };

		if (in.p[i] != '\r' || in.p[i + 1] != '\n')
			continue;
		l.flaws = model_flaws(l.text.p, l.text.n);
		if (l.text.n + 2 > LIMIT) {
			l.flaws |= LINE_LONG;
			l.text.n = LINE_HEAD_MAX;
		}
		hear(h, &l);
		from = i + 2;
		i++;
	}
}

static void same(const struct heard *a, const struct heard *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->text, b->text, a->n);
}

static void rows(void **state)
{
	static const struct {
		struct str in;
		const char *lines; /* '@' + flaws, text, ';' */
	} row[] = {
		{ STR("NOOP\r\n"), "@NOOP;" },
		{ STR("\r\n\r\n"), "@;@;" },
		{ STR("A\r\nB\r\nrest"), "@A;@B;" },
		{ STR("A\nB\r\n"), "AA\nB;" },
		{ STR("A\rB\r\n"), "BA\rB;" },
		{ STR("A\r\r\n"), "BA\r;" },
		{ STR("A\n\r\n"), "AA\n;" },
		{ STR("\n"), "" },
		{ STR("A\r"), "" },
		{ STR("A\tB\r\n"), "@A\tB;" },
		{ STR("A\x01\r\n"), "HA\x01;" },
		{ STR("A\x7f\r\n"), "HA\x7f;" },
		{ STR("A\x85\r\n"), "PA\x85;" },
		{ STR("A\x0b\x0c\r\n"), "HA\x0b\x0c;" },
	};
	struct heard h;
	size_t i;

	(void)state;
	for (i = 0; i < NROWS(row); i++) {
		offer(row[i].in, NULL, 0, &h);
		assert_int_equal(h.n, strlen(row[i].lines));
		assert_memory_equal(h.text, row[i].lines, h.n);
	}
}

/* The limit counts CRLF: one byte more is too long. */
static void limit(void **state)
{
	char in[LIMIT + 1];
	struct line_cut c = { 0 };
	struct line l;
	bool done;

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in + LIMIT - 2, "\r\n", 2);
	assert_int_equal(line_take(&c, (struct str){ in, LIMIT }, LIMIT, &l, &done), LIMIT);
	assert_true(done && !l.flaws && l.text.n == LIMIT - 2);
	memcpy(in + LIMIT - 2, "x\r\n", 3);
	assert_int_equal(line_take(&c, (struct str){ in, LIMIT + 1 }, LIMIT, &l, &done), LIMIT);
	assert_false(done);
	assert_int_equal(line_take(&c, (struct str){ in + LIMIT, 1 }, LIMIT, &l, &done), 1);
	assert_true(done && l.flaws == LINE_LONG && l.text.n == LINE_HEAD_MAX);
	assert_false(c.skipping);
}

/* A bare LF is told before its line ends, and an endless line is counted. */
static void told_early(void **state)
{
	struct line_cut c = { 0 };
	struct line l;
	bool done;
	unsigned i;

	(void)state;
	assert_int_equal(line_take(&c, STR("A\nB"), LIMIT, &l, &done), 0);
	assert_true(!done && l.flaws == LINE_BARE_LF);
	for (i = 0; i < 10; i++) {
		char in[LIMIT];

		memset(in, 'x', LIMIT);
		assert_int_equal(line_take(&c, (struct str){ in, LIMIT }, LIMIT, &l, &done), LIMIT);
		assert_int_equal(c.skipped, (i + 1) * LIMIT);
	}
}

static struct str noise(char *out, size_t max)
{
	static const char bytes[] = "\r\n\r\n\r\nab\t\0\x01\x80";
	size_t i, n = rnd_below((unsigned)max);

	for (i = 0; i < n; i++)
		out[i] = rnd_below(4) ? bytes[rnd_below(sizeof(bytes) - 1)] : 'x';
	if (n > 100 && rnd_below(2))
		memset(out + rnd_below(20), 'y', 60 + rnd_below(20));
	return (struct str){ out, n };
}

static void any_cut_gives_the_same_lines(void **state)
{
	struct heard whole, cut, expected;
	char in[300];
	unsigned round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct str s = noise(in, sizeof(in));
		size_t at[300], i, n = 0;

		model(s, &expected);
		offer(s, NULL, 0, &whole);
		same(&expected, &whole);
		for (i = 1; i < s.n; i++)
			if (round % 3 == 0 || !rnd_below(8))
				at[n++] = i;
		offer(s, at, n, &cut);
		same(&expected, &cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(limit),
		cmocka_unit_test(told_early),
		cmocka_unit_test(any_cut_gives_the_same_lines),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
