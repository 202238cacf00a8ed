/* SPDX-License-Identifier: BSD-2-Clause */
/* probe.h: what the gate needs of a kernel and of a device, whether it is there, and what to do when not. Changes nothing. */
#ifndef PROBE_H
#define PROBE_H

#include "user/device.h"

#define PROBES_MAX 32

enum probe_state {
	PROBE_OK,
	PROBE_BETTER,  /* works, and could be better: see advice */
	PROBE_MISSING, /* the gate will not work without */
	PROBE_UNKNOWN, /* could not be learnt */
};

struct probe {
	const char *name, *how; /* how it was learnt */
	enum probe_state state;
	char found[96];
	char advice[192]; /* empty = nothing to do */
};

const char *probe_state_name(enum probe_state s);
/* Each writes up to PROBES_MAX rows and returns how many. */
size_t probe_system(struct probe out[PROBES_MAX]);
size_t probe_device(const struct device *d, struct probe out[PROBES_MAX]);

#endif
