/* SPDX-License-Identifier: BSD-2-Clause */
/* What is passed to a backend holds CR and LF only as CRLF and never an end of data, however the bytes are cut. */
#include "fuzz.h"
#include "user/core/body.h"

#define MAX 4096

struct result {
	char passed[MAX + 8];
	size_t n, used;
	unsigned flaws;
	bool end;
};

static void play(struct str in, size_t piece, const struct body_limits *l, struct result *r)
{
	struct body b;

	body_init(&b);
	r->n = r->used = 0;
	r->end = false;
	while (r->used < in.n && !r->end) {
		size_t to = r->used + piece < in.n ? r->used + piece : in.n;
		struct body_out out;

		r->used += body_take(&b, l, str_sub(in, r->used, to), &out);
		memcpy(r->passed + r->n, out.held.p, out.held.n);
		r->n += out.held.n;
		memcpy(r->passed + r->n, out.now.p, out.now.n);
		r->n += out.now.n;
		r->end = out.end;
		MUST(r->end || r->used == to);
	}
	r->flaws = b.flaws;
}

static void check(const struct result *r, struct str in)
{
	size_t i;

	MUST(r->n <= in.n && !memcmp(r->passed, in.p, r->n));
	for (i = 0; i < r->n; i++) {
		MUST(r->passed[i]);
		MUST(r->passed[i] != '\n' || (i && r->passed[i - 1] == '\r'));
		MUST(r->passed[i] != '\r' || (i + 1 < r->n && r->passed[i + 1] == '\n'));
		if (r->passed[i] == '.' && (!i || r->passed[i - 1] == '\n'))
			MUST(i + 1 < r->n && r->passed[i + 1] != '\r');
	}
	if (r->end && !r->flaws)
		MUST(r->n + 3 == r->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result whole, cut;
	struct body_limits l;
	struct str in = { (const char *)data + 2, size - 2 };

	if (size < 3 || size > MAX)
		return 0;
	l = (struct body_limits){ .size = data[1] & 1 ? 200 : 0, .header_bytes = data[1] & 2 ? 100 : 0, .received = data[1] & 4 ? 2 : 0 };
	play(in, in.n, &l, &whole);
	play(in, 1 + data[0] % 16, &l, &cut);
	MUST(whole.n == cut.n && whole.end == cut.end && whole.used == cut.used && whole.flaws == cut.flaws);
	check(&whole, in);
	check(&cut, in);
	return 0;
}
