/* SPDX-License-Identifier: BSD-2-Clause */
/* backend_check.c: see backend_check.h */
#include "tools/postern/backend_check.h"

#include <stdio.h>

#include <openssl/err.h>

#include "tools/postern/relay_check_wire.h"
#include "user/backend.h"
#include "user/core/caps.h"
#include "user/sock.h"
#include "user/tls_client.h"

#define MAIL "MAIL FROM:<>" /* no sender to find fault with */

struct talk {
	const struct conf_backend *conf;
	struct backend_check *out;
	struct wire wire;
	void *tls;
	struct hop_conf as;
	struct hop hop;
	size_t nin;
	char in[HOP_LINE_MAX];
};

static bool gives_up(struct talk *t, const char *why)
{
	snprintf(t->out->why, sizeof(t->out->why), "%s", why);
	return false;
}

/* With the backend's own words, where it said any. */
static bool unfit(struct talk *t)
{
	char said[200] = "";

	if (t->hop.whole && reply_class(&t->hop.reply) >= 4)
		str_escape((struct str){ t->hop.reply.text, strcspn(t->hop.reply.text, "\r") }, said, sizeof(said));
	snprintf(t->out->why, sizeof(t->out->why), "%s%s%s", t->hop.why, said[0] ? ": " : "", said);
	return false;
}

/* --- one step after the other --------------------------------------------------- */

static bool send_step(struct talk *t, const struct hop_step *step)
{
	for (unsigned i = 0; i < step->nsend; i++)
		if (!wire_send(&t->wire, step->send[i]))
			return gives_up(t, "takes no more bytes");
	return true;
}

static bool shake(struct talk *t, struct hop_step *step)
{
	const struct conf_backend *c = t->conf;
	bool verify = c->tls == BACKEND_TLS_VERIFY;

	t->nin = 0;
	if (tls_client_load(c->tls_ca, verify, &t->tls, t->out->why, sizeof(t->out->why)))
		return false;
	t->wire.ssl = tls_client_new(t->tls, &c->addr, c->tls_name, verify);
	t->wire.timeout_s = c->greeting_timeout_s;
	if (!wire_shake(&t->wire))
		return gives_up(t, t->wire.ssl ? tls_client_why(t->wire.ssl, ERR_get_error()) : "out of memory");
	snprintf(t->out->tls, sizeof(t->out->tls), "%s %s", SSL_get_version(t->wire.ssl), SSL_get_cipher_name(t->wire.ssl));
	t->out->verified = verify;
	hop_secured(&t->hop, verify, step);
	return true;
}

/* One more reply line, from what has come or from the wire. False: there is none. */
static bool listen_once(struct talk *t, struct hop_step *step)
{
	size_t n = t->nin ? hop_bytes(&t->hop, (struct str){ t->in, t->nin }, step) : 0;
	int got;

	if (n) {
		memmove(t->in, t->in + n, t->nin -= n);
		return true;
	}
	step->event = HOP_WAIT;
	step->nsend = 0;
	t->wire.timeout_s = hop_due(&t->hop) == HOP_DUE_GREETING ? t->conf->greeting_timeout_s : t->conf->reply_timeout_s;
	got = wire_read(&t->wire, t->in + t->nin, sizeof(t->in) - t->nin);
	if (got <= 0)
		return gives_up(t, got ? "did not answer in time" : "closed the connection");
	t->nin += (size_t)got;
	return true;
}

/* Goes on until that event. */
static bool reach(struct talk *t, enum hop_event event, struct hop_step *step)
{
	for (;;) {
		if (!send_step(t, step))
			return false;
		if (step->event == event)
			return true;
		if (step->event == HOP_UNFIT || step->event == HOP_BROKEN)
			return unfit(t);
		if (step->event == HOP_TLS ? !shake(t, step) : !listen_once(t, step))
			return false;
	}
}

/* --- what is asked ------------------------------------------------------------------ */

static bool suits(struct talk *t)
{
	enum identity id = t->conf->identity;
	bool offered = t->hop.caps.bits & CAP_XCLIENT && t->hop.attributes & (1u << ATTR_ADDR);

	t->out->told = id == IDENTITY_PROXY || id == IDENTITY_PROXY2 || (offered && (id == IDENTITY_AUTO || id == IDENTITY_XCLIENT));
	if (id == IDENTITY_XCLIENT && !offered)
		return gives_up(t, "does not offer XCLIENT with ADDR to this address");
	return true;
}

/* RSET follows, whatever comes of it. */
static void ask_to_relay(struct talk *t, const char *to)
{
	struct hop_step step;
	char rcpt[400];
	unsigned class;

	snprintf(rcpt, sizeof(rcpt), "RCPT TO:<%s>", to);
	hop_ask(&t->hop, ASK_RCPT, STR(MAIL), str_of(rcpt), &step);
	t->out->relays = RELAYS_UNDECIDED;
	if (step.event == HOP_BROKEN || !reach(t, HOP_ANSWER, &step)) {
		snprintf(t->out->said, sizeof(t->out->said), "%s", t->out->why);
		return;
	}
	class = reply_class(&t->hop.reply);
	t->out->relays = class == 2 ? RELAYS_YES : class == 5 ? RELAYS_NO : RELAYS_UNDECIDED;
	str_escape((struct str){ t->hop.reply.text, strcspn(t->hop.reply.text, "\r") }, t->out->said, sizeof(t->out->said));
	hop_ask(&t->hop, ASK_RESET, STR(""), STR(""), &step);
	if (step.event == HOP_WAIT)
		send_step(t, &step);
}

static void leave(struct talk *t)
{
	struct hop_step step;

	while (hop_alive(&t->hop) && hop_waits(&t->hop) && listen_once(t, &step))
		;
	hop_quit(&t->hop, &step);
	if (step.nsend && send_step(t, &step))
		listen_once(t, &step);
}

static bool call_it(struct talk *t)
{
	char host[ADDR_TEXT_MAX], port[8], why[200];

	snprintf(port, sizeof(port), "%u", t->conf->port);
	if (!wire_open(&t->wire, addr_text(&t->conf->addr, host), port, t->conf->connect_timeout_s, why, sizeof(why)))
		return true;
	snprintf(t->out->why, sizeof(t->out->why), "cannot be connected to: %s", why);
	return false;
}

void backend_check(const struct conf_backend *c, const char *hostname, const char *to, struct backend_check *out)
{
	struct talk t = { .conf = c, .out = out };
	struct hop_step step;

	memset(out, 0, sizeof(*out));
	if (!call_it(&t))
		return;
	backend_speak(c, hostname, &t.as);
	sock_local(t.wire.fd, &t.as.client, &t.as.client_port);
	sock_peer(t.wire.fd, &t.as.local, &t.as.local_port);
	hop_init(&t.hop, &t.as, &step);
	if (reach(&t, HOP_READY, &step)) {
		out->caps = t.hop.caps;
		out->ok = suits(&t);
		ask_to_relay(&t, to);
		leave(&t);
	}
	wire_close(&t.wire);
	if (t.tls)
		SSL_CTX_free(t.tls);
}
