/* SPDX-License-Identifier: BSD-2-Clause */
/* progress.h: for somebody who waits at a terminal while a list is read: how far it is, in one line that is written over. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct progress {
	bool terminal; /* standard error is one; else nothing is written */
	__u64 last_ns;
};

void progress_begin(struct progress *p);
/* ctx: the struct progress. As struct listfile_options has it. */
void progress_tell(void *ctx, size_t prefixes);
/* A bar for done of all (0 = nobody knows: no bar), and behind it "n what". */
void progress_bar(struct progress *p, size_t done, size_t all, size_t n, const char *what);
/* Wipes the line. */
void progress_end(struct progress *p);

#endif
