# SPDX-License-Identifier: BSD-2-Clause
"""postern-exporter: what it says to scrapers, to browsers, to slow ones and to many; and what it has given up."""

import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

import gate as gate_
import mta
from lab import HOME, stop, until

EXPORTER, USER = f"{mta.BUILD}/postern-exporter", 64323
HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(HERE, "../../tools/exporter")
CLIENTS_MAX = 64


@pytest.fixture(scope="module")
def module_gate(lab, postfix):  # pylint: disable=unused-argument
    made = gate_.Gate(lab).configure().start()
    yield made
    made.close()


def answers(where):
    try:
        return get(where, "/healthz")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def exporter(lab, module_gate):  # pylint: disable=unused-argument
    """Its process, on a unix socket: whoever asks need not be in its namespace."""
    process = lab.gateway.start(EXPORTER, "-l", f"unix:{HOME}/exporter.sock", "-u", str(USER), stderr=subprocess.PIPE)
    try:
        until("the exporter answers", lambda: answers("exporter.sock"))
        yield process
    finally:
        stop(process)


def connect(where="exporter.sock"):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{HOME}/{where}")  # it blocks while the queue is full; with a time-out it would fail
    sock.settimeout(20)
    return sock


def exchange(request, where="exporter.sock"):
    with connect(where) as sock:
        sock.sendall(request)
        got = b""
        while (more := sock.recv(65536)):
            got += more
    return got


