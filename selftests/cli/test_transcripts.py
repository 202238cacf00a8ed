# SPDX-License-Identifier: BSD-2-Clause
"""Every text that postern prints, word for word. words/: no gate is needed; gate/: with real maps of their own; daemon/:
with posternd.

After a wanted change: transcript.py [--gate|--daemon] --write FILE, and read the difference.
"""

import glob
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def transcripts(folder):
    found = sorted(glob.glob(f"{HERE}/{folder}/*.txt"))
    assert found
    return [pytest.param(path, id=os.path.basename(path)[:-4]) for path in found]


# Namespaces of its own: no interface but lo, and its own bpf file system.
def played(path, *more):
    done = subprocess.run(["unshare", "-m", "-n", sys.executable, f"{HERE}/transcript.py", *more, path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wanted(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.mark.parametrize("path", transcripts("words"))
def test_words(path):
    assert played(path) == wanted(path)


@pytest.mark.parametrize("path", transcripts("gate"))
def test_gate(path):
    assert played(path, "--gate") == wanted(path)


@pytest.mark.parametrize("path", transcripts("daemon"))
def test_daemon(path):
    assert played(path, "--daemon") == wanted(path)
