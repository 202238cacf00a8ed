/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.h: what a warden leaves to the program that takes its place under the same process id: sockets, children, channels,
 * memory. It travels as text in a memfd whose number is in the environment, so a version need not know all that another one
 * leaves: lines that are not understood are passed over.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "user/judge.h"

#define HANDOVER_LISTENERS_MAX 256
#define HANDOVER_EXE_MAX       512

/* Memory that outlives whoever uses it. */
enum room { ROOM_QUOTAS, ROOM_KEEP, ROOM_LEDGER, ROOM_GREY, ROOM_MAX };

/* At the same address in every process: there are pointers inside. */
struct handover_room {
	int fd; /* -1 = none */
	void *at;
	size_t bytes;
};

struct handover_child {
	int pid;     /* 0 = none */
	unsigned uid;
	int fd;	     /* the warden's end of its own channel */
	int pair[2]; /* a worker slot's channel to the judge: the judge's end, the worker's */
	int kept[2]; /* what its worker has instead, of a layout before; -1 = nothing */
};

struct handover {
	unsigned long long layout; /* of memory and records; another one makes rooms and pairs of no use */
	bool failed;		   /* what was to take over could not, and this program is called back */
	char exe[HANDOVER_EXE_MAX]; /* what to execute next time */
	int exe_fd;		   /* the program that hands over; to be called back, -1 = none */
	int control_fd;
	char control_path[108];
	size_t nlisten;
	int listen_fd[HANDOVER_LISTENERS_MAX];
	struct handover_child judge, worker[WORKER_SLOTS];
	struct handover_room room[ROOM_MAX];
};

/* Nothing to hand over. */
void handover_none(struct handover *h);
/* The layout of this build. */
unsigned long long handover_layout(void);
/* As text. 0 or -errno. */
int handover_write(const struct handover *h, int fd);
/* 0; -EINVAL when a line is damaged (err says which); -errno. Nothing that is named is looked at. */
int handover_read(struct handover *h, int fd, char *err, size_t errsize);

/*
 * Executes argv[0] (by h->exe, or by h->exe_fd when back) in this process with all of h open, and everything else closed. Returns -errno
 * and only when that fails; then nothing has changed.
 */
int handover_exec(const struct handover *h, char *const *argv, bool back);
/* What the environment says was left to this process: 1 = *h has it, 0 = nothing was, -errno and err. */
int handover_take(struct handover *h, char *err, size_t errsize);
/* From now on nobody is called back: what was handed over closes on exec again. */
void handover_keep(const struct handover *h);

#endif
