# SPDX-License-Identifier: BSD-2-Clause
"""DNS lists: real rbldnsd behind real unbound. Who is found out, what it costs others, and lists that are not to be believed.

Without the test pregreet a stranger's greeting waits for the lists alone, so nothing here hangs on how fast the machine is.
"""

import os

import pytest

import dnslists
import gate as gate_
from lab import until

CONFIG = ("-c", gate_.CONFIG)
FROM, TO = "sender@example.net", "user@example.org"
ZONES = ("zen.example", "bl.example", "allowed.example", "key.hidden.example")
SITES = ["zen.example=127.0.0.[2..4]*3", "zen.example=127.0.0.11", "bl.example*2", "allowed.example*-2"]
DNSL = {"sites": SITES, "enforce": 3, "servers": ["127.0.0.1"], "timeout": "20s", "retest": "1s", "test": "10s"}
PATIENT = {"greet_pause": "60s", "tests": {"pregreet": "off", "dnsl": "enforce"}, "limits": {"workers": 1}}
LISTED = {
    "zen.example": {"203.0.113.21": "127.0.0.2", "203.0.113.22": "127.0.0.4", "203.0.113.23": "127.0.0.11", "203.0.113.24": "127.0.0.12",
                    "203.0.113.25": "127.255.255.254", "203.0.113.26": "127.0.0.11", "203.0.113.27": "127.0.0.2", "203.0.113.29": "192.0.2.1",
                    "203.0.113.30": "127.0.0.1", "2001:db8:ace::21": "127.0.0.3", "2001:db8:ace::23": "127.0.0.11", "198.51.100.0/28": "127.0.0.2"},
    "bl.example": {"203.0.113.26": "127.0.0.2", "203.0.113.28": "127.0.0.2"},
    "allowed.example": {"203.0.113.27": "127.0.0.2", "203.0.113.31": "127.0.0.2", "2001:db8:ace::31": "127.0.0.2"},
    "key.hidden.example": {"203.0.113.33": "127.0.0.2"},
}


@pytest.fixture(scope="module")
def rbldnsd(lab):
    server = dnslists.Rbldnsd(lab, *ZONES)
    server.tell(LISTED)
    lab.later(server.stop)
    return server.start()


@pytest.fixture(scope="module")
def unbound(lab, rbldnsd):
    server = dnslists.Unbound(lab, *ZONES)
    lab.later(server.stop)
    return server.start()


@pytest.fixture
def lists(gate, rbldnsd, unbound):
    """lists(...): the gate with these settings, started; returns when all zones have been tested."""
    unbound.tell()

    def start(dnsl=None, tests=None, tested=True, **more):
        settings = {**PATIENT, **more, "tests": {**PATIENT["tests"], **(tests or {})}}
        gate.configure(dnsl={**DNSL, **(dnsl or {})}, **settings).start()
        if tested:
            until("all zones are tested", lambda: all(row["state"] != "untested" for row in zones(gate).values()))
        return gate

    return start


def zones(gate):
    return {row["zone"]: row for row in gate.json("dnsl", "show")["zones"]}


def rcpt(dial, source, to=TO):
    with dial(source) as d:
        if d.greeting != 220:
            return d.greeting
        assert d.say("EHLO client.example.net") == 250
        assert d.say(f"MAIL FROM:<{FROM}>") == 250
        return d.say(f"RCPT TO:<{to}>")


# --- who is found out ------------------------------------------------------------------

# source, the reply to RCPT
ROWS = [
    ("203.0.113.21", 550), ("203.0.113.22", 550),
    ("203.0.113.23", 250),  # weighs 1
    ("203.0.113.24", 250),  # no filter has it
    ("203.0.113.25", 250), ("203.0.113.29", 250), ("203.0.113.30", 250),  # errors
    ("203.0.113.26", 550),  # 1 and 2
    ("203.0.113.27", 250),  # 3 and -2
    ("203.0.113.28", 250), ("203.0.113.40", 250), ("2001:db8:ace::21", 550), ("2001:db8:ace::23", 250), ("2001:db8:ace::40", 250),
]


