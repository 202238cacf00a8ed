# SPDX-License-Identifier: BSD-2-Clause
"""From a fresh Debian 12 with Postfix on port 25 to a gate in front of it, by the commands of README as they stand there. Run in a cell."""

import json
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../tools/demo"), os.path.join(HERE, "../net")]

# pylint: disable=wrong-import-position
import smtp
from lab import GATE4, Lab, until
from machine import Machine, package, readme

CLIENT = "203.0.113.5"


def figure(name, value, unit):
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit}), flush=True)


class Caller(threading.Thread):
    """Somebody who connects again and again, and notes when a greeting came."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.greeted, self.ended = lab, [time.monotonic()], False

    def run(self):
        while not self.ended:
            try:
                with smtp.dial(self.lab.world, CLIENT, GATE4, greet=False) as d:
                    d.line()
                self.greeted.append(time.monotonic())
            except (OSError, smtp.Hangup):
                pass
            time.sleep(0.02)

    def pause(self):
        """The longest time without one."""
        self.ended = True
        self.join()
        return max(after - before for before, after in zip(self.greeted, self.greeted[1:]))


def protected(machine):
    """Answers on port 25, and is the gate: a foreign recipient is refused by its words."""
    try:
        with smtp.dial(machine.lab.world, CLIENT, GATE4, greet=False) as d:
            while d.line()[3:4] == "-":
                pass
            return [d.say(words) for words in ("EHLO client.example.net", "MAIL FROM:<a@example.net>", "RCPT TO:<b@elsewhere.example>")][-1] == 550
    except (OSError, smtp.Hangup):
        return False


def main():
    with Lab(card="eth0") as lab:
        machine = Machine(lab)
        lab.later(machine.close)
        machine.put(package(), "/root/")
        until("Postfix answers", lambda: lab.gateway.listening(25))
        caller = Caller(lab)
        caller.start()
        begun = time.monotonic()
        for command in readme():
            machine.run("sh", "-c", command)
        taken = time.monotonic() - begun
        until("the gate answers", lambda: protected(machine))
        figure("install_commands", len(readme()), "commands")
        figure("install_s", taken, "s")
        figure("install_port_25_pause_s", caller.pause(), "s")


if __name__ == "__main__":
    main()
