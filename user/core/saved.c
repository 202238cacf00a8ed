/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/saved_int.h"

#include "user/core/hash.h"
#include "user/core/names.h"
#include "user/core/when.h"

#define CHECK_BYTES 8

/* --- rows ----------------------------------------------------------------------------- */

/*
 * kind, type, name in text, member. Those that make the key come first. On disk the order is the form: a new row
 * goes to the end of its kind and raises SAVED_SCHEMA.
 */
#define FIELDS(X) \
	X(BAN, PREFIX, "prefix", ban.prefix) \
	X(BAN, TIME, "until", ban.ban.until_ns) \
	X(BAN, TIME, "made", ban.ban.made_ns) \
	X(BAN, TIME, "first", ban.ban.first_ns) \
	X(BAN, TIME, "last", ban.ban.last_ns) \
	X(BAN, NUMBER, "hits", ban.ban.hits) \
	X(BAN, ACTION, "action", ban.ban.action) \
	X(BAN, REASON, "reason", ban.ban.reason) \
	X(BAN, ORIGIN, "origin", ban.ban.origin) \
	X(BAN, NUMBER, "relapse", ban.ban.relapse) \
	X(BAN, NUMBER, "score", ban.ban.score) \
	X(BAN, NUMBER, "port", ban.ban.port) \
	X(BAN, SCOPE, "scope", ban.ban.scope) \
	X(BAN, NUMBER, "grace", ban.ban.grace) \
	X(BAN, TEXT, "note", ban.note) \
	X(SOURCE, PREFIX, "prefix", source.source) \
	X(SOURCE, NUMBER, "score_milli", source.record.score_milli) \
	X(SOURCE, TIME, "updated", source.record.updated_ns) \
	X(SOURCE, TIME, "banned_until", source.record.banned_until_ns) \
	X(SOURCE, NUMBER, "relapse", source.record.relapse) \
	X(SOURCE, NUMBER, "offences", source.record.findings) \
	X(SOURCE, TIME, "first", source.first_ns) \
	X(SOURCE, TIME, "last", source.last_ns) \
	X(SOURCE, NUMBER, "sessions", source.sessions) \
	X(SOURCE, NUMBER, "messages", source.messages) \
	X(PASS, PREFIX, "prefix", pass.source) \
	X(PASS, TEST, "test", pass.test) \
	X(PASS, TIME, "until", pass.until_ns) \
	X(FINDING, PREFIX, "prefix", finding.source) \
	X(FINDING, ADDR, "addr", finding.finding.addr) \
	X(FINDING, TIME, "when", finding.finding.when_ns) \
	X(FINDING, REASON, "reason", finding.finding.reason) \
	X(FINDING, HEX, "session", finding.finding.session) \
	X(FINDING, NUMBER, "life", finding.finding.life_s) \
	X(FINDING, BYTES, "evidence", finding.finding.evidence) \
	X(GREY, TEXT, "source", grey.source) \
	X(GREY, KEY, "key", grey.key) \
	X(GREY, TIME, "since", grey.since_ns) \
	X(GREY, TIME, "last", grey.last_ns) \
	X(GREY, NUMBER, "count", grey.count) \
	X(GREY, BOOL, "passed", grey.passed) \
	X(HEAD, NUMBER, "schema", head.schema) \
	X(HEAD, HEX, "gate", head.gate) \
	X(HEAD, HEX, "offset", head.offset_ns) \
	X(HEAD, TIME, "written", head.written_ns) \
	X(HEAD, TEXT, "boot", head.boot)

#define SIZE_OF(m) sizeof(((struct saved *)0)->m)

static const struct saved_field fields[] = {
#define X(kind, type, name, m) { SAVED_##kind, SAVED_##type, offsetof(struct saved, m), SIZE_OF(m), name },
	FIELDS(X)
#undef X
};

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

