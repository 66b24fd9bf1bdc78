"""Frames of Python as a processor's stack, which gdb walks as it walks any other.

They lie below the stack pointer of the thunk that has called Python, where nothing of the guest is
that anybody may rely on; gdb is shown them in its place, and guest memory stays as it is. The
outermost frame's return address is the thunk's own.
"""

from __future__ import annotations

import functools
import re
import reprlib
import struct
from typing import TYPE_CHECKING, Any

from pykern.debug.python_source.dwarf import SLOT, frame_size
from pykern.debug.python_source.functions import RETURNED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pykern.debug.python_source.functions import PythonFrame

TEXTS = 0xFFFF_FFFF_D000_0000
"""Where the values of variables stand as text."""
TEXT_SIZE = 1024
"""Bytes between two of them, the NUL behind each included."""
_NOP = b"\x90"


class VirtualStack:
    """What gdb sees in place of registers and memory.

    Parameters
    ----------
    frames : the innermost one first
    offset : which of its line's addresses the program counter has
    rsp : of the thunk, whose return address is there

    Attributes
    ----------
    rip, rsp : program counter and stack pointer of the innermost frame
    """

    def __init__(self, frames: Sequence[PythonFrame], offset: int, rsp: int) -> None:
        self.frames = frames
        self.rip = frames[0].address + offset
        self._top = rsp
        self.rsp = rsp + SLOT - sum(frame_size(frame.function) for frame in frames)
        self._values: list[tuple[Mapping[str, Any], str]] = []

    @functools.cached_property
    def memory(self) -> bytes:
        """Return the contents from `rsp` up to the thunk's return address."""
        out = bytearray()
        resume = None
        for frame in reversed(self.frames):
            words = [] if resume is None else [resume]
            words += self._slots(frame)
            out[:0] = struct.pack(f"<{len(words)}Q", *reversed(words))
            resume = frame.address + RETURNED
        return bytes(out)

    def _slots(self, frame: PythonFrame) -> Iterable[int]:
        """Return where the values of its variables will stand; 0 of one that has none."""
        values = frame.frame.f_locals
        for name in frame.function.names:
            if name not in values:
                yield 0
                continue
            yield TEXTS + TEXT_SIZE * len(self._values)
            self._values.append((values, name))

    def text_at(self, address: int, size: int) -> bytes | None:
        """Return a part of a variable's value; None: none is there."""
        index, start = divmod(address - TEXTS, TEXT_SIZE)
        if not 0 <= index < len(self._values):
            return None
        values, name = self._values[index]
        return self._text(values[name])[start : start + size]

    def over(self, address: int, data: bytes) -> bytes:
        """Return what is seen at an address where the guest has certain data."""
        first, end = max(address, self.rsp), min(address + len(data), self._top)
        if first >= end:
            return data
        shown = self.memory[first - self.rsp : end - self.rsp]
        return data[: first - address] + shown + data[end - address :]

    @staticmethod
    def _text(value: object) -> bytes:
        text = show(value).encode()[: TEXT_SIZE - 1]
        return text + bytes(TEXT_SIZE - len(text))


def nops(size: int) -> bytes:
    """Return what is at the addresses of lines."""
    return _NOP * size


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 240
_PLACE = re.compile(r"pykern\.(\w+\.)*|( object)? at 0x[0-9a-f]+")
"""What says where on the host something is; no two runs have it the same."""
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = _SHORT.maxdeque = 16


def show(value: object) -> str:
    """Return a value as Python writes it, shortened."""
    try:
        return _PLACE.sub("", _SHORT.repr(value))
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}: {error}>"
