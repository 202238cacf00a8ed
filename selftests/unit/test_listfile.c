/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "user/listfile.h"

static char path[] = "/tmp/postern-list-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void put(const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void put_gz(const char *text, size_t cut)
{
	gzFile gz = gzopen(path, "w");
	FILE *f;
	long size;

	assert_non_null(gz);
	assert_true(gzwrite(gz, text, (unsigned)strlen(text)) > 0);
	assert_int_equal(gzclose(gz), Z_OK);
	f = fopen(path, "r");
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	fclose(f);
	assert_int_equal(truncate(path, size - (long)cut), 0);
}

/* Reads path; on success the prefixes as one line of text, on failure the message without the file's name. */
static int outcome(char *text, size_t size)
{
	struct listfile l = { .n = 4711 };
	size_t at = 0;
	char err[256] = "", one[PREFIX_TEXT_MAX];
	int rc = listfile_read(path, NULL, &l, err, sizeof(err));

	text[0] = '\0';
	if (rc) {
		assert_int_equal(l.n, 4711);
		assert_int_equal(strncmp(err, path, strlen(path)), 0);
		snprintf(text, size, "%s", err + strlen(path));
		return rc;
	}
	assert_int_equal(l.prefix == NULL, l.n == 0);
	assert_int_equal(l.files, 1);
	for (size_t i = 0; i < l.n && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? " " : "", prefix_text(&l.prefix[i], one));
	listfile_free(&l);
	return 0;
}

static void reads_or_refuses_whole(void **state)
{
	static const struct {
		struct str file;
		int rc;
		const char *text;
	} rows[] = {
		{ STR(""), 0, "" },
		{ STR("# nothing\n\n;\n"), 0, "" },
		{ STR("192.0.2.0/24 ; SBL1\n2001:db8::/32\n"), 0, "192.0.2.0/24 2001:db8::/32" },
		{ STR("192.0.2.1"), 0, "192.0.2.1" },
		{ STR("192.0.2.2\r\n192.0.2.1\r\n"), 0, "192.0.2.2 192.0.2.1" },
		{ STR("192.0.2.1\n\n# x\n192.0.2.1/24\n192.0.2.3\n"), -EINVAL,
		  ":4: \"192.0.2.1/24\": bits are set behind the length; the network is 192.0.2.0/24" },
		{ STR("192.0.2.1\nlocalhost"), -EINVAL, ":2: \"localhost\": not an IPv4 or IPv6 address" },
		{ STR("192.0.2.1/33\n"), -EINVAL,
		  ":1: \"192.0.2.1/33\": the length after / must be 0 to 32 for IPv4, 0 to 128 for IPv6" },
		{ STR("192.0.2.1\n0.0.0.0/0\n"), -EINVAL, ":2: this is all of IPv4; set everything = yes for this list, if that is meant" },
		{ STR("0.0.0.0-255.255.255.255\n"), -EINVAL, ":1: this is all of IPv4; set everything = yes for this list, if that is meant" },
		{ STR("::/0\n"), -EINVAL, ":1: this is all of IPv6; set everything = yes for this list, if that is meant" },
		{ STR("::/1\n8000::/1\n128.0.0.0/1\n"), 0, "::/1 8000::/1 128.0.0.0/1" }, /* wide, but as written */
		{ STR("::1/0\n"), -EINVAL, ":1: \"::1/0\": bits are set behind the length" },
		{ STR("192.0.2.1\0\n"), -EINVAL, ":1: \"192.0.2.1\\x00\": not an IPv4 or IPv6 address" },
		{ STR("\x1b[2J\n"), -EINVAL, ":1: \"\\x1b[2J\": not an IPv4 or IPv6 address" },
		{ STR("192.0.2.0-192.0.2.2\n2001:db8::-2001:db8::1\n"), 0, "192.0.2.0/31 192.0.2.2 2001:db8::/127" },
		{ STR("create a hash:net family inet\nadd a 192.0.2.0/24\nadd a 192.0.2.7 nomatch\n"), -EINVAL,
		  ":3: \"nomatch\": exceptions cannot be part of a list; set allow = { ... } for them" },
		{ STR("table ip t {\n set s {\n  type ipv4_addr\n  elements = { 192.0.2.1,\n 192.0.2.2 }\n }\n}\n"), 0, "192.0.2.1 192.0.2.2" },
		{ STR("table ip t {\n set s {\n  type ipv4_addr\n  elements = { 192.0.2.1,\n"), -EINVAL,
		  ":4: \"end of file\": inside the braces of a dump: it is cut off; dump it again" },
		/* JSON lines */
		{ STR("{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\",\"rir\":\"ripencc\"}\n{\"cidr\":\"2001:db8::/32\"}\n"
		      "{\"type\":\"metadata\",\"timestamp\":1750000000,\"size\":100,\"records\":2,\"copyright\":\"(c)\"}\n"), 0, "192.0.2.0/24 2001:db8::/32" },
		{ STR("{\"cidr\":\"192.0.2.0/24\"}\n{\"type\":\"metadata\",\"records\":2}\n"), -EINVAL,
		  ":2: the list has 2 records, and 1 stand before this line; fetch it again" },
		{ STR("{\"cidr\":\"192.0.2.1/24\"}\n"), -EINVAL, ":1: \"192.0.2.1/24\": bits are set behind the length; the network is 192.0.2.0/24" },
		{ STR("{\"cidr\":\"192.0.2.0/24\"\n"), -EINVAL, ":1: \"{\\\"cidr\\\":\\\"192.0.2.0/24\\\"\": not one whole JSON object" },
		{ STR("{\"cidr\":7}\n"), -EINVAL, ":1: \"{\\\"cidr\\\":7}\": \"cidr\" must be a network as text, like \"192.0.2.0/24\"" },
		{ STR("{\"asn\":64500}\n"), -EINVAL, ":1: \"{\\\"asn\\\":64500}\": an object needs \"cidr\", like {\"cidr\":\"192.0.2.0/24\"}" },
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		put(rows[i].file.p, rows[i].file.n);
		assert_int_equal(outcome(text, sizeof(text)), rows[i].rc);
		assert_string_equal(text, rows[i].text);
	}
}

