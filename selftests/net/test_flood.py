# SPDX-License-Identifier: BSD-2-Clause
"""A flood of SYNs from invented sources, as fast as this machine makes them: it bans nobody, and whoever is allowed or known gets mail through."""

import contextlib
import ctypes
import json
import os
import socket
import struct
import threading

import pytest

from lab import GATE4, GATE6, HOME, run, until

ALLOWED = {GATE4: "203.0.113.5", GATE6: "2001:db8:ace:5::1"}
KNOWN = {GATE4: "203.0.113.77", GATE6: "2001:db8:ace:77::1"}
FROM, TO = "sender@example.net", "user@example.org"
BUDGET = {"mode": "enforce", "global": 200, "global_burst": 200, "per_source": 20, "per_source_burst": 100}
BATCH = 1 << 15
MOST = 4000 * BATCH  # frames; the flood ends by itself here
TCP_SYN = 2

# A new source for every frame, with right checksums: what is let through is a SYN that the system answers.
SPOOFER = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __always_inline __u32 sum(const __u16 *word, int n)
{
	__u32 s = 0;

	for (int i = 0; i < n; i++)
		s += word[i];
	return s;
}

static __always_inline __u16 folded(__u32 s)
{
	s = (s & 0xffff) + (s >> 16);
	return ~((s & 0xffff) + (s >> 16));
}

SEC("xdp")
int spoof(struct xdp_md *ctx)
{
	unsigned char *p = (void *)(long)ctx->data;
	__u16 *tcp;

	if (p + 14 + HEADER + 20 > (unsigned char *)(long)ctx->data_end)
		return XDP_DROP;
	tcp = (void *)(p + 14 + HEADER);
#if HEADER == 20 /* 1.0.0.0 to 126.255.255.255 */
	*(__u32 *)(p + 26) = bpf_get_prandom_u32();
	p[26] = 1 + p[26] % 126;
	*(__u16 *)(p + 24) = 0;
	*(__u16 *)(p + 24) = folded(sum((void *)(p + 14), 10));
#else /* 3000::/4 */
	*(__u32 *)(p + 22) = bpf_get_prandom_u32();
	*(__u32 *)(p + 26) = bpf_get_prandom_u32();
	p[22] = 0x30 | (p[22] & 15);
#endif
	*(__u32 *)(p + 14 + HEADER + 4) = bpf_get_prandom_u32();
	tcp[0] = bpf_get_prandom_u32() | 4;
	tcp[8] = 0;
	tcp[8] = folded(sum((void *)(p + 14 + HEADER - ADDRESSES), ADDRESSES / 2 + 10) + __builtin_bswap16(6) + __builtin_bswap16(20));
	return bpf_redirect(IFINDEX, 0);
}

