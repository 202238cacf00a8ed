/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cage_net.h: a network and a bpffs of the test's own. Both are private to the process: the
 * kernel takes them away when it ends, however it ends.
 */
#ifndef CAGE_NET_H
#define CAGE_NET_H

#include "selftests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "selftests/packet/frame.h"

#define CAGE "/run/postern-test" /* on a tmpfs of our own */
#define CAGE_BPF CAGE "/bpf"

static inline void cage_do(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

/* g0 is where the gate goes, w0 is the world's end of the same cable. */
static inline int cage_open(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(CAGE, 0755) | mkdir(CAGE_BPF, 0755), 0);
	assert_int_equal(mount("bpf", CAGE_BPF, "bpf", 0, NULL), 0);
	cage_do("ip link add g0 type veth peer name w0 && ip link set g0 up && ip link set w0 up");
	return 0;
}

static inline void cage_send(const char *interface, const struct frame *f)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface), .sll_halen = 6 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, f->b, f->n, 0, (void *)&to, sizeof(to)), f->n);
	close(fd);
}

#endif
