/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.h: the shape of every command of postern: an object, a command, its words. The
 * rows below are the only place where a command is declared: dispatch, abbreviation, help,
 * shell completion and the manual's command lists are made from them.
 */
#ifndef CLI_H
#define CLI_H

#include "user/core/addr.h"

/* symbol, status, what it means */
#define CLI_EXITS(X) \
	X(OK, 0, "done") X(FAILED, 1, "failed; the error says why") X(USAGE, 2, "the words make no command; the usage is printed")

enum cli_exit {
#define CLI_X(sym, status, help) CLI_##sym = status,
	CLI_EXITS(CLI_X)
#undef CLI_X
};

struct args;

struct cmd {
	const char *name;
	const char *usage; /* the words that follow; lower case is literal, upper case is to be filled in */
	const char *help;  /* one sentence */
	int (*func)(struct args *a);
};

struct object {
	const char *name;
	const char *help;
	const struct cmd *cmds; /* ends with a row without name; the first is the default */
	bool direct;		/* the only row is the object itself: `postern monitor` */
	bool hidden;		/* for the build and the shell, not for people */
};

/* The words still to be read, and whose they are. */
struct args {
	const struct object *object;
	const struct cmd *cmd;
	int n;
	char **v;
	char choice[32]; /* of arg_choice() */
	char *flaw; /* NULL: what is wrong is said at once; otherwise it is only written here, FLAW_MAX bytes */
};

#define FLAW_MAX 256

/* What the options and the environment said. NULL = not said. */
struct cli {
	bool json;
	const char *config, *socket, *pins;
};

struct option_row {
	char letter; /* 0 = long form only */
	const char *name;
	const char *arg; /* NULL = none */
	const char *help;
};

extern struct cli cli;
extern const struct option_row option_rows[]; /* ends with a row without name */
extern const struct object *const objects[];  /* ends with NULL */

extern const struct object object_gate, object_ban, object_allow, object_list, object_client, object_explain, object_session, object_grey, object_dnsl, object_relay, object_backend, object_store,
	object_stats, object_monitor, object_top, object_simulate, object_batch, object_config, object_feature, object_completion, object_manual;

/* Runs the command that the words name (an unambiguous abbreviation will do). Returns the exit code. */
int cmd_run(int n, char **v);

/*
 * Reading words. Functions that return int give CLI_OK, or say what is wrong together with the
 * command's usage and give CLI_USAGE.
 */
const char *arg_next(struct args *a);		   /* NULL = no more */
bool arg_is(struct args *a, const char *keyword); /* takes the word if it is that keyword, or the beginning of it and of no other (keyword.h) */
int arg_need(struct args *a, const char *what, const char **out);
/* One of the words that may follow a keyword, or its beginning: *out is the whole one, or the word as it is when it is none of them. NULL: a command's own. */
int arg_choice(struct args *a, const char *keyword, const char *what, const char **out);
int arg_addr(struct args *a, struct pst_addr *out);
int arg_prefix(struct args *a, struct pst_prefix *out);
int arg_number(struct args *a, const char *what, unsigned long long max, unsigned long long *out);
int arg_unexpected(struct args *a, const char *word); /* says that it is ambiguous, or unknown */
int arg_end(struct args *a); /* nothing may follow */

/* Says what is wrong, and the usage of the command; returns CLI_USAGE. */
int usage_error(const struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "postern ban add PREFIX ..." into out; returns out. */
const char *cmd_synopsis(const struct object *o, const struct cmd *c, char *out, size_t size);
void help_all(void);
void help_object(const struct object *o);

#endif
