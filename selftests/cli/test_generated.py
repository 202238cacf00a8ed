# SPDX-License-Identifier: BSD-2-Clause
"""What is made from the rows: completion, manual and sample configuration know every command, option and setting."""

import glob
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
BUILD = os.path.abspath(os.environ.get("O", os.path.join(ROOT, "build")))


def postern(*words):
    return subprocess.run([f"{BUILD}/postern", *words], capture_output=True, text=True, check=True).stdout


OBJECTS = postern("manual", "names").split()
DIRECT = [row["object"] for row in json.loads(postern("-j", "help"))["objects"] if row["direct"]]


def usages(name):
    return [row["usage"] for row in json.loads(postern("-j", "help", name))["commands"]]


def complete(*words):
    """What bash would offer for the last word."""
    script = postern("completion", "bash") + """
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_postern
printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "-c", script, "bash", "postern", *words], cwd=HERE, capture_output=True, text=True, check=True)
    assert not done.stderr
    return sorted(done.stdout.split())


def test_every_keyword_is_in_a_usage():
    """What a command looks for is what its usage names; abbreviations are made of that."""
    words = {word for name in OBJECTS for usage in usages(name) for word in re.split(r"[\[\]\s|.]+", usage)}
    asked = set()
    for path in glob.glob(f"{HERE}/../../tools/postern/*.c"):
        with open(path, encoding="utf-8") as f:
            asked |= set(re.findall(r'(?:arg_is|wants|arg_choice|keyword_is)\([^"()]*"([a-z-]+)"', f.read()))
    assert len(asked) > 25 and asked - {"--deliver"} <= words


def test_every_object_has_help():
    rows = json.loads(postern("-j", "help"))["objects"]
    assert [row["object"] for row in rows] == OBJECTS
    assert all(row["help"] for row in rows)


def test_objects_complete():
    assert complete("") == sorted(OBJECTS + ["help"])
    assert complete("help", "") == sorted(OBJECTS)
    assert complete("-j", "--pins", "x", "mo") == ["monitor"]


def test_options_complete():
    options = json.loads(postern("-j", "help"))["options"]
    names = [f"--{row['name']}" for row in options] + [row["letter"] for row in options if row["letter"]]
    assert complete("-") == sorted(names)
    assert complete("--p") == ["--pins", "--pretty"]


@pytest.mark.parametrize("name", OBJECTS)
def test_commands_complete(name):
    direct = name in DIRECT
    if not direct:
        assert complete(name, "") == sorted([usage.split()[2] for usage in usages(name)] + ["help"])
    for usage in usages(name):
        words = usage.split()[1 if direct else 1:]
        line, rest = (words[:1], words[1:]) if direct else (words[:2], words[2:])
        literal = set(re.findall(r"(?<![\w-])[a-z]+(?:-[a-z]+)*", " ".join(rest)))
        offered = complete(*line, "")
        if re.search("FILE|FOLDER", " ".join(rest)):
            assert "files" in offered and ("conftest.py" in offered) == ("FILE" in " ".join(rest))
        else:
            assert set(offered) - set(os.listdir("/sys/class/net")) == literal - set(os.listdir("/sys/class/net"))
        assert ("IF" in re.findall(r"\b[A-Z]+\b", " ".join(rest))) == ("lo" in offered)


def shortest(name, names):
    """The least that stands for that name among those."""
    return next((name[:n] for n in range(1, len(name)) if sum(other.startswith(name[:n]) for other in names) == 1), name)


@pytest.mark.parametrize("name", OBJECTS)
def test_abbreviations_complete(name):
    """Behind what the command takes for an object and a command, completion offers the same as behind their whole names."""
    short = shortest(name, OBJECTS)
    assert complete(short, "") == complete(name, "")
    if name in DIRECT:
        return
    commands = [usage.split()[2] for usage in usages(name)]
    names = commands + ["list"] * ("show" in commands and "list" not in commands)
    for command in names:
        whole = "show" if command not in commands else command
        assert complete(short, shortest(command, names), "") == complete(name, whole, ""), command


def test_a_real_bash_completes(tmp_path):
    """What a person sees who presses TAB: abbreviations, paths with a space in them, folders that go on."""
    (tmp_path / "rc").write_text(f"PS1='> '\nbind 'set bell-style none'\npostern() {{ echo \"got:$*:\"; }}\n{postern('completion', 'bash')}")
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "bans.txt").write_text("")
    rows = [("st i\t\n", "got:st i:"), ("stor i\t\n", "got:stor import:"), ("sto imp a\tb\t\n", "got:sto imp a folder/bans.txt:"), ("mon v\twould-\t\n", "got:mon verdict would-ban:"),
            ("ban l\t\n", "got:ban l:"), ("ban li f\t\n", "got:ban li f:"), ("config fr\ta\t\n", "got:config from-postfix a folder/:")]
    for keys, wanted in rows:
        master, slave = os.openpty()
        with subprocess.Popen(["bash", "--noprofile", "--rcfile", f"{tmp_path}/rc", "-i"], cwd=tmp_path, env={"PATH": os.environ["PATH"], "TERM": "xterm"}, stdin=slave, stdout=slave,
                              stderr=slave, start_new_session=True) as bash:
            os.close(slave)
            said, until = b"", time.monotonic() + 60
            for send, answer in [("", "> "), (f"postern {keys}", wanted)]:
                os.write(master, send.encode())
                while answer.encode() not in said:
                    assert time.monotonic() < until and select.select([master], [], [], 30)[0], said
                    said += os.read(master, 4096)
            bash.kill()
        os.close(master)


def test_monitor_offers_every_event():
    rows = re.findall(r'X\(\w+, "([a-z-]+)", "([a-z]+)"\)', open(f"{ROOT}/user/ctl_watch.h", encoding="utf-8").read())
    usage = usages("monitor")[0]
    assert len(rows) > 5
    assert re.search(r"verdict ([a-z|-]+)", usage)[1].split("|") == [name for name, _ in rows]
    assert re.search(r"kind ([a-z|-]+)", usage)[1].split("|") == list(dict.fromkeys(kind for _, kind in rows))


@pytest.fixture(scope="module")
def manual():
    subprocess.run(["make", f"O={BUILD}", "man"], cwd=ROOT, check=True, capture_output=True)
    return f"{BUILD}/man"


def pages():
    return [name[:-4] for name in sorted(os.listdir(f"{ROOT}/tools/man")) if name.endswith(".rst")]


@pytest.mark.parametrize("page", pages())
def test_page_is_clean(manual, page):
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", f"{manual}/{page}"], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""}, check=True)
    assert not done.stderr


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def page_text(manual, page):
    done = subprocess.run(["man", "-l", f"{manual}/{page}"], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "500"}, check=True)
    return re.sub(r"\s+", " ", done.stdout)


@pytest.mark.parametrize("name", OBJECTS)
def test_page_has_every_command(manual, name):
    text = page_text(manual, f"postern-{'client' if name == 'explain' else name}.8")
    for usage in usages(name):
        assert usage in text


def test_pages_have_every_row(manual):
    settings = [row.split()[0] for row in re.findall(r"^\t?#(\w[\w-]* =)", postern("manual", "sample"), re.M)]
    assert len(settings) > 50
    conf = page_text(manual, "postern.conf.5")
    assert [name for name in settings if f" {name} " not in conf] == []
    metrics = set(re.findall(r"^(postern_\w+)", postern("manual", "counters").replace("\\", "").replace("**", ""), re.M))
    assert len(metrics) > 10
    stats = page_text(manual, "postern-stats.8")
    assert [name for name in metrics if name not in stats] == []


def test_sample_is_read_without_errors(tmp_path):
    """With and without the # in front of its settings. Only its users may be missing on this machine."""
    sample = postern("manual", "sample")
    users = re.compile(r"^#(worker|judge)_user.*", re.M)
    known = users.sub(lambda m: f"{m[1]}_user = {'daemon' if m[1] == 'worker' else 'bin'}", sample)
    plain = tmp_path / "plain.conf"
    plain.write_text(known)
    assert postern("config", "check", str(plain)).endswith("no errors\n")
    known = re.sub(r"(?s)#certificate NAME {.*?#}\n", "", known)  # it wants real files
    active = re.sub(r'^(\t?)#([\w-]+ = (?!""$)|list|sender|route|zone|})', r"\1\2", known, flags=re.M)
    active = active.replace('\t#file = ""', f'\tfile = "{HERE}/files/good.txt"')
    active = re.sub(r"(?s)(sender NAME {.*?\tentries = ){}", r'\1{"bad.example"}', active)
    active = re.sub(r"(?s)(dnsl {.*?\tsites = ){}", r'\1{"name"}', active)
    active = re.sub(r"(?s)(route NAME {.*?\tdomains = ){}", r'\1{"branch.example"}', active)
    assert active.count("#") < known.count("#") - 40
    full = tmp_path / "full.conf"
    full.write_text(active)
    assert postern("config", "check", str(full)).endswith("no errors\n")