_Static_assert(TEST_MAX <= 255 && LEDGER_FINDINGS <= 255 && FINDING_EVIDENCE_MAX <= 255 && PST_NOTE_MAX <= 255, "a count is an octet");
_Static_assert(16 * TEST_MAX + 128 * LEDGER_FINDINGS + 256 < SAVED_VALUE_MAX, "a source with all that it can have");

static const struct {
	const char *word;
	char key;
} kinds[] = {
#define X(sym, word, key) { word, key },
	SAVED_KINDS(X)
#undef X
};

static const struct saved_words words[] = {
#define X(sym, max, name) { max, name },
	SAVED_WORDS(X)
#undef X
};

const char *saved_word(enum saved_kind kind)
{
	return kinds[kind].word;
}

char saved_first(enum saved_kind kind)
{
	return kinds[kind].key;
}

const struct saved_words *saved_words(unsigned type)
{
	return type >= SAVED_WORD_FIRST ? &words[type - SAVED_WORD_FIRST] : NULL;
}

const struct saved_field *saved_fields(enum saved_kind kind, size_t *n)
{
	size_t from = 0;

	while (from < NFIELDS && fields[from].kind != kind)
		from++;
	for (*n = 0; from + *n < NFIELDS && fields[from + *n].kind == kind;)
		++*n;
	return &fields[from];
}

bool saved_names(const struct saved_field *f)
{
	return f->type == SAVED_PREFIX || f->type == SAVED_KEY || (f->kind == SAVED_GREY && f->type == SAVED_TEXT);
}

__u64 saved_number(const struct saved_field *f, const struct saved *r)
{
	const void *at = saved_at(f, r);

	switch (f->size) {
	case 1:
		return *(const __u8 *)at;
	case 2:
		return *(const __u16 *)at;
	case 4:
		return *(const __u32 *)at;
	}
	return *(const __u64 *)at;
}

bool saved_set_number(const struct saved_field *f, struct saved *r, __u64 v)
{
	void *at = saved_at(f, r);

	switch (f->size) {
	case 1:
		*(__u8 *)at = (__u8)v;
		break;
	case 2:
		*(__u16 *)at = (__u16)v;
		break;
	case 4:
		*(__u32 *)at = (__u32)v;
		break;
	default:
		*(__u64 *)at = v;
	}
	return saved_number(f, r) == v;
}

/* --- what may be ------------------------------------------------------------------------ */

/* One that a person could write, too: IPv6 that covers all of IPv4 is none. */
static bool is_prefix(const struct pst_prefix *p)
{
	static const struct pst_addr all4 = { { [10] = 0xff, 0xff } };
	struct pst_prefix q;

	if (!p->len || p->len > 128 || (p->len < 96 && prefix_covers(p, &all4)))
		return false;
	q = prefix_of(&p->addr, p->len);
	return !prefix_cmp(&q, p);
}

/* A domain or a network: no space, no quote, nothing that a terminal obeys. */
static bool is_grey_source(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
			return false;
	return *text;
}

static bool is_field_sound(const struct saved_field *f, const struct saved *r)
{
	const struct saved_words *w = saved_words(f->type);
	const void *at = saved_at(f, r);

	if (w)
		return saved_number(f, r) < w->max;
	switch (f->type) {
	case SAVED_PREFIX:
		return is_prefix(at);
	case SAVED_BOOL:
		return *(const __u8 *)at <= 1;
	case SAVED_BYTES:
		return r->finding.finding.nevidence <= f->size;
	case SAVED_TEXT:
		return memchr(at, 0, f->size) && (f->kind != SAVED_GREY || is_grey_source(at));
	}
	return true;
}

static bool is_source(const struct pst_prefix *p)
{
	struct pst_prefix source = prefix_source(&p->addr);

	return !prefix_cmp(&source, p);
}

static bool is_ban_sound(const struct pst_ban *b)
{
	return b->until_ns && (b->scope == PST_SCOPE_PORT) == (b->port != 0);
}

