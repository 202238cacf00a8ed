/* SPDX-License-Identifier: BSD-2-Clause */
/* device_xdp.c: generic netlink, spoken by hand: two requests do not make a library worth while. */
#include <linux/genetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "user/device_int.h"

/* Of linux/netdev.h, which is younger than the headers of Debian 12. */
#define NETDEV_DEV_GET	    1
#define NETDEV_IFINDEX	    1
#define NETDEV_XDP_FEATURES 3

struct answer {
	int attribute; /* wanted */
	bool found;
	__u64 value;
};

/* Attributes are 16, 32 or 64 bits wide. */
static int take(struct nl_msg *msg, void *ctx)
{
	struct answer *a = ctx;
	struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(msg), GENL_HDRLEN, a->attribute);
	__u16 v16;
	__u32 v32;

	if (!attr)
		return NL_OK;
	a->found = true;
	if (nla_len(attr) == sizeof(v16)) {
		memcpy(&v16, nla_data(attr), sizeof(v16));
		a->value = v16;
	} else if (nla_len(attr) == sizeof(v32)) {
		memcpy(&v32, nla_data(attr), sizeof(v32));
		a->value = v32;
	} else if (nla_len(attr) == sizeof(a->value)) {
		memcpy(&a->value, nla_data(attr), sizeof(a->value));
	} else {
		a->found = false;
	}
	return NL_OK;
}

/* Sends family's command with one attribute; the answer's attribute goes to a. */
static bool ask(struct nl_sock *sock, int family, __u8 command, int attribute, const void *data, int n, struct answer *a)
{
	struct genlmsghdr head = { .cmd = command, .version = 1 };
	struct nl_msg *msg = nlmsg_alloc_simple(family, NLM_F_REQUEST | NLM_F_ACK);
	bool sent;

	if (!msg)
		return false;
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, take, a);
	sent = !nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) && !nla_put(msg, attribute, n, data) && nl_send_auto(sock, msg) >= 0;
	nlmsg_free(msg);
	return sent && nl_recvmsgs_default(sock) >= 0 && nl_wait_for_ack(sock) >= 0 && a->found;
}

void device_xdp_features(struct device *d)
{
	struct answer family = { .attribute = CTRL_ATTR_FAMILY_ID }, features = { .attribute = NETDEV_XDP_FEATURES };
	struct nl_sock *sock = nl_socket_alloc();
	__u32 ifindex = d->ifindex;

	if (!sock)
		return;
	if (!nl_connect(sock, NETLINK_GENERIC) &&
	    ask(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "netdev", sizeof("netdev"), &family) &&
	    ask(sock, (int)family.value, NETDEV_DEV_GET, NETDEV_IFINDEX, &ifindex, sizeof(ifindex), &features)) {
		d->xdp_known = true;
		d->xdp_features = features.value;
	}
	nl_socket_free(sock);
}
