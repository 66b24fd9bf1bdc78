"""One look at all page tables of all programs: which pages have a frame, and which were used.

With thousands of programs there are far more entries than pages, most of them empty, so they are
looked at as arrays.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pykern.kernel.core.units import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from pykern.kernel.core.page_entries import Entries
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.user_pages import UserPages

    _Array = np.ndarray[tuple[int], np.dtype[np.int64]]
    _Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
    _Table = tuple[UserPages, int, Entries]
    """The space, linear address of the first page, entries."""

__all__ = ["PageScan", "PageScanner", "key_of", "laddr_of", "space_of"]

_PAGES_SHIFT = 36
"""Bits for the number of a page in the lower half of an address space."""
_NONE = np.empty(0, dtype=np.int64)


def key_of(space: int, laddr: int) -> int:
    """Return what names a page of a space: in order of spaces, then of addresses."""
    return space << _PAGES_SHIFT | laddr >> PAGE_SHIFT


def space_of(key: int) -> int:
    """Return the number of the space that a page belongs to."""
    return key >> _PAGES_SHIFT


def laddr_of(key: int) -> int:
    """Return the linear address of a page."""
    return (key & (1 << _PAGES_SHIFT) - 1) << PAGE_SHIFT


class PageScanner:
    """Looks at spaces again and again; mostly their tables are the ones that they were before."""

    def __init__(self) -> None:
        self._lists: list[list[tuple[int, Entries]]] = []
        self._tables: list[_Table] = []
        self._firsts = _NONE
        self._buffer = _NONE

    def scan(self, spaces: dict[UserPages, int]) -> PageScan:
        """Look at spaces, each with its number, in order of number."""
        lists = [pages.table.last_tables() for pages in spaces]
        if len(lists) != len(self._lists) or not all(map(is_, lists, self._lists)):
            self._lists = lists
            self._tables = [
                (pages, laddr, entries)
                for pages, tables in zip(spaces, lists, strict=True)
                for laddr, entries in tables
            ]
            self._firsts = np.array(
                [key_of(spaces[pages], laddr) for pages, laddr, _ in self._tables], dtype=np.int64
            )
        if not self._tables:
            return PageScan([], _NONE, _NONE, _NONE, _NONE != 0)
        bits, size = self._tables[0][0].table, self._tables[0][2].size
        if self._buffer.size != size * len(self._tables):
            self._buffer = np.empty(size * len(self._tables), dtype=np.int64)
        np.concatenate([entries for _, _, entries in self._tables], out=self._buffer)
        places = np.flatnonzero(self._buffer)
        places = places[~bits.are_swapped(self._buffer[places])]
        entries = self._buffer[places]
        keys = self._firsts[places // size] + places % size
        return PageScan(
            self._tables, places, keys, bits.paddrs_of(entries), bits.are_accessed(entries)
        )


class PageScan(NamedTuple):
    """What was found, each in order of key.

    Attributes
    ----------
    tables, places : what was looked at, and where in all entries of it there was something
    keys : pages that have a frame
    paddrs : those frames
    accessed : whether they were used since `clear_accessed`
    """

    tables: list[_Table]
    places: _Array
    keys: _Array
    paddrs: _Array
    accessed: _Mask

    def clear_accessed(self) -> None:
        """Have the next use of each page be seen again."""
        used = self.places[self.accessed]
        if not used.size:
            return
        size = self.tables[0][2].size
        numbers = used // size
        begins = np.flatnonzero(np.diff(numbers, prepend=-1))
        for places in np.split(used, begins[1:]):
            number, first = divmod(int(places[0]), size)
            last = int(places[-1]) % size
            pages, start, entries = self.tables[number]
            table, laddr = pages.table, start + first * PAGE_SIZE
            unused = entries[first : last + 1].copy()
            where = places % size - first
            unused[where] = table.unaccessed_all(unused[where])
            table.set_span(laddr, unused.view(np.uint64).tolist())
            table.invalidate(laddr, (last + 1 - first) * PAGE_SIZE)

    def mapped_by(self, frames: FrameAllocator) -> dict[int, list[int]]:
        """Return the pages of each frame that several have, and nothing but page tables."""
        counts = frames.references_of(self.paddrs)
        several = np.flatnonzero(counts > 1)
        paddrs = self.paddrs[several]
        order = np.argsort(paddrs, kind="stable")
        paddrs, several = paddrs[order], several[order]
        begins = np.flatnonzero(np.diff(paddrs, prepend=-1))
        groups = np.split(several, begins[1:]) if several.size else []
        return {
            int(self.paddrs[group[0]]): self.keys[group].tolist()
            for group in groups
            if len(group) == counts[group[0]]
        }
