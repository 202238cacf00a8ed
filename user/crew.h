/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crew.h: one job of many equal parts, done by several CPUs. A million entries of a hash in the kernel cost more than
 * half a second of one CPU, nearly all of it waiting for memory; their order does not matter within one step.
 */
#ifndef CREW_H
#define CREW_H

#include <stddef.h>

#define CREW_MAX 8 /* threads: more wait for each other's cache lines */

/*
 * Calls part(ctx, from, to) for pieces of 0..n, `each` long but for the last, on as many threads as there are CPUs for
 * it and at most CREW_MAX; the caller's is one of them. Returns when all have ended: 0, or the first -errno, after which no
 * further piece is begun. No thread takes a signal. Where no thread can be made, the caller does it alone.
 */
int crew_run(size_t n, size_t each, int (*part)(void *ctx, size_t from, size_t to), void *ctx);

#endif
