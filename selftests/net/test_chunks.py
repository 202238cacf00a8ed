# SPDX-License-Identifier: BSD-2-Clause
"""BDAT as clients use it: Exim by itself, everything in one write, and chunks that nobody wants."""

import clients
from lab import GATE4, until

V4, FROM, TO = "203.0.113.5", "sender@example.net", "user@example.org"
TRAP = b"RSET\r\nMAIL FROM:<spoofed@example.net>\r\nRCPT TO:<user@example.org>\r\nDATA\r\nSubject: trap\r\n\r\n.\r\nQUIT\r\n"


def piped(d, *parts):
    """Everything in one write. A text is a command, bytes are a chunk: their BDAT is made here, and (bytes, "LAST") is the last."""
    sent = b""
    for part in parts:
        chunk, last = part if isinstance(part, tuple) else (part, "")
        if isinstance(chunk, bytes):
            sent += f"BDAT {len(chunk)} {last}".strip().encode() + b"\r\n" + chunk
        else:
            sent += chunk.encode() + b"\r\n"
    d.send(sent)
    return [d.reply().code for _ in parts]


def test_exim_uses_it_by_itself(serving, lab, box):
    """Its log says so (K), and its mail arrives as it was handed over."""
    body = "first\n.\n..\n" + "a line of text\n" * 20000 + ".last"
    client = clients.Exim(lab, V4, GATE4)
    try:
        client.post("from Exim", body=body)
        delivered = next(line for line in client.said().splitlines() if "=> " + TO in line)
    finally:
        client.close()
    assert " K " in delivered
    assert box.wait_for(b"from Exim").rstrip(b"\n").endswith(b"\n\n" + body.encode())
    serving.counts(1, "messages_total", result="accepted")


def test_everything_in_one_write(serving, dial, box):
    with dial(V4) as d:
        assert "250-CHUNKING" in d.say("EHLO client.example.net").lines
        codes = piped(d, f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", b"Subject: one write\r\n", b"\r", b"", b"\n", (TRAP, "LAST"), "QUIT")
        assert codes == [250] * 7 + [221]
        assert d.ended() == []
    assert box.wait_for(b"one write").endswith(b"\n\n" + TRAP.replace(b"\r\n", b"\n"))
    assert box.count() == 1


def test_two_messages_in_one_write(serving, dial, box):
    """The end of one chunk is where the next command begins, whatever the octets look like."""
    with dial(V4) as d:
        d.say("EHLO client.example.net")
        one = (f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", (b"Subject: a\r\n\r\n" + TRAP, "LAST"))
        assert piped(d, *one, *one, "NOOP") == [250] * 7
    until("both", lambda: box.count() == 2)
    assert serving.counter("messages_total") == 2


def test_without_a_recipient_the_octets_are_no_commands(serving, dial, box):
    with dial(V4) as d:
        d.say("EHLO client.example.net")
        assert piped(d, TRAP, (TRAP, "LAST"), "NOOP") == [503, 503, 250]
        assert piped(d, f"MAIL FROM:<{FROM}>", "RCPT TO:<nobody@example.org>", TRAP, (TRAP, "LAST"), "RSET") == [250, 550, 554, 554, 250]
        assert piped(d, f"MAIL FROM:<{FROM}>", TRAP, f"RCPT TO:<{TO}>", (b"Subject: kept\r\n", "LAST"), "QUIT")[0] == 250
    box.wait_for(b"kept")
    assert box.count() == 1


def test_leaving_in_the_middle(serving, dial, box):
    """Between chunks, inside one, and behind the LAST of a chunk that is not all there: no message."""
    for parts in (b"BDAT 12\r\nSubject: a\r\n", b"BDAT 13 LAST\r\nSubject: a\r\n", b"BDAT 12\r\nSubject: a\r\nBDAT 9 LAST\r\nb\r\n.\r\n"):
        with dial(V4) as d:
            d.say("EHLO client.example.net")
            assert piped(d, f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>") == [250, 250]
            d.send(parts)
    with dial("203.0.113.77") as d:
        assert d.mail(FROM, [TO], b"Subject: afterwards\r\n\r\n") == 250
    box.wait_for(b"afterwards")
    assert box.count() == 1
    until("each was counted", lambda: serving.counter("messages_total", result="aborted") == 3)
