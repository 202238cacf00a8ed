/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * herald.h: the PROXY protocol header, versions 1 and 2, with which a trusted balancer announces the client whose
 * connection it passes on (HAProxy's proxy-protocol.txt, sections 2.1 and 2.2). Pure. Whether the balancer may be
 * believed is not known here: never give it a stranger's bytes.
 */
#ifndef HERALD_H
#define HERALD_H

#include "user/core/addr.h"

#define HERALD_MAX 4096 /* octets of a header; one with more is refused */

enum herald_result {
	HERALD_MORE, /* it may still become a header */
	HERALD_BAD,  /* it is none, or of a transport that carries no SMTP */
	HERALD_DONE,
};

struct herald {
	size_t n;   /* octets of the header */
	bool known; /* false: the balancer speaks for itself (LOCAL, UNKNOWN, UNSPEC), a health check; the rest is not set */
	struct pst_addr client, local;
	unsigned short client_port, local_port; /* host order */
};

/* The header at the head of in. What follows it is not looked at. TLVs are passed over. */
enum herald_result herald_take(struct str in, struct herald *out);

#endif
