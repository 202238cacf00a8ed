# SPDX-License-Identifier: BSD-2-Clause
"""A machine: a clean Debian 12 whose first process is systemd, with a mail server of its own, on the gateway's network.

It has every namespace and a tree of control groups to itself; of the machine's own kernel it can set nothing but what belongs to its network.
Whatever it does ends with it, and it ends with the cell.
"""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess

import cell
import mta
from lab import HOME, LabError, alive, children, run, stop, until

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
CLEAN, PACKAGES = f"{mta.BUILD}/systemd-root.tar", "systemd-sysv,iproute2,postfix"
HOSTNAME = "mx.example.org"
NODES = ("null", "zero", "full", "random", "urandom", "tty")

def prepare():
    """The Debian package, and a clean Debian for it. Takes the network of the machine, so it is called outside of a lab."""
    subprocess.run(["make", "-s", "-C", TOP, "deb", f"O={mta.BUILD}"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sh", f"{TOP}/tools/deb/root", package(), CLEAN, PACKAGES], check=True)


def package():
    return glob.glob(f"{mta.BUILD}/postern_*.deb")[0]


def readme():
    """The commands that README tells the owner of a fresh Debian with Postfix to type."""
    with open(f"{TOP}/README.md", encoding="utf-8") as f:
        section = f.read().split("\n## Set it up in five minutes\n")[1].split("\n## ")[0]
    return [line.strip() for line in re.search(r"\n\n((?:    .*\n)+)", section)[1].splitlines()]


# It never gets to the clock, the kernel's modules and messages, or the hardware.
_BOOT = """
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf -o mode=700 bpf sys/fs/bpf
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=755 dev dev
for node in $2; do
	: >"dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
pivot_root . mnt
cd /
umount -l mnt
exec env -i container=postern PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv \
	--bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-mac_admin,-mac_override,-wake_alarm \
	/lib/systemd/systemd --log-target=journal --show-status=no
"""
_ENTER = """
echo $$ >"$1/cgroup.procs" || exit 1
exec unshare --cgroup --mount --propagation private --uts --ipc --pid --fork --kill-child sh -ec "$2" boot "$3" "$4"
"""


class Machine:
    """Up when it is made. Its files are below `root`, for whoever stands outside."""

    def __init__(self, lab, name="machine"):
        self.lab, self.disk, self.console = lab, f"{HOME}/{name}", f"{HOME}/{name}.console"
        os.makedirs(self.disk)
        run(["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", self.disk])
        run(["tar", "-xf", CLEAN, "-C", self.disk])
        self._furnish()
        self.process = self.init = self.root = None
        self.boot()

    def boot(self):
        with open(self.console, "ab") as console:
            self.process = self.lab.gateway.start("sh", "-c", _ENTER, "enter", cell.control_group(), _BOOT, self.disk, " ".join(NODES),
                                             stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        self.init = until("its first process", lambda: next(iter(children(self.process.pid)), None) or self._ended())
        self.root = f"/proc/{self.init}/root"
        until("it is up", lambda: self.systemctl("is-system-running", check=False).stdout.strip() in ("running", "degraded") or self._ended())

    def _ended(self):
        if self.process.poll() is not None:
            with open(self.console, encoding="utf-8", errors="replace") as f:
                raise LabError(f"the machine did not start:\n{f.read()}")

    def _furnish(self):
        """What makes it a mail server's machine that somebody runs: names, a user, Postfix on port 25 as Debian configures it."""
        for path, text in (("hostname", HOSTNAME), ("mailname", HOSTNAME), ("hosts", f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}"),
                           ("resolv.conf", "nameserver 127.0.0.1")):
            with open(f"{self.disk}/etc/{path}", "w", encoding="ascii") as f:
                f.write(text + "\n")
        for command in (["useradd", "--create-home", "user"],
                        ["postconf", "-e", f"myhostname = {HOSTNAME}", "mydestination = example.org, localhost", "relayhost ="]):
            run(["chroot", self.disk, *command])

    def halt(self):
        """As if the plug were pulled: nothing of it gets the chance to do anything, and of its memory nothing stays."""
        family = [self.init, *children(self.init)]
        stop(self.process, signal.SIGKILL)
        until("every process of the machine is gone", lambda: not any(alive(pid) for pid in family))

    def close(self):
        self.halt()
        run(["umount", self.disk])
        os.rmdir(self.disk)

    # --- what is done in it --------------------------------------------------------

    def command(self, *argv):
        return ["nsenter", f"--target={self.init}", "--all", "env", "-i", "-C", "/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "timeout", "-k", "5", "120", *map(str, argv)]

    def run(self, *argv, check=True, text=None):
        """Runs a command as root to its end, two minutes at most; a failing one raises with what it said, unless check is off."""
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, input=text, stdin=None if text else subprocess.DEVNULL, check=False)
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}: {done.stderr or done.stdout}\n{self._tail()}")
        return done

    def _tail(self):
        return subprocess.run(self.command("journalctl", "-n", "12"), capture_output=True, text=True, check=False).stdout

    def systemctl(self, *words, check=True):
        return self.run("systemctl", *words, check=check)

    def json(self, *words):
        return json.loads(self.run("postern", "-j", *words).stdout)

    def answers(self):
        return self.run("postern", "-j", "client", "list", check=False).returncode == 0

    def write(self, path, text):
        with open(f"{self.root}{path}", "w", encoding="utf-8") as f:
            f.write(text)

    def put(self, source, path):
        shutil.copy(source, f"{self.root}{path}")

    def read(self, path):
        with open(f"{self.root}{path}", encoding="utf-8", errors="replace") as f:
            return f.read()

    def exists(self, path):
        return os.path.lexists(f"{self.root}{path}")

    # --- what systemd says of it ---------------------------------------------------

    def show(self, unit, *names):
        """Properties of a unit: a string for one, a tuple for more."""
        said = self.systemctl("show", f"--property={','.join(names)}", unit).stdout
        found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        return found[names[0]] if len(names) == 1 else tuple(found[name] for name in names)

    def state(self, unit):
        return "/".join(self.show(unit, "ActiveState", "SubState"))

    def main_pid(self, unit):
        return int(self.show(unit, "MainPID"))

    def journal(self, *words):
        """Entries of the journal, {field: value}."""
        said = self.run("journalctl", "--output=json", "--all", *words, check=False).stdout
        return [json.loads(line) for line in said.splitlines()]

    def journal_says(self, *words):
        """Waits for entries that these words of journalctl select; the entries then."""
        return until(f"the journal has {' '.join(words)}", lambda: self.journal(*words), every=0.1)

    # --- what the kernel says of it ------------------------------------------------

    def processes(self, unit):
        """{pid: /proc/PID/status as a dict} of a unit's control group, by the machine's own pids."""
        found = {}
        for pid in self.run("cat", f"/sys/fs/cgroup{self.show(unit, 'ControlGroup')}/cgroup.procs").stdout.split():  # whoever reads it sees pids of their own
            with contextlib.suppress(OSError):
                found[int(pid)] = dict(line.split(":\t", 1) for line in self.read(f"/proc/{pid}/status").splitlines() if ":\t" in line)
        return found

    def users(self):
        """{name: uid}"""
        return {line.split(":")[0]: int(line.split(":")[2]) for line in self.read("/etc/passwd").splitlines()}

    def group(self, name):
        """Its number, as a string."""
        return next(line.split(":")[2] for line in self.read("/etc/group").splitlines() if line.startswith(f"{name}:"))


if __name__ == "__main__":
    prepare()
