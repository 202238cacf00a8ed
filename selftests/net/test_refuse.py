# SPDX-License-Identifier: BSD-2-Clause
"""The refused dialogue with real clients, while no process of Postern is alive: swaks, smtplib, Postfix, Exim."""

import smtplib
import socket
import subprocess

import pytest

import clients
import mta
from ferry import Ferry
from lab import GATE4, GATE6, PATIENCE, until

BAD4, BAD6 = "198.51.100.66", "2001:db8:bad:66::7"
BANNER4 = "198.51.100.67"
FROM, TO = clients.FROM, clients.TO
WAYS = pytest.mark.parametrize("source,to", [(BAD4, GATE4), (BAD6, GATE6)], ids=["ip4", "ip6"])


def refusal(source):
    return f"550 5.7.1 {source} is banned: operator"


@pytest.fixture(scope="module")
def orphan(lab):
    """The gate in the kernel with three bans; its daemon was killed."""
    import gate as gate_
    made = gate_.Gate(lab).configure().start()
    for prefix, action in ((BAD4, "refuse"), ("2001:db8:bad:66::/64", "refuse"), (BANNER4, "banner")):
        made.postern("ban", "add", prefix, "forever", "action", action)
    made.kill()
    lab.world_takes_answers()
    yield made
    lab.world_takes_none()
    made.postern("gate", "unload", check=False)


def sent(orphan, **labels):
    return orphan.counter("xdp_packets_total", verdict="refused", **labels)


@WAYS
def test_smtplib(orphan, lab, source, to):
    with lab.world.here():
        with smtplib.SMTP(to, 25, "client.example", timeout=20, source_address=(source, 0)) as s:
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                s.sendmail(FROM, [TO, "other@example.org"], "Subject: x\n\nx\n")
            assert s.quit()[0] == 221
    for code, text in refused.value.recipients.values():
        assert code == 550 and text.decode().startswith(refusal(source)[4:]), text
    assert sent(orphan, reason="recipient") >= 2


def test_swaks(orphan, lab):
    done = subprocess.run(lab.world.command("swaks", "--server", GATE4, "--local-interface", BAD4, "--from", FROM,
                                            "--to", TO, "--helo", "client.example", "--timeout", "20"),
                          capture_output=True, text=True, check=False)
    assert refusal(BAD4) in done.stdout and done.returncode == 24, done.stdout
    assert "<-  220 mx.example.org ESMTP" in done.stdout and "<-  221 Bye" in done.stdout


@WAYS
def test_commands_of_every_kind(orphan, lab, dial, source, to):
    d = dial(source, to)
    for command, code in (("HELO x", 250), ("EHLO x", 250), ("NOOP", 250), ("MAIL FROM:<>", 250), ("DATA", 554),
                          ("RCPT TO:<a@b>", 550), ("VRFY root", 502), ("STARTTLS", 500), ("AUTH LOGIN", 502),
                          ("RSET", 250), ("HELLOWORLD", 500)):
        assert d.say(command) == code, command
    assert d.say("QUIT") == 221
    assert d.ended() == []


def test_line_in_pieces(orphan, dial):
    """Both kinds of clients: one that waits for the acknowledgment of the first piece, one that does not."""
    for nodelay in (0, 1):
        d = dial(BAD4)
        d.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, nodelay)
        assert d.say("EHLO x") == 250
        for piece in (b"MAIL FR", b"OM:<>\r", b"\n"):
            d.send(piece)
        assert d.reply() == 250
        for piece in (b"RCPT TO:<", b"a", b"@b>\r\n"):
            d.send(piece)
        assert str(d.reply()).startswith(refusal(BAD4))
        assert d.say("QUIT") == 221