static bool is_flat_sound(const struct saved *r)
{
	size_t n;
	const struct saved_field *f = saved_fields(r->kind, &n);

	for (size_t i = 0; i < n; i++)
		if (!is_field_sound(&f[i], r))
			return false;
	switch (r->kind) {
	case SAVED_BAN:
		return is_ban_sound(&r->ban.ban);
	case SAVED_SOURCE:
		return is_source(&r->source.source);
	case SAVED_PASS:
		return is_source(&r->pass.source);
	case SAVED_FINDING:
		return is_source(&r->finding.source) && prefix_covers(&r->finding.source, &r->finding.finding.addr);
	default:
		return true;
	}
}

bool saved_part(const struct saved *r, unsigned n, struct saved *out)
{
	if (!n--) {
		*out = *r;
		if (r->kind == SAVED_SOURCE) {
			memset(out->source.pass_until_ns, 0, sizeof(out->source.pass_until_ns));
			memset(out->source.finding, 0, sizeof(out->source.finding));
			out->source.nfindings = 0;
		}
		return true;
	}
	if (r->kind != SAVED_SOURCE)
		return false;
	for (__u32 test = 0; test < TEST_MAX; test++) {
		if (!r->source.pass_until_ns[test] || n--)
			continue;
		*out = (struct saved){ .kind = SAVED_PASS, .pass = { r->source.source, test, r->source.pass_until_ns[test] } };
		return true;
	}
	if (n >= r->source.nfindings)
		return false;
	*out = (struct saved){ .kind = SAVED_FINDING, .finding = { r->source.source, r->source.finding[n] } };
	return true;
}

bool saved_is_sound(const struct saved *r)
{
	struct saved part;

	if ((unsigned)r->kind >= SAVED_KIND_MAX || !is_flat_sound(r) || (r->kind == SAVED_SOURCE && r->source.nfindings > LEDGER_FINDINGS))
		return false;
	for (unsigned n = 1; saved_part(r, n, &part); n++)
		if (!is_flat_sound(&part))
			return false;
	return true;
}

/* --- the form on disk ---------------------------------------------------------------------- */

struct writer {
	char *p;
	size_t n;
};

struct reader {
	struct str left;
	bool bad;
};

static void write_bytes(struct writer *w, const void *p, size_t n)
{
	memcpy(w->p + w->n, p, n);
	w->n += n;
}

/* Lowest octet first, on every machine. */
static void write_number(struct writer *w, __u64 v, size_t size)
{
	for (size_t i = 0; i < size; i++)
		w->p[w->n++] = (char)(v >> 8 * i);
}

static const char *read_bytes(struct reader *r, size_t n)
{
	const char *p = r->left.p;

	if (n > r->left.n) {
		r->bad = true;
		return NULL;
	}
	r->left = str_sub(r->left, n, r->left.n);
	return p;
}

static __u64 read_number(struct reader *r, size_t size)
{
	const char *p = read_bytes(r, size);
	__u64 v = 0;

	for (size_t i = 0; p && i < size; i++)
		v |= (__u64)(unsigned char)p[i] << 8 * i;
	return v;
}

static void write_text(struct writer *w, const char *p, size_t n)
{
	write_number(w, n, 1);
	write_bytes(w, p, n);
}

/* Into size octets that are zero. */
static size_t read_text(struct reader *r, char *out, size_t size)
{
	size_t n = (size_t)read_number(r, 1);
	const char *p = read_bytes(r, n);

	if (!p || n > size) {
		r->bad = true;
		return 0;
	}
	memcpy(out, p, n);
	return n;
}

static void write_field(struct writer *w, const struct saved_field *f, const struct saved *r)
{
	const void *at = saved_at(f, r);

	if (f->type == SAVED_ADDR)
		write_bytes(w, at, f->size);
	else if (f->type == SAVED_TEXT)
		write_text(w, at, strnlen(at, f->size));
	else if (f->type == SAVED_BYTES)
		write_text(w, at, r->finding.finding.nevidence);
	else
		write_number(w, saved_number(f, r), f->size);
}

