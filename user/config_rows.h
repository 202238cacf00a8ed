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
#define CONFIG_IDENTITIES      "|auto|xclient|proxy|received|none|proxy-v2"
#define CONFIG_PROTOCOLS       "|smtp|lmtp"
#define CONFIG_BACK_TLS	       "|off|may|require|verify"
#define CONFIG_LEVELS	       "|off|offer|require"
#define CONFIG_ACCESS	       "|only|except"
#define CONFIG_GRANTS	       "|entries|all"
#define CONFIG_LOGS	       "|stderr|syslog|journal"
#define CONFIG_LOG_FORMATS     "|text|json"
#define CONFIG_SENDER(sym, name) "|" name
#define CONFIG_SENDERS	       SENDER_ACTIONS(CONFIG_SENDER)
#define CONFIG_GREY	       GREY_MODES(CONFIG_WORD)
#define CONFIG_FLAWS	       "|reject|normalize"
#define CONFIG_DEMANDS	       "|may|require"
#define CONFIG_TESTS	       TRIAGE_MODES(CONFIG_WORD)
#define CONFIG_FAMILIES	       "|both|ipv4|ipv6"
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
	X(BELOW, 0) \
	X(ZONE, 0) \
	X(NAMES, sizeof(char *)) \
	X(TITLES, sizeof(char *)) \
	X(PORTS, sizeof(unsigned short)) \
	X(ADDRESSES, sizeof(struct pst_addr)) \
	X(PREFIXES, sizeof(struct pst_prefix)) \
	X(RULES, sizeof(struct access_rule)) \
	X(DOMAINS, sizeof(struct domain_rule)) \
	X(MAILBOXES, sizeof(struct mailbox)) \
	X(SENDERS, sizeof(struct sender_rule)) \
	X(RECIPIENTS, sizeof(struct recipient_rule)) \
	X(OWNERS, sizeof(struct account_owner)) \
	X(SITES, sizeof(struct dnsl_rule))

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
#define CONFIG_CERT   struct conf_certificate
#define CONFIG_BACK   struct conf_backend
#define CONFIG_ROUTE  struct conf_route
#define CONFIG_LIST   struct conf_list
#define CONFIG_SENDER_LIST struct sender_list
#define CONFIG_ZONE   struct conf_zone

/*
 * Sections, in the order of the sample:
 *   name ("" = the top), multi (each has a title), help
 */
#define CONFIG_SECTIONS(X)                                                                                      \
	X("",         false, "")                                                                                \
	X("listener", true,  "One per address and port that clients connect to. Settings here win over the global ones.") \
	X("certificate", true, "Further certificates for the listeners with TLS: a client that asks for a name (SNI) gets the one that is for it.") \
	X("backend",  true,  "One per mail server behind the gate. Those of one priority share the load by weight.")      \
	X("route",    true,  "One per group of domains that goes to backends of its own. Recipients of all other domains go to the backends that no route names.") \
	X("connect",  false, "Connection control: who may use the gate at all.")                                \
	X("relay",    false, "Relay control: who may send to domains that are not ours.")                       \
	X("dns",      false, "Where the names of clients come from: by their address, and confirmed by the name's own addresses.") \
	X("dnsl",     false, "DNS lists: asked about a stranger while its greeting waits. Each site that knows it adds its weight; who may relay is not asked about. See tests and passes, too.") \
	X("zone",     true,  "One per DNS list that more is to be said of; its name is the zone's as sites has it, and what clients, log and operators see.") \
	X("sender",   true,  "Sender addresses that are refused. Of several lists that speak of a sender the strictest decides.")  \
	X("accounts", false, "What clients that authenticated may do. An account is the name that the client logged in with, in lower case.") \
	X("greylist", false, "Strangers' recipients are deferred once, for what does not keep mail does not come again. Whoever has delivered mail, may relay, authenticated or is on the allow list never waits.") \
	X("store",    false, "What outlives a reboot: bans, what is known of sources, the greylist. A process of its own writes it; where it cannot, memory goes on.") \
	X("list",     true,  "One per blacklist file; kept in the kernel.")                                     \
	X("ban",      false, "When a source is banned, and for how long.")                                      \
	X("rates",    false, "Ceilings for all workers together. They hold neither for the allow list, balancers and who authenticated, nor, those of prefixes and of all, for sources whose mail is accepted.") \
	X("tarpit",   false, "Strangers whose score is close to a ban are answered an octet at a time, for as long as there is room.") \
	X("refuse",   false, "What the kernel half says to a source whose action is refuse or banner. It says it without any process.") \
	X("syn_budget", false, "How many SYNs to guarded ports pass, from sources that are neither allowed nor refused. Too many never make a ban.") \
	X("tests",    false, "What is done about a client that is found out: nothing is looked for (off), it is counted and told to the judge (observe), every recipient is refused (enforce), or the session ends (drop).") \
	X("passes",   false, "How long a source that has passed a test is not made to wait for it again; 0s = never remembered.") \
	X("points",   false, "What an offence weighs; 0 = noted, never counted.")                               \
	X("hide",     false, "Extensions and commands that are not offered to clients. What a backend does not offer is not, either.") \
	X("content",  false, "What of a message's content is refused with the session's end, or mended on its way. Only CRLF.CRLF ends a message in either case.") \
	X("limits",   false, "Bounds of a session, a process and the memory of offenders.")

/*
 * S: section, name, kind, words of a WORD or "", struct, member, default as written, min, max, help
 * L: section, name, kind, struct, pointer member, count member, default (one item at most), help; an item
 *    "file:/path" stands for that file's lines, "lmdb:/path" for that map's keys
 * An empty default leaves the member alone: zero, or a listener's copy of the global setting.
 * Numbers are stored in a member of any integer width. Seconds and milliseconds are written as durations.
 */
