# SPDX-License-Identifier: BSD-2-Clause
"""The Debian package on a running systemd, journald and Postfix: what README says is done on a fresh machine, and from then on as in years of service.

One machine for all, used in the order of this file; each test takes it as `serving` gives it.
"""

import contextlib
import http.client
import re
import shutil
import ssl

import pytest

import dnslists
import lab as lab_
import mta
import secure
import smtp
from lab import GATE4, HOME, run, until
from machine import TOP, Machine, package, readme
from test_ban import offend

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
ban { first = 1h grace = 0 prefix_sources = 0 breaker = 0 }
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


@pytest.fixture(scope="module")
def unpacked(machine):
    """The first of these commands is done: the package is there."""
    machine.put(package(), "/root/")
    machine.run("sh", "-c", readme()[0])
    return machine


@pytest.fixture(scope="module")
def installed(unpacked):
    """The machine, protected as README says."""
    for command in readme()[1:]:
        unpacked.run("sh", "-c", command)
    return unpacked


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


FOLDERS = {"/var/lib/postern": ("root", 0o755), "/var/lib/postern/store": (JUDGE_USER, 0o700), "/run/postern": (WARDEN_USER, 0o755),
           "/sys/fs/bpf/postern": (WARDEN_USER, 0o700)}


def test_the_package_brings_users_and_folders_and_waits(unpacked):
    users = unpacked.users()
    assert {WARDEN_USER, JUDGE_USER, WORKER_USER, EXPORTER_USER} <= set(users)
    for path, (user, mode) in FOLDERS.items():
        assert unpacked.run("stat", "-c", "%U %a", path).stdout.split() == [user, f"{mode:o}"], path
    assert [unpacked.systemctl("is-enabled", unit, check=False).stdout.strip() for unit in UNITS] == ["disabled", "disabled"]
    assert [unpacked.state(unit) for unit in UNITS] == ["inactive/dead", "inactive/dead"]
    assert unpacked.lab.gateway.listening(25)  # still Postfix


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


def test_status_says_what_runs_and_what_it_said(serving):
    said = serving.systemctl("status", DAEMON).stdout
    assert re.search(r'Status: "Version [0-9.]+, 1 listener, 2 workers; /etc/postern/postern.conf"', said)
    assert "Active: active (running)" in said and "Docs: man:posternd(8)" in said and "started version=" in said


# --- what its hardening lets it do ------------------------------------------------


def reconfigure(machine, more, how=("systemctl", "reload", DAEMON), of=CONFIG, check=True):
    """The usual configuration and more of it, in force; or what was said instead."""
    machine.write("/etc/postern/postern.conf", of + more)
    return machine.run(*how, check=check)


def banned(machine, source):
    return until(f"{source} is banned", lambda: next((row for row in machine.json("ban", "show")["bans"] if row["prefix"] == source), None))


def rcpt(machine, source, to="user@example.org"):
    with smtp.dial(machine.lab.world, source, GATE4) as d:
        assert d.say("EHLO client.example.net") == 250 and d.say("MAIL FROM:<sender@example.net>") == 250
        return d.say(f"RCPT TO:<{to}>")


def test_mail_passes_and_an_offender_is_dropped_at_the_card(serving):
    send(serving, "under the unit's hardening")
    with smtp.dial(serving.lab.world, OFFENDER, GATE4) as d:
        offend(d)
    assert banned(serving, OFFENDER)["reason"] == "relay-attempt"
    assert smtp.unreachable(serving.lab.world, OFFENDER, GATE4)
    serving.run("postern", "ban", "del", OFFENDER)
    assert rcpt(serving, OFFENDER) == 250


def test_tls_with_debians_own_key(serving):
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with smtp.dial(serving.lab.world, GOOD, GATE4) as d:
        assert d.say("EHLO client.example.net") == 250 and d.say("STARTTLS") == 220
        inside = smtp.Dialog(anybody.wrap_socket(d.sock), greet=False)
        assert inside.sock.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(serving.read("/etc/ssl/certs/ssl-cert-snakeoil.pem"))
        assert inside.mail("sender@example.net", ["user@example.org"], b"Subject: inside TLS\r\n\r\n") == 250
    delivered(serving, "inside TLS")


