/* SPDX-License-Identifier: BSD-2-Clause */
/* body.c: see body.h */
#include "user/core/body.h"

enum body_state {
	AT_START, /* behind CRLF, or the first byte of all */
	AT_DOT,	  /* "." at a line's start: the end, or stuffing */
	AT_DOT_CR,
	AT_TEXT,
	AT_CR,
};

/* A header field is name, white space by RFC 5322 section 4.5, colon, value. "Received" is matched as it comes. */
enum body_field {
	FIELD_BODY,	/* the header section is over */
	FIELD_NONE,	/* first line of all: nothing to continue */
	FIELD_START,	/* a line's start; an empty line or a line that is no field ends the section */
	FIELD_VALUE,
	FIELD_OTHER,	/* a name that is not Received */
	FIELD_SPACE,	/* between such a name and its colon */
	FIELD_RECEIVED, /* + n: n bytes matched */
};

#define RECEIVED "received"
#define NRECEIVED 8u
_Static_assert(sizeof(RECEIVED) - 1 == NRECEIVED, "the name's length");

/* What body_take() may have to hold back: it depends on nothing but the state. */
static const struct str kept[] = {
	[AT_START] = { "", 0 }, [AT_DOT] = { ".", 1 }, [AT_DOT_CR] = { ".\r", 2 }, [AT_TEXT] = { "", 0 }, [AT_CR] = { "\r", 1 },
};

void body_init(struct body *b)
{
	*b = (struct body){ .state = AT_START, .field = FIELD_NONE };
}

static unsigned char name_byte(unsigned char field, unsigned char c)
{
	unsigned matched = field >= FIELD_RECEIVED ? (unsigned)field - FIELD_RECEIVED : NRECEIVED + 1;

	if (c == ' ' || c == '\t')
		return matched == NRECEIVED ? field : FIELD_SPACE;
	if (field == FIELD_SPACE || c <= ' ' || c >= 0x7f)
		return FIELD_BODY;
	if (matched < NRECEIVED && (c | 0x20) == RECEIVED[matched])
		return (unsigned char)(field + 1);
	return FIELD_OTHER;
}

/* One byte of a header line, CRLF excluded. */
static void header_byte(struct body *b, unsigned char c)
{
	switch (b->field) {
	case FIELD_VALUE:
		return;
	case FIELD_NONE:
	case FIELD_START:
		if (c == ' ' || c == '\t' || c == ':')
			b->field = b->field == FIELD_START && c != ':' ? FIELD_VALUE : FIELD_BODY;
		else
			b->field = name_byte(FIELD_RECEIVED, c);
		return;
	default:
		if (c != ':') {
			b->field = name_byte(b->field, c);
			return;
		}
		b->received += b->field == FIELD_RECEIVED + NRECEIVED;
		b->field = FIELD_VALUE;
	}
}

static void header_crlf(struct body *b)
{
	b->field = b->field == FIELD_VALUE ? FIELD_START : FIELD_BODY;
}

static void count(struct body *b, const struct body_limits *l, unsigned n)
{
	b->bytes += n;
	if (l->size && b->bytes > l->size)
		b->flaws |= BODY_SIZE;
	if (b->field == FIELD_BODY)
		return;
	b->header_bytes += n;
	if (l->header_bytes && b->header_bytes > l->header_bytes)
		b->flaws |= BODY_HEADERS;
	if (l->received && b->received > l->received)
		b->flaws |= BODY_LOOP;
}

/* One byte that is neither CR nor LF. */
static void text_byte(struct body *b, const struct body_limits *l, unsigned char c)
{
	b->state = AT_TEXT;
	if (!c)
		b->flaws |= BODY_NUL;
	if (b->field != FIELD_BODY)
		header_byte(b, c);
	count(b, l, 1);
}

/* True at the end of data. */
static bool byte(struct body *b, const struct body_limits *l, unsigned char c)
{
	bool after_cr = b->state == AT_CR || b->state == AT_DOT_CR;

	if (c == '\n' && after_cr) {
		if (b->state == AT_DOT_CR)
			return true;
		b->state = AT_START;
		if (b->field != FIELD_BODY)
			header_crlf(b);
		count(b, l, 2);
		return false;
	}
	if (after_cr) {
		b->flaws |= BODY_BARE_CR;
		count(b, l, 1);
	}
	if (c == '\n') {
		b->flaws |= BODY_BARE_LF;
		b->state = AT_TEXT;
		count(b, l, 1);
	} else if (c == '\r') {
		b->state = b->state == AT_DOT ? AT_DOT_CR : AT_CR;
	} else if (c == '.' && b->state == AT_START) {
		b->state = AT_DOT;
	} else {
		text_byte(b, l, c);
	}
	return false;
}

/* Bytes of plain text at the head of s, at most max. */
static size_t plain(struct str s, size_t max)
{
	size_t i, n = s.n < max ? s.n : max;

	for (i = 0; i < n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || !s.p[i])
			break;
	return i;
}

/* The fast way through a line of the body: nothing in it can matter but its length. */
static size_t run(struct body *b, const struct body_limits *l, struct str in)
{
	unsigned long long room = l->size && !(b->flaws & BODY_SIZE) ? l->size - b->bytes : in.n;
	size_t n;

	if (b->state != AT_TEXT || b->field != FIELD_BODY)
		return 0;
	n = plain(in, room < in.n ? (size_t)room : in.n);
	b->bytes += n;
	return n;
}

size_t body_take(struct body *b, const struct body_limits *l, struct str in, struct body_out *out)
{
	struct str before = kept[b->state];
	bool flawed = b->flaws;
	size_t i = 0, pass = 0; /* bytes of in that may be passed */
	bool go = false;	/* what was kept turned out to be content */

	*out = (struct body_out){ { "", 0 }, { in.p, 0 }, false };
	while (i < in.n && !out->end) {
		size_t n = run(b, l, str_sub(in, i, in.n));

		if (!n) {
			out->end = byte(b, l, (unsigned char)in.p[i]);
			n = 1;
		}
		i += n;
		if (!b->flaws && !out->end && !kept[b->state].n) {
			pass = i;
			go = true;
		}
	}
	if (!flawed && go) {
		out->held = before;
		out->now.n = pass;
	}
	return i;
}
