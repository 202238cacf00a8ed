# SPDX-License-Identifier: BSD-2-Clause
"""`postern backend`: how the backends fare over all workers, and what a call from here finds out about one."""

import json
import os
import re
import time

import pytest

import wide_open
from gate import CONFIG
from lab import HOME, run, until
from test_backend import EHLO, FROM, PORT, SECOND, V4, in_front, scripted  # noqa: F401
from test_backend_ways import send

CHAIN, KEY = f"{HOME}/show.pem", f"{HOME}/show.key"


@pytest.fixture(scope="module")
def certificate():
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=backend.example.org", "-addext", "subjectAltName=DNS:backend.example.org", "-keyout", KEY, "-out", CHAIN])
    return CHAIN, KEY


def shown(gate, *words):
    return {row["backend"]: row for row in gate.json("backend", "show", *words)["backends"]}


def test_how_they_fare(gate, scripted, dial):
    main = scripted()
    gate.configure(greet_pause="0s", limits={"workers": 2}, backend__main={"port": PORT, "identity": "none", "weight": 7},
                   backend__dead={"port": SECOND, "identity": "none", "health_interval": "1s", "priority": 2}).start()
    until("both workers have told of both", lambda: all((row := shown(gate).get(name, {})).get("state") == state and row["workers"] == 2
                                                       for name, state in (("main", "up"), ("dead", "down"))))
    rows = shown(gate)
    assert rows["main"]["workers"] == rows["main"]["workers_up"] == 2 and rows["dead"]["workers_up"] == 0
    assert (rows["main"]["address"], rows["main"]["port"]) == ("127.0.0.1", PORT)
    assert (rows["main"]["weight"], rows["main"]["weight_permille"]) == (7, 1000)
    assert rows["main"]["error"] is None and rows["main"]["failures"] == 0
    assert rows["dead"]["failures"] >= 2 and rows["dead"]["error"] == "Connection refused"
    for _ in range(3):
        assert send(dial) == 250
    until("three sessions are shown", lambda: shown(gate)["main"]["sessions"] == 3)
    until("connections wait", lambda: (shown(gate)["main"]["live"], shown(gate)["main"]["idle"] > 0) == (0, True))
    assert list(shown(gate, "dead")) == ["dead"]
    until("so the gauges say", lambda: [gate.counter("backends", state=state) for state in ("up", "down", "unsure")] == [1, 1, 0])
    until("and each has its own", lambda: [gate.counter("backend_up", backend=name) for name in ("main", "dead")] == [1, 0])
    until("so are the sessions", lambda: [gate.counter("backend_sessions_total", backend=name) for name in ("main", "dead")] == [3, 0])
    until("and the failures", lambda: gate.counter("backend_failures_total", backend="dead") > 0)
    assert gate.counter("backend_failures_total", backend="main") == 0
    here = [dial(V4) for _ in range(3)]
    until("sessions are counted", lambda: gate.counter("sessions_live") == 3)
    for d in here:
        assert d.quit() == 221
    until("and are over", lambda: gate.counter("sessions_live") == 0)
    text = gate.postern("backend", "show").stdout.splitlines()
    assert text[0].split()[:5] == ["BACKEND", "ADDRESS", "PORT", "STATE", "FOR"] and "2 of 2" in text[1] and "Connection refused" in text[2]
    refused = gate.postern("backend", "show", "nosuch", check=False)
    assert refused.returncode == 1 and 'no worker has told of a backend "nosuch"' in refused.stderr

    os.kill(gate.judge(), 9)  # its successor knows nothing until it is told again
    until("it is told again", lambda: gate.postern("backend", "show", check=False).returncode == 0 and shown(gate).get("main", {}).get("workers") == 2)
    assert gate.counter("backend_sessions_total", backend="main") >= 3  # it goes on from what stood there
    until("it is up", lambda: gate.counter("backend_up", backend="main") == 1)

    main.close()
    scripted(greeting="554 5.3.2 Not\x1btoday")
    for worker in gate.workers():
        os.kill(worker, 9)
    until("they are down", lambda: shown(gate).get("main", {}).get("state") == "down" and shown(gate)["main"]["workers"] == 2)
    assert shown(gate)["main"]["error"] == "refused in its greeting: 554 5.3.2 Not?today"


