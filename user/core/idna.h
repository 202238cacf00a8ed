/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idna.h: UTF-8 as RFC 3629 has it, and U-labels of RFC 5890 to their A-labels. Strict: a label that
 * would need mapping, normalisation or context is refused, never changed into another one. Pure.
 */
#ifndef IDNA_H
#define IDNA_H

#include "user/core/str.h"

#define IDNA_LABEL_MAX 63 /* octets, RFC 1035 section 2.3.4 */

/* One code point from the head of s: returns its length in octets, 0 when s is empty or not UTF-8. */
size_t idna_take(struct str s, unsigned *code_point);
bool idna_is_utf8(struct str s);
/*
 * Writes the A-label ("xn--...", lower case) of a label that holds non-ASCII to out. ASCII letters are lower-cased first.
 * Returns its length, 0 when RFC 5891 section 4.2 (or our narrower table) does not allow the label.
 */
size_t idna_label(struct str label, char out[IDNA_LABEL_MAX]);

#endif
