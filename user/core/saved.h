/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * saved.h: what of the state outlives the machine, as records of the store: bans, sources with their passes and findings, the
 * greylist. One row a field: the form on disk, the lines of `postern store export` and its JSON are made from the same rows.
 *
 * In memory times are CLOCK_MONOTONIC, on disk and in text nanoseconds since 1970 (saved_shift(), saved_offset()). Whatever
 * is read from a disk or a person is hostile: it is sound, or it is refused whole. Pure.
 */
#ifndef SAVED_H
#define SAVED_H

#include "user/core/grey.h"
#include "user/core/ledger.h"

#define SAVED_SCHEMA	1 /* of the form on disk: raised when a field changes; another one's store is set aside, never read */
#define SAVED_KEY_MAX	96
#define SAVED_VALUE_MAX 2048
#define SAVED_TEXT_MAX	320  /* one field as text */
#define SAVED_LINE_MAX	1536 /* one line of text */
#define SAVED_BOOT_MAX	40
#define SAVED_YEAR_NS	(366 * 86400 * 1000000000ull)

/* symbol, word, first byte of the key on disk (0 = a part of a source, on lines of its own in text only) */
#define SAVED_KINDS(X) X(BAN, "ban", 'b') X(SOURCE, "source", 's') X(PASS, "pass", 0) X(FINDING, "finding", 0) X(GREY, "grey", 'g') X(HEAD, "head", 'h')

enum saved_kind {
#define SAVED_X(sym, word, key) SAVED_##sym,
	SAVED_KINDS(SAVED_X)
#undef SAVED_X
	SAVED_KIND_MAX
};

struct saved_ban {
	struct pst_prefix prefix;
	struct pst_ban ban;
	char note[PST_NOTE_MAX]; /* "" = none */
};

struct saved_pass {
	struct pst_prefix source;
	__u32 test; /* enum triage_test */
	__u64 until_ns;
};

struct saved_finding {
	struct pst_prefix source;
	struct finding finding;
};

/* Of the store as a whole. */
struct saved_head {
	__u32 schema;
	__u32 zero;
	__u64 gate;	  /* chosen by chance when the tables in the kernel were made that the bans were last made equal to; they do not outlive a boot */
	__u64 offset_ns;  /* wall clock less CLOCK_MONOTONIC, as decided once in this boot */
	__u64 written_ns; /* wall clock of the last write */
	char boot[SAVED_BOOT_MAX];
};

struct saved {
	enum saved_kind kind;
	union {
		struct saved_ban ban;
		struct ledger_entry source;
		struct saved_pass pass;
		struct saved_finding finding;
		struct grey_entry grey;
		struct saved_head head;
	};
};

const char *saved_word(enum saved_kind kind);
char saved_first(enum saved_kind kind); /* byte of the key on disk */

/* --- on disk --- */

/* Its key; returns the length. Keys of bans and sources are in the order of prefix_cmp(). */
size_t saved_key(const struct saved *r, char out[SAVED_KEY_MAX]);
/* Its value, with a checksum over key and value; returns the length. Not for PASS and FINDING. */
size_t saved_pack(const struct saved *r, char out[SAVED_VALUE_MAX]);
/* False for anything that saved_pack() did not make of a sound record; *out is then of no use. */
bool saved_unpack(struct str key, struct str value, struct saved *out);
/* Every enum in its range, prefixes without host bits, texts that end. */
bool saved_is_sound(const struct saved *r);

/* --- time --- */

/* Adds delta_ns to every moment that is one: not to 0, never, nor to ~0, no end. */
void saved_shift(struct saved *r, __u64 delta_ns);
/* Is a ban that ended, or a source's pass? now_ns: as the record's times. */
bool saved_is_over(const struct saved *r, __u64 now_ns);

enum saved_clock { SAVED_CLOCK_SURE, SAVED_CLOCK_BEHIND, SAVED_CLOCK_AHEAD };

/*
 * Wall clock less monotonic clock, for this boot. Decided once in a boot and kept in the store, so that a clock that is set meanwhile moves
 * nothing. head NULL = a store without one. A clock behind the last write, or more than a year ahead of it, is not believed:
 * no time has passed then.
 */
__u64 saved_offset(const struct saved_head *head, bool same_boot, __u64 wall_ns, __u64 mono_ns, enum saved_clock *how);
/* Was head written in this boot? boot "" and gate 0 are not known. */
bool saved_same_boot(const struct saved_head *head, const char *boot, __u64 gate);

/* --- text --- */

struct saved_field {
	__u8 kind, type; /* enum saved_kind; what it is is saved.c's business */
	__u16 offset, size;
	const char *name;
};

/* The fields of a kind, n of them. */
const struct saved_field *saved_fields(enum saved_kind kind, size_t *n);
/* Is its value a plain number? */
bool saved_is_number(const struct saved_field *f);
/* Its value as text, escaped where it can hold a stranger's bytes. Returns the length; out is NUL-terminated. */
size_t saved_field_text(const struct saved_field *f, const struct saved *r, char out[SAVED_TEXT_MAX]);
/* The reverse. False when it is no such value. */
bool saved_field_parse(const struct saved_field *f, struct str text, struct saved *r);

/* What it would have to be, where it is not. */
const char *saved_wrong(const struct saved_field *f);

/* A record's parts, each a line of its own: the record itself, its passes, its findings. *out gets the nth. False when there are no more. */
bool saved_part(const struct saved *r, unsigned n, struct saved *out);
/* "KIND name=value ..." without a newline. Returns the length; out is NUL-terminated. */
size_t saved_line(const struct saved *part, char out[SAVED_LINE_MAX]);
/* The reverse. A field that is missing is zero; one that names the record must be there. NULL, or what is wrong, with *at the words that are. */
const char *saved_parse(struct str line, struct saved *out, struct str *at);
/* What is still missing in a record of whose fields seen has a bit each; NULL = nothing, and it is sound. */
const char *saved_complete(const struct saved *r, __u32 seen);

#endif
