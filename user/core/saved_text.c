/* SPDX-License-Identifier: BSD-2-Clause */
/* saved_text.c: records as lines for people and scripts, and back. Whatever a line can hold comes out of it as it went in. */
#include "user/core/names.h"
#include "user/core/put.h"
#include "user/core/saved_int.h"

#define S_NS	1000000000ull
#define DAY_S	86400
#define ERA_DAYS 146097 /* 400 years */

static const char hex_digits[] = "0123456789abcdef";

/* --- moments: 2026-11-28T20:15:00.000000000Z ------------------------------------------------ */

static void put_digits(struct put *o, unsigned long long v, unsigned width)
{
	char text[20];

	for (unsigned i = width; i--; v /= 10)
		text[i] = (char)('0' + v % 10);
	put_str(o, (struct str){ text, width });
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

static unsigned days_of_year(unsigned year)
{
	return 365 + is_leap(year);
}

static void put_moment(struct put *o, __u64 wall_ns)
{
	__u64 days = wall_ns / S_NS / DAY_S, second = wall_ns / S_NS % DAY_S;
	unsigned year = 1970, month = 1;

	for (; days >= days_of_year(year); year++)
		days -= days_of_year(year);
	for (; days >= days_of_month(year, month); month++)
		days -= days_of_month(year, month);
	put_digits(o, year, 4);
	put_text(o, "-");
	put_digits(o, month, 2);
	put_text(o, "-");
	put_digits(o, days + 1, 2);
	put_text(o, "T");
	put_digits(o, second / 3600, 2);
	put_text(o, ":");
	put_digits(o, second / 60 % 60, 2);
	put_text(o, ":");
	put_digits(o, second % 60, 2);
	put_text(o, ".");
	put_digits(o, wall_ns % S_NS, 9);
	put_text(o, "Z");
}

/* Takes digits digits and the byte after them; 0 = none there. */
static bool take_digits(struct str *s, unsigned digits, char after, unsigned *out)
{
	unsigned long long v;

	if (s->n < digits + (after != 0) || !str_u64(str_sub(*s, 0, digits), &v) || (after && s->p[digits] != after))
		return false;
	*out = (unsigned)v;
	*s = str_sub(*s, digits + (after != 0), s->n);
	return true;
}

static bool parse_moment(struct str s, __u64 *out)
{
	unsigned year, month, day, hour, minute, second, ns = 0;
	__u64 days = 0;

	if (!take_digits(&s, 4, '-', &year) || !take_digits(&s, 2, '-', &month) || !take_digits(&s, 2, 'T', &day) ||
	    !take_digits(&s, 2, ':', &hour) || !take_digits(&s, 2, ':', &minute) || !take_digits(&s, 2, 0, &second))
		return false;
	if (s.n && s.p[0] == '.') {
		s = str_sub(s, 1, s.n);
		if (!take_digits(&s, 9, 0, &ns))
			return false;
	}
	if (!str_eq(s, STR("Z")) || year < 1970 || year > 2500 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
	    minute > 59 || second > 59)
		return false;
	for (unsigned y = 1970; y < year; y++)
		days += days_of_year(y);
	for (unsigned m = 1; m < month; m++)
		days += days_of_month(year, m);
	*out = ((days + day - 1) * DAY_S + hour * 3600 + minute * 60 + second) * S_NS + ns;
	return *out != 0;
}

/* --- bytes ---------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
	const char *at = c ? strchr(hex_digits, c) : NULL;

	return at ? (int)(at - hex_digits) : -1;
}

/* Always 16 digits. */
static void put_hex16(struct put *o, __u64 v)
{
	char text[16];

	for (unsigned i = sizeof(text); i--; v >>= 4)
		text[i] = hex_digits[v & 15];
	put_str(o, (struct str){ text, sizeof(text) });
}

static bool parse_hex(struct str s, __u64 *out)
{
	__u64 v = 0;

	if (s.n != 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_value(s.p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*out = v;
	return true;
}

/* The reverse of str_escape(). Returns the length; -1 when it is not escaped as that does, or longer than size. */
static int unescape(struct str s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c > 0x7e || c == '"' || n == size)
			return -1;
		if (c == '\\') {
			bool hex = i + 3 < s.n && s.p[i + 1] == 'x' && hex_value(s.p[i + 2]) >= 0 && hex_value(s.p[i + 3]) >= 0;

			if (hex)
				c = (unsigned char)(hex_value(s.p[i + 2]) << 4 | hex_value(s.p[i + 3]));
			else if (i + 1 < s.n && (s.p[i + 1] == '\\' || s.p[i + 1] == '"'))
				c = (unsigned char)s.p[i + 1];
			else
				return -1;
			i += hex ? 3 : 1;
		}
		out[n++] = (char)c;
	}
	return (int)n;
}

/* --- one field ----------------------------------------------------------------------------------------- */

bool saved_is_number(const struct saved_field *f)
{
	return f->type == SAVED_NUMBER;
}

static void put_time(struct put *o, __u64 t)
{
	if (!t)
		put_text(o, "never");
	else if (t == ~0ull)
		put_text(o, "forever");
	else
		put_moment(o, t);
}

static void put_bytes(struct put *o, const char *p, size_t n)
{
	o->n += str_escape((struct str){ p, n }, o->p + o->n, o->max - o->n + 1);
}

size_t saved_field_text(const struct saved_field *f, const struct saved *r, char out[SAVED_TEXT_MAX])
{
	struct put o = { .p = out, .max = SAVED_TEXT_MAX - 1 };
	const struct saved_words *w = saved_words(f->type);
	const void *at = saved_at(f, r);
	char text[PREFIX_TEXT_MAX];

	if (w)
		put_text(&o, w->name((unsigned)saved_number(f, r)));
	else if (f->type == SAVED_PREFIX)
		put_text(&o, prefix_text(at, text));
	else if (f->type == SAVED_ADDR)
		put_text(&o, addr_text(at, text));
	else if (f->type == SAVED_TIME)
		put_time(&o, saved_number(f, r));
	else if (f->type == SAVED_TEXT)
		put_bytes(&o, at, strnlen(at, f->size));
	else if (f->type == SAVED_BYTES)
		put_bytes(&o, at, r->finding.finding.nevidence);
	else if (f->type == SAVED_BOOL)
		put_text(&o, *(const bool *)at ? "yes" : "no");
	else if (f->type == SAVED_NUMBER)
		put_u64(&o, saved_number(f, r));
	else
		put_hex16(&o, *(const __u64 *)at);
	if (f->type == SAVED_KEY)
		put_hex16(&o, ((const __u64 *)at)[1]);
	out[o.n] = '\0';
	return o.n;
}

static bool parse_word(const struct saved_words *w, struct str text, __u64 *out)
{
	for (unsigned i = 0; i < w->max; i++) {
		if (!str_eq(str_of(w->name(i)), text))
			continue;
		*out = i;
		return true;
	}
	return false;
}

static bool parse_time(struct str text, __u64 *out)
{
	*out = 0;
	if (str_eq(text, STR("never")))
		return true;
	*out = ~0ull;
	return str_eq(text, STR("forever")) || parse_moment(text, out);
}

/* A field of octets is zero behind its text. */
static bool parse_bytes(const struct saved_field *f, struct str text, struct saved *r)
{
	char bytes[SAVED_TEXT_MAX] = "";
	int n = unescape(text, bytes, f->size - (f->type == SAVED_TEXT));

	if (n < 0 || (f->type == SAVED_TEXT && memchr(bytes, 0, (size_t)n)))
		return false;
	memcpy(saved_at(f, r), bytes, f->size);
	if (f->type == SAVED_BYTES)
		r->finding.finding.nevidence = (__u16)n;
	return true;
}

static bool parse_key(struct str text, __u64 key[2])
{
	return text.n == 32 && parse_hex(str_sub(text, 0, 16), &key[0]) && parse_hex(str_sub(text, 16, 32), &key[1]);
}

bool saved_field_parse(const struct saved_field *f, struct str text, struct saved *r)
{
	const struct saved_words *w = saved_words(f->type);
	unsigned long long number;
	__u64 v = 0;

	if (w)
		return parse_word(w, text, &v) && saved_set_number(f, r, v);
	switch (f->type) {
	case SAVED_PREFIX:
		return prefix_parse(text, saved_at(f, r)) == PREFIX_OK;
	case SAVED_ADDR:
		return addr_parse(text, saved_at(f, r));
	case SAVED_TIME:
		return parse_time(text, &v) && saved_set_number(f, r, v);
	case SAVED_HEX:
		return parse_hex(text, &v) && saved_set_number(f, r, v);
	case SAVED_KEY:
		return parse_key(text, saved_at(f, r));
	case SAVED_BOOL:
		*(bool *)saved_at(f, r) = str_eq(text, STR("yes"));
		return str_eq(text, STR("yes")) || str_eq(text, STR("no"));
	case SAVED_NUMBER:
		return str_u64(text, &number) && saved_set_number(f, r, number);
	}
	return parse_bytes(f, text, r);
}

const char *saved_wrong(const struct saved_field *f)
{
	static const char *const by_type[SAVED_TYPE_MAX] = {
		[SAVED_PREFIX] = "no address or network without host bits; write one like 192.0.2.0/24",
		[SAVED_ADDR] = "no address; write one like 192.0.2.7",
		[SAVED_NUMBER] = "no number, or too large",
		[SAVED_TIME] = "no moment; write one like 2026-11-28T20:15:00Z, never or forever",
		[SAVED_HEX] = "not 16 hexadecimal digits",
		[SAVED_KEY] = "not 32 hexadecimal digits",
		[SAVED_BOOL] = "neither yes nor no",
		[SAVED_TEXT] = "no printable text that fits; other octets are written as \\x0a",
		[SAVED_BYTES] = "no printable text that fits; other octets are written as \\x0a",
		[SAVED_ACTION] = "no action; see postern-ban(8)",
		[SAVED_REASON] = "no reason; see posternd(8)",
		[SAVED_ORIGIN] = "no origin: automatic or operator",
		[SAVED_SCOPE] = "no scope: guarded, port or host",
		[SAVED_TEST] = "no test; see section tests of postern.conf(5)",
	};

	return by_type[f->type];
}

/* --- lines ------------------------------------------------------------------------------------------------ */

static bool is_quoted(const struct saved_field *f)
{
	return f->type == SAVED_BYTES || (f->type == SAVED_TEXT && f->kind != SAVED_GREY);
}

size_t saved_line(const struct saved *r, char out[SAVED_LINE_MAX])
{
	struct put o = { .p = out, .max = SAVED_LINE_MAX - 1 };
	size_t n;
	const struct saved_field *f = saved_fields(r->kind, &n);
	char text[SAVED_TEXT_MAX];

	put_text(&o, saved_word(r->kind));
	for (size_t i = 0; i < n; i++) {
		put_text(&o, " ");
		put_text(&o, f[i].name);
		put_text(&o, is_quoted(&f[i]) ? "=\"" : "=");
		put_str(&o, (struct str){ text, saved_field_text(&f[i], r, text) });
		put_text(&o, is_quoted(&f[i]) ? "\"" : "");
	}
	out[o.n] = '\0';
	return o.n;
}

/* The next name=value of *rest; a value in quotes ends at the quote that no backslash escapes. False at something else. */
static bool take_pair(struct str *rest, struct str *name, struct str *value, struct str *whole)
{
	const char *eq;
	size_t end;
	bool quoted;

	*rest = str_trim(*rest);
	*whole = *rest;
	eq = memchr(rest->p, '=', rest->n);
	if (!eq)
		return false;
	*name = (struct str){ rest->p, (size_t)(eq - rest->p) };
	*value = str_sub(*rest, name->n + 1, rest->n);
	quoted = value->n && value->p[0] == '"';
	for (end = quoted; end < value->n && value->p[end] != (quoted ? '"' : ' ') && (quoted || value->p[end] != '\t'); end++)
		end += quoted && value->p[end] == '\\' && end + 1 < value->n;
	if (quoted && end >= value->n)
		return false;
	*rest = str_sub(*value, end + quoted, value->n);
	whole->n -= rest->n;
	*value = str_sub(*value, quoted, end);
	return !rest->n || rest->p[0] == ' ' || rest->p[0] == '\t';
}

static const char *take_fields(struct str rest, struct saved *out, struct str *at)
{
	size_t n, i;
	const struct saved_field *f = saved_fields(out->kind, &n);
	struct str name, value;
	__u32 seen = 0;

	for (rest = str_trim(rest); rest.n; rest = str_trim(rest)) {
		if (!take_pair(&rest, &name, &value, at))
			return "not NAME=VALUE";
		for (i = 0; i < n && !str_eq(str_of(f[i].name), name);)
			i++;
		if (i == n)
			return "no field of such a record";
		if (seen >> i & 1)
			return "twice";
		seen |= 1u << i;
		if (!saved_field_parse(&f[i], value, out))
			return saved_wrong(&f[i]);
	}
	return saved_complete(out, seen);
}

const char *saved_complete(const struct saved *r, __u32 seen)
{
	size_t n;
	const struct saved_field *f = saved_fields(r->kind, &n);

	for (size_t i = 0; i < n; i++)
		if (saved_names(&f[i]) && !(seen >> i & 1))
			return "what it is about is missing";
	return saved_is_sound(r) ? NULL : "no such record can be";
}

const char *saved_parse(struct str line, struct saved *out, struct str *at)
{
	struct str rest = str_trim(line), word = str_word(&rest);
	unsigned kind = 0;

	memset(out, 0, sizeof(*out));
	*at = word;
	while (kind < SAVED_HEAD && !str_eq(str_of(saved_word((enum saved_kind)kind)), word))
		kind++;
	if (kind == SAVED_HEAD)
		return "no kind of record: ban, source, pass, finding or grey";
	out->kind = (enum saved_kind)kind;
	return take_fields(rest, out, at);
}
