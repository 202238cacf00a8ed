/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi.h: the one header that both planes share.
 *
 * Tables (counters, reasons), keys, values, map names and limits. A row here is
 * the only place where a counter or a reason is declared: enum, text, JSON,
 * OpenMetrics and the manual's tables are generated from it.
 *
 * Enum order is ABI of the pinned maps: append only, and raise PST_SCHEMA when a
 * struct changes (user/migrate.c gets a row). A counter or reason more changes none. All times are CLOCK_MONOTONIC nanoseconds, so a ban ends by
 * itself even when no process of ours is alive.
 */
#ifndef PST_ABI_H
#define PST_ABI_H

#include <linux/bpf.h>
#include <linux/types.h>

#define PST_MAGIC  0x5053544eu /* "PSTN" */
#define PST_SCHEMA 3
#define PST_TEXT(x) PST_TEXT_(x)
#define PST_TEXT_(x) #x
/* Two versions must never mistake each other's pins. */
#define PST_PIN_DIR "/sys/fs/bpf/postern/v" PST_TEXT(PST_SCHEMA)

#define PST_BANS_MAX	   1048576 /* live bans; preallocated, never evicted by the kernel */
#define PST_BAN_ROWS_MAX   524288  /* of pst_ban_bits, 64 bits each, and of pst_ban_quick, four places each: room for two bans a row */
#define PST_BAN_ROWS_MIN   128
#define PST_NOTES_MAX	   65536   /* bans that carry an operator's text */
#define PST_ALLOW_MAX	   65536
#define PST_LIST_PREFIXES_MAX 2097152
#define PST_LISTS_MAX	   64
#define PST_CELLS	   (1u << 24) /* bytes of a first level: one per IPv4 /24, one per IPv6 /27 of 2000::/3 */
#define PST_LEAVES4_MAX	   2097152    /* /24s that a list covers in part; old and new side by side while a list is replaced */
#define PST_RICHES4_MAX	   524288     /* the same, for /24s in which several sets of lists meet */
#define PST_NETS6_MAX	   2097152
#define PST_CLASSES_MAX	   251 /* distinct sets of lists that cover a source together */
#define PST_LIST_NAME_MAX  32
#define PST_NOTE_MAX	   120
#define PST_TEXT_MAX	   124 /* of which 120 are used, so that it is copied in words */
#define PST_SLOT_SHIFT	   36  /* CLOCK_MONOTONIC ns >> this: a time slot of 69 seconds */
#define PST_SLOTS_LIVE	   8   /* a refused dialogue may last this many slots, the current one included */
#define PST_GUARD_ADDRS_MAX 16
#define PST_BAN_LENS_MAX   8 /* distinct prefix lengths of bans per family */
#define PST_SLOTS_MAX	   64
#define PST_SKETCH_LINES   16384 /* cache lines; a source has one, and in each of its quarters one cell of four */
#define PST_SKETCH_ROWS	   4
#define PST_SKETCH_COLS	   4
#define PST_BUCKETS_MAX	   65536 /* sources whose SYNs are counted exactly */
#define PST_GOOD_MAX	   65536 /* sources that have delivered mail */
#define PST_SLOT_BYTES	   4096 /* one page: a process maps its own slot only */
#define PST_COUNTERS_ROOM  256	 /* rows that struct pst_stats has room for: a new row changes no size */
#define PST_REASONS_ROOM   64
#define PST_SPANS_ROOM	   8
#define PST_ZONES_MAX	   32 /* of DNS lists */
#define PST_BACKENDS_MAX   64
#define PST_NAME_MAX	   256
#define PST_FIGURES_ROOM   8

/*
 * Counters. Rows of one family partition it, so sum() over a family is right.
 *   symbol, metric family (without the postern_ prefix), labels, help
 */
