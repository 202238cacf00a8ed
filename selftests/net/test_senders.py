# SPDX-License-Identifier: BSD-2-Clause
"""Mail servers of the world send through the gate, in clear and in TLS: what they are given arrives, at once, and accuses nobody."""

import re
import smtplib

import pytest

import clients
import mta
from clients import FROM, TO
from lab import until
from test_tls_auth import TLS, certificate  # noqa: F401

OTHER, NOBODY = "other@example.org", "nosuch@example.org"
SOURCE = {"postfix": "203.0.113.91", "exim": "203.0.113.92", "opensmtpd": "203.0.113.93"}
LINES = ["", ".", "..", ".dot", " ", "\t", "From the start", "x" * 990, "t\u0159i \u20ac", "=20", "last."]
BODY = "\r\n".join(LINES * 200) + "\r\n"


class Postfix(clients.Postfix):
    port = 2525

    def __init__(self, lab):
        super().__init__(lab, SOURCE["postfix"], "2001:db8:ace::91")
        path = f"{self.home}/upper/etc/postfix/main.cf"
        with open(path, encoding="utf-8") as f:
            text = f.read().replace("smtp_tls_security_level = none", "smtp_tls_security_level = may\nsmtputf8_autodetect_classes = all").replace(
                "smtp_helo_timeout = 5s", "smtp_helo_timeout = 60s").replace("smtp_quit_timeout = 5s", "smtp_quit_timeout = 60s")
        self._write("etc/postfix/main.cf", text)


class OpenSMTPD(clients.OpenSMTPD):
    port = 2526

    def __init__(self, lab):
        super().__init__(lab, SOURCE["opensmtpd"])


class Exim(clients.Exim):
    port = None

    def __init__(self, lab):
        super().__init__(lab, SOURCE["exim"], clients.GATE4)
        path = f"{self.home}/upper/etc/exim4/exim4.conf"
        with open(path, encoding="utf-8") as f:
            text = f.read().replace("  hosts_avoid_tls = *\n", "")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        return self


@pytest.fixture(scope="module", params=[Postfix, Exim, OpenSMTPD], ids=["postfix", "exim", "opensmtpd"])
def sender(lab, request):
    made = request.param(lab).start()
    yield made
    made.close()


@pytest.fixture(params=["clear", "tls"])
def served(gate, request, certificate):  # noqa: F811
    tls = {"listener__mx": TLS} if request.param == "tls" else {}
    gate.configure(limits={"messages": 100}, **tls).start()
    gate.probed()
    gate.tls = request.param == "tls"
    yield gate
    all_over(gate)  # what a client keeps open for its next message ends with 421 when the gate does, and costs it a retry


def all_over(gate):
    until("the sessions ended", lambda: gate.counter("sessions_total") == gate.counter("connections_total"), seconds=60.0)


def hand_over(lab, sender, subject, recipients, body, **more):
    text = f"Subject: {subject}\r\nMessage-ID: <{re.sub('[^a-z0-9]', '', subject)}@client.example>\r\nMIME-Version: 1.0\r\n" \
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}".encode()
    if sender.port is None:
        sender._exim("-odf", "-oi", "-f", FROM, *recipients, text=text.decode().replace("\r\n", "\n"))
        return
    with lab.world.here(), smtplib.SMTP("127.0.0.1", sender.port, timeout=20) as s:
        s.sendmail(FROM, recipients, text, **more)


def essence(stored):
    return stored.partition(b"\n\n")[2].rstrip(b"\n")


def test_mail_arrives(lab, sender, served, box):
    """To two that exist and one that does not: theirs arrives once, byte for byte, and nobody had to try again."""
    other = mta.Mailbox("other")
    other.empty()
    hand_over(lab, sender, f"whole {served.tls}", [TO, NOBODY, OTHER], BODY)
    wanted = BODY.encode().replace(b"\r\n", b"\n").rstrip(b"\n")
    for mailbox in (box, other):
        assert essence(mailbox.wait_for(b"whole")) == wanted
    all_over(served)
    assert box.count() == other.count() == 1
    assert served.counter("recipients_total", result="accepted") == 2
    assert served.counter("recipients_total", result="rejected") == 1
    assert served.counter("recipients_total", result="deferred") == 0
    assert served.counter("findings_total") == served.counter("findings_total", reason="unknown-recipient") <= 1
    assert (served.counter("tls_handshakes_total", result="ok") > 0) == served.tls
    assert served.counter("tls_handshakes_total", result="failed") == 0
    assert served.counter("sessions_total", end="quit") == served.counter("sessions_total")


def test_many_at_once(lab, sender, served, box):
    for n in range(20):
        hand_over(lab, sender, f"one of many {n}.", [TO], f"number {n}\r\n")
    until("twenty messages", lambda: box.count() >= 20, 120)
    for n in range(20):
        assert sum(b"Subject: one of many %d." % n in m for m in box.messages()) == 1
    assert served.counter("findings_total") == 0
    assert served.counter("messages_total", result="accepted") == 20 == served.counter("messages_total")


@pytest.mark.parametrize("sender", [Postfix], indirect=True)
def test_international(lab, sender, served, box):
    hand_over(lab, sender, "p\u0159es sv\u011bt", [TO], "ahoj\r\n", mail_options=["SMTPUTF8"])
    assert "p\u0159es sv\u011bt".encode() in box.wait_for(b"ahoj")
    assert served.counter("findings_total") == 0
