/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/table.h"

#include "user/core/names.h"

const char *table_flaw_text(enum table_flaw flaw)
{
	switch (flaw) {
	case TABLE_OK:
		return "no flaw";
	case TABLE_CLASSES:
		return "the lists overlap in more than 251 different combinations; join lists that have the same action";
	case TABLE_LEAVES:
		return "entries longer than /24 in more than 2097152 IPv4 networks of that size; list whole networks where most of one is listed";
	case TABLE_RICHES:
		return "lists overlap within more than 524288 IPv4 /24 networks; join lists that have the same action";
	case TABLE_NETS6:
		return "more than 2097152 IPv6 networks; drop those that larger ones cover";
	}
	return "?";
}

/* --- classes ------------------------------------------------------------------ */

/* The number of a set of lists, a new one if need be; 0 = there are too many. */
static unsigned class_of(struct table *t, __u64 lists, const __u8 *action)
{
	struct pst_class *c;

	for (unsigned i = t->nclass; i; i--)
		if (t->class[i].lists == lists)
			return i;
	if (t->nclass == PST_CLASSES_MAX)
		return 0;
	c = &t->class[++t->nclass];
	*c = (struct pst_class){ .lists = lists, .list = PST_LISTS_MAX };
	for (unsigned i = 0; i < PST_LISTS_MAX; i++) {
		if (!(lists >> i & 1))
			continue;
		if (c->list == PST_LISTS_MAX || action_rank(action[i]) > action_rank(c->action)) {
			c->list = (__u8)i;
			c->action = action[i];
		}
	}
	return t->nclass;
}

/* Prefixes around the place where a walk through sorted entries stands, the widest first. */
struct around {
	struct pst_prefix prefix;
	__u64 lists; /* that cover it: its own and those of all wider ones */
	unsigned class;
};

struct walk {
	struct table *t;
	const __u8 *action;
	struct around around[129];
	unsigned depth;
};

/*
 * The entries that equal e[0], as one: pushes them and returns how many there are. false in *ok: too
 * many classes. *fresh: they are on more lists than what is around them.
 */
static size_t push(struct walk *w, const struct lists_entry *e, size_t n, bool *fresh, bool *ok)
{
	const struct around *outer = w->depth ? &w->around[w->depth - 1] : NULL;
	struct around *inner = &w->around[w->depth];
	size_t same = 0;

	*inner = (struct around){ e->prefix, outer ? outer->lists : 0, 0 };
	for (; same < n && !prefix_cmp(&e[same].prefix, &e->prefix); same++)
		inner->lists |= 1ull << (e[same].value % PST_LISTS_MAX);
	*fresh = !outer || inner->lists != outer->lists;
	inner->class = *fresh ? class_of(w->t, inner->lists, w->action) : outer->class;
	*ok = inner->class != 0;
	w->depth++;
	return same;
}

/* --- IPv4 --------------------------------------------------------------------- */

/* The /24 that is being filled. */
struct net4 {
	__u32 net;
	bool open, several; /* several: more than one class in it */
	struct pst_leaf4 leaf;
	struct pst_rich4 rich;
};