#define PST_COUNTERS(X)                                                                                     \
	X(PASS_CLEAN,      "xdp_packets_total", "verdict=\"passed\",reason=\"clean\"",      "Packets seen by the XDP program, each counted once at its exit") \
	X(PASS_ALLOWED,    "xdp_packets_total", "verdict=\"passed\",reason=\"allowed\"",    "")     \
	X(PASS_OBSERVED,   "xdp_packets_total", "verdict=\"passed\",reason=\"observed\"",   "")     \
	X(PASS_OFF,        "xdp_packets_total", "verdict=\"passed\",reason=\"gate_off\"",   "")     \
	X(PASS_UNGUARDED,  "xdp_packets_total", "verdict=\"passed\",reason=\"unguarded\"",  "")     \
	X(PASS_NOT_IP,     "xdp_packets_total", "verdict=\"passed\",reason=\"not_ip\"",     "")     \
	X(PASS_FRAGMENT,   "xdp_packets_total", "verdict=\"passed\",reason=\"fragment\"",   "")     \
	X(PASS_SHORT_ETH,  "xdp_packets_total", "verdict=\"passed\",reason=\"short_eth\"",  "")     \
	X(PASS_SHORT_VLAN, "xdp_packets_total", "verdict=\"passed\",reason=\"short_vlan\"", "")     \
	X(PASS_VLAN_DEPTH, "xdp_packets_total", "verdict=\"passed\",reason=\"vlan_depth\"", "")     \
	X(PASS_SHORT_IP4,  "xdp_packets_total", "verdict=\"passed\",reason=\"short_ip4\"",  "")     \
	X(PASS_BAD_IP4,    "xdp_packets_total", "verdict=\"passed\",reason=\"bad_ip4\"",    "")     \
	X(PASS_SHORT_IP6,  "xdp_packets_total", "verdict=\"passed\",reason=\"short_ip6\"",  "")     \
	X(PASS_BAD_IP6,    "xdp_packets_total", "verdict=\"passed\",reason=\"bad_ip6\"",    "")     \
	X(PASS_SHORT_EXT,  "xdp_packets_total", "verdict=\"passed\",reason=\"short_ext\"",  "")     \
	X(PASS_EXT_DEPTH,  "xdp_packets_total", "verdict=\"passed\",reason=\"ext_depth\"",  "")     \
	X(PASS_SHORT_TCP,  "xdp_packets_total", "verdict=\"passed\",reason=\"short_tcp\"",  "")     \
	X(DROP_BANNED,     "xdp_packets_total", "verdict=\"dropped\",reason=\"banned\"",    "")     \
	X(DROP_LISTED,     "xdp_packets_total", "verdict=\"dropped\",reason=\"listed\"",    "")     \
	X(RESET_BANNED,    "xdp_packets_total", "verdict=\"reset\",reason=\"banned\"",      "")     \
	X(RESET_LISTED,    "xdp_packets_total", "verdict=\"reset\",reason=\"listed\"",      "")     \
	X(CONN_ACCEPTED,   "connections_total", "verdict=\"accepted\"",       "SMTP connections by what the gate did with them") \
	X(CONN_BANNED,     "connections_total", "verdict=\"banned\"",         "")                   \
	X(CONN_DENIED,     "connections_total", "verdict=\"denied\"",         "")                   \
	X(CONN_BUSY,       "connections_total", "verdict=\"busy\"",           "")                   \
	X(SESS_QUIT,       "sessions_total",    "end=\"quit\"",               "Finished SMTP sessions by how they ended") \
	X(SESS_HANGUP,     "sessions_total",    "end=\"hangup\"",             "")                   \
	X(SESS_TIMEOUT,    "sessions_total",    "end=\"timeout\"",            "")                   \
	X(SESS_REFUSED,    "sessions_total",    "end=\"refused\"",            "")                   \
	X(SESS_KICKED,     "sessions_total",    "end=\"kicked\"",             "")                   \
	X(SESS_SHUTDOWN,   "sessions_total",    "end=\"shutdown\"",           "")                   \
	X(MSG_ACCEPTED,    "messages_total",    "result=\"accepted\"",        "Messages whose DATA was begun, by the reply to the end of data") \
	X(MSG_REJECTED,    "messages_total",    "result=\"rejected\"",        "")                   \
	X(MSG_DEFERRED,    "messages_total",    "result=\"deferred\"",        "")                   \
	X(MSG_ABORTED,     "messages_total",    "result=\"aborted\"",         "")                   \
	X(RCPT_ACCEPTED,   "recipients_total",  "result=\"accepted\"",        "Recipients by the reply to RCPT") \
	X(RCPT_RELAY,      "recipients_total",  "result=\"relay_refused\"",   "")                   \
	X(RCPT_SYNTAX,     "recipients_total",  "result=\"syntax\"",          "")                   \
	X(RCPT_TRAP,       "recipients_total",  "result=\"trap\"",            "")                   \
	X(RCPT_REJECTED,   "recipients_total",  "result=\"rejected\"",        "")                   \
	X(RCPT_DEFERRED,   "recipients_total",  "result=\"deferred\"",        "")                   \
	X(AUTH_OK,         "auth_total",        "result=\"ok\"",              "AUTH exchanges by result")   \
	X(AUTH_FAILED,     "auth_total",        "result=\"failed\"",          "")                   \
	X(TLS_OK,          "tls_handshakes_total", "result=\"ok\"",           "TLS handshakes with clients by result") \
	X(TLS_FAILED,      "tls_handshakes_total", "result=\"failed\"",       "")                   \
	X(BACKEND_OK,      "backend_connections_total", "result=\"ok\"",      "Connections to backends by result") \
	X(BACKEND_FAILED,  "backend_connections_total", "result=\"failed\"",  "")                   \
	X(BAN_AUTOMATIC,   "bans_total",        "origin=\"automatic\"",       "Bans written, by who asked for them") \
	X(BAN_OPERATOR,    "bans_total",        "origin=\"operator\"",        "")                   \
	X(BAN_EVICTED,     "bans_ended_total",  "how=\"evicted\"",            "Bans removed before or at their end, by how") \
	X(BAN_DELETED,     "bans_ended_total",  "how=\"deleted\"",            "")                   \
	X(BAN_EXPIRED,     "bans_ended_total",  "how=\"expired\"",            "")                   \
	X(BAN_REFUSED,     "bans_refused_total", "cause=\"never_ban\"",       "Bans not written, by cause") \
	X(BAN_FULL,        "bans_refused_total", "cause=\"map_full\"",        "")                   \
	X(RELOAD_OK,       "config_reloads_total", "result=\"ok\"",           "Configuration reloads by result") \
	X(RELOAD_FAILED,   "config_reloads_total", "result=\"failed\"",       "")                   \
	X(WORKER_STARTED,  "worker_starts_total", "kind=\"planned\"",         "Worker processes started, by why") \
	X(WORKER_RESTARTED, "worker_starts_total", "kind=\"replacement\"",    "")                   \
	X(GATE_REATTACHED, "gate_reattach_total", "",                         "Times the XDP program was attached again to an interface") \
	X(REFUSE_SYNACK,     "xdp_packets_total", "verdict=\"refused\",reason=\"synack\"",    "") \
	X(REFUSE_GREETING,   "xdp_packets_total", "verdict=\"refused\",reason=\"greeting\"",  "") \
	X(REFUSE_REPLY,      "xdp_packets_total", "verdict=\"refused\",reason=\"reply\"",     "") \
	X(REFUSE_RECIPIENT,  "xdp_packets_total", "verdict=\"refused\",reason=\"recipient\"", "") \
	X(REFUSE_ACK,        "xdp_packets_total", "verdict=\"refused\",reason=\"ack\"",       "") \
	X(REFUSE_SILENT,     "xdp_packets_total", "verdict=\"dropped\",reason=\"refuse_silent\"",     "") \
	X(REFUSE_UNVERIFIED, "xdp_packets_total", "verdict=\"dropped\",reason=\"refuse_unverified\"", "") \
	X(REFUSE_BUDGET,     "xdp_packets_total", "verdict=\"dropped\",reason=\"refuse_budget\"",     "") \
	X(DROP_BANNED_HOST,  "xdp_packets_total", "verdict=\"dropped\",reason=\"banned_host\"",       "") \
	X(DROP_SYN_SOURCE,   "xdp_packets_total", "verdict=\"dropped\",reason=\"syn_source\"",        "") \
	X(DROP_SYN_GLOBAL,   "xdp_packets_total", "verdict=\"dropped\",reason=\"syn_global\"",        "") \
	X(PASS_SYN_OBSERVED, "xdp_packets_total", "verdict=\"passed\",reason=\"syn_observed\"",       "") \
	X(BANS_USED,         "ban_table",         "state=\"used\"", "Bans that the table holds and has room for, when posternd last looked") \
	X(BANS_FREE,         "ban_table",         "state=\"free\"", "") \
	X(MAIL_ACCEPTED,   "senders_total",     "result=\"accepted\"",        "Senders by what was made of MAIL, where it was in order") \
	X(MAIL_OBSERVED,   "senders_total",     "result=\"observed\"",        "") \
	X(MAIL_REFUSED,    "senders_total",     "result=\"refused\"",         "") \
	X(MAIL_SYNTAX,     "senders_total",     "result=\"syntax\"",          "") \
	X(MAIL_SIZE,       "senders_total",     "result=\"size\"",            "") \
	X(BACKEND_REUSED,  "backend_reused_total", "",                        "Sessions served by a connection to a backend that had served another before") \
	X(TRIAGE_KNOWN,    "triage_total",      "result=\"remembered\"",      "Sessions by what the tests of the client said") \
	X(TRIAGE_PASSED,   "triage_total",      "result=\"passed\"",          "") \
	X(TRIAGE_OBSERVED, "triage_total",      "result=\"observed\"",        "") \
	X(TRIAGE_ENFORCED, "triage_total",      "result=\"enforced\"",        "") \
	X(TRIAGE_DROPPED,  "triage_total",      "result=\"dropped\"",         "") \
	X(RCPT_TRIAGE,     "recipients_total",  "result=\"triage\"",          "") \
	X(RCPT_GREY,       "recipients_total",  "result=\"greylisted\"",      "") \
	X(RCPT_RATE,       "recipients_total",  "result=\"over_rate\"",       "") \
	X(MAIL_RATE,       "senders_total",     "result=\"over_rate\"",       "") \
	X(DNSL_LISTED,     "dnsl_answers_total", "result=\"listed\"",         "Answers of DNS lists by what they say") \
	X(DNSL_CLEAN,      "dnsl_answers_total", "result=\"clean\"",          "") \
	X(DNSL_ERROR,      "dnsl_answers_total", "result=\"error\"",          "") \
	X(DNSL_TIMEOUT,    "dnsl_answers_total", "result=\"timeout\"",        "") \
	X(DNSL_CACHED,     "dnsl_cached_total", "",                         "Answers of DNS lists that were taken from the cache") \
	X(DNSL_ZONES_UP,   "dnsl_zones",        "state=\"up\"",              "Zones of DNS lists by the last test of theirs (RFC 5782), per worker") \
	X(DNSL_ZONES_DOWN, "dnsl_zones",        "state=\"down\"",            "") \
	X(GREY_PASSED,     "greylist_total",    "result=\"passed\"",          "Recipients of strangers by what the greylist said") \
	X(GREY_KNOWN,      "greylist_total",    "result=\"known\"",           "") \
	X(GREY_DEFERRED,   "greylist_total",    "result=\"deferred\"",        "") \
	X(GREY_OBSERVED,   "greylist_total",    "result=\"observed\"",        "") \
	X(GREY_UNANSWERED, "greylist_total",    "result=\"unanswered\"",      "") \
	X(RATE_CONNECTIONS, "over_rate_total",  "what=\"connections\"",       "Sources and prefixes that went over a ceiling, by which") \
	X(RATE_SESSIONS,   "over_rate_total",   "what=\"sessions\"",          "") \
	X(RATE_MESSAGES,   "over_rate_total",   "what=\"messages\"",          "") \
	X(RATE_RCPTS,      "over_rate_total",   "what=\"recipients\"",        "") \
	X(RATE_AUTH,       "over_rate_total",   "what=\"auth_failures\"",     "") \
	X(RATE_UNKNOWN,    "over_rate_total",   "what=\"unknown_recipients\"", "") \
	X(TARPIT_HELD,     "tarpit_sessions_total", "result=\"held\"",        "Sessions that were to be answered slowly") \
	X(TARPIT_FULL,     "tarpit_sessions_total", "result=\"full\"",        "") \
	X(BAN_BREAKER,     "bans_refused_total", "cause=\"breaker\"",         "") \
	X(BAN_PROMOTED,    "prefix_bans_total", "",                         "Bans of whole prefixes, made because of the sources in them") \
	X(BAN_AMNESTY,     "amnesties_total",   "",                         "Bans that were changed to refuse because their source retries as a mail queue does") \
	X(STORE_OK,        "store_writes_total", "result=\"ok\"",             "Records for the store by what became of them") \
	X(STORE_FAILED,    "store_writes_total", "result=\"failed\"",         "") \
	X(STORE_DROPPED,   "store_writes_total", "result=\"dropped\"",        "") \
	X(STORE_UP,        "store_up",          "",                         "1 while state is kept on disk") \
	X(BREAKER_OPEN,    "breaker_open",      "",                         "1 while no automatic bans are made because they would hit too many good sources") \
	X(PASS_DEAD_MAN,   "xdp_packets_total", "verdict=\"passed\",reason=\"dead_man\"", "") \
	X(MAIL_DIVERTED,   "senders_total",     "result=\"diverted\"",        "") \
	X(LINKS_NATIVE,    "gate_interfaces",   "state=\"native\"",           "Interfaces of the configuration by how the XDP program is on them, when posternd last looked") \
	X(LINKS_GENERIC,   "gate_interfaces",   "state=\"generic\"",          "") \
	X(LINKS_NONE,      "gate_interfaces",   "state=\"not_attached\"",     "") \
	X(BACKENDS_UP,     "backends",          "state=\"up\"",               "Backends by what the workers last found of them; unsure: they do not agree, or have not tried") \
	X(BACKENDS_DOWN,   "backends",          "state=\"down\"",             "") \
	X(BACKENDS_UNSURE, "backends",          "state=\"unsure\"",           "") \
	X(SESSIONS_LIVE,   "sessions_live",     "",                         "Sessions that live, when the judge last looked") \
	X(RATE_HELD,       "held_sources_total", "",                         "Sources whose SYNs the kernel half drops for a while: they went on while they were told that it is too much") \
	X(BACKEND_WAITED,  "backend_waits_total", "",                       "Times a session waited for a connection because its backends had as many as they may have") \
	X(BACKEND_GAVE_UP, "backend_waits_expired_total", "",               "Times it waited in vain and the client was deferred (451 4.4.5)") \
	X(FILES_USED,      "worker_files",      "state=\"used\"",             "Descriptors that the workers have open and may open, by their own count") \
	X(FILES_FREE,      "worker_files",      "state=\"free\"",             "") \
	X(WORKERS_STRESSED, "stressed_workers", "",                         "Workers under stress: they have nearly as many sessions as they may") \
	X(BACKEND_2XX,     "backend_replies_total", "class=\"2xx\"",           "Replies of backends to what sessions asked, by the first digit of the code") \
	X(BACKEND_3XX,     "backend_replies_total", "class=\"3xx\"",           "") \
	X(BACKEND_4XX,     "backend_replies_total", "class=\"4xx\"",           "") \
	X(BACKEND_5XX,     "backend_replies_total", "class=\"5xx\"",           "") \
	X(CMD_EHLO,         "commands_total",      "verb=\"ehlo\"",              "SMTP commands that sessions read, by verb, whatever the reply; other: what is none of these") \
	X(CMD_HELO,         "commands_total",      "verb=\"helo\"",              "") \
	X(CMD_MAIL,         "commands_total",      "verb=\"mail\"",              "") \
	X(CMD_RCPT,         "commands_total",      "verb=\"rcpt\"",              "") \
	X(CMD_DATA,         "commands_total",      "verb=\"data\"",              "") \
	X(CMD_BDAT,         "commands_total",      "verb=\"bdat\"",              "") \
	X(CMD_RSET,         "commands_total",      "verb=\"rset\"",              "") \
	X(CMD_NOOP,         "commands_total",      "verb=\"noop\"",              "") \
	X(CMD_QUIT,         "commands_total",      "verb=\"quit\"",              "") \
	X(CMD_VRFY,         "commands_total",      "verb=\"vrfy\"",              "") \
	X(CMD_EXPN,         "commands_total",      "verb=\"expn\"",              "") \
	X(CMD_HELP,         "commands_total",      "verb=\"help\"",              "") \
	X(CMD_STARTTLS,     "commands_total",      "verb=\"starttls\"",          "") \
	X(CMD_AUTH,         "commands_total",      "verb=\"auth\"",              "") \
	X(CMD_XCLIENT,      "commands_total",      "verb=\"xclient\"",           "") \
	X(CMD_OTHER,        "commands_total",      "verb=\"other\"",             "") \
	X(TEST_PREGREET,    "tests_total",         "test=\"pregreet\"",          "Tests of clients that came to a result, once a session") \
	X(TEST_PIPELINING,  "tests_total",         "test=\"pipelining\"",        "") \
	X(TEST_NON_SMTP,    "tests_total",         "test=\"non_smtp\"",          "") \
	X(TEST_BARE_NEWLINE, "tests_total",        "test=\"bare_newline\"",      "") \
	X(TEST_HELO_LITERAL, "tests_total",        "test=\"helo_literal\"",      "") \
	X(TEST_HELO_OWN,    "tests_total",         "test=\"helo_own\"",          "") \
	X(TEST_HELO_NAME,   "tests_total",         "test=\"helo_name\"",         "") \
	X(TEST_HELO_OTHER,  "tests_total",         "test=\"helo_mismatch\"",     "") \
	X(TEST_NO_RDNS,     "tests_total",         "test=\"no_rdns\"",           "") \
	X(TEST_RDNS_OTHER,  "tests_total",         "test=\"rdns_mismatch\"",     "") \
	X(TEST_COMMANDS,    "tests_total",         "test=\"commands\"",          "") \
	X(TEST_HANGUP,      "tests_total",         "test=\"hangup\"",            "") \
	X(TEST_DNSL,        "tests_total",         "test=\"dnsl\"",              "") \
	X(TEST_BACKUP,      "tests_total",         "test=\"backup\"",            "") \
	X(FAILED_PREGREET,  "test_failures_total", "test=\"pregreet\"",          "Tests of clients that found what they look for, once a session") \
	X(FAILED_PIPELINING, "test_failures_total", "test=\"pipelining\"",        "") \
	X(FAILED_NON_SMTP,  "test_failures_total", "test=\"non_smtp\"",          "") \
	X(FAILED_BARE_NEWLINE, "test_failures_total", "test=\"bare_newline\"",      "") \
	X(FAILED_HELO_LITERAL, "test_failures_total", "test=\"helo_literal\"",      "") \
	X(FAILED_HELO_OWN,  "test_failures_total", "test=\"helo_own\"",          "") \
	X(FAILED_HELO_NAME, "test_failures_total", "test=\"helo_name\"",         "") \
	X(FAILED_HELO_OTHER, "test_failures_total", "test=\"helo_mismatch\"",     "") \
	X(FAILED_NO_RDNS,   "test_failures_total", "test=\"no_rdns\"",           "") \
	X(FAILED_RDNS_OTHER, "test_failures_total", "test=\"rdns_mismatch\"",     "") \
	X(FAILED_COMMANDS,  "test_failures_total", "test=\"commands\"",          "") \
	X(FAILED_HANGUP,    "test_failures_total", "test=\"hangup\"",            "") \
	X(FAILED_DNSL,      "test_failures_total", "test=\"dnsl\"",              "") \
	X(FAILED_BACKUP,    "test_failures_total", "test=\"backup\"",            "") \
	X(LOG_DROPPED,      "log_messages_dropped_total", "",                   "Lines of the log that neither the journal or syslog nor standard error took; nobody waits for them") \
	X(DEGRADED_GATE,     "degraded",            "part=\"gate\"",            "1 while a part does not do what the configuration asks for, and the rest goes on; the parts are below") \
	X(DEGRADED_POLICY,   "degraded",            "part=\"policy\"",          "") \
	X(DEGRADED_JUDGE,    "degraded",            "part=\"judge\"",           "") \
	X(DEGRADED_WORKERS,  "degraded",            "part=\"workers\"",         "") \
	X(DEGRADED_STORE,    "degraded",            "part=\"store\"",           "") \
	X(DEGRADED_BACKEND,  "degraded",            "part=\"backend\"",         "") \
	X(DEGRADED_BANS,     "degraded",            "part=\"bans\"",            "") \
	X(DEGRADED_DNSL,     "degraded",            "part=\"dnsl\"",            "") \
	X(DEGRADED_NAMES,    "degraded",            "part=\"names\"",           "") \
	X(DEGRADED_LISTS,    "degraded",            "part=\"lists\"",           "") \
	X(DEGRADED_CONFIG,   "degraded",            "part=\"config\"",          "") \
	X(DEGRADED_LOG,      "degraded",            "part=\"log\"",             "") \
	X(BYTES_DROPPED,    "xdp_bytes_total",     "verdict=\"dropped\"",       "Bytes of the packets that the XDP program saw, Ethernet header included, as they came, of a jumbo frame its first buffer; answered: reset or refused") \
	X(BYTES_PASSED,     "xdp_bytes_total",     "verdict=\"passed\"",        "") \
	X(BYTES_ANSWERED,   "xdp_bytes_total",     "verdict=\"answered\"",      "")

