# SPDX-License-Identifier: BSD-2-Clause
"""Ceilings over all workers: of a source, of a prefix, and what becomes of who does not hear."""

import os
import signal

import pytest

import gate as gate_
import smtp
from lab import GATE4, GATE6, until

FROM, TO = "sender@example.net", "user@example.org"
ALLOWED = "203.0.113.77"
RATES = {"mode": "enforce", "window": "1h", "connections": 3, "sessions": 50, "messages": 2, "recipients": 4, "unknown_recipients": 3,
         "prefix_unknown_recipients": 6, "prefix_connections": 0}


@pytest.fixture(scope="module")
def strict(lab, postfix):
    """A window that does not end while the tests run; each test has sources of its own."""
    made = gate_.Gate(lab).configure(rates=RATES, allow=[ALLOWED], points={"unknown-recipient": 0}, limits={"errors": 100}).start()
    yield made
    made.close()


@pytest.fixture
def open_(dial):
    """open_(source): a session that was greeted and has said EHLO."""
    def connect(source):
        d = dial(source)
        assert d.greeting == 220 and d.say("EHLO client.example.net") == 250
        return d
    return connect


def told(dialog, code):
    """Whether it is told so, soon: the judge's word may come a moment after the greeting."""
    if dialog.greeting != 220:
        return dialog.greeting == code
    try:
        until("the judge's word", lambda: dialog.say("NOOP") == code)
    except (smtp.Hangup, ConnectionError):
        return False
    return True


def first_other(dialog, command, code):
    """The command, again and again, until the reply is another than this code: what was done is counted a moment later."""
    replies = []
    until(f"{command} is not answered {code} any more", lambda: replies.append(dialog.say(command)) or replies[-1] != code or
          dialog.say("RSET") != 250)
    return replies[-1]


# --- with a gate of their own ---------------------------------------------------

def test_ceilings_end_and_repeaters_are_banned(gate, dial, lab):
    gate.configure(rates={"mode": "enforce", "window": "8s", "connections": 2}, points={"over-rate": 60}, ban={"first": "1h", "grace": 0}).start()

    def welcome(source):
        with smtp.dial(lab.world, source, GATE4) as d:
            try:
                return d.greeting == 220 and d.say("NOOP") == 250
            except (smtp.Hangup, ConnectionError):
                return False

    for _ in range(2):
        dial("198.51.100.50").quit()
    assert told(dial("198.51.100.50"), 421)
    until("the count is below the ceiling", lambda: welcome("198.51.100.50"), every=5)

    def hammer():
        try:
            with smtp.dial(lab.world, "198.51.100.60", GATE4, timeout=2) as d:
                return not d.greeting
        except (OSError, smtp.Hangup):
            return True
    until("it is banned", lambda: hammer() and gate.ban("198.51.100.60"), 120)
    assert gate.banned("198.51.100.60")["reason"] == "over-rate"


@pytest.mark.parametrize("source", ["198.51.100.80", "2001:db8:bad:80::1"], ids=["ipv4", "ipv6"])
def test_who_does_not_hear_is_held(gate, dial, lab, source):
    """Told that it is too much and going on, its SYNs are dropped until it is below its ceiling; what it has open goes on."""
    gate.configure(rates={"mode": "enforce", "window": "40s", "connections": 2}, points={"over-rate": 0}).start()
    open_ = dial(source)
    assert open_.greeting == 220

    def connects():
        try:
            smtp.dial(lab.world, source, GATE6 if ":" in source else GATE4, timeout=2).close()
            return True
        except (OSError, smtp.Hangup):
            return False
    until("it is held", lambda: connects() is False and gate.counter("held_sources_total") == 1 and gate.counter("xdp_packets_total", reason="syn_source"), 60)
    assert open_.say("NOOP") == 250
    assert gate.json("explain", source)["held_seconds"] >= 0 and gate.ban(source) is None
    other = dial("198.51.100.81")
    assert other.greeting == 220
    until("it may come again", connects, 120, every=1)


