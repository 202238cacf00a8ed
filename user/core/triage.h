/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * triage.h: the tests that a client passes, or does not, before a backend hears of it. One row a test: its
 * setting, the offence it finds, what is done about it by default, and how long a pass is remembered.
 *
 *   off      not tested
 *   observe  counted and told to the judge; the client sees nothing of it
 *   enforce  the session goes on, so that the log has HELO, sender and recipient; no recipient is accepted
 *   drop     the reason's reply, and the session ends
 *
 * All tests run on the one connection: who passes is served on it at once. A pass that is remembered spares a source what a test
 * costs it: the pause, the wait for its name or for DNS lists, the detour of the backup test. Tests that cost a client nothing
 * go on, for a pass is no licence; an offence ends it.
 */
#ifndef TRIAGE_H
#define TRIAGE_H

#include "bpf/abi.h"

#define TRIAGE_MODES(X) X(OFF, "off") X(OBSERVE, "observe") X(ENFORCE, "enforce") X(DROP, "drop")

enum triage_mode {
#define TRIAGE_X(sym, name) TRIAGE_##sym,
	TRIAGE_MODES(TRIAGE_X)
#undef TRIAGE_X
};

/* symbol, setting, reason PST_RSN_*, default mode, default life of a pass, help */
#define TRIAGE_TESTS(X) \
	X(PREGREET,     pregreet,      EARLY,        "drop",    "1d",  "speaks before the greeting is complete") \
	X(PIPELINING,   pipelining,    PIPELINE,     "drop",    "30d", "sends on where it must wait for a reply") \
	X(NON_SMTP,     non_smtp,      NON_SMTP,     "drop",    "30d", "speaks HTTP, TLS, SSH or another protocol") \
	X(BARE_NEWLINE, bare_newline,  BARE_LF,      "drop",    "30d", "ends command lines with LF alone") \
	X(HELO_LITERAL, helo_literal,  HELO_LITERAL, "observe", "1d",  "EHLO with an address literal") \
	X(HELO_OWN,     helo_own,      HELO_OWN,     "enforce", "1d",  "EHLO with our own name, address or domain") \
	X(HELO_NAME,    helo_name,     HELO_NAME,    "observe", "1d",  "EHLO with a name without a dot") \
	X(HELO_OTHER,   helo_mismatch, HELO_OTHER,   "off",     "1d",  "EHLO with a name that is not the client's") \
	X(NO_RDNS,      no_rdns,       NO_RDNS,      "off",     "1d",  "has no reverse DNS") \
	X(RDNS_OTHER,   rdns_mismatch, RDNS_OTHER,   "off",     "1d",  "its reverse DNS is not confirmed") \
	X(COMMANDS,     commands,      COMMANDS,     "drop",    "1d",  "many commands that bring no mail forward") \
	X(HANGUP,       hangup,        HANGUP,       "observe", "1d",  "hangs up without QUIT and without a message") \
	X(DNSL,         dnsl,          DNSL,         "enforce", "1h",  "is on DNS lists with more weight than the limit; the answers' own life counts if it is shorter") \
	X(BACKUP,       backup,        BACKUP,       "enforce", "1d",  "is a stranger whose first contact is a listener marked as backup")

enum triage_test {
#define TRIAGE_X(sym, name, reason, mode, life, help) TEST_##sym,
	TRIAGE_TESTS(TRIAGE_X)
#undef TRIAGE_X
	TEST_MAX
};

_Static_assert(TEST_MAX <= 32, "a bit per test");

struct triage_rule {
	unsigned mode;	/* enum triage_mode */
	unsigned life_s; /* of a pass; 0 = never remembered */
};

/* The test that finds this offence, TEST_MAX when none does: such an offence is always dealt with as its row in bpf/abi.h says. */
enum triage_test triage_test_of(unsigned reason);
const char *triage_name(unsigned test); /* its setting; "?" for a number without a row */

#endif