enum pst_counter {
#define PST_X(sym, family, labels, help) PST_CNT_##sym,
	PST_COUNTERS(PST_X)
#undef PST_X
	PST_CNT_MAX
};

/*
 * Spans: times that are counted by how long they were, all in the same buckets.
 *   symbol, metric family (without the postern_ prefix), help
 */
#define PST_SPANS(X) \
	X(SESSION, "session_duration_seconds", "How long SMTP sessions lasted, from the client's address to the last reply") \
	X(BACKEND, "backend_latency_seconds",  "How long clients waited for a backend's reply, connecting to it included; recipients that leave together count once") \
	X(DNSL,    "dnsl_latency_seconds",     "How long DNS lists took to answer; those that never did are in dnsl_answers_total")

/* The buckets' upper bounds: microseconds, and seconds as OpenMetrics writes them. Behind the last is one for all that is longer. */
#define PST_BOUNDS(X) \
	X(1000, "0.001") X(2500, "0.0025") X(5000, "0.005") X(10000, "0.01") X(25000, "0.025") X(50000, "0.05") X(100000, "0.1") \
	X(250000, "0.25") X(500000, "0.5") X(1000000, "1.0") X(2500000, "2.5") X(5000000, "5.0") X(10000000, "10.0") X(30000000, "30.0") \
	X(60000000, "60.0") X(300000000, "300.0") X(1800000000, "1800.0")

