# SPDX-License-Identifier: BSD-2-Clause
"""No message is acknowledged and lost, whatever is killed, whenever."""

import contextlib
import itertools
import os
import re
import signal
import threading
import time

import pytest

import mta
import smtp
from lab import GATE4, until

SENDERS = 8
KILLS = 6


class Load:
    """Senders that each open a session per message and remember what was acknowledged."""

    def __init__(self, net):
        self.net, self.acknowledged, self.failed = net, [], 0
        self._numbers, self._stop = itertools.count(), threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(SENDERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self._threads), "a session hangs"

    def _send(self, sender):
        while not self._stop.is_set():
            name = f"load-{next(self._numbers)}"
            body = f"Subject: {name}\r\n\r\n".encode() + b"x" * 60 + b"\r\n" + b"y" * 2000 * (sender % 3)
            try:
                with smtp.dial(self.net, f"203.0.113.{10 + sender}", GATE4, timeout=20) as d:
                    if d.mail("sender@example.net", ["load@example.org"], body) == 250:
                        self.acknowledged.append(name)
                        continue
            except (OSError, smtp.Hangup):
                pass
            self.failed += 1
            time.sleep(0.01)


def kill(gate, role):
    pid = {"worker": lambda: gate.workers()[0], "judge": gate.judge, "warden": gate.warden}[role]()
    os.kill(pid, signal.SIGKILL)
    if role == "warden":
        family = gate.pids()
        gate.process.wait()
        until("the rest follows the warden", lambda: not gate.lab.gateway.listening(25))
        for child in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        gate.start()
    else:
        until(f"the {role} is replaced", lambda: gate.judge() not in (None, pid) and pid not in gate.workers() and len(gate.workers()) == 2)


@pytest.mark.parametrize("role", ["worker", "judge", "warden"])
def test_kill_under_load(gate, lab, role):
    gate.configure(greet_pause="0s").start()
    box = mta.Mailbox("load")
    box.empty()
    with Load(lab.world) as load:
        for _ in range(KILLS):
            seen = len(load.acknowledged)
            until("mail flows", lambda: len(load.acknowledged) >= seen + 20)
            kill(gate, role)
        seen = len(load.acknowledged)
        until("mail flows again", lambda: len(load.acknowledged) >= seen + 20)
    assert len(load.acknowledged) > KILLS * 20


    def delivered():
        return set(re.findall(r"^Subject: (load-\d+)$", b"".join(box.messages()).decode(), re.M))

    until("every acknowledged message is in the mailbox", lambda: set(load.acknowledged) <= delivered(), 120, 0.5)


def test_reloads_under_load_disturb_nobody(gate, lab):
    gate.configure(greet_pause="0s").start()
    box = mta.Mailbox("load")
    box.empty()
    with Load(lab.world) as load:
        for _ in range(KILLS):
            seen, before = len(load.acknowledged), gate.counter("config_reloads_total", result="ok")
            until("mail flows", lambda: len(load.acknowledged) >= seen + 20)
            gate.hup()
            until("the reload", lambda: gate.counter("config_reloads_total", result="ok") > before)
    assert load.failed == 0
    until("every message arrived once", lambda: box.count() == len(load.acknowledged), 120)
