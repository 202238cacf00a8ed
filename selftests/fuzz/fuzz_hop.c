/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile backend against a session that asks at any moment. Whatever happens, all that is sent are whole
 * lines of our own making, nothing more once it is broken, and END is never sent without a 354.
 *
 * Input: a byte of configuration, then bytes for the gate; 0x80 | n among them is ask n.
 */
#include "fuzz.h"
#include "user/core/addr.h"
#include "user/core/hop.h"

static const struct {
	enum sess_ask ask;
	struct str mail, line;
} asks[] = {
	{ ASK_RCPT, STR("MAIL FROM:<a@b.example>"), STR("RCPT TO:<u@example.org>") },
	{ ASK_RCPT, STR("MAIL FROM:<a@b.example> BODY=8BITMIME SMTPUTF8"), STR("RCPT TO:<v@example.org> NOTIFY=NEVER") },
	{ ASK_RCPT, STR("MAIL FROM:<>"), STR("RCPT TO:<u@example.org>\r\nRCPT TO:<x@y.example>") },
	{ ASK_AUTH, STR(""), STR("AUTH LOGIN") },
	{ ASK_AUTH, STR(""), STR("dXNlcg==") },
	{ ASK_AUTH, STR(""), STR("") },
	{ ASK_DATA, STR(""), STR("") },
	{ ASK_END, STR(""), STR("") },
	{ ASK_RESET, STR(""), STR("") },
};

#define NASKS (sizeof(asks) / sizeof(asks[0]))

static const struct hop_conf *speaks; /* whose step is checked */

/* Whole lines, each ended by the only CRLF in it; behind the header of PROXY version 2, which is not text. */
static void check_lines(const char *sent, size_t n)
{
	if (n >= 16 && speaks->proxy == HOP_PROXY_V2 && !memcmp(sent, "\r\n\r\n", 4)) {
		size_t length = 16 + (size_t)(unsigned char)sent[14] * 256 + (unsigned char)sent[15];

		MUST(length == n);
		return;
	}
	while (n) {
		const char *end = memchr(sent, '\n', n);
		size_t line = end ? (size_t)(end - sent) + 1 : 0;

		MUST(line >= 2 && sent[line - 2] == '\r' && !memchr(sent, '\r', line - 2) && !memchr(sent, '\0', line));
		sent += line;
		n -= line;
	}
}

static void check_step(const struct hop *h, const struct hop_step *step, bool content_before)
{
	char sent[HOP_SEND_MAX * HOP_OUT_MAX];
	size_t n = 0;

	MUST(step->nsend <= HOP_SEND_MAX);
	for (size_t i = 0; i < step->nsend; i++) {
		MUST(step->send[i].n <= sizeof(sent) - n);
		memcpy(sent + n, step->send[i].p, step->send[i].n);
		n += step->send[i].n;
	}
	check_lines(sent, n);
	MUST(h->ndue <= HOP_DUE_MAX);
	if (n) {
		MUST((n == 3 && sent[0] == '.') <= content_before);
		MUST(hop_alive(h) || !memcmp(sent, "QUIT", 4));
	}
	if (step->event == HOP_BROKEN || step->event == HOP_UNFIT)
		MUST(!hop_alive(h) && h->why && !n);
	if (step->event == HOP_READY)
		MUST(hop_ready(h));
	if (step->event == HOP_ANSWER)
		MUST(step->answers && step->answers <= HOP_RCPTS_MAX + 1);
	if (hop_free(h, true))
		MUST(!h->ndue && !h->mail_open && !h->authed && speaks->proxy == HOP_PROXY_NONE);
}

static size_t feed(struct hop *h, struct str in)
{
	bool content = hop_content(h);
	struct hop_step step;
	size_t n = hop_bytes(h, in, &step);

	MUST(n <= in.n);
	check_step(h, &step, content);
	return n;
}

static void ask(struct hop *h, unsigned i)
{
	bool content = hop_content(h);
	struct hop_step step;

	if (i < NASKS)
		hop_ask(h, asks[i].ask, asks[i].mail, asks[i].line, &step);
	else if (i == NASKS)
		hop_secured(h, false, &step);
	else if (i == NASKS + 1 && hop_free(h, true))
		hop_reuse(h, &step);
	else
		hop_quit(h, &step);
	check_step(h, &step, content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hop_conf conf = { .hostname = "gate.example.org", .helo = STR("m\xc3\xbc+l=l"), .client_port = 65535, .local_port = 25 };
	struct hop_step step;
	struct hop hop;
	size_t from = 1;

	if (!size)
		return 0;
	conf.proxy = (data[0] & 3) % 3;
	conf.xclient = (data[0] >> 2 & 3) % 3;
	conf.esmtp = data[0] & 16;
	if (data[0] & 16)
		conf.helo = STR("client.example");
	conf.tls = (data[0] >> 5 & 3) % 3;
	conf.lmtp = data[0] & 128;
	conf.implicit = conf.tls == HOP_TLS_REQUIRE && conf.lmtp;
	if (conf.esmtp && conf.lmtp)
		conf.tls_version = conf.tls_cipher = "x";
	speaks = &conf;
	hop_init(&hop, &conf, &step);
	check_step(&hop, &step, false);
	for (size_t to = 1; to <= size && hop_alive(&hop); to++) {
		struct str in = { (const char *)data + from, to - from };

		if (to < size && data[to] < 0x80)
			continue;
		for (size_t n = 1; in.n && n && hop_alive(&hop); in = str_sub(in, n, in.n))
			n = feed(&hop, in);
		if (to < size)
			ask(&hop, data[to] & 0x7f);
		from = to + 1;
	}
	return 0;
}
