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

/* DIR/NAME. 0 or -ENAMETOOLONG. */
int kern_path(char out[KERN_PATH_MAX], const char *dir, const char *name);
/*
 * The pin's name of an interface: bpffs allows no dot in a name and interfaces do
 * (eth0.100), so a dot is written as %, which the kernel allows in no interface's name.
 */
int kern_link_path(char out[KERN_PATH_MAX], const char *dir, const char *interface);
/* The interface's name from a directory entry; false when it is no link of ours. */
bool kern_link_name(const char *entry, char interface[16]);
/* pst_meta of any version. 0, -EPROTO when fd is no such map, or -errno. */
int kern_meta(int fd, struct pst_meta *meta);
/*
 * Puts prog_fd in the place of the program of every link pinned under from, and moves the pins to dir (which may be from).
 * No packet passes in between. 0 or the first failure.
 */
int kern_links_take(const char *dir, const char *from, int prog_fd, char *err, size_t errsize);

#endif
