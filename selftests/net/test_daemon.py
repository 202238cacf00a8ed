# SPDX-License-Identifier: BSD-2-Clause
"""The daemon as an administrator meets it: reload, lists, capabilities, the command without it."""

import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

import gate as gate_
import smtp
from lab import GATE4, GATE6, HOME, PATIENCE, alive, run, until
from test_ban import offend, served

GOOD = "203.0.113.5"
FROM, TO = "sender@example.net", "user@example.org"
LIST = f"{HOME}/drop.txt"
LISTED = {"file": LIST, "action": "drop"}


def reloads(gate, result):
    return gate.counter("config_reloads_total", result=result)


def reload_with(gate, **changes):
    gate.configure(**changes)
    before = reloads(gate, "ok")
    gate.hup()
    until("the reload", lambda: reloads(gate, "ok") > before)


def write_list(*lines):
    with open(LIST, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def test_reload_keeps_a_session_and_serves_new_ones_anew(serving, dial, box):
    with dial(GOOD) as old:
        old.say("EHLO client.example.net")
        old.say(f"MAIL FROM:<{FROM}>")
        assert old.say(f"RCPT TO:<{TO}>") == 250
        assert old.say("DATA") == 354
        old.send(b"Subject: across a reload\r\n\r\n")
        reload_with(serving, hostname="new.example.org", domains=["example.org", "example.com"])
        until("new sessions are served anew", lambda: "new.example.org" in str(dial(GOOD).greeting))
        old.send(b"second half\r\n.\r\n")
        assert old.reply() == 250
        assert old.say("NOOP") == 250
        assert old.quit() == 221
    assert b"second half" in box.wait_for(b"across a reload")


def greeted(dial, to):
    try:
        return dial("2001:db8:ace::5" if ":" in to else GOOD, to).greeting == 220
    except ConnectionError:  # it had reached the old address in the moment of its end
        return False


def test_reload_may_change_a_listener_address(serving, lab, dial):
    """Wider, narrower, other family: the port stays ours all the while."""
    with dial(GOOD) as old:
        for address in (GATE4, "0.0.0.0", "::", GATE6, "::"):
            reload_with(serving, listener__mx={"address": address})
            until(f"{address} is served", lambda a=address: greeted(dial, GATE6 if ":" in a else GATE4))
        assert old.say("NOOP") == 250


def test_reload_loses_no_pending_connection(serving, lab):
    """Connections made while workers change over are all served."""
    for n in range(10):
        socks = [lab.world.connect(GOOD, GATE4) for _ in range(20)]
        if n % 3 == 0:
            serving.hup()
        for sock in socks:
            with smtp.Dialog(sock) as d:
                assert d.greeting == 220


@pytest.mark.parametrize("broken", [
    "no_such_setting = 1\n", 'domains = "unfinished\n', 'allow = {"192.0.2.1/24"}\n',
    'listener "second" { address = "::" port = 25 }\n', 'mode = sometimes\n',
])
def test_a_bad_configuration_is_refused_and_the_old_one_stays(serving, dial, broken):
    text = gate_.render(serving.settings) + broken
    serving.write(text)
    line = str(text.count("\n"))
    checked = subprocess.run([gate_.POSTERND, "--check", "-c", gate_.CONFIG], capture_output=True, text=True, check=False)
    assert checked.returncode != 0 and f"{gate_.CONFIG}:" in checked.stderr
    assert f"{gate_.CONFIG}:{line}:" in checked.stderr or "unfinished" in broken, checked.stderr
    before = reloads(serving, "failed")
    serving.hup()
    until("the refusal", lambda: reloads(serving, "failed") > before)
    assert "mx.example.org" in str(dial(GOOD).greeting)
    assert serving.process.poll() is None


def test_a_good_configuration_is_checked_without_binding(gate):
    checked = subprocess.run([gate_.POSTERND, "--check", "-c", gate_.CONFIG], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert not gate.lab.gateway.listening(25)


def test_a_listed_network_is_dropped(gate, lab):
    write_list("# spammers", "198.51.100.64/26 ; a network", "2001:db8:bad:66::/64")
    gate.configure(list__drop=LISTED).start()
    assert smtp.unreachable(lab.world, "198.51.100.65", GATE4)
    assert smtp.unreachable(lab.world, "2001:db8:bad:66::1", GATE6)
    assert served(lab, "198.51.100.63") and served(lab, "198.51.100.128")
    assert gate.counter("xdp_packets_total", verdict="dropped", reason="listed") >= 2
    assert "drop" in gate.postern("explain", "198.51.100.65").stdout


def test_a_list_is_replaced_whole_or_not_at_all(gate, lab):
    write_list("198.51.100.64/26")
    gate.configure(list__drop=LISTED).start()
    assert smtp.unreachable(lab.world, "198.51.100.65", GATE4)

    write_list("198.51.100.128/26", "198.51.100.300", "203.0.113.0/24")
    before = reloads(gate, "ok")
    gate.hup()
    until("the reload", lambda: reloads(gate, "ok") > before)
    gate.says(f"{LIST}:2:")
    assert smtp.unreachable(lab.world, "198.51.100.65", GATE4) and served(lab, "198.51.100.129") and served(lab, GOOD)

    write_list("198.51.100.128/26")
    before = reloads(gate, "ok")
    gate.hup()
    until("the reload", lambda: reloads(gate, "ok") > before)
    assert smtp.unreachable(lab.world, "198.51.100.129", GATE4) and served(lab, "198.51.100.65")


def test_allow_wins_over_a_list(gate, lab):
    write_list("198.51.100.0/24")
    gate.configure(allow=["198.51.100.70"], list__drop=LISTED).start()
    assert served(lab, "198.51.100.70") and smtp.unreachable(lab.world, "198.51.100.71", GATE4)


def test_allow_comes_and_goes_with_the_configuration(gate, lab):
    """Also when the table was empty, so that the program did not ask it."""
    write_list("198.51.100.0/24", "2001:db8:bad::/48")
    gate.configure(list__drop=LISTED).start()
    for allow in (["198.51.100.70", "2001:db8:bad::70"], []):
        before = reloads(gate, "ok")
        gate.configure(allow=allow, list__drop=LISTED)
        gate.hup()
        until("the reload", lambda b=before: reloads(gate, "ok") > b)
        until("the table is asked, or not", lambda a=allow: served(lab, "198.51.100.70") == bool(a))
        assert smtp.unreachable(lab.world, "2001:db8:bad::70", GATE6) == (not allow)
        assert smtp.unreachable(lab.world, "198.51.100.71", GATE4)


def test_who_meets_strangers_holds_nothing(serving):
    for pid, uid in [(serving.judge(), gate_.JUDGE_UID), *((pid, gate_.WORKER_UID) for pid in serving.workers())]:
        got = gate_.status(pid)
        assert got["Uid"].split() == [str(uid)] * 4
        assert {got[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert got["Seccomp"] == "2" and got["NoNewPrivs"] == "1"
        assert got.get("Groups", "").split() in ([], [got["Gid"].split()[0]])


def test_the_warden_holds_only_what_it_needs(serving):
    held = int(gate_.status(serving.warden())["CapEff"], 16)
    cap_sys_admin, cap_sys_ptrace, cap_sys_module = 21, 19, 16
    assert not any(held >> cap & 1 for cap in (cap_sys_admin, cap_sys_ptrace, cap_sys_module))


def test_one_source_gets_so_many_sessions_and_no_more(gate, dial):
    gate.configure(limits={"sessions_per_source": 2, "workers": 1}).start()
    kept = [dial(GOOD), dial(GOOD)]
    assert all(d.greeting == 220 for d in kept)
    assert dial(GOOD).greeting == 421
    assert dial("203.0.113.6").greeting == 220


def test_the_command_without_the_daemon(gate, dial, lab):
    gate.configure(ban={"first": "1h"}).start()
    offend(dial("198.51.100.40"))
    gate.banned("198.51.100.40")
    gate.kill()
    assert gate.ban("198.51.100.40")["reason"] == "relay-attempt"
    assert "relay-attempt" in gate.postern("explain", "198.51.100.40").stdout
    assert gate.counter("bans_total", origin="automatic") == 1
    gate.postern("ban", "add", "198.51.100.41", "for", "1h", "reason", "by hand, no daemon")
    assert smtp.unreachable(lab.world, "198.51.100.41", GATE4)
    gate.postern("ban", "del", "198.51.100.41")
    assert smtp.reaches(lab.world, "198.51.100.41", GATE4)
    failed = gate.postern("client", "list", check=False)
    assert failed.returncode == 1 and "posternd" in failed.stderr
    assert gate.postern("ban", "add", "not-an-address", check=False).returncode == 2


def test_without_any_gate(gate):
    said = gate.postern("ban", "show", check=False)
    assert said.returncode == 1 and said.stderr.strip()


def test_stop_is_orderly(serving, dial):
    d = dial(GOOD)
    pids = serving.pids()
    serving.stop()
    assert d.ended()[-1].startswith("421 4.3.2")
    assert not any(alive(pid) for pid in pids) and not serving.lab.gateway.listening(25)


def test_a_gate_that_is_unloaded_and_loaded_anew_is_served_by_the_same_daemon(serving, dial, lab):
    """The emergency lever, and back: the daemon writes its bans where the kernel looks."""
    warden, judge = serving.warden(), serving.judge()
    serving.postern("ban", "add", "198.51.100.41")
    serving.postern("gate", "unload")
    assert served(lab, "198.51.100.41")
    serving.postern("gate", "load", "interface", "gw0")
    until("the daemon follows", lambda: serving.postern("ban", "add", "198.51.100.42", check=False).returncode == 0)
    assert smtp.unreachable(lab.world, "198.51.100.42", GATE4) and served(lab, "198.51.100.41")
    until("its judge has changed", lambda: serving.judge() not in (None, judge) and serving.answers())
    offend(dial("198.51.100.43"))
    assert serving.banned("198.51.100.43")["reason"] == "relay-attempt"
    assert serving.warden() == warden and serving.counter("sessions_total") > 0


def test_every_reload_that_is_asked_for_is_answered(serving):
    with concurrent.futures.ThreadPoolExecutor(6) as operators:
        answers = list(operators.map(lambda _: serving.postern("-j", "config", "reload", check=False), range(30)))
    assert [a.stdout for a in answers if a.returncode] == []
    assert all(json.loads(a.stdout)["reloaded"] for a in answers)


def test_an_unloaded_gate_stays_so_when_the_configuration_is_read_again(serving, lab):
    serving.postern("ban", "add", "198.51.100.41")
    serving.postern("gate", "unload")
    serving.postern("config", "reload")
    assert served(lab, "198.51.100.41")
    assert "no gate is loaded" in serving.postern("ban", "show", check=False).stderr


def test_a_control_socket_never_takes_the_place_of_a_file(gate):
    kept = f"{HOME}/kept"
    with open(kept, "w", encoding="utf-8") as f:
        f.write("mine")
    gate.configure(control_socket=kept)
    said = subprocess.run(gate.lab.gateway.command(gate_.POSTERND, "-c", gate_.CONFIG), capture_output=True, text=True, check=False,
                          timeout=20)
    assert said.returncode == 1 and f"control_socket {kept}" in said.stderr
    with open(kept, encoding="utf-8") as f:
        assert f.read() == "mine"


JOURNAL = "/run/systemd/journal/socket"


@pytest.fixture
def journal(lab):
    """What systemd's journal would hear."""
    os.makedirs(os.path.dirname(JOURNAL))
    with lab.gateway.here():
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(JOURNAL)
    os.chmod(JOURNAL, 0o666)
    heard.settimeout(PATIENCE)
    yield heard
    heard.close()
    shutil.rmtree("/run/systemd")


@pytest.fixture
def roomy(lab):
    """Room for all that is said before a test comes to read it, as the real one makes."""
    before = lab.gateway.run("sysctl", "-n", "net.unix.max_dgram_qlen").strip()
    lab.gateway.run("sysctl", "-qw", "net.unix.max_dgram_qlen=1000")
    yield
    lab.gateway.run("sysctl", "-qw", f"net.unix.max_dgram_qlen={before}")


def entry_of(journal, event):
    while True:
        fields = dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines())
        if fields.get("POSTERN_EVENT") == event:
            return fields


def test_the_journal_gets_fields_and_the_classic_line(gate, dial, roomy, journal):  # pylint: disable=unused-argument
    gate.configure(log="journal", ban={"first": "1h"}).start()
    assert entry_of(journal, "started")["POSTERN_ROLE"] == "warden"
    offend(dial("198.51.100.40"))
    denied = entry_of(journal, "denied")  # of a worker, which can open nothing any more
    assert denied["POSTERN_ROLE"] == "worker" and denied["POSTERN_CLIENT"] == "198.51.100.40" and denied["PRIORITY"] in "456"
    ban = entry_of(journal, "ban")
    assert ban["POSTERN_PREFIX"] == "198.51.100.40" and ban["POSTERN_REASON"] == "relay-attempt" and ban["MESSAGE"].startswith("judge: ban prefix=198.51.100.40 ")
    assert re.fullmatch("[0-9a-f]{32}", ban["MESSAGE_ID"]) and ban["MESSAGE_ID"] != denied["MESSAGE_ID"]
    assert not gate.said()


def test_without_a_journal_lines_go_to_standard_error(gate, dial):
    gate.configure(log="journal").start()
    gate.says("journal-failed", "started version=")
    assert dial(GOOD).greeting == 220


def test_a_journal_that_hangs_holds_up_nobody(gate, dial, journal):
    """Nobody reads: when its queue is full, lines go the other way."""
    gate.configure(log="journal", greet_pause="0s").start()
    for _ in range(400):
        if "session-end" in gate.said():
            break
        with dial(GOOD) as d:
            assert d.say("NOOP") == 250
            d.quit()
    assert "session-end" in gate.said()



@pytest.fixture
def syslog(lab):
    """What a syslogd would hear. /dev is everybody's, so this cell gets one of its own for a while."""
    os.makedirs("/run/dev")
    run(["mount", "--rbind", "/dev", "/run/dev"])
    run(["mount", "-t", "tmpfs", "tmpfs", "/dev"])
    for name in os.listdir("/run/dev"):
        os.symlink(f"/run/dev/{name}", f"/dev/{name}")
    with lab.gateway.here():
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    heard.settimeout(PATIENCE)
    yield heard
    heard.close()
    run(["umount", "-l", "/dev"])
    run(["umount", "-l", "/run/dev"])
    os.rmdir("/run/dev")


def line_with(syslog, text):
    while text not in (line := syslog.recv(65536).decode()):
        pass
    return line


@pytest.mark.parametrize("form", ["text", "json"])
def test_syslog_gets_the_classic_line(gate, dial, roomy, syslog, form):  # pylint: disable=unused-argument
    gate.configure(log="syslog", log_format=form).start()
    with dial(GOOD) as d:
        d.quit()
    line = line_with(syslog, "session-end")  # of a worker, which can open nothing any more
    head, stamp, text = re.fullmatch(r"<(\d+)>(\w{3} [ \d]\d \d\d:\d\d:\d\d) postern\[\d+\]: (.*)", line).groups()
    assert int(head) >> 3 == 2 and abs(time.mktime(time.strptime(f"{time.strftime('%Y')} {stamp}", "%Y %b %d %H:%M:%S")) - time.time()) < 120
    assert text.startswith("worker: session-end ") if form == "text" else json.loads(text)["event"] == "session-end"
    assert not gate.said()


def nobody_reads(kind):
    """Two ends of which nobody reads the first, as a shell or a service manager gives them."""
    if kind == "pipe":
        return [os.fdopen(fd, "rb" if n == 0 else "wb", 0) for n, fd in enumerate(os.pipe())]
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def heard(end):
    """All that stands there now."""
    os.set_blocking(end.fileno(), False)
    got = b""
    with contextlib.suppress(BlockingIOError):
        while (more := os.read(end.fileno(), 65536)):
            got += more
    return got.decode()


@pytest.mark.parametrize("log", ["stderr", "syslog", "journal"])
@pytest.mark.parametrize("kind", ["pipe", "stream"])
def test_a_log_that_nobody_reads_holds_up_nobody(gate, dial, syslog, journal, log, kind):  # pylint: disable=unused-argument
    """Sessions, offences and reloads go on, every line that is lost is counted, and the log itself says how many when it is read again."""
    out, into = nobody_reads(kind)
    gate.configure(log=log, greet_pause="0s", log_commands=True, limits={"workers": 1}).start(stderr=into)
    into.close()
    try:
        for n in range(20000):
            with dial(GOOD) as d:
                for _ in range(20):
                    d.send(b"NOOP " + b"x" * 400 + b"\r\n")
                    assert d.reply() == 250
            if not n % 10 and gate.counter("log_messages_dropped_total"):
                break
        assert gate.counter("log_messages_dropped_total") > 0
        gate.hup()
        until("it is reloaded", lambda: gate.counter("config_reloads_total", result="ok") == 1)
        offend(dial("198.51.100.41"))
        gate.banned("198.51.100.41")
        said = heard(out)
        assert "NOOP" in said

        def told():
            nonlocal said
            with dial(GOOD) as d:
                assert d.say("NOOP") == 250
            said += heard(out)
            return "log-dropped lines=" in said

        if log == "stderr":
            until("it says how many are lost", told)
    finally:
        gate.stop()
        out.close()