/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.h: where things are: the pinned maps, the control socket, the configuration. In this order:
 * option, environment, configuration file if it can be read, built-in default.
 */
#ifndef PLACE_H
#define PLACE_H

#include "user/kern.h"

const char *place_config(void);
const char *place_pins(void);
const char *place_socket(void);
/* The configuration as the daemon would read it; NULL when there is none that can be read. Ours to keep; says nothing. */
const struct conf *place_conf(void);

/* Opens the pinned maps; 0, or CLI_FAILED after saying what is wrong and what helps. Close with kern_close(). */
int place_open(struct kern_maps *m, bool readonly);

/* Opens them to be read. When they are not for our eyes, *closed and nothing is open: a member of the control group may ask the daemon, which looks for us. */
int place_look(struct kern_maps *m, bool *closed);

#endif