def test_a_key_of_the_gates_own_as_its_manual_says(serving):
    secure.make_certificate()
    for source, name in ((secure.CHAIN, "mx.pem"), (secure.KEY, "mx.key")):
        serving.put(source, f"/root/{name}")
    own = CONFIG.replace("/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/postern/mx.pem").replace("/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/postern/mx.key")
    serving.run("install", "-m", "0644", "/root/mx.pem", "/etc/postern/mx.pem")
    serving.run("install", "-m", "0600", "/root/mx.key", "/etc/postern/mx.key")
    assert "mx.key: Permission denied for user _postern-warden" in reconfigure(serving, "", of=own, how=("postern", "config", "reload"), check=False).stderr
    serving.run("install", "-o", "root", "-g", WARDEN_USER, "-m", "0640", "/root/mx.key", "/etc/postern/mx.key")
    serving.systemctl("reload", DAEMON)
    with smtp.dial(serving.lab.world, GOOD, GATE4) as d:
        assert secure.starttls(d).say("EHLO client.example.net") == 250


def test_the_control_socket_is_for_root_and_a_group(serving):
    def asked(*words):
        return serving.run("setpriv", "--reuid=user", "--regid=user", "--groups=adm", "postern", *words, check=False)

    for words in (("client", "list"), ("ban", "add", BY_HAND, "for", "1h"), ("ban", "del", BY_HAND), ("allow", "add", GOOD)):
        assert "run as root or as a member of the control group" in asked(*words).stderr, words
    reconfigure(serving, 'control_group = "adm"\n', how=("systemctl", "restart", DAEMON))
    until("it answers", serving.answers)
    for words, said in ((("config", "reload"), ""), (("ban", "add", BY_HAND, "for", "1h"), f"{BY_HAND} is banned\n"), (("ban", "del", BY_HAND), "no longer"),
                        (("allow", "add", "192.0.2.99"), "is now"), (("allow", "del", "192.0.2.99"), "no longer")):
        done = asked(*words)
        assert (done.returncode, done.stderr) == (0, "") and said in done.stdout, (words, done)
    for words, why in ((("ban", "del", BY_HAND), f"{BY_HAND} is not banned"), (("allow", "del", BY_HAND), "is not in the allow table"), (("ban", "show"), "run as root")):
        done = asked(*words)
        assert done.returncode == 1 and why in done.stderr, (words, done)
    until("who asked is logged", lambda: serving.journal("POSTERN_EVENT=control", f"POSTERN_UID={serving.users()['user']}", "POSTERN_COMMAND=ban add"))


def greeting(machine):
    with smtp.dial(machine.lab.world, GOOD, GATE4) as d:
        return str(d.greeting)


def test_a_reload_takes_what_is_right_and_refuses_what_is_wrong(serving):
    warden = serving.main_pid(DAEMON)
    right = CONFIG.replace('hostname = "mx.example.org"', 'hostname = "other.example.org"')
    reconfigure(serving, "", of=right)
    assert greeting(serving).startswith("220 other.example.org ")
    assert reconfigure(serving, "no_such_setting = 1\n", check=False).returncode != 0
    where = f"/etc/postern/postern.conf:{CONFIG.count(chr(10)) + 1}: "
    assert any(where in entry["MESSAGE"] for entry in serving.journal_says("--grep", "no_such_setting"))
    assert where in serving.run("postern", "config", "reload", check=False).stderr
    assert serving.state(DAEMON) == "active/running" and serving.main_pid(DAEMON) == warden
    assert greeting(serving).startswith("220 other.example.org ")  # the old one goes on
    assert serving.show(DAEMON, "StatusText").endswith("; /etc/postern/postern.conf is refused, the configuration before it is in force")
    reconfigure(serving, "")
    assert serving.show(DAEMON, "StatusText").endswith(" workers; /etc/postern/postern.conf")


