/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines do not depend on how the bytes are cut, and no clean line holds a byte that is a flaw. */
#include "fuzz.h"
#include "user/core/line.h"

#define LIMIT 100
#define MAX   4096

struct heard {
	char text[2 * MAX];
	size_t n;
};

static void hear(struct heard *h, const struct line *l)
{
	size_t i;

	for (i = 0; i < l->text.n; i++)
		MUST(l->text.p[i] != '\n' || l->flaws & (LINE_BARE_LF | LINE_LONG));
	MUST(l->text.n + 2 <= LIMIT);
	h->text[h->n++] = (char)l->flaws;
	memcpy(h->text + h->n, l->text.p, l->text.n);
	h->n += l->text.n;
	h->text[h->n++] = '\n';
}

static void play(struct str in, size_t piece, struct heard *h)
{
	struct line_cut c = { 0 };
	size_t from = 0, to, n;
	struct line l;
	bool done;

	h->n = 0;
	for (to = piece; from < in.n; to = to + piece < in.n ? to + piece : in.n) {
		if (to > in.n)
			to = in.n;
		do {
			n = line_take(&c, str_sub(in, from, to), LIMIT, &l, &done);
			MUST(n <= to - from && (!done || n || c.cr));
			if (done)
				hear(h, &l);
			from += n;
		} while (n && from < to);
		if (to == in.n)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct heard whole, cut;
	struct str in = { (const char *)data + 1, size - 1 };

	if (size < 2 || size > MAX)
		return 0;
	play(in, in.n, &whole);
	play(in, 1 + data[0] % 16, &cut);
	MUST(whole.n == cut.n && !memcmp(whole.text, cut.text, whole.n));
	return 0;
}
