/* SPDX-License-Identifier: BSD-2-Clause */
/* warden_tls.c: every TLS context of a configuration, loaded before the workers are forked, so that none of them reads a key file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/tls_client.h"
#include "user/warden_int.h"

#define WHY_MAX 256

static int certificates(struct serving *s, char *err, size_t errsize)
{
	const struct conf *c = s->conf;
	char why[WHY_MAX];

	s->names = calloc(1, sizeof(*s->names) + c->ncertificates * sizeof(void *));
	if (!s->names)
		return -ENOMEM;
	for (; s->names->n < c->ncertificates; s->names->n++) {
		const struct conf_certificate *cert = &c->certificate[s->names->n];
		int rc = tls_load(cert->chain, cert->key, &s->names->ctx[s->names->n], why, sizeof(why));

		if (rc) {
			snprintf(err, errsize, "%s:%u: certificate \"%s\": %s", conf_file(c, cert->line), conf_line(cert->line), cert->name, why);
			return rc;
		}
	}
	return 0;
}

static int listeners(struct serving *s, char *err, size_t errsize)
{
	char why[WHY_MAX];

	s->tls = calloc(s->conf->nlisteners, sizeof(*s->tls));
	if (!s->tls)
		return -ENOMEM;
	for (size_t i = 0; i < s->conf->nlisteners; i++) {
		const struct conf_listener *l = &s->conf->listener[i];
		int rc;

		if (l->sess.tls == SESS_OFF)
			continue;
		rc = tls_load(l->tls_certificate, l->tls_key, &s->tls[i], why, sizeof(why));
		if (rc) {
			snprintf(err, errsize, "%s:%u: listener \"%s\": %s", conf_file(s->conf, l->line), conf_line(l->line), l->name, why);
			return rc;
		}
		tls_by_name(s->tls[i], s->names);
	}
	return 0;
}

static int backends(struct serving *s, char *err, size_t errsize)
{
	char why[WHY_MAX];

	s->backend_tls = calloc(s->conf->nbackends, sizeof(*s->backend_tls));
	if (!s->backend_tls)
		return -ENOMEM;
	for (size_t i = 0; i < s->conf->nbackends; i++) {
		const struct conf_backend *b = &s->conf->backend[i];
		int rc;

		if (b->tls == BACKEND_TLS_OFF)
			continue;
		rc = tls_client_load(b->tls_ca, b->tls == BACKEND_TLS_VERIFY, &s->backend_tls[i], why, sizeof(why));
		if (rc) {
			snprintf(err, errsize, "%s:%u: backend \"%s\": %s", conf_file(s->conf, b->line), conf_line(b->line), b->name, why);
			return rc;
		}
	}
	return 0;
}

int serving_tls(struct serving *s, char *err, size_t errsize)
{
	int rc = certificates(s, err, errsize);

	if (!rc)
		rc = listeners(s, err, errsize);
	return rc ? rc : backends(s, err, errsize);
}

void serving_tls_free(struct serving *s)
{
	for (size_t i = 0; s->tls && i < s->conf->nlisteners; i++)
		tls_free(s->tls[i]);
	for (size_t i = 0; s->names && i < s->names->n; i++)
		tls_free(s->names->ctx[i]);
	for (size_t i = 0; s->backend_tls && i < s->conf->nbackends; i++)
		tls_free(s->backend_tls[i]);
	free(s->tls);
	free(s->names);
	free(s->backend_tls);
	s->tls = s->backend_tls = NULL;
	s->names = NULL;
}