BROKEN = {
    "hangs up": (b"", "the daemon hung up without an answer|the daemon ended the stream|not running"),
    "is not JSON": (b"hello\n", ": the answer is not JSON: "),
    "is no object": (b"[]\n", ": the answer is not JSON: "),
    "is cut off": (b'{"schema":1', ": the answer is not JSON: "),
    "repeats a key": (b'{"error":"a","error":"b"}\n', ": the answer is not JSON: "),
    "is NUL": (b"\0\n", ": the answer is not JSON: "),
    "is deep": (b"[" * 100000 + b"\n", ": the answer is not JSON: "),
    "refuses": (b'{"schema":1,"error":"not \\u001b[31mtoday","usage":false}\n', "today"),
}


@pytest.mark.parametrize("answer", BROKEN)
@pytest.mark.parametrize("words", [["client", "list"], ["-j", "client", "list"], ["monitor"], ["ban", "add", "192.0.2.7", "force"]], ids=" ".join)
def test_broken_answer(tmp_path, words, answer):
    """Whatever answers on the socket, postern says so, fails, and prints nothing that a terminal would obey."""
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        listening.settimeout(20)

        def serve():
            peer, _ = listening.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(BROKEN[answer][0])

        server = threading.Thread(target=serve)
        server.start()
        done = subprocess.run([f"{BUILD}/postern", "-c", "/nonexistent", "-s", path, *words], capture_output=True, text=True, check=False)
        server.join()
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    if "-j" in words:
        assert re.search(BROKEN[answer][1], json.loads(done.stdout.splitlines()[-1])["error"])
        assert not done.stderr
    else:
        assert done.stderr.startswith("Error: ") and re.search(BROKEN[answer][1], done.stderr)


