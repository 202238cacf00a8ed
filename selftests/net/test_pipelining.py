# SPDX-License-Identifier: BSD-2-Clause
"""Recipients that a client pipelines are asked of the backend in one go. What it had heard before it said a word proves it."""

import socket
import threading

import pytest

import test_backend
from lab import until
from test_backend import CONTENT, FROM, PORT, SECOND, V4, in_front, scripted  # noqa: F401

AT_ONCE = 16
ONE = {"workers": 1, "messages": 0}


class Reserved(test_backend.Conversation):
    """Says nothing from MAIL on until it is told to speak; then, by recipient, what the script has for it."""

    def __init__(self, sock, script):
        super().__init__(sock, script)
        self.lock, self.withheld = threading.Lock(), b""

    def say(self, text):
        with self.lock:
            if self.said and self.said[-1].startswith("RCPT"):
                text = self.script.fates.get(self.said[-1], text)
            self.withheld += text.encode() + b"\r\n"
            if not self.script.reserved or not any(line.startswith("MAIL") for line in self.said):
                self.speak()

    def speak(self):
        out, self.withheld = self.withheld, b""
        if out:
            self.sock.sendall(out)


@pytest.fixture
def reserved(scripted, monkeypatch):  # noqa: F811
    monkeypatch.setattr(test_backend, "Conversation", Reserved)

    def start(port=PORT, **more):
        return scripted(port=port, **{"reserved": True, "fates": {}, **more})

    return start


def let_speak(server):
    """From now on it says everything at once, what it withheld first."""
    server.reserved = False
    for c in server.conversations:
        with c.lock:
            c.speak()


def rcpt(n):
    return f"RCPT TO:<user{n}@example.org>"


def envelope(server):
    return [line for said in server.sessions() for line in said if not line.startswith("EHLO")]


def wait_for(server, lines):
    until(f"the backend heard {len(lines)} lines", lambda: envelope(server) == lines)


def pipeline(d, commands):
    assert d.say("EHLO client.example.net") == 250
    d.send("".join(f"{c}\r\n" for c in (f"MAIL FROM:<{FROM}>", *commands)).encode())
    assert d.reply() == 250


def replies(d, n):
    return [str(d.reply()) for _ in range(n)]


def test_many_recipients_cost_one_round_trip(gate, reserved, dial):
    server = reserved(fates={rcpt(2): "550 5.1.1 No such user", rcpt(5): "451 4.7.1 Not now", rcpt(6): "250-2.1.5 Six\r\n250 2.1.5 Ok"})
    in_front(gate, limits=ONE)
    with dial(V4) as d:
        asked = [rcpt(n) for n in range(8)]
        pipeline(d, [*asked, "DATA"])
        wait_for(server, [f"MAIL FROM:<{FROM}>", *asked])  # and not a word has been said
        assert server.reserved and d.alive()
        let_speak(server)
        said = replies(d, 8)
        assert [line[:3] for line in said] == ["250", "250", "550", "250", "250", "451", "250", "250"], said
        assert d.reply() == 354
        assert d.content(CONTENT) == 250
        assert envelope(server) == [f"MAIL FROM:<{FROM}>", *asked, "DATA"]
    assert server.messages() == [CONTENT]
    assert gate.counter("recipients_total", result="accepted") == 6
    assert gate.counter("recipients_total", result="rejected") == 1
    assert gate.counter("recipients_total", result="deferred") == 1


def test_no_more_than_so_many_at_once(gate, reserved, dial):
    server = reserved()
    in_front(gate, limits=ONE)
    with dial(V4) as d:
        asked = [rcpt(n) for n in range(3 * AT_ONCE + 5)]
        pipeline(d, [*asked, "DATA"])
        wait_for(server, [f"MAIL FROM:<{FROM}>", *asked[:AT_ONCE]])
        let_speak(server)
        assert {line[:3] for line in replies(d, len(asked))} == {"250"}
        assert d.reply() == 354
        assert d.content(CONTENT) == 250
        assert envelope(server) == [f"MAIL FROM:<{FROM}>", *asked, "DATA"]


def test_own_refusals_keep_their_place(gate, reserved, dial):
    server = reserved()
    in_front(gate, limits=ONE)
    with dial(V4) as d:
        pipeline(d, [rcpt(0), rcpt(1), "RCPT TO:<x@foreign.example>", rcpt(2), rcpt(3), "NOOP", "RSET", "QUIT"])
        wait_for(server, [f"MAIL FROM:<{FROM}>", rcpt(0), rcpt(1)])
        let_speak(server)
        said = [d.reply().code for _ in range(8)]
        assert said == [250, 250, 550, 250, 250, 250, 250, 221]
    wanted = [f"MAIL FROM:<{FROM}>", *(rcpt(n) for n in range(4)), "RSET"]
    until("the backend heard all of it", lambda: envelope(server)[:len(wanted)] == wanted)  # and then what ends its connection, if that ends
    assert not server.messages()


