# SPDX-License-Identifier: BSD-2-Clause
"""Clients as they are: real programs, impatient ones, rude ones and slow ones. Each message arrives once, or not at all."""

import smtplib
import socket
import struct
import subprocess

import pytest

import lab as lab_
import mta
import smtp
from lab import GATE4, until

V4 = "203.0.113.5"
FROM, TO = "sender@example.net", "user@example.org"
COMMANDS = ("EHLO client.example.net", f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA")


def up_to_data(dialog):
    for command in COMMANDS:
        assert dialog.say(command).code in (250, 354)


def delivered_after(dial, box):
    """The mailbox once a later message has come: what has not arrived by then was not accepted."""
    with dial("203.0.113.77") as d:
        assert d.mail(FROM, [TO], b"Subject: the last one\r\n\r\n") == 250
    box.wait_for(b"the last one")
    return [m for m in box.messages() if b"the last one" not in m]


def reset(dialog):
    dialog.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    dialog.close()


# --- real programs ------------------------------------------------------------

@pytest.mark.parametrize("more", [[], ["--pipeline"], ["--protocol", "SMTP"], ["--header", "X-Long: " + "x" * 900]])
def test_swaks(serving, lab, box, more):
    done = subprocess.run(lab.world.command(
        "swaks", "--server", GATE4, "--local-interface", V4, "--from", FROM, "--to", TO, "--ehlo", "client.example.net",
        "--header", "Subject: from swaks", "--silent", "2", "--timeout", "20s", *more),
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    box.wait_for(b"from swaks")
    assert box.count() == 1


def test_smtplib_with_international_addresses(serving, lab, box):
    with lab.world.here():
        client = smtplib.SMTP(GATE4, 25, "client.example.net", 20, (V4, 0))
    with client as c:
        c.sendmail("odesílatel@příklad.example", [TO], "Subject: žluťoučký\r\n\r\nkůň\r\n".encode(),
                   ["SMTPUTF8", "BODY=8BITMIME"])
    assert "žluťoučký".encode() in box.wait_for("kůň".encode())


def test_postfix_s_own_load_generator(serving, lab, box):
    """Several sessions at once, each with many messages."""
    messages = 60
    argv, env = mta.tool("postfix", "smtp-source")
    lab.world.run(*argv, "-d", "-s", "4", "-m", str(messages), "-l", "3000", "-f", FROM, "-t", TO,
                  f"inet:{GATE4}:25", env=env)
    until("every message arrived", lambda: box.count() == messages)


# --- how clients leave --------------------------------------------------------

def test_half_closed_after_the_end_of_data(serving, dial, box):
    with dial(V4) as d:
        up_to_data(d)
        d.send(b"Subject: half-closed\r\n\r\n.\r\n")
        d.sock.shutdown(socket.SHUT_WR)
        assert d.reply() == 250
    box.wait_for(b"half-closed")
    assert box.count() == 1


def test_everything_in_one_segment_and_half_closed(serving, dial, box):
    """A client that looks at nothing it is told, after EHLO: each command is still answered, in order."""
    with dial(V4) as d:
        d.say(COMMANDS[0])
        d.send(f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\n".encode())
        assert [d.reply().code for _ in range(2)] == [250, 250]
        d.send(b"DATA\r\n")
        assert d.reply() == 354
        d.send(b"Subject: and quits\r\n\r\n.\r\nQUIT\r\n")
        d.sock.shutdown(socket.SHUT_WR)
        assert [d.reply().code for _ in range(2)] == [250, 221]
        assert d.ended() == []
    box.wait_for(b"and quits")
    assert box.count() == 1


@pytest.mark.parametrize("leave", [smtp.Dialog.close, reset], ids=["closes", "resets"])
@pytest.mark.parametrize("sent", [b"Subject: cut\r\n\r\nhalf a line", b"Subject: cut\r\n\r\n.", b"Subject: cut\r\n\r\n.\r"])
def test_leaving_before_the_end_of_data(serving, dial, box, leave, sent):
    d = dial(V4)
    up_to_data(d)
    d.send(sent)
    leave(d)
    assert delivered_after(dial, box) == []


@pytest.mark.parametrize("leave", [smtp.Dialog.close, reset], ids=["closes", "resets"])
def test_leaving_without_waiting_for_the_reply(serving, dial, box, leave):
    for _ in range(20):
        d = dial(V4)
        up_to_data(d)
        d.send(b"Subject: once at most\r\n\r\n.\r\n")
        leave(d)
    assert len(delivered_after(dial, box)) <= 20
    until("every session ended", lambda: serving.said().count(" end=") >= 20)


# --- sizes --------------------------------------------------------------------

def test_a_thousand_recipients(gate, dial, box):
    gate.configure(limits={"rcpts": 1000}).start()
    with dial(V4, timeout=120) as d:
        for command in COMMANDS[:2]:
            assert d.say(command) == 250
        for _ in range(10):
            d.send(f"RCPT TO:<{TO}>\r\n".encode() * 100)
            assert {d.reply().code for _ in range(100)} == {250}
        assert d.say(f"RCPT TO:<{TO}>").code == 452
        assert d.say("DATA") == 354
        assert d.content(b"Subject: to all of them\r\n\r\n") == 250
    box.wait_for(b"to all of them")


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(next(line.split()[1] for line in f if line.startswith("VmRSS:")))


ENDLESS = {
    "a_command": (0, b"x" * 65536),
    "nul_bytes": (0, b"\0" * 65536),
    "a_recipient": (2, b"RCPT TO:<" + b"a" * 65527),
    "a_header": (4, b"X-Header: x\r\n" * 5000),
    "one_line_of_content": (4, b"x" * 65536),
    "nul_content": (4, b"\0" * 65536),
    "bare_carriage_returns": (4, b"\r" * 65536),
    "recipients": (2, f"RCPT TO:<{TO}>\r\n".encode() * 2000),
    "noise": (1, b"NOOP\r\n" * 10000),
    "unknown": (1, b"XXXX\r\n" * 10000),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless(gate, dial, name):
    """100 MB of one kind, replies unread: the worker's memory stays what it was, and others are served meanwhile."""
    gate.configure(limits={"workers": 1}, ban={"observe": True}).start()
    commands, block = ENDLESS[name]
    worker, = gate.workers()
    with dial("203.0.113.9") as other:
        assert other.mail(FROM, [TO], b"Subject: before\r\n\r\n") == 250
        before = rss_kib(worker)
        d = dial(V4)
        for command in COMMANDS[:commands]:
            assert d.say(command).code in (250, 354)
        d.sock.settimeout(3)
        try:
            for _ in range(100_000_000 // len(block)):
                d.send(block)
        except OSError:
            pass  # turned out, or left waiting
        assert rss_kib(worker) - before < 2048
        assert other.say("NOOP") == 250
    assert gate.workers() == [worker]


def test_slow_bytes(gate, dial):
    """A byte now and then is no command: the time for one runs from the last reply."""
    gate.configure(limits={"command_timeout": "5s"}, ban={"observe": True}).start()
    with dial(V4) as d:
        d.sock.settimeout(0.1)

        def turned_out():
            d.send(b"N")
            try:
                return d.line().startswith("421")
            except TimeoutError:
                return False

        until("the gate's patience ends", turned_out)
    gate.counts(1, "findings_total", reason="too-slow")
