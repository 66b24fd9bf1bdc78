"""Build the 4-level page tables with which a kernel is entered in long mode.

References
----------
SDM Vol. 3A, 4-Level Paging and 5-Level Paging; Programming the PAT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAGE, LARGE_PAGE = 1 << 12, 1 << 21
PRESENT, WRITABLE, WRITE_THROUGH, NO_EXECUTE = 1 << 0, 1 << 1, 1 << 3, 1 << 63
_PAGE_SIZE = 1 << 7
_PAT_4K, _PAT_2M = 1 << 7, 1 << 12
_ENTRIES = 512
_ADDRESS = 0x000F_FFFF_FFFF_F000
_SHIFTS = (39, 30, 21, 12)


class PageTables:
    """Page tables under construction; every mapping is for the supervisor."""

    def __init__(self) -> None:
        self._tables = [_table()]
        self._children: dict[tuple[int, int], int] = {}
        """(number of a table, index of an entry) -> number of the next-level table."""

    def map(
        self,
        laddr: int,
        paddr: int,
        size: int,
        flags: int = PRESENT | WRITABLE,
        *,
        pat: bool = False,
    ) -> None:
        """Map [laddr, laddr + size) to `paddr` on, in 2 MiB pages where both addresses allow.

        Both addresses have the same offset in their 4 KiB page; partial pages are mapped whole.

        Parameters
        ----------
        laddr, paddr : first address
        size : bytes
        flags : bits of the last-level entries that are the same for all sizes of page
        pat : set the PAT bit, whose place depends on the size of the page

        Raises
        ------
        BootError : a page is mapped to something else already
        """
        offset = laddr % PAGE
        laddr, paddr, size = laddr - offset, paddr - offset, size + offset
        end = laddr + size
        while laddr < end:
            large = laddr % LARGE_PAGE == paddr % LARGE_PAGE == 0 and end - laddr >= LARGE_PAGE
            step = LARGE_PAGE if large else PAGE
            table, index = self._last_level(laddr, _SHIFTS[:3] if large else _SHIFTS)
            wanted = (end - laddr) // step if large else -(-(end - laddr) // step)
            count = min(wanted, _ENTRIES - index)
            entry = paddr | flags | (_leaf_bits(large=large, pat=pat))
            self._fill(table, index, entry + np.arange(count, dtype=np.uint64) * step, laddr)
            laddr, paddr = laddr + count * step, paddr + count * step

    def _last_level(self, laddr: int, shifts: tuple[int, ...]) -> tuple[int, int]:
        """Return the table and the index of the entry that maps `laddr`."""
        table = 0
        for shift in shifts[:-1]:
            table = self._descend(table, laddr >> shift & (_ENTRIES - 1), laddr)
        return table, laddr >> shifts[-1] & (_ENTRIES - 1)

    def _descend(self, table: int, index: int, laddr: int) -> int:
        """Return the number of the next-level table."""
        if self._tables[table][index]:
            raise BootError(f"linear {laddr:#x} lies within a 2 MiB page mapped already")
        if (table, index) not in self._children:
            self._children[table, index] = len(self._tables)
            self._tables.append(_table())
        return self._children[table, index]

    def _fill(self, table: int, index: int, entries: NDArray[np.uint64], laddr: int) -> None:
        there = self._tables[table][index : index + len(entries)]
        taken = (there != 0) & (there != entries)
        if taken.any():
            first = int(taken.argmax())
            raise BootError(
                f"linear {laddr:#x} + {first} pages would be mapped to both "
                f"{int(there[first]) & _ADDRESS:#x} and {int(entries[first]) & _ADDRESS:#x}"
            )
        if any((table, number) in self._children for number in range(index, index + len(entries))):
            raise BootError(f"linear {laddr:#x} is mapped in 4 KiB pages already")
        there[:] = entries

    @property
    def size(self) -> int:
        """Return the bytes that `encode` returns."""
        return len(self._tables) * PAGE

    def encode(self, base: int) -> bytes:
        """Return the tables as they have to lie at physical address `base`: the PML4 first."""
        encoded = np.stack(self._tables)
        for (table, index), child in self._children.items():
            encoded[table, index] = base + child * PAGE | PRESENT | WRITABLE
        return encoded.tobytes()


def _leaf_bits(*, large: bool, pat: bool) -> int:
    if large:
        return _PAGE_SIZE | (_PAT_2M if pat else 0)
    return _PAT_4K if pat else 0


def _table() -> NDArray[np.uint64]:
    return np.zeros(_ENTRIES, dtype="<u8")
