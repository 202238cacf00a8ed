/* SPDX-License-Identifier: BSD-2-Clause */
/* test_log.c: the form of log lines, read back and as JSON. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "rnd.h"
#include "user/core/logline.h"
#include "user/log.h"
#include "user/log_journal.h"
#include "user/log_json.h"
#include "user/log_syslog.h"
#include "user/log_way.h"

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

/* What syslogd reads; nothing is written behind the room, and what does not fit is cut. */
static void test_syslog(void **state)
{
	static const char want[] = "<22>Nov 14 22:13:20 postern[7]: judge: stopped";
	char out[128 + 1], line[4096];

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	assert_int_equal(log_syslog(&source, STR("judge: stopped"), out, sizeof(out)), strlen(want));
	assert_string_equal(out, want);
	memset(line, 'x', sizeof(line));
	memset(out, 'y', sizeof(out));
	assert_int_equal(log_syslog(&source, (struct str){ line, sizeof(line) }, out, 128), 127);
	assert_true(!out[127] && out[128] == 'y' && out[126] == 'x');
}

/* --- readers that do not read -------------------------------------------------- */

static void open_pipe(int fd[2])
{
	assert_int_equal(pipe(fd), 0);
}

/* As a service manager gives it. */
static void open_stream(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
}

static void open_terminal(int fd[2])
{
	assert_int_equal(openpty(&fd[0], &fd[1], NULL, NULL, NULL), 0);
}

static const struct {
	const char *name;
	void (*open)(int fd[2]); /* to read from, to write to */
} readers[] = { { "pipe", open_pipe }, { "stream", open_stream }, { "terminal", open_terminal } };

/* All that can be read now, up to size; a terminal's CR go. */
static size_t drain(int fd, char *out, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < size && poll(&p, 1, 200) > 0) {
		ssize_t got = read(fd, out + n, 1);

		assert_int_equal(got, 1);
		n += out[n] != '\r';
	}
	return n;
}

/* Would it wait, this test would not end. */
static void test_nobody_is_waited_for(void **state)
{
	static char text[1 << 20];
	char line[64];

	(void)state;
	for (size_t i = 0; i < 2 * NROWS(readers); i++) {
		bool other = i >= NROWS(readers) && !geteuid();
		unsigned sent = 0, taken = 0, n;
		int fd[2], flags;
		struct log_way w;

		readers[i % NROWS(readers)].open(fd);
		flags = fcntl(fd[1], F_GETFL);
		setfsuid(other ? 65534 : geteuid()); /* it is another user's, who may not open it */
		log_way_open(&w, fd[1]);
		setfsuid(geteuid());
		assert_int_equal(w.own, !other && !w.socket);
		flags |= other && !w.socket ? O_NONBLOCK : 0;
		for (bool more = true; more && sent < 100000; sent++) {
			n = (unsigned)snprintf(line, sizeof(line), "line %u of those that nobody reads for now\n", sent);
			more = log_way_put(&w, line, n);
			taken += more;
		}
		assert_true(sent < 100000 && taken == sent - 1); /* it was full at last */
		assert_int_equal(fcntl(fd[1], F_GETFL), flags);	 /* other processes have it, too */
		n = (unsigned)drain(fd[0], text, sizeof(text) - 1);
		assert_true(log_way_put(&w, "the end\n", 8)); /* and there is room again */
		n += (unsigned)drain(fd[0], text + n, sizeof(text) - 1 - n);
		text[n] = 0;
		for (unsigned k = 0, at = 0; k < taken; k++) {
			assert_int_equal(sscanf(text + at, "line %u", &n), 1);
			assert_int_equal(n, k);
			at += (unsigned)strcspn(text + at, "\n") + 1;
		}
		assert_string_equal(text + strlen(text) - 8, "the end\n");
		log_way_close(&w);
		close(fd[0]);
		close(fd[1]);
	}
}

/* A line that went out in part ends before the next begins. */
static void test_a_torn_line_ends(void **state)
{
	static char line[9000], text[1 << 20];
	struct log_way w;
	int fd[2];
	size_t n;

	(void)state;
	open_pipe(fd);
	log_way_open(&w, fd[1]);
	memset(line, 'x', sizeof(line)); /* more than a pipe takes at once */
	line[sizeof(line) - 1] = '\n';
	while (log_way_put(&w, line, sizeof(line)))
		;
	assert_true(w.torn);
	drain(fd[0], text, sizeof(text));
	assert_true(log_way_put(&w, "next\n", 5));
	n = drain(fd[0], text, sizeof(text));
	assert_int_equal(n, 6);
	assert_memory_equal(text, "\nnext\n", 6);
	log_way_close(&w);
	close(fd[0]);
	close(fd[1]);
}

/* What is said comes to what is heard and what is counted, and the log says so itself. */
static void test_lost_lines_are_counted(void **state)
{
	static char text[1 << 20];
	int kept = dup(STDERR_FILENO);

	(void)state;
	for (size_t i = 0; i < NROWS(readers); i++) {
		struct pst_stats stats = { 0 };
		__u64 *lost = &stats.counter[PST_CNT_LOG_DROPPED];
		unsigned said = 0, heard = 0;
		char want[64];
		int fd[2];
		size_t n;

		readers[i].open(fd);
		assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
		log_init("test", LOG_TO_STDERR, false, false);
		log_counts(&stats);
		while (*lost < 3 && said < 100000)
			log_info("said number=%u end=1", said++);
		n = drain(fd[0], text, sizeof(text) - 1);
		log_info("said number=%u end=1", said++);
		dup2(kept, STDERR_FILENO);
		n += drain(fd[0], text + n, sizeof(text) - 1 - n);
		text[n] = 0;
		for (const char *at = text; (at = strstr(at, " end=1\n")); at++)
			heard++;
		assert_int_equal(said, heard + *lost);
		snprintf(want, sizeof(want), ": log-dropped lines=%llu: nobody took them\n", (unsigned long long)*lost);
		assert_non_null(strstr(text, want));
		close(fd[0]);
		close(fd[1]);
	}
	close(kept);
	log_init("test", LOG_TO_STDERR, false, false);
	log_counts(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_journal), cmocka_unit_test(test_journal_room),
		cmocka_unit_test(test_always_json),
		cmocka_unit_test(test_escaped_and_back), cmocka_unit_test(test_syslog), cmocka_unit_test(test_nobody_is_waited_for),
		cmocka_unit_test(test_a_torn_line_ends), cmocka_unit_test(test_lost_lines_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
