# SPDX-License-Identifier: BSD-2-Clause
"""The gate in front of a real Postfix, used and attacked, in network namespaces of its own.

Every claim is checked where it is made; the exit status is 0 only if all of them are true.
HOLD=1 leaves the scene up and says how to talk to it, until ctrl-C.
"""

import json
import os
import signal
import socket
import struct
import sys
import time

import cell
import mta
import smtp
from gate import POSTERN, Gate
from lab import GATE4, GATE6, HOME, Lab, LabError, until
from story import NotTrue, Story

GOOD4, GOOD6 = "203.0.113.5", "2001:db8:ace::5"
BAD, LISTED = "198.51.100.66", "198.51.100.200"
LIST = f"{HOME}/drop.txt"
FROM, TO = "alice@example.net", "user@example.org"
LIMIT_SECONDS = 120
BAN_SECONDS = 10

MESSAGE = ("From: Alice <alice@example.net>\r\nTo: user@example.org\r\nSubject: {subject}\r\n"
           "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
           "8-bit text: žluťoučký kůň, ελληνικά, 日本語\r\n. a line that begins with a dot\r\n..\r\n"
           "{long}\r\n\r\n\r\nthe last line\r\n")

# What gets past the card is counted here, before any socket could see it.
BEHIND = f"""
table inet behind {{
	counter offender {{ }}
	counter listed {{ }}
	chain in {{
		type filter hook prerouting priority raw;
		iifname "gw0" ip saddr {BAD} tcp dport 25 tcp flags & (syn|ack) == syn counter name offender
		iifname "gw0" ip saddr {LISTED} tcp dport 25 counter name listed
	}}
}}
"""


class Spoken(smtp.Dialog):
    """A dialogue that the audience hears."""

    def __init__(self, story, lab, source, to, teaser=False):
        super().__init__(lab.world.connect(source, to))
        self.story, self.source = story, source
        story.spoke(source, [], self.greeting.lines if teaser else self.greeting.lines[-1:])

    def say(self, text, show=True):
        reply = super().say(text)
        if show:
            self.story.spoke(self.source, [text], reply.lines[-1:])
        return reply


