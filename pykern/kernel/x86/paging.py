"""The 4-level page tables of an x86-64 processor, in guest memory: making and changing them.

References
----------
SDM Vol. 3A, 4-Level Paging and 5-Level Paging; Access Rights; Page-Fault Exceptions.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.x86.pte import (
    ADDRESS,
    ENTRIES,
    LOWER_END,
    NX,
    PAGE_1G,
    PAGE_2M,
    PAT,
    PCD,
    PF_I,
    PF_P,
    PF_RSVD,
    PF_U,
    PF_W,
    PS,
    PWT,
    RIGHTS,
    RW,
    SHIFTS,
    US,
    A,
    D,
    G,
    Leaf,
    P,
    flag_names,
    is_canonical,
)
from pykern.kernel.x86.table_walk import TableReader, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.memory import PhysicalMemory

__all__ = [
    "NX",
    "PAGE_1G",
    "PAGE_2M",
    "PAT",
    "PCD",
    "PF_I",
    "PF_P",
    "PF_RSVD",
    "PF_U",
    "PF_W",
    "PS",
    "PWT",
    "RECURSIVE_PML4",
    "RW",
    "US",
    "A",
    "D",
    "FrameSource",
    "G",
    "Leaf",
    "P",
    "PageTable",
    "Walk",
    "flag_names",
    "is_canonical",
    "user_table",
]

RECURSIVE_PML4 = 0xFFFF_FFFF_FFFF_F000
"""Where a PML4 with `make_recursive` is: through its entry 511 four times."""
_LEAF_SHIFTS = (30, 21)
_NOTHING = bytes(PAGE_SIZE)


class FrameSource(Protocol):
    """Where page tables get their frames; `mm.frames.FrameAllocator` is one."""

    def alloc(self) -> int:
        """Return the physical address of a cleared frame."""
        ...

    def free(self, paddr: int, /) -> None:
        """Take a frame back."""
        ...


class PageTable(TableReader):
    """A tree of page tables under one PML4.

    The table owns the frames of its tables, never the pages it maps. Changes are made in memory;
    `invalidate` makes the processors forget what they cached, before a frame of the tree is freed.

    Parameters
    ----------
    memory : guest RAM
    frames : frames for tables
    root : physical address of an existing PML4; None: a new, empty one
    largest : largest page `map` may use, bytes; PAGE_1G needs CPUID's Page1GB
    invalidate : called with (laddr, size) after translations were removed or narrowed
    allow_wx : let pages be writable and executable at once

    Attributes
    ----------
    tables : frames of the tree that this object has taken
    recursive : entry 511 of the PML4 is the PML4
    sealed : upper entries of the PML4 have been copied: none may be added any more
    """

    def __init__(
        self,
        memory: PhysicalMemory,
        frames: FrameSource,
        root: int | None = None,
        *,
        largest: int = PAGE_2M,
        invalidate: Callable[[int, int], object] | None = None,
        allow_wx: bool = False,
    ) -> None:
        super().__init__(memory, frames.alloc() if root is None else root)
        self._frames = frames
        self.tables = 1
        self.largest, self.allow_wx = largest, allow_wx
        self.sealed = self.recursive = False
        self.invalidate = invalidate or (lambda _laddr, _size: None)

    # -- changing

    def map(self, laddr: int, paddr: int, size: int, flags: int, *, wx: bool = False) -> None:
        """Map a range of linear addresses to physical ones, in the largest pages that fit.

        Parameters
        ----------
        laddr, paddr, size : bytes, multiples of 4 KiB
        flags : RW, US, PWT, PCD, G, NX as wanted; P is added
        wx : allow RW without NX for this range

        Raises
        ------
        KernelBug : unaligned, not canonical, mapped already, or writable and executable
        SysError(ENOMEM) : no frame for a table; nothing has been mapped
        """
        self._check(laddr, size, paddr)
        flags |= P
        self._check_rights(flags, wx=wx)
        done = 0
        try:
            while done < size:
                done += self._map_span(laddr + done, paddr + done, size - done, flags)
        except (SysError, KernelBug):
            if done:
                self.unmap(laddr, done)
            self._prune(laddr + done, 1)
            raise

    def unmap(self, laddr: int, size: int) -> None:
        """Remove what is mapped in a range; tables that become empty are freed.

        Raises
        ------
        SysError(ENOMEM) : a large page reaches beyond the range and could not be split
        """
        self._check(laddr, size)
        self.change(laddr, size, lambda _laddr, _entry: 0)

    def protect(self, laddr: int, size: int, flags: int, *, wx: bool = False) -> None:
        """Give what is mapped in a range the rights RW, US, PWT, PCD, G, NX of `flags`."""
        self._check(laddr, size)
        flags = flags & RIGHTS | P
        self._check_rights(flags, wx=wx)
        self.change(laddr, size, lambda _laddr, entry: entry & ~RIGHTS | flags)

    def change(self, laddr: int, size: int, new: Callable[[int, int], int]) -> None:
        """Replace every entry that is not 0 in a range by `new(laddr, entry)`; 0 removes it.

        Large pages that reach beyond the range are split first. The processors are told once.
        """
        self._split(laddr)
        self._split(laddr + size)
        changed = removed = False
        for start, table, index, count, shift in self._spans(laddr, laddr + size):
            view = self._view(table)
            old = view[index : index + count].tolist()
            entries = [
                new(start + (i << shift), entry) if entry else 0 for i, entry in enumerate(old)
            ]
            if entries == old:
                continue
            changed = True
            removed |= 0 in entries
            self._write(table, index, entries)
        if removed:
            self._prune(laddr, size)
        elif changed:
            self.invalidate(laddr, size)

    def set_entry(self, laddr: int, paddr: int, flags: int) -> None:
        """Put a 4 KiB page, whatever was there; the caller invalidates.

        Raises
        ------
        SysError(ENOMEM) : no frame for a table; nothing has changed
        """
        if flags & (P | RW | NX) == P | RW:
            self._check_rights(flags)
        leaf = self._leaf_tables.get(laddr >> 21)
        table = leaf[0] if leaf else self._table_for(laddr, 12, flags)
        self._memory.write(table + (laddr >> 9 & 0xFF8), (paddr | flags).to_bytes(8, "little"))

    def set_span(self, laddr: int, entries: list[int]) -> None:
        """Put many 4 KiB pages that lie in one table, whatever was there; nobody is told.

        Raises
        ------
        SysError(ENOMEM) : no frame for a table; nothing has changed
        """
        table = self._table_for(laddr, 12, US if laddr < LOWER_END else 0)
        self._write(table, laddr >> 12 & (ENTRIES - 1), entries)

    def make_recursive(self) -> None:
        """Let entry 511 of the PML4 be the PML4: all tables are memory in the last 512 GiB.

        The PML4 is read at `RECURSIVE_PML4`. What is mapped in that range, too, has its page
        directory in entry 510 then, and is found by this object as it is by the processor; see
        `KernelSpace.map_image`. Precondition: nothing is mapped there yet.
        """
        if self._view(self.root)[ENTRIES - 1]:
            raise KernelBug("the last entry of the PML4 is in use")
        self._write(self.root, ENTRIES - 1, [self.root | P | RW])
        self.recursive = True

    def ensure_top(self, laddr: int) -> None:
        """Make sure that the PML4 has an entry for an address."""
        self._table_for(laddr, 30, 0)

    # -- life

    def release(self) -> None:
        """Free the tables of the lower half and the PML4; the pages are somebody else's."""
        for index in range(ENTRIES // 2):
            entry = self._view(self.root)[index]
            if entry & P:
                self._free_tree(entry & ADDRESS, 1)
        self._free_table(self.root)
        self._leaf_tables.clear()
        self.root = 0

    # -- inside

    def _check(self, laddr: int, size: int, paddr: int = 0) -> None:
        if (laddr | size | paddr) & (PAGE_SIZE - 1) or size <= 0:
            raise KernelBug(
                f"mapping {laddr:#x} -> {paddr:#x}, {size:#x} bytes: expected multiples of 4 KiB"
            )
        end = laddr + size - 1
        if not (is_canonical(laddr) and is_canonical(end)) or laddr >> 47 != end >> 47:
            raise KernelBug(f"linear {laddr:#x}-{end:#x} is not one canonical range")
        if paddr + size - 1 & ~(ADDRESS | 0xFFF):
            raise KernelBug(f"physical {paddr:#x}: expected at most 52 bits")

    def _check_rights(self, flags: int, *, wx: bool = False) -> None:
        if flags & ADDRESS:
            raise KernelBug(f"flags {flags:#x} hold address bits")
        if flags & (P | RW | NX) == P | RW and not (wx or self.allow_wx):
            raise KernelBug(f"page with flags {flag_names(flags)} is writable and executable")

    def _write(self, table: int, index: int, entries: list[int]) -> None:
        self._memory.write(table + 8 * index, struct.pack(f"<{len(entries)}Q", *entries))

    def _map_span(self, laddr: int, paddr: int, size: int, flags: int) -> int:
        """Map pages of one size that lie in one table; return the bytes mapped."""
        shift = self._leaf_shift(laddr | paddr, size)
        index = laddr >> shift & (ENTRIES - 1)
        count = min(ENTRIES - index, size >> shift)
        if shift < 30:  # stop where a larger page begins to fit
            larger = 1 << shift + 9
            if larger <= self.largest and not (laddr ^ paddr) & (larger - 1):
                count = min(count, (larger - laddr % larger) >> shift)
        table = self._table_for(laddr, shift, flags)
        old = self._view(table)[index : index + count].tolist()
        for i, entry in enumerate(old):
            if entry:
                raise KernelBug(
                    f"linear {laddr + (i << shift):#x} is mapped already: entry {entry:#x}"
                )
        first = paddr | flags | (PS if shift > 12 else 0)
        self._write(table, index, [first + (i << shift) for i in range(count)])
        return count << shift

    def _leaf_shift(self, addresses: int, size: int) -> int:
        """Return the binary logarithm of the largest page that fits."""
        for shift in _LEAF_SHIFTS:
            page = 1 << shift
            if page <= min(self.largest, size) and not addresses & (page - 1):
                return shift
        return 12

    def _table_for(self, laddr: int, shift: int, flags: int) -> int:
        """Return the table whose entries map pages of 1 << shift bytes; make what is missing."""
        table = self.root
        for level in SHIFTS[: SHIFTS.index(shift)]:
            index = laddr >> level & (ENTRIES - 1)
            entry = self._view(table)[index]
            if entry & PS:
                raise KernelBug(f"linear {laddr:#x} lies in a larger page: entry {entry:#x}")
            if not entry:
                if self.sealed and level == 39 and index >= ENTRIES // 2:
                    raise KernelBug(f"linear {laddr:#x} needs a new PML4 entry of a sealed table")
                # Rights are narrowed at the leaf; a user page needs US at every level.
                entry = self._frames.alloc() | P | RW | flags & US
                self.tables += 1
                self._last_tables = None
                self._write(table, index, [entry])
            elif flags & US and not entry & US:
                raise KernelBug(f"user page {laddr:#x} under a supervisor entry {entry:#x}")
            table = entry & ADDRESS
        return table

    def _split(self, laddr: int) -> None:
        """Make sure that no page begins before `laddr` and ends after it."""
        table = self.root
        for depth, shift in enumerate(SHIFTS[:3]):
            if not laddr & ((1 << shift) - 1):
                return
            index = laddr >> shift & (ENTRIES - 1)
            entry = self._view(table)[index]
            if not entry & P:
                return
            if entry & PS:
                entry = self._split_entry(table, index, entry, SHIFTS[depth + 1])
                self.invalidate(laddr >> shift << shift, 1 << shift)
            table = entry & ADDRESS

    def _split_entry(self, table: int, index: int, entry: int, shift: int) -> int:
        """Replace a large page by a table of smaller ones; return the entry of that table."""
        smaller = self._frames.alloc()
        self.tables += 1
        self._last_tables = None
        leaf = entry & ~PS if shift == 12 else entry
        self._write(smaller, 0, [leaf + (i << shift) for i in range(ENTRIES)])
        upper = smaller | P | RW | entry & US
        self._write(table, index, [upper])
        return upper

    def _prune(self, laddr: int, size: int) -> None:
        """Unlink tables that hold nothing any more, tell the processors, then free them.

        Tables right under the PML4 stay in the upper half: every address space shares them.
        """
        empty: list[int] = []
        self._prune_under(self.root, 0, laddr, laddr + size, empty)
        self.invalidate(laddr, size)
        for table in empty:
            self._free_table(table)

    def _prune_under(self, table: int, depth: int, laddr: int, end: int, empty: list[int]) -> None:
        shift = SHIFTS[depth]
        first, last = laddr >> shift & (ENTRIES - 1), end - 1 >> shift & (ENTRIES - 1)
        for index, entry in enumerate(self._view(table)[first : last + 1].tolist(), first):
            if not entry & P or entry & PS:
                continue
            lower = entry & ADDRESS
            if depth < 2:
                start = (laddr >> shift + 9 << shift + 9) + (index << shift)
                self._prune_under(
                    lower, depth + 1, max(laddr, start), min(end, start + (1 << shift)), empty
                )
            shared = depth == 0 and index >= ENTRIES // 2
            if not shared and self._memory.read(lower, PAGE_SIZE) == _NOTHING:
                self._write(table, index, [0])
                empty.append(lower)
                if depth == 2:
                    self._leaf_tables.pop(laddr >> 30 << 9 | index, None)

    def _free_tree(self, table: int, depth: int) -> None:
        if depth < 3:
            for entry in self._view(table).tolist():
                if entry & P and not entry & PS:
                    self._free_tree(entry & ADDRESS, depth + 1)
        self._free_table(table)

    def _free_table(self, table: int) -> None:
        self._last_tables = None
        self._views.pop(table, None)
        self._frames.free(table)
        self.tables -= 1


def user_table(
    memory: PhysicalMemory, frames: FrameSource, kernel_half: int | None = None
) -> PageTable:
    """Make a page table with an empty lower half.

    Parameters
    ----------
    kernel_half : physical address of the PML4 whose entries 256 to 511 are taken over; None: none

    Raises
    ------
    SysError(ENOMEM) : no frame
    """
    table = PageTable(memory, frames)
    if kernel_half is not None:
        upper = bytearray(memory.read(kernel_half + 2048, 2048))
        last = int.from_bytes(upper[-8:], "little")
        if last & P and last & ADDRESS == kernel_half:  # recursive: each PML4 is its own
            upper[-8:] = (last ^ kernel_half ^ table.root).to_bytes(8, "little")
        memory.write(table.root + PAGE_SIZE // 2, upper)
    return table
