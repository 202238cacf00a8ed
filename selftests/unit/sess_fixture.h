/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_fixture.h: the gate that session tests talk to, and text with escapes. */
#ifndef SESS_FIXTURE_H
#define SESS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "user/core/addr.h"
#include "user/core/names.h"
#include "user/core/sess.h"

#define START_NS 1000000000ull

struct fixture {
	struct sess_conf conf;
	struct sess_peer peer;
	struct sess_caps caps;
	struct relay_rules relay;
	struct access_rule rule;
	char client[64]; /* the name in it */
	struct pst_stats stats;
	char room[SESS_ROOM_MIN];
	struct sender_rules senders;
	struct sender_list list[4]; /* of one entry each */
	struct sender_rule entry[4];
	char key[4][SENDER_KEY_MAX + 1];
	struct recipient_rule recipient[4];
	char recipient_key[4][RECIPIENT_KEY_MAX + 1];
	struct account_rules accounts;
	struct account_owner owner[4];
	char account[4][32], owned[4][SENDER_KEY_MAX + 1];
	struct grey_rules grey;
	struct sender_rule exempt[2]; /* recipient, sender */
	char exempt_key[2][SENDER_KEY_MAX + 1];
};

static const struct domain_rule fixture_domains[] = {
	{ STR("local.test"), "test", 1 },
	{ STR("mx.local.test"), "test", 2 },
};

static struct mailbox fixture_traps[1];

static inline void fixture_init(struct fixture *f)
{
	struct str trap = STR("<trap@local.test>");

	memset(f, 0, sizeof(*f));
	mailbox_path(&trap, false, false, &fixture_traps[0]);
	addr_parse(STR("198.51.100.7"), &f->peer.addr);
	f->rule.prefix = prefix_of(&f->peer.addr, 128);
	f->relay = (struct relay_rules){
		.connect = { .mode = ACCESS_EXCEPT }, .relay = { .mode = ACCESS_ONLY }, .authenticated_may_relay = true,
		.domain = fixture_domains, .ndomains = 2, .trap = fixture_traps, .ntraps = 1,
	};
	f->caps = (struct sess_caps){
		.bits = CAP_8BITMIME | CAP_SMTPUTF8 | CAP_DSN | CAP_SIZE | CAP_PIPELINING | CAP_AUTH | CAP_XCLIENT, .size = 20000,
		.mechs = "PLAIN LOGIN",
	};
	f->conf = (struct sess_conf){
		.hostname = "mx.local.test", .banner = "Postern", .command_timeout_s = 300, .data_timeout_s = 180, .tls_timeout_s = 60, .own_sender = PST_MODE_OFF, .account_sender = PST_MODE_OFF,
		.answer_timeout_s = 900, .errors_max = 10, .rcpt_max = 100, .relay = &f->relay,
		.body = { .size = 10000, .header_bytes = 2000, .received = 100 },
	};
	f->conf.tested = true;
	for (unsigned i = TEST_PREGREET; i <= TEST_BARE_NEWLINE; i++)
		f->conf.test[i].mode = TRIAGE_DROP;
	f->senders.list = f->list;
	f->conf.senders = &f->senders;
	f->grey.timeout_s = 1;
	f->conf.grey = &f->grey;
	f->peer.room = f->room;
	f->peer.nroom = sizeof(f->room);
	f->peer.id = 0xabc;
	f->peer.caps = &f->caps;
}

/* \r \n \t \\ \0 \xHH in place; returns the length. */
static inline size_t unescape(char *text)
{
	char *in = text, *out = text;

	while (*in) {
		char hex[3] = "";

		if (*in != '\\') {
			*out++ = *in++;
			continue;
		}
		switch (in[1]) {
		case 'r': *out++ = '\r'; break;
		case 'n': *out++ = '\n'; break;
		case 't': *out++ = '\t'; break;
		case '0': *out++ = '\0'; break;
		case '\\': *out++ = '\\'; break;
		case 'x':
			memcpy(hex, in + 2, 2);
			*out++ = (char)strtoul(hex, NULL, 16);
			in += 2;
			break;
		default: /* not an escape: the backslash is meant */
			*out++ = '\\';
			in--;
		}
		in += 2;
	}
	return (size_t)(out - text);
}

#endif
