/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_client.h: TLS towards backends. Contexts are loaded before the workers are caged: they read no files.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "bpf/abi.h"

/*
 * A context for connections to backends: TLS 1.2 and 1.3. ca: PEM file of the authorities that may vouch for the backend,
 * NULL = the system's. verify: a handshake with a certificate that none of them vouches for fails; otherwise none is looked at.
 * On success *ctx is the caller's until tls_free(). On failure a negative errno, and in err what is wrong with which file.
 */
int tls_client_load(const char *ca, bool verify, void **ctx, char *err, size_t errsize);
/*
 * One connection's. name: for SNI, and what the certificate must be for if verify; NULL = no SNI, and it must be for addr.
 * NULL when memory is out or there is no ctx.
 */
SSL *tls_client_new(void *ctx, const struct pst_addr *addr, const char *name, bool verify);
/* Why a handshake failed; error: OpenSSL's, 0 = none. Static text. */
const char *tls_client_why(SSL *ssl, unsigned long error);

#endif
