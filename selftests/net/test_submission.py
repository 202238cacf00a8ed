# SPDX-License-Identifier: BSD-2-Clause
"""Submission as users have it: ports 587 and 465 of the gate, Postfix behind it, Dovecot knowing the users; smtplib, swaks and nmap as clients."""

import base64
import hashlib
import hmac
import os
import smtplib
import subprocess

import pytest

import gate as gate_
import mta
import secure
import smtp
import wide_open
from dovecot import PASSWORD, USER, Dovecot
from lab import GATE4, until

V4, FROM, TO, AWAY = "203.0.113.5", "user@example.org", "user@example.org", "someone@remote.example"
SUBMISSION = {587: {"tls": "require"}, 465: {"tls": "require", "tls_implicit": True}}


class Postfix(wide_open.Postfix):
    """Relays for users who logged in, and for nobody else; what goes elsewhere lands in the Maildir "leaked"."""

    files = {**wide_open.Postfix.files, "etc/postfix/main.cf": wide_open.Postfix.files["etc/postfix/main.cf"].replace(
        "mynetworks = 0.0.0.0/0 [::]/0", "mynetworks =").replace(
        "permit_mynetworks, reject", "permit_sasl_authenticated, reject_unauth_destination") + """
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:12345
smtpd_sasl_authenticated_header = yes
smtpd_sasl_security_options = noanonymous
"""}


@pytest.fixture(scope="module")
def submission(lab):
    servers = [Dovecot(lab), Postfix(lab)]
    made = gate_.Gate(lab)
    try:
        for server in servers:
            server.start()
        secure.make_certificate()
        made.configure(
            backend__main={"port": 10028}, greet_pause="0s", ban={"observe": True}, limits={"errors": 100},
            listener__mx=secure.TLS,
            **{f"listener__{port}": {"port": port, "auth": "require", **secure.TLS, **how} for port, how in SUBMISSION.items()}).start()
        made.probed()
        yield made
    finally:
        made.close()
        for server in servers:
            server.stop()


@pytest.fixture
def inside(lab, submission):
    """inside(port): a dialog in TLS with a submission port, greeted by EHLO; `offered` is what the gate said to that."""
    made = []

    def connect(port, source=V4):
        sock = lab.world.connect(source, GATE4, port)
        d = secure.implicit(sock) if port == 465 else secure.starttls(smtp.Dialog(sock))
        d.offered = {line[4:] for line in d.say("EHLO client.example.net").lines[1:]}
        made.append(d)
        return d

    yield connect
    for d in made:
        d.close()


@pytest.fixture
def leaked():
    mta.settle()
    mailbox = mta.Mailbox("leaked")
    mailbox.empty()
    return mailbox


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def challenge(reply):
    assert reply == 334, reply
    return base64.b64decode(str(reply)[4:]).decode()


# --- mechanisms: each returns the last reply of an exchange over the dialog d ---


def plain(d, password):
    return d.say("AUTH PLAIN " + b64(f"\0{USER}\0{password}"))


def plain_asked(d, password):
    assert challenge(d.say("AUTH PLAIN")) == ""
    return d.say(b64(f"\0{USER}\0{password}"))


def login(d, password):
    assert challenge(d.say("AUTH LOGIN")) == "Username:"
    assert challenge(d.say(b64(USER))) == "Password:"
    return d.say(b64(password))


def cram_md5(d, password):
    asked = challenge(d.say("AUTH CRAM-MD5"))
    return d.say(b64(f"{USER} {hmac.new(password.encode(), asked.encode(), 'md5').hexdigest()}"))


def scram(d, password):
    """RFC 7677; the server proves that it knows the password, too."""
    first, nonce = f"n={USER},r=fyko+d2lbbFgONRv9qkxdawL", "fyko+d2lbbFgONRv9qkxdawL"
    server = challenge(d.say("AUTH SCRAM-SHA-256 " + b64("n,," + first)))
    given = dict(part.split("=", 1) for part in server.split(","))
    assert given["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"]))

    def keyed(key, text):
        return hmac.new(key, text.encode(), "sha256").digest()

    key = keyed(salted, "Client Key")
    last = f"c=biws,r={given['r']}"
    signature = keyed(hashlib.sha256(key).digest(), ",".join((first, server, last)))
    reply = d.say(b64(f"{last},p={b64(bytes(a ^ b for a, b in zip(key, signature)))}"))
    if reply != 334:
        return reply
    assert challenge(reply) == "v=" + b64(keyed(keyed(salted, "Server Key"), ",".join((first, server, last))))
    return d.say("")


WAYS = {"PLAIN": plain, "PLAIN asked": plain_asked, "LOGIN": login, "CRAM-MD5": cram_md5, "SCRAM-SHA-256": scram}


@pytest.mark.parametrize("port", SUBMISSION)
@pytest.mark.parametrize("way", WAYS)
def test_logged_in_may_relay(submission, inside, leaked, port, way):
    d = inside(port)
    assert any(offer.startswith("AUTH ") and way.split()[0] in offer.split() for offer in d.offered), d.offered
    assert WAYS[way](d, PASSWORD) == 235
    assert d.mail(FROM, [AWAY], f"Subject: by {way}\r\n\r\n".encode()) == 250
    message = leaked.wait_for(f"by {way}".encode())
    assert f"(Authenticated sender: {USER})".encode() in message and V4.encode() in message


