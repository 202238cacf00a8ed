# SPDX-License-Identifier: BSD-2-Clause
"""postern top on terminals of several sizes, looked at through a terminal's emulator."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import termios
import time

import pytest

import transcript
from terminal import LEAVE, terminal

FOOT = "q quits"


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory):
    """With a gate that is loaded and on lo, and no daemon."""
    folder = str(tmp_path_factory.mktemp("top"))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with transcript.bpffs(folder):
        for words in ("gate load", "gate attach lo"):
            assert "= 0" in transcript.run(words, folder)
        yield folder
        transcript.run("gate unload", folder)


@pytest.mark.parametrize("columns, rows", [(80, 24), (132, 50), (60, 20), (40, 10), (20, 5), (3, 2), (1, 1), (500, 250)])
def test_size(folder, columns, rows):
    with terminal(folder, "top interval 1", columns, rows) as t:
        title = "postern top  gate enforce"
        t.wait(lambda page: page.startswith(title[:columns]), "title")
        if rows >= 5:
            t.wait(lambda page: page.splitlines()[min(rows, 200) - 1].startswith(FOOT[:columns]), "foot")
            assert t.screen.display[1].startswith("attached   lo generic"[:columns])
        assert all(t.screen.display[row].strip() == "" for row in range(200, rows))
        t.press(b"q")
        assert t.ended() == 0
        assert t.is_restored()


def test_80x24_has_everything(folder):
    with terminal(folder, "top interval 1") as t:
        t.wait_text("OFFENDER")
        page = t.screen.display
        for row, word in enumerate(["postern top  gate enforce", "attached", "daemon", "stress", "packets/s", "mail/s", "sessions"]):
            assert page[row].startswith(word)
        assert "posternd is not running; bans and lists are enforced all the same" in page[2]
        assert page[8].startswith("REFUSED AT THE CARD") and "LIST" in page[8]
        t.press(b"q")
        assert t.ended() == 0


def test_resize(folder):
    """It fills whatever the terminal becomes, and nothing of the old page stays."""
    with terminal(folder, "top interval 3600") as t:
        t.wait_text(FOOT)
        for columns, rows in [(120, 40), (50, 12), (10, 3), (80, 24)]:
            t.resize(columns, rows)
            t.wait(lambda page, columns=columns, rows=rows: page.splitlines()[rows - 1].startswith(FOOT[:columns])
                   and page.count(FOOT[:columns]) == 1 and page.startswith("postern top"[:columns]), f"{columns}x{rows}")
        t.press(b"q")
        assert t.ended() == 0
        assert t.is_restored()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "ctrl-c"])
def test_every_end_gives_the_terminal_back(folder, how):
    with terminal(folder, "top interval 3600") as t:
        t.wait_text(FOOT)
        if how == "ctrl-c":
            t.press(b"\x03")
        else:
            t.process.send_signal(getattr(signal, how))
        assert t.ended() == 0
        assert t.is_restored()


def test_stopped_and_continued(folder):
    with terminal(folder, "top interval 3600") as t:
        t.wait_text(FOOT)
        t.process.send_signal(signal.SIGTSTP)
        t.wait_raw(LEAVE)
        assert os.waitid(os.P_PID, t.process.pid, os.WSTOPPED).si_status == signal.SIGSTOP
        assert termios.tcgetattr(t.slave) == t.before
        since = len(t.raw)
        t.process.send_signal(signal.SIGCONT)
        t.wait_raw(FOOT.encode(), since)
        assert b"\033[?1049h" in t.raw[since:]
        t.press(b"q")
        assert t.ended() == 0
        assert t.is_restored()


def test_keys(folder):
    with terminal(folder, "top interval 5") as t:
        t.wait_text("every 5s")
        t.press(b"+")
        t.wait_text("every 6s")
        t.press(b"-")
        t.wait_text("every 5s")
        t.press(b" ")
        t.wait_text("STOPPED")
        t.press(b"\033[A")  # an arrow means nothing, and not q either
        t.press(b" ")
        t.wait(lambda page: "STOPPED" not in page, "goes on")
        t.press(b"Q")
        assert t.ended() == 0


def test_count_ends_it(folder):
    with terminal(folder, "top interval 1 count 1") as t:
        assert t.ended() == 0
        assert FOOT.encode() in t.raw and t.is_restored()


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour(folder, no_color):
    """The alarm that no daemon runs is red, unless nobody wants colours."""
    with terminal(folder, "top interval 3600", NO_COLOR=no_color) as t:
        t.wait_text(FOOT)
        assert (b"\033[0;1;31m" in t.raw) == (not no_color)
        t.press(b"q")
        assert t.ended() == 0


def test_dumb_terminal_is_printed_to(folder):
    with terminal(folder, "top interval 1", TERM="dumb") as t:
        assert t.ended() == 0
        assert b"\033" not in t.raw and b"postern top" in t.raw


def knock(source, n):
    """SYNs to a guarded port: nobody listens, and the gate sees them on lo."""
    for _ in range(n):
        with socket.socket() as s:
            s.bind((source, 0))
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", 25))


def test_drops_and_offenders(folder):
    assert "= 0" in transcript.run("ban add 127.0.0.9 for 1h force", folder)
    try:
        with terminal(folder, "top interval 1") as t:
            t.wait_text("OFFENDER")
            until = time.monotonic() + 60
            while not re.search(r"^127\.0\.0\.9 +- +- +[1-9]", "\n".join(t.screen.display), re.M):
                assert time.monotonic() < until, "\n".join(t.screen.display)
                knock("127.0.0.9", 5)
                t.read(0.2)
            page = "\n".join(t.screen.display)
            assert re.search(r"^dropped banned +[0-9.]+ +[1-9]", page, re.M), page
            assert re.search(r"^packets/s .*dropped ", page, re.M)
            assert re.search(r"^127\.0\.0\.9 .*operator, ", page, re.M)
            assert re.search(r"bans 1 of 1048576", page)
            t.press(b"q")
            assert t.ended() == 0
    finally:
        transcript.run("ban del 127.0.0.9", folder)


def test_gate_goes_and_comes(folder):
    """Whatever is unloaded below it, it says so and goes on."""
    with terminal(folder, "top interval 1") as t:
        t.wait_text("gate enforce")
        transcript.run("gate unload", folder)
        t.wait_text("gate NOT LOADED")
        transcript.run("gate load", folder)
        t.wait_text("gate enforce")
        t.wait_text("to no interface: everything passes")
        transcript.run("gate attach lo", folder)
        t.wait_text("lo generic")
        t.press(b"q")
        assert t.ended() == 0


def test_daemon(tmp_path):
    """Sessions by state, backends and sources, which only the daemon knows; and its end."""
    folder = str(tmp_path)
    with transcript.bpffs(folder), contextlib.ExitStack() as stack:
        with transcript.daemon(folder):
            t = stack.enter_context(terminal(folder, "top interval 1"))
            t.wait_text("sessions 0 of 2000")
            with socket.create_connection(("127.0.0.1", 2525), timeout=20) as s:
                assert s.recv(1000).startswith(b"220")
                t.wait(lambda page: re.search(r"^sessions   live 1  helo 1", page, re.M), "a session in HELO")
                s.sendall(b"GET / HTTP/1.1\r\n")
                t.wait(lambda page: re.search(r"^127\.0\.0\.1 +[1-9]\d* +1 ", page, re.M), "an offender")
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", 2525), timeout=20, source_address=("127.0.0.12", 0)) as s:
                    assert s.recv(1000).startswith(b"220")
                    s.sendall(b"GET / HTTP/1.1\r\n")
                    while s.recv(1000):
                        pass
            t.wait(lambda page: re.search(r"^127\.0\.0\.12 +[1-9]\d* +2 +\S+ +\d+  non-smtp, ", page, re.M), "a ban whose source keeps away")
            t.wait(lambda page: re.search(r"^BACKEND .*\nmta +down", page, re.M), "a backend")
            assert re.search(r"^daemon     up \S+, 1 worker, \d+ sources known, room for 65536", "\n".join(t.screen.display), re.M)
            assert re.search(r"^documentation +\S+ +0", "\n".join(line[41:] for line in t.screen.display), re.M)
        t.wait_text("posternd is not running")
        t.press(b"q")
        assert t.ended() == 0
        assert t.is_restored()
        transcript.run("gate unload", folder)
