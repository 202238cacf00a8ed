# SPDX-License-Identifier: BSD-2-Clause
"""postern simulate beside a real daemon, with much, and with rubbish."""

import json
import random
import subprocess

import transcript

REASONS = ["relay-attempt", "early-talker", "non-smtp", "trap-recipient", "syntax-junk", "helo-literal", "hang-up"]


def simulate(path, *words, conf="files/sim.conf", code=0):
    done = subprocess.run([f"{transcript.BUILD}/postern", "-j", "-c", conf, "simulate", path, *words], cwd=transcript.HERE, capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_as_the_daemon_did(tmp_path):
    """What a daemon has judged, judged again from its own record, comes to the same bans."""
    folder = str(tmp_path)
    with transcript.bpffs(folder), transcript.daemon(folder):
        words, env = transcript.command("-j monitor", folder)
        with open(f"{folder}/record", "w", encoding="utf-8") as record, subprocess.Popen(words, env=env, cwd=transcript.HERE, stdout=subprocess.PIPE,
                                                                                       text=True) as monitor:
            record.write(monitor.stdout.readline())
            for source, times in [("127.0.0.11", 1), ("127.0.0.12", 2), ("127.0.0.13", 1), ("127.0.0.14", 2)]:
                for _ in range(times):
                    subprocess.run(["/usr/bin/python3", "files/say.py", source, "GET / HTTP/1.1"], cwd=transcript.HERE, check=True, timeout=60)
            lines = []
            while len([line for line in lines if '"finding"' in line]) < 6 or len([line for line in lines if '"ban"' in line]) < 2:
                lines.append(monitor.stdout.readline())
            record.writelines(lines)
            monitor.terminate()
        said = subprocess.run(transcript.command("-j ban show", folder)[0], env=env, cwd=transcript.HERE, capture_output=True, text=True, check=True)
        bans = {(ban["prefix"], ban["reason"], ban["score"], ban["relapse"]) for ban in json.loads(said.stdout)["bans"]}
        again = simulate(f"{folder}/record", conf=f"{folder}/conf")
        assert again["findings"] == 6
        assert {(ban["source"], ban["reason"], ban["score"], ban["relapse"]) for ban in again["running"]["bans"]} == bans
        assert {ban[0] for ban in bans} == {"127.0.0.12", "127.0.0.14"}


def record(path, findings, sources, seed):
    rnd = random.Random(seed)
    with open(path, "w", encoding="utf-8") as f:
        for i in range(findings):
            second = i * 86399 // findings
            who = rnd.randrange(sources)
            address = f"2001:db8:{who >> 8:x}:{who & 255:x}::1" if who % 3 == 0 else f"100.{who >> 16}.{who >> 8 & 255}.{who & 255}"
            f.write(f'{{"event":"finding","time":"2026-11-20T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z","address":"{address}",'
                    f'"reason":"{rnd.choice(REASONS)}","session":null,"score":1,"evidence":""}}\n')
    return str(path)


def test_a_day_of_a_botnet_twice(tmp_path):
    """Much, and the same both times; every source is somebody who offended, and none of them is banned twice at a time."""
    path = record(tmp_path / "day", 100000, 20000, 1)
    first, second = simulate(path, "with", "files/mild.conf"), simulate(path, "with", "files/mild.conf")
    assert first == second
    assert first["findings"] == 100000 and first["running"]["banned_sources"] > 1000
    until = {}
    for ban in first["running"]["bans"]:
        assert until.get(ban["source"], "") <= ban["at"] < ban["until"]
        until[ban["source"]] = ban["until"]


def test_rubbish(tmp_path):
    """Neither a record nor a conversation that is none does more than say so."""
    rnd = random.Random(7)
    pieces = [b"C: ", b"S: ", b"T: ", b"220 ", b"EHLO x", b"DATA", b".", b"BDAT 9999999999", b"MAIL FROM:<>", b"RCPT TO:<a@example.org>", b"STARTTLS", b"AUTH PLAIN",
              b"{", b'{"event":"finding"', b"finding addr=", b"2026-11-20T10:00:00Z ", b"\0", b"\xff", b"\r", b" -> ", b"=== Connected", b"354", b"550 no", b"1s"]
    for i in range(60):
        path = tmp_path / f"rubbish{i}"
        path.write_bytes(b"".join(b"".join(rnd.choices(pieces, k=rnd.randrange(5))) + b"\n" for _ in range(rnd.randrange(200))))
        for words in ([], ["from", "192.0.2.7"]):
            done = subprocess.run([f"{transcript.BUILD}/postern", "-j", "-c", "files/sim.conf", "simulate", str(path), *words], cwd=transcript.HERE,
                                  capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode in (0, 1), (path.read_bytes(), done)
            assert json.loads(done.stdout)["schema"] == 1