def test_observe_defers_nobody(gate, dial):
    gate.configure(rates={**RATES, "mode": "observe"}).start()
    for _ in range(6):
        d = dial("198.51.100.70")
        assert d.greeting == 220 and d.say("NOOP") == 250
        d.quit()
    gate.counts(1, "over_rate_total", what="connections")


# --- with the one above ----------------------------------------------------------

@pytest.mark.parametrize("source", ["198.51.100.10", "2001:db8:bad:10::1"])
def test_connections(strict, dial, source):
    sent = strict.counter("over_rate_total", what="connections")
    for _ in range(3):
        d = dial(source)
        assert d.greeting == 220
        d.quit()
    late = dial(source)
    assert told(late, 421)
    strict.counts(sent + 1, "over_rate_total", what="connections")
    other = dial("198.51.100.11" if "." in source else "2001:db8:bad:11::1")
    assert other.greeting == 220 and other.say("NOOP") == 250


def test_a_killed_judge_forgets_nothing(strict, dial):
    for _ in range(3):
        dial("198.51.100.20").quit()
    strict.json("client", "show", "198.51.100.20")  # the judge has answered this, so it has read what the workers said before
    judge = strict.judge()
    os.kill(judge, signal.SIGKILL)
    until("another judge answers", lambda: strict.judge() not in (None, judge) and strict.answers())
    assert told(dial("198.51.100.20"), 421)


def test_messages_and_recipients(strict, open_):
    d = open_("198.51.100.30")
    for _ in range(2):
        assert d.say(f"MAIL FROM:<{FROM}>") == 250 and d.say(f"RCPT TO:<{TO}>") == 250 and d.say("DATA") == 354
        assert d.content(b"Subject: x\r\n\r\n") == 250
    reply = first_other(d, f"MAIL FROM:<{FROM}>", 250)
    assert reply == 450 and "4.7.0" in str(reply)
    assert first_other(open_("198.51.100.30"), f"MAIL FROM:<{FROM}>", 250) == 450  # another session, maybe another worker
    assert open_("198.51.100.31").say(f"MAIL FROM:<{FROM}>") == 250


def test_recipients_without_a_message(strict, open_):
    d = open_("198.51.100.35")
    assert d.say(f"MAIL FROM:<{FROM}>") == 250
    for _ in range(4):
        assert d.say(f"RCPT TO:<{TO}>") == 250
    d.quit()
    d = open_("198.51.100.35")
    assert d.say(f"MAIL FROM:<{FROM}>") == 250
    replies = []
    until("recipients are deferred", lambda: replies.append(d.say(f"RCPT TO:<{TO}>")) or replies[-1] != 250, every=0.3)
    assert replies[-1] == 450 and "4.7.0" in str(replies[-1])


def test_unknown_recipients_of_a_prefix(strict, open_):
    """Two of each of three sources: none is over its own ceiling, the /24 is over its."""
    for host in (40, 41, 42):
        d = open_(f"203.0.113.{host}")
        assert d.say(f"MAIL FROM:<{FROM}>") == 250
        assert [d.say("RCPT TO:<nobody-here@example.org>").code for _ in range(2)] == [550, 550]
    stranger = open_("203.0.113.43")
    assert stranger.say(f"MAIL FROM:<{FROM}>") == 250
    replies = []
    until("the /24 is over", lambda: replies.append(stranger.say(f"RCPT TO:<{TO}>")) or replies[-1] != 250, every=0.3)
    assert replies[-1] == 450
    strict.says("limit prefix=203.0.113.0/24 what=unknown_recipients")


def test_an_allowed_source_has_no_ceiling(strict, dial):
    for _ in range(8):
        d = dial(ALLOWED)
        assert d.greeting == 220
        assert d.say("NOOP") == 250
        d.quit()
