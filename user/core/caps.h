/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.h: what a backend offers, read from its EHLO reply (RFC 5321 section 4.1.1.1), and
 * whether an envelope line uses more than that. Unknown keywords are ignored.
 */
#ifndef CAPS_H
#define CAPS_H

#include "user/core/sess.h"

/* The attributes of XCLIENT that the gate can give, in the order in which they are sent. */
enum caps_attribute { ATTR_NAME, ATTR_ADDR, ATTR_PORT, ATTR_PROTO, ATTR_HELO, ATTR_MAX };

extern const char *const caps_attribute_name[ATTR_MAX];

/* Mechanisms that prove nothing through a gate (EXTERNAL, ANONYMOUS, ...-PLUS) count as not offered. Fills *caps from a whole reply; *attributes gets one bit per caps_attribute offered with XCLIENT. */
void caps_read(const struct reply *ehlo, struct sess_caps *caps, unsigned *attributes);
/* The enum sess_cap bits that the parameters of a MAIL or RCPT line use. */
unsigned caps_used(struct str line);
/* What the lines of an ask use and the backend does not offer. line may be "AUTH MECHANISM ...". */
unsigned caps_lacking(const struct sess_caps *have, struct str mail, struct str line);

#endif
