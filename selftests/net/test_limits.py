# SPDX-License-Identifier: BSD-2-Clause
"""Who may be a sender, and how much of anything a session may have: one gate with many listeners, Postfix behind it.

Sessions that are too slow are begun first and looked at last: the other tests are run while they wait.
"""

import threading

import pytest

import gate as gate_
import mta
import smtp
from lab import GATE4, until

V4, MAY_RELAY, FROM, TO = "203.0.113.5", "203.0.113.200", "sender@example.net", "user@example.org"
ONE, CLOSED, SMALL, FEW, SLOW = 2526, 2527, 2528, 2529, 2530
SETTINGS = {
    "own_sender": "enforce",
    "ban": {"observe": True},
    "greet_pause": "0s",
    "limits": {"workers": 1, "null_rcpts": 1, "errors": 20},
    "relay": {"entries": [MAY_RELAY]},
    "hide": {"dsn": True, "smtputf8": True, "vrfy": True, "help": True},
    "sender__refused": {"entries": ["spammer@bad.example", ".below.example", "file:/run/lab/senders"]},
    "sender__closed": {"entries": ["closer.example", "both.example"], "action": "close"},
    "sender__watched": {"entries": ["<>", "both.example", "watched.example"], "action": "observe"},
    "sender__whoever": {"entries": ["never.example"], "trusted": True},
    "listener__one": {"port": ONE, "sessions": 1},
    "listener__closed": {"port": CLOSED, "accepts_no_mail": True},
    "listener__small": {"port": SMALL, "message_size": "2000", "session_size": "3000"},
    "listener__few": {"port": FEW, "messages": 2, "rcpts": 100, "errors": 2},
    "listener__slow": {"port": SLOW, "command_timeout": "5s", "data_timeout": "5s", "data_rate": "1M"},
}


class Slow(threading.Thread):
    """A session that begins like others and then sends an octet a second, or nothing; `said` is what it was told at the end."""

    def __init__(self, lab, commands, drip):
        super().__init__(daemon=True)
        self.drip, self.said, self.stop = drip, None, threading.Event()
        self.dialog = smtp.Dialog(lab.world.connect("203.0.113.90", GATE4, SLOW, 200))
        for command in commands:
            assert self.dialog.say(command).code in (250, 354)
        self.start()

    def run(self):
        if self.drip:
            threading.Thread(target=self._drip, daemon=True).start()
        self.said = self.dialog.ended()
        self.stop.set()

    def _drip(self):
        try:
            while not self.stop.wait(1):
                self.dialog.send(b"x")
        except OSError:
            pass


TO_RCPT = ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>")
IN_DATA = (*TO_RCPT, "DATA")
IN_CHUNK = (*TO_RCPT, "BDAT 0")


@pytest.fixture(scope="module")
def one_gate(lab, postfix):
    with open("/run/lab/senders", "w", encoding="ascii") as f:
        f.write("# ours\nlisted@file.example\n")
    made = gate_.Gate(lab).configure(**SETTINGS).start()
    until("all listen", lambda: all(lab.gateway.listening(port) for port in (ONE, CLOSED, SMALL, FEW, SLOW)))
    mta.Mailbox("user").empty()
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def slow(lab, one_gate):
    return {
        "drips": Slow(lab, IN_DATA, True),
        "silent in DATA": Slow(lab, IN_DATA, False),
        "silent between chunks": Slow(lab, IN_CHUNK, False),
        "silent before a command": Slow(lab, TO_RCPT, False),
        "drips a command": Slow(lab, TO_RCPT, True),
    }


@pytest.fixture
def at(lab):
    """at(port, source): a Dialog with a listener. All are closed after the test."""
    made = []

    def connect(port, source=V4):
        made.append(smtp.Dialog(lab.world.connect(source, GATE4, port)))
        return made[-1]

    yield connect
    for dialog in made:
        dialog.close()


def hello(d):
    assert d.say("EHLO client.example.net") == 250
    return d


def whole(d, text, sender=FROM, to=TO):
    """A transaction in a session that goes on: the first reply that is not as hoped for, or the last."""
    for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>"):
        reply = d.say(command)
        if reply != 250:
            return reply
    assert d.say("DATA") == 354
    return d.content(f"Subject: {text}\r\n\r\n".encode())


def clean_end(d):
    """The rest of what comes; a reset in place of an end would raise."""
    rest = b""
    while got := d.sock.recv(65536):
        rest += got
    return rest


# --- senders ----------------------------------------------------------------

# sender, what a stranger is told, what one who may relay is told
SENDERS = [
    (FROM, 250, 250), ("spammer@bad.example", 550, 250), ("SPAMMER@BAD.EXAMPLE", 550, 250), ('"spammer"@bad.example', 550, 250),
    ("other@bad.example", 250, 250), ("a@below.example", 250, 250), ("a@deep.is.below.example", 550, 250), ("listed@file.example", 550, 250),
    ("a@closer.example", 550, 250), ("a@both.example", 550, 250), ("a@watched.example", 250, 250), ("", 250, 250),
    ("a@never.example", 550, 550), (TO, 550, 250), ("someone@EXAMPLE.org", 550, 250), ("a@sub.example.org", 250, 250),
    ("postmaster@bad.example.spammer@bad.example", 501, 501),
]


@pytest.mark.parametrize("sender, stranger, trusted", SENDERS, ids=[row[0] or "<>" for row in SENDERS])
def test_sender(one_gate, at, sender, stranger, trusted):
    assert hello(at(25)).say(f"MAIL FROM:<{sender}>") == stranger
    assert hello(at(25, MAY_RELAY)).say(f"MAIL FROM:<{sender}>") == trusted


