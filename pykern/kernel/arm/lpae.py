"""Translation tables of ARM in guest memory: pages of 4 KiB, blocks of 2 MiB and 1 GiB.

No processor of this machine walks them. They are the second implementation of
`mm.pagetable.PageTable`, which shows that address spaces know nothing of x86.

References
----------
Arm Architecture Reference Manual for A-profile, The VMSAv8-64 address translation system: 4 KB
translation granule.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pykern.kernel.arm.descriptor import (
    ADDRESS,
    EL0,
    PAGE,
    PXN,
    READ_ONLY,
    TABLE,
    UXN,
    VALID,
    LpaeEntries,
)
from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.core.page_entries import Entries

__all__ = ["LpaeTable"]

ENTRIES = 512
SHIFTS = (39, 30, 21, 12)
"""By level."""
_LAST_LEVEL = 3
_END = 1 << 48
_NOTHING = bytes(PAGE_SIZE)


class _FrameSource(Protocol):
    def alloc(self) -> int: ...

    def free(self, paddr: int, /) -> None: ...


class LpaeTable(LpaeEntries):
    """A tree of translation tables, as TTBR0_EL1 points to one; 48-bit input addresses.

    Parameters
    ----------
    memory : guest RAM
    frames : frames for tables
    invalidate : called with (laddr, size) after translations were removed or narrowed
    allow_wx : let pages be writable and executable at once

    Attributes
    ----------
    root : physical address of the table of level 0
    tables : frames that the tree has taken
    """

    def __init__(
        self,
        memory: PhysicalMemory,
        frames: _FrameSource,
        *,
        invalidate: Callable[[int, int], object] | None = None,
        allow_wx: bool = False,
    ) -> None:
        self._memory, self._frames = memory, frames
        self.root = frames.alloc()
        self.tables = 1
        self.allow_wx = allow_wx
        self.invalidate = invalidate or (lambda _laddr, _size: None)

    # -- looking

    def entry(self, laddr: int) -> int:
        """Return the descriptor of a 4 KiB page, or 0 where there is none or a block."""
        table = self._find_table(laddr)
        return 0 if table is None else self._read(table, _index(laddr, _LAST_LEVEL))

    def translate(self, laddr: int) -> int | None:
        """Return the physical address of a linear one, or None."""
        table = self.root
        for level, shift in enumerate(SHIFTS):
            entry = self._read(table, _index(laddr, level))
            if not entry & VALID:
                return None
            if level == _LAST_LEVEL or not entry & TABLE:
                return entry & ADDRESS & -(1 << shift) | laddr & (1 << shift) - 1
            table = entry & ADDRESS
        return None

    def spans(self, laddr: int, size: int) -> Iterator[tuple[int, list[int]]]:
        """Iterate over the tables of level 3 in a range: (laddr of the first page, entries).

        Precondition: the range holds no blocks.
        """
        for start, table in self._last_tables(self.root, 0, laddr, laddr + size):
            first = _index(start, _LAST_LEVEL)
            end = min(laddr + size, (start | (1 << 21) - 1) + 1)
            count = (end - start + PAGE_SIZE - 1) // PAGE_SIZE
            yield start, self._read_many(table, first, count)

    def table_frames(self) -> list[int]:
        """Return the physical addresses of all tables."""
        found = level = [self.root]
        for _ in range(_LAST_LEVEL):
            entries = [entry for table in level for entry in self._read_many(table, 0, ENTRIES)]
            level = [e & ADDRESS for e in entries if e & (VALID | TABLE) == VALID | TABLE]
            found = [*found, *level]
        return found

    def last_tables(self) -> list[tuple[int, Entries]]:
        """Return the tables of level 3: (laddr of the first page, descriptors).

        Precondition: there are no blocks.
        """
        return [
            (laddr, np.frombuffer(self._memory.view(table, PAGE_SIZE), dtype=np.int64))
            for laddr, table in self._last_tables(self.root, 0, 0, _END)
        ]

    # -- changing

    def map(self, laddr: int, paddr: int, size: int, flags: int) -> None:
        """Map a range in the largest pages and blocks that fit.

        Parameters
        ----------
        laddr, paddr, size : bytes, multiples of 4 KiB
        flags : attributes; VALID is added

        Raises
        ------
        KernelBug : unaligned, mapped already, or writable and executable
        SysError(ENOMEM) : no frame for a table
        """
        if (laddr | paddr | size) & (PAGE_SIZE - 1) or size <= 0:
            raise KernelBug(f"mapping {laddr:#x} -> {paddr:#x}, {size:#x} bytes: not whole pages")
        self._check_rights(flags | VALID)
        while size:
            level = _level_for(laddr | paddr, size)
            kind = PAGE if level == _LAST_LEVEL else 0
            table, index = self._table_for(laddr, level), _index(laddr, level)
            if self._read(table, index):
                raise KernelBug(f"linear {laddr:#x} is mapped already")
            self._write(table, index, [paddr | flags & ~PAGE | VALID | kind])
            step = 1 << SHIFTS[level]
            laddr, paddr, size = laddr + step, paddr + step, size - step

    def set_entry(self, laddr: int, paddr: int, flags: int) -> None:
        """Put a 4 KiB page, whatever was there; the caller invalidates.

        Raises
        ------
        SysError(ENOMEM) : no frame for a table; nothing has changed
        """
        self._check_rights(flags)
        self._write(self._table_for(laddr, 3), _index(laddr, _LAST_LEVEL), [paddr | flags])

    def set_span(self, laddr: int, entries: list[int]) -> None:
        """Put many 4 KiB pages that lie in one table, whatever was there; nobody is told.

        Raises
        ------
        SysError(ENOMEM) : no frame for a table; nothing has changed
        """
        self._write(self._table_for(laddr, 3), _index(laddr, _LAST_LEVEL), entries)

    def change(self, laddr: int, size: int, new: Callable[[int, int], int]) -> None:
        """Replace every entry of a page that is not 0 in a range; 0 removes it; then invalidate.

        Precondition: the range holds no blocks.
        """
        for start, old in list(self.spans(laddr, size)):
            entries = [
                new(start + i * PAGE_SIZE, entry) if entry else 0 for i, entry in enumerate(old)
            ]
            if entries != old:
                self.set_span(start, entries)
        emptied: list[int] = []
        self._prune(self.root, 0, laddr, laddr + size, emptied)
        self.invalidate(laddr, size)
        for table in emptied:
            self._free_table(table)

    def release(self) -> None:
        """Free all tables; the pages are somebody else's."""
        self._free_tree(self.root, 0)
        self.root = 0

    # -- inside

    def _check_rights(self, flags: int) -> None:
        if flags & (VALID | READ_ONLY) != VALID or self.allow_wx:
            return
        never = UXN if flags & EL0 else PXN
        if not flags & never:
            raise KernelBug(f"page with attributes {flags:#x} is writable and executable")

    def _read(self, table: int, index: int) -> int:
        return int.from_bytes(self._memory.read(table + 8 * index, 8), "little")

    def _read_many(self, table: int, index: int, count: int) -> list[int]:
        return list(struct.unpack(f"<{count}Q", self._memory.read(table + 8 * index, 8 * count)))

    def _write(self, table: int, index: int, entries: list[int]) -> None:
        self._memory.write(table + 8 * index, struct.pack(f"<{len(entries)}Q", *entries))

    def _find_table(self, laddr: int) -> int | None:
        """Return the table of level 3 for an address."""
        table = self.root
        for level in range(_LAST_LEVEL):
            entry = self._read(table, _index(laddr, level))
            if entry & (VALID | TABLE) != VALID | TABLE:
                return None
            table = entry & ADDRESS
        return table

    def _table_for(self, laddr: int, level: int) -> int:
        """Return the table of a level, with all that is missing above it."""
        table = self.root
        for above in range(level):
            index = _index(laddr, above)
            entry = self._read(table, index)
            if not entry:
                entry = self._frames.alloc() | VALID | TABLE
                self.tables += 1
                self._write(table, index, [entry])
            elif not entry & TABLE:
                raise KernelBug(f"linear {laddr:#x} lies in a block: {entry:#x}")
            table = entry & ADDRESS
        return table

    def _last_tables(
        self, table: int, level: int, laddr: int, end: int
    ) -> Iterator[tuple[int, int]]:
        """Iterate over the tables of level 3 in a range: (linear address, table)."""
        if level == _LAST_LEVEL:
            yield laddr, table
            return
        for start, stop, _, entry in self._entries(table, level, laddr, end):
            yield from self._last_tables(entry & ADDRESS, level + 1, start, stop)

    def _entries(
        self, table: int, level: int, laddr: int, end: int
    ) -> Iterator[tuple[int, int, int, int]]:
        """Iterate over what points to tables: (start and end of its part, index, entry)."""
        shift = SHIFTS[level]
        base = laddr >> shift + 9 << shift + 9
        first, last = _index(laddr, level), _index(end - 1, level)
        for index, entry in enumerate(self._read_many(table, first, last - first + 1), first):
            start = base + (index << shift)
            if entry & (VALID | TABLE) == VALID | TABLE:
                yield max(laddr, start), min(end, start + (1 << shift)), index, entry

    def _prune(self, table: int, level: int, laddr: int, end: int, emptied: list[int]) -> None:
        """Unlink tables that hold nothing any more."""
        if level == _LAST_LEVEL:
            return
        for start, stop, index, entry in self._entries(table, level, laddr, end):
            lower = entry & ADDRESS
            self._prune(lower, level + 1, start, stop, emptied)
            if self._memory.read(lower, PAGE_SIZE) == _NOTHING:
                self._write(table, index, [0])
                emptied.append(lower)

    def _free_tree(self, table: int, level: int) -> None:
        if level < _LAST_LEVEL:
            for entry in self._read_many(table, 0, ENTRIES):
                if entry & (VALID | TABLE) == VALID | TABLE:
                    self._free_tree(entry & ADDRESS, level + 1)
        self._free_table(table)

    def _free_table(self, table: int) -> None:
        self._frames.free(table)
        self.tables -= 1


def _index(laddr: int, level: int) -> int:
    return laddr >> SHIFTS[level] & ENTRIES - 1


def _level_for(addresses: int, size: int) -> int:
    """Return the level whose pages or blocks are the largest that fit; level 0 has none."""
    for level in (1, 2):
        page = 1 << SHIFTS[level]
        if size >= page and not addresses & page - 1:
            return level
    return _LAST_LEVEL
