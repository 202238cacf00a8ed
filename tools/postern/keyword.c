/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/keyword.h"

#include <ctype.h>
#include <string.h>

#define WORD_END " []"

/* "auto|native", "would-ban": nothing in it is to be filled in. */
static bool is_literal(struct str token)
{
	for (size_t i = 0; i < token.n; i++)
		if (!islower((unsigned char)token.p[i]) && token.p[i] != '|' && !(i && token.p[i] == '-'))
			return false;
	return token.n;
}

/* "[SOURCE]" and the like: whatever is no keyword is that. Not so addresses, which have digits, colons or dots. */
static bool has_free_place(const char *usage)
{
	for (const char *p = strchr(usage, '['); p; p = strchr(p + 1, '[')) {
		size_t n = strcspn(p + 1, WORD_END);
		struct str token = { p + 1, n };

		if (isupper((unsigned char)p[1]) && p[1 + n] == ']' && !str_eq(token, STR("PREFIX")) && !str_eq(token, STR("ADDRESS")))
			return true;
	}
	return false;
}

static void match_alternatives(struct match *m, const char *word, const char *usage, struct str token)
{
	for (size_t from = 0, n; from < token.n; from += n + 1) {
		for (n = 0; from + n < token.n && token.p[from + n] != '|'; n++)
			;
		match_name(m, word, (struct str){ token.p + from, n }, (int)(token.p + from - usage));
	}
}

/* A keyword is the first word in brackets, or behind a bar that stands alone, or any outside of brackets. What follows it is its own. */
struct match keyword_match(const char *usage, const char *of, const char *word)
{
	struct match m = match_new();
	struct str head = STR("");
	bool first = true;
	int depth = 0;

	for (const char *p = usage ? usage : ""; *p;) {
		struct str token = { p, strcspn(p, WORD_END) };

		if (!token.n) {
			depth += (*p == '[') - (*p == ']');
			first = first || *p != ' ';
			p++;
			continue;
		}
		p += token.n;
		if (str_eq(token, STR("|"))) {
			first = true;
		} else if (first || !depth) {
			head = is_literal(token) ? token : STR("");
			if (!of)
				match_alternatives(&m, word, usage, head);
			first = !depth;
		} else if (of && is_literal(token) && str_eq(head, str_of(of))) {
			match_alternatives(&m, word, usage, token);
		}
	}
	if (!of && usage && has_free_place(usage)) {
		m.found = -1;
		m.count = 0;
	}
	return m;
}

bool keyword_is(const char *usage, const char *word, const char *keyword)
{
	size_t n = strlen(keyword);
	struct match m;
	int at;

	if (!strcmp(word, keyword))
		return true;
	if (!*word || strncmp(keyword, word, strlen(word))) /* most are neither: a file may have a million lines */
		return false;
	m = keyword_match(usage, NULL, word);
	at = match_index(&m);
	return at >= 0 && !strncmp(usage + at, keyword, n) && strcspn(usage + at, KEYWORD_END) == n;
}
