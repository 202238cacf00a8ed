/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile backend against a session that asks at any moment. Whatever happens, all that is sent are whole
 * lines of our own making, one a step, nothing more once it is broken, and END is never sent without a 354.
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

/* One step sends at most one line, ended by the only CRLF in it. */
static void check_step(const struct hop *h, const struct hop_step *step, bool content_before)
{
	char sent[2 * HOP_OUT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		MUST(step->send[i].n <= sizeof(sent) - n);
		if (step->send[i].n)
			memcpy(sent + n, step->send[i].p, step->send[i].n);
		n += step->send[i].n;
	}
	MUST(n != 1);
	if (n) {
		MUST(!memcmp(sent + n - 2, "\r\n", 2) && !memchr(sent, '\r', n - 2) && !memchr(sent, '\n', n - 2) && !memchr(sent, '\0', n));
		MUST((n == 3 && sent[0] == '.') <= content_before);
		MUST(hop_alive(h) || !memcmp(sent, "QUIT", 4));
	}
	if (step->event == HOP_BROKEN || step->event == HOP_UNFIT)
		MUST(!hop_alive(h) && h->why && !n);
	if (step->event == HOP_READY)
		MUST(hop_ready(h));
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
	conf.proxy = data[0] & 1;
	conf.xclient = (data[0] >> 1) % 3;
	conf.esmtp = data[0] & 8;
	if (data[0] & 16)
		conf.helo = STR("client.example");
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