def test_weights_and_filters(lists, dial, unbound):
    gate = lists()
    assert {name: row["state"] for name, row in zones(gate).items()} == {"zen.example": "up", "bl.example": "up", "allowed.example": "up"}
    for source, code in ROWS:
        assert rcpt(dial, source) == code, source
    assert str(rcpt(dial, "203.0.113.21")) == "550 5.7.1 Your address is on DNS list zen.example"
    assert "DNS list" not in str(rcpt(dial, "203.0.113.21", "postmaster@example.org"))  # the backend was asked: who is refused can ask why
    said = until("the judge has logged it", lambda: gate.said() if 'evidence="score 3, zen.example 1, bl.example 2"' in gate.said() else None)
    assert "reason=dns-list" in said and "why=dns-list" in said and "helo=client.example.net" in said
    assert unbound.questions("21.113.0.203.zen.example") == 1  # however many sites a zone has, and sessions an address
    assert gate.counter("dnsl_answers_total", result="error") == 3
    assert gate.counter("dnsl_answers_total", result="timeout") == 0
    assert gate.counter("dnsl_latency_seconds_count") == gate.counter("dnsl_answers_total") > 0
    until("the figures of each zone are known", lambda: gate.counter("dnsl_queries_total") == gate.counter("dnsl_answers_total"))
    assert gate.counter("dnsl_failures_total") == 3 and gate.counter("dnsl_listed_total") == gate.counter("dnsl_answers_total", result="listed")
    asked = {name: gate.counter("dnsl_queries_total", zone=name) for name in zones(gate)}
    assert min(asked.values()) > 0 and [gate.counter("dnsl_up", zone=name) for name in asked] == [1, 1, 1]
    assert gate.counter("dnsl_cached_total") >= 6
    until("it is counted", lambda: gate.counter("dnsl_zones", state="up") == 3)


def test_figures_of_a_zone_go_on(lists, dial, unbound):
    """They stand under its name whoever counts: another judge, other workers, another place in the configuration."""
    gate = lists()
    rcpt(dial, "203.0.113.21")
    until("it is counted", lambda: gate.counter("dnsl_listed_total", zone="zen.example") == 1)
    rcpt(dial, "203.0.113.40")
    until("each zone was asked twice", lambda: [gate.counter("dnsl_queries_total", zone=name) for name in zones(gate)] == [2, 2, 2])
    os.kill(gate.judge(), 9)
    until("another judge has heard of them", lambda: gate.json("dnsl", "show")["zones"][0]["queries"] == 2)
    assert [gate.counter("dnsl_queries_total", zone=name) for name in zones(gate)] == [2, 2, 2]
    gate.configure(dnsl={**DNSL, "sites": ["allowed.example*-2", *SITES[:2]]}, **PATIENT)
    gate.postern("config", "reload")
    until("the other configuration is in force", lambda: list(zones(gate)) == ["allowed.example", "zen.example"])
    until("new workers have tested them", lambda: {row["state"] for row in zones(gate).values()} == {"up"})
    rcpt(dial, "203.0.113.41")
    until("they go on", lambda: [gate.counter("dnsl_queries_total", zone=name) for name in zones(gate)] == [3, 3])
    assert gate.counter("dnsl_listed_total", zone="zen.example") == 1
    assert "bl.example" not in gate.postern("stats", "prom").stdout


def test_a_pass_is_remembered(lists, dial, unbound):
    gate = lists(limits={"workers": 2})
    for _ in range(6):
        with dial("203.0.113.41") as d:
            assert d.mail(FROM, [TO], b"Subject: a pass\r\n\r\n") == 250
            assert d.say("QUIT") == 221
        until("the session is over", lambda: not gate.json("session", "show")["sessions"])
    assert unbound.questions("41.113.0.203.bl.example") == 1  # not once per worker


def test_modes(lists, dial):
    lists(tests={"dnsl": "drop"})
    assert str(rcpt(dial, "203.0.113.21")).startswith("550 5.7.1 Your address is on DNS list")
    assert rcpt(dial, "203.0.113.42") == 250


def test_observe(lists, dial):
    gate = lists(tests={"dnsl": "observe"}, dnsl={"ban": 3})
    assert rcpt(dial, "203.0.113.21") == 250
    until("it is recorded", lambda: "reason=dns-list " in gate.said())
    assert "dns-list-ban" not in gate.said()
    assert not gate.ban("203.0.113.21")


def test_off_asks_nobody(lists, dial, unbound):
    lists(tests={"dnsl": "off"}, tested=False)
    before = unbound.asked()
    with dial("203.0.113.43", timeout=120) as d:
        assert d.greeting == 220
    assert unbound.asked() == before


