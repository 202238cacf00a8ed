/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/tls_client.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "user/core/addr.h"

/* The system's authorities in one file: its folder of them is read when a certificate comes, which the cage forbids. */
static bool load_system(SSL_CTX *ctx)
{
	const char *const file[] = { X509_get_default_cert_file(), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
				     "/etc/ssl/ca-bundle.pem" };

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		if (SSL_CTX_load_verify_file(ctx, file[i]))
			return true;
	return false;
}

int tls_client_load(const char *ca, bool verify, void **out, char *err, size_t errsize)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool ok;

	if (!ctx) {
		ERR_clear_error();
		snprintf(err, errsize, "no TLS context: out of memory");
		return -ENOMEM;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	ok = !verify || (ca ? SSL_CTX_load_verify_file(ctx, ca) : load_system(ctx));
	ERR_clear_error();
	if (ok) {
		*out = ctx;
		return 0;
	}
	if (ca)
		snprintf(err, errsize, "%s: not a readable PEM file of authorities", ca);
	else
		snprintf(err, errsize, "no file of the system's authorities is found; install ca-certificates, or name a PEM file in tls_ca");
	SSL_CTX_free(ctx);
	return -EINVAL;
}

static bool must_be(SSL *ssl, const struct pst_addr *addr, const char *name)
{
	if (name)
		return SSL_set1_host(ssl, name);
	if (addr_is4(addr))
		return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), addr->b + 12, 4);
	return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), addr->b, 16);
}

SSL *tls_client_new(void *ctx, const struct pst_addr *addr, const char *name, bool verify)
{
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;

	if (ssl && ((name && !SSL_set_tlsext_host_name(ssl, name)) || (verify && !must_be(ssl, addr, name)))) {
		SSL_free(ssl);
		ssl = NULL;
	}
	ERR_clear_error();
	return ssl;
}

const char *tls_client_why(SSL *ssl, unsigned long error)
{
	long verdict = SSL_get_verify_result(ssl);
	const char *reason = ERR_reason_error_string(error);

	if (verdict != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
		return X509_verify_cert_error_string(verdict);
	return reason ? reason : "ended the TLS handshake";
}
