# SPDX-License-Identifier: BSD-2-Clause
"""Whatever postern can say is wrong has been said in a transcript or in another test, but for what only a failing kernel or an empty machine says."""

import glob
import os
import re
import subprocess

import pytest

import transcript

TOOLS = os.path.join(transcript.HERE, "../../tools/postern")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

# Beginnings of what no test provokes, and why.
UNPROVOKED = {
    "out of memory": "malloc fails",
    "the allow entries cannot be read": "bpf(2) fails on a map that could be opened",
    "the bans cannot be read": "likewise",
    "the lists cannot be read": "likewise",
    "the counters cannot be read": "likewise",
    "the maps under %s cannot be read": "likewise",
    "%s: the pinned links cannot be read": "likewise",
    "%s: the gate's settings": "likewise",
    "the lists: %s": "likewise",
    "%s could not be written to the maps": "likewise",
    "%zu of %zu bans are written": "likewise",
    "the ban was accepted but is not in the maps": "a ban that ends at that very moment",
    "; the first of them are named": "half a sentence; the other half is tested",
    "the table was full": "a table full of automatic bans; selftests/packet/test_ban fills one",
    "the reasons of %zu bans found no room": "likewise, of reasons",
    "%s: no answer from the daemon": "a daemon that is stopped",
    "%s: the daemon hung up without an answer": "test_generated, in words of a pattern",
    "the daemon hung up": "between connect(2) and the first line",
    "nobody can be asked": "c-ares does not start",
    "DNS lists cannot be asked": "likewise",
    "the gate cannot work here": "a kernel without BPF",
    "the gate that is loaded beside %s": "net/test_upgrade.py, with the schema of each old version in the text",
    "%llu sessions since the daemon's start": "more sessions than a worker's table has rows",
    "%zu records cannot be read": "net/test_store.py damages records and reads the document",
    "the store has not been compacted within a minute": "a disk that takes longer",
    "a daemon writes it": "net/test_store.py reads the document",
    "the terminal cannot be taken over": "a terminal that is gone",
}


def literals(text, at):
    """The string literals among the arguments of the call whose parenthesis is at that place, put together as the compiler does."""
    depth, found, open_ = 0, [], False
    for token in re.finditer(r'"((?:[^"\\]|\\.)*)"|/\*.*?\*/|[()]|[^\s]', text[at:], re.S):
        if token[1] is not None and depth == 1:
            found = found[:-1] + [found[-1] + token[1]] if open_ else found + [token[1]]
        open_ = depth == 1 and token[1] is not None
        depth += (token[0] == "(") - (token[0] == ")")
        if not depth:
            return found
    raise AssertionError("a call that does not end")


def messages():
    """(place, format) of every error and note."""
    for path in sorted(glob.glob(f"{TOOLS}/*.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for call in re.finditer(r"\b(?:out_error|usage_error|out_note)\((?!const )", text):
            for literal in literals(text, call.end() - 1):
                if len(re.sub(r"%\S+", "", literal)) > 10:
                    yield f"{os.path.basename(path)}:{text.count(chr(10), 0, call.start()) + 1}", literal.replace('\\"', '"')


def said():
    text = ""
    for kind in ("*.txt", "*.py", "*.c"):
        for path in glob.glob(f"{transcript.HERE}/../**/{kind}", recursive=True):
            with open(path, encoding="utf-8", errors="replace") as f:
                text += re.sub(r"UNPROVOKED = {.*?^}", "", f.read(), flags=re.M | re.S)
    return text.replace('\\"', '"')


def test_every_message_has_been_said():
    have, missing, all_ = said(), [], list(messages())
    for place, message in all_:
        pieces = re.split(r"%(?:[-+0 #]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:ll|z|l|h)*[a-zA-Z]|%)", message)
        if message.startswith(tuple(UNPROVOKED)) or re.search(r"[^\n]*?".join(map(re.escape, pieces)), have):
            continue
        missing.append(f"{place}: {message}")
    assert len(all_) > 100 and not missing
    assert [begin for begin in UNPROVOKED if not any(message.startswith(begin) for _, message in all_)] == []


@pytest.fixture
def folder(tmp_path):
    for above in [tmp_path, *tmp_path.parents][:3]:
        above.chmod(0o755)
    with transcript.bpffs(str(tmp_path)):
        yield str(tmp_path)


def test_a_member_of_the_group_imports(folder):
    """The maps are not his to read, so the judge is asked without having looked."""
    with open(f"{folder}/bans", "w", encoding="utf-8") as f:
        f.write("192.0.2.66\n2001:db8:66::/48\n")
    with open(f"{folder}/lengths", "w", encoding="utf-8") as f:
        f.writelines(f"2000::/{n}\n" for n in range(20, 60))
    with transcript.daemon(folder, "group"):
        def run(words, *user):
            command, env = transcript.command(words, folder)
            return subprocess.run([*user, *command], env=env, cwd=transcript.HERE, capture_output=True, text=True, check=False)

        done = run(f"ban import {folder}/bans", *NOBODY)
        assert (done.returncode, done.stderr) == (0, "") and "2 bans" in done.stdout
        done = run(f"ban import {folder}/lengths", *NOBODY)
        assert done.returncode == 1 and "length" in done.stderr, done
        assert "2 bans" in run("ban show").stdout


@pytest.mark.parametrize("words, wanted", [
    ("ban show", "DIR/bpf/v1: no permission; run as root"),
    ("gate unload", "DIR/bpf/v1: no permission; run as root"),
    ("client list", "DIR/sock: no permission; run as root or as a member of the control group"),
    ("ban add 192.0.2.7", "DIR/sock: no permission; run as root or as a member of the control group"),
])
def test_who_may_not_learns_who_may(folder, words, wanted):
    with transcript.daemon(folder):
        command, env = transcript.command(words, folder)
        done = subprocess.run([*NOBODY, *command], env=env, cwd=transcript.HERE, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, f"Error: {wanted.replace('DIR', folder)}\n")