def test_ban_lives_as_long_as_the_answers(lists, dial):
    gate = lists(dnsl={"ban": 3}, ban={"first": "2h", "max": "4h", "action": "reset", "grace": 0})
    dial("2001:db8:ace::21")  # it is cut off whatever it says next
    row = until("it is banned", lambda: next((b for b in gate.json("ban", "show")["bans"] if b["prefix"].startswith("2001:db8:ace:")), None))
    assert row["reason"] == "dns-list-ban"
    assert 0 < row["seconds_left"] <= 600  # the lists' TTL
    assert rcpt(dial, "203.0.113.28") == 250


def test_skip(lists, dial):
    """Ends a pause that would last a minute, and spares the greylist."""
    gate = lists(dnsl={"skip": -2}, tests={"pregreet": "drop"}, greylist={"mode": "enforce", "delay": "1h", "by_name": False})
    assert rcpt(dial, "203.0.113.31") == 250
    assert rcpt(dial, "2001:db8:ace::31") == 250
    assert gate.counter("greylist_total", result="deferred") == 0


def test_hidden_name(lists, dial):
    """What is asked holds a key: it is in no reply, no log and no answer to an operator."""
    gate = lists(dnsl={"sites": ["hidden.example*3"]}, **{"zone__hidden.example": {
        "domain": "key.hidden.example", "text": "See https://hidden.example/"}})
    assert str(rcpt(dial, "203.0.113.33")) == "550 5.7.1 See https://hidden.example/"
    until("it is recorded", lambda: "reason=dns-list " in gate.said())
    checked = gate.postern(*CONFIG, "dnsl", "check", "203.0.113.33", check=False).stdout
    assert "score 3, hidden.example 3" in checked
    assert "key.hidden" not in gate.said() + gate.postern("dnsl", "show").stdout + checked


# --- lists that are not to be believed -----------------------------------------------------

def test_a_zone_that_lists_the_world_is_switched_off_and_on(lists, dial, unbound):
    world = {"zones": [("world.example", "redirect")]}
    unbound.tell("world.example 5 IN A 127.0.0.2", **world)
    gate = lists(dnsl={"sites": [*SITES, "world.example*9"]})
    row = zones(gate)["world.example"]
    assert row["state"] == "down" and "lists 127.0.0.1" in row["why"]
    gate.says("dns-list-down zone=world.example")
    until("it is counted", lambda: gate.counter("dnsl_zones", state="down") == 1)
    assert rcpt(dial, "203.0.113.44") == 250
    assert rcpt(dial, "203.0.113.21") == 550  # the others go on
    unbound.tell("2.0.0.127.world.example 5 IN A 127.0.0.2", "45.113.0.203.world.example 5 IN A 127.0.0.2", zones=[("world.example", "static")])
    until("it is up again", lambda: zones(gate)["world.example"]["state"] == "up")
    gate.says("IPv4 alone")  # it has no test entries for IPv6
    assert rcpt(dial, "203.0.113.45") == 550
    assert rcpt(dial, "203.0.113.46") == 250
    unbound.tell("world.example 5 IN A 127.0.0.2", **world)
    until("it is down again", lambda: zones(gate)["world.example"]["state"] == "down", seconds=60)
    assert rcpt(dial, "203.0.113.45") == 250  # what it said before is not believed any more


def test_a_resolver_that_lies(lists, dial, unbound):
    """It leads who asks for a name that does not exist to a web page, or refuses who asks."""
    unbound.tell("liar.example 60 IN A 198.51.100.80", "refuses.example 60 IN A 127.255.255.254", zones=[("liar.example", "redirect"), ("refuses.example", "redirect")])
    gate = lists(dnsl={"sites": ["liar.example*9", "refuses.example*9", "nobody.example*9", *SITES]})
    found = zones(gate)
    assert {found[name]["state"] for name in ("liar.example", "refuses.example", "nobody.example")} == {"down"}
    assert "no listing" in found["liar.example"]["why"] and "no listing" in found["refuses.example"]["why"]
    assert "does not list its test entry" in found["nobody.example"]["why"]
    assert rcpt(dial, "203.0.113.47") == 250


