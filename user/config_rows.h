/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_rows.h: every setting as one row. The parser's option tables, defaults, ranges,
 * `config show`, the sample file and the manual's table are all made from these rows.
 */
#ifndef CONFIG_ROWS_H
#define CONFIG_ROWS_H

#include <stddef.h>

#include "user/config.h"

/* Words of an enum, in its order: "|first|second". */
#define CONFIG_WORD(sym, name) "|" name
#define CONFIG_MODES	       PST_MODES(CONFIG_WORD)
#define CONFIG_ACTIONS	       PST_ACTIONS(CONFIG_WORD)
#define CONFIG_XDP_MODES       "|auto|native|generic"
#define CONFIG_IDENTITIES      "|auto|xclient|proxy|received|none"
#define CONFIG_LEVELS	       "|off|offer|require"
#define CONFIG_ACCESS	       "|only|except"
#define CONFIG_LOGS	       "|stderr|syslog"
#define CONFIG_OPEN_RELAY      "|no|i-know"

/* How a text becomes a value: one function per kind, see config_kinds.c. The size of a list's element, 0 = not a list. */
#define CONFIG_KINDS(X) \
	X(NUMBER, 0) \
	X(BYTES, 0) \
	X(SECONDS, 0) \
	X(MS, 0) \
	X(BOOL, 0) \
	X(WORD, 0) \
	X(BANNER, 0) \
	X(HOST, 0) \
	X(URL, 0) \
	X(PATH, 0) \
	X(USER, 0) \
	X(GROUP, 0) \
	X(ADDRESS, 0) \
	X(NAMES, sizeof(char *)) \
	X(PORTS, sizeof(unsigned short)) \
	X(ADDRESSES, sizeof(struct pst_addr)) \
	X(PREFIXES, sizeof(struct pst_prefix)) \
	X(RULES, sizeof(struct access_rule)) \
	X(DOMAINS, sizeof(struct domain_rule)) \
	X(MAILBOXES, sizeof(struct mailbox))

enum config_kind {
#define CONFIG_X(kind, element) CONFIG_KIND_##kind,
	CONFIG_KINDS(CONFIG_X)
#undef CONFIG_X
};

/* What the sections fill; a listener starts as a copy of the global session settings. */
struct config_whole {
	struct conf conf;
	struct sess_conf sess;
	unsigned open_relay;
};

#define CONFIG_DAY    86400
#define CONFIG_YEAR   (366ull * CONFIG_DAY)
#define CONFIG_WHOLE  struct config_whole
#define CONFIG_LISTEN struct conf_listener
#define CONFIG_BACK   struct conf_backend
#define CONFIG_LIST   struct conf_list

/*
 * Sections, in the order of the sample:
 *   name ("" = the top), multi (each has a title), help
 */
#define CONFIG_SECTIONS(X)                                                                                      \
	X("",         false, "")                                                                                \
	X("listener", true,  "One per address and port that clients connect to. Settings here win over the global ones.") \
	X("backend",  true,  "One per mail server behind the gate; tried in the order written.")                \
	X("connect",  false, "Connection control: who may use the gate at all.")                                \
	X("relay",    false, "Relay control: who may send to domains that are not ours.")                       \
	X("list",     true,  "One per blacklist file; kept in the kernel.")                                     \
	X("ban",      false, "When a source is banned, and for how long.")                                      \
	X("refuse",   false, "What the kernel half says to a source whose action is refuse or banner. It says it without any process.") \
	X("syn_budget", false, "How many SYNs to guarded ports pass, from sources that are neither allowed nor refused. Too many never make a ban.") \
	X("points",   false, "What an offence weighs; 0 = noted, never counted.")                               \
	X("limits",   false, "Bounds of a session, a process and the memory of offenders.")

/*
 * S: section, name, kind, words of a WORD or "", struct, member, default as written, min, max, help
 * L: section, name, kind, struct, pointer member, count member, default (one item at most), help; an item
 *    "file:/path" stands for that file's lines
 * An empty default leaves the member alone: zero, or a listener's copy of the global setting.
 * Numbers are stored in a member of any integer width. Seconds and milliseconds are written as durations.
 */
