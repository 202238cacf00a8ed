# SPDX-License-Identifier: BSD-2-Clause
"""say.py SOURCE LINE: says a line to the gate, from that address, and waits until it has hung up."""

import socket
import sys

with socket.create_connection(("127.0.0.1", 2525), timeout=20, source_address=(sys.argv[1], 0)) as s:
    s.recv(1000)
    s.sendall(sys.argv[2].encode() + b"\r\n")
    while s.recv(1000):
        pass
