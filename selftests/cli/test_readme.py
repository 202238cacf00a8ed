# SPDX-License-Identifier: BSD-2-Clause
"""What README tells an operator to write and to type is what the programs take."""

import os
import re
import subprocess

import transcript

TOP = os.path.join(transcript.HERE, "../..")
PATHS = {"/etc/postern/domains.lmdb": "@DIR@/good.lmdb", "/etc/postern/domains": "@DIR@/domains.txt", "/etc/postern/tls.pem": "@DIR@/cert.pem", "/etc/postern/tls.key": "@DIR@/key.pem"}


def read(path):
    with open(f"{TOP}/{path}", encoding="utf-8") as f:
        return f.read()


def blocks():
    """Those that are configuration."""
    return [block for block in re.findall(r"^\n((?: {4,}.*\n|\n(?= {4}))+)", read("README.md"), re.M) if re.search(r"^ +(?:listener|backend) +\"", block, re.M)]


def lines(text):
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()]


def test_its_configurations_are_tested(tmp_path):
    """selftests/config has them, for unit/test_config to read, with paths of its own; a balancer's is checked here."""
    five_minutes, relay, balancer = blocks()
    for where, there in PATHS.items():
        relay = relay.replace(where, there)
    assert [line for line in lines(relay) if line not in lines(read("selftests/config/good_readme_relay.conf"))] == []
    assert [line for line in lines(five_minutes) if line not in lines(read("selftests/config/good_readme.conf"))] == ['hostname = "mx.example.org"', 'domains = { "example.org" }']
    text = 'interface = { "lo" } hostname = "mx.example.org" domains = { "example.org" } worker_user = 64321 judge_user = 64322 backend "main" { port = 10025 }\n' + balancer
    (tmp_path / "postern.conf").write_text(text)
    done = subprocess.run([f"{transcript.BUILD}/posternd", "--check", "-c", tmp_path / "postern.conf"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_commands_are_commands():
    """Each that it shows, and each that it mentions, by its whole words."""
    typed = re.findall(r"^    (?:\S+ && )?postern ([^\n&;]+?)(?:  .*)?$", read("README.md"), re.M) + re.findall(r"`postern ([^`]+)`", read("README.md"))
    assert len(typed) > 30
    for words in typed:
        first = [word for word in words.split() if not word.startswith("-")]
        done = subprocess.run([f"{transcript.BUILD}/postern", *first[:1], "help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, words
        direct = f"postern {first[0]}\n" in done.stdout or not re.search(rf"postern {first[0]} [a-z]", done.stdout)
        assert direct or len(first) == 1 or re.search(rf"postern {first[0]} {first[1]}\b", done.stdout), words
