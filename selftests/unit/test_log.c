/* SPDX-License-Identifier: BSD-2-Clause */
/* test_log.c: the form of log lines, read back and as JSON. */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "rnd.h"
#include "user/core/logline.h"
#include "user/log_journal.h"
#include "user/log_json.h"

static const struct log_source source = { .role = "judge", .pid = 7, .priority = 6, .when = { 1700000000, 123456789 } };

#define HEAD "{\"schema\":1,\"time\":\"2023-11-14T22:13:20.123456Z\",\"role\":\"judge\",\"process\":7,\"priority\":6"

static const struct {
	const char *line, *json; /* behind HEAD */
} rows[] = {
	{ "stopped", ",\"event\":\"stopped\"}" },
	{ "stopping: bans stay", ",\"event\":\"stopping\",\"text\":\"bans stay\"}" },
	{ "finding session=0000000000000001 addr=192.0.2.7 reason=non-smtp points=60 score=60 evidence=\"GET / \\x0d\\\"a=b\\\\\"",
	  ",\"event\":\"finding\",\"session\":\"0000000000000001\",\"addr\":\"192.0.2.7\",\"reason\":\"non-smtp\",\"points\":60,\"score\":60,"
	  "\"evidence\":\"GET / \\\\x0d\\\\\\\"a=b\\\\\\\\\"}" },
	{ "backend-down backend=mta address=[2001:db8::1]:25: Connection refused",
	  ",\"event\":\"backend-down\",\"backend\":\"mta\",\"address\":\"[2001:db8::1]:25\",\"text\":\"Connection refused\"}" },
	{ "ban prefix=2001:db8::/64 for=10m score=007", ",\"event\":\"ban\",\"prefix\":\"2001:db8::/64\",\"for\":\"10m\",\"score\":\"007\"}" },
	{ "control uid=0 event=\"x\" time=\"y\"", ",\"event\":\"control\",\"uid\":0,\"of_event\":\"x\",\"of_time\":\"y\"}" },
	{ "config-error: /etc/a.conf:3: \"x\" is \xc3\xa4\xff", ",\"event\":\"config-error\",\"text\":\"/etc/a.conf:3: \\\"x\\\" is \xc3\xa4\\ufffd\"}" },
	{ "Not of that form", ",\"text\":\"Not of that form\"}" },
	{ "broken note=\"never ends", ",\"event\":\"broken\",\"text\":\"note=\\\"never ends\"}" },
	{ "", "}" },
};

static const struct {
	const char *line, *entry; /* behind MESSAGE and what is always there */
} entries[] = {
	{ "ban prefix=192.0.2.7 score=60 note=\"a \\\"b\\\"\"", "POSTERN_EVENT=ban\nMESSAGE_ID=@\nPOSTERN_PREFIX=192.0.2.7\nPOSTERN_SCORE=60\nPOSTERN_NOTE=a \\\"b\\\"\n" },
	{ "stopping: bans stay", "POSTERN_EVENT=stopping\nMESSAGE_ID=@\n" },
	{ "Not of that form", "" },
	{ "", "" },
};

/* The id is 32 hexadecimal digits; in its place a "@". */
static void mask_id(char *entry)
{
	char *id = strstr(entry, "MESSAGE_ID=");

	if (!id)
		return;
	id += strlen("MESSAGE_ID=");
	assert_int_equal(strspn(id, "0123456789abcdef"), 32);
	*id = '@';
	memmove(id + 1, id + 32, strlen(id + 32) + 1);
}

static void test_journal(void **state)
{
	char out[1024], want[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		size_t n = log_journal(&source, str_of(entries[i].line), out, sizeof(out));

		assert_int_equal(n, strlen(out));
		mask_id(out);
		snprintf(want, sizeof(want), "MESSAGE=judge: %s\nPRIORITY=6\nSYSLOG_IDENTIFIER=postern\nSYSLOG_FACILITY=2\nPOSTERN_ROLE=judge\n%s", entries[i].line,
			 entries[i].entry);
		assert_string_equal(out, want);
	}
}

/* Whatever the room, an entry is whole lines, each a field. */
static void test_journal_room(void **state)
{
	char line[4096] = "ban ", out[4096];

	(void)state;
	for (int i = 0; i < 300; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "key%d=value ", i);
	for (size_t size = 512; size < sizeof(out); size += 7) {
		size_t n = log_journal(&source, str_of(line), out, size);

		assert_true(n < size && out[n] == 0 && out[n - 1] == '\n');
		for (char *at = out; *at; at = strchr(at, '\n') + 1)
			assert_true(strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") > 0 && memchr(at, '=', strcspn(at, "\n")));
	}
}

static void test_rows(void **state)
{
	char out[1024], want[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t n = log_json(&source, str_of(rows[i].line), out, sizeof(out));

		snprintf(want, sizeof(want), HEAD "%s", rows[i].json);
		assert_string_equal(out, want);
		assert_int_equal(n, strlen(out));
	}
}

/* Bytes that are likely to hurt, in all orders, and room that does not do. */
static void test_always_json(void **state)
{
	static const char bytes[] = "a=\"\\ :x0-\xc3\xa4\xff\xed\xa0\x80\x01\x7f";
	char line[300], out[700];

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = rnd_below(sizeof(line)), size = 512 + rnd_below(sizeof(out) - 512);
		json_t *v;

		memcpy(line, "event k=", 8);
		for (size_t i = rnd_below(9); i < n; i++)
			line[i] = bytes[rnd_below(sizeof(bytes) - 1)];
		n = log_json(&source, (struct str){ line, n }, out, size);
		assert_true(n < size && strlen(out) == n);
		v = json_loads(out, 0, NULL);
		assert_true(json_is_object(v));
		json_decref(v);
	}
}

/* Whatever a stranger says comes back as it was, and as one value. */
static void test_escaped_and_back(void **state)
{
	char said[64], safe[300], line[400], back[64];

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct str key, value;
		struct logline l;
		size_t n = rnd_below(sizeof(said)), k;

		for (size_t i = 0; i < n; i++)
			said[i] = (char)rnd();
		str_escape((struct str){ said, n }, safe, sizeof(safe));
		snprintf(line, sizeof(line), "finding evidence=\"%s\" score=5: more", safe);
		assert_true(logline_open(str_of(line), &l));
		assert_true(logline_next(&l, &key, &value));
		k = logline_plain(value, back, sizeof(back));
		assert_int_equal(k, n);
		assert_memory_equal(back, said, n);
		assert_true(logline_next(&l, &key, &value));
		assert_true(str_eq(key, STR("score")) && str_eq(value, STR("5")));
		assert_false(logline_next(&l, &key, &value));
		assert_true(str_eq(l.text, STR("more")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_journal), cmocka_unit_test(test_journal_room),
		cmocka_unit_test(test_always_json),
		cmocka_unit_test(test_escaped_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