static void read_field(struct reader *in, const struct saved_field *f, struct saved *r)
{
	const char *p;

	if (f->type == SAVED_ADDR) {
		if ((p = read_bytes(in, f->size)))
			memcpy(saved_at(f, r), p, f->size);
	} else if (f->type == SAVED_TEXT) {
		in->bad |= read_text(in, saved_at(f, r), f->size) == f->size;
	} else if (f->type == SAVED_BYTES) {
		r->finding.finding.nevidence = (__u16)read_text(in, saved_at(f, r), f->size);
	} else {
		saved_set_number(f, r, read_number(in, f->size));
	}
}

/* But for what the key says. */
static void write_flat(struct writer *w, const struct saved *r)
{
	size_t n;
	const struct saved_field *f = saved_fields(r->kind, &n);

	for (size_t i = 0; i < n; i++)
		if (!saved_names(&f[i]))
			write_field(w, &f[i], r);
}

static void read_flat(struct reader *in, struct saved *r)
{
	size_t n;
	const struct saved_field *f = saved_fields(r->kind, &n);

	for (size_t i = 0; i < n; i++)
		if (!saved_names(&f[i]))
			read_field(in, &f[i], r);
}

/* A source's passes and findings: the kind of each, and a 0 at the end. */
static void write_parts(struct writer *w, const struct saved *r)
{
	struct saved part;

	for (unsigned n = 1; saved_part(r, n, &part); n++) {
		write_number(w, (__u64)part.kind, 1);
		write_flat(w, &part);
	}
	write_number(w, 0, 1);
}

static void take_part(struct reader *in, const struct saved *part, struct ledger_entry *e)
{
	if (part->kind == SAVED_PASS && part->pass.test < TEST_MAX)
		e->pass_until_ns[part->pass.test] = part->pass.until_ns;
	else if (part->kind == SAVED_FINDING && e->nfindings < LEDGER_FINDINGS)
		e->finding[e->nfindings++] = part->finding.finding;
	else
		in->bad = true;
}

static void read_parts(struct reader *in, struct saved *r)
{
	__u64 kind;

	while (!in->bad && (kind = read_number(in, 1)) != 0) {
		struct saved part = { .kind = kind == SAVED_PASS || kind == SAVED_FINDING ? (enum saved_kind)kind : SAVED_KIND_MAX };

		if (part.kind == SAVED_KIND_MAX) {
			in->bad = true;
			return;
		}
		read_flat(in, &part);
		take_part(in, &part, &r->source);
	}
}

size_t saved_key(const struct saved *r, char out[SAVED_KEY_MAX])
{
	struct writer w = { .p = out };

	write_bytes(&w, &kinds[r->kind].key, 1);
	if (r->kind == SAVED_BAN || r->kind == SAVED_SOURCE) {
		const struct pst_prefix *p = r->kind == SAVED_BAN ? &r->ban.prefix : &r->source.source;

		write_bytes(&w, p->addr.b, sizeof(p->addr.b));
		write_number(&w, p->len, 1);
	} else if (r->kind == SAVED_GREY) {
		write_number(&w, r->grey.key[0], 8);
		write_number(&w, r->grey.key[1], 8);
		write_bytes(&w, r->grey.source, strnlen(r->grey.source, GREY_SOURCE_MAX - 1));
	}
	return w.n;
}

static bool read_prefix(struct reader *in, struct pst_prefix *p)
{
	const char *b = read_bytes(in, sizeof(p->addr.b));

	if (b)
		memcpy(p->addr.b, b, sizeof(p->addr.b));
	p->len = (__u32)read_number(in, 1);
	return !in->bad;
}

static bool read_key(struct str key, struct saved *r)
{
	struct reader in = { .left = key };
	char kind = (char)read_number(&in, 1);

	for (r->kind = 0; r->kind < SAVED_KIND_MAX && (!kinds[r->kind].key || kinds[r->kind].key != kind);)
		r->kind++;
	if (r->kind == SAVED_BAN) {
		read_prefix(&in, &r->ban.prefix);
	} else if (r->kind == SAVED_SOURCE) {
		read_prefix(&in, &r->source.source);
	} else if (r->kind == SAVED_GREY) {
		r->grey.key[0] = read_number(&in, 8);
		r->grey.key[1] = read_number(&in, 8);
		if (in.bad || in.left.n >= GREY_SOURCE_MAX || memchr(in.left.p, 0, in.left.n))
			return false;
		memcpy(r->grey.source, in.left.p, in.left.n);
		in.left.n = 0;
	}
	return r->kind < SAVED_KIND_MAX && !in.bad && !in.left.n;
}

