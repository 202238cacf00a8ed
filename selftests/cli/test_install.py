# SPDX-License-Identifier: BSD-2-Clause
"""make install and make uninstall, and the units as systemd sees them."""

import os
import re
import subprocess

import pytest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
UNITS = f"{ROOT}/tools/systemd"


def make(*words):
    subprocess.run(["make", "-s", "-C", ROOT, *words, f"O={os.environ.get('O', 'build')}"], check=True, capture_output=True, text=True, timeout=600)


def files(folder):
    return {os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names}


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local", "/opt/postern"])
def test_uninstall_leaves_nothing_but_the_configuration(tmp_path, prefix):
    make("install", f"PREFIX={prefix}", f"DESTDIR={tmp_path}")
    there = files(tmp_path)
    for name in (f"{prefix}/sbin/posternd", f"{prefix}/sbin/postern", f"{prefix}/sbin/postern-exporter", f"{prefix}/share/man/man8/posternd.8",
                 f"{prefix}/share/man/man5/postern.conf.5", f"{prefix}/share/man/man7/postern-guide.7", f"{prefix}/lib/systemd/catalog/postern.catalog", "/etc/postern/postern.conf"):
        assert name[1:] in there
    with open(tmp_path / "etc/postern/postern.conf", "a", encoding="utf-8") as f:
        f.write("# mine\n")
    make("install", f"PREFIX={prefix}", f"DESTDIR={tmp_path}")  # over itself
    with open(tmp_path / "etc/postern/postern.conf", encoding="utf-8") as f:
        assert f.read().endswith("# mine\n")
    assert "@" not in "".join(re.findall(r"^Exec.*$", (tmp_path / next(n for n in there if n.endswith("posternd.service"))).read_text(), re.M))
    make("uninstall", f"PREFIX={prefix}", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == {"etc/postern/postern.conf"}
    assert not (tmp_path / prefix[1:] / "share/doc/postern").exists()


def test_the_journal_explains_every_event(tmp_path):
    """Installed where journalctl looks; it takes every entry, and each has a meaning, advice and the fields of its row."""
    make("install", "PREFIX=/usr", f"DESTDIR={tmp_path}")
    with open(f"{ROOT}/user/log_rows.h", encoding="utf-8") as f:
        rows = re.findall(r'^\tX\("([a-z-]+)", "([a-z_ ]*)", "([^"]+)", ', f.read(), re.M)
    subprocess.run(["journalctl", f"--root={tmp_path}", "--update-catalog"], check=True, capture_output=True)
    listed = subprocess.run(["journalctl", f"--root={tmp_path}", "--list-catalog"], check=True, capture_output=True, text=True).stdout
    entries = dict(re.findall(r"^([0-9a-f]{32}) Postern: (.+)$", listed, re.M))
    assert len(rows) > 90 and len(entries) == len(rows) == len(listed.splitlines())
    for event, keys, meaning in rows:
        assert entries[message_id(event)] == meaning
        shown = subprocess.run(["journalctl", f"--root={tmp_path}", "--dump-catalog", message_id(event)], check=True, capture_output=True, text=True).stdout
        assert "Documentation: man:posternd(8)" in shown and re.fullmatch(r"[A-Z].*[.?]", shown.split("\n\n")[1], re.S)
        assert re.findall(r"@(POSTERN_\w+)@", shown) == [f"POSTERN_{key.upper()}" for key in keys.split()]


def message_id(event):
    """Two sums (FNV-1a, 64 bits) of an event's name, as its entries in the journal have it."""
    def fnv(value):
        for octet in event.encode():
            value = (value ^ octet) * 1099511628211 % 2**64
        return value

    return f"{fnv(14695981039346656037):016x}{fnv(7809847782465536322):016x}"


def unit(tmp_path, name):
    """The unit as installed, with programs that exist."""
    with open(f"{UNITS}/{name}", encoding="utf-8") as f:
        text = f.read().replace("@SBINDIR@", str(tmp_path)).replace("@LIBDIR@", str(tmp_path))
    for program in ("posternd", "postern", "postern-exporter"):
        path = tmp_path / program
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


@pytest.mark.parametrize("name", ["posternd.service", "postern-exporter.service"])
def test_systemd_understands_every_line(tmp_path, name):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit(tmp_path, name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# What meets the network by itself; and the unit that loads BPF. In that one everything of posternd counts together: its judge and workers, who meet the
# network, give up far more by themselves than a unit can see (test_daemon.py and test_processes.py look at what they have left).
@pytest.mark.parametrize("name, most", [("postern-exporter.service", 1.5), ("posternd.service", 2.0)])
def test_exposure(tmp_path, name, most):
    said = subprocess.run(["systemd-analyze", "security", "--offline=yes", unit(tmp_path, name)], capture_output=True, text=True, check=True).stdout
    assert float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1]) <= most


# What a worker has left (test_daemon.py and test_processes.py look at live ones), in a unit's words: another user, no capability, no new privileges, the calls of
# its own filter and no others, and of the file system nothing (landlock), so that all that a unit would hide of it is out of reach.
WORKER = """[Service]
ExecStart=/bin/true
User=_postern
CapabilityBoundingSet=
NoNewPrivileges=yes
SystemCallArchitectures=native
SystemCallFilter={calls}
RestrictAddressFamilies=AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
KeyringMode=private
RemoveIPC=yes
UMask=0077
ProtectSystem=strict
DevicePolicy=closed
ProtectProc=invisible
ProcSubset=pid
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
"""


def worker_calls():
    with open(f"{ROOT}/user/cage_filter.c", encoding="utf-8") as f:
        table = re.search(r"worker_calls\[\] = \{(.*?)\};", f.read(), re.S)[1]
    return re.findall(r"SCMP_SYS\((\w+)\)", table) + ["socket", "mmap", "mprotect"]


def test_exposure_of_a_worker(tmp_path):
    """Who meets strangers; the filter's own list of calls is what counts here."""
    (tmp_path / "worker.service").write_text(WORKER.format(calls=" ".join(worker_calls())))
    said = subprocess.run(["systemd-analyze", "security", "--offline=yes", tmp_path / "worker.service"], capture_output=True, text=True, check=True).stdout
    assert float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1]) <= 1.5
