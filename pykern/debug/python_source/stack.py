"""Frames of Python as a processor's stack, which gdb walks as it walks any other.

A frame is its return address. They lie below the stack pointer of the thunk that has called Python,
where nothing of the guest is that anybody may rely on; gdb is shown them in its place, and guest
memory stays as it is. The outermost frame's return address is the thunk's own.
"""

from __future__ import annotations

import re
import reprlib
import struct
from typing import TYPE_CHECKING, Any

from pykern.debug.python_source.dwarf import MOST_SLOTS, SLOT, slots
from pykern.debug.python_source.functions import RETURNED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pykern.debug.python_source.functions import PythonFrame

TEXTS = 0xFFFF_FFFF_D000_0000
"""Where the values of variables stand as text."""
TEXT_SIZE = 1024
"""Bytes between two of them, the NUL behind each included."""
_BLOCK = SLOT * MOST_SLOTS
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
        self.rsp = rsp - SLOT * (len(frames) - 1)
        resumed = [frame.address + RETURNED for frame in frames[1:]]
        self._returns = struct.pack(f"<{len(resumed)}Q", *resumed)
        self._slots = {slots(self.rsp + SLOT * (at + 1)): at for at in range(len(frames))}

    def over(self, address: int, data: bytes) -> bytes:
        """Return what is seen at an address where the guest has certain data."""
        first, end = max(address, self.rsp), min(address + len(data), self._top)
        if first >= end:
            return data
        shown = self._returns[first - self.rsp : end - self.rsp]
        return data[: first - address] + shown + data[end - address :]

    def read(self, address: int, size: int) -> bytes | None:
        """Return what is where the guest has nothing: variables. None: nothing is."""
        start = address - address % _BLOCK
        if start in self._slots:
            return self._pointers(self._slots[start])[address - start :][:size]
        number, start = divmod(address - TEXTS, TEXT_SIZE)
        at, slot = divmod(number, MOST_SLOTS)
        if not 0 <= at < len(self.frames):
            return None
        names, values = self._variables(at)
        if slot >= len(names) or names[slot] not in values:
            return None
        text = show(values[names[slot]]).encode()[: TEXT_SIZE - 1]
        return text.ljust(TEXT_SIZE, b"\0")[start:][:size]

    def _variables(self, at: int) -> tuple[Sequence[str], Mapping[str, Any]]:
        """Return the names of a frame's variables, and the values of those that have one."""
        frame = self.frames[at]
        return frame.function.names[:MOST_SLOTS], frame.frame.f_locals

    def _pointers(self, at: int) -> bytes:
        """Return a frame's slots: where the values are, 0 for variables without one."""
        names, values = self._variables(at)
        first = TEXTS + TEXT_SIZE * MOST_SLOTS * at
        pointers = (first + TEXT_SIZE * i if n in values else 0 for i, n in enumerate(names))
        return struct.pack(f"<{len(names)}Q", *pointers).ljust(_BLOCK, b"\0")


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
