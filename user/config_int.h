/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_int.h: what the files of the configuration share among themselves and with
 * nobody else: one read in progress.
 */
#ifndef CONFIG_INT_H
#define CONFIG_INT_H

#include <stdio.h>

#include "user/config_rows.h"
#include "user/core/addr.h"

struct config_chunk;

struct config_reader {
	const char *path;
	const char *file[CONF_FILES_MAX]; /* path, and those beside it */
	unsigned nfiles;
	unsigned base; /* of the lines of the file being parsed, see conf_line() */
	unsigned last_line; /* of the file: the place of what is missing */
	void *parsed;	    /* libconfuse's tree, while there is one */
	unsigned errors;
	void (*err)(void *ctx, const char *message);
	void (*warn)(void *ctx, const char *message); /* NULL = nobody asks for advice */
	void (*show)(void *ctx, const struct config_shown *);
	void *ctx;
	struct config_chunk *chunks; /* all that the result owns */
	bool no_memory;
	bool lists; /* read the files of lists, too */
	char *stamp; /* a value with its line, on the way through the parser */
	size_t stamp_size;
};

/* One value as written, and where. */
struct config_item {
	const char *text;
	const char *file;
	unsigned line;
	const char *where; /* `listener "mx": port`, for messages */
};

/* Zeroed memory that lives as long as the result; NULL (and no_memory) when there is none. */
void *config_alloc(struct config_reader *r, size_t n);
const char *config_keep(struct config_reader *r, const char *text);
void config_free_chunks(struct config_chunk *c);

void config_err(struct config_reader *r, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Advice about that line, where it is asked for; no error. */
void config_warn(struct config_reader *r, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define CONFIG_PLACE_MAX 320
/* "line 7", or "FILE:7" of another file than the first. Returns out. */
const char *config_place(const struct config_reader *r, unsigned line, char out[CONFIG_PLACE_MAX]);

/* The line that set name in section ("" = the top); the last line when none did. */
unsigned config_line(const struct config_reader *r, const char *section, const char *name);

/* A whole message that names its own place. */
void config_say(struct config_reader *r, const char *message);

/* A regular file to read, NULL with the reason in *why. Never waits: not for the writer of a pipe, either. */
FILE *config_open(const char *path, const char **why);
/* Names all files: r->path and those of the folder beside it. False after having said why. */
bool config_files(struct config_reader *r);
/* The whole of one of them, NUL-terminated, for free(); NULL after having said why. */
char *config_text(struct config_reader *r, const char *path);
/* Whether all that the text opens is closed in it; false after having said where what is not begins. */
bool config_closed(struct config_reader *r, const char *path, const char *text);

/* Turns items into the row's member of the section's struct at base. Says what is wrong itself. */
void config_store(struct config_reader *r, const struct config_row *row, const struct config_item *items, size_t n, void *base);

/* "WHERE: "TEXT" WHAT; RIGHT": false. */
bool config_wrong(struct config_reader *r, const struct config_item *it, const char *what, const char *right);

#define CONFIG_DOMAIN_MAX (MAILBOX_DOMAIN_MAX + 2)

/* config_access.c. The domain, address literal or ".domain" in text as rules have it: lower case, U-labels as A-labels. */
bool config_domain(const char *text, char out[CONFIG_DOMAIN_MAX]);
/* As config_domain(), for the name of a client: two labels at least or ".name", no literal, no number at the end. */
bool config_client_name(const char *text, char out[CONFIG_DOMAIN_MAX]);
/* "192.0.2.0/255.255.255.0" to "192.0.2.0/24"; other text as it is, cut to fit. -EINVAL when the mask's ones are not in one piece. */
int config_unmask(const char *text, char out[PREFIX_TEXT_MAX]);

/*
 * config_lmdb.c: calls each for every key and value of the LMDB map at path (a file as Postfix makes it, or a folder) until it
 * returns false; a NUL at the end of one is not part of it. Never waits for a writer. 0, or -errno with the reason in why.
 */
int config_lmdb(const char *path, bool (*each)(void *ctx, const char *key, const char *value), void *ctx, char *why, size_t size);

/*
 * config_relay.c: what relay control needs besides its settings: domains in order, routes with their backends. titled: the
 * sections "route" as they were read, named.
 */
void config_relay(struct config_reader *r, struct conf *c, struct conf_route *titled, size_t n);

/* config_dnsl.c: kinds of settings of DNS lists, as those of config_kinds.c. */
bool config_site(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst);
bool config_below(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst);
bool config_zone_name(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst);
/* The zones of the sites, with what the sections "zone" say of them. titled: those, named. */
void config_dnsl(struct config_reader *r, struct conf *c, const struct conf_zone *titled, size_t ntitled);

/* What only the whole and the world can tell: overlaps, loops, users, files. */
void config_check(struct config_reader *r, const struct config_whole *w);

/* config_advice.c */
void config_advise(struct config_reader *r, const struct conf *c);

#endif
