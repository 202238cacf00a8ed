/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "rnd.h"
#include "user/core/body.h"

struct result {
	bool end;
	unsigned flaws;
	size_t used, npassed;
	char passed[4096];
};

static void pass(struct result *r, struct str s)
{
	if (s.n)
		memcpy(r->passed + r->npassed, s.p, s.n);
	r->npassed += s.n;
}

/* Offers in pieces that end at the cuts. */
static void take(const struct body_limits *l, struct str in, const size_t *cut, size_t ncuts, struct result *r)
{
	struct body b;
	size_t from = 0, i;

	memset(r, 0, offsetof(struct result, passed));
	body_init(&b);
	for (i = 0; i <= ncuts && !r->end; i++) {
		size_t to = i < ncuts ? cut[i] : in.n, n;
		char *copy = malloc(to - from + 1);
		struct body_out out;

		memcpy(copy, in.p + from, to - from);
		n = body_take(&b, l, (struct str){ copy, to - from }, &out);
		assert_true(out.end ? n <= to - from : n == to - from);
		pass(r, out.held);
		pass(r, out.now);
		r->end = out.end;
		from += n;
		free(copy);
	}
	r->used = from;
	r->flaws = b.flaws;
}

/*
 * The model, from the definition: content ends at the first CRLF.CRLF (or .CRLF at the very start); the first octet that is
 * a flaw ends what is passed; what could still become the end, or a CR that could still become CRLF, waits.
 */
static size_t model_end(struct str in)
{
	size_t i;

	for (i = 0; i + 2 < in.n; i++)
		if (!memcmp(in.p + i, ".\r\n", 3) && (!i || (i >= 2 && !memcmp(in.p + i - 2, "\r\n", 2))))
			return i;
	return in.n;
}

static void model(struct str in, struct result *r)
{
	size_t end = model_end(in), i, clean = end;
	const char *p = in.p;

	memset(r, 0, offsetof(struct result, passed));
	r->end = end < in.n;
	r->used = r->end ? end + 3 : in.n;
	for (i = 0; i < end; i++) {
		unsigned flaw = 0;

		if (p[i] == '\n' && (!i || p[i - 1] != '\r'))
			flaw = BODY_BARE_LF;
		if (p[i] == '\r' && i + 1 < end && p[i + 1] != '\n')
			flaw = BODY_BARE_CR;
		if (!p[i])
			flaw = BODY_NUL;
		if (flaw && !r->flaws)
			clean = i;
		r->flaws |= flaw;
	}
	r->npassed = clean;
	if (clean && p[clean - 1] == '\r')
		r->npassed--;
	clean = r->npassed; /* a dot at a line's head waits for a clean octet behind it */
	if (clean && p[clean - 1] == '.' && (clean == 1 || (clean > 2 && p[clean - 2] == '\n' && p[clean - 3] == '\r')))
		r->npassed--;
	memcpy(r->passed, p, r->npassed);
}

static void same(struct str in, const struct result *a, const struct result *b)
{
	char text[1200], got[1200], want[1200];

	if (a->end == b->end && a->flaws == b->flaws && a->used == b->used && a->npassed == b->npassed &&
	    !memcmp(a->passed, b->passed, a->npassed))
		return;
	str_escape(in, text, sizeof(text));
	str_escape((struct str){ a->passed, a->npassed }, want, sizeof(want));
	str_escape((struct str){ b->passed, b->npassed }, got, sizeof(got));
	fail_msg("%s: end %d flaws %x used %zu passed \"%s\", got end %d flaws %x used %zu passed \"%s\"", text, a->end, a->flaws, a->used,
		 want, b->end, b->flaws, b->used, got);
}

