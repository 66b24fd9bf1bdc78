"""8237A registers."""

from __future__ import annotations

import random

import pytest

from pykern.machine.board import Board
from pykern.machine.devices.dma8237 import Dma8237, DmaPages
from tests.pykern.machine.fake_machine import FakeMachine
from tests.pykern.machine.qemu_oracle import Script, needs_qemu


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


def random_script(seed: int) -> Script:
    """Write and read whole addresses and counts, and the page registers that QEMU has."""
    choose = random.Random(seed)
    script = Script()
    for _ in range(300):
        base, step = choose.choice(((0x00, 1), (0xC0, 2)))
        register = base + choose.randrange(8) * step
        script.out(base + 12 * step, 0)
        if choose.random() < 0.5:
            script.out(register, choose.randrange(256))
            script.out(register, choose.randrange(256))
        else:
            script.inp(register)
            script.inp(register)
    for page in (0x81, 0x82, 0x83, 0x87, 0x89, 0x8A, 0x8B):
        script.out(page, choose.randrange(256))
        script.inp(page)
    return script


@needs_qemu
def test_random_use_agrees_with_qemu() -> None:
    machine = FakeMachine()
    Board(machine)
    script = random_script(1)
    assert script.on(machine).hex(" ") == script.on_qemu().hex(" ")
