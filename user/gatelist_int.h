/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gatelist_int.h: a replacement of the lists, shared by its files. The order is gatelist.c's; what each family
 * does in a step is gatelist4.c's and gatelist6.c's.
 */
#ifndef GATELIST_INT_H
#define GATELIST_INT_H

#include "user/core/table.h"
#include "user/gatelist.h"

/* A leaf that the new table needs and the kernel has not. */
struct leaf_new {
	__u32 key, i; /* i: its place in the new table */
};

/* The leaves of one kind in the kernel: pst_leaf4 or pst_rich4. */
struct leaves {
	int fd;
	__u8 code; /* of a cell that points to one, without the generation */
	size_t bytes; /* of a value */
	__u32 *key;
	__u8 *value;
	size_t n, room;
	struct leaf_new *add;
	size_t nadd;
};

struct replace {
	const struct kern_maps *m;
	struct table *t;
	__u8 *cell4, *cell6, *part4; /* the kernel's own, as are the next three */
	struct pst_some *some4;
	struct pst_class *class;
	struct pst_lens6 *lens6;
	bool used[256];	   /* classes that a packet may meet in the old table */
	__u8 number[256];  /* of a class of t in the kernel */
	__u64 reused;	   /* rows that were another list's */
	struct leaves leaf, rich;
	struct lists_entry *old6;
	size_t nold6;
};

/* Reads what is there; clears away what no cell points to. The two families share nothing: both at once. */
int list4_read(struct replace *r);
int list6_read(struct replace *r);
/* Marks the classes that a packet may meet in what was read. */
void list4_mark(struct replace *r);
void list6_mark(struct replace *r);
/* Adds what the new table needs, where no packet sees it yet or where it refuses no less. A failure undoes itself. */
int list4_add(struct replace *r);
int list6_add(struct replace *r);
void list4_undo(struct replace *r);
void list6_undo(struct replace *r);
/* Sets the bit of every /24 that has something, and all the bits in front of every leaf. */
void list4_some_add(struct replace *r);
/* Makes the new table the one in force. list6_switch() waits in between. */
void list4_switch(struct replace *r);
int list6_switch(struct replace *r);
/* Removes what the new table does not need. After list_grace(). */
int list4_remove(struct replace *r);
int list6_remove(struct replace *r);
void list4_free(struct replace *r);

/* Returns when every packet that was on its way through the program has left it. */
int list_grace(void);

#endif
