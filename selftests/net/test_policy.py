# SPDX-License-Identifier: BSD-2-Clause
"""The judge's policy over real sockets: prefixes that are banned whole and whom they spare, and what stops a policy that goes wrong."""

import contextlib
import os
import signal
import time

import pytest

import gate as gate_
import smtp
from lab import GATE4, GATE6, PATIENCE, until

FROM, TO, TRAP = "sender@example.net", "user@example.org", "trap@example.org"
MESSAGE = b"Subject: %s\r\n\r\n"
BAN = {"first": "1h", "grace": 0, "prefix_sources": 0, "breaker": 0}


def deliver(dial, source, text):
    with dial(source) as d:
        assert d.mail(FROM, [TO], MESSAGE % text.encode()) == 250


def offend(dial, source):
    """One recipient that nobody has: worth a ban at once."""
    with dial(source) as d:
        assert d.say("EHLO client.example.net") == 250 and d.say(f"MAIL FROM:<{FROM}>") == 250
        assert d.say(f"RCPT TO:<{TRAP}>") == 550


def is_shut(lab, source):
    """Its SYNs are dropped: no connection comes about. Where they are not, the kernel answers at once; the greeting may take its time."""
    try:
        with smtp.dial(lab.world, source, GATE6 if ":" in source else GATE4, greet=False, timeout=1.5) as d:
            d.sock.settimeout(PATIENCE)
            d.reply()
            return False
    except (OSError, smtp.Hangup):
        return True


def is_over(session):
    try:
        return session.say("NOOP") == 421
    except (smtp.Hangup, OSError):
        return True


def known(gate, source):
    """The judge has heard that its mail was accepted."""
    until(f"{source} delivers", lambda: gate.json("client", "show", source)["delivers"])


# --- prefixes ---------------------------------------------------------------------

FAMILIES = [
    ("203.0.113.{}", "203.0.113.0/24", "198.51.100.5"),
    ("2001:db8:ace:{}::1", "2001:db8:ace::/48", "2001:db8:bad::5"),
]


@pytest.mark.parametrize("pattern, prefix, outside", FAMILIES, ids=["ipv4", "ipv6"])
def test_a_prefix_is_promoted_and_spares_the_good(gate, dial, lab, box, pattern, prefix, outside):
    good, allowed, bad = pattern.format(200), pattern.format(201), [pattern.format(n) for n in range(10, 14)]
    gate.configure(ban={**BAN, "prefix_sources": 4}, traps=[TRAP], allow=[allowed]).start()
    deliver(dial, good, "before")
    known(gate, good)
    session = dial(good)  # one that lives while its prefix is banned
    stranger = dial(pattern.format(220))
    for n, source in enumerate(bad):
        assert gate.ban(prefix) is None
        assert gate.json("client", "show", source)["prefix"] == {"prefix": prefix, "banned_sources": n, "banned_sources_max": 4, "relapses": 0}
        offend(dial, source)
        until(f"{source} is banned", lambda s=source: is_shut(lab, s))
    ban = gate.banned(prefix)
    assert (ban["reason"], ban["score"], ban["origin"], ban["action"]) == ("prefix", 4, "automatic", "drop")
    gate.counts(1, "prefix_bans_total")
    # a stranger in it is shut out, whether or not it was there; who delivered mail or is allowed is not
    assert is_shut(lab, pattern.format(99))
    until("its session ends", lambda: is_over(stranger))
    assert session.say("NOOP") == 250
    deliver(dial, good, "after")
    deliver(dial, allowed, "allowed")
    deliver(dial, outside, "next door")
    assert box.wait_for(b"after")
    assert gate.json("explain", good)["because"] == f"{prefix} is banned for what others in it did, but mail of this source was accepted"
    assert prefix in gate.json("explain", pattern.format(99))["because"]
    # good is what one was until then: an offence is one's own
    offend(dial, good)
    until("it is banned itself", lambda: is_shut(lab, good))
    # an operator's word ends it, and what was held against the prefix is forgotten
    gate.postern("ban", "del", prefix)
    deliver(dial, pattern.format(99), "pardoned")
    assert gate.json("client", "show", pattern.format(99))["prefix"]["banned_sources"] == 0


