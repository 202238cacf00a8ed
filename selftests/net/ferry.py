# SPDX-License-Identifier: BSD-2-Clause
"""A cable that delivers packets in another order than they were sent in, and some of them twice.

The world reaches the gate over a veth pair of its own, whose other end is read here: each frame waits for a random, short time of its
own before it goes on, in both directions. What the gate sends goes the same way back; the world's own end of the cable ignores it.
"""

import array
import contextlib
import ctypes
import fcntl
import heapq
import random
import select
import socket
import struct
import threading
import time

from lab import GATE4, GATE6

NEAR, FAR = "ferry0", "ferry1"
DELAYS_S = (0, 0, 0.004, 0.012, 0.03)
TWICE = 0.1
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
ETH_P_ALL, PACKET_OUTGOING = 3, 4


def _whole_checksums(link):
    """The world's frames leave it with their checksums written out: nobody behind a raw socket would do that."""
    value = array.array("I", [ETHTOOL_STXCSUM, 0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP", link.encode(), ctypes.addressof(ctypes.c_char.from_buffer(value))))


def _raw(link):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((link, 0))
    return s


def _mac(net, link):
    return net.run("ip", "-o", "link", "show", link).split("link/ether ")[1].split()[0]


class Ferry:
    """with Ferry(lab) as cable: the way to the gate's port 25 is such a cable; cable.overtaken packets came before one sent earlier."""

    def __init__(self, lab, seed=1):
        self.lab, self.rnd, self.overtaken, self.twice = lab, random.Random(seed), 0, 0
        self.undo, self.over = contextlib.ExitStack(), threading.Event()

    def __enter__(self):
        try:
            self._lay()
            self.thread = threading.Thread(target=self._carry)
            self.thread.start()
            self.undo.callback(self.thread.join)
            self.undo.callback(self.over.set)
        except BaseException:
            self.undo.close()
            raise
        return self

    def __exit__(self, *_):
        self.undo.close()

    def _lay(self):
        world, gate_mac = self.lab.world, _mac(self.lab.gateway, "gw0")
        world.run("ip", "link", "add", NEAR, "address", _mac(world, "world0"), "type", "veth", "peer", "name", FAR)
        self.undo.callback(world.run, "ip", "link", "del", NEAR)
        for link in (NEAR, FAR):
            world.run("sysctl", "-qw", f"net.ipv6.conf.{link}.accept_dad=0", f"net.ipv4.conf.{link}.rp_filter=0")
            world.run("ip", "link", "set", link, "up")
        for to, bits in ((GATE4, 32), (GATE6, 128)):
            world.run("ip", "neigh", "add", to, "lladdr", gate_mac, "dev", NEAR, "nud", "permanent")
            world.run("ip", "route", "add", f"{to}/{bits}", "dev", NEAR)
        world.run("nft", "-f", "-", input="table netdev ferry { chain c { type filter hook ingress device world0 priority 0; tcp sport 25 drop; }; }\n")
        self.undo.callback(world.run, "nft", "delete", "table", "netdev", "ferry")
        with world.here():
            _whole_checksums(NEAR)
            self.ends = [_raw(FAR), _raw("world0")]
        for s in self.ends:
            self.undo.callback(s.close)

    def _carry(self):
        waiting, n, newest = [], 0, -1
        out, back = self.ends
        while not self.over.is_set():
            patience = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.05
            for s in select.select(self.ends, [], [], patience)[0]:
                frame, where = s.recvfrom(65535)
                if where[2] == PACKET_OUTGOING or not _is_smtp(frame):
                    continue
                copies = 1 + (self.rnd.random() < TWICE)
                self.twice += copies - 1
                for _ in range(copies):
                    heapq.heappush(waiting, (time.monotonic() + self.rnd.choice(DELAYS_S), n, back if s is out else out, frame))
                n += 1
            while waiting and waiting[0][0] <= time.monotonic():
                _, sent, to, frame = heapq.heappop(waiting)
                self.overtaken += sent < newest
                newest = max(newest, sent)
                to.send(frame)


def _is_smtp(frame):
    """TCP from or to port 25, without options or extension headers in front: what the world and the gate send each other here."""
    kind = frame[12:14]
    at = 14 + (frame[14] & 15) * 4 if kind == b"\x08\x00" and frame[23] == 6 else 54 if kind == b"\x86\xdd" and frame[20] == 6 else 0
    return at and 25 in struct.unpack_from("!HH", frame, at)
