# SPDX-License-Identifier: BSD-2-Clause
"""The processes among themselves: hostile records, hostile requests, links that come and go."""

import contextlib
import ctypes
import json
import os
import socket
import subprocess

import pytest

import gate as gate_
from lab import GATE4, until
from test_ban import served

GOOD = "203.0.113.5"
PIDFD_OPEN, PIDFD_GETFD = 434, 438


def channels(pid):
    """The SEQPACKET sockets of another process, as sockets of ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:
            continue
        if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
            with socket.socket(fileno=fd) as sock:
                if sock.family == socket.AF_UNIX and sock.type == socket.SOCK_SEQPACKET:
                    yield sock
        else:
            os.close(fd)
    os.close(pidfd)


def talk_nonsense(pid):
    """Over every channel that the process has; the first may end it, and then nobody hears the next."""
    heard = 0
    for sock in channels(pid):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            heard += sock.send(b"garbage") > 0
    assert heard


def test_a_hostile_record_ends_the_worker_and_nobody_else(serving, lab):
    judge, (bad, other) = serving.judge(), serving.workers()
    talk_nonsense(bad)
    until("the worker is replaced", lambda: len(serving.workers()) == 2 and bad not in serving.workers())
    assert other in serving.workers() and serving.judge() == judge
    serving.says("hostile record")
    assert all(served(lab, GOOD) for _ in range(6))


def test_who_hears_nonsense_from_the_judge_starts_anew(serving, lab):
    """Neither the warden nor a worker goes on with a judge that it does not understand."""
    judge, workers = serving.judge(), serving.workers()
    talk_nonsense(judge)
    until("all are replaced", lambda: serving.judge() not in (None, judge) and len(serving.workers()) == 2
          and not set(workers) & set(serving.workers()))
    until("it answers", serving.answers)
    assert all(served(lab, GOOD) for _ in range(6))


@pytest.mark.parametrize("role", ["judge", "worker"])
def test_who_is_killed_is_replaced(serving, lab, role):
    before = [serving.judge(), *serving.workers()]
    victim = before[0] if role == "judge" else before[1]
    os.kill(victim, 9)
    until("a replacement", lambda: len(serving.workers()) == 2 and serving.judge() not in (None, victim)
          if role == "judge" else len(serving.workers()) == 2 and victim not in serving.workers())
    assert len(set(before) & {serving.judge(), *serving.workers()}) == len(before) - 1
    until("it answers", serving.answers)
    assert served(lab, GOOD)


def test_the_ledger_outlives_the_judge(serving, dial):
    with dial(GOOD) as d:
        d.say("EHLO client.example.net")
        d.say("MAIL FROM:<sender@example.net>")
        assert d.say("RCPT TO:<user@elsewhere.test>") == 550
        assert d.quit() == 221
    until("the finding is judged", lambda: serving.json("client", "show", GOOD)["score"] > 0)
    victim = serving.judge()
    os.kill(victim, 9)
    until("a new judge answers", lambda: serving.judge() not in (None, victim) and serving.answers())
    assert [f["reason"] for f in serving.json("client", "show", GOOD)["findings"]] == ["relay-attempt"]


@pytest.mark.parametrize("how", [{"xdp_mode": "native"}, {"xdp_mode": "generic"}, {"shared": True}], ids=["native", "generic", "shared"])
def test_a_link_that_comes_back_is_guarded_again(gate, lab, how):
    serving = gate.configure(**how).start()
    lab.gateway.run("ip", "link", "add", "pstest0", "type", "veth", "peer", "name", "pstest1")
    try:
        serving.configure(interface=["gw0", "pstest0"], **how)
        before = serving.counter("config_reloads_total", result="ok")
        serving.hup()
        until("the reload", lambda: serving.counter("config_reloads_total", result="ok") > before)

        def guarded():
            return {link["interface"]: link["ifindex"] for link in serving.json("gate", "show")["links"]}

        until("it is attached", lambda: guarded().get("pstest0"))
        old, mode = guarded()["pstest0"], how.get("xdp_mode", "native")
        until("both are counted", lambda: serving.counter("gate_interfaces", state=mode) == 2)
        lab.gateway.run("ip", "link", "del", "pstest0")
        until("one is missed", lambda: (serving.counter("gate_interfaces", state=mode), serving.counter("gate_interfaces", state="not_attached")) == (1, 1))
        lab.gateway.run("ip", "link", "add", "pstest0", "type", "veth", "peer", "name", "pstest1")
        until("it is attached again", lambda: guarded().get("pstest0", 0) not in (0, old))
        until("it is counted", lambda: serving.counter("gate_reattach_total") > 0)
        assert {link["mode"] for link in serving.json("gate", "show")["links"]} == {mode}
        assert serving.counter("gate_interfaces", state="not_attached") == 0
    finally:
        lab.gateway.run("ip", "link", "del", "pstest0")


def test_a_link_that_was_taken_off_in_silence_is_found_by_the_audit(serving, lab):
    show = serving.json("gate", "show")
    before = serving.counter("gate_reattach_total")
    lab.gateway.run("bpftool", "link", "detach", "pinned", f"{show['pins']}/link_gw0")  # no message of the kernel tells of it
    until("it was attached again", lambda: serving.counter("gate_reattach_total") > before)
    until("it is attached", lambda: any(link["ifindex"] for link in serving.json("gate", "show")["links"]))


def request(lines):
    """What the control socket says to these bytes, until it hangs up or has said as many lines."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("/run/postern/control.sock")
        sock.settimeout(20)
        sock.sendall(lines)
        return json.loads(sock.makefile("rb").readline())