/* Bits that fell over are found; an intruder who can write the file needs no such trick. */
static __u64 checksum(struct str key, struct str value)
{
	static const __u64 of_key[2] = { 1, SAVED_SCHEMA }, of_value[2] = { 2, SAVED_SCHEMA };

	return hash_bytes(of_key, key) ^ hash_bytes(of_value, value);
}

size_t saved_pack(const struct saved *r, char out[SAVED_VALUE_MAX])
{
	struct writer body = { .p = out + CHECK_BYTES }, head = { .p = out };
	char key[SAVED_KEY_MAX];
	size_t nkey = saved_key(r, key);

	write_flat(&body, r);
	if (r->kind == SAVED_SOURCE)
		write_parts(&body, r);
	write_number(&head, checksum((struct str){ key, nkey }, (struct str){ body.p, body.n }), CHECK_BYTES);
	return CHECK_BYTES + body.n;
}

bool saved_unpack(struct str key, struct str value, struct saved *out)
{
	struct reader in = { .left = value };
	__u64 sum = read_number(&in, CHECK_BYTES);

	memset(out, 0, sizeof(*out));
	if (in.bad || !read_key(key, out) || sum != checksum(key, in.left))
		return false;
	read_flat(&in, out);
	if (out->kind == SAVED_SOURCE)
		read_parts(&in, out);
	return !in.bad && !in.left.n && saved_is_sound(out);
}

/* --- time ------------------------------------------------------------------------------------ */

static void shift(__u64 *t, __u64 delta_ns)
{
	if (!*t || *t == ~0ull)
		return;
	*t += delta_ns;
	if (!*t || *t == ~0ull)
		*t = 1; /* what says something else is a nanosecond away */
}

void saved_shift(struct saved *r, __u64 delta_ns)
{
	size_t n;
	const struct saved_field *f = saved_fields(r->kind, &n);

	for (size_t i = 0; i < n; i++)
		if (f[i].type == SAVED_TIME)
			shift(saved_at(&f[i], r), delta_ns);
	if (r->kind != SAVED_SOURCE)
		return;
	for (unsigned i = 0; i < TEST_MAX; i++)
		shift(&r->source.pass_until_ns[i], delta_ns);
	for (unsigned i = 0; i < r->source.nfindings; i++)
		shift(&r->source.finding[i].when_ns, delta_ns);
}

bool saved_is_over(const struct saved *r, __u64 now_ns)
{
	if (r->kind == SAVED_BAN)
		return r->ban.ban.until_ns != ~0ull && !when_before(now_ns, r->ban.ban.until_ns);
	return r->kind == SAVED_PASS && !when_before(now_ns, r->pass.until_ns);
}

bool saved_same_boot(const struct saved_head *head, const char *boot, __u64 gate)
{
	return (gate && head->gate == gate) || (*boot && !strcmp(head->boot, boot));
}

__u64 saved_offset(const struct saved_head *head, bool same_boot, __u64 wall_ns, __u64 mono_ns, enum saved_clock *how)
{
	*how = SAVED_CLOCK_SURE;
	if (!head)
		return wall_ns - mono_ns;
	if (same_boot)
		return head->offset_ns;
	if (when_before(wall_ns, head->written_ns))
		*how = SAVED_CLOCK_BEHIND;
	else if (wall_ns - head->written_ns > SAVED_YEAR_NS)
		*how = SAVED_CLOCK_AHEAD;
	return (*how == SAVED_CLOCK_SURE ? wall_ns : head->written_ns) - mono_ns;
}
