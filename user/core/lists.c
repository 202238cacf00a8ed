/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/lists.h"

#include "user/core/names.h"

enum lists_line lists_parse_line(struct str line, struct pst_prefix *out, enum prefix_flaw *flaw)
{
	struct str entry;
	size_t n = 0;

	while (n < line.n && line.p[n] != '#' && line.p[n] != ';')
		n++;
	if (n == line.n && n && line.p[n - 1] == '\r') /* a file that went through Windows */
		n--;
	entry = str_trim(str_sub(line, 0, n));
	if (!entry.n)
		return LISTS_EMPTY;
	*flaw = prefix_parse(entry, out);
	return *flaw == PREFIX_OK ? LISTS_PREFIX : LISTS_BAD;
}

/* Whether a's answer wins over b's where both apply. */
static bool stricter(const struct pst_listed *a, const struct pst_listed *b)
{
	return a->action != b->action ? action_rank(a->action) > action_rank(b->action) : a->list < b->list;
}

static bool same_answer(const struct pst_listed *a, const struct pst_listed *b)
{
	return a->action == b->action && a->list == b->list;
}

/* By prefix; of equal prefixes the winning answer first. */
static bool entry_before(const struct lists_entry *a, const struct lists_entry *b)
{
	int c = prefix_cmp(&a->prefix, &b->prefix);

	return c ? c < 0 : stricter(&a->value, &b->value);
}

static void swap(struct lists_entry *a, struct lists_entry *b)
{
	struct lists_entry t = *a;

	*a = *b;
	*b = t;
}

/*
 * An own sort, because qsort() promises neither: glibc's takes memory for a big array, and the C
 * standard bounds no worst case. This is quicksort with the median of three, whose smaller side
 * goes first, so 64 waiting spans are enough for any array; a span that was cut too often is
 * finished by heapsort, which makes n log n the worst case also for a hostile list.
 */
#define SORT_SMALL 16

struct span {
	struct lists_entry *e;
	size_t n;
	unsigned cuts; /* that are still allowed */
};

static void insertion_sort(struct lists_entry *e, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct lists_entry x = e[i];
		size_t j = i;

		for (; j && entry_before(&x, &e[j - 1]); j--)
			e[j] = e[j - 1];
		e[j] = x;
	}
}

static void sift_down(struct lists_entry *e, size_t i, size_t n)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && entry_before(&e[child], &e[child + 1]))
			child++;
		if (!entry_before(&e[i], &e[child]))
			return;
		swap(&e[i], &e[child]);
	}
}

static void heap_sort(struct lists_entry *e, size_t n)
{
	for (size_t i = n / 2; i--;)
		sift_down(e, i, n);
	while (n > 1) {
		swap(&e[0], &e[--n]);
		sift_down(e, 0, n);
	}
}

/* Hoare's partition. Returns the size of the left side; both sides are non-empty. n >= 3. */
static size_t partition(struct lists_entry *e, size_t n)
{
	struct lists_entry *mid = &e[n / 2], *last = &e[n - 1], pivot;
	size_t i = 0, j = n - 1;

	if (entry_before(mid, e))
		swap(mid, e);
	if (entry_before(last, mid))
		swap(last, mid);
	if (entry_before(mid, e))
		swap(mid, e);
	pivot = *mid;
	for (;;) { /* e[0] and e[n - 1] stop the first round, the swapped pair all others */
		while (entry_before(&e[i], &pivot))
			i++;
		while (entry_before(&pivot, &e[j]))
			j--;
		if (i >= j)
			return j + 1;
		swap(&e[i++], &e[j--]);
	}
}

static void sort(struct lists_entry *e, size_t n)
{
	struct span todo[64], s = { e, n, 0 };
	size_t ntodo = 0;

	for (size_t size = n; size; size /= 2)
		s.cuts += 2;
	for (;;) {
		while (s.n > SORT_SMALL && s.cuts) {
			size_t left = partition(s.e, s.n);
			struct span a = { s.e, left, s.cuts - 1 };
			struct span b = { s.e + left, s.n - left, s.cuts - 1 };

			todo[ntodo++] = a.n < b.n ? b : a;
			s = a.n < b.n ? a : b;
		}
		if (s.n > SORT_SMALL)
			heap_sort(s.e, s.n);
		else
			insertion_sort(s.e, s.n);
		if (!ntodo)
			return;
		s = todo[--ntodo];
	}
}

size_t lists_compile(struct lists_entry *e, size_t n)
{
	/* Indices of the kept entries that cover the current one, the widest first. */
	size_t cover[129], depth = 0, kept = 0;

	sort(e, n);
	for (size_t i = 0; i < n; i++) {
		struct lists_entry x = e[i];

		while (depth && !prefix_within(&e[cover[depth - 1]].prefix, &x.prefix))
			depth--;
		if (depth) {
			const struct pst_listed *outer = &e[cover[depth - 1]].value;

			if (same_answer(outer, &x.value) || stricter(outer, &x.value))
				continue; /* also every duplicate: its winner came first */
		}
		e[kept] = x;
		cover[depth++] = kept++;
	}
	return kept;
}

const struct lists_entry *lists_match(const struct lists_entry *e, size_t n,
				      const struct pst_addr *a)
{
	const struct lists_entry *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (prefix_covers(&e[i].prefix, a) && (!best || e[i].prefix.len > best->prefix.len))
			best = &e[i];
	return best;
}
