# SPDX-License-Identifier: BSD-2-Clause
"""A million from a file: commands as an administrator types them, from text to the kernel. Run in a cell.

A million IPv4 addresses: `postern ban import`, `nft -f` into a hash set, `ipset restore` into hash:ip. A million prefixes, three
in four of them addresses and the others /24s, none in another, that replace a million others: `postern list reload` of a
running posternd, `nft -f` that flushes an interval set and fills it in one transaction, `ipset restore` into a new
hash:net that is swapped in. Everybody has a turn in every round. Memory: the gate's maps as the kernel
accounts them, preallocated tables included; of the others what unreclaimable slabs and vmalloc grow by.
"""

import glob
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))

# pylint: disable=wrong-import-position
from gate import POSTERN, Gate
from lab import HOME, Lab

MANY = 1_000_000
ROUNDS = 3
LIST = f"{HOME}/list.txt"


def figure(name, value, unit):
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit}), flush=True)


def dotted(n):
    return f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def addresses(seed):
    return [dotted(n) for n in random.Random(seed).sample(range(16 << 24, 120 << 24), MANY)]


def prefixes(seed):
    """Addresses below 100.0.0.0, /24s from there on."""
    dice = random.Random(seed)
    return [dotted(n) for n in dice.sample(range(16 << 24, 100 << 24), MANY * 3 // 4)] + \
        [dotted(n << 8) + "/24" for n in dice.sample(range(100 << 16, 120 << 16), MANY // 4)]


def write(name, head, rows, tail=""):
    path = f"{HOME}/{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(head)
        f.writelines(rows)
        f.write(tail)
    return path


def nft_file(name, kind, rows):
    """Flushes the set and fills it, in one transaction."""
    table = f"table netdev bulk {{ set {kind} {{ type ipv4_addr; {'flags interval;' if kind == 'nets' else 'size 1048576;'} }}; }}\n"
    return write(name, table + f"flush set netdev bulk {kind}\nadd element netdev bulk {kind} {{ ", ",".join(rows), " }\n")


def ipset_file(name, kind, rows):
    """Fills another set and swaps it in."""
    create = f"hash:{kind} family inet maxelem 1048576\n"
    return write(name, f"create {kind} {create}create new {create}", (f"add new {row}\n" for row in rows), f"swap new {kind}\ndestroy new\n")


def slabs():
    """KiB of kernel memory that sets may be in."""
    with open("/proc/meminfo", encoding="ascii") as f:
        rows = dict(re.findall(r"^(\w+):\s+(\d+)", f.read(), re.M))
    return int(rows["SUnreclaim"]) + int(rows["VmallocUsed"])


def settled():
    """slabs(), once what was deleted before has been given back, which the kernel does in its own time."""
    last, deadline = slabs(), time.monotonic() + 15
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = slabs()
        if abs(now - last) < 1024:
            break
        last = now
    return last


class Race:
    """Seconds of each contestant's commands, by turns."""

    def __init__(self, net):
        self.net, self.seconds, self.memory = net, {}, {}

    def run(self, name, *argv):
        first = name not in self.seconds
        before = settled() if first else 0
        begun = time.monotonic()
        subprocess.run(self.net.command(*argv), check=True, stdout=subprocess.DEVNULL)
        self.seconds.setdefault(name, []).append(time.monotonic() - begun)
        if first:  # nothing gives way to it
            self.memory[name] = (settled() - before) / 1024

    def tell(self, mine):
        middle = {name: statistics.median(values) for name, values in self.seconds.items()}
        for name, value in middle.items():
            figure(f"{name}_s", value, "s")
            if name != mine:
                figure(f"{name}_to_{mine}", value / middle[mine], "ratio")
                figure(f"{name}_mib", self.memory[name], "MiB")


def maps_mib(*names):
    """Of the pinned maps of these names; of all when none is named."""
    total = 0
    for path in glob.glob("/sys/fs/bpf/postern/v*/*"):
        shown = subprocess.run(["/usr/sbin/bpftool", "-j", "map", "show", "pinned", path], capture_output=True, check=False)
        if shown.returncode == 0 and (not names or os.path.basename(path).removeprefix("pst_") in names):
            total += int(json.loads(shown.stdout)["bytes_memlock"])
    assert total, f"no pinned map {names}"
    return total / 1048576


def bans(gate, net):
    race = Race(net)
    for n in range(ROUNDS):
        rows = addresses(n)
        plain = write("plain", "", (row + "\n" for row in rows))
        files = nft_file("nft", "addresses", rows), ipset_file("ipset", "ip", rows)
        gate.postern("gate", "load", "interface", "gw0")
        race.run("ban_import_1m", POSTERN, "ban", "import", plain, "for", "1d", "force")
        race.run("nft_set_load_1m", "nft", "-f", files[0])
        race.run("ipset_load_1m", "ipset", "restore", "-exist", "-file", files[1])
        if n == ROUNDS - 1:
            figure("bans_mib", maps_mib("bans"), "MiB")
        gate.postern("gate", "unload")
        net.run("nft", "delete", "table", "netdev", "bulk")
        net.run("ipset", "destroy")
    race.tell("ban_import_1m")


def lists(gate, net):
    race = Race(net)
    write("list.txt", "", (row + "\n" for row in prefixes(100)))
    gate.configure(list__bulk={"file": LIST}).start()
    for n in range(ROUNDS):
        rows = prefixes(n)
        files = nft_file("nft", "nets", rows), ipset_file("ipset", "net", rows)
        write("list.txt", "", (row + "\n" for row in rows))
        race.run("list_reload_1m", POSTERN, "list", "reload")
        race.run("nft_interval_replace_1m", "nft", "-f", files[0])
        race.run("ipset_net_replace_1m", "ipset", "restore", "-exist", "-file", files[1])
    figure("gate_maps_mib", maps_mib(), "MiB")
    race.tell("list_reload_1m")
    net.run("nft", "delete", "table", "netdev", "bulk")
    net.run("ipset", "destroy")


def main():
    with Lab() as lab:
        gate = Gate(lab).configure()
        lab.later(gate.close)
        bans(gate, lab.gateway)
        lists(gate, lab.gateway)


if __name__ == "__main__":
    main()
