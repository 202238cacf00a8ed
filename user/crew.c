/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/crew.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

struct crew {
	size_t n, each;
	int (*part)(void *ctx, size_t from, size_t to);
	void *ctx;
	atomic_size_t next;
	atomic_int error;
};

static void *work(void *arg)
{
	struct crew *c = arg;
	size_t from;

	while (!atomic_load(&c->error) && (from = atomic_fetch_add(&c->next, c->each)) < c->n) {
		int none = 0, e = c->part(c->ctx, from, c->n - from < c->each ? c->n : from + c->each);

		if (e)
			atomic_compare_exchange_strong(&c->error, &none, e);
	}
	return NULL;
}

/* How many more threads than the caller's are of use. */
static unsigned helpers(size_t pieces)
{
	cpu_set_t cpus;
	unsigned n = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (unsigned)CPU_COUNT(&cpus);

	n = n < CREW_MAX ? n : CREW_MAX;
	return pieces < n ? pieces ? (unsigned)pieces - 1 : 0 : n - 1;
}

int crew_run(size_t n, size_t each, int (*part)(void *ctx, size_t from, size_t to), void *ctx)
{
	struct crew c = { .n = n, .each = each, .part = part, .ctx = ctx };
	unsigned want = helpers(n / each + !!(n % each)), have = 0;
	pthread_t thread[CREW_MAX];
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (have < want && !pthread_create(&thread[have], NULL, work, &c))
		have++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	work(&c);
	while (have)
		pthread_join(thread[--have], NULL);
	return c.error;
}
