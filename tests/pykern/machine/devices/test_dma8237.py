"""8237A registers."""

from __future__ import annotations

import pytest

from pykern.machine.devices.dma8237 import Dma8237, DmaPages


@pytest.mark.parametrize("step", [1, 2])
def test_address_and_count_through_the_flip_flop(step: int) -> None:
    dma = Dma8237(step)
    dma.write(12 * step, 1, 0)
    for register, value in ((4, 0x1234), (5, 0xABCD)):
        dma.write(register * step, 1, value & 0xFF)
        dma.write(register * step, 1, value >> 8)
    dma.write(12 * step, 1, 0)
    read = [dma.read(register * step, 1) for register in (4, 4, 5, 5)]
    assert read == [0x34, 0x12, 0xCD, 0xAB]


def test_clearing_the_flip_flop_starts_with_the_low_byte() -> None:
    dma = Dma8237()
    dma.write(0, 1, 0x11)
    dma.write(12, 1, 0)
    dma.write(0, 1, 0x22)
    dma.write(0, 1, 0x33)
    assert dma.read(0, 1) | dma.read(0, 1) << 8 == 0x3322


def test_masks() -> None:
    dma = Dma8237()
    assert dma.read(15, 1) & 15 == 15
    dma.write(10, 1, 2)
    assert dma.read(15, 1) & 15 == 0b1011
    dma.write(14, 1, 0)
    assert dma.read(15, 1) & 15 == 0
    dma.write(13, 1, 0)
    assert dma.read(15, 1) & 15 == 15


def test_software_requests_show_in_the_status() -> None:
    dma = Dma8237()
    dma.write(9, 1, 0x04 | 1)
    assert dma.read(8, 1) == 0x20
    dma.write(9, 1, 1)
    assert dma.read(8, 1) == 0


def test_pages_are_latches() -> None:
    pages = DmaPages()
    pages.write(0x0F, 1, 0x5A)
    pages.write(1, 2, 0x2211)
    assert [pages.read(i, 1) for i in (0x0F, 1, 2, 3)] == [0x5A, 0x11, 0x22, 0]
