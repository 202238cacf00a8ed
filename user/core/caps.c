/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/caps.h"

const char *const caps_attribute_name[ATTR_MAX] = { "NAME", "ADDR", "PORT", "PROTO", "HELO" };

static bool is_mech(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '_'))
			return false;
	return s.n > 0 && s.n <= 20; /* RFC 4422 section 3.1 */
}

/*
 * What proves who the client is to a server at the far end of two connections. EXTERNAL would prove who the gate is, ANONYMOUS nothing, and
 * the PLUS family binds to a TLS connection (RFC 5802 section 6) of which the backend has another.
 */
static bool may_pass(struct str mech)
{
	struct str plus = STR("-PLUS");

	if (str_eq(mech, STR("EXTERNAL")) || str_eq(mech, STR("ANONYMOUS")))
		return false;
	return mech.n < plus.n || !str_eq(str_sub(mech, mech.n - plus.n, mech.n), plus);
}

static void add_mech(struct sess_caps *caps, struct str word)
{
	char upper[20];
	size_t used = strlen(caps->mechs), n = word.n < sizeof(upper) ? word.n : sizeof(upper);

	for (size_t i = 0; i < n; i++)
		upper[i] = word.p[i] >= 'a' && word.p[i] <= 'z' ? (char)(word.p[i] - 'a' + 'A') : word.p[i];
	if (word.n > sizeof(upper) || !is_mech((struct str){ upper, n }) || !may_pass((struct str){ upper, n }) || used + n + 2 > sizeof(caps->mechs))
		return;
	if (used)
		caps->mechs[used++] = ' ';
	memcpy(caps->mechs + used, upper, n);
	caps->mechs[used + n] = '\0';
}

static unsigned attributes_of(struct str rest)
{
	unsigned bits = 0;

	for (struct str word = str_word(&rest); word.n; word = str_word(&rest))
		for (unsigned a = 0; a < ATTR_MAX; a++)
			if (str_ieq(word, str_of(caps_attribute_name[a])))
				bits |= 1u << a;
	return bits;
}

static const struct {
	const char *keyword;
	unsigned bit;
} extension[] = {
#define SESS_X(sym, keyword) { keyword, CAP_##sym },
	SESS_EXTENSIONS(SESS_X)
#undef SESS_X
};

/* A profile's name is passed on to clients, so it must be one word of the grammar (RFC 6710 section 4.1). */
static void take_profile(struct sess_caps *caps, struct str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] <= ' ' || word.p[i] > '~')
			return;
	if (word.n > SESS_PROFILE_MAX)
		return;
	memcpy(caps->profile, word.p, word.n);
	caps->profile[word.n] = '\0';
}

static void take_deliverby(struct sess_caps *caps, struct str text)
{
	unsigned long long s;

	if (str_u64(text, &s) && s <= 999999999)
		caps->deliverby_min_s = (unsigned)s;
}

static void read_line(struct sess_caps *caps, unsigned *attributes, struct str rest)
{
	struct str word = str_word(&rest);
	unsigned bit = 0;

	for (size_t i = 0; i < sizeof(extension) / sizeof(extension[0]); i++)
		if (str_ieq(word, str_of(extension[i].keyword)))
			bit = extension[i].bit;
	caps->bits |= bit;
	if (bit == CAP_SIZE)
		str_u64(str_trim(rest), &caps->size);
	if (bit == CAP_DELIVERBY)
		take_deliverby(caps, str_trim(rest));
	if (bit == CAP_MT_PRIORITY)
		take_profile(caps, str_word(&rest));
	if (bit == CAP_XCLIENT)
		*attributes |= attributes_of(rest);
	if (bit == CAP_AUTH)
		for (word = str_word(&rest); word.n; word = str_word(&rest))
			add_mech(caps, word);
}

void caps_read(const struct reply *ehlo, struct sess_caps *caps, unsigned *attributes)
{
	memset(caps, 0, sizeof(*caps));
	*attributes = 0;
	for (unsigned i = 1; i < ehlo->lines; i++)
		read_line(caps, attributes, reply_text(ehlo, i));
	if (!caps->mechs[0])
		caps->bits &= ~(unsigned)CAP_AUTH;
}

/* Moves *s behind a path "<...>", whose quoted parts may hold anything. */
static void skip_path(struct str *s)
{
	bool quoted = false;
	size_t i = 0;

	while (i < s->n && (quoted || s->p[i] != '>')) {
		if (s->p[i] == '\\')
			i++;
		else if (s->p[i] == '"')
			quoted = !quoted;
		i++;
	}
	*s = i < s->n ? str_sub(*s, i + 1, s->n) : STR("");
}

static const struct {
	const char *keyword;
	unsigned bit;
} parameter[] = {
	{ "SIZE=", CAP_SIZE }, { "BODY=", CAP_8BITMIME }, { "SMTPUTF8", CAP_SMTPUTF8 }, { "RET=", CAP_DSN },
	{ "ENVID=", CAP_DSN }, { "NOTIFY=", CAP_DSN }, { "ORCPT=", CAP_DSN }, { "AUTH=", CAP_AUTH },
	{ "BY=", CAP_DELIVERBY }, { "MT-PRIORITY=", CAP_MT_PRIORITY }, { "REQUIRETLS", CAP_REQUIRETLS },
};

unsigned caps_used(struct str line)
{
	unsigned bits = 0;

	skip_path(&line);
	for (struct str word = str_word(&line); word.n; word = str_word(&line))
		for (size_t i = 0; i < sizeof(parameter) / sizeof(parameter[0]); i++)
			if (str_istarts(word, str_of(parameter[i].keyword)))
				bits |= parameter[i].bit;
	return bits;
}

static bool has_mech(const struct sess_caps *have, struct str mech)
{
	struct str rest = str_of(have->mechs);

	for (struct str word = str_word(&rest); word.n; word = str_word(&rest))
		if (str_ieq(word, mech))
			return true;
	return false;
}

unsigned caps_lacking(const struct sess_caps *have, struct str mail, struct str line)
{
	if (str_istarts(line, STR("AUTH "))) {
		struct str rest = str_sub(line, 5, line.n);

		return has_mech(have, str_word(&rest)) ? 0 : CAP_AUTH;
	}
	return (caps_used(mail) | caps_used(line)) & ~have->bits;
}
