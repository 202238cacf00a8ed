/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/listfmt.h"

static bool flawed(struct listfmt_flaw *flaw, struct str text, const char *why)
{
	*flaw = (struct listfmt_flaw){ .text = str_trim(text), .why = why };
	return false;
}

static enum listfmt_got bad(struct listfmt_flaw *flaw, struct str text, const char *why)
{
	flawed(flaw, text, why);
	return LISTFMT_BAD;
}

/* --- one entry -------------------------------------------------------------- */

/* A list's tables keep the families apart, so what is written as IPv6 covers no IPv4 here, however short it is. */
static enum prefix_flaw network_parse(struct str text, struct pst_prefix *out)
{
	enum prefix_flaw f = prefix_parse(text, out);
	struct pst_addr written;

	if (f != PREFIX_BOTH_FAMILIES)
		return f;
	if (!addr_parse(str_sub(text, 0, (size_t)((const char *)memchr(text.p, '/', text.n) - text.p)), &written))
		return PREFIX_BAD_ADDRESS;
	return memcmp(&written, &out->addr, sizeof(written)) ? PREFIX_HOST_BITS : PREFIX_OK;
}

static bool network_entry(struct str text, struct range *out, struct listfmt_flaw *flaw)
{
	struct pst_prefix p;
	enum prefix_flaw f = network_parse(text, &p);

	if (f == PREFIX_OK) {
		*out = range_of(&p);
		return true;
	}
	flawed(flaw, text, prefix_flaw_text(f));
	if (f == PREFIX_HOST_BITS)
		flaw->network = p;
	return false;
}

static bool range_entry(struct str text, size_t dash, struct range *out, struct listfmt_flaw *flaw)
{
	static const struct pst_addr mapped4 = { { [10] = 0xff, [11] = 0xff } };
	struct str first = str_trim(str_sub(text, 0, dash)), last = str_trim(str_sub(text, dash + 1, text.n));

	if (!addr_parse(first, &out->first) || !addr_parse(last, &out->last))
		return flawed(flaw, text, "a range is written FIRST-LAST, with two addresses");
	if (addr_is4(&out->first) != addr_is4(&out->last))
		return flawed(flaw, text, "a range begins and ends in one address family");
	if (memcmp(&out->first, &out->last, sizeof(out->first)) > 0)
		return flawed(flaw, text, "the range ends before it begins; swap the two addresses");
	if (!addr_is4(&out->first) && memcmp(&out->first, &mapped4, sizeof(mapped4)) < 0 &&
	    memcmp(&out->last, &mapped4, sizeof(mapped4)) > 0)
		return flawed(flaw, text, prefix_flaw_text(PREFIX_BOTH_FAMILIES));
	return true;
}

bool listfmt_entry(struct str text, struct range *out, struct listfmt_flaw *flaw)
{
	const char *dash = text.n ? memchr(text.p, '-', text.n) : NULL;

	return dash ? range_entry(text, (size_t)(dash - text.p), out, flaw) : network_entry(text, out, flaw);
}

/* --- what follows an entry in a dump ------------------------------------------- */

/* Options that change nothing here, and how many words follow each. */
#define LISTFMT_OPTIONS(X) \
	X("timeout", 1) X("expires", 1) X("comment", 1) X("counter", 0) X("packets", 1) X("bytes", 1) \
	X("skbmark", 1) X("skbprio", 1) X("skbqueue", 1)

static const struct option {
	struct str name;
	unsigned words;
} options[] = {
#define LISTFMT_X(name, words) { { name, sizeof(name) - 1 }, words },
	LISTFMT_OPTIONS(LISTFMT_X)
#undef LISTFMT_X
};

/* The next word of *rest, or a text in quotation marks; empty when there is none, or when the marks never end. */
static struct str take_word(struct str *rest)
{
	struct str s = str_trim(*rest);
	const char *end;
	size_t n;

