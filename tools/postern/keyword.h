/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keyword.h: the keywords of a command, as its usage text has them: "[PREFIX] [limit N]" has one, "[mode auto|native] [shared]" two, and
 * the first of them is followed by one of two words. A word that may be cut off is looked for among these.
 *
 * Where a word of another kind may stand in the place of a keyword, "[SOURCE] [limit N]", keywords are written out: of PREFIX and
 * ADDRESS alone no letter of a keyword can be the beginning.
 */
#ifndef KEYWORD_H
#define KEYWORD_H

#include "tools/postern/match.h"

#define KEYWORD_END " |[]" /* a keyword's place in usage ends before one of these */

/*
 * What word means among the keywords of usage (of = NULL), or among the words that may follow the keyword of. The indices are
 * places in usage. usage may be NULL.
 */
struct match keyword_match(const char *usage, const char *of, const char *word);
/* Is what word means this keyword? */
bool keyword_is(const char *usage, const char *word, const char *keyword);

#endif
