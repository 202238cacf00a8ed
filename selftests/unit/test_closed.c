/* SPDX-License-Identifier: BSD-2-Clause */
/* test_closed.c: what config_closed() calls closed is what libconfuse does: a brace more is one too many. */
#include "unit.h"

#include <confuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rnd.h"
#include "user/config_int.h"

static void count(void *ctx, const char *message)
{
	(void)message;
	++*(unsigned *)ctx;
}

static bool says_closed(const char *text)
{
	unsigned said = 0;
	struct config_reader r = { .path = "x", .file = { "x" }, .nfiles = 1, .err = count, .ctx = &said };
	bool closed = config_closed(&r, r.path, text);

	assert_true(closed == !said);
	return closed;
}

static void quiet(cfg_t *cfg, const char *fmt, va_list ap)
{
	(void)cfg;
	(void)fmt;
	(void)ap;
}

static bool parses(const char *text)
{
	cfg_opt_t in[] = { CFG_STR("x", NULL, CFGF_NONE), CFG_STR_LIST("l", NULL, CFGF_NONE), CFG_END() };
	cfg_opt_t top[] = { CFG_STR("x", NULL, CFGF_NONE), CFG_STR_LIST("l", NULL, CFGF_NONE), CFG_SEC("s", in, CFGF_NONE), CFG_SEC("t", in, CFGF_MULTI | CFGF_TITLE), CFG_END() };
	cfg_t *cfg = cfg_init(top, CFGF_NONE);
	bool good;

	cfg_set_error_function(cfg, quiet);
	good = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	cfg_free(cfg);
	return good;
}

enum model { OPEN, CLOSED, NO_CONFIGURATION };

/* In a process of its own, for libconfuse does not forget an open comment. */
static enum model model(const char *text)
{
	char more[4096];
	int status;
	pid_t pid;

	snprintf(more, sizeof(more), "%s\n}\n", text);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(!parses(text) ? NO_CONFIGURATION : parses(more) ? OPEN : CLOSED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_rows(void **state)
{
	static const struct {
		const char *text;
		bool closed;
	} rows[] = {
		{ "", true }, { "x = a", true }, { "s { }", true }, { "s {", false }, { "s { l = { a }", false }, { "s { /* } */", false }, { "s { # }", false },
		{ "s { // }", false }, { "s { x = //}", false }, { "s { x = //a}", true }, { "x = '}'", true }, { "s { x = \"}\"", false }, { "s { x = \"\\\"}\" }", true }, { "x = \"", false },
		{ "x = '", false }, { "x = '\\'", false }, { "/* x", false }, { "/*/", false }, { "x = a/* b", true }, { "x = ${A}", true }, { "x = \"${A\"}\"", true },
		{ "x = '${A}'", true }, { "x = '${A'", true }, { "x = a${A", false }, { "}", true }, { "x = \"a\\", false },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		enum model m = model(rows[i].text);

		if (says_closed(rows[i].text) != rows[i].closed || (m != NO_CONFIGURATION && (m == CLOSED) != rows[i].closed))
			fail_msg("%s: %d, %d", rows[i].text, says_closed(rows[i].text), m);
	}
}

static void test_as_libconfuse(void **state)
{
	static const char *const piece[] = { "s {", "t n {", "}", "}", "}", "x = v", "l = { a, b }", "l += {a}", "l = {", "# }{\"'/*", "// }{\"", "/* }{\" */", "/*", "*/", "x = \"}{#\"", "x = '}{\\''",
					     "x = \"\\\"\"", "x = \"a\nb\"", "x = ${HOME}", "x = \"${HOME}\"", "x = \"${A\"}\"", "x = http://h/p", "x = 10.0.0.0/8", "x = //a", "x = a/*", "x = '${A'", "$", "/", "\\", "\r" };
	static const char *const gap[] = { " ", "\n", "\n", "" };
	unsigned seen[NO_CONFIGURATION + 1] = { 0 };

	(void)state;
	for (int i = 0; i < 6000; i++) {
		char text[1024] = "";
		enum model m;

		for (unsigned n = rnd_below(6); n; n--) {
			strcat(text, piece[rnd_below(NROWS(piece))]);
			strcat(text, gap[rnd_below(NROWS(gap))]);
		}
		m = model(text);
		seen[m]++;
		if (m != NO_CONFIGURATION && says_closed(text) != (m == CLOSED))
			fail_msg("%s\n is %s", text, m == CLOSED ? "closed" : "open");
	}
	assert_true(seen[OPEN] > 300 && seen[CLOSED] > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_as_libconfuse) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
