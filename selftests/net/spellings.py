# SPDX-License-Identifier: BSD-2-Clause
"""Recipients made up at random, with a seed: what a sender could write in the hope that two parsers read it differently.

Some are plain users of ours, some name remote.example, an address literal or a look-alike, most are neither. Whatever a server
would send on to elsewhere must be refused to a client that was granted nothing.
"""

import random

OURS, MX, FAR = b"example.org", b"mx.example.org", b"remote.example"
LITERALS = (
    b"192.0.2.10", b"127.0.0.1", b"203.0.113.9", b"IPv6:2001:db8::1", b"ipv6:2001:0DB8:0:0:0:0:0:1", b"IPv6:::1", b"IPv6:::ffff:203.0.113.9", b"IPv6:::",
    b"IPv6:2001:db8:1:2:3:4:5:6", b"IPv6:2001:db8:1:2:3:4:203.0.113.9", b"IPv6:2001:db8::1%eth0", b"IPv6:fe80::1", b"::1", b"2001:db8::1", b"IPv4:203.0.113.9",
    b"0xcb007109", b"3405803785", b"0313.0.0161.011", b"127.1", b"192.0.2.010", b"203.0.113.9.", b"203.0.113.9:25", b"", b" ", b"remote.example", b"example.org",
    b"X:203.0.113.9", b"IPv6:1::2::3", b"IPv6:2001:db8::1]@[192.0.2.10",
)
LOOK_ALIKE = ("ex\u0430mple.org", "example\u3002org", "exam\u00adple.org", "exam\u200dple.org", "\uff45xample.org", "example.org\u200b",
              "example.\u00f6rg", "EXAMPLE.ORG\u212a", "r\u00e9mote.example")
ROUTERS = (b"%", b"!", b"@", b":", b"%40", b"\\@", b"\xef\xbc\xa0", b"\xc5\x80", b"=40", b"+40", b"&AEA-", b"\x00", b"\t", b" ", b"(", b")", b">", b"<", b",", b";",
           b'"', b'\\"', b"..", b"/", b"|", b"::", b"\r", b"\x0b", b"\x80", b"\xff", b"#")
PARAMETERS = (b" NOTIFY=NEVER", b" ORCPT=rfc822;t@remote.example", b"NOTIFY=NEVER", b" <t@remote.example>", b",<t@remote.example>",
              b">", b" FOO=t@remote.example", b" ORCPT=rfc822;user@example.org>", b"\tNOTIFY=NEVER", b" t@remote.example")


class Spellings:
    def __init__(self, seed):
        self.rnd = random.Random(seed)

    def _one(self, *choices):
        return self.rnd.choice(choices)

    def _seldom(self, *choices):
        return self.rnd.choice(choices) if self.rnd.random() < 0.1 else b""

    def _case(self, text):
        return bytes(c ^ 0x20 if 65 <= (c & 0xdf) <= 90 and self.rnd.random() < 0.1 else c for c in text)

    def domain(self):
        kind = self.rnd.random()
        if kind < 0.12:
            return b"[" + self.rnd.choice(LITERALS) + b"]"
        if kind < 0.2:
            return self.rnd.choice(LOOK_ALIKE).encode()
        text = self._one(OURS, OURS, OURS, MX, FAR, b"localhost", b"sub." + OURS, OURS + b"." + FAR, FAR + b"." + OURS)
        return self._case(text) + self._seldom(b".", b"(c)", b" ", b"\x00")

    def local(self, depth=0):
        kind, word = self.rnd.random(), self._one(b"t", b"user", b"postmaster", b"a.b", b"IMCEASMTP-t", b"SRS0=x=y", b"SMTP:t", b"=?utf-8?q?t", b"")
        if kind < 0.35 or depth > 2:
            return word
        if kind < 0.45:
            return b"\\".join((b"", bytes([b]))) if depth and (b := self.rnd.randrange(32, 127)) != 10 else word
        if kind < 0.75:
            return word + self.rnd.choice(ROUTERS) + self._one(FAR, FAR, OURS, self.local(depth + 1))
        if kind < 0.9:
            return b'"' + self.local(depth + 1) + b'"'
        return self._one(FAR + b"!" + word, self.local(depth + 1) + b"." + self.local(depth + 1), word + b"(" + FAR + b")")

    def path(self):
        address = self.local() + (self._seldom(b"@@", b" @", b"%", b"(@") or b"@") + self.domain()
        if self.rnd.random() < 0.15:
            address = b"@" + self.domain() + self._one(b":", b",@" + self.domain() + b":", b"") + address
        if self.rnd.random() < 0.08:
            at = self.rnd.randrange(len(address) + 1)
            address = address[:at] + self.rnd.choice(ROUTERS) + address[at:]
        return (self._seldom(b" ", b"<<", b" <") or b"<") + address + (self._seldom(b" ", b">>", b" >") or b">")

    def recipient(self):
        """What stands behind "RCPT TO:"; never with a bare LF in it."""
        return self.path() + self._seldom(*PARAMETERS)
