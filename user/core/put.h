/* SPDX-License-Identifier: BSD-2-Clause */
/* put.h: writes text into a caller's buffer; what does not fit is noted, never written. */
#ifndef PUT_H
#define PUT_H

#include "user/core/str.h"

struct put {
	char *p;
	size_t n, max;
	bool full;
};

static inline void put_str(struct put *o, struct str s)
{
	if (s.n > o->max - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, s.p, s.n);
	o->n += s.n;
}

static inline void put_text(struct put *o, const char *z)
{
	put_str(o, str_of(z));
}

static inline void put_u64(struct put *o, unsigned long long v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + v % 10);
	while (v /= 10);
	put_str(o, (struct str){ digits + n, sizeof(digits) - n });
}

static inline void put_hex64(struct put *o, unsigned long long v)
{
	char digits[16];
	size_t n = sizeof(digits);

	do
		digits[--n] = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	put_str(o, (struct str){ digits + n, sizeof(digits) - n });
}

static inline struct str put_done(const struct put *o)
{
	return (struct str){ o->p, o->n };
}

#endif
