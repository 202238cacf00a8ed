# SPDX-License-Identifier: BSD-2-Clause
"""The gate as a proxy beside other proxies in front of the same mail server, in one run, taking turns. Run in a cell.

smtp_load (world) -> smtp-sink (gateway): directly, through HAProxy in TCP mode, nginx' mail proxy, Postfix with
smtpd_proxy_filter, and the gate. All ways cross the same veth. The sink discards, so what is measured is the way there.
TLS is spoken by those that end STARTTLS themselves; HAProxy in TCP mode passes bytes, and the sink has none.
"""

import json
import os
import pwd
import re
import socket
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))

# pylint: disable=wrong-import-position
import mta
import smtp
from gate import Gate, certificate
from lab import GATE4, HOME, Lab, until

LOADER = f"{mta.BUILD}/selftests/bench/smtp_load"
SINK = 10125
PORTS = {"direct": 2525, "haproxy": 2526, "nginx": 2527, "postfix": 2528, "gate": 25}
TLS = ("nginx", "postfix", "gate")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PARALLEL = 16
#        name           bytes    a session's messages, messages for the rate, for the latency
LOADS = (("new_1k",     1024,    1,   1500, 300),
         ("reused_1k",  1024,    100, 4000, 600),
         ("new_100k",   102400,  1,   600,  200),
         ("reused_100k", 102400, 100, 1000, 300))
IDLE = (10_000, 50_000)
REFUSED = 4000
HOLDER = 5000  # idle sessions of one client process
IDLE_WORKERS = 8  # a worker counts on two descriptors for each session, and 20000 are what a process may have here and there


def figure(name, value, unit):
    print(json.dumps({"name": f"proxy_{name}", "value": value, "unit": unit}), flush=True)


def load(lab, port, *options):
    return json.loads(lab.world.run(LOADER, *map(str, options), GATE4, str(port)))


# --- the ways ---------------------------------------------------------------


def sink(lab, address, port):
    argv, env = mta.tool("postfix", "smtp-sink")
    user = pwd.getpwnam("nobody").pw_name
    lab.started(lab.gateway.start(*argv, "-u", user, f"inet:{address}:{port}", "1000", env=env))
    until(f"smtp-sink listens on {port}", lambda: lab.gateway.listening(port))


def written(name, text):
    path = f"{HOME}/{name}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def haproxy(lab):
    conf = written("haproxy.cfg", f"""
global
    nbthread 2
    maxconn 4000
defaults
    mode tcp
    timeout connect 10s
    timeout client 5m
    timeout server 5m
listen smtp
    bind {GATE4}:{PORTS["haproxy"]}
    server sink 127.0.0.1:{SINK}
""")
    root = mta.unpack("haproxy")
    libraries = ":".join({os.path.dirname(path) for path in _libraries(root)})
    lab.started(lab.gateway.start(f"{root}/usr/sbin/haproxy", "-db", "-f", conf, env={**os.environ, "LD_LIBRARY_PATH": libraries}))
    until("HAProxy listens", lambda: lab.gateway.listening(PORTS["haproxy"]))


def _libraries(root):
    return [f"{folder}/{name}" for folder, _, names in os.walk(f"{root}/usr/lib") for name in names if ".so" in name]


def nginx(lab, certificate, key):
    """Asks its own HTTP half where to: nothing slower stands in its way."""
    module = f"{mta.unpack('libnginx-mod-mail')}/usr/lib/nginx/modules/ngx_mail_module.so"
    conf = written("nginx.conf", f"""
load_module {module};
worker_processes 2;
user nobody nogroup;
daemon off;
pid {HOME}/nginx.pid;
error_log {HOME}/nginx.log;
events {{ worker_connections 4000; }}
http {{
    access_log off;
    client_body_temp_path {HOME}/nginx.1; proxy_temp_path {HOME}/nginx.2; fastcgi_temp_path {HOME}/nginx.3;
    uwsgi_temp_path {HOME}/nginx.4; scgi_temp_path {HOME}/nginx.5;
    server {{
        listen 127.0.0.1:9125;
        location / {{
            add_header Auth-Status OK;
            add_header Auth-Server 127.0.0.1;
            add_header Auth-Port {SINK};
            return 200 "";
        }}
    }}
}}
mail {{
    server_name mx.example.org;
    auth_http 127.0.0.1:9125/;
    xclient off;
    server {{
        listen {GATE4}:{PORTS["nginx"]};
        protocol smtp;
        smtp_auth none;
        starttls on;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
    }}
}}
""")
    lab.started(lab.gateway.start(f"{mta.unpack('nginx')}/usr/sbin/nginx", "-e", f"{HOME}/nginx.log", "-c", conf))
    until("nginx listens", lambda: lab.gateway.listening(PORTS["nginx"]))


class Before(mta.Postfix):
    """A Postfix that hands every message to the sink before it says a word about it."""

    name = "before"


