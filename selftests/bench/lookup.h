/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lookup.h: what the list bench and its BPF half share. */
#ifndef LOOKUP_H
#define LOOKUP_H

#define LOOKUPS	       200000
#define LOOKUP_SOURCES 65536

/* What is asked: nothing but the loop and the source; the gate's lists; a trie; a hash. One family after the other. */
enum lookup_what { LOOKUP_BASE4, LOOKUP_LIST4, LOOKUP_TRIE4, LOOKUP_HASH4, LOOKUP_BASE6, LOOKUP_LIST6, LOOKUP_TRIE6, LOOKUP_HASH6 };

#endif
