/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listfile.h: a file of networks -> prefixes, by the grammar of lists.h. Plain text or gzip, told
 * apart by their bytes; "-" is standard input. Whole or not at all: one bad line, a read
 * error or a cut-off gzip refuses the file.
 */
#ifndef LISTFILE_H
#define LISTFILE_H

#include "user/core/lists.h"

#define LISTFILE_LINE_MAX  4096	      /* bytes, comments included */
#define LISTFILE_BYTES_MAX (1u << 30) /* of text: an endless comment ends, too */

/*
 * Reads path. 0: *out is an array of *n prefixes in the order of the file, the caller's to
 * free(); NULL when there are none, which is no error. Otherwise -errno and a whole sentence in
 * err, "FILE:LINE: what is wrong; what would be right" where a line is to blame: -EINVAL bad
 * line, -E2BIG over a limit, -ENOMEM, -EIO damaged gzip, or what open and read said; *out and
 * *n are then left alone. Memory: at most PST_LIST_PREFIXES_MAX prefixes, and one line.
 */
int listfile_read(const char *path, struct pst_prefix **out, size_t *n, char *err, size_t errsize);

#endif