def test_log_events_are_rows():
    """Every line that the daemon logs begins with an event of log_rows.h, and has no key that its row lacks."""
    with open(f"{ROOT}/user/log_rows.h", encoding="utf-8") as f:
        rows = re.findall(r'^\tX\("([a-z-]+)", "([a-z_ ]*)", "', f.read(), re.M)
    events, calls = dict(rows), 0
    assert len(events) == len(rows)
    for path in sorted(glob.glob(f"{ROOT}/user/*.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for call in re.finditer(r'\blog_(?:info|warn|warnx)\(((?:\s*"(?:[^"\\]|\\.)*"|\s*[A-Z_]+\b)+)', text):
            line = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', call[1]))
            where = f"{os.path.basename(path)}:{text.count(chr(10), 0, call.start()) + 1}: {line}"
            if line.startswith("%s"):  # made by a function of its own
                continue
            event = re.match(r"[a-z-]+", line)
            assert event and event[0] in events, f"{where}: no row of log_rows.h"
            pairs = re.split(r":(?: |$)", line)[0]
            assert set(re.findall(r" ([a-z_]+)=", pairs)) <= set(events[event[0]].split()), f"{where}: a key is missing in its row"
            calls += 1
    assert calls > 50


def test_the_log_advises_what_there_is():
    """Commands in the advice of log_rows.h are commands, written out."""
    with open(f"{ROOT}/user/log_rows.h", encoding="utf-8") as f:
        advised = set(re.findall(r"`postern ([^`]+)`", f.read()))
    assert len(advised) > 15
    for command in advised:
        assert any(usage.startswith(f"postern {command}") for usage in usages(command.split()[0])), command


def test_every_python_module_has_a_package():
    """What tests and tools import is Python's own, ours, or has its row in tools/need: so that a fresh machine has it."""
    sources = glob.glob(f"{ROOT}/selftests/**/*.py", recursive=True) + glob.glob(f"{ROOT}/tools/**/*.py", recursive=True)
    ours = {os.path.basename(path).removesuffix(".py") for path in sources}
    with open(f"{ROOT}/tools/need", encoding="utf-8") as f:
        rows = set(re.findall(r"^py:(\w+) ", f.read(), re.M))
    for path in sources:
        with open(path, encoding="utf-8") as f:
            wanted = set(re.findall(r"^\s*(?:import|from) (\w+)", f.read(), re.M))
        assert wanted <= ours | set(sys.stdlib_module_names) | rows, os.path.relpath(path, ROOT)
