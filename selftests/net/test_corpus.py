# SPDX-License-Identifier: BSD-2-Clause
"""Awkward mail arrives through the gate as it does without it, Received fields and the like apart, or is refused by the documented rule."""

import random
import re

import pytest

import gate as gate_
import mta
import smtp
import wide_open
from lab import until

V4, FROM, TO = "203.0.113.5", "sender@example.net", "user@example.org"
HEAD = b"From: <sender@example.net>\r\nDate: Tue, 24 Nov 2026 02:00:00 +0000\r\nMessage-ID: <%s@example.net>\r\nSubject: %s\r\n"
EVERY_BYTE = bytes(b for b in range(1, 256) if b not in b"\r\n")

# name: (header fields beyond HEAD, body or None for no blank line, what the gate answers)
CORPUS = {
    "eight_bit": (b"", bytes(range(128, 256)) * 8 + b"\r\n", 250),
    "every_byte": (b"", EVERY_BYTE + b"\r\n" + EVERY_BYTE[::-1] + b"\r\n", 250),
    "line_998": (b"", b"x" * 998 + b"\r\n", 250),
    "line_999": (b"", b"x" * 999 + b"\r\n", 250),
    "line_10k": (b"", b"y" * 10240 + b"\r\n", 250),
    "no_final_newline": (b"", b"first\r\nlast", 250),
    "dot_lines": (b"", b".\r\n..\r\n...\r\n.x\r\n. \r\n\r\n.\r\n", 250),
    "empty_body": (b"", b"", 250),
    "no_body": (b"", None, 250),
    "blank_lines": (b"", b"\r\n" * 2000, 250),
    "utf8_header": (b"X-Name: \xc5\xbelu\xc5\xa5ou\xc4\x8dk\xc3\xbd \xe2\x98\x83\r\n", b"text\r\n", 250),
    "folded": (b"X-Folded: a\r\n\tb\r\n  c\r\n", b"text\r\n", 250),
    "many_headers": (b"".join(b"X-%d: %s\r\n" % (n, b"v" * 60) for n in range(400)), b"text\r\n", 250),
    "long_header": (b"X-Long: " + b"w" * 900 + b"\r\n", b"text\r\n", 250),
    "mime": (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"--.\"\r\n", b"----.\r\n\r\n.\r\n----.--\r\n", 250),
    "form_feeds": (b"", b"\f\v\x1b[0m\x7f\r\n", 250),
    "nul": (b"", b"a\0b\r\n", 550),
    "bare_cr": (b"", b"a\rb\r\n", 550),
    "bare_lf": (b"", b"a\nb\r\n", 550),
    "bare_lf_in_header": (b"X-A: b\nX-C: d\r\n", b"text\r\n", 550),
    "cr_at_the_end": (b"", b"text\r", 550),
}
HUGE_HEADER = b"".join(b"X-%d: %s\r\n" % (n, b"h" * 900) for n in range(400))


def message(name):
    more, body, _ = CORPUS[name]
    return HEAD % (name.encode(), name.encode()) + more + (b"" if body is None else b"\r\n" + body)


def essence(stored):
    """A stored message without what servers and the gate write on it."""
    head, blank, body = stored.partition(b"\n\n")
    ours = rb"^(Received|Return-Path|Delivered-To|X-Original-To|Envelope-to|Delivery-date):.*\n([ \t].*\n)*"
    return re.sub(ours, b"", head + b"\n", flags=re.M | re.I) + blank[1:] + body


@pytest.fixture(scope="module", params=wide_open.SERVERS, ids=lambda kind: kind.__name__)
def server(lab, request):
    made = request.param(lab).start()
    yield made
    made.stop()
    print(made.told())


@pytest.fixture(scope="module")
def serving(lab, server):
    made = gate_.Gate(lab).configure(
        backend__main={"identity": "none", "port": server.ports[0]}, greet_pause="0s", ban={"observe": True},
        limits={"errors": 1000, "messages": 0}).start()
    made.probed()
    yield made
    made.close()


def send(d, content):
    with d:
        return d.mail(FROM, [TO], content, options=" BODY=8BITMIME" if any(b > 127 for b in content) else "")


def straight(lab, server):
    return smtp.Dialog(lab.gateway.connect(None, "127.0.0.1", server.ports[0], 60))


@pytest.mark.parametrize("name", CORPUS)
def test_as_without_the_gate(lab, serving, server, dial, box, name):
    answer = CORPUS[name][2]
    reply = send(dial(V4), message(name))
    if answer != 250:
        assert reply == answer, reply
        assert not box.count()
        return
    direct = send(straight(lab, server), message(name))
    assert reply.code == direct.code, (reply, direct) # a server may refuse it itself; then so does the gate
    if reply != 250:
        return
    until("both", lambda: box.count() == 2)
    one, other = (essence(m) for m in box.messages())
    assert one == other