def test_pipelining_uninvited(orphan, dial):
    d = dial(BAD4)
    d.send(b"EHLO x\r\n")
    assert d.reply() == 250
    d.send(b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@example.org>\r\n" * 5 + b"DATA\r\n")
    codes = [d.reply().code for _ in range(7)]
    assert codes == [250, 550, 550, 550, 550, 550, 554]
    assert d.say("QUIT") == 221


def test_early_talker(orphan, lab):
    with lab.world.connect(BAD4, GATE4) as s:
        s.sendall(b"EHLO x\r\nQUIT\r\n")
        got = b""
        while chunk := s.recv(4096):
            got += chunk
    assert [line[:3] for line in got.split(b"\r\n")] == [b"220", b"250", b"221", b""], got


def test_banner(orphan, lab):
    with lab.world.here():
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            smtplib.SMTP(GATE4, 25, timeout=20, source_address=(BANNER4, 0))
    assert refused.value.smtp_code == 554 and BANNER4.encode() in refused.value.smtp_error


@WAYS
def test_postfix_bounces_at_once(orphan, lab, postfix, source, to):
    client = clients.Postfix(lab, BAD4, BAD6, to)
    bounces = mta.Mailbox("bounces")
    bounces.empty()
    try:
        client.start().post("refused-by-the-card")
        bounce = bounces.wait_for(refusal(source).encode()[:30].split(b" is")[0][4:])
        text = b" ".join(bounce.split()).decode()
        assert refusal(source)[4:] in text.replace("= ", ""), text
        assert "Diagnostic-Code: smtp; 550 5.7.1" in text and "Action: failed" in text
        until("it is logged", lambda: "status=bounced" in client.said())
    finally:
        client.close()


@WAYS
def test_exim_bounces_at_once(orphan, lab, postfix, source, to):
    client = clients.Exim(lab, source, to)
    bounces = mta.Mailbox("exim")
    try:
        client.post("refused-by-the-card")
        bounce = bounces.wait_for(b"550 5.7.1")
        assert refusal(source) in b" ".join(bounce.split()).decode(), bounce
    finally:
        client.close()
        bounces.empty()


class Lossy:
    """The cable, as the world's end of it sees it: packets of the dialogue get lost on their way out or in."""

    def __init__(self, world, way, match):
        self.world = world
        hook, port = ("egress", "dport") if way == "out" else ("ingress", "sport")
        self.table = (f"table netdev lossy_{way} {{ chain c {{ type filter hook {hook} device world0 priority 0; "
                      f"tcp {port} 25 {match} counter drop; }}; }}\n")
        self.name = f"lossy_{way}"

    def __enter__(self):
        self.world.run("nft", "-f", "-", input=self.table)
        return self

    def __exit__(self, *_):
        self.world.run("nft", "delete", "table", "netdev", self.name)

    def lost(self):
        return int(self.world.run("nft", "list", "table", "netdev", self.name).split("counter packets ")[1].split()[0])


def attempt(lab, source, to, patience=PATIENCE):
    """One dialogue by smtplib; the refusal, or None when the client gave up waiting."""
    try:
        with lab.world.here(), smtplib.SMTP(to, 25, "client.example", timeout=patience, source_address=(source, 0)) as s:
            s.ehlo_or_helo_if_needed()
            assert s.mail(FROM)[0] == 250
            return s.rcpt(TO)
    except (TimeoutError, smtplib.SMTPServerDisconnected):
        return None


# Which packet of each way is lost. Only the greeting, and the acknowledgment that asks for it, are repeated by nobody.
FRAGILE = {("out", 1), ("in", 1)}


@WAYS
@pytest.mark.parametrize("way", ["out", "in"])
@pytest.mark.parametrize("nth", range(7))
def test_one_packet_is_lost(orphan, lab, source, to, way, nth):
    with Lossy(lab.world, way, f"numgen inc mod 1000000 {nth}") as cable:
        fragile = (way, nth) in FRAGILE
        answer = attempt(lab, source, to, 4 if fragile else PATIENCE)
        assert answer or fragile, "the connection did not recover"
        answer = answer or attempt(lab, source, to)
        assert answer[0] == 550 and refusal(source)[4:] in answer[1].decode()
        assert cable.lost() == 1 or nth >= 5


def test_postfix_over_a_bad_cable(orphan, lab, postfix):
    """Every fifth packet is lost, in both directions: the queue still gets the refusal."""
    client = clients.Postfix(lab, BAD4, BAD6, GATE4)
    bounces = mta.Mailbox("bounces")
    bounces.empty()
    try:
        with Lossy(lab.world, "out", "numgen inc mod 5 4") as out, Lossy(lab.world, "in", "numgen inc mod 5 3") as back:
            client.start().post("over a bad cable")
            bounces.wait_for(b"5.7.1", seconds=90)
            assert out.lost() and back.lost()
    finally:
        client.close()


# --- in another order ---------------------------------------------------------------


@WAYS
def test_smtplib_over_a_cable_that_reorders(orphan, lab, source, to):
    """What is repeated, overtaken or late is no reason to hang: each client hears its refusal, and QUIT is answered."""
    with Ferry(lab) as cable:
        for _ in range(20):
            with lab.world.here(), smtplib.SMTP(to, 25, "client.example", timeout=20, source_address=(source, 0)) as s:
                with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                    s.sendmail(FROM, [TO, "other@example.org"], "Subject: x\n\nx\n")
                assert s.quit()[0] == 221
            assert [code for code, _ in refused.value.recipients.values()] == [550, 550]
        assert cable.overtaken > 20 and cable.twice > 20


@WAYS
def test_pieces_and_groups_over_a_cable_that_reorders(orphan, lab, dial, source, to):
    """Several segments on their way at once: a line in two pieces, a group of commands, QUIT and the end of the stream.

    More pieces than that, the other way round, nobody can put together who remembers nothing: see packet/test_order.c.
    """
    with Ferry(lab, seed=2) as cable:
        for _ in range(10):
            d = dial(source, to)
            d.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            assert d.say("EHLO x") == 250
            for piece in (b"MAIL FR", b"OM:<>\r\n"):
                d.send(piece)
            assert d.reply() == 250
            d.send(b"RCPT TO:<a@example.org>\r\n" * 3)
            assert [d.reply().code for _ in range(3)] == [550] * 3
            d.send(b"QUIT\r\n")
            d.sock.shutdown(socket.SHUT_WR)  # an end that overtakes QUIT is an end
            assert [line[:4] for line in d.ended()] in (["221 "], [])
        assert cable.overtaken > 5


def test_queues_over_a_cable_that_reorders(orphan, lab, postfix):
    """Postfix over IPv4 and Exim over IPv6: both bounce at once."""
    sender, other = clients.Postfix(lab, BAD4, BAD6, GATE4), clients.Exim(lab, BAD6, GATE6)
    boxes = [mta.Mailbox("bounces"), mta.Mailbox("exim")]
    for box in boxes:
        box.empty()
    try:
        with Ferry(lab, seed=3) as cable:
            sender.start().post("over a cable that reorders")
            other.post("over a cable that reorders")
            for box in boxes:
                box.wait_for(b"550 5.7.1")
            assert cable.overtaken and "status=bounced" in sender.said() and "status=deferred" not in sender.said()
    finally:
        sender.close()
        other.close()
