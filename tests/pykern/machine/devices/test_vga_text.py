"""VGA registers, and what is seen on its screen."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pykern.machine.board import Board
from pykern.machine.devices.vga_font import HEIGHT, WIDTH, glyphs
from pykern.machine.devices.vga_text import CRTC_MODE3, WINDOW_SIZE, VgaText
from tests.pykern.machine.fake_machine import FakeEvents, FakeMachine
from tests.pykern.machine.qemu_oracle import Script, needs_qemu

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = 0x18000
ATTRIBUTE, ATTRIBUTE_READ, MISC, SEQUENCER, PEL_MASK, DAC_READ, DAC_WRITE, DAC_DATA = (
    *(0x10, 0x11, 0x12, 0x14),
    *(0x16, 0x17, 0x18, 0x19),
)
MISC_READ, GRAPHICS, CRTC_MONO, CRTC, STATUS1 = 0x1C, 0x1E, 0x04, 0x24, 0x2A
LIGHT_GREY, BLUE, YELLOW, BLACK = (170, 170, 170), (0, 0, 170), (255, 255, 85), (0, 0, 0)


class Bench:
    def __init__(self) -> None:
        self.events = FakeEvents()
        self.memory = bytearray(WINDOW_SIZE)
        self.vga = VgaText(self.events, self.memory)

    def indexed(self, port: int, index: int, value: int) -> None:
        self.vga.write(port, 2, index | value << 8)

    def get(self, port: int, index: int) -> int:
        self.vga.write(port, 1, index)
        return self.vga.read(port + 1, 1)

    def set_attribute(self, index: int, value: int) -> None:
        self.vga.read(STATUS1, 1)
        self.vga.write(ATTRIBUTE, 1, index)
        self.vga.write(ATTRIBUTE, 1, value)
        self.vga.write(ATTRIBUTE, 1, 0x20)

    def put(self, row: int, column: int, text: bytes, attribute: int = 0x07) -> None:
        start = TEXT + 2 * (80 * row + column)
        for i, byte in enumerate(text):
            self.memory[start + 2 * i : start + 2 * i + 2] = bytes((byte, attribute))

    def cell(self, row: int, column: int) -> NDArray[np.uint8]:
        """Return the pixels of a character cell."""
        picture = np.asarray(self.vga.render())
        return picture[row * HEIGHT : (row + 1) * HEIGHT, column * WIDTH : (column + 1) * WIDTH]


@pytest.fixture
def it() -> Bench:
    return Bench()


def test_comes_up_in_mode_3(it: Bench) -> None:
    assert (it.vga.columns, it.vga.rows) == (80, 25)
    assert it.vga.cursor == (0, 0)
    assert it.vga.render().size == (640, 400)


def test_text(it: Bench) -> None:
    it.put(0, 0, b"Hello, world")
    it.put(24, 79, b"\xdb")
    text = it.vga.text()
    assert len(text) == 25
    assert text[0].rstrip() == "Hello, world"
    assert text[24][79] == "█"
    assert {len(row) for row in text} == {80}


def test_a_character_is_drawn_in_its_colours(it: Bench) -> None:
    it.put(3, 7, b"A", 0x1E)
    cell = it.cell(3, 7)
    ink = (cell == YELLOW).all(axis=2)
    paper = (cell == BLUE).all(axis=2)
    assert (ink == glyphs()[ord("A")]).all()
    assert (ink ^ paper).all()


def test_blink_bit_or_bright_background(it: Bench) -> None:
    it.put(1, 0, b" ", 0xE0)
    assert (it.cell(1, 0) == (170, 85, 0)).all(), "brown, blinking"
    it.set_attribute(0x10, 0x04)
    assert (it.cell(1, 0) == YELLOW).all()


def test_cursor(it: Bench) -> None:
    it.put(0, 0, b" " * 2000)
    it.indexed(CRTC, 0x0E, (80 * 2 + 5) >> 8)
    it.indexed(CRTC, 0x0F, (80 * 2 + 5) & 0xFF)
    assert it.vga.cursor == (5, 2)
    lit = (it.cell(2, 5) == LIGHT_GREY).all(axis=(1, 2))
    assert list(np.flatnonzero(lit)) == [13, 14]
    it.indexed(CRTC, 0x0A, 0x20)
    assert it.vga.cursor is None
    assert (it.cell(2, 5) == BLACK).all()


def test_start_address_scrolls(it: Bench) -> None:
    it.put(1, 0, b"second")
    it.indexed(CRTC, 0x0D, 80)
    assert it.vga.text()[0].rstrip() == "second"
    assert it.vga.cursor is None


def test_start_address_wraps_in_the_window(it: Bench) -> None:
    it.put(0, 0, b"top")
    it.indexed(CRTC, 0x0C, 0x3F)
    it.indexed(CRTC, 0x0D, 0xFE)
    assert it.vga.text()[0][2:5] == "top"


def test_protected_crtc_registers(it: Bench) -> None:
    it.indexed(CRTC, 0x01, 39)
    assert it.vga.columns == 80
    it.indexed(CRTC, 0x11, 0x0E)
    it.indexed(CRTC, 0x01, 39)
    assert it.vga.columns == 40


def test_eight_line_characters_make_fifty_rows(it: Bench) -> None:
    it.indexed(CRTC, 0x09, 0x47)
    assert it.vga.rows == 50
    assert len(it.vga.text()) == 50
    assert it.vga.render().size == (640, 400)


def test_registers_read_back(it: Bench) -> None:
    assert it.get(CRTC, 0x13) == CRTC_MODE3[0x13]
    it.indexed(GRAPHICS, 8, 0x5A)
    assert it.get(GRAPHICS, 8) == 0x5A
    it.indexed(SEQUENCER, 2, 0x0F)
    assert it.get(SEQUENCER, 2) == 0x0F
    it.set_attribute(0x11, 0x15)
    it.vga.read(STATUS1, 1)
    it.vga.write(ATTRIBUTE, 1, 0x31)
    assert it.vga.read(ATTRIBUTE_READ, 1) == 0x15


def test_miscellaneous_output_moves_the_crtc(it: Bench) -> None:
    assert it.vga.read(CRTC_MONO, 1) == 0xFF
    it.vga.write(MISC, 1, 0x66)
    assert it.vga.read(MISC_READ, 1) == 0x66
    assert it.vga.read(CRTC, 1) == 0xFF
    assert it.get(CRTC_MONO, 0x13) == CRTC_MODE3[0x13]


def test_dac(it: Bench) -> None:
    it.vga.write(DAC_WRITE, 1, 7)
    for level in (63, 32, 0xFF):
        it.vga.write(DAC_DATA, 1, level)
    assert it.vga.read(DAC_WRITE, 1) == 8, "the index moves on after three"
    it.vga.write(DAC_READ, 1, 7)
    assert it.vga.read(DAC_READ, 1) == 3
    assert [it.vga.read(DAC_DATA, 1) for _ in range(3)] == [63, 32, 63]
    it.put(5, 0, b"\xdb", 0x07)
    assert (it.cell(5, 0) == (255, 130, 255)).all()


def test_attribute_flip_flop(it: Bench) -> None:
    it.vga.read(STATUS1, 1)
    it.vga.write(ATTRIBUTE, 1, 0x20 | 3)
    it.vga.write(ATTRIBUTE, 1, 0x2A)
    assert it.vga.read(ATTRIBUTE_READ, 1) == 0x2A


def test_blanked_screen(it: Bench) -> None:
    it.put(1, 1, b"\xdb")
    it.indexed(SEQUENCER, 1, 0x20)
    assert not np.asarray(it.vga.render()).any()
    it.indexed(SEQUENCER, 1, 0x00)
    assert np.asarray(it.vga.render()).any()


def test_retrace_comes_seventy_times_a_second(it: Bench) -> None:
    count, before = 0, 0
    while it.events.now < 1_000_000_000:
        it.events.advance(20_000)
        retrace = it.vga.read(STATUS1, 1) & 8
        count += retrace > before
        before = retrace
    assert count == 70


def test_mode_13h_is_drawn(it: Bench) -> None:
    it.indexed(GRAPHICS, 6, 0x05)
    it.memory[0] = 1
    it.memory[320 * 199 + 319] = 4
    picture = np.asarray(it.vga.render())
    assert picture.shape == (400, 640, 3)
    assert (picture[0:2, 0:2] == BLUE).all()
    assert (picture[398:, 638:] == (170, 0, 0)).all()
    assert it.vga.text() == []


@pytest.mark.parametrize("seed", range(40))
def test_any_register_values_can_be_shown(it: Bench, seed: int) -> None:
    choose = random.Random(seed)
    it.indexed(CRTC, 0x11, 0)
    for port, count in ((CRTC, 0x19), (GRAPHICS, 9), (SEQUENCER, 5)):
        for index in range(count):
            it.indexed(port, index, choose.choice((0, 0xFF, choose.randrange(256))))
    for index in range(0x15):
        it.set_attribute(index, choose.randrange(256))
    it.memory[:] = choose.randbytes(WINDOW_SIZE)
    width, height = it.vga.render().size
    assert width > 0
    assert height > 0
    assert len(it.vga.text()) in {0, it.vga.rows}


def test_wrong_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 131072"):
        VgaText(FakeEvents(), bytearray(100))


class RandomScript:
    """Write and read registers at random, all of them once before.

    Left out are the PEL mask, reading the attribute index, and colours over 6 bits, which QEMU has
    not or has otherwise.
    """

    def __init__(self, seed: int) -> None:
        self.script = Script()
        self.choose = random.Random(seed)
        for port, value in ((0x3C2, 0x67), (0x3D4, 0x11), (0x3D5, 0x00), (0x3C8, 0x00)):
            self.script.out(port, value)
        for _ in range(768):
            self.script.out(0x3C9, self.choose.randrange(64))
        kinds = (
            (self.crtc, 0x19),
            (self.graphics, 9),
            (self.sequencer, 5),
            (self.attribute, 0x15),
            (self.dac, 2),
        )
        for use, count in kinds:
            for index in range(count):
                use(index)
        for _ in range(300):
            use, count = self.choose.choice(kinds)
            use(self.choose.randrange(count))

    def indexed(self, port: int, index: int, mask: int = 0xFF) -> None:
        self.script.out(port, index)
        self.script.out(port + 1, self.choose.randrange(256) & mask)
        self.script.inp(port + 1)
        self.script.inp(port)

    def crtc(self, index: int) -> None:
        self.indexed(0x3D4, index, 0x7F if index == 0x11 else 0xFF)

    def graphics(self, index: int) -> None:
        self.indexed(0x3CE, index)

    def sequencer(self, index: int) -> None:
        self.indexed(0x3C4, index)

    def attribute(self, index: int) -> None:
        self.script.wait(0x3DA, 0, 0)
        self.script.out(0x3C0, index)
        self.script.out(0x3C0, self.choose.randrange(256))
        self.script.wait(0x3DA, 0, 0)
        self.script.out(0x3C0, index)
        self.script.inp(0x3C1)

    def dac(self, write: int) -> None:
        self.script.out(0x3C7 + write, self.choose.randrange(256))
        self.script.inp(0x3C7)
        for _ in range(self.choose.randrange(5) * 3):
            if write:
                self.script.out(0x3C9, self.choose.randrange(64))
            else:
                self.script.inp(0x3C9)


@needs_qemu
@pytest.mark.parametrize("seed", range(3))
def test_random_use_agrees_with_qemu(seed: int) -> None:
    machine = FakeMachine()
    Board(machine)
    script = RandomScript(seed).script
    assert script.on(machine).hex(" ") == script.on_qemu().hex(" ")
