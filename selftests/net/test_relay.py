# SPDX-License-Identifier: BSD-2-Clause
"""Relay control from outside, against a mail server that trusts the gate's own address."""

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
