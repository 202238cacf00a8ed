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


def probe(*words, uid=None):
    """In network namespaces of its own, where LINKS are: exit status and what it said."""
    as_user = f"setpriv --reuid {uid} --clear-groups" if uid else ""
    done = subprocess.run(["unshare", "-n", "sh", "-ec", f"{LINKS}\n exec {as_user} {POSTERN} -j feature probe {' '.join(words)}"],
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


def test_a_user_learns_that_he_cannot_know():
    code, said = probe(uid=65534)
    assert code == 0
    assert row(said["system"], "hash maps")["state"] == "unknown" and row(said["system"], "hash maps")["advice"] == "ask as root"


def test_an_interface_that_is_not_there():
    code, said = probe("dev", "nosuch0")
    assert code == 1 and said["error"] == "nosuch0: there is no such interface here; `ip link` lists them"
