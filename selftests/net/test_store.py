# SPDX-License-Identifier: BSD-2-Clause
"""State on disk: what outlives a reboot and who is killed, and what happens to mail when the disk does not want to."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from gate import CONFIG, JUDGE_UID, STORE
from lab import PATIENCE, until

FROM, TO = "sender@example.net", "user@example.org"
GOOD = "203.0.113.5"
FILE = f"{STORE}/state.mdb"


def reboot(gate):
    """No daemon, and an empty bpf file system: what a machine that comes up finds."""
    gate.stop()
    gate.postern("gate", "unload", check=False)
    return gate


def mail(dial, text, source=GOOD):
    with dial(source) as d:
        return d.mail(FROM, [TO], b"Subject: %s\r\n\r\n" % text.encode()).code


def rows(gate):
    return {row["prefix"]: row for row in gate.json("ban", "show")["bans"]}


def store_is_up(gate):
    return gate.counter("store_up") == 1


def up(gate):
    until("the store is up", lambda: store_is_up(gate), 60)


# --- what comes back ------------------------------------------------------------------

def test_a_reboot_forgets_nothing(gate, dial, lab):
    gate.configure(greylist={"mode": "enforce", "delay": "1h", "by_name": False, "timeout": "60s"}, ban={"observe": True}).start()
    up(gate)
    gate.postern("ban", "add", "198.51.100.7", "for", "7d", "reason", "sold \"lists\"; asked twice")
    gate.postern("ban", "add", "2001:db8:bad::/48", "for", "1h", "action", "refuse", "grace", "3")
    gate.postern("ban", "add", "198.51.100.8")
    gate.postern("ban", "add", "198.51.100.9", "for", "1s")
    with dial(GOOD) as d:
        assert d.say("EHLO client.example.net") == 250
        assert d.say(f"MAIL FROM:<{FROM}>") == 250
        assert d.say("RCPT TO:<user@elsewhere.test>") == 550
        assert d.say(f"RCPT TO:<{TO}>") == 450
        assert d.say("QUIT") == 221  # who hangs up is noted for it a moment later
    until("the finding is judged", lambda: gate.json("client", "show", GOOD)["score"] > 0)
    before, bans, grey = gate.json("client", "show", GOOD), rows(gate), gate.json("grey", "show")["entries"]
    until("a ban ends", lambda: "198.51.100.9" not in rows(gate))
    reboot(gate).start()
    up(gate)
    after = gate.json("client", "show", GOOD)
    assert [(f["reason"], f["evidence"], f["session"]) for f in after["findings"]] == [(f["reason"], f["evidence"], f["session"]) for f in before["findings"]]
    assert (after["sessions"], after["offences"]) == (before["sessions"], before["offences"])
    assert after["first_seen_seconds_ago"] >= before["first_seen_seconds_ago"]
    now = rows(gate)
    assert set(now) == {"198.51.100.7", "2001:db8:bad::/48", "198.51.100.8"}
    for prefix, row in now.items():
        was = bans[prefix]
        assert {k: row[k] for k in ("action", "scope", "origin", "reason", "note", "grace", "since", "until")} == \
            {k: was[k] for k in ("action", "scope", "origin", "reason", "note", "grace", "since", "until")}
        if was["seconds_left"] is not None:
            assert row["seconds_left"] <= was["seconds_left"]
    assert [(e["source"], e["key"], e["count"], e["state"]) for e in gate.json("grey", "show")["entries"]] == \
        [(e["source"], e["key"], e["count"], e["state"]) for e in grey]
    assert not dial_works(dial, "198.51.100.7")
    assert dial_works(dial, GOOD)


def dial_works(dial, source):
    """Whether a source is served. Its SYNs are answered by the kernel, soon or never; whoever is let in may wait."""
    try:
        with dial(source, greet=False, timeout=3) as d:
            d.sock.settimeout(PATIENCE)
            return d.reply() == 220 and d.say("NOOP") == 250
    except OSError:
        return False


def test_pins_that_stay_are_the_truth(gate):
    """What was lifted while no daemon ran does not come back with it."""
    gate.configure().start()
    up(gate)
    for last in range(1, 9):
        gate.postern("ban", "add", f"198.51.100.{last}")
    gate.stop()
    gate.postern("ban", "del", "198.51.100.3")
    gate.postern("ban", "add", "198.51.100.99")
    gate.start()
    up(gate)
    wanted = {f"198.51.100.{last}" for last in (1, 2, 4, 5, 6, 7, 8, 99)}
    assert set(rows(gate)) == wanted
    assert gate.json("store", "show")["restored_bans"] == 0
    until("the store has the same", lambda: kept(gate) == wanted)
    reboot(gate).start()
    up(gate)
    assert set(rows(gate)) == wanted


def kept(gate):
    """The prefixes of the bans that are on disk."""
    return {row["prefix"] for row in exported(gate) if row["kind"] == "ban"}


def exported(gate):
    return [json.loads(line) for line in gate.postern("-c", CONFIG, "-j", "store", "export").stdout.splitlines()]


def test_off_keeps_nothing_and_is_turned_on_by_a_reload(gate):
    gate.configure(store={"enabled": False}).start()
    gate.postern("ban", "add", "198.51.100.7")
    assert gate.store() is None and not os.path.exists(FILE)
    assert gate.json("store", "show")["state"] == "off"
    make_dir()  # a daemon that runs may not give folders away any more
    gate.configure()
    gate.postern("config", "reload")
    up(gate)
    until("the ban is on disk", lambda: kept(gate) == {"198.51.100.7"})
    gate.configure(store={"enabled": False})
    gate.postern("config", "reload")
    until("no process keeps it", lambda: gate.store() is None and gate.json("store", "show")["state"] == "off")
    gate.configure(limits={"ledger": 1000})
    gate.postern("config", "reload")
    up(gate)
    reboot(gate).start()
    up(gate)
    assert set(rows(gate)) == {"198.51.100.7"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_export_comes_back_whole(gate, dial, form):
    """Twice is as once, and nothing is another to the nanosecond."""
    words = ["-c", CONFIG] + (["-j"] if form == "json" else [])
    gate.configure(greylist={"mode": "enforce", "delay": "1h", "by_name": False, "timeout": "60s"}, ban={"observe": True}).start()
    up(gate)
    gate.postern("ban", "add", "198.51.100.7", "for", "7d", "reason", 'a \\ and a "')
    gate.postern("ban", "add", "2001:db8:bad::/48", "forever", "action", "refuse", "grace", "3")
    gate.postern("ban", "add", "198.51.100.8", "for", "1d", "scope", "port", "25")
    for source in (GOOD, "2001:db8:ace::5"):
        with dial(source) as d:
            assert d.say("EHLO client.example.net") == 250
            assert d.say(f"MAIL FROM:<{FROM}>") == 250
            assert d.say(f"RCPT TO:<{TO}>") == 450
            for n in range(10):
                assert d.say(f"RCPT TO:<user{n}@elsewhere.test>") == 550
            assert d.say("QUIT") == 221
    until("all is on disk", lambda: len(kinds(gate)["finding"]) == 16 and len(kinds(gate)["grey"]) >= 2 and len(kinds(gate)["pass"]) > 2)
    until("nothing more comes", lambda: (a := exported(gate), time.sleep(2.5)) and a == exported(gate))
    before, path = exported(gate), f"{STORE}.export"
    gate.postern(*words, "store", "export", path)
    gate.stop()
    gate.postern("gate", "unload")
    shutil.rmtree(STORE)
    make_dir()
    gate.start()
    up(gate)
    assert not exported(gate)
    for _ in range(2):
        gate.postern("store", "import", path)
    os.unlink(path)
    until("all is on disk again", lambda: len(exported(gate)) == len(before))
    assert kinds(gate) == kinds(gate, before)


def kinds(gate, rows_=None):
    """The records of an export by their kind, in an order of their own."""
    sorted_ = {kind: [] for kind in ("ban", "source", "pass", "finding", "grey")}
    for row in rows_ or exported(gate):
        sorted_[row["kind"]].append(json.dumps(row, sort_keys=True))
    return {kind: sorted(lines) for kind, lines in sorted_.items()}


# --- killed ------------------------------------------------------------------------------

def ask(request, tries=100):
    """A request on the control socket, again where a daemon is on its way; the reply."""
    for _ in range(tries):
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect("/run/postern/control.sock")
            sock.sendall(json.dumps(request).encode() + b"\n")
            reply = json.loads(sock.makefile("rb").readline())
            if not reply.get("again"):
                return reply
        time.sleep(0.1)
    return {"error": "no answer"}


@pytest.mark.parametrize("victims", [["judge"], ["store"], ["warden"], ["judge", "store", "warden"]], ids="+".join)
def test_who_is_killed_loses_nothing_that_was_acknowledged(gate, dial, box, victims):
    """Bans that an operator was told of, in the middle of kills and mail, are all there after a reboot."""
    dice = random.Random(str(victims))
    gate.configure().start()
    up(gate)
    acknowledged, over = set(), threading.Event()

    def load():
        for n in range(10 ** 6):
            prefix = f"198.18.{n >> 8}.{n & 255}"
            if over.is_set():
                return
            if "error" not in ask({"command": "ban add", "prefix": prefix, "seconds": 86400, "reason": f"number {n}"}):
                acknowledged.add(prefix)

    loading = threading.Thread(target=load)
    loading.start()
    try:
        for turn in range(8):
            time.sleep(dice.uniform(0.05, 1.5))
            victim = victims[turn % len(victims)]
            if victim == "warden":
                family = gate.pids()
                os.kill(gate.warden(), signal.SIGKILL)
                gate._gone(family)  # pylint: disable=protected-access
                gate.start()
            else:
                pid = until(f"there is a {victim}", lambda v=victim: getattr(gate, v)())
                os.kill(pid, signal.SIGKILL)
                until("another", lambda v=victim, p=pid: getattr(gate, v)() not in (None, p))
        until("it answers", gate.answers)
        assert mail(dial, "in between") == 250
    finally:
        over.set()
        loading.join()
    box.wait_for(b"in between")
    assert len(acknowledged) > 20
    reboot(gate).start()
    up(gate)
    assert acknowledged <= set(rows(gate))


def test_a_killed_warden_leaves_what_the_judge_knew(gate, dial):
    gate.configure(ban={"observe": True}).start()
    up(gate)
    for n in range(5):
        with dial(f"203.0.113.{10 + n}") as d:
            d.say("EHLO client.example.net")
            d.say(f"MAIL FROM:<{FROM}>")
            assert d.say("RCPT TO:<user@elsewhere.test>") == 550
    until("all are judged", lambda: all(gate.json("client", "show", f"203.0.113.{10 + n}").get("findings") for n in range(5)))
    family = gate.pids()
    os.kill(gate.warden(), signal.SIGKILL)
    gate._gone(family)  # pylint: disable=protected-access
    gate.start()
    up(gate)
    assert all(gate.json("client", "show", f"203.0.113.{10 + n}")["findings"] for n in range(5))


# --- a disk that does not want to --------------------------------------------------------------

def make_dir(mode=0o700, uid=JUDGE_UID):
    os.makedirs(STORE, exist_ok=True)
    os.chmod(STORE, mode)
    os.chown(STORE, uid, uid)


def run(*argv):
    subprocess.run(argv, check=True)


def full():
    make_dir()
    run("mount", "-t", "tmpfs", "-o", f"size=64k,mode=700,uid={JUDGE_UID}", "tmpfs", STORE)
    with open(f"{STORE}/stuff", "wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while f.write(b"x" * 4096):
                pass


def emptied():
    os.unlink(f"{STORE}/stuff")
    run("mount", "-o", "remount,size=100m", STORE)


def read_only():
    make_dir()
    run("mount", "-t", "tmpfs", "-o", f"ro,mode=700,uid={JUDGE_UID}", "tmpfs", STORE)


def writable():
    run("mount", "-o", "remount,rw", STORE)


def wrong_owner():
    make_dir(uid=0)


def right_owner():
    make_dir()


def a_file():
    with open(STORE, "wb") as f:
        f.write(b"not a folder")


def a_folder():
    os.unlink(STORE)
    make_dir()


# name: what is done before the start, what makes it well
FAULTS = {"full": (full, emptied), "read_only": (read_only, writable), "wrong_owner": (wrong_owner, right_owner), "no_folder": (a_file, a_folder)}


@pytest.fixture
def disk():
    yield
    while subprocess.run(["umount", "-l", STORE], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        pass
    if os.path.isfile(STORE):
        os.unlink(STORE)


@pytest.mark.parametrize("fault", FAULTS)
def test_mail_goes_on_without_a_disk(gate, dial, box, disk, fault):
    ill, well = FAULTS[fault]
    ill()
    gate.configure().start()
    assert mail(dial, "without a disk") == 250
    box.wait_for(b"without a disk")
    gate.postern("ban", "add", "198.51.100.7")
    show = until("the alarm", lambda: (s := gate.json("store", "show"))["state"] == "failed" and s)
    assert show["why"]
    assert gate.json("gate", "show")["daemon"]["store"] == {"state": "failed", "why": show["why"]}
    assert "ALARM" in gate.postern("store", "show").stderr
    until("it is counted", lambda: gate.counter("store_up") == 0)
    assert gate.says("store-failed").count("store-failed") <= 3
    assert set(rows(gate)) == {"198.51.100.7"}
    well()
    up(gate)
    assert gate.json("store", "show")["why"] is None
    until("the ban is on disk", lambda: kept(gate) == {"198.51.100.7"})
    assert mail(dial, "with a disk") == 250


def garbage():
    make_dir()
    with open(FILE, "wb") as f:
        f.write(random.Random(1).randbytes(100_000))
    os.chown(FILE, JUDGE_UID, JUDGE_UID)


def cut(share):
    size = os.path.getsize(FILE)
    os.truncate(FILE, size * share // 100 // 4096 * 4096)


def overwritten():
    with open(FILE, "r+b") as f:
        f.seek(2 * 4096)
        f.write(random.Random(2).randbytes(os.path.getsize(FILE) - 3 * 4096))


BROKEN = {"garbage": garbage, "cut_short": lambda: cut(50), "a_page": lambda: os.truncate(FILE, 4096), "empty": lambda: os.truncate(FILE, 0), "overwritten": overwritten}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_set_aside(gate, dial, box, how):
    gate.configure().start()
    up(gate)
    for last in range(1, 200):
        ask({"command": "ban add", "prefix": f"198.51.100.{last}", "seconds": 86400})
    until("they are on disk", lambda: len(kept(gate)) == 199)
    reboot(gate)
    BROKEN[how]()
    gate.start()
    assert mail(dial, "beside a broken file") == 250
    box.wait_for(b"beside a broken file")
    up(gate)
    gate.postern("ban", "add", "198.51.100.250")
    until("a new store is written", lambda: "198.51.100.250" in kept(gate))
    assert "store-set-aside" in gate.said() or "store-damaged" in gate.said()
    assert gate.postern("-c", CONFIG, "store", "check").returncode == 0


@pytest.mark.parametrize("how", ["cut_short", "removed", "folder_removed", "overwritten"])
def test_a_file_that_breaks_under_it(gate, dial, box, how):
    gate.configure().start()
    up(gate)
    judge = gate.judge()
    for n in range(300):
        ask({"command": "ban add", "prefix": f"198.18.{n >> 8}.{n & 255}", "seconds": 86400})
    until("they are on disk", lambda: len(kept(gate)) == 300)
    if how == "removed":
        os.unlink(FILE)
    elif how == "folder_removed":
        shutil.rmtree(STORE)
        make_dir()
    elif how == "cut_short":
        os.truncate(FILE, 8192)
    else:
        overwritten()
    gate.postern("ban", "add", "198.51.100.250")
    assert mail(dial, "meanwhile") == 250
    box.wait_for(b"meanwhile")
    gate.postern("client", "forget", "192.0.2.1", check=False)
    gate.postern("grey", "flush", check=False)

    def well():
        if gate.postern("-c", CONFIG, "store", "check", check=False).returncode:
            return False
        return store_is_up(gate) and len(kept(gate)) == 301
    until("all is on disk again", well, 60, 0.5)
    assert gate.judge() == judge


# --- many ------------------------------------------------------------------------------------------

MANY = 1_000_000


def test_a_million_bans_come_back(gate, lab):
    gate.configure(store={"interval": "1s"}).start()
    up(gate)
    path = f"{STORE}.list"
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}\n" for n in range(16 << 24, (16 << 24) + 3 * MANY, 3))
    gate.postern("ban", "import", path, "for", "1d", "force")
    os.unlink(path)
    until("all are on disk", lambda: gate.json("store", "show")["records"] >= MANY, 300, 0.5)
    assert gate.counter("store_writes_total", result="dropped") > 0  # hints; the bans were found by a comparison
    reboot(gate).start()
    until("all are back", lambda: gate.json("store", "show")["restored"], 120, 0.2)
    show = gate.json("store", "show")
    assert show["restored_bans"] == MANY
    assert gate.json("gate", "show")["bans"] == MANY
    print(f"a million bans restored in {show['restore_ms'] / 1000:.2f} s")
    for n in random.Random(3).sample(range(MANY), 20):
        a = (16 << 24) + 3 * n
        for address, banned in ((a, True), (a + 1, False)):
            dotted = f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
            assert (gate.json("client", "show", dotted)["ban"] is not None) == banned, dotted
