"""The contract that scripts rely on: these numbers never change."""

from __future__ import annotations

from pykern.exit_status import ExitStatus, table


def test_the_contract():
    assert {status.name: int(status) for status in ExitStatus} == {
        "POWER_OFF": 0,
        "USAGE": 2,
        "GUEST_EXIT": 33,
        "PANIC": 34,
        "TRIPLE_FAULT": 35,
        "VIRTUAL_TIMEOUT": 36,
        "DEADLOCK": 37,
        "BAD_IMAGE": 38,
        "RESET": 39,
        "INTERNAL_ERROR": 70,
        "INTERRUPTED": 130,
    }


def test_the_table_describes_each():
    for status in ExitStatus:
        assert f"{int(status):5}  {status.description}" in table().splitlines()
