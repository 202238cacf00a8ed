# SPDX-License-Identifier: BSD-2-Clause
"""The state on disk: a million bans out of the kernel onto it and back after a reboot, and what keeping it costs the judge. Run in a cell."""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))

# pylint: disable=wrong-import-position
from gate import POSTERN, STORE, Gate
from lab import HOME, Lab, until

MANY = 1_000_000
ROUNDS = 3
ORDERS = 3000  # bans by hand, one after another


def figure(name, value, unit):
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit}), flush=True)


def dotted(n):
    return f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def show(gate):
    return gate.json("store", "show")


def saved(gate):
    """Seconds from the last word of the import to the commit of the last ban."""
    path = f"{HOME}/bans"
    with open(path, "w", encoding="ascii") as f:
        f.writelines(dotted(n) + "\n" for n in random.Random(1).sample(range(16 << 24, 120 << 24), MANY))
    subprocess.run(gate.lab.gateway.command(POSTERN, "ban", "import", path, "for", "7d", "force"), check=True, stdout=subprocess.DEVNULL)
    os.unlink(path)
    begun = time.monotonic()
    until("all are on disk", lambda: show(gate)["records"] >= MANY, 300, 0.1)
    return time.monotonic() - begun


def restored(gate):
    """As the store measures it: from the first record read to the last one that the judge has taken."""
    gate.stop()
    gate.postern("gate", "unload")
    gate.start()
    until("all are back", lambda: show(gate)["restored"], 300, 0.1)
    now = show(gate)
    assert now["restored_bans"] == MANY and gate.json("gate", "show")["bans"] == MANY
    return now["restore_ms"] / 1000


def orders(gate):
    """Bans a second on the control socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("/run/postern/control.sock")
        answers = sock.makefile("rb")
        begun = time.monotonic()
        for n in range(ORDERS):
            sock.sendall(json.dumps({"command": "ban add", "prefix": f"198.18.{n >> 8}.{n & 255}", "seconds": 60}).encode() + b"\n")
            assert "error" not in json.loads(answers.readline())
        return ORDERS / (time.monotonic() - begun)


def many(lab):
    gate = Gate(lab).configure().start()
    lab.later(gate.close)
    until("the store is up", lambda: show(gate)["state"] == "up", 60, 0.1)
    figure("store_save_1m_s", saved(gate), "s")
    figure("store_file_1m_mib", os.path.getsize(f"{STORE}/state.mdb") / 1048576, "MiB")
    figure("store_restore_1m_s", statistics.median(restored(gate) for _ in range(ROUNDS)), "s")
    gate.close()


def cost(lab):
    """By turns, for the machine is not the same twice."""
    seen = {True: [], False: []}
    for _ in range(ROUNDS):
        for kept in seen:
            gate = Gate(lab).configure(store={"enabled": kept}).start()
            lab.later(gate.close)
            if kept:
                until("the store is up", lambda g=gate: show(g)["state"] == "up", 60, 0.1)
            seen[kept].append(orders(gate))
            gate.close()
    figure("store_bans_per_s", statistics.median(seen[True]), "bans/s")
    figure("store_bans_to_none", statistics.median(seen[True]) / statistics.median(seen[False]), "ratio")


def main():
    with Lab() as lab:
        many(lab)
        cost(lab)


if __name__ == "__main__":
    main()
