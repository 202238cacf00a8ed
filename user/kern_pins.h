/* SPDX-License-Identifier: BSD-2-Clause */
/* kern_pins.h: names inside the pin directory, shared by the kern files and migrate.c and by nobody else. */
#ifndef KERN_PINS_H
#define KERN_PINS_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/abi.h"

#define KERN_PATH_MAX 256
#define KERN_MAP(name) "pst_" #name
#define KERN_PROG "prog"
#define KERN_LINK "link_"
#define KERN_SHARED "shared_"
#define KERN_WHY "why_" /* a symbolic link beside the pin, whose text says why it is not native: nothing else in a bpffs holds text */
#define KERN_SHARED_NEXT "next" /* while it takes the place of the one before */

struct bpf_map;
struct gate;

/* DIR/NAME. 0 or -ENAMETOOLONG. */
int kern_path(char out[KERN_PATH_MAX], const char *dir, const char *name);
/* Opens the pin DIR/NAME: a descriptor, or -errno. */
int kern_pins_open(const char *dir, const char *name, bool readonly);
/* Makes every missing part of dir, provided that what exists is a bpffs. 0, or -errno and words. */
int kern_pins_make(const char *dir, char *err, size_t errsize);
/* Waits until nobody else has the folder: two loads at one moment would mix their pins. A descriptor that ends it when it is closed, or -errno. */
int kern_pins_lock(const char *dir);
/* Takes away one pin; the maps and programs of any version, all but pst_meta; those and pst_meta first. */
void kern_pins_drop(const char *dir, const char *name);
void kern_pins_clear_most(const char *dir);
void kern_pins_clear(const char *dir);
/* Pins fd under path; it belongs to whom the folder belongs to. 0 or -errno. */
int kern_pins_put(const char *path, int fd);
/* Pins a map by its name; the program so that there is one under its name at every moment. 0 or -errno. */
int kern_pins_put_map(const char *dir, const struct bpf_map *map);
int kern_pins_put_prog(const char *dir, int fd);
/* Does work while it has the lock, and keeps libbpf from writing on standard error. What work returns, or -errno and words. */
int kern_locked(const char *dir, int (*work)(const char *dir, char *err, size_t errsize), char *err, size_t errsize);
/* The program's object with the maps that are pinned under dir, not loaded. Ends with gate__destroy(). 0, or -errno and words. */
int kern_open_gate(const char *dir, struct gate **out, char *err, size_t errsize);
/*
 * The pin's name of an interface: bpffs allows no dot in a name and interfaces do
 * (eth0.100), so a dot is written as %, which the kernel allows in no interface's name.
 */
int kern_pin_path(char out[KERN_PATH_MAX], const char *dir, const char *prefix, const char *interface);
/* The interface's name from a directory entry; false when it does not begin with prefix. */
bool kern_pin_name(const char *entry, const char *prefix, char interface[16]);
/* Why the gate is not native on an interface, as it was found out when it was attached: written, read ("" = not known), taken away. */
void kern_why_put(const char *dir, const char *interface, const char *why);
void kern_why_get(const char *dir, const char *interface, char *why, size_t size);
void kern_why_drop(const char *dir, const char *interface);
/* pst_meta of any version. 0, -EPROTO when fd is no such map, or -errno. */
int kern_meta(int fd, struct pst_meta *meta);
/*
 * Puts prog_fd in the place of the program of every link pinned under from, and moves the pins to dir (which may be from).
 * No packet passes in between. 0 or the first failure.
 */
int kern_links_take(const char *dir, const char *from, int prog_fd, char *err, size_t errsize);

#endif