	if (!s.n || s.p[0] != '"')
		return str_word(rest);
	end = memchr(s.p + 1, '"', s.n - 1);
	n = end ? (size_t)(end - s.p) + 1 : 0;
	*rest = str_sub(s, n, s.n);
	return str_sub(s, 0, n);
}

static bool check_options(struct str rest, struct listfmt_flaw *flaw)
{
	for (;;) {
		struct str word = take_word(&rest);
		size_t i = 0;

		if (!word.n)
			return !rest.n || flawed(flaw, rest, "quotation marks that never end");
		if (str_eq(word, STR("nomatch")))
			return flawed(flaw, word, "exceptions cannot be part of a list; set allow = { ... } for them");
		while (i < sizeof(options) / sizeof(*options) && !str_eq(word, options[i].name))
			i++;
		if (i == sizeof(options) / sizeof(*options))
			return flawed(flaw, word, "unknown behind an address; only sets of plain addresses are read");
		for (unsigned n = options[i].words; n; n--)
			if (!take_word(&rest).n)
				return flawed(flaw, word, "its value is missing");
	}
}

/* --- ipset save ------------------------------------------------------------------- */

static enum listfmt_got ipset_create(struct str rest, struct listfmt_flaw *flaw)
{
	static const struct str types[] = { STR("hash:ip"), STR("hash:net"), STR("bitmap:ip") };
	struct str type;

	take_word(&rest); /* the set's name */
	type = take_word(&rest);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (str_eq(type, types[i]))
			return LISTFMT_DONE;
	return bad(flaw, type, "no type of plain addresses: those are hash:ip, hash:net and bitmap:ip");
}

static enum listfmt_got ipset_add(struct str rest, struct range *out, struct listfmt_flaw *flaw)
{
	take_word(&rest); /* the set's name */
	return listfmt_entry(take_word(&rest), out, flaw) && check_options(rest, flaw) ? LISTFMT_RANGE : LISTFMT_BAD;
}

/* --- nft list set -------------------------------------------------------------------- */

static enum listfmt_got nft_table(struct listfmt *f, struct str line, struct listfmt_flaw *flaw)
{
	struct str rest = line, word = str_word(&rest);

	if (str_eq(word, STR("}")) && !rest.n) {
		f->in = LISTFMT_TEXT;
		return LISTFMT_DONE;
	}
	if (!str_eq(word, STR("set")) || line.p[line.n - 1] != '{')
		return bad(flaw, line, "no set; dump one with `nft list set FAMILY TABLE SET`");
	f->in = LISTFMT_SET;
	return LISTFMT_DONE;
}

/* "elements = {": the rest of the line behind it. */
static bool begins_elements(struct str line, struct str *rest)
{
	if (!str_eq(str_word(&line), STR("elements")) || !str_eq(str_word(&line), STR("=")))
		return false;
	line = str_trim(line);
	if (!line.n || line.p[0] != '{')
		return false;
	*rest = str_sub(line, 1, line.n);
	return true;
}

static enum listfmt_got nft_set(struct listfmt *f, struct str line, struct listfmt_flaw *flaw)
{
	static const struct str words[] = { STR("typeof"), STR("flags"), STR("timeout"), STR("gc-interval"), STR("size"),
					    STR("policy"), STR("counter"), STR("auto-merge"), STR("comment") };
	struct str rest = line, word = str_word(&rest);

	if (str_eq(word, STR("}")) && !rest.n) {
		f->in = LISTFMT_TABLE;
		return LISTFMT_DONE;
	}
	if (str_eq(word, STR("type"))) {
		rest = str_trim(rest);
		if (str_eq(rest, STR("ipv4_addr")) || str_eq(rest, STR("ipv6_addr")))
			return LISTFMT_DONE;
		return bad(flaw, rest, "no type of plain addresses: those are ipv4_addr and ipv6_addr");
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq(word, words[i]))
			return LISTFMT_DONE;
	return bad(flaw, line, "unknown in a set of nft");
}