def test_a_list_is_followed(serving):
    serving.write("/etc/postern/blocked", "198.51.100.0/25\n")
    reconfigure(serving, 'list "blocked" { file = "/etc/postern/blocked" action = drop follow = yes }\n')
    until("the list is in force", lambda: smtp.unreachable(serving.lab.world, "198.51.100.1", GATE4))
    serving.write("/etc/postern/blocked.new", "198.51.100.128/25\n")
    serving.run("mv", "/etc/postern/blocked.new", "/etc/postern/blocked")
    until("the change is in force", lambda: smtp.unreachable(serving.lab.world, "198.51.100.200", GATE4))
    assert smtp.reaches(serving.lab.world, "198.51.100.1", GATE4)


ZONE = "bl.example"


@pytest.fixture(scope="module")
def resolver(lab):
    """What the machine's /etc/resolv.conf names, and a DNS list behind it."""
    lists, server = dnslists.Rbldnsd(lab, ZONE), dnslists.Unbound(lab, ZONE)
    lists.tell({ZONE: {"203.0.113.77": "127.0.0.2"}})
    for one in (lists, server):
        lab.later(one.stop)
        one.start()
    server.tell((GOOD, "mail.good.example", 60), ("mail.good.example", GOOD, 60))
    return server


def test_names_and_dns_lists_are_asked_for(serving, resolver):  # pylint: disable=unused-argument
    reconfigure(serving, f'dns {{ names = yes }}\ndnsl {{ sites = {{ "{ZONE}" }} }}\ntests {{ dnsl = enforce }}\n', of=CONFIG.replace("greet_pause = 0s", "greet_pause = 2s"))
    until("the zone has been tested", lambda: [row["state"] for row in serving.json("dnsl", "show")["zones"]] == ["up"])
    assert str(rcpt(serving, "203.0.113.77")) == f"550 5.7.1 Your address is on DNS list {ZONE}"
    send(serving, "with a name")
    assert "Received: from client.example.net (mail.good.example [203.0.113.5])" in serving.read(BOX)


def test_what_is_stored_is_there_after_a_restart_without_the_gate(serving):
    serving.run("postern", "ban", "add", BY_HAND, "for", "1h", "reason", "by hand")
    until("it is on disk", lambda: BY_HAND in serving.run("postern", "store", "export", "-").stdout)
    serving.systemctl("restart", DAEMON)
    assert banned(serving, BY_HAND)["note"] == "by hand"
    serving.systemctl("stop", DAEMON)
    serving.run("postern", "gate", "unload")
    assert smtp.reaches(serving.lab.world, BY_HAND, GATE4)
    serving.systemctl("start", DAEMON)
    assert banned(serving, BY_HAND)["note"] == "by hand" and smtp.unreachable(serving.lab.world, BY_HAND, GATE4)


def test_the_emergency_lever_and_back_again(serving):
    """The gate goes and comes by hand, while the daemon runs, and the daemon is still master of it."""
    serving.run("postern", "gate", "unload")
    assert rcpt(serving, GOOD) == 250
    serving.systemctl("restart", DAEMON)
    until("it answers", serving.answers)
    assert [link["mode"] for link in serving.json("gate", "show")["links"]] == ["native"]
    serving.run("postern", "ban", "add", BY_HAND, "for", "1h")
    assert smtp.unreachable(serving.lab.world, BY_HAND, GATE4)


# --- the journal --------------------------------------------------------------------


