/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/listfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "user/core/listfmt.h"
#include "user/file_why.h"
#include "user/listjson.h"

#define PROGRESS_LINES 4096 /* between two calls */

struct reader {
	struct listfile out;
	size_t room, bytes;
	const struct listfile_options *options;
	char *err;
	size_t errsize;

	/* the file being read */
	const char *name; /* for messages */
	gzFile gz;
	unsigned line; /* 0 = no line is to blame */
	struct listfmt fmt;
	unsigned long long entries;
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

static int refuse_flaw(struct reader *r, const struct listfmt_flaw *flaw)
{
	char text[80], network[PREFIX_TEXT_MAX];

	str_escape(flaw->text, text, sizeof(text));
	if (flaw->network.len)
		return refuse(r, -EINVAL, "\"%s\": %s; the network is %s", text, flaw->why, prefix_text(&flaw->network, network));
	return refuse(r, -EINVAL, "\"%s\": %s", text, flaw->why);
}

/* --- entries ------------------------------------------------------------------ */

static int keep(struct reader *r, const struct pst_prefix *p)
{
	struct listfile *l = &r->out;

	if (!r->options->everything && listfile_is_everything(p))
		return refuse(r, -EINVAL, "this is all of %s; set everything = yes for this list, if that is meant", p->len ? "IPv4" : "IPv6");
	if (l->n == PST_LIST_PREFIXES_MAX)
		return refuse(r, -E2BIG, "more than %u prefixes; drop those that larger ones cover", PST_LIST_PREFIXES_MAX);
	if (l->n == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct pst_prefix *more = reallocarray(l->prefix, room, sizeof(*more));

		if (!more)
			return refuse(r, -ENOMEM, "out of memory after %zu prefixes", l->n);
		l->prefix = more;
		r->room = room;
	}
	l->prefix[l->n++] = *p;
	return 0;
}

static int keep_range(struct reader *r, struct range range)
{
	struct pst_prefix p;
	bool more;
	int rc;

	r->entries++;
	do {
		more = range_take(&range, &p);
		rc = keep(r, &p);
	} while (more && !rc);
	return rc;
}

static int take_json(struct reader *r, struct str line)
{
	struct listjson json;
	struct listfmt_flaw flaw = { .text = line, .why = listjson_read(line, &json) };
	struct range range;

	if (flaw.why)
		return refuse_flaw(r, &flaw);
	if (json.cidr[0])
		return listfmt_entry(str_of(json.cidr), &range, &flaw) ? keep_range(r, range) : refuse_flaw(r, &flaw);
	if (json.records && json.records != r->entries)
		return refuse(r, -EINVAL, "the list has %llu records, and %llu stand before this line; fetch it again", json.records, r->entries);
	return 0;
}

static int take_line(struct reader *r, struct str line)
{
	struct listfmt_flaw flaw;
	struct range range;
	int rc = 0;

	r->line++;
	if (line.n > LISTFILE_LINE_MAX)
		return refuse(r, -EINVAL, "longer than %d bytes: not a list of networks", LISTFILE_LINE_MAX);
	if (r->options->tell && r->line % PROGRESS_LINES == 0)
		r->options->tell(r->options->ctx, r->out.n);
	listfmt_line(&r->fmt, line);
	while (!rc) {
		switch (listfmt_next(&r->fmt, &range, &flaw)) {
		case LISTFMT_DONE:
			return 0;
		case LISTFMT_RANGE:
			rc = keep_range(r, range);
			break;
		case LISTFMT_JSON:
			return take_json(r, r->fmt.rest);
		case LISTFMT_BAD:
			return refuse_flaw(r, &flaw);
		}
	}
	return rc;
}

static int take_end(struct reader *r)
{
	struct listfmt_flaw flaw;

	return listfmt_may_end(&r->fmt, &flaw) ? 0 : refuse_flaw(r, &flaw);
}

/* --- one file ------------------------------------------------------------------- */

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
		return refuse(r, -errno, "%s", file_why(errno));
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
		if (now == have) { /* end of file: what is left is a line without a newline */
			err = have ? take_line(r, (struct str){ buf, (size_t)have }) : 0;
			return err ? err : take_end(r);
		}
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

static int read_fd(struct reader *r, int fd, const char *name)
{
	int rc;

	r->name = name;
	r->line = 0;
	r->entries = 0;
	r->fmt = (struct listfmt){ 0 };
	r->gz = gzdopen(fd, "r");
	if (!r->gz) {
		close(fd);
		return refuse(r, -ENOMEM, "out of memory");
	}
	rc = read_lines(r);
	gzclose_r(r->gz);
	r->out.files++;
	return rc;
}

static int read_stdin(struct reader *r)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0); /* it is not ours to close */

	r->name = "standard input";
	return fd < 0 ? refuse(r, -errno, "%s", file_why(errno)) : read_fd(r, fd, r->name);
}

