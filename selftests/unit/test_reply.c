/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "rnd.h"
#include "user/core/reply.h"

/* Feeds lines, which are separated by '\n' here; returns the last result. */
static enum reply_result feed(struct reply *r, const char *lines)
{
	enum reply_result result = REPLY_MORE;

	for (const char *end; *lines && result == REPLY_MORE; lines = *end ? end + 1 : end) {
		end = strchrnul(lines, '\n');
		result = reply_line(r, (struct str){ lines, (size_t)(end - lines) });
	}
	return result;
}

static void is_normalised(void **state)
{
	static const struct {
		const char *in, *out;
		bool utf8;
	} rows[] = {
		{ "250 Ok", "250 Ok\r\n", false },
		{ "250", "250 \r\n", false },
		{ "250 ", "250 \r\n", false },
		{ "599 x", "599 x\r\n", false },
		{ "250-a\n250-b\n250 c", "250-a\r\n250-b\r\n250 c\r\n", false },
		{ "250-a\n250", "250-a\r\n250 \r\n", false },
		{ "250-\n250 c", "250-\r\n250 c\r\n", false },
		{ "550 bell\a esc\033[1m nul", "550 bell? esc?[1m nul\r\n", false },
		{ "550 tab\there", "550 tab here\r\n", false },
		{ "550 lone\rcr", "550 lone?cr\r\n", false },
		{ "550 del\x7f", "550 del?\r\n", false },
		{ "550 gr\xc3\xbc\xc3\x9f", "550 gr????\r\n", false },
		{ "550 gr\xc3\xbc\xc3\x9f", "550 gr\xc3\xbc\xc3\x9f\r\n", true },
		{ "550 \xf0\x9f\x93\xac box", "550 \xf0\x9f\x93\xac box\r\n", true },
		{ "550 cut\xe2\x82", "550 cut??\r\n", true },
		{ "550 long\xc0\xaf form", "550 long?? form\r\n", true },
		{ "550 surrogate\xed\xa0\x80", "550 surrogate???\r\n", true },
		{ "550 beyond\xf4\x90\x80\x80", "550 beyond????\r\n", true },
		{ "550 c1\xc2\x9b" "31m", "550 c1??31m\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct reply r;

		reply_init(&r);
		r.utf8 = rows[i].utf8;
		assert_int_equal(feed(&r, rows[i].in), REPLY_DONE);
		assert_int_equal(r.n, strlen(rows[i].out));
		assert_memory_equal(r.text, rows[i].out, r.n);
		assert_false(r.cut);
	}
}

static void is_refused(void **state)
{
	static const char *const rows[] = {
		"",	    "2",	"25",	    "25x ok",	"150 wait",   "199 x",	  "600 x",	     "000 x",
		"2500 ok",  "250_ok",	" 250 ok",  "-250 ok",	"250-a\n251 b", "250-a\nb", "250-a\n550 b", "250-a\n 250 b",
		"\xb2\xb5\xb0 ok", "HTTP/1.1 400 Bad Request",
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct reply r;

		reply_init(&r);
		if (rows[i][0])
			assert_int_equal(feed(&r, rows[i]), REPLY_BAD);
		else
			assert_int_equal(reply_line(&r, STR("")), REPLY_BAD);
	}
}

static void has_texts(void **state)
{
	struct reply r;

	(void)state;
	reply_init(&r);
	assert_int_equal(feed(&r, "250-mx.example.org\n250-\n250-SIZE 1000\n250 DSN"), REPLY_DONE);
	assert_int_equal(r.code, 250);
	assert_int_equal(reply_class(&r), 2);
	assert_int_equal(r.lines, 4);
	assert_true(str_eq(reply_text(&r, 0), STR("mx.example.org")));
	assert_true(str_eq(reply_text(&r, 1), STR("")));
	assert_true(str_eq(reply_text(&r, 2), STR("SIZE 1000")));
	assert_true(str_eq(reply_text(&r, 3), STR("DSN")));
	assert_true(str_eq(reply_text(&r, 4), STR("")));
}

/* Whatever was kept is a reply: whole lines of at most 512 octets, the last one marked as last. */
static void assert_is_reply(const struct reply *r)
{
	size_t at = 0;
	bool last = false;

	assert_in_range(r->n, 6, REPLY_MAX);
	while (at < r->n) {
		const char *line = r->text + at, *end = memmem(line, r->n - at, "\r\n", 2);
		size_t n = end ? (size_t)(end - line) + 2 : 0;

		assert_false(last);
		assert_in_range(n, 6, 512);
		assert_true(line[3] == ' ' || line[3] == '-');
		last = line[3] == ' ';
		at += n;
	}
	assert_true(last);
}

static void is_bounded(void **state)
{
	char line[2000];
	struct reply r;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	reply_init(&r);
	assert_int_equal(reply_line(&r, (struct str){ line, sizeof(line) }), REPLY_DONE);
	assert_true(r.cut);
	assert_int_equal(r.n, 512);
	assert_is_reply(&r);

	/* more than fits: the last line that was kept becomes the last one */
	reply_init(&r);
	line[3] = '-';
	for (int i = 0; i < 20; i++)
		assert_int_equal(reply_line(&r, (struct str){ line, 400 }), REPLY_MORE);
	line[3] = ' ';
	assert_int_equal(reply_line(&r, (struct str){ line, 400 }), REPLY_DONE);
	assert_true(r.cut);
	assert_is_reply(&r);

	/* endless */
	reply_init(&r);
	for (int i = 0; i < REPLY_LINES_MAX; i++)
		assert_int_equal(reply_line(&r, STR("250-x")), REPLY_MORE);
	assert_int_equal(reply_line(&r, STR("250-x")), REPLY_BAD);
}

/* A multi-byte sequence at the very end of the room is kept whole or not at all. */
static void is_never_cut_inside_a_character(void **state)
{
	char line[600];

	(void)state;
	for (size_t pad = 0; pad < 4; pad++) {
		struct reply r;
		size_t n = 4 + pad;

		memcpy(line, "250 ppp", 7);
		for (; n + 4 < sizeof(line); n += 4)
			memcpy(line + n, "\xf0\x9f\x93\xac", 4);
		reply_init(&r);
		r.utf8 = true;
		assert_int_equal(reply_line(&r, (struct str){ line, n }), REPLY_DONE);
		assert_int_equal((unsigned char)r.text[r.n - 3], 0xac);
		assert_is_reply(&r);
	}
}

static void any_bytes_make_a_reply_or_none(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct reply r;
		enum reply_result result = REPLY_MORE;

		reply_init(&r);
		r.utf8 = round & 1;
		for (int lines = 0; lines < 30 && result == REPLY_MORE; lines++) {
			char line[700];
			size_t n = rnd_below(sizeof(line));

			for (size_t i = 0; i < n; i++)
				line[i] = (char)rnd();
			if (n >= 4)
				memcpy(line, rnd_below(4) ? "451-" : "451 ", 4);
			result = reply_line(&r, (struct str){ line, n });
		}
		if (result == REPLY_DONE)
			assert_is_reply(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_normalised),
		cmocka_unit_test(is_refused),
		cmocka_unit_test(has_texts),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(is_never_cut_inside_a_character),
		cmocka_unit_test(any_bytes_make_a_reply_or_none),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
