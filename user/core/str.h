/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * str.h: a slice of bytes. Never owns, never ends in NUL by promise; printing goes
 * through STR_FMT/STR_ARG only where the bytes are known to be harmless, otherwise
 * through str_escape().
 */
#ifndef STR_H
#define STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
	return (struct str){ z, strlen(z) };
}

static inline struct str str_sub(struct str s, size_t from, size_t to)
{
	return (struct str){ s.p + from, to - from };
}

bool str_eq(struct str a, struct str b);
/* ASCII case only: bytes over 127 compare as they are. */
bool str_ieq(struct str a, struct str b);
bool str_istarts(struct str s, struct str prefix);
struct str str_trim(struct str s); /* spaces and tabs at both ends */
/* Next word of *rest, cut at spaces and tabs; empty when there is none. */
struct str str_word(struct str *rest);
/* Decimal digits only, no sign, no space, overflow-checked. False leaves *out alone. */
bool str_u64(struct str s, unsigned long long *out);
/*
 * Writes s to out with everything but printable ASCII as \xHH, \ as \\ and " as \"; always
 * NUL-terminated, cut to fit between two bytes of s. Returns the length written. For logs and
 * evidence: no terminal and no parser of key="value" is reached by a stranger's bytes.
 */
size_t str_escape(struct str s, char *out, size_t size);

#endif
