/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/listfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

struct reader {
	const char *name; /* for messages */
	gzFile gz;
	unsigned line;
	size_t bytes;
	struct pst_prefix *prefix;
	size_t n, room;
	char *err;
	size_t errsize;
};

__attribute__((format(printf, 3, 4)))
static int refuse(struct reader *r, int err, const char *fmt, ...)
{
	int n = r->line ? snprintf(r->err, r->errsize, "%s:%u: ", r->name, r->line)
			: snprintf(r->err, r->errsize, "%s: ", r->name);
	va_list ap;

	if (n >= 0 && (size_t)n < r->errsize) {
		va_start(ap, fmt);
		vsnprintf(r->err + n, r->errsize - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return err;
}

static int refuse_line(struct reader *r, struct str line, const struct pst_prefix *p,
		       enum prefix_flaw flaw)
{
	const char *why = prefix_flaw_text(flaw);
	char text[80], network[PREFIX_TEXT_MAX];

	str_escape(str_trim(line), text, sizeof(text));
	if (flaw == PREFIX_HOST_BITS)
		return refuse(r, -EINVAL, "\"%s\": %s; the network is %s", text, why,
			      prefix_text(p, network));
	return refuse(r, -EINVAL, "\"%s\": %s", text, why);
}

static int keep(struct reader *r, const struct pst_prefix *p)
{
	if (r->n == PST_LIST_PREFIXES_MAX)
		return refuse(r, -E2BIG, "more than %u prefixes; drop those that larger ones cover",
			      PST_LIST_PREFIXES_MAX);
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct pst_prefix *more = reallocarray(r->prefix, room, sizeof(*more));

		if (!more)
			return refuse(r, -ENOMEM, "out of memory after %zu prefixes", r->n);
		r->prefix = more;
		r->room = room;
	}
	r->prefix[r->n++] = *p;
	return 0;
}

static int take_line(struct reader *r, struct str line)
{
	struct pst_prefix p;
	enum prefix_flaw flaw;

	r->line++;
	if (line.n > LISTFILE_LINE_MAX)
		return refuse(r, -EINVAL, "longer than %d bytes: not a list of networks",
			      LISTFILE_LINE_MAX);
	switch (lists_parse_line(line, &p, &flaw)) {
	case LISTS_EMPTY:
		return 0;
	case LISTS_PREFIX:
		return keep(r, &p);
	case LISTS_BAD:
		break;
	}
	return refuse_line(r, line, &p, flaw);
}

/*
 * Fills buf behind its first `have` bytes. Returns the bytes there now, or -errno; a gzip that
 * ends too early is an error, or a broken transfer would pass for a short list.
 */
static int fill(struct reader *r, char *buf, int have, int size)
{
	int n = gzread(r->gz, buf + have, (unsigned)(size - have)), code;
	const char *what = gzerror(r->gz, &code);

	r->line = n < 0 || code ? 0 : r->line;
	if (code == Z_ERRNO)
		return refuse(r, -errno, "%s", strerror(errno));
	if (n < 0 || code == Z_BUF_ERROR)
		return refuse(r, -EIO, "damaged or cut-off gzip (%s); fetch it again", what);
	r->bytes += (size_t)n;
	if (r->bytes > LISTFILE_BYTES_MAX)
		return refuse(r, -E2BIG, "more than %u bytes", LISTFILE_BYTES_MAX);
	return have + n;
}

static int read_lines(struct reader *r)
{
	char buf[16 * LISTFILE_LINE_MAX];
	int have = 0, err = 0;

	for (;;) {
		int now = fill(r, buf, have, sizeof(buf)), start = 0;
		char *newline;

		if (now < 0)
			return now;
		if (now == have) /* end of file: what is left is a line without a newline */
			return have ? take_line(r, (struct str){ buf, (size_t)have }) : 0;
		while (!err && (newline = memchr(buf + start, '\n', (size_t)(now - start)))) {
			int end = (int)(newline - buf);

			err = take_line(r, (struct str){ buf + start, (size_t)(end - start) });
			start = end + 1;
		}
		have = now - start;
		if (!err && have > LISTFILE_LINE_MAX) /* no end in sight, and too long already */
			err = take_line(r, (struct str){ buf + start, (size_t)have });
		if (err)
			return err;
		memmove(buf, buf + start, (size_t)have);
	}
}

static gzFile open_list(const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
				   : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	gzFile gz;

	if (fd < 0)
		return NULL;
	gz = gzdopen(fd, "r");
	if (!gz) {
		close(fd);
		errno = ENOMEM;
	}
	return gz;
}

int listfile_read(const char *path, struct pst_prefix **out, size_t *n, char *err, size_t errsize)
{
	struct reader r = {
		.name = strcmp(path, "-") ? path : "standard input",
		.gz = open_list(path),
		.err = err,
		.errsize = errsize,
	};
	int rc;

	if (!r.gz)
		return refuse(&r, -errno, "%s", strerror(errno));
	rc = read_lines(&r);
	gzclose_r(r.gz);
	if (rc) {
		free(r.prefix);
		return rc;
	}
	*out = r.prefix;
	*n = r.n;
	return 0;
}
