/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp.c: see smtp.h. The parameters of MAIL and RCPT are smtp_params.c's. */
#include "user/core/smtp.h"

static const char *const verb_name[SMTP_VERBS_MAX] = {
#define SMTP_X(verb) [SMTP_##verb] = #verb,
	SMTP_VERBS(SMTP_X)
#undef SMTP_X
};

/* First words of HTTP/1 and HTTP/2; no SMTP extension ever used one. */
static const char *const foreign[] = {
	"GET", "POST", "HEAD", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
};

static enum smtp_verb verb_of(struct str word)
{
	size_t i;

	for (i = 0; i < SMTP_VERBS_MAX; i++)
		if (verb_name[i] && str_ieq(word, str_of(verb_name[i])))
			return (enum smtp_verb)i;
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (str_ieq(word, str_of(foreign[i])))
			return SMTP_FOREIGN;
	return str_istarts(word, STR("SSH-")) ? SMTP_FOREIGN : SMTP_UNKNOWN;
}

struct smtp_command smtp_command(struct str line)
{
	struct str word = { line.p, 0 };

	while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	while (word.n < line.n && line.p[word.n] != ' ')
		word.n++;
	return (struct smtp_command){ verb_of(word), str_sub(line, word.n + (word.n < line.n), line.n) };
}

bool smtp_is_foreign_byte(unsigned char c)
{
	return c == 0x16;
}

static bool is_mechanism(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return s.n > 0 && s.n <= 20;
}

static bool is_base64_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool smtp_is_base64(struct str s)
{
	size_t i, n = s.n;

	if (n % 4)
		return false;
	while (n && s.n - n < 2 && s.p[n - 1] == '=')
		n--;
	for (i = 0; i < n; i++)
		if (!is_base64_byte(s.p[i]))
			return false;
	return true;
}

bool smtp_auth(struct str args, struct str *mechanism, struct str *initial)
{
	const char *space = args.n ? memchr(args.p, ' ', args.n) : NULL;
	size_t n = space ? (size_t)(space - args.p) : args.n;

	*mechanism = str_sub(args, 0, n);
	*initial = str_sub(args, n + (space != NULL), args.n);
	if (!is_mechanism(*mechanism))
		return false;
	if (!space)
		return true;
	return initial->n && (str_eq(*initial, STR("=")) || smtp_is_base64(*initial));
}
