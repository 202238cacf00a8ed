# SPDX-License-Identifier: BSD-2-Clause
"""The folder beside the configuration: its files are read, in order, and every error names its own file and line."""

import json
import os
import subprocess

import pytest

BUILD = os.path.abspath(os.environ.get("O", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build")))
MAIN = 'hostname = "mx.example.org" interface = { "lo" }\nworker_user = "64321"\njudge_user = "64322"\nlistener "mx" { port = 25 }\nbackend "main" { port = 10025 }\n'


@pytest.fixture
def config(tmp_path):
    """config(main=TEXT, NAME=TEXT...): the files; a name's "_" before "conf" is a dot. Gives the path."""

    def write(main=MAIN, **files):
        (tmp_path / "postern.conf").write_text(main)
        (tmp_path / "postern.conf.d").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "postern.conf.d" / name.replace("_conf", ".conf")).write_text(text)
        return str(tmp_path / "postern.conf")

    return write


def check(path):
    done = subprocess.run([f"{BUILD}/posternd", "--check", "-c", path], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr.replace(os.path.dirname(path) + "/", "")


def settings(path):
    done = subprocess.run([f"{BUILD}/postern", "-j", "-c", path, "config", "show"], capture_output=True, text=True, check=True)
    return {row["setting"]: row for row in json.loads(done.stdout)["settings"] if row["set"]}


def test_settings_of_all_files_count(config):
    path = config(a_conf='domains = { "example.org" }\n', b_conf='\n\nrelay {\n  entries = { 192.0.2.1 }\n}\nlist "x" { file = "/dev/null" }\n', c_conf="")
    got = settings(path)
    assert got["domains"]["value"] == '"example.org"' and got["domains"]["file"] == f"{path}.d/a.conf" and got["domains"]["line"] == 1
    assert got["relay.entries"]["file"] == f"{path}.d/b.conf" and got["relay.entries"]["line"] == 4
    assert got["hostname"]["file"] == path and got["hostname"]["line"] == 1


def test_without_the_folder_and_with_it_empty(tmp_path, config):
    path = config(MAIN + 'domains = { "example.org" }\n')
    assert check(path) == ""
    (tmp_path / "postern.conf.d").rmdir()
    assert check(path) == ""


def test_only_what_ends_in_conf_is_read(config):
    assert check(config(MAIN + 'domains = { "example.org" }\n', **{"x_conf~": "bad\n", ".hidden_conf": "bad\n", "README": "bad\n", "x_conf.dpkg-old": "bad\n", "_conf": "bad\n"})) == ""


def test_a_list_goes_on_in_the_next_file(config):
    path = config(MAIN + 'domains = { "example.org" }\n', a_conf='domains += { "example.com" }\n', b_conf='domains += { "example.net" }\n')
    assert check(path) == "" and settings(path)["domains"]["value"] == '"example.org", "example.com", "example.net"'


@pytest.mark.parametrize("files, says", [
    ({"a_conf": "\n\nno_such = 1\n"}, 'postern.conf.d/a.conf:3: unknown setting "no_such"'),
    ({"a_conf": "limits {\n  no_such = 1\n}\n"}, 'postern.conf.d/a.conf:2: unknown setting "no_such" in limits'),
    ({"a_conf": "", "b_conf": "\nmode = sometimes\n"}, "postern.conf.d/b.conf:2: mode:"),
    ({"a_conf": 'hostname = "b.example.org"\n'}, "postern.conf.d/a.conf:1: hostname is set twice, first in line 1;"),
    ({"a_conf": "\nmode = observe\n", "b_conf": "mode = enforce\n"}, "postern.conf.d/b.conf:1: mode is set twice, first in "),
    ({"a_conf": "\nmode = observe\n", "b_conf": "mode = enforce\n"}, "postern.conf.d/a.conf:2; set it once"),
    ({"a_conf": 'listener "mx" { port = 26 }\n'}, "postern.conf.d/a.conf:1: "),
    ({"a_conf": '\nlistener "two" {\n}\n'}, "postern.conf.d/a.conf:3: listener \"two\" overlaps with listener \"mx\" of line 4"),
    ({"a_conf": 'listener "a" { port = 26 }\n', "b_conf": '\nlistener "b" { port = 26 }\n'}, "postern.conf.d/b.conf:2: listener \"b\" overlaps with listener \"a\" of "),
    ({"a_conf": "limits {\n  sessions =\n"}, "postern.conf.d/a.conf:"),
    ({"a_conf": 'domains = "unfinished\n', "b_conf": 'mode = observe\n'}, "postern.conf.d/a.conf:"),
    ({"a_conf": "\n# NUL \0\n"}, "postern.conf.d/a.conf:2: a NUL byte"),
    ({"a_conf": "\ntraps = { \"a@example.org\",\n\"no mailbox\" }\n"}, "postern.conf.d/a.conf:3: traps:"),
    ({"a_conf": '\n\nroute "r" {\n  backends = { "none" }\n}\n'}, "postern.conf.d/a.conf:4: route \"r\":"),
])
def test_an_error_names_its_file_and_line(config, files, says):
    said = check(config(MAIN + ("" if "domains" in str(files) else 'domains = { "example.org" }\n'), **files))
    assert says in said, said
    assert "\npostern.conf:" not in f"\n{said}"


def test_a_folder_among_the_files_and_a_file_as_folder(tmp_path, config):
    path = config(MAIN + 'domains = { "example.org" }\n')
    (tmp_path / "postern.conf.d/sub.conf").mkdir()
    assert "postern.conf.d/sub.conf:1: cannot read: it is a folder" in check(path)
    (tmp_path / "postern.conf.d/sub.conf").rmdir()
    (tmp_path / "postern.conf.d").rmdir()
    (tmp_path / "postern.conf.d").write_text("no folder\n")
    assert check(path) == ""


def test_not_without_bound(config):
    assert "postern.conf.d:1: 64 files; 63 at most" in check(config(MAIN + 'domains = { "example.org" }\n', **{f"f{n}_conf": "" for n in range(64)}))
