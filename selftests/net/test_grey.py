# SPDX-License-Identifier: BSD-2-Clause
"""The greylist: who waits and who does not, sources that are more than an address, real queues that come again.

A first try is deferred however slow the machine is, and one that passes is waited for. What must not pass meanwhile has an hour.
"""

import os
import signal

import pytest

import clients
import resolver as resolver_
from lab import until

FROM, TO, OTHER = "sender@example.net", "user@example.org", "other@example.org"
V4, V6, ALLOWED, MAY_RELAY = "203.0.113.5", "2001:db8:ace::5", "203.0.113.100", "203.0.113.200"
LONG = {"mode": "enforce", "delay": "1h", "by_name": False, "timeout": "60s"}
SHORT = {**LONG, "delay": "1s", "window": "1h"}
MESSAGE = b"Subject: %s\r\n\r\n"


def rcpt(dial, source, to=TO, sender=FROM):
    with dial(source) as d:
        assert d.say("EHLO client.example.net") == 250
        assert d.say(f"MAIL FROM:<{sender}>") == 250
        return d.say(f"RCPT TO:<{to}>")


def mail(dial, source, text, to=TO, sender=FROM):
    with dial(source) as d:
        return d.mail(sender, [to], MESSAGE % text.encode()).code


def entries(gate, *source):
    return gate.json("grey", "show", *source)["entries"]


# --- who waits --------------------------------------------------------------------

# source, sender, recipient, the reply to RCPT
ROWS = [
    (V4, FROM, TO, 450), (V6, FROM, TO, 450), ("198.51.100.7", FROM, OTHER, 450), (V4, "other@example.net", TO, 450),
    (ALLOWED, FROM, TO, 250), (MAY_RELAY, FROM, TO, 250), (V4, FROM, "nobody@example.org", 550), (V4, "a@bank.example", TO, 250),
    (V4, "", TO, 250), (V4, FROM, "someone@remote.example", 550),
]


def test_who_waits(gate, dial):
    gate.configure(greylist={**LONG, "exempt_recipients": ["nobody@example.org"], "exempt_senders": ["bank.example"]}, allow=[ALLOWED],
                   relay={"entries": [MAY_RELAY]}, ban={"observe": True}).start()
    for source, sender, to, code in ROWS:
        assert rcpt(dial, source, to, sender) == code, (source, sender, to)
    assert str(rcpt(dial, V4)) == "450 4.7.1 Greylisted, try again in 3600 seconds"
    assert gate.counter("recipients_total", result="greylisted") == 5
    assert gate.counter("greylist_total", result="deferred") == 5
    gate.says("why=greylisted")
    rows = entries(gate, V4)
    assert {(row["source"], row["state"], row["count"]) for row in rows} == {("203.0.113.0/24", "waiting", 1), ("203.0.113.0/24", "waiting", 2)}
    assert all(3000 < row["seconds"] <= 3600 for row in rows)
    assert FROM not in str(entries(gate))  # no address is kept


def test_a_bounce_waits_at_data(gate, dial):
    gate.configure(greylist=LONG).start()
    with dial(V4) as d:
        assert d.mail("", [TO], MESSAGE % b"a bounce") == 450
        assert d.say("MAIL FROM:<>") == 250
        assert d.say(f"RCPT TO:<{OTHER}>") == 250
        assert str(d.say("DATA")).startswith("450 4.7.1 Greylisted")
        assert d.say("MAIL FROM:<>") == 250
        assert d.say("RCPT TO:<nobody@example.org>") == 550  # what a callout wants to know
    assert [(row["state"], row["count"]) for row in entries(gate)] == [("waiting", 2)]


def test_replies_keep_their_order(gate, dial, box):
    gate.configure(greylist={**LONG, "exempt_recipients": [TO]}).start()
    with dial(V4) as d:
        assert d.say("EHLO client.example.net") == 250
        d.send(f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nRCPT TO:<{OTHER}>\r\nRCPT TO:<nobody@remote.example>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode())
        assert [d.reply().code for _ in range(6)] == [250, 250, 450, 550, 250, 354]
        assert d.content(MESSAGE % b"to one of them") == 250
    box.wait_for(b"to one of them")


@pytest.mark.parametrize("mode", ["observe", "stress", "off"])
def test_modes_that_let_through(gate, dial, box, mode):
    """There is no stress here."""
    gate.configure(greylist={**LONG, "mode": mode}).start()
    assert mail(dial, V4, "not held up") == 250
    box.wait_for(b"not held up")
    assert gate.counter("greylist_total", result="observed") == (mode != "off")
    assert gate.counter("greylist_total", result="deferred") == 0
    assert gate.json("grey", "stats")["mode"] == mode


# --- who passes ---------------------------------------------------------------------

