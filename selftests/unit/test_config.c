/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_config.c: every file of selftests/config is a row: bad_*.conf holds the messages that it must
 * cause, all of them, in order, as lines "#= LINE: text" ("#= FILE:LINE: text" for another file's); good_*.conf causes none.
 * @DIR@ stands for a folder with files made here.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/config_rows.h"
#include "user/core/addr.h"

#define TEXT_MAX 16384

static char dir[] = "/tmp/postern-config-XXXXXX";

struct messages {
	char text[TEXT_MAX];
	size_t n;
};

static void add(struct messages *m, const char *line)
{
	m->n += (size_t)snprintf(m->text + m->n, sizeof(m->text) - m->n, "%s\n", line);
	assert_true(m->n < sizeof(m->text));
}

static void take_message(void *ctx, const char *message)
{
	add(ctx, message);
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* A map as Postfix makes it: one file; its keys end in NUL or not. */
static void put_map(const char *name, const char *const *key, size_t nkeys, size_t extra, const char *value)
{
	char path[256];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0644), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	for (size_t i = 0; i < nkeys; i++) {
		MDB_val k = { strlen(key[i]) + extra, (void *)key[i] }, v = { strlen(value) + extra, (void *)value };

		assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	}
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void put_maps(void)
{
	static const char *const good[] = { "map.example", ".map.example", "Upper.Example" }, *const odd[] = { "fine.example", "two words" };
	static const char *const people[] = { "map@example.org", "@bücher.example" }, *const owners[] = { "carol" };
	char path[256];

	put_map("good.lmdb", good, NROWS(good), 1, "OK");
	put_map("odd.lmdb", odd, NROWS(odd), 0, "OK");
	put_map("torn.lmdb", good, NROWS(good), 0, "OK");
	put_map("recipients.lmdb", people, NROWS(people), 1, "OK");
	put_map("owners.lmdb", owners, NROWS(owners), 1, "carol@example.org, info@example.org");
	snprintf(path, sizeof(path), "%s/torn.lmdb", dir);
	assert_int_equal(truncate(path, 9000), 0);
	put("junk.lmdb", "this is no map\n");
}

static int make_files(void **state)
{
	static const char *const keys[] = { "cert", "key", "other-cert", "other" };
	char command[512];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	put("good.txt", "192.0.2.0/24 ; a comment\n\n# another\n2001:db8::/32\n");
	put("everybody.txt", "2001:db8::/32\n2000::/3\n");
	put("domains.txt", "file.example\n.file.example # and what is below it\n");
	put_maps();
	put("senders.txt", "worse.example\n# a person\na@fair.example\n");
	put("recipients.txt", "file@example.org # one\nother@example.org\n");
	put("owners.txt", "Bob\tbob@example.org\nbob bob@example.net\n");
	put("bad.txt", "192.0.2.0/24\n192.0.2.1/24\n");
	snprintf(command, sizeof(command), "%s/pipe", dir);
	if (mkfifo(command, 0600))
		return -1;
	put("relay.txt", "# ours\n203.0.113.7\n\n203.0.113.8 # the other\n");
	for (int i = 0; i < 4; i += 2) {
		snprintf(command, sizeof(command),
			 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=mx.example.org "
			 "-out %s/%s.pem -keyout %s/%s.pem 2>/dev/null",
			 dir, keys[i], dir, keys[i + 1]);
		if (system(command))
			return -1;
	}
	return 0;
}

static int remove_files(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* "#= 3: text" is said of the file itself, "#= /path:3: text" of another. */
static void expect_line(struct messages *m, const char *path, const char *text)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s%s%s", *text == '/' ? "" : path, *text == '/' ? "" : ":", text);
	add(m, line);
}

static void put_expanded(FILE *out, const char *line)
{
	const char *at;

	while ((at = strstr(line, "@DIR@"))) {
		fprintf(out, "%.*s%s", (int)(at - line), line, dir);
		line = at + 5;
	}
	fputs(line, out);
}

/* Copies the row with @DIR@ filled in to path, and gathers what it expects. */
static void prepare(const char *row, const char *path, struct messages *expected)
{
	char line[1024], *expanded;
	size_t n;
	FILE *in = fopen(row, "r"), *out = fopen(path, "w"), *mem;

	assert_non_null(in);
	assert_non_null(out);
	while (fgets(line, sizeof(line), in)) {
		mem = open_memstream(&expanded, &n);
		put_expanded(mem, line);
		fclose(mem);
		fputs(expanded, out);
		if (!strncmp(expanded, "#= ", 3)) {
			expanded[strcspn(expanded, "\n")] = 0;
			expect_line(expected, path, expanded + 3);
		}
		free(expanded);
	}
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static void test_row(void **state)
{
	const char *row = *state, *name = strrchr(row, '/') + 1;
	bool bad = !strncmp(name, "bad_", 4), odd = !strncmp(name, "odd_", 4); /* the others are good */
	struct messages expected = { .n = 0 }, got = { .n = 0 };
	char path[256];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	prepare(row, path, &expected);
	rc = config_verify(path, take_message, odd ? take_message : NULL, &got);
	assert_string_equal(got.text, expected.text);
	assert_int_equal(rc, bad ? -EINVAL : 0);
	assert_int_equal(bad || odd, expected.n != 0);
}

static struct conf *read_text(const char *text)
{
	struct messages got = { .n = 0 };
	struct conf *conf = NULL;
	char path[256];

	put("text.conf", text);
	snprintf(path, sizeof(path), "%s/text.conf", dir);
	if (config_read(path, &conf, take_message, &got))
		fail_msg("%s", got.text);
	return conf;
}

#define LEAST "hostname = mx.example.org domains = { example.org } worker_user = 64321 judge_user = 64322 " \
	      "listener mx { port = 25 } backend main { port = 10025 }\n"

/* What the rows say about a ban is what the judge's own defaults are. */
static void test_policy_defaults(void **state)
{
	struct conf *c = read_text(LEAST);
	struct policy p;

	(void)state;
	policy_defaults(&p);
	assert_int_equal(c->policy.threshold, p.threshold);
	assert_int_equal(c->policy.half_life_s, p.half_life_s);
	assert_int_equal(c->policy.ban_s, p.ban_s);
	assert_int_equal(c->policy.ban_max_s, p.ban_max_s);
	assert_int_equal(c->policy.relapse_s, p.relapse_s);
	assert_int_equal(c->policy.action, p.action);
	assert_int_equal(c->policy.observe, p.observe);
	assert_memory_equal(c->policy.points, p.points, sizeof(p.points));
	config_free(c);
}

/* A listener starts with the global settings and may differ in one. */
static void test_listener_inherits(void **state)
{
	struct conf *c = read_text(LEAST "greet_pause = 700ms limits { rcpts = 200 }\n"
					 "listener other { port = 26 greet_pause = 0s tls_timeout = 7s answer_timeout = 8s header_size = 4K null_rcpts = 3 }\n"
					 "listener third { port = 27 greet_pause = \"\" }\n");

	(void)state;
	assert_int_equal(c->listener[0].sess.greet_pause_ms, 700);
	assert_int_equal(c->listener[1].sess.greet_pause_ms, 0);
	assert_int_equal(c->listener[2].sess.greet_pause_ms, 700);
	assert_int_equal(c->listener[1].sess.rcpt_max, 200);
	assert_int_equal(c->listener[1].sess.tls_timeout_s, 7);
	assert_int_equal(c->listener[1].sess.answer_timeout_s, 8);
	assert_int_equal(c->listener[1].sess.body.header_bytes, 4096);
	assert_int_equal(c->listener[1].sess.null_rcpt_max, 3);
	assert_int_equal(c->listener[2].sess.tls_timeout_s, 60);
	assert_ptr_equal(c->listener[1].sess.relay, &c->relay);
	assert_string_equal(c->listener[1].name, "other");
	config_free(c);
}

static void test_values(void **state)
{
	struct conf *c = read_text("\xef\xbb\xbf" LEAST "interface = { eth0, eth1 } xdp_mode = generic mode = observe\n"
					 "allow = { 192.0.2.0/24 } allow += { 2001:db8::1 }\n"
					 "relay { entries = { 198.51.100.0/24 } }\n"
					 "traps = { Trap@Example.org }\n"
					 "limits { message_size = 3K }\n");
	char text[PREFIX_TEXT_MAX];

	(void)state;
	assert_int_equal(c->ninterfaces, 2);
	assert_string_equal(c->interface[1], "eth1");
	assert_null(c->interface[2]);
	assert_int_equal(c->xdp_mode, XDP_GENERIC);
	assert_int_equal(c->mode, PST_MODE_OBSERVE);
	assert_int_equal(c->nallow, 2);
	assert_string_equal(prefix_text(&c->allow[0], text), "192.0.2.0/24");
	assert_string_equal(prefix_text(&c->allow[1], text), "2001:db8::1");
	assert_int_equal(c->relay.relay.nrules, 1);
	assert_int_equal(c->relay.relay.rule[0].line, 4);
	assert_int_equal(c->relay.relay.mode, ACCESS_ONLY);
	assert_int_equal(c->relay.connect.mode, ACCESS_EXCEPT);
	assert_int_equal(c->relay.ntraps, 1);
	assert_int_equal(c->listener[0].sess.body.size, 3072);
	assert_int_equal(c->nports, 1);
	assert_int_equal(c->port[0], 25);
	config_free(c);
}

static void test_domains(void **state)
{
	static const struct { const char *domain; bool own; unsigned route; } rows[] = {
		{ "example.org", true, 0 }, { "EXAMPLE.ORG", true, 0 }, { "a.example.org", false, 0 }, { "a.example.net", true, 0 },
		{ "example.net", false, 0 }, { "xn--bcher-kva.example", true, 0 }, { "BÜCHER.example", false, 0 }, { "bücher.example", true, 0 },
		{ "[192.0.2.1]", true, 0 }, { "[192.0.2.2]", false, 0 }, { "map.example", true, 0 }, { "a.map.example", true, 0 },
		{ "upper.example", true, 0 }, { "file.example", true, 0 }, { "a.b.file.example", true, 0 },
		{ "branch.example.org", false, 1 }, { "a.branch.example.org", false, 1 }, { "backup.example", false, 2 }, { "a.backup.example", false, 0 },
	};
	char path[256], from[256];
	struct messages got = { .n = 0 };
	struct conf *c;

	(void)state;
	snprintf(from, sizeof(from), "selftests/config/good_routes.conf");
	snprintf(path, sizeof(path), "%s/routes.conf", dir);
	prepare(from, path, &got);
	assert_int_equal(config_read(path, &c, take_message, &got), 0);
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct mailbox m;
		bool parsed = mailbox_domain(str_of(rows[i].domain), true, &m);

		if ((parsed && relay_is_own(&c->relay, &m)) != rows[i].own || (parsed && relay_route_of(&c->relay, &m) != rows[i].route))
			fail_msg("%s", rows[i].domain);
	}
	assert_int_equal(c->nroutes, 5);
	assert_int_equal(c->relay.nroutes, 5);
	assert_int_equal(c->relay.route[1].messages_max, 7);
	assert_int_equal(c->relay.route[1].session_size, 2 << 20);
	assert_int_equal(c->relay.route[1].data_timeout_s, 30);
	assert_int_equal(c->relay.route[1].data_rate, 1024);
	assert_int_equal(c->senders.list[0].action, SENDER_DIVERT);
	assert_int_equal(c->senders.list[0].route, 4);
	assert_int_equal(c->route[4].backend[0], 2);
	assert_string_equal(c->route[0].name, "default");
	assert_int_equal(c->route[0].nbackends, 1);
	assert_int_equal(c->route[0].backend[0], 0); /* "two" is the branch's */
	assert_int_equal(c->route[1].backend[0], 1);
	assert_int_equal(c->route[2].backend[0], 0); /* none of its own: those of the default route */
	assert_true(c->relay.named && c->relay.connect.named && c->relay.relay.named && c->relay.route[3].entries.named);
	assert_int_equal(c->relay.route[3].entries.rule[0].prefix.len, 96 + 24);
	assert_string_equal(c->relay.relay.rule[1].name.p, "xn--strae-oqa.example");
	assert_int_equal(c->listener[0].sess.name_timeout_s, 3);
	config_free(c);
}

static void test_dns_lists(void **state)
{
	static const struct { const char *name; unsigned zone; size_t nfilters; int weight; const char *text; } rows[] = {
		{ "zen.example", 0, 1, 3, "See https://zen.example/" }, { "zen.example", 0, 2, 1, "See https://zen.example/" },
		{ "bl.example", 1, 0, 2, "" }, { "allowed.example", 2, 1, -2, "" },
	};
	struct messages got = { .n = 0 };
	const struct dnsl_rules *d;
	struct conf *c;

	(void)state;
	assert_int_equal(config_read("selftests/config/good_dnsl.conf", &c, take_message, &got), 0);
	d = &c->dnsl.rules;
	assert_ptr_equal(c->listener[0].sess.dnsl, d);
	assert_int_equal(d->nrules, NROWS(rows));
	for (size_t i = 0; i < NROWS(rows); i++) {
		assert_string_equal(d->rule[i].name, rows[i].name);
		assert_int_equal(d->rule[i].zone, rows[i].zone);
		assert_int_equal(d->rule[i].nfilters, rows[i].nfilters);
		assert_int_equal(d->rule[i].weight, rows[i].weight);
		assert_string_equal(d->rule[i].text, rows[i].text);
		assert_int_equal(d->rule[i].line, 5);
	}
	assert_true(d->rule[1].filter[1].mask && d->rule[1].filter[1].bits == 4);
	assert_int_equal(d->nzones, 3);
	assert_string_equal(d->zone[0].name, "zen.example");
	assert_string_equal(d->zone[0].domain, "key.zen.example");
	assert_string_equal(d->zone[1].domain, "bl.example");
	assert_true(d->zone[0].asked4 && d->zone[0].asked6 && !d->zone[0].untested);
	assert_true(d->zone[1].asked4 && !d->zone[1].asked6 && d->zone[1].untested);
	assert_int_equal(d->enforce, 3);
	assert_int_equal(d->ban, 5);
	assert_int_equal(d->skip, -2);
	assert_int_equal(c->dnsl.nservers, 2);
	assert_int_equal(c->dnsl.timeout_ms, 2000);
	config_free(c);
}

static void test_people(void **state)
{
	static const struct { const char *path; enum recipient_word word; } recipients[] = {
		{ "<user@example.org>", RECIPIENT_KNOWN }, { "<ODD+tag@example.org>", RECIPIENT_UNKNOWN }, { "<\"odd one\"@example.org>", RECIPIENT_KNOWN },
		{ "<anybody@example.net>", RECIPIENT_KNOWN }, { "<file-x@example.org>", RECIPIENT_KNOWN }, { "<other@example.org>", RECIPIENT_KNOWN },
		{ "<map@example.org>", RECIPIENT_KNOWN }, { "<x@xn--bcher-kva.example>", RECIPIENT_KNOWN }, { "<x@example.com>", RECIPIENT_UNSAID },
	};
	static const struct { const char *account, *path; bool owns; unsigned line; } owners[] = {
		{ "alice", "<alice@example.org>", true, 10 }, { "alice", "<Sales@example.org>", true, 10 }, { "alice", "<x@a.lists.example>", true, 10 },
		{ "alice", "<bob@example.org>", false, 0 }, { "boss", "<bob@example.org>", true, 10 }, { "bob", "<bob@example.org>", true, 1 },
		{ "bob", "<bob@example.net>", true, 2 }, { "carol", "<info@example.org>", true, 1 }, { "carol", "<alice@example.org>", false, 0 },
	};
	struct messages got = { .n = 0 };
	const struct sender_rule *rule;
	char path[256];
	struct mailbox m;
	struct conf *c;

	(void)state;
	snprintf(path, sizeof(path), "%s/people.conf", dir);
	prepare("selftests/config/good_people.conf", path, &got);
	assert_int_equal(config_read(path, &c, take_message, &got), 0);
	for (size_t i = 0; i < NROWS(recipients); i++) {
		struct str in = str_of(recipients[i].path);

		assert_int_equal(mailbox_path(&in, false, true, &m), MAILBOX_OK);
		if (recipients_ask(&c->relay.recipients, &m, NULL) != recipients[i].word)
			fail_msg("%s", recipients[i].path);
	}
	for (size_t i = 0; i < NROWS(owners); i++) {
		struct str in = str_of(owners[i].path);

		assert_int_equal(mailbox_path(&in, true, true, &m), MAILBOX_OK);
		if (account_owns(&c->accounts, str_of(owners[i].account), &m, &rule) != owners[i].owns || (rule ? rule->line : 0) != owners[i].line)
			fail_msg("%s %s", owners[i].account, owners[i].path);
	}
	assert_int_equal(c->listener[0].sess.account_sender, PST_MODE_ENFORCE);
	assert_ptr_equal(c->listener[0].sess.accounts, &c->accounts);
	assert_true(c->relay.route[1].needs_tls && c->relay.route[1].needs_auth && !c->relay.route[0].needs_tls);
	config_free(c);
}

/* A map while it is written is refused, not waited for, and read again as soon as the writer is done. */
static void test_map_is_being_written(void **state)
{
	static const char text[] = "hostname = mx.example.org worker_user = 64321 judge_user = 64322 listener mx { port = 25 } "
				   "backend main { port = 10025 } domains = { \"lmdb:%s/good.lmdb\" }\n";
	struct flock writing = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct messages got = { .n = 0 };
	char conf[1024], path[256];
	struct conf *c;
	int fd;

	(void)state;
	snprintf(conf, sizeof(conf), text, dir);
	put("map.conf", conf);
	snprintf(path, sizeof(path), "%s/good.lmdb", dir);
	fd = open(path, O_RDWR);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &writing), 0);
	snprintf(path, sizeof(path), "%s/map.conf", dir);
	assert_int_equal(config_read(path, &c, take_message, &got), -EINVAL);
	assert_non_null(strstr(got.text, "good.lmdb: it is being written"));
	close(fd);
	c = read_text(conf);
	assert_int_equal(c->relay.ndomains, 3);
	config_free(c);
}

