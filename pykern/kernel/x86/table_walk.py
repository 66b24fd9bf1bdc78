"""Reading 4-level page tables, as the hardware does it and in bulk.

References
----------
SDM Vol. 3A, 4-Level Paging and 5-Level Paging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.x86.pte import (
    ADDRESS,
    ENTRIES,
    LEVELS,
    LOWER_END,
    NX,
    PS,
    RIGHTS,
    RW,
    SHIFTS,
    US,
    Leaf,
    P,
    UserEntries,
    flag_names,
    is_canonical,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.core.page_entries import Entries


@dataclass(frozen=True)
class Walk:
    """What the hardware reads when it translates: (level, physical address, entry) from the top."""

    laddr: int
    steps: tuple[tuple[str, int, int], ...]

    @property
    def leaf(self) -> Leaf | None:
        """The page that is mapped, or None."""
        level, _, entry = self.steps[-1]
        size = 1 << SHIFTS[LEVELS.index(level)]
        return Leaf(self.laddr & -size, size, entry) if entry & P else None

    def explain(self) -> str:
        """Return one line per level, and what it comes to."""
        lines = [
            f"{level:5} at {paddr:#x}: {entry:#018x}  {flag_names(entry) or 'not present'}"
            for level, paddr, entry in self.steps
        ]
        leaf = self.leaf
        if leaf is None:
            return "\n".join([*lines, f"{self.laddr:#x} is not mapped: {self.steps[-1][0]}.P = 0"])
        entries = [entry for _, _, entry in self.steps]
        rights = (
            ("r", True),
            ("w", all(entry & RW for entry in entries)),
            ("x", not any(entry & NX for entry in entries)),
            ("u", all(entry & US for entry in entries)),
        )
        letters = "".join(letter if has else "-" for letter, has in rights)
        paddr = leaf.paddr + self.laddr % leaf.size
        return "\n".join([
            *lines, f"{self.laddr:#x} -> {paddr:#x} {letters}, page of {leaf.size // 1024} KiB",
        ])  # fmt: skip


class TableReader(UserEntries):
    """A tree of page tables under one PML4, to look at.

    Parameters
    ----------
    memory : guest RAM
    root : physical address of the PML4
    """

    def __init__(self, memory: PhysicalMemory, root: int) -> None:
        self._memory, self.root = memory, root
        # Read-only windows on tables: of RAM, hence never stale.
        self._views: dict[int, memoryview] = {}
        # Tables of PTEs in the lower half, by laddr >> 21. The upper half may be changed through
        # another PageTable object that shares it.
        self._leaf_tables: dict[int, tuple[int, memoryview]] = {}
        # The answer of `last_tables`, until a table comes or goes.
        self._last_tables: list[tuple[int, Entries]] | None = None

    def entry(self, laddr: int) -> int:
        """Return the PTE of a 4 KiB page, or 0 where there is none or a larger page."""
        leaf = self._leaf_tables.get(laddr >> 21)
        if leaf is None:
            leaf = self._leaf_table(laddr)
            if leaf is None:
                return 0
        return int(leaf[1][laddr >> 12 & 511])

    def _leaf_table(self, laddr: int) -> tuple[int, memoryview] | None:
        """Return the table of PTEs for an address and a view of it, or None."""
        table = self.root
        for shift in SHIFTS[:3]:
            entry = self._view(table)[laddr >> shift & (ENTRIES - 1)]
            if not entry & P or entry & PS:
                return None
            table = entry & ADDRESS
        leaf = table, self._view(table)
        if laddr < LOWER_END:
            self._leaf_tables[laddr >> 21] = leaf
        return leaf

    def walk(self, laddr: int) -> Walk:
        """Translate as the hardware does and keep what was read."""
        steps = []
        table = self.root
        for level, shift in zip(LEVELS, SHIFTS, strict=True):
            index = laddr >> shift & (ENTRIES - 1)
            entry = self._view(table)[index]
            steps.append((level, table + 8 * index, entry))
            if not entry & P or entry & PS:
                break
            table = entry & ADDRESS
        return Walk(laddr, tuple(steps))

    def lookup(self, laddr: int) -> Leaf | None:
        """Return the page that holds a linear address, or None."""
        return self.walk(laddr).leaf if is_canonical(laddr) else None

    def translate(self, laddr: int) -> int | None:
        """Return the physical address of a linear one, or None."""
        leaf = self.lookup(laddr)
        return None if leaf is None else leaf.paddr + laddr - leaf.laddr

    def leaves(self, laddr: int = 0, size: int = 1 << 64) -> Iterator[Leaf]:
        """Iterate over the mapped pages of a range in order of address."""
        for start, table, index, count, shift in self._spans(laddr, laddr + size):
            for i, entry in enumerate(self._view(table)[index : index + count].tolist()):
                if entry & P:
                    yield Leaf(start + (i << shift), 1 << shift, entry)

    def mappings(self, laddr: int = 0, size: int = 1 << 64) -> Iterator[tuple[int, int, int, int]]:
        """Iterate over runs of equal rights: (laddr, size, paddr, flags without A and D)."""
        run: tuple[int, int, int, int] | None = None
        for leaf in self.leaves(laddr, size):
            flags = leaf.flags & RIGHTS
            if run and (run[0] + run[1], run[2] + run[1], run[3]) == (
                leaf.laddr, leaf.paddr, flags,
            ):  # fmt: skip
                run = (run[0], run[1] + leaf.size, run[2], flags)
                continue
            if run:
                yield run
            run = (leaf.laddr, leaf.size, leaf.paddr, flags)
        if run:
            yield run

    def spans(self, laddr: int, size: int) -> Iterator[tuple[int, list[int]]]:
        """Iterate over the tables of PTEs in a range: (laddr of the first page, entries).

        Precondition: the range holds no large pages.
        """
        for start, table, index, count, _shift in self._spans(laddr, laddr + size):
            yield start, self._view(table)[index : index + count].tolist()

    def table_frames(self, *, upper: bool = False) -> list[int]:
        """Return the physical addresses of the PML4 and of all tables of one half below it.

        Each is there once, also where the PML4 is its own last entry; then the entry before leads
        to a page directory, see `KernelSpace.map_image`.
        """
        half, directory = ENTRIES // 2, []
        found = {self.root: None}
        level = self._view(self.root)[half if upper else 0 :][:half].tolist()
        if upper and self.window is not None:
            level, directory = level[:-2], level[-2:-1]
        for shift in SHIFTS[:3]:
            if shift == SHIFTS[1]:
                level += directory
            below = {e & ADDRESS: None for e in level if e & P and not e & PS}
            new = [table for table in below if table not in found]
            found.update(dict.fromkeys(new))
            level = [entry for table in new for entry in self._view(table).tolist()]
        return list(found)

    @property
    def window(self) -> int | None:
        """The linear address from which on a PML4 that is its own last entry shows its tables.

        None: it is not. No user program reaches what is there, whatever the entries below allow.
        """
        last = self._view(self.root)[ENTRIES - 1]
        recursive = last & P and last & ADDRESS == self.root and not last & US
        return -(1 << SHIFTS[0]) & (1 << 64) - 1 if recursive else None

    def last_tables(self) -> list[tuple[int, Entries]]:
        """Return the tables of PTEs of the lower half: (laddr of the first page, entries).

        Precondition: it holds no large pages.
        """
        if self._last_tables is None:
            self._last_tables = [
                (laddr, np.frombuffer(self._view(table), dtype=np.int64))
                for laddr, table, *_ in self._spans(0, LOWER_END)
            ]
        return self._last_tables

    # -- inside

    def _view(self, table: int) -> memoryview:
        view = self._views.get(table)
        if view is None:
            view = self._memory.view(table, PAGE_SIZE).cast("Q")
            self._views[table] = view
        return view

    def _spans(self, laddr: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Iterate over the parts of a range that lie in one table each and hold leaves.

        Yields (laddr, table, index, count, shift). A table is left as soon as its entries point to
        further tables, so a span may hold leaves and zeros only.
        """
        yield from self._spans_under(self.root, 0, laddr, min(end, 1 << 64))

    def _spans_under(
        self, table: int, depth: int, laddr: int, end: int
    ) -> Iterator[tuple[int, int, int, int, int]]:
        shift = SHIFTS[depth]
        first = laddr >> shift & (ENTRIES - 1)
        last = end - 1 >> shift & (ENTRIES - 1)
        if depth == 3:
            yield laddr, table, first, last - first + 1, shift
            return
        for index, entry in enumerate(self._view(table)[first : last + 1].tolist(), first):
            if not entry:
                continue
            start = _sign_extend((laddr >> shift + 9 << shift + 9) + (index << shift), depth)
            if entry & PS or not entry & P:
                yield start, table, index, 1, shift
                continue
            yield from self._spans_under(
                entry & ADDRESS, depth + 1, max(laddr, start), min(end, start + (1 << shift))
            )


def _sign_extend(laddr: int, depth: int) -> int:
    """Make an address composed from indices canonical again; only the top level needs it."""
    return laddr | 0xFFFF_0000_0000_0000 if depth == 0 and laddr >> 47 & 1 else laddr