/* Never waits for whoever is to open a pipe's other end, and takes no terminal as its own. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Closes fd. */
static int read_file(struct reader *r, int fd, const char *name, const struct stat *st)
{
	if (st->st_mtime > r->out.modified)
		r->out.modified = st->st_mtime;
	return read_fd(r, fd, name);
}

/* --- a folder ------------------------------------------------------------------------ */

static int is_wanted(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && e->d_name[n - 1] != '~';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* A file that goes between the look into the folder and now is as if it had gone before. */
static int read_entry(struct reader *r, int dir, const char *folder, const char *entry)
{
	char name[4096];
	struct stat st;
	int fd, rc;

	snprintf(name, sizeof(name), "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", entry);
	r->name = name;
	r->line = 0;
	if (fstatat(dir, entry, &st, 0))
		return errno == ENOENT ? 0 : refuse(r, -errno, "%s", file_why(errno));
	if (!S_ISREG(st.st_mode))
		return 0;
	if (r->out.files == LISTFILE_FILES_MAX)
		return refuse(r, -E2BIG, "more than %d files in a folder; join some", LISTFILE_FILES_MAX);
	fd = openat(dir, entry, OPEN_FLAGS);
	if (fd < 0)
		return errno == ENOENT ? 0 : refuse(r, -errno, "%s", file_why(errno));
	rc = fstat(fd, &st) ? refuse(r, -errno, "%s", file_why(errno)) : 0;
	if (!rc && S_ISREG(st.st_mode)) /* it may be another one by now */
		return read_file(r, fd, name, &st);
	close(fd);
	return rc;
}

static int read_folder(struct reader *r, int dir, const char *folder)
{
	struct dirent **e;
	int rc = 0, n = scandirat(dir, ".", &e, is_wanted, by_name);

	r->name = folder;
	if (n < 0)
		return refuse(r, -errno, "%s", file_why(errno));
	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = read_entry(r, dir, folder, e[i]->d_name);
		free(e[i]);
	}
	free(e);
	return rc;
}

static int read_path(struct reader *r, const char *path)
{
	int rc, fd = open(path, OPEN_FLAGS);
	struct stat st;

	r->name = path;
	if (fd < 0 || fstat(fd, &st)) {
		rc = refuse(r, -errno, "%s", file_why(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (S_ISREG(st.st_mode))
		return read_file(r, fd, path, &st);
	if (!S_ISDIR(st.st_mode)) { /* its reader could wait for ever */
		close(fd);
		return refuse(r, -ENODEV, "neither a file nor a folder; \"-\" is standard input");
	}
	r->out.modified = st.st_mtime; /* a file that is taken away changes the folder alone */
	rc = read_folder(r, fd, path);
	close(fd);
	return rc;
}

bool listfile_is_everything(const struct pst_prefix *p)
{
	static const struct pst_prefix all[] = { { .len = 0 }, { { { [10] = 0xff, [11] = 0xff } }, 96 } };

	return !prefix_cmp(p, &all[0]) || !prefix_cmp(p, &all[1]);
}

int listfile_read(const char *path, const struct listfile_options *options, struct listfile *out, char *err, size_t errsize)
{
	static const struct listfile_options none;
	struct reader r = { .options = options ? options : &none, .err = err, .errsize = errsize };
	int rc = strcmp(path, "-") ? read_path(&r, path) : read_stdin(&r);

	if (rc)
		listfile_free(&r.out);
	else
		*out = r.out;
	return rc;
}

void listfile_free(struct listfile *l)
{
	free(l->prefix);
	*l = (struct listfile){ 0 };
}
