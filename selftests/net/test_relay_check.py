# SPDX-License-Identifier: BSD-2-Clause
"""postern relay check: finds what is open in real mail servers, calls the closed ones closed, and finds nothing behind the gate."""

import json
import subprocess

import pytest

import gate as gate_
from lab import GATE4, GATE6, HOME
import mta
import wide_open
from backend import Backend, _Session

HOST = "127.0.0.1"

def check(net, where, *words, code=None):
    """The document of `postern -j relay check`, and the rows of its table by id."""
    done = subprocess.run(net.command(gate_.POSTERN, "-j", "relay", "check", where, "timeout", "10", "pause", "1", *words),
                          capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert done.returncode == (0 if said["verdict"] == "closed" else 1), done
    assert code is None or done.returncode == code, [list(row.values()) for row in said["vectors"] if row["result"] != "refused"]
    return said, {row["id"]: row for row in said["vectors"]}


def classes(rows, result="OPEN"):
    return {row["class"] for row in rows.values() if row["result"] == result}


def ids(rows, result):
    return {row["id"] for row in rows.values() if row["result"] == result}


# --- servers that are open in one way or another -------------------------------------------------

class TrustingPostfix(wide_open.Postfix):
    """Knows its users, trusts everyone: a default Postfix that was told a network too many."""

    ports = (10040,)
    files = {
        "etc/postfix/main.cf": wide_open.Postfix.files["etc/postfix/main.cf"]
        .replace("virtual_mailbox_base", "virtual_mailbox_domains =\nvirtual_mailbox_base")
        .replace("smtpd_reject_unlisted_recipient = no", "smtpd_reject_unlisted_recipient = yes")
        .replace("local_recipient_maps =\n", "local_recipient_maps = inline:{ user=user postmaster=user }\n"),
        "etc/postfix/boxes": wide_open.Postfix.files["etc/postfix/boxes"],
        "etc/postfix/master.cf": wide_open.Postfix.files["etc/postfix/master.cf"].replace("10028", "10040"),
    }

    def __init__(self, lab):
        super().__init__(lab)
        self.name = "trusting"


class ClosedPostfix(TrustingPostfix):
    """What the distribution's defaults make of it for a stranger."""

    ports = (10041,)
    files = {name: text
             .replace("mynetworks = 0.0.0.0/0 [::]/0", "mynetworks =")
             .replace("permit_mynetworks, reject", "permit_mynetworks, reject_unauth_destination")
             .replace("allow_untrusted_routing = yes", "allow_untrusted_routing = no")
             .replace("10040", "10041") for name, text in TrustingPostfix.files.items()}


def with_acl(text, port, acl):
    return text.replace("10030", str(port)).replace("all:\n  accept\n", acl)


EXIM = wide_open.Exim.files["etc/exim4/exim4.conf"]
ONLY_OURS = """all:
  accept hosts = :
  deny domains = +ours
       !local_parts = user : postmaster%s
  accept domains = +ours
  deny message = relay not permitted
"""


class PercentExim(wide_open.Exim):
    """Checks the domain and lets a local part with % or ! in it through; then routes by it."""

    ports = (10042,)
    files = {"etc/exim4/exim4.conf": with_acl(EXIM, 10042, ONLY_OURS % " : ^.*[%!].*").replace("percent_hack_domains = *\n", "")}


class ClosedExim(wide_open.Exim):
    ports = (10043,)
    files = {"etc/exim4/exim4.conf": with_acl(EXIM, 10043, ONLY_OURS % "").replace("percent_hack_domains = *\n", "")
             .replace("allow_domain_literals\n", "").replace("recipient_unqualified_hosts = *\n", "")}


SMTPD = wide_open.OpenSMTPD.files["etc/wide-open.conf"]


class TrustingOpenSMTPD(wide_open.OpenSMTPD):
    ports = (10044,)
    files = {**wide_open.OpenSMTPD.files, "etc/wide-open.conf": SMTPD.replace("10031", "10044")
             .replace('"@" = "box"', '"user@example.org" = "box", "postmaster@example.org" = "box"')
             .replace('match from any for any action "others"', 'match from any for any action "relay"')
             .replace('match from any for domain', 'action "relay" relay\nmatch from any for domain', 1)}


class ClosedOpenSMTPD(TrustingOpenSMTPD):
    ports = (10045,)
    files = {**TrustingOpenSMTPD.files, "etc/wide-open.conf": TrustingOpenSMTPD.files["etc/wide-open.conf"]
             .replace("10044", "10045").replace("match from any for any action", "match from local for any action")
             .replace("match from local for any action", "match from src 192.0.2.77 for any action")}


@pytest.fixture(scope="module")
def start(lab):
    """start(kind): the server of that kind, running; one at a time, for two of OpenSMTPD share a control socket."""
    made = {}

    def begin(kind):
        for other in made.values():
            if type(other) is not kind:
                other.stop()
        if kind not in made:
            made[kind] = kind(lab)
        return made[kind] if made[kind].process else made[kind].start()

    yield begin
    for server in made.values():
        server.stop()
        print(server.told())


# What a server of each kind falls for; every class in the row must be found, and nothing else.
OPEN = (
    (TrustingPostfix, {"sender", "percent hack", "no domain", "quoting", "several addresses", "source route", "bang path",
                       "encapsulation", "domain spelling", "look-alike", "comment or space", "address literal", "parser split"}),
    (PercentExim, {"percent hack", "bang path"}),
    (TrustingOpenSMTPD, {"sender", "source route", "domain spelling", "address literal"}),
)


@pytest.mark.parametrize("kind, holes", OPEN, ids=lambda x: getattr(x, "__name__", ""))
def test_finds_the_holes(lab, start, kind, holes):
    server = start(kind)
    said, rows = check(lab.gateway, f"{HOST}:{server.ports[0]}", "domain", "example.org", code=1)
    assert said["verdict"] == "open"
    assert holes <= classes(rows), (holes - classes(rows), sorted(ids(rows, "OPEN")))


@pytest.mark.parametrize("kind", [ClosedPostfix, ClosedExim, ClosedOpenSMTPD], ids=lambda k: k.__name__)
def test_calls_closed_what_is_closed(lab, start, kind):
    server = start(kind)
    check(lab.gateway, f"{HOST}:{server.ports[0]}", "domain", "example.org", code=0)


# --- the gate ----------------------------------------------------------------------------------

def gate_before(lab, port, **more):
    return gate_.Gate(lab).configure(
        backend__main={"identity": "none", "port": port}, greet_pause="0s", domains=["example.org", "mx.example.org"],
        ban={"observe": True}, **more).start()


@pytest.mark.parametrize("where", [GATE4, f"[{GATE6}]:25", GATE6])
def test_the_gate_is_closed(lab, start, where):
    """Behind it a server that knows its users and would relay anything."""
    serving = gate_before(lab, start(TrustingPostfix).ports[0])
    try:
        said, rows = check(lab.world, where, "domain", "example.org", code=0)
        assert said["server"] in (GATE4, GATE6) and "550 5.1.1" in said["nobody"]
        assert rows["E01"]["reply"] == "550 5.7.1 Unable to relay"
        assert said["connections"] < 60
    finally:
        serving.close()


@pytest.mark.parametrize("kind", wide_open.SERVERS, ids=lambda k: k.__name__)
def test_nothing_is_open_behind_the_gate(lab, start, kind):
    """These take any user of the domain, so what is plainly one of its users stays undecided, and nothing else does."""
    serving = gate_before(lab, start(kind).ports[0])
    try:
        said, rows = check(lab.world, GATE4, "domain", "example.org")
        assert said["verdict"] in ("undecided", "closed")
        for row in rows.values():
            assert row["result"] in ("refused", "undecided", "not offered"), row
            if row["result"] == "undecided":
                local, _, domain = row["rcpt"].strip("<>").rpartition("@")
                assert domain == "example.org" and not set("@%!\x00 ") & set(local), row
    finally:
        serving.close()


def test_starttls(lab, start):
    made = f"{HOME}/check.crt", f"{HOME}/check.key"
    gate_.certificate(*made, "mx.example.org")
    server = start(TrustingPostfix)
    serving = gate_before(lab, server.ports[0], listener__mx={"tls": "offer", "tls_certificate": made[0], "tls_key": made[1]})
    try:
        check(lab.world, GATE4, "domain", "example.org", "starttls", code=0)
        assert serving.counter("tls_handshakes_total") >= 10
    finally:
        serving.close()


# --- servers that do not answer with a plain yes or no ---------------------------------------------

class Odd(_Session):
    """250 to every recipient of its own domain; `way` says what else is odd about it."""

    turns = 0

    def do_rcpt(self, line):
        way, ours = self.server.way, line.endswith("@example.org>")
        self.turns += 1
        self.server.asked += 1
        if way == "greylists" and line not in self.server.met:
            self.server.met.add(line)
            self.say("450 4.2.0 Greylisted")
        elif way == "busy":
            self.say("451 4.3.0 Try later")
        elif way == "hangs up" and self.turns > 3:
            self.say("421 4.7.0 Too many errors")
            self.connection.shutdown(2)
        elif way == "cuts":
            self.connection.shutdown(2)
        elif way == "content" and ours:
            self.say("250 2.1.5 Ok")
        elif way == "believes" or (way == "anyone" and ours):
            self.say("250 2.1.5 Ok")
        else:
            self.say("550 5.7.1 Unable to relay")

    def do_mail(self, line):
        self.say("553 5.1.8 Sender unknown" if self.server.way == "sender" and "client.example" in line else "250 2.1.0 Ok")

    def do_data(self, line):
        if self.server.way == "content":
            self.say("554 5.7.1 Unable to relay")
        else:
            super().do_data(line)


class Scripted(Backend):
    def __init__(self, net, port, way):
        super().__init__(net, port)
        self.RequestHandlerClass, self.way, self.met, self.asked = Odd, way, set(), 0


ODD = (
    # way, words, exit, verdict, result of B01 (own domain), result of A02 (foreign)
    ("believes", (), 1, "open", "undecided", "OPEN"),
    ("anyone", (), 1, "undecided", "undecided", "refused"),
    ("greylists", (), 0, "closed", "refused", "refused"),
    ("busy", (), 1, "undecided", "deferred", "deferred"),
    ("hangs up", (), 0, "closed", "refused", "refused"),
    ("cuts", (), 1, "undecided", "refused", "refused"),
    ("sender", (), 1, "undecided", "not asked", "not asked"),
    ("sender", ("from", "me@elsewhere.example"), 0, "closed", "refused", "refused"),
    ("content", (), 1, "undecided", "undecided", "refused"),
    ("content", ("to", "me@elsewhere.example", "--deliver"), 0, "closed", "refused", "refused"),
)


@pytest.mark.parametrize("way, words, code, verdict, own, foreign", ODD)
def test_what_is_neither_yes_nor_no(lab, way, words, code, verdict, own, foreign):
    server = Scripted(lab.gateway, 10050, way)
    try:
        said, rows = check(lab.gateway, f"{HOST}:10050", "domain", "example.org", *words, code=code)
        assert (said["verdict"], rows["B01"]["result"], rows["A02"]["result"]) == (verdict, own, foreign)
        assert said["connections"] <= 100
        assert not server.messages
    finally:
        server.__exit__()


def test_delivers_only_when_told(lab):
    server = Scripted(lab.gateway, 10050, "anyone")
    try:
        said, rows = check(lab.gateway, f"{HOST}:10050", "domain", "example.org", "to", "me@elsewhere.example", "deliver", code=1)
        sent = [row for row in rows.values() if row["sent"]]
        assert len(server.messages) == len(sent) >= 20
        assert all(said["token"].encode() in message and b"me@elsewhere.example" in message for message in server.messages)
    finally:
        server.__exit__()


def test_a_server_that_takes_nobody(lab):
    done = subprocess.run(lab.gateway.command(gate_.POSTERN, "relay", "check", "127.0.0.1:9"), capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "undecided: 127.0.0.1 port 9: Connection refused" in done.stderr