char LICENSE[] SEC("license") = "GPL";
"""


class Options(ctypes.Structure):
    """struct bpf_test_run_opts"""
    _fields_ = [("sz", ctypes.c_size_t), ("data_in", ctypes.c_void_p), ("data_out", ctypes.c_void_p),
                ("data_size_in", ctypes.c_uint32), ("data_size_out", ctypes.c_uint32), ("ctx_in", ctypes.c_void_p),
                ("ctx_out", ctypes.c_void_p), ("ctx_size_in", ctypes.c_uint32), ("ctx_size_out", ctypes.c_uint32),
                ("retval", ctypes.c_uint32), ("repeat", ctypes.c_int), ("duration", ctypes.c_uint32),
                ("flags", ctypes.c_uint32), ("cpu", ctypes.c_uint32), ("batch_size", ctypes.c_uint32)]


LIVE_FRAMES = 2  # BPF_F_TEST_XDP_LIVE_FRAMES


def syn(mac, to):
    """The frame that the spoofer changes: Ethernet, IP and 20 bytes of TCP."""
    tcp = struct.pack("!HHIIBBHHH", 0, 25, 0, 0, 5 << 4, TCP_SYN, 65535, 0, 0)
    if ":" in to:
        ip = struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + bytes(16) + socket.inet_pton(socket.AF_INET6, to)
    else:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + bytes(4) + socket.inet_aton(to)
    return bytes.fromhex(mac.replace(":", "")) + b"\2\0\0\0\0\2" + (b"\x86\xdd" if ":" in to else b"\x08\x00") + ip + tcp


class Flood:
    """From the world to the gate until the block ends, or MOST frames are sent. `sent` is how many were."""

    def __init__(self, lab, to):
        self.lab, self.to, self.sent, self.error = lab, to, 0, None
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        name, pin = f"{HOME}/spoofer", "/sys/fs/bpf/spoofer"
        index = json.loads(self.lab.world.run("ip", "-j", "link", "show", "world0"))[0]["ifindex"]
        mac = json.loads(self.lab.gateway.run("ip", "-j", "link", "show", "gw0"))[0]["address"]
        header, addresses = (40, 32) if ":" in self.to else (20, 8)
        with open(f"{name}.c", "w", encoding="ascii") as f:
            f.write(SPOOFER)
        run(["clang", "-O2", "-g", "-target", "bpf", f"-I/usr/include/{os.uname().machine}-linux-gnu", f"-DIFINDEX={index}",
             f"-DHEADER={header}", f"-DADDRESSES={addresses}", "-c", f"{name}.c", "-o", f"{name}.o"])
        run(["/usr/sbin/bpftool", "prog", "load", f"{name}.o", pin, "type", "xdp"])
        self._bpf = ctypes.CDLL("libbpf.so.1")
        self._prog = self._bpf.bpf_obj_get(pin.encode())
        os.unlink(pin)
        assert self._prog >= 0
        self._frame = syn(mac, self.to)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        os.close(self._prog)
        assert not self.error, self.error

    def _run(self):
        options = Options(sz=ctypes.sizeof(Options), data_in=ctypes.cast(self._frame, ctypes.c_void_p),
                          data_size_in=len(self._frame), repeat=BATCH, flags=LIVE_FRAMES, batch_size=64)
        with self.lab.world.here():
            while not self._stop.is_set() and self.sent < MOST:
                error = self._bpf.bpf_prog_test_run_opts(self._prog, ctypes.byref(options))
                if error:
                    self.error = os.strerror(-error)
                    return
                self.sent += BATCH

    @property
    def rages(self):
        return self._thread.is_alive()


def deliver(dial, box, source, to, subject):
    with dial(source, to) as d:
        assert d.mail(FROM, [TO], f"Subject: {subject}\r\n\r\n{subject}\r\n".encode()) == 250
        assert d.quit() == 221
    assert subject.encode() in box.wait_for(subject.encode())


def broken(lab):
    """SYNs that the gateway's TCP threw away for a wrong checksum: of a sound flood there are none."""
    names, values = (row.split() for row in lab.gateway.run("cat", "/proc/net/snmp").splitlines() if row.startswith("Tcp:"))
    return int(values[names.index("InCsumErrors")])


def taken(lab):
    """Frames that came out of the cable, which loses some when nobody is there in time to take them."""
    return json.loads(lab.gateway.run("ip", "-j", "-s", "link", "show", "gw0"))[0]["stats64"]["rx"]["packets"]


def over_budget(gate):
    return gate.counter("xdp_packets_total", verdict="dropped", reason="syn_global")


@pytest.mark.parametrize("to", [GATE4, GATE6], ids=["ip4", "ip6"])
def test_a_spoofed_flood_bans_nobody_and_mail_goes_on(gate, lab, dial, box, to):
    gate.configure(syn_budget=BUDGET).start()
    gate.postern("allow", "add", ALLOWED[to])
    deliver(dial, box, KNOWN[to], to, "before the flood")  # from now on its mail speaks for it
    seen, before = gate.counter("xdp_packets_total"), taken(lab)
    with Flood(lab, to) as flood:
        until("the budget is spent", lambda: over_budget(gate) > BATCH)
        for source, who in ((ALLOWED[to], "allowed"), (KNOWN[to], "known")):
            deliver(dial, box, source, to, f"in the flood, from one {who}")
        assert flood.rages, f"it ended after {flood.sent} frames, before the mail was through"
    came = taken(lab) - before
    assert came > flood.sent / 2
    assert gate.counter("xdp_packets_total") - seen >= came
    assert over_budget(gate) > came * 0.9
    assert broken(lab) == 0
    assert gate.json("ban", "show")["bans"] == []
    assert gate.counter("bans_total") == 0
    with contextlib.closing(dial(KNOWN[to], to)) as d:  # and the gate serves on
        assert d.say("NOOP") == 250
