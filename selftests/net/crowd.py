# SPDX-License-Identifier: BSD-2-Clause
"""A crowd at a mail server's door: bots, and genuine senders among them, and what became of each.

Genuine senders are queues of a real Postfix and a real Exim, an address each, IPv4 and IPv6. Bots are bots.py. The door is the
gate with Postfix behind it, or the same Postfix behind its own postscreen: the same crowd, the same mailbox.
"""

import ipaddress
import json
import os
import re
import smtplib
import statistics
import subprocess
import sys
import threading
import time

import clients
import mta
from dovecot import Dovecot
from gate import Gate
from lab import GATE4, GATE6, HOME, LabError, alive, children, until

HERE = os.path.dirname(os.path.abspath(__file__))
BOT_NETWORKS = ("198.18.0.0/15", "2001:db8:b000::/36")
KINDS = ("pregreet", "pipeline", "harvest", "guess", "relay", "hammer")
TICK = os.sysconf("SC_CLK_TCK")


# --- who knocks ------------------------------------------------------------------


def bots(count):
    """IPv4 and IPv6 by turns, spread over the networks: few share a /24, few a /48."""
    def source(n):
        pair = n // 2
        return f"198.{18 + pair % 2}.{pair // 2 % 256}.{1 + pair // 512}" if n % 2 == 0 else f"2001:db8:{0xb000 + pair // 4:x}:{pair % 4:x}::1"
    return [{"kind": KINDS[n // 2 % len(KINDS)], "source": source(n)} for n in range(count)]


class PostfixSenders(clients.Postfix):
    """One Postfix with a transport for each sender, bound to the sender's address."""

    def __init__(self, lab, count):
        super().__init__(lab, "0.0.0.0", "::")
        self.senders = [f"p{n}@client.example" for n in range(count)]
        self.addresses = [f"2001:db8:ace:{n:x}::1" if n % 2 else f"203.0.113.{n + 1}" for n in range(count)]
        routes, services = [], []
        for n, address in enumerate(self.addresses):
            six = ":" in address
            routes.append(f"p{n}@client.example=s{n}:[{GATE6 if six else GATE4}]")
            services.append(f"s{n} unix - - n - 2 smtp -o smtp_bind_address{'6' if six else ''}={address} "
                            f"-o smtp_helo_name=mail{n}.client.example -o inet_protocols={'ipv6' if six else 'ipv4'}\n")
        with open(f"{self.home}/upper/etc/postfix/main.cf", "r+", encoding="utf-8") as f:
            kept = [line for line in f.read().splitlines() if not line.startswith(("relayhost", "smtp_bind_address", "smtp_helo_timeout"))]
            f.seek(0)
            f.truncate()
            f.write("\n".join(kept) + f"\nsender_dependent_default_transport_maps = inline:{{ {', '.join(routes)} }}\n"
                    "smtpd_client_connection_count_limit = 0\nin_flow_delay = 0\n")
        with open(f"{self.home}/upper/etc/postfix/master.cf", "a", encoding="utf-8") as f:
            f.writelines(services)

    def deliver(self, sender, text):
        with self.lab.world.here(), smtplib.SMTP("127.0.0.1", 2525, timeout=60) as s:
            s.sendmail(sender, [clients.TO], f"Subject: {text}\n\n{text}\n")

    def run_queue(self):
        """Postfix does, by itself."""

    def deferrals(self):
        return len(re.findall(r" postfix/smtp\[\d+\]: .*status=deferred", self.said()))

    def delays_s(self):
        return [float(d) for d in re.findall(r" delay=([\d.]+), .*status=sent", self.said())]


def _by_sender(table):
    """Exim takes no address that a message names; what it finds in a file of its own it takes."""
    return f"${{lookup{{$sender_address_local_part}}lsearch{{/etc/exim4/{table}}}}}"


class EximSenders(clients.Exim):
    """Exim, started for a message at a time."""

    def __init__(self, lab, count):
        super().__init__(lab, _by_sender("addresses"), _by_sender("gates"))
        self.senders = [f"e{n}@client.example" for n in range(count)]
        self.addresses = [f"2001:db8:ace:{200 + n:x}::1" if n % 2 else f"203.0.113.{200 + n}" for n in range(count)]
        for table, values in (("addresses", self.addresses), ("gates", [GATE6 if ":" in a else GATE4 for a in self.addresses])):
            with open(f"{self.home}/upper/etc/exim4/{table}", "w", encoding="ascii") as f:
                f.writelines(f"{sender.partition('@')[0]}: {value}\n" for sender, value in zip(self.senders, values))

    def start(self):
        return self

    def stop(self):
        """Nothing of it runs on."""

    def _exim(self, *arguments, text=""):
        return subprocess.run(self.lab.world.command(
            "unshare", "--mount", "--propagation", "private", "sh", "-c", mta._ENTER_ROOT, "enter", self.home, "env",
            "LD_LIBRARY_PATH=/usr/lib/exim4:/usr/lib/x86_64-linux-gnu", "/usr/sbin/exim4", *arguments),
            input=text, capture_output=True, text=True, check=False, timeout=120)

    def deliver(self, sender, text):
        done = self._exim("-odf", "-i", "-f", sender, clients.TO, text=f"Subject: {text}\nTo: {clients.TO}\n\n{text}\n")
        if done.returncode != 0:
            raise LabError(f"exim: {done.stderr or done.stdout or done.returncode}")

    def run_queue(self):
        self._exim("-qf")

    def deferrals(self):
        return len(re.findall(r"^\S+ \S+ \S+ == ", self.said(), re.M))

    def delays_s(self):
        return []


# --- what they knock at -------------------------------------------------------------


class Backend(mta.Postfix):
    """The lab's Postfix, with passwords."""

    SASL = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:12345
"""
    files = {**mta.Postfix.files, "etc/postfix/main.cf": mta.MAIN_CF + SASL}


class Postscreen(Backend):
    """The same Postfix with postscreen in front of it, the early talkers' test on; deep tells whether all others are, too."""

    ports, listening = (25,), ("smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n"
                               "dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n")
    ON = """
inet_interfaces = all
postscreen_greet_action = drop
"""
    DEEP = """
postscreen_pipelining_enable = yes
postscreen_pipelining_action = drop
postscreen_non_smtp_command_enable = yes
postscreen_bare_newline_enable = yes
postscreen_bare_newline_action = drop
"""

    def __init__(self, lab, deep):
        self.files = {"etc/postfix/main.cf": mta.MAIN_CF.replace("inet_interfaces = loopback-only\n", "") + self.SASL + self.ON + self.DEEP * deep,
                      "etc/postfix/master.cf": self.listening + mta.MASTER_CF[mta.MASTER_CF.index("pickup"):]}
        super().__init__(lab)


class GateDoor:
    """A gate as it is installed, apart from what it must be told."""

    def __init__(self, lab, **settings):
        self.gate, self.behind = Gate(lab), [Dovecot(lab), Backend(lab)]
        self.gate.configure(**{
            "greet_pause": None, "limits": None, "ban": {"first": "1h"}, "listener__mx": {"auth": "offer", "auth_cleartext": True}, **settings})

    def start(self):
        for server in self.behind:
            server.start()
        self.gate.start()
        self.gate.probed()

    def stop(self):
        self.gate.close()
        for server in self.behind:
            server.stop()

    def pids(self):
        return self.gate.pids()

    def banned(self):
        return [row["prefix"] for row in self.gate.json("ban", "show")["bans"]]

    def sessions_of(self, source):
        """How many of its sessions a process had to deal with."""
        return self.gate.json("client", "show", source).get("sessions", 0)

    def refused_packets(self):
        return sum(self.gate.counter("xdp_packets_total", verdict=verdict) for verdict in ("dropped", "reset", "refused"))


class PostscreenDoor:
    def __init__(self, lab, deep=False):
        self.behind = [Dovecot(lab), Postscreen(lab, deep)]

    def start(self):
        for server in self.behind:
            server.start()

    def stop(self):
        for server in reversed(self.behind):
            server.stop()

    def pids(self):
        process = self.behind[1].process
        return [process.pid, *children(process.pid)]

    def banned(self):
        return []

    def refused_packets(self):
        return 0


# --- the crowd -----------------------------------------------------------------------


def _cpu_s(pids):
    """Of these processes and of the children that they have waited for."""
    ticks = 0
    for pid in filter(alive, pids):
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            ticks += sum(map(int, f.read().rpartition(")")[2].split()[11:15]))
    return ticks / TICK


def _pss_mib(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024


def prepare(lab):
    """The bots' networks, a counter of what they send, and a cable that brings back what the gate's NIC answers."""
    for network in BOT_NETWORKS:
        lab.world.run("ip", "route", "add", "local", network, "dev", "lo")
    lab.world_takes_answers()
    rules = "".join(f"{family} saddr {network} tcp dport 25 counter\n" for family, network in zip(("ip", "ip6"), BOT_NETWORKS))
    lab.world.run("nft", "-f", "-", input=f"table inet crowd {{ chain out {{ type filter hook output priority 0;\n{rules}}}\n}}\n")


def bot_packets(lab):
    told = json.loads(lab.world.run("nft", "-j", "list", "table", "inet", "crowd"))
    return sum(e["counter"]["packets"] for row in told["nftables"] for e in row.get("rule", {}).get("expr", []) if "counter" in e)


class Crowd:
    """nbots bots and nsenders senders with so many messages each, at a door that serves already."""

    def __init__(self, lab, door, nbots, nsenders, messages, **pace):
        self.lab, self.door, self.messages, self.most_mib = lab, door, messages, 0.0
        self.spec = {"gate": {"4": GATE4, "6": GATE6}, "bots": bots(nbots), "sessions": 6, "gap_s": 1, "spread_s": 20, "at_once": 400,
                     "patience_s": 15, **pace}
        few = max(1, nsenders // 5)
        self.queues = [PostfixSenders(lab, nsenders - few), EximSenders(lab, few)]
        self.box = mta.Mailbox("user")

    def run(self):
        """The report, as a dict."""
        self.box.empty()
        for queue in self.queues:
            queue.start()
        before = _cpu_s(self.door.pids()), bot_packets(self.lab)
        began = time.monotonic()
        try:
            program = self._start_bots()
            threads = [threading.Thread(target=self._send, args=(queue,)) for queue in self.queues]
            for thread in threads:
                thread.start()
            rows = self._wait_for_bots(program)
            for thread in threads:
                thread.join()
            lost = self._wait_for_mail()
            seconds = time.monotonic() - began
            return {"seconds": seconds, "cpu_s": _cpu_s(self.door.pids()) - before[0], "most_mib": self.most_mib,
                    "bot_packets": bot_packets(self.lab) - before[1], "refused_packets": self.door.refused_packets(),
                    "lost": lost, "retried": sum(q.deferrals() for q in self.queues),
                    "delays_s": sorted(d for q in self.queues for d in q.delays_s()),
                    "spam": sum(b"spam-token" in m for m in self.box.messages()), "bots": rows, "banned": self.door.banned(),
                    "senders": [a for q in self.queues for a in q.addresses]}
        finally:
            for queue in self.queues:
                queue.stop()

    def _start_bots(self):
        where = f"{HOME}/bots.json"
        with open(where, "w", encoding="utf-8") as f:
            json.dump(self.spec, f)
        return self.lab.started(self.lab.world.start(sys.executable, f"{HERE}/bots.py", where, stdout=subprocess.PIPE, text=True))

    def _wait_for_bots(self, program):
        said = []
        reader = threading.Thread(target=lambda: said.append(program.stdout.read()))
        reader.start()
        while reader.is_alive():
            self.most_mib = max(self.most_mib, _pss_mib(self.door.pids()))
            reader.join(2)
        return json.loads(said[0])

    def _texts(self, queue):
        return {(sender, n): f"genuine {sender} {n}" for n in range(self.messages) for sender in queue.senders}

    def _send(self, queue):
        """Each sender's messages, one after another, over the time in which the bots come."""
        texts = self._texts(queue)
        for (sender, _), text in texts.items():
            queue.deliver(sender, text)
            time.sleep(self.spec["spread_s"] / len(texts))

    def _missing(self):
        seen = b"\n".join(m for m in self.box.messages() if b"genuine" in m)
        return [text for queue in self.queues for text in self._texts(queue).values() if f"\n{text}\n".encode() not in seen]

    def _wait_for_mail(self):
        """What has not come although the queues had every chance."""
        def done():
            for queue in self.queues:
                queue.run_queue()
            return not self._missing()

        try:
            until("every genuine message", done, seconds=120, every=1)
        except LabError:
            pass
        return self._missing()


def covers(prefixes, source):
    """Whether one of these prefixes, as `postern ban show` writes them, holds the address."""
    address = ipaddress.ip_address(source)
    return any(address in network for network in map(ipaddress.ip_network, prefixes) if network.version == address.version)


def summary(report):
    """What a person wants to know, as {name: (value, unit)}."""
    bots_, banned = report["bots"], report["banned"]
    delays = report["delays_s"] or [0.0]
    return {
        "seconds": (report["seconds"], "s"), "cpu": (report["cpu_s"], "s"), "memory": (report["most_mib"], "MiB"),
        "bots_banned": (sum(covers(banned, b["source"]) for b in bots_) / len(bots_), "of bots"),
        "genuine_banned": (sum(covers(banned, a) for a in report["senders"]), "senders"),
        "spam_delivered": (report["spam"], "messages"),
        "bot_sessions_begun": (sum(how in ("served", "cut") for b in bots_ for how in b["sessions"]), "sessions"),
        "bot_sessions_unanswered": (sum(how in ("silent", "reset") for b in bots_ for how in b["sessions"]), "sessions"),
        "bot_packets": (report["bot_packets"], "packets"),
        "bot_packets_refused_at_nic": (report["refused_packets"] / max(1, report["bot_packets"]), "of packets"),
        "genuine_lost": (len(report["lost"]), "messages"), "genuine_retried": (report["retried"], "times"),
        "genuine_delay_p50": (statistics.median(delays), "s"), "genuine_delay_max": (delays[-1], "s"),
    }
