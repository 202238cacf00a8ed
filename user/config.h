/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h: the configuration file, parsed whole into one immutable struct before
 * anything changes. A failing parse leaves nothing behind and says file:line for every
 * error it found. Reading binds nothing and resolves no names.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <sys/types.h>

#include "user/core/breaker.h"
#include "user/core/crowd.h"
#include "user/core/judgement.h"
#include "user/core/lists.h"
#include "user/core/promote.h"
#include "user/core/relay.h"
#include "user/core/sess.h"
#include "user/log.h"

#define CONFIG_PATH "/etc/postern/postern.conf"

enum xdp_mode { XDP_AUTO, XDP_NATIVE, XDP_GENERIC };
enum identity { IDENTITY_AUTO, IDENTITY_XCLIENT, IDENTITY_PROXY, IDENTITY_RECEIVED, IDENTITY_NONE, IDENTITY_PROXY2 };
enum backend_tls { BACKEND_TLS_OFF, BACKEND_TLS_MAY, BACKEND_TLS_REQUIRE, BACKEND_TLS_VERIFY };
enum backend_protocol { BACKEND_SMTP, BACKEND_LMTP };

/*
 * A configuration is a file and those of the folder beside it. A line of one is kept as one number, in which the file is, too; conf_file() and
 * conf_line() take it apart.
 */
#define CONF_FILES_MAX	64
#define CONF_FILE_LINES (1u << 24)

struct conf_listener {
	const char *name;
	struct pst_addr addr; /* :: = every address of both families, 0.0.0.0 = IPv4 only */
	unsigned short port;
	const char *tls_certificate, *tls_key; /* PEM files, NULL = none */
	bool proxy;	       /* connections of balancers begin with a PROXY protocol header */
	bool xclient;	       /* balancers may say XCLIENT; never both */
	unsigned sessions_max; /* per worker; 0 = sessions_max of struct conf alone */
	struct sess_conf sess;
	unsigned line;
};

/* Besides the listeners' own: chosen by the name that a client asks for. */
struct conf_certificate {
	const char *name, *chain, *key; /* PEM files */
	unsigned line;
};

struct conf_backend {
	const char *name;
	struct pst_addr addr;
	unsigned short port;
	enum backend_protocol protocol;
	enum identity identity;
	unsigned weight, priority; /* see core/pick.h, and for the next five */
	unsigned connections_max;
	unsigned health_interval_s; /* 0 = no checks */
	unsigned down_after, up_after;
	unsigned slow_start_s;
	unsigned idle_max, idle_timeout_s; /* connections kept for the next session, per worker */
	unsigned sessions_max;		   /* that one connection serves */
	enum backend_tls tls;
	bool tls_implicit;
	const char *tls_ca, *tls_name; /* PEM file, NULL = the system's; NULL = the address */
	unsigned connect_timeout_s, greeting_timeout_s, reply_timeout_s, data_timeout_s;
	unsigned line;
};

/*
 * Where recipients of some domains go. conf.route[0] is the default route, "default": it names no domains, and its backends
 * are those that no other route names. A route without backends of its own has those of the default route.
 */
struct conf_route {
	const char *name;
	struct relay_route rules; /* conf.relay.route has the same ones in the same order */
	const char **named;	  /* backends as written */
	size_t nnamed;
	unsigned *backend; /* indices into conf.backend, in the order written; never empty */
	size_t nbackends;
	unsigned line;
};

struct conf_list {
	const char *name, *file; /* a file or a folder */
	enum pst_action action;
	bool follow; /* loaded again when it changes */
	bool everything; /* may hold 0.0.0.0/0 and ::/0 */
	unsigned line;
};

/* Where the names of clients come from. */
struct conf_dns {
	struct pst_addr *server; /* none = those of /etc/resolv.conf */
	size_t nservers;
	unsigned timeout_s;
	unsigned cache; /* names that one worker remembers */
	bool names;	/* of every client, not only where an entry is a domain */
};

/* DNS lists, and who is asked. */
struct conf_dnsl {
	struct dnsl_rules rules;
	struct pst_addr *server; /* none = those of struct conf_dns */
	size_t nservers;
	unsigned timeout_ms;
	unsigned test_s, retest_s; /* between tests of a zone that is up, and of one that is down */
	unsigned cache;		   /* answers that one worker remembers */
};

enum conf_zone_family { CONF_ZONE_BOTH, CONF_ZONE_IPV4, CONF_ZONE_IPV6 };

/* A section "zone" as written. */
struct conf_zone {
	const char *name, *domain, *text; /* NULL = not set */
	enum conf_zone_family family;
	bool tested;
	unsigned line;
};

