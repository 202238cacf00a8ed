# SPDX-License-Identifier: BSD-2-Clause
"""The lab: an Internet and a gateway, as two network namespaces in a cell (cell.py).

    world                                             gateway
      203.0.113.0/24, 198.51.100.0/24    world0 === gw0      192.0.2.10
      2001:db8:ace::/48, 2001:db8:bad::/48                   2001:db8:1::10

The world owns every address of its networks, so any of them can be a client. The gateway's card may have another name.
Everything that is made is undone by close(), the last thing first.
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time

import cell

GATE4, GATE6 = "192.0.2.10", "2001:db8:1::10"
ROUTER4, ROUTER6 = "192.0.2.1", "2001:db8:1::1"
WORLD_NETWORKS = ("203.0.113.0/24", "198.51.100.0/24", "2001:db8:ace::/48", "2001:db8:bad::/48")
HOME = "/run/lab"
PATIENCE = 60.0  # what is waited for comes at once on a quiet machine


class LabError(Exception):
    """Something the lab needs did not happen."""


def until(what, check, seconds=PATIENCE, every=0.02):
    """Polls check() until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > deadline:
            raise LabError(f"not within {seconds:g} s: {what}")
        time.sleep(every)


def run(argv, **more):
    """Runs a command to its end; a failing one raises with what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip() or done.returncode}")
    return done.stdout


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    """Pids of all descendants of pid that are alive."""
    parents = {}
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit():
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                    state, parent = f.read().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    parents.setdefault(int(parent), []).append(int(name))
    found, edge = [], [pid]
    while edge:
        edge = [child for parent in edge for child in parents.get(parent, [])]
        found += edge
    return found


class Net:
    """One network namespace."""

    def __init__(self, name):
        self.name, self.path = name, f"/run/netns/{name}"

    @contextlib.contextmanager
    def here(self):
        """Moves the calling thread into the namespace; sockets made meanwhile belong there."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                cell.setns(there)
            finally:
                os.close(there)
            try:
                yield self
            finally:
                cell.setns(back)
        finally:
            os.close(back)

    def command(self, *argv):
        return ["nsenter", f"--net={self.path}", *argv]

    def run(self, *argv, **more):
        return run(self.command(*argv), **more)

    def start(self, *argv, **more):
        """Starts a command in a session of its own, so that a terminal's ctrl-C does not reach it."""
        return subprocess.Popen(self.command(*argv), start_new_session=True, **more)

    def connect(self, source, to, port=25, timeout=PATIENCE):
        """A TCP connection made in this namespace; it stays there, whatever the thread does."""
        with self.here():
            return socket.create_connection((to, port), timeout, (source, 0) if source else None)

    def listening(self, port, address=None):
        with self.here():
            rows = run(["ss", "-Hltn", f"sport = :{port}"])
        return any(address in (None, row.split()[3].rpartition(":")[0].strip("[]")) for row in rows.splitlines())


class Lab:
    def __init__(self, card="gw0"):
        if not cell.inside():
            raise LabError("the lab lives in a cell: see cell.py")
        self.card = card
        self.world, self.gateway = Net("world"), Net("gateway")
        self._undo = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._undo.close()

    def later(self, undo, *args):
        """Calls undo(*args) when the lab closes, before everything that was made earlier is undone."""
        self._undo.callback(undo, *args)

    def _make(self):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        os.makedirs(HOME)
        self.later(shutil.rmtree, HOME)
        for net in (self.world, self.gateway):
            run(["ip", "netns", "add", net.name])
            self.later(run, ["ip", "netns", "del", net.name])
            net.run("ip", "link", "set", "lo", "up")
        self.world.run("ip", "link", "add", "world0", "type", "veth", "peer", "name", self.card,
                       "netns", self.gateway.path)
        for net, link, four, six in ((self.world, "world0", ROUTER4, ROUTER6), (self.gateway, self.card, GATE4, GATE6)):
            net.run("sysctl", "-qw", f"net.ipv6.conf.{link}.accept_dad=0")
            net.run("ip", "addr", "add", f"{four}/24", "dev", link)
            net.run("ip", "addr", "add", f"{six}/64", "dev", link, "nodad")
            net.run("ip", "link", "set", link, "up")
        for network in WORLD_NETWORKS:
            self.world.run("ip", "route", "add", "local", network, "dev", "lo")
        self.world.run("sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1")
        self.gateway.run("ip", "-4", "route", "add", "default", "via", ROUTER4)
        self.gateway.run("ip", "-6", "route", "add", "default", "via", ROUTER6)
        until("the link is up", lambda: "LOWER_UP" in self.gateway.run("ip", "link", "show", self.card))

    def world_takes_answers(self):
        """veth hands over what XDP sends back only to a peer that runs an XDP program, too: one that lets everything pass."""
        source, program = f"{HOME}/pass.c", f"{HOME}/pass.o"
        with open(source, "w", encoding="ascii") as f:
            f.write('__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }\n')
        run(["clang", "-O2", "-target", "bpf", "-g", "-c", source, "-o", program])
        self.world.run("ip", "link", "set", "dev", "world0", "xdp", "obj", program, "sec", "xdp")

    def world_takes_none(self):
        self.world.run("ip", "link", "set", "dev", "world0", "xdp", "off")

    def started(self, process):
        """Ends this process, started by Net.start(), when the lab closes."""
        self.later(stop, process)
        return process


def stop(process, how=signal.SIGTERM, seconds=PATIENCE):
    """Ends a process by its pid: first asks, then insists. Its exit status."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
