"""Looking into JSON that anybody may have written: what is not as expected is told, with where."""

from __future__ import annotations

import json
import math
from typing import NoReturn, TypeAlias

__all__ = ["Json", "ReportError", "items", "member", "number", "parse", "table", "text", "whole"]

Json: TypeAlias = object
_LONGEST_TEXT = 40
_SHOWN = 40
_LARGEST = 10**15
"""Of any number: microseconds, frames, references."""


class ReportError(Exception):
    """A file is not what a run writes."""


def parse(name: str, data: bytes) -> Json:
    """Return what a file holds; a list that was cut off between two lines ends there.

    Raises
    ------
    ReportError : it is no JSON
    """
    try:
        text_ = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReportError(f"{name}: byte {error.start} is no UTF-8, expected JSON") from None
    if not text_.strip():
        raise ReportError(f"{name}: empty, expected JSON")
    try:
        return _load(text_)
    except (ValueError, RecursionError) as error:
        whole_lines = text_[: text_.rfind("\n") + 1].rstrip().removesuffix(",")
        if not whole_lines.startswith("[\n"):
            raise ReportError(f"{name}: no JSON: {error}") from None
    try:
        return _load(whole_lines + "]")
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{name}: no JSON: {error}") from None


def _load(text_: str) -> Json:
    return json.loads(text_, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _wrong(value: Json, where: str, expected: str) -> ReportError:
    shown = ascii(value) if not isinstance(value, int) or abs(value) < _LARGEST else "a huge number"
    short = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return ReportError(f"{where}: {short}, expected {expected}")


def table(value: Json, where: str) -> dict[str, Json]:
    """Return an object of JSON."""
    if not isinstance(value, dict):
        raise _wrong(value, where, "an object")
    return value


def items(value: Json, where: str, count: int | None = None) -> list[Json]:
    """Return a list, of so many items if that is given."""
    if not isinstance(value, list) or count not in {None, len(value)}:
        raise _wrong(value, where, "a list" if count is None else f"a list of {count}")
    return value


def member(value: dict[str, Json], key: str, where: str) -> tuple[Json, str]:
    """Return a member of an object, and where it stands for errors.

    Raises
    ------
    ReportError : there is none
    """
    if key not in value:
        raise ReportError(f"{where}: no {key!r}")
    return value[key], f"{where}, {key!r}"


def number(value: Json, where: str) -> float:
    """Return a number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, where, "a number")
    if not 0 <= value <= _LARGEST or not math.isfinite(value):
        raise _wrong(value, where, "a number from 0 to 1e15")
    return float(value)


def whole(value: Json, where: str, most: int = _LARGEST, least: int = 0) -> int:
    """Return a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(value, where, f"a whole number from {least} to {most}")
    return value


def text(value: Json, where: str) -> str:
    """Return a short text of printable ASCII, whatever else it held being escaped."""
    if not isinstance(value, str):
        raise _wrong(value, where, "a text")
    plain = ascii(value[: _LONGEST_TEXT + 1])[1:-1]
    return plain if len(plain) <= _LONGEST_TEXT else f"{plain[: _LONGEST_TEXT - 3]}..."
