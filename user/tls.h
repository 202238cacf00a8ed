/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls.h: server-side TLS contexts for STARTTLS. Loaded by the warden before it forks, so
 * that a worker never needs to read a key file.
 */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>

/*
 * Loads a PEM certificate chain and its key into a new context: TLS 1.2 and 1.3, forward-secret AEAD
 * suites, no renegotiation, no compression, stateless session tickets whose keys belong to this context.
 * On success *ctx is the caller's until tls_free(). On failure a negative errno and in err what is wrong with
 * which file. Checks that key and certificate match.
 */
struct tls_names {
	size_t n;
	void *ctx[];
};

int tls_load(const char *cert, const char *key, void **ctx, char *err, size_t errsize);
/*
 * A client that names the host it wants (SNI, RFC 6066 section 3) gets the first of others whose certificate is for that
 * name, unless ctx's own is; one that names nobody's host gets ctx's own, as mail clients do not look. others outlives ctx.
 */
void tls_by_name(void *ctx, const struct tls_names *others);
void tls_free(void *ctx); /* NULL is nothing */

#endif