static void write_default(FILE *f, const struct config_row *r)
{
	if (config_is_list(r->kind))
		fprintf(f, "%s = {%s}\n", r->name, r->def);
	else if (*r->def)
		fprintf(f, "%s = \"%s\"\n", r->name, r->def);
}

/* Every default is a value that may be written. */
static void test_defaults_written_out(void **state)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	for (size_t s = 0; s < config_nsections; s++) {
		if (config_sections[s].multi)
			continue;
		if (*config_sections[s].name)
			fprintf(f, "%s {\n", config_sections[s].name);
		for (size_t i = 0; i < config_nrows; i++) {
			const struct config_row *r = &config_rows[i];

			if (!strcmp(r->section, config_sections[s].name) && r->kind != CONFIG_KIND_USER && strcmp(r->name, "domains"))
				write_default(f, r);
		}
		if (*config_sections[s].name)
			fprintf(f, "}\n");
	}
	fprintf(f, "%s", LEAST);
	fclose(f);
	config_free(read_text(text));
	free(text);
}

/* The lexer keeps state of its own: a file that ends inside a string must not spoil the next read. */
static void test_after_failure(void **state)
{
	static const char *const open[] = { "hostname = \"mx.example.org\n", "hostname = 'mx.example.org\n", "/* hostname = mx.example.org\n", "relay {\n" };
	struct messages got = { .n = 0 };
	struct conf *conf = NULL;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/open.conf", dir);
	for (size_t i = 0; i < NROWS(open); i++) {
		put("open.conf", open[i]);
		assert_int_equal(config_read(path, &conf, take_message, &got), -EINVAL);
		config_free(read_text(LEAST));
	}
}

