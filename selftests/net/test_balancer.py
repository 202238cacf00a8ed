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


def offend(dialog):
    """Tries to relay, three times in one write: the session may be over before the last would be written."""
    dialog.send(b"".join(b"RCPT TO:<t%d@elsewhere.example>\r\n" % n for n in range(3)))


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
    offend(d)
    d.ended()
    until("the client is banned", lambda: "1 ban\n" in behind.postern("ban", "show", CLIENT).stdout)
    assert "0 bans\n" in behind.postern("ban", "show", BALANCER).stdout
    assert announced(dial, v1()).greeting.code in (421, 554)
    assert announced(dial, v1("203.0.113.78")).greeting == 220
    done = behind.postern("ban", "add", BALANCER, check=False)
    assert done.returncode == 1 and "balancer" in done.stderr


def test_a_strangers_header_is_junk(gate, dial):
    """The pause is long enough to be spoken in, however slow this machine is."""
    gate.configure(balancers=[f"{BALANCER}/31", BALANCER6], listener__mx={"proxy": True}, greet_pause="15s").start()
    stranger = dial("203.0.113.79", greet=False)
    stranger.send(v1())
    assert stranger.ended()[-1][:3] == "554"


def test_health_checks(behind, dial):
    """A balancer's own connection is served as its own; a balancer without a header is closed."""
    assert announced(dial, SIGNATURE + b"\x20\0\0\0").quit() == 221
    assert announced(dial, b"PROXY UNKNOWN\r\n").quit() == 221
    silent = dial(BALANCER, greet=False)
    silent.send(b"EHLO balancer.example\r\n")
    assert silent.ended() == []
    behind.says("no PROXY header came")


def test_many_clients_of_one_balancer(gate, dial):
    """Each client has its own share of sessions, the balancer none."""
    gate.configure(balancers=[BALANCER], listener__mx={"proxy": True}, limits={"sessions_per_source": 2, "workers": 1}).start()
    held = [announced(dial, v1(f"203.0.113.{n}")) for n in range(100, 104) for _ in range(2)]
    assert [d.greeting.code for d in held] == [220] * 8
    assert announced(dial, v1("203.0.113.100")).greeting == 421
    assert announced(dial, v1("203.0.113.104")).greeting == 220


# --- XCLIENT ------------------------------------------------------------------


@pytest.fixture
def told(gate):
    """A gate that takes XCLIENT from the balancer."""
    return gate.configure(balancers=[f"{BALANCER}/31", BALANCER6], listener__mx={"xclient": True}).start()


def naming(dial, attributes=f"ADDR={CLIENT} NAME=[UNAVAILABLE]", source=BALANCER, helo="client.example.net"):
    """A dialog whose balancer has named the client and begun anew; None if it was not heard out."""
    d = dial(source)
    assert "XCLIENT ADDR PORT NAME HELO PROTO LOGIN" in repr(d.say("EHLO balancer.example"))
    d.renamed = d.say(f"XCLIENT {attributes}")
    if d.renamed == 220:
        assert "XCLIENT" not in repr(d.say(f"EHLO {helo}"))
    return d


@pytest.mark.parametrize("source, client, shown", [(BALANCER, f"ADDR={CLIENT}", CLIENT), (BALANCER6, f"ADDR=IPV6:{CLIENT6}", CLIENT6)])
def test_the_client_is_who_xclient_names(told, dial, box, source, client, shown):
    d = naming(dial, f"{client} PORT=40001 NAME=mx.sender.example HELO=mx.sender.example PROTO=ESMTP", source, "mx.sender.example")
    assert d.mail("sender@example.net", [TO], b"Subject: named\r\n\r\n") == 250
    d.quit()
    received = box.wait_for(b"Subject: named")
    assert f"[{'IPv6:' if ':' in shown else ''}{shown}]".encode() in received and b"mx.sender.example" in received
    until("the session is logged", lambda: f"client={shown} name=mx.sender.example helo=mx.sender.example " in told.said())


def test_xclient_is_nobody_elses(told, dial):
    """Not a stranger's, and not that of a client whose words the balancer passes on."""
    stranger = dial("203.0.113.79")
    assert "XCLIENT" not in repr(stranger.say("EHLO stranger.example"))
    assert stranger.say("XCLIENT ADDR=198.51.100.50") == 500
    d = naming(dial)
    assert d.say("XCLIENT ADDR=198.51.100.10 LOGIN=root") == 500
    assert d.quit() == 221
    until("both are findings", lambda: told.said().count("reason=unknown-command") == 2)
    said = told.said()
    assert f"addr={CLIENT} reason=unknown-command" in said and "addr=203.0.113.79 reason=unknown-command" in said


def test_xclient_of_an_offender(told, dial):
    """It is banned, its sessions end; the balancer and its other clients are served."""
    other = naming(dial, "ADDR=203.0.113.78")
    d = naming(dial)
    assert d.say("MAIL FROM:<a@example.net>") == 250
    offend(d)
    d.ended()
    until("the client is banned", lambda: "1 ban\n" in told.postern("ban", "show", CLIENT).stdout)
    assert "0 bans\n" in told.postern("ban", "show", BALANCER).stdout
    assert other.mail("sender@example.net", [TO], b"Subject: other\r\n\r\n") == 250
    again = dial(BALANCER)
    again.say("EHLO balancer.example")
    again.send(f"XCLIENT ADDR={CLIENT}\r\n".encode())
    assert again.ended()[-1][:3] in ("421", "554")


def test_xclient_login_may_relay(gate, dial, box):
    gate.configure(balancers=[BALANCER], listener__mx={"xclient": True}, relay={"authenticated": True}).start()
    d = naming(dial, f"ADDR={CLIENT}")
    d.say("MAIL FROM:<a@example.net>")
    assert d.say("RCPT TO:<someone@elsewhere.example>").code == 550
    d.quit()
    d = naming(dial, f"ADDR={CLIENT} LOGIN=someone+40example.org")
    d.say("MAIL FROM:<a@example.net>")
    assert "Unable to relay" not in str(d.say("RCPT TO:<someone@elsewhere.example>"))
    d.quit()
    until("the session is logged", lambda: "auth=yes" in gate.said())


def test_limits_and_access_are_the_named_clients(gate, dial):
    gate.configure(balancers=[BALANCER], listener__mx={"xclient": True}, limits={"sessions_per_source": 2, "workers": 1},
                   connect={"mode": "only", "entries": ["203.0.113.0/24"]}).start()
    held = [naming(dial, f"ADDR=203.0.113.{n}") for n in range(100, 104) for _ in range(2)]
    assert [d.renamed.code for d in held] == [220] * 8
    assert naming(dial, "ADDR=203.0.113.100").renamed == 421
    assert naming(dial, "ADDR=192.0.2.1").renamed == 554
    assert naming(dial, "ADDR=203.0.113.104").renamed == 220


def test_attributes_in_two_commands(told, dial):
    """As Postfix takes them; but once the client's own words may follow, no more."""
    d = dial(BALANCER)
    d.say("EHLO client.example.com")
    assert d.say("XCLIENT NAME=spike.example.org ADDR=203.0.113.90") == 220
    assert d.say("XCLIENT HELO=spike.example.org PROTO=ESMTP") == 220
    assert d.say("HELO spike.example.org") == 250
    assert d.say("MAIL FROM:<sender@example.net>") == 250
    assert d.say("XCLIENT NAME=[UNAVAILABLE]") == 500
    assert d.quit() == 221