def passes(dial, text, *sources):
    """A mail server's queue, from whichever machine: until it is taken."""
    turns = iter(range(10 ** 6))
    until(f"{text} passes", lambda: mail(dial, sources[next(turns) % len(sources)], text) == 250, every=0.3)


def test_networks_are_sources(gate, dial, box):
    gate.configure(greylist={**SHORT, "passes": 1}).start()
    for first, others, outside, source in (
            (V4, ("203.0.113.77", "203.0.113.78"), "198.51.100.7", "203.0.113.0/24"),
            (V6, ("2001:db8:ace::77", "2001:db8:ace::ffff:78"), "2001:db8:ace:1::7", "2001:db8:ace::/64")):
        assert rcpt(dial, first) == 450
        passes(dial, f"from {source}", *others)
        assert rcpt(dial, outside) == 450
        assert box.wait_for(f"from {source}".encode())
        until("the pass counts", lambda s=source: "known" in [row["state"] for row in entries(gate, s)])
    # a source that has passed waits no more, whoever it writes to; not so its neighbours
    assert rcpt(dial, "203.0.113.79", OTHER, "stranger@example.net") == 250
    assert rcpt(dial, "2001:db8:ace::79", OTHER, "stranger@example.net") == 250
    assert rcpt(dial, "198.51.100.8", OTHER, "stranger@example.net") == 450
    assert gate.counter("greylist_total", result="known") >= 1
    assert gate.json("grey", "del", "203.0.113.79")["forgotten"] >= 2
    assert rcpt(dial, "203.0.113.80", OTHER, "stranger@example.net") == 450


def test_a_pool_of_one_name_is_a_source(gate, dial, lab, box):
    """Each try comes from another network, as those of large senders do."""
    pool = [("203.0.113.61", "mx1.out.pool.example"), ("198.51.100.62", "mx2.out.pool.example"), ("2001:db8:bad::63", "mx3.out.pool.example")]
    line = ("203.0.113.64", "203-0-113-64.out.pool.example")
    unbound = resolver_.Unbound(lab)
    lab.later(unbound.stop)
    unbound.start()
    unbound.tell(*(record for address, name in [*pool, line] for record in ((address, name, 300), (name, address, 300))))
    gate.configure(greylist={**SHORT, "by_name": True}, dns={"servers": ["127.0.0.1"], "timeout": "20s"}).start()
    assert rcpt(dial, pool[0][0]) == 450
    assert rcpt(dial, line[0]) == 450
    passes(dial, "from the pool", pool[1][0], pool[2][0])
    assert b"from the pool" in box.wait_for(b"from the pool")
    assert {row["source"] for row in entries(gate)} == {"out.pool.example", "203.0.113.0/24"}


# --- what happens to the judge ----------------------------------------------------------

def test_a_killed_judge_and_a_reload_forget_nothing(gate, dial):
    gate.configure(greylist=LONG).start()
    assert rcpt(dial, V4) == 450
    judge = gate.judge()
    os.kill(judge, signal.SIGKILL)
    until("another judge answers", lambda: gate.judge() not in (None, judge) and gate.answers())
    assert rcpt(dial, V4) == 450
    assert [row["count"] for row in entries(gate)] == [2]
    gate.configure(greylist={**LONG, "entries": 1000})
    assert gate.json("config", "reload")["reloaded"]
    until("the new table serves", lambda: gate.answers() and gate.json("grey", "stats")["room"] == 1024)
    assert rcpt(dial, V4) == 450
    assert [row["count"] for row in entries(gate)] == [3]
    assert gate.json("grey", "flush")["forgotten"] == 1
    assert entries(gate) == []


def test_a_judge_that_does_not_answer_stops_no_mail(gate, dial, box):
    gate.configure(greylist={**LONG, "timeout": "1s"}).start()
    judge = gate.judge()
    os.kill(judge, signal.SIGSTOP)
    try:
        assert mail(dial, V4, "nobody objects") == 250
    finally:
        os.kill(judge, signal.SIGCONT)
    box.wait_for(b"nobody objects")
    assert gate.counter("greylist_total", result="unanswered") == 1


# --- real queues ---------------------------------------------------------------------------

def test_real_queues_come_again(gate, lab, box):
    gate.configure(greylist={**SHORT, "delay": "2s"}).start()
    queue = clients.Postfix(lab, "203.0.113.90", "2001:db8:ace::90")
    exim = clients.Exim(lab, "198.51.100.91", "192.0.2.10")
    try:
        queue.start()
        queue.post("from a Postfix")
        exim.post("from an Exim")
        until("both have been deferred", lambda: gate.counter("greylist_total", result="deferred") >= 2)

        def both():
            exim.run_queue()
            return box.count() == 2
        until("both messages have come", both, 60, 0.5)
        assert sorted(text for text in (b"from a Postfix", b"from an Exim") for m in box.messages() if text in m) == [b"from a Postfix", b"from an Exim"]
    finally:
        queue.close()
        exim.close()
