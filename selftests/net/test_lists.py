# SPDX-License-Identifier: BSD-2-Clause
"""Blacklists as files: every format, folders, followed changes, and what a bad one does: nothing to the others, nothing to what was there."""

import gzip
import os
import shutil

import pytest

import smtp
from lab import GATE4, HOME, until

FOLDER = f"{HOME}/lists"
DROP, MORE = f"{FOLDER}/drop.txt", f"{FOLDER}/more.txt"
GOOD, ONE, TWO, THREE = "203.0.113.5", "198.51.100.65", "198.51.100.129", "198.51.100.193"

NFT = """table inet filter {
	set bad {
		type ipv4_addr
		flags interval
		elements = { 198.51.100.64/26,
			     198.51.100.128-198.51.100.191 timeout 1h }
	}
}
"""
IPSET = "create bad hash:net family inet\nadd bad 198.51.100.64/26\nadd bad 198.51.100.128/26 timeout 300\n"
JSON = '{"cidr":"198.51.100.64/26","sblid":"SBL1"}\n{"cidr":"198.51.100.128/26","sblid":"SBL2"}\n{"type":"metadata","records":2}\n'


@pytest.fixture(autouse=True)
def folder():
    os.makedirs(FOLDER)
    yield
    shutil.rmtree(FOLDER)


