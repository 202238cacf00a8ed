# SPDX-License-Identifier: BSD-2-Clause
"""Clients by name: forward-confirmed reverse DNS from a real resolver, and what happens when it has no answer."""

import json
import subprocess
import time

import pytest

import resolver as resolver_
from gate import POSTERN
from lab import HOME, until

FROM, OWN, FAR = "sender@example.net", "user@example.org", "t@remote.example"
TRUSTING = {"identity": "none", "port": 10027}
DNS = {"servers": ["127.0.0.1"], "timeout": "20s"}
OFFICE = ("203.0.113.7", "mx.office.example")


@pytest.fixture(scope="module")
def unbound(lab):
    server = resolver_.Unbound(lab)
    lab.later(server.stop)
    return server.start()


def records(*pairs, ttl=300):
    """PTR and address for each (address, name)."""
    return [r for address, name in pairs for r in ((address, name, ttl), (name, address, ttl))]


def rcpt(dial, source, to=FAR):
    with dial(source) as d:
        if d.greeting != 220:
            return d.greeting.code
        d.say("EHLO client.example.net")
        assert d.say(f"MAIL FROM:<{FROM}>") == 250
        return d.say(f"RCPT TO:<{to}>").code


def test_granted_by_confirmed_name(gate, dial, unbound):
    unbound.tell(
        *records(OFFICE, ("2001:db8:ace::7", "six.office.example"), ("203.0.113.8", "office.example"), ("203.0.113.9", "mx.notoffice.example")),
        ("203.0.113.10", "forged.office.example", 300),  # no address at all
        ("203.0.113.11", "mx.office.example", 300),  # another's name
        ("203.0.113.12", "one.remote.example", 300), ("203.0.113.12", "two.office.example", 300), ("two.office.example", "203.0.113.12", 300),
        ("203.0.113.13", "six.office.example", 300),  # that name has an IPv6 address only
        ("203.0.113.15", r"two\\032words.office.example", 300), ("203.0.113.16", "MX2.Office.Example", 300), ("mx2.office.example", "203.0.113.16", 300),
        ("exact.partner.example", "203.0.113.17", 300), ("203.0.113.17", "exact.partner.example", 300),
        ("203.0.113.18", "sub.exact.partner.example", 300), ("sub.exact.partner.example", "203.0.113.18", 300),
    )
    gate.configure(backend__main=TRUSTING, dns=DNS, relay={"entries": [".office.example", "exact.partner.example"]}).start()
    rows = (("203.0.113.7", 250), ("2001:db8:ace::7", 250), ("203.0.113.8", 550), ("203.0.113.9", 550), ("203.0.113.10", 550),
            ("203.0.113.11", 550), ("203.0.113.12", 250), ("203.0.113.13", 550), ("203.0.113.15", 550), ("203.0.113.16", 250),
            ("203.0.113.17", 250), ("203.0.113.18", 550), ("203.0.113.99", 550))
    for source, code in rows:
        assert rcpt(dial, source) == code, source
        assert rcpt(dial, source, OWN) == 250, source
    gate.says("client=203.0.113.7 name=mx.office.example ")


def test_nobody_answers(gate, dial, unbound):
    """No answer in time, and an answer that is a failure: what only a name could grant is deferred, and own mail passes."""
    unbound.tell(("203.0.113.21", "mx.silent.example", 300), zones=[("silent.example", "deny"), ("22.113.0.203.in-addr.arpa", "deny"),
                                                                       ("23.113.0.203.in-addr.arpa", "refuse")])
    gate.configure(backend__main=TRUSTING, dns={**DNS, "timeout": "2s"}, relay={"entries": [".silent.example", ".office.example"]}).start()
    for source in ("203.0.113.21", "203.0.113.22", "203.0.113.23"):
        assert rcpt(dial, source) == 450, source
        assert rcpt(dial, source, OWN) == 250, source
    assert "relay-attempt" not in gate.said()


def test_no_resolver_at_all(gate, dial):
    gate.configure(backend__main=TRUSTING, dns={"servers": ["192.0.2.99"], "timeout": "1s"},
                   relay={"mode": "except", "entries": [".dialup.example"], "open_relay": "no"},
                   connect={"mode": "except", "entries": [".bad.example"]}).start()
    assert rcpt(dial, "203.0.113.24") == 450  # relay, all except some names: who has none may be one of them
    assert rcpt(dial, "203.0.113.25", OWN) == 250  # connection control, all except some names: let in


