# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the commands: each suite has a network of its own, so that none meets the loopback interface, or a port, of the machine or of another one."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/demo"))

# pylint: disable=wrong-import-position
import cell


def pytest_sessionstart():
    cell.own_network()
