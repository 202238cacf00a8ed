/* SPDX-License-Identifier: BSD-2-Clause */
/* warden_int.h: the warden's state, shared by its files and nobody else. */
#ifndef WARDEN_INT_H
#define WARDEN_INT_H

#include <event2/event.h>
#include <signal.h>
#include <sys/types.h>

#include "user/handover.h"
#include "user/judge.h"
#include "user/kern.h"
#include "user/links.h"
#include "user/listset.h"
#include "user/tls.h"

/* What workers are started with. Made whole for a reload before the old one goes. */
struct serving {
	struct conf *conf;
	int *listen_fd; /* one per listener */
	void **tls;	/* one per listener, NULL = none */
	struct tls_names *names; /* one per certificate */
	void **backend_tls; /* one per backend, likewise */
};

struct warden;

struct child {
	struct warden *warden;
	unsigned slot; /* of the channels; unused by the judge */
	pid_t pid;     /* 0 = not running */
	uid_t uid;     /* whose it is, or will be in a moment */
	int fd;	       /* our end of its own channel, -1 = none */
	bool wanted;   /* to be started again when it dies */
	bool draining; /* an old configuration's, serving its last sessions */
	bool told_stop;
	bool inherited; /* another version's: it understands signals, and maybe no record of ours */
	int kept[2];	/* that one's channel to the judge when nobody here understands it: open until it has ended, -1 = none */
	unsigned quick_deaths;
	__u64 started_ns;
	struct event *restart;
};

struct warden_link { /* what was last said of an interface */
	char name[16];
	enum { LINK_NEW, LINK_ATTACHED, LINK_MISSING, LINK_FAILED } state;
};

struct warden {
	const char *path;
	bool debug;
	struct serving now;
	struct kern_maps maps;
	struct pst_stats *stats;
	struct never_list never;
	__u64 started_ns;

	const char *pin_dir; /* as at the start: the maps stay where they are */
	int control_fd;
	char control_path[108];
	int judge_end[WORKER_SLOTS], worker_end[WORKER_SLOTS]; /* of every worker's channel to the judge; all ours for good */
	struct ledger *ledger; /* shared memory: survives a judge */
	size_t ledger_bytes;
	struct quotas *quotas; /* likewise */
	struct judge_keep *keep; /* likewise; it has the size of the first ledger */
	size_t keep_bytes;
	struct grey *grey; /* likewise, NULL = never turned on */
	size_t grey_bytes;
	struct handover_room room[ROOM_MAX]; /* where those four are */

	struct store_share *store; /* likewise, NULL = never turned on */
	int life[2]; /* a pipe whose write end judges hold besides us: its reader learns that none is left */
	char boot[SAVED_BOOT_MAX]; /* the kernel's name for this boot; "" = it has none */
	bool store_aside; /* the last store died over its file */

	struct child judge, store_child, worker[WORKER_SLOTS];
	struct event *judge_readable;
	bool apply_conf; /* the next judge sets mode and ports */
	bool replacing_judge; /* a reload waits for the old one to end */
	unsigned missing; /* workers for which there was no slot */

	struct event_base *base;
	struct event *signals, *audit, *links_readable, *stop_timer, *judge_timer;
	struct links *links;
	struct warden_link link[CONF_INTERFACES_MAX];
	size_t nlinks;
	struct listset lists; /* as the kernel has them */
	struct follow *follow;
	bool stopping, reload_again, upgrade_again;
	struct handover *handed; /* what the version before left, NULL = a fresh start */
	char exe[HANDOVER_EXE_MAX];
	int exe_fd;
	pid_t rehearsal; /* of a new version, 0 = none */
	struct event *watchdog;
	struct timeval watchdog_each;
	sigset_t signal_mask; /* as it was before ours */
};

static inline void warden_count(struct warden *w, enum pst_counter c)
{
	w->stats->counter[c]++;
}

/* warden_listen.c */
/* Makes s->listen_fd for s->conf, reusing what is bound already; on failure err says which and nothing new stays open. */
int listen_all(const struct serving *old, struct serving *s, char *err, size_t errsize);
/* Could listen_all()? Binds what is missing for a moment, and never listens: nobody is turned away by it. */
int listen_try(const struct serving *old, const struct conf *c, char *err, size_t errsize);
/* Closes what keep (may be NULL) does not use. */
void listen_release(struct serving *s, const struct serving *keep);
int listen_control(struct warden *w, char *err, size_t errsize);
void serving_free(struct serving *s, const struct serving *keep);

/* warden_tls.c: certificates and keys. serving_tls_free() forgets every key. */
int serving_tls(struct serving *s, char *err, size_t errsize);
void serving_tls_free(struct serving *s);

