# SPDX-License-Identifier: BSD-2-Clause
"""The warden as a user of its own with a few capabilities, as its unit starts it, or as root: what it holds, and that it is enough."""

import os
import signal
import subprocess

import pytest

import gate as gate_
import smtp
from lab import GATE4, HOME, until
from test_ban import offend, served

GOOD, BAD = "203.0.113.5", "198.51.100.40"


@pytest.fixture(params=["user", "root"])
def either(gate, request):
    gate.as_root = request.param == "root"
    return gate


def caps(pid, kind):
    held = int(gate_.status(pid)[f"Cap{kind}"], 16)
    return {name for name, bit in BITS.items() if held >> bit & 1} | ({"others"} if held & ~sum(1 << bit for bit in BITS.values()) else set())


BITS = {"setgid": 6, "setuid": 7, "setpcap": 8, "net_bind_service": 10, "net_admin": 12, "perfmon": 38, "bpf": 39}
IN_FORCE = {"setgid", "setuid", "net_bind_service", "net_admin", "bpf"}


def assert_rights(gate):
    """What is in force, what comes back with a new version, what can be had at all, and what a program that it executes would get."""
    warden = gate.warden()
    assert caps(warden, "Eff") == IN_FORCE
    assert caps(warden, "Prm") == caps(warden, "Bnd") == IN_FORCE | {"perfmon"}
    assert not caps(warden, "Inh") and not caps(warden, "Amb")
    got = gate_.status(warden)
    uid = "0" if gate.as_root else str(gate_.WARDEN_UID)
    assert got["Uid"].split() == got["Gid"].split() == [uid] * 4 and got["NoNewPrivs"] == "1"


def test_the_unit_gives_what_is_held_and_what_the_start_takes():
    assert set(gate_.unit_capabilities()) == IN_FORCE | {"perfmon", "setpcap"}
    with open(gate_.UNIT, encoding="utf-8") as f:
        bounding = next(line for line in f if line.startswith("CapabilityBoundingSet="))
    assert bounding.lower().split("=")[1].replace("cap_", "").split() == gate_.unit_capabilities()


def test_it_holds_what_it_needs_and_a_new_version_too(either):
    gate = either.start()
    assert_rights(gate)
    gate.process.send_signal(signal.SIGUSR2)
    until("a new version", lambda: gate.said().count("started version=") == 2 and gate.answers())
    assert_rights(gate)


def ended_and_replaced(gate, victims, replaced):
    """Ends who does not move: the warden must be able to, though it is another user and cannot signal everybody."""
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    gate.hup()
    until("they are replaced", lambda: not set(victims) & set(gate.pids()) and replaced())


def test_who_hangs_is_ended(either):
    gate = either.start()
    judge = gate.judge()
    ended_and_replaced(gate, [judge], lambda: gate.judge() not in (None, judge) and gate.answers())
    gate.says("judge-killed")
    old = gate.workers() + [until("there is a store again", gate.store)]
    for pid in old:
        os.kill(pid, signal.SIGSTOP)
    gate.process.send_signal(signal.SIGTERM)
    gate.process.send_signal(signal.SIGTERM)  # told twice: at once
    until("all have ended", lambda: gate.process.poll() is not None and not any(os.path.exists(f"/proc/{pid}") for pid in old))
    assert "child-not-signalled" not in gate.said()


def test_old_workers_of_another_version_are_told_by_signal(either, dial):
    """They may understand no record of ours."""
    gate = either.start()
    old, live = set(gate.workers()), dial(GOOD)
    gate.process.send_signal(signal.SIGUSR2)
    until("new workers", lambda: len(set(gate.workers()) - old) == 2)
    until("one of the old has gone", lambda: len(old & set(gate.workers())) == 1)
    assert live.say("NOOP") == 250 and live.quit() == 221
    until("so has the other", lambda: not old & set(gate.workers()))
    assert "child-not-signalled" not in gate.said()


def test_what_root_loads_is_the_daemons(either, lab):
    """The gate taken away and loaded anew by an administrator, who is root, while the daemon runs and while it does not."""
    gate = either.configure(ban={"first": "1h"}).start()
    owner = 0 if gate.as_root else gate_.WARDEN_UID
    for running in (True, False):
        gate.postern("gate", "unload")
        if not running:
            gate.stop()
        gate.postern("gate", "load")
        for place, _, names in os.walk(gate_.PINS):
            for path in (place, *(os.path.join(place, name) for name in names)):
                assert os.lstat(path).st_uid == owner or os.path.islink(path), path
        if not running:
            gate.start()
        else:
            gate.says("gate-reloaded")
        until("it is attached", lambda: any(link["ifindex"] for link in gate.json("gate", "show")["links"]))
        gate.postern("ban", "add", BAD, "for", "1h")
        assert smtp.unreachable(lab.world, BAD, GATE4)
        gate.postern("ban", "del", BAD)
        assert served(lab, GOOD)


def test_an_offender_is_banned_either_way(either, dial, lab):
    gate = either.configure(ban={"first": "1h"}).start()
    offend(dial(BAD))
    assert gate.banned(BAD)["reason"] == "relay-attempt" and smtp.unreachable(lab.world, BAD, GATE4)


# --- what it says when it cannot ----------------------------------------------------------

def refused(gate, uid, capabilities):
    done = subprocess.run(gate.lab.gateway.command(*gate_.as_user(uid, capabilities), gate_.POSTERND, "-c", gate_.CONFIG),
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("name", sorted(IN_FORCE | {"perfmon"}))
@pytest.mark.parametrize("uid", [gate_.WARDEN_UID, 0], ids=["user", "root"])
def test_a_capability_that_is_missing_is_named(gate, uid, name):
    said = refused(gate, uid, [cap for cap in gate_.unit_capabilities() if cap != name])
    assert f"start-failed: posternd lacks CAP_{name.upper()}" in said and not os.path.exists(gate_.PINS)


@pytest.mark.parametrize("uid", [gate_.JUDGE_UID, gate_.WORKER_UID], ids=["judge", "worker"])
def test_it_is_nobody_else(gate, uid):
    said = refused(gate, uid, gate_.unit_capabilities())
    assert f"start-failed: posternd itself runs as {uid}" in said and not os.path.exists(gate_.PINS)


def test_a_file_that_it_may_not_read_is_named_with_whose_it_is(gate):
    """Root, who asks, can read them all."""
    gate.start()
    for change, path, words in (
            ({"list__bad": {"file": f"{HOME}/root.txt"}}, f"{HOME}/root.txt", f"Permission denied for user {gate_.WARDEN_UID}"),
            ({"listener__mx": {"tls": "offer", "tls_certificate": f"{HOME}/root.pem", "tls_key": f"{HOME}/root.pem"}}, f"{HOME}/root.pem",
             f"Permission denied for user {gate_.WARDEN_UID}")):
        with open(path, "w", encoding="ascii") as f:
            os.chmod(path, 0o600)
            f.write("192.0.2.0/24\n")
        gate.configure(**change)
        done = gate.postern("config", "reload", check=False)
        assert done.returncode == 1 and path in done.stderr and words in done.stderr, done.stderr
    gate.configure()
    gate.postern("config", "reload")
