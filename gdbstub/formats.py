"""`printf` for agent expressions: the format as C source has it, escapes and all.

References
----------
Debugging with GDB, Bytecode Descriptions: printf. C11, The fprintf function.
"""

from __future__ import annotations

import re
from string import octdigits
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PIECE = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\d{0,4})(?:\.(?P<precision>\d{0,4}))?"
    r"(?P<size>hh|h|ll|l|j|z|t)?(?P<kind>[diouxXcsp%])"
)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
}
_BITS = {"hh": 8, "h": 16, None: 32}
"""Of a number; with any other size 64."""


class FormatError(Exception):
    """A format asks for more values than there are, or for what is no value here."""


def formatted(text: str, values: Sequence[int], string: Callable[[int], bytes]) -> str:
    """Return what `printf` prints.

    Parameters
    ----------
    text : the format
    values : unsigned 64-bit words
    string : returns the bytes at an address, up to a zero

    Raises
    ------
    FormatError : format and values do not go together
    """
    waiting = iter(values)
    out: list[str] = []
    at = 0
    plain = _unescape(text)
    for piece in _PIECE.finditer(plain):
        out += [_checked(plain[at : piece.start()]), _formatted(piece, waiting, string)]
        at = piece.end()
    return "".join(out) + _checked(plain[at:])


def _checked(text: str) -> str:
    if "%" in text:
        raise FormatError(f"{text!r} is no conversion")
    return text


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    word = found[1]
    if word[0] in octdigits:
        return chr(int(word, 8) & 0xFF)
    if word[0] == "x" and len(word) > 1:
        return chr(int(word[1:], 16))
    return _ESCAPES.get(word, word)


def _formatted(piece: re.Match[str], values: Iterator[int], string: Callable[[int], bytes]) -> str:
    kind = piece["kind"]
    if kind == "%":
        return "%"
    try:
        value = next(values)
    except StopIteration:
        raise FormatError("more conversions than values") from None
    start = f"%{piece['flags']}{piece['width']}"
    precision = "" if piece["precision"] is None else f".{piece['precision'] or 0}"
    if kind == "s":
        return (start + precision + "s") % string(value).decode("utf-8", "replace")
    if kind == "c":
        return (start + "s") % chr(value & 0xFF)
    if kind == "p":
        return (start + "s") % f"{value:#x}"
    return (start + precision + kind) % _number(value, piece["size"], kind)


def _number(value: int, size: str | None, kind: str) -> int:
    bits = _BITS.get(size, 64)
    value &= (1 << bits) - 1
    return value - (1 << bits) if kind in "di" and value >> bits - 1 else value
