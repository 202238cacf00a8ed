# SPDX-License-Identifier: BSD-2-Clause
"""Relay control from outside, against a mail server that trusts the gate's own address."""

import pytest

FROM, TO = "sender@example.net", "user@example.org"
# The gate passes no identity here, so the backend, trusting 127.0.0.1, would relay whatever reaches it.
TRUSTING = {"identity": "none", "port": 10027}

REFUSED = [
    "<t@remote.example>", "<T@REMOTE.EXAMPLE>", "<t%remote.example@example.org>", '<"t%remote.example"@example.org>',
    '<"t@remote.example"@example.org>', '<"t@remote.example">', "<t@remote.example@example.org>", "<remote.example!t>",
    "<remote.example!t@example.org>", "<@example.org:t@remote.example>", "<t@[192.0.2.10]>", "<t%remote.example@[127.0.0.1]>",
    "<t%remote.example>", "<t%remote.example@>", "<t@remote.example@>", "t@remote.example", "<t@sub.example.org>",
    "<t@example.org.remote.example>", "<t@example.org><t@remote.example>", "<user@example.org> <t@remote.example>",
    '<"t\\@remote.example"@example.org>', "<<t@remote.example>>", "<user@example.org;t@remote.example>",
    "<t@remote(@example.org>", "<t@remote.example\t@example.org>",
]


@pytest.mark.parametrize("recipient", REFUSED)
@pytest.mark.parametrize("sender", ["<sender@example.net>", "<user@example.org>", "<>"])
def test_refused(served_once, dial, sender, recipient):
    with dial("198.51.100.20") as d:
        assert d.say("EHLO localhost") == 250
        assert d.say(f"MAIL FROM:{sender}") == 250
        reply = d.say(f"RCPT TO:{recipient}")
        assert 500 <= reply.code < 600
        assert "250" not in str(reply) and "remote.example" not in str(reply)
        if recipient == "<t@remote.example>":
            assert str(reply) == "550 5.7.1 Unable to relay"
        assert d.say("DATA").code in (503, 554)


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
def served_once(lab, postfix):
    """One gate for all rows: it observes, so that nobody is banned half-way."""
    import gate as gate_
    made = gate_.Gate(lab).configure(backend__main=TRUSTING, greet_pause="0s", ban={"observe": True},
                                     limits={"errors": 1000}).start()
    yield made
    made.close()
