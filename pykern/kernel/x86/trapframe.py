"""The trap frame: what entry.S pushes on a kernel stack when user or kernel code is interrupted."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.x86.layout import FRAME, FRAME_FIELDS, FRAME_SIZE, RFLAGS, SELECTORS

if TYPE_CHECKING:
    from pykern.kernel.core.memory import AddressedBytes

_WHOLE = struct.Struct(f"<{len(FRAME_FIELDS)}Q")

USER_RFLAGS = RFLAGS["FIXED"] | RFLAGS["IF"]
"""RFLAGS with which a program starts."""
_RESTORABLE = 0xDD5 | RFLAGS["AC"] | RFLAGS["RF"] | 1 << 21
"""Flags a program may choose for itself: arithmetic, TF, DF, AC, RF, ID."""


def new_user_frame(rip: int, rsp: int) -> dict[str, int]:
    """Return the fields of the frame with which a program starts."""
    frame = dict.fromkeys(FRAME_FIELDS, 0)
    frame.update(
        rip=rip,
        rsp=rsp,
        cs=SELECTORS["USER_CS"],
        ss=SELECTORS["USER_DS"],
        rflags=USER_RFLAGS,
    )
    return frame


def sanitised_rflags(rflags: int) -> int:
    """Return RFLAGS as a program may set them: never IOPL, and interrupts stay on."""
    return rflags & _RESTORABLE | USER_RFLAGS


class TrapFrame:
    """A trap frame in guest memory.

    Parameters
    ----------
    memory : guest RAM, or a stack by its own addresses
    paddr : where in it the first field is; a frame does not cross a page that is not followed there
        by the next one
    """

    __slots__ = ("_memory", "paddr")

    def __init__(self, memory: AddressedBytes, paddr: int) -> None:
        self._memory = memory
        self.paddr = paddr

    def __getitem__(self, field: str) -> int:
        """Return a field."""
        return int.from_bytes(self._memory.read(self.paddr + FRAME[field], 8), "little")

    def __setitem__(self, field: str, value: int) -> None:
        """Change a field: it takes effect when the frame is returned through."""
        data = (value & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")
        self._memory.write(self.paddr + FRAME[field], data)

    def read(self) -> dict[str, int]:
        """Return all fields."""
        raw = self._memory.read(self.paddr, FRAME_SIZE)
        return dict(zip(FRAME_FIELDS, _WHOLE.unpack(raw), strict=True))

    def write(self, fields: dict[str, int]) -> None:
        """Replace all fields."""
        self._memory.write(self.paddr, _WHOLE.pack(*(fields[name] for name in FRAME_FIELDS)))

    @property
    def from_user(self) -> bool:
        """Whether user code was interrupted."""
        return self["cs"] & 3 == 3
