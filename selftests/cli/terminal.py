# SPDX-License-Identifier: BSD-2-Clause
"""A command of postern on a terminal of its own, and what that terminal shows."""

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import termios
import time

import pyte

import transcript

LEAVE = b"\033[?1049l"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, folder, words, columns=80, rows=24, **env):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.master, slave = os.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        command, given = transcript.command(words, folder)

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command, cwd=transcript.HERE, env={**given, "TERM": "xterm", **env}, stdin=slave, stdout=slave,
                                        stderr=slave, preexec_fn=own)
        self.slave = slave

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            some = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += some
        self.stream.feed(some)
        return bool(some)

    def wait(self, wanted, what):
        until = time.monotonic() + 60
        while not wanted("\n".join(self.screen.display)):
            assert time.monotonic() < until and self.process.poll() is None, f"{what}:\n" + "\n".join(self.screen.display)
            self.read(0.5)

    def wait_text(self, text):
        self.wait(lambda page: text in page, text)

    def wait_raw(self, what, since=0):
        until = time.monotonic() + 60
        while what not in self.raw[since:]:
            assert time.monotonic() < until, self.raw[since:]
            self.read(0.5)

    def press(self, keys):
        os.write(self.master, keys)

    def ended(self):
        until = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < until
            self.read(0.1)
        while self.read(0):
            pass
        return self.process.returncode

    def is_restored(self):
        return LEAVE in self.raw[-40:] and b"\033[?25h" in self.raw[-40:] and termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal(*args, **more):
    t = Terminal(*args, **more)
    try:
        yield t
    finally:
        t.close()
