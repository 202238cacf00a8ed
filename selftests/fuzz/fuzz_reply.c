/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes of a backend: what comes out is a reply that a client may be sent, or nothing. */
#include "fuzz.h"
#include "user/core/caps.h"
#include "user/core/line.h"
#include "user/core/reply.h"

#define LIMIT 4096

static void check_line(const struct reply *r, struct str line, bool last)
{
	MUST(line.n >= 4 && line.n <= 510 && line.p[3] == (last ? ' ' : '-'));
	MUST((unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0') == r->code);
	for (size_t i = 0; i < line.n; i++)
		MUST((line.p[i] >= ' ' && line.p[i] <= '~') || (r->utf8 && (unsigned char)line.p[i] >= 0x80));
}

static void check_reply(const struct reply *r)
{
	struct str rest = { r->text, r->n };
	struct sess_caps caps;
	unsigned attributes;

	MUST(r->code >= 200 && r->code <= 599 && r->n >= 6 && r->n <= REPLY_MAX && r->lines >= 1 && r->lines <= REPLY_LINES_MAX);
	while (rest.n) {
		const char *end = memchr(rest.p, '\r', rest.n);

		MUST(end && (size_t)(end - rest.p) + 2 <= rest.n && end[1] == '\n');
		size_t n = (size_t)(end - rest.p);
		check_line(r, str_sub(rest, 0, n), n + 2 == rest.n);
		rest = str_sub(rest, n + 2, rest.n);
	}
	caps_read(r, &caps, &attributes);
	MUST(memchr(caps.mechs, '\0', sizeof(caps.mechs)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct line_cut cut = { .skipping = false };
	struct reply r;

	if (!in.n)
		return 0;
	reply_init(&r);
	r.utf8 = in.p[0] & 1;
	in = str_sub(in, 1, in.n);
	while (in.n) {
		struct line line;
		bool done, utf8 = r.utf8;
		size_t n = line_take(&cut, in, LIMIT, &line, &done);
		enum reply_result result;

		if (!n)
			break;
		in = str_sub(in, n, in.n);
		if (!done)
			continue;
		result = reply_line(&r, line.text);
		if (result == REPLY_DONE)
			check_reply(&r);
		if (result != REPLY_MORE) {
			reply_init(&r);
			r.utf8 = utf8;
		}
	}
	return 0;
}