/* warden_gate.c: the kernel half */
int gate_start(struct warden *w);
/* Attaches where the program is not; detaches where old wanted it and c does not. */
void gate_audit(struct warden *w);
/* The configured allow list and the balancers, into the kernel. */
int gate_allow(const struct kern_maps *m, const struct conf *c);
/* Has an operator unloaded the gate and loaded it again? Then the tables held here are nobody's. */
bool gate_is_other(const struct warden *w);
/* Then mode = off in the tables that are held here is the operator's last word. */
bool gate_is_unloaded(const struct warden *w);
/* Takes the tables of the gate that is loaded now and fills them. Judge and workers have to be replaced then. False: nothing changed. */
bool gate_follow(struct warden *w);
void gate_detach_gone(struct warden *w, const struct conf *old);

/* warden_lists.c */
/* Reads every list of c; what is wrong with one goes to say, and the list keeps what w has of it. */
void lists_read(const struct warden *w, const struct conf *c, struct listset *out, void (*say)(void *ctx, const char *message), void *ctx);
/* Puts the lists in the kernel and takes them over; drops them when that fails. 0 or -errno. */
int lists_put(struct warden *w, struct listset *next);
/* Follows the lists of the configuration in force that are to be followed. */
void lists_follow(struct warden *w);

/* warden_signal.c */
/* Sends a signal to a child, if it is running; says so when that cannot be. */
void child_signal(const struct child *c, int number);

/* warden_child.c */
int children_open(struct warden *w);
void children_inherit(struct warden *w); /* the other version's go on until they are told otherwise */
/* warden_room.c: shared memory of its own file, so that it can be handed over. NULL with errno set. */
void *room_make(struct warden *w, enum room r, size_t bytes);
/* What the version before left, at the same address; NULL: nothing, or of another layout. */
void *room_inherit(struct warden *w, enum room r, size_t *bytes);

/* warden_ledger.c: made, or inherited from the version before. 0 or -errno. */
int quotas_open(struct warden *w);
int ledger_open(struct warden *w, unsigned entries);
/* warden_grey.c: likewise. */
int grey_open(struct warden *w, const struct grey_rules *r);
/* warden_store.c: memory for it, and the folder, while we may make it. A store that cannot be is said, and is no error. */
int store_open(struct warden *w);
/* Starts it, or ends it, or replaces it by one of the configuration in force. */
void store_renew(struct warden *w);
void store_start(struct warden *w);
void store_stop(struct warden *w);
/* In the child. */
int store_child(struct warden *w, int warden_fd);
/* It is gone: was it the file's fault? True when it wants to be started again in silence. */
bool store_died(struct warden *w, int status);
void judge_start(struct warden *w);
/* Forks c with a channel of its own. 0 or -errno; in the child it does not return. */
int child_start(struct warden *w, struct child *c);
/* In the child: what was the warden's alone. */
void leave_warden(struct warden *w);
/* Starts n new workers in free slots; those that find none are started when one is. */
void workers_start(struct warden *w, unsigned n);
/* Old workers serve their last sessions; when it returns, they accept no more. One that hangs is given up after a second. */
void workers_drain(struct warden *w);
void child_died(struct warden *w, pid_t pid, int status);
void children_stop(struct warden *w);
unsigned children_alive(const struct warden *w);
void children_kill(struct warden *w);
void judge_tell(struct warden *w, const struct judge_msg *m);

/* warden_reload.c */
/* Reads the configuration again; with an error the old one stays. No session is lost either way. */
void warden_reload(struct warden *w);
/* The old judge has ended: the new one takes its place. */
void judge_replace(struct warden *w);
/* Judge and workers that serve w->now take the place of those that live; the old workers are drained. */
void replace_children(struct warden *w);

/* warden_upgrade.c: another version of this program, in this process; clients notice nothing. */
/* Begins: the new version rehearses its start. */
void warden_upgrade(struct warden *w);
/* It has: when all went well it is executed, and this does not return. */
void upgrade_rehearsed(struct warden *w, int status);
/* Is this a program to be found again? To be called once at the start. */
void upgrade_prepare(struct warden *w);
/* For listen_all(): the sockets that were left, as a configuration that has nothing else. NULL = none; free with serving_free(). */
struct serving *upgrade_sockets(const struct handover *h);

/* warden.c */
void warden_notify(const char *state);
/* It serves, and with what, for `systemctl status`. refused: the file as it is now was not taken, the configuration is an older one. */
void warden_notify_ready(const struct warden *w, bool refused);
void warden_notify_reloading(void);

#endif