/* Where the element at the head of s ends: a comma or brace outside quotation marks, or the line. */
static size_t element_end(struct str s)
{
	bool quoted = false;

	for (size_t n = 0; n < s.n; n++) {
		quoted ^= s.p[n] == '"';
		if (!quoted && (s.p[n] == ',' || s.p[n] == '}'))
			return n;
	}
	return s.n;
}

static enum listfmt_got nft_element(struct listfmt *f, struct range *out, struct listfmt_flaw *flaw)
{
	struct str s = str_trim(f->rest), element;
	size_t n;

	if (!s.n)
		return LISTFMT_DONE;
	if (s.p[0] == '}') {
		f->in = LISTFMT_SET;
		f->rest = str_sub(s, s.n, s.n);
		return s.n == 1 ? LISTFMT_DONE : bad(flaw, s, "nothing may follow the } of the elements in its line");
	}
	n = element_end(s);
	f->rest = str_sub(s, n < s.n && s.p[n] == ',' ? n + 1 : n, s.n);
	element = str_sub(s, 0, n);
	return listfmt_entry(str_word(&element), out, flaw) && check_options(element, flaw) ? LISTFMT_RANGE : LISTFMT_BAD;
}

/* --- lines --------------------------------------------------------------------------------- */

/* What stands before a comment. */
static struct str uncommented(struct str line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] != '#' && line.p[n] != ';')
		n++;
	return str_trim(str_sub(line, 0, n));
}

void listfmt_line(struct listfmt *f, struct str line)
{
	if (line.n && line.p[line.n - 1] == '\r') /* a file that went through Windows */
		line.n--;
	f->rest = str_trim(line);
}

static enum listfmt_got text_line(struct listfmt *f, struct str line, struct range *out, struct listfmt_flaw *flaw)
{
	struct str rest = line, word = str_word(&rest), entry;

	if (line.p[0] == '{') {
		f->rest = line;
		return LISTFMT_JSON;
	}
	if (line.p[0] == '[')
		return bad(flaw, line, "JSON is read as one object a line, like {\"cidr\":\"192.0.2.0/24\"}");
	if (str_eq(word, STR("add")))
		return ipset_add(rest, out, flaw);
	if (str_eq(word, STR("create")))
		return ipset_create(rest, flaw);
	if (str_eq(word, STR("table"))) {
		entry = uncommented(line); /* nft -a writes "# handle 7" */
		if (entry.p[entry.n - 1] != '{')
			return bad(flaw, line, "a dump of nft begins with \"table FAMILY NAME {\"");
		f->in = LISTFMT_TABLE;
		return LISTFMT_DONE;
	}
	entry = uncommented(line);
	if (!entry.n)
		return LISTFMT_DONE;
	return listfmt_entry(entry, out, flaw) ? LISTFMT_RANGE : LISTFMT_BAD;
}

enum listfmt_got listfmt_next(struct listfmt *f, struct range *out, struct listfmt_flaw *flaw)
{
	struct str line = f->rest;

	if (f->in == LISTFMT_SET && begins_elements(line, &f->rest))
		f->in = LISTFMT_ELEMENTS;
	if (f->in == LISTFMT_ELEMENTS)
		return nft_element(f, out, flaw);
	f->rest = str_sub(line, line.n, line.n);
	if (!line.n)
		return LISTFMT_DONE;
	if (f->in == LISTFMT_TEXT)
		return text_line(f, line, out, flaw);
	line = uncommented(line);
	if (!line.n)
		return LISTFMT_DONE;
	return f->in == LISTFMT_TABLE ? nft_table(f, line, flaw) : nft_set(f, line, flaw);
}

bool listfmt_may_end(const struct listfmt *f, struct listfmt_flaw *flaw)
{
	return f->in == LISTFMT_TEXT || flawed(flaw, STR("end of file"), "inside the braces of a dump: it is cut off; dump it again");
}
