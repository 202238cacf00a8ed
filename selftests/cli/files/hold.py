# SPDX-License-Identifier: BSD-2-Clause
"""hold.py SOURCE LINE...: says lines to the gate, each when it has replied to the one before, and then stays in the background until the gate hangs up."""

import os
import socket
import sys


def reply(stream):
    while True:
        line = stream.readline()
        if not line or line[3:4] != b"-":
            return line


s = socket.create_connection(("127.0.0.1", 2525), timeout=60, source_address=(sys.argv[1], 0))
stream = s.makefile("rb")
reply(stream)
for line in sys.argv[2:]:
    s.sendall(line.encode() + b"\r\n")
    reply(stream)
if os.fork():
    os._exit(0)
s.settimeout(300)
while reply(stream):
    pass