def longer(gate, span, bound):
    """So many of these times were longer than a bound of the buckets."""
    return gate.counter(f"{span}_seconds_count") - gate.counter(f"{span}_seconds_bucket", le=bound)


def classes(gate):
    return [gate.counter("backend_replies_total", **{"class": f"{digit}xx"}) for digit in (2, 3, 4, 5)]


def test_how_long_they_take(gate, scripted, dial):
    """A reply that is held back for more than a quarter of a second is in none of the buckets below, and neither is its session."""
    server = scripted()
    in_front(gate)
    assert send(dial) == 250
    until("the session is counted", lambda: gate.counter("session_duration_seconds_count") == gate.counter("sessions_total") == 1)
    replies = gate.counter("backend_latency_seconds_count")
    assert replies == 3  # to RCPT, DATA and the end of data
    assert classes(gate) == [2, 1, 0, 0]
    server.replies["RCPT"] = "550 5.1.1 No such user"
    assert send(dial) == 550
    server.replies["RCPT"] = "451 4.3.0 Later"
    assert send(dial) == 451
    del server.replies["RCPT"]
    assert classes(gate) == [2, 1, 1, 1]
    until("those sessions are counted", lambda: gate.counter("session_duration_seconds_count") == gate.counter("sessions_total") == 3)
    replies = gate.counter("backend_latency_seconds_count")
    slow, sessions = longer(gate, "backend_latency", "0.25"), longer(gate, "session_duration", "0.25")
    server.verdict.clear()
    with dial(V4) as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        d.send(b"RCPT TO:<user@example.org>\r\nRCPT TO:<other@example.org>\r\n")
        assert [d.reply(), d.reply()] == [250, 250]
        assert d.say("DATA") == 354
        d.send(b"Subject: patience\r\n\r\n.\r\n")
        until("the server has all of it", lambda: len(server.messages()) == 2)
        time.sleep(0.3)
        server.verdict.set()
        assert d.reply() == 250
        assert gate.counter("session_duration_seconds_count") == 3
        assert d.quit() == 221
    until("it is over", lambda: gate.counter("session_duration_seconds_count") == gate.counter("sessions_total") == 4)
    assert longer(gate, "backend_latency", "0.25") > slow and longer(gate, "session_duration", "0.25") > sessions
    assert replies + 3 <= gate.counter("backend_latency_seconds_count") <= replies + 4  # recipients that left together count once
    assert gate.counter("backend_latency_seconds_sum") >= 0.3 and gate.counter("session_duration_seconds_sum") >= 0.3


def files(gate):
    return gate.counter("worker_files", state="used"), gate.counter("worker_files", state="free")


def test_what_the_workers_have_open(gate, scripted, dial):
    """As many as the kernel says, with sessions and without; of a worker that is gone nothing is left in the figures."""
    scripted()
    in_front(gate, limits={"workers": 2, "sessions": 20, "stress": 30})
    room = 0
    for pid in gate.workers():
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            room += int(re.search(r"^Max open files +(\d+)", f.read(), re.M)[1])

    def are_open():
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in gate.workers())

    until("they are told", lambda: files(gate) == (are_open(), room - are_open()))
    assert gate.counter("stressed_workers") == 0
    here = [dial(f"203.0.113.{n}") for n in range(60, 72)]  # one of the two has six of them
    until("sessions count", lambda: files(gate) == (are_open(), room - are_open()))
    assert are_open() > 12
    until("it is under stress", lambda: gate.counter("stressed_workers") > 0)
    for d in here:
        assert d.quit() == 221
    until("they count no more", lambda: files(gate) == (are_open(), room - are_open()) and gate.counter("stressed_workers") == 0)
    for pid in gate.workers():
        os.kill(pid, 9)
    until("others have taken their places", lambda: gate.counter("worker_starts_total", kind="replacement") == 2 and sum(files(gate)) == room)
    gate.stop()
    assert files(gate) == (0, 0)


