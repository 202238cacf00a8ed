# SPDX-License-Identifier: BSD-2-Clause
"""`postern config from-postfix` on whole configurations: byte for byte as expected, with the real postconf and without it, and what it prints is in order.

Each folder of postfix/ has a main.cf, its tables, and postern.conf as it should come out. UPDATE=1 writes that anew; the diff is then the reviewer's.
"""

import json
import os
import shutil
import subprocess

import pytest

import gate as gate_
import mta

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "postfix")
SAMPLES = sorted(os.listdir(HERE))


@pytest.fixture(scope="module")
def postconf(tmp_path_factory):
    """A folder for PATH with the real postconf."""
    (program, *_), env = mta.tool("postfix", "postconf")
    folder = tmp_path_factory.mktemp("bin")
    (folder / "postconf").write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={env["LD_LIBRARY_PATH"]} exec {program} "$@"\n')
    (folder / "postconf").chmod(0o755)
    return str(folder)


@pytest.fixture(params=SAMPLES)
def sample(request, tmp_path):
    """(folder, name): the configuration with its own paths, and a certificate for it."""
    shutil.copytree(f"{HERE}/{request.param}", tmp_path / "postfix")
    text = (tmp_path / "postfix/main.cf").read_text()
    (tmp_path / "postfix/main.cf").write_text(text.replace("@FOLDER@", str(tmp_path / "postfix")))
    (tmp_path / "postfix/master.cf").write_text("smtp inet n - y - 1 postscreen\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mx.example.org",
                    "-keyout", tmp_path / "key", "-out", tmp_path / "cert"], check=True, capture_output=True)
    (tmp_path / "postfix/mx.pem").write_text((tmp_path / "cert").read_text() + (tmp_path / "key").read_text())
    return str(tmp_path / "postfix"), request.param


def convert(folder, path, *options):
    return subprocess.run([gate_.POSTERN, *options, "config", "from-postfix", folder], capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": path})


def expected(name, got):
    file = f"{HERE}/{name}/postern.conf"
    if os.environ.get("UPDATE"):
        with open(file, "w", encoding="utf-8") as f:
            f.write(got)
    with open(file, encoding="utf-8") as f:
        return f.read()


def test_by_itself(sample):
    folder, name = sample
    done = convert(folder, "/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    got = done.stdout.replace(folder, "@FOLDER@")
    assert got == expected(name, got)


def test_with_postconf_it_is_the_same(sample, postconf):
    folder, _ = sample
    assert convert(folder, postconf).stdout == convert(folder, "/nowhere").stdout
    assert subprocess.run([f"{postconf}/postconf", "-c", folder, "-x", "-h", "myhostname"], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("level", ["", "compatibility_level = 2\n", "compatibility_level = 3.6\n"], ids=["no_level", "2", "3.6"])
def test_defaults_are_postfixs_own(tmp_path, postconf, level):
    """What main.cf does not say comes out alike, too, but for what depends on the machine."""
    (tmp_path / "main.cf").write_text("myhostname = mx.example.org\nmynetworks = 127.0.0.0/8\n" + level)
    (tmp_path / "master.cf").write_text("")
    assert convert(str(tmp_path), postconf).stdout == convert(str(tmp_path), "/nowhere").stdout


def test_what_it_prints_is_a_configuration(sample, tmp_path):
    """But for what only an operator knows: that is an error, lest it be overlooked."""
    (tmp_path / "postern.conf").write_text(convert(sample[0], "/nowhere").stdout + f'worker_user = "{gate_.WORKER_UID}"\njudge_user = "{gate_.JUDGE_UID}"\n')
    done = subprocess.run([gate_.POSTERND, "--check", "-c", tmp_path / "postern.conf"], capture_output=True, text=True, check=False)
    if sample[1] == "old":
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "no balancer is believed" in done.stderr
    else:
        assert done.returncode == 0 and done.stderr.count("\n") == 1 and "warning: no interface" in done.stderr


def test_json_has_the_same(sample):
    text, document = convert(sample[0], "/nowhere").stdout, json.loads(convert(sample[0], "/nowhere", "-j").stdout)
    assert document["configuration"] in text and document["notes"] in text and document["open"] == document["notes"].count("\n")


def test_nothing_to_read(tmp_path):
    done = convert(str(tmp_path / "none"), "/nowhere")
    assert done.returncode == 1 and f"{tmp_path}/none/main.cf: No such file" in done.stderr and not done.stdout


@pytest.mark.parametrize("text", ["", "=\n", "a\n", " begins with room\n", "x = $x\n", "x = ${x?{$x}:{$x}}\nmydestination = $x\n", "mydestination = ${\n", "mydestination = $(a\n",
                                  "mydestination = " + "a.example " * 50000 + "\n", "myhostname = \"}\n${", "mynetworks = 0.0.0.0/0 ::/0 /dev/null [\n", "mynetworks = 300.0.0.0/8\0x\n"],
                         ids=range(12))
def test_odd_ones_do_no_harm(tmp_path, text):
    (tmp_path / "main.cf").write_text(text)
    done = convert(str(tmp_path), "/nowhere")
    assert done.returncode == 0 and "listener" in done.stdout
