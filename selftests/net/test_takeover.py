# SPDX-License-Identifier: BSD-2-Clause
"""Another version takes over under load: no connection fails, no message is lost, sessions that live go on; and what cannot start changes nothing."""

import os
import shutil
import signal
import subprocess

import pytest

import gate as gate_
import mta
from lab import GATE4, HOME, alive, until
from test_ban import offend
from test_loss import Load

GOOD, BAD = "203.0.113.5", "198.51.100.40"
FROM, TO = "sender@example.net", "user@example.org"
CURRENT = gate_.POSTERND
NEXT = f"{mta.BUILD}/selftests/next/posternd"
INSTALLED = f"{HOME}/posternd"


def install(file):
    """As a package manager does: another file under the name, while the old one still runs."""
    shutil.copy2(file, f"{INSTALLED}.new")
    os.rename(f"{INSTALLED}.new", INSTALLED)


@pytest.fixture
def installed(gate, monkeypatch):
    """The daemon from a file that may be replaced."""
    install(CURRENT)
    monkeypatch.setattr(gate_, "POSTERND", INSTALLED)
    return gate


def said(gate, what):
    return gate.said().count(what)


def upgrade(gate, says="started version="):
    before, old = said(gate, says), gate.workers()
    gate.process.send_signal(signal.SIGUSR2)
    until("the upgrade", lambda: said(gate, says) > before)
    return old


def taken_over(gate):
    old = upgrade(gate)
    until("new workers and a new judge", lambda: len(set(gate.workers()) - set(old)) == 2 and gate.answers())


@pytest.mark.parametrize("files", [[CURRENT], [NEXT, CURRENT]], ids=["same_layout", "other_layout"])
def test_nobody_is_turned_away(installed, lab, dial, box, files):  # pylint: disable=too-many-arguments,too-many-positional-arguments
    gate = installed.configure(greet_pause="0s").start()
    warden, load_box = gate.warden(), mta.Mailbox("load")
    load_box.empty()
    live = dial(GOOD)
    live.say("EHLO client.example.net")
    live.say(f"MAIL FROM:<{FROM}>")
    assert live.say(f"RCPT TO:<{TO}>") == 250 and live.say("DATA") == 354
    live.send(b"Subject: across versions\r\n\r\n")
    with Load(lab.world) as load:
        for n in range(4):
            seen = len(load.acknowledged)
            until("mail flows", lambda s=seen: len(load.acknowledged) >= s + 20)
            install(files[n % len(files)])
            taken_over(gate)
        seen = len(load.acknowledged)
        until("mail flows still", lambda: len(load.acknowledged) >= seen + 20)
    assert load.failed == 0
    assert gate.warden() == warden and gate.process.poll() is None
    live.send(b"second half\r\n.\r\n")
    assert live.reply() == 250 and live.quit() == 221
    assert b"second half" in box.wait_for(b"across versions")
    until("every message arrived once", lambda: load_box.count() == len(load.acknowledged), 120)
    until("the old workers have gone", lambda: len(gate.workers()) == 2)
    assert said(gate, "child-died") == said(gate, "worker-stopped") == said(gate, "not-taken") == 0


def test_what_is_known_is_known_afterwards(installed, dial, lab):
    gate = installed.configure(ban={"first": "1h"}).start()
    offend(dial(BAD))
    gate.banned(BAD)
    half = dial("198.51.100.41")
    half.say("EHLO client.example.net")
    half.say(f"MAIL FROM:<{FROM}>")
    half.say("RCPT TO:<a@example.com>")
    half.quit()

    def points():
        return {c["source"]: c["score"] for c in gate.json("client", "list")["clients"]}

    until("it has points", lambda: points().get("198.51.100.41"))
    taken_over(gate)
    assert "198.51.100.41" in points() and gate.ban(BAD)["reason"] == "relay-attempt"
    offend(dial("198.51.100.43"))
    assert gate.banned("198.51.100.43")["reason"] == "relay-attempt"


def test_an_old_session_is_judged_by_the_new_judge(installed, dial):
    gate = installed.configure(ban={"first": "1h"}).start()
    old = dial(BAD)
    taken_over(gate)
    offend(old)
    assert gate.banned(BAD)["reason"] == "relay-attempt"


