# SPDX-License-Identifier: BSD-2-Clause
"""The Debian package on a clean Debian 12: it installs, protects a mail server, is upgraded, removed and purged, and leaves nothing."""

import glob
import os
import shutil
import subprocess

import pytest

import mta
import smtp
from lab import GATE4, run, stop, until

ROOT, CLEAN = "/run/clean", f"{mta.BUILD}/deb-root.tar"
PACKAGE = glob.glob(f"{mta.BUILD}/postern_*.deb")[0]
CONFIG = """
interface = { "gw0" }
hostname = "mx.example.org"
domains = { "example.org" }
greet_pause = 0s
listener "mx" { address = "::" port = 25 }
backend "main" { address = "127.0.0.1" port = 10025 identity = xclient }
"""
NOT_OURS = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/lib/dpkg", "/var/log", "/var/cache")


class Machine:
    """A clean Debian 12 that has the gateway's network."""

    def __init__(self, lab):
        self.lab = lab
        os.makedirs(ROOT)
        run(["mount", "-t", "tmpfs", "-o", "size=1500m", "tmpfs", ROOT])
        run(["tar", "-xf", CLEAN, "-C", ROOT])
        for kind, where in (("proc", "proc"), ("bpf", "sys/fs/bpf")):
            os.makedirs(f"{ROOT}/{where}", exist_ok=True)
            run(["mount", "-t", kind, kind, f"{ROOT}/{where}"])
        run(["mount", "--rbind", "/dev", f"{ROOT}/dev"])
        shutil.copy(PACKAGE, f"{ROOT}/tmp/postern.deb")

    def close(self):
        run(["umount", "-R", ROOT])

    def command(self, *argv):
        return self.lab.gateway.command("chroot", ROOT, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *argv)

    def run(self, *argv):
        return run(self.command(*argv))

    def files(self):
        found = set()
        for folder, folders, names in os.walk(ROOT):
            here = folder.removeprefix(ROOT)
            folders[:] = [name for name in folders if f"{here}/{name}" not in NOT_OURS]
            found |= {f"{here}/{name}" for name in names}
        return found

    def users(self):
        with open(f"{ROOT}/etc/passwd", encoding="utf-8") as f:
            return {line.split(":")[0] for line in f}


@pytest.fixture
def machine(lab, postfix):  # pylint: disable=unused-argument
    made = Machine(lab)
    yield made
    made.close()


@pytest.fixture
def daemon(machine):
    started = []

    def start():
        started.append(machine.lab.gateway.start("chroot", ROOT, "posternd", stderr=subprocess.DEVNULL))
        until("posternd serves", lambda: machine.lab.gateway.listening(25))
        return started[-1]

    yield start
    for process in started:
        stop(process)


def test_lintian_has_nothing_to_say():
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", PACKAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_it_comes_protects_and_goes(machine, daemon, box):
    before = machine.files()
    machine.run("dpkg", "-i", "/tmp/postern.deb")
    assert {"_postern", "_postern-warden", "_postern-judge", "_postern-export"} <= machine.users()
    assert "no errors" in machine.run("posternd", "--check")  # as it comes
    assert os.path.exists(f"{ROOT}/usr/lib/systemd/catalog/postern.catalog")
    with open(f"{ROOT}/etc/postern/postern.conf", "w", encoding="utf-8") as f:
        f.write(CONFIG)
    assert "no errors" in machine.run("postern", "config", "check")
    process = daemon()
    with smtp.dial(machine.lab.world, "203.0.113.5", GATE4) as d:
        assert d.mail("sender@example.net", ["user@example.org"], b"Subject: through the package\r\n\r\nhello\r\n") == 250
        d.quit()
    assert box.wait_for(b"through the package")
    assert "gw0" in machine.run("postern", "gate", "show")
    machine.run("postern", "ban", "add", "203.0.113.9", "for", "1h")
    assert smtp.unreachable(machine.lab.world, "203.0.113.9", GATE4)
    machine.run("dpkg", "-i", "/tmp/postern.deb")  # over itself: what runs goes on, what was configured stays
    assert process.poll() is None and smtp.dial(machine.lab.world, "203.0.113.5", GATE4).greeting == 220
    stop(process)
    assert smtp.unreachable(machine.lab.world, "203.0.113.9", GATE4)
    machine.run("dpkg", "-r", "postern")
    assert smtp.reaches(machine.lab.world, "203.0.113.9", GATE4)  # nothing is left in the kernel
    assert {name for name in machine.files() - before if not name.startswith(("/etc/", "/var/lib/postern/"))} == set()
    with open(f"{ROOT}/etc/postern/postern.conf", encoding="utf-8") as f:
        assert "mx.example.org" in f.read()
    machine.run("dpkg", "-P", "postern")
    left = {name for name in machine.files() - before if not name.endswith("-")}  # passwd- and the like
    assert left == set() and not any(name.startswith("_postern") for name in machine.users())
    assert not os.path.exists(f"{ROOT}/etc/postern") and not os.path.exists(f"{ROOT}/var/lib/postern")
