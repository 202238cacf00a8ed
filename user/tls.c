/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/tls.h"
#include "user/file_why.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Forward secrecy and AEAD only; the order is the client's, who knows whether it has AES in hardware. */
#define TLS12_SUITES "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SRP"
#define TLS13_SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

static int failed(SSL_CTX *ctx, const char *file, const char *what, char *err, size_t errsize)
{
	const char *reason = access(file, R_OK) ? file_why(errno) : ERR_reason_error_string(ERR_peek_last_error());

	snprintf(err, errsize, "%s: %s (%s)", file, what, reason ? reason : "unknown reason");
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return -EINVAL;
}

/* A key that wants a pass phrase must not make a daemon ask for one on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf, (void)size, (void)rwflag, (void)ctx;
	return -1;
}

/* A client that came for another protocol by this name is told so: its bytes must not pass for mail, nor ours for an answer to it. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *nout, const unsigned char *in, unsigned nin, void *arg)
{
	static const unsigned char ours[] = "\4smtp\5esmtp";

	(void)ssl, (void)arg;
	if (SSL_select_next_proto((unsigned char **)out, nout, ours, sizeof(ours) - 1, in, nin) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
}

static void harden(SSL_CTX *ctx)
{
	static const unsigned char id[] = "postern";

	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Idle sessions are many: no 34 KiB of buffers for each while nothing moves. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

int tls_load(const char *cert, const char *key, void **out, char *err, size_t errsize)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return failed(ctx, cert, "no TLS context", err, errsize);
	harden(ctx);
	if (!SSL_CTX_set_cipher_list(ctx, TLS12_SUITES) || !SSL_CTX_set_ciphersuites(ctx, TLS13_SUITES))
		return failed(ctx, cert, "no usable cipher suites", err, errsize);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return failed(ctx, cert, "not a readable PEM certificate chain", err, errsize);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return failed(ctx, key, "not a readable PEM private key of this certificate", err, errsize);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return failed(ctx, key, "not the key of the certificate", err, errsize);
	*out = ctx;
	return 0;
}

static bool is_for(SSL_CTX *ctx, const char *name)
{
	return X509_check_host(SSL_CTX_get0_certificate(ctx), name, 0, 0, NULL) == 1;
}

static int choose(SSL *ssl, int *alert, void *arg)
{
	const struct tls_names *others = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (!name || is_for(SSL_get_SSL_CTX(ssl), name))
		return SSL_TLSEXT_ERR_OK;
	for (size_t i = 0; i < others->n; i++)
		if (is_for(others->ctx[i], name)) {
			SSL_set_SSL_CTX(ssl, others->ctx[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

void tls_by_name(void *ctx, const struct tls_names *others)
{
	SSL_CTX_set_tlsext_servername_callback(ctx, choose);
	SSL_CTX_set_tlsext_servername_arg(ctx, (void *)others);
}

void tls_free(void *ctx)
{
	SSL_CTX_free(ctx);
}
