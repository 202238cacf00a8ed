/* SPDX-License-Identifier: BSD-2-Clause */
/* A path that is accepted, re-emitted and parsed again, is the same mailbox, and its text is one clean line. */
#include "fuzz.h"
#include "user/core/mailbox.h"
#include "user/core/sess.h"
#include "user/core/smtp.h"

static void check_text(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		MUST((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_path(struct str in, bool reverse, bool utf8)
{
	struct mailbox m, again;
	char text[MAILBOX_TEXT_MAX];
	struct str emitted;
	size_t i;

	if (mailbox_path(&in, reverse, utf8, &m))
		return;
	emitted = (struct str){ text, mailbox_text(&m, text) };
	MUST(emitted.n < sizeof(text) && strlen(text) == emitted.n);
	check_text(text, emitted.n);
	MUST(utf8 || !m.utf8);
	for (i = 0; i < m.ndomain; i++)
		MUST((unsigned char)m.domain[i] < 0x80 && (m.domain[i] < 'A' || m.domain[i] > 'Z' || m.kind == MAILBOX_LITERAL));
	MUST(m.kind != MAILBOX_DOMAIN || mailbox_is_domain((struct str){ m.domain, m.ndomain }));
	MUST(mailbox_path(&emitted, reverse, utf8, &again) == MAILBOX_OK && !emitted.n);
	MUST(!memcmp(&m, &again, sizeof(m)));
}

static void check_commands(struct str args, bool utf8)
{
	unsigned caps = CAP_SIZE | CAP_8BITMIME | CAP_DSN | CAP_AUTH | (utf8 ? CAP_SMTPUTF8 : 0);
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	char text[SESS_ASK_MAX], second[SESS_ASK_MAX];
	size_t n;

	if (!smtp_mail(args, caps, &mail)) {
		n = smtp_mail_text(&mail, caps, text, sizeof(text));
		check_text(text, n);
		MUST(!n || (!smtp_mail((struct str){ text + 5, n - 5 }, caps, &mail) &&
			    smtp_mail_text(&mail, caps, second, sizeof(second)) == n && !memcmp(text, second, n)));
	}
	if (!smtp_rcpt(args, caps, utf8, &rcpt)) {
		n = smtp_rcpt_text(&rcpt, text, sizeof(text));
		check_text(text, n);
		MUST(!n || (!smtp_rcpt((struct str){ text + 5, n - 5 }, caps, utf8, &rcpt) &&
			    smtp_rcpt_text(&rcpt, second, sizeof(second)) == n && !memcmp(text, second, n)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data + 1, size - 1 };

	if (size < 2 || size > SESS_LINE_MAX)
		return 0;
	if (data[0] & 2)
		check_path(in, data[0] & 1, data[0] & 4);
	else
		check_commands(in, data[0] & 4);
	return 0;
}
