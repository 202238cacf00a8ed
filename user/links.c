/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/links.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>

struct links {
	struct nl_sock *sock;
	bool changed;
};

static int take_message(struct nl_msg *msg, void *ctx)
{
	struct links *l = ctx;

	(void)msg;
	l->changed = true;
	return NL_OK;
}

int links_open(struct links **out)
{
	struct links *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->sock = nl_socket_alloc();
	if (!l->sock) {
		free(l);
		return -ENOMEM;
	}
	nl_socket_disable_seq_check(l->sock); /* notifications answer no request */
	nl_socket_modify_cb(l->sock, NL_CB_VALID, NL_CB_CUSTOM, take_message, l);
	if (nl_connect(l->sock, NETLINK_ROUTE) || nl_socket_set_nonblocking(l->sock) ||
	    nl_socket_add_memberships(l->sock, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0)) {
		nl_socket_free(l->sock);
		free(l);
		return -EIO;
	}
	*out = l;
	return 0;
}

int links_fd(const struct links *l)
{
	return nl_socket_get_fd(l->sock);
}

bool links_changed(struct links *l)
{
	int rc;

	l->changed = false;
	while (!(rc = nl_recvmsgs_default(l->sock)))
		;
	return l->changed || rc != -NLE_AGAIN; /* an overrun means that much happened */
}
