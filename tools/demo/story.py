# SPDX-License-Identifier: BSD-2-Clause
"""How the demo tells what it does and sees. A claim that is not true ends it."""

import os
import sys


class NotTrue(Exception):
    """Something the demo claims did not happen."""


class Story:
    def __init__(self, out=sys.stdout):
        self.out, self.acts, self.claims, self.figures = out, 0, 0, []
        self.over = False
        self.colour = out.isatty() and not os.environ.get("NO_COLOR")

    def _paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def line(self, text=""):
        print(text, file=self.out, flush=True)

    def act(self, title):
        self.acts += 1
        self.line()
        self.line(self._paint("1", f"{self.acts}. {title}"))

    def tell(self, text):
        self.line(f"   {text}")

    def quote(self, text):
        for line in text.rstrip().splitlines():
            self.line(self._paint("2", f"      {line}"))

    def spoke(self, client, sent, reply):
        """One step of an SMTP dialogue, as it went over the wire."""
        for line in sent:
            self.line(f"      {client:>18} > {line}")
        for line in reply:
            self.line(f"      {'gate':>18} < {self._paint('31' if line[0] in '45' else '32', line)}")

    def claim(self, text, truth):
        if not truth:
            raise NotTrue(text)
        self.claims += 1
        self.line(f"   {self._paint('32', 'ok')} {text}")

    def figure(self, name, value, unit):
        self.figures.append((name, value, unit))

    def table(self):
        width = max(len(name) for name, _, _ in self.figures)
        self.line()
        self.line(self._paint("1", "In figures"))
        for name, value, unit in self.figures:
            shown = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
            self.line(f"   {name:<{width}}  {shown:>12} {unit}")