enum pst_span_row {
#define PST_X(sym, family, help) PST_SPAN_##sym,
	PST_SPANS(PST_X)
#undef PST_X
	PST_SPAN_MAX
};

#define PST_X(us, le) +1
enum { PST_BOUNDS_MAX = 0 PST_BOUNDS(PST_X) };
#undef PST_X

/*
 * Figures of what the configuration names: its zones of DNS lists and its backends, so there are few.
 *   symbol, metric family (without the postern_ prefix), help
 */
#define PST_ZONE_FIGURES(X) \
	X(QUERIES,  "dnsl_queries_total",  "Questions to DNS lists, by zone") \
	X(LISTED,   "dnsl_listed_total",   "Answers of DNS lists that list a client, by zone") \
	X(FAILURES, "dnsl_failures_total", "Questions to DNS lists that had no answer, or an error for one, by zone") \
	X(UP,       "dnsl_up",             "1 while the workers find the zone in order, and it is asked")
#define PST_BACKEND_FIGURES(X) \
	X(SESSIONS, "backend_sessions_total", "Sessions served, by backend") \
	X(FAILURES, "backend_failures_total", "Connections that came to nothing, by backend") \
	X(UP,       "backend_up",             "1 while the workers find the backend in order; 0 also when none of them has tried it")