/* Every split into two and into single bytes. */
static void every_split(const struct body_limits *l, struct str in, const struct result *expected)
{
	struct result r;
	size_t all[512], i;

	take(l, in, NULL, 0, &r);
	same(in, expected, &r);
	for (i = 0; i <= in.n; i++) {
		take(l, in, &i, 1, &r);
		same(in, expected, &r);
		all[i] = i;
	}
	take(l, in, all, in.n, &r);
	same(in, expected, &r);
}

static const struct body_limits none;

/* What senders and smugglers have been seen to end a message with; between a line of text and a command. */
static void end_of_data(void **state)
{
	static const struct {
		struct str sequence;
		bool end;
		unsigned flaws;
	} row[] = {
		{ STR("\r\n.\r\n"), true, 0 },
		{ STR("\n.\n"), false, BODY_BARE_LF },
		{ STR("\n.\r\n"), false, BODY_BARE_LF },
		{ STR("\r\n.\n"), false, BODY_BARE_LF },
		{ STR("\r.\r"), false, BODY_BARE_CR },
		{ STR("\r.\n"), false, BODY_BARE_CR | BODY_BARE_LF },
		{ STR("\r.\r\n"), false, BODY_BARE_CR },
		{ STR("\n.\r"), false, BODY_BARE_LF | BODY_BARE_CR },
		{ STR("\r\n.\r"), false, BODY_BARE_CR },
		{ STR("\r\n.\r\r\n"), false, BODY_BARE_CR },
		{ STR("\n.\r\r\n"), false, BODY_BARE_LF | BODY_BARE_CR },
		{ STR("\r\r\n.\r\r\n"), false, BODY_BARE_CR },
		{ STR("\r\r\n.\n"), false, BODY_BARE_CR | BODY_BARE_LF },
		{ STR("\r\r\n.\r"), false, BODY_BARE_CR },
		{ STR("\r\r\n.\r\n"), true, BODY_BARE_CR },
		{ STR("\r.\r\r\n"), false, BODY_BARE_CR },
		{ STR("\n\r.\r\n"), false, BODY_BARE_LF | BODY_BARE_CR },
		{ STR("\n\r.\n"), false, BODY_BARE_LF | BODY_BARE_CR },
		{ STR("\r\0\n.\r\n"), false, BODY_BARE_CR | BODY_BARE_LF | BODY_NUL },
		{ STR("\r\n.\0\r\n"), false, BODY_NUL },
		{ STR("\r\n\0.\r\n"), false, BODY_NUL },
		{ STR("\r\n.\r\0\n"), false, BODY_BARE_CR | BODY_BARE_LF | BODY_NUL },
		{ STR("\r\n. \r\n"), false, 0 },
		{ STR("\r\n.\t\r\n"), false, 0 },
		{ STR("\r\n .\r\n"), false, 0 },
		{ STR("\r\n..\r\n"), false, 0 },
		{ STR("\r\n.\x0b\r\n"), false, 0 },
		{ STR("\r\n.\x0c\r\n"), false, 0 },
		{ STR("\r\n.\x85\r\n"), false, 0 },
		{ STR("\x85.\x85"), false, 0 },
		{ STR("\r\n.\xe2\x80\xa8"), false, 0 },
		{ STR("\xe2\x80\xa8.\xe2\x80\xa8"), false, 0 },
		{ STR("\xe2\x80\xa9.\r\n"), false, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NROWS(row); i++) {
		struct result r;
		char text[100];
		size_t n = row[i].sequence.n;

		memcpy(text, "text", 4);
		memcpy(text + 4, row[i].sequence.p, n);
		memcpy(text + 4 + n, "MAIL FROM:<>\r\n", 14);
		model((struct str){ text, n + 18 }, &r);
		assert_int_equal(r.end, row[i].end);
		assert_int_equal(r.flaws, row[i].flaws);
		every_split(&none, (struct str){ text, n + 18 }, &r);
		/* nor does it end a message that already begins with it */
		memmove(text, text + 4, n);
		memcpy(text + n, "MAIL FROM:<>\r\n", 14);
		model((struct str){ text, n + 14 }, &r);
		every_split(&none, (struct str){ text, n + 14 }, &r);
	}
}

static void short_streams(void **state)
{
	static const char bytes[] = { '\r', '\n', '.', 'a', '\0' };
	struct result r;
	char in[7];
	unsigned length, i, k;

	(void)state;
	for (length = 0; length <= sizeof(in); length++) {
		unsigned combinations = 1;

		for (k = 0; k < length; k++)
			combinations *= 5;
		for (i = 0; i < combinations; i++) {
			unsigned v = i;

			for (k = 0; k < length; k++, v /= 5)
				in[k] = bytes[v % 5];
			model((struct str){ in, length }, &r);
			every_split(&none, (struct str){ in, length }, &r);
		}
	}
}

static void long_streams(void **state)
{
	static const char bytes[] = "\r\n\r\n\r\n.\r\n.ab:";
	struct result r;
	char in[400];
	unsigned round, i, n;

	(void)state;
	for (round = 0; round < 1500; round++) {
		n = rnd_below(sizeof(in));
		for (i = 0; i < n; i++)
			in[i] = rnd_below(5) ? 'x' : bytes[rnd_below(sizeof(bytes) - 1)];
		model((struct str){ in, n }, &r);
		every_split(&none, (struct str){ in, n }, &r);
	}
}

static void limits(void **state)
{
	static const struct {
		const char *in;
		struct body_limits limits;
		unsigned flaws;
		const char *passed;
	} row[] = {
		{ "\r\n345678", { .size = 8 }, 0, "\r\n345678" },
		{ "\r\n3456789", { .size = 8 }, BODY_SIZE, "\r\n345678" },
		{ "\r\n3456\r\n", { .size = 8 }, 0, "\r\n3456\r\n" },
		{ "\r\n34567\r\n", { .size = 8 }, BODY_SIZE, "\r\n34567" },
		{ "\r\n..45\r\n", { .size = 7 }, 0, "\r\n..45\r\n" },
		{ "A: 4\r\n\r\nxxxxx", { .header_bytes = 8 }, 0, "A: 4\r\n\r\nxxxxx" },
		{ "A: 4\r\nB: 0", { .header_bytes = 8 }, BODY_HEADERS, "A: 4\r\nB:" },
		{ "no field here, so it is a body", { .header_bytes = 8 }, 0, "no field here, so it is a body" },
		{ "field\r\nwithout a colon", { .header_bytes = 8 }, 0, "field\r\nwithout a colon" },
		{ " continues nothing", { .header_bytes = 8 }, 0, " continues nothing" },
		{ "A: 4\r\n and on it goes", { .header_bytes = 8 }, BODY_HEADERS, "A: 4\r\n a" },
		{ "Received:\r\nReceived:", { .received = 1 }, BODY_LOOP, "Received:\r\nReceived" },
		{ "Received:\r\n\r\nReceived:", { .received = 1 }, 0, "Received:\r\n\r\nReceived:" },
		{ "Received:\r\nX-Received:\r\nReceivedX:\r\nRece:\r\n Received:", { .received = 1 }, 0,
		  "Received:\r\nX-Received:\r\nReceivedX:\r\nRece:\r\n Received:" },
		{ "Received:\r\n.Received \t:", { .received = 1 }, BODY_LOOP, "Received:\r\n.Received \t" },
		{ "Received:\r\nRECEIVED:", { .received = 1 }, BODY_LOOP, "Received:\r\nRECEIVED" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NROWS(row); i++) {
		struct str in = str_of(row[i].in);
		struct result r = { .flaws = row[i].flaws, .used = in.n, .npassed = strlen(row[i].passed) };

		memcpy(r.passed, row[i].passed, r.npassed);
		every_split(&row[i].limits, in, &r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(end_of_data),
		cmocka_unit_test(short_streams),
		cmocka_unit_test(long_streams),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
