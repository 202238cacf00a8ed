# SPDX-License-Identifier: BSD-2-Clause
"""Real mail servers that are never installed: unpacked into build/mta and run in a root of their own.

The root is an overlay (package over the machine's own files) on a tmpfs of the cell, in a
mount namespace of the server: nothing of it is seen, or left, outside.
"""

import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys

from lab import HOME, PATIENCE, LabError, alive, children, run, stop, until

BUILD = os.path.abspath(os.environ.get("O") or os.path.join(os.path.dirname(__file__), "../../build"))
MAIL = f"{HOME}/mail"
POSTFIX_UID, POSTDROP_GID, BOX_UID = 64330, 64331, 64332

_ENTER_ROOT = """
set -e
mount -t overlay -o "lowerdir=$1/package:/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
mount --rbind /dev "$1/root/dev"
mount --rbind /run "$1/root/run"
mount -t proc proc "$1/root/proc"
root=$1/root
shift
exec chroot "$root" "$@"
"""


def unpack(package):
    """The folder with the files of a Debian package and of the libraries it needs and the machine lacks.

    Fetched once, kept under build/mta. Takes the network of the machine, so it is called outside of a lab.
    """
    where = f"{BUILD}/mta/{package}"
    if os.path.exists(where):
        return where
    making = f"{where}.{os.getpid()}"
    os.makedirs(making)
    try:
        wanted, fetched = [package], set()
        while wanted:
            fetched.add(wanted[0])
            wanted += set(_lacking(_fetch(wanted.pop(0), making))) - fetched - set(wanted)
        # Debian 12 has one /usr: what a package ships in /lib is found in /usr/lib.
        for name in ("lib", "bin", "sbin"):
            if os.path.isdir(f"{making}/{name}"):
                shutil.copytree(f"{making}/{name}", f"{making}/usr/{name}", symlinks=True, dirs_exist_ok=True)
                shutil.rmtree(f"{making}/{name}")
        os.rename(making, where)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return where


def _fetch(package, where):
    """Unpacks a package into where; returns what it depends on."""
    for attempt in (1, 2):
        try:
            run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], cwd=where)
            break
        except LabError:
            if attempt == 2:
                raise
            run(["apt-get", "-qq", "update"])
    needs = ""
    for name in os.listdir(where):
        if name.endswith(".deb"):
            needs = run(["dpkg-deb", "-f", f"{where}/{name}", "Depends"])
            run(["dpkg-deb", "-x", f"{where}/{name}", where])
            os.unlink(f"{where}/{name}")
    return needs


def _lacking(needs):
    first = (need.split("|")[0].split() for need in needs.split(","))  # others may be names that no package has
    return [name for name, *_ in filter(None, first) if name.startswith("lib")
            and subprocess.run(["dpkg", "-s", name], capture_output=True, check=False).returncode != 0]


def tool(package, name):
    """(command line, environment) of a client program of an unpacked package, run in the machine's own root."""
    root = unpack(package)
    return [f"{root}/usr/sbin/{name}"], {**os.environ, "LD_LIBRARY_PATH": f"{root}/usr/lib/{package}"}


MAIN_CF = f"""
compatibility_level = 3.6
myhostname = backend.example.org
mydestination =
inet_interfaces = loopback-only
inet_protocols = all
mynetworks = 127.0.0.0/8 [::1]/128 203.0.113.200/32
default_transport = discard
virtual_mailbox_domains = example.org
virtual_mailbox_base = {MAIL}
virtual_mailbox_maps = inline:{{ user@example.org=user/ other@example.org=other/ load@example.org=load/ }}
virtual_minimum_uid = 1000
virtual_uid_maps = static:{BOX_UID}
virtual_gid_maps = static:{BOX_UID}
virtual_mailbox_limit = 0
message_size_limit = 20000000
smtpd_authorized_xclient_hosts = 127.0.0.0/8 [::1]/128
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_tls_security_level = none
in_flow_delay = 0
local_header_rewrite_clients =
alias_maps =
alias_database =
maillog_file = {HOME}/postfix.log
maillog_file_prefixes = /run
"""

