"""An 8x16 font in code page 437 for pictures of text screens.

Letters come from the bitmap font built into Pillow, stretched to the cell; line drawing, blocks and
shades are drawn here so that they join; the symbols of the first 32 codes and the Greek letters are
drawn here as small pictures.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["HEIGHT", "WIDTH", "cp437", "glyphs"]

WIDTH, HEIGHT = 8, 16
Glyph = NDArray[np.bool_]

_SYMBOLS = "\x00☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"

_SHOWN = {code: symbol for code, symbol in enumerate(_SYMBOLS) if code} | {0: " ", 127: "⌂"}

# Weights of the arms up, down, left, right of each line-drawing character: 1 single, 2 double.
_LINES = {
    "│": "1100", "┤": "1110", "╡": "1120", "╢": "2210", "╖": "0210", "╕": "0120", "╣": "2220",
    "║": "2200", "╗": "0220", "╝": "2020", "╜": "2010", "╛": "1020", "┐": "0110", "└": "1001",
    "┴": "1011", "┬": "0111", "├": "1101", "─": "0011", "┼": "1111", "╞": "1102", "╟": "2201",
    "╚": "2002", "╔": "0202", "╩": "2022", "╦": "0222", "╠": "2202", "═": "0022", "╬": "2222",
    "╧": "1022", "╨": "2011", "╤": "0122", "╥": "0211", "╙": "2001", "╘": "1002", "╒": "0102",
    "╓": "0201", "╫": "2211", "╪": "1122", "┘": "1010", "┌": "0101",
}  # fmt: skip

# Pictures 8 wide, one hexadecimal byte a line, placed from line 3 on.
_PICTURES = {
    "☺": "7E81A58181BD99817E",
    "☻": "7EFFDBFFFFC3E7FF7E",
    "♥": "006CFEFEFE7C381000",
    "♦": "0010387CFE7C381000",
    "♣": "183C3CE7E7E718183C",
    "♠": "183C7EFFFF7E18183C",
    "•": "000000183C3C180000",
    "◘": "FFFFFFE7C3C3E7FFFF",
    "○": "00003C6642663C0000",
    "◙": "FFFFC399BD99C3FFFF",
    "♂": "1E0E1A3278CCCCCC78",
    "♀": "3C6666663C187E1818",
    "♪": "3F333F30303070F0E0",
    "♫": "7F637F63636367E7C6",
    "☼": "18DB3CE7E73CDB1800",
    "►": "80E0F8FEF8E0800000",
    "◄": "020E3EFE3E0E020000",
    "↕": "183C7E1818187E3C18",
    "‼": "666666666666006666",
    "¶": "7FDBDBDB7B1B1B1B1B",
    "§": "7CC660386CC66C380C",
    "▬": "000000000000FEFEFE",
    "↨": "183C7E18187E3C18FF",
    "↑": "183C7E181818181818",
    "↓": "1818181818187E3C18",
    "→": "0000180CFE0C180000",
    "←": "00003060FE60300000",
    "∟": "000000C0C0C0FE0000",
    "↔": "00002466FF66240000",
    "▲": "001038387C7CFEFE00",
    "▼": "00FEFE7C7C38381000",
    "⌂": "0010386CC6C6FE0000",
    "⌐": "00000000FEC0C0C000",
    "₧": "FCCCCCF8C4CCDECCC6",
    "ƒ": "0E1B18187E1818D870",
    "α": "00000076DCD8D8DC76",
    "ß": "78CCCCD8CCC6C6C6CC",
    "Γ": "FEC6C6C0C0C0C0C0C0",
    "π": "0000FE6C6C6C6C6C6C",
    "Σ": "FEC660301830 60C6FE",
    "σ": "00007ED8D8D8D8D870",
    "µ": "006666666666 7C60C0",
    "τ": "0076DC181818181800",
    "Φ": "7E183C6666663C187E",
    "Θ": "386CC6C6FEC6C66C38",
    "Ω": "386CC6C6C66C6C6CEE",
    "δ": "1E30180C3E6666663C",
    "∞": "0000007EDBDBDB7E00",
    "φ": "03067EDBDBF37E60C0",
    "ε": "1C3060607C6060301C",
    "∩": "007CC6C6C6C6C6C6C6",
    "≡": "00FE0000FE0000FE00",
    "≥": "0030180C060C18307E",
    "≤": "000C18306030180C7E",
    "⌠": "0E1B1B181818181818",
    "⌡": "1818181818D8D8D870",
    "≈": "000076DC0076DC0000",
    "∙": "000000001818000000",
    "·": "000000001800000000",
    "√": "0F0C0C0C0CEC6C3C1C",
    "ⁿ": "D86C6C6C6C00000000",
    "■": "0000003C3C3C3C3C00",
}


def cp437(data: bytes) -> str:
    """Return text as a VGA shows it: code page 437 with symbols for the control codes."""
    return bytes(data).decode("cp437").translate(_SHOWN)


def _letter(character: str) -> Glyph:
    """Draw with Pillow's 6x11 font, and repeat lines until it is 16 high."""
    font = ImageFont.load_default_imagefont()
    image = Image.new("1", (WIDTH, 11))
    ImageDraw.Draw(image).text((1, 0), character, fill=1, font=font)
    rows = np.arange(HEIGHT) * 11 // HEIGHT
    return np.asarray(image, dtype=np.bool_)[rows]


