/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ban_file.h: bans as a file. A line is PREFIX and the words of `ban add`; "..." keeps words together (\" and \\ inside), what
 * begins with # or ; is a comment.
 */
#ifndef BAN_FILE_H
#define BAN_FILE_H

#include "tools/postern/cli.h"
#include "tools/postern/fields.h"

#define BAN_LINE_MAX 1024 /* bytes, comment and newline included */

/* FILE and the words for lines that say nothing else. Every line or none; through the daemon, or into the maps without one. */
int ban_import(struct args *a);
/* One line on standard output: as ban_import() reads it; as JSON. */
void ban_export_text(const struct kern_maps *m, const struct fields_ban *f, __u64 now_ns);
void ban_export_json(const struct kern_maps *m, const struct fields_ban *f, __u64 now_ns);

#endif