enum pst_zone_figure {
#define PST_X(sym, family, help) PST_ZONE_##sym,
	PST_ZONE_FIGURES(PST_X)
#undef PST_X
	PST_ZONE_FIGURES_MAX
};

enum pst_backend_figure {
#define PST_X(sym, family, help) PST_BACKEND_##sym,
	PST_BACKEND_FIGURES(PST_X)
#undef PST_X
	PST_BACKEND_FIGURES_MAX
};

/*
 * Reasons: the only list of offences, and of why a ban exists. A new test is one
 * row here and the line of code that finds it.
 *   symbol, name, reply code (0 = the backend's own reply stands), enhanced code,
 *   text said to the client (never a client byte, never the digits of another
 *   code), default points, final (the session ends after the reply), why
 */
#define PST_REASONS(X)                                                                                                       \
	X(OPERATOR,  "operator",            550, "5.7.1", "Service unavailable",               0, 1, "An operator banned the source by command.")            \
	X(RELAY,     "relay-attempt",       550, "5.7.1", "Unable to relay",                  50, 0, "RCPT for a foreign domain, or an address with sender-specified routing, from a source without a relay grant.") \
	X(EARLY,     "early-talker",        554, "5.5.1", "Protocol error",                   60, 1, "Bytes arrived before the greeting was complete (RFC 5321 section 3.1: the client waits for it).") \
	X(PIPELINE,  "unauthorized-pipelining", 554, "5.5.0", "Protocol synchronization error", 40, 1, "Bytes followed a command that must end a group (RFC 2920 section 3.1).") \
	X(UNKNOWN,   "unknown-command",     500, "5.5.2", "Command not recognized",           10, 0, "A verb that is not SMTP.")                               \
	X(NON_SMTP,  "non-smtp",            521, "5.7.0", "This is a mail server",            60, 1, "HTTP, TLS, SSH or another protocol spoken on the SMTP port.") \
	X(SYNTAX,    "syntax-junk",         501, "5.5.4", "Syntax error in parameters",        5, 0, "Arguments that RFC 5321 does not allow.")                 \
	X(LONG_LINE, "long-line",           500, "5.5.2", "Line too long",                    10, 0, "A command line over the limit.")                         \
	X(JUNK_LINE, "junk-line",           500, "5.5.2", "Line holds control or 8-bit bytes", 20, 0, "NUL, control or unannounced 8-bit bytes in a command line.") \
	X(BARE_LF,   "bare-newline",        550, "5.5.2", "Bare CR or LF received",           60, 1, "CR or LF outside CRLF, in a command or in a message: the way SMTP smuggling starts (RFC 5321 section 2.3.8).") \
	X(NUL_BYTE,  "nul-in-message",      550, "5.6.0", "Message holds NUL bytes",          10, 0, "NUL in message content (RFC 5321 section 4.5.2).")        \
	X(HEADERS,   "endless-headers",     552, "5.3.4", "Message header too large",         20, 0, "A header section over the limit.")                       \
	X(ERRORS,    "too-many-errors",     421, "4.7.0", "Too many errors",                  30, 1, "The session collected more errors than the limit.")       \
	X(SLOW,      "too-slow",            421, "4.4.2", "Timeout exceeded",                  2, 1, "The client let a deadline pass.")                         \
	X(HARVEST,   "unknown-recipient",     0, "",      "",                                 10, 0, "The backend refused a recipient with a permanent code: address harvesting when it repeats.") \
	X(AUTH,      "auth-failure",          0, "",      "",                                 15, 0, "The backend refused the credentials.")                   \
	X(TRAP,      "trap-recipient",      550, "5.1.1", "No such user",                    100, 0, "A recipient that exists only to be spammed.") \
	X(SENDER,    "refused-sender",      550, "5.7.1", "Sender address refused",           20, 0, "MAIL from an address or domain on a list of refused senders.") \
	X(OWN_SENDER, "own-domain-sender",  550, "5.7.1", "Sender address is ours, and you are not", 20, 0, "MAIL from a domain of ours by a source that neither authenticated nor may relay.") \
	X(HELO_LITERAL, "helo-literal",     550, "5.7.1", "HELO is an address literal",        0, 0, "EHLO or HELO with an address in place of a name; mail servers have names.") \
	X(HELO_OWN,  "helo-own",            550, "5.7.1", "HELO is our own name",             60, 0, "EHLO or HELO with the gate's own name or address, or one of its domains, by a client that may not relay.") \
	X(HELO_NAME, "helo-unqualified",    550, "5.5.2", "HELO is not a full host name",      0, 0, "EHLO or HELO with a name without a dot (RFC 5321 section 2.3.5 wants a full one).") \
	X(HELO_OTHER, "helo-mismatch",      550, "5.7.1", "HELO is not your host's name",      2, 0, "EHLO or HELO with a name that neither is the client's confirmed name nor leads to its address.") \
	X(NO_RDNS,   "no-reverse-dns",      550, "5.7.25", "Your address has no name",         5, 0, "The client's address has no PTR record.") \
	X(RDNS_OTHER, "unconfirmed-reverse-dns", 550, "5.7.25", "The name of your address does not lead back to it", 5, 0, "The client's address has a name, but the name has other addresses.") \
	X(COMMANDS,  "too-many-commands",   421, "4.7.0", "Too many commands",                20, 1, "More commands that bring no mail forward than the limit.") \
	X(HANGUP,    "hang-up",               0, "",      "",                                  0, 0, "The client closed the connection without QUIT before it had sent a message.") \
	X(DNSL,      "dns-list",            550, "5.7.1", "Your address is on a DNS list",     0, 0, "DNS lists know the source, with more weight than the limit.") \
	X(BACKUP,    "backup-first",        450, "4.7.0", "Try the primary mail server first", 20, 0, "A stranger's first contact was a listener marked as backup.") \
	X(RATE,      "over-rate",           450, "4.7.0", "Too much from your address, try again later", 5, 0, "More of something in a window of time than its ceiling, again and again.") \
	X(TRAP_DOMAIN, "trap-domain",       550, "5.1.2", "No such domain",                  100, 0, "A recipient in a domain that exists only to be spammed.") \
	X(PREFIX,    "prefix",              550, "5.7.1", "Service unavailable",               0, 1, "So many sources of one prefix offended that the whole prefix is banned.") \
	X(DNSL_BAN,  "dns-list-ban",        550, "5.7.1", "Your address is on DNS lists",     100, 0, "DNS lists know the source, with so much weight that it is banned for as long as their answers hold.")

