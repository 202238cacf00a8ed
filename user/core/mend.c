/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/mend.h"

enum mend_state {
	AT_LINE, /* a line's first octet comes */
	AT_DOT,	 /* behind a dot that is held back: it may be an end of data */
	AT_DOT_CR,
	AT_TEXT,
	AT_CR,
};

void mend_init(struct mend *m, bool chunked)
{
	*m = (struct mend){ .state = AT_LINE, .chunked = chunked, .soft = chunked };
}

static void begin_line(struct mend *m, bool soft)
{
	m->state = AT_LINE;
	m->soft = soft;
}

/* A CR was held back, and no LF follows. */
static void bare_cr(struct mend *m, const struct mend_rules *rules, struct put *out)
{
	put_text(out, m->state == AT_DOT_CR ? "." : "");
	put_text(out, rules->cr ? " " : "\r");
	m->state = AT_TEXT;
}

/*
 * Behind a lone dot that was held back: the sender's line begins with a dot and is more than that, so the dot is stuffing
 * (RFC 5321 section 4.5.2) and goes; with it the line would become an end of data.
 */
static void bare_lf(struct mend *m, const struct mend_rules *rules, struct put *out)
{
	if (!rules->lf)
		put_text(out, m->state == AT_DOT ? ".\n" : "\n");
	else
		put_text(out, "\r\n");
	if (rules->lf)
		begin_line(m, true);
	else
		m->state = AT_TEXT;
}

static void text(struct mend *m, const struct mend_rules *rules, char c, struct put *out)
{
	put_text(out, m->state == AT_DOT ? "." : "");
	put_str(out, !c && rules->nul ? STR(" ") : (struct str){ &c, 1 });
	m->state = AT_TEXT;
}

/* True at the end of data. */
static bool octet(struct mend *m, const struct mend_rules *rules, char c, struct put *out)
{
	bool after_cr = m->state == AT_CR || m->state == AT_DOT_CR, end = m->state == AT_DOT_CR;

	if (after_cr && c == '\n') {
		put_text(out, end ? ".\r\n" : "\r\n");
		begin_line(m, m->chunked);
		return end;
	}
	if (after_cr)
		bare_cr(m, rules, out);
	if (c == '\r') {
		m->state = m->state == AT_DOT ? AT_DOT_CR : AT_CR;
	} else if (c == '\n') {
		bare_lf(m, rules, out);
	} else if (c == '.' && m->state == AT_LINE && !m->soft) {
		m->state = AT_DOT;
	} else {
		put_text(out, c == '.' && m->state == AT_LINE ? "." : "");
		text(m, rules, c, out);
	}
	return false;
}

size_t mend_take(struct mend *m, const struct mend_rules *rules, struct str in, struct put *out)
{
	size_t i = 0;
	bool end = false;

	while (i < in.n && !end && out->max - out->n > MEND_GROWTH + MEND_END)
		end = octet(m, rules, in.p[i++], out);
	return i;
}

void mend_end(struct mend *m, const struct mend_rules *rules, struct put *out)
{
	if (m->state == AT_CR)
		bare_cr(m, rules, out);
	if (m->state != AT_LINE)
		put_text(out, "\r\n");
	m->state = AT_LINE;
}
