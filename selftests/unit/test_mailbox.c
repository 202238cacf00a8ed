/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "user/core/idna.h"
#include "rnd.h"
#include "user/core/mailbox.h"

#define L54 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L63 L54 "aaaaaaaaa"

static void paths(void **state)
{
	static const struct {
		const char *in;
		const char *text; /* as re-emitted; NULL = refused */
		bool routed;
	} row[] = {
		{ "<a@b.c>", "<a@b.c>", false },
		{ "<A.b@B.Example>", "<A.b@b.example>", false },
		{ "<\"a\"@b.c>", "<a@b.c>", false },
		{ "<\"a.b\"@b.c>", "<a.b@b.c>", false },
		{ "<\"a..b\"@b.c>", "<\"a..b\"@b.c>", false },
		{ "<\".a\"@b.c>", "<\".a\"@b.c>", false },
		{ "<\"a.\"@b.c>", "<\"a.\"@b.c>", false },
		{ "<\"\"@b.c>", "<\"\"@b.c>", false },
		{ "<\"a\\b\"@b.c>", "<ab@b.c>", false },
		{ "<\"a\\\"\\\\b\"@b.c>", "<\"a\\\"\\\\b\"@b.c>", false },
		{ "<\"a b\"@b.c>", "<\"a b\"@b.c>", true },
		{ "<\"a@d.e\"@b.c>", "<\"a@d.e\"@b.c>", true },
		{ "<\"a\\@d.e\"@b.c>", "<\"a@d.e\"@b.c>", true },
		{ "<a%d.e@b.c>", "<a%d.e@b.c>", true },
		{ "<d.e!a@b.c>", "<d.e!a@b.c>", true },
		{ "<@x.y:a@b.c>", "<a@b.c>", false },
		{ "<@x.y,@z:a@b.c>", "<a@b.c>", false },
		{ "<PostMaster>", "<postmaster>", false },
		{ "<a@b>", "<a@b>", false },
		{ "<a@1.2.3.4>", "<a@1.2.3.4>", false },
		{ "<a@xn--bcher-kva.example>", "<a@xn--bcher-kva.example>", false },
		{ "<a@" L63 ".b>", "<a@" L63 ".b>", false },
		{ "<" L63 "a@b>", "<" L63 "a@b>", false },
		{ "<a@[192.0.2.1]>", "<a@[192.0.2.1]>", false },
		{ "<a@[ipv6:2001:DB8:0::1]>", "<a@[IPv6:2001:db8::1]>", false },
		{ "<a@[IPv6:::ffff:192.0.2.1]>", "<a@[192.0.2.1]>", false },
		{ "<>", NULL, false },
		{ "<a>", NULL, false },
		{ "<a@>", NULL, false },
		{ "<@b.c>", NULL, false },
		{ "<@b.c:>", NULL, false },
		{ "<@:a@b.c>", NULL, false },
		{ "<@x.y;a@b.c>", NULL, false },
		{ "<@[192.0.2.1]:a@b.c>", NULL, false },
		{ "a@b.c", NULL, false },
		{ "<a@b.c", NULL, false },
		{ "<.a@b.c>", NULL, false },
		{ "<a.@b.c>", NULL, false },
		{ "<a..b@b.c>", NULL, false },
		{ "<a b@b.c>", NULL, false },
		{ "<a@b c>", NULL, false },
		{ "<a@b.c.>", NULL, false },
		{ "<a@.b>", NULL, false },
		{ "<a@b..c>", NULL, false },
		{ "<a@-b>", NULL, false },
		{ "<a@b->", NULL, false },
		{ "<a@b_c>", NULL, false },
		{ "<a@" L63 "a.b>", NULL, false },
		{ "<" L63 "aa@b>", NULL, false },
		{ "<a@" L63 "." L63 "." L63 "." L63 ".b>", NULL, false },
		{ "<\"a\nb\"@b.c>", NULL, false },
		{ "<\"a\\\tb\"@b.c>", NULL, false },
		{ "<\"a@b.c>", NULL, false },
		{ "<\"a\"b@b.c>", NULL, false },
		{ "<a@[192.0.2.01]>", NULL, false },
		{ "<a@[192.0.2.1>", NULL, false },
		{ "<a@[2001:db8::1]>", NULL, false },
		{ "<a@[IPv6:192.0.2.1]>", NULL, false },
		{ "<a@[IPv6:fe80::1%eth0]>", NULL, false },
		{ "<a@[x:y]>", NULL, false },
		{ "<a@[]>", NULL, false },
		{ "<a@[192.0.2.1].b>", NULL, false },
		{ "<(c)a@b.c>", NULL, false },
		{ "<a@(c)b.c>", NULL, false },
		{ "<@x.y:postmaster>", NULL, false },
		{ "<\"postmaster\">", NULL, false },
		{ "<\"\\p\\o\\s\\t\"@b.c>", "<post@b.c>", false },
		{ "<@" L63 "." L63 "." L63 ",@" L54 ":a@b.c>", "<a@b.c>", false },
		{ "<@" L63 "." L63 "." L63 ",@" L54 ":aa@b.c>", NULL, false },
		{ "<a@" L63 "." L63 "." L63 "." L54 "aaaaa.b>", NULL, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NROWS(row); i++) {
		struct str in = str_of(row[i].in);
		char text[MAILBOX_TEXT_MAX];
		struct mailbox m;
		bool ok = mailbox_path(&in, false, false, &m) == MAILBOX_OK;

		if (ok != (row[i].text != NULL))
			fail_msg("%s is %s", row[i].in, ok ? "accepted" : "refused");
		if (!ok) {
			assert_int_equal(in.n, strlen(row[i].in));
			continue;
		}
		assert_int_equal(in.n, 0);
		assert_int_equal(mailbox_text(&m, text), strlen(row[i].text));
		assert_string_equal(text, row[i].text);
		if (m.routed != row[i].routed)
			fail_msg("%s: routed is %d", row[i].in, m.routed);
	}
}

static void flaws(void **state)
{
	static const struct {
		const char *in;
		bool reverse, utf8;
		enum mailbox_flaw flaw;
	} row[] = {
		{ "<>", true, false, MAILBOX_OK },
		{ "<>", false, false, MAILBOX_SYNTAX },
		{ "<postmaster>", true, false, MAILBOX_NO_DOMAIN },
		{ "<abuse>", false, false, MAILBOX_NO_DOMAIN },
		{ "<a\xc3\xa4@b.c>", false, false, MAILBOX_NEEDS_UTF8 },
		{ "<a@\xc3\xa4.c>", false, false, MAILBOX_NEEDS_UTF8 },
		{ "<a\xc3@b.c>", false, false, MAILBOX_BAD_UTF8 },
		{ "<a\xc3@b.c>", false, true, MAILBOX_BAD_UTF8 },
		{ "<a\xc3\xa4@b.c>", false, true, MAILBOX_OK },
		{ "<a\xed\xa0\x80@b.c>", false, true, MAILBOX_BAD_UTF8 },
		{ "<a\xc0\x80@b.c>", false, true, MAILBOX_BAD_UTF8 },
		{ "<a\xf4\x90\x80\x80@b.c>", false, true, MAILBOX_BAD_UTF8 },
		{ "<a\xc2\x85@b.c>", false, true, MAILBOX_BAD_UTF8 },
		{ "<\"a \xc3\xa4\"@b.c>", false, true, MAILBOX_OK },
		{ "<@\xc3\xa4.c:a@b.c>", false, false, MAILBOX_NEEDS_UTF8 },
		{ "<a@\xef\xbc\xa1.c>", false, true, MAILBOX_BAD_UTF8 },	 /* full-width A */
		{ "<a@b\xe3\x80\x82""c>", false, true, MAILBOX_BAD_UTF8 },	 /* ideographic full stop */
		{ "<a@b\xc2\xad.c>", false, true, MAILBOX_BAD_UTF8 },	 /* soft hyphen */
		{ "<a@b\xe2\x80\x8d""c>", false, true, MAILBOX_BAD_UTF8 },	 /* joiner */
		{ "<a@b\xc5\xbf.c>", false, true, MAILBOX_BAD_UTF8 },	 /* long s */
		{ "<a@b\xe2\x80\xae.c>", false, true, MAILBOX_BAD_UTF8 },	 /* right-to-left override */
		{ "<a@\xc3\x84.c>", false, true, MAILBOX_BAD_UTF8 },	 /* capital */
		{ "<a@\xcc\x88""b.c>", false, true, MAILBOX_BAD_UTF8 },	 /* a mark first, and one that could compose */
		{ "<a@ab--\xc3\xa4.c>", false, true, MAILBOX_BAD_UTF8 },
		{ "<" L54 "@" L63 "." L63 "." L63 ".\xc3\xa4>", false, true, MAILBOX_OK }, /* 256 octets as re-emitted */
		{ "<" L54 "a@" L63 "." L63 "." L63 ".\xc3\xa4>", false, true, MAILBOX_TOO_LONG },
		{ "<" L54 "a@" L63 "." L63 "." L63 ".\xc3\xa4>", false, false, MAILBOX_NEEDS_UTF8 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NROWS(row); i++) {
		struct str in = str_of(row[i].in);
		struct mailbox m;
		enum mailbox_flaw flaw = mailbox_path(&in, row[i].reverse, row[i].utf8, &m);

		if (flaw != row[i].flaw)
			fail_msg("%s: flaw %d, not %d", row[i].in, flaw, row[i].flaw);
	}
}

/* Sample labels of RFC 3492 section 7.1 and well-known names. */
static void a_labels(void **state)
{
	static const struct {
		const char *u, *a;
	} row[] = {
		{ "b\xc3\xbc" "cher", "xn--bcher-kva" },
		{ "B\xc3\xbc" "CHER", "xn--bcher-kva" },
		{ "m\xc3\xbcnchen", "xn--mnchen-3ya" },
		{ "stra\xc3\x9f""e", "xn--strae-oqa" },
		{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80", "xn--e1afmkfd" },
		{ "\xe4\xbe\x8b\xe3\x81\x88", "xn--r8jz45g" },
		{ "\xed\x95\x9c\xea\xb5\xad", "xn--3e0b707e" },
		{ "\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8\x8d\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87",
		  "xn--ihqwcrb4cv8a8dqg056pqjye" },
		{ "\xe0\xb8\xad\xe0\xb8\xb4\xe0\xb8\x99", "xn--q3c3bva" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NROWS(row); i++) {
		char out[IDNA_LABEL_MAX + 1];
		size_t n = idna_label(str_of(row[i].u), out);

		if (n != strlen(row[i].a) || memcmp(out, row[i].a, n))
			fail_msg("%s: got %.*s", row[i].a, (int)n, out);
	}
}

static void domains(void **state)
{
	static const struct {
		const char *in;
		bool ok;
	} row[] = {
		{ "a.b", true }, { "localhost", true }, { "[192.0.2.1]", true }, { "[IPv6:2001:db8::1]", true }, { "1.2.3.4", true },
		{ "", false }, { ".", false }, { "a.", false }, { "a b", false }, { "a_b", false }, { "[192.0.2]", false }, { "[::1]", false },
		{ "a\r\nb", false }, { "-a", false }, { "[192.0.2.1]x", false }, { "\xc3\xa4.b", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NROWS(row); i++)
		if (mailbox_is_domain(str_of(row[i].in)) != row[i].ok)
			fail_msg("%s is %s", row[i].in, row[i].ok ? "a domain" : "no domain");
}

/* Pieces that addresses are made of, and that have made two parsers disagree. */
static const char *const piece[] = {
	"t", "user", "postmaster", "example.org", "remote.example", "[192.0.2.10]", "[IPv6:2001:db8::1]", "[IPv6:::ffff:192.0.2.1]", "[127.1]",
	"@", "@", "@", "%", "!", ":", ",", ";", ".", "..", "\"", "\"", "\\", "\\\"", "(", ")", "<", ">", "[", "]", " ", "\t", "\r", "\x0b", "\x7f",
	"\xc5\xbe", "\xd0\xbe", "\xe3\x80\x82", "\xef\xbc\xa0", "\xc2\xad", "\xe2\x80\x8d", "\x80", "\xff", "=40", "+40", "&AEA-", "-", "+", "/",
};

static bool holds_wide(const char *p, size_t n)
{
	while (n--)
		if ((unsigned char)p[n] >= 0x80)
			return true;
	return false;
}

static size_t make_up(char *out)
{
	unsigned n = 1 + rnd_below(9), i;

	strcpy(out, rnd_below(10) ? "<" : "");
	for (i = 0; i < n; i++)
		strcat(out, piece[rnd_below(NROWS(piece))]);
	strcat(out, rnd_below(10) ? ">" : "");
	return strlen(out);
}

/* The number of `c` outside quotes: a reader that knows quotes and nothing else. */
static unsigned unquoted(const char *text, char c)
{
	bool quoted = false;
	unsigned n = 0;

	for (; *text; text++) {
		if (*text == '\\' && quoted && text[1])
			text++;
		else if (*text == '"')
			quoted = !quoted;
		else
			n += !quoted && *text == c;
	}
	return n;
}

/* What is accepted has one canonical text: it reads as itself, and any other reader finds the same one domain in it. */
static void must_be_plain(const struct mailbox *m, const char *from)
{
	char text[MAILBOX_TEXT_MAX], again[MAILBOX_TEXT_MAX];
	size_t n = mailbox_text(m, text), i;
	struct str in = { text, n };
	struct mailbox back;

	if (mailbox_path(&in, false, true, &back) != MAILBOX_OK || in.n || !mailbox_text(&back, again) || strcmp(text, again))
		fail_msg("%s became %s, which does not read as itself", from, text);
	for (i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			fail_msg("%s became %s with a control byte", from, text);
	if (m->kind == MAILBOX_POSTMASTER)
		return;
	if (unquoted(text, '@') != 1 || unquoted(text, '<') != 1 || unquoted(text, '>') != 1 || unquoted(text, '(') || unquoted(text, ','))
		fail_msg("%s became %s, which another may read as two", from, text);
	if (strncmp(strrchr(text, '@') + 1, m->domain, m->ndomain) || strcmp(strrchr(text, '@') + 1 + m->ndomain, ">"))
		fail_msg("%s became %s, whose last @ is not before %s", from, text, m->domain);
	if (!m->routed && (strpbrk(m->local, "@%!") || strchr(m->local, ' ')))
		fail_msg("%s became %s: routing that is not called so", from, text);
}

static void made_up(void **state)
{
	unsigned round, taken = 0;
	char path[512];

	(void)state;
	for (round = 0; round < 200000; round++) {
		size_t n = make_up(path);
		struct str in = { path, n };
		struct mailbox m;

		if (mailbox_path(&in, false, round & 1, &m) != MAILBOX_OK)
			continue;
		must_be_plain(&m, path);
		if (!(round & 1) && holds_wide(path, n - in.n))
			fail_msg("%s was taken without SMTPUTF8", path);
		taken++;
	}
	assert_true(taken > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(flaws),
		cmocka_unit_test(a_labels),
		cmocka_unit_test(domains),
		cmocka_unit_test(made_up),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
