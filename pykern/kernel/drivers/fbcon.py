"""A console on a linear framebuffer: text in cells of 8x8 pixels (MEL-30).

What is written changes cells; `refresh` draws the rows that have changed. The kernel lets a few
milliseconds of virtual time pass between the two, so that a screen that scrolls costs little. The
cursor is a cell with its colours exchanged.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import numpy as np

from pykern.kernel.drivers.escapes import TOKENS, UNFINISHED, Pen, numbers
from pykern.kernel.drivers.font8x8 import BLANK, CELL, GLYPHS, INDEX, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.x86.boot_parameters import Framebuffer

__all__ = ["BITS_PER_PIXEL", "COLOURS", "FramebufferConsole"]

BITS_PER_PIXEL = 32
_TAB = 8
_DECTCEM = 25
_LONGEST_SEQUENCE = 64
_ZERO_WIDTH = {"\ufe0f", "\u200d"}

COLOURS = np.array(
    [
        *(0x101418, 0xC0392B, 0x27AE60, 0xD4A017, 0x2E86C1, 0x9B59B6, 0x17A2A2, 0xD0D4D8),
        *(0x5C6670, 0xFF6B5B, 0x5FE08C, 0xFFD75F, 0x6FB8F5, 0xD29AEA, 0x5FE0E0, 0xFFFFFF),
    ],
    dtype=np.uint32,
)
"""XRGB8888 of the sixteen colours: black, red, green, yellow, blue, magenta, cyan, white."""


class FramebufferConsole:
    """Cells of text, and how they come onto the screen.

    Parameters
    ----------
    memory : that holds the framebuffer
    framebuffer : where it is, and its size in pixels; 32 bits per pixel
    later : has `refresh` called soon, as nothing is drawn by writing alone

    Attributes
    ----------
    columns, rows : size in cells
    column, row : of the cursor, from 0; `column == columns` behind the last cell of a row
    cursor_visible : whether it is drawn

    Raises
    ------
    ValueError : its pixels are not of 32 bits, or it is smaller than a cell
    """

    def __init__(
        self,
        memory: PhysicalMemory,
        framebuffer: Framebuffer,
        later: Callable[[Callable[[], None]], None] = lambda refresh: refresh(),
    ) -> None:
        if framebuffer.bpp != BITS_PER_PIXEL:
            raise ValueError(f"the framebuffer has {framebuffer.bpp} bits per pixel, expected 32")
        self.columns, self.rows = framebuffer.width // CELL, framebuffer.height // CELL
        if not self.columns or not self.rows:
            raise ValueError(
                f"the framebuffer is {framebuffer.width}x{framebuffer.height}, expected 8x8"
            )
        self._memory = memory
        self._framebuffer = framebuffer
        self._later = later
        self._pen = Pen()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._unfinished = ""
        self._saved = (0, 0)
        self.column = self.row = 0
        self.cursor_visible = True
        self._cursor_row = 0
        shape = (self.rows, self.columns)
        self._glyphs = np.full(shape, BLANK, dtype=np.uint16)
        self._inks, self._papers = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._changed = np.ones(self.rows, dtype=bool)
        self._waiting = False
        self._erase(slice(None), slice(None))
        self.refresh()

    # -- what is written

    def write(self, data: bytes) -> None:
        """Take UTF-8 text with control characters and sequences."""
        text = self._unfinished + self._decode(data)
        cut = UNFINISHED.search(text)
        self._unfinished = text[cut.start() :][:_LONGEST_SEQUENCE] if cut else ""
        if cut:
            text = text[: cut.start()]
        for token in TOKENS.finditer(text):
            if token["text"] is not None:
                self._put(token["text"])
            elif token["control"] is not None:
                self._control(token["control"])
            elif token["final"] is not None and token["parameters"].startswith("?"):
                self._private(token["final"], numbers(token["parameters"]))
            elif token["final"] is not None:
                self._sequence(token["final"], numbers(token["parameters"]))
        if not self._waiting:
            self._waiting = True
            self._later(self.refresh)

    def _put(self, text: str) -> None:
        codes = [INDEX.get(char, UNKNOWN) for char in text if char not in _ZERO_WIDTH]
        ink, paper = self._pen.colours()
        while codes:
            if self.column == self.columns:
                self.column = 0
                self._line_feed()
            part = codes[: self.columns - self.column]
            place = self.row, slice(self.column, self.column + len(part))
            self._glyphs[place], self._inks[place], self._papers[place] = part, ink, paper
            self._changed[self.row] = True
            self.column += len(part)
            codes = codes[len(part) :]

    def _control(self, char: str) -> None:
        if char == "\n":
            self._line_feed()
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(min(self.column, self.columns - 1) - 1, 0)
        elif char == "\t":
            self.column = min((self.column // _TAB + 1) * _TAB, self.columns - 1)

    def _line_feed(self) -> None:
        if self.row < self.rows - 1:
            self.row += 1
            return
        for cells in (self._glyphs, self._inks, self._papers):
            cells[:-1] = cells[1:]
        self._erase(slice(self.rows - 1, None), slice(None))
        self._changed[:] = True

    def _erase(self, rows: slice, columns: slice) -> None:
        """Make cells blank, on the paper that is chosen."""
        ink, paper = self._pen.colours()
        place = rows, columns
        self._glyphs[place], self._inks[place], self._papers[place] = BLANK, ink, paper
        self._changed[rows] = True

    # -- control sequences

    def _sequence(self, final: str, values: list[int]) -> None:
        first = values[0] if values else 0
        if final == "m":
            self._pen.select(values)
        elif final in "ABCDEFGHdf":
            self._move(final, max(first, 1), max(values[1] if len(values) > 1 else 1, 1))
        elif final == "J":
            self._erase_display(first)
        elif final == "K":
            self._erase_line(first)
        elif final == "s":
            self._saved = self.row, self.column
        elif final == "u":
            self.row, self.column = self._saved

    def _private(self, final: str, values: list[int]) -> None:
        """DECSET and DECRST: of all modes only the cursor's (DECTCEM) means anything here."""
        if final in "hl" and _DECTCEM in values:
            self.cursor_visible = final == "h"

    def _move(self, final: str, count: int, second: int) -> None:
        """Move the cursor: CUU, CUD, CUF, CUB, CNL, CPL, CHA, CUP, VPA, HVP."""
        row, column = self.row, min(self.column, self.columns - 1)
        row, column = {
            "A": (row - count, column),
            "B": (row + count, column),
            "C": (row, column + count),
            "D": (row, column - count),
            "E": (row + count, 0),
            "F": (row - count, 0),
            "G": (row, count - 1),
            "H": (count - 1, second - 1),
            "d": (count - 1, column),
            "f": (count - 1, second - 1),
        }[final]
        self.row = min(max(row, 0), self.rows - 1)
        self.column = min(max(column, 0), self.columns - 1)

    def _erase_display(self, what: int) -> None:
        """ED: to the end (0), from the beginning (1), all (2)."""
        if what == 0:
            self._erase(slice(self.row + 1, None), slice(None))
        elif what == 1:
            self._erase(slice(self.row), slice(None))
        else:
            self._erase(slice(None), slice(None))
            return
        self._erase_line(what)

    def _erase_line(self, what: int) -> None:
        """EL: to the end (0), from the beginning (1), all (2)."""
        columns = {0: slice(self.column, None), 1: slice(self.column + 1)}.get(what, slice(None))
        self._erase(slice(self.row, self.row + 1), columns)

    # -- the picture

    def refresh(self) -> None:
        """Draw what has changed."""
        self._waiting = False
        self._changed[[self._cursor_row, self.row]] = True
        self._cursor_row = self.row
        for row in np.flatnonzero(self._changed).tolist():
            self._draw(row)
        self._changed[:] = False

    def _draw(self, row: int) -> None:
        """Draw a row of cells: eight lines of the picture."""
        inks, papers = COLOURS[self._inks[row]], COLOURS[self._papers[row]]
        if row == self.row and self.cursor_visible:
            column = min(self.column, self.columns - 1)
            inks[column], papers[column] = papers[column], inks[column]
        ink = GLYPHS[self._glyphs[row]].transpose(1, 0, 2)  # (line, cell, pixel)
        pixels = np.where(ink, inks[:, None], papers[:, None]).astype("<u4").tobytes()
        size, pitch = self.columns * CELL * BITS_PER_PIXEL // 8, self._framebuffer.pitch
        where = self._framebuffer.paddr + row * CELL * pitch
        if pitch == size:
            self._memory.write(where, pixels)
            return
        for line in range(CELL):
            self._memory.write(where + line * pitch, pixels[line * size : (line + 1) * size])

    def text(self) -> str:
        """Return the cells as lines, without blanks at their ends and empty lines below."""
        return _joined(self._glyphs.tolist())


def _joined(rows: list[list[int]]) -> str:
    characters = list(INDEX)
    lines = ("".join(characters[code] for code in row).rstrip() for row in rows)
    return "\n".join(lines).rstrip("\n")