def syn(source, to, source_port):
    """A TCP SYN to port 25, IPv4 header included."""
    def checksum(data):
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        total = (total & 0xffff) + (total >> 16)
        return ~(total + (total >> 16)) & 0xffff

    addresses = socket.inet_aton(source) + socket.inet_aton(to)
    tcp = struct.pack("!HHIIBBHHH", source_port, 25, 1, 0, 5 << 4, 2, 64240, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", checksum(addresses + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + addresses + tcp


class Knocking:
    """Connection attempts from one source, one after another, by a process of its own."""

    def __init__(self, net, source, to):
        self.net, self.packet, self.to = net, syn(source, to, 40000), to

    def __enter__(self):
        self.pid = os.fork()
        if self.pid == 0:
            cell.die_with_parent()
            try:
                with self.net.here():
                    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
                while True:
                    raw.sendto(self.packet, (self.to, 0))
                    time.sleep(0.00002)
            finally:
                os._exit(1)
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Demo:
    def __init__(self, story, lab, postfix, gate):
        self.story, self.lab, self.postfix, self.gate = story, lab, postfix, gate
        self.box = mta.Mailbox("user")

    # --- instruments --------------------------------------------------------

    def behind(self, counter):
        """Packets that got past the card, by nftables."""
        rows = json.loads(self.lab.gateway.run("nft", "-j", "list", "counter", "inet", "behind", counter))
        return next(row["counter"]["packets"] for row in rows["nftables"] if "counter" in row)

    def dropped(self, reason):
        return self.gate.counter("xdp_packets_total", verdict="dropped", reason=reason)

    def served(self, source):
        try:
            with smtp.dial(self.lab.world, source, GATE4, timeout=3) as d:
                return d.greeting == 220
        except (OSError, smtp.Hangup):
            return False

    def shut_out(self, source, reason, counter):
        """One connection attempt that must end at the card."""
        behind, dropped = self.behind(counter), self.dropped(reason)
        silent = smtp.unreachable(self.lab.world, source, GATE4, 1.5)
        stopped, passed = self.dropped(reason) - dropped, self.behind(counter) - behind
        self.story.tell(f"{source} connects to port 25: no answer in 1.5 s. "
                        f"XDP dropped {stopped} of its packets, {passed} got past the card.")
        return silent and stopped > 0 and passed == 0

    def reaction(self):
        """The ban's row, once a packet was refused because of it."""
        row = self.gate.ban(BAD)
        return row if row and row["reaction_ns"] is not None else None

    def offend(self, *sessions):
        """Asks to relay in each session in turn; two attempts are worth a ban."""
        replies = []
        for n, d in enumerate(sessions):
            d.say("EHLO mail.bulk.example", show=False)
            d.say("MAIL FROM:<winner@bulk.example>")
            replies.append(d.say(f"RCPT TO:<victim{n + 1}@elsewhere.example>"))
        return replies

    def answers(self):
        """Whether this kernel took the dialogue; otherwise a reset says no."""
        return "refuse" not in self.gate.json("gate", "show")

    def told_why(self, times):
        """The first contacts of a fresh ban: the card answers them alone. The last words to the first of them."""
        with Spoken(self.story, self.lab, BAD, GATE4) as d:
            d.say("EHLO mail.bulk.example", show=False)
            d.say("MAIL FROM:<winner@bulk.example>")
            reply = d.say("RCPT TO:<victim9@elsewhere.example>")
            d.say("QUIT", show=False)
        for _ in range(times - 1):
            smtp.dial(self.lab.world, BAD, GATE4).quit()
        return reply

    def first_contacts(self, times):
        behind = self.behind("offender")
        if self.answers():
            reply = self.told_why(times)
            self.story.claim("no process, no socket: the card itself says why",
                             str(reply).startswith(f"550 5.7.1 {BAD} is banned: relay-attempt"))
        else:
            refused = [smtp.refused(self.lab.world, BAD, GATE4) for _ in range(times)]
            self.story.claim("this kernel takes no program that could say why: its first contacts are reset", all(refused))
        self.story.claim(f"so it was with {times} contacts, and none of them got past the card", self.behind("offender") == behind)

    # --- the acts -----------------------------------------------------------

    def good_mail(self):
        self.story.act("A good client's mail arrives, byte for byte")
        for source, to in ((GOOD4, GATE4), (GOOD6, GATE6)):
            subject = f"greetings from {source}"
            sent = MESSAGE.format(subject=subject, long="long " * 180).encode()
            with Spoken(self.story, self.lab, source, to, teaser=True) as d:
                d.say("EHLO mail.example.net", show=False)
                d.say(f"MAIL FROM:<{FROM}> BODY=8BITMIME")
                d.say(f"RCPT TO:<{TO}>")
                d.say("DATA")
                reply = d.content(sent)
                self.story.spoke(source, [f"({len(sent)} bytes)", "."], reply.lines)
                d.say("QUIT", show=False)
            self.story.claim("Postfix took it, and the gate said so only then", reply == 250)
            got = self.box.wait_for(subject.encode())
            self.story.claim(f"the message in the mailbox is what was sent, {len(sent)} bytes",
                             got.endswith(b"\n" + sent.replace(b"\r\n", b"\n")))
            self.story.claim(f"Postfix knows the true client: [{source}]", f"{source}]".encode() in got.split(b"\n\n")[0])

    def relay(self):
        self.story.act("A stranger wants to relay")
        first, second = (Spoken(self.story, self.lab, BAD, GATE4) for _ in range(2))
        self.story.tell("(it holds two sessions at once)")
        reply, = self.offend(first)
        self.story.claim("refused with 550 5.7.1, and Postfix heard nothing of it",
                         str(reply).startswith("550 5.7.1 ") and "elsewhere.example" not in self.postfix.said())
        self.story.claim("one attempt is an offence, not yet a ban", self.gate.ban(BAD) is None)
        return first, second

    def ban(self, first, second):
        self.story.act("It tries again, and is banned")
        self.story.tell("Meanwhile it knocks at port 25 thousands of times a second; all of that gets in, so far.")
        with Knocking(self.lab.world, BAD, GATE4):
            seen = self.behind("offender")
            until("the knocking is heard", lambda: self.behind("offender") > seen + 100)
            reply = first.say("RCPT TO:<victim2@elsewhere.example>")
            row = until("a packet was refused", self.reaction)
            past = self.behind("offender")
            drops = self.dropped("banned")
            until("a thousand were dropped", lambda: self.dropped("banned") > drops + 1000)
            self.story.claim("of more than 1000 further knocks none got past the card", self.behind("offender") == past)
        milliseconds = row["reaction_ns"] / 1e6
        self.story.claim(f"refused: {reply}", reply == 550)
        self.story.claim(f"banned for {row['reason']}, {row['score']} points, {row['seconds_left']} s left",
                         row["action"] == "drop")
        self.story.claim(f"from the offence to the first refused packet: {milliseconds:.2f} ms", milliseconds < 1000)
        self.story.figure("offence to first refused packet", milliseconds, "ms")
        self.story.tell(f"(the card {'answered' if self.answers() else 'reset'} its first {row['grace']} knocks; the others met silence)")
        last = second.ended()
        self.story.spoke(BAD, [], last[-1:])
        self.story.claim("its second session, idle until then, was ended", last[-1].startswith("421 4.7.0"))
        self.story.claim("its next SYN never reaches a socket", self.shut_out(BAD, "banned", "offender"))
        self.story.quote(f"$ postern explain {BAD}\n" + self.gate.postern("explain", BAD).stdout)
        self.story.claim("everyone else is served meanwhile", self.served(GOOD4))

    def listed(self):
        self.story.act("A blacklisted network, from a list file")
        with open(LIST, encoding="utf-8") as f:
            self.story.quote(f"$ cat drop.txt\n{f.read()}")
        self.story.claim("198.51.100.200 lies in it and ends at the card", self.shut_out(LISTED, "listed", "listed"))
        self.story.claim("its neighbour outside of the network is served", self.served("198.51.100.191"))

    def expiry(self):
        self.story.act("The ban ends by itself")
        row = self.gate.ban(BAD)
        if row:
            self.story.tell(f"{row['seconds_left']} s left; {row['hits']:,} packets refused so far")
            self.story.figure("packets refused by that ban", row["hits"], "packets")
        begun = time.monotonic()
        until("the offender is served again", lambda: self.served(BAD), 30)
        self.story.claim(f"served again after {time.monotonic() - begun:.1f} s", self.gate.ban(BAD) is None)

    def without_daemon(self):
        self.story.act("Without the daemon")
        sessions = [Spoken(self.story, self.lab, BAD, GATE4) for _ in range(3)]
        try:
            self.offend(*sessions)
        except (smtp.Hangup, ConnectionError):
            pass  # banned before the last attempt: its score had not faded away
        row = self.gate.banned(BAD)
        self.story.claim(f"it offends again and is banned again, for longer: {row['seconds_left']} s left",
                         row["relapse"] >= 1 and row["seconds_left"] > BAN_SECONDS)
        killed = self.gate.kill()
        self.story.tell(f"kill -9 of all {len(killed)} processes of posternd")
        self.first_contacts(row["grace"])
        self.story.claim("from then on it is silent, still with nothing of posternd running", self.shut_out(BAD, "banned", "offender"))
        self.story.claim("`postern ban show` still tells who and why", self.gate.ban(BAD)["reason"] == "relay-attempt")
        begun = time.monotonic()
        self.gate.start()
        milliseconds = (time.monotonic() - begun) * 1000
        self.story.tell(f"posternd is started again, {milliseconds:.0f} ms")
        self.story.figure("start until serving", milliseconds, "ms")
        self.story.claim("the restart did not unban", self.shut_out(BAD, "banned", "offender"))
        with smtp.dial(self.lab.world, GOOD4, GATE4) as d:
            reply = d.mail(FROM, [TO], MESSAGE.format(subject="after the restart", long="").encode())
        self.story.claim(f"the good client's mail flows again: {reply}", reply == 250 and self.box.wait_for(b"after the restart"))

    def play(self):
        self.good_mail()
        self.ban(*self.relay())
        self.listed()
        self.expiry()
        self.without_daemon()
        for name, family, labels in (("packets seen by the XDP program", "xdp_packets_total", {}),
                                     ("packets dropped by it", "xdp_packets_total", {"verdict": "dropped"}),
                                     ("messages accepted", "messages_total", {"result": "accepted"}),
                                     ("recipients refused as relay", "recipients_total", {"result": "relay_refused"})):
            self.story.figure(name, self.gate.counter(family, **labels), name.split()[0])


def hold(story):
    pid = cell.inside()
    story.line()
    story.line("The scene stays up. From another terminal, as root:")
    for command, why in (
            (f"nsenter -t {pid} -m -p bash", "a shell inside; there:"),
            (f"  nsenter --net=/run/netns/gateway {POSTERN} monitor", "live events"),
            (f"  nsenter --net=/run/netns/gateway {POSTERN} ban show", "and gate, list, client, stats, explain ADDRESS, help"),
            (f"  nsenter --net=/run/netns/world swaks --server {GATE4} --local-interface {GOOD4} \\", ""),
            (f"      --from {FROM} --to {TO}", "a client"),
            (f"  ls {HOME}", "configuration, list, logs, mail")):
        story.line(f"   {command}" + (f"   # {why}" if why else ""))
    story.line("ctrl-C takes it down.")
    while True:
        signal.pause()


def scene(story):
    with Lab() as lab:
        begun = time.monotonic()
        lab.world_takes_answers()
        story.line("Postern: a demonstration")
        story.line()
        story.line("   world                                     gateway")
        story.line(f"   {GOOD4}, {GOOD6} (good)   ===XDP===   {GATE4}, {GATE6}: posternd :25 --> Postfix :10025")
        story.line(f"   {BAD} (bad), {LISTED} (listed)")
        with open(LIST, "w", encoding="utf-8") as f:
            f.write("; networks that send nothing but spam\n198.51.100.192/26\n2001:db8:bad:66::/64\n")
        lab.gateway.run("nft", "-f", "-", input=BEHIND)
        postfix, gate = mta.Postfix(lab), Gate(lab)
        lab.later(postfix.stop)
        postfix.start()
        gate.configure(greet_pause="500ms", list__drop={"file": LIST, "action": "drop"},
                       ban={"first": f"{BAN_SECONDS}s", "half_life": "1m"})
        lab.later(gate.close)
        gate.start()
        row = gate.json("gate", "show")
        story.tell(f"up in {time.monotonic() - begun:.1f} s; {describe(row)}")
        Demo(story, lab, postfix, gate).play()
        story.table()
        story.line()
        seconds = time.monotonic() - begun
        story.line(f"All {story.claims} claims were checked and are true. It took {seconds:.0f} s.")
        story.over = True
        signal.alarm(0)
        if os.environ.get("HOLD", "") not in ("", "0"):
            hold(story)


def describe(shown):
    """`postern -j gate show` in a few words."""
    links = (f"XDP on {link['interface']} in {link['mode']} mode" + (f" ({link['why_not_native']})" if link["why_not_native"] else "")
             for link in shown["links"])
    return "; ".join(links)


def too_long(*_):
    raise LabError(f"the demo took longer than {LIMIT_SECONDS} s")


def interrupted(number, _):
    sys.exit(128 + number)


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LIMIT_SECONDS)
    story = Story()
    try:
        scene(story)
        return 0
    except BrokenPipeError:  # nobody listens any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except NotTrue as e:
        story.line(f"\nNOT TRUE: {e}")
    except (LabError, OSError, smtp.Hangup) as e:
        story.line(f"\nThe demo failed: {type(e).__name__}: {e}")
    except SystemExit as e:
        story.line("\nEverything is taken down." if story.over else "\nInterrupted; everything is taken down.")
        return 0 if story.over else e.code
    return 1


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the demo makes network namespaces: sudo make demo")
    mta.unpack("postfix")
    sys.exit(cell.run(main))