def test_errors_cause_a_test(lists, dial, unbound):
    """A zone that was sound when it was tested last, an hour ago."""
    sound = ["2.0.0.127.turns.example 5 IN A 127.0.0.2"]
    unbound.tell(*sound, zones=[("turns.example", "static")])
    gate = lists(dnsl={"sites": ["turns.example*9"], "enforce": 9, "test": "1d"})
    assert zones(gate)["turns.example"]["state"] == "up"
    unbound.tell("turns.example 5 IN A 127.255.255.255", zones=[("turns.example", "redirect")])

    def is_down(n=iter(range(50, 250))):
        assert rcpt(dial, f"203.0.113.{next(n)}") == 250  # an error is no listing meanwhile
        return zones(gate)["turns.example"]["state"] == "down"

    until("it is down", is_down, seconds=60, every=1)


# --- no answer --------------------------------------------------------------------------

def test_a_dead_resolver_fails_open(lists, dial, unbound):
    """The greeting comes when the pause is over, whatever the resolver does; and soon nobody waits for it at all."""
    gate = lists(dnsl={"timeout": "1s", "test": "1d"}, greet_pause="2s")
    unbound.pause(True)
    try:
        assert rcpt(dial, "203.0.113.21") == 250
        assert rcpt(dial, "2001:db8:ace::21") == 250
        until("the questions have had their time", lambda: gate.counter("dnsl_answers_total", result="timeout") >= 3)
        assert gate.counter("dnsl_latency_seconds_count") == 0  # there was no answer

        def all_down(n=iter(range(60, 250))):
            assert rcpt(dial, f"203.0.113.{next(n)}") == 250
            return {row["state"] for row in zones(gate).values()} == {"down"}

        until("the zones are down", all_down, seconds=60)
        until("and said to be", lambda: gate.counter("dnsl_up") == 0)
        assert {row["why"] for row in zones(gate).values()} == {"no answer"}
    finally:
        unbound.pause(False)
    until("the zones are up again", lambda: {row["state"] for row in zones(gate).values()} == {"up"})
    listed = iter(range(16))  # another each time: whoever was not found out within the second has passed
    until("who is listed is found out", lambda: rcpt(dial, f"198.51.100.{next(listed)}") == 550)


def test_an_answer_after_the_pause_still_counts(lists, dial, unbound):
    gate = lists(greet_pause="200ms")
    unbound.pause(True)
    try:
        with dial("203.0.113.21") as d:
            assert d.greeting == 220
            assert d.say("EHLO client.example.net") == 250
            assert d.say(f"MAIL FROM:<{FROM}>") == 250
            assert d.say(f"RCPT TO:<{TO}>") == 250
            unbound.pause(False)
            until("the lists have answered", lambda: "reason=dns-list " in gate.said())
            assert d.say("RCPT TO:<other@example.org>") == 550
            assert d.say("DATA") == 354  # for whom it was accepted before
            assert d.say("Subject: late\r\n\r\n.") == 250
    finally:
        unbound.pause(False)


# --- an operator -----------------------------------------------------------------------

def test_check_and_explain(lists):
    gate = lists()
    done = gate.postern(*CONFIG, "dnsl", "check", "203.0.113.26", check=False)
    assert done.returncode == 1
    assert "score 3, zen.example 1, bl.example 2" in done.stdout and "127.0.0.11" in done.stdout and "enforce" in done.stdout
    assert gate.json(*CONFIG, "dnsl", "check", "203.0.113.40")["verdict"] == "pass"
    found = gate.json(*CONFIG, "explain", "2001:db8:ace::21")["dns_lists"]
    assert found["verdict"] == "enforce" and found["told"] == "score 3, zen.example 3"
    assert {(row["zone"], row["answer"]) for row in found["zones"]} == {("zen.example", "listed"), ("bl.example", "clean"), ("allowed.example", "clean")}
    assert "they say" in gate.postern(*CONFIG, "explain", "203.0.113.21").stdout
    assert gate.postern(*CONFIG, "dnsl", "check").stdout.count(" up") == 3


def test_reload(lists, dial):
    gate = lists(dnsl={"sites": ["bl.example"], "enforce": 1})
    assert rcpt(dial, "203.0.113.21") == 250
    gate.configure(dnsl=DNSL, **PATIENT)
    gate.postern("config", "reload")
    until("the new zones are up", lambda: [row["state"] for row in zones(gate).values()] == ["up"] * 3)
    assert rcpt(dial, "203.0.113.21") == 550
