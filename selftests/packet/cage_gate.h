/* SPDX-License-Identifier: BSD-2-Clause */
/* cage_gate.h: the gate pinned under DIR, which the test names before it includes this: loaded, asked, or the test has failed. */
#ifndef CAGE_GATE_H
#define CAGE_GATE_H

#include "cage_net.h"

#include "user/kern.h"
#include "user/stats.h"

static char err[1024];

static inline void load_only(void)
{
	if (kern_load(DIR, err, sizeof(err)))
		fail_msg("%s", err);
}

static inline void take_over(void)
{
	if (kern_take_over(DIR, err, sizeof(err)))
		fail_msg("%s", err);
}

static inline void load(void)
{
	load_only();
	take_over();
}

static inline struct kern_maps maps(void)
{
	struct kern_maps m;

	assert_int_equal(kern_open(DIR, false, &m, NULL), 0);
	return m;
}

static inline struct pst_stats stats(void)
{
	struct kern_maps m = maps();
	struct pst_stats s;

	assert_int_equal(stats_read(&m, &s), 0);
	kern_close(&m);
	return s;
}

#endif
