/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lookup.h: what the list bench and its BPF half share. */
#ifndef LOOKUP_H
#define LOOKUP_H

#define LOOKUPS	       200000
#define LOOKUP_SOURCES 65536

enum lookup_what { LOOKUP_BASE, LOOKUP_LIST4, LOOKUP_LIST6, LOOKUP_TRIE4, LOOKUP_TRIE6, LOOKUP_HASH4 };

#endif