def test_a_refused_sender_is_every_recipients_answer(gate, reserved, dial):
    server = reserved(replies={"MAIL": "550 5.7.1 Not you", "RCPT": "503 5.5.1 MAIL first"})
    in_front(gate, limits=ONE)
    with dial(V4) as d:
        pipeline(d, [rcpt(0), rcpt(1), rcpt(2), "DATA"])
        wait_for(server, [f"MAIL FROM:<{FROM}>", rcpt(0), rcpt(1), rcpt(2)])
        let_speak(server)
        assert replies(d, 4) == 3 * ["550 5.7.1 Not you"] + ["554 5.5.1 No valid recipients"]


def hang_up(server):
    for c in server.conversations:
        if any(line.startswith("MAIL") for line in c.said):
            c.close()


def test_unanswered_recipients_move_to_the_next_backend(gate, reserved, dial):
    first, second = reserved(), reserved(SECOND, reserved=False)
    in_front(gate, limits=ONE, backend__second={"port": SECOND, "identity": "none", "priority": 2})
    with dial(V4) as d:
        asked = [rcpt(n) for n in range(5)]
        pipeline(d, [*asked, "DATA"])
        wait_for(first, [f"MAIL FROM:<{FROM}>", *asked])
        hang_up(first)
        assert {line[:3] for line in replies(d, 5)} == {"250"}
        assert d.reply() == 354
        assert d.content(CONTENT) == 250
    assert envelope(second) == [f"MAIL FROM:<{FROM}>", *asked, "DATA"]
    assert not first.messages() and second.messages() == [CONTENT]


def test_a_backend_that_goes_with_recipients_accepted_takes_the_session_with_it(gate, reserved, dial):
    first, second = reserved(), reserved(SECOND, reserved=False)
    in_front(gate, limits=ONE, backend__second={"port": SECOND, "identity": "none", "priority": 2})
    with dial(V4) as d:
        pipeline(d, [rcpt(0), rcpt(1), rcpt(2), "DATA"])
        wait_for(first, [f"MAIL FROM:<{FROM}>", rcpt(0), rcpt(1), rcpt(2)])
        talk, = [c for c in first.conversations if any(line.startswith("MAIL") for line in c.said)]
        talk.sock.sendall(b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n")
        assert d.reply() == 250
        hang_up(first)
        said = d.ended()
        assert len(said) == 1 and said[0].startswith("421 4.4.2"), said
    assert not first.messages() and not second.messages()


@pytest.mark.parametrize("more", [{"offers": ["8BITMIME"]}, {"replies": {"RCPT": None}}])
def test_one_by_one_where_the_backend_wants_it_so(gate, reserved, dial, more):
    """Without PIPELINING; and where it hangs up at the first recipient, every one of them hears of it."""
    reserved(reserved=False, **more)
    in_front(gate, limits=ONE)
    with dial(V4) as d:
        pipeline(d, [rcpt(n) for n in range(20)])
        said = replies(d, 20)
    codes = {line[:3] for line in said}
    assert codes == {"250"} if "offers" in more else codes == {"451"}, said


@pytest.mark.parametrize("second", [None, "421 4.4.2 idle too long"])
def test_a_kept_connection_that_dies_under_a_pipeline_costs_nothing(gate, reserved, dial, second):
    server = reserved(reserved=False, second_mail=second)
    in_front(gate, limits=ONE)
    for n in range(4):
        with dial(V4) as d:
            pipeline(d, [rcpt(0), rcpt(1), rcpt(2), "DATA"])
            assert [d.reply().code for _ in range(4)] == [250, 250, 250, 354]
            assert d.content(b"Subject: %d\r\n\r\nbody\r\n" % n) == 250
            d.quit()
    assert sorted(server.messages()) == [b"Subject: %d\r\n\r\nbody\r\n" % n for n in range(4)]


@pytest.mark.parametrize("half", [False, True])
def test_a_client_that_leaves_takes_its_recipients_along(gate, reserved, dial, half):
    """One that only says no more still hears what it asked for, so its DATA is begun. The other's kernel resets what comes for it."""
    server = reserved()
    in_front(gate, limits=ONE)
    with dial(V4) as d:
        pipeline(d, [rcpt(0), rcpt(1), "DATA"])
        wait_for(server, [f"MAIL FROM:<{FROM}>", rcpt(0), rcpt(1)])
        if half:
            d.sock.shutdown(socket.SHUT_WR)
            let_speak(server)
            assert [d.reply().code for _ in range(3)] == [250, 250, 354]
            assert not d.ended()
    let_speak(server)
    until("the backend's connection ended", lambda: "(end)" in server.sessions()[0])
    assert not server.messages()
    until("the session ended", lambda: gate.counter("sessions_total", end="hangup") == 1)
    aborted = gate.counter("messages_total", result="aborted")
    assert aborted == 1 if half else aborted <= 1  # whether the reset or the 354 came first
