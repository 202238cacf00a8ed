/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kern_shared.h: the gate beside other XDP programs of an interface, through libxdp's dispatcher. libxdp keeps its own pins
 * (/sys/fs/bpf/xdp), which survive us; ours, shared_INTERFACE, only remembers which of the programs is the gate.
 */
#ifndef KERN_SHARED_H
#define KERN_SHARED_H

#include "user/kern.h"

/*
 * Attaches the gate as the first program of the interface's dispatcher, with the maps under dir; one that is there already,
 * pinned under dir or under from, is removed after that, so that no packet leaks. -EOPNOTSUPP: there can be no dispatcher
 * here; nothing is attached then, and err says what libxdp said.
 */
int kern_shared_attach(const char *dir, const char *from, const char *interface, enum xdp_mode mode, struct kern_link *out, char *err,
		       size_t errsize);
/* -ENOENT: the gate does not share that interface. */
int kern_shared_detach(const char *dir, const char *interface);
/* Those pinned under dir; ifindex 0 where the gate runs no more. Returns how many were written, or -errno. */
int kern_shared_list(const char *dir, struct kern_link *out, size_t max);
/* "id 7 (name), ..." of the programs that share an interface with ours. */
void kern_shared_others(unsigned ifindex, unsigned ours, char *text, size_t size);
/* Puts the program that is loaded under dir in the place of every one that is pinned under from. */
int kern_shared_take(const char *dir, const char *from, char *err, size_t errsize);

#endif
