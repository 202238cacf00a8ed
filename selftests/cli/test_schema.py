# SPDX-License-Identifier: BSD-2-Clause
"""Scripts rely on the JSON: what the transcripts have of it, member by member with its type, is written down in schema.txt, and none of it
may go while "schema" stays the same.

test_schema.py --write adds what is new. A line may be taken away only together with a new number in OUT_SCHEMA.
"""

import glob
import json
import os
import re
import subprocess
import sys

import transcript

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = f"{HERE}/schema.txt"
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
WORDS = re.compile(r"\$ (?:[A-Z_]+=\S+ |-c \S+ )*-[jpl]+ (?:-c \S+ )?(.*)")
BY_NAME = {"phases"}  # members of these are named by what they count


def members(value, path):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from members(inner, path if path.rsplit(".", 1)[-1] in BY_NAME else f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner, f"{path}[]")
    else:
        yield f"{path} {TYPES[type(value)]}"


def documents(text):
    """Those of a command's output, as far as it is JSON: what a filter has cut is not."""
    decoder = json.JSONDecoder()
    text = text.strip()
    while text.startswith("{"):
        try:
            value, end = decoder.raw_decode(re.sub(r"\b(SECONDS|N)\b(?=[,}\s])", "1", text))
        except json.JSONDecodeError:
            return
        yield value
        text = re.sub(r"\b(SECONDS|N)\b(?=[,}\s])", "1", text)[end:].strip()


def name_of(words):
    words = [word for word in words.split(" | ")[0].split() if re.fullmatch(r"[a-z]+", word)]
    return " ".join(words[:2]) if words and words[0] not in ("batch", "explain", "simulate", "top", "monitor", "help") else words[0] if words else ""


def found():
    rows = set()
    for path in glob.glob(f"{HERE}/*/*.txt"):
        with open(path, encoding="utf-8") as f:
            runs = re.split(r"^(?=\$ )", f.read(), flags=re.M)
        for run in runs:
            line, _, printed = run.partition("\n")
            asked = WORDS.fullmatch(line)
            if not asked or " | " in line:
                continue
            for document in documents(printed.rsplit("= ", 1)[0]):
                assert document["schema"] == 1, f"{path}: {line}"
                rows.update(members(document, name_of(asked[1])))
    return rows


def written():
    with open(FILE, encoding="utf-8") as f:
        return set(f.read().splitlines())


def ask(*words):
    return json.loads(subprocess.run([f"{transcript.BUILD}/postern", "-j", *words], capture_output=True, check=True).stdout)


def test_schema_only_grows():
    assert len(written()) > 100
    assert sorted(written() - found()) == []


OPTIONS = re.compile(r'^(?:[A-Z_]+=(?:"[^"]*"|\S+) |-[jpl]+ |-c \S+ |-s \S+ |--pins \S+ )*')


def runs():
    """Words, status and whether it is JSON of every command in the transcripts; one that went on until it was ended has done what it does."""
    for path in glob.glob(f"{HERE}/*/*.txt"):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for run in re.finditer(r"^\$ (.*)\n(?:[^$&].*\n|\n)*?= (\d+)$|^& (?!\d+ lines)(.*)$", text, re.M):
            line = run[1] or run[3] or ""
            yield OPTIONS.sub("", line).split(" | ")[0].split(), int(run[2] or 0), bool(re.search(r"(?:^| )-[jpl]+ ", OPTIONS.match(line)[0]))


def commands():
    """The first words of every command: its object, and what follows that."""
    for row in ask("help")["objects"]:
        for command in ask("help", row["object"])["commands"]:
            yield command["usage"].split()[1:2 if row["direct"] else 3]


def scripts():
    """The tests that are no transcripts: what wants name servers or mail servers is run there."""
    text = ""
    for path in glob.glob(f"{HERE}/../*/test_*.py"):
        with open(path, encoding="utf-8") as f:
            text += f.read()
    return text


def test_every_command_is_run():
    """Nearly all in a transcript, and each of these ends with one of the three statuses of the manual."""
    played, others = list(runs()), scripts()
    assert len(played) > 200
    assert {status for _, status, _ in played} == {0, 1, 2}
    for words in commands():
        assert any(run[:len(words)] == words for run, _, _ in played) or re.search(r"\b" + r"\W+".join(words) + r"\b", others), f"{' '.join(words)}: run by no test"


ELSEWHERE = {"relay check": "net/test_relay_check.py", "backend check": "net/test_backend_show.py"}  # these want mail servers; what they print without one is in daemon/


def test_every_command_has_both_outputs():
    """What it prints when it has done what it does, word for word, as text and as JSON; what it does by itself, too."""
    defaults, missing = {}, []
    for words in commands():
        defaults.setdefault(words[0], words)
    done = {(" ".join(defaults.get(words[0], words) if len(words) == 1 else words), json_) for words, status, json_ in runs() if words and not status}
    for words in commands():
        for json_ in (False, True):
            name = " ".join(words)
            if name in ELSEWHERE:
                with open(f"{HERE}/../{ELSEWHERE[name]}", encoding="utf-8") as f:
                    assert re.search(r"\W+".join(words), f.read()), name
            elif not any((did == name or did.startswith(f"{name} ")) and did != f"{name} help" and was == json_ for did, was in done):
                missing.append(f"{name} as {'JSON' if json_ else 'text'}")
    assert not missing


if __name__ == "__main__" and "--write" in sys.argv:
    rows = sorted(found())
    with open(FILE, "w", encoding="utf-8") as out:
        out.writelines(f"{row}\n" for row in rows)
