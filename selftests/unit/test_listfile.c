/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
	struct pst_prefix *p = (void *)1;
	size_t n = 4711, at = 0;
	char err[256] = "", one[PREFIX_TEXT_MAX];
	int rc = listfile_read(path, &p, &n, err, sizeof(err));

	text[0] = '\0';
	if (rc) {
		assert_ptr_equal(p, (void *)1);
		assert_int_equal(n, 4711);
		assert_int_equal(strncmp(err, path, strlen(path)), 0);
		snprintf(text, size, "%s", err + strlen(path));
		return rc;
	}
	assert_int_equal(p == NULL, n == 0);
	for (size_t i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? " " : "", prefix_text(&p[i], one));
	free(p);
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
		{ STR("::/0\n"), -EINVAL, ":1: \"::/0\": this would cover IPv4 too; all of global IPv6 is 2000::/3" },
		{ STR("192.0.2.1\0\n"), -EINVAL, ":1: \"192.0.2.1\\x00\": not an IPv4 or IPv6 address" },
		{ STR("\x1b[2J\n"), -EINVAL, ":1: \"\\x1b[2J\": not an IPv4 or IPv6 address" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		put(rows[i].file.p, rows[i].file.n);
		assert_int_equal(outcome(text, sizeof(text)), rows[i].rc);
		assert_string_equal(text, rows[i].text);
	}
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
		struct pst_prefix *p;
		size_t got;

		assert_int_equal(listfile_read(path, &p, &got, text, sizeof(text)), 0);
		assert_int_equal(got, lines);
		for (size_t i = 0; i < got; i++)
			assert_int_equal(p[i].addr.b[14] * 256 + p[i].addr.b[15], i);
		free(p);
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
	struct pst_prefix *p;
	char err[256];
	size_t n;

	(void)state;
	assert_int_equal(listfile_read("/nonexistent/list", &p, &n, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "/nonexistent/list: No such file or directory");
	assert_int_equal(listfile_read("/", &p, &n, err, sizeof(err)), -EISDIR);
	assert_string_equal(err, "/: Is a directory");
	assert_int_equal(listfile_read("/nonexistent/list", &p, &n, err, 5), -ENOENT);
	assert_string_equal(err, "/non");
}

static void reads_standard_input(void **state)
{
	int saved = dup(STDIN_FILENO), fd;
	struct pst_prefix *p;
	char err[256];
	size_t n;

	(void)state;
	put("192.0.2.9\n", 10);
	fd = open(path, O_RDONLY);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(listfile_read("-", &p, &n, err, sizeof(err)), 0);
	assert_int_equal(n, 1);
	assert_int_equal(p[0].addr.b[15], 9);
	free(p);
	put("junk\n", 5);
	assert_int_equal(lseek(STDIN_FILENO, 0, SEEK_SET), 0);
	assert_int_equal(listfile_read("-", &p, &n, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "standard input:1: \"junk\": not an IPv4 or IPv6 address");
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), 0); /* still open: it is not ours to close */
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(fd);
}

static void knows_the_limit(void **state)
{
	gzFile gz = gzopen(path, "w1");
	struct pst_prefix *p;
	char err[256], line[32];
	size_t n;

	(void)state;
	assert_non_null(gz);
	for (unsigned i = 0; i < PST_LIST_PREFIXES_MAX; i++) {
		int len = snprintf(line, sizeof(line), "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);

		assert_int_equal(gzwrite(gz, line, (unsigned)len), len);
	}
	assert_int_equal(gzclose(gz), Z_OK);
	assert_int_equal(listfile_read(path, &p, &n, err, sizeof(err)), 0);
	assert_int_equal(n, PST_LIST_PREFIXES_MAX);
	free(p);
	gz = gzopen(path, "a");
	assert_int_equal(gzputs(gz, "192.0.2.1\n"), 10);
	assert_int_equal(gzclose(gz), Z_OK);
	assert_int_equal(listfile_read(path, &p, &n, err, sizeof(err)), -E2BIG);
	assert_non_null(strstr(err, ":2097153: more than 2097152 prefixes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_or_refuses_whole),
		cmocka_unit_test(reads_gzip),
		cmocka_unit_test(lines_meet_every_border_of_the_buffer),
		cmocka_unit_test(says_what_cannot_be_read),
		cmocka_unit_test(reads_standard_input),
		cmocka_unit_test(knows_the_limit),
	};

	return cmocka_run_group_tests_name("listfile", tests, make_file, remove_file);
}
