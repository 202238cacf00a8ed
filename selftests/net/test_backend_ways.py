# SPDX-License-Identifier: BSD-2-Clause
"""Several backends and several ways to one: connections used again, shares, health, TLS, LMTP, PROXY version 2."""

import re

import pytest

import backend
import mta
import smtp
import wide_open
from lab import HOME, run, until
from test_backend import CONTENT, EHLO, FROM, LOST, PORT, SECOND, TO, V4, V6, XCLIENT, in_front, scripted, source_port  # noqa: F401

ONE = {"workers": 1, "messages": 0}
CHAIN, KEY, OTHER, OTHER_KEY = (f"{HOME}/{name}" for name in ("be.pem", "be.key", "other.pem", "other.key"))


@pytest.fixture(scope="module", autouse=True)
def certificates(lab):
    for name, chain, key in (("backend.example.org", CHAIN, KEY), ("other.example.org", OTHER, OTHER_KEY)):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", chain])


def send(dial, source=V4, to=(TO,), content=CONTENT):
    """One message in a session of its own; the reply to it. Has the gate seen its QUIT, so has the backend."""
    with dial(source) as d:
        reply = d.mail(FROM, list(to), content)
        assert d.quit() == 221
    return reply


# --- one connection, several sessions ---------------------------------------


@pytest.mark.parametrize("identity,offers", [("none", EHLO), ("received", EHLO), ("none", ["8BITMIME"])])
def test_a_connection_serves_one_session_after_another(gate, scripted, dial, identity, offers):
    server = scripted(offers=offers)
    in_front(gate, identity, limits=ONE)
    for _ in range(3):
        assert send(dial) == 250
    said, = server.sessions()
    assert [line for line in said if line.startswith(("EHLO", "MAIL"))] == ["EHLO mx.example.org"] + 3 * [f"MAIL FROM:<{FROM}>"]
    assert len(server.messages()) == 3
    assert gate.counter("backend_reused_total") == 2


def test_the_next_client_is_made_known_before_its_mail(gate, scripted, dial):
    server = scripted(offers=XCLIENT)
    in_front(gate, "xclient", limits=ONE)
    ports = []
    for source in (V4, V6):
        with dial(source) as d:
            ports.append(source_port(d))
            assert d.mail(FROM, [TO], CONTENT) == 250
            d.quit()
    said, = server.sessions()
    assert [line for line in said if line.startswith(("XCLIENT", "MAIL"))] == [
        f"XCLIENT NAME=[UNAVAILABLE] ADDR={V4} PORT={ports[0]} PROTO=ESMTP HELO=client.example.net", f"MAIL FROM:<{FROM}>",
        f"XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:{V6} PORT={ports[1]} PROTO=ESMTP HELO=client.example.net", f"MAIL FROM:<{FROM}>"]