static void count_setting(void *ctx, const struct config_shown *s)
{
	size_t *n = ctx;

	*n += s->set;
	assert_non_null(s->value);
	assert_int_equal(s->set, s->line != 0);
}

static void test_show(void **state)
{
	struct messages got = { .n = 0 };
	char path[256];
	size_t n = 0;

	(void)state;
	put("show.conf", LEAST "mode = no-such-mode\n");
	snprintf(path, sizeof(path), "%s/show.conf", dir);
	assert_int_equal(config_show(path, count_setting, take_message, &n), 0);
	assert_int_equal(n, 7);
	assert_string_equal(got.text, "");
}

/* Lists are loaded one by one: reading the configuration must not fail of one. */
static void test_lists_are_not_read(void **state)
{
	char text[1024];
	struct conf *c;

	(void)state;
	snprintf(text, sizeof(text), LEAST "list a { file = \"%s/bad.txt\" follow = yes } list b { file = \"/no/such/list\" action = observe }\n", dir);
	c = read_text(text);
	assert_int_equal(c->nlists, 2);
	assert_true(c->list[0].follow && !c->list[1].follow);
	assert_int_equal(c->list[1].action, PST_ACT_OBSERVE);
	config_free(c);
}

/* A name that is no file, and a file that is no text. None of them may stop the reader, or keep it waiting. */
static void test_unreadable(void **state)
{
	static const struct { const char *path, *message; } rows[] = {
		{ "/no/such/file.conf", "1: cannot read: No such file or directory; name a readable file with -c" },
		{ "/", "1: cannot read: it is a folder; name a readable file with -c" },
		{ "/dev/zero", "1: cannot read: it is not a regular file; name a readable file with -c" },
		{ "pipe", "1: cannot read: it is not a regular file; name a readable file with -c" },
		{ "huge.conf", "1: cannot read: it is larger than 16 MiB; name a readable file with -c" },
		{ "nul.conf", "3: a NUL byte; save the file as plain UTF-8 text" },
	};
	char path[256], expected[512];

	(void)state;
	put("huge.conf", LEAST);
	snprintf(path, sizeof(path), "%s/huge.conf", dir);
	assert_int_equal(truncate(path, (16 << 20) + 1), 0);
	put("nul.conf", LEAST "\n");
	snprintf(path, sizeof(path), "%s/nul.conf", dir);
	assert_int_equal(truncate(path, sizeof(LEAST) + 1), 0);
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct messages got = { .n = 0 };
		struct conf *conf = NULL;

		snprintf(path, sizeof(path), "%s%s%s", *rows[i].path == '/' ? "" : dir, *rows[i].path == '/' ? "" : "/", rows[i].path);
		snprintf(expected, sizeof(expected), "%s:%s\n", path, rows[i].message);
		assert_int_equal(config_read(path, &conf, take_message, &got), -EINVAL);
		assert_string_equal(got.text, expected);
	}
}

