# SPDX-License-Identifier: BSD-2-Clause
"""A plain SMTP client that hides nothing: what it sends and gets are bytes and lines."""

import socket

from lab import PATIENCE


class Hangup(Exception):
    """The server closed the connection where a reply was due."""


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3]) if lines[-1][:3].isdigit() else 0

    def __str__(self):
        return self.lines[-1]

    def __repr__(self):
        return f"<{' | '.join(self.lines)}>"

    def __eq__(self, other):
        return self.code == other


class Dialog:
    """One connection. `sock` may have been made in any network namespace."""

    def __init__(self, sock, greet=True):
        self.sock, self._in = sock, b""
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\n" not in self._in:
            got = self.sock.recv(65536)
            if not got:
                raise Hangup(self._in)
            self._in += got
        text, _, self._in = self._in.partition(b"\n")
        return text.rstrip(b"\r").decode("utf-8", "replace")

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return Reply(lines)

    def say(self, text):
        self.send(text.encode() + b"\r\n")
        return self.reply()

    def ended(self):
        """Reads on to the end of the connection; the lines that still came. A reset is an end, too."""
        lines = []
        try:
            while True:
                lines.append(self.line())
        except (Hangup, ConnectionError):
            return lines

    def alive(self):
        """Whether the connection is still open, without waiting for anything."""
        self.sock.setblocking(False)
        try:
            got = self.sock.recv(65536)
            self._in += got
            return bool(got)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        finally:
            self.sock.setblocking(True)

    def mail(self, sender, recipients, content, helo="client.example.net", options=""):
        """A whole transaction. The first reply that is not as hoped for, or the reply to the end of data."""
        commands = [f"EHLO {helo}", f"MAIL FROM:<{sender}>{options}", *(f"RCPT TO:<{r}>" for r in recipients)]
        for command in commands:
            reply = self.say(command)
            if reply.code // 100 != 2:
                return reply
        reply = self.say("DATA")
        return reply if reply != 354 else self.content(content)

    def content(self, content):
        """Message content, dot-stuffed, and the end of data; the reply to it."""
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        if stuffed and not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        self.send(stuffed + b".\r\n")
        return self.reply()

    def chunks(self, *chunks):
        """Message content by BDAT, all chunks in one go, the last one as such; the replies to them."""
        sizes = [f"BDAT {len(chunk)}{' LAST' * (n == len(chunks))}\r\n".encode() for n, chunk in enumerate(chunks, 1)]
        self.send(b"".join(part for pair in zip(sizes, chunks) for part in pair))
        return [self.reply() for _ in chunks]

    def quit(self):
        reply = self.say("QUIT")
        self.close()
        return reply


def dial(net, source, to, greet=True, timeout=PATIENCE):
    """A Dialog from an address of a network namespace (lab.Net) to port 25 of an address."""
    return Dialog(net.connect(source, to, 25, timeout), greet)


def refused(net, source, to):
    """Whether a connection attempt is answered with a reset."""
    try:
        net.connect(source, to, 25).close()
    except ConnectionRefusedError:
        return True
    return False


def unreachable(net, source, to, timeout=1.0):
    """Whether a connection attempt got no answer at all within the time-out."""
    try:
        net.connect(source, to, 25, timeout).close()
    except (TimeoutError, socket.timeout):
        return True
    except ConnectionError:
        return False
    return False


def reaches(net, source, to):
    """Whether a connection attempt is answered, be it with a reset: how long the answer takes is no matter."""
    return not unreachable(net, source, to, PATIENCE)
