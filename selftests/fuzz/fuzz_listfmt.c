/* SPDX-License-Identifier: BSD-2-Clause */
/* Every entry of any file is a range in its order; its prefixes tile it; its text is read back as the same; a flaw has words. */
#include "fuzz.h"
#include "user/core/listfmt.h"

#define MAX 4096

static void check_range(struct range r)
{
	struct range whole = r, back;
	struct pst_addr next = r.first;
	struct pst_prefix p;
	struct listfmt_flaw flaw;
	char text[PREFIX_TEXT_MAX];
	unsigned n = 0;
	bool more;

	MUST(memcmp(&r.first, &r.last, sizeof(r.first)) <= 0);
	MUST(addr_is4(&r.first) == addr_is4(&r.last));
	do {
		more = range_take(&r, &p);
		MUST(!memcmp(&p.addr, &next, sizeof(next)) && ++n <= 254);
		MUST(listfmt_entry(str_of(prefix_text(&p, text)), &back, &flaw));
		MUST(!memcmp(&back.first, &next, sizeof(next)));
		next = back.last;
		MUST(more == (memcmp(&next, &whole.last, sizeof(next)) < 0));
		for (int i = 15; i >= 0 && !++next.b[i]; i--)
			;
	} while (more);
	MUST(!memcmp(&back.last, &whole.last, sizeof(whole.last)));
}

/* Returns false when the file ends here. */
static bool check_line(struct listfmt *f, struct str line)
{
	struct listfmt_flaw flaw = { .why = NULL };
	struct range range;
	size_t entries = 0;

	listfmt_line(f, line);
	for (;;) {
		switch (listfmt_next(f, &range, &flaw)) {
		case LISTFMT_DONE:
			return true;
		case LISTFMT_RANGE:
			check_range(range);
			MUST(++entries <= line.n);
			break;
		case LISTFMT_JSON:
			MUST(f->rest.n && f->rest.p[0] == '{');
			return true;
		case LISTFMT_BAD:
			MUST(flaw.why && flaw.why[0]);
			MUST(!flaw.text.n || (flaw.text.p >= line.p && flaw.text.p + flaw.text.n <= line.p + line.n));
			return false;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str file = { (const char *)data, size };
	struct listfmt f = { 0 };
	struct listfmt_flaw flaw;

	if (size > MAX)
		return 0;
	while (file.n) {
		const char *end = memchr(file.p, '\n', file.n);
		size_t n = end ? (size_t)(end - file.p) : file.n;

		if (!check_line(&f, str_sub(file, 0, n)))
			return 0;
		file = str_sub(file, end ? n + 1 : n, file.n);
	}
	MUST(listfmt_may_end(&f, &flaw) || flaw.why);
	return 0;
}
