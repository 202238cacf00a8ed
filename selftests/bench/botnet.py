# SPDX-License-Identifier: BSD-2-Clause
"""2,000 bots and 50 genuine senders: at the gate, and at postscreen alone, one after the other. Run in a cell."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../tools/demo"), os.path.join(HERE, "../net")]

# pylint: disable=wrong-import-position
import crowd
from lab import Lab

BOTS = int(os.environ.get("BOTS", "2000"))
SENDERS, MESSAGES = 50, 4


def show(door, name, value, unit):
    print(json.dumps({"name": f"botnet_{door}.{name}", "value": round(value, 3) if isinstance(value, float) else value, "unit": unit}), flush=True)


def by_kind(report, door):
    """Per kind of bot: the share that is banned, and how many sessions a process had to hold until then."""
    for kind in crowd.KINDS:
        mine = [bot for bot in report["bots"] if bot["kind"] == kind]
        hit = [bot for bot in mine if crowd.covers(report["banned"], bot["source"])]
        yield f"{kind}_banned", len(hit) / len(mine), "of bots"
        if hit:
            yield f"{kind}_sessions_until_banned", sum(door.sessions_of(bot["source"]) for bot in hit) / len(hit), "sessions"


def measure(name, make):
    with Lab() as lab:
        crowd.prepare(lab)
        door = make(lab)
        try:
            door.start()
            report = crowd.Crowd(lab, door, BOTS, SENDERS, MESSAGES, spread_s=40).run()
            for figure, (value, unit) in crowd.summary(report).items():
                show(name, figure, value, unit)
            if report["banned"]:
                for row in by_kind(report, door):
                    show(name, *row)
        finally:
            door.stop()


def main():
    measure("gate", crowd.GateDoor)
    measure("postscreen", crowd.PostscreenDoor)
    measure("postscreen_deep", lambda lab: crowd.PostscreenDoor(lab, deep=True))


if __name__ == "__main__":
    main()
