# SPDX-License-Identifier: BSD-2-Clause
"""Relay control from outside, against a mail server that trusts the gate's own address, and routes to two of them."""

import os

import pytest

import mta
import wide_open

FROM, TO = "sender@example.net", "user@example.org"
# The gate passes no identity here, so the backend, trusting 127.0.0.1, would relay whatever reaches it.
TRUSTING = {"identity": "none", "port": 10027}


def test_refused_after_a_local_recipient(gate, dial, box):
    gate.configure(backend__main=TRUSTING).start()
    with dial("198.51.100.21") as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        assert d.say(f"RCPT TO:<{TO}>") == 250
        assert d.say("RCPT TO:<t@remote.example>") == 550
        assert d.say("DATA") == 354
        assert d.content(b"Subject: for the local one\r\n\r\n") == 250
    got = box.wait_for(b"for the local one")
    assert b"remote.example" not in got


def test_granted_by_network(gate, dial, postfix):
    gate.configure(backend__main=TRUSTING, relay={"entries": ["203.0.113.0/25", "2001:db8:ace::/64"]}).start()
    rows = (("203.0.113.127", 250), ("203.0.113.128", 550), ("2001:db8:ace::1", 250), ("2001:db8:ace:1::1", 550))
    for source, code in rows:
        with dial(source) as d:
            assert d.mail(FROM, ["t@remote.example"], f"Subject: {source}\r\n\r\n".encode()) == code, source


def test_all_except(gate, dial):
    gate.configure(backend__main=TRUSTING, relay={"mode": "except", "entries": ["198.51.100.0/24"]}).start()
    for source, code in (("198.51.100.3", 550), ("203.0.113.3", 250)):
        with dial(source) as d:
            assert d.mail(FROM, ["t@remote.example"], b"") == code, source


def test_connection_control_comes_first(gate, dial):
    """Both conditions must hold: a relay grant is of no use to who may not use the gate."""
    gate.configure(connect={"mode": "except", "entries": ["203.0.113.64/26"]},
                   relay={"entries": ["203.0.113.0/24"]}).start()
    with dial("203.0.113.65") as d:
        replies = [d.greeting, *(d.say(c) for c in () if d.greeting == 220)]
        assert replies[0].code in (421, 554, 550)
    with dial("203.0.113.1") as d:
        assert d.greeting == 220


@pytest.fixture(scope="module")
def exim(lab):
    """A second mail server, another make: mail for domains that it does not know goes to the Maildir "leaked"."""
    server = wide_open.Exim(lab)
    lab.later(server.stop)
    return server.start()


BRANCH, SUB = "t@branch.example", "t@a.branch.example"


def routed(gate, **branch):
    return gate.configure(backend__main=TRUSTING, backend__branch={"address": "127.0.0.1", "port": 10030, "identity": "none"},
                          points={"relay-attempt": 1},
                          route__branch={"domains": ["branch.example", ".branch.example"], "backends": ["branch"], "relay": "all", **branch}).start()


def test_routes(gate, dial, box, exim):
    there = mta.Mailbox("leaked")
    there.empty()
    routed(gate)
    with dial("198.51.100.31") as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        assert d.say(f"RCPT TO:<{TO}>") == 250
        assert d.say(f"RCPT TO:<{BRANCH}>") == 452
        assert d.say("RCPT TO:<t@remote.example>") == 550
        assert d.say("DATA") == 354
        assert d.content(b"Subject: to the main one\r\n\r\n") == 250
        d.say(f"MAIL FROM:<{FROM}>")
        assert d.say("RCPT TO:<t%remote.example@branch.example>") == 550
        assert d.say(f"RCPT TO:<{BRANCH}>") == 250
        assert d.say(f"RCPT TO:<{TO}>") == 452
        assert d.say(f"RCPT TO:<{SUB}>") == 250
        assert d.say("DATA") == 354
        assert d.content(b"Subject: to the branch\r\n\r\n") == 250
    assert b"the branch" not in box.wait_for(b"to the main one")
    assert b"the main one" not in there.wait_for(b"to the branch")


def test_a_diverted_sender(gate, dial, box, exim):
    """To the quarantine go all recipients of such a sender, and nobody's who may not be written to at all."""
    there = mta.Mailbox("user")
    gate.configure(backend__main=TRUSTING, backend__box={"address": "127.0.0.1", "port": 10030, "identity": "none"}, points={"relay-attempt": 1},
                   domains=["example.org", "branch.example"], route__branch={"domains": ["branch.example"]}, route__box={"backends": ["box"]},
                   sender__odd={"entries": ["odd.example"], "action": "divert", "route": "box"}).start()
    with dial("198.51.100.35") as d:
        d.say("EHLO client.example.net")
        assert d.say("MAIL FROM:<spam@odd.example>") == 250
        assert str(d.say(f"RCPT TO:<{TO}>")) == "250 2.0.0 Accepted"  # as Exim says it
        assert str(d.say(f"RCPT TO:<{BRANCH}>")) == "250 2.0.0 Accepted"
        assert d.say("RCPT TO:<t@remote.example>") == 550
        assert d.say("DATA") == 354
        assert d.content(b"Subject: kept away\r\n\r\n") == 250
        assert d.mail(FROM, [TO], b"Subject: good\r\n\r\n") == 250
    assert b"with esmtp (Exim" in there.wait_for(b"kept away")
    assert b"(Postfix)" in box.wait_for(b"Subject: good")
    assert gate.counter("senders_total", result="diverted") == 1
    gate.says("why=diverted")


