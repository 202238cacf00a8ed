# SPDX-License-Identifier: BSD-2-Clause
"""Tests of what a client is called, with a real resolver: reverse DNS that exists, that is confirmed, and a HELO that leads to the client.

A source that has passed does not wait for an answer again, so what must be refused comes from others.
"""

import pytest

import resolver as resolver_
from lab import until

FROM, TO = "sender@example.net", "user@example.org"
DNS = {"servers": ["127.0.0.1"], "timeout": "20s"}


@pytest.fixture(scope="module")
def unbound(lab):
    server = resolver_.Unbound(lab)
    lab.later(server.stop)
    server.start()
    server.tell(*records(("203.0.113.7", "mx.good.example"), ("2001:db8:ace::7", "six.good.example"), ("203.0.113.9", "pool9.good.example")),
                ("203.0.113.8", "forged.good.example", 300), ("forged.good.example", "203.0.113.99", 300),
                ("mx9.good.example", "203.0.113.9", 300), ("mx9.good.example", "2001:db8:ace::9", 300), ("2001:db8:ace::9", "mx9.good.example", 300))
    return server


def records(*pairs, ttl=300):
    """PTR and address for each (address, name)."""
    return [r for address, name in pairs for r in ((address, name, ttl), (name, address, ttl))]


def rcpt(dial, source, helo="client.example.net", to=TO):
    with dial(source) as d:
        if d.greeting != 220:
            return d.greeting
        reply = d.say(f"EHLO {helo}")
        if reply != 250:
            return reply
        assert d.say(f"MAIL FROM:<{FROM}>") == 250
        return d.say(f"RCPT TO:<{to}>")


def test_reverse_dns(gate, dial, unbound):
    gate.configure(dns=DNS, tests={"no_rdns": "enforce", "rdns_mismatch": "enforce"}).start()
    rows = (("203.0.113.7", 250), ("2001:db8:ace::7", 250), ("203.0.113.8", 550), ("203.0.113.10", 550), ("2001:db8:ace:1::10", 550))
    for source, code in rows:
        assert rcpt(dial, source) == code, source
    assert str(rcpt(dial, "203.0.113.10")) == "550 5.7.25 Your address has no name"
    assert str(rcpt(dial, "203.0.113.8")) == "550 5.7.25 The name of your address does not lead back to it"
    gate.says("reason=unconfirmed-reverse-dns", "reason=no-reverse-dns", "why=no-reverse-dns")


def test_helo(gate, dial, unbound):
    gate.configure(dns=DNS, tests={"helo_mismatch": "enforce"}).start()
    rows = (("203.0.113.7", "mx.good.example", 250), ("203.0.113.7", "MX.Good.Example", 250), ("203.0.113.14", "six.good.example", 550),
            ("203.0.113.9", "mx9.good.example", 250),  # not its reverse DNS, but it leads to the client
            ("2001:db8:ace::9", "mx9.good.example", 250), ("2001:db8:ace:1::10", "mx9.good.example", 550),
            ("203.0.113.10", "mx.good.example", 550), ("203.0.113.10", "nowhere.good.example", 550), ("203.0.113.15", "[203.0.113.15]", 250),
            ("2001:db8:ace:2::10", "[IPv6:2001:db8:ace:2::10]", 250), ("203.0.113.10", "[203.0.113.11]", 550))
    for source, helo, code in rows:
        assert rcpt(dial, source, helo) == code, (source, helo)
    assert str(rcpt(dial, "203.0.113.10", "mx.good.example")) == "550 5.7.1 HELO is not your host's name"
    until("the judge has logged it", lambda: 'reason=helo-mismatch points=2' in gate.said())


def test_nobody_answers(gate, dial, unbound):
    """No resolver at all: nobody is refused for that, and nobody waits longer than the timeout."""
    gate.configure(dns={"servers": ["192.0.2.99"], "timeout": "1s"},
                   tests={"no_rdns": "drop", "rdns_mismatch": "drop", "helo_mismatch": "drop"}).start()
    assert rcpt(dial, "203.0.113.10", "mx.good.example") == 250
    assert rcpt(dial, "2001:db8:ace:1::10", "mx.good.example") == 250


def test_drop_and_observe(gate, dial, unbound):
    gate.configure(dns=DNS, greet_pause="60s", tests={"no_rdns": "drop"}).start()
    assert rcpt(dial, "203.0.113.10") == 550  # in the greeting, before the pause is over
    gate.stop()
    gate.configure(dns=DNS, tests={"no_rdns": "observe", "helo_mismatch": "observe"}).start()
    assert rcpt(dial, "203.0.113.10", "mx.good.example") == 250
    until("both are recorded", lambda: "reason=no-reverse-dns" in gate.said() and "reason=helo-mismatch" in gate.said())


def test_who_may_relay_is_not_tested(gate, dial, unbound):
    gate.configure(dns=DNS, tests={"no_rdns": "enforce", "helo_mismatch": "enforce"}, relay={"entries": ["203.0.113.13"]}).start()
    assert rcpt(dial, "203.0.113.13", "mx.example.org") == 250