def test_the_journal_has_fields_a_classic_line_and_advice(serving):
    with smtp.dial(serving.lab.world, OFFENDER, GATE4) as d:
        offend(d)
    entry = serving.journal_says("POSTERN_EVENT=ban", f"POSTERN_PREFIX={OFFENDER}")[-1]
    assert entry["MESSAGE"].startswith(f"judge: ban prefix={OFFENDER} ") and "\n" not in entry["MESSAGE"]
    assert re.fullmatch("[0-9a-f]{32}", entry["MESSAGE_ID"]) and entry["POSTERN_REASON"] == "relay-attempt" and entry["POSTERN_ROLE"] == "judge"
    assert (entry["_SYSTEMD_UNIT"], entry["SYSLOG_IDENTIFIER"], entry["SYSLOG_FACILITY"]) == (DAEMON, "postern", "2")
    assert int(entry["_UID"]) == serving.users()[JUDGE_USER]
    denied = serving.journal_says("POSTERN_EVENT=denied", f"POSTERN_CLIENT={OFFENDER}")[-1]
    assert int(denied["_UID"]) == serving.users()[WORKER_USER] and denied["_SYSTEMD_UNIT"] == DAEMON
    said = serving.run("journalctl", "-x", "POSTERN_EVENT=ban", f"POSTERN_PREFIX={OFFENDER}").stdout
    assert "Subject: A ban was written" in said and "Defined-By: Postern" in said and "postern ban del" in said and OFFENDER in said, said


# --- when it dies, hangs, or is ended -------------------------------------------------


def kill(machine, pid, how):
    machine.run("sh", "-c", f"kill -{how} {pid}")


def restarts(machine):
    return int(machine.show(DAEMON, "NRestarts"))


@contextlib.contextmanager
def drop_in(machine, text, more=""):
    """The daemon with this beside its unit, and this beside its configuration."""
    folder = f"/etc/systemd/system/{DAEMON}.d"
    machine.run("mkdir", "-p", folder)
    machine.write(f"{folder}/test.conf", text)
    machine.write("/etc/postern/postern.conf", CONFIG + more)
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", DAEMON)
    try:
        yield
    finally:
        machine.run("rm", "-r", folder)
        machine.write("/etc/postern/postern.conf", CONFIG)
        machine.systemctl("daemon-reload")
        machine.systemctl("restart", DAEMON)


def restarted(machine, before, how):
    """What systemd does when the main process is treated like that: bans are enforced at every moment, and another takes over."""
    machine.run("postern", "ban", "add", BY_HAND, "for", "1h")
    count = restarts(machine)
    kill(machine, before, how)
    assert smtp.unreachable(machine.lab.world, BY_HAND, GATE4)
    until("it was started again", lambda: restarts(machine) > count and machine.main_pid(DAEMON) not in (0, before) and machine.state(DAEMON) == "active/running")
    until("it answers", machine.answers)
    assert smtp.unreachable(machine.lab.world, BY_HAND, GATE4)
    send(machine, f"after SIG{how} {before}")


def test_a_warden_that_hangs_is_ended_and_started_again(serving):
    with drop_in(serving, "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n"):
        until("it answers", serving.answers)
        restarted(serving, serving.main_pid(DAEMON), "STOP")
        assert serving.journal_says("--unit", DAEMON, "--grep", "Watchdog timeout")


def test_a_warden_that_is_killed_is_started_again(serving):
    restarted(serving, serving.main_pid(DAEMON), "KILL")


def test_what_cannot_start_is_tried_until_it_can(serving):
    """An address that comes late, a disk that was full: nobody has to be there to say start again."""
    serving.write("/etc/postern/postern.conf", CONFIG.replace('address = "::"', 'address = "192.0.2.77"'))
    address = ["192.0.2.77/24", "dev", "eth0"]
    assert serving.systemctl("restart", DAEMON, check=False).returncode != 0
    try:
        until("it was tried more often than systemd's limit", lambda: restarts(serving) > 6)
        assert serving.journal_says("--unit", DAEMON, "--grep", "192.0.2.77")
        serving.lab.gateway.run("ip", "addr", "add", *address)
        until("it serves", lambda: serving.state(DAEMON) == "active/running")
        assert serving.lab.gateway.listening(25, "192.0.2.77")
    finally:
        serving.write("/etc/postern/postern.conf", CONFIG)
        serving.systemctl("restart", DAEMON)
    serving.lab.gateway.run("ip", "addr", "del", *address)