/* What the kernel half says to a client that it refuses itself. */
struct conf_refuse {
	const char *hostname; /* in its greeting */
	const char *url;      /* where a person learns more, "" = none; CONFIG_URL_MAX characters at most */
	unsigned source_replies, all_replies; /* a second; of one IPv4 address or IPv6 /64, and together; 0 = no limit */
};

/* Where state is kept on disk. */
struct conf_store {
	bool enabled;
	const char *path; /* a folder */
	unsigned long long bytes;
	unsigned interval_s;
};

/* Who is about to be banned is answered an octet at a time. */
struct conf_tarpit {
	unsigned sessions; /* in all workers; 0 = nobody is */
	unsigned from;	   /* percent of the threshold */
	unsigned octet_ms;
};

#define CONFIG_URL_MAX 60
#define CONF_INTERFACES_MAX 64

struct conf {
	const char *const *file; /* path is the first */
	const char *path;
	char **interface; /* NULL-terminated */
	size_t ninterfaces;
	enum xdp_mode xdp_mode;
	bool shared; /* through libxdp's dispatcher */
	enum pst_mode mode;
	unsigned dead_man_s; /* without a judge for so long the kernel half passes everything; 0 = never */
	unsigned short *port; /* guarded, in addition to the listeners' */
	size_t nports;
	struct pst_addr *guard; /* guarded destination addresses; none = all */
	size_t nguards;

	struct conf_listener *listener;
	size_t nlisteners;
	struct conf_certificate *certificate;
	size_t ncertificates;
	struct pst_prefix *balancer; /* believed when they announce a client; never banned, never over the SYN budget */
	size_t nbalancers;
	struct conf_backend *backend;
	size_t nbackends;
	struct conf_route *route; /* one at least */
	size_t nroutes;
	struct conf_list *list;
	size_t nlists;
	struct pst_prefix *allow; /* never judged, never dropped */
	size_t nallow;
	struct pst_prefix *never_ban; /* judged, never banned; backends, own addresses, gateways are added at run time */
	size_t nnever;
	struct policy policy;
	struct promote_rules promote;
	struct breaker_rules breaker;
	unsigned amnesty, amnesty_pause_s; /* tries, 0 = never; and what a pause between two is at least */
	struct crowd_rules rates;
	struct relay_rules relay;
	struct sender_rules senders;
	struct account_rules accounts;
	struct grey_rules grey;
	struct conf_dns dns;
	struct conf_dnsl dnsl;
	struct conf_refuse refuse;
	struct conf_store store;
	struct conf_tarpit tarpit;
	const struct triage_rule *test; /* TEST_MAX of them, as every listener has them */

	unsigned grace_window_s;
	enum pst_mode syn_mode;
	unsigned syn_source, syn_source_burst; /* SYNs a second of one source; 0 = no limit */
	unsigned syn_global, syn_global_burst; /* of all together */

	unsigned workers;
	unsigned backend_wait_s; /* for room at a backend; 0 = none */
	unsigned sessions_max;	       /* per worker */
	unsigned stress;	       /* percent of them from which on a worker is under stress; 0 = never */
	unsigned sessions_per_source;  /* concurrent, IPv4 /32 or IPv6 /64, per worker */
	unsigned ledger_entries;
	const char *worker_user, *judge_user; /* name or number */
	const char *control_socket, *control_group;
	const char *pin_dir;
	enum log_target log_to;
	bool log_commands; /* and replies */
	enum { LOG_IS_TEXT, LOG_IS_JSON } log_format;

	void *owner; /* what config_free() frees */
};

static inline const char *conf_file(const struct conf *c, unsigned line)
{
	return c->file[line / CONF_FILE_LINES];
}

static inline unsigned conf_line(unsigned line)
{
	return line % CONF_FILE_LINES;
}

/*
 * Parses path, then, in the order of their names, what ends in .conf in the folder path.d; each is whole by itself, and no setting is set twice.
 * On success *out is the caller's until config_free(). On failure -EINVAL after
 * calling err once per error with a whole message "FILE:LINE: what is wrong; what would be right".
 */
int config_read(const char *path, struct conf **out, void (*err)(void *ctx, const char *message), void *ctx);
/*
 * As config_read(), and reads every list as well, which config_read() leaves to who loads them: a bad list stops
 * neither the daemon nor the other lists. Where nothing is wrong, calls warn for what is more often a mistake than meant,
 * "FILE:LINE: warning: what; what would be better". Keeps nothing.
 */
int config_verify(const char *path, void (*err)(void *ctx, const char *message), void (*warn)(void *ctx, const char *message), void *ctx);
void config_free(struct conf *c);
/* Every setting with its value, default and place, for `postern config show`; see config_rows.h. */

/* A name or a number as worker_user and control_group take it. -ENOENT when there is no such name. */
int config_user(const char *text, uid_t *uid, gid_t *gid);
int config_group(const char *text, gid_t *gid);

#endif
