# SPDX-License-Identifier: BSD-2-Clause
"""A scripted mail server for what Postfix needs much set-up for: AUTH PLAIN, and whatever a test wants to see."""

import base64
import socketserver
import threading

USER, PASSWORD = "user@example.org", "correct horse"
GOOD_PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
BAD_PLAIN = base64.b64encode(f"\0{USER}\0wrong".encode()).decode()


class _Session(socketserver.StreamRequestHandler):
    def say(self, *lines):
        for line in lines:
            self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 scripted.example.org ESMTP")
        for raw in self.rfile:
            line = raw.rstrip(b"\r\n").decode("latin-1")
            self.server.heard.append(line)
            verb = line.split(" ")[0].upper()
            getattr(self, f"do_{verb.lower()}", self.unknown)(line)
            if verb == "QUIT":
                return

    def unknown(self, _):
        self.say("250 2.0.0 Ok")

    def do_ehlo(self, _):
        self.say("250-scripted.example.org", "250-PIPELINING", "250-SIZE 1000000", "250-8BITMIME",
                 "250-ENHANCEDSTATUSCODES", "250 AUTH PLAIN LOGIN")

    def do_auth(self, line):
        given = line.split(" ")[2] if line.count(" ") == 2 else None
        if given is None:
            self.say("334 ")
            given = self.rfile.readline().rstrip(b"\r\n").decode("latin-1")
            self.server.heard.append(given)
        if given == "*":
            self.say("501 5.7.0 Cancelled")
        elif given == GOOD_PLAIN:
            self.say("235 2.7.0 Welcome")
        else:
            self.say("535 5.7.8 No")

    def do_data(self, _):
        self.say("354 Go on")
        content = b""
        while not content.endswith(b"\r\n.\r\n") and content != b".\r\n":
            got = self.rfile.readline()
            if not got:
                return
            content += got
        self.server.messages.append(content)
        self.say("250 2.0.0 Taken")

    def do_quit(self, _):
        self.say("221 2.0.0 Bye")


class Backend(socketserver.ThreadingTCPServer):
    """Listens in a network namespace; `heard` is every line of every client, `messages` every content."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, net, port):
        self.heard, self.messages = [], []
        with net.here():
            super().__init__(("127.0.0.1", port), _Session)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
