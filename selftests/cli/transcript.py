# SPDX-License-Identifier: BSD-2-Clause
"""transcript.py [--gate|--daemon] [--write] FILE: runs the commands of a transcript and prints it as it went now.

A transcript is what a person would see:

    $ ban add 192.0.2.7 for 1h          a command of postern; VAR=VALUE before it is its environment, "| filter" behind
                                        it a pipe
    what it prints
    ! what it says on standard error
    = 0                                 its exit status

'& COMMAND' starts a command that goes on and prints its first line, '& N lines' waits until it has printed so many, prints and ends it. ';' starts
a comment, '% command' runs a command of the shell ($BUILD: where the programs are) whose output does not matter. What differs from run to run
(moments, folders) is printed as a word. --gate mounts a private bpf file system, --daemon starts posternd in addition,
so start it under unshare -m -n.
--write puts the result into FILE.
"""

import contextlib
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("O", os.path.join(HERE, "../../build")))

VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "YYYY-MM-DDTHH:MM:SSZ"),
    (re.compile(r'(seconds_left(?:": ?|=))\d+'), r"\1SECONDS"),
    (re.compile(r"( for )\d+s( action )"), r"\1SECONDS\2"),
    (re.compile(r"((?:generic|native)(?: +(?:yes|no))? )( *\d+)"), lambda m: m[1] + "N".rjust(len(m[2]))),
    (re.compile(r'("(?:program|pid|[a-z]+_pid|uptime_seconds|read_ms|took_ms|[a-z_]*seconds_ago|since_seconds|[a-z]+_ms|bytes|bytes_before)": ?)\d+'), r"\1N"),
    (re.compile(r"((?:pid|uptime(?: seconds)?)\w* +)\d\w*$", re.M), r"\1N"),
    (re.compile(r"((?:since seconds|written seconds ago|write ms|restore ms|bytes) +)\d+$", re.M), r"\1N"),
    (re.compile(r"(compacted: |, before )\d+"), r"\1N"),
    (re.compile(r'("state":"(?:up|down)","seconds":|"error_seconds":)\d+'), r"\1N"),
    (re.compile(r"( (?:up|down) +)( *\d+)(  \d of \d )"), lambda m: m[1] + "N".rjust(len(m[2])) + m[3]),
    (re.compile(r"\b\d+s ago"), "Ns ago"),
    (re.compile(r"\b(read|imported) in \d+\.\d s"), r"\1 in N.N s"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "0123456789abcdef"),
]


def tidy(text, folder):
    text = text.replace(folder, "DIR").replace(HERE, "HERE").replace(version(), "VERSION")
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text


@functools.cache
def version():
    said = subprocess.run([f"{BUILD}/postern", "-jV"], capture_output=True, check=True).stdout
    return json.loads(said)["version"]


def command(line, folder):
    """The words and the environment of a line."""
    words = shlex.split(line)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ASAN_OPTIONS": "detect_leaks=0",  # what ends frees nothing
           "POSTERN_PINS": f"{folder}/bpf/v1", "POSTERN_SOCKET": f"{folder}/sock"}
    while words and re.match(r"[A-Z_]+=", words[0]):
        name, value = words.pop(0).split("=", 1)
        env[name] = value
    return [f"{BUILD}/postern", "-c", "files/none.conf", *words], env


def run(line, folder):
    line, _, pipe = line.replace("DIR", folder).partition(" | ")
    words, env = command(line, folder)
    done = subprocess.run(words, env=env, cwd=HERE, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    printed = done.stdout
    if pipe:
        printed = subprocess.run(pipe, shell=True, input=printed, capture_output=True, text=True, check=False).stdout
    said = "".join(f"! {line}\n" for line in done.stderr.splitlines())
    return tidy(printed + ("" if printed.endswith("\n") or not printed else "\n") + said, folder) + f"= {done.returncode}\n"


class Background:
    """The command that goes on while others run."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None

    def start(self, line):
        words, env = command(line, self.folder)
        self.process = subprocess.Popen(words, env=env, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return tidy(self.process.stdout.readline(), self.folder)

    def end(self, lines):
        printed = "".join(self.process.stdout.readline() for _ in range(lines))
        self.process.terminate()
        self.process.wait(30)
        return tidy(printed, self.folder)

    def act(self, line):
        asked = re.match(r"(\d+) lines", line)
        return self.end(int(asked[1])) if asked else self.start(line)


def replay(path, folder):
    background = Background(folder)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("$"):
                yield line + run(line[1:], folder)
            elif line.startswith("& "):
                yield line + background.act(line[2:])
            elif line.startswith("% "):
                subprocess.run(line[2:].replace("DIR", folder), shell=True, check=True, cwd=HERE, stdout=subprocess.DEVNULL, env={**os.environ, "BUILD": BUILD})
                yield line
            elif line.startswith(";"):
                yield line


@contextlib.contextmanager
def bpffs(folder):
    os.mkdir(f"{folder}/bpf")
    subprocess.run(["mount", "-t", "bpf", "bpf", f"{folder}/bpf"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", f"{folder}/bpf"], check=True)


@contextlib.contextmanager
def daemon(folder, name="daemon"):
    """posternd with files/daemon.conf, and what files/daemon-NAME.conf adds to it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open(f"{folder}/conf", "w", encoding="utf-8") as f:
        for part in ("daemon", f"daemon-{name}"):
            if os.path.exists(f"{HERE}/files/{part}.conf"):
                with open(f"{HERE}/files/{part}.conf", encoding="utf-8") as template:
                    f.write(template.read().replace("DIR", folder).replace("HERE", HERE))
    with open(f"{folder}/log", "w", encoding="utf-8") as log, \
            subprocess.Popen([f"{BUILD}/posternd", "-c", f"{folder}/conf"], stderr=log) as process:
        try:
            deadline = time.monotonic() + 60
            while not re.search(r'"state":"(up|failed)"', run("-j store show", folder)):  # in some folders its user may not keep anything
                if time.monotonic() > deadline or process.poll() is not None:
                    raise TimeoutError("posternd does not serve")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(30)
            with open(log.name, encoding="utf-8") as said:
                sys.stderr.write(said.read())


def transcribe(path, gate, with_daemon):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-cli-"))
        os.chmod(folder, 0o755)  # the judge's user passes through it
        if gate or with_daemon:
            stack.enter_context(bpffs(folder))
        if with_daemon:
            stack.enter_context(daemon(folder, os.path.basename(path)[:-4]))
        return "".join(replay(path, folder))


def main():
    arguments = sys.argv[1:]
    text = transcribe(arguments[-1], "--gate" in arguments, "--daemon" in arguments)
    if "--write" in arguments:
        with open(arguments[-1], "w", encoding="utf-8") as f:
            f.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
