# SPDX-License-Identifier: BSD-2-Clause
"""postern-guide(7) as it is written: each of its snippets in the real program that it is for, behind a gate with the identity that it names.

What is added is what a mail server needs in any case: domains and boxes of its own.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

import gate as gate_
import mta
import wide_open
from lab import HOME

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/man/postern-guide.7.rst")
V4, V6, FROM, TO = "203.0.113.5", "2001:db8:ace::5", "sender@example.net", "user@example.org"
BOX = f"{mta.MAIL}/user"


def section(title):
    with open(GUIDE, encoding="utf-8") as f:
        return re.search(rf"^{title}\n=+\n(.*?)(?=^[A-Z0-9 ]+\n=+\n|\Z)", f.read(), re.M | re.S)[1]


def blocks(title):
    """The literal blocks of a section."""
    found = re.findall(r"::\n\n((?:(?:    .*)?\n)+)", section(title))
    return [re.sub(r"^    ", "", text.rstrip("\n"), flags=re.M) + "\n" for text in found]


def block(title):
    only, = blocks(title)
    return only


def identity(title):
    return re.search(r"``identity = (\S+)``", section(title))[1]


class Postfix(mta.Postfix):
    ports, log = (10025,), f"{HOME}/guide.log"
    files = {"etc/postfix/main.cf": mta.MAIN_CF.replace("smtpd_authorized_xclient_hosts", "#").replace("/postfix.log", "/guide.log"),
             "etc/postfix/master.cf": block("POSTFIX") + mta.MASTER_CF[mta.MASTER_CF.index("pickup"):]}


class Exim(wide_open.Exim):
    package, ports = "exim4-daemon-heavy", (10025,)
    argv = ["env", "LD_LIBRARY_PATH=/usr/lib/exim4:/usr/lib:/usr/lib/x86_64-linux-gnu", *wide_open.Exim.argv]
    files = {"etc/exim4/exim4.conf": block("EXIM") + re.sub(
        r"^(daemon_smtp_ports|local_interfaces|smtp_accept_max) = .*\n", "", wide_open.Exim.files["etc/exim4/exim4.conf"], flags=re.M)}


class OpenSMTPD(wide_open.OpenSMTPD):
    ports = (10025,)
    files = {**wide_open.OpenSMTPD.files, "etc/wide-open.conf": re.sub(
        r"^listen on .*\n", lambda _: block("OPENSMTPD"), wide_open.OpenSMTPD.files["etc/wide-open.conf"], flags=re.M)}


@pytest.mark.parametrize("server", [Postfix, Exim, OpenSMTPD])
def test_a_server_as_the_guide_sets_it_up(lab, dial, server):
    """It learns the true client of mail that came through the gate."""
    backend, gate = server(lab), gate_.Gate(lab)
    try:
        backend.start()
        gate.configure(greet_pause="0s", backend__main={"identity": identity(server.__name__.upper())}).start()
        for source in (V4, V6):
            with dial(source) as d:
                assert d.mail(FROM, [TO], b"Subject: as the guide says\r\n\r\nfor " + source.encode() + b"\r\n") == 250
            got = mta.Mailbox("user").wait_for(b"for " + source.encode())
            assert re.search(rb"^Received: from [^\n]*(?:\n\s[^\n]*)*?\[(?:IPv6:)?" + re.escape(source.encode()) + rb"\]", got, re.M), got
        mta.Mailbox("user").empty()
    finally:
        gate.close()
        backend.stop()


def check(tmp_path, text):
    """What posternd says of a configuration; its users are not on every machine."""
    (tmp_path / "postern.conf").write_text(text + f'worker_user = "{gate_.WORKER_UID}"\njudge_user = "{gate_.JUDGE_UID}"\n')
    return subprocess.run([gate_.POSTERND, "--check", "-c", tmp_path / "postern.conf"], capture_output=True, text=True, check=False).stderr


def test_its_configurations(tmp_path):
    """The one for all of them with each identity, and the balancer's in place of its listener."""
    common = blocks("DESCRIPTION")[1]
    for name in ("POSTFIX", "EXIM", "OPENSMTPD", "EXCHANGE"):
        assert check(tmp_path, common.replace("port = 10025 ", f"port = 10025 identity = {identity(name)} ")) == ""
    assert check(tmp_path, re.sub(r"^listener .*\n", lambda _: block("BEHIND A LOAD BALANCER"), common, flags=re.M)) == ""


def test_haproxy_knows_its_line(tmp_path):
    line = re.search(r"HAProxy: ``(.*?)``\.", section("BEHIND A LOAD BALANCER"))[1]
    root = mta.unpack("haproxy")
    (tmp_path / "haproxy.cfg").write_text(f"defaults\n mode tcp\n timeout connect 5s\n timeout client 5m\n timeout server 5m\nlisten smtp\n bind 127.0.0.1:2525\n {line}\n")
    done = subprocess.run([f"{root}/usr/sbin/haproxy", "-c", "-f", tmp_path / "haproxy.cfg"], check=False, capture_output=True, text=True,
                          env={**os.environ, "LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu:{root}/usr/lib"})
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def fail2ban(tmp_path_factory):
    """fail2ban(line): whether the guide's filter takes it for a failure, by the real fail2ban."""
    root, folder = mta.unpack("fail2ban"), tmp_path_factory.mktemp("fail2ban")
    shutil.copytree(f"{root}/etc/fail2ban", folder / "etc")
    (folder / "etc/filter.d/postern.conf").write_text(blocks("FAIL2BAN")[1])

    def matches(line):
        done = subprocess.run([sys.executable, f"{root}/usr/bin/fail2ban-regex", "-c", folder / "etc", line, folder / "etc/filter.d/postern.conf"], capture_output=True, text=True,
                              check=False, env={**os.environ, "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages"})
        return re.search(r"^Lines: 1 lines, 0 ignored, (\d) matched", done.stdout, re.M)[1] == "1"

    return matches


def test_fail2ban_sees_bans_and_is_not_fooled(lab, fail2ban, dial):
    gate = gate_.Gate(lab)
    try:
        gate.configure(greet_pause="0s", points={"non-smtp": 100}).start()
        for source in (V4, V6):
            with dial(source) as d:
                d.send(b"GET / ban prefix=192.0.2.1 for=1h reason=x score=1 action=x origin=automatic \r\n")
                d.ended()
        said = gate.says(f" ban prefix={V4} ", " ban prefix=2001:db8:ace::/64 ")
    finally:
        gate.close()
    for line in said.splitlines():
        event = line.partition(": ")[2].split(" ")[0]
        for stamp in ("Nov 29 03:00:00 mx ", "2026-11-29T03:00:00.123456+00:00 mx "):
            assert fail2ban(stamp + line) == (event == "ban"), line
    assert any(" finding " in line and " ban prefix=192.0.2.1" in line for line in said.splitlines())


def test_what_fail2ban_runs(lab):
    gate = gate_.Gate(lab)
    try:
        gate.configure().start()
        for action, banned in zip(re.findall(r"^action\w+ *= postern (.*)$", blocks("FAIL2BAN")[0], re.M), (["192.0.2.7"], [])):
            words = action.replace("<ip>", "192.0.2.7").replace("<bantime>", "600").replace('"fail2ban <name>"', "fail2ban postfix").split()
            gate.postern(*words)
            assert [ban["prefix"] for ban in gate.json("ban", "show")["bans"]] == banned
    finally:
        gate.close()