def test_who_stops_it_leaves_the_bans_enforced(serving):
    serving.run("postern", "ban", "add", BY_HAND, "for", "1h")
    serving.systemctl("stop", DAEMON)
    assert serving.state(DAEMON) == "inactive/dead"
    assert smtp.unreachable(serving.lab.world, BY_HAND, GATE4) and smtp.refused(serving.lab.world, GOOD, GATE4)
    dropped = serving.json("ban", "show")["bans"]  # the kernel is asked, there is no daemon
    assert [row["prefix"] for row in dropped] == [BY_HAND]
    serving.systemctl("start", DAEMON)
    assert smtp.unreachable(serving.lab.world, BY_HAND, GATE4) and rcpt(serving, GOOD) == 250
    assert [row["prefix"] for row in serving.json("ban", "show")["bans"]] == [BY_HAND]


def warden_is(machine, user):
    """And it can use the gate that another user left."""
    until("it answers", machine.answers)
    process = machine.processes(DAEMON)[machine.main_pid(DAEMON)]
    machine.run("postern", "ban", "add", BY_HAND, "for", "1h")
    assert set(process["Uid"].split()) == {str(machine.users()[user])} and smtp.unreachable(machine.lab.world, BY_HAND, GATE4)
    return names(process["CapPrm"])


def test_beside_other_programs_it_is_root_as_its_drop_in_says(serving):
    with open(f"{TOP}/tools/systemd/shared.conf", encoding="utf-8") as f:
        shared = f.read()
    serving.write("/etc/postern/postern.conf", f"shared = yes\n{CONFIG}")
    assert serving.systemctl("restart", DAEMON, check=False).returncode and serving.journal_says("--grep", "posternd lacks CAP_SYS_ADMIN")
    with drop_in(serving, shared, "shared = yes\n"):
        assert warden_is(serving, "root") == BOUND_WARDEN | {"CAP_SYS_ADMIN"}
        if not serving.json("gate", "show")["links"][0]["shared"]:  # some kernels take no program that extends another: libxdp came as far as that
            assert "check for dispatcher program failed: Operation not permitted" in serving.journal_says("POSTERN_EVENT=gate-alone")[-1]["MESSAGE"]
        assert send(serving, "beside other programs")
        serving.write("/etc/postern/postern.conf", CONFIG)
        serving.systemctl("restart", DAEMON)  # root's gate without the sharing
        warden_is(serving, "root")
        serving.systemctl("stop", DAEMON)
        serving.run("postern", "gate", "unload")  # root's own, and the folder goes with it
        serving.run("systemd-tmpfiles", "--create", "postern.conf")
    assert warden_is(serving, WARDEN_USER) == BOUND_WARDEN
    assert send(serving, "by itself")


def test_without_a_configuration_it_is_not_started_and_has_not_failed(serving):
    serving.systemctl("stop", DAEMON)
    serving.run("mv", "/etc/postern/postern.conf", "/root/")
    serving.systemctl("start", DAEMON)
    assert serving.show(DAEMON, "ActiveState", "ConditionResult") == ("inactive", "no")
    serving.run("mv", "/root/postern.conf", "/etc/postern/")


# --- the exporter ---------------------------------------------------------------------


def scraped(machine, path="/metrics"):
    """The answer's body; None while there is none."""
    with machine.lab.gateway.here():
        link = http.client.HTTPConnection("127.0.0.1", 9725, timeout=20)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.read().decode() if answer.status == 200 else None
        except OSError:
            return None
        finally:
            link.close()


@pytest.fixture
def exporting(serving):
    serving.systemctl("enable", "--now", EXPORTER)
    until("the exporter answers", lambda: scraped(serving))
    return serving


