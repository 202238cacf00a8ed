# SPDX-License-Identifier: BSD-2-Clause
"""One message in is at most one message out: every end of data that some server believes in, through the gate to real and lenient ones.

A row is a way to send a message's content (WAYS). Where it is framed by count (BDAT) no sequence is an end, and each is content.
"""

import re
import socket
import time

import pytest

import gate as gate_
import mta
import smtp
import wide_open
from backend import Backend, _Session
from lab import until

V4, FROM, TO = "203.0.113.5", "sender@example.net", "user@example.org"
COMMANDS = f"MAIL FROM:<spoofed@example.org>\r\nRCPT TO:<{TO}>\r\nDATA\r\nSubject: hidden\r\n\r\nhidden\r\n.\r\n".encode()

# (sequence, what the gate says to a message that holds it: 250, 550, or 0: the sequence is the true end)
ENDS = [
    ("\r\n.\r\n", 0), ("\n.\n", 550), ("\n.\r\n", 550), ("\r\n.\n", 550), ("\r.\r", 550), ("\r.\n", 550), ("\r.\r\n", 550), ("\n.\r", 550),
    ("\r\n.\r", 550), ("\r\n.\r\r\n", 550), ("\n.\r\r\n", 550), ("\r\r\n.\r\r\n", 550), ("\r\r\n.\n", 550), ("\r\r\n.\r", 550),
    ("\r\r\n.\r\n", 0), ("\r.\r\r\n", 550), ("\n\r.\r\n", 550), ("\n\r.\n", 550), ("\r\0\n.\r\n", 550), ("\r\n.\0\r\n", 550),
    ("\r\n\0.\r\n", 550), ("\r\n.\r\0\n", 550), ("\r\n. \r\n", 250), ("\r\n.\t\r\n", 250), ("\r\n .\r\n", 250), ("\r\n..\r\n", 250),
    ("\r\n.\v\r\n", 250), ("\r\n.\f\r\n", 250), ("\r\n.\x85\r\n", 250), ("\x85.\x85", 250), ("\r\n.\u2028", 250),
    ("\u2028.\u2028", 250), ("\u2029.\r\n", 250),
]


def octets(text):
    return text.encode("utf-8") if any(ord(c) > 255 for c in text) else text.encode("latin-1")


def by_data(d, content, cut):
    """The reply to a message sent with DATA, in two segments."""
    assert d.say("DATA") == 354
    d.send(content[:cut])
    if 0 < cut < len(content):
        time.sleep(0.004)  # so that it is two reads
    d.send(content[cut:] + b"\r\n.\r\n")
    return d.reply()


def by_chunk(d, content, cut):
    """In one chunk of two segments."""
    d.send(f"BDAT {len(content)} LAST\r\n".encode() + content[:cut])
    if 0 < cut < len(content):
        time.sleep(0.004)
    d.send(content[cut:])
    return d.reply()


def by_chunks(d, content, cut):
    """In two chunks, an empty one included; the second is sent if the first is taken."""
    d.send(f"BDAT {cut}\r\n".encode() + content[:cut])
    reply = d.reply()
    return d.chunks(content[cut:])[0] if reply == 250 else reply


def by_chunks_at_once(d, content, cut):
    """In two chunks that nothing is waited between; the session ends with the first that is refused."""
    d.send(f"BDAT {cut}\r\n".encode() + content[:cut] + f"BDAT {len(content) - cut} LAST\r\n".encode() + content[cut:])
    reply = d.reply()
    return d.reply() if reply == 250 else reply


WAYS = {"DATA": by_data, "BDAT": by_chunk, "BDAT-BDAT": by_chunks, "BDAT+BDAT": by_chunks_at_once}


def answer_to(way, end, answer):
    """What the gate says to content with a sequence in it: in chunks a true end is nothing but text."""
    if way == "DATA":
        return (answer,) if answer else (250, 550)
    bare = re.search(rb"\r(?!\n)|(?<!\r)\n|\0", end)
    return (550,) if bare else (250,)


def content_of(way, n, end, answer):
    """The octets up to the sequence, and all: behind a true end commands are commands, and a stranger may send a second
    message to a user of ours, so there are none."""
    content = f"Subject: outer {n}\r\n\r\nouter".encode()
    if way != "DATA":
        return content, content + end + COMMANDS
    return content, content + end + (b"text" if not answer else COMMANDS.replace(b"\r\n.\r\n", b"\r\n"))


def cuts(content, end):
    return [0, *range(len(content), len(content) + len(end) + 1)]


class _Lenient(_Session):
    """Ends a message at any dot between any two line ends, as servers have done; a NUL does not bother it."""

    disable_nagle_algorithm = True

    def do_data(self, _):
        self.say("354 Go on")
        content = b""
        while True:
            got = self.rfile.read(1)
            if not got:
                return
            content += got
            tail = (b"\n" + content)[-12:].replace(b"\0", b"").replace(b"\r", b"\n")
            while b"\n\n" in tail:
                tail = tail.replace(b"\n\n", b"\n")
            if got in b"\r\n" and tail.endswith(b"\n.\n"):
                if got == b"\r":
                    content += self.rfile.read(1)
                break
        self.server.messages.append(content)
        self.say("250 2.0.0 Taken")


class Lenient(Backend):
    def __init__(self, net, port):
        super().__init__(net, port)
        self.RequestHandlerClass, self.ports = _Lenient, (port,)

    stop = Backend.__exit__

    def start(self):
        return self

    def box(self):
        return self

    def empty(self):
        self.messages.clear()

    def count(self):
        return len(self.messages)


