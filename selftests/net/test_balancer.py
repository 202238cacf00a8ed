# SPDX-License-Identifier: BSD-2-Clause
"""Balancers that announce their clients by PROXY headers: the client is who is judged, named and banned."""

import socket
import struct

import pytest

import smtp
from lab import GATE4, GATE6, until

BALANCER, BALANCER6 = "198.51.100.50", "2001:db8:ace::50"
CLIENT, CLIENT6 = "203.0.113.77", "2001:db8:bad::77"
TO = "user@example.org"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client=CLIENT, to=GATE4):
    return f"PROXY TCP{6 if ':' in client else 4} {client} {to} 40000 25\r\n".encode()


def v2(client=CLIENT, to=GATE4, more=b""):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    body = socket.inet_pton(family, client) + socket.inet_pton(family, to) + struct.pack("!HH", 40000, 25) + more
    return SIGNATURE + bytes([0x21, 0x21 if family == socket.AF_INET6 else 0x11]) + struct.pack("!H", len(body)) + body


HEADERS = {
    "v1": v1(),
    "v1-ipv6": v1(CLIENT6, GATE6),
    "v2": v2(),
    "v2-ipv6": v2(CLIENT6, GATE6),
    "v2-tlv": v2(more=b"\x04\x00\x20" + b"x" * 32 + b"\x01\x00\x01h"),
}


@pytest.fixture
def behind(gate):
    return gate.configure(balancers=[f"{BALANCER}/31", BALANCER6], listener__mx={"proxy": True}).start()


def announced(dial, header, source=BALANCER):
    """A dialog that begins with a header."""
    dialog = dial(source, greet=False)
    dialog.send(header)
    dialog.greeting = dialog.reply()
    while dialog.greeting.lines[-1][3:4] == "-":
        dialog.greeting = dialog.reply()
    return dialog


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_the_client_is_who_is_named(behind, dial, box, header):
    client = CLIENT6 if header in (HEADERS["v1-ipv6"], HEADERS["v2-ipv6"]) else CLIENT
    d = announced(dial, header)
    assert d.mail("sender@example.net", [TO], b"Subject: announced\r\n\r\n") == 250
    assert f"[{'IPv6:' if ':' in client else ''}{client}]".encode() in box.wait_for(b"Subject: announced")
    d.quit()
    until("the session is logged", lambda: f"client={client} " in behind.said())


def test_a_header_in_pieces(behind, dial):
    d = dial(BALANCER6, greet=False)
    for byte in v1():
        d.send(bytes([byte]))
    assert d.reply() == 220
    assert d.quit() == 221


def test_the_client_is_who_is_banned(behind, dial):
    """By the session, for the kernel never meets it; its balancer is not."""
    d = announced(dial, v1())
    d.say("EHLO client.example.net")
    d.say("MAIL FROM:<a@example.net>")
    for n in range(3):
        d.send(f"RCPT TO:<t{n}@elsewhere.example>\r\n".encode())
    d.ended()
    until("the client is banned", lambda: "1 ban\n" in behind.postern("ban", "show", CLIENT).stdout)
    assert "0 bans\n" in behind.postern("ban", "show", BALANCER).stdout
    assert announced(dial, v1()).greeting.code in (421, 554)
    assert announced(dial, v1("203.0.113.78")).greeting == 220
    done = behind.postern("ban", "add", BALANCER, check=False)
    assert done.returncode == 1 and "balancer" in done.stderr


def test_health_checks_and_strangers(behind, dial):
    """A balancer's own connection is served as its own; a stranger's header is junk; a balancer without one is closed."""
    assert announced(dial, SIGNATURE + b"\x20\0\0\0").quit() == 221
    assert announced(dial, b"PROXY UNKNOWN\r\n").quit() == 221
    stranger = dial("203.0.113.79", greet=False)
    stranger.send(v1())
    assert stranger.ended()[-1][:3] == "554"
    silent = dial(BALANCER, greet=False)
    silent.send(b"EHLO balancer.example\r\n")
    assert silent.ended() == []
    assert "no PROXY header came" in behind.said()


def test_many_clients_of_one_balancer(gate, dial):
    """Each client has its own share of sessions, the balancer none."""
    gate.configure(balancers=[BALANCER], listener__mx={"proxy": True}, limits={"sessions_per_source": 2, "workers": 1}).start()
    held = [announced(dial, v1(f"203.0.113.{n}")) for n in range(100, 104) for _ in range(2)]
    assert [d.greeting.code for d in held] == [220] * 8
    assert announced(dial, v1("203.0.113.100")).greeting == 421
    assert announced(dial, v1("203.0.113.104")).greeting == 220