def test_the_exporter_serves_under_its_hardening(exporting):
    assert exporting.state(EXPORTER) == "active/running"
    assert "postern_gate_interfaces{" in scraped(exporting) and scraped(exporting, "/readyz")


def kill_main(machine):
    kill(machine, machine.main_pid(DAEMON), "KILL")


def stop_and_start(machine):
    machine.systemctl("stop", DAEMON)
    until("the exporter has ended with it", lambda: machine.state(EXPORTER) == "inactive/dead")
    assert not scraped(machine)
    machine.systemctl("start", DAEMON)


@pytest.mark.parametrize("what", [stop_and_start, lambda machine: machine.systemctl("restart", DAEMON), kill_main], ids=["stop_and_start", "restart", "killed"])
def test_the_exporter_comes_back_with_the_daemon(exporting, what):
    daemon, exporter = exporting.main_pid(DAEMON), exporting.main_pid(EXPORTER)
    what(exporting)
    until("both are others", lambda: exporting.main_pid(DAEMON) not in (0, daemon) and exporting.main_pid(EXPORTER) not in (0, exporter))
    until("the exporter answers", lambda: scraped(exporting))
    assert [exporting.state(unit) for unit in UNITS] == ["active/running", "active/running"]


def test_after_a_power_failure_it_is_as_before(exporting):
    exporting.run("postern", "ban", "add", BY_HAND, "for", "1h", "reason", "before the night")
    until("it is on disk", lambda: BY_HAND in exporting.run("postern", "store", "export", "-").stdout)
    exporting.halt()
    assert smtp.refused(exporting.lab.world, BY_HAND, GATE4)  # neither gate nor server
    exporting.boot()
    assert [exporting.state(unit) for unit in UNITS] == ["active/running", "active/running"]
    assert banned(exporting, BY_HAND)["note"] == "before the night" and smtp.unreachable(exporting.lab.world, BY_HAND, GATE4)
    send(exporting, "after the night")
    until("the exporter answers", lambda: scraped(exporting))


# --- a new version ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def newer(lab):  # pylint: disable=unused-argument
    """The package of another version, whose daemon's memory is not the same."""
    tree, made = f"{HOME}/newer", f"{HOME}/newer.deb"
    run(["dpkg-deb", "-R", package(), tree])
    shutil.copy(f"{mta.BUILD}/selftests/next/posternd", f"{tree}/usr/sbin/posternd")
    with open(f"{tree}/DEBIAN/control", "r+", encoding="utf-8") as f:
        control = re.sub(r"^Version: (.*)$", r"Version: \1+next", f.read(), flags=re.M)
        f.seek(0)
        f.write(control)
    run(["dpkg-deb", "--root-owner-group", "-b", tree, made])
    return made


