"""The control sequences that a screen understands: a small part of ECMA-48.

References
----------
ECMA-48, Control Functions for Coded Character Sets: CSI sequences; Linux console_codes(4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKENS = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f]+)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[@-Z\\-_]"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
)
UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*)?$")
"""An escape sequence whose end has not come yet."""

_BRIGHT = 8
_DIGITS = 9
"""Of a parameter: no screen has so many columns."""
DEFAULT_INK, DEFAULT_PAPER = 7, 0


@dataclass
class Pen:
    """How characters are drawn: colours by number, 0 to 7 and 8 to 15 for the bright ones."""

    ink: int = DEFAULT_INK
    paper: int = DEFAULT_PAPER
    bold: bool = False
    inverse: bool = False

    def colours(self) -> tuple[int, int]:
        """Return ink and paper as they show."""
        ink = self.ink | _BRIGHT if self.bold else self.ink
        return (self.paper, ink) if self.inverse else (ink, self.paper)

    def select(self, parameters: list[int]) -> None:
        """Take the parameters of SGR; what is not known changes nothing."""
        for value in parameters or [0]:
            self._select(value)

    def _select(self, value: int) -> None:
        if value == 0:
            self.ink, self.paper, self.bold, self.inverse = DEFAULT_INK, DEFAULT_PAPER, False, False
        elif value in {1, 22}:
            self.bold = value == 1
        elif value in {7, 27}:
            self.inverse = value == 7
        elif value == 39:
            self.ink = DEFAULT_INK
        elif value == 49:
            self.paper = DEFAULT_PAPER
        else:
            self._select_colour(value)

    def _select_colour(self, value: int) -> None:
        tens, units = divmod(value, 10)
        if units > 7 or tens not in {3, 4, 9, 10}:
            return
        colour = units + (_BRIGHT if tens >= 9 else 0)
        if tens in {3, 9}:
            self.ink = colour
        else:
            self.paper = colour


def numbers(parameters: str) -> list[int]:
    """Return the parameters of a sequence; one that is left out is 0, a long one is cut."""
    if not parameters:
        return []
    return [
        int(word[:_DIGITS]) if word.isdecimal() else 0
        for word in parameters.lstrip("<=>?").split(";")
    ]
