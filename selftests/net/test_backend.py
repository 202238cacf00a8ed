# SPDX-License-Identifier: BSD-2-Clause
"""The way to the backend: identity, failure of every kind, fail-over, back-pressure. The backend is scripted here."""

import contextlib
import os
import signal
import socket
import ssl
import threading

import pytest

import smtp
from lab import GATE4, GATE6, until

V4, V6 = "203.0.113.5", "2001:db8:ace::5"
FROM, TO = "sender@example.net", "user@example.org"
PORT, SECOND = 10080, 10081
EHLO = ["PIPELINING", "SIZE 100000000", "8BITMIME"]
XCLIENT = EHLO + ["XCLIENT NAME ADDR PORT PROTO HELO"]
CONTENT = b"Subject: hello\r\n\r\nbody\r\n"
LOST = ("451", "421")


class Conversation(threading.Thread):
    """One connection of the gate, answered by the script; `said` is every line of it, `messages` every content."""

    def __init__(self, sock, script):
        super().__init__(daemon=True)
        self.sock, self.script, self.said, self.messages = sock, script, [], []
        self.reader, self.header = sock.makefile("rb"), b""

    def run(self):
        try:
            if self.script.proxy == 2:
                self.header = self.reader.read(16)
                self.header += self.reader.read(int.from_bytes(self.header[14:], "big"))
            elif self.script.proxy:
                self.said.append(self.reader.readline().decode().rstrip())
            if self.script.implicit:
                self.secure()
            self.say(self.script.greeting)
            while self.command():
                pass
        except OSError:
            pass
        self.said.append("(end)")

    def secure(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.script.certificate)
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.reader = self.sock.makefile("rb")
        self.said.append("(TLS)")

    def say(self, text):
        data = text.encode() + b"\r\n"
        for piece in (bytes([byte]) for byte in data) if self.script.crumbs else (data,):
            self.sock.sendall(piece)

    def command(self):
        line = self.reader.readline().decode(errors="replace").rstrip("\r\n")
        if not line:
            return False
        self.said.append(line)
        verb = line.split(" ")[0].upper()
        reply = self.script.replies.get(verb, self.usual(verb))
        if verb == "MAIL" and self.messages and self.script.second_mail != "as the first":
            reply = self.script.second_mail
        if reply is None:
            self.close()
            return False
        self.say(reply)
        if verb == "STARTTLS" and reply.startswith("220"):
            self.secure()
        return verb != "QUIT" and (verb != "DATA" or not reply.startswith("354") or self.content())

    def usual(self, verb):
        if verb in ("EHLO", "LHLO"):
            lines = ["scripted.example.org", *self.script.offers]
            return "\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"])
        return {"QUIT": "221 2.0.0 Bye", "DATA": "354 Go on", "XCLIENT": "220 again", "STARTTLS": "220 go"}.get(verb, "250 2.0.0 Ok")

    def content(self):
        content = bytearray()
        while not content.endswith(b"\r\n.\r\n") and content != b".\r\n":
            self.script.pace.wait()
            got = self.reader.readline()
            if not got:
                return False
            content += got
        self.messages.append(bytes(content[:-3]))
        reply = self.script.replies.get(".", "250 2.0.0 Taken")
        self.script.verdict.wait()
        if reply is None:
            self.close()
            return False
        self.say(reply)
        if self.script.last_words:
            self.close()
        return not self.script.last_words

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)


class Scripted:
    """A mail server that replies as told, and by the book where it is told nothing. None = closes instead."""

    def __init__(self, net, port):
        self.greeting, self.offers, self.proxy, self.replies = "220 scripted.example.org", EHLO, False, {}
        self.crumbs, self.last_words = False, False  # byte by byte; closes after its word on a message
        self.implicit, self.certificate = False, None  # TLS from the first byte on; (chain, key) files
        self.second_mail = "as the first"  # reply to a MAIL after a message on the same connection
        self.pace, self.verdict, self.conversations = threading.Event(), threading.Event(), []
        self.pace.set()
        self.verdict.set()
        with net.here():
            self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.conversations.append(Conversation(sock, self))
            self.conversations[-1].start()

    def close(self):
        self.pace.set()
        self.verdict.set()
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for c in self.conversations:
            c.sock.close()

    def messages(self):
        return [message for c in self.conversations for message in c.messages]

    def sessions(self):
        """What was said in conversations that went beyond a probe."""
        return [c.said for c in self.conversations if any(line.startswith("MAIL") for line in c.said)]


