# SPDX-License-Identifier: BSD-2-Clause
"""knock.py SOURCE N: N SYNs to a guarded port, where nobody listens."""

import socket
import sys

for _ in range(int(sys.argv[2])):
    with socket.socket() as s:
        s.bind((sys.argv[1], 0))
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", 25))
