# SPDX-License-Identifier: BSD-2-Clause
"""Sessions that wait for room at a backend: whose turn comes first, and what becomes of those that wait in vain."""

import select
import socket

import pytest

import wide_open
from lab import until
from test_backend import CONTENT, FROM, PORT, SECOND, TO, V4, V6, scripted  # noqa: F401
from test_backend_ways import ONE, send, two

STRANGER, STRANGER6, OFFENDER, GUESSER = "198.51.100.20", "2001:db8:bad:20::1", "198.51.100.21", "198.51.100.22"
AUTH = "AUTH PLAIN AHVzZXIAd3Jvbmc="


def narrow(gate, scripted_, most=1, **limits):
    """A gate that may have so many connections to a scripted server with AUTH; the server."""
    server = scripted_(offers=["8BITMIME", "AUTH PLAIN"])
    server.replies["AUTH"] = "535 5.7.8 No"
    gate.configure(greet_pause="0s", limits={**ONE, **limits}, backend__main={"port": PORT, "identity": "none", "connections": most},
                   listener__mx={"auth": "offer", "auth_cleartext": True}).start()
    until("every worker checked it", lambda: gate.counter("backend_connections_total") >= gate.settings["limits"]["workers"])
    return server


def begin(dial, source):
    d = dial(source)
    assert d.say("EHLO client.example.net") == 250 and d.say(f"MAIL FROM:<{FROM}>") == 250
    return d


def hold(dial, source=V4):
    """A session that has the backend's connection."""
    d = begin(dial, source)
    assert d.say(f"RCPT TO:<{TO}>") == 250
    return d


def heard(gate):
    """The judge has answered this, so it has told the workers what it knows of every session's source."""
    gate.json("client", "list", "limit", "1")


def ask(gate, d, command=f"RCPT TO:<{TO}>"):
    """Sends it and sees it wait."""
    before = gate.counter("backend_waits_total")
    d.send(command.encode() + b"\r\n")
    until("it waits", lambda: gate.counter("backend_waits_total") == before + 1)


def test_each_turn_comes(gate, scripted, dial):
    """Known clients, strangers with mail, strangers that log in, offenders: whatever the order in which they came."""
    server = narrow(gate, scripted)
    for source in (V4, V6):
        assert send(dial, source) == 250
        until("it is known", lambda s=source: gate.json("client", "show", s)["delivers"])
    with dial(OFFENDER) as d:
        assert d.say("XYZZY") == 500
        d.quit()
    until("it has points", lambda: gate.json("client", "show", OFFENDER)["score"] > 0)
    first = hold(dial, "203.0.113.99")
    offender, guesser, stranger, stranger6, known, known6 = (begin(dial, s) for s in (OFFENDER, GUESSER, STRANGER, STRANGER6, V4, V6))
    heard(gate)
    assert guesser.say("RSET") == 250
    for d, command in ((offender, None), (guesser, AUTH), (stranger, None), (stranger6, None), (known, None), (known6, None)):
        ask(gate, d, *filter(None, [command]))
    gate.says("backends-full")
    waiting = [(known, 250), (known6, 250), (stranger, 250), (stranger6, 250), (guesser, 535), (offender, 250)]
    gone = first
    for n, (d, code) in enumerate(waiting):
        gone.close()
        assert d.reply() == code
        for other, _ in waiting[n + 1:]:
            other.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.sock.recv(1)
            other.sock.settimeout(20)
        gone = d
    assert gate.counter("backend_waits_expired_total") == 0 and gate.counter("backend_connections_total", result="failed") == 0
    assert len(server.conversations) > 6


def test_the_last_connections_are_for_mail_and_for_known_clients(gate, scripted, dial):
    """Of ten: sources with points get five, logins seven, strangers with mail nine."""
    server = narrow(gate, scripted, 10, backend_wait="0s")
    server.replies["AUTH"] = "334 "  # goes on, so that its connection is held
    assert send(dial, V4) == 250
    until("it is known", lambda: gate.json("client", "show", V4)["delivers"])
    for n in range(9):
        with dial(f"198.51.100.{100 + n}") as d:
            assert d.say("XYZZY") == 500
            d.quit()
        until("it has points", lambda s=f"198.51.100.{100 + n}": gate.json("client", "show", s)["score"] > 0)

    def fill(prefix, code, command=f"RCPT TO:<{TO}>"):
        """Sources one after another, until the first that finds no room."""
        for n in range(10):
            d = begin(dial, prefix.format(100 + n))
            heard(gate)
            if command == AUTH:
                assert d.say("RSET") == 250
            if d.say(command) == code:
                return n
        return 10

    assert fill("198.51.100.{}", 451) == 5
    assert fill("203.0.113.{}", 454, AUTH) == 2
    assert fill("2001:db8:ace:{}::1", 451) == 2
    last = begin(dial, V4)
    heard(gate)
    assert last.say(f"RCPT TO:<{TO}>") == 250 and last.alive()


