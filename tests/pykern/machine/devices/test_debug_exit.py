"""QEMU's isa-debug-exit."""

from __future__ import annotations

import pytest

from pykern.machine.device import StopReason
from pykern.machine.devices.debug_exit import DebugExit


@pytest.mark.parametrize(
    ("size", "value", "status"), [(1, 0, 1), (1, 0x10, 0x21), (4, 0x80, 0x101)]
)
def test_a_write_stops_with_an_odd_status(size: int, value: int, status: int) -> None:
    stops: list[tuple[str, int]] = []
    DebugExit(lambda reason, code: stops.append((reason, code))).write(0, size, value)
    assert stops == [(StopReason.DEBUG_EXIT, status)]


def test_it_reads_as_zero() -> None:
    assert DebugExit(lambda _reason, _code: None).read(0, 4) == 0
