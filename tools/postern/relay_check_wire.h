/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_check_wire.h: one connection of an SMTP client, as a stranger's: every byte is sent as it is said, and no step
 * takes longer than its time-out. What the server says is bounded, and kept with control bytes escaped.
 */
#ifndef RELAY_CHECK_WIRE_H
#define RELAY_CHECK_WIRE_H

#include <openssl/ssl.h>

#include "user/core/addr.h"

#define WIRE_TEXT_MAX 200 /* of a reply's last line, with its NUL */

struct wire {
	int fd; /* -1 = not connected */
	SSL *ssl;
	SSL_CTX *ctx;
	unsigned timeout_s;
	struct pst_addr peer;
	unsigned nin;
	char in[2048]; /* bytes that are not a line yet */
};

struct wire_reply {
	int code;		  /* 0 = the connection ended or failed; text says how */
	bool smtputf8, starttls;  /* the reply names this extension: of use after EHLO */
	char name[256];		  /* second word of the first line: who the server says it is */
	char text[WIRE_TEXT_MAX]; /* the last line, escaped */
};

/* Connects to host's addresses in their order until one answers. 0, or -1 with the reason in why. Close with wire_close(). */
int wire_open(struct wire *w, const char *host, const char *port, unsigned timeout_s, char *why, size_t size);
/* Takes the connection into TLS, behind the reply to STARTTLS; no certificate is looked at. Bytes that came early are dropped. False = failed. */
bool wire_tls(struct wire *w);
/* As wire_tls() with w->ssl, made by the caller and the wire's from now on. */
bool wire_shake(struct wire *w);
/* Reads some bytes. 0 = the connection ended, -1 = none came in time. */
int wire_read(struct wire *w, char *out, size_t n);
/* Sends all of s. False = failed. */
bool wire_send(struct wire *w, struct str s);
/* Reads a whole reply. Returns its code, 0 when none came: then the connection is of no more use. */
int wire_reply(struct wire *w, struct wire_reply *r);
/* Safe to call again, and on a zeroed wire whose fd is -1. */
void wire_close(struct wire *w);

#endif