enum pst_reason {
#define PST_X(sym, name, code, enh, text, points, fin, why) PST_RSN_##sym,
	PST_REASONS(PST_X)
#undef PST_X
	PST_RSN_MAX
};

/*
 * What the kernel does with a packet of a banned or listed source. The numbers are ABI and say nothing
 * of strictness: action_rank() does.
 *   refuse: an SMTP dialogue that says no at RCPT; banner: a greeting that says no, and the end
 */
#define PST_ACTIONS(X) X(OBSERVE, "observe") X(RESET, "reset") X(DROP, "drop") X(REFUSE, "refuse") X(BANNER, "banner")

enum pst_action {
#define PST_X(sym, name) PST_ACT_##sym,
	PST_ACTIONS(PST_X)
#undef PST_X
	PST_ACT_MAX
};

#define PST_ORIGINS(X) X(AUTOMATIC, "automatic") X(OPERATOR, "operator")

enum pst_origin {
#define PST_X(sym, name) PST_ORIGIN_##sym,
	PST_ORIGINS(PST_X)
#undef PST_X
	PST_ORIGIN_MAX
};

#define PST_MODES(X) X(ENFORCE, "enforce") X(OBSERVE, "observe") X(OFF, "off")

enum pst_mode {
#define PST_X(sym, name) PST_MODE_##sym,
	PST_MODES(PST_X)
#undef PST_X
	PST_MODE_MAX
};

/* One address space for both families: IPv4 is kept v4-mapped (::ffff:a.b.c.d), network order. */
struct pst_addr {
	__u8 b[16];
};

/* A CIDR prefix, host bits zero. len counts in the 128-bit space: an IPv4 /n is 96 + n. */
struct pst_prefix {
	struct pst_addr addr;
	__u32 len;
};

/* LPM_TRIE wants the length first. */
struct pst_lpm_key {
	__u32 len;
	struct pst_addr addr;
};

/* guarded: every guarded port; port: one of them; host: every packet of the source, ARP and neighbour discovery apart */
#define PST_SCOPES(X) X(GUARDED, "guarded") X(PORT, "port") X(HOST, "host")

enum pst_scope {
#define PST_X(sym, name) PST_SCOPE_##sym,
	PST_SCOPES(PST_X)
#undef PST_X
	PST_SCOPE_MAX
};

#define PST_GRACE_MAX 255

/*
 * pst_bans: struct pst_prefix -> struct pst_ban. Alive while now < until_ns; hits, first_ns, last_ns, contacts and window_ns
 * are the kernel's. A contact is a SYN.
 */
struct pst_ban {
	__u64 until_ns; /* ~0 = no end */
	__u64 made_ns;	/* when the deciding offence happened, or the command was given */
	__u64 first_ns; /* first packet refused, 0 = none yet */
	__u64 last_ns;	/* last packet refused (coarse clock) */
	__u64 hits;	/* packets refused */
	__u8 action;	/* enum pst_action */
	__u8 reason;	/* enum pst_reason */
	__u8 origin;	/* enum pst_origin */
	__u8 relapse;	/* how often this source was banned before, saturating */
	__u32 score;	/* PST_BAN_SCORE: points that decided, 0 for an operator's ban; of a prefix: how many of its sources offended. The rest is the kernel's */
	__u16 port;	/* of PST_SCOPE_PORT, else 0 */
	__u8 scope;	/* enum pst_scope */
	__u8 grace;	/* contacts in a window that are refused with a reason before the action applies */
	__u32 contacts; /* in the window */
	__u64 window_ns; /* its begin (coarse clock), 0 = none yet */
};

/*
 * How the source comes again, told by its SYNs: a try is a SYN after conf.retry_ns without a packet. Whoever retries as a mail queue
 * does is counted: pauses that do not become shorter by more than a quarter. A pause that does begins the count anew. PST_BAN_PAUSE: the last
 * one, in units of 2^PST_PAUSE_SHIFT ns (34 s), saturating. A ban that is written over another begins at zero.
 */
#define PST_PAUSE_SHIFT	      35
#define PST_SCORE_MAX	      0xffffu
#define PST_BAN_SCORE(word)   ((word) & PST_SCORE_MAX)
#define PST_BAN_RETRIES(word) ((word) >> 16 & 0xff)
#define PST_BAN_PAUSE(word)   ((word) >> 24)

/*
 * pst_ban_bits, one entry: a bit for every ban, by the hash of its prefix (bpf/ban_index.h). Not set = no such ban; set is only a reason
 * to look. It is set before the ban is written; those that nobody needs any more go with a sweep.
 */
struct pst_ban_bits {
	__u64 word[PST_BAN_ROWS_MAX];
};

/*
 * pst_ban_quick: four places in one cache line, for bans that need no more to be known: of an IPv4 host, at every guarded port,
 * action drop. No ban of IPv4 is longer, so none can speak before it. user/ban.c is the only writer of `ban`: a place is taken
 * out before the ban changes in pst_bans, and put in after that. The other two are the kernel's: packets that the ban itself
 * has not been told of, and when the last one was. IPv6 has none: the prefix of
 * a /64 leaves 32 of a place's bits for hits and last together, and the longer ban of one address in it would have to be asked first.
 */
#define PST_QUICK_TIME_SHIFT 25		    /* `until` counts 33 milliseconds: 31 bits are 2 years of CLOCK_MONOTONIC */
#define PST_QUICK_LAST_SHIFT 20		    /* `last` counts milliseconds, modulo 2^32: 52 days */
#define PST_QUICK_UNTIL	     0x7fffffffull  /* lower bits of `ban`: until when; whoever comes later asks pst_bans */
#define PST_QUICK_GRACE	     0x80000000ull  /* first contacts are told why: only SYNs after those are answered from here */
#define PST_QUICK_HITS_MAX   0x80000000u    /* then the ban is told */