@pytest.mark.parametrize("way", WAYS)
def test_wrong_password(submission, inside, leaked, way):
    failed = submission.counter("auth_total", result="failed")
    findings = submission.counter("findings_total", reason="auth-failure")
    d = inside(587)
    assert WAYS[way](d, "wrong") == 535
    assert d.say(f"MAIL FROM:<{FROM}>") == 530
    submission.counts(failed + 1, "auth_total", result="failed")
    until("it is a finding", lambda: submission.counter("findings_total", reason="auth-failure") == findings + 1)
    assert plain(d, PASSWORD) == 235
    assert d.say(f"MAIL FROM:<{FROM}>") == 250


def test_mechanisms_are_those_of_the_backend(inside):
    for port in SUBMISSION:
        offered = next(offer for offer in inside(port).offered if offer.startswith("AUTH "))
        assert set(offered.split()[1:]) == {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"}
    d = inside(587)
    assert d.say("AUTH GSSAPI") == 504
    assert challenge(d.say("AUTH LOGIN")) and d.say("*") == 501
    assert plain(d, PASSWORD) == 235
    assert plain(d, PASSWORD) == 503


def test_nothing_goes_before_tls_and_login(lab, submission, inside):
    """530 for each, and no AUTH in the clear."""
    with smtp.Dialog(lab.world.connect(V4, GATE4, 587)) as d:
        assert not any("AUTH" in line for line in d.say("EHLO client.example.net").lines)
        for command in (f"MAIL FROM:<{FROM}>", "AUTH PLAIN " + b64(f"\0{USER}\0{PASSWORD}")):
            assert d.say(command) == 530, command
    for port in SUBMISSION:
        d = inside(port)
        assert d.say(f"MAIL FROM:<{FROM}>") == 530
        assert d.say(f"RCPT TO:<{TO}>") == 503


def test_port_25_does_not_ask_for_a_login(lab, submission):
    with smtp.Dialog(lab.world.connect(V4, GATE4, 25)) as d:
        assert not any("AUTH" in line for line in d.say("EHLO client.example.net").lines)
        assert d.mail("sender@example.net", [TO], b"Subject: from outside\r\n\r\n") == 250
    with smtp.Dialog(lab.world.connect(V4, GATE4, 25)) as d:
        assert d.mail("sender@example.net", [AWAY], b"") == 550


# --- clients --------------------------------------------------------------------


@pytest.mark.parametrize("port", SUBMISSION)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib(lab, submission, leaked, port, mechanism):
    with lab.world.here():
        kind = smtplib.SMTP_SSL if port == 465 else smtplib.SMTP
        more = {"context": secure.context()} if port == 465 else {}
        client = kind(timeout=20, source_address=(V4, 0), local_hostname="client.example.net", **more)
        client._host = secure.NAME  # the name that the certificate has; the address is where it is
        client.connect(GATE4, port)
    with client as c:
        if port == 587:
            c.starttls(context=secure.context())
        c.ehlo()
        c.user, c.password = USER, PASSWORD
        c.auth(mechanism, getattr(c, "auth_" + mechanism.lower().replace("-", "_")))
        c.sendmail(FROM, [AWAY], f"Subject: by smtplib {mechanism}\r\n\r\n")
    leaked.wait_for(f"by smtplib {mechanism}".encode())


@pytest.mark.parametrize("port, how", [(587, "--tls"), (465, "--tls-on-connect")])
def test_swaks(lab, submission, leaked, port, how):
    perl = f"{mta.unpack('libnet-ssleay-perl')}/usr/lib/x86_64-linux-gnu"
    paths = [folder for folder, names, _ in os.walk(perl) if "Net" in names]
    done = subprocess.run(lab.world.command(
        "swaks", "--server", GATE4, "--port", str(port), "--local-interface", V4, how, "--auth", "--auth-user", USER, "--auth-password",
        PASSWORD, "--from", FROM, "--to", AWAY, "--ehlo", "client.example.net", "--header", "Subject: by swaks", "--timeout", "20s"),
        capture_output=True, text=True, check=False, env={**os.environ, "PERL5LIB": ":".join(paths)})
    assert done.returncode == 0, done.stdout + done.stderr
    leaked.wait_for(b"by swaks")


def test_nmap_finds_no_open_relay(lab, submission, leaked):
    """Its own tests, all of them, on the port that strangers may use."""
    before = submission.counter("recipients_total", result="relay_refused")
    scripts, root = mta.unpack("nmap-common"), mta.unpack("nmap")
    libraries = {folder for package in (root, mta.unpack("lua-lpeg")) for folder, _, names in os.walk(f"{package}/usr/lib")
                 if any(".so" in name for name in names)}
    said = lab.world.run(
        f"{root}/usr/bin/nmap", "--datadir", f"{scripts}/usr/share/nmap", "-Pn", "-n", "-sT", "-p", "25", "-d",
        "--script", "smtp-open-relay",
        "--script-args", "smtp-open-relay.domain=remote.example", GATE4, env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)})
    assert "Server doesn't seem to be an open relay, all tests failed" in said, said
    assert leaked.count() == 0
    refused = submission.counter("recipients_total", result="relay_refused") - before
    assert refused >= 10, submission.counters()
