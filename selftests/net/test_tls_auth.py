# SPDX-License-Identifier: BSD-2-Clause
"""STARTTLS ends in the gate; AUTH passes through to the backend, and what it says decides."""

import os
import select
import signal
import ssl
import time

import pytest

import backend
import gate as gate_
import smtp
from lab import GATE4, HOME, PATIENCE, until

GOOD = "203.0.113.5"
FROM, TO = "sender@example.net", "user@example.org"
CERTIFICATE, KEY = f"{HOME}/mx.pem", f"{HOME}/mx.key"
TLS = {"tls": "offer", "tls_certificate": CERTIFICATE, "tls_key": KEY}


@pytest.fixture(scope="module", autouse=True)
def certificate(lab):  # pylint: disable=unused-argument
    gate_.certificate(CERTIFICATE, KEY, "mx.example.org")


@pytest.fixture
def scripted(lab):
    with backend.Backend(lab.gateway, 10080) as server:
        yield server


def to_scripted(gate, **listener):
    return gate.configure(backend__main={"port": 10080, "identity": "none"}, listener__mx={"auth": "offer", **listener}).start().probed()


def secure(dialog):
    """STARTTLS, checked against the certificate, on an open dialog; the dialog that goes on inside."""
    dialog.say("EHLO client.example.net")
    assert dialog.say("STARTTLS") == 220
    context = ssl.create_default_context(cafile=CERTIFICATE)
    return smtp.Dialog(context.wrap_socket(dialog.sock, server_hostname="mx.example.org"), greet=False)


def offers(dialog):
    return {line[4:] for line in dialog.say("EHLO client.example.net").lines[1:]}


def test_mail_over_tls(gate, dial, box):
    gate.configure(listener__mx=TLS).start()
    d = dial(GOOD)
    assert "STARTTLS" in offers(d)
    inside = secure(d)
    assert "STARTTLS" not in offers(inside)
    assert inside.say("STARTTLS") == 503
    sent = b"Subject: inside\r\n\r\n" + b"0123456789" * 7 + b"\r\n" * 3 + b"z" * 300000 + b"\r\n"
    assert inside.mail(FROM, [TO], sent) == 250
    assert box.wait_for(b"Subject: inside").endswith(sent.replace(b"\r\n", b"\n"))
    assert inside.quit() == 221
    gate.counts(1, "tls_handshakes_total", result="ok")


def context_for(version, cipher=None):
    context = ssl.create_default_context(cafile=CERTIFICATE)
    context.minimum_version = context.maximum_version = version
    if cipher:
        context.set_ciphers(cipher)
    return context


