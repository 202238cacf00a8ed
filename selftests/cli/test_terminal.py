# SPDX-License-Identifier: BSD-2-Clause
"""What is printed to a terminal only: colours and bars; and that neither reaches anything else."""

import os
import re
import subprocess

import pytest

import transcript
from terminal import terminal

RED = b"\033[31m"


@pytest.mark.parametrize("env, red", [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)])
def test_errors_are_red_on_a_terminal(tmp_path, env, red):
    with terminal(str(tmp_path), "bogus", **env) as t:
        assert t.ended() == 2
        assert b"unknown object" in t.raw
        assert (RED in t.raw) == red
        assert red or b"\033" not in t.raw


@pytest.mark.parametrize("words", ["help", "-j help", "help ban", "ban show", "gate show", "stats", "config show", "-p help"])
def test_no_escapes_elsewhere(tmp_path, words):
    command, env = transcript.command(words, str(tmp_path))
    done = subprocess.run(command, env={**env, "TERM": "xterm"}, cwd=transcript.HERE, capture_output=True, check=False)
    assert b"\033" not in done.stdout + done.stderr


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("terminal"))
    with transcript.bpffs(folder):
        assert "= 0" in transcript.run("gate load", folder)
        yield folder
        transcript.run("gate unload", folder)


def many(path, n):
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"100.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n" for i in range(n))
    return path


def test_import_shows_a_bar(folder, tmp_path):
    """It grows, names what is done, and is wiped away."""
    with terminal(folder, f"ban import {many(tmp_path / 'many', 600000)}", columns=100) as t:
        assert t.ended() == 0
        bars = re.findall(rb"\r\[(#*)(\.*)\] +(\d+) %  (\d+) (lines read|bans written)\033\[K", t.raw)
        assert bars, t.raw
        assert all(len(full) + len(rest) == 40 and len(full) == int(percent) * 40 // 100 for full, rest, percent, *_ in bars)
        for what in (b"lines read", b"bans written"):
            shown = [int(bar[3]) for bar in bars if bar[4] == what]
            assert shown == sorted(shown)
        assert b"600000 bans, imported" in t.raw
        assert "%" not in "\n".join(t.screen.display)


def test_import_has_no_bar_elsewhere(folder, tmp_path):
    command, env = transcript.command(f"ban import {many(tmp_path / 'many', 600000)}", folder)
    done = subprocess.run(command, env={**env, "TERM": "xterm"}, cwd=transcript.HERE, capture_output=True, check=True)
    assert b"\r" not in done.stdout + done.stderr and b"\033" not in done.stdout + done.stderr
    os.unlink(tmp_path / "many")
