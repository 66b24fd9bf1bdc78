"""The console on the framebuffer: what is written is on the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.drivers.fbcon import COLOURS, FramebufferConsole
from pykern.kernel.drivers.screen_text import read_text
from pykern.kernel.x86.boot_parameters import Framebuffer
from pykern.machine.devices.framebuffer import Framebuffer as Picture

BASE = 0x1000
COLUMNS, ROWS = 20, 5


class Memory:
    """RAM that counts what is written to it."""

    def __init__(self, size):
        self.data = bytearray(size)
        self.writes = 0

    def write(self, paddr, data):
        assert paddr >= BASE
        assert paddr + len(data) <= len(self.data)
        self.data[paddr : paddr + len(data)] = data
        self.writes += 1


class Screen:
    """A console, and somebody who looks at its screen."""

    def __init__(self, *, pitch=COLUMNS * 32, width=COLUMNS * 8, height=ROWS * 8, **options):
        self.memory = Memory(BASE + pitch * height)
        place = Framebuffer(BASE, width, height, pitch, 32)
        self.console = FramebufferConsole(self.memory, place, **options)
        self.picture = Picture(memoryview(self.memory.data)[BASE:], width, height, pitch)

    def show(self, text):
        self.console.write(text.encode())
        return self.lines()

    def lines(self):
        return read_text(np.asarray(self.picture.render())).split("\n")


@pytest.fixture
def screen():
    return Screen()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Hello ✨", ["Hello ✨"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("one\ntwo", ["one", "   two"]),
        ("abc\rX", ["Xbc"]),
        ("abc\b\bX", ["aXc"]),
        ("\b\bX", ["X"]),
        ("a\tb\tc", ["a       b       c"]),
        ("x" * 20, ["x" * 20]),
        ("x" * 20 + "\r\ny", ["x" * 20, "y"]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
        ("\r\n".join("123456"), ["2", "3", "4", "5", "6"]),
        ("1\r\n" * 7, ["1"] * 4),
        ("┌─┐\r\n└─┘", ["┌─┐", "└─┘"]),
        ("a\u0301語", ["a\ufffd\ufffd"]),
    ],
)
def test_text(screen, text, lines):
    """MEL-30: newline, return, backspace, tab, wrap, scroll."""
    assert screen.show(text) == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("abc\x1b[2J\x1b[Hx", ["x"]),
        ("abc\r\ndef\x1b[H\x1b[J", [""]),
        ("abc\r\ndef\x1b[1Jx", ["", "   x"]),
        ("abcdef\x1b[3D\x1b[K", ["abc"]),
        ("abcdef\x1b[3D\x1b[1K", ["    ef"]),
        ("abcdef\x1b[2Kx", ["      x"]),
        ("\x1b[3;4Hx\x1b[Ay\x1b[2By\x1b[Gz", ["", "    y", "   x", "z    y"]),
        ("\x1b[99;99Hx", ["", "", "", "", " " * 19 + "x"]),
        ("a\x1b[sbc\x1b[uX", ["aXc"]),
        ("\x1b[?25la\x1b]b\x1b[5nc", ["abc"]),
    ],
)
def test_control_sequences(screen, text, lines):
    assert screen.show(text) == lines


def test_sequences_and_characters_may_come_in_pieces(screen):
    for byte in "a\x1b[31mb✨".encode():
        screen.console.write(bytes([byte]))
    assert screen.lines() == ["ab✨"]


def test_a_sequence_without_end_is_not_kept_for_ever(screen):
    screen.console.write(b"\x1b[" + b"1" * 100_000)
    assert len(screen.console._unfinished) < 100


def test_text_is_read_in_any_colour(screen):
    assert screen.show("\x1b[31mred\x1b[7m inverse\x1b[0;1;44m blue") == ["red inverse blue"]


def test_colours_are_on_the_picture(screen):
    screen.show("\x1b[91;44m!")
    pixels = np.asarray(screen.picture.render())[:8, :8].reshape(-1, 3)
    shown = {int.from_bytes(bytes(pixel.tolist()), "big") for pixel in pixels}
    assert shown == {int(COLOURS[9]), int(COLOURS[4])}


def test_nothing_is_drawn_beside_the_lines_of_the_picture():
    """A pitch that is longer than a line, and a size that is no multiple of a cell."""
    screen = Screen(pitch=COLUMNS * 32 + 64, width=COLUMNS * 8 + 3, height=ROWS * 8 + 5)
    assert screen.show("x" * 21) == ["x" * 20, "x"]
    lines = np.frombuffer(screen.memory.data, np.uint8)[BASE:].reshape(ROWS * 8 + 5, -1)
    assert not lines[:, COLUMNS * 32 :].any()
    assert not lines[ROWS * 8 :].any()


def test_what_is_written_is_drawn_when_there_is_time():
    waiting = []
    screen = Screen(later=waiting.append)
    before = screen.memory.writes
    for number in range(100):
        screen.console.write(f"{number}\r\n".encode())
    assert len(waiting) == 1
    assert screen.memory.writes == before
    waiting.pop()()
    assert screen.memory.writes == before + ROWS
    assert screen.lines() == ["96", "97", "98", "99"]
    assert screen.console.text() == "96\n97\n98\n99"
    screen.console.write(b"!")
    waiting.pop()()
    assert screen.memory.writes == before + ROWS + 1


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (Framebuffer(BASE, 64, 64, 128, 16), "16 bits per pixel, expected 32"),
        (Framebuffer(BASE, 7, 64, 28, 32), "7x64, expected 8x8"),
    ],
)
def test_a_framebuffer_that_cannot_be_used_is_refused(place, message):
    with pytest.raises(ValueError, match=message):
        FramebufferConsole(Memory(BASE), place)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.text("\x1b[;0123456789ABCDEFGHJKdfmsu\t\r\n\b x", max_size=60).map(str.encode),
        ),
        max_size=20,
    )
)
@settings(max_examples=200)
def test_no_bytes_bring_it_out_of_its_cells(pieces):
    """Whatever a program prints: the memory asserts that nothing is drawn beside the picture."""
    screen = Screen()
    for piece in pieces:
        screen.console.write(piece)
        assert 0 <= screen.console.row < ROWS
        assert 0 <= screen.console.column <= COLUMNS
    assert len(screen.lines()) <= ROWS


def _corner(screen, row, column):
    """Return the colour of a blank cell."""
    return np.asarray(screen.picture.render())[row * 8, column * 8].tolist()


def test_the_cursor_is_where_the_next_character_comes():
    screen = Screen()
    screen.show("ab")
    paper = _corner(screen, 3, 0)
    cursor = _corner(screen, 0, 2)
    assert cursor != paper
    assert screen.show("\r\n")[0] == "ab", "text under and before a cursor can be read"
    assert (_corner(screen, 0, 2), _corner(screen, 1, 0)) == (paper, cursor)
    screen.show("\x1b[?25l")
    assert _corner(screen, 1, 0) == paper
    screen.show("\x1b[?25h")
    assert _corner(screen, 1, 0) == cursor
