# SPDX-License-Identifier: BSD-2-Clause
"""The demo's own figures, as a part of the bench: the median of several plays. Run in a cell."""

import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))

# pylint: disable=wrong-import-position
import demo
import story

PLAYS = 3


def main():
    seen = {}
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for _ in range(PLAYS):
            told = story.Story(nowhere)
            demo.scene(told)
            for name, value, unit in told.figures:
                seen.setdefault((name, unit), []).append(value)
    for (name, unit), values in seen.items():
        print(json.dumps({"name": "demo." + name.replace(" ", "_"), "value": statistics.median(values), "unit": unit}), flush=True)


if __name__ == "__main__":
    main()