struct pst_quick {
	struct pst_quick_place {
		__u64 ban;  /* the address in network order (upper half), PST_QUICK_GRACE, until; 0 = a free place */
		__u32 hits;
		__u32 last; /* 0 = the ban is asked first */
	} place[4];
};

/* pst_notes: struct pst_prefix -> the operator's text, NUL padded. */
struct pst_note {
	char text[PST_NOTE_MAX];
};

/*
 * The lists. A class is a set of lists: every source that the same lists cover is of one class, numbered from
 * 1; 0 is "on no list". pst_class: number -> this. Never changed while a packet can meet the number.
 */
struct pst_class {
	__u64 lists;  /* bit n = row n of pst_list_info */
	__u8 action;  /* enum pst_action: the strictest of them */
	__u8 list;    /* whose action that is */
	__u8 zero[6];
};

/*
 * pst_cell4, one entry: a byte per IPv4 /24: the class of all its 256 addresses, or PST_CELL_BITS
 * or PST_CELL_RICH and the generation (0 or 1) of the leaf that tells the addresses apart. A leaf
 * is never changed: another one of the other generation is made, and then the byte is.
 */
struct pst_cells {
	__u8 cell[PST_CELLS];
};

/*
 * pst_some4, one entry: a bit per IPv4 /24. Not set = its byte in pst_cell4 is 0; set is only a reason to look. An eighth of the room of the
 * bytes, so that who is on no list, nearly everybody, is told from a cache that the bytes do not fit into. Set before the byte is, cleared after it.
 */
struct pst_some {
	__u64 word[PST_CELLS / 64];
};

/*
 * pst_part4, one entry: a byte per IPv4 /24, read only where a leaf tells its addresses apart. Bit n not set = none of the 32 addresses from 32 n on
 * is on a list. Most such /24s have one listed address, and a leaf costs three misses of the cache. Set before the leaf is in force.
 */

#define PST_CELL_BITS 252
#define PST_CELL_RICH 254
#define PST_LEAF_KEY(net, cell) ((net) << 1 | ((cell) & 1)) /* net: the upper 24 bits of the address */

/* pst_leaf4: PST_LEAF_KEY -> this: one class, and bit n of the 256 for address n. */
struct pst_leaf4 {
	__u64 bits[4];
	__u64 class;
};

/* pst_rich4: PST_LEAF_KEY -> this: the class of every address. */
struct pst_rich4 {
	__u8 class[256];
};

/* pst_net6: struct pst_lpm_key -> this; IPv6 only. The lock lets user space change the class in place. */
struct pst_net6 {
	struct bpf_spin_lock lock;
	__u32 class;
};

/*
 * pst_lens6, two entries of which `now` of the first one names the valid one: the prefix lengths
 * in pst_net6, longest first, each with a sign of a few bits. A byte of pst_cell6 has the bits of the signs of
 * all lengths that have a prefix in, or around, its /27 of 2000::/3: a sign not all of whose bits are there is not meant.
 */
struct pst_lens6 {
	__u32 now;
	__u16 n;
	__u8 outside; /* the signs of lengths with a prefix outside 2000::/3 */
	__u8 all;     /* the bytes are being rewritten: look for every length */
	struct {
		struct pst_addr mask; /* len ones: what to keep of an address */
		__u32 len, sign;
	} row[129];
};

/* pst_list_info: index -> this; an empty name is a free row. */
struct pst_list_info {
	char name[PST_LIST_NAME_MAX];
	char source[128]; /* file name it was loaded from */
	__u64 loaded_ns;   /* 0 = never */
	__u64 modified_s;  /* of the newest file, seconds since 1970 */
	__u32 prefixes;	   /* as read from the files */
	__u8 action;
	__u8 follow; /* loaded again when it changes */
	__u8 stale;  /* the last reading failed: entries and times are of the one before */
	__u8 zero;
};

/*
 * The SYN budget. A bucket is one number: the moment until which its tokens are spent. A SYN costs cost_ns and
 * passes when that moment is at most slack_ns ahead, so a rate of 1e9 / cost_ns a second and a burst
 * of 1 + slack_ns / cost_ns hold without a division. cost_ns 0 = no limit.
 */
struct pst_rate {
	__u64 cost_ns;
	__u64 slack_ns;
};

struct pst_budget {
	struct pst_rate source; /* of an IPv4 address or an IPv6 /64 */
	struct pst_rate global;
	__u64 seed;	/* of the sketch's hash: strangers choose addresses */
	__u32 observe;	/* over the budget = counted and passed */
	__u32 zero;
};

/*
 * pst_sketch, one entry: a count-min sketch of SYNs by source, whose rows lie in one cache line for each source: a flood of new ones
 * misses the cache once a packet and not four times. A cell: the generation (upper half) and the count in it.
 */
struct pst_sketch {
	__u32 cell[PST_SKETCH_LINES][PST_SKETCH_ROWS][PST_SKETCH_COLS];
	__u64 total;	   /* generation (upper half), SYNs seen in it, by sampling */
	__u64 pad[7];	   /* the next word is written by every CPU: a cache line of its own */
	__u64 global_ns;   /* the global bucket */
	__u64 pad2[7];
};

/*
 * pst_buckets: source address, the lower half of IPv6 zero -> until when its tokens are spent. With PST_BUCKET_HELD the judge says so: it
 * is over a ceiling and does not hear. While conf.held_ns lies ahead every SYN is asked whether its source is held.
 */
#define PST_BUCKET_HELD (1ull << 63)

struct pst_bucket {
	__u64 spent_ns;
};

/* pst_good: the same key -> until when its mail speaks for it. */
struct pst_good {
	__u64 until_ns;
};

