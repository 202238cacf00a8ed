# SPDX-License-Identifier: BSD-2-Clause
"""The demo: it ends in time, it is true, and whatever ends it, nothing is left behind."""

import os
import re
import signal
import subprocess
import time

import pytest

from lab import alive, children, until
from mta import BUILD

DEMO = os.path.join(os.path.dirname(__file__), "../../tools/demo/demo.py")


def scenery():
    """All that a demo could leave: mounts, named namespaces, pins, sockets and files, links."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = sorted(line.split()[4] for line in f)
    folders = {folder: sorted(os.listdir(folder)) for folder in ("/run", "/sys/fs/bpf", "/dev/shm")}
    links = sorted(line.split(": ")[1] for line in subprocess.check_output(["ip", "-o", "link"], text=True).splitlines())
    return mounts, folders, links


@pytest.fixture
def demo(tmp_path):
    """demo(HOLD=...): starts it; its processes are ended after the test, were there any left."""
    started = []

    def start(**environment):
        out = open(tmp_path / "out", "w+", encoding="utf-8")
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        process = subprocess.Popen(["/usr/bin/python3", DEMO], stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, "O": BUILD, "TMPDIR": str(scratch), **environment})
        process.said = lambda: (tmp_path / "out").read_text(encoding="utf-8")
        process.scratch = scratch
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_it_is_true_and_leaves_nothing(demo):
    before, begun = scenery(), time.monotonic()
    playing = demo()
    assert playing.wait(180) == 0, playing.said()
    assert time.monotonic() - begun < 120
    said = playing.said()
    assert "claims were checked and are true" in said and "550 5.7.1 Unable to relay" in said and "\x1b" not in said
    assert scenery() == before and not os.listdir(playing.scratch)


@pytest.mark.parametrize("how, moment", [
    (signal.SIGINT, "\n1. "), (signal.SIGINT, "\n6. "), (signal.SIGTERM, "\n3. "), (signal.SIGHUP, "\n3. "),
    (signal.SIGKILL, "\n1. "), (signal.SIGKILL, "\n3. "),
], ids=lambda value: getattr(value, "name", str(value).strip(" .\n")))
def test_interrupted_it_leaves_nothing(demo, how, moment):
    before = scenery()
    playing = demo()
    until(f"the demo says {moment!r}", lambda: moment in playing.said() or playing.poll() is not None, 90)
    family = children(playing.pid)
    assert len(family) > 10
    playing.send_signal(how)
    assert playing.wait(60) != 0
    until("none of its processes is left", lambda: not any(alive(pid) for pid in family))
    assert scenery() == before and not os.listdir(playing.scratch)


def test_held_it_stays_up_until_interrupted(demo):
    before = scenery()
    playing = demo(HOLD="1")
    until("the scene stays up", lambda: "ctrl-C" in playing.said() or playing.poll() is not None, 120)
    pid = re.search(r"nsenter -t (\d+)", playing.said()).group(1)
    inside = subprocess.run(["nsenter", "-t", pid, "-m", "-p", "nsenter", "--net=/run/netns/gateway",
                             f"{BUILD}/postern", "gate", "show"], capture_output=True, text=True, check=False)
    assert inside.returncode == 0 and "gw0" in inside.stdout, inside.stderr
    playing.send_signal(signal.SIGINT)
    assert playing.wait(60) == 0
    assert scenery() == before