def test_a_drained_worker_listens_no_more(installed, dial):
    gate = installed.start()
    old = set(gate.workers())
    live = dial(GOOD)
    taken_over(gate)
    until("one of the old ones has gone", lambda: len(old & set(gate.workers())) == 1)
    for _ in range(10):
        assert dial(GOOD).greeting == 220
    assert live.say("NOOP") == 250 and live.quit() == 221
    until("so has the other", lambda: not old & set(gate.workers()))


def broken_kernel_half():
    """A version that passes its rehearsal and whose kernel half cannot be loaded."""
    with open(CURRENT, "rb") as f:
        program = bytearray(f.read())
    at = program.index(b"\x7fELF", 1)
    while program[at + 18:at + 20] != b"\xf7\x00":  # EM_BPF
        at = program.index(b"\x7fELF", at + 1)
    program[at + 18] = 0xf6
    with open(f"{HOME}/broken", "wb") as f:
        f.write(program)
    os.chmod(f"{HOME}/broken", 0o755)
    return f"{HOME}/broken"


def script(text):
    with open(f"{HOME}/script", "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(f"{HOME}/script", 0o755)
    return f"{HOME}/script"


@pytest.mark.parametrize("make, says", [
    (lambda: "/bin/false", "its rehearsal failed"), (lambda: script("no program\n"), "it cannot be executed"),
    (lambda: script("#!/bin/sh\nkill -SEGV $$\n"), "its rehearsal failed"), (broken_kernel_half, "upgrade-failed"),
], ids=["fails", "no_program", "crashes", "no_kernel_half"])
def test_a_version_that_cannot_start_changes_nothing(installed, lab, make, says):
    gate = installed.configure(greet_pause="0s").start()
    warden = gate.warden()
    with Load(lab.world) as load:
        until("mail flows", lambda: len(load.acknowledged) >= 20)
        install(make())
        upgrade(gate, says)
        seen = len(load.acknowledged)
        until("mail flows still", lambda: len(load.acknowledged) >= seen + 20)
        until("the command is answered", gate.answers)
    assert load.failed == 0 and gate.warden() == warden
    install(CURRENT)
    taken_over(gate)


@pytest.mark.parametrize("broken, says", [("no_such_setting = 1\n", "no_such_setting"), ('listener "taken" { address = "203.0.113.200" port = 2525 }\n', "port 2525")])
def test_a_configuration_that_cannot_be_is_found_in_time(installed, dial, broken, says):
    gate = installed.start()
    gate.write(gate_.render(gate.settings) + broken)
    upgrade(gate, "its rehearsal failed")
    gate.says(says)
    assert dial(GOOD).greeting == 220
    gate.write(gate_.render(gate.settings))
    taken_over(gate)


def test_a_configuration_may_change_with_the_version(installed, lab, dial):
    gate = installed.start()
    gate.configure(listener__second={"address": GATE4, "port": 2525}, listener__mx={"address": GATE4, "port": 25})
    taken_over(gate)
    assert lab.gateway.listening(2525) and dial(GOOD).greeting == 220
    until("the old address is given up", lambda: not lab.gateway.listening(25, "::") and not lab.gateway.listening(25, "*"))


def test_a_rehearsal_that_never_ends_ends_with_the_daemon(installed):
    gate = installed.start()
    install(script("#!/bin/sh\necho $$ >/run/postern/rehearsal\nexec sleep 1000\n"))
    gate.process.send_signal(signal.SIGUSR2)
    until("the rehearsal", lambda: os.path.exists("/run/postern/rehearsal") and os.path.getsize("/run/postern/rehearsal"))
    assert gate.postern("config", "reload").returncode == 0
    gate.stop()
    with open("/run/postern/rehearsal", encoding="ascii") as f:
        pid = int(f.read())
    until("its end", lambda: not alive(pid))


def test_a_rehearsal_starts_nothing(gate, lab):
    done = subprocess.run(lab.gateway.command(CURRENT, "--rehearse", "-c", gate_.CONFIG), capture_output=True, text=True, check=False,
                          timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert not lab.gateway.listening(25) and not os.path.exists("/sys/fs/bpf/postern")


@pytest.mark.parametrize("left", ["x", "1", "99999999"])
def test_an_inheritance_that_is_none_is_refused(gate, lab, left):
    done = subprocess.run(lab.gateway.command("env", f"POSTERN_HANDOVER={left}", CURRENT, "-c", gate_.CONFIG), capture_output=True,
                          text=True, check=False, timeout=60)
    assert done.returncode == 1 and "POSTERN_HANDOVER" in done.stderr