def check(gate, *words):
    done = gate.postern("-j", "-c", CONFIG, "backend", "check", *words, check=False)
    return done.returncode, {row["backend"]: row for row in json.loads(done.stdout)["backends"]}


ASKED = ["EHLO mx.example.org", "MAIL FROM:<>", "RCPT TO:<postern-check@relay.example>", "RSET", "QUIT"]


def heard(server):
    return [c.said for c in server.conversations if "(end)" in c.said and "RSET" in c.said]


@pytest.mark.parametrize("offers", [EHLO, ["8BITMIME"]])
@pytest.mark.parametrize("reply,relays,status", [("250 2.1.5 Ok", "yes", 1), ("554 5.7.1 No", "no", 0), ("450 4.7.1 Later", "undecided", 0)])
def test_does_it_relay(gate, scripted, reply, relays, status, offers):
    server = scripted(offers=offers, replies={"RCPT": reply})
    in_front(gate)
    code, rows = check(gate, "main")
    assert (code, rows["main"]["ok"], rows["main"]["relays"], rows["main"]["said"]) == (status, True, relays, reply)
    until("it heard all of it", lambda: heard(server))
    assert heard(server) == [[*ASKED, "(end)"]]
    assert not server.messages()
    text = gate.postern("-c", CONFIG, "backend", "check", "all", "to", "me@elsewhere.example", check=False).stdout
    assert ("WIDE OPEN" in text) == (relays == "yes")
    assert "undecided" not in text or relays == "undecided"


def test_what_is_wrong_with_it(gate, scripted, certificate):
    server = scripted(certificate=certificate, offers=EHLO + ["STARTTLS", "AUTH PLAIN"], replies={"RCPT": "550 5.7.1 No"})
    secure = {"port": PORT, "identity": "none", "tls": "verify", "tls_ca": CHAIN}
    gate.configure(greet_pause="0s", backend__main={**secure, "tls_name": "backend.example.org"}, backend__other={**secure, "tls_name": "other.example.org"},
                   backend__dead={"port": SECOND, "identity": "none"}, backend__xclient={"port": PORT, "identity": "xclient"}).start()
    code, rows = check(gate, "all")
    assert code == 1
    assert rows["main"]["ok"] and rows["main"]["verified"] and rows["main"]["tls"].startswith("TLSv1.3 ") and rows["main"]["relays"] == "no"
    assert "AUTH" in rows["main"]["offers"] and rows["main"]["auth"] == "PLAIN" and rows["main"]["size"] == 100000000
    assert (rows["other"]["ok"], rows["other"]["why"]) == (False, "hostname mismatch")
    assert (rows["dead"]["ok"], rows["dead"]["why"], rows["dead"]["relays"]) == (False, "cannot be connected to: Connection refused", None)
    assert (rows["xclient"]["ok"], rows["xclient"]["why"]) == (False, "does not offer XCLIENT with ADDR to this address")
    server.greeting = "220 be\r\n554 surplus"
    assert check(gate, "main")[1]["main"]["ok"] is False


def test_a_real_server_that_trusts_everyone(gate, lab):
    server = wide_open.OpenSMTPD(lab).start()
    try:
        gate.configure(backend__main={"identity": "none", "port": server.ports[0]}).start()
        code, rows = check(gate, "main")
        assert (code, rows["main"]["told"], rows["main"]["relays"]) == (1, False, "yes")
    finally:
        server.stop()


def test_one_that_trusts_this_machine_and_is_told_who_its_clients_are(gate):
    gate.configure().start()  # the usual Postfix
    code, rows = check(gate, "all")
    assert [(row["told"], row["relays"]) for row in rows.values()] == [(True, "yes")] and not code
