# SPDX-License-Identifier: BSD-2-Clause
"""feature probe: every row has its words; what it says of interfaces that are made here is right; it changes nothing."""

import json
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
POSTERN = os.path.join(os.path.abspath(os.environ.get("O", os.path.join(HERE, "../../build"))), "postern")
LINKS = """
ip link add v0 type veth peer name v1
ip link add br0 type bridge
ip link set v1 master br0
"""


def probe(*words, uid=None, links=""):
    """In network namespaces of its own, where LINKS and links are: exit status and what it said."""
    as_user = f"setpriv --reuid {uid} --clear-groups" if uid else ""
    done = subprocess.run(["unshare", "-n", "sh", "-ec", f"{LINKS}\n{links}\n exec {as_user} {POSTERN} -j feature probe {' '.join(words)}"],
                          capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def row(rows, name):
    return next(r for r in rows if r["name"] == name)


def test_every_row_is_said():
    code, said = probe("dev", "v0")
    for r in said["system"] + said["device"]:
        assert r["name"] and r["found"] and r["how"] and r["state"] in ("ok", "could be better", "missing", "unknown"), r
        assert r["advice"] is None or r["state"] != "ok" or r["name"] == "place", r
        assert r["advice"] or r["state"] not in ("missing", "could be better"), r
    assert code == 0, "the suites need a kernel that has all of it"
    assert row(said["system"], "bpf_link for XDP")["state"] == "ok"


@pytest.mark.parametrize("dev, state, words", [
    ("v0", "ok", None),
    ("v1", "ok", "a port of bridge br0"),
    ("br0", "could be better", "attach to its ports instead"),
])
def test_the_place_of_an_interface(dev, state, words):
    place = row(probe("dev", dev)[1]["device"], "place")
    assert place["state"] == state
    assert (words or "") in (place["advice"] or "") and (words is not None or place["advice"] is None)


@pytest.mark.parametrize("kind, links, dev, words", [
    ("macvlan", "ip link add link v0 name mv0 type macvlan", "mv0", "attach to v0 instead: what mv0 gets comes in there"),
    ("vlan", "ip link add link v0 name v0.5 type vlan id 5", "v0.5", "attach to v0 instead: the gate looks through VLAN tags there"),
    ("bond", "ip link add b0 type bond; ip link set v0 master b0", "v0", "attach to b0 instead: v0 is one of its members"),
])
def test_a_better_place_is_named(kind, links, dev, words):
    if subprocess.run(["unshare", "-n", "sh", "-ec", f"{LINKS}\n{links}"], capture_output=True, check=False).returncode:
        pytest.skip(f"this kernel has no interfaces of type {kind}")
    place = row(probe("dev", dev, links=links)[1]["device"], "place")
    assert place["state"] == "could be better" and words in place["advice"]


def test_a_user_learns_that_he_cannot_know():
    code, said = probe(uid=65534)
    assert code == 0
    assert row(said["system"], "hash maps")["state"] == "unknown" and row(said["system"], "hash maps")["advice"] == "ask as root"


def test_an_interface_that_is_not_there():
    code, said = probe("dev", "nosuch0")
    assert code == 1 and said["error"] == "nosuch0: there is no such interface here; `ip link` lists them"
