# SPDX-License-Identifier: BSD-2-Clause
"""A new posternd where an older one's gate is in force: nothing gets through in between, nothing is forgotten.

The older gate is one of every schema before ours (selftests/packet/old_gate.h): two bans, a list, counters.
"""

import json
import os
import subprocess

import pytest
from scapy.all import Ether, IP, TCP

from lab import GATE4, HOME, stop, until
from mta import BUILD

BANNED, LISTED, CLEAN = "192.0.2.2", "198.51.100.7", "203.0.113.7"
PINS = "/sys/fs/bpf/postern/v"
SCHEMA = 3
LIST = f"{HOME}/old.txt"

FLOOD = """
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("world0", 0))
frames = [bytes.fromhex(word) for word in sys.argv[1:]]
while True:
    for frame in frames:
        try:
            sock.send(frame)
        except OSError:
            pass
"""


def frame(lab, source):
    mac = json.loads(lab.gateway.run("ip", "-j", "link", "show", "gw0"))[0]["address"]
    return bytes(Ether(dst=mac) / IP(src=source, dst=GATE4) / TCP(sport=40000, dport=25, flags="S")).hex()


class Ear:
    """Counts, behind XDP, what comes from a source."""

    def __init__(self, lab):
        self.net = lab.gateway
        rules = "".join(f"ip saddr {ip} counter name c{n}\n" for n, ip in enumerate((BANNED, LISTED, CLEAN)))
        self.net.run("nft", "-f", "-", input="table netdev leak {\ncounter c0 {}\ncounter c1 {}\ncounter c2 {}\n"
                     f"chain in {{ type filter hook ingress device gw0 priority 0;\n{rules}}}\n}}\n")

    def heard(self, source):
        name = f"c{(BANNED, LISTED, CLEAN).index(source)}"
        said = json.loads(self.net.run("nft", "-j", "list", "counter", "netdev", "leak", name))
        return next(row["counter"]["packets"] for row in said["nftables"] if "counter" in row)

    def close(self):
        self.net.run("nft", "delete", "table", "netdev", "leak")


@pytest.fixture
def ear(lab):
    made = Ear(lab)
    yield made
    made.close()


@pytest.fixture
def flood(lab):
    process = lab.world.start("/usr/bin/python3", "-c", FLOOD, *(frame(lab, ip) for ip in (BANNED, LISTED, CLEAN)),
                              stderr=subprocess.DEVNULL)
    yield process
    stop(process)


@pytest.fixture(params=range(1, SCHEMA), ids="schema{}".format)
def old(lab, gate, request):
    """The older gate, and a configuration with the same list."""
    gate.schema, gate.pins = request.param, f"{PINS}{request.param}"
    lab.gateway.run(f"{BUILD}/selftests/packet/test_migrate", str(gate.schema), gate.pins, "gw0")
    with open(LIST, "w", encoding="ascii") as f:
        f.write("198.51.100.0/24\n")
    gate.configure(list__old={"file": LIST, "action": "drop"})
    yield gate
    subprocess.run(lab.gateway.command(f"{BUILD}/postern", "--pins", gate.pins, "gate", "unload"), capture_output=True, check=False)


def more_of(ear, source):
    """Waits until packets of this source were heard that were not there before: the flood goes on."""
    before = ear.heard(source)
    until(f"more of {source}", lambda: ear.heard(source) > before + 1000)


def leaked(ear):
    return ear.heard(BANNED), ear.heard(LISTED)


def remembers(gate):
    rows = {row["prefix"]: row for row in gate.json("ban", "show")["bans"]}
    assert set(rows) == {"192.0.2.1", "192.0.2.2"}
    assert rows["192.0.2.1"]["origin"] == "operator" and rows["192.0.2.1"]["note"] == "an old grudge"
    assert rows["192.0.2.2"]["score"] == 120 and rows["192.0.2.2"]["hits"] >= 15


def test_a_newer_daemon_takes_over_without_a_leak(old, ear, flood):  # pylint: disable=unused-argument
    more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0)
    old.start()
    more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0)
    remembers(old)
    assert not os.path.exists(old.pins) and os.path.exists(f"{PINS}{SCHEMA}/link_gw0")
    until("the ban works", lambda: old.counter("xdp_packets_total", reason="banned", verdict="dropped") > 1017)
    until("the list works", lambda: old.counter("xdp_packets_total", reason="listed") > 1000)
    assert old.counter("messages_total", result="accepted") == 1020 + 31


def test_the_command_takes_over_without_a_daemon(old, ear, flood):  # pylint: disable=unused-argument
    more_of(ear, CLEAN)
    assert f"older version (schema {old.schema}" in old.postern("ban", "show", check=False).stderr
    old.postern("-c", f"{HOME}/postern.conf", "gate", "load")
    more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0)
    remembers(old)
    assert not os.path.exists(old.pins)


def test_a_list_that_cannot_be_read_holds_the_command_up(old, ear, flood):  # pylint: disable=unused-argument
    os.unlink(LIST)
    done = old.postern("-c", f"{HOME}/postern.conf", "gate", "load", check=False)
    assert done.returncode == 1 and "list old" in done.stderr
    more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0) and os.path.exists(old.pins)


def test_a_list_that_cannot_be_read_stays_as_it_was(old, ear, flood):  # pylint: disable=unused-argument
    os.unlink(LIST)
    old.start()
    more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0) and not os.path.exists(old.pins)
    row = old.json("list", "show")["lists"][0]
    assert row["name"] == "old" and row["prefixes"] == (1, 3)[old.schema - 1] and row["state"] == "stale"
    with open(LIST, "w", encoding="ascii") as f:
        f.write("198.51.100.0/25\n198.51.100.0/26\n")
    old.postern("list", "reload")
    more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0)
    assert old.json("list", "show")["lists"][0]["state"] == "ok"


@pytest.fixture
def newer(lab):
    """Something that is pinned as a later version's gate; in force before the flood begins."""
    pins = f"{PINS}{SCHEMA + 1}"
    lab.gateway.run(f"{BUILD}/selftests/packet/test_migrate", "1", pins, "gw0")
    yield pins
    subprocess.run(lab.gateway.command(f"{BUILD}/postern", "--pins", pins, "gate", "unload"), capture_output=True, check=False)


def test_a_newer_gate_is_left_alone(lab, gate, newer, ear, flood):  # pylint: disable=unused-argument,too-many-arguments
    done = subprocess.run(lab.gateway.command(f"{BUILD}/posternd", "-c", f"{HOME}/postern.conf"), capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 1 and newer in done.stderr and "nothing was touched" in done.stderr
    more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0)
    gate.postern("--pins", newer, "gate", "unload")
    assert not os.path.exists(newer)


def test_a_restart_changes_the_program_without_a_leak(old, ear, flood):  # pylint: disable=unused-argument
    old.start()
    program = old.json("gate", "show")["links"][0]["program"]
    for end in (old.stop, old.kill):
        end()
        more_of(ear, CLEAN)
        old.start()
        link = old.json("gate", "show")["links"][0]
        assert link["program"] != program
        program = link["program"]
        more_of(ear, CLEAN)
    assert leaked(ear) == (0, 0)
    old.postern("gate", "unload")
    more_of(ear, BANNED)  # and the ear does hear
