/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "user/kern.h"

#define EVERY_NS 100000000

void progress_begin(struct progress *p)
{
	*p = (struct progress){ .terminal = isatty(STDERR_FILENO), .last_ns = kern_now_ns() };
}

void progress_tell(void *ctx, size_t prefixes)
{
	struct progress *p = ctx;
	__u64 now_ns = kern_now_ns();

	if (!p->terminal || now_ns - p->last_ns < EVERY_NS)
		return;
	p->last_ns = now_ns;
	fprintf(stderr, "\r%zu prefixes ", prefixes);
}

void progress_end(struct progress *p)
{
	if (p->terminal)
		fprintf(stderr, "\r\033[K"); /* erases the line */
}
