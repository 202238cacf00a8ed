# SPDX-License-Identifier: BSD-2-Clause
"""A real HAProxy in front of the gate: PROXY headers of both versions, its health checks, and TLS that it only passes on."""

import contextlib
import csv
import os
import socket

import pytest

import gate as gate_
import mta
import secure
import smtp
from lab import GATE4, GATE6, HOME, LabError, stop, until

BALANCER, BALANCER6 = "198.51.100.50", "2001:db8:ace::50"
CLIENT, CLIENT6 = "203.0.113.77", "2001:db8:bad::77"
FROM, TO = "sender@example.net", "user@example.org"
STATS = f"{HOME}/haproxy.sock"
#        name           port   gate's port, what its server line says
WAYS = {"v1":          (2501, 25, "send-proxy check"),
        "v2":          (2502, 25, "send-proxy-v2 check"),
        "v1-smtp":     (2503, 25, "send-proxy check check-send-proxy"),
        "v2-smtp":     (2504, 25, "send-proxy-v2 check check-send-proxy"),
        "v1-implicit": (2505, 465, "send-proxy check check-send-proxy check-ssl verify none"),
        "v2-implicit": (2506, 465, "send-proxy-v2 check"),
        "v2-six":      (2507, 25, "send-proxy-v2 check check-send-proxy")}


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def configuration():
    yield f"global\n maxconn 1000\n stats socket {STATS} level admin\ndefaults\n mode tcp"
    yield " timeout connect 10s\n timeout client 1m\n timeout server 1m\n timeout check 5s"
    for name, (port, to, how) in WAYS.items():
        gate, balancer = (f"[{GATE6}]", f"[{BALANCER6}]") if "six" in name else (GATE4, BALANCER)
        yield f"listen {name}\n bind {BALANCER}:{port}\n bind [{BALANCER6}]:{port}"
        if "smtp" in name or "six" in name:
            yield " option smtpchk EHLO balancer.example"
        yield f" server gate {gate}:{to} source {balancer} inter 200ms {how}"
    yield ""


@pytest.fixture(scope="module")
def haproxy(lab, behind):
    with open(f"{HOME}/haproxy.cfg", "w", encoding="ascii") as f:
        f.write("\n".join(configuration()))
    root = mta.unpack("haproxy")
    libraries = {folder for folder, _, names in os.walk(f"{root}/usr/lib") if any(".so" in name for name in names)}
    with open(f"{HOME}/haproxy.out", "wb") as out:
        process = lab.world.start(f"{root}/usr/sbin/haproxy", "-db", "-f", f"{HOME}/haproxy.cfg", stdout=out, stderr=out,
                                  env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)})
    try:
        until("HAProxy answers", lambda: os.path.exists(STATS) or process.poll() is not None)
        assert process.poll() is None, _read(f"{HOME}/haproxy.out")
        with contextlib.suppress(LabError):
            until("HAProxy finds the gate healthy", all_checked)
        assert all_checked(), {name: (row["status"], row["check_status"], row["last_chk"]) for name, row in servers().items()}
    except BaseException:
        stop(process)
        raise
    yield process
    stop(process)


@pytest.fixture(scope="module")
def behind(lab, postfix):
    secure.make_certificate()
    made = gate_.Gate(lab).configure(
        balancers=[BALANCER, BALANCER6], listener__mx={"proxy": True, **secure.TLS},
        listener__tls={"port": 465, "proxy": True, **secure.TLS, "tls": "require", "tls_implicit": True}).start()
    yield made
    made.close()


def asked(command):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(STATS)
        s.sendall(command.encode() + b"\n")
        return s.makefile().read()


def servers():
    """{way: what HAProxy says of its server}"""
    rows = csv.DictReader(asked("show stat").removeprefix("# ").splitlines())
    return {row["pxname"]: row for row in rows if row["svname"] == "gate"}


def all_checked():
    """Of a server that is asked this very moment the word before is told, behind an asterisk."""
    return all(row["check_status"].removeprefix("* ") in ("L4OK", "L6OK", "L7OK") and row["status"] == "UP" for row in servers().values())


@pytest.fixture
def through(lab, haproxy):
    """through(way, source): a socket to HAProxy that leads to the gate."""
    made = []

    def connect(way, source):
        made.append(lab.world.connect(source, BALANCER6 if ":" in source else BALANCER, WAYS[way][0]))
        return made[-1]

    yield connect
    for sock in made:
        sock.close()


@pytest.mark.parametrize("source", [CLIENT, CLIENT6])
@pytest.mark.parametrize("way", WAYS)
def test_the_client_is_the_client(behind, through, box, way, source):
    sock = through(way, source)
    d = secure.implicit(sock) if "implicit" in way else secure.starttls(secure.greeted(smtp.Dialog(sock)))
    assert d.mail(FROM, [TO], b"Subject: through HAProxy\r\n\r\n", helo=f"{way}.example.net") == 250
    shown = f"[{'IPv6:' if ':' in source else ''}{source}]".encode()
    message = box.wait_for(b"through HAProxy")
    assert shown in message and way.encode() in message
    d.quit()
    until("the session is logged", lambda: f"client={source} name=- helo={way}.example.net tls=TLSv1.3" in behind.said())


def test_checks_offend_nobody(behind, through):
    """Some fifty of each kind; a check that is only a connection, one of SMTP and one of TLS."""
    asked("clear counters all")
    before = {name: int(row["chkfail"]) + int(row["chkdown"]) for name, row in servers().items()}
    so_far = behind.counter("connections_total")
    until("enough checks", lambda: behind.counter("connections_total") > so_far + 7 * 10)
    assert all_checked()
    assert {name: int(row["chkfail"]) + int(row["chkdown"]) for name, row in servers().items()} == before
    assert behind.counter("findings_total") == 0
    assert behind.json("ban", "show")["bans"] == []


def test_an_offender_behind_it_is_banned_alone(behind, through):
    behind.postern("ban", "add", CLIENT)
    for way in ("v1", "v2"):
        assert secure.greeted(smtp.Dialog(through(way, CLIENT))).greeting.code in (421, 554)
        assert secure.greeted(smtp.Dialog(through(way, "203.0.113.78"))).greeting == 220
    behind.postern("ban", "del", CLIENT)
    assert all_checked()
