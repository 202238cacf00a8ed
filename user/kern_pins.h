/* SPDX-License-Identifier: BSD-2-Clause */
/* kern_pins.h: names inside the pin directory, shared by the kern files and migrate.c and by nobody else. */
#ifndef KERN_PINS_H
#define KERN_PINS_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/abi.h"

#define KERN_PATH_MAX 256
#define KERN_PROG "prog"
#define KERN_LINK "link_"
#define KERN_SHARED "shared_"
#define KERN_SHARED_NEXT "next" /* while it takes the place of the one before */

struct gate;

/* DIR/NAME. 0 or -ENAMETOOLONG. */
int kern_path(char out[KERN_PATH_MAX], const char *dir, const char *name);
/* The program's object with the maps that are pinned under dir, not loaded. Ends with gate__destroy(). 0, or -errno and words. */
int kern_open_gate(const char *dir, struct gate **out, char *err, size_t errsize);
/*
 * The pin's name of an interface: bpffs allows no dot in a name and interfaces do
 * (eth0.100), so a dot is written as %, which the kernel allows in no interface's name.
 */
int kern_pin_path(char out[KERN_PATH_MAX], const char *dir, const char *prefix, const char *interface);
/* The interface's name from a directory entry; false when it does not begin with prefix. */
bool kern_pin_name(const char *entry, const char *prefix, char interface[16]);
/* pst_meta of any version. 0, -EPROTO when fd is no such map, or -errno. */
int kern_meta(int fd, struct pst_meta *meta);
/*
 * Puts prog_fd in the place of the program of every link pinned under from, and moves the pins to dir (which may be from).
 * No packet passes in between. 0 or the first failure.
 */
int kern_links_take(const char *dir, const char *from, int prog_fd, char *err, size_t errsize);

#endif
