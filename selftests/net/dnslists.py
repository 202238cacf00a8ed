# SPDX-License-Identifier: BSD-2-Clause
"""Real DNS lists: rbldnsd with zones that a test chooses, behind unbound in the gateway's namespace."""

import os
import signal

import mta
import resolver
from lab import HOME, until

PORT = 5301
DATA = f"{HOME}/lists"
TEST4, TEST6 = "127.0.0.2", "::ffff:7f00:2"


class Rbldnsd(mta.Server):
    """Serves the zones of write(), each for IPv4 and IPv6."""

    package, ports, users = "rbldnsd", (), {"rbldns": 64341}

    def __init__(self, lab, *zones):
        super().__init__(lab)
        self.zones = zones
        os.makedirs(DATA, exist_ok=True)
        for zone in zones:
            self._zone(zone, {})
        self.argv = ["/usr/sbin/rbldnsd", "-n", "-f", "-c", "0", "-u", "rbldns:rbldns", "-b", f"127.0.0.1/{PORT}",
                     *(f"{zone}:{kind}:{DATA}/{zone}.{kind}" for zone in zones for kind in ("ip4set", "ip6trie"))]

    def _ready(self):
        return super()._ready() and "started" in self.told()

    @staticmethod
    def _zone(zone, listed, ttl=600, sound=True):
        """listed: {address or network: record}."""
        head = f"$SOA {ttl} ns.{zone} admin.{zone} 1 600 300 86400 {ttl}\n$NS {ttl} ns.{zone}\n$TTL {ttl}\n:127.0.0.2:listed\n"
        tests = {TEST4: "127.0.0.2", TEST6: "127.0.0.2"} if sound else {}
        for kind, six in (("ip4set", False), ("ip6trie", True)):
            with open(f"{DATA}/{zone}.{kind}", "w", encoding="utf-8") as f:
                f.write(head)
                f.writelines(f"{address} :{record}:listed\n" for address, record in {**listed, **tests}.items() if (":" in address) == six)

    def tell(self, zones, **more):
        """From now on these: {zone: {address: record}}."""
        for zone in self.zones:
            self._zone(zone, zones.get(zone, {}), **more)
        if self.process:
            before = self.told().count("zones reloaded")
            for pid in [self.process.pid, *mta.children(self.process.pid)]:
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "rbldnsd":
                    os.kill(pid, signal.SIGHUP)
            until("rbldnsd has read its zones", lambda: self.told().count("zones reloaded") > before)


class Unbound(resolver.Unbound):
    """Asks rbldnsd about its zones, and knows else what it is told."""

    name = "unbound-lists"

    def __init__(self, lab, *zones):
        stubs = "".join(f'stub-zone:\n    name: "{zone}."\n    stub-addr: 127.0.0.1@{PORT}\n' for zone in zones)
        self.open = [(zone, "transparent") for zone in zones]
        path, text = next(iter(resolver.Unbound.files.items()))
        self.files = {path: text + "    do-not-query-localhost: no\n    cache-min-ttl: 0\n" + stubs}
        super().__init__(lab)
        self.tell()

    def tell(self, *records, zones=()):
        super().tell(*records, zones=[*self.open, *zones])

    def questions(self, name):
        """How often it was asked for this name."""
        return sum(f" {name}. A IN" in line for line in self.told().splitlines() if " info: " in line)

    def pause(self, on):
        os.kill(self._server(), signal.SIGSTOP if on else signal.SIGCONT)