@pytest.fixture
def scripted(lab):
    made = []

    def start(port=PORT, **more):
        made.append(Scripted(lab.gateway, port))
        vars(made[-1]).update(more)
        return made[-1]

    yield start
    for server in made:
        server.close()


def in_front(gate, identity="none", **more):
    """A gate before the scripted server, once it has asked it what it offers."""
    gate.configure(greet_pause="0s", backend__main={"port": PORT, "identity": identity}, **more).start()
    checks = gate.settings["limits"]["workers"] * sum(1 for key in gate.settings if key[0] == "backend")
    until("every worker checked every backend", lambda: gate.counter("backend_connections_total") >= checks)
    return gate


def source_port(dialog):
    return dialog.sock.getsockname()[1]


IDENTITY = [
    # identity, source, server's settings, what is said before MAIL
    ("xclient", V4, {"offers": XCLIENT}, [
        "EHLO mx.example.org", "XCLIENT NAME=[UNAVAILABLE] ADDR={v4} PORT={port} PROTO=ESMTP HELO=client.example.net",
        "EHLO client.example.net"]),
    ("auto", V6, {"offers": XCLIENT}, [
        "EHLO mx.example.org", "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:{v6} PORT={port} PROTO=ESMTP HELO=client.example.net",
        "EHLO client.example.net"]),
    ("proxy", V4, {"proxy": True}, ["PROXY TCP4 {v4} {gate4} {port} 25", "EHLO client.example.net"]),
    ("proxy", V6, {"proxy": True}, ["PROXY TCP6 {v6} {gate6} {port} 25", "EHLO client.example.net"]),
    ("auto", V4, {}, ["EHLO mx.example.org"]),
    ("received", V4, {"offers": XCLIENT}, ["EHLO mx.example.org"]),
    ("none", V4, {"offers": XCLIENT}, ["EHLO mx.example.org"]),
]


@pytest.mark.parametrize("identity,source,settings,said", IDENTITY)
def test_identity(gate, scripted, dial, identity, source, settings, said):
    server = scripted(**settings)
    in_front(gate, identity)
    with dial(source) as d:
        port = source_port(d)
        assert d.mail(FROM, [TO], CONTENT) == 250
        assert d.quit() == 221
    heard = until("the session is heard", server.sessions)[0]
    before = heard[:heard.index(f"MAIL FROM:<{FROM}>")]
    assert before == [line.format(v4=V4, v6=V6, gate4=GATE4, gate6=GATE6, port=port) for line in said]
    received = identity == "received" or (identity == "auto" and not settings)
    got, = server.messages()
    assert got.endswith(CONTENT)
    head = got[:-len(CONTENT)].decode()
    assert head.startswith(f"Received: from client.example.net ([{V4}])\r\n\tby mx.example.org with ESMTP id ") == received
    assert received or head == ""


def test_a_backend_that_does_not_take_the_identity_gets_no_mail(gate, scripted, dial):
    server = scripted()
    in_front(gate, "xclient")
    with dial(V4) as d:
        assert str(d.mail(FROM, [TO], CONTENT)).startswith(LOST)
    assert not server.sessions()


TROUBLE = [None, "421 4.3.2 going down", "junk", "250 ok\r\n250 surplus", "250-a\r\n251 b", "299-endless\r\n" * 300 + "299 x"]


@pytest.mark.parametrize("where", ["MAIL", "RCPT", "DATA", "."])
def test_trouble_is_temporary_and_never_an_acceptance(gate, scripted, dial, where):
    server = scripted()
    in_front(gate)
    for trouble in TROUBLE:
        server.replies = {where: trouble}
        with dial(V4) as d:
            reply = d.mail(FROM, [TO], CONTENT)
            accepted = where == "." and trouble and trouble.startswith("250 ok")
            assert str(reply).startswith("250" if accepted else LOST), (where, trouble, reply)
        server.replies = {}
        with dial(V4) as d:
            assert d.mail(FROM, [TO], CONTENT) == 250, (where, trouble)


