/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cage.h: what each process gives up before it does its work. Every function checks by
 * asking the kernel that the result is so, and fails otherwise: -errno, and the process must not go on.
 */
#ifndef CAGE_H
#define CAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes every descriptor from 3 up that is not one of keep[0..n). For a child, before log_init(). */
int cage_fds(const int *keep, size_t n);

/*
 * Worker: uid and gid for good (0 is refused), no supplementary groups, no capability in any set, no_new_privs, not dumpable;
 * landlock: no file system access at all (left out, with -ENOSYS swallowed, on a kernel without it); seccomp allow-list: sockets
 * of AF_INET and AF_INET6 streams only, no new process, no exec, no file opened.
 */
int cage_worker(uid_t uid, gid_t gid);
/* As cage_worker(), for one that asks resolvers: datagram sockets of the same families as well. */
int cage_worker_names(uid_t uid, gid_t gid);

/*
 * Judge: as above, but it may open files and use unix sockets and bpf() on map fds that it holds. Creating maps,
 * loading programs, other socket families, exec and ptrace are refused.
 */
int cage_judge(uid_t uid, gid_t gid);

/*
 * Store: as a worker, but it may open, make and remove files in the one folder dir, if that is there, has no socket at all, and of
 * bpf() may look up elements of maps whose descriptors it holds.
 */
int cage_store(uid_t uid, gid_t gid, const char *dir);

/*
 * Exporter: as cage_worker(), but no socket at all can be made, and of bpf() it may look up elements of maps whose descriptors it
 * holds. Bind the listening socket and read the counters once before. Started as somebody else than root it stays who it is.
 */
int cage_exporter(uid_t uid, gid_t gid);

/*
 * Warden: stays who it is, root or a user that was given its capabilities (capabilities(7), ambient), and keeps only CAP_BPF, CAP_NET_ADMIN,
 * CAP_NET_BIND_SERVICE, CAP_SETUID and CAP_SETGID, in the bounding set too; no_new_privs. CAP_PERFMON is permitted and not
 * effective: a new version that is executed in its place loads a program. With admin CAP_SYS_ADMIN as well: libxdp finds programs by their
 * ids. Nothing can be inherited from it.
 */
int cage_warden(bool admin);
/* The name of a capability of those that this process does not have in reach; NULL = it has them all. */
const char *cage_warden_lacks(bool admin);
/* Whatever is executed next in this process has what it has in reach, also if it is not root. Should that fail: cage_warden() again. */
int cage_warden_passes_on(void);

#endif
