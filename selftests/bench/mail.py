# SPDX-License-Identifier: BSD-2-Clause
"""Mail through the gate against the same mail server directly, in one run, taking turns. Run in a cell.

smtp-source (world) -> smtp-sink (gateway) directly, and with posternd in between. Both ways cross
the same veth. The sink discards, so what is measured is the way there.
"""

import json
import os
import pwd
import re
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))

# pylint: disable=wrong-import-position
import mta
import smtp
from gate import Gate
from lab import GATE4, Lab, until

GATE, DIRECT = 25, 2525
ROUNDS = 5
SOURCE = "203.0.113.5"
IDLE_SESSIONS = 2000
#         name                 messages, parallel, bytes, extra options
LOADS = (("session_each_4k",   1500, 16, 4096, []),
         ("long_sessions_4k",  4000, 16, 4096, ["-d"]),
         ("long_sessions_1m",  80, 4, 1 << 20, ["-d"]))


def figure(name, value, unit):
    print(json.dumps({"name": f"mail.{name}", "value": value, "unit": unit}), flush=True)


def sink(lab, address, port):
    argv, env = mta.tool("postfix", "smtp-sink")
    user = pwd.getpwnam("nobody").pw_name
    lab.started(lab.gateway.start(*argv, "-u", user, f"inet:{address}:{port}", "1000", env=env))
    until(f"smtp-sink listens on {port}", lambda: lab.gateway.listening(port))


def rate(lab, port, messages, parallel, size, options):
    """Messages per second."""
    argv, env = mta.tool("postfix", "smtp-source")
    begun = time.monotonic()
    lab.world.run(*argv, *options, "-s", str(parallel), "-m", str(messages), "-l", str(size), "-f", "a@example.net",
                  "-t", "user@example.org", f"inet:{GATE4}:{port}", env=env)
    return messages / (time.monotonic() - begun)


def throughput(lab):
    for name, *load in LOADS:
        seen = {GATE: [], DIRECT: []}
        for _ in range(ROUNDS):
            for port in (DIRECT, GATE):
                seen[port].append(rate(lab, port, *load))
        through, direct = (statistics.median(seen[port]) for port in (GATE, DIRECT))
        figure(f"{name}.gate", round(through, 1), "messages/s")
        figure(f"{name}.direct", round(direct, 1), "messages/s")
        figure(f"{name}.gate_to_direct", round(through / direct, 3), "ratio")


def transaction(dialog):
    """Seconds from MAIL to the reply to the end of data."""
    begun = time.perf_counter()
    for command, code in (("MAIL FROM:<a@example.net>", 250), ("RCPT TO:<user@example.org>", 250), ("DATA", 354)):
        assert dialog.say(command) == code
    assert dialog.content(b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n") == 250
    return time.perf_counter() - begun


def session(lab, port):
    """Seconds from connecting to the reply to QUIT, with one message."""
    begun = time.perf_counter()
    d = smtp.Dialog(lab.world.connect(SOURCE, GATE4, port))
    d.say("EHLO client.example.net")
    transaction(d)
    d.quit()
    return time.perf_counter() - begun


def latency(lab):
    dialogs = {port: smtp.Dialog(lab.world.connect(SOURCE, GATE4, port)) for port in (DIRECT, GATE)}
    for d in dialogs.values():
        d.say("EHLO client.example.net")
    ways = (("transaction", 1000, lambda port: transaction(dialogs[port])),
            ("session", 300, lambda port: session(lab, port)))
    for name, times, measure in ways:
        seen = {GATE: [], DIRECT: []}
        for _ in range(times):
            for port in (DIRECT, GATE):
                seen[port].append(measure(port) * 1e6)
        cut = {port: statistics.quantiles(values, n=100) for port, values in seen.items()}
        for p in (50, 99):
            figure(f"{name}.added_p{p}", round(cut[GATE][p - 1] - cut[DIRECT][p - 1]), "us")
            figure(f"{name}.direct_p{p}", round(cut[DIRECT][p - 1]), "us")


def resident(pids):
    """Bytes that these processes alone hold in memory."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += sum(int(kib) for kib in re.findall(r"^Private_\w+:\s+(\d+) kB", f.read(), re.M)) * 1024
    return total


def idle(lab, gate):
    """Sessions that were greeted and say nothing more; the first hundred are there before measuring starts."""
    held = [smtp.dial(lab.world, SOURCE, GATE4) for _ in range(100)]
    before = resident(gate.workers())
    for _ in range(IDLE_SESSIONS):
        held.append(smtp.dial(lab.world, SOURCE, GATE4))
    greeted = resident(gate.workers())
    for d in held:
        d.say("EHLO client.example.net")
    figure("idle_session_greeted", round((greeted - before) / IDLE_SESSIONS), "bytes")
    figure("idle_session_after_ehlo",
           round((resident(gate.workers()) - before) / IDLE_SESSIONS), "bytes")
    for d in held:
        d.close()


def main():
    with Lab() as lab:
        sink(lab, "127.0.0.1", 10025)
        sink(lab, GATE4, DIRECT)
        gate = Gate(lab).configure(greet_pause="0s", backend__main={"identity": "none"}, limits={"messages": 0})
        lab.later(gate.close)
        gate.start()
        throughput(lab)
        latency(lab)
        idle(lab, gate)


if __name__ == "__main__":
    main()
