# SPDX-License-Identifier: BSD-2-Clause
"""run.py [PART...]: measures, prints a table and writes build/bench.json: [{"name","value","unit"}, ...].

The targets stand at the end, each met or MISSED. A missed one is news and no error; a part that could not measure is one.

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
    "prog": ([f"{BUILD}/selftests/bench/prog_run"], "ns per packet, by BPF_PROG_RUN; seconds to load a million bans"),
    "lists": ([f"{BUILD}/selftests/bench/lists"], "ns per list lookup beside a trie and a hash, seconds to replace a list"),
    "bulk": ([PYTHON, f"{HERE}/bulk.py"], "a million from a file: the gate, nft -f and ipset restore; memory"),
    "store": ([PYTHON, f"{HERE}/store.py"], "a million bans onto the disk and back after a reboot; what it costs the judge"),
    "leak": ([f"{BUILD}/selftests/bench/leak"], "packets that pass while a list is replaced in a flood"),
    "refuse": ([f"{BUILD}/selftests/bench/refuse"], "ns per segment of a refused dialogue, by BPF_PROG_RUN"),
    "flood": ([f"{BUILD}/selftests/bench/flood"], "real frames against xdp-filter, nftables and ipset"),
    "latency": ([PYTHON, f"{HERE}/latency.py"], "from an offence, and from a command, to the first packet refused"),
    "mail": ([PYTHON, f"{HERE}/mail.py"], "messages through the gate against the backend directly"),
    "proxy": ([PYTHON, f"{HERE}/proxy.py"], "the gate beside HAProxy, nginx and Postfix as proxies"),
    "botnet": ([PYTHON, f"{HERE}/botnet.py"], "2,000 bots and 50 genuine senders: the gate beside postscreen"),
    "install": ([PYTHON, f"{HERE}/install.py"], "README's commands on a fresh Debian with systemd and Postfix"),
    "demo": ([PYTHON, f"{HERE}/figures.py"], "the demo's own figures"),
}
# Parts of parts, for the impatient: run only when named.
SHORT = {
    "duel": ([f"{BUILD}/selftests/bench/flood", "xdpfilter", "nft_set", "empty"], "the flood without the slower peers"),
}

# What the product promises. A figure, how it is compared, and with what: a number, or a factor and another figure.
TARGETS = (
    ("list_v4_1m_ns", "<=", 30), ("list_v4_1m_ns", "<=", (1 / 30, "lpm_v4_1m_ns")), ("list_v6_1m_ns", "<=", 120),
    ("gate_clean_ns", "<=", 100), ("gate_banned_ns", "<=", (1, "gate_clean_ns")),
    ("flood_gate_to_xdpfilter", ">=", 1), ("flood_gate_to_nft_set", ">=", 2.5), ("flood_64k_gate_to_nft_set", ">=", 2.5),
    ("refuse_per_s", ">=", 2_000_000), ("refuse_dialogues_per_s", ">=", 200_000),
    ("ban_latency_p99_us", "<=", 1000), ("bans_load_1m_s", "<=", 0.5), ("list_replace_1m_s", "<=", 1), ("store_restore_1m_s", "<=", 1),
    ("list_replace_leaked_packets", "<=", 0), ("proxy_new_1k.gate_to_haproxy", ">=", 0.9), ("proxy_reused_1k.gate_to_haproxy", ">=", 0.9),
    ("proxy_new_100k.gate_to_haproxy", ">=", 0.9), ("proxy_reused_100k.gate_to_haproxy", ">=", 0.9),
)


def measure(part):
    """The rows of a part; None when it failed."""
    command, what = {**PARTS, **SHORT}[part]
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


def judge(rows):
    """Prints every target whose figures are there."""
    seen = {row["name"]: row["value"] for row in rows}
    for name, how, wanted in TARGETS:
        factor, other = wanted if isinstance(wanted, tuple) else (wanted, None)
        if name not in seen or (other and other not in seen):
            continue
        limit = factor * seen[other] if other else factor
        met = seen[name] <= limit if how == "<=" else seen[name] >= limit
        said = f"{factor:.3g} x {other}" if other else f"{factor:,}"
        print(f"   {name:<28} {seen[name]:>14,.2f}  {how} {said:<24} {'met' if met else 'MISSED'}", flush=True)


def main(parts):
    unknown = [part for part in parts if part not in PARTS and part not in SHORT]
    if unknown:
        print(f"bench: no part {', '.join(unknown)}; there are: {' '.join([*PARTS, *SHORT])}", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("bench: takes root: sudo make bench", file=sys.stderr)
        return 1
    subprocess.run([PYTHON, f"{DEMO}/mta.py", "postfix", "haproxy", "nginx", "libnginx-mod-mail", "exim4-daemon-light", "dovecot-core"], stdout=subprocess.DEVNULL, check=True)
    if "install" in (parts or PARTS):
        subprocess.run([PYTHON, f"{TOP}/selftests/net/machine.py"], env={**os.environ, "PYTHONPATH": DEMO}, check=True)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
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
    print("== targets")
    judge(everything)
    print(f"{len(everything)} figures in {os.path.relpath(BUILD)}/bench.json" + (f"; FAILED: {' '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