def test_a_prefix_with_a_never_ban_source_is_not(gate, dial, lab):
    gate.configure(ban={**BAN, "prefix_sources": 2}, traps=[TRAP], never_ban=["203.0.113.250"]).start()
    for n in (10, 11, 12):
        offend(dial, f"203.0.113.{n}")
        until("it is banned", lambda s=f"203.0.113.{n}": is_shut(lab, s))
    assert gate.ban("203.0.113.0/24") is None
    said = [line for line in gate.says("would-ban prefix=203.0.113.0/24").splitlines() if "would-ban prefix=203.0.113.0/24" in line]
    assert len(said) == 1 and 'note="never_ban of the configuration"' in said[0]
    gate.counts(1, "bans_refused_total", cause="never_ban")
    refused = gate.postern("ban", "add", "203.0.113.0/24", check=False)
    assert refused.returncode == 1 and "203.0.113.250" in refused.stderr
    offend(dial, "203.0.113.250")
    gate.says("would-ban prefix=203.0.113.250 ")
    deliver(dial, "203.0.113.250", "never")


# --- the breaker ----------------------------------------------------------------------

def test_the_breaker(gate, dial, lab):
    """A trap that is none: genuine senders write to it, and the third of five would be the last straw."""
    gate.configure(ban={**BAN, "breaker": 50, "breaker_sources": 2, "breaker_pause": "15s"}, traps=[TRAP]).start()
    senders = [f"203.0.113.{n}" for n in range(30, 33)] + ["2001:db8:ace:30::1", "2001:db8:ace:31::1"]
    for source in senders:
        deliver(dial, source, "genuine")
        known(gate, source)
    for source in senders[:2]:
        offend(dial, source)
        until("it is banned", lambda s=source: is_shut(lab, s))
    assert gate.json("gate", "show")["daemon"]["breaker"]["open"] is False
    offend(dial, senders[2])
    until("the breaker opens", lambda: gate.counter("breaker_open") == 1)
    shown = gate.json("gate", "show")["daemon"]["breaker"]
    assert shown["open"] and shown["share"] == 40 and shown["messages"] == 5 and shown["banned_sources"] == 2
    deliver(dial, senders[2], "spared")
    offend(dial, senders[3])
    offend(dial, "198.51.100.66")  # a stranger, as bad as can be: nobody is banned now
    until("both are let off", lambda: gate.counter("bans_refused_total", cause="breaker") == 3)
    assert gate.ban("198.51.100.66") is None and gate.ban("2001:db8:ace:30::/64") is None
    gate.says('note="breaker"', "breaker-open share=40 limit=50")
    until("it closes by itself", lambda: gate.counter("breaker_open") == 0)
    offend(dial, "198.51.100.66")
    until("strangers are banned again", lambda: is_shut(lab, "198.51.100.66"))
    gate.says("breaker-closed")


# --- the dead man ------------------------------------------------------------------------

def test_a_dead_controllers_policy_ends(gate, dial, lab):
    gate.configure(dead_man="15s", ban=BAN, traps=[TRAP]).start()
    source = "203.0.113.40"
    offend(dial, source)
    until("it is banned", lambda: is_shut(lab, source))

    def reachable():
        """A packet of its own gets as far as the port: nobody listens any more, so it is answered by a reset."""
        try:
            smtp.dial(lab.world, source, GATE4, timeout=1.5).close()
        except ConnectionRefusedError:
            return True
        except (OSError, smtp.Hangup):
            return False
        return True
    assert not reachable() and gate.json("gate", "show")["dead_man"] >= 0
    os.kill(gate.judge(), signal.SIGKILL)  # one that is replaced is not missed
    until("another judge answers", lambda: gate.judge() and gate.answers())
    gate.kill()
    assert not reachable()  # killing opens nothing
    until("the policy ends", reachable, 90)
    assert gate.counter("xdp_packets_total", reason="dead_man") > 0
    assert gate.json("gate", "show")["dead_man"] == 0
    assert "vouched" in gate.json("explain", source)["because"]
    gate.start()  # with the bans as they were
    until("the ban is in force again", lambda: is_shut(lab, source))
    gate.says("dead-man seconds=")
    gate.kill()
    until("the policy ends again", reachable, 90)
    gate.postern("gate", "mode", "enforce")  # an operator vouches for it
    assert not reachable()
    assert gate.json("gate", "show")["dead_man"] is None
    gate.configure(ban=BAN, traps=[TRAP]).start()  # and without the setting nothing ends
    assert gate.json("gate", "show")["dead_man"] is None


