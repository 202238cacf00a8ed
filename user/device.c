/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/device.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/device_int.h"

/* --- what the device belongs to: route netlink ------------------------------------ */

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static void name_link(struct nl_sock *sock, int ifindex, char name[16], char *kind, size_t kind_size)
{
	struct rtnl_link *l;

	if (ifindex <= 0 || rtnl_link_get_kernel(sock, ifindex, NULL, &l))
		return;
	copy(name, 16, rtnl_link_get_name(l));
	if (kind)
		copy(kind, kind_size, rtnl_link_get_type(l));
	rtnl_link_put(l);
}

static bool has_parent(const char *kind)
{
	return !strcmp(kind, "vlan") || !strcmp(kind, "macvlan") || !strcmp(kind, "ipvlan");
}

static int read_links(struct nl_sock *sock, struct device *d)
{
	struct rtnl_link *l;

	if (rtnl_link_get_kernel(sock, (int)d->ifindex, NULL, &l))
		return -ENODEV;
	d->mtu = rtnl_link_get_mtu(l);
	copy(d->kind, sizeof(d->kind), rtnl_link_get_type(l));
	name_link(sock, rtnl_link_get_master(l), d->master, d->master_kind, sizeof(d->master_kind));
	if (has_parent(d->kind))
		name_link(sock, rtnl_link_get_link(l), d->parent, NULL, 0);
	rtnl_link_put(l);
	return 0;
}

/* --- programs ------------------------------------------------------------------------ */

static void add_prog(struct device *d, unsigned id, const char *mode)
{
	struct device_prog *p = &d->prog[d->nprogs];
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int fd;

	if (!id)
		return;
	*p = (struct device_prog){ .id = id, .mode = mode };
	d->nprogs++;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		copy(p->name, sizeof(p->name), info.name);
	close(fd);
}

static void read_progs(struct device *d)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	if (bpf_xdp_query((int)d->ifindex, 0, &q))
		return;
	add_prog(d, q.drv_prog_id, "native");
	add_prog(d, q.skb_prog_id, "generic");
	add_prog(d, q.hw_prog_id, "offload");
}

size_t device_others(const struct device *d, unsigned ours, char *text, size_t size)
{
	size_t n = 0, at = 0;

	text[0] = 0;
	for (size_t i = 0; i < d->nprogs; i++) {
		const struct device_prog *p = &d->prog[i];

		if (p->id == ours)
			continue;
		if (at < size)
			at += (size_t)snprintf(text + at, size - at, "%sid %u (%s) %s", n ? ", " : "", p->id, *p->name ? p->name : "?", p->mode);
		n++;
	}
	return n;
}

/* --- all of it ----------------------------------------------------------------------------- */

int device_read(const char *name, struct device *out)
{
	struct nl_sock *sock;
	int rc;

	*out = (struct device){ .ifindex = if_nametoindex(name), .lro = -1, .gro_hw = -1 };
	if (!out->ifindex)
		return -ENODEV;
	copy(out->name, sizeof(out->name), name);
	sock = nl_socket_alloc();
	if (!sock)
		return -ENOMEM;
	rc = nl_connect(sock, NETLINK_ROUTE) ? -EIO : read_links(sock, out);
	nl_socket_free(sock);
	if (rc)
		return rc;
	device_ethtool(out);
	device_xdp_features(out);
	read_progs(out);
	return 0;
}

bool device_elsewhere(const struct device *d, char *advice, size_t size)
{
	advice[0] = 0;
	if (*d->parent && strcmp(d->kind, "vlan"))
		snprintf(advice, size, "attach to %s instead: what %s gets comes in there, and the gate may run in its driver", d->parent, d->name);
	else if (*d->parent)
		snprintf(advice, size, "attach to %s instead: the gate looks through VLAN tags there, and may run in its driver", d->parent);
	else if (!strcmp(d->master_kind, "bond") || !strcmp(d->master_kind, "team"))
		snprintf(advice, size, "attach to %s instead: %s is one of its members, and the others would be a way round", d->master, d->name);
	else if (!strcmp(d->kind, "bridge"))
		snprintf(advice, size, "attach to its ports instead (bridge link show master %s): a bridge itself has no native mode", d->name);
	if (*advice)
		return true;
	if (!strcmp(d->master_kind, "bridge"))
		snprintf(advice, size, "a port of bridge %s: what comes in by other ports is not seen here", d->master);
	return false;
}
