/* SPDX-License-Identifier: BSD-2-Clause */
/* device.h: what a network interface is, as far as attaching to it is concerned. Reads only. */
#ifndef DEVICE_H
#define DEVICE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define DEVICE_PROGS_MAX 3 /* one per mode */

/* Bits of xdp_features, as the kernel's netdev family numbers them. */
#define DEVICE_XDP_BASIC (1 << 0)
#define DEVICE_XDP_RX_SG (1 << 5) /* packets larger than a buffer */

struct device_prog {
	unsigned id;
	char name[16];
	const char *mode; /* "native", "generic" or "offload" */
};

struct device {
	char name[16];
	unsigned ifindex, mtu;
	char driver[32];	/* empty = it does not tell, and so for the texts below */
	char kind[16];		/* "bond", "vlan", ... */
	char master[16], master_kind[16]; /* it is a member of */
	char parent[16];	/* of a VLAN, macvlan or ipvlan */
	unsigned rx_queues;	/* 0 = it does not tell */
	unsigned rx_queues_max;
	int lro, gro_hw;	/* 1 on, 0 off, -1 = it has none */
	bool xdp_known;		/* the kernel tells xdp_features (6.3 and later) */
	__u64 xdp_features;
	struct device_prog prog[DEVICE_PROGS_MAX];
	size_t nprogs;
};

/* 0; -ENODEV: there is no such interface; -errno. */
int device_read(const char *name, struct device *out);
/* Whether another device is the right one to attach to: then a sentence that names it is in advice. Else false, and advice may hold a remark. */
bool device_elsewhere(const struct device *d, char *advice, size_t size);
/* "id 7 (name) native, ..." of the programs but the one with id ours (0 = none). Returns how many. */
size_t device_others(const struct device *d, unsigned ours, char *text, size_t size);

#endif
