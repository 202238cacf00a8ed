# SPDX-License-Identifier: BSD-2-Clause
"""From a ban's cause to the first packet that the kernel refuses for it. Run in a cell.

A real posternd; a source whose packets come all the time, about 20,000 a second (stream.c), is banned: by
an offence in a session of its own, or by `postern ban add`. The kernel writes the time of the first packet it refuses
into the ban, and made_ns is there, too: when the worker met the bytes that offended, or the judge the command. The command's
own figure begins where the process does. What the stream's gaps take (50 us and more) is in every figure.
"""

import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))

# pylint: disable=wrong-import-position
import smtp
from gate import POSTERN, Gate
from lab import GATE4, GATE6, Lab, stop, until
from mta import BUILD

TIMES = 300
FROM = "sender@example.net"


def source(n):
    """Every other one is IPv6, each in a /64 of its own."""
    return f"2001:db8:bad:{n:x}::1" if n % 2 else f"198.51.100.{n // 2 + 1}"


def prefix(address):
    return address[:-1] + "/64" if ":" in address else address


class Stream:
    def __init__(self, lab):
        mac = json.loads(lab.gateway.run("ip", "-j", "link", "show", "gw0"))[0]["address"]
        self.process = lab.world.start(f"{BUILD}/selftests/bench/stream", "world0", mac, GATE4, GATE6,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        lab.later(stop, self.process)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "stream ended"
        return answer.split()

    def refused(self, address):
        """(made_ns, first_ns) of its ban, once that has refused a packet."""
        return [int(n) for n in until(f"{address} is refused", lambda: self.say(f"ban {address}"), every=0.005)]


def offend(lab, address):
    """The bytes that complete the offence are the last that are sent."""
    with smtp.dial(lab.world, address, GATE6 if ":" in address else GATE4) as d:
        d.say("EHLO client.example.net")
        d.say(f"MAIL FROM:<{FROM}>")
        d.say("RCPT TO:<someone@elsewhere.example>")
        yield
        d.send(b"RCPT TO:<other@elsewhere.example>\r\n")
        yield


def from_findings(lab, gate, stream):
    for n in range(TIMES):
        address = source(n)
        story = offend(lab, address)
        next(story)
        stream.say(f"send {address}")
        next(story)
        made_ns, first_ns = stream.refused(address)
        yield first_ns - made_ns
        stream.say("stop")
        story.close()
        gate.postern("ban", "del", prefix(address))


def from_commands(lab, gate, stream):
    """(from the judge's reading the command, from starting the process): the second is what a person waits for."""
    for n in range(TIMES):
        address = source(n)
        stream.say(f"send {address}")
        begun = time.monotonic_ns()
        subprocess.run(lab.gateway.command(POSTERN, "ban", "add", address, "forever"), check=True, stdout=subprocess.DEVNULL)
        made_ns, first_ns = stream.refused(address)
        stream.say("stop")
        yield first_ns - made_ns, first_ns - begun
        gate.postern("ban", "del", address)


def figures(name, values):
    cut = statistics.quantiles(values, n=100)
    for p in (50, 99):
        print(json.dumps({"name": f"{name}_p{p}_us", "value": round(cut[p - 1] / 1e3, 1), "unit": "us"}), flush=True)


def main():
    with Lab() as lab:
        # What the stream gets past the gate before its ban must not be answered: nobody asked for resets.
        lab.gateway.run("nft", "-f", "-", input="table netdev quiet { chain in { type filter hook ingress device gw0 priority 0; "
                        "tcp sport 9 drop; }; }\n")
        gate = Gate(lab).configure(greet_pause="0s", ban={"first": "1h", "grace": 0})
        lab.later(gate.close)
        gate.start()
        stream = Stream(lab)
        figures("ban_latency", list(from_findings(lab, gate, stream)))
        judged, whole = zip(*from_commands(lab, gate, stream))
        figures("ban_command_latency", judged)
        figures("ban_command_whole", whole)


if __name__ == "__main__":
    main()
