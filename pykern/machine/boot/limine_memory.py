"""The memory map and the page tables of the Limine boot protocol.

References
----------
The Limine Boot Protocol: Entry memory layout, Caching, Memory Map Feature.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from pykern.machine.boot.page_tables import PAGE, PRESENT, WRITABLE, WRITE_THROUGH, PageTables
from pykern.machine.firmware.e820 import FOUR_GIB, AddressRangeType, memory_map, subtract

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pykern.machine.boot.limine_image import LoadedImage
    from pykern.machine.boot.protocol import LinearFramebuffer

HHDM_BASE = 0xFFFF_8000_0000_0000
# PAT0 to PAT7: WB, WT, UC-, UC, WP, WC; the last two are left as they are after reset.
PAT = 0x0007_0105_0007_0406


class MemmapType(enum.IntEnum):
    """What a range of memory is for."""

    USABLE = 0
    RESERVED = 1
    ACPI_RECLAIMABLE = 2
    ACPI_NVS = 3
    BAD_MEMORY = 4
    BOOTLOADER_RECLAIMABLE = 5
    EXECUTABLE_AND_MODULES = 6
    FRAMEBUFFER = 7


class Entry(NamedTuple):
    """One entry of the memory map, in bytes."""

    base: int
    length: int
    type: MemmapType

    @property
    def end(self) -> int:
        """Return the first address behind the range."""
        return self.base + self.length


_E820_TYPES = {
    AddressRangeType.MEMORY: MemmapType.USABLE,
    AddressRangeType.RESERVED: MemmapType.RESERVED,
    AddressRangeType.ACPI: MemmapType.ACPI_RECLAIMABLE,
    AddressRangeType.NVS: MemmapType.ACPI_NVS,
    AddressRangeType.UNUSABLE: MemmapType.BAD_MEMORY,
}
# Base revision 3 maps nothing else; 1 and 2 leave out two types above 4 GiB; 0 maps everything.
_MAPPED_BY_REVISION_3 = {
    MemmapType.USABLE,
    MemmapType.BOOTLOADER_RECLAIMABLE,
    MemmapType.EXECUTABLE_AND_MODULES,
    MemmapType.FRAMEBUFFER,
}
_NOT_MAPPED_BY_REVISION_1 = {MemmapType.RESERVED, MemmapType.BAD_MEMORY}


def entries(
    ram_ranges: Sequence[tuple[int, int]],
    taken: Iterable[tuple[int, int, MemmapType]] = (),
    framebuffer: LinearFramebuffer | None = None,
) -> list[Entry]:
    """Return the memory map.

    Parameters
    ----------
    ram_ranges : (base, size) of the machine's RAM, bytes
    taken : (first, end, type) of page-aligned parts of it that are in use
    framebuffer : where there is one

    Returns
    -------
    Entries sorted by base; usable and reclaimable ones in whole pages that overlap nothing.
    """
    taken = list(taken)
    found = [Entry(first, end - first, kind) for first, end, kind in taken]
    if framebuffer is not None:
        size = -(-framebuffer.size // PAGE) * PAGE
        found.append(Entry(framebuffer.paddr, size, MemmapType.FRAMEBUFFER))
    for e820 in memory_map(ram_ranges):
        kind = _E820_TYPES[e820.type]
        if kind is not MemmapType.USABLE:
            found.append(Entry(e820.base, e820.length, kind))
            continue
        found += _usable(e820.base, e820.end, taken)
    return sorted(found)


def _usable(base: int, end: int, taken: list[tuple[int, int, MemmapType]]) -> list[Entry]:
    """Return what is left of a range of RAM; its odd ends and page 0 are reserved."""
    first, last = max(-(-base // PAGE) * PAGE, PAGE), end // PAGE * PAGE
    free = [(first, last)]
    for start, stop, _ in taken:
        free = subtract(free, (start, stop))
    found = [Entry(a, b - a, MemmapType.USABLE) for a, b in free]
    for a, b in ((base, min(first, end)), (max(last, base), end)):
        if a < b:
            found.append(Entry(a, b - a, MemmapType.RESERVED))
    return found


def page_tables(
    image: LoadedImage,
    image_paddr: int,
    memmap: Sequence[Entry],
    framebuffer: LinearFramebuffer | None,
    base_revision: int,
) -> PageTables:
    """Map executable, direct map and, for base revision 0, low memory.

    Which parts of usable RAM are in use makes no difference to the result.
    """
    tables = PageTables()
    spans = _mapped(memmap, base_revision)
    window = None
    if framebuffer is not None:
        size = -(-framebuffer.size // PAGE) * PAGE
        window = (framebuffer.paddr, framebuffer.paddr + size)
    _map_spans(tables, HHDM_BASE, spans, window)
    if base_revision == 0:
        _map_spans(tables, 0, subtract(spans, (0, PAGE)), window)
    for part in image.ranges:
        tables.map(image.vbase + part.offset, image_paddr + part.offset, part.size, part.flags)
    return tables


def _mapped(memmap: Sequence[Entry], base_revision: int) -> list[tuple[int, int]]:
    """Return the physical (first, end) spans of the direct map, sorted."""
    if base_revision >= 3:
        return _joined((e.base, e.end) for e in memmap if e.type in _MAPPED_BY_REVISION_3)
    left_out = _NOT_MAPPED_BY_REVISION_1 if base_revision else set()
    high = [
        (max(e.base, FOUR_GIB), e.end)
        for e in memmap
        if e.end > FOUR_GIB and e.type not in left_out
    ]
    return _joined([(0, FOUR_GIB), *high])


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make whole pages of spans and join those that touch or overlap."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(spans):
        first, end = first // PAGE * PAGE, -(-end // PAGE) * PAGE
        if joined and first <= joined[-1][1]:
            start, stop = joined.pop()
            first, end = start, max(stop, end)
        joined.append((first, end))
    return joined


def _map_spans(
    tables: PageTables,
    offset: int,
    spans: list[tuple[int, int]],
    window: tuple[int, int] | None,
) -> None:
    """Map spans write-back, and what of them lies in the framebuffer write-combining (PAT5)."""
    for first, end in subtract(spans, window) if window else spans:
        tables.map(first + offset, first, end - first)
    if window is None:
        return
    flags = PRESENT | WRITABLE | WRITE_THROUGH
    for first, end in spans:
        start, stop = max(first, window[0]), min(end, window[1])
        if start < stop:
            tables.map(start + offset, start, stop - start, flags, pat=True)