def _picture(lines: str) -> Glyph:
    rows = np.frombuffer(bytes.fromhex(lines), dtype=np.uint8)
    glyph = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    glyph[3 : 3 + len(rows)] = np.unpackbits(rows[:, None], axis=1)
    return glyph


def _line_drawing(weights: str) -> Glyph:
    """Draw bands for all arms, hollow out the double ones, then draw the single ones through."""
    up, down, left, right = map(int, weights)
    top, bottom = (6, 9) if 2 in {left, right} else (7, 7)
    west, east = (2, 5) if 2 in {up, down} else (3, 4)
    glyph = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    for value, inset in ((True, 0), (False, 1)):
        columns, rows = (
            slice(west + inset, east + 1 - inset),
            slice(top + inset, bottom + 1 - inset),
        )
        if up == 2:
            glyph[: bottom + 1 - inset, columns] = value
        if down == 2:
            glyph[top + inset :, columns] = value
        if left == 2:
            glyph[rows, : east + 1 - inset] = value
        if right == 2:
            glyph[rows, west + inset :] = value
    if up == down == 2 and 2 not in {left, right}:
        glyph[:, 3:5] = False
    _single_arms(glyph, (up, down, left, right), (top, bottom, west, east))
    return glyph


def _single_arms(glyph: Glyph, arms: tuple[int, ...], box: tuple[int, ...]) -> None:
    """Draw single arms to the far side of the crossing, or up to a double line that passes."""
    up, down, left, right = arms
    top, bottom, west, east = box
    if up == 1:
        glyph[: (top if left == right == 2 and not down else bottom) + 1, 3:5] = True
    if down == 1:
        glyph[bottom if left == right == 2 and not up else top :, 3:5] = True
    if left == 1:
        glyph[7, : (west if up == down == 2 and not right else east) + 1] = True
    if right == 1:
        glyph[7, east if up == down == 2 and not left else west :] = True


def _block(character: str) -> Glyph | None:
    y = np.arange(HEIGHT)[:, None]
    x = np.arange(WIDTH)
    patterns = {
        "░": (x + 2 * y) % 4 == 0,
        "▒": (x + y) % 2 == 0,
        "▓": (x + 2 * y) % 4 != 0,
        "█": (x >= 0) & (y >= 0),
        "▄": (x >= 0) & (y >= HEIGHT // 2),
        "▀": (x >= 0) & (y < HEIGHT // 2),
        "▌": (x < WIDTH // 2) & (y >= 0),
        "▐": (x >= WIDTH // 2) & (y >= 0),
    }
    return patterns.get(character)


def _glyph(character: str) -> Glyph:
    if character in _LINES:
        return _line_drawing(_LINES[character])
    block = _block(character)
    if block is not None:
        return block
    if character in _PICTURES:
        return _picture(_PICTURES[character])
    return _letter(character)


@functools.cache
def glyphs() -> Glyph:
    """Return the font, indexed [code, line, column]."""
    font = np.stack([_glyph(character) for character in cp437(bytes(range(256)))])
    font[0] = font[255] = False
    font.flags.writeable = False
    return font
