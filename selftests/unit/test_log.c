/* SPDX-License-Identifier: BSD-2-Clause */
/* test_log.c: the form of log lines, read back and as JSON. */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "rnd.h"
#include "user/core/logline.h"
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
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_always_json),
		cmocka_unit_test(test_escaped_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
