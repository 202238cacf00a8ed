/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/hop_identity.h"

#include "user/core/addr.h"
#include "user/core/caps.h"

#define XCLIENT_LINE_MAX 510 /* RFC 5321 section 4.5.3.1.4, without CRLF */

enum {
	PP2_LOCAL = 0x20, /* version 2 in the upper half */
	PP2_PROXY = 0x21,
	PP2_TCP4 = 0x11,
	PP2_TCP6 = 0x21,
	PP2_UNIQUE_ID = 0x05,
	PP2_SSL = 0x20,
	PP2_SSL_VERSION = 0x21,
	PP2_SSL_CIPHER = 0x23,
	PP2_SCORE = 0xe0, /* the first of those that everybody may define */
	PP2_CLIENT_SSL = 0x01,
};

static void put_addr(struct put *o, const struct pst_addr *a)
{
	char text[ADDR_TEXT_MAX];

	put_text(o, addr_text(a, text));
}

void identity_proxy1(const struct hop_conf *c, struct put *o)
{
	put_text(o, addr_is4(&c->client) ? "PROXY TCP4 " : "PROXY TCP6 ");
	put_addr(o, &c->client);
	put_text(o, " ");
	put_addr(o, &c->local);
	put_text(o, " ");
	put_u64(o, c->client_port);
	put_text(o, " ");
	put_u64(o, c->local_port);
	put_text(o, "\r\n");
}

static void put_u8(struct put *o, unsigned v)
{
	char byte = (char)v;

	put_str(o, (struct str){ &byte, 1 });
}

static void put_u16(struct put *o, unsigned v)
{
	put_u8(o, v >> 8);
	put_u8(o, v & 255);
}

static void put_tlv(struct put *o, unsigned type, struct str value)
{
	put_u8(o, type);
	put_u16(o, (unsigned)value.n);
	put_str(o, value);
}

/* What the gate knows of the client's TLS. verify is not zero: no certificate was asked for, so none was verified. */
static void put_ssl(const struct hop_conf *c, struct put *o)
{
	char text[128];
	struct put sub = { .p = text, .max = sizeof(text) };

	put_u8(&sub, PP2_CLIENT_SSL);
	put_u16(&sub, 0);
	put_u16(&sub, 1);
	put_tlv(&sub, PP2_SSL_VERSION, str_of(c->tls_version));
	put_tlv(&sub, PP2_SSL_CIPHER, str_of(c->tls_cipher ? c->tls_cipher : ""));
	if (!sub.full)
		put_tlv(o, PP2_SSL, put_done(&sub));
}

/* Sixteen digits, as the log has it. */
static void put_session(const struct hop_conf *c, struct put *o)
{
	char text[16];

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = "0123456789abcdef"[c->session >> (60 - 4 * i) & 15];
	put_tlv(o, PP2_UNIQUE_ID, (struct str){ text, sizeof(text) });
}

/* As people write numbers, so that a rule of the server can compare it. */
static void put_score(const struct hop_conf *c, struct put *o)
{
	char text[16];
	struct put digits = { .p = text, .max = sizeof(text) };

	put_u64(&digits, c->score);
	put_tlv(o, PP2_SCORE, put_done(&digits));
}

/* Both ends are of one family: the gate's side of a connection from an IPv4 address is an IPv4 address. */
static void put_ends(const struct hop_conf *c, struct put *o)
{
	size_t skip = addr_is4(&c->client) ? 12 : 0;

	put_str(o, (struct str){ (const char *)c->client.b + skip, 16 - skip });
	put_str(o, (struct str){ (const char *)c->local.b + skip, 16 - skip });
	put_u16(o, c->client_port);
	put_u16(o, c->local_port);
}

void identity_proxy2(const struct hop_conf *c, struct put *o)
{
	char text[256];
	struct put rest = { .p = text, .max = sizeof(text) };

	put_str(o, STR("\r\n\r\n\0\r\nQUIT\n"));
	put_u8(o, c->own ? PP2_LOCAL : PP2_PROXY);
	put_u8(o, c->own ? 0 : addr_is4(&c->client) ? PP2_TCP4 : PP2_TCP6);
	if (!c->own) {
		put_ends(c, &rest);
		put_session(c, &rest);
		put_score(c, &rest);
		if (c->tls_version)
			put_ssl(c, &rest);
	}
	put_u16(o, (unsigned)rest.n);
	put_str(o, put_done(&rest));
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

void identity_hello(const struct hop_conf *c, bool told, struct put *o)
{
	put_text(o, c->lmtp ? "LHLO " : "EHLO ");
	put_str(o, told && is_plain(c->helo) ? c->helo : str_of(c->hostname));
	put_text(o, "\r\n");
}

/* RFC 3461 section 4: what is not a plain printable becomes +HH. */
static void put_xtext(struct put *o, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char code[3] = { '+', hex[c >> 4], hex[c & 15] };
		bool plain = c > ' ' && c <= '~' && c != '+' && c != '=';

		put_str(o, plain ? str_sub(s, i, i + 1) : (struct str){ code, 3 });
	}
}

static void put_value(const struct hop_conf *c, enum caps_attribute a, struct put *o)
{
	switch (a) {
	case ATTR_NAME:
		put_str(o, c->name);
		if (c->unsure && !c->name.n)
			put_text(o, "[TEMPUNAVAIL]");
		break;
	case ATTR_ADDR:
		if (!addr_is4(&c->client))
			put_text(o, "IPV6:");
		put_addr(o, &c->client);
		break;
	case ATTR_PORT:
		if (c->client_port) /* a balancer may have told none */
			put_u64(o, c->client_port);
		break;
	case ATTR_PROTO:
		put_text(o, c->esmtp ? "ESMTP" : "SMTP");
		break;
	case ATTR_HELO:
		put_xtext(o, c->helo);
		break;
	default:
		break;
	}
}

/* Every attribute offered is given, so that none of the last client's is left standing. */
void identity_xclient(const struct hop_conf *c, unsigned attributes, struct put *o)
{
	put_text(o, "XCLIENT");
	for (unsigned a = 0; a < ATTR_MAX; a++) {
		size_t before;

		if (!(attributes & (1u << a)))
			continue;
		put_text(o, " ");
		put_text(o, caps_attribute_name[a]);
		put_text(o, "=");
		before = o->n;
		put_value(c, a, o);
		if (o->n == before || o->n > XCLIENT_LINE_MAX || o->full) {
			o->n = before;
			o->full = false;
			put_text(o, "[UNAVAILABLE]");
		}
	}
	put_text(o, "\r\n");
}