@pytest.mark.parametrize("where", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("reply", ["451 4.7.1 Not now", "554 5.7.9 Not ever", "550-5.7.1 Two\r\n550 5.7.1 lines"])
def test_its_own_words_reach_the_client(gate, scripted, dial, where, reply):
    server = scripted()
    in_front(gate)
    server.replies = {where: reply}
    with dial(V4) as d:
        assert d.mail(FROM, [TO], CONTENT).lines == reply.split("\r\n")


def test_the_next_backend_is_tried(gate, scripted, dial):
    busy, good = scripted(greeting="421 4.3.2 busy"), scripted(SECOND)
    in_front(gate, backend__second={"port": SECOND, "identity": "none", "idle_connections": 0})
    with dial(V4) as d:
        assert d.mail(FROM, [TO], CONTENT) == 250
    assert good.messages() == [CONTENT]
    good.close()
    with dial(V4) as d:
        assert str(d.mail(FROM, [TO], CONTENT)).startswith(LOST)
    busy.greeting = "220 better"
    with dial(V4) as d:
        assert d.mail(FROM, [TO], CONTENT) == 250
    assert busy.messages() == [CONTENT]


def test_a_transaction_never_moves_to_another_connection(gate, scripted, dial):
    server = scripted()
    in_front(gate)
    with dial(V4) as d:
        for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>"):
            assert d.say(command) == 250
        server.conversations[-1].close()
        until("the gate noticed", lambda: "(end)" in server.conversations[-1].said)
        assert str(d.say("RCPT TO:<second@example.org>")).startswith(LOST)
    assert [line for said in server.sessions() for line in said if line.startswith("RCPT")] == [f"RCPT TO:<{TO}>"]


def test_a_connection_that_got_old_is_replaced_between_messages(gate, scripted, dial):
    server = scripted()
    in_front(gate)
    with dial(V4) as d:
        for n in range(3):
            assert d.mail(FROM, [TO], CONTENT) == 250
            server.conversations[-1].close()
            until("the gate noticed", lambda: "(end)" in server.conversations[-1].said)
    assert server.messages() == [CONTENT] * 3
    assert len(server.sessions()) == 3


def test_an_answer_that_is_under_way_is_waited_for(gate, scripted, dial):
    server = scripted()
    in_front(gate)
    server.verdict.clear()
    waiting, idle = dial(V4), dial(V4)
    for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA"):
        assert waiting.say(command).code in (250, 354)
    waiting.send(CONTENT + b".\r\n")
    until("the message arrived", server.messages)
    stopping = threading.Thread(target=gate.stop)
    stopping.start()
    assert idle.reply() == 421
    server.verdict.set()
    assert waiting.reply() == 250
    idle.close()
    waiting.close()
    stopping.join()


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(next(line.split()[1] for line in f if line.startswith("VmRSS:")))


def test_a_slow_backend_slows_the_client_and_accuses_nobody(gate, scripted, dial):
    """50 MB against a backend that stands still for longer than a client may: it all waits in the client."""
    server = scripted()
    in_front(gate, limits={"data_timeout": "5s", "message_size": "0", "workers": 1})
    server.pace.clear()
    block = (b"0123456789" * 7 + b"\r\n") * 1000
    worker, = gate.workers()
    before = rss_kib(worker)
    with dial(V4) as d:
        for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA"):
            assert d.say(command).code in (250, 354)
        d.sock.settimeout(6)
        with pytest.raises(TimeoutError):
            for _ in range(50_000_000 // len(block)):
                d.send(block)
        assert rss_kib(worker) - before < 1024
        d.sock.settimeout(None)
        server.pace.set()
        d.send(b"\r\n.\r\n")
        assert d.reply() == 250
    assert len(server.messages()[0]) > len(block)
    assert gate.counter("findings_total", reason="too-slow") == 0


def test_fifty_megabytes(gate, scripted, dial):
    server = scripted()
    in_front(gate, limits={"message_size": "0", "workers": 1})
    worker, = gate.workers()
    before = rss_kib(worker)
    content = b"Subject: big\r\n\r\n" + (b"." + bytes(range(32, 127)) + b"\r\n") * 510000
    with dial(V4, timeout=120) as d:
        assert d.mail(FROM, [TO], content) == 250
    assert rss_kib(worker) - before < 1024
    assert server.messages() == [content.replace(b"\r\n.", b"\r\n..")]


def test_a_surplus_reply_answers_nothing(gate, scripted, dial):
    server = scripted(offers=["8BITMIME"], replies={"MAIL": "250 2.1.0 Ok\r\n250 2.1.5 for a recipient?", "RCPT": "550 5.1.1 No such user"})
    in_front(gate)
    with dial(V4) as d:
        for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>"):
            assert d.say(command) == 250
        assert str(d.say(f"RCPT TO:<{TO}>")).startswith(LOST)
    assert not server.messages()


@pytest.mark.parametrize("rcpt", ["550 5.1.1 No such user", "250 2.1.5 Ok", "451 4.7.1 Not now"])
def test_a_surplus_reply_in_a_pipeline_accepts_nothing(gate, scripted, dial, rcpt):
    """Nobody could tell it from the reply to RCPT when it comes; but from then on nothing fits, and no message is taken."""
    server = scripted(replies={"MAIL": "250 2.1.0 Ok\r\n250 2.1.5 for a recipient?", "RCPT": rcpt})
    in_front(gate)
    with dial(V4) as d:
        reply = d.mail(FROM, [TO], CONTENT)
        assert reply.code >= 400 and reply.code != 550, reply
    assert not server.messages()


def test_a_terminated_worker_says_so_and_is_replaced(gate, scripted, dial):
    scripted()
    in_front(gate, limits={"workers": 1})
    worker, = gate.workers()
    with dial(V4) as d:
        os.kill(worker, signal.SIGTERM)
        assert d.reply() == 421
    until("another worker serves", lambda: gate.workers() and worker not in gate.workers())
    with dial(V4) as d:
        assert d.mail(FROM, [TO], CONTENT) == 250


ODD_OFFERS = [
    ["PIPELINING", "PIPECONNECT", "CHUNKING", "BINARYMIME", "X-EXPS GSSAPI", "XFORWARD NAME", "ETRN", "HELP"],
    ["8bitmime", "size 1000", "Pipelining", "dsn", "smtputf8", "auth=LOGIN", "AUTH login plain"],
    ["SIZE", "SIZE 0", "SIZE 99999999999999999999999", "SIZE -1", "SIZE x", "SIZE  1000", "AUTH", "AUTH ", "8BITMIME 7"],
    ["", " ", "-", "=" * 500, "8BITMIME" * 50, "STARTTLS", "STARTTLS x", "AUTH " + "X" * 400],
]


@pytest.mark.parametrize("offers", ODD_OFFERS)
def test_odd_offers(gate, scripted, dial, offers):
    """Whatever a backend offers: mail goes through, and clients are offered nothing that the gate does not parse."""
    server = scripted(offers=offers)
    in_front(gate)
    with dial(V4) as d:
        offered = {line[4:].split(" ")[0] for line in d.say("EHLO client.example.net").lines[1:]}
        own = {"PIPELINING", "SIZE", "ENHANCEDSTATUSCODES", "CHUNKING", "LIMITS"}
        assert own <= offered <= own | {"8BITMIME", "DSN", "SMTPUTF8"}
        assert d.mail(FROM, [TO], CONTENT) == 250
    assert server.messages() == [CONTENT]


def test_closing_right_after_its_word(gate, scripted, dial):
    server = scripted(last_words=True)
    in_front(gate)
    with dial(V4) as d:
        for _ in range(3):
            assert d.mail(FROM, [TO], CONTENT) == 250
    assert server.messages() == [CONTENT] * 3


def test_replies_in_pieces(gate, scripted, dial):
    server = scripted(crumbs=True, replies={"RCPT": "250-2.1.5 One\r\n250-2.1.5 two\r\n250 2.1.5 three"})
    in_front(gate)
    with dial(V4) as d:
        assert d.mail(FROM, [TO], CONTENT) == 250
    assert server.messages() == [CONTENT]