SUITES = [(ssl.TLSVersion.TLSv1_3, None), *((ssl.TLSVersion.TLSv1_2, cipher) for cipher in (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"))]
UNFIT = [(ssl.TLSVersion.TLSv1_2, cipher) for cipher in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256")]


def shake_hands(dialog, context, session=None):
    """STARTTLS and the handshake; the dialog inside. A failing handshake raises."""
    dialog.say("EHLO client.example.net")
    assert dialog.say("STARTTLS") == 220
    return smtp.Dialog(context.wrap_socket(dialog.sock, server_hostname="mx.example.org", session=session), greet=False)


def test_every_suite_and_resumption(gate, dial, box):
    gate.configure(listener__mx=TLS).start()
    workers = gate.workers()
    for suite in SUITES:
        context, session = context_for(*suite), None
        for resumed in (False, True):
            inside = shake_hands(dial(GOOD), context, session)
            assert inside.mail(FROM, [TO], b"Subject: inside\r\n\r\n") == 250
            assert inside.sock.session_reused == resumed, suite
            session = inside.sock.session
            inside.quit()
    for suite in UNFIT:
        with pytest.raises(ssl.SSLError):
            shake_hands(dial(GOOD), context_for(*suite))
    assert gate.workers() == workers
    gate.counts(2 * len(SUITES), "tls_handshakes_total", result="ok")
    gate.counts(len(UNFIT), "tls_handshakes_total", result="failed")


@pytest.mark.parametrize("offered,chosen", [(["smtp"], "smtp"), (["http/1.1", "esmtp"], "esmtp"), (["h2", "http/1.1"], None), (["imap"], None)])
def test_no_other_protocol_by_name(gate, dial, offered, chosen):
    """ALPN: who asks for another protocol gets an alert and no session, and a cross-protocol attack no bytes to work with."""
    gate.configure(listener__mx=TLS).start()
    context = context_for(ssl.TLSVersion.TLSv1_3)
    context.set_alpn_protocols(offered)
    if chosen:
        inside = shake_hands(dial(GOOD), context)
        assert inside.sock.selected_alpn_protocol() == chosen
        assert inside.say("EHLO client.example.net") == 250
    else:
        with pytest.raises(ssl.SSLError, match="(?i)alert[ _]no[ _]application[ _]protocol"):
            shake_hands(dial(GOOD), context)


def greeted(dialog):
    """Reads to the end of the greeting, behind the teaser."""
    while dialog.greeting.lines[-1][3:4] == "-":
        dialog.greeting = dialog.reply()
    return dialog


def test_tls_from_the_first_byte(gate, dial, box):
    gate.configure(listener__mx={**TLS, "tls": "require", "tls_implicit": True}).start()
    context = ssl.create_default_context(cafile=CERTIFICATE)
    for source in (GOOD, "2001:db8:ace::7"):
        inside = greeted(smtp.Dialog(context.wrap_socket(dial(source, greet=False).sock, server_hostname="mx.example.org")))
        assert "STARTTLS" not in offers(inside)
        assert inside.mail(FROM, [TO], b"Subject: first byte\r\n\r\n") == 250
        box.wait_for(b"Subject: first byte")
        box.empty()
    clear = dial(GOOD, greet=False)
    clear.send(b"EHLO client.example.net\r\n")
    assert not any(line[:3] == "220" for line in clear.ended())
    until("the handshake has failed", lambda: gate.counter("tls_handshakes_total", result="failed") == 1)


def make_certificate(stem, *names):
    path = f"{HOME}/{stem}"
    gate_.certificate(f"{path}.pem", f"{path}.key", *names)
    return {"chain": f"{path}.pem", "key": f"{path}.key"}


def shown(dialog, asked):
    """The certificate that a client gets who asks for a name, None for no name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    dialog.say("EHLO client.example.net")
    assert dialog.say("STARTTLS") == 220
    with context.wrap_socket(dialog.sock, server_hostname=asked) as inside:
        return ssl.DER_cert_to_PEM_cert(inside.getpeercert(binary_form=True))


def test_certificates_by_name_and_renewed(gate, dial):
    one, two = make_certificate("one", "mail.example.com"), make_certificate("two", "mx.example.net", "*.wild.example.net")
    gate.configure(listener__mx=TLS, certificate__one=one, certificate__two=two).start()
    files = {"mail.example.com": one["chain"], "MX.example.NET": two["chain"], "a.wild.example.net": two["chain"],
             "mx.example.org": CERTIFICATE, "unknown.example": CERTIFICATE, None: CERTIFICATE}
    for asked, path in files.items():
        with open(path, encoding="ascii") as f:
            assert shown(dial(GOOD), asked) == f.read(), asked
    inside = shake_hands(dial(GOOD), context_for(ssl.TLSVersion.TLSv1_3))
    make_certificate("one", "mail.example.com")
    gate.postern("config", "reload")
    with open(one["chain"], encoding="ascii") as f:
        renewed = f.read()
    assert shown(dial(GOOD), "mail.example.com") == renewed
    assert inside.say("NOOP") == 250
    with open(one["key"], "w", encoding="ascii") as f:
        f.write("no key\n")
    assert gate.postern("config", "reload", check=False).returncode == 1
    gate.says('certificate "one"')
    assert shown(dial(GOOD), "mail.example.com") == renewed


def hello():
    """The first flight of a client, as bytes."""
    outgoing = ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="mx.example.org").do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("no handshake is that short")


def test_handshakes_broken_off(gate, dial):
    """After any number of bytes, in the middle of the server's answer, with a byte changed: that session ends, no other."""
    gate.configure(listener__mx=TLS, ban={"observe": True}).start()
    workers, first = gate.workers(), hello()
    lengths = [*range(0, 64, 7), *range(64, len(first), 50), len(first)]
    flipped = [first[:n] + bytes([first[n] ^ 0x80]) + first[n + 1:] for n in range(0, len(first), 25)]
    sent = [first[:n] for n in lengths] + flipped
    for data in sent:
        with dial(GOOD) as d:
            d.say("EHLO client.example.net")
            assert d.say("STARTTLS") == 220
            d.send(data)
    until("every handshake has failed", lambda: gate.counter("tls_handshakes_total", result="failed") == len(sent))
    assert gate.workers() == workers


def test_a_connection_cut_inside_tls_ends_no_message(gate, dial, box):
    """The end of the TCP connection is not the end of the TLS session, nor of the message."""
    gate.configure(listener__mx=TLS).start()
    inside = shake_hands(dial(GOOD), context_for(ssl.TLSVersion.TLSv1_3))
    for command in ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA"):
        assert inside.say(command).code in (250, 354)
    inside.send(b"Subject: cut\r\n\r\n.")
    inside.close()
    with dial(GOOD) as d:
        assert d.mail(FROM, [TO], b"Subject: afterwards\r\n\r\n") == 250
    box.wait_for(b"afterwards")
    assert box.count() == 1


def test_without_a_certificate_it_is_not_offered(serving, dial):
    d = dial(GOOD)
    assert "STARTTLS" not in offers(d)
    assert d.say("STARTTLS").code in (502, 503, 454)


def test_required(gate, dial):
    gate.configure(listener__mx={**TLS, "tls": "require"}).start()
    d = dial(GOOD)
    d.say("EHLO client.example.net")
    assert d.say(f"MAIL FROM:<{FROM}>") == 530
    inside = secure(d)
    inside.say("EHLO client.example.net")
    assert inside.say(f"MAIL FROM:<{FROM}>") == 250


def test_commands_sent_ahead_of_the_handshake_are_not_run_inside(gate, dial):
    gate.configure(listener__mx=TLS, ban={"observe": True}).start()
    d = dial(GOOD)
    d.say("EHLO client.example.net")
    d.send(b"STARTTLS\r\nMAIL FROM:<injected@example.net>\r\n")
    if d.reply() != 220:
        return
    try:
        context = ssl.create_default_context(cafile=CERTIFICATE)
        inside = smtp.Dialog(context.wrap_socket(d.sock, server_hostname="mx.example.org"), greet=False)
        assert inside.say(f"RCPT TO:<{TO}>") == 503
        assert inside.say("NOOP") == 250
    except (OSError, smtp.Hangup):
        pass  # the gate hung up on it: as good


def test_a_client_that_speaks_no_tls_after_starttls(gate, dial):
    gate.configure(listener__mx=TLS).start()
    d = dial(GOOD)
    d.say("EHLO client.example.net")
    assert d.say("STARTTLS") == 220
    d.send(b"NOOP\r\n" * 10)
    assert not any(line.startswith("250") for line in d.ended())


@pytest.mark.parametrize("words", [[f"AUTH PLAIN {backend.GOOD_PLAIN}"], ["AUTH PLAIN", backend.GOOD_PLAIN]])
def test_authenticated_may_relay(gate, dial, scripted, words):
    to_scripted(gate, **TLS)
    d = dial(GOOD)
    first = offers(d)
    assert not any(o.startswith("AUTH") for o in first), "not in the clear"
    inside = secure(d)
    reply = inside.say("EHLO client.example.net")
    for word in words:
        reply = inside.say(word)
    assert reply == 235, reply
    assert inside.mail(FROM, ["t@remote.example"], b"Subject: by credentials\r\n\r\n") == 250
    assert b"by credentials" in scripted.messages[0]


def test_wrong_credentials_grant_nothing_and_count(gate, dial, scripted):
    to_scripted(gate, **TLS)
    inside = secure(dial(GOOD, GATE4))
    inside.say("EHLO client.example.net")
    assert inside.say(f"AUTH PLAIN {backend.BAD_PLAIN}") == 535
    assert inside.mail(FROM, ["t@remote.example"], b"") == 550
    gate.counts(1, "auth_total", result="failed")


def test_authenticated_may_not_relay_when_so_configured(gate, dial, scripted):
    gate.configure(backend__main={"port": 10080, "identity": "none"}, relay={"authenticated": False},
                   listener__mx={"auth": "offer", "auth_cleartext": True}).start().probed()
    d = dial(GOOD)
    d.say("EHLO client.example.net")
    assert d.say(f"AUTH PLAIN {backend.GOOD_PLAIN}") == 235
    assert d.mail(FROM, ["t@remote.example"], b"") == 550


def test_auth_in_the_clear_is_refused(gate, dial, scripted):
    to_scripted(gate, **TLS)
    d = dial(GOOD)
    d.say("EHLO client.example.net")
    assert d.say(f"AUTH PLAIN {backend.GOOD_PLAIN}").code in (502, 503, 530, 538)
    assert not any("AUTH" in line for line in scripted.heard)


def test_credentials_are_in_no_log(gate, dial, scripted):
    to_scripted(gate, **TLS)
    for given in (backend.GOOD_PLAIN, backend.BAD_PLAIN):
        inside = secure(dial(GOOD))
        inside.say("EHLO client.example.net")
        inside.say(f"AUTH PLAIN {given}")
    assert backend.GOOD_PLAIN not in gate.said() and backend.BAD_PLAIN not in gate.said()


def half_shaken(dial):
    """A connection whose client has begun a handshake and not read the answer. A gate that is quick answers within the call: then again."""
    for _ in range(50):
        d = dial(GOOD)
        d.say("EHLO client.example.net")
        assert d.say("STARTTLS") == 220
        context = ssl.create_default_context(cafile=CERTIFICATE)
        inside = context.wrap_socket(d.sock, server_hostname="mx.example.org", do_handshake_on_connect=False)
        inside.setblocking(False)
        try:
            inside.do_handshake()
        except ssl.SSLWantReadError:
            return inside
    raise AssertionError("the answer was always there at once")


def test_the_judges_word_in_the_middle_of_a_handshake(gate, dial):
    """It comes when it comes: here between the gate's half of the handshake and the client's."""
    gate.configure(greet_pause="0s", listener__mx=TLS).start()
    judge = gate.judge()
    os.kill(judge, signal.SIGSTOP)
    try:
        inside = half_shaken(dial)
        select.select([inside], [], [], PATIENCE)
    finally:
        os.kill(judge, signal.SIGCONT)
    gate.json("ban", "show")  # the judge has answered this, so it has read what the worker said before
    time.sleep(0.2)
    inside.settimeout(PATIENCE)
    inside.do_handshake()
    assert smtp.Dialog(inside, greet=False).say("EHLO client.example.net") == 250
