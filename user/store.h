/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h: the store process: keeps on disk what the gate knows, and gives it back after a reboot. It reads the judge's memory (ledger,
 * greylist) and the kernel's table of bans, compares with what it wrote last, and writes what is new. Nobody waits for it: a disk that
 * hangs, is full or gone stops this process alone, and so does a file that is cut short under it (SIGBUS). Own process,
 * the judge's user, no capability; landlock: its folder; seccomp: files, no socket, of bpf() lookups alone.
 *
 *   opening -> restoring -> up          a fault: -> failed, and opening again after a while
 *
 * What is restored goes to the judge through shared memory: it stays the only writer of bans. Restored once in the life of a
 * warden; from then on memory is the truth, and what the store has beyond it is deleted. Bans are only restored into a
 * table that is another than the one they came from: where the pins outlived the daemon, the kernel is the truth.
 */
#ifndef STORE_H
#define STORE_H

#include "user/judge.h"
#include "user/store_share.h"

/* Exit status: start it again, at once and in silence: its folder is another than the one it is confined to. */
#define STORE_AGAIN 75

struct store_setup {
	const struct conf *conf;
	const struct kern_maps *maps; /* bans and notes alone are open */
	struct ledger *ledger;	      /* read only */
	struct grey *grey;	      /* likewise; NULL = no greylist */
	struct store_share *share;
	struct pst_stats *stats; /* of its own slot */
	const char *boot;	 /* the kernel's boot_id; "" = it cannot be read */
	__u64 gate;		 /* see struct saved_head; 0 = not known */
	int warden_fd;
	int judge_fd;	    /* end of file when no judge lives any more */
	unsigned dir_ino_ok; /* 0 = the folder was not there when the cage was built */
	__u64 dir_dev, dir_ino;
	bool set_aside; /* the one before died over the file */
};

/* Serves until the warden says stop, or is gone, and writes what is left. Call it after cage_store(). Returns the exit status. */
int store_run(const struct store_setup *setup);

#endif
