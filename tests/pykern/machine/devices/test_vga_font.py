"""The font: every glyph is there, differs, and lines join."""

from __future__ import annotations

import numpy as np
import pytest

from pykern.machine.devices.vga_font import HEIGHT, WIDTH, cp437, glyphs

BLANK = {0, 32, 255}


def glyph(character: str) -> np.ndarray:
    return glyphs()[cp437(bytes(range(256))).index(character)]


def test_shape() -> None:
    assert glyphs().shape == (256, HEIGHT, WIDTH)


def test_only_blanks_are_blank() -> None:
    assert {code for code in range(256) if not glyphs()[code].any()} == BLANK


def test_glyphs_differ() -> None:
    seen: dict[bytes, int] = {}
    for code in set(range(256)) - BLANK:
        key = np.packbits(glyphs()[code]).tobytes()
        assert key not in seen, f"{code:#x} looks like {seen.get(key, 0):#x}"
        seen[key] = code


def test_letters_leave_room_between_them() -> None:
    for character in map(chr, range(33, 127)):
        assert not (glyph(character)[:, 0].any() and glyph(character)[:, -1].any()), character


@pytest.mark.parametrize(
    ("left", "right"),
    [("─", "┐"), ("╔", "═"), ("═", "╗"), ("├", "─"), ("╟", "─"), ("╞", "═"), ("█", "█")],
)
def test_horizontal_lines_join(left: str, right: str) -> None:
    assert (glyph(left)[:, -1] == glyph(right)[:, 0]).all()


@pytest.mark.parametrize(
    ("upper", "lower"), [("│", "└"), ("╔", "║"), ("║", "╝"), ("┬", "│"), ("╥", "║"), ("╤", "│")]
)
def test_vertical_lines_join(upper: str, lower: str) -> None:
    assert (glyph(upper)[-1] == glyph(lower)[0]).all()


def test_a_double_line_has_no_bridges() -> None:
    assert (glyph("║") == glyph("║")[0]).all()
    assert (glyph("═")[:, 0] == glyph("═").T).all()


def test_double_corner_is_hollow() -> None:
    corner = glyph("╔")
    assert corner[6, 2:].all(), "outer line"
    assert corner[6:, 2].all()
    assert corner[9, 5:].all(), "inner line"
    assert corner[9:, 5].all()
    assert not corner[7:9, 3:].any(), "the space between"
    assert not corner[:6].any()


def test_shades_get_darker() -> None:
    assert [glyph(shade).mean() for shade in "░▒▓█"] == [0.25, 0.5, 0.75, 1.0]