def test_a_newcomer_does_not_overtake(gate, scripted, dial):
    narrow(gate, scripted)
    first, second, third = hold(dial), begin(dial, STRANGER), begin(dial, STRANGER6)
    ask(gate, second)
    ask(gate, third)
    assert first.quit() == 221
    assert second.reply() == 250 and second.quit() == 221
    assert third.reply() == 250


def test_who_waits_in_vain_is_deferred(gate, scripted, dial):
    server = narrow(gate, scripted, backend_wait="1s")
    first, second, third = hold(dial), begin(dial, STRANGER), begin(dial, GUESSER)
    assert third.say("RSET") == 250
    assert str(second.say(f"RCPT TO:<{TO}>")).startswith("451 4.4.5")
    assert third.say(AUTH) == 454
    second.send(f"RCPT TO:<{TO}>\r\n".encode() * 3)  # in one group: each of them hears it
    assert [second.reply().code for _ in range(3)] == 3 * [451]
    assert gate.counter("backend_waits_expired_total") == 3  # a recipient, a login, a group
    assert first.quit() == 221
    assert second.say(f"RCPT TO:<{TO}>") == 250 and second.say("DATA") == 354 and second.content(CONTENT) == 250
    assert server.messages() == [CONTENT]


def test_who_leaves_while_it_waits_holds_up_nobody(gate, scripted, dial):
    narrow(gate, scripted)
    first, second, third = hold(dial), begin(dial, STRANGER), begin(dial, STRANGER6)
    ask(gate, second)
    ask(gate, third)
    second.close()
    assert first.quit() == 221
    assert third.reply() == 250


def test_two_full_backends_are_waited_for_together(gate, scripted, dial):
    scripted(), scripted(SECOND)
    two(gate, {"connections": 1}, {"priority": 1, "connections": 1})
    held, waiting = [hold(dial), hold(dial, V6)], begin(dial, STRANGER)
    ask(gate, waiting)
    until("it is shown at both", lambda: [row["waiting"] for row in gate.json("backend", "show")["backends"]] == [1, 1])
    assert held[1].quit() == 221
    assert waiting.reply() == 250
    until("it is shown no more", lambda: [row["waiting"] for row in gate.json("backend", "show")["backends"]] == [0, 0])


def test_a_backend_that_dies_keeps_nobody_waiting(gate, scripted, dial):
    server = narrow(gate, scripted)
    hold(dial)
    waiting = begin(dial, STRANGER)
    ask(gate, waiting)
    server.listener.shutdown(socket.SHUT_RDWR)
    server.conversations[-1].close()
    assert str(waiting.reply()).startswith("451 4.4.1")


def test_all_workers_share(gate, scripted, dial):
    """Three connections of two workers are two for each; with one that is kept for the next session, too."""
    narrow(gate, scripted, 3, workers=2, backend_wait="0s")
    codes = []

    def another(n=iter(range(1, 250))):
        codes.append(begin(dial, f"203.0.113.{next(n)}").say(f"RCPT TO:<{TO}>").code)
        return codes.count(250) == 4

    until("both workers were met so often", another)  # which one serves a client is the kernel's choice
    for _ in range(20):
        another()
    assert codes.count(250) == 4 and codes.count(451) == len(codes) - 4


class SmallExim(wide_open.Exim):
    """Serves so many at once; the next one hears 421 instead of a greeting."""

    MOST = 3
    files = {"etc/exim4/exim4.conf": wide_open.Exim.files["etc/exim4/exim4.conf"].replace("smtp_accept_max = 0", f"smtp_accept_max = {MOST}")}


@pytest.fixture(scope="module")
def small(lab):
    server = SmallExim(lab)
    lab.later(server.stop)
    return server.start()


@pytest.mark.parametrize("told", [True, False], ids=["the gate is told", "the gate finds out"])
def test_a_small_server_is_not_asked_for_more_than_it_serves(gate, small, dial, box, told):
    """A dozen clients at once at a server that serves three: each is served, none is deferred."""
    most = {"connections": SmallExim.MOST - 1} if told else {}  # the checks are the third
    gate.configure(limits=ONE, backend__main={"port": small.ports[0], "identity": "none", **most}).start()
    until("the server was probed", lambda: gate.counter("backend_connections_total", result="ok"))
    clients = [begin(dial, f"203.0.113.{120 + n}" if n % 2 else f"2001:db8:ace:{n:x}::120") for n in range(12)]
    for d in clients:
        d.send(f"RCPT TO:<{TO}>\r\n".encode())
    until("they wait", lambda: gate.counter("backend_waits_total") >= 9)
    left = set(clients)
    while left:
        for d in select.select([d.sock for d in left], [], [], 30)[0]:
            client = next(c for c in left if c.sock is d)
            assert client.reply() == 250 and client.say("DATA") == 354 and client.content(CONTENT) == 250 and client.quit() == 221
            left.remove(client)
    assert gate.counter("backend_connections_total", result="failed") == 0 and gate.counter("recipients_total", result="deferred") == 0
    until("every message", lambda: box.count() == 12)
