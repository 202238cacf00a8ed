# SPDX-License-Identifier: BSD-2-Clause
"""Spellings that have made open relays of other gates, each with three senders; the backend would relay them all."""

import pytest

import gate as gate_

REFUSED = [
    "<t@remote.example>", "<T@REMOTE.EXAMPLE>", "<t%remote.example@example.org>", '<"t%remote.example"@example.org>',
    '<"t@remote.example"@example.org>', '<"t@remote.example">', "<t@remote.example@example.org>", "<remote.example!t>",
    "<remote.example!t@example.org>", "<@example.org:t@remote.example>", "<t@[192.0.2.10]>", "<t%remote.example@[127.0.0.1]>",
    "<t%remote.example>", "<t%remote.example@>", "<t@remote.example@>", "t@remote.example", "<t@sub.example.org>",
    "<t@example.org.remote.example>", "<t@example.org><t@remote.example>", "<user@example.org> <t@remote.example>",
    '<"t\\@remote.example"@example.org>', "<<t@remote.example>>", "<user@example.org;t@remote.example>",
    "<t@remote(@example.org>", "<t@remote.example\t@example.org>",
]


@pytest.fixture(scope="module")
def serving(lab, postfix):
    """One gate for all rows: it observes, so that nobody is banned half-way."""
    made = gate_.Gate(lab).configure(backend__main={"identity": "none", "port": 10027}, greet_pause="0s", ban={"observe": True},
                                     limits={"errors": 1000}).start()
    yield made
    made.close()


@pytest.mark.parametrize("recipient", REFUSED)
@pytest.mark.parametrize("sender", ["<sender@example.net>", "<user@example.org>", "<>"])
def test_refused(serving, dial, sender, recipient):
    with dial("198.51.100.20") as d:
        assert d.say("EHLO localhost") == 250
        assert d.say(f"MAIL FROM:{sender}") == 250
        reply = d.say(f"RCPT TO:{recipient}")
        assert 500 <= reply.code < 600
        assert "250" not in str(reply) and "remote.example" not in str(reply)
        if recipient == "<t@remote.example>":
            assert str(reply) == "550 5.7.1 Unable to relay"
        assert d.say("DATA").code in (503, 554)