HOSTILE = {
    "not_json": (b"hello\n", True),
    "not_an_object": (b"[1]\n", True),
    "not_utf8": (b"\xff\xfe\n", True),
    "deep": (b"[" * 4000 + b"\n", True),
    "too_long": (b"x" * 5000, True),
    "no_command": (b"{}\n", True),
    "unknown": (b'{"command":"\\u001b[31m"}\n', True),
    "bad_prefix": (b'{"command":"ban add","prefix":"192.0.2.1/24","seconds":1}\n', True),
    "bad_seconds": (b'{"command":"ban add","prefix":"198.51.100.1","seconds":-1}\n', True),
    "huge_seconds": (b'{"command":"ban add","prefix":"198.51.100.1","seconds":9223372036854775807}\n', True),
    "bad_action": (b'{"command":"ban add","prefix":"198.51.100.1","seconds":1,"action":"shoot"}\n', True),
    "store_without_rows": (b'{"command":"store import","rows":0}\n', True),
    "store_bad_row": (b'{"command":"store import","rows":1}\nban prefix=192.0.2.1 until=soon\n', True),
    "store_no_text": (b'{"command":"store import","rows":2}\n\xff\x1b[31m\n', True),
    "store_no_such_ban": (b'{"command":"store import","rows":1}\nban prefix=192.0.2.1 until=forever port=25\n', True),
    "store_own_address": (b'{"command":"store import","rows":1}\nban prefix=127.0.0.1 until=forever origin=operator\n', False),
    "everybody": (b'{"command":"ban add","prefix":"0.0.0.0/0","seconds":1}\n', False),
    "backend": (b'{"command":"ban add","prefix":"127.0.0.1","seconds":1}\n', False),
    "own": (f'{{"command":"ban add","prefix":"{GATE4}","seconds":1}}\n'.encode(), False),
    "not_banned": (b'{"command":"ban del","prefix":"198.51.100.1"}\n', False),
}


def test_hostile_requests_are_refused(serving):
    judge = serving.judge()
    for name, (line, usage) in HOSTILE.items():
        reply = request(line)
        assert reply["schema"] == 1 and reply["usage"] == usage and reply["error"].isprintable(), name
    assert serving.judge() == judge and serving.json("ban", "show")["count"] == 0


def test_usage(lab):
    rows = ((["--nonsense"], 2), (["extra"], 2), (["-c"], 2), (["-V"], 0), (["-h"], 0), (["--check", "-c", "/none"], 1))
    for words, code in rows:
        done = subprocess.run(lab.gateway.command(gate_.POSTERND, *words), capture_output=True, check=False)
        assert done.returncode == code, words
