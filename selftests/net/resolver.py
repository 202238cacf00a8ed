# SPDX-License-Identifier: BSD-2-Clause
"""A real resolver in the gateway's namespace, with records that a test chooses."""

import ipaddress
import os
import signal

import mta
from mta import HOME

ZONES = f"{HOME}/zones.conf"


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


class Unbound(mta.Server):
    """Knows what it is told and nothing else; names below silent.example are never answered, those below broken.example fail."""

    package, argv, ports = "unbound", ["/usr/sbin/unbound", "-d", "-c", "/etc/unbound/lab.conf"], (53,)
    users = {}
    files = {"etc/unbound/lab.conf": f"""
server:
    interface: 127.0.0.1
    interface: ::1
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "/"
    pidfile: ""
    use-syslog: no
    log-queries: yes
    module-config: "iterator"
    root-hints: ""
    local-zone: "." static
    include: "{ZONES}"
"""}

    def __init__(self, lab):
        super().__init__(lab)
        self.write([])

    def write(self, lines):
        with open(ZONES, "w", encoding="utf-8") as f:
            f.writelines(f"    {line}\n" for line in lines)

    def tell(self, *records, zones=()):
        """From now on these records: ("address", "name", TTL) is a PTR, ("name", "address", TTL) an address of a name; others as written."""
        self.write([f'local-zone: "{name}." {kind}' for name, kind in zones] + [f"local-data: '{self.record(r)}'" for r in records])
        if self.process:
            before = self.told().count("start of service")
            os.kill(self._server(), signal.SIGHUP)
            mta.until("the resolver has read its zones", lambda: self.told().count("start of service") > before)

    def _server(self):
        return next(pid for pid in [self.process.pid, *mta.children(self.process.pid)]
                    if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "unbound")

    @staticmethod
    def record(r):
        if isinstance(r, str):
            return r
        left, right, ttl = r
        try:
            return f"{reverse(left)}. {ttl} IN PTR {right}."
        except ValueError:
            return f"{left}. {ttl} IN {'AAAA' if ':' in right else 'A'} {right}"

    def asked(self):
        """How many questions it has been asked since it began."""
        return sum(" info: " in line and " IN" in line for line in self.told().splitlines())