def test_a_judge_that_hangs_is_dead(gate, dial, lab):
    gate.configure(dead_man="15s", ban=BAN, traps=[TRAP]).start()
    offend(dial, "2001:db8:ace:41::1")
    until("it is banned", lambda: is_shut(lab, "2001:db8:ace:41::1"))
    judge = gate.judge()
    os.kill(judge, signal.SIGSTOP)
    try:
        until("it passes", lambda: not is_shut(lab, "2001:db8:ace:41::1"), 90)
    finally:
        os.kill(judge, signal.SIGCONT)
    until("it is shut out again", lambda: is_shut(lab, "2001:db8:ace:41::1"))


# --- amnesty --------------------------------------------------------------------------------

@pytest.mark.parametrize("queue, bot", [("203.0.113.50", "203.0.113.51"), ("2001:db8:ace:50::1", "2001:db8:ace:51::1")], ids=["ipv4", "ipv6"])
def test_amnesty_for_who_backs_off(gate, dial, lab, queue, bot):
    """A pause of three seconds is one here. The queue waits longer each time; the bot never waits, not even on a slow machine."""
    gate.configure(ban={**BAN, "amnesty": 3, "amnesty_pause": "3s"}, traps=[TRAP]).start()
    prefix = {s: s.replace("::1", "::/64") for s in (queue, bot)}
    for source in (queue, bot):
        offend(dial, source)
        gate.banned(prefix[source])
    due = {"pause": 4.0, "at": time.monotonic()}

    def knock(source):
        with contextlib.suppress(OSError, smtp.Hangup):
            smtp.dial(lab.world, source, GATE6 if ":" in source else GATE4, timeout=0.2).close()

    def forgiven():
        knock(bot)
        if time.monotonic() >= due["at"]:
            knock(queue)
            due["pause"] *= 1.2
            due["at"] = time.monotonic() + due["pause"]
        return gate.ban(prefix[queue])["action"] == "refuse"
    until("the queue is forgiven", forgiven, 90)
    assert gate.ban(prefix[bot])["action"] == "drop" and gate.ban(prefix[bot])["retries"] == 0
    gate.counts(1, "amnesties_total")
    gate.says(f"amnesty prefix={prefix[queue].removesuffix('/128')}")
    lab.world_takes_answers()
    with dial(queue) as d:  # it is told why
        assert d.greeting == 220 and d.say("EHLO client.example.net") == 250 and d.say(f"MAIL FROM:<{FROM}>") == 250
        refused = d.say(f"RCPT TO:<{TO}>")
        assert refused == 550 and "banned" in str(refused)
    lab.world_takes_none()
    assert is_shut(lab, bot)


# --- the tarpit --------------------------------------------------------------------------------

def resident(pid):
    return int(gate_.status(pid)["VmRSS"].split()[0])  # KiB


@pytest.mark.parametrize("source", ["203.0.113.60", "2001:db8:ace:60::1"], ids=["ipv4", "ipv6"])
def test_tarpit(gate, dial, lab, source):
    """Two places. An octet takes so long that nobody sees two at once; what a held session sends costs the worker nothing."""
    to = GATE6 if ":" in source else GATE4
    gate.configure(ban=BAN, traps=[TRAP], points={"trap-recipient": 60}, tarpit={"sessions": 2, "octet": "5s"}, limits={"workers": 1}).start()
    offend(dial, source)
    until("its score is known", lambda: gate.json("client", "show", source)["score"] >= 50)
    before = resident(gate.workers()[0])
    held = [lab.world.connect(source, to, 25, 30) for _ in range(2)]
    until("two are held", lambda: gate.counter("tarpit_sessions_total", result="held") == 2)
    with dial(source) as third:  # no room: served as usual
        assert third.greeting == 220 and third.say("NOOP") == 250
    assert gate.counter("tarpit_sessions_total", result="full") == 1
    for s in held:
        s.settimeout(30)
        assert len(s.recv(1000).partition(b"\r\n")[2]) <= 4  # of what was said after the first line, which the judge's word came after
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while s.send(b"NOOP\r\n" * 1000):
                pass
    assert resident(gate.workers()[0]) - before < 2048
    held[0].close()

    def another():
        s = lab.world.connect(source, to, 25, 30)
        held.append(s)
        return gate.counter("tarpit_sessions_total", result="held") >= 3
    until("its place is given away", another, every=0.5)
    for s in held:
        s.close()
    with dial("198.51.100.60") as other:
        assert other.greeting == 220
    gate.postern("client", "forget", source)
    deliver(dial, source, "as if nothing had been")


