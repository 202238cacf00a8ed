/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listfmt.h: lines of a blacklist -> ranges of addresses. What a line is, it says itself:
 *
 *   192.0.2.0/24   192.0.2.1   192.0.2.1-192.0.2.9   and so for IPv6; # and ; start a comment
 *   (so Spamhaus DROP text is read as it is)
 *   create NAME hash:net ...   add NAME ENTRY ...        as `ipset save` writes them
 *   table inet t {             set, elements, }          as `nft list set` writes it, over many lines
 *   {"cidr":"192.0.2.0/24"}                              JSON lines, handed to the caller (user/listjson.h)
 *
 * Time limits in dumps are read over: an entry stays until the list is read again. Pure.
 */
#ifndef LISTFMT_H
#define LISTFMT_H

#include "user/core/range.h"

enum listfmt_got {
	LISTFMT_DONE,  /* the line holds no more */
	LISTFMT_RANGE, /* one entry */
	LISTFMT_JSON,  /* the line is one JSON value: see listfmt_line() */
	LISTFMT_BAD,
};

/* One file being read. Starts as all zero. */
struct listfmt {
	enum { LISTFMT_TEXT, LISTFMT_TABLE, LISTFMT_SET, LISTFMT_ELEMENTS } in; /* the last three: inside a dump of nft */
	struct str rest; /* of the line */
};

struct listfmt_flaw {
	struct str text;	   /* the part that is wrong; points into the line */
	const char *why;	   /* and what would be right, where that is known */
	struct pst_prefix network; /* the one that is meant when host bits are set, else len is 0 */
};

/* Begins a line (without its newline; a CR before that is dropped), which must live while listfmt_next() reads it. */
void listfmt_line(struct listfmt *f, struct str line);
/* The next entry of the line. JSON is in f->rest, whole. */
enum listfmt_got listfmt_next(struct listfmt *f, struct range *out, struct listfmt_flaw *flaw);
/* Whether the file may end here: a dump that was cut off may not. On false *flaw says so. */
bool listfmt_may_end(const struct listfmt *f, struct listfmt_flaw *flaw);
/* One entry alone: a network, an address or a range. False sets *flaw. */
bool listfmt_entry(struct str text, struct range *out, struct listfmt_flaw *flaw);

#endif