def test_connection_control_by_name(gate, dial, unbound):
    unbound.tell(*records(("203.0.113.31", "a.bad.example"), ("203.0.113.32", "mx.good.example")), ("203.0.113.33", "b.bad.example", 300))
    gate.configure(dns=DNS, connect={"mode": "except", "entries": [".bad.example"]}).start()
    assert [rcpt(dial, f"203.0.113.{n}", OWN) for n in (31, 32, 33, 34)] == [554, 250, 250, 250]
    assert gate.counter("connections_total", verdict="denied") == 1
    gate.stop()
    gate.configure(dns=DNS, connect={"mode": "only", "entries": [".good.example", "198.51.100.0/24"]}).start()
    assert [rcpt(dial, source, OWN) for source in ("203.0.113.31", "203.0.113.32", "203.0.113.34", "198.51.100.1")] == [554, 250, 554, 250]


def test_kept_as_long_as_the_records_say(gate, dial, unbound):
    unbound.tell(*records(("203.0.113.41", "a.office.example"), ttl=10))
    gate.configure(backend__main=TRUSTING, dns=DNS, relay={"entries": [".office.example"]}, limits={"workers": 1}).start()
    assert rcpt(dial, "203.0.113.41") == 250
    asked = unbound.asked()
    assert rcpt(dial, "203.0.113.41") == 250
    assert unbound.asked() == asked  # still known
    unbound.tell(*records(("203.0.113.41", "a.elsewhere.example"), ttl=2))
    until("the old name is forgotten", lambda: rcpt(dial, "203.0.113.41") == 550)


def test_many_at_once_ask_once(gate, dial, unbound):
    unbound.tell(*records(("203.0.113.51", "a.office.example")))
    gate.configure(backend__main=TRUSTING, dns=DNS, relay={"entries": [".office.example"]}, limits={"workers": 1}).start()
    asked = unbound.asked()
    sessions = [dial("203.0.113.51") for _ in range(20)]
    for d in sessions:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        assert d.say(f"RCPT TO:<{FAR}>") == 250
    assert unbound.asked() == asked + 2  # PTR and A


@pytest.mark.parametrize("identity,port,nobody", [("received", 10027, b"([203.0.113.60])"), ("xclient", 10025, b"(unknown [203.0.113.60])")])
def test_name_in_received(gate, dial, box, unbound, identity, port, nobody):
    """By the gate itself, and by a Postfix that has the name from XCLIENT."""
    unbound.tell(*records(OFFICE))
    gate.configure(backend__main={"identity": identity, "port": port}, dns={**DNS, "names": True}).start()
    for source, said in (("203.0.113.7", b"(mx.office.example [203.0.113.7])"), ("203.0.113.60", nobody)):
        with dial(source) as d:
            assert d.mail(FROM, [OWN], f"Subject: from {source}\r\n\r\n".encode()) == 250
        assert said in box.wait_for(f"from {source}".encode())


def test_addresses_of_a_name_for_a_list(lab, unbound):
    """What has two addresses, of which one does not say the name back; and what is no name."""
    unbound.tell(*records(OFFICE), ("mx.office.example", "2001:db8:ace::7", 300))
    path = f"{HOME}/resolv.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write("nameserver 127.0.0.1\n")

    def asked(*words):
        return subprocess.run(lab.gateway.command("unshare", "--mount", "--propagation", "private", "sh", "-c",
                              'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && shift && exec "$@"', "sh", path, POSTERN, *words),
                              capture_output=True, text=True, check=False)

    found = json.loads(asked("-j", "relay", "resolve", "MX.Office.example").stdout)
    assert found["host"] == "mx.office.example"
    assert {row["address"]: (row["name"], row["confirmed"]) for row in found["addresses"]} == {
        "203.0.113.7": ("mx.office.example", True), "2001:db8:ace::7": (None, False)}
    assert sorted(found["entries"].split(", ")) == ["2001:db8:ace::7", "203.0.113.7"]
    assert "203.0.113.7" in asked("relay", "resolve", "mx.office.example").stdout
    missing = asked("relay", "resolve", "none.office.example")
    assert missing.returncode == 1 and "none.office.example" in missing.stderr
    assert asked("relay", "resolve", "two..dots").returncode == 2


def test_nothing_is_asked_where_no_entry_is_a_name(gate, dial, unbound):
    unbound.tell()
    gate.configure(backend__main=TRUSTING, dns=DNS).start()
    asked = unbound.asked()
    assert rcpt(dial, "203.0.113.7", OWN) == 250
    time.sleep(0.2)
    assert unbound.asked() == asked
