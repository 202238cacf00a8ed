# SPDX-License-Identifier: BSD-2-Clause
"""Bots, as one program that runs in the world's namespace:  bots.py SPEC > REPORT, both JSON.

SPEC: {"gate": {"4": address, "6": address}, "bots": [{"kind", "source"}...], "sessions", "gap_s", "spread_s", "at_once", "patience_s"}
REPORT: a row a bot: {"kind", "source", "sessions": [how each ended...], "accepted": messages that a server took}

How a session ends, as the bot sees it: served (it could say all it had to say), cut (the server ended it), silent (no
answer to the connection attempt), reset (the attempt was refused).
"""

import asyncio
import contextlib
import json
import resource
import sys

SPAM = b"From: <win@prize.example>\r\nTo: <user@example.org>\r\nSubject: spam\r\n\r\nspam-token\r\n.\r\n"
MAIL = [b"MAIL FROM:<win@prize.example>\r\n", b"RCPT TO:<user@example.org>\r\n", b"DATA\r\n", SPAM]


class Wire:
    def __init__(self, reader, writer, patience):
        self.reader, self.writer, self.patience = reader, writer, patience

    async def reply(self):
        """A whole reply; the code of its last line, 0 when the connection ended."""
        while True:
            line = await asyncio.wait_for(self.reader.readline(), self.patience)
            if not line.endswith(b"\n"):
                return 0
            if line[3:4] != b"-":
                return int(line[:3]) if line[:3].isdigit() else 0

    async def say(self, text):
        self.writer.write(text)
        await self.writer.drain()
        return await self.reply()


async def dump(wire, lines):
    """All at once; what is said to it is only counted. A whole run of good answers means that the spam was taken."""
    wire.writer.write(b"".join([b"EHLO bot.example\r\n", *lines, b"QUIT\r\n"]))
    codes = []
    while (code := await wire.reply()):
        codes.append(code)
    return codes


async def pregreet(wire):
    codes = await dump(wire, MAIL)
    return 354 in codes and codes[codes.index(354) + 1:codes.index(354) + 2] == [250]


async def pipeline(wire):
    if await wire.reply() != 220:
        return False
    return await pregreet(wire)


async def polite(wire, lines):
    """A line after another; False when the server ends it."""
    if await wire.reply() != 220 or await wire.say(b"EHLO bot.example\r\n") == 0:
        raise ConnectionResetError
    for line in lines:
        if await wire.say(line) == 0:
            raise ConnectionResetError
    await wire.say(b"QUIT\r\n")
    return False


async def harvest(wire):
    return await polite(wire, [MAIL[0], *(b"RCPT TO:<name%d@example.org>\r\n" % n for n in range(8))])


async def guess(wire):
    return await polite(wire, [b"AUTH PLAIN AHVzZXJAZXhhbXBsZS5vcmcAd3Jvbmc=\r\n"] * 3)


async def relay(wire):
    return await polite(wire, [MAIL[0], *(b"RCPT TO:<victim%d@elsewhere.example>\r\n" % n for n in range(3))])


async def hammer(wire):
    await wire.reply()
    return False


KINDS = {f.__name__: f for f in (pregreet, pipeline, harvest, guess, relay, hammer)}


async def session(spec, kind, source):
    """How it ended, and whether a message was taken."""
    to = spec["gate"]["6" if ":" in source else "4"]
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(to, 25, local_addr=(source, 0)), 3)
    except asyncio.TimeoutError:
        return "silent", False
    except OSError:
        return "reset", False
    try:
        return "served", await KINDS[kind](Wire(reader, writer, spec["patience_s"]))
    except (OSError, asyncio.TimeoutError, ValueError):
        return "cut", False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def bot(spec, room, row, wait_s):
    await asyncio.sleep(wait_s)
    report = {"kind": row["kind"], "source": row["source"], "sessions": [], "accepted": 0}
    for _ in range(spec["sessions"]):
        async with room:
            how, taken = await session(spec, row["kind"], row["source"])
        report["sessions"].append(how)
        report["accepted"] += taken
        await asyncio.sleep(spec["gap_s"])
    return report


async def main(spec):
    room = asyncio.Semaphore(spec["at_once"])
    step = spec["spread_s"] / len(spec["bots"])
    return await asyncio.gather(*(bot(spec, room, row, step * n) for n, row in enumerate(spec["bots"])))


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with open(sys.argv[1], encoding="utf-8") as f:
        wanted = json.load(f)
    json.dump(asyncio.run(main(wanted)), sys.stdout)
