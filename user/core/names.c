/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/names.h"

const struct counter_row counter_rows[PST_CNT_MAX] = {
#define X(sym, fam, lab, hlp) \
	[PST_CNT_##sym] = { .symbol = #sym, .family = fam, .labels = lab, .help = hlp },
	PST_COUNTERS(X)
#undef X
};

const struct reason_row reason_rows[PST_RSN_MAX] = {
#define X(sym, nam, cod, enh, txt, pts, fin, y)                                               \
	[PST_RSN_##sym] = { .name = nam, .code = cod, .enhanced = enh, .text = txt, .points = pts, \
			    .final = fin, .why = y },
	PST_REASONS(X)
#undef X
};

const struct span_row span_rows[PST_SPAN_MAX] = {
#define X(sym, fam, hlp) [PST_SPAN_##sym] = { .family = fam, .help = hlp },
	PST_SPANS(X)
#undef X
};

const struct figure_row figure_rows[FIGURES_MAX] = {
#define X(sym, fam, hlp) { "zone", 0, PST_ZONES_MAX, PST_ZONE_##sym, fam, hlp },
	PST_ZONE_FIGURES(X)
#undef X
#define X(sym, fam, hlp) { "backend", PST_ZONES_MAX, PST_NAMED_MAX, PST_BACKEND_##sym, fam, hlp },
	PST_BACKEND_FIGURES(X)
#undef X
};

const struct bound_row bound_rows[PST_BOUNDS_MAX] = {
#define X(u, l) { .us = u, .le = l },
	PST_BOUNDS(X)
#undef X
};

#define X(sym, name) [PST_ACT_##sym] = name,
static const char *const action_names[PST_ACT_MAX] = { PST_ACTIONS(X) };
#undef X

#define X(sym, name) [PST_ORIGIN_##sym] = name,
static const char *const origin_names[PST_ORIGIN_MAX] = { PST_ORIGINS(X) };
#undef X

#define X(sym, name) [PST_MODE_##sym] = name,
static const char *const mode_names[PST_MODE_MAX] = { PST_MODES(X) };
#undef X

#define X(sym, name) [PST_SCOPE_##sym] = name,
static const char *const scope_names[PST_SCOPE_MAX] = { PST_SCOPES(X) };
#undef X

unsigned counter_nth(unsigned n)
{
	for (unsigned first = 0; first < PST_CNT_MAX; first++) {
		if (!counter_rows[first].help[0])
			continue;
		for (unsigned i = first; i < PST_CNT_MAX; i++)
			if (str_eq(str_of(counter_rows[i].family), str_of(counter_rows[first].family)) && !n--)
				return i;
	}
	return PST_CNT_MAX - 1;
}

const char *reason_name(unsigned reason)
{
	return reason < PST_RSN_MAX ? reason_rows[reason].name : "?";
}

const char *action_name(unsigned action)
{
	return action < PST_ACT_MAX ? action_names[action] : "?";
}

unsigned action_rank(unsigned action)
{
	static const unsigned char rank[PST_ACT_MAX] = {
		[PST_ACT_OBSERVE] = 0, [PST_ACT_REFUSE] = 1, [PST_ACT_BANNER] = 2, [PST_ACT_RESET] = 3, [PST_ACT_DROP] = 4,
	};

	return rank[action < PST_ACT_MAX ? action : PST_ACT_DROP];
}

const char *origin_name(unsigned origin)
{
	return origin < PST_ORIGIN_MAX ? origin_names[origin] : "?";
}

const char *mode_name(unsigned mode)
{
	return mode < PST_MODE_MAX ? mode_names[mode] : "?";
}

const char *scope_name(unsigned scope)
{
	return scope < PST_SCOPE_MAX ? scope_names[scope] : "?";
}

static int find(const char *const *names, int n, struct str name)
{
	for (int i = 0; i < n; i++)
		if (str_eq(str_of(names[i]), name))
			return i;
	return -1;
}

int action_by_name(struct str name)
{
	return find(action_names, PST_ACT_MAX, name);
}

int reason_by_name(struct str name)
{
	for (int i = 0; i < PST_RSN_MAX; i++)
		if (str_eq(str_of(reason_rows[i].name), name))
			return i;
	return -1;
}

int mode_by_name(struct str name)
{
	return find(mode_names, PST_MODE_MAX, name);
}

int scope_by_name(struct str name)
{
	return find(scope_names, PST_SCOPE_MAX, name);
}

/* Largest first: the order in which a sum is written, and read. */
static const struct unit {
	char letter;
	unsigned seconds;
	bool written; /* 7d is said as 7d, never as 1w */
} units[] = {
	{ 'w', 7 * 86400, false },
	{ 'd', 86400, true },
	{ 'h', 3600, true },
	{ 'm', 60, true },
	{ 's', 1, true },
};
#define NUNITS (sizeof(units) / sizeof(units[0]))

/*
 * Takes "90s" from the head of *rest; its unit must not be among the first `from` ones. Returns
 * the unit's index, or NUNITS.
 */
static size_t take_term(struct str *rest, size_t from, unsigned long long *seconds)
{
	unsigned long long count;
	size_t digits = 0;

	while (digits < rest->n && rest->p[digits] >= '0' && rest->p[digits] <= '9')
		digits++;
	if (digits == rest->n || !str_u64(str_sub(*rest, 0, digits), &count))
		return NUNITS;
	for (size_t u = from; u < NUNITS; u++) {
		if (units[u].letter != rest->p[digits])
			continue;
		if (count > DURATION_MAX_S / units[u].seconds)
			return NUNITS;
		*seconds = count * units[u].seconds;
		*rest = str_sub(*rest, digits + 1, rest->n);
		return u;
	}
	return NUNITS;
}

bool duration_parse(struct str text, unsigned long long *seconds)
{
	unsigned long long sum = 0, term;
	size_t from = 0;

	if (str_eq(text, STR("forever"))) {
		*seconds = ~0ull;
		return true;
	}
	if (!text.n)
		return false;
	while (text.n) {
		size_t u = take_term(&text, from, &term);

		if (u == NUNITS)
			return false;
		sum += term; /* at most NUNITS * DURATION_MAX_S */
		from = u + 1;
	}
	if (sum > DURATION_MAX_S)
		return false;
	*seconds = sum;
	return true;
}

static char *put_number(char *p, unsigned long long v)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}

const char *duration_text(unsigned long long seconds, char out[32])
{
	char *p = out;

	if (seconds == ~0ull)
		return memcpy(out, "forever", sizeof("forever"));
	for (size_t u = 0; u < NUNITS; u++) {
		unsigned long long count = seconds / units[u].seconds;

		if (!units[u].written || (!count && !(units[u].seconds == 1 && p == out)))
			continue;
		p = put_number(p, count);
		*p++ = units[u].letter;
		seconds %= units[u].seconds;
	}
	*p = '\0';
	return out;
}
