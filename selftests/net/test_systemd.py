# SPDX-License-Identifier: BSD-2-Clause
"""The Debian package on a running systemd, journald and Postfix: what README says is done on a fresh machine, and from then on as in years of service.

One machine for all, used in the order of this file; each test takes it as `serving` gives it.
"""

import glob
import re
import time

import pytest

import lab as lab_
import mta
import smtp
from lab import GATE4, until
from machine import Machine

PACKAGE = glob.glob(f"{mta.BUILD}/postern_*.deb")[0]
README = f"{mta.BUILD}/../README.md"
DAEMON, EXPORTER = "posternd.service", "postern-exporter.service"
UNITS = (DAEMON, EXPORTER)
GOOD, OFFENDER, BY_HAND = "203.0.113.5", "203.0.113.66", "203.0.113.9"
BOX = "/var/mail/user"
WARDEN_USER, JUDGE_USER, WORKER_USER, EXPORTER_USER = "_postern-warden", "_postern-judge", "_postern", "_postern-export"

CONFIG = """
interface = { "eth0" }
hostname = "mx.example.org"
domains = { "example.org" }
greet_pause = 0s
log = journal
listener "mx" {
	address = "::"
	port = 25
	tls = offer
	tls_certificate = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
	tls_key = "/etc/ssl/private/ssl-cert-snakeoil.key"
}
backend "main" { address = "127.0.0.1" port = 10025 identity = xclient }
ban { first = 1h prefix_sources = 0 breaker = 0 }
store { interval = 1s }
limits { workers = 2 }
"""


@pytest.fixture(scope="module")
def lab():
    with lab_.Lab(card="eth0") as made:
        yield made


@pytest.fixture(scope="module")
def machine(lab):
    made = Machine(lab)
    yield made
    made.close()


def commands():
    """What README tells the owner of a fresh Debian with Postfix to type."""
    with open(README, encoding="utf-8") as f:
        section = f.read().split("\n## Set it up in five minutes\n")[1].split("\n## ")[0]
    return [line.strip() for line in re.search(r"\n\n((?:    .*\n)+)", section)[1].splitlines()]


@pytest.fixture(scope="module")
def installed(machine):
    """The machine, protected as README says."""
    machine.put(PACKAGE, "/root/")
    begun = time.monotonic()
    for command in commands():
        machine.run("sh", "-c", command)
    print(f"protected by {len(commands())} commands in {time.monotonic() - begun:.1f} s")
    return machine


@pytest.fixture(scope="module")
def configured(installed):
    """The same with the configuration of these tests."""
    installed.write("/etc/postern/postern.conf", CONFIG)
    installed.systemctl("restart", DAEMON)
    return installed


@pytest.fixture
def serving(configured):
    """The machine with the gate in service, its usual configuration, and nobody banned."""
    configured.systemctl("reset-failed")
    configured.systemctl("start", DAEMON)
    until("it answers", configured.answers)
    if configured.read("/etc/postern/postern.conf") != CONFIG:
        configured.write("/etc/postern/postern.conf", CONFIG)
        configured.systemctl("reload", DAEMON)
    for ban in configured.json("ban", "show")["bans"]:
        configured.run("postern", "ban", "del", ban["prefix"])
    return configured


def delivered(machine, text):
    """Waits until the user's mailbox has this text."""
    return until(f"mail with {text!r}", lambda: machine.exists(BOX) and text in machine.read(BOX))


def send(machine, text, source=GOOD):
    """A message through the gate into the mailbox of the machine's own Postfix."""
    with smtp.dial(machine.lab.world, source, GATE4) as d:
        reply = d.mail("sender@example.net", ["user@example.org"], f"Subject: {text}\r\n\r\nhello\r\n".encode())
        assert reply == 250, reply
        d.quit()
    return delivered(machine, text)


def test_readmes_commands_make_a_fresh_machine_a_protected_one(installed):
    assert [installed.state(unit) for unit in UNITS] == ["active/running", "inactive/dead"]
    assert send(installed, "by README's commands")
    assert "Received: from client.example.net (unknown [203.0.113.5])" in installed.read(BOX)  # Postfix knows who it was
    gate = installed.json("gate", "show")
    assert gate["mode"] == "observe" and [(link["interface"], link["mode"]) for link in gate["links"]] == [("eth0", "native")]
    with smtp.dial(installed.lab.world, GOOD, GATE4) as d:
        assert d.mail("sender@example.net", ["user@elsewhere.test"], b"") == 550


BOUND_WARDEN = {"CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID"}
CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_ADMIN": 12,
                "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
# Role: its user and name, how many there are, and what the kernel has of it at most: in force, permitted, to be had again by an upgrade.
ROLES = {
    "warden": (WARDEN_USER, "posternd", 1, BOUND_WARDEN - {"CAP_PERFMON"}, BOUND_WARDEN, BOUND_WARDEN),
    "judge": (JUDGE_USER, "posternd", 1, set(), set(), set()),
    "store": (JUDGE_USER, "postern-store", 1, set(), set(), set()),
    "worker": (WORKER_USER, "posternd", 2, set(), set(), set()),
    "exporter": (EXPORTER_USER, "postern-exporte", 1, set(), set(), {"CAP_DAC_READ_SEARCH"}),
}


def names(bits):
    """A set of the kernel's as names; what has none here by its number."""
    known = {number: name for name, number in CAPABILITIES.items()}
    return {known.get(n, n) for n in range(64) if int(bits, 16) >> n & 1}


@pytest.mark.parametrize("role", ROLES)
def test_the_kernel_knows_each_process_by_few_rights(serving, role):
    serving.systemctl("start", EXPORTER)
    user, name, count, in_force, permitted, bound = ROLES[role]
    uid = str(serving.users()[user])

    def of_role():
        everybody = [*serving.processes(DAEMON).values(), *serving.processes(EXPORTER).values()]
        found = [process for process in everybody if (process["Uid"].split()[0], process["Name"]) == (uid, name)]
        return found if len(found) == count and len(everybody) == sum(row[2] for row in ROLES.values()) else None

    for process in until("those of the role, and of no other", of_role):
        assert set(process["Uid"].split()) == {uid} and len(set(process["Gid"].split())) == 1
        assert set(process["Groups"].split()) <= set(process["Gid"].split()) | ({serving.group("ssl-cert")} if role == "warden" else set())
        assert names(process["CapEff"]) <= in_force and names(process["CapPrm"]) <= permitted and names(process["CapBnd"]) <= bound
        assert names(process["CapAmb"]) <= in_force and names(process["CapInh"]) <= permitted
        assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")
