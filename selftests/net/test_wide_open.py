# SPDX-License-Identifier: BSD-2-Clause
"""Every vector of the relay suite, and good mail, through the gate to real servers that would relay anything."""

import os
import re

import pytest

import gate as gate_
import mta
import smtp
import spellings
import wide_open
from lab import until

V4 = "203.0.113.5"
VECTORS = os.path.join(os.path.dirname(__file__), "../smtp/relay_vectors.tsv")
HEAD = b"Subject: good mail\r\nMessage-ID: <good@example.net>\r\n"
BODY = b"\r\n.\r\n..dots\r\nt\xc5\x99i\r\n \r\n" + b"x" * 900 + b"\r\n"


ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\", b'"': b'"'}


def unescaped(text):
    """The bytes that a column stands for, with our domain for that of the table."""
    text = text.replace("local.test", "example.org").replace("LOCAL.TEST", "EXAMPLE.ORG").encode()
    return re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda m: ESCAPES.get(m[1]) or bytes([int(m[1][1:], 16)]), text)


def vectors():
    with open(VECTORS, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if line[0] != "#"]


@pytest.fixture(scope="module", params=wide_open.SERVERS, ids=lambda server: server.__name__)
def server(lab, request):
    made = request.param(lab).start()
    yield made
    made.stop()
    print(made.told())


@pytest.fixture
def serving(lab, server):
    made = gate_.Gate(lab).configure(
        backend__main={"identity": "none", "port": server.ports[0]}, greet_pause="0s", domains=["example.org", "mx.example.org"],
        ban={"observe": True}, limits={"errors": 1000, "messages": 0}).start()
    try:
        made.probed()
        yield made
    finally:
        made.close()


@pytest.fixture
def leaked():
    mta.settle()
    mailbox = mta.Mailbox("leaked")
    mailbox.empty()
    return mailbox


def straight(lab, server, recipient, subject):
    with smtp.Dialog(lab.gateway.connect(None, "127.0.0.1", server.ports[0])) as d:
        return d.mail("spam@remote.example", [recipient], f"Subject: {subject}\r\n\r\n".encode())


def test_would_leak_without_the_gate(lab, server, leaked):
    """What the other tests lean on: every server leaks what is plainly remote; Postfix and Exim fall for spellings, too."""
    assert straight(lab, server, "t@remote.example", "plain.") == 250
    leaked.wait_for(b"plain.")
    spelling = straight(lab, server, "t%remote.example@example.org", "spelled.")
    if server.package != "opensmtpd":
        assert spelling == 250
        leaked.wait_for(b"spelled.")


def test_no_vector_leaves(lab, serving, server, dial, leaked, box):
    taken = 0
    for name, mail, rcpt, answer in vectors():
        with dial(V4) as d:
            d.say("EHLO client.example.net")
            d.send(b"MAIL FROM:" + unescaped(mail) + b"\r\n")
            first = d.reply()
            if first != 250: # 555: this server lacks the extension that the vector uses
                assert answer.startswith("M") or first == 555, (name, first)
                continue
            assert not answer.startswith("M"), name
            d.send(b"RCPT TO:" + unescaped(rcpt) + b"\r\n")
            reply = d.reply()
            if answer.startswith(("250", "550 5.1.1")): # one of ours: exists, or would be for the backend to refuse
                assert reply.code == 250 or server.package == "opensmtpd", (name, reply)
            else:
                assert 500 <= reply.code < 600, (name, reply)
            try:
                if d.say("DATA") == 354:
                    taken += d.content(f"Subject: vector {name}\r\n\r\n".encode()) == 250
            except (OSError, smtp.Hangup):
                pass
    assert taken >= 10
    assert straight(lab, server, "user@example.org", "the last one") == 250
    box.wait_for(b"the last one")
    until("every message is delivered", lambda: box.count() + leaked.count() >= taken + 1)
    assert not leaked.messages()


def test_good_mail(serving, dial, box):
    with dial(V4) as d:
        assert "250-8BITMIME" in d.say("EHLO client.example.net").lines
        for _ in range(3):
            assert d.mail("sender@example.net", ["user@example.org"], HEAD + BODY) == 250
        assert d.quit() == 221
    until("three messages", lambda: box.count() == 3)
    for message in box.messages():
        assert HEAD.replace(b"\r\n", b"\n") in message and message.endswith(BODY.replace(b"\r\n", b"\n")), message


MADE_UP = 800 # for each server; the parser alone meets many thousands in unit/test_mailbox


def take_all(dial, recipients, smtputf8):
    """Says each recipient in a transaction of its own, and mails to those that are accepted: how many were."""
    taken, d = 0, None
    for n, recipient in enumerate(recipients):
        if d is None:
            d = dial(V4)
            d.say("EHLO client.example.net")
        d.send(b"MAIL FROM:<spam@remote.example>" + b" SMTPUTF8" * smtputf8 + b"\r\n")
        assert d.reply() == 250
        d.send(b"RCPT TO:" + recipient + b"\r\n")
        reply = d.reply()
        assert reply == 250 or 500 <= reply.code < 600, (recipient, reply)
        try:
            if reply == 250:
                assert d.say("DATA") == 354
                taken += d.content(f"Subject: made up {n}\r\n\r\n".encode() + recipient.replace(b"\r", b" ").replace(b"\0", b" ") + b"\r\n") == 250
            else:
                d.say("RSET")
        except (OSError, smtp.Hangup):
            d = None
    return taken


def test_nothing_made_up_leaves(lab, serving, server, dial, leaked, box):
    """Whatever the server would send elsewhere for this client, the gate refuses: by a random grammar of spellings."""
    made = spellings.Spellings(f"wide open {server.package}")
    recipients = [made.recipient() for _ in range(MADE_UP)]
    with dial(V4) as d:
        smtputf8 = "250-SMTPUTF8" in d.say("EHLO client.example.net").lines
    taken = take_all(dial, recipients[::2], False) + take_all(dial, recipients[1::2], smtputf8)
    assert taken >= 10
    assert straight(lab, server, "user@example.org", "the last made up") == 250
    box.wait_for(b"the last made up")
    until("every message is delivered", lambda: box.count() + leaked.count() >= taken + 1)
    assert not leaked.messages()
