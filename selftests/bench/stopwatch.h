/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stopwatch.h: what the bench programs share: the kernel's own stopwatch (BPF_PROG_RUN), medians, and
 * one JSON row a figure, as run.py reads them. Whatever goes wrong ends the program: half a bench is none.
 */
#ifndef STOPWATCH_H
#define STOPWATCH_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selftests/packet/frame.h"

#define STOPWATCH_INLINE static inline __attribute__((unused))

_Noreturn STOPWATCH_INLINE void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, errno ? strerror(errno) : "failed");
	exit(1);
}

/* For functions that return 0 or -errno. */
STOPWATCH_INLINE void must(int error, const char *what)
{
	errno = -error;
	if (error)
		die(what);
}

STOPWATCH_INLINE void figure(const char *name, double value, const char *unit)
{
	printf("{\"name\": \"%s\", \"value\": %.*f, \"unit\": \"%s\"}\n", name, value == (double)(long long)value ? 0 : value < 10 ? 3 : 1, value, unit);
	fflush(stdout);
}

static inline int stopwatch_ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorts v. */
STOPWATCH_INLINE double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), stopwatch_ascending);
	return v[n / 2];
}

/* What every packet costs before any gate: r0 = XDP_DROP; exit. */
STOPWATCH_INLINE int floor_program(void)
{
	const struct bpf_insn drop[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_DROP }, { .code = BPF_JMP | BPF_EXIT } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "floor", "GPL", drop, sizeof(drop) / sizeof(drop[0]), NULL);

	if (fd < 0)
		die("loading the floor");
	return fd;
}

/*
 * Nanoseconds of one run, the mean of repeat; it must end in verdict. A program that rewrites its packet finds it rewritten in
 * the next repetition. out: the packet afterwards, of out_size bytes; may be NULL.
 */
STOPWATCH_INLINE double stopwatch(int prog, const struct frame *f, int repeat, __u32 verdict, void *out, unsigned out_size)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->b, .data_size_in = f->n, .data_out = out, .data_size_out = out_size,
		    .repeat = repeat);

	if (bpf_prog_test_run_opts(prog, &opts))
		die("BPF_PROG_RUN");
	if (opts.retval != verdict) {
		fprintf(stderr, "%s: verdict %u, should be %u\n", program_invocation_short_name, opts.retval, verdict);
		exit(1);
	}
	return opts.duration;
}

#endif
