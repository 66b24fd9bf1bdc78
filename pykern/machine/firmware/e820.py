"""The memory map as BIOS function E820h reports it, and what a PC keeps of its first megabyte.

::

    00000  interrupt vectors, BIOS data area
    00500  conventional memory
    9FC00  extended BIOS data area
    A0000  VGA memory
    C0000  option ROMs
    E0000  firmware: ACPI tables here; top of it the BIOS
    100000 extended memory

References
----------
ACPI Specification 6.5, System Address Map Interfaces, INT 15H, E820H - Query System Address Map.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from construct import Enum, Int32ul, Int64ul, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EBDA_BASE = 0x9FC00
VGA_MEMORY_BASE = 0xA0000
FIRMWARE_BASE = 0xE0000
EXTENDED_MEMORY_BASE = 0x100000
FOUR_GIB = 1 << 32


class AddressRangeType(enum.IntEnum):
    """Values of the E820 `Type` field."""

    MEMORY = 1
    RESERVED = 2
    ACPI = 3
    NVS = 4
    UNUSABLE = 5


class AddressRange(NamedTuple):
    """One entry of the memory map, in bytes."""

    base: int
    length: int
    type: AddressRangeType

    @property
    def end(self) -> int:
        """Return the first address behind the range."""
        return self.base + self.length


AddressRangeDescriptor = Struct(
    "BaseAddr" / Int64ul,
    "Length" / Int64ul,
    "Type" / Enum(Int32ul, AddressRangeType),
)

_PC_RESERVED = (
    (EBDA_BASE, VGA_MEMORY_BASE),
    (FIRMWARE_BASE, EXTENDED_MEMORY_BASE),
    (0xE0000000, 0xE0100000),  # PCI configuration space (ECAM) of bus 0
    (0xFEC00000, 0xFEC01000),  # I/O APIC
    (0xFED00000, 0xFED01000),  # HPET
    (0xFEE00000, 0xFEE01000),  # local APICs
)
# Memory of display adapters: there may be RAM behind it, but it is not the system's.
DISPLAY_MEMORY = (0xFD000000, 0xFE000000)
_PC_HOLES = ((VGA_MEMORY_BASE, FIRMWARE_BASE), DISPLAY_MEMORY)


def subtract(ranges: Iterable[tuple[int, int]], hole: tuple[int, int]) -> list[tuple[int, int]]:
    """Cut `hole` out of `ranges`; all are (first, end) pairs."""
    start, stop = hole
    parts = [
        piece
        for first, end in ranges
        for piece in ((first, min(end, start)), (max(first, stop), end))
    ]
    return [(first, end) for first, end in parts if first < end]


def memory_map(
    ram_ranges: Sequence[tuple[int, int]], reserved: Sequence[tuple[int, int]] = ()
) -> tuple[AddressRange, ...]:
    """Describe the machine's memory as a PC's firmware does.

    Parameters
    ----------
    ram_ranges : (base, size) pairs, bytes
    reserved : further (first, end) pairs the kernel must leave alone

    Returns
    -------
    Entries sorted by address that do not overlap.
    """
    usable = [(base, base + size) for base, size in ram_ranges]
    taken: list[tuple[int, int]] = []
    for first, end in (*_PC_RESERVED, *reserved):
        fresh = [(first, end)]
        for other in taken:
            fresh = subtract(fresh, other)
        taken += fresh
    for hole in (*taken, *_PC_HOLES):
        usable = subtract(usable, hole)
    entries = [_entry(span, AddressRangeType.MEMORY) for span in usable]
    entries += [_entry(span, AddressRangeType.RESERVED) for span in taken]
    return tuple(sorted(entries))


def _entry(span: tuple[int, int], kind: AddressRangeType) -> AddressRange:
    return AddressRange(span[0], span[1] - span[0], kind)


def encode(entries: Iterable[AddressRange]) -> bytes:
    """Encode entries as the 20-byte descriptors that INT 15h, EAX=E820h returns."""
    return b"".join(
        AddressRangeDescriptor.build({"BaseAddr": e.base, "Length": e.length, "Type": int(e.type)})
        for e in entries
    )


def conventional_kib(entries: Iterable[AddressRange]) -> int:
    """Return the KiB of usable memory from address 0 (INT 12h)."""
    return _usable_from(entries, 0) >> 10


def extended_kib(entries: Iterable[AddressRange]) -> int:
    """Return the KiB of usable memory from 1 MiB up to the first hole."""
    return _usable_from(entries, EXTENDED_MEMORY_BASE) >> 10


def _usable_from(entries: Iterable[AddressRange], base: int) -> int:
    for entry in entries:
        if entry.type is AddressRangeType.MEMORY and entry.base <= base < entry.end:
            return entry.end - base
    return 0
