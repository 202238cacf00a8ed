# SPDX-License-Identifier: BSD-2-Clause
"""The gate in the lab: posternd with a configuration made here, and the postern command."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess

from lab import HOME, LabError, alive, children, run, stop, until
from mta import BUILD

WARDEN_UID, WORKER_UID, JUDGE_UID = 64320, 64321, 64322
UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../systemd/posternd.service")
PINS = "/sys/fs/bpf/postern"
CONFIG = f"{HOME}/postern.conf"
STORE = f"{HOME}/store"
POSTERN, POSTERND = f"{BUILD}/postern", f"{BUILD}/posternd"


def written(value):
    """A Python value as the configuration file writes it."""
    if isinstance(value, (list, tuple, set)):
        return "{" + ", ".join(written(item) for item in value) + "}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f'"{value}"' if isinstance(value, str) else str(value)


def render(settings):
    """{"key": value, "section": {...}, ("section", "title"): {...}} as a configuration file."""
    lines = []
    for key, value in settings.items():
        if isinstance(value, dict):
            title = key if isinstance(key, str) else f'{key[0]} "{key[1]}"'
            lines += [f"{title} {{", *(f"\t{k} = {written(v)}" for k, v in value.items()), "}"]
        else:
            lines.append(f"{key} = {written(value)}")
    return "\n".join(lines) + "\n"


def standard():
    """The configuration that the demo and the tests start from."""
    return {
        "interface": ["gw0"],
        "mode": "enforce",
        "hostname": "mx.example.org",
        "greet_pause": "100ms",
        "domains": ["example.org"],
        "worker_user": str(WORKER_UID),
        "judge_user": str(JUDGE_UID),
        ("listener", "mx"): {"address": "::", "port": 25},
        ("backend", "main"): {"address": "127.0.0.1", "port": 10025, "identity": "xclient"},
        "relay": {"mode": "only", "entries": [], "authenticated": True},
        "store": {"path": STORE, "interval": "1s"},
        # a handful of addresses are the whole world
        "ban": {"first": "5s", "max": "1h", "prefix_sources": 0, "breaker": 0},
        "rates": {"mode": "observe"},
        "limits": {"sessions": 4000, "sessions_per_source": 4000, "workers": 2},
    }


class Gate:
    def __init__(self, lab):
        self.lab, self.process, self.settings = lab, None, standard()
        self.as_root = False
        self.log = f"{HOME}/posternd.log"

    # --- the daemon ---------------------------------------------------------

    def configure(self, **changes):
        """Writes the configuration: the standard one with these settings over it.

        A name with "__" in it is section__title. A dict is merged, None removes.
        """
        self.settings = standard()
        for name, value in changes.items():
            key = tuple(name.split("__", 1)) if "__" in name else name
            if value is None:
                self.settings.pop(key, None)
            elif isinstance(value, dict):
                self.settings[key] = {**self.settings.get(key, {}), **value}
            else:
                self.settings[key] = value
        self.write(render(self.settings))
        return self

    def write(self, text):
        with open(CONFIG, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, stderr=None):
        with open(self.log, "ab") as log:
            self.process = self.lab.gateway.start(*self._rights(), POSTERND, "-c", CONFIG, stdout=log, stderr=stderr or log,
                                                  stdin=subprocess.DEVNULL)
        until("posternd serves", self._ready)
        return self

    def _rights(self):
        """What makes the daemon one of a user with capabilities, as the unit does it; nothing where it is to be root's."""
        if self.as_root or self.settings.get("shared"):
            own(PINS, 0)
            return []
        os.chmod("/sys/fs/bpf", 0o711)  # instead, the unit shows its own folder alone
        own(PINS, WARDEN_UID, make=0o700)
        own("/run/postern", WARDEN_UID, make=0o755)
        if not os.path.lexists(STORE):
            own(STORE, JUDGE_UID, make=0o700)
        return as_user(WARDEN_UID, unit_capabilities())

    def _ready(self):
        if self.process.poll() is not None:
            raise LabError(f"posternd did not start:\n{self.said()}")
        return self.judge() and self.workers() and self.lab.gateway.listening(25) and self.answers()

    def answers(self):
        return self.postern("-j", "client", "list", check=False).returncode == 0

    def stop(self):
        """Ends the daemon as an administrator would, and waits for all of its processes."""
        if self.process:
            family = self.pids()
            stop(self.process)
            self._gone(family)

    def kill(self):
        """Ends every process of the daemon at once, giving none the chance to do anything."""
        family = self.pids()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._gone(family)
        return family

    def _gone(self, family):
        self.process.wait()
        until("every process of posternd is gone", lambda: not any(alive(pid) for pid in family))
        self.process = None

    def close(self):
        """Whatever state it is in: no daemon, and nothing of it in the kernel, afterwards."""
        self.stop()
        self.postern("gate", "unload", check=False)
        with contextlib.suppress(OSError):
            os.rmdir(PINS)
        shutil.rmtree(STORE, ignore_errors=True)

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def pids(self):
        if not self.process or self.process.poll() is not None:
            return []
        return [self.process.pid, *children(self.process.pid)]

    def _of_user(self, uid):
        found = []
        for pid in self.pids():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{pid}").st_uid == uid or status(pid).get("Uid", "").split()[1] == str(uid):
                    found.append(pid)
        return found

    def warden(self):
        return self.process.pid

    def judge(self):
        return next((pid for pid in self._of_user(JUDGE_UID) if not is_store(pid)), None)

    def store(self):
        return next((pid for pid in self._of_user(JUDGE_UID) if is_store(pid)), None)

    def workers(self):
        return self._of_user(WORKER_UID)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def says(self, *texts):
        """Waits until its log has all of these; the log then. A line may come a moment after what it is about."""
        def all_said():
            said = self.said()
            return said if all(text in said for text in texts) else None
        return until(f"the log has {' and '.join(texts)}", all_said)

    # --- the command --------------------------------------------------------

    def postern(self, *words, check=True, text=None):
        """Runs `postern WORDS`; raises when it fails, unless check is off."""
        done = subprocess.run(self.lab.gateway.command(POSTERN, *map(str, words)), capture_output=True,
                              text=True, input=text, check=False)
        if check and done.returncode != 0:
            raise LabError(f"postern {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr or done.stdout}")
        return done

    def json(self, *words):
        return json.loads(self.postern("-j", *words).stdout)

    def counters(self):
        """Every counter, {"family{labels}": value}, read where the kernel keeps them: with or without a daemon."""
        rows = (line.rpartition(" ") for line in self.postern("stats", "prom").stdout.splitlines() if line[0] != "#")
        return {name.removeprefix("postern_"): float(value) if "." in value else int(value) for name, _, value in rows}

    def counter(self, family, **labels):
        """The sum of the rows of a family that have these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(value for name, value in self.counters().items()
                   if name.partition("{")[0] == family and all(w in name for w in wanted))

    def counts(self, n, family, **labels):
        """Waits for a counter that goes up to be n, and demands that it is not more."""
        got = until(f"{family} {labels} is {n}", lambda: (found := self.counter(family, **labels)) >= n and (found,))
        assert got == (n,), (family, labels, got)

    def probed(self):
        """Waits until every worker has asked every backend what it offers: from then on it is no matter which one serves a client."""
        backends = sum(isinstance(key, tuple) and key[0] == "backend" for key in self.settings)
        wanted = backends * self.settings.get("limits", {}).get("workers", 1)
        until("every worker knows the backends", lambda: self.counter("backend_connections_total", result="ok") >= wanted)
        return self

    def ban(self, prefix):
        """The row of `postern ban show` for a prefix as it is shown there, or None."""
        return next((row for row in self.json("ban", "show")["bans"] if row["prefix"] == prefix), None)

    def banned(self, prefix):
        return until(f"{prefix} is banned", lambda: self.ban(prefix))


def unit_capabilities():
    """What the unit gives to its user, as setpriv(1) calls them."""
    with open(UNIT, encoding="utf-8") as f:
        return re.search(r"^AmbientCapabilities=(.*)$", f.read(), re.M)[1].lower().replace("cap_", "").split()


def as_user(uid, capabilities):
    """The command that executes another as this user, with these capabilities and no others to be had."""
    caps = ",".join(["-all", *(f"+{cap}" for cap in capabilities)])
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--no-new-privs",
            "--bounding-set", caps, "--inh-caps", caps, "--ambient-caps", caps]


def certificate(chain, key, *names):
    """A certificate that signs itself, for these names; the key is the warden's to read and nobody else's."""
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={names[0]}",
         "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names), "-keyout", key, "-out", chain])
    os.chown(key, WARDEN_UID, WARDEN_UID)


def own(folder, uid, make=None):
    """The folder and all in it belong to uid, as the lines of postern.tmpfiles say. Made when make says the mode and it is not there."""
    if make is not None:
        os.makedirs(folder, make, exist_ok=True)
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            os.chown(path, uid, uid, follow_symlinks=False)


def is_store(pid):
    try:
        return status(pid)["Name"] == "postern-store"
    except OSError:
        return False


def status(pid):
    """/proc/PID/status as a dict."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
