"""The debug console of Bochs and QEMU."""

from __future__ import annotations

from pykern.machine.devices.debugcon import Debugcon


def test_bytes_reach_the_host() -> None:
    out = bytearray()
    console = Debugcon(out.extend)
    for byte in b"hi\n":
        console.write(0, 1, byte)
    assert out == b"hi\n"


def test_reading_tells_that_it_is_there() -> None:
    assert Debugcon(bytearray().extend).read(0, 1) == 0xE9