def chunked(content, seed):
    """The same octets in up to eight chunks, cut anywhere; some are empty."""
    at = sorted(random.Random(seed).choices(range(len(content) + 1), k=7))
    return [content[a:b] for a, b in zip([0, *at], [*at, len(content)])]


def settled(box):
    """Some servers deliver a copy for every recipient: none may arrive in the next test's box."""
    mta.settle(60)
    seen = [-1]

    def no_more():
        seen.append(box.count())
        return seen[-1] == seen[-2]

    until("the last copy is delivered", no_more, 60, every=1)


def up_to_content(d, content):
    options = " BODY=8BITMIME" if any(b > 127 for b in content) else ""
    for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>{options}", f"RCPT TO:<{TO}>"):
        assert d.say(command) == 250


@pytest.mark.parametrize("name", CORPUS)
def test_in_chunks_as_by_data(lab, serving, server, dial, box, name):
    """By BDAT to the gate, by DATA to the server: what arrives is the same, to the byte."""
    content, answer = message(name), CORPUS[name][2]
    with dial(V4) as d:
        up_to_content(d, content)
        chunks = chunked(content, name)
        if answer != 250:
            chunks = [content]
        replies = d.chunks(*chunks)
    if answer != 250:
        assert replies[-1] == answer and not box.count(), replies
        return
    assert all(reply == 250 for reply in replies[:-1]), replies
    direct = send(straight(lab, server), content)
    assert replies[-1].code == direct.code, (replies, direct)
    if direct != 250:
        return
    until("both", lambda: box.count() == 2)
    one, other = (essence(m) for m in box.messages())
    assert one == other


def test_chunks_are_offered_whatever_the_server_has(lab, server, serving, dial):
    """OpenSMTPD has no CHUNKING, so every test of chunks before it is one of a server without."""
    def has(d):
        with d:
            return "CHUNKING" in (line[4:] for line in d.say("EHLO client.example.net").lines)
    assert has(dial(V4))
    assert has(straight(lab, server)) == (server.package != "opensmtpd")


def peak(pid):
    """The most memory that a process has had so far, in octets."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM:"))


@pytest.mark.parametrize("size", [1_000_000, 49_000_000])
def test_fifty_megabytes_in_chunks(serving, dial, box, size):
    """Streamed like any other content: no worker holds a chunk, however large."""
    line = bytes(range(33, 109)) + b"\r\n"
    content = HEAD % (b"chunks", b"chunks") + b"\r\n" + line * (50_000_000 // len(line))
    before = {pid: peak(pid) for pid in serving.workers()}
    with dial(V4, timeout=60) as d:
        up_to_content(d, content)
        for at in range(0, len(content), size):
            last = at + size >= len(content)
            d.send(f"BDAT {len(content[at:at + size])}{' LAST' * last}\r\n".encode() + content[at:at + size])
            reply = d.reply()
            assert reply == 250, reply
    assert all(peak(pid) < then + 4_000_000 for pid, then in before.items())
    until("it is delivered", box.count, 60)
    assert essence(box.messages()[0]).endswith((line * (50_000_000 // len(line))).replace(b"\r\n", b"\n"))


def test_headers_over_the_limit_are_refused(serving, dial, box):
    assert send(dial(V4), HEAD % (b"huge", b"huge") + HUGE_HEADER + b"\r\ntext\r\n").code in (552, 550, 554)
    assert not box.count()


def test_fifty_megabytes(lab, server, serving, dial, box):
    """Streamed through, and nothing of it changed."""
    line = bytes(range(33, 109)) + b"\r\n"
    content = HEAD % (b"large", b"large") + b"\r\n" + line * (50_000_000 // len(line))
    for d in (dial(V4, timeout=60), straight(lab, server)):
        reply = send(d, content)
        assert reply == 250, reply
    until("both", lambda: box.count() == 2, 60)
    one, other = (essence(m) for m in box.messages())
    assert one == other and len(one) > 48_000_000


def test_thousands_of_recipients(server, serving, dial, box):
    """In several transactions of one session: each message has its own recipients, and all of them arrive."""
    with dial(V4, timeout=60) as d:
        d.say("EHLO client.example.net")
        for n in range(3):
            d.send(f"MAIL FROM:<{FROM}>\r\n".encode())
            assert d.reply() == 250
            commands = [f"RCPT TO:<r{n}.{i}@example.org>\r\n" for i in range(700)]
            taken = 0
            for command in commands:
                d.send(command.encode())
                taken += d.reply() == 250
            assert taken == 700
            assert d.say("DATA") == 354
            assert d.content(f"Subject: group {n}.\r\n\r\n".encode()) == 250
    for n in range(3):
        box.wait_for(f"group {n}.".encode(), 60)
    settled(box)
