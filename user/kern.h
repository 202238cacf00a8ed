/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kern.h: the gate in the kernel: load, pin, attach, find again. Who holds the
 * program and link fds can attach and detach, so only the warden (and the CLI, as root) calls the first half.
 */
#ifndef KERN_H
#define KERN_H

#include "user/config.h"

#define KERN_PIN_DIR PST_PIN_DIR

/* One row per map of bpf/maps.h that user space touches. */
#define KERN_MAPS(X) \
	X(stats) X(slots) X(named) X(conf) X(meta) X(allow) X(bans) X(ban_bits) X(ban_quick) X(notes) \
	X(cell4) X(some4) X(part4) X(leaf4) X(rich4) X(cell6) X(net6) X(lens6) X(class) X(class_hits) X(list_info) X(list_hits) \
	X(secret) X(text) X(reply_budget) X(sketch) X(buckets) X(good)

struct kern_maps {
#define KERN_X(name) int name;
	KERN_MAPS(KERN_X)
#undef KERN_X
};

struct kern_link {
	char interface[16];
	unsigned ifindex;
	bool native;
	char why[160]; /* why not native, empty when native */
	bool shared; /* beside other programs, through libxdp's dispatcher */
	char alone[256]; /* of kern_attach_shared(): why not shared, empty when it is */
	__u64 since_s; /* when the link was made, seconds since 1970; filled by kern_links() */
	unsigned prog_id;
};

/* Opens the pinned maps under dir. -ENOENT: no gate is loaded (*have: the schema of an older one beside it, or 0). -EPROTO: another schema (*have tells which). */
int kern_open(const char *dir, bool readonly, struct kern_maps *out, unsigned *have);
void kern_close(struct kern_maps *m);
/* All of them -1: none is open. */
void kern_none(struct kern_maps *m);
/* 1: m is what is pinned under dir; 0: another gate's maps are; -ENOENT: no gate is loaded; or -errno. */
int kern_is_pinned(const char *dir, const struct kern_maps *m);

/*
 * Makes sure program and maps are loaded and pinned under dir, reusing the pinned maps (bans survive). A gate of an older
 * schema beside dir goes on, and its bans, notes, allow entries, lists, settings and counters are copied, or used in common
 * where they are laid out alike; one of a newer or unknown schema is refused (-EPROTO) and nothing is touched. Mounts nothing; says so when dir is not on a bpffs. Takes CAP_BPF,
 * CAP_NET_ADMIN and, for this call alone, CAP_PERFMON: without it the verifier allows no variable offset into a packet, and IP
 * options have one. Two calls at one moment wait for each other.
 */
int kern_load(const char *dir, char *err, size_t errsize);
/*
 * Puts the loaded program in the place of the one that existing links run, by bpf_link_update: no packet leaks. Those of an
 * older gate are taken over and then its pins are removed. Its lists are those that were in its tables: fill ours anew between kern_load() and this.
 */
int kern_take_over(const char *dir, char *err, size_t errsize);
/*
 * Attaches by a pinned link, or updates the link that is there. Native first unless mode says generic; XDP_NATIVE never falls back. A link
 * that is there in another mode than asked for is taken off first, and put back when the new mode is refused; XDP_AUTO keeps any.
 * -ENODEV: no such interface; -ENOENT: nothing is loaded; -EBUSY, -EEXIST: somebody else's program, named in err.
 */
int kern_attach(const char *dir, const char *interface, enum xdp_mode mode, struct kern_link *out, char *err, size_t errsize);
/*
 * Attaches beside other programs, through libxdp's dispatcher, as the first of them; alone, by kern_attach(), where there can be
 * no dispatcher: out->alone tells why. A link of before is removed first, and only for that moment packets pass.
 * Takes CAP_SYS_ADMIN besides what kern_attach() takes.
 */
int kern_attach_shared(const char *dir, const char *interface, enum xdp_mode mode, struct kern_link *out, char *err, size_t errsize);
int kern_detach(const char *dir, const char *interface);
/* Removes links, program and maps: everything passes again; a daemon that holds the maps finds mode = off in them. */
int kern_unload(const char *dir);
/* The pinned links. Returns how many were written, or -errno. */
int kern_links(const char *dir, struct kern_link *out, size_t max);
/* CLOCK_MONOTONIC, as the maps use it. */
__u64 kern_now_ns(void);

#endif
