/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_rows.h: every event of the log, and every key: one row each. The manual's tables are made from them, and a test holds
 * the calls in the sources against them.
 */
#ifndef LOG_ROWS_H
#define LOG_ROWS_H

/* event, its keys in their order, meaning */
#define LOG_EVENTS(X) \
	X("session-end", "session client name helo tls auth account messages rcpts end", "A session is over") \
	X("command", "session line", "What the client said, with log_commands; credentials are (hidden)") \
	X("reply", "session lines text", "What it was told: how many lines, and the first") \
	X("message", "session result from nrcpt size reply", "The fate of a message whose DATA was begun, with what the client was told") \
	X("denied", "session what why client name helo auth account from rcpt rule reply", "A sender or recipient was refused by a rule of ours") \
	X("would-deny", "session what why client name helo auth account from rcpt rule reply", "It would have been, were the rule enforced") \
	X("finding", "session addr reason points score evidence", "An offence, and the score of its source with it") \
	X("greylist", "session source key said seconds tries", "What the greylist said of a stranger's recipient: defer, pass or known") \
	X("limit", "prefix what count ceiling session", "A source, a prefix or all together went over a ceiling") \
	X("ban", "prefix for reason score action origin relapse session note", "A ban was written") \
	X("would-ban", "prefix for reason score action origin relapse session note", "A ban that was not written, or does not bite, and why") \
	X("amnesty", "prefix for reason score action origin relapse session note", "A banned source retries as a mail queue does: it is told why from now on") \
	X("tarpit", "session", "The session is answered an octet at a time") \
	X("stress", "sessions", "A worker has nearly as many sessions as it may") \
	X("stress-over", "sessions", "It has fewer again") \
	X("held", "prefix seconds session", "The kernel half drops a source's SYNs for a while: it went on while told that it is too much") \
	X("breaker-open", "share limit sources seconds", "Automatic bans would hit too much accepted mail: none is made for a while") \
	X("breaker-closed", "share", "Automatic bans are made again") \
	X("dead-man", "seconds", "The kernel half had passed everything, for no daemon vouched for its policy; now one does") \
	X("ban-failed", "prefix reason bans", "A ban could not be written") \
	X("bans-expired", "bans", "So many bans have ended by themselves") \
	X("ban-table-fills", "bans room", "The table of bans is nearly full") \
	X("control", "uid pid command bans result", "An operator's request that changes something; its other keys are the request's own") \
	X("control-busy", "clients", "A connection to the control socket was refused") \
	X("backend-up", "backend", "A backend that was down answers again") \
	X("backend-down", "backend address", "A backend is not tried for a while, and why") \
	X("backends-full", "", "Sessions wait, for their backends have as many connections as they may have") \
	X("backend-lost", "session backend", "A session lost its backend in the middle of something") \
	X("balancer-refused", "session balancer", "A balancer's connection did not say who the client is") \
	X("tls-unavailable", "session", "STARTTLS was asked for and cannot be") \
	X("worker-started", "pid slot", "") \
	X("worker-failed", "slot", "A worker could not be started") \
	X("worker-stopped", "pid", "A draining worker makes room") \
	X("worker-deaf", "pid prefix", "A worker does not read what it is told") \
	X("worker-hostile", "pid", "A worker sent what no worker sends, and is ended") \
	X("judge-started", "pid", "") \
	X("judge-failed", "", "The judge could not be started") \
	X("judge-killed", "pid", "The judge did not stop when it was told to") \
	X("judge-hostile", "", "The judge sent what no judge sends, and is ended") \
	X("judge-lost", "", "A worker has no judge any more, and stops") \
	X("judge-slow", "records", "The judge was too slow for so many records of a worker in a minute") \
	X("warden-deaf", "", "The warden does not read what it is told") \
	X("warden-lost", "", "A worker has no warden any more, and stops") \
	X("child-ended", "role pid", "A process has ended as it should") \
	X("child-died", "role pid signal", "A process was killed by a signal; it is replaced") \
	X("child-failed", "role pid status", "A process has given up; it is replaced") \
	X("accept-paused", "seconds", "No connections are accepted for a moment: descriptors or memory are out") \
	X("sessions-cut", "sessions seconds", "Sessions that did not end in time were cut off") \
	X("files-limited", "limit wanted sessions enough", "The limit of open files is too low for the settings") \
	X("dns-list-up", "zone", "A DNS list has passed its tests; for IPv4 alone, and why, when its answers about IPv6 are wrong") \
	X("dns-list-down", "zone", "A DNS list is not asked until it is well, and why") \
	X("dns-lists-off", "slot", "No DNS list is asked, and why") \
	X("names-off", "slot", "Clients have no names, and why") \
	X("never-ban-full", "entries", "Sources are missing in the never-ban list") \
	X("never-ban-unknown", "", "Own addresses are missing in the never-ban list") \
	X("settings-kept", "", "Settings could not be put into the kernel") \
	X("started", "version file mode listeners workers", "The daemon serves") \
	X("start-failed", "", "The daemon, or a process of it, cannot start, and why") \
	X("upgrading", "file from", "A new version is executed; started says how that went") \
	X("upgrade-refused", "file", "A new version is not executed, and why; nothing has changed") \
	X("upgrade-failed", "file", "A new version could not start after all; the old one goes on") \
	X("rehearsal-failed", "version", "What is in the way of a start") \
	X("memory-not-taken", "name", "What the version before remembered could not be taken, and why") \
	X("journal-failed", "", "The journal cannot be reached; lines go to standard error") \
	X("stopping", "seconds", "") \
	X("stopped", "", "") \
	X("stop-forced", "seconds", "Processes did not stop in time and were ended") \
	X("config-error", "", "What is wrong with the configuration, and where") \
	X("config-reloaded", "file", "") \
	X("config-kept", "file", "A configuration was not taken over") \
	X("restart-needed", "setting next now", "A setting cannot change while the daemon runs") \
	X("ledger-kept", "", "The ledger could not be made larger or smaller") \
	X("grey-kept", "", "The greylist could not be made larger or smaller") \
	X("store-up", "dir", "State is kept on disk") \
	X("store-failed", "dir", "State is not kept on disk, and why; memory goes on") \
	X("store-restored", "bans sources entries seconds", "What was kept before has been taken over") \
	X("store-damaged", "records", "So many records could not be read, and are dropped") \
	X("store-set-aside", "file", "The store was not whole, or of another version, and is kept under another name") \
	X("store-clock", "", "The clock is not believed: how long the machine was off is not known") \
	X("store-not-compacted", "", "") \
	X("list-loading", "list prefixes", "How far the reading of a long list is") \
	X("list-loaded", "list prefixes seconds", "") \
	X("list-error", "", "What is wrong with a list, and where") \
	X("lists-kept", "list", "Lists could not be taken over; the kernel has the ones before") \
	X("lists-not-followed", "", "Changed lists are only seen by a reload") \
	X("gate-attached", "interface mode shared", "The kernel half is on an interface; why not in the better mode") \
	X("gate-detached", "interface", "") \
	X("gate-not-attached", "interface", "The kernel half could not be attached, and why") \
	X("gate-not-detached", "interface", "") \
	X("gate-alone", "", "No other XDP program can be on the interface") \
	X("gate-reloaded", "", "Somebody loaded the kernel half anew") \
	X("gate-not-loaded", "", "The kernel half cannot be loaded, and why") \
	X("gate-not-replaced", "", "The kernel half on the interfaces is an older one") \
	X("interface-missing", "interface", "") \
	X("interface-advice", "interface", "What would be faster") \
	X("no-interface", "", "Nothing is refused at a network card") \
	X("pins-failed", "dir", "The pinned maps cannot be opened") \
	X("counters-failed", "", "The counters cannot be mapped") \
	X("tables-not-filled", "", "The kernel's tables could not be filled")

