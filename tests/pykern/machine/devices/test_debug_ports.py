"""Debug exit, debug console, POST code, reset control."""

from __future__ import annotations

import pytest

from pykern.machine.device import StopReason
from pykern.machine.devices.debug_exit import DebugExit
from pykern.machine.devices.debugcon import Debugcon
from pykern.machine.devices.post import Post
from pykern.machine.devices.reset_control import ResetControl


@pytest.mark.parametrize(
    ("size", "value", "status"), [(1, 0, 1), (1, 0x10, 0x21), (4, 0x80, 0x101)]
)
def test_debug_exit(size: int, value: int, status: int) -> None:
    stops: list[tuple[str, int]] = []
    DebugExit(lambda reason, code: stops.append((reason, code))).write(0, size, value)
    assert stops == [(StopReason.DEBUG_EXIT, status)]


def test_debugcon() -> None:
    out = bytearray()
    console = Debugcon(out.extend)
    for byte in b"hi\n":
        console.write(0, 1, byte)
    assert out == b"hi\n"
    assert console.read(0, 1) == 0xE9


def test_post_code() -> None:
    post = Post()
    post.write(0, 1, 0x55)
    assert post.code == post.read(0, 1) == 0x55
    post.reset()
    assert post.code == 0


def test_reset_control_acts_on_the_rising_edge() -> None:
    stops: list[tuple[str, int]] = []
    control = ResetControl(lambda reason, code: stops.append((reason, code)))
    control.write(0, 1, 0x0E)
    control.write(0, 1, 0x0E)
    assert stops == [(StopReason.RESET, 0)]
    control.write(0, 1, 0)
    control.write(0, 1, 4)
    assert len(stops) == 2