def test_refused_senders_leave_no_message(one_gate, at, box):
    """Whatever is sent behind the refusal, in one write; the session goes on, and what is good in it arrives."""
    d = hello(at(25))
    d.send(f"MAIL FROM:<spammer@bad.example>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode())
    assert [d.reply().code // 100 for _ in range(3)] == [5, 5, 5]
    assert whole(d, "a better sender") == 250
    box.wait_for(b"a better sender")
    assert box.count() == 1


def test_senders_are_counted(one_gate, at):
    def seen():
        return {**{result: one_gate.counter("senders_total", result=result) for result in ("accepted", "observed", "refused")},
                **{reason: one_gate.counter("findings_total", reason=reason) for reason in ("refused-sender", "own-domain-sender")}}
    before = seen()
    for sender in (FROM, "a@watched.example", "spammer@bad.example", "a@closer.example", TO):
        hello(at(25)).say(f"MAIL FROM:<{sender}>")
    assert {name: n - before[name] for name, n in seen().items()} == {
        "accepted": 1, "observed": 1, "refused": 3, "refused-sender": 2, "own-domain-sender": 1}


@pytest.mark.parametrize("behind", ["", f"RCPT TO:<{TO}>\r\nDATA\r\n", f"RCPT TO:<{TO}>\r\n" * 3000])
def test_close_says_why_and_then_ends(one_gate, at, behind):
    """In that order and without a reset, also where commands were sent ahead."""
    d = hello(at(25))
    d.send(f"MAIL FROM:<a@closer.example>\r\n{behind}".encode())
    reply = d.reply()
    assert reply == 550 and "5.7.1" in str(reply)
    assert clean_end(d) == b""


def test_recipients_of_a_bounce(one_gate, at, box):
    d = hello(at(25))
    assert [d.say(command).code for command in ("MAIL FROM:<>", f"RCPT TO:<{TO}>", "RCPT TO:<other@example.org>")] == [250, 250, 452]
    assert d.say("DATA") == 354
    assert d.content(b"Subject: a bounce\r\n\r\n") == 250
    box.wait_for(b"a bounce")


# --- how much -----------------------------------------------------------------

def test_sessions_of_a_listener(one_gate, at):
    busy = one_gate.counter("connections_total", verdict="busy")
    first = at(ONE)
    assert first.greeting == 220
    second = at(ONE, "203.0.113.6")
    assert second.greeting == 421 and clean_end(second) == b""
    assert at(25).greeting == 220
    one_gate.counts(busy + 1, "connections_total", verdict="busy")
    first.quit()
    until("there is room again", lambda: at(ONE).greeting == 220)


def test_a_host_without_mail(one_gate, at):
    d = at(CLOSED)
    assert d.greeting == 521
    assert clean_end(d) == b""


def test_session_size_by_declaration_and_by_content(one_gate, at, box):
    filler = "x" * 70 + "\r\n"
    for second, told in ((f"MAIL FROM:<{FROM}> SIZE=1900", 421), (f"MAIL FROM:<{FROM}>", 250)):
        d = hello(at(SMALL))
        assert whole(d, "first\r\n\r\n" + filler * 20) == 250
        assert d.say(second) == told
        if told == 250:
            assert d.say(f"RCPT TO:<{TO}>") == 250
            assert d.say("DATA") == 354
            reply = d.content(b"Subject: one too many\r\n\r\n" + filler.encode() * 25)
            assert reply == 421 and "4.7.0" in str(reply)
        assert clean_end(d) == b""
    d = hello(at(SMALL))
    assert d.say(f"MAIL FROM:<{FROM}> SIZE=2001") == 552
    assert whole(d, "alone\r\n\r\n" + filler * 40) == 552
    assert whole(d, "the last one") == 250
    box.wait_for(b"the last one")
    until("all three", lambda: box.count() >= 3)
    assert sorted(b"first" in m or b"the last one" in m for m in box.messages()) == [True] * 3


def test_messages_and_errors_of_a_session(one_gate, at, box):
    d = at(FEW)
    assert "250-LIMITS MAILMAX=2 RCPTMAX=100" in d.say("EHLO client.example.net").lines
    assert whole(d, "one") == 250 and whole(d, "two") == 250
    reply = d.say(f"MAIL FROM:<{FROM}>")
    assert reply == 421 and clean_end(d) == b""
    d = hello(at(FEW))
    assert [d.say("DATA").code for _ in range(2)] == [503] * 2
    assert d.say("DATA") == 421
    assert clean_end(d) == b""


def test_hidden(one_gate, at):
    d = at(25)
    offered = {line[4:].split()[0] for line in d.say("EHLO client.example.net").lines[1:]}
    assert offered == {"PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "LIMITS"}
    assert d.say("VRFY user") == 502 and d.say("HELP") == 502
    assert d.say(f"MAIL FROM:<{FROM}> RET=HDRS").code in (501, 555)
    assert d.say(f"MAIL FROM:<{FROM}> SMTPUTF8").code in (501, 555)
    assert d.say(f"MAIL FROM:<{FROM}>") == 250


# --- how slowly ---------------------------------------------------------------

def test_too_slow_is_told_so_and_nothing_is_delivered(one_gate, slow, at, box):
    """A client that drips has a minute; one that says nothing has what the listener gives it."""
    for name, session in slow.items():
        session.join(150)
        assert session.said is not None, f"{name}: still there"
        assert session.said[-1].startswith("421 4.4.2"), (name, session.said)
    one_gate.counts(len(slow), "sessions_total", end="timeout")
    one_gate.counts(len(slow), "findings_total", reason="too-slow")
    assert whole(hello(at(25)), "afterwards") == 250
    box.wait_for(b"afterwards")
    assert box.count() == 1