/* clang-format off */
#define CONFIG_ROWS(S, L) \
	L("", interface,       NAMES, CONFIG_WHOLE, conf.interface, conf.ninterfaces, "", "network interfaces that the kernel half is attached to") \
	S("", xdp_mode,        WORD, CONFIG_XDP_MODES, CONFIG_WHOLE, conf.xdp_mode, "auto", 0, 0, "native never falls back; auto does, and says so") \
	S("", shared,          BOOL, "", CONFIG_WHOLE, conf.shared, "no", 0, 1, "attach beside other XDP programs, through libxdp's dispatcher; the warden then keeps CAP_SYS_ADMIN") \
	S("", mode,            WORD, CONFIG_MODES, CONFIG_WHOLE, conf.mode, "enforce", 0, 0, "observe: judge and count, refuse nobody at the card; off: the kernel half passes everything") \
	L("", guard_ports,     PORTS, CONFIG_WHOLE, conf.port, conf.nports, "25", "guarded TCP destination ports, besides the listeners'") \
	L("", guard_addresses, ADDRESSES, CONFIG_WHOLE, conf.guard, conf.nguards, "", "guarded destination addresses; none = all") \
	S("", hostname,        HOST, "", CONFIG_WHOLE, sess.hostname, "", 0, 0, "name in the greeting; empty = the system's") \
	S("", banner,          BANNER, "", CONFIG_WHOLE, sess.banner, "Postern", 0, 0, "text between the host name and the word ESMTP in the greeting") \
	S("", greet_pause,     MS, "", CONFIG_WHOLE, sess.greet_pause_ms, "2s", 0, 60000, "a client that speaks before the greeting is done offends; 0s = no pause") \
	L("", domains,         DOMAINS, CONFIG_WHOLE, conf.relay.domain, conf.relay.ndomains, "", "our own domains; \".example.org\" = its sub-domains only") \
	L("", traps,           MAILBOXES, CONFIG_WHOLE, conf.relay.trap, conf.relay.ntraps, "", "recipients that exist only to be spammed") \
	L("", allow,           PREFIXES, CONFIG_WHOLE, conf.allow, conf.nallow, "", "sources that are never judged and never dropped") \
	L("", never_ban,       PREFIXES, CONFIG_WHOLE, conf.never_ban, conf.nnever, "", "sources that are judged but never banned; own addresses, gateways, resolvers and backends are in it by themselves") \
	S("", worker_user,     USER, "", CONFIG_WHOLE, conf.worker_user, "_postern", 0, 0, "user of the workers, a name or a number") \
	S("", judge_user,      USER, "", CONFIG_WHOLE, conf.judge_user, "_postern-judge", 0, 0, "user of the judge, a name or a number") \
	S("", control_socket,  PATH, "", CONFIG_WHOLE, conf.control_socket, "/run/postern/control.sock", 0, 0, "where the postern command asks") \
	S("", control_group,   GROUP, "", CONFIG_WHOLE, conf.control_group, "", 0, 0, "group that may ask besides root, a name or a number; empty = none") \
	S("", pin_dir,         PATH, "", CONFIG_WHOLE, conf.pin_dir, PST_PIN_DIR, 0, 0, "folder of the kernel half's pins, on a bpf file system") \
	S("", log,             WORD, CONFIG_LOGS, CONFIG_WHOLE, conf.log_to, "stderr", 0, 0, "stderr is what systemd wants") \
	S("listener", address,         ADDRESS, "", CONFIG_LISTEN, addr, "::", 0, 0, ":: = every address of both families, 0.0.0.0 = of IPv4") \
	S("listener", port,            NUMBER, "", CONFIG_LISTEN, port, "25", 1, 65535, "TCP port") \
	S("listener", tls,             WORD, CONFIG_LEVELS, CONFIG_LISTEN, sess.tls, "off", 0, 0, "STARTTLS") \
	S("listener", tls_certificate, PATH, "", CONFIG_LISTEN, tls_certificate, "", 0, 0, "PEM file, the chain included") \
	S("listener", tls_key,         PATH, "", CONFIG_LISTEN, tls_key, "", 0, 0, "PEM file") \
	S("listener", auth,            WORD, CONFIG_LEVELS, CONFIG_LISTEN, sess.auth, "off", 0, 0, "AUTH, passed through to the backend") \
	S("listener", auth_cleartext,  BOOL, "", CONFIG_LISTEN, sess.auth_cleartext, "no", 0, 1, "AUTH without TLS, for listeners on trusted wires") \
	S("listener", greet_pause,     MS, "", CONFIG_LISTEN, sess.greet_pause_ms, "", 0, 60000, "as the global one, for this listener") \
	S("backend", address,         ADDRESS, "", CONFIG_BACK, addr, "127.0.0.1", 0, 0, "of the mail server") \
	S("backend", port,            NUMBER, "", CONFIG_BACK, port, "10025", 1, 65535, "TCP port") \
	S("backend", identity,        WORD, CONFIG_IDENTITIES, CONFIG_BACK, identity, "auto", 0, 0, "how it learns the true client; auto = XCLIENT if offered, else a Received field") \
	S("backend", connect_timeout, SECONDS, "", CONFIG_BACK, connect_timeout_s, "10s", 1, 300, "wait for the connection") \
	S("backend", reply_timeout,   SECONDS, "", CONFIG_BACK, reply_timeout_s, "5m", 1, 3600, "wait for a reply") \
	S("connect", mode,    WORD, CONFIG_ACCESS, CONFIG_WHOLE, conf.relay.connect.mode, "except", 0, 0, "only these, or all except these") \
	L("connect", entries, RULES, CONFIG_WHOLE, conf.relay.connect.rule, conf.relay.connect.nrules, "", "addresses and networks") \
	S("relay", mode,          WORD, CONFIG_ACCESS, CONFIG_WHOLE, conf.relay.relay.mode, "only", 0, 0, "only these, or all except these") \
	L("relay", entries,       RULES, CONFIG_WHOLE, conf.relay.relay.rule, conf.relay.relay.nrules, "", "addresses and networks") \
	S("relay", authenticated, BOOL, "", CONFIG_WHOLE, conf.relay.authenticated_may_relay, "yes", 0, 1, "whoever authenticated may relay, whatever the entries say") \
	S("relay", open_relay,    WORD, CONFIG_OPEN_RELAY, CONFIG_WHOLE, open_relay, "no", 0, 0, "\"i-know\" permits mode = except without entries: an open relay") \
	S("list", file,   PATH, "", CONFIG_LIST, file, "", 0, 0, "file or folder of networks: text, Spamhaus DROP, ipset save, nft list set, each gzip or not") \
	S("list", action, WORD, CONFIG_ACTIONS, CONFIG_LIST, action, "drop", 0, 0, "what the kernel does with a listed source") \
	S("list", follow, BOOL, "", CONFIG_LIST, follow, "no", 0, 1, "load it again when it changes, not only on reload") \
	S("list", everything, BOOL, "", CONFIG_LIST, everything, "no", 0, 1, "take 0.0.0.0/0 and ::/0, which list everybody; without it they are an error in the file") \
	S("ban", threshold, NUMBER, "", CONFIG_WHOLE, conf.policy.threshold, "100", 1, 1000000, "points at which a source is banned") \
	S("ban", half_life, SECONDS, "", CONFIG_WHOLE, conf.policy.half_life_s, "1h", 1, 30 * CONFIG_DAY, "time in which a score halves") \
	S("ban", first,     SECONDS, "", CONFIG_WHOLE, conf.policy.ban_s, "10m", 1, CONFIG_YEAR, "length of the first ban; each relapse doubles it") \
	S("ban", max,       SECONDS, "", CONFIG_WHOLE, conf.policy.ban_max_s, "7d", 1, CONFIG_YEAR, "cap of the doubling") \
	S("ban", relapse,   SECONDS, "", CONFIG_WHOLE, conf.policy.relapse_s, "30d", 0, CONFIG_YEAR, "a ban that ended longer ago no longer doubles the next") \
	S("ban", action,    WORD, CONFIG_ACTIONS, CONFIG_WHOLE, conf.policy.action, "drop", 0, 0, "what the kernel does with a banned source") \
	S("ban", grace,     NUMBER, "", CONFIG_WHOLE, conf.policy.grace, "3", 0, PST_GRACE_MAX, "first contacts (SYNs) of an automatic ban that are refused with a reason before its action applies; 0 = none") \
	S("ban", grace_window, SECONDS, "", CONFIG_WHOLE, conf.grace_window_s, "1h", 1, CONFIG_YEAR, "after it the contacts of a ban with a grace are counted anew") \
	S("ban", observe,   BOOL, "", CONFIG_WHOLE, conf.policy.observe, "no", 0, 1, "judge and log, never ban") \
	S("refuse", hostname,       HOST, "", CONFIG_WHOLE, conf.refuse.hostname, "", 0, 0, "name in the greeting; empty = the global one") \
	S("refuse", url,            URL, "", CONFIG_WHOLE, conf.refuse.url, "", 0, 0, "where a refused sender's postmaster learns more; empty = none") \
	S("refuse", source_replies, NUMBER, "", CONFIG_WHOLE, conf.refuse.source_replies, "100", 0, 1000000, "packets a second sent to one IPv4 address or IPv6 /64; 0 = no limit") \
	S("refuse", all_replies,    NUMBER, "", CONFIG_WHOLE, conf.refuse.all_replies, "200000", 0, 1000000000, "packets a second sent to all of them; 0 = no limit") \
	S("syn_budget", mode,             WORD, CONFIG_MODES, CONFIG_WHOLE, conf.syn_mode, "observe", 0, 0, "observe: count those over the budget and let them pass; off: count nothing") \
	S("syn_budget", per_source,       NUMBER, "", CONFIG_WHOLE, conf.syn_source, "20", 0, 1000000, "SYNs a second of one IPv4 address or IPv6 /64; 0 = no limit") \
	S("syn_budget", per_source_burst, NUMBER, "", CONFIG_WHOLE, conf.syn_source_burst, "100", 1, 1000000, "SYNs at once") \
	S("syn_budget", global,           NUMBER, "", CONFIG_WHOLE, conf.syn_global, "5000", 0, 100000000, "SYNs a second of all sources; when they are spent, only sources that have delivered mail pass; 0 = no limit") \
	S("syn_budget", global_burst,     NUMBER, "", CONFIG_WHOLE, conf.syn_global_burst, "10000", 1, 100000000, "SYNs at once") \
	S("limits", message_size,    BYTES, "", CONFIG_WHOLE, sess.body.size, "50M", 0, 1ull << 40, "octets of a message; 0 = the backend's limit alone") \
	S("limits", header_size,     BYTES, "", CONFIG_WHOLE, sess.body.header_bytes, "256K", 1024, 1 << 30, "octets of a message's header section") \
	S("limits", hops,            NUMBER, "", CONFIG_WHOLE, sess.body.received, "50", 1, 1000, "Received fields: more means a loop") \
	S("limits", rcpts,           NUMBER, "", CONFIG_WHOLE, sess.rcpt_max, "1000", 100, 100000, "recipients of a message (RFC 5321 wants 100 at least)") \
	S("limits", messages,        NUMBER, "", CONFIG_WHOLE, sess.messages_max, "100", 0, 1000000, "messages of a session; 0 = no limit") \
	S("limits", errors,          NUMBER, "", CONFIG_WHOLE, sess.errors_max, "10", 1, 1000, "errors of a session before it is ended") \
	S("limits", command_timeout, SECONDS, "", CONFIG_WHOLE, sess.command_timeout_s, "5m", 5, 3600, "wait for a whole command") \
	S("limits", data_timeout,    SECONDS, "", CONFIG_WHOLE, sess.data_timeout_s, "3m", 5, 3600, "wait between blocks of a message") \
	S("limits", answer_timeout,  SECONDS, "", CONFIG_WHOLE, sess.answer_timeout_s, "10m", 5, 7200, "the gate's wait for the backend's word on a message") \
	S("limits", sessions,        NUMBER, "", CONFIG_WHOLE, conf.sessions_max, "2000", 1, 1000000, "live sessions of one worker") \
	S("limits", sessions_per_source, NUMBER, "", CONFIG_WHOLE, conf.sessions_per_source, "20", 1, 1000000, "of one IPv4 address or IPv6 /64, in one worker") \
	S("limits", workers,         NUMBER, "", CONFIG_WHOLE, conf.workers, "2", 1, 24, "worker processes") \
	S("limits", ledger,          NUMBER, "", CONFIG_WHOLE, conf.ledger_entries, "65536", 16, 4194304, "sources remembered; rounded up to a power of two; a kilobyte each")
/* clang-format on */

#define CONFIG_POINT_MAX 100000 /* the section "points" has one row per reason of bpf/abi.h */

bool config_is_list(enum config_kind kind);

struct config_row {
	const char *section, *name;
	enum config_kind kind;
	const char *words; /* of a WORD */
	const char *def;   /* as it would be written */
	unsigned long long min, max;
	size_t offset, size;  /* of the member in the section's struct */
	size_t count;	      /* offset of a list's length */
	const char *help;
};

struct config_section {
	const char *name;
	bool multi;
	const char *help;
};

extern const struct config_row *const config_rows;
extern const size_t config_nrows;
extern const struct config_section config_sections[];
extern const size_t config_nsections;

/* One setting as it stands after a read. */
struct config_shown {
	const struct config_row *row;
	const char *title; /* of its section, NULL = none */
	const char *value; /* as written; the default's text when not set */
	bool set;
	unsigned line; /* 0 = not set */
};

/* As config_read(), but calls show once per setting in place of making a struct conf. Values are not checked against the world. */
int config_show(const char *path, void (*show)(void *ctx, const struct config_shown *),
		void (*err)(void *ctx, const char *message), void *ctx);

#endif