def postfix(lab, certificate, key):
    master = mta.MASTER_CF + f"""
{GATE4}:{PORTS["postfix"]} inet n - n - - smtpd
 -o smtpd_proxy_filter=127.0.0.1:{SINK} -o smtpd_client_connection_rate_limit=0
 -o smtpd_tls_security_level=may -o smtpd_tls_cert_file={certificate} -o smtpd_tls_key_file={key}
"""
    Before.files = {**mta.Postfix.files, "etc/postfix/master.cf": master}
    Before.ports = (PORTS["postfix"],)
    server = Before(lab)
    lab.later(server.stop)
    server.start()


def everything(lab):
    chain, key = f"{HOME}/tls.pem", f"{HOME}/tls.key"
    certificate(chain, key, "mx.example.org")
    sink(lab, "127.0.0.1", SINK)
    sink(lab, GATE4, PORTS["direct"])
    haproxy(lab)
    nginx(lab, chain, key)
    postfix(lab, chain, key)
    gate = Gate(lab).configure(greet_pause="0s", limits={"messages": 0}, backend__main={"port": SINK, "identity": "none"},
                               listener__mx={"tls": "offer", "tls_certificate": chain, "tls_key": key})
    lab.later(gate.close)
    return gate.start()


# --- what is measured -------------------------------------------------------


def compared(lab, name, ways, options, size, messages_each, many, few):
    """Rates under load and latencies of one at a time; each round has every way once."""
    seen = {way: {"rate": [], "p50_us": [], "p99_us": []} for way in ways}
    common = [*options, "-l", size, "-m", messages_each]
    for _ in range(ROUNDS):
        for way in ways:
            seen[way]["rate"].append(load(lab, PORTS[way], *common, "-p", PARALLEL, "-n", many)["rate"])
        for way in ways:
            took = load(lab, PORTS[way], *common, "-p", 1, "-n", few)
            for p in ("p50_us", "p99_us"):
                seen[way][p].append(took[p])
    middle = {way: {what: statistics.median(values) for what, values in rows.items()} for way, rows in seen.items()}
    for way in ways:
        figure(f"{name}.{way}", middle[way]["rate"], "messages/s")
        for p in ("p50", "p99"):
            base = middle["direct"][f"{p}_us"] if "direct" in ways else 0
            figure(f"{name}.{way}_{'added_' if base and way != 'direct' else ''}{p}",
                   round(middle[way][f"{p}_us"] - (base if way != "direct" else 0)), "us")
    for way in ways:
        if way not in ("gate", "direct"):
            figure(f"{name}.gate_to_{way}", round(statistics.median(
                g / o for g, o in zip(seen["gate"]["rate"], seen[way]["rate"])), 3), "ratio")
    if "direct" in ways:
        figure(f"{name}.gate_to_direct", round(middle["gate"]["rate"] / middle["direct"]["rate"], 3), "ratio")


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def refused(lab, gate):
    """Sessions whose only recipient may not be relayed to, by the processor time that all processes of the gate take for them."""
    seen = []
    for _ in range(ROUNDS):
        before = cpu_seconds(gate.pids())
        load(lab, PORTS["gate"], "-r", "-p", PARALLEL, "-n", REFUSED)
        seen.append(REFUSED / max(cpu_seconds(gate.pids()) - before, 0.01))
    figure("refused_sessions", round(statistics.median(seen)), "sessions/s per core")


def resident(pids):
    """Bytes that these processes alone hold in memory."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += sum(int(kib) for kib in re.findall(r"^Private_\w+:\s+(\d+) kB", f.read(), re.M)) * 1024
    return total


def idle(lab, gate):
    """Sessions that were greeted and say nothing more, from many addresses."""
    before, holders = resident(gate.workers()), []
    for many in IDLE:
        while len(holders) * HOLDER < many:
            holders.append(lab.world.start(sys.executable, __file__, "hold", f"203.0.113.{1 + len(holders)}", stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE))
            holders[-1].stdout.readline()
        total = resident(gate.workers()) - before
        figure(f"idle_{many}.each", round(total / many), "bytes")
        figure(f"idle_{many}.all", round(total / 1e6, 1), "MB")
    for holder in holders:
        holder.stdin.close()
        holder.wait()


def hold(source):
    """Holds HOLDER greeted sessions until its input ends. A worker that is full sends it to another one."""
    held = []
    while len(held) < HOLDER:
        d = smtp.Dialog(socket.create_connection((GATE4, PORTS["gate"]), 20, (source, 0)))
        if d.greeting == 220:
            held.append(d)
        else:
            d.close()
    print("held", flush=True)
    sys.stdin.read()


def main():
    with Lab() as lab:
        gate = everything(lab)
        for name, *how in LOADS:
            compared(lab, name, tuple(PORTS), (), *how)
        for name, *how in LOADS:
            compared(lab, f"tls_{name}", TLS, ("-t",), *how)
        gate.configure(greet_pause="0s", ban={"observe": True}, limits={"messages": 0, "sessions": 9900, "sessions_per_source": 9900,
                                                                     "workers": IDLE_WORKERS})
        gate.stop()
        gate.start()
        refused(lab, gate)
        idle(lab, gate)


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        hold(sys.argv[2])
    else:
        main()