/* Everybody is listed only where the list may. */
static void takes_everything_if_it_may(void **state)
{
	const struct listfile_options options = { .everything = true };
	char err[256] = "", one[PREFIX_TEXT_MAX];
	struct listfile l;

	(void)state;
	put("0.0.0.0/0\n::/0\n", 15);
	assert_int_equal(listfile_read(path, &options, &l, err, sizeof(err)), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(prefix_text(&l.prefix[0], one), "0.0.0.0/0");
	assert_string_equal(prefix_text(&l.prefix[1], one), "::/0");
	listfile_free(&l);
}

static void reads_gzip(void **state)
{
	char text[256];

	(void)state;
	put_gz("192.0.2.0/24\n198.51.100.0/24\n", 0);
	assert_int_equal(outcome(text, sizeof(text)), 0);
	assert_string_equal(text, "192.0.2.0/24 198.51.100.0/24");
	put_gz("192.0.2.0/24\nx\n", 0);
	assert_int_equal(outcome(text, sizeof(text)), -EINVAL);
	assert_string_equal(text, ":2: \"x\": not an IPv4 or IPv6 address");
	for (size_t cut = 1; cut < 20; cut++) { /* a transfer that broke off must not be taken for a short list */
		put_gz("192.0.2.0/24\n198.51.100.0/24\n", cut);
		assert_int_equal(outcome(text, sizeof(text)), -EIO);
	}
}

static void lines_meet_every_border_of_the_buffer(void **state)
{
	size_t size = 400000, n = 0, lines = 0;
	char *big = malloc(size), text[256];

	(void)state;
	assert_non_null(big);
	while (n < size - 2000) {
		n += (size_t)sprintf(big + n, "192.0.%zu.%zu #", lines / 256 % 256, lines % 256);
		memset(big + n, 'c', lines * 37 % 1200);
		n += lines++ * 37 % 1200;
		big[n++] = '\n';
	}
	put(big, n);
	{
		struct listfile l;

		assert_int_equal(listfile_read(path, NULL, &l, text, sizeof(text)), 0);
		assert_int_equal(l.n, lines);
		for (size_t i = 0; i < l.n; i++)
			assert_int_equal(l.prefix[i].addr.b[14] * 256 + l.prefix[i].addr.b[15], i);
		listfile_free(&l);
	}
	memset(big, '#', size);
	memcpy(big, "192.0.2.1\n", 10);
	put(big, size); /* one line that never ends */
	assert_int_equal(outcome(text, sizeof(text)), -EINVAL);
	assert_string_equal(text, ":2: longer than 4096 bytes: not a list of networks");
	for (size_t len = 4096; len <= 4097; len++) { /* the limit is the same wherever the line ends */
		big[10 + len] = '\n';
		put(big, 10 + len + 1);
		big[10 + len] = '#';
		assert_int_equal(outcome(text, sizeof(text)), len > LISTFILE_LINE_MAX ? -EINVAL : 0);
	}
	free(big);
}

static void says_what_cannot_be_read(void **state)
{
	struct listfile l;
	char err[256];

	(void)state;
	assert_int_equal(listfile_read("/nonexistent/list", NULL, &l, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "/nonexistent/list: No such file or directory");
	assert_int_equal(listfile_read("/dev/null", NULL, &l, err, sizeof(err)), -ENODEV);
	assert_string_equal(err, "/dev/null: neither a file nor a folder; \"-\" is standard input");
	unlink(path); /* whose writer never comes: it must not be waited for */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(listfile_read(path, NULL, &l, err, sizeof(err)), -ENODEV);
	assert_non_null(strstr(err, "neither a file nor a folder"));
	unlink(path);
	put("", 0);
	assert_int_equal(listfile_read("/nonexistent/list", NULL, &l, err, 5), -ENOENT);
	assert_string_equal(err, "/non");
}

/* What the folder holds is what the rows say; a name that ends in / is a folder. */
static void reads_a_folder(void **state)
{
	static const struct {
		const char *name, *text;
	} files[] = { { "b.txt", "192.0.2.2\n" }, { "a.txt", "192.0.2.1\n192.0.2.11" }, { ".hidden", "junk\n" }, { "a.txt~", "junk\n" },
		      { "c.gz", NULL }, { "deeper/", NULL } };
	static const int last[] = { 1, 11, 2, 3 };
	char folder[] = "/tmp/postern-lists-XXXXXX", command[192], err[256], name[128], want[192];
	struct listfile l;

	(void)state;
	assert_non_null(mkdtemp(folder));
	put_gz("192.0.2.3\n", 0);
	for (size_t i = 0; i < NROWS(files); i++) {
		FILE *f;

		snprintf(name, sizeof(name), "%s/%s", folder, files[i].name);
		if (name[strlen(name) - 1] == '/')
			assert_int_equal(mkdir(name, 0700), 0);
		else if (!files[i].text)
			assert_int_equal(rename(path, name), 0);
		else {
			f = fopen(name, "w");
			fputs(files[i].text, f);
			assert_int_equal(fclose(f), 0);
		}
	}
	assert_int_equal(listfile_read(folder, NULL, &l, err, sizeof(err)), 0);
	assert_int_equal(l.files, 3);
	assert_true(l.modified > 0);
	assert_int_equal(l.n, 4);
	for (size_t i = 0; i < l.n; i++) /* by name, and each file in its order */
		assert_int_equal(l.prefix[i].addr.b[15], last[i]);
	listfile_free(&l);

	snprintf(name, sizeof(name), "%s/bad", folder);
	assert_int_equal(symlink("b.txt~", name), 0); /* dangling: as if it were not there */
	assert_int_equal(listfile_read(folder, NULL, &l, err, sizeof(err)), 0);
	assert_int_equal(l.files, 3);
	listfile_free(&l);
	assert_int_equal(unlink(name), 0);
	snprintf(command, sizeof(command), "echo '# x\nfoo' >%s", name);
	assert_int_equal(system(command), 0);
	assert_int_equal(listfile_read(folder, NULL, &l, err, sizeof(err)), -EINVAL);
	snprintf(want, sizeof(want), "%s:2: \"foo\": not an IPv4 or IPv6 address", name);
	assert_string_equal(err, want);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	put("", 0); /* path was moved away */
}

static void tell(void *ctx, size_t prefixes)
{
	size_t *told = ctx;

	assert_true(prefixes > *told);
	*told = prefixes;
}

static void tells_of_progress(void **state)
{
	size_t told = 0;
	const struct listfile_options options = { .tell = tell, .ctx = &told };
	FILE *f = fopen(path, "w");
	struct listfile l;
	char err[256];

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		fprintf(f, "10.0.%u.%u\n", i >> 8, i & 255);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(listfile_read(path, &options, &l, err, sizeof(err)), 0);
	assert_true(told > 10000 && told < l.n);
	listfile_free(&l);
}

static void reads_standard_input(void **state)
{
	int saved = dup(STDIN_FILENO), fd;
	struct listfile l;
	char err[256];

	(void)state;
	put("192.0.2.9\n", 10);
	fd = open(path, O_RDONLY);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(listfile_read("-", NULL, &l, err, sizeof(err)), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.modified, 0);
	assert_int_equal(l.prefix[0].addr.b[15], 9);
	listfile_free(&l);
	put("junk\n", 5);
	assert_int_equal(lseek(STDIN_FILENO, 0, SEEK_SET), 0);
	assert_int_equal(listfile_read("-", NULL, &l, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "standard input:1: \"junk\": not an IPv4 or IPv6 address");
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), 0); /* still open: it is not ours to close */
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(fd);
}

static void knows_the_limit(void **state)
{
	gzFile gz = gzopen(path, "w1");
	struct listfile l;
	char err[256], line[32];

	(void)state;
	assert_non_null(gz);
	for (unsigned i = 0; i < PST_LIST_PREFIXES_MAX; i++) {
		int len = snprintf(line, sizeof(line), "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);

		assert_int_equal(gzwrite(gz, line, (unsigned)len), len);
	}
	assert_int_equal(gzclose(gz), Z_OK);
	assert_int_equal(listfile_read(path, NULL, &l, err, sizeof(err)), 0);
	assert_int_equal(l.n, PST_LIST_PREFIXES_MAX);
	listfile_free(&l);
	gz = gzopen(path, "a");
	assert_int_equal(gzputs(gz, "192.0.2.1\n"), 10);
	assert_int_equal(gzclose(gz), Z_OK);
	assert_int_equal(listfile_read(path, NULL, &l, err, sizeof(err)), -E2BIG);
	assert_non_null(strstr(err, ":2097153: more than 2097152 prefixes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_or_refuses_whole),
		cmocka_unit_test(takes_everything_if_it_may),
		cmocka_unit_test(reads_gzip),
		cmocka_unit_test(lines_meet_every_border_of_the_buffer),
		cmocka_unit_test(says_what_cannot_be_read),
		cmocka_unit_test(reads_standard_input),
		cmocka_unit_test(reads_a_folder),
		cmocka_unit_test(tells_of_progress),
		cmocka_unit_test(knows_the_limit),
	};

	return cmocka_run_group_tests_name("listfile", tests, make_file, remove_file);
}
