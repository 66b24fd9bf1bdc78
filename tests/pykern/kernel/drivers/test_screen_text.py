"""Reading text from a picture: every character, and what is none."""

from __future__ import annotations

import numpy as np

from pykern.kernel.drivers.font8x8 import GLYPHS, INDEX
from pykern.kernel.drivers.screen_text import UNREADABLE, read_text


def picture(text):
    ink = np.hstack([GLYPHS[INDEX[character]] for character in text])
    return np.where(ink[:, :, None], np.uint8(200), np.uint8(20)).repeat(3, axis=2)


def test_every_character_is_read():
    """MEL-30."""
    text = "".join(INDEX).rstrip()
    assert read_text(picture(f"{text}.")) == f"{text}."


def test_a_pixel_too_many_is_noticed():
    pixels = picture("abc")
    pixels[7, 15] = 200
    assert read_text(pixels) == f"a{UNREADABLE}c"


def test_empty_lines_below_are_left_out():
    pixels = np.zeros((80, 24, 4), np.uint8)
    pixels[8:16] = np.pad(picture("a b"), ((0, 0), (0, 0), (0, 1)))
    assert read_text(pixels) == "\na b"