def test_what_a_session_left_open_is_undone_first(gate, scripted, dial):
    server = scripted()
    in_front(gate, limits=ONE)
    with dial(V4) as d:
        for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>"):
            assert d.say(command) == 250
        d.quit()
    until("the server has undone it", lambda: [row["idle"] for row in gate.json("backend", "show")["backends"]] == [1])
    assert send(dial) == 250
    said, = server.sessions()
    assert said[1:] == [f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "RSET", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA"]


@pytest.mark.parametrize("second", [None, "421 4.4.2 idle too long"])
@pytest.mark.parametrize("offers", [EHLO, ["8BITMIME"]])
def test_a_kept_connection_that_dies_on_first_use_costs_nothing(gate, scripted, dial, second, offers):
    server = scripted(second_mail=second, offers=offers)
    in_front(gate, limits=ONE)
    for n in range(4):
        assert send(dial, content=b"Subject: %d\r\n\r\nbody\r\n" % n) == 250
    assert sorted(server.messages()) == [b"Subject: %d\r\n\r\nbody\r\n" % n for n in range(4)]


def test_a_kept_connection_that_the_server_closes_is_forgotten(gate, scripted, dial):
    server = scripted()
    in_front(gate, limits=ONE)
    for _ in range(3):
        assert send(dial) == 250
        server.conversations[-1].close()
    assert len(server.sessions()) == 3
    assert len(server.messages()) == 3


NOT_KEPT = [
    # identity, settings of the server, of the backend
    ("proxy", {"proxy": True}, {}),
    ("none", {"replies": {"RCPT": "550 5.1.1 No such user"}}, {}),
    ("none", {"replies": {".": "554 5.6.0 No"}}, {}),
    ("none", {}, {"idle_connections": 0}),
    ("none", {}, {"idle_sessions": 1}),
]


@pytest.mark.parametrize("identity,settings,more", NOT_KEPT)
def test_what_is_not_kept(gate, scripted, dial, identity, settings, more):
    server = scripted(**settings)
    gate.configure(greet_pause="0s", limits=ONE, backend__main={"port": PORT, "identity": identity, **more}).start()
    until("it was checked", lambda: gate.counter("backend_connections_total", result="ok"))
    for _ in range(3):
        send(dial)
    assert len(server.sessions()) == 3
    assert gate.counter("backend_reused_total") == 0


def test_a_connection_that_was_logged_in_on_is_not_kept(gate, lab, dial):
    with backend.Backend(lab.gateway, PORT) as server:
        gate.configure(greet_pause="0s", limits=ONE, backend__main={"port": PORT, "identity": "none"},
                       listener__mx={"auth": "offer", "auth_cleartext": True}).start()
        until("it was checked", lambda: gate.counter("backend_connections_total", result="ok"))
        for _ in range(2):
            with dial(V4) as d:
                d.say("EHLO client.example.net")
                assert d.say(f"AUTH PLAIN {backend.GOOD_PLAIN}") == 235
                assert d.mail(FROM, [TO], CONTENT) == 250
                d.quit()
        assert sum(line.startswith("AUTH") for line in server.heard) == 2
        assert sum(line.startswith("EHLO") for line in server.heard) == 3
        assert gate.counter("backend_reused_total") == 0


# --- several backends ---------------------------------------------------------


def two(gate, first, second, **limits):
    gate.configure(greet_pause="0s", limits={**ONE, **limits}, backend__main={"port": PORT, "identity": "none", **first},
                   backend__second={"port": SECOND, "identity": "none", **second}).start()
    until("both were checked", lambda: gate.counter("backend_connections_total") >= 2)


def test_weights(gate, scripted, dial):
    heavy, light = scripted(), scripted(SECOND)
    two(gate, {"weight": 3}, {})
    for _ in range(12):
        assert send(dial) == 250
    assert [len(server.messages()) for server in (heavy, light)] == [9, 3]


def test_the_lower_priority_serves_while_the_higher_is_down(gate, scripted, dial):
    spare = scripted(SECOND)
    two(gate, {"health_interval": "1s"}, {"priority": 1})
    assert [send(dial).code for _ in range(2)] == [250, 250]
    assert len(spare.messages()) == 2
    main = scripted()
    until("it was found up", lambda: "backend-up backend=main" in gate.said())
    assert send(dial) == 250
    assert len(main.messages()) == 1


def test_checks_are_polite(gate, scripted):
    server = scripted()
    gate.configure(limits=ONE, backend__main={"port": PORT, "identity": "none", "health_interval": "1s"}).start()
    until("it was checked twice", lambda: len(server.conversations) >= 2 and "(end)" in server.conversations[1].said)
    assert [c.said for c in server.conversations[:2]] == 2 * [["EHLO mx.example.org", "QUIT", "(end)"]]


def test_a_full_backend_is_left_out(gate, scripted, dial):
    full, other = scripted(), scripted(SECOND)
    two(gate, {"connections": 1}, {"priority": 1, "connections": 1}, backend_wait="0s")
    held = [dial(V4) for _ in range(3)]
    for d, code in zip(held, (250, 250, 451)):
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        assert d.say(f"RCPT TO:<{TO}>") == code
    assert [len(server.sessions()) for server in (full, other)] == [1, 1]
    held[0].quit()
    assert held[2].say(f"RCPT TO:<{TO}>") == 250


# --- TLS ------------------------------------------------------------------------


STARTS = EHLO + ["STARTTLS"]
VERIFY = {"tls": "verify", "tls_ca": CHAIN, "tls_name": "backend.example.org"}
TLS_WAYS = [
    # the server's settings, the backend's, is there mail, in TLS
    ({"offers": STARTS}, {"tls": "may"}, True, True),
    ({}, {"tls": "may"}, True, False),
    ({"offers": STARTS, "replies": {"STARTTLS": "454 4.7.0 no"}}, {"tls": "may"}, True, False),
    ({"offers": STARTS}, {"tls": "off"}, True, False),
    ({"offers": STARTS}, {"tls": "require"}, True, True),
    ({}, {"tls": "require"}, False, False),
    ({"offers": STARTS, "replies": {"STARTTLS": "454 4.7.0 no"}}, {"tls": "require"}, False, False),
    ({"offers": STARTS, "replies": {"STARTTLS": "220 go\r\n250 in clear"}}, {"tls": "require"}, False, False),
    ({"offers": STARTS, "replies": {"STARTTLS": None}}, {"tls": "require"}, False, False),
    ({"offers": STARTS}, VERIFY, True, True),
    ({"offers": STARTS}, {**VERIFY, "tls_name": "other.example.org"}, False, False),
    ({"offers": STARTS}, {**VERIFY, "tls_ca": OTHER}, False, False),
    ({"offers": STARTS}, {"tls": "verify", "tls_ca": CHAIN}, False, False),  # it is not 127.0.0.1's certificate
    ({"implicit": True}, {**VERIFY, "tls_implicit": True}, True, True),
    ({}, {"tls": "require", "tls_implicit": True, "greeting_timeout": "1s"}, False, False),
]


@pytest.mark.parametrize("settings,more,mail,secured", TLS_WAYS)
def test_tls(gate, scripted, dial, settings, more, mail, secured):
    server = scripted(certificate=(CHAIN, KEY), **settings)
    gate.configure(greet_pause="0s", limits=ONE, backend__main={"port": PORT, "identity": "none", **more}).start()
    until("it was checked", lambda: gate.counter("backend_connections_total"))
    for _ in range(2):
        reply = send(dial)
        assert reply == 250 if mail else str(reply).startswith(LOST), reply
    assert server.messages() == (2 * [CONTENT] if mail else [])
    for said in server.sessions():
        assert ("(TLS)" in said) == secured


def test_fifty_megabytes_in_tls(gate, scripted, dial):
    server = scripted(certificate=(CHAIN, KEY), offers=STARTS)
    in_front(gate, limits={"message_size": "0", "workers": 1})
    gate.stop()
    gate.configure(greet_pause="0s", limits={"message_size": "0", "workers": 1}, backend__main={"port": PORT, "identity": "none", **VERIFY}).start()
    until("it was checked", lambda: gate.counter("backend_connections_total", result="ok") >= 2)
    content = b"Subject: big\r\n\r\n" + (b"x" * 96 + b"\r\n") * 510000
    with dial(V4, timeout=120) as d:
        assert d.mail(FROM, [TO], content) == 250
    assert server.messages() == [content]


# --- LMTP -----------------------------------------------------------------------


def test_lmtp_takes_one_recipient_at_a_time(gate, scripted, dial):
    server = scripted()
    gate.configure(greet_pause="0s", limits=ONE, backend__main={"port": PORT, "identity": "none", "protocol": "lmtp"}).start()
    until("it was checked", lambda: gate.counter("backend_connections_total", result="ok"))
    with dial(V4) as d:
        for command, code in (("EHLO client.example.net", 250), (f"MAIL FROM:<{FROM}>", 250), (f"RCPT TO:<{TO}>", 250),
                              ("RCPT TO:<second@example.org>", 452), ("DATA", 354)):
            assert d.say(command) == code
        assert d.content(CONTENT) == 250
        server.replies = {".": "552 5.2.2 Mailbox is full"}
        assert d.mail(FROM, ["second@example.org"], CONTENT).lines == ["552 5.2.2 Mailbox is full"]
    said, = server.sessions()
    assert said[0] == "LHLO mx.example.org"
    assert [line for line in said if line.startswith("RCPT")] == [f"RCPT TO:<{TO}>", "RCPT TO:<second@example.org>"]


# --- PROXY protocol version 2 -----------------------------------------------------


class Listening(wide_open.OpenSMTPD):
    """An OpenSMTPD that wants version 2 of the PROXY protocol."""

    ports = (10032,)
    files = {**wide_open.OpenSMTPD.files, "etc/wide-open.conf": wide_open.OpenSMTPD.files["etc/wide-open.conf"].replace(
        "port 10031 hostname mx.example.org", "port 10032 proxy-v2 hostname mx.example.org")}


def test_opensmtpd_reads_proxy_version_2(gate, lab, dial):
    server = Listening(lab)
    server.start()
    try:
        gate.configure(greet_pause="0s", limits=ONE, backend__main={"port": 10032, "identity": "proxy-v2"}).start()
        until("it was checked", lambda: gate.counter("backend_connections_total", result="ok"))
        box = mta.Mailbox("user")
        box.empty()
        for source in (V4, V6):
            assert send(dial, source, content=b"Subject: from %s\r\n\r\nbody\r\n" % source.encode()) == 250
            got = box.wait_for(b"Subject: from " + source.encode())
            assert re.search(rb"Received: from client.example.net \(.*\[(IPv6:)?" + re.escape(source.encode()), got), got
    finally:
        server.stop()


def tlvs(conversation):
    rest, found = conversation.header[16 + 12:], {}
    while rest:
        size = int.from_bytes(rest[1:3], "big")
        found[rest[0]], rest = rest[3:3 + size], rest[3 + size:]
    return found


def test_version_2_tells_the_session_and_its_points(gate, scripted, dial):
    """An offence counts at once, and in the next session of that source; others have none."""
    server = scripted(proxy=2)
    in_front(gate, "proxy-v2", limits=ONE, points={"unknown-command": 20})
    for source, offends, points in ((V4, False, b"0"), (V4, True, b"20"), ("203.0.113.77", False, b"0")):
        with dial(source) as d:
            if offends:
                assert d.say("FNORD") == 500
            assert d.mail(FROM, [TO], CONTENT) == 250
            d.quit()
        heard = [c for c in server.conversations if c.messages][-1]
        assert heard.header[:14] == b"\r\n\r\n\0\r\nQUIT\n\x21\x11", heard.header
        assert tlvs(heard)[0xe0] == points
        session = tlvs(heard)[0x05].decode()
        until("that session is logged", lambda: f"session-end session={session} client={source} " in gate.said())

    def points_told():
        """The judge's word on a source may come when its mail is on its way."""
        assert send(dial) == 250
        return int(tlvs([c for c in server.conversations if c.messages][-1])[0xe0])

    assert 15 <= until("its points are known in time", points_told) <= 20