def test_a_slow_answer_is_not_the_clients_fault(gate, dial):
    """The whole dialogue takes longer than the client would have for a command; it is heard to its end and accused of nothing."""
    gate.configure(ban=BAN, traps=[TRAP], points={"trap-recipient": 60}, tarpit={"sessions": 2, "octet": "70ms"},
                   limits={"workers": 1, "command_timeout": "5s"}).start()
    offend(dial, "203.0.113.61")
    until("its score is known", lambda: gate.json("client", "show", "203.0.113.61")["score"] >= 50)
    with dial("203.0.113.61", timeout=60) as d:
        assert d.greeting == 220 and d.say("EHLO client.example.net") == 250 and d.say("QUIT") == 221
    assert gate.counter("tarpit_sessions_total", result="held") == 1
    assert "too-slow" not in gate.said() and gate.counter("sessions_total", end="timeout") == 0


# --- tests of clients -------------------------------------------------------------------------------

@contextlib.contextmanager
def standing_still(gate):
    """The workers do nothing meanwhile, as on a machine that is too busy."""
    pids = gate.workers()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("late", [True, False], ids=["in-time", "early"])
def test_a_busy_gate_accuses_nobody_wrongly(gate, dial, lab, late):
    """Whoever speaks when the greeting is due is not early, though the gate is too busy to greet; whoever spoke before is, though it looked late."""
    pause = 3 if late else 10
    gate.configure(greet_pause=f"{pause}s", stress_pause=f"{pause}s", ban={**BAN, "observe": True}).start()
    source = "203.0.113.70" if late else "2001:db8:ace:70::1"
    with lab.world.connect(source, GATE6 if ":" in source else GATE4, 25, 60) as s:
        begin = time.monotonic()
        s.settimeout(60)
        assert s.recv(1000).startswith(b"220-")
        with standing_still(gate):
            if late:
                time.sleep(pause + 1)
            s.sendall(b"EHLO client.example.net\r\n")
            time.sleep(max(0, begin + pause + 2 - time.monotonic()))
        heard = b""
        while b"\r\n250 " not in heard and b"554 " not in heard:
            got = s.recv(1000)
            assert got, heard
            heard += got
    assert (b"554 " in heard) == (not late)
    if late:
        assert "reason=early-talker" not in gate.said()
    else:
        until("the judge has heard of it", lambda: "reason=early-talker" in gate.said())


def test_a_stranger_at_the_backup(gate, dial, box):
    gate.configure(ban=BAN, tests={"backup": "enforce"}, listener__backup={"address": "::", "port": 2525, "backup": True}).start()
    for source, to in (("203.0.113.80", GATE4), ("2001:db8:ace:80::1", GATE6)):
        def try_backup(s=source, t=to):
            with smtp.Dialog(gate.lab.world.connect(s, t, 2525)) as d:
                assert d.say("EHLO client.example.net") == 250 and d.say(f"MAIL FROM:<{FROM}>") == 250
                return d.say(f"RCPT TO:<{TO}>").code
        assert try_backup() == 450
        with dial(source) as d:  # as it was told to; and it leaves as it should
            assert d.say("EHLO client.example.net") == 250 and d.say("QUIT") == 221
        # asked of the judge: each try too early would be an offence of its own
        until("it is remembered", lambda s=source: "backup" in [row["test"] for row in gate.json("client", "show", s)["passes"]])
        assert try_backup() == 250


def test_a_trap_domain(gate, dial, lab):
    gate.configure(ban=BAN, trap_domains=["lure.example", ".lure.example"]).start()
    for source, domain in (("203.0.113.81", "lure.example"), ("2001:db8:ace:81::1", "deep.lure.example")):
        with dial(source) as d:
            assert d.say("EHLO client.example.net") == 250 and d.say(f"MAIL FROM:<{FROM}>") == 250
            assert str(d.say(f"RCPT TO:<anybody@{domain}>")).startswith("550 5.1.2")
        until("it is banned", lambda s=source: is_shut(lab, s))
        assert gate.banned(source.replace("::1", "::/64"))["reason"] == "trap-domain"
