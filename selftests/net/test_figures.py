# SPDX-License-Identifier: BSD-2-Clause
"""Figures by what was done: known sessions in, exact counters out."""

import os

import pytest

import gate as gate_
import smtp
from lab import GATE4, HOME, until
from test_backend import FROM, PORT, TO, V4, V6, in_front, scripted  # noqa: F401

HELLO = "EHLO client.example.net"
PEACE = {"threshold": 10000}


def told(gate, family, label):
    """The rows of a family that are not zero, by their one label."""
    rows = {name.partition("{")[2]: value for name, value in gate.counters().items() if name.partition("{")[0] == family}
    return {name.removeprefix(f'{label}="').rstrip('"}'): value for name, value in rows.items() if value}


def talk(d, lines):
    """Says them one by one. A session that ends on the way has been told why."""
    for line in lines:
        try:
            d.say(line)
        except (smtp.Hangup, ConnectionError):
            return


COMMANDS = [
    (V4, [HELLO, "NOOP", "noop x", "RSET", "HELP", "VRFY user", "EXPN list", "QUIT"], {"ehlo": 1, "noop": 2, "rset": 1, "help": 1, "vrfy": 1, "expn": 1, "quit": 1}),
    (V6, ["HELO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "RCPT TO:<a@elsewhere.example>", "RCPT", "QUIT"], {"helo": 1, "mail": 1, "rcpt": 3, "quit": 1}),
    (V4, ["DATA", "MAIL", "STARTTLS", "AUTH PLAIN", "BDAT 0 LAST", "QUIT"], {"data": 1, "mail": 1, "starttls": 1, "auth": 1, "bdat": 1, "quit": 1}),
    (V6, [HELLO, "XCLIENT ADDR=192.0.2.1", "ETRN x", "TURN", "NONSENSE", "X-\xff", "QUIT"], {"ehlo": 1, "other": 5, "quit": 1}),
    (V4, [HELLO, "GET / HTTP/1.1"], {"ehlo": 1, "other": 1}),
]


@pytest.mark.parametrize("source, lines, counted", COMMANDS, ids=[f"{lines[0].split()[0]}-{lines[1].split()[0]}" for _, lines, _ in COMMANDS])
def test_commands_are_counted_by_their_verb(gate, scripted, dial, source, lines, counted):
    scripted()
    in_front(gate, ban=PEACE)
    assert told(gate, "commands_total", "verb") == {}
    with dial(source) as d:
        talk(d, lines)
    gate.counts(1, "sessions_total")
    assert told(gate, "commands_total", "verb") == counted


def test_content_is_no_command(gate, scripted, dial):
    """Neither a message nor a chunk, and recipients that leave together are as many as they are."""
    scripted()
    in_front(gate, ban=PEACE)
    with dial(V4) as d:
        assert d.mail(FROM, [TO, TO], b"QUIT\r\nNOOP\r\n") == 250
        assert d.say(f"MAIL FROM:<{FROM}>") == 250
        d.send(f"RCPT TO:<{TO}>\r\n".encode() * 3)
        assert [d.reply().code for _ in range(3)] == [250, 250, 250]
        assert d.chunks(b"NOOP\r\n", b"RSET\r\n")[-1] == 250
        assert d.quit() == 221
    gate.counts(1, "sessions_total")
    assert told(gate, "commands_total", "verb") == {"ehlo": 1, "mail": 2, "rcpt": 5, "data": 1, "bdat": 2, "quit": 1}


TESTS = {"helo_literal": "observe", "helo_name": "enforce", "helo_own": "off", "hangup": "off", "dnsl": "off", "backup": "off"}
ALWAYS = {"pipelining", "non_smtp", "bare_newline", "commands"}
SESSIONS = [
    # commands, tests that came to a result, those of them that found something
    ([HELLO, "QUIT"], {"helo_literal", "helo_name", *ALWAYS}, set()),
    (["EHLO [192.0.2.1]", "EHLO [192.0.2.1]", "QUIT"], {"helo_literal", "helo_name", *ALWAYS}, {"helo_literal"}),
    (["EHLO localhost", "QUIT"], {"helo_literal", "helo_name", *ALWAYS}, {"helo_name"}),
    ([HELLO, "GET / HTTP/1.1"], {"helo_literal", "helo_name", "non_smtp"}, {"non_smtp"}),
    (["QUIT"], set(), set()),
]


@pytest.mark.parametrize("lines, taken, failed", SESSIONS, ids=["good", "literal", "short", "foreign", "none"])
@pytest.mark.parametrize("source", [V4, V6], ids=["v4", "v6"])
def test_tests_are_counted_with_what_they_found(gate, scripted, dial, source, lines, taken, failed):
    """Once a session, however often a client offends. Whoever is away before a test can say anything has not taken it."""
    scripted()
    in_front(gate, ban=PEACE, tests=TESTS)
    with dial(source) as d:
        talk(d, lines)
    gate.counts(1, "sessions_total")
    assert told(gate, "tests_total", "test") == {test: 1 for test in taken}
    assert told(gate, "test_failures_total", "test") == {test: 1 for test in failed}


def test_the_greeting_is_a_test(gate, scripted, dial):
    """Silence passes it, speech does not."""
    scripted()
    gate.configure(greet_pause="1s", ban=PEACE, tests={**TESTS, "pregreet": "drop"}, backend__main={"port": PORT, "identity": "none"}).start().probed()
    with dial(V4) as d:
        d.say(HELLO)
        assert d.quit() == 221
    with dial(V6, greet=False) as d:
        d.send(HELLO.encode() + b"\r\n")
        d.ended()
    gate.counts(2, "sessions_total")
    assert told(gate, "tests_total", "test") == {test: 1 for test in ("helo_literal", "helo_name", *ALWAYS)} | {"pregreet": 2}
    assert told(gate, "test_failures_total", "test") == {"pregreet": 1}


# --- parts ------------------------------------------------------------------------

LIST = f"{HOME}/figures.txt"
NOBODY = {"sites": ["bl.example"], "enforce": 1, "servers": ["127.0.0.99"], "timeout": "1s", "retest": "1s", "test": "10s"}


def parts(gate):
    return set(told(gate, "degraded", "part"))


def degrades(gate, *wanted):
    until(f"degraded: {wanted}", lambda: parts(gate) == set(wanted))


def break_backend(gate, server):  # pylint: disable=unused-argument
    server.close()
    for worker in gate.workers():
        os.kill(worker, 9)


def break_file(gate, server):  # pylint: disable=unused-argument
    gate.write("hostname = \n")
    gate.hup()


def break_list(gate, server):  # pylint: disable=unused-argument
    with open(LIST, "w", encoding="utf-8") as f:
        f.write("no prefix\n")


PARTS = [
    # part, settings, what breaks it once it runs
    ("gate", {"interface": ["gw0", "nosuch0"]}, None),
    ("log", {"log": "journal"}, None),
    ("dnsl", {"dnsl": NOBODY, "tests": {"dnsl": "enforce"}}, None),
    ("backend", {"backend__main": {"port": PORT, "identity": "none", "health_interval": "1s"}}, break_backend),
    ("config", {}, break_file),
    ("lists", {"list__one": {"file": LIST, "action": "drop", "follow": True}}, break_list),
]


@pytest.mark.parametrize("part, settings, breaks", PARTS, ids=[part for part, _, _ in PARTS])
def test_a_part_that_is_out_of_order_says_so(gate, scripted, part, settings, breaks):
    server = scripted()
    with open(LIST, "w", encoding="utf-8") as f:
        f.write("192.0.2.0/24\n")
    gate.configure(**{"backend__main": {"port": PORT, "identity": "none"}, **settings}).start()
    if breaks:
        degrades(gate)
        breaks(gate, server)
    degrades(gate, part)


def test_a_store_that_cannot_write_says_so(gate, scripted):
    scripted()
    os.mkdir(gate_.STORE, 0o700)  # whose it is not
    gate.configure(backend__main={"port": PORT, "identity": "none"}).start()
    degrades(gate, "store")


def test_what_is_mended_says_so_and_what_is_stopped(gate, scripted):
    scripted()
    gate.configure(backend__main={"port": PORT, "identity": "none"}).start()
    degrades(gate)
    break_file(gate, None)
    degrades(gate, "config")
    gate.configure(backend__main={"port": PORT, "identity": "none"})
    gate.hup()
    degrades(gate)
    gate.stop()
    assert parts(gate) == {"judge", "workers"}


def carried(gate, verdict):
    """Packets and bytes of a verdict, of one reading: more may come at any time."""
    rows = [(name, value) for name, value in gate.counters().items() if f'verdict="{verdict}"' in name]
    return tuple(sum(value for name, value in rows if name.startswith(f"xdp_{what}_total")) for what in ("packets", "bytes"))


def test_bytes_are_those_of_the_packets(gate, scripted, lab):
    """A SYN of Linux: Ethernet 14, IPv4 20, TCP with its usual options 40."""
    scripted()
    in_front(gate)
    assert smtp.reaches(lab.world, "203.0.113.77", GATE4)
    packets, octets = carried(gate, "passed")
    assert octets >= 42 * packets > 0
    gate.postern("ban", "add", V4, "for", "1h", "action", "drop")
    assert smtp.unreachable(lab.world, V4, GATE4)
    packets, octets = carried(gate, "dropped")
    assert octets == 74 * packets > 0
    assert carried(gate, "answered") == (0, 0)