/* clang-format off */
#define CONFIG_ROWS(S, L) \
	L("", interface,       NAMES, CONFIG_WHOLE, conf.interface, conf.ninterfaces, "", "network interfaces that the kernel half is attached to") \
	S("", xdp_mode,        WORD, CONFIG_XDP_MODES, CONFIG_WHOLE, conf.xdp_mode, "auto", 0, 0, "native never falls back; auto does, and says so") \
	S("", shared,          BOOL, "", CONFIG_WHOLE, conf.shared, "no", 0, 1, "attach beside other XDP programs, through libxdp's dispatcher; the warden then keeps CAP_SYS_ADMIN") \
	S("", mode,            WORD, CONFIG_MODES, CONFIG_WHOLE, conf.mode, "enforce", 0, 0, "observe: judge and count, refuse nobody at the card; off: the kernel half passes everything") \
	S("", dead_man,        SECONDS, "", CONFIG_WHOLE, conf.dead_man_s, "0s", 0, CONFIG_YEAR, "when no daemon has vouched for its policy for so long, because it is dead, stopped or hangs, the kernel half passes everything, bans and lists or not; 0s = never: what stands is enforced, and bans end by themselves") \
	L("", guard_ports,     PORTS, CONFIG_WHOLE, conf.port, conf.nports, "25", "guarded TCP destination ports, besides the listeners'") \
	L("", guard_addresses, ADDRESSES, CONFIG_WHOLE, conf.guard, conf.nguards, "", "guarded destination addresses; none = all") \
	S("", hostname,        HOST, "", CONFIG_WHOLE, sess.hostname, "", 0, 0, "name in the greeting; empty = the system's") \
	S("", banner,          BANNER, "", CONFIG_WHOLE, sess.banner, "Postern", 0, 0, "text between the host name and the word ESMTP in the greeting") \
	S("", greet_pause,     MS, "", CONFIG_WHOLE, sess.greet_pause_ms, "2s", 0, 60000, "a client that speaks before the greeting is done offends; 0s = no pause") \
	S("", stress_pause,    MS, "", CONFIG_WHOLE, sess.stress_pause_ms, "500ms", 0, 60000, "the same under stress (see limits), where it is shorter") \
	L("", domains,         DOMAINS, CONFIG_WHOLE, conf.relay.domain, conf.relay.ndomains, "", "our own domains; \".example.org\" = its sub-domains only") \
	L("", no_mail_domains, DOMAINS, CONFIG_WHOLE, conf.relay.no_mail, conf.relay.nno_mail, "", "domains that take no mail (null MX, RFC 7505), written as domains are: 556 to every recipient there, whoever sends") \
	L("", recipients,      RECIPIENTS, CONFIG_WHOLE, conf.relay.recipients.rule, conf.relay.recipients.nrules, "", "who receives mail in our domains: \"user@example.org\", or \"example.org\" = everybody there. 550 5.1.1 to others of a domain that is named here; one that is not is the backend's to know") \
	S("", recipient_delimiters, BANNER, "", CONFIG_WHOLE, conf.relay.recipients.delimiters, "+", 0, 0, "each of these characters begins a tag: user+tag@example.org is user@example.org, if it is not listed itself") \
	L("", traps,           MAILBOXES, CONFIG_WHOLE, conf.relay.trap, conf.relay.ntraps, "", "recipients that exist only to be spammed") \
	L("", trap_domains,    DOMAINS, CONFIG_WHOLE, conf.relay.trap_domain, conf.relay.ntrap_domains, "", "domains that exist only to be spammed, written as domains are; whoever sends there, and wherever they are relayed to otherwise, offends: 550 5.1.2") \
	S("", own_sender,      WORD, CONFIG_MODES, CONFIG_WHOLE, sess.own_sender, "observe", 0, 0, "MAIL from a domain of ours by a client that neither authenticated nor may relay: enforce = refuse, observe = count") \
	L("", allow,           PREFIXES, CONFIG_WHOLE, conf.allow, conf.nallow, "", "sources that are never judged and never dropped") \
	L("", balancers,       PREFIXES, CONFIG_WHOLE, conf.balancer, conf.nbalancers, "", "load balancers whose word on a client's address counts; never banned, never over the SYN budget") \
	L("", never_ban,       PREFIXES, CONFIG_WHOLE, conf.never_ban, conf.nnever, "", "sources that are judged but never banned; own addresses, gateways, resolvers, backends and balancers are in it by themselves") \
	S("", worker_user,     USER, "", CONFIG_WHOLE, conf.worker_user, "_postern", 0, 0, "user of the workers, a name or a number") \
	S("", judge_user,      USER, "", CONFIG_WHOLE, conf.judge_user, "_postern-judge", 0, 0, "user of the judge, a name or a number") \
	S("", control_socket,  PATH, "", CONFIG_WHOLE, conf.control_socket, "/run/postern/control.sock", 0, 0, "where the postern command asks") \
	S("", control_group,   GROUP, "", CONFIG_WHOLE, conf.control_group, "", 0, 0, "group that may ask besides root, a name or a number; empty = none") \
	S("", pin_dir,         PATH, "", CONFIG_WHOLE, conf.pin_dir, PST_PIN_DIR, 0, 0, "folder of the kernel half's pins, on a bpf file system") \
	S("", log,             WORD, CONFIG_LOGS, CONFIG_WHOLE, conf.log_to, "stderr", 0, 0, "journal: systemd's, with a field for each key of a line; stderr goes there, too, as lines") \
	S("", log_commands,    BOOL, "", CONFIG_WHOLE, conf.log_commands, "no", 0, 1, "a line of the log for every command and every reply; credentials are left out") \
	S("", log_format,      WORD, CONFIG_LOG_FORMATS, CONFIG_WHOLE, conf.log_format, "text", 0, 0, "json: every line of the log is an object") \
	S("listener", address,         ADDRESS, "", CONFIG_LISTEN, addr, "::", 0, 0, ":: = every address of both families, 0.0.0.0 = of IPv4") \
	S("listener", port,            NUMBER, "", CONFIG_LISTEN, port, "25", 1, 65535, "TCP port") \
	S("listener", tls,             WORD, CONFIG_LEVELS, CONFIG_LISTEN, sess.tls, "off", 0, 0, "STARTTLS") \
	S("listener", accepts_no_mail, BOOL, "", CONFIG_LISTEN, sess.closed, "no", 0, 1, "521 to everybody: for a host that only sends (RFC 7504)") \
	S("listener", tls_implicit,    BOOL, "", CONFIG_LISTEN, sess.tls_implicit, "no", 0, 1, "TLS from the first byte on, as on port 465; tls must not be off then") \
	S("listener", proxy,           BOOL, "", CONFIG_LISTEN, proxy, "no", 0, 1, "connections of balancers begin with a PROXY protocol header, version 1 or 2, which names the client") \
	S("listener", xclient,         BOOL, "", CONFIG_LISTEN, xclient, "no", 0, 1, "balancers are offered XCLIENT and name the client by it, before its EHLO; they must not pass clients' own XCLIENT") \
	S("listener", tls_certificate, PATH, "", CONFIG_LISTEN, tls_certificate, "", 0, 0, "PEM file, the chain included") \
	S("listener", tls_key,         PATH, "", CONFIG_LISTEN, tls_key, "", 0, 0, "PEM file") \
	S("listener", auth,            WORD, CONFIG_LEVELS, CONFIG_LISTEN, sess.auth, "off", 0, 0, "AUTH, passed through to the backend") \
	S("listener", auth_cleartext,  BOOL, "", CONFIG_LISTEN, sess.auth_cleartext, "no", 0, 1, "AUTH without TLS, for listeners on trusted wires") \
	S("listener", greet_pause,     MS, "", CONFIG_LISTEN, sess.greet_pause_ms, "", 0, 60000, "as the global one, for this listener") \
	S("listener", message_size,    BYTES, "", CONFIG_LISTEN, sess.body.size, "", 0, 1ull << 40, "as in limits, for this listener") \
	S("listener", session_size,    BYTES, "", CONFIG_LISTEN, sess.session_max, "", 0, 1ull << 50, "as in limits, for this listener") \
	S("listener", rcpts,           NUMBER, "", CONFIG_LISTEN, sess.rcpt_max, "", 100, 100000, "as in limits, for this listener") \
	S("listener", messages,        NUMBER, "", CONFIG_LISTEN, sess.messages_max, "", 0, 1000000, "as in limits, for this listener") \
	S("listener", errors,          NUMBER, "", CONFIG_LISTEN, sess.errors_max, "", 1, 1000, "as in limits, for this listener") \
	S("listener", auth_failures,   NUMBER, "", CONFIG_LISTEN, sess.auth_failures_max, "", 0, 1000, "as in limits, for this listener") \
	S("listener", data_rate,       BYTES, "", CONFIG_LISTEN, sess.data_rate, "", 0, 1 << 30, "as in limits, for this listener") \
	S("listener", command_timeout, SECONDS, "", CONFIG_LISTEN, sess.command_timeout_s, "", 5, 3600, "as in limits, for this listener") \
	S("listener", data_timeout,    SECONDS, "", CONFIG_LISTEN, sess.data_timeout_s, "", 5, 3600, "as in limits, for this listener") \
	S("listener", tls_timeout,     SECONDS, "", CONFIG_LISTEN, sess.tls_timeout_s, "", 5, 3600, "as in limits, for this listener") \
	S("listener", answer_timeout,  SECONDS, "", CONFIG_LISTEN, sess.answer_timeout_s, "", 5, 7200, "as in limits, for this listener") \
	S("listener", header_size,     BYTES, "", CONFIG_LISTEN, sess.body.header_bytes, "", 1024, 1 << 30, "as in limits, for this listener") \
	S("listener", null_rcpts,      NUMBER, "", CONFIG_LISTEN, sess.null_rcpt_max, "", 0, 100000, "as in limits, for this listener") \
	S("listener", tests,           BOOL, "", CONFIG_LISTEN, sess.tested, "yes", 0, 1, "clients of this listener are tested; no: for submission, where they log in") \
	S("listener", backup,          BOOL, "", CONFIG_LISTEN, sess.backup, "no", 0, 1, "this is the address of a backup MX: for the test of that name") \
	S("listener", sessions,        NUMBER, "", CONFIG_LISTEN, sessions_max, "0", 0, 1000000, "live sessions of this listener in one worker; 0 = the worker's own limit alone") \
	S("certificate", chain, PATH, "", CONFIG_CERT, chain, "", 0, 0, "PEM file, the chain included") \
	S("certificate", key,   PATH, "", CONFIG_CERT, key, "", 0, 0, "PEM file") \
	S("backend", address,         ADDRESS, "", CONFIG_BACK, addr, "127.0.0.1", 0, 0, "of the mail server") \
	S("backend", port,            NUMBER, "", CONFIG_BACK, port, "10025", 1, 65535, "TCP port") \
	S("backend", protocol,        WORD, CONFIG_PROTOCOLS, CONFIG_BACK, protocol, "smtp", 0, 0, "lmtp: to a delivery agent (RFC 2033); a message then has one recipient, the others are deferred to messages of their own") \
	S("backend", identity,        WORD, CONFIG_IDENTITIES, CONFIG_BACK, identity, "auto", 0, 0, "how it learns the true client; auto = XCLIENT if offered, else a Received field; proxy = PROXY protocol version 1") \
	S("backend", weight,          NUMBER, "", CONFIG_BACK, weight, "1", 0, 1000, "its share of the sessions among those of its priority; 0 = only when those others are down") \
	S("backend", priority,        NUMBER, "", CONFIG_BACK, priority, "0", 0, 1000, "lower first; the next priority serves when all of this one are down or full") \
	S("backend", connections,     NUMBER, "", CONFIG_BACK, connections_max, "90", 0, 1000000, "live connections of all workers together, in equal shares: fewer than the server serves at once (Postfix: 100, Exim: 20 unless told otherwise); sessions wait for one, known clients and mail first; 0 = no limit") \
	S("backend", health_interval, SECONDS, "", CONFIG_BACK, health_interval_s, "1m", 0, CONFIG_DAY, "between checks (connect, EHLO, QUIT) by each worker, 5s at most while it is down; 0s = none once it has answered, and one that is down is tried again after 10s") \
	S("backend", down_after,      NUMBER, "", CONFIG_BACK, down_after, "1", 1, 100, "failed connections or checks in a row after which it is down; one that is down is tried last") \
	S("backend", up_after,        NUMBER, "", CONFIG_BACK, up_after, "1", 1, 100, "good ones in a row after which it is up") \
	S("backend", slow_start,      SECONDS, "", CONFIG_BACK, slow_start_s, "0s", 0, CONFIG_DAY, "after having been down its weight grows from a tenth to the whole in this time") \
	S("backend", idle_connections, NUMBER, "", CONFIG_BACK, idle_max, "10", 0, 10000, "connections that one worker keeps for the next session; one that was used with AUTH or PROXY or that refused anything is never kept; 0 = none") \
	S("backend", idle_timeout,    SECONDS, "", CONFIG_BACK, idle_timeout_s, "5s", 1, 300, "how long such a connection is kept") \
	S("backend", idle_sessions,   NUMBER, "", CONFIG_BACK, sessions_max, "100", 1, 1000000, "sessions that one connection serves, one after another") \
	S("backend", tls,             WORD, CONFIG_BACK_TLS, CONFIG_BACK, tls, "off", 0, 0, "STARTTLS: may = if offered, require = or no mail, verify = and with the right certificate") \
	S("backend", tls_implicit,    BOOL, "", CONFIG_BACK, tls_implicit, "no", 0, 1, "TLS from the first byte on, without STARTTLS") \
	S("backend", tls_ca,          PATH, "", CONFIG_BACK, tls_ca, "", 0, 0, "PEM file of the authorities that tls = verify trusts; empty = the system's") \
	S("backend", tls_name,        HOST, "", CONFIG_BACK, tls_name, "", 0, 0, "name that is asked for (SNI) and that the certificate must have; empty = none is asked for, and it must have the address") \
	S("backend", connect_timeout, SECONDS, "", CONFIG_BACK, connect_timeout_s, "10s", 1, 300, "wait for the connection") \
	S("backend", greeting_timeout, SECONDS, "", CONFIG_BACK, greeting_timeout_s, "1m", 1, 3600, "wait for the greeting, and for a TLS handshake") \
	S("backend", reply_timeout,   SECONDS, "", CONFIG_BACK, reply_timeout_s, "5m", 1, 3600, "wait for a reply to a command") \
	S("backend", data_timeout,    SECONDS, "", CONFIG_BACK, data_timeout_s, "3m", 1, 3600, "wait for it to take more of a message") \
	L("route", domains,      DOMAINS, CONFIG_ROUTE, rules.domain, rules.ndomains, "", "recipients of these go this way; \".example.org\" = its sub-domains only; of several routes the closest name wins") \
	L("route", backends,     TITLES, CONFIG_ROUTE, named, nnamed, "", "names of backends, which share by weight and priority; none = those that no route names") \
	S("route", relay,        WORD, CONFIG_GRANTS, CONFIG_ROUTE, rules.open, "entries", 0, 0, "who may send to these domains although they are not ours: entries = those below and whoever may relay; all = everybody who may use the gate") \
	L("route", entries,      RULES, CONFIG_ROUTE, rules.entries.rule, rules.entries.nrules, "", "addresses, networks, and names of clients that may send to these domains") \
	S("route", message_size, BYTES, "", CONFIG_ROUTE, rules.message_size, "0", 0, 1ull << 40, "octets of a message; 0 = as the listener's, which is the limit anyway") \
	S("route", rcpts,        NUMBER, "", CONFIG_ROUTE, rules.rcpt_max, "0", 0, 100000, "recipients of a message; 0 = as the listener's, which is the limit anyway") \
	S("route", session_size, BYTES, "", CONFIG_ROUTE, rules.session_size, "0", 0, 1ull << 50, "octets of all messages of a session in which one goes this way; 0 = as the listener's, which is the limit anyway") \
	S("route", messages,     NUMBER, "", CONFIG_ROUTE, rules.messages_max, "0", 0, 1000000, "messages of a session, whichever way, behind which none goes this way; 0 = as the listener's, which is the limit anyway") \
	S("route", data_timeout, SECONDS, "", CONFIG_ROUTE, rules.data_timeout_s, "0s", 0, 3600, "wait between blocks of a message; 0s = as the listener's, which is the limit anyway") \
	S("route", data_rate,    BYTES, "", CONFIG_ROUTE, rules.data_rate, "0", 0, 1 << 30, "octets of a message a second, as in limits; 0 = as the listener's, which is the minimum anyway") \
	S("route", tls,          WORD, CONFIG_DEMANDS, CONFIG_ROUTE, rules.needs_tls, "may", 0, 0, "require: recipients of these domains are taken in TLS only, otherwise 550 5.7.10") \
	S("route", auth,         WORD, CONFIG_DEMANDS, CONFIG_ROUTE, rules.needs_auth, "may", 0, 0, "require: and from clients only that authenticated, otherwise 530 5.7.0") \
	S("connect", mode,    WORD, CONFIG_ACCESS, CONFIG_WHOLE, conf.relay.connect.mode, "except", 0, 0, "only these, or all except these") \
	L("connect", entries, RULES, CONFIG_WHOLE, conf.relay.connect.rule, conf.relay.connect.nrules, "", "addresses, networks, and names of clients (\"mx.example.net\", \".example.net\" = names below it)") \
	S("relay", mode,          WORD, CONFIG_ACCESS, CONFIG_WHOLE, conf.relay.relay.mode, "only", 0, 0, "only these, or all except these") \
	L("relay", entries,       RULES, CONFIG_WHOLE, conf.relay.relay.rule, conf.relay.relay.nrules, "", "addresses, networks, and names of clients") \
	S("relay", authenticated, BOOL, "", CONFIG_WHOLE, conf.relay.authenticated_may_relay, "yes", 0, 1, "whoever authenticated may relay, whatever the entries say") \
	S("relay", open_relay,    WORD, CONFIG_OPEN_RELAY, CONFIG_WHOLE, open_relay, "no", 0, 0, "\"i-know\" permits an open relay: mode = except without entries, or an entry that is everybody") \
	L("dns", servers, ADDRESSES, CONFIG_WHOLE, conf.dns.server, conf.dns.nservers, "", "resolvers; none = those of /etc/resolv.conf, read when a worker starts") \
	S("dns", timeout, SECONDS, "", CONFIG_WHOLE, conf.dns.timeout_s, "5s", 1, 60, "a client whose name is not known by then has none: greeting and recipient wait no longer") \
	S("dns", names,   BOOL, "", CONFIG_WHOLE, conf.dns.names, "no", 0, 1, "look up every client's name, for the log and the Received field; where an entry is a domain or a test needs them it is done anyway") \
	S("dns", cache,   NUMBER, "", CONFIG_WHOLE, conf.dns.cache, "4096", 16, 1 << 20, "names that one worker remembers; 300 octets each") \
	L("dnsl", sites, SITES, CONFIG_WHOLE, conf.dnsl.rules.rule, conf.dnsl.rules.nrules, "", "DNS lists as postscreen has them: \"ZONE=FILTER*WEIGHT\", FILTER like \"127.0.0.[2..11;13]\" or \"&0x04\" (\"|\" between several; without one every listing counts), WEIGHT 1 if it is left out and negative where the list speaks for who is on it") \
	S("dnsl", enforce, NUMBER, "", CONFIG_WHOLE, conf.dnsl.rules.enforce, "1", 1, 64000, "weight at which the test dnsl has found somebody out") \
	S("dnsl", ban,     NUMBER, "", CONFIG_WHOLE, conf.dnsl.rules.ban, "0", 0, 64000, "weight at which the source is banned, too, for as long as the answers hold; 0 = never") \
	S("dnsl", skip,    BELOW, "", CONFIG_WHOLE, conf.dnsl.rules.skip, "0", 0, 64000, "weight, negative, at which a client that has not offended yet is spared the rest of the pause, the other tests and the greylist; 0 = off") \
	S("dnsl", timeout, MS, "", CONFIG_WHOLE, conf.dnsl.timeout_ms, "2s", 100, 30000, "wait for an answer, its repetitions included; the greeting waits no longer than greet_pause in any case") \
	L("dnsl", servers, ADDRESSES, CONFIG_WHOLE, conf.dnsl.server, conf.dnsl.nservers, "", "resolvers; none = those of section dns. Public ones are refused by many lists") \
	S("dnsl", test,    SECONDS, "", CONFIG_WHOLE, conf.dnsl.test_s, "1h", 10, CONFIG_DAY, "time between tests of a zone (RFC 5782 section 5); one that fails is not asked until it is well") \
	S("dnsl", retest,  SECONDS, "", CONFIG_WHOLE, conf.dnsl.retest_s, "1m", 1, CONFIG_DAY, "likewise, of one that has failed") \
	S("dnsl", cache,   NUMBER, "", CONFIG_WHOLE, conf.dnsl.cache, "16384", 16, 1 << 22, "answers that one worker remembers, each as long as it says, a minute at least and an hour at most; 72 octets each") \
	S("zone", domain,  ZONE, "", CONFIG_ZONE, domain, "", 0, 0, "what is asked in place of the zone's name, when it holds a key that nobody else shall see") \
	S("zone", text,    BANNER, "", CONFIG_ZONE, text, "", 0, 0, "what a refused client is told, without code; empty = \"Your address is on DNS list NAME\"") \
	S("zone", family,  WORD, CONFIG_FAMILIES, CONFIG_ZONE, family, "both", 0, 0, "which addresses it is asked about; one that fails its tests for IPv6 alone is not asked about IPv6 anyway") \
	S("zone", tested,  BOOL, "", CONFIG_ZONE, tested, "yes", 0, 1, "no: it has no test entries and is believed as it is") \
	L("sender", entries, SENDERS, CONFIG_SENDER_LIST, rule, nrules, "", "addresses, domains (\"bad.example\"), sub-domains (\".bad.example\"), or \"<>\", the blank sender: refusing that refuses every bounce") \
	S("sender", action,  WORD, CONFIG_SENDERS, CONFIG_SENDER_LIST, action, "refuse", 0, 0, "close: refuse and end the session; divert: its messages take the way of route, as to a quarantine; observe: count") \
	S("sender", route,   BANNER, "", CONFIG_SENDER_LIST, route_name, "", 0, 0, "with action = divert: name of a route, which may be one without domains") \
	S("sender", trusted, BOOL, "", CONFIG_SENDER_LIST, trusted, "no", 0, 1, "also for clients that authenticated, may relay by their address or are on the allow list") \
	S("accounts", own_senders, WORD, CONFIG_MODES, CONFIG_WHOLE, sess.account_sender, "off", 0, 0, "enforce: 553 5.7.1 to MAIL from a sender that is not the account's own; observe: log it. An account that is an address owns that one; everybody may send from <>") \
	L("accounts", senders,  OWNERS, CONFIG_WHOLE, conf.accounts.owner, conf.accounts.nowners, "", "\"ACCOUNT SENDER ...\": addresses, domains (\"example.org\"), sub-domains (\".example.org\") that it owns, or \"*\", every sender; of a map the key is the account and the value its senders") \
	S("accounts", messages, NUMBER, "", CONFIG_WHOLE, conf.accounts.messages, "0", 0, 1000000, "messages of an account in an hour, those of all its sessions together; more are deferred (450); 0 = no limit") \
	S("accounts", rcpts,    NUMBER, "", CONFIG_WHOLE, conf.accounts.rcpts, "0", 0, 10000000, "recipients of an account in an hour, likewise") \
	S("greylist", mode,    WORD, CONFIG_GREY, CONFIG_WHOLE, conf.grey.mode, "off", 0, 0, "observe: count those who would wait; stress: enforce while the gate is under stress, else observe") \
	S("greylist", delay,   SECONDS, "", CONFIG_WHOLE, conf.grey.delay_s, "5m", 1, 3600, "from the first try to the first one that passes") \
	S("greylist", window,  SECONDS, "", CONFIG_WHOLE, conf.grey.window_s, "1d", 2, 30 * CONFIG_DAY, "a try later than this is a first one again") \
	S("greylist", keep,    SECONDS, "", CONFIG_WHOLE, conf.grey.keep_s, "36d", 2, CONFIG_YEAR, "how long a pass is remembered; accepted mail renews it") \
	S("greylist", passes,  NUMBER, "", CONFIG_WHOLE, conf.grey.passes, "3", 1, 100, "passes with accepted mail, one in a delay at most, after which a source waits no more, whoever it writes to") \
	S("greylist", ipv4,    NUMBER, "", CONFIG_WHOLE, conf.grey.ipv4, "24", 8, 32, "prefix length of the network that is one source, for clients without a name") \
	S("greylist", ipv6,    NUMBER, "", CONFIG_WHOLE, conf.grey.ipv6, "64", 16, 128, "likewise") \
	S("greylist", by_name, BOOL, "", CONFIG_WHOLE, conf.grey.by_name, "yes", 0, 1, "clients with a confirmed name are one source by the domain above it, so that a sender's pool passes as one; their names are looked up then") \
	L("greylist", exempt_recipients, SENDERS, CONFIG_WHOLE, conf.grey.exempt_recipients.rule, conf.grey.exempt_recipients.nrules, "", "who is never made to wait for mail: addresses, domains (\"example.org\"), sub-domains (\".example.org\")") \
	L("greylist", exempt_senders, SENDERS, CONFIG_WHOLE, conf.grey.exempt_senders.rule, conf.grey.exempt_senders.nrules, "", "sender addresses and domains that never wait; anybody can write them") \
	S("greylist", timeout, SECONDS, "", CONFIG_WHOLE, conf.grey.timeout_s, "1s", 1, 60, "wait for the judge's answer; without one the recipient passes") \
	S("greylist", entries, NUMBER, "", CONFIG_WHOLE, conf.grey.entries, "131072", GREY_ENTRIES_MIN, 1 << 24, "triplets and sources remembered; rounded up to a power of two; a hundred octets each") \
	S("list", file,   PATH, "", CONFIG_LIST, file, "", 0, 0, "file or folder of networks: text, Spamhaus DROP, ipset save, nft list set, each gzip or not") \
	S("list", action, WORD, CONFIG_ACTIONS, CONFIG_LIST, action, "drop", 0, 0, "what the kernel does with a listed source") \
	S("list", follow, BOOL, "", CONFIG_LIST, follow, "no", 0, 1, "load it again when it changes, not only on reload") \
	S("list", everything, BOOL, "", CONFIG_LIST, everything, "no", 0, 1, "take 0.0.0.0/0 and ::/0, which list everybody; without it they are an error in the file") \
	S("store", enabled,  BOOL, "", CONFIG_WHOLE, conf.store.enabled, "yes", 0, 1, "no: state lives as long as the daemon, and bans as long as the gate is loaded") \
	S("store", path,     PATH, "", CONFIG_WHOLE, conf.store.path, "/var/lib/postern/store", 0, 0, "folder; it belongs to judge_user, and is made if it is not there") \
	S("store", size,     BYTES, "", CONFIG_WHOLE, conf.store.bytes, "1G", 1 << 20, 1ull << 44, "octets that its file may grow to; a million bans take a fifth of the default") \
	S("store", interval, SECONDS, "", CONFIG_WHOLE, conf.store.interval_s, "2s", 1, 3600, "what is new is written so often; what a power cut can cost") \
	S("ban", threshold, NUMBER, "", CONFIG_WHOLE, conf.policy.threshold, "100", 1, 1000000, "points at which a source is banned") \
	S("ban", half_life, SECONDS, "", CONFIG_WHOLE, conf.policy.half_life_s, "1h", 1, 30 * CONFIG_DAY, "time in which a score halves") \
	S("ban", first,     SECONDS, "", CONFIG_WHOLE, conf.policy.ban_s, "10m", 1, CONFIG_YEAR, "length of the first ban; each relapse doubles it") \
	S("ban", max,       SECONDS, "", CONFIG_WHOLE, conf.policy.ban_max_s, "7d", 1, CONFIG_YEAR, "cap of the doubling") \
	S("ban", relapse,   SECONDS, "", CONFIG_WHOLE, conf.policy.relapse_s, "30d", 0, CONFIG_YEAR, "a ban that ended longer ago no longer doubles the next") \
	S("ban", action,    WORD, CONFIG_ACTIONS, CONFIG_WHOLE, conf.policy.action, "drop", 0, 0, "what the kernel does with a banned source") \
	S("ban", grace,     NUMBER, "", CONFIG_WHOLE, conf.policy.grace, "3", 0, PST_GRACE_MAX, "first contacts (SYNs) of an automatic ban that are refused with a reason before its action applies; 0 = none") \
	S("ban", grace_window, SECONDS, "", CONFIG_WHOLE, conf.grace_window_s, "1h", 1, CONFIG_YEAR, "after it the contacts of a ban with a grace are counted anew") \
	S("ban", prefix_sources, NUMBER, "", CONFIG_WHOLE, conf.promote.sources, "8", 0, PROMOTE_SOURCES, "when so many sources of an IPv4 /24 or IPv6 /48 were banned in a window, the whole of it is; sources in it that are allowed or whose mail was accepted are not meant; 0 = never") \
	S("ban", prefix_window, SECONDS, "", CONFIG_WHOLE, conf.promote.window_s, "1d", 1, 30 * CONFIG_DAY, "that window") \
	S("ban", breaker,   NUMBER, "", CONFIG_WHOLE, conf.breaker.share, "20", 0, 100, "no more automatic bans, and an alarm, when those of late would hit more than this percentage of the accepted mail; 0 = never") \
	S("ban", breaker_sources, NUMBER, "", CONFIG_WHOLE, conf.breaker.sources, "5", 1, 1000000, "banned sources with accepted mail; fewer never stop it, whatever their share") \
	S("ban", breaker_pause, SECONDS, "", CONFIG_WHOLE, conf.breaker.pause_s, "15m", 1, CONFIG_DAY, "how long no automatic bans are made, from the last one on that would have hit accepted mail") \
	S("ban", breaker_memory, SECONDS, "", CONFIG_WHOLE, conf.breaker.half_life_s, "1d", 60, 30 * CONFIG_DAY, "time in which accepted mail and its bans count half") \
	S("ban", amnesty,   NUMBER, "", CONFIG_WHOLE, conf.amnesty, "3", 0, 255, "a banned source that tries again so often, after pauses that do not become shorter, is a mail queue: it is refused with a reason from then on and no longer dropped; 0 = never") \
	S("ban", amnesty_pause, SECONDS, "", CONFIG_WHOLE, conf.amnesty_pause_s, "2m", 1, 3600, "what a pause is: a connection that is not answered repeats its SYN for up to a minute") \
	S("ban", observe,   BOOL, "", CONFIG_WHOLE, conf.policy.observe, "no", 0, 1, "judge and log, never ban") \
	S("rates", mode,        WORD, CONFIG_MODES, CONFIG_WHOLE, conf.rates.mode, "enforce", 0, 0, "observe: count and log who is over a ceiling, defer nobody") \
	S("rates", window,      SECONDS, "", CONFIG_WHOLE, conf.rates.window_s, "1m", 8, 3600, "time in which arrivals are counted; a ceiling ends by itself when the count is below it again") \
	S("rates", long_window, SECONDS, "", CONFIG_WHOLE, conf.rates.long_window_s, "1d", 60, 7 * CONFIG_DAY, "the same, for the ceilings named long: guessing that is slow, and shared by many sources of a prefix") \
	S("rates", sessions, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_SOURCE][CROWD_SESSIONS], "50", 0, 100000000, "live sessions, in all workers, of one IPv4 address or IPv6 /64; 0 = no ceiling") \
	S("rates", connections, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_SOURCE][CROWD_CONNECTIONS], "300", 0, 100000000, "connections in a window, 421 to those over it, of one IPv4 address or IPv6 /64; 0 = no ceiling") \
	S("rates", messages, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_SOURCE][CROWD_MESSAGES], "600", 0, 100000000, "accepted messages in a window; then 450 to MAIL, of one IPv4 address or IPv6 /64; 0 = no ceiling") \
	S("rates", recipients, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_SOURCE][CROWD_RCPTS], "3000", 0, 100000000, "accepted recipients in a window; then 450 to RCPT, of one IPv4 address or IPv6 /64; 0 = no ceiling") \
	S("rates", auth_failures, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_SOURCE][CROWD_AUTH], "20", 0, 100000000, "refused passwords in a window; then 421 to AUTH, of one IPv4 address or IPv6 /64; 0 = no ceiling") \
	S("rates", unknown_recipients, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_SOURCE][CROWD_UNKNOWN], "100", 0, 100000000, "recipients that the backend does not know, in a window; then 450 to RCPT, of one IPv4 address or IPv6 /64; 0 = no ceiling") \
	S("rates", auth_failures_long, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_SOURCE][CROWD_AUTH_LONG], "100", 0, 100000000, "refused passwords in the long window; then 421 to AUTH, of one IPv4 address or IPv6 /64; 0 = no ceiling") \
	S("rates", prefix_sessions, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_PREFIX][CROWD_SESSIONS], "200", 0, 100000000, "as sessions, of an IPv4 /24 or IPv6 /48; 0 = no ceiling") \
	S("rates", prefix_connections, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_PREFIX][CROWD_CONNECTIONS], "1500", 0, 100000000, "as connections, of an IPv4 /24 or IPv6 /48; 0 = no ceiling") \
	S("rates", prefix_messages, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_PREFIX][CROWD_MESSAGES], "3000", 0, 100000000, "as messages, of an IPv4 /24 or IPv6 /48; 0 = no ceiling") \
	S("rates", prefix_recipients, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_PREFIX][CROWD_RCPTS], "15000", 0, 100000000, "as recipients, of an IPv4 /24 or IPv6 /48; 0 = no ceiling") \
	S("rates", prefix_auth_failures, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_PREFIX][CROWD_AUTH], "60", 0, 100000000, "as auth_failures, of an IPv4 /24 or IPv6 /48; 0 = no ceiling") \
	S("rates", prefix_unknown_recipients, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_PREFIX][CROWD_UNKNOWN], "300", 0, 100000000, "as unknown_recipients, of an IPv4 /24 or IPv6 /48; 0 = no ceiling") \
	S("rates", prefix_auth_failures_long, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_PREFIX][CROWD_AUTH_LONG], "300", 0, 100000000, "as auth_failures_long, of an IPv4 /24 or IPv6 /48; 0 = no ceiling") \
	S("rates", total_sessions, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_TOTAL][CROWD_SESSIONS], "0", 0, 100000000, "as sessions, of all together; 0 = no ceiling") \
	S("rates", total_connections, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_TOTAL][CROWD_CONNECTIONS], "0", 0, 100000000, "as connections, of all together; 0 = no ceiling") \
	S("rates", total_messages, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_TOTAL][CROWD_MESSAGES], "0", 0, 100000000, "as messages, of all together; 0 = no ceiling") \
	S("rates", total_recipients, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_TOTAL][CROWD_RCPTS], "0", 0, 100000000, "as recipients, of all together; 0 = no ceiling") \
	S("rates", total_auth_failures, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_TOTAL][CROWD_AUTH], "0", 0, 100000000, "as auth_failures, of all together; 0 = no ceiling") \
	S("rates", total_unknown_recipients, NUMBER, "", CONFIG_WHOLE, conf.rates.max[CROWD_TOTAL][CROWD_UNKNOWN], "0", 0, 100000000, "as unknown_recipients, of all together; 0 = no ceiling") \
	S("tarpit", sessions, NUMBER, "", CONFIG_WHOLE, conf.tarpit.sessions, "0", 0, 100000, "that are answered so at once, in all workers; others are answered as usual; 0 = none") \
	S("tarpit", from,     NUMBER, "", CONFIG_WHOLE, conf.tarpit.from, "50", 1, 100, "score, in percent of the ban's threshold, with which a source's next session is one of them") \
	S("tarpit", octet,    MS, "", CONFIG_WHOLE, conf.tarpit.octet_ms, "1s", 0, 60000, "time that an octet takes") \
	S("refuse", hostname,       HOST, "", CONFIG_WHOLE, conf.refuse.hostname, "", 0, 0, "name in the greeting; empty = the global one") \
	S("refuse", url,            URL, "", CONFIG_WHOLE, conf.refuse.url, "", 0, 0, "where a refused sender's postmaster learns more; empty = none") \
	S("refuse", source_replies, NUMBER, "", CONFIG_WHOLE, conf.refuse.source_replies, "100", 0, 1000000, "packets a second sent to one IPv4 address or IPv6 /64; 0 = no limit") \
	S("refuse", all_replies,    NUMBER, "", CONFIG_WHOLE, conf.refuse.all_replies, "200000", 0, 1000000000, "packets a second sent to all of them; 0 = no limit") \
	S("syn_budget", mode,             WORD, CONFIG_MODES, CONFIG_WHOLE, conf.syn_mode, "observe", 0, 0, "observe: count those over the budget and let them pass; off: count nothing") \
	S("syn_budget", per_source,       NUMBER, "", CONFIG_WHOLE, conf.syn_source, "20", 0, 1000000, "SYNs a second of one IPv4 address or IPv6 /64; 0 = no limit") \
	S("syn_budget", per_source_burst, NUMBER, "", CONFIG_WHOLE, conf.syn_source_burst, "100", 1, 1000000, "SYNs at once") \
	S("syn_budget", global,           NUMBER, "", CONFIG_WHOLE, conf.syn_global, "5000", 0, 100000000, "SYNs a second of all sources; when they are spent, only sources that have delivered mail pass; 0 = no limit") \
	S("syn_budget", global_burst,     NUMBER, "", CONFIG_WHOLE, conf.syn_global_burst, "10000", 1, 100000000, "SYNs at once") \
	S("hide", pipelining, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_PIPELINING], "no", 0, 1, "commands that come ahead are served all the same") \
	S("hide", eightbitmime, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_8BITMIME], "no", 0, 1, "clients then send 7-bit content (RFC 6152)") \
	S("hide", smtputf8, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_SMTPUTF8], "no", 0, 1, "addresses outside ASCII are refused then (RFC 6531)") \
	S("hide", dsn, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_DSN], "no", 0, 1, "delivery status notifications (RFC 3461)") \
	S("hide", chunking, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_CHUNKING], "no", 0, 1, "BDAT (RFC 3030), which goes to the backend as DATA; whether it has CHUNKING does not matter") \
	S("hide", deliverby, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_DELIVERBY], "no", 0, 1, "time limits of delivery (RFC 2852)") \
	S("hide", mt_priority, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_MT_PRIORITY], "no", 0, 1, "priorities (RFC 6710)") \
	S("hide", requiretls, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_REQUIRETLS], "no", 0, 1, "TLS all the way (RFC 8689); offered inside TLS to clients of a backend that is verified and offers it") \
	S("hide", limits, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_LIMITS], "no", 0, 1, "what section limits allows, as EHLO tells it (RFC 9422)") \
	S("hide", vrfy, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_VRFY], "no", 0, 1, "answered 502, in place of 252") \
	S("hide", help, BOOL, "", CONFIG_WHOLE, sess.hide[EXT_HELP], "no", 0, 1, "answered 502, in place of 214") \
	S("content", bare_lf, WORD, CONFIG_FLAWS, CONFIG_WHOLE, sess.mend.lf, "reject", 0, 0, "LF without CR, as used to smuggle messages; normalize: becomes CRLF. Signatures (DKIM) over such messages break") \
	S("content", bare_cr, WORD, CONFIG_FLAWS, CONFIG_WHOLE, sess.mend.cr, "reject", 0, 0, "CR without LF; normalize: becomes a space") \
	S("content", nul,     WORD, CONFIG_FLAWS, CONFIG_WHOLE, sess.mend.nul, "reject", 0, 0, "NUL; normalize: becomes a space") \
	S("limits", message_size,    BYTES, "", CONFIG_WHOLE, sess.body.size, "50M", 0, 1ull << 40, "octets of a message; 0 = the backend's limit alone") \
	S("limits", header_size,     BYTES, "", CONFIG_WHOLE, sess.body.header_bytes, "256K", 1024, 1 << 30, "octets of a message's header section") \
	S("limits", session_size,    BYTES, "", CONFIG_WHOLE, sess.session_max, "0", 0, 1ull << 50, "octets of all messages of a session, at least one message's; 0 = no limit") \
	S("limits", hops,            NUMBER, "", CONFIG_WHOLE, sess.body.received, "50", 1, 1000, "Received fields: more means a loop") \
	S("limits", rcpts,           NUMBER, "", CONFIG_WHOLE, sess.rcpt_max, "1000", 100, 100000, "recipients of a message (RFC 5321 wants 100 at least)") \
	S("limits", null_rcpts,      NUMBER, "", CONFIG_WHOLE, sess.null_rcpt_max, "0", 0, 100000, "recipients of a message from <>; a bounce has one; those over it are deferred to a message of their own; 0 = as rcpts") \
	S("limits", messages,        NUMBER, "", CONFIG_WHOLE, sess.messages_max, "100", 0, 1000000, "messages of a session; 0 = no limit") \
	S("limits", errors,          NUMBER, "", CONFIG_WHOLE, sess.errors_max, "10", 1, 1000, "errors of a session before it is ended") \
	S("limits", auth_failures,   NUMBER, "", CONFIG_WHOLE, sess.auth_failures_max, "3", 0, 1000, "refused logins of a session, behind which its next one ends it; 0 = no limit") \
	S("limits", commands,        NUMBER, "", CONFIG_WHOLE, sess.commands_max, "100", 0, 100000, "commands without mail (NOOP, RSET, VRFY, HELP, EHLO, unknown ones) since the last message; more are an offence; 0 = no limit") \
	S("limits", command_timeout, SECONDS, "", CONFIG_WHOLE, sess.command_timeout_s, "5m", 5, 3600, "wait for a whole command") \
	S("limits", data_timeout,    SECONDS, "", CONFIG_WHOLE, sess.data_timeout_s, "3m", 5, 3600, "wait between blocks of a message") \
	S("limits", data_rate,       BYTES, "", CONFIG_WHOLE, sess.data_rate, "64", 0, 1 << 30, "octets of a message a second, on the average after its first minute; 0 = no minimum") \
	S("limits", tls_timeout,     SECONDS, "", CONFIG_WHOLE, sess.tls_timeout_s, "1m", 5, 3600, "wait for the end of a TLS handshake") \
	S("limits", answer_timeout,  SECONDS, "", CONFIG_WHOLE, sess.answer_timeout_s, "10m", 5, 7200, "the gate's wait for the backend's word on a message") \
	S("limits", backend_wait,    SECONDS, "", CONFIG_WHOLE, conf.backend_wait_s, "30s", 0, 300, "a session's wait for a connection while those of its backends are all in use, then 451 4.4.5; 0s = at once") \
	S("limits", sessions,        NUMBER, "", CONFIG_WHOLE, conf.sessions_max, "2000", 1, 1000000, "live sessions of one worker") \
	S("limits", stress,          NUMBER, "", CONFIG_WHOLE, conf.stress, "80", 0, 100, "percent of sessions from which on a worker is under stress: the greet pause is shorter, the greylist's mode stress enforces; 0 = never") \
	S("limits", sessions_per_source, NUMBER, "", CONFIG_WHOLE, conf.sessions_per_source, "20", 1, 1000000, "of one IPv4 address or IPv6 /64, in one worker") \
	S("limits", workers,         NUMBER, "", CONFIG_WHOLE, conf.workers, "2", 1, 24, "worker processes") \
	S("limits", ledger,          NUMBER, "", CONFIG_WHOLE, conf.ledger_entries, "65536", 16, 4194304, "sources remembered; rounded up to a power of two; 1.3 kilobytes each")
/* clang-format on */

#define CONFIG_POINT_MAX 100000 /* the section "points" has one row per reason of bpf/abi.h; "tests" and "passes" one per test of user/core/triage.h */

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
	const char *file; /* that it is a line of */
};

/* As config_read(), but calls show once per setting in place of making a struct conf. Values are not checked against the world. */
int config_show(const char *path, void (*show)(void *ctx, const struct config_shown *),
		void (*err)(void *ctx, const char *message), void *ctx);

#endif