def test_the_first_recipient_refused_by_its_backend_binds_nothing(gate, dial, exim):
    """MAIL was sent to the one backend, and yet the message goes to the other."""
    there = mta.Mailbox("leaked")
    there.empty()
    routed(gate)
    with dial("198.51.100.32") as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        assert d.say("RCPT TO:<nobody-here@example.org>") == 550
        assert d.say(f"RCPT TO:<{BRANCH}>") == 250
        assert d.say("DATA") == 354
        assert d.content(b"Subject: after a refusal\r\n\r\n") == 250
    there.wait_for(b"after a refusal")


def test_a_route_grants_by_its_own_entries_and_limits(gate, dial, exim):
    routed(gate, relay="entries", entries=["198.51.100.40/31"], message_size="1K")
    for source, code in (("198.51.100.39", 550), ("198.51.100.40", 250), ("198.51.100.41", 250), ("198.51.100.42", 550)):
        with dial(source) as d:
            assert d.mail(FROM, [BRANCH], b"Subject: small\r\n\r\n") == code, source
    with dial("198.51.100.40") as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}> SIZE=1025")
        assert d.say(f"RCPT TO:<{BRANCH}>") == 552
        assert d.say(f"RCPT TO:<{TO}>") == 250
    with dial("198.51.100.40") as d:
        assert d.mail(FROM, [BRANCH], b"Subject: large\r\n\r\n" + b"x" * 78 * 20) == 552


def test_a_route_that_is_down_takes_no_other(gate, dial, box):
    """No failover from one route to another: the branch's mail waits with its sender, the rest goes on."""
    gate.configure(backend__main=TRUSTING, backend__branch={"address": "127.0.0.1", "port": 10999, "identity": "none"},
                   route__branch={"domains": ["branch.example"], "backends": ["branch"], "relay": "all"}).start()
    with dial("198.51.100.33") as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        assert d.say(f"RCPT TO:<{BRANCH}>") == 451
        assert d.say(f"RCPT TO:<{TO}>") == 250
        assert d.say("DATA") == 354
        assert d.content(b"Subject: for the main one\r\n\r\n") == 250
    box.wait_for(b"for the main one")


def codes(dial, source, *recipients):
    with dial(source) as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        return [d.say(f"RCPT TO:<{to}>").code for to in recipients]


def test_domains_from_a_file_are_read_again(gate, dial):
    """A list that cannot be read, or holds what is no domain, fails the reload: what was true stays true."""
    path = f"{mta.HOME}/domains.txt"

    def write(*lines):
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{line}\n" for line in lines)

    def reload(works):
        assert (gate.postern("config", "reload", check=False).returncode == 0) == works
        return codes(dial, "198.51.100.50", TO, "u@second.example", "u@a.second.example", "u@third.example")

    write("example.org", "# ours", ".second.example")
    gate.configure(backend__main=TRUSTING, domains=[f"file:{path}"], points={"relay-attempt": 0}).start()
    assert codes(dial, "198.51.100.50", TO, "u@second.example", "u@a.second.example") == [250, 550, 250]
    write("example.org", "second.example", "third.example")
    assert reload(True) == [250, 250, 550, 250]
    write("example.org", "two words")
    assert reload(False) == [250, 250, 550, 250]
    os.unlink(path)
    assert reload(False) == [250, 250, 550, 250]
    os.mkdir(path)
    assert reload(False) == [250, 250, 550, 250]
    os.rmdir(path)
    write()
    assert reload(True) == [550, 550, 550, 550]  # an empty list is nobody's domain


def test_an_empty_list_grants_nobody(gate, dial):
    path = f"{mta.HOME}/nobody.txt"
    with open(path, "w", encoding="utf-8") as f:
        f.write("# nobody\n")
    gate.configure(backend__main=TRUSTING, relay={"entries": [f"file:{path}"]}).start()
    assert codes(dial, "198.51.100.51", TO, "t@remote.example") == [250, 550]


def test_many_domains(gate, dial):
    path = f"{mta.HOME}/many.txt"
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"d{n}.example\n.sub{n}.example\n" for n in range(50000))
    gate.configure(backend__main=TRUSTING, domains=["example.org", f"file:{path}"]).start()
    assert codes(dial, "198.51.100.52", "u@d0.example", "u@d49999.example", "u@x.sub31415.example", "u@sub31415.example") == [250, 250, 250, 550]
