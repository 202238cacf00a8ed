/* SPDX-License-Identifier: BSD-2-Clause */
/* sock.h: struct pst_addr to and from what the socket calls want, and what all sockets of a session need. */
#ifndef SOCK_H
#define SOCK_H

#include <stdbool.h>
#include <sys/socket.h>

#include "bpf/abi.h"
#include "user/core/str.h"

struct bufferevent;

/* A v4-mapped address becomes AF_INET. Returns the length. port in host order. */
socklen_t sock_fill(const struct pst_addr *a, unsigned short port, struct sockaddr_storage *out);
/* False for other families. */
bool sock_read(const struct sockaddr_storage *ss, struct pst_addr *a, unsigned short *port);
bool sock_local(int fd, struct pst_addr *a, unsigned short *port); /* getsockname() */
bool sock_peer(int fd, struct pst_addr *a, unsigned short *port);  /* getpeername() */
/* For a session's sockets: no delay of small writes, and a vanished peer is noticed. */
void sock_tune(int fd);
/* When the peer's last data came in, at the latest, by the kernel's account; now_ns when it has none. */
__u64 sock_heard_ns(int fd, __u64 now_ns);
/* Is there something to be read? */
bool sock_has_bytes(int fd);
#define SOCK_PARTS_MAX 8
/*
 * The parts (n <= SOCK_PARTS_MAX) as they are, in clear: at once, as far as the socket takes them; the rest is queued behind what
 * waits already. A queue alone would cost a turn of the loop and three system calls for every line.
 * A dead socket is told of by bev's events only.
 */
void sock_send(struct bufferevent *bev, const struct str *part, unsigned n);

#endif
