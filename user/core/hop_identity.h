/* SPDX-License-Identifier: BSD-2-Clause */
/* hop_identity.h: whom the gate speaks for, as a backend wants to hear it. Bytes only; hop.c says when. */
#ifndef HOP_IDENTITY_H
#define HOP_IDENTITY_H

#include "user/core/hop.h"
#include "user/core/put.h"

/* "PROXY TCP4 source destination source-port destination-port" CRLF */
void identity_proxy1(const struct hop_conf *c, struct put *o);
/*
 * Version 2, binary: the addresses, PP2_TYPE_UNIQUE_ID with the session's name, and PP2_TYPE_SSL with version and cipher
 * where the client's connection has TLS. The gate's own sessions are LOCAL, without addresses.
 */
void identity_proxy2(const struct hop_conf *c, struct put *o);
/* "EHLO name" or "LHLO name" CRLF. Once told about the client, the backend judges the client's own name. */
void identity_hello(const struct hop_conf *c, bool told, struct put *o);
/* "XCLIENT ..." CRLF; attributes: one bit per enum caps_attribute that the backend offers. */
void identity_xclient(const struct hop_conf *c, unsigned attributes, struct put *o);

#endif
