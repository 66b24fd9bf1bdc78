"""The font: everything that is printed has a shape, and no two have the same."""

from __future__ import annotations

import numpy as np
import pytest

from pykern.kernel.drivers.font8x8 import BLANK, CELL, GLYPHS, INDEX, UNKNOWN


def test_all_of_ascii_and_the_signs_of_the_log_are_there():
    """MEL-30."""
    assert {chr(code) for code in range(32, 127)} <= set(INDEX)
    assert set("✨✓→─│┌┐└┘├┤┬┴┼µ°") <= set(INDEX)
    assert GLYPHS.shape == (len(INDEX), CELL, CELL)


def test_no_two_characters_look_alike_whatever_their_colours():
    shapes = {np.packbits(glyph ^ glyph[0, 0]).tobytes() for glyph in GLYPHS}
    assert len(shapes) == len(GLYPHS)


def test_only_the_blank_has_no_ink():
    empty = [number for number, glyph in enumerate(GLYPHS) if not glyph.any()]
    assert empty == [BLANK]
    assert GLYPHS[UNKNOWN].any()


@pytest.mark.parametrize("character", "!Agz0", ids=str)
def test_letters_leave_room_to_the_next(character):
    glyph = GLYPHS[INDEX[character]]
    assert not glyph[:, 0].any()
    assert not glyph[:, 6:].any()


@pytest.mark.parametrize(("left", "right"), [("─", "─"), ("┌", "┐"), ("├", "┼")])
def test_lines_of_boxes_meet(left, right):
    a, b = GLYPHS[INDEX[left]], GLYPHS[INDEX[right]]
    assert np.array_equal(np.flatnonzero(a[:, -1]), np.flatnonzero(b[:, 0]))
    assert a[:, -1].any()
