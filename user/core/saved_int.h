/* SPDX-License-Identifier: BSD-2-Clause */
/* saved_int.h: what the forms of a record have in common (saved.c: rows and the form on disk; saved_text.c: lines). */
#ifndef SAVED_INT_H
#define SAVED_INT_H

#include "user/core/saved.h"

enum saved_type { SAVED_PREFIX, SAVED_ADDR, SAVED_NUMBER, SAVED_TIME, SAVED_HEX, SAVED_KEY, SAVED_BOOL, SAVED_TEXT, SAVED_BYTES, SAVED_WORD_FIRST };

/* Types whose numbers have names: symbol, how many there are, name of a number. */
#define SAVED_WORDS(X) \
	X(ACTION, PST_ACT_MAX, action_name) X(REASON, PST_RSN_MAX, reason_name) X(ORIGIN, PST_ORIGIN_MAX, origin_name) \
	X(SCOPE, PST_SCOPE_MAX, scope_name) X(TEST, TEST_MAX, triage_name)

enum saved_word_type {
	SAVED_WORDS_BEFORE = SAVED_WORD_FIRST - 1,
#define SAVED_X(sym, max, name) SAVED_##sym,
	SAVED_WORDS(SAVED_X)
#undef SAVED_X
	SAVED_TYPE_MAX
};

struct saved_words {
	unsigned max;
	const char *(*name)(unsigned number);
};

/* NULL when the numbers of this type have no names. */
const struct saved_words *saved_words(unsigned type);
__u64 saved_number(const struct saved_field *f, const struct saved *r);
/* False when it does not fit. */
bool saved_set_number(const struct saved_field *f, struct saved *r, __u64 value);
/* Fields that name the record: they make the key. */
bool saved_names(const struct saved_field *f);

static inline void *saved_at(const struct saved_field *f, const struct saved *r)
{
	return (char *)r + f->offset;
}

#endif
