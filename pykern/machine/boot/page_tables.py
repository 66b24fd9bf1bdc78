"""Build the 4-level page tables with which a kernel is entered in long mode.

References
----------
SDM Vol. 3A, 4-Level Paging and 5-Level Paging.
"""

from __future__ import annotations

from pykern.machine.boot.protocol import BootError

PAGE, LARGE_PAGE = 1 << 12, 1 << 21
_ENTRIES = 512
_PRESENT, _WRITABLE, _PAGE_SIZE = 1 << 0, 1 << 1, 1 << 7
_ADDRESS = 0x000F_FFFF_FFFF_F000
_SHIFTS = (39, 30, 21, 12)


class PageTables:
    """Page tables under construction; every mapping is supervisor, writable, executable."""

    def __init__(self) -> None:
        self._tables: list[list[int]] = [[0] * _ENTRIES]

    def map(self, laddr: int, paddr: int, size: int) -> None:
        """Map [laddr, laddr + size) to `paddr` on, in 2 MiB pages where both addresses allow.

        Both addresses have the same offset in their 4 KiB page; partial pages are mapped whole.
        """
        offset = laddr % PAGE
        laddr, paddr, size = laddr - offset, paddr - offset, size + offset
        end = laddr + size
        while laddr < end:
            large = laddr % LARGE_PAGE == paddr % LARGE_PAGE == 0 and end - laddr >= LARGE_PAGE
            step = LARGE_PAGE if large else PAGE
            self._set(laddr, paddr, large=large)
            laddr, paddr = laddr + step, paddr + step

    def _set(self, laddr: int, paddr: int, *, large: bool) -> None:
        *upper, leaf = _SHIFTS[:3] if large else _SHIFTS
        table = 0
        for shift in upper:
            table = self._descend(table, laddr >> shift & (_ENTRIES - 1), laddr)
        index = laddr >> leaf & (_ENTRIES - 1)
        entry = paddr | _PRESENT | _WRITABLE | (_PAGE_SIZE if large else 0)
        previous = self._tables[table][index]
        if previous not in {0, entry}:
            raise BootError(
                f"linear {laddr:#x} would be mapped to both {previous & _ADDRESS:#x} and {paddr:#x}"
            )
        self._tables[table][index] = entry

    def _descend(self, table: int, index: int, laddr: int) -> int:
        """Return the number of the next-level table; entries hold numbers until `encode`."""
        entry = self._tables[table][index]
        if entry & _PAGE_SIZE:
            raise BootError(f"linear {laddr:#x} lies within a 2 MiB page mapped already")
        if not entry:
            entry = len(self._tables) << 12 | _PRESENT | _WRITABLE
            self._tables.append([0] * _ENTRIES)
            self._tables[table][index] = entry
        return entry >> 12

    @property
    def size(self) -> int:
        """Return the bytes that `encode` returns."""
        return len(self._tables) * PAGE

    def encode(self, base: int) -> bytes:
        """Return the tables as they have to lie at physical address `base`: the PML4 first."""
        levels = self._levels()
        encoded = bytearray()
        for number, table in enumerate(self._tables):
            for entry in table:
                is_leaf = levels[number] == 3 or entry & _PAGE_SIZE
                fixed = entry if is_leaf or not entry else entry + base
                encoded += fixed.to_bytes(8, "little")
        return bytes(encoded)

    def _levels(self) -> dict[int, int]:
        """Return the depth of each table: PML4 0, page table 3."""
        levels = {0: 0}
        for number, table in enumerate(self._tables):
            if levels[number] == 3:
                continue
            for entry in table:
                if entry and not entry & _PAGE_SIZE:
                    levels[entry >> 12] = levels[number] + 1
        return levels
