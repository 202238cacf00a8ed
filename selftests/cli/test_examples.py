# SPDX-License-Identifier: BSD-2-Clause
"""The examples of the manual's pages, word for word, in a shell beside a running gate: each does what its page says, or fails for what this machine lacks."""

import gzip
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import transcript

PAGES = os.path.join(transcript.HERE, "../../tools/man")
# Beginnings of what must fail here, and what it says: no mail server and no name server answers, there is no such session, and nobody may do that.
UNABLE = {
    "postern backend check": "cannot be connected to",
    "postern dnsl check$": "zen.example",
    "postern relay resolve": "name resolution|not known",
    "postern session kill": "is not alive",
}
ELSEWHERE = ("postern relay check", "swaks")  # these would ask a mail server in the world
UNTIL_INTERRUPTED = re.compile(r"postern (?:-j )?(?:monitor|session trace|top|stats interval)\b[^|]*$")


def pages():
    return sorted(name[:-6] for name in os.listdir(PAGES) if re.fullmatch(r"postern(-\w+)?\.8\.rst", name) and "exporter" not in name)


def examples(page):
    """Its lines; a here-document stays whole."""
    with open(f"{PAGES}/{page}.8.rst", encoding="utf-8") as f:
        text = re.search(r"^EXAMPLES\n=+\n(.*?)(?=^[A-Z ]+\n=+\n)", f.read(), re.M | re.S)[1]
    for block in re.findall(r"::\n\n((?:(?:    .*)?\n)+)", text):
        block = re.sub(r"^    ", "", block.strip("\n"), flags=re.M)
        yield from [block] if "<<" in block else block.splitlines()


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """shell(line): the line as an operator types it, on a machine with a gate on eth0; (status, output)."""
    folder = str(tmp_path_factory.mktemp("examples"))
    os.chmod(folder, 0o755)
    for up in os.path.relpath(folder, "/tmp").split("/"):
        os.chmod(os.path.join("/tmp", folder[:folder.index(up) + len(up)].removeprefix("/tmp/")), 0o755)
    for name in ("bin", "var/lib/postern", "etc/postern", "root", "tmp"):
        os.makedirs(f"{folder}/{name}")
    with open(f"{folder}/bin/postern", "w", encoding="utf-8") as f:
        f.write(f'#!/bin/sh\nexec {transcript.BUILD}/postern -c {folder}/conf "$@"\n')
    os.chmod(f"{folder}/bin/postern", 0o755)
    with gzip.open(f"{folder}/spammers.gz", "wt") as f:
        f.write("192.0.2.66\n2001:db8:66::/48\n")
    shutil.copy(f"{transcript.HERE}/files/good.txt", f"{folder}/var/lib/postern/drop.txt")
    shutil.copy(f"{transcript.HERE}/files/talk-early.txt", f"{folder}/talk")
    shutil.copytree(f"{transcript.HERE}/../net/postfix/plain", f"{folder}/etc/postfix")
    subprocess.run("ip link add eth0 type veth peer name eth0-peer && ip link set eth0 up; if command -v nft; then nft add table inet filter && "
                   "nft 'add set inet filter bad { type ipv4_addr; flags interval; elements = { 192.0.2.0/25 }; }'; fi", shell=True, check=True, stdout=subprocess.DEVNULL)
    env = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "POSTERN_PINS": f"{folder}/bpf/v1", "POSTERN_SOCKET": f"{folder}/sock", "TERM": "dumb"}

    def run(line):
        line = re.sub(r"(?<![\w.])/(?=(?:var/lib|etc|root|tmp)/)", f"{folder}/", line)
        going = UNTIL_INTERRUPTED.match(line)
        with subprocess.Popen(["bash", "-o", "pipefail", "-c", f"exec {line.partition('>')[0]}" if going else line], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as process:
            said = ""
            if going:
                said = process.stdout.readline()
                process.send_signal(signal.SIGINT)
            said += process.communicate(timeout=120)[0]
        return 0 if going and process.returncode == -signal.SIGINT else process.returncode, said

    with transcript.bpffs(folder), transcript.daemon(folder, "examples"):
        shutil.copy(f"{folder}/conf", f"{folder}/tmp/strict.conf")
        while run("postern backend show main")[0]:  # until a worker has told
            time.sleep(0.1)
        yield run
    subprocess.run(["ip", "link", "del", "eth0"], check=True)


def test_every_page_has_examples_options_and_exit_status():
    assert len(pages()) > 15
    for page in pages():
        with open(f"{PAGES}/{page}.8.rst", encoding="utf-8") as f:
            text = f.read()
        assert ".. include:: gen/options.rst" in text and "\nEXIT STATUS\n" in text and list(examples(page)), page


@pytest.mark.parametrize("page", pages())
def test_the_examples_run(shell, page):
    for line in examples(page):
        tools = {word for word in re.findall(r"(?:^|\| |&& )(\w+)", line) if word != "postern"}
        if line.startswith(ELSEWHERE) or not all(map(shutil.which, tools)):
            continue
        code, said = shell(line)
        why = next((why for begin, why in UNABLE.items() if re.match(begin, line)), None)
        assert (code == 0) if why is None else (code == 1 and re.search(why, said)), f"{line}\n{code}: {said}"