MASTER_CF = """
127.0.0.1:10025 inet n - n - - smtpd
[::1]:10025 inet n - n - - smtpd
127.0.0.1:10026 inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy
127.0.0.1:10027 inet n - n - - smtpd -o smtpd_authorized_xclient_hosts=
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Server:
    """A server program of a package that is not installed, in a root of its own, in the namespace `where` of the lab.

    What subclasses say: package, argv, ports that it listens on, users {name: uid}, groups {name: gid}, files {path: text}
    and folders {path: uid}, inside its root.
    """

    name, groups, files, folders, where = None, {}, {}, {}, "gateway"

    def __init__(self, lab):
        self.lab, self.process, self.name = lab, None, self.name or type(self).__name__.lower()
        self.home, self.out = f"{HOME}/{self.name}", f"{HOME}/{self.name}.out"
        os.makedirs(MAIL, exist_ok=True)
        os.chown(MAIL, BOX_UID, BOX_UID)
        for name in ("upper/etc", "work", "root"):
            os.makedirs(f"{self.home}/{name}")
        # On the tmpfs: overlayfs takes no layer that lies inside another one.
        shutil.copytree(unpack(self.package), f"{self.home}/package", symlinks=True)
        groups = {**self.users, **self.groups}
        self._write("etc/passwd", _read("/etc/passwd") + "".join(
            f"{name}:x:{uid}:{uid}::/:/usr/sbin/nologin\n" for name, uid in self.users.items()))
        self._write("etc/group", _read("/etc/group") + "".join(f"{name}:x:{gid}:\n" for name, gid in groups.items()))
        for path, uid in self.folders.items():
            os.makedirs(f"{self.home}/upper/{path}", exist_ok=True)
            os.chown(f"{self.home}/upper/{path}", uid, uid)
            os.chmod(f"{self.home}/upper/{path}", 0o711)
        for path, text in self.files.items():
            self._write(path, text)

    def _write(self, path, text):
        path = f"{self.home}/upper/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        with open(self.out, "ab") as out:
            self.process = getattr(self.lab, self.where).start(
                "unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER_ROOT, "enter", self.home,
                *self.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        until(f"{self.name} listens", self._ready)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise LabError(f"{self.name} did not start: {self.told().strip()}")
        return all(getattr(self.lab, self.where).listening(port) for port in self.ports)

    def told(self):
        """What it wrote to where its errors go."""
        return _read(self.out)

    def stop(self):
        """Ends the server and waits until none of its processes is left."""
        if not self.process:
            return
        family = [self.process.pid, *children(self.process.pid)]
        stop(self.process)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):  # it may end by itself meanwhile
                os.kill(pid, signal.SIGTERM)
        until(f"{self.name} is gone", lambda: not any(alive(pid) for pid in family))
        self.process = None


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


class Postfix(Server):
    """The mail server behind the gate, on loopback ports of one network namespace:
    10025 takes XCLIENT, 10026 wants the PROXY protocol, 10027 takes the connection as it is."""

    package, argv, ports = "postfix", ["/usr/sbin/postfix", "start-fg"], (10025, 10026, 10027)
    users, groups = {"postfix": POSTFIX_UID}, {"postdrop": POSTDROP_GID}
    folders = {"var/lib/postfix": POSTFIX_UID, "var/spool/postfix": 0}
    files = {"etc/postfix/main.cf": MAIN_CF, "etc/postfix/master.cf": MASTER_CF}
    log = f"{HOME}/postfix.log"

    def __init__(self, lab):
        super().__init__(lab)
        shutil.copy(f"{self.home}/package/usr/share/postfix/dynamicmaps.cf", f"{self.home}/upper/etc/postfix/dynamicmaps.cf")

    def said(self):
        """The mail log so far."""
        try:
            return _read(self.log)
        except FileNotFoundError:
            return ""


class Mailbox:
    """A Maildir of the mail server."""

    def __init__(self, name):
        self.folder = f"{MAIL}/{name}/new"

    def count(self):
        try:
            return len(os.listdir(self.folder))
        except FileNotFoundError:
            return 0

    def messages(self):
        """Every message, as bytes, as the mail server wrote it."""
        found = []
        for name in sorted(os.listdir(self.folder)) if self.count() else []:
            with open(f"{self.folder}/{name}", "rb") as f:
                found.append(f.read())
        return found

    def wait_for(self, what, seconds=PATIENCE):
        """The one message that has these bytes in it."""
        return until(f"a message with {what!r} in {self.folder}",
                     lambda: next((m for m in self.messages() if what in m), None), seconds)

    def empty(self):
        for name in os.listdir(self.folder) if self.count() else []:
            os.unlink(f"{self.folder}/{name}")


QUEUES = ("postfix/maildrop", "postfix/incoming", "postfix/active", "exim4/input", "smtpd/queue")


def queued():
    """The files of messages that servers of ours are still to deliver."""
    return [name for server in glob.glob(f"{HOME}/*/upper/var/spool") for queue in QUEUES
            for folder, _, names in os.walk(f"{server}/{queue}") for name in (f"{folder}/{n}" for n in names)]


def settle(seconds=10.0):
    """Waits until the servers have delivered what they took: none of it shall arrive in the next test. What stays for another reason is let be."""
    with contextlib.suppress(LabError):
        until("all is delivered", lambda: not queued(), seconds)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(unpack(wanted))
