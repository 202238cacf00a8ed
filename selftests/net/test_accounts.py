# SPDX-License-Identifier: BSD-2-Clause
"""What clients that log in may do, and who receives mail here: Postfix behind the gate, Dovecot knowing the users, tokens of OAuth from a server of our own."""

import base64
import http.server
import json
import threading
import urllib.parse

import dovecot
import gate as gate_
import mta
import pytest
import secure
import smtp
from dovecot import PASSWORD, USER
from lab import GATE4, HOME, until
from test_submission import Postfix

V4, AWAY = "203.0.113.5", "someone@remote.example"
TOKEN, TOKENS_PORT, RECIPIENTS = "ya29.a-token-that-nobody-logs", 12346, f"{HOME}/recipients"
OWN, HOURLY = "own@example.org", 5
SPENDERS = ("one@example.org", "two@example.org")


class Tokens(http.server.BaseHTTPRequestHandler):
    """Introspection as RFC 7662 has it: whose token is this?"""

    def do_POST(self):
        asked = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = asked.get("token") == [TOKEN]
        said = json.dumps({"active": known, **({"username": USER} if known else {})}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


class Dovecot(dovecot.Dovecot):
    files = {**dovecot.Dovecot.files, "etc/dovecot/dovecot.conf": dovecot.Dovecot.files["etc/dovecot/dovecot.conf"].replace(
        "scram-sha-256", "scram-sha-256 xoauth2 oauthbearer") + """
auth_failure_delay = 0

passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = /etc/dovecot/oauth2.conf
}
""", "etc/dovecot/oauth2.conf": f"""
introspection_mode = post
introspection_url = http://127.0.0.1:{TOKENS_PORT}/
username_attribute = username
active_attribute = active
active_value = true
""", "etc/dovecot/users": "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in (USER, OWN, *SPENDERS))}


@pytest.fixture(scope="module")
def tokens(lab):
    with lab.gateway.here():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", TOKENS_PORT), Tokens)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def write_recipients(*lines):
    with open(RECIPIENTS, "w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def gate(lab, tokens):
    servers = [Dovecot(lab), Postfix(lab)]
    made = gate_.Gate(lab)
    try:
        for server in servers:
            server.start()
        secure.make_certificate()
        write_recipients(USER)
        made.configure(
            backend__main={"port": 10028}, greet_pause="0s", log_commands=True, ban={"observe": True}, limits={"errors": 100},
            listener__mx=secure.TLS, listener__submission={"port": 587, "auth": "offer", **secure.TLS},
            recipients=[f"file:{RECIPIENTS}"],
            route__sealed={"domains": ["sealed.example"], "relay": "all", "tls": "require", "auth": "require"},
            accounts={"own_senders": "enforce", "senders": [f"{OWN} sales@example.org .lists.example"], "rcpts": HOURLY}).start()
        made.probed()
        yield made
    finally:
        made.close()
        for server in servers:
            server.stop()


@pytest.fixture
def dialog(lab, gate):
    """dialog(user): inside TLS, logged in if there is a user."""
    made = []

    def open_one(port):
        d = secure.starttls(smtp.Dialog(lab.world.connect(V4, GATE4, port)))
        made.append(d)
        offered = d.say("EHLO client.example.net").lines
        return d if port == 25 or any("AUTH" in line for line in offered) else None

    def connect(user=None, port=587):
        d = until("the worker has seen the backend", lambda: open_one(port))
        if user:
            assert d.say("AUTH PLAIN " + b64(f"\0{user}\0{PASSWORD}")) == 235
        return d

    yield connect
    for d in made:
        d.close()


def b64(text):
    return base64.b64encode(text.encode()).decode()


BEARERS = {"XOAUTH2": lambda token: f"user={USER}\1auth=Bearer {token}\1\1",
           "OAUTHBEARER": lambda token: f"n,a={USER},\1host=mx.example.org\1port=587\1auth=Bearer {token}\1\1"}


@pytest.mark.parametrize("way", BEARERS)
def test_a_token_is_a_login(gate, dialog, way):
    leaked = mta.Mailbox("leaked")
    leaked.empty()
    d = dialog()
    assert d.say(f"AUTH {way} " + b64(BEARERS[way](TOKEN))) == 235
    assert d.mail(USER, [AWAY], f"Subject: by {way}\r\n\r\n".encode()) == 250
    assert f"(Authenticated sender: {USER})".encode() in leaked.wait_for(f"by {way}".encode())
    d.close()
    until("the account is logged", lambda: f'account="{USER}"' in gate.said())
    assert TOKEN not in gate.said() and b64(TOKEN) not in gate.said() and b64(BEARERS[way](TOKEN)) not in gate.said()


@pytest.mark.parametrize("way", BEARERS)
def test_a_wrong_token_is_none(gate, dialog, way):
    """The server says why in a challenge, which the client answers with nothing (RFC 7628 section 3.2.3)."""
    failed = gate.counter("auth_total", result="failed")
    d = dialog()
    said = d.say(f"AUTH {way} " + b64(BEARERS[way]("wrong")))
    if said == 334:
        said = d.say("AQ==" if way == "OAUTHBEARER" else "")
    assert said == 535
    gate.counts(failed + 1, "auth_total", result="failed")
    assert d.mail(USER, [AWAY], b"") == 550


def test_the_talk_is_logged_without_credentials(gate, dialog):
    """With log_commands: what was said and told, a password at no time, and nothing of a stranger's that is not escaped."""
    d = dialog()
    assert d.say("AUTH LOGIN") == 334 and d.say(b64(OWN)) == 334 and d.say(b64(PASSWORD)) == 235
    d.send(b"NOOP \x1b[2J\xc2\x9b\r\n")
    d.reply()
    assert d.quit() == 221
    until("all is logged", lambda: 'line="QUIT"' in gate.said())
    said = gate.said()
    assert 'line="(hidden)"' in said and 'lines=1 text="235 ' in said and b64(PASSWORD) not in said and b64(f"\0{OWN}\0{PASSWORD}") not in said
    assert "\x1b" not in said and "\x9b" not in said and r'line="NOOP \x1b[2J\xc2\x9b"' in said


def test_an_account_sends_as_itself(gate, dialog):
    d = dialog(OWN)
    for sender, code in {USER: 553, "x@lists.example": 553, "a@other.example": 553, OWN: 250, "Sales@example.org": 250, "x@in.lists.example": 250, "": 250}.items():
        assert d.say(f"MAIL FROM:<{sender}>") == code, sender
        assert d.say("RSET") == 250
    gate.says(f'what=sender why=account client={V4} name=- helo=client.example.net auth=yes account="{OWN}" from="<{USER}>" rcpt=""')
    assert dialog().say(f"MAIL FROM:<{USER}>") == 250  # who did not log in is another list's business


def test_an_hour_of_an_account(gate, dialog):
    """All sessions of an account have one allowance; another account has its own; a reload gives nothing back."""
    sessions = [dialog(SPENDERS[0]) for _ in range(3)]
    for d in sessions:
        assert d.say(f"MAIL FROM:<{SPENDERS[0]}>") == 250
    said = [sessions[i % 3].say(f"RCPT TO:<r{i}@remote.example>") for i in range(HOURLY + 3)]
    assert [reply.code for reply in said] == [250] * HOURLY + [450] * 3
    assert str(said[-1]).startswith("450 4.7.1 ")
    gate.postern("config", "reload")
    again = dialog(SPENDERS[0])
    assert again.say(f"MAIL FROM:<{SPENDERS[0]}>") == 250
    assert again.say(f"RCPT TO:<{AWAY}>") == 450
    other = dialog(SPENDERS[1])
    assert other.say(f"MAIL FROM:<{SPENDERS[1]}>") == 250
    assert other.say(f"RCPT TO:<{AWAY}>") == 250
    gate.says(f'why=quota client={V4} name=- helo=client.example.net auth=yes account="{SPENDERS[0]}"')


def test_recipients_are_those_of_the_file(gate, dialog):
    """A recipient of the file is asked of the backend; any other never reaches it. A reload that fails leaves the list."""
    d = dialog(port=25)

    def told(who):
        assert d.say("RSET") == 250
        assert d.say("MAIL FROM:<sender@example.net>") == 250
        return str(d.say(f"RCPT TO:<{who}>"))

    rejected = gate.counter("findings_total", reason="unknown-recipient")
    assert told(USER.upper()).startswith("250 ")
    assert told("stranger@example.org").startswith("550 5.1.1 No such recipient here")
    until("it is a finding", lambda: gate.counter("findings_total", reason="unknown-recipient") == rejected + 1)
    write_recipients("two words")
    failed = gate.postern("config", "reload", check=False)
    assert failed.returncode and "two words" in failed.stderr, failed
    assert told(USER).startswith("250 ")
    write_recipients("other@example.org")
    gate.postern("config", "reload")
    d = dialog(port=25)
    assert told("other@example.org").startswith("250 ")
    assert told(USER).startswith("550 5.1.1 No such recipient here")
    write_recipients(USER)
    gate.postern("config", "reload")


def test_what_a_route_demands(lab, gate, dialog):
    with smtp.Dialog(lab.world.connect(V4, GATE4, 587)) as clear:
        assert clear.say("EHLO client.example.net") == 250
        assert clear.say("MAIL FROM:<sender@example.net>") == 250
        assert str(clear.say("RCPT TO:<x@sealed.example>")).startswith("550 5.7.10 ")
        assert clear.say(f"RCPT TO:<{USER}>") == 250
    d = dialog()
    assert d.say("MAIL FROM:<sender@example.net>") == 250
    assert str(d.say("RCPT TO:<x@sealed.example>")).startswith("530 5.7.0 ")
    d = dialog(OWN)
    assert d.say(f"MAIL FROM:<{OWN}>") == 250
    assert d.say("RCPT TO:<x@sealed.example>") == 250
