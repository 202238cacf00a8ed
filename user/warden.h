/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden.h: the process that root starts: loads and attaches the kernel half, binds the sockets, starts
 * judge and workers and starts them again. It parses nothing from the network and keeps only the
 * capabilities that this takes. When it ends, pins and program stay: bans go on being enforced.
 */
#ifndef WARDEN_H
#define WARDEN_H

#include "user/config.h"
#include "user/handover.h"

/*
 * Takes conf. Runs until SIGTERM or SIGINT; returns the exit status. SIGHUP reads path again; SIGUSR2 executes the program's file again,
 * which may be a new version, with handed as its inheritance (NULL = a fresh start). With an inheritance every failure to start leaves all
 * of it as it was, for who calls the version before back.
 */
int warden_run(const char *path, struct conf *conf, bool debug, struct handover *handed);
/* Could it be run? Says what is in the way; touches no table, turns nobody away. The exit status. */
int warden_rehearse(struct conf *conf, const struct handover *handed);

#endif
