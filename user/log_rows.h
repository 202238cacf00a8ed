/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_rows.h: every event of the log, and every key: one row each. The manual's tables are made from them, and a test holds
 * the calls in the sources against them.
 */
#ifndef LOG_ROWS_H
#define LOG_ROWS_H

/* event, its keys in their order, meaning, what to do about it */
#define LOG_CALM "Nothing needs to be done."
#define LOG_EVENTS(X) \
	X("session-end", "session client name helo tls auth account messages rcpts end", "A session is over", LOG_CALM " For one session alone: journalctl POSTERN_SESSION=, with its id.") \
	X("command", "session line", "What the client said, with log_commands; credentials are (hidden)", "Switch log_commands off when you have seen what you wanted: it is much.") \
	X("reply", "session lines text", "What it was told: how many lines, and the first", "Switch log_commands off when you have seen what you wanted: it is much.") \
	X("message", "session result from nrcpt size reply", "The fate of a message whose DATA was begun, with what the client was told", "A result other than accepted is the backend's word, or the client's end: the reply tells which.") \
	X("denied", "session what why client name helo auth account from rcpt rule reply", "A sender or recipient was refused by a rule of ours", "If the mail was wanted, the rule is to be changed: its file and line are in the entry. `postern explain` shows all that stands against an address.") \
	X("would-deny", "session what why client name helo auth account from rcpt rule reply", "It would have been, were the rule enforced", "Look at some of these before the rule is enforced: whose mail would it have cost?") \
	X("finding", "session addr reason points score evidence", "An offence, and the score of its source with it", LOG_CALM " `postern client show` has the score of the source, and what it is made of.") \
	X("greylist", "session source key said seconds tries", "What the greylist said of a stranger's recipient: defer, pass or known", LOG_CALM " `postern grey show` tells who waits, and `postern grey stats` how many come back.") \
	X("limit", "prefix what count ceiling session", "A source, a prefix or all together went over a ceiling", "If the source is a good one, raise the ceiling in the section rates, or exempt it: `postern allow add`.") \
	X("ban", "prefix for reason score action origin relapse session note", "A ban was written", "If the source is a good one: `postern ban del`, then `postern allow add`. `postern explain` says why it was banned.") \
	X("would-ban", "prefix for reason score action origin relapse session note", "A ban that was not written, or does not bite, and why", "The note says what kept it from biting: the mode observe, an allow entry, the never-ban list or the breaker.") \
	X("amnesty", "prefix for reason score action origin relapse session note", "A banned source retries as a mail queue does: it is told why from now on", "It may be a real mail server. `postern explain` says what it did; `postern ban del` ends the ban.") \
	X("tarpit", "session", "The session is answered an octet at a time", LOG_CALM) \
	X("stress", "sessions", "A worker has nearly as many sessions as it may", "If it lasts, raise sessions in the section limits, or the number of workers; `postern session count` says where the sessions stand.") \
	X("stress-over", "sessions", "It has fewer again", LOG_CALM) \
	X("held", "prefix seconds session", "The kernel half drops a source's SYNs for a while: it went on while told that it is too much", LOG_CALM " It ends by itself.") \
	X("breaker-open", "share limit sources seconds", "Automatic bans would hit too much accepted mail: none is made for a while", "A test or a list has gone wrong, and hits those whose mail is accepted. `postern ban show` has the bans of late and their reasons; take the list or the test out, and the breaker closes by itself.") \
	X("breaker-closed", "share", "Automatic bans are made again", "Look for what had gone wrong: the bans before it opened have the reasons.") \
	X("dead-man", "seconds", "The kernel half had passed everything, for no daemon vouched for its policy; now one does", "Find out why no daemon was there: the lines before this one, and systemctl status posternd.") \
	X("ban-failed", "prefix reason bans", "A ban could not be written", "Memory or the table of bans is at its end: `postern gate show` and the kernel's log.") \
	X("bans-expired", "bans", "So many bans have ended by themselves", LOG_CALM) \
	X("ban-table-fills", "bans room", "The table of bans is nearly full", "When it is full, the automatic ban that ends soonest makes room. Shorter bans, or bans of whole prefixes, keep it empty.") \
	X("control", "uid pid command bans result", "An operator's request that changes something; its other keys are the request's own", LOG_CALM " The entry says who asked, by user and process.") \
	X("control-busy", "clients", "A connection to the control socket was refused", "So many programs hold the control socket open: `postern monitor` and `postern session trace` each take a place.") \
	X("backend-up", "backend", "A backend that was down answers again", LOG_CALM) \
	X("backend-down", "backend address", "A backend is not tried for a while, and why", "See to the mail server; mail is deferred and none is lost while there is no other. `postern backend show` and `postern backend check` say what is wrong.") \
	X("backends-full", "", "Sessions wait, for their backends have as many connections as they may have", "Clients wait for a place, and are deferred when none comes: raise the number of connections of the backend if the mail server takes more.") \
	X("backend-lost", "session backend", "A session lost its backend in the middle of something", "If it happens often, look into the mail server's own log at that moment.") \
	X("balancer-refused", "session balancer", "A balancer's connection did not say who the client is", "The balancer is to send a PROXY header or XCLIENT, or its address is not to be among the balancers.") \
	X("tls-unavailable", "session", "STARTTLS was asked for and cannot be", "Look for the certificate and the key of the listener: `postern config check`.") \
	X("worker-started", "pid slot", "A worker has begun", LOG_CALM) \
	X("worker-failed", "slot", "A worker could not be started", "Memory, processes or descriptors are out: systemctl status posternd, and the kernel's log.") \
	X("worker-stopped", "pid", "A draining worker makes room", "Reloads come faster than sessions end. If there are to be so many, wait between them.") \
	X("worker-deaf", "pid prefix", "A worker does not read what it is told", "It hangs or the machine is overloaded; it is told again. If it goes on, report it.") \
	X("worker-hostile", "pid", "A worker sent what no worker sends, and is ended", "The process was taken over, or there is a mistake in the program. Keep the log, and report it.") \
	X("judge-started", "pid", "The judge has begun", LOG_CALM) \
	X("judge-failed", "", "The judge could not be started", "It is tried again. Memory or processes are out: systemctl status posternd.") \
	X("judge-killed", "pid", "The judge did not stop when it was told to", "Report it, with what the log says before.") \
	X("judge-hostile", "", "The judge sent what no judge sends, and is ended", "The process was taken over, or there is a mistake in the program. Keep the log, and report it.") \
	X("judge-lost", "", "A worker has no judge any more, and stops", "The warden starts another judge and other workers; the lines before say why it died.") \
	X("judge-slow", "records", "The judge was too slow for so many records of a worker in a minute", "The machine is overloaded. Scores are lower than they should be for so long; bans stay.") \
	X("warden-deaf", "", "The warden does not read what it is told", "It hangs or the machine is overloaded. If it goes on, report it.") \
	X("warden-lost", "", "A worker has no warden any more, and stops", "The lines before say why the warden ended. Start posternd again, if systemd has not done so.") \
	X("child-ended", "role pid", "A process has ended as it should", LOG_CALM) \
	X("child-died", "role pid signal", "A process was killed by a signal; it is replaced", "It is replaced. Keep the log and the core, if there is one, and report it.") \
	X("child-failed", "role pid status", "A process has given up; it is replaced", "It is replaced. The lines before say why it gave up.") \
	X("child-not-signalled", "pid signal", "A process could not be signalled; it is not ended in time", "The text says why. systemctl restart posternd ends it.") \
	X("accept-paused", "seconds", "No connections are accepted for a moment: descriptors or memory are out", "Raise the limit of open files (LimitNOFILE= in the unit), or lower sessions.") \
	X("sessions-cut", "sessions seconds", "Sessions that did not end in time were cut off", LOG_CALM " Their clients try again.") \
	X("files-limited", "limit wanted sessions enough", "The limit of open files is too low for the settings", "Raise the limit of open files (LimitNOFILE= in the unit), or lower sessions in the section limits.") \
	X("dns-list-up", "zone", "A DNS list has passed its tests; for IPv4 alone, and why, when its answers about IPv6 are wrong", LOG_CALM) \
	X("dns-list-down", "zone", "A DNS list is not asked until it is well, and why", "Clients are judged without it. `postern dnsl check` asks it from here; a public resolver may be refused by the list.") \
	X("dns-lists-off", "slot", "No DNS list is asked, and why", "Name a resolver in the configuration, or in /etc/resolv.conf, and reload.") \
	X("names-off", "slot", "Clients have no names, and why", "Name a resolver in the configuration, or in /etc/resolv.conf, and reload.") \
	X("never-ban-full", "entries", "Sources are missing in the never-ban list", "Make the entries of the never-ban list fewer and wider.") \
	X("never-ban-unknown", "", "Own addresses are missing in the never-ban list", "The machine's addresses could not be read; name them in the never-ban list.") \
	X("settings-kept", "", "Settings could not be put into the kernel", "The kernel goes on with the settings of before: `postern gate show`, and start posternd again.") \
	X("started", "version file mode listeners workers", "The daemon serves", LOG_CALM) \
	X("start-failed", "", "The daemon, or a process of it, cannot start, and why", "The text says what is in the way; `postern config check` and `postern feature probe` say more.") \
	X("upgrading", "file from", "A new version is executed; started says how that went", LOG_CALM) \
	X("upgrade-refused", "file", "A new version is not executed, and why; nothing has changed", "The old version goes on. Mend what the text says, and send SIGUSR2 again.") \
	X("upgrade-failed", "file", "A new version could not start after all; the old one goes on", "The old version goes on. Mend what the text says, and send SIGUSR2 again.") \
	X("rehearsal-failed", "version", "What is in the way of a start", "Nothing has changed yet. Mend what the text says, and try again.") \
	X("memory-not-taken", "name", "What the version before remembered could not be taken, and why", "Scores, quotas or the greylist begin empty; bans are in the kernel and stay.") \
	X("journal-failed", "", "The journal cannot be reached; lines go to standard error", "Lines go to standard error. See to systemd-journald, or set log to stderr or syslog.") \
	X("syslog-failed", "", "Syslog cannot be reached; lines go to standard error", "Lines go to standard error. See to the machine's syslogd, or set log to stderr or journal.") \
	X("log-dropped", "lines", "So many lines before this one are lost: whoever reads the log did not take them, and nobody waits for that", "See to whatever reads standard error, the journal or syslog: it hangs at times, or its disk is full.") \
	X("stopping", "seconds", "The daemon ends", LOG_CALM) \
	X("stopped", "", "The daemon has ended", "Bans stay in force in the kernel; `postern gate unload` ends that.") \
	X("stop-forced", "seconds", "Processes did not stop in time and were ended", LOG_CALM " If it happens often, report it.") \
	X("config-error", "", "What is wrong with the configuration, and where", "Mend the line that the text names: `postern config check`.") \
	X("config-reloaded", "file", "Another configuration is in force", LOG_CALM) \
	X("config-kept", "file", "A configuration was not taken over", "The one before stays in force. Mend what the lines before name, and reload.") \
	X("restart-needed", "setting next now", "A setting cannot change while the daemon runs", "Restart posternd when it suits you; until then the setting is as before.") \
	X("ledger-kept", "", "The ledger could not be made larger or smaller", "Memory is short. The old size is kept until the next reload.") \
	X("grey-kept", "", "The greylist could not be made larger or smaller", "Memory is short. The old size is kept until the next reload.") \
	X("store-up", "dir", "State is kept on disk", LOG_CALM) \
	X("store-failed", "dir", "State is not kept on disk, and why; memory goes on", "Look for room and permissions in the folder. Mail goes on; what is not kept is lost with the processes.") \
	X("store-restored", "bans sources entries seconds", "What was kept before has been taken over", LOG_CALM) \
	X("store-damaged", "records", "So many records could not be read, and are dropped", "If it happens again, look at the disk. What is dropped is known no more, nothing else.") \
	X("store-set-aside", "file", "The store was not whole, or of another version, and is kept under another name", "The file can be looked at with `postern store check`, or removed.") \
	X("store-clock", "", "The clock is not believed: how long the machine was off is not known", "Set the clock of the machine, before posternd starts if possible: what was kept may end too early or too late.") \
	X("store-not-compacted", "", "The store could not be made smaller", "Look for room in the folder: compacting takes as much again for a moment.") \
	X("list-loading", "list prefixes", "How far the reading of a long list is", LOG_CALM) \
	X("list-loaded", "list prefixes seconds", "A list is in the kernel", LOG_CALM) \
	X("list-error", "", "What is wrong with a list, and where", "The list of before stays. Mend the line that the text names: `postern list check`.") \
	X("lists-kept", "list", "Lists could not be taken over; the kernel has the ones before", "The lists of before are in force. The lines before say why.") \
	X("lists-not-followed", "", "Changed lists are only seen by a reload", "After a change of a list: `postern list reload`.") \
	X("gate-attached", "interface mode shared", "The kernel half is on an interface; why not in the better mode", "If the mode is generic and the card can do better, the text says what keeps it from that.") \
	X("gate-detached", "interface", "The kernel half was taken off an interface", "If it is not as you wished: `postern gate attach`.") \
	X("gate-not-attached", "interface", "The kernel half could not be attached, and why", "Sources are refused by posternd itself meanwhile. `postern feature probe`, with dev and the interface, says what it can do, `postern gate show` whose program is there.") \
	X("gate-not-detached", "interface", "The kernel half could not be taken off an interface", "Try `postern gate detach` again, as root; `postern gate show` says what is left.") \
	X("gate-alone", "", "No other XDP program can be on the interface", "If another XDP program is to be on the interface as well: see libxdp in postern-gate(8).") \
	X("gate-reloaded", "", "Somebody loaded the kernel half anew", LOG_CALM " Its tables are filled again.") \
	X("gate-not-loaded", "", "The kernel half cannot be loaded, and why", "Sources are refused by posternd itself meanwhile. `postern feature probe` says what the kernel lacks.") \
	X("gate-not-replaced", "", "The kernel half on the interfaces is an older one", "The older program stays in force. The lines before say why; start posternd again.") \
	X("interface-missing", "interface", "An interface of the configuration is not there", "It is attached to as soon as it comes. If it has another name now, change the configuration.") \
	X("interface-advice", "interface", "What would be faster", "Do as the text says, if speed matters.") \
	X("no-interface", "", "Nothing is refused at a network card", "Set interface in the configuration; posternd alone refuses sources now.") \
	X("pins-failed", "dir", "The pinned maps cannot be opened", "Is a bpf file system mounted at /sys/fs/bpf, and does no other version hold the folder?") \
	X("counters-failed", "", "The counters cannot be mapped", "Memory is short, or the pinned maps were removed: start posternd again.") \
	X("tables-not-filled", "", "The kernel's tables could not be filled", "The tables of before are in force. Memory is short, or the maps were removed: start posternd again.")

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