def get(where, path, *headers, method="GET"):
    """Status, headers (names in lower case) and body."""
    head, _, body = exchange("\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]).encode(), where).partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    return int(status.split()[1]), {k.lower(): v for k, v in (f.split(": ", 1) for f in fields)}, body.decode()


def metrics(*headers):
    return get("exporter.sock", "/metrics", *headers)


def families(text):
    """Those that have no row yet as well."""
    return set(re.findall(r"^(?:# TYPE )?(postern_\w+)", text, re.M))


def test_the_old_format_is_for_everybody(exporter):
    code, head, body = metrics()
    assert code == 200 and head["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE postern_bans_total counter\n" in body and "# EOF" not in body


def test_openmetrics_is_for_who_asks(exporter):
    code, head, body = metrics("Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert code == 200 and head["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "# TYPE postern_bans counter\n" in body and body.endswith("# EOF\n")


@pytest.mark.parametrize("accept, is_open", [
    ("application/openmetrics-text", True), ("application/openmetrics-text; version=1.0.0; charset=utf-8", True), ("Application/OpenMetrics-Text;Version=1.0.0", True),
    ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),
    ("application/openmetrics-text;version=0.0.1,text/plain", False), ("application/openmetrics-text;q=0", False), ("application/openmetrics-text;q=0.2, text/plain;q=0.9", False),
    ("application/openmetrics-text;q=0.9,text/plain;q=0.9", True), ("text/plain", False), ("*/*", False), ("", False), ("application/openmetrics-textual", False),
    (",,;q=,application/openmetrics-text;q=x", False), ("text/html," * 90 + "application/openmetrics-text", True), ("x" * 3000 + ",application/openmetrics-text", False),
])
def test_what_is_accepted_is_weighed(exporter, accept, is_open):
    code, head, body = metrics(f"Accept: {accept}")
    assert code == 200 and head["content-type"].startswith("application/openmetrics-text; version=1.0.0" if is_open else "text/plain; version=0.0.4")
    assert body.endswith("# EOF\n") == is_open


def test_no_label_is_about_somebody(exporter):
    """No address, no name of others: few values for each label, whoever comes."""
    for name, values in re.findall(r"^(\w+)\{(.*)\}", metrics()[2], re.M):
        assert not re.search(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]+:[0-9a-f:]+", values) or name == "postern_build_info", (name, values)


def promtool():
    return f"{mta.unpack('prometheus')}/usr/bin/promtool"


def test_promtool_likes_them(exporter):
    done = subprocess.run([promtool(), "check", "metrics"], input=metrics()[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_they_are_the_counters(exporter, module_gate):
    rows = dict(line.rsplit(" ", 1) for line in metrics()[2].splitlines() if line[0] != "#")
    assert {f"postern_{name}" for name in module_gate.counters()} <= set(rows)
    assert int(rows['postern_worker_starts_total{kind="planned"}']) == module_gate.counter("worker_starts_total", kind="planned")
    assert rows['postern_gate_mode{mode="enforce"}'] == "1"


def test_histograms_are_whole(exporter):
    """Every bucket from the start, none smaller than the one before, the last one with all of them; in both formats under the same names."""
    old, new = metrics()[2], metrics("Accept: application/openmetrics-text")[2]
    names = re.findall(r"^# TYPE (postern_\w+) histogram$", old, re.M)
    assert len(names) == len(set(names)) >= 3 and names == re.findall(r"^# TYPE (postern_\w+) histogram$", new, re.M)
    for name in names:
        buckets = re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\d+)$', old, re.M)
        bounds, counts = [float(le) for le, _ in buckets], [int(n) for _, n in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf") and counts == sorted(counts)
        assert re.search(rf"^{name}_sum \d+\.\d+$", old, re.M) and re.search(rf"^{name}_count {counts[-1]}$", old, re.M)
        assert [le for le, _ in buckets] == re.findall(rf'^{name}_bucket{{le="([^"]+)"}}', new, re.M)


def test_it_tells_of_itself(exporter):
    """The standard families, as the kernel has them."""
    told = {name: float(value) for name, value in re.findall(r"^process_(\w+) (\S+)$", metrics()[2], re.M)}
    assert set(told) == {"start_time_seconds", "cpu_seconds_total", "virtual_memory_bytes", "resident_memory_bytes", "open_fds", "max_fds"}
    with open(f"/proc/{exporter.pid}/stat", encoding="ascii") as f:
        ticks = int(f.read().rpartition(")")[2].split()[19])
    started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    assert abs(told["start_time_seconds"] - started) < 10
    status = gate_.status(exporter.pid)
    assert told["virtual_memory_bytes"] == pytest.approx(1024 * int(status["VmSize"].split()[0]), rel=0.5)
    assert told["resident_memory_bytes"] == pytest.approx(1024 * int(status["VmRSS"].split()[0]), rel=0.5)
    with open(f"/proc/{exporter.pid}/limits", encoding="ascii") as f:
        limit = int(re.search(r"^Max open files +(\d+)", f.read(), re.M)[1])
    assert told["max_fds"] == limit
    assert 5 < told["open_fds"] <= limit and abs(told["open_fds"] - len(os.listdir(f"/proc/{exporter.pid}/fd"))) <= 2  # who asks has one
    again = {name: float(value) for name, value in re.findall(r"^process_(\w+) (\S+)$", metrics("Accept: application/openmetrics-text")[2], re.M)}
    assert again["start_time_seconds"] == told["start_time_seconds"] and again["cpu_seconds_total"] > told["cpu_seconds_total"] > 0


def test_the_rules_are_in_order():
    done = subprocess.run([promtool(), "check", "rules", f"{SHIPPED}/alerts.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(f"{SHIPPED}/alerts.yml", encoding="utf-8") as f:
        names = re.findall(r"- alert: (\w+)", f.read())
    assert len(names) > 15 and len(names) == len(set(names))


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_every_metric_in_them_exists(exporter, name):
    with open(f"{SHIPPED}/{name}", encoding="utf-8") as f:
        text = f.read()
    used = set(re.findall(r"\bpostern_\w+", text))
    assert used and used <= families(metrics()[2])


def test_the_dashboard_names_no_data_source_of_its_own():
    with open(f"{SHIPPED}/dashboard.json", encoding="utf-8") as f:
        board = json.load(f)
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}


def test_the_page_stands_alone(exporter):
    code, head, body = get("exporter.sock", "/")
    assert code == 200 and head["content-type"].startswith("text/html")
    assert "<script" not in body and not re.search(r'(?:src|href)="(?:https?:)?//', body)
    assert "default-src 'none'" in head["content-security-policy"]
    assert body.count("<svg") == body.count("</svg>") > 0 and body.rstrip().endswith("</html>")


@pytest.fixture(scope="module")
def browse(lab, module_gate, tmp_path_factory):  # pylint: disable=unused-argument
    """browse(url, *options): what a real browser makes of it, as text of the document."""
    process = lab.gateway.start(EXPORTER, "-l", "127.0.0.1:9727", "-u", str(USER), stderr=subprocess.DEVNULL)

    def run(url, *options, deed="--dump-dom"):
        profile = tmp_path_factory.mktemp("profile")
        return subprocess.run(lab.gateway.command(
            "timeout", "120", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", *options, deed, url), capture_output=True, text=True, check=True).stdout

    until("it listens", lambda: lab.gateway.listening(9727))
    yield run
    stop(process)


def test_a_browser_shows_every_figure(browse, module_gate):
    """There is no script, and the page's own policy forbids any."""
    shown = browse("http://127.0.0.1:9727/")
    assert shown.count("<path") == shown.count("<figure") == 8
    rows = re.findall(r"<tr[^>]*>(?:<td>[^<]*</td>)+<td class=\"n\">(\d+)</td></tr>", shown)
    assert len(rows) >= len([name for name in module_gate.counters() if "findings" not in name and "_seconds" not in name])
    spans = [name for name in module_gate.counters() if name.endswith("_seconds_count")]
    assert len(spans) >= 3 and shown.count(">seconds: half within<") == len(spans)
    assert re.search(r"<td>planned</td><td class=\"n\">[1-9]", shown)


def test_a_browser_paints_it(browse, tmp_path):
    browse("http://127.0.0.1:9727/", deed=f"--screenshot={tmp_path}/page.png")
    browse("about:blank", deed=f"--screenshot={tmp_path}/blank.png")
    assert os.path.getsize(tmp_path / "page.png") > 4 * os.path.getsize(tmp_path / "blank.png")


@pytest.mark.parametrize("width", [1280, 600, 360])
def test_nothing_is_wider_than_the_window(browse, tmp_path, width):
    """A copy of the page that measures itself, in a frame: at the width of a telephone, too."""
    _, _, body = get("exporter.sock", "/")
    (tmp_path / "page.html").write_text(re.sub(r'<meta http-equiv="refresh"[^>]*>', "", body).replace(
        "</body>", "<script>parent.postMessage(document.documentElement.scrollWidth, '*')</script></body>"))
    (tmp_path / "frame.html").write_text(
        "<script>onmessage = e => document.title = e.data</script>"
        f"<iframe src='page.html' width={width} height=900 style='border:0'></iframe>")
    shown = browse(f"file://{tmp_path}/frame.html", "--window-size=1400,1000", "--virtual-time-budget=3000")
    assert 0 < int(re.search(r"<title>(\d+)</title>", shown)[1]) <= width


@pytest.mark.parametrize("request_", [
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x00\r\n\r\n", b"GET /../../etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n",
], ids=["post", "unknown", "long", "tls", "traversal"])
def test_anything_else_is_refused(exporter, request_):
    try:
        got = exchange(request_)
    except ConnectionError:
        got = b""
    assert not got or got.split()[1][:1] in (b"4", b"5")
    assert answers("exporter.sock")


def test_head_has_no_body(exporter):
    code, _, body = get("exporter.sock", "/metrics", method="HEAD")
    assert code == 200 and not body


def test_many_at_once_are_all_answered(exporter):
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(metrics()[0])) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 40


def test_those_who_say_nothing_keep_nobody_out(exporter):
    """More of them than there is room for: they are timed out, and who comes behind them is answered."""
    silent = [connect() for _ in range(CLIENTS_MAX + 60)]
    try:
        until("an answer", lambda: answers("exporter.sock"), seconds=60)
    finally:
        for sock in silent:
            sock.close()


def test_a_reader_who_stops_reading_holds_up_nobody(exporter):
    with connect() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        lazy.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert metrics()[0] == 200


def sips(sock, done):
    """A reader of a byte a second: answers stand in its way to more than the kernel keeps for it."""
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    while not done.wait(1):
        try:
            sock.recv(1)
        except OSError:
            return


def test_the_impatient_are_served_beside_the_slow(exporter):
    """Scrapers in parallel and in both formats, a reader of a byte a second, one that says nothing and one that stops in mid-request."""
    done, wrong, served = threading.Event(), [], []

    def scrape(n):
        for _ in range(8):
            code, _, body = metrics(*["Accept: application/openmetrics-text"] * (n % 2))
            if code != 200 or body.endswith("# EOF\n") != bool(n % 2) or body.count("# TYPE ") < 50:
                wrong.append((code, body[-80:]))
            served.append(n)

    with connect() as slow, connect() as silent, connect() as torn:  # pylint: disable=unused-variable
        torn.sendall(b"GET /metrics HTTP/1.1\r\nHo")
        reader = threading.Thread(target=sips, args=(slow, done))
        threads = [reader] + [threading.Thread(target=scrape, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads[1:]):
            assert get("exporter.sock", "/healthz")[0] == get("exporter.sock", "/readyz")[0] == get("exporter.sock", "/")[0] == 200
        assert reader.is_alive()
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong and len(served) == 16 * 8


def test_who_it_is(exporter):
    """Version, libbpf and kernel: what a report of a fault asks for first."""
    told = re.search(r"^postern_build_info\{(.*)\} 1$", metrics()[2], re.M)[1]
    version = subprocess.run([EXPORTER, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert re.fullmatch(rf'version="{re.escape(version)}",libbpf="\d+\.\d+",kernel="{re.escape(os.uname().release)}"', told)


def test_it_has_given_up_everything(exporter):
    status = gate_.status(exporter.pid)
    assert status["Uid"].split() == [str(USER)] * 4 and status["Gid"].split() == [str(USER)] * 4
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    maps = [name for name in (os.readlink(f"/proc/{exporter.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{exporter.pid}/fd")) if "bpf-map" in name]
    assert len(maps) == 4


def test_it_needs_no_root(lab, module_gate):  # pylint: disable=unused-argument
    process = lab.gateway.start("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--inh-caps", "-all,+dac_read_search",
                                "--ambient-caps", "-all,+dac_read_search", "--bounding-set", "-all,+dac_read_search",
                                EXPORTER, "-l", "127.0.0.1:9725", stderr=subprocess.PIPE, text=True)
    try:
        until("it listens", lambda: lab.gateway.listening(9725))
        until("it is locked up", lambda: gate_.status(process.pid)["CapPrm"] == "0" * 16 and gate_.status(process.pid)["Seccomp"] == "2")
        assert gate_.status(process.pid)["CapEff"] == "0" * 16
    finally:
        stop(process)


@pytest.mark.parametrize("arguments, code, says", [
    (("-x",), 2, "-x"), (("more",), 2, "more"), (("-l", "nowhere"), 1, "nowhere"), (("-l", "127.0.0.1"), 1, "127.0.0.1"), (("-u", "root"), 1, "root"),
    (("-u", "nobody-of-that-name"), 1, "nobody-of-that-name"), (("-p", "/nowhere"), 1, "/nowhere"), (("-l", "unix:/" + "x" * 200), 1, "x" * 200),
])
def test_bad_usage_has_words(lab, module_gate, arguments, code, says):  # pylint: disable=unused-argument
    done = subprocess.run(lab.gateway.command(EXPORTER, "-l", "127.0.0.1:9726", *arguments), capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == code and says in done.stderr


def test_figures_outlive_the_daemon_and_readiness_tells_of_the_gate(exporter, module_gate):
    module_gate.kill()
    assert metrics()[0] == 200 and get("exporter.sock", "/readyz")[0] == 200
    module_gate.postern("gate", "unload")
    assert get("exporter.sock", "/readyz")[0] == 503 and get("exporter.sock", "/healthz")[0] == 200