/* key, type in JSON: NUMBER or TEXT; meaning. A key that is missing here is text. */
#define LOG_KEYS(X) \
	X("session", TEXT, "id of a session, 16 hexadecimal digits") X("client", TEXT, "the client's address") X("addr", TEXT, "address of a source") \
	X("name", TEXT, "the client's confirmed name, - = none") X("helo", TEXT, "as the client said it") \
	X("account", TEXT, "who logged in") X("auth", TEXT, "yes or no") X("tls", TEXT, "version, - = none") \
	X("what", TEXT, "sender or recipient") X("why", TEXT, "the kind of the rule") X("rule", TEXT, "its file and line, or built-in") \
	X("from", TEXT, "envelope sender") X("rcpt", TEXT, "envelope recipient") X("reply", TEXT, "first line of what the client was told") \
	X("prefix", TEXT, "address or network") X("for", TEXT, "how long from now") X("reason", TEXT, "a reason of the table of reasons") \
	X("evidence", TEXT, "what the client sent, escaped") X("note", TEXT, "an operator's words, or why a ban was not written") \
	X("messages", NUMBER, "accepted by a backend") X("rcpts", NUMBER, "accepted recipients") X("nrcpt", NUMBER, "recipients of the message") \
	X("size", NUMBER, "octets of content") X("points", NUMBER, "of the offence") X("score", NUMBER, "of the source, in points") \
	X("zone", TEXT, "name of a DNS list") X("source", TEXT, "a domain or a network") X("key", TEXT, "of sender and recipient, hashed") X("said", TEXT, "the answer") X("tries", NUMBER, "of this sender and recipient") \
	X("relapse", NUMBER, "bans of the source before") X("bans", NUMBER, "how many") X("room", NUMBER, "of the table") \
	X("clients", NUMBER, "connections to the control socket") X("uid", NUMBER, "of who asked") X("pid", NUMBER, "of a process") \
	X("slot", NUMBER, "of a worker, from 0") X("records", NUMBER, "how many") X("signal", NUMBER, "that ended it") X("status", NUMBER, "its exit status") \
	X("sessions", NUMBER, "how many") X("listeners", NUMBER, "how many") X("workers", NUMBER, "how many") X("entries", NUMBER, "how many") X("sources", NUMBER, "how many") \
	X("prefixes", NUMBER, "how many") X("limit", NUMBER, "of open files") X("wanted", NUMBER, "open files") X("enough", NUMBER, "sessions that it is enough for")

#endif