@pytest.fixture(scope="module", params=[*wide_open.SERVERS, Lenient], ids=lambda kind: kind.__name__)
def server(lab, request):
    made = Lenient(lab.gateway, 10060) if request.param is Lenient else request.param(lab).start()
    yield made
    made.stop()


SETTINGS = {"greet_pause": "0s", "ban": {"observe": True}, "limits": {"errors": 1000, "messages": 0}}


def started(gate, server, **more):
    gate.configure(backend__main={"identity": "none", "port": server.ports[0]}, **SETTINGS, **more).start()
    gate.probed()


@pytest.fixture(scope="module")
def serving(lab, server):
    made = gate_.Gate(lab)
    started(made, server)
    yield made
    made.close()


def stored(server):
    return server if isinstance(server, Lenient) else mta.Mailbox("user")


def test_would_be_two_without_the_gate(lab, server):
    """What the other test leans on: Postfix, OpenSMTPD and lenient ones obey what stands behind a false end."""
    box = stored(server)
    box.empty()
    with smtp.Dialog(lab.gateway.connect(None, "127.0.0.1", server.ports[0])) as d:
        for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA"):
            assert d.say(command).code in (250, 354)
        for end, hidden in ((b"\n.\r\n", b"MAIL FROM:<spoofed@example.org>"), (b"", b"RCPT TO:<user@example.org>"), (b"", b"DATA"),
                            (b"", b"Subject: hidden\r\n\r\nhidden\r\n.")):
            d.send(b"Subject: outer\r\n\r\nouter" * bool(end) + end)
            time.sleep(0.1) # OpenSMTPD wants each command by itself
            d.send(hidden + b"\r\n")
        time.sleep(0.1)
        d.send(b"\r\n.\r\n")
        d.reply()
    until("it is delivered", box.count)
    if not isinstance(server, wide_open.Exim):
        until("a second message", lambda: box.count() == 2)


def up_to_content(d):
    d.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>"):
        assert d.say(command) == 250


def all_messages(server, dial, taken):
    """The messages of the box when as many are there as were taken, and one more, which is the last: nothing comes behind it."""
    box = stored(server)
    with dial(V4) as d:
        assert d.mail(FROM, [TO], b"Subject: the last one\r\n\r\n") == 250
    until(f"{taken + 1} messages", lambda: box.count() >= taken + 1)
    messages = box.messages if isinstance(server, Lenient) else box.messages()
    assert len(messages) == taken + 1
    return messages


@pytest.mark.parametrize("way", WAYS)
def test_one_in_one_out(serving, server, dial, way):
    """Each sequence, whole and cut at every byte of it, with commands behind it that must never be obeyed."""
    stored(server).empty()
    taken = 0
    for n, (end, answer) in enumerate(ENDS):
        end = octets(end)
        content, data = content_of(way, n, end, answer)
        for cut in cuts(content, end):
            with dial(V4) as d:
                up_to_content(d)
                reply = WAYS[way](d, data, cut)
                assert reply.code in answer_to(way, end, answer), (end, cut, reply)
                taken += reply == 250
    # With commands behind a false end, what they are is text of the one message.
    heads = [m.split(b"\r\n\r\n" if isinstance(server, Lenient) else b"\n\n", 1)[0] for m in all_messages(server, dial, taken)]
    assert not any(b"Subject: hidden" in head for head in heads)
    assert all(b"Subject: outer" in head or b"the last one" in head for head in heads)


def mended(way, data):
    """What must arrive, with LF for every line end: a bare LF is one, a bare CR or a NUL is a space, stuffing is gone."""
    lines = data.split(b"\r\n")
    if way == "DATA":
        lines = lines[:lines.index(b".")] if b"." in lines else lines
        lines = [line[line.startswith(b"."):] for line in lines]
    return b"\n".join(lines).replace(b"\r", b" ").replace(b"\0", b" ").rstrip(b"\n")


def plain(server, message):
    """A stored message's body, with LF for every line end."""
    if not isinstance(server, Lenient):
        return message.partition(b"\n\n")[2].rstrip(b"\n")
    body = message.partition(b"\r\n\r\n")[2].removesuffix(b".\r\n").split(b"\r\n")
    return b"\n".join(line[line.startswith(b"."):] for line in body).rstrip(b"\n")


@pytest.fixture
def mending(serving, server):
    """The gate, mending what it can; afterwards it is as it was."""
    serving.stop()
    started(serving, server, content={"bare_lf": "normalize", "bare_cr": "normalize", "nul": "normalize"})
    yield serving
    serving.stop()
    started(serving, server)


@pytest.mark.parametrize("way", ["DATA", "BDAT+BDAT"])
def test_mended_is_one_in_one_out(mending, server, dial, way):
    """Where flaws are mended every message is taken, and arrives as the one that it is; no mended line end makes an end of data."""
    stored(server).empty()
    wanted = {}
    for n, (end, answer) in enumerate(ENDS):
        end = octets(end)
        content, data = content_of(way, n, end, answer)
        for cut in cuts(content, end):
            subject = f"outer {n} {cut - len(content)}.".encode()
            with dial(V4) as d:
                up_to_content(d)
                whole = data.replace(f"outer {n}".encode(), subject, 1)
                reply = WAYS[way](d, whole, cut and cut + len(whole) - len(data))
                assert reply == 250, (end, cut, reply)
            wanted[subject] = mended(way, whole + b"\r\n.\r\n" * (way == "DATA")).partition(b"\n\n")[2]
    messages = all_messages(server, dial, len(wanted))
    arrived = {re.search(rb"^Subject: (.*?)\r?$", m, re.M)[1]: plain(server, m) for m in messages}
    arrived.pop(b"the last one")
    assert arrived == wanted