def test_an_upgrade_loses_no_connection(exporting, newer):
    exporting.put(newer, "/root/newer.deb")
    warden, exporter = exporting.main_pid(DAEMON), exporting.main_pid(EXPORTER)
    exporting.run("postern", "ban", "add", BY_HAND, "for", "1h")
    d = smtp.dial(exporting.lab.world, GOOD, GATE4)
    for command in ("EHLO client.example.net", "MAIL FROM:<sender@example.net>", "RCPT TO:<user@example.org>"):
        assert d.say(command) == 250
    assert d.say("DATA") == 354
    d.send(b"Subject: across versions\r\n\r\nfirst half\r\n")
    exporting.run("apt", "install", "-y", "/root/newer.deb")
    exporting.journal_says("POSTERN_EVENT=started", "POSTERN_VERSION=next")
    until("the new one answers", exporting.answers)
    assert (exporting.main_pid(DAEMON), exporting.show(DAEMON, "NRestarts"), exporting.state(DAEMON)) == (warden, "0", "active/running")
    assert exporting.show(DAEMON, "StatusText").startswith("Version next, ")
    send(exporting, "to the new version")
    d.send(b"second half\r\n.\r\n")
    assert d.reply() == 250 and d.quit() == 221
    until("the whole message", lambda: "across versions" in exporting.read(BOX) and "second half" in exporting.read(BOX))
    assert exporting.main_pid(EXPORTER) not in (0, exporter)
    until("the exporter answers", lambda: scraped(exporting))
    assert smtp.unreachable(exporting.lab.world, BY_HAND, GATE4)
    exporting.systemctl("reload", DAEMON)
    exporting.run("dpkg", "-i", f"/root/{package().rpartition('/')[2]}")  # and back
    until("the old one again", lambda: "POSTERN_VERSION" in (last := exporting.journal("POSTERN_EVENT=started")[-1]) and last["POSTERN_VERSION"] != "next")
    assert exporting.main_pid(DAEMON) == warden
    send(exporting, "to the old version")
    before = len(exporting.journal("POSTERN_EVENT=started"))
    exporting.systemctl("kill", "--kill-whom=main", "-s", "USR2", DAEMON)  # by hand, as its manual says
    until("it has taken over", lambda: len(exporting.journal("POSTERN_EVENT=started")) > before)
    until("it answers", exporting.answers)
    assert exporting.main_pid(DAEMON) == warden
    exporting.systemctl("restart", DAEMON)
    assert exporting.main_pid(DAEMON) not in (0, warden) and exporting.state(DAEMON) == "active/running"


# --- the end ------------------------------------------------------------------------------


def test_remove_and_purge_leave_nothing(exporting):
    exporting.run("postern", "ban", "add", BY_HAND, "for", "1h")
    assert smtp.unreachable(exporting.lab.world, BY_HAND, GATE4)
    exporting.run("apt", "remove", "-y", "postern")
    assert [exporting.state(unit) for unit in UNITS] == ["inactive/dead", "inactive/dead"]
    assert smtp.reaches(exporting.lab.world, BY_HAND, GATE4)
    assert not exporting.exists("/sys/fs/bpf/postern") and exporting.exists("/etc/postern/postern.conf")
    exporting.run("find", "/etc/postern", "-type", "f", "-not", "-name", "postern.conf", "-delete")  # an administrator's files would stay
    exporting.run("apt", "purge", "-y", "postern")
    assert exporting.systemctl("list-units", "--all", "--plain", "--no-legend", "postern*").stdout == ""
    assert exporting.systemctl("is-failed", *UNITS, check=False).stdout.split() == ["inactive", "inactive"]
    assert exporting.run("find", "/etc", "/run", "/var/lib", "/usr", "/lib", "-name", "*postern*", "-not", "-path", "/var/lib/apt/*").stdout == ""
    assert not [name for name in exporting.users() if name.startswith("_postern")]
    assert exporting.systemctl("is-system-running", check=False).stdout.strip() == "running"


def test_installed_without_a_package(installed):
    """What `make install PREFIX=/usr` puts there: users by systemd-sysusers, folders by systemd-tmpfiles. Postfix still waits behind."""
    installed.run("dpkg", "--purge", "postern", check=False)  # it is, after the test above
    for folder in ("usr", "lib", "etc"):
        run(["cp", "-a", f"{mta.BUILD}/deb/{folder}/.", f"{installed.disk}/{folder}/"])
    for kind, command in (("sysusers", ["systemd-sysusers"]), ("tmpfiles", ["systemd-tmpfiles", "--create"])):  # as it does itself
        installed.run(*command, f"/usr/lib/{kind}.d/postern.conf")
    installed.write("/etc/postern/postern.conf", re.sub(r"\ttls.*\n", "", CONFIG))
    installed.systemctl("enable", "--now", *UNITS)
    send(installed, "without a package")
    until("the exporter answers", lambda: scraped(installed))
    for path, (user, mode) in FOLDERS.items():
        assert installed.run("stat", "-c", "%U %a", path).stdout.split() == [user, f"{mode:o}"], path
    assert [installed.state(unit) for unit in UNITS] == ["active/running", "active/running"]
