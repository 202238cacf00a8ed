# SPDX-License-Identifier: BSD-2-Clause
"""A cell: private mount and process namespaces around one piece of work.

Inside, /run and /dev/shm are an empty tmpfs and /sys/fs/bpf an empty bpffs, so programs use
their default paths without meeting what the machine itself, or another cell, runs. Whatever is started, mounted
or pinned inside is ended by the kernel with the cell's first process, however that ends.

    python3 cell.py COMMAND [ARGUMENT...]     runs a command in a cell
"""

import contextlib
import ctypes
import glob
import os
import signal
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_libc = ctypes.CDLL(None, use_errno=True)


def _check(what, result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(kind, where, flags=0, options=None):
    _check(f"mount {kind} on {where}", _libc.mount(
        kind.encode(), where.encode(), kind.encode(), ctypes.c_ulong(flags),
        options.encode() if options else None))


def setns(fd, kind=0):
    _check("setns", _libc.setns(fd, kind))


def own_network():
    """From now on this thread, and what it starts, has a network of its own: a loopback interface that is up, and nothing else."""
    _check("unshare", _libc.unshare(CLONE_NEWNET))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def die_with_parent():
    """For a child just forked: the kernel kills it when its parent ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(work):
    """Calls work() as a child of a cell's first process; returns the exit status.

    SIGINT, SIGTERM and SIGHUP are passed on to it, so it can leave in its own time.
    """
    # Blocked until the handler is there: a signal in between must not split the family.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    groups = _control_groups()
    _check("unshare", _libc.unshare(CLONE_NEWNS | CLONE_NEWPID))
    reading, writing = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(writing)
        die_with_parent()
        os._exit(_first_process(work, reading))
    os.close(reading)
    os.write(writing, str(first).encode())
    os.close(writing)
    try:
        return _wait(first)
    finally:
        _sweep_control_groups(groups)


def _control_groups():
    """Where the machine has its tree of control groups of version 2."""
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return next((mount[1] for mount in map(str.split, f) if mount[2] == "cgroup2"), None)


def control_group():
    """The folder of a control group for a tree of the cell's own, made if need be; it goes with the cell, if the machine has such a tree itself."""
    where = _control_groups()
    if not where:
        where = "/run/control-groups"
        os.makedirs(where)
        mount("cgroup2", where)
    group = f"{where}/postern-cell-{inside()}"
    os.makedirs(group, exist_ok=True)
    return group


def _sweep_control_groups(where):
    """Removes those of cells that have ended: of this one, and of any that was killed with its outer process."""
    for group in glob.glob(f"{where}/postern-cell-*"):
        try:
            os.kill(int(group.rpartition("-")[2]), 0)
        except ProcessLookupError:
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


def _first_process(work, reading):
    os.setsid()  # a terminal's ctrl-C then comes from the outer process only, once
    os.environ["POSTERN_CELL"] = os.read(reading, 32).decode()
    os.close(reading)
    _check("make mounts private", _libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755")
    if os.path.isdir("/dev/shm"):
        mount("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777")
    mount("bpf", "/sys/fs/bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700")
    worker = os.fork()
    if worker == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        status = 1
        try:
            status = work()
        except SystemExit as e:
            status = e.code if isinstance(e.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        os._exit(status or 0)
    return _wait(worker)


def _wait(pid):
    """Reaps every child; returns the status of pid, passing signals on to it meanwhile."""
    def pass_on(number, _):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in FORWARDED:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while True:
        ended, status = os.wait()
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def inside():
    """The pid, as seen from outside, of the cell's first process; None outside of a cell."""
    return os.environ.get("POSTERN_CELL")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: cell.py COMMAND [ARGUMENT...]")
    if os.geteuid() != 0:
        sys.exit("cell.py: namespaces take root")

    def command():
        child = subprocess.Popen(sys.argv[1:])
        for number in FORWARDED:
            signal.signal(number, lambda n, _: child.send_signal(n))
        code = child.wait()
        return code if code >= 0 else 128 - code

    sys.exit(run(command))