/* pst_conf, one entry: what is guarded and how. Written whole by one map update. */
struct pst_conf {
	__u32 mode; /* enum pst_mode */
	__u32 naddrs;
	struct pst_addr addr[PST_GUARD_ADDRS_MAX]; /* guarded destinations; none = all */
	/* Lengths in use, zero-terminated, longest first: 96..128 of IPv4, 1..128 of IPv6. None = no bans, no lookup. */
	__u8 ban_len4[PST_BAN_LENS_MAX];
	__u8 ban_len6[PST_BAN_LENS_MAX];
	__u64 port_bits[1024];		 /* bit (port & 63) of word (port >> 6): guarded TCP destination port */
	__u8 host_len4[PST_BAN_LENS_MAX]; /* lengths of host-wide bans alone: what an unguarded packet is asked for */
	__u8 host_len6[PST_BAN_LENS_MAX];
	__u64 grace_window_ns;
	struct pst_budget budget;
	__u32 no_allows; /* not 0 = pst_allow is empty and need not be asked */
	/*
	 * The rows of pst_ban_bits and pst_ban_quick that are in use, less one: few bans lie close together, or each
	 * packet of a flood would wait for a page of its own. 0 = none are: pst_bans is asked for everything. ban_index.c's alone.
	 */
	__u32 ban_mask;
	__u64 dead_man_ns; /* 0 = never; from then on everything passes: nobody has said for too long that the policy stands */
	__u64 retry_ns;	   /* a pause of a banned source after which it tries anew; 0 = none is noted */
	__u64 held_ns;	   /* until then some source may be held (PST_BUCKET_HELD) */
};

/*
 * pst_secret, one entry: what the cookies of refused dialogues are keyed with. A cookie of time slot s
 * (PST_SLOT_SHIFT) was made with the younger generation of those with from_slot <= s. The next one is written
 * over the elder and begins in a slot to come, so no cookie alive is lost. A key of zeros is none:
 * nothing is answered.
 */
struct pst_secret {
	struct {
		__u64 from_slot;
		__u64 key[2];
	} gen[2];
};

/* pst_text: row -> a piece of a reply line. n = 0: none is set. */
struct pst_text {
	__u32 n;
	char text[PST_TEXT_MAX];
};

/* Rows of pst_text. */
#define PST_TEXT_REASON(reason) (reason)		  /* " is banned: REASON", what follows the address */
#define PST_TEXT_LIST(list)	(PST_TEXT_LISTS + (list)) /* " is banned: list NAME" */
enum pst_text_row {
	PST_TEXT_LISTS = 64,
	PST_TEXT_MORE = PST_TEXT_LISTS + PST_LISTS_MAX, /* "; see URL" CRLF, or CRLF alone */
	PST_TEXT_GREETING,				/* "220 HOST ESMTP" CRLF */
	PST_TEXT_HELLO,					/* "250 HOST" CRLF, the answer to EHLO and HELO */
	PST_TEXT_ROWS
};

/* pst_reply_budget: a reply costs cost_ns of a time that may run burst_ns ahead of the clock; 0 = no limit. */
enum pst_reply_budget_row {
	PST_REPLY_SOURCE, /* of one IPv4 address or IPv6 /64 */
	PST_REPLY_ALL,
	PST_REPLY_ROWS
};

struct pst_reply_budget {
	__u64 cost_ns;
	__u64 burst_ns;
};

/* pst_meta, one entry: is this our schema? */
struct pst_meta {
	__u32 magic;
	__u32 schema;
	__u32 ban_bytes;
	__u32 stats_bytes;
	__u64 loaded_ns;
	char version[32];
};

/*
 * pst_stats: one per CPU, written by the kernel. pst_slots: one page per process of ours, same struct first. What lies behind
 * the rows is zero, or of a program with more rows that ran before: nobody reads it.
 */
struct pst_span {
	__u64 sum_us;
	__u64 bucket[PST_BOUNDS_MAX + 1]; /* each time in one of them */
};

struct pst_stats {
	__u64 counter[PST_COUNTERS_ROOM];
	__u64 found[PST_REASONS_ROOM];
	struct pst_span span[PST_SPANS_ROOM]; /* of processes only: the kernel counts none */
};

/* pst_named, written by the judge: the zones of the configuration in their order, then from PST_ZONES_MAX on its backends. */
#define PST_NAMED_MAX (PST_ZONES_MAX + PST_BACKENDS_MAX)
struct pst_named {
	char name[PST_NAME_MAX]; /* printable ASCII, NUL-terminated; "" = there is no such one */
	__u64 figure[PST_FIGURES_ROOM]; /* enum pst_zone_figure, or pst_backend_figure */
};

struct pst_slot {
	struct pst_stats stats;
	__u8 pad[PST_SLOT_BYTES - sizeof(struct pst_stats)];
};

_Static_assert(sizeof(struct pst_prefix) == 20, "ban key");
_Static_assert(sizeof(struct pst_lpm_key) == 20, "LPM key");
_Static_assert(sizeof(struct pst_ban) == 64, "ban value");
_Static_assert(sizeof(struct pst_ban_bits) == 8 * PST_BAN_ROWS_MAX && sizeof(struct pst_quick) == 64, "in front of the bans");
_Static_assert(sizeof(struct pst_class) == 16, "class");
_Static_assert(sizeof(struct pst_some) == PST_CELLS / 8, "a bit for every byte");
_Static_assert(sizeof(struct pst_leaf4) == 40, "leaf");
_Static_assert(sizeof(struct pst_net6) == 8, "IPv6 list value");
_Static_assert(sizeof(struct pst_lens6) == 3104, "IPv6 list lengths");
_Static_assert(sizeof(struct pst_list_info) == 184, "list row");
_Static_assert(sizeof(struct pst_secret) == 48, "secret");
_Static_assert(sizeof(struct pst_text) == 128, "text");
_Static_assert(sizeof(struct pst_reply_budget) == 16, "reply budget");
_Static_assert((int)PST_RSN_MAX <= (int)PST_TEXT_LISTS, "a row of text for every reason");
_Static_assert((int)PST_CNT_MAX <= PST_COUNTERS_ROOM && (int)PST_RSN_MAX <= PST_REASONS_ROOM, "room for every row");
_Static_assert((int)PST_SPAN_MAX <= PST_SPANS_ROOM && sizeof(struct pst_span) == 152, "room for every span");
_Static_assert((int)PST_ZONE_FIGURES_MAX <= PST_FIGURES_ROOM && (int)PST_BACKEND_FIGURES_MAX <= PST_FIGURES_ROOM, "room for every figure");
_Static_assert(sizeof(struct pst_named) == 320, "named figures");
_Static_assert(sizeof(struct pst_stats) == 3776, "counters");
_Static_assert(sizeof(struct pst_conf) == 8 + 16 * PST_GUARD_ADDRS_MAX + 4 * PST_BAN_LENS_MAX + 8 + 48 + 8 + 24 + 8192, "conf");
_Static_assert(sizeof(struct pst_budget) == 48, "SYN budget");
_Static_assert(sizeof(struct pst_sketch) == 64 * PST_SKETCH_LINES + 128 && PST_SKETCH_ROWS * PST_SKETCH_COLS == 16, "sketch: lines");
_Static_assert(sizeof(struct pst_bucket) == 8 && sizeof(struct pst_good) == 8, "SYN bucket");
_Static_assert(sizeof(struct pst_meta) == 56, "meta");
_Static_assert(sizeof(struct pst_slot) == PST_SLOT_BYTES, "a slot is a page");

#endif
