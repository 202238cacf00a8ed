/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse.h: what the kernel needs to answer for itself: the secret of its cookies, the texts it
 * says, and how much it may say. All of it lives in maps, so refusals go on without any process.
 */
#ifndef REFUSE_H
#define REFUSE_H

#include "user/kern.h"

/* Of a freshly loaded gate: a secret, texts in the system's name, default budgets. Leaves alone what is there. 0 or -errno. */
int refuse_start(const struct kern_maps *m);
/* Writes budgets and texts. A hostname is cut at 100 characters. 0 or -errno. */
int refuse_put(const struct kern_maps *m, const struct conf_refuse *c);
/* What sources on a list are told; row: of pst_list_info. 0 or -errno. */
int refuse_put_list(const struct kern_maps *m, unsigned row, const char *name);
/*
 * Makes the next generation of the secret, in force from a time slot to come; dialogues that go on keep theirs. -EAGAIN
 * when dialogues of the generation before the last may still go on, and nothing is changed. now_ns: CLOCK_MONOTONIC.
 */
int refuse_rotate(const struct kern_maps *m, __u64 now_ns);
/* False where the kernel's verifier did not follow the dialogue: what should be refused is reset then. */
bool refuse_started(const struct kern_maps *m);
/* refuse_rotate() once an hour, however often it is called. 0 = nothing was due, 1 = rotated, or -errno. */
int refuse_tick(const struct kern_maps *m, __u64 now_ns);

#endif
