"""Who the processors are, by CPUID, which the image executes for hosted code.

References
----------
SDM Vol. 2A, CPUID: Basic CPUID Information, Version Information.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.x86.guest_call import guest_call

if TYPE_CHECKING:
    from pykern.kernel.mm.heap import HeapAllocator
    from pykern.kernel.mm.kernel_space import KernelSpace

_ROOM = 64
_EXTENDED_FAMILY, _HAS_EXTENDED_MODEL = 15, (6, 15)


@dataclass(frozen=True)
class Identity:
    """Vendor string, and the display family, model and stepping."""

    vendor: str
    family: int
    model: int
    stepping: int


def decode(vendor: tuple[int, int, int], signature: int) -> Identity:
    """Return what the registers say.

    Parameters
    ----------
    vendor : EBX, EDX and ECX of leaf 0
    signature : EAX of leaf 1
    """
    family, model = signature >> 8 & 15, signature >> 4 & 15
    if family in _HAS_EXTENDED_MODEL:
        model |= (signature >> 16 & 15) << 4
    if family == _EXTENDED_FAMILY:
        family += signature >> 20 & 0xFF
    name = struct.pack("<3I", *vendor).decode("ascii", "replace")
    return Identity(name, family, model, signature & 15)


async def read(symbols: dict[str, int], heap: HeapAllocator, space: KernelSpace) -> Identity:
    """Have the processor that executes the calling thread say who it is."""
    out = heap.kmalloc(_ROOM)
    leaves = []
    for leaf in (0, 1):
        await guest_call(symbols["read_cpuid"], leaf, 0, out)
        leaves.append(struct.unpack("<4I", space.read(out, 16)))
    heap.kfree(out, _ROOM)
    (_, ebx, ecx, edx), (signature, *_) = leaves
    return decode((ebx, edx, ecx), signature)
