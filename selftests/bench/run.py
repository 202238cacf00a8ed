# SPDX-License-Identifier: BSD-2-Clause
"""run.py [PART...]: measures, prints a table and writes build/bench.json: [{"name","value","unit"}, ...].

A part is a program that prints one JSON object {"name","value","unit"} a line; everything else it
prints is passed through. Each runs in a cell (tools/demo/cell.py), one after another.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "../..")
BUILD = os.path.abspath(os.environ.get("O") or os.path.join(TOP, "build"))
PYTHON = "/usr/bin/python3"
DEMO = os.path.join(TOP, "tools/demo")

PARTS = {
    "prog": ([f"{BUILD}/selftests/bench/prog_run"], "ns per packet, by BPF_PROG_RUN"),
    "lists": ([f"{BUILD}/selftests/bench/lists"], "ns per list lookup beside a trie and a hash, seconds to replace a list"),
    "refuse": ([f"{BUILD}/selftests/bench/refuse"], "ns per segment of a refused dialogue, by BPF_PROG_RUN"),
    "flood": ([f"{BUILD}/selftests/bench/flood"], "real frames against an nftables set"),
    "mail": ([PYTHON, f"{HERE}/mail.py"], "messages through the gate against the backend directly"),
    "proxy": ([PYTHON, f"{HERE}/proxy.py"], "the gate beside HAProxy, nginx and Postfix as proxies"),
    "demo": ([PYTHON, f"{HERE}/figures.py"], "the demo's own figures"),
}


def measure(part):
    """The rows of a part; None when it failed."""
    command, what = PARTS[part]
    print(f"== {part}: {what}", flush=True)
    rows = []
    with subprocess.Popen([PYTHON, f"{DEMO}/cell.py", *command], stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            try:
                row = json.loads(line)
                rows.append({"name": row["name"], "value": row["value"], "unit": row["unit"]})
            except (ValueError, TypeError, KeyError):
                print(f"   {line.rstrip()}", flush=True)
    return rows if running.returncode == 0 and rows else None


def show(rows):
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        value = row["value"]
        print(f"   {row['name']:<{width}}  {value:>14,.2f} {row['unit']}" if isinstance(value, float)
              else f"   {row['name']:<{width}}  {value:>14,} {row['unit']}", flush=True)


def main(parts):
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        print(f"bench: no part {', '.join(unknown)}; there are: {' '.join(PARTS)}", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("bench: takes root: sudo make bench", file=sys.stderr)
        return 1
    subprocess.run([PYTHON, f"{DEMO}/mta.py", "postfix", "haproxy", "nginx", "libnginx-mod-mail"], stdout=subprocess.DEVNULL, check=True)
    everything, failed = [], []
    for part in parts or PARTS:
        rows = measure(part)
        if rows is None:
            failed.append(part)
        else:
            show(rows)
            everything += rows
    with open(f"{BUILD}/bench.json", "w", encoding="utf-8") as f:
        json.dump(everything, f, indent=1)
        f.write("\n")
    print(f"{len(everything)} figures in {os.path.relpath(BUILD)}/bench.json" + (f"; FAILED: {' '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
