/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parts.h: what may be out of order while the rest goes on: one row a part, with PST_CNT_DEGRADED_<symbol> for its gauge. Who sets it stands in
 * brackets; a process sets its own, and a part is degraded when any process says so.
 */
#ifndef PARTS_H
#define PARTS_H

/* symbol, name, when it is degraded, what to do about it */
#define PARTS(X) \
	/* [warden, every 10 s] */ \
	X(GATE, "gate", "An interface of the configuration is without the XDP program: bans are enforced by workers alone there.", "`postern gate show`, and posternd's log, say why.") \
	/* [whoever reads: it is known with every process dead] */ \
	X(POLICY, "policy", "The dead-man switch has opened: everything passes the card, for nobody has vouched for the policy.", "`systemctl status posternd`; `postern gate mode enforce` puts the bans in force without it.") \
	/* [warden] */ \
	X(JUDGE, "judge", "No judge runs: offences lead to no ban, and no new client is known.", "It is started again; posternd's log says why it died.") \
	X(WORKERS, "workers", "Fewer workers accept mail than the configuration says, or none.", "They are started again; posternd's log says why they died.") \
	/* [judge, every second] */ \
	X(STORE, "store", "State is not kept on disk: a reboot would lose it.", "`postern store show` says why.") \
	X(BACKEND, "backend", "A backend is down for every worker.", "`postern backend show` and `postern backend check` say what is wrong.") \
	X(BANS, "bans", "The breaker is open: no automatic bans are made, for they would hit good senders.", "`postern monitor verdict would-ban` shows what they would have been for.") \
	/* [worker] */ \
	X(DNSL, "dnsl", "A zone of DNS lists fails its test and is not asked, or no list can be asked.", "`postern dnsl show` and `postern dnsl check` say why.") \
	X(NAMES, "names", "There is no resolver for clients' names: decisions that need one go without.", "posternd's log says why (names-off); see to `/etc/resolv.conf`.") \
	/* [warden] */ \
	X(LISTS, "lists", "The last reading of a list failed: its old entries stay, or it has none yet.", "`postern list show`, and posternd's log, say why.") \
	X(CONFIG, "config", "The last reload was refused: the file is not what is in force.", "`postern config check` says why.") \
	/* [every process] */ \
	X(LOG, "log", "The last line of the log did not go where the configuration says, or nowhere.", "See to the journal, syslog, or whatever reads standard error.")

#endif
