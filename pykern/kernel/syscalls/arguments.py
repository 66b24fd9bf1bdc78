"""Kinds of system-call arguments: what a register means.

A handler's annotations say how each register is decoded, and how it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Kind:
    """One kind of argument.

    Attributes
    ----------
    name : for tables and traces
    decode : register → value
    show : value → text
    """

    name: str
    decode: Callable[[int], int]
    show: Callable[[int], str]


def _signed(bits: int) -> Callable[[int], int]:
    mask, sign = (1 << bits) - 1, 1 << bits - 1
    return lambda register: ((register & mask) ^ sign) - sign


def _unsigned(bits: int) -> Callable[[int], int]:
    mask = (1 << bits) - 1
    return lambda register: register & mask


def _identity(register: int) -> int:
    number = register & 0xFFFF_FFFF
    return -1 if number == 0xFFFF_FFFF else number


Fd: TypeAlias = Annotated[int, Kind("fd", _signed(32), str)]
"""A file descriptor, or AT_FDCWD."""
Int: TypeAlias = Annotated[int, Kind("int", _signed(32), str)]
UInt: TypeAlias = Annotated[int, Kind("unsigned", _unsigned(32), hex)]
"""Flags and modes."""
Id: TypeAlias = Annotated[int, Kind("id", _identity, str)]
"""A user or a group; -1 leaves it as it is."""
Long: TypeAlias = Annotated[int, Kind("long", _signed(64), str)]
Size: TypeAlias = Annotated[int, Kind("size_t", _unsigned(64), str)]
UserPtr: TypeAlias = Annotated[int, Kind("pointer", _unsigned(64), hex)]
"""The address of a structure or a buffer in user memory."""
UserStr: TypeAlias = Annotated[int, Kind("string", _unsigned(64), hex)]
"""The address of a string that ends with NUL."""
