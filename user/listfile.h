/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listfile.h: a blacklist's file or folder -> prefixes, in the formats of user/core/listfmt.h and JSON lines. Plain
 * text or gzip, told apart by their bytes. Whole or not at all: one bad line, a read error, a gzip or dump that
 * was cut off, or fewer entries than metadata announce refuse the list.
 */
#ifndef LISTFILE_H
#define LISTFILE_H

#include <time.h>

#include "user/core/addr.h"

#define LISTFILE_LINE_MAX  4096	      /* bytes, comments included */
#define LISTFILE_BYTES_MAX (1u << 30) /* of text: an endless comment ends, too */
#define LISTFILE_FILES_MAX 1024	      /* of a folder */

struct listfile {
	struct pst_prefix *prefix; /* in the order of the files and lines; NULL when there are none */
	size_t n;
	unsigned files;
	time_t modified; /* of the newest file; 0 = standard input */
};

struct listfile_options {
	void (*tell)(void *ctx, size_t prefixes); /* called now and then during a long read; may be NULL */
	void *ctx;
	bool everything; /* 0.0.0.0/0 and ::/0 are taken; without it they are an error like any other */
};

/*
 * Reads path: a file, a folder (every regular file in it by name, but not ".*" and "*~"; folders in it are left alone), or
 * "-" for standard input. options may be NULL. 0: out is filled; listfile_free() it. Otherwise -errno, out is
 * left alone and err holds a whole sentence, "FILE:LINE: what is wrong; what would be right" where a line is to
 * blame, and then -EINVAL or -E2BIG (over a limit) is returned; else -ENOMEM, -EIO (damaged gzip), or what the
 * system said. Memory: at most PST_LIST_PREFIXES_MAX prefixes, and one line.
 */
int listfile_read(const char *path, const struct listfile_options *options, struct listfile *out, char *err, size_t errsize);
/* Whether p is all of its family. */
bool listfile_is_everything(const struct pst_prefix *p);
void listfile_free(struct listfile *l);

#endif
