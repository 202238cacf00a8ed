/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "user/kern.h"

#define EVERY_NS  100000000
#define BAR_WIDTH 40

void progress_begin(struct progress *p)
{
	*p = (struct progress){ .terminal = isatty(STDERR_FILENO), .last_ns = kern_now_ns() };
}

static bool is_time(struct progress *p)
{
	__u64 now_ns = p->terminal ? kern_now_ns() : 0;

	if (!p->terminal || now_ns - p->last_ns < EVERY_NS)
		return false;
	p->last_ns = now_ns;
	return true;
}

void progress_tell(void *ctx, size_t prefixes)
{
	if (is_time(ctx))
		fprintf(stderr, "\r%zu prefixes ", prefixes);
}

void progress_bar(struct progress *p, size_t done, size_t all, size_t n, const char *what)
{
	static const char full[] = "########################################", none[] = "........................................";
	size_t percent = all ? (done < all ? done : all) * 100 / all : 0;
	int filled = (int)(percent * BAR_WIDTH / 100);

	if (!is_time(p))
		return;
	if (all)
		fprintf(stderr, "\r[%.*s%.*s] %3zu %%  %zu %s\033[K", filled, full, BAR_WIDTH - filled, none, percent, n, what);
	else
		fprintf(stderr, "\r%zu %s\033[K", n, what);
}

void progress_end(struct progress *p)
{
	if (p->terminal)
		fprintf(stderr, "\r\033[K"); /* erases the line */
}