static __u32 first4(const struct pst_prefix *p)
{
	const __u8 *b = p->addr.b + 12;

	return (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
}

static __u32 last4(const struct pst_prefix *p)
{
	return first4(p) | (__u32)(0xffffffffull >> (p->len - 96));
}

static enum table_flaw net4_close(struct table *t, struct net4 *n)
{
	const __u64 *bits = n->leaf.bits;

	if (!n->open)
		return TABLE_OK;
	n->open = false;
	if (!n->several && (bits[0] & bits[1] & bits[2] & bits[3]) == ~0ull) {
		t->cell4[n->net] = (__u8)n->leaf.class;
	} else if (!n->several) {
		if (t->nleaf4 == t->leaf4_max)
			return TABLE_LEAVES;
		t->leaf4[t->nleaf4++] = (struct table_leaf4){ n->net, n->leaf };
		t->cell4[n->net] = PST_CELL_BITS;
	} else {
		if (t->nrich4 == t->rich4_max)
			return TABLE_RICHES;
		t->rich4[t->nrich4++] = (struct table_rich4){ n->net, n->rich };
		t->cell4[n->net] = PST_CELL_RICH;
	}
	return TABLE_OK;
}

/* Addresses first..last of one /24. */
static enum table_flaw net4_add(struct table *t, struct net4 *n, __u32 first, __u32 last, unsigned class)
{
	enum table_flaw flaw = TABLE_OK;

	if (!n->open || n->net != first >> 8) {
		flaw = net4_close(t, n);
		*n = (struct net4){ .net = first >> 8, .open = true, .leaf.class = class };
	}
	n->several |= n->leaf.class != class;
	for (unsigned word = (first & 255) >> 6; word <= (last & 255) >> 6; word++) {
		unsigned from = word == (first & 255) >> 6 ? first & 63 : 0, to = word == (last & 255) >> 6 ? last & 63 : 63;

		n->leaf.bits[word] |= ~0ull << from & ~0ull >> (63 - to);
	}
	memset(n->rich.class + (first & 255), (int)class, last - first + 1);
	return flaw;
}

/* Addresses first..last, all behind what was added before. */
static enum table_flaw range4_add(struct table *t, struct net4 *n, __u64 first, __u64 last, unsigned class)
{
	enum table_flaw flaw = TABLE_OK;

	while (!flaw && first <= last) {
		__u64 end = first | 255;

		if (first & 255 || end > last) {
			end = end < last ? end : last;
			flaw = net4_add(t, n, (__u32)first, (__u32)end, class);
		} else {
			__u64 whole = (last - first + 1) >> 8;

			memset(t->cell4 + (first >> 8), (int)class, whole);
			end = first + (whole << 8) - 1;
		}
		first = end + 1;
	}
	return flaw;
}

/* Ends the prefixes that end before `before`, and covers with each what is left of it. *at: what is covered so far. */
static enum table_flaw pop4(struct walk *w, struct net4 *n, __u64 *at, __u64 before)
{
	enum table_flaw flaw = TABLE_OK;

	for (; !flaw && w->depth; w->depth--) {
		const struct around *top = &w->around[w->depth - 1];
		__u64 last = last4(&top->prefix);

		if (last >= before)
			break;
		flaw = range4_add(w->t, n, *at, last, top->class);
		*at = last + 1;
	}
	return flaw;
}

static enum table_flaw compile4(struct table *t, const struct lists_entry *e, size_t n, const __u8 *action)
{
	struct walk w = { .t = t, .action = action };
	struct net4 net = { 0 };
	enum table_flaw flaw = TABLE_OK;
	__u64 at = 0;

	for (size_t i = 0; i < n && !flaw;) {
		__u64 first = first4(&e[i].prefix);
		bool fresh, ok;

		flaw = pop4(&w, &net, &at, first);
		if (!flaw && w.depth && at < first)
			flaw = range4_add(t, &net, at, first - 1, w.around[w.depth - 1].class);
		at = first;
		i += push(&w, e + i, n - i, &fresh, &ok);
		if (!ok)
			flaw = TABLE_CLASSES;
	}
	if (!flaw)
		flaw = pop4(&w, &net, &at, 1ull << 32);
	return flaw ? flaw : net4_close(t, &net);
}

/* --- IPv6 --------------------------------------------------------------------- */

static unsigned weight(unsigned bits)
{
	unsigned n = 0;

	for (; bits; bits &= bits - 1)
		n++;
	return n;
}

/*
 * The signs of n lengths, in eight bits. All have the same number of bits set, so none is part of another: one that stands
 * alone in a cell is taken for no other, and the fewer bits a sign has, the fewer signs two of them seem to be.
 * 8, 28, 56 or 70 different ones there are; more lengths than that share some.
 */
static void signs_of(struct pst_lens6 *lens, unsigned n)
{
	static const unsigned many[] = { 0, 8, 28, 56, 70 };
	__u8 sign[70];
	unsigned bits = 1, have = 0;

	while (bits < 4 && many[bits] < n)
		bits++;
	for (unsigned code = 1; code < 256; code++)
		if (weight(code) == bits)
			sign[have++] = (__u8)code;
	for (unsigned i = 0; i < n; i++)
		lens->row[i].sign = n <= have ? sign[i * have / n] : sign[i % have];
}

void table_lens6(struct pst_lens6 *out, const bool has[129])
{
	struct pst_addr ones;
	unsigned n = 0;

	memset(out, 0, sizeof(*out));
	memset(&ones, 0xff, sizeof(ones));
	for (unsigned len = 129; len--;) {
		if (!has[len])
			continue;
		out->row[n].mask = prefix_of(&ones, len).addr;
		out->row[n++].len = len;
	}
	signs_of(out, n);
	out->n = (__u16)n;
}

/* The upper 32 bits: what of an address the filter and the range 2000::/3 are about. */
static __u32 high6(const struct pst_prefix *p)
{
	const __u8 *b = p->addr.b;

	return (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
}

static void filter6_add(struct table *t, const struct pst_prefix *p, __u8 sign)
{
	static const struct pst_prefix global = { { { 0x20 } }, 3 };
	__u32 i = 0, n = PST_CELLS;

	if (!prefix_within(&global, p))
		t->lens6.outside |= sign;
	if (!prefix_within(&global, p) && !prefix_within(p, &global))
		return;
	if (p->len > 3) {
		i = high6(p) >> 5 & (PST_CELLS - 1);
		n = p->len < 27 ? 1u << (27 - p->len) : 1;
	}
	while (n--)
		t->cell6[i++] |= sign;
}

/* An entry that says nothing which the one around it does not say is left out. */
static enum table_flaw compile6(struct table *t, const struct lists_entry *e, size_t n, const __u8 *action)
{
	struct walk w = { .t = t, .action = action };
	__u8 sign[129] = { 0 };
	bool has[129] = { 0 };

	for (size_t i = 0; i < n;) {
		const struct pst_prefix *p = &e[i].prefix;
		bool fresh, ok;

		while (w.depth && !prefix_within(&w.around[w.depth - 1].prefix, p))
			w.depth--;
		i += push(&w, e + i, n - i, &fresh, &ok);
		if (!ok)
			return TABLE_CLASSES;
		if (!fresh)
			continue;
		if (t->nnet6 == t->net6_max)
			return TABLE_NETS6;
		t->net6[t->nnet6++] = (struct lists_entry){ *p, w.around[w.depth - 1].class };
		has[p->len] = true;
	}
	table_lens6(&t->lens6, has);
	for (unsigned i = 0; i < t->lens6.n; i++)
		sign[t->lens6.row[i].len] = (__u8)t->lens6.row[i].sign;
	for (size_t i = 0; i < t->nnet6; i++)
		filter6_add(t, &t->net6[i].prefix, sign[t->net6[i].prefix.len]);
	return TABLE_OK;
}

/* --- both ------------------------------------------------------------------------ */

/* IPv4 to the front, the rest behind it, through spare. Returns how many are IPv4. */
static size_t part(struct lists_entry *e, struct lists_entry *spare, size_t n)
{
	size_t n4 = 0, n6 = 0;

	for (size_t i = 0; i < n; i++) {
		if (prefix_is4(&e[i].prefix))
			e[n4++] = e[i];
		else
			spare[n6++] = e[i];
	}
	if (n6)
		memcpy(e + n4, spare, n6 * sizeof(*e));
	return n4;
}

enum table_flaw table_compile(struct table *t, struct lists_entry *e, struct lists_entry *spare, size_t n,
			      const __u8 action[PST_LISTS_MAX])
{
	size_t n4 = part(e, spare, n);
	enum table_flaw flaw;

	lists_sort(e, spare, n4);
	lists_sort(e + n4, spare, n - n4);
	flaw = compile4(t, e, n4, action);
	return flaw ? flaw : compile6(t, e + n4, n - n4, action);
}
