"""Descriptors of ARM's Large Physical Address Extension in their 64-bit form: their bits.

A page of level 3, or a block of level 1 or 2::

     63 59 58  55  54   53   52    47…12    11  10  9 8  7 6    5   4…2      1     0
    +-----+------+-----+-----+---+----------+---+---+----+-----+---+---------+-----+-------+
    |     | soft | UXN | PXN | C | address  |nG |AF | SH | AP  |NS |AttrIndx | page| valid |
    +-----+------+-----+-----+---+----------+---+---+----+-----+---+---------+-----+-------+

Bit 1 tells a table, or at level 3 a page, from a block. AP[1] lets EL0 in, AP[2] forbids writing.

References
----------
Arm Architecture Reference Manual for A-profile, VMSAv8-64 translation table format descriptors;
Translation table level 3 descriptor formats.
"""

from __future__ import annotations

from pykern.kernel.core.page_entries import PageEntries

VALID, PAGE = 1 << 0, 1 << 1
TABLE = PAGE
NON_CACHEABLE, NORMAL, DEVICE = 0 << 2, 1 << 2, 2 << 2
"""AttrIndx: the memory types that MAIR_EL1 has by this number."""
MAIR_EL1 = 0x44 | 0xFF << 8 | 0x00 << 16
"""Normal non-cacheable; normal write-back, allocating; Device-nGnRnE."""
EL0, READ_ONLY = 1 << 6, 1 << 7
OUTER_SHAREABLE, INNER_SHAREABLE = 2 << 8, 3 << 8
AF, NOT_GLOBAL = 1 << 10, 1 << 11
CONTIGUOUS, PXN, UXN = 1 << 52, 1 << 53, 1 << 54
# Bits that are software's: a page that no access reaches, and one in swap space.
NO_ACCESS, SWAPPED = 1 << 55, 1 << 56
ADDRESS = 0x0000_FFFF_FFFF_F000

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4


class LpaeEntries(PageEntries):
    """What the memory manager asks of descriptors, as `mm.pagetable.PageTable` has it.

    TCR_EL1.HA lets the processor set AF.
    """

    PRESENT, ACCESSED, SWAPPED, ADDRESS = VALID, AF, SWAPPED, ADDRESS

    @staticmethod
    def user_flags(prot: int) -> int:
        """Return the attributes of an EL0 page with PROT_READ, PROT_WRITE and PROT_EXEC."""
        if not prot:
            return NO_ACCESS
        rights = (0 if prot & PROT_WRITE else READ_ONLY) | (0 if prot & PROT_EXEC else UXN)
        return VALID | PAGE | NORMAL | EL0 | INNER_SHAREABLE | AF | NOT_GLOBAL | PXN | rights

    @staticmethod
    def is_writable(entry: int) -> bool:
        """Say whether a write to the page can succeed."""
        return entry & (VALID | READ_ONLY) == VALID

    @staticmethod
    def read_only(entry: int) -> int:
        """Return a descriptor without the right to write."""
        return entry | READ_ONLY if entry & VALID else entry