def put(path, text):
    """As a careful writer does: whole, then in its place by rename."""
    beside = f"{os.path.dirname(path)}/.{os.path.basename(path)}"
    with open(beside, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.rename(beside, path)


def listed(gate, address):
    return gate.json("list", "find", address)["listed"]


def row(gate, name):
    return next(r for r in gate.json("list", "show")["lists"] if r["name"] == name)


def followed(path, **more):
    return {"file": path, "follow": True, **more}


@pytest.mark.parametrize("text", [NFT, IPSET, JSON, gzip.compress(JSON.encode()), "198.51.100.64-198.51.100.191\n"],
                         ids=["nft", "ipset", "json", "gzip", "range"])
def test_every_format_is_enforced(gate, lab, text):
    put(DROP, text)
    gate.configure(list__drop={"file": DROP}).start()
    assert smtp.unreachable(lab.world, ONE, GATE4) and smtp.unreachable(lab.world, TWO, GATE4)
    assert listed(gate, ONE) and not listed(gate, THREE) and not listed(gate, GOOD)


def test_a_followed_list_is_loaded_when_it_changes(gate, lab):
    put(DROP, "198.51.100.64/26\n")
    gate.configure(list__drop=followed(DROP)).start()
    assert listed(gate, ONE) and not listed(gate, TWO)
    put(DROP, "198.51.100.128/26\n")
    until("the renamed file is loaded", lambda: listed(gate, TWO))
    assert not listed(gate, ONE) and smtp.unreachable(lab.world, TWO, GATE4)
    with open(DROP, "a", encoding="ascii") as f:
        f.write("198.51.100.192/26\n")
    until("the line written to it is loaded", lambda: listed(gate, THREE))
    assert row(gate, "drop")["prefixes"] == 2 and row(gate, "drop")["follow"]


def test_a_bad_edit_keeps_the_old_list_until_it_is_mended(gate, lab):
    put(DROP, "198.51.100.64/26\n")
    put(MORE, "198.51.100.128/26\n")
    gate.configure(list__drop=followed(DROP), list__more=followed(MORE, action="observe")).start()
    before = row(gate, "drop")
    assert before["state"] == "ok" and before["modified"]
    put(DROP, "198.51.100.192/26\n198.51.100.1/26\n")
    until("the list is stale", lambda: row(gate, "drop")["state"] == "stale")
    gate.says(f'{DROP}:2: "198.51.100.1/26": bits are set behind the length; the network is 198.51.100.0/26')
    assert listed(gate, ONE) and not listed(gate, THREE)
    assert row(gate, "drop")["loaded"] == before["loaded"] and row(gate, "drop")["modified"] == before["modified"]
    assert row(gate, "more")["state"] == "ok"

    put(MORE, "198.51.100.192/26\n")  # the other list goes on
    until("the other list is loaded", lambda: listed(gate, THREE))
    assert listed(gate, ONE) and not listed(gate, TWO)
    assert smtp.unreachable(lab.world, ONE, GATE4)
    put(DROP, "198.51.100.128/26\n")
    until("the mended list is loaded", lambda: listed(gate, TWO))
    assert row(gate, "drop")["state"] == "ok" and not listed(gate, ONE)


def test_everybody_is_listed_only_where_the_list_says_so(gate):
    put(DROP, "0.0.0.0/0\n::/0\n")
    gate.configure(list__drop={"file": DROP, "action": "observe"}).start()
    gate.says(f"{DROP}:1: this is all of IPv4; set everything = yes for this list")
    assert not listed(gate, ONE)
    gate.configure(list__drop={"file": DROP, "action": "observe", "everything": True})
    gate.postern("list", "reload")
    assert listed(gate, ONE) and listed(gate, "2001:db8::1") and listed(gate, "::1")
    put(DROP, "::/0\n")
    gate.postern("list", "reload")
    assert listed(gate, "8000::1") and not listed(gate, ONE)  # what is written as IPv6 is no IPv4


def test_a_reload_with_one_bad_list_loads_the_others(gate):
    put(DROP, "198.51.100.64/26\n")
    put(MORE, "198.51.100.128/26\n")
    gate.configure(list__drop={"file": DROP}, list__more={"file": MORE}).start()
    put(DROP, "nonsense\n")
    put(MORE, "198.51.100.192/26\n")
    done = gate.postern("list", "reload", check=False)
    assert done.returncode == 1
    assert f'list drop not loaded, its old entries stay: {DROP}:1: "nonsense": not an IPv4 or IPv6 address' in done.stderr
    assert listed(gate, ONE) and listed(gate, THREE) and not listed(gate, TWO)
    assert gate.postern("config", "check", check=False).returncode != 0


def test_a_folder_is_followed(gate):
    put(f"{FOLDER}/a", "198.51.100.64/26\n")
    gate.configure(list__drop=followed(FOLDER)).start()
    assert listed(gate, ONE)
    put(f"{FOLDER}/b", "198.51.100.128/26\n")
    until("the new file is loaded", lambda: listed(gate, TWO))
    os.unlink(f"{FOLDER}/a")
    until("the file that went is forgotten", lambda: not listed(gate, ONE))
    assert listed(gate, TWO)
    os.rename(FOLDER, f"{FOLDER}.old")
    os.makedirs(FOLDER)
    put(f"{FOLDER}/c", "198.51.100.192/26\n")
    until("the new folder is loaded", lambda: listed(gate, THREE))
    put(f"{FOLDER}/c", "198.51.100.64/26\n")
    until("and followed", lambda: listed(gate, ONE))
    shutil.rmtree(f"{FOLDER}.old")


def test_a_list_that_comes_late_is_loaded(gate):
    gate.configure(list__drop=followed(DROP)).start()
    assert row(gate, "drop")["state"] == "unread"
    put(DROP, "198.51.100.64/26\n")
    until("it is loaded", lambda: listed(gate, ONE))


def test_a_restart_with_a_bad_list_opens_nothing(gate, lab):
    put(DROP, "198.51.100.64/26\n")
    gate.configure(list__drop=followed(DROP)).start()
    gate.stop()
    put(DROP, "198.51.100.128/26\nnonsense\n")
    gate.start()
    assert listed(gate, ONE) and smtp.unreachable(lab.world, ONE, GATE4)
    gate.says("lists-kept list=drop: ")
    put(DROP, "198.51.100.128/26\n")
    until("it is loaded", lambda: listed(gate, TWO))
    assert not listed(gate, ONE)
