# SPDX-License-Identifier: BSD-2-Clause
"""A small botnet and genuine queues at the gate as it is installed. The large one, beside postscreen, is `make bench PARTS=botnet`."""

import pytest

import crowd

BANNED_KINDS = ("pregreet", "pipeline", "harvest", "guess", "relay")


@pytest.fixture(scope="module")
def report(lab):
    crowd.prepare(lab)
    door = crowd.GateDoor(lab)
    try:
        door.start()
        yield crowd.Crowd(lab, door, 48, 10, 2, spread_s=4, gap_s=0.5).run()
    finally:
        door.stop()


def test_every_genuine_message_arrives(report):
    assert not report["lost"]


def test_no_genuine_sender_is_banned(report):
    assert not [a for a in report["senders"] if crowd.covers(report["banned"], a)]


def test_no_genuine_message_is_tried_twice(report):
    assert not report["retried"]


def test_no_spam_gets_in(report):
    assert not report["spam"] and not any(bot["accepted"] for bot in report["bots"])


@pytest.mark.parametrize("kind", BANNED_KINDS)
def test_every_bot_is_banned(report, kind):
    assert not [bot["source"] for bot in report["bots"] if bot["kind"] == kind and not crowd.covers(report["banned"], bot["source"])]


def test_the_nic_refuses_what_they_still_send(report):
    assert report["refused_packets"] > 0
