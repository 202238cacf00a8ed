# SPDX-License-Identifier: BSD-2-Clause
"""Network tests: the gate in front of a real Postfix, in the lab of tools/demo, made once per file.

Each runs in a cell, so start one with: sh selftests/run net/test_mail.py [PYTEST ARGUMENT...]
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/demo"))

# pylint: disable=wrong-import-position
import pytest

import gate as gate_
import lab as lab_
import mta
import smtp


@pytest.fixture(scope="session")
def lab():
    with lab_.Lab() as made:
        yield made


@pytest.fixture(scope="session")
def postfix(lab):
    server = mta.Postfix(lab)
    lab.later(server.stop)
    return server.start()


@pytest.fixture
def gate(lab, postfix, request):
    """A gate that is configured as usual and not started; nothing of it is left after the test."""
    made = gate_.Gate(lab).configure()
    yield made
    failed = getattr(request.node, "failed", True)
    made.close()
    if failed and os.path.exists(made.log):
        print(made.said())
    if os.path.exists(made.log):
        os.unlink(made.log)


@pytest.fixture
def serving(gate):
    """The usual gate, started."""
    return gate.start()


@pytest.fixture
def dial(lab):
    """dial(source, to=GATE4): a Dialog from an address of the world. All are closed after the test."""
    made = []

    def connect(source, to=None, **more):
        to = to or (lab_.GATE6 if ":" in source else lab_.GATE4)
        made.append(smtp.dial(lab.world, source, to, **more))
        return made[-1]

    yield connect
    for dialog in made:
        dialog.close()


@pytest.fixture
def box():
    """The mailbox of user@example.org, empty, and nothing of an earlier test is on its way to it."""
    mta.settle()
    mailbox = mta.Mailbox("user")
    mailbox.empty()
    return mailbox


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.failed = report.failed