static void count_message(void *ctx, const char *message)
{
	(void)message;
	++*(unsigned *)ctx;
}

/* A wrong file named as a list of networks does not fill the log. */
static void test_many_errors(void **state)
{
	unsigned said = 0;
	struct conf *conf = NULL;
	char path[256];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/many.conf", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(LEAST "allow = {\n", f);
	for (int i = 0; i < 5000; i++)
		fprintf(f, "no-address-%d,\n", i);
	fputs("}\n", f);
	fclose(f);
	assert_int_equal(config_read(path, &conf, count_message, &said), -EINVAL);
	assert_int_equal(said, 101);
}

int main(void)
{
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_policy_defaults), cmocka_unit_test(test_listener_inherits), cmocka_unit_test(test_values),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_dns_lists),
		cmocka_unit_test(test_people),
		cmocka_unit_test(test_map_is_being_written),
		cmocka_unit_test(test_defaults_written_out), cmocka_unit_test(test_after_failure), cmocka_unit_test(test_show),
		cmocka_unit_test(test_lists_are_not_read), cmocka_unit_test(test_unreadable), cmocka_unit_test(test_many_errors),
	};
	struct CMUnitTest *rows;
	glob_t files;
	int failed;

	if (glob("selftests/config/*.conf", 0, NULL, &files)) {
		fprintf(stderr, "selftests/config/*.conf: not found; run from the top of the tree\n");
		return 1;
	}
	rows = calloc(files.gl_pathc, sizeof(*rows));
	for (size_t i = 0; i < files.gl_pathc; i++)
		rows[i] = (struct CMUnitTest){ .name = files.gl_pathv[i], .test_func = test_row, .initial_state = files.gl_pathv[i] };
	failed = _cmocka_run_group_tests("config rows", rows, files.gl_pathc, make_files, NULL);
	failed += _cmocka_run_group_tests("config", fixed, NROWS(fixed), NULL, remove_files);
	free(rows);
	globfree(&files);
	return failed != 0;
}
