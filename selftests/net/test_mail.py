# SPDX-License-Identifier: BSD-2-Clause
"""Mail end to end: what a client sends is what lies in the mailbox, and nothing else does."""

import contextlib
import random
import re
import subprocess
import time

import pytest

import lab as lab_

V4, V6 = "203.0.113.5", "2001:db8:ace::5"
FROM, TO = "sender@example.net", "user@example.org"

_noise = random.Random(1)
BODIES = {
    "plain": b"Hello.\r\n",
    "empty": b"",
    "eight_bit": bytes(range(128, 256)) + "žluťoučký\r\n".encode(),
    "dots": b".\r\n..\r\n...x\r\n.\r\n.end\r\n",
    "only_dots": b".\r\n" * 500,
    "long_lines": b"x" * 998 + b"\r\n" + b"y" * 998 + b"\r\n",
    "very_long_line": b"z" * 60000 + b"\r\n",
    "blank_lines": b"\r\n" * 3000,
    "no_final_newline": b"first\r\nlast without an end",
    "no_header_end": None,
    "five_megabytes": b"".join(bytes(_noise.choices(range(32, 127), k=76)) + b"\r\n" for _ in range(5_000_000 // 78)),
}


def message(name):
    head = f"Subject: {name}\r\nMessage-ID: <{name}@example.net>\r\nX-Folded: a\r\n\tb\r\n".encode()
    body = BODIES[name]
    return head if body is None else head + b"\r\n" + body


def stored(sent):
    """What a Maildir holds of it: LF for CRLF, a last line that ends, and a body if only a header came."""
    text = sent.replace(b"\r\n", b"\n")
    return text if text.endswith(b"\n") else text + b"\n"


@pytest.mark.parametrize("source", [V4, V6])
@pytest.mark.parametrize("name", BODIES)
def test_bytes(serving, dial, box, name, source):
    sent = message(name)
    with dial(source) as d:
        reply = d.mail(FROM, [TO], sent)
        assert reply == 250, reply
        d.quit()
    got = box.wait_for(f"<{name}@example.net>".encode())
    assert got.rstrip(b"\n").endswith(stored(sent).rstrip(b"\n"))
    assert box.count() == 1


def test_many_in_one_session(serving, dial, box):
    with dial(V4) as d:
        d.say("EHLO client.example.net")
        for n in range(20):
            for command in (f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>"):
                assert d.say(command) == 250
            assert d.say("DATA") == 354
            assert d.content(f"Subject: number {n}.\r\n\r\n{n}\r\n".encode()) == 250
        assert d.quit() == 221
    for n in range(20):
        box.wait_for(f"number {n}.".encode())
    lab_.until("20 messages", lambda: box.count() == 20)
    assert serving.counter("messages_total", result="accepted") == serving.counter("messages_total") == 20
    assert serving.counter("recipients_total", result="accepted") == 20
    lab_.until("the session is logged", lambda: "messages=20 rcpts=20 end=quit" in serving.said())
    assert serving.said().count(" result=accepted from=") == 20


def test_pipelined_in_one_segment(serving, dial, box):
    with dial(V4) as d:
        assert "250-PIPELINING" in d.say("EHLO client.example.net").lines
        d.send(f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\n".encode())
        assert [d.reply().code for _ in range(4)] == [250, 250, 550, 354]
        assert d.content(b"Subject: pipelined\r\n\r\n") == 250
    box.wait_for(b"pipelined")


def test_byte_by_byte(serving, dial, box):
    with dial(V4) as d:
        d.sock.setsockopt(6, 1, 1)  # TCP_NODELAY
        for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA"):
            for byte in command.encode() + b"\r\n":
                d.send(bytes([byte]))
            assert d.reply().code in (250, 354)
        for byte in b"Subject: slowly\r\n\r\n.. \r\n.\r\n":
            d.send(bytes([byte]))
        assert d.reply() == 250
    assert b"\n\n. \n" in box.wait_for(b"slowly")


def test_offers_only_what_the_backend_offers_and_the_gate_parses(serving, dial):
    serving.probed()
    with dial(V4) as d:
        offered = {line[4:].split()[0] for line in d.say("EHLO client.example.net").lines[1:]}
    its_own = {"CHUNKING", "LIMITS"}  # whatever the backend has: chunks go on as DATA
    assert offered == {"PIPELINING", "SIZE", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8"} | its_own


def test_a_refusal_of_the_backend_reaches_the_client(serving, dial):
    with dial(V4) as d:
        reply = d.mail(FROM, ["nobody@example.org"], b"")
        assert reply == 550 and "5.1.1" in str(reply)
        assert d.say("DATA").code in (503, 554)


@pytest.mark.parametrize("source", [V4, V6])
@pytest.mark.parametrize("identity, port", [("xclient", 10025), ("proxy", 10026), ("proxy-v2", 10026), ("received", 10027), ("auto", 10025)])
def test_backend_learns_the_client(gate, dial, box, source, identity, port):
    gate.configure(backend__main={"identity": identity, "port": port}).start()
    with dial(source) as d:
        reply = d.mail(FROM, [TO], f"Subject: by {identity}\r\n\r\n".encode(), helo="true-name.example.net")
        assert reply == 250, reply
    received = re.findall(rb"^Received: (.*?)(?=^\S)", box.wait_for(f"by {identity}".encode()), re.M | re.S)
    by_backend, by_gate = received[0], received[1:]
    if identity == "received":
        assert b"127.0.0.1" in by_backend
        assert len(by_gate) == 1 and source.encode() in by_gate[0] and b"true-name.example.net" in by_gate[0]
    else:
        assert source.encode() in by_backend and b"true-name.example.net" in by_backend and not by_gate


def test_backend_judges_by_the_true_client(gate, dial, lab):
    """The backend trusts 127.0.0.0/8, the gate's address; a client that may relay at the gate but not there is refused there."""
    gate.configure(relay={"entries": ["203.0.113.0/24"]}).start()
    with dial("203.0.113.6") as d:
        reply = d.mail(FROM, ["someone@example.com"], b"")
        assert reply == 554 and "Relay access denied" in str(reply)
    with dial("203.0.113.200") as d:
        assert d.mail(FROM, ["someone@example.com"], b"Subject: granted by both\r\n\r\n") == 250


def test_backend_down_is_a_temporary_failure(serving, dial, postfix, box):
    postfix.stop()
    try:
        with dial(V4) as d:
            d.say("EHLO client.example.net")
            replies = [d.say(f"MAIL FROM:<{FROM}>"), d.say(f"RCPT TO:<{TO}>")]
            assert replies[-1].code in (421, 451)
    finally:
        postfix.start()
    with dial(V4) as d:
        assert d.mail(FROM, [TO], b"Subject: after it came back\r\n\r\n") == 250
    box.wait_for(b"after it came back")


def test_backend_dying_in_the_middle_of_data(serving, dial, postfix, box):
    with dial(V4) as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        d.say(f"RCPT TO:<{TO}>")
        assert d.say("DATA") == 354
        d.send(b"Subject: never whole\r\n\r\n" + b"x" * 70 + b"\r\n")
        postfix.stop()
        try:
            d.send(b"more\r\n.\r\n")
            assert d.reply().code in (421, 451)
        finally:
            postfix.start()
    assert box.count() == 0


def test_swaks_retries_until_the_backend_is_back(serving, lab, postfix, box):
    """An ordinary sender: told to come back, it does, and its message arrives once."""
    swaks = lab.world.command(
        "swaks", "--server", lab_.GATE4, "--local-interface", "203.0.113.8", "--from", FROM, "--to", TO,
        "--ehlo", "client.example.net", "--header", "Subject: from swaks", "--silent", "2", "--timeout", "20s")
    postfix.stop()
    try:
        first = subprocess.run(swaks, capture_output=True, text=True, check=False)
        assert first.returncode != 0
    finally:
        postfix.start()
    second = subprocess.run(swaks, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stdout + second.stderr
    box.wait_for(b"from swaks")
    assert box.count() == 1


def _ends_of_data():
    """Spellings of an end of data that some server takes for one and another does not."""
    yield from ("\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r\r\n", "\n.\r\r\n", "\r\r\n.\r\r\n", "\r\r\n.\n", "\r\r\n.\r\n")
    yield from ("\r\0\n.\r\n", "\r\n.\0\r\n", "\r.\r", "\r.\n", "\r.\r\n", "\r.\r\r\n", "\n.\r", "\r\n.\r", "\r\r\n.\r")
    yield from ("\r\n\0.\r\n", "\r\n.\r\0\n", "\r\n. \r\n", "\r\n.\t\r\n", "\r\n .\r\n", "\r\n.\v\r\n", "\r\n.\x85\r\n")


@pytest.mark.parametrize("end", _ends_of_data(), ids=lambda end: repr(end).strip("'"))
def test_smuggling(gate, dial, box, end):
    """At most one message comes of it, and never the one hidden inside."""
    gate.configure(ban={"observe": True}).start()
    hidden = f"MAIL FROM:<spoofed@example.org>\r\nRCPT TO:<{TO}>\r\nDATA\r\nSubject: hidden\r\n\r\nhidden\r\n.\r\nQUIT\r\n"
    with dial(V4) as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        d.say(f"RCPT TO:<{TO}>")
        assert d.say("DATA") == 354
        d.send(b"Subject: outer\r\n\r\nouter" + end.encode("latin-1") + hidden.encode())
        try:
            d.ended()
        except OSError:
            pass
    with dial(V4) as d:  # whatever came before it has been delivered when this has
        assert d.mail(FROM, [TO], b"Subject: after it\r\n\r\n") == 250
    box.wait_for(b"Subject: after it")
    messages = [m for m in box.messages() if b"Subject: after it" not in m]
    assert len(messages) <= 1
    assert not any(b"spoofed@example.org" in m.split(b"\n\n")[0] for m in messages)


SPLIT = ["\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r\r\n", "\r\n\0.\r\n", "\r\n.\r\n"]


@pytest.mark.parametrize("end", SPLIT, ids=lambda end: repr(end).strip("'"))
def test_smuggling_in_two_segments(gate, dial, box, end):
    """Cut at each byte around the false end, and the only true one is the last: what is taken is one message."""
    gate.configure(ban={"observe": True}).start()
    hidden = f"MAIL FROM:<spoofed@example.org>\r\nRCPT TO:<{TO}>\r\nDATA\r\nSubject: hidden\r\n\r\nhidden\r\n.\r\n"
    begin = b"Subject: outer\r\n\r\nouter"
    data = begin + end.encode() + (hidden.encode() if end != "\r\n.\r\n" else b"")
    for cut in range(len(begin) - 1, len(begin) + len(end) + 2):
        if cut >= len(data):
            break
        with dial(V4) as d:
            d.sock.setsockopt(6, 1, 1)  # TCP_NODELAY
            for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>"):
                assert d.say(command) == 250
            assert d.say("DATA") == 354
            d.send(data[:cut])
            time.sleep(0.01)  # so that it is two reads
            d.send(data[cut:])
            replies = [d.reply().code]
            with contextlib.suppress(ConnectionError):  # a refused session may be over already
                d.send(b"QUIT\r\n")
            replies += [int(line[:3]) for line in d.ended()]
            assert replies in ([250, 221], [550, 221], [550], [250]), (cut, replies)
            assert (replies[0] == 250) == (end == "\r\n.\r\n"), (cut, replies)
    assert not any(b"hidden" in m for m in box.messages())
