"""Entries of x86-64 paging structures: their bits, and what a leaf says.

An entry that maps a page (PTE; PDE or PDPTE with PS set)::

     63  62…52  51           …           12  11…9  8  7   6  5  4    3    2   1   0
    +---+------+---------------------------+------+--+---+--+--+----+----+---+---+---+
    |NX | free | physical address          | free |G |PS |D |A |PCD |PWT |US |RW | P |
    +---+------+---------------------------+------+--+---+--+--+----+----+---+---+---+

PS is the PAT bit in a PTE; this kernel leaves it 0 there. An entry with P clear that is not 0 holds
a page that no access reaches (PROT_NONE), or whatever else the memory manager wants to find again.

References
----------
SDM Vol. 3A, 4-Level Paging and 5-Level Paging; Access Rights; Page-Fault Exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass

from pykern.kernel.core.page_entries import PageEntries
from pykern.kernel.core.units import GIB, MIB, PAGE_SIZE

P, RW, US, PWT, PCD, A, D, PS, G = (1 << bit for bit in range(9))
# What bit 7 is in a PTE: with it a page has memory type 4 of IA32_PAT, write-back as type 0.
PAT = PS
# One of the bits that are free for software; with P clear, the address is a slot of swap space.
SWAPPED = 1 << 9
NX = 1 << 63
ADDRESS = 0x000F_FFFF_FFFF_F000
RIGHTS = P | RW | US | PWT | PCD | G | NX

# Error code of #PF.
PF_P, PF_W, PF_U, PF_RSVD, PF_I = (1 << bit for bit in range(5))

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4

ENTRIES = 512
PAGE_2M, PAGE_1G = 2 * MIB, GIB
LEVELS = ("PML4E", "PDPTE", "PDE", "PTE")
SHIFTS = (39, 30, 21, 12)
_FLAG_NAMES = (
    (P, "P"), (RW, "RW"), (US, "US"), (PWT, "PWT"), (PCD, "PCD"),
    (A, "A"), (D, "D"), (PS, "PS"), (G, "G"), (NX, "NX"),
)  # fmt: skip
LOWER_END = 1 << 47


def is_canonical(laddr: int) -> bool:
    """Say whether bits 63 to 47 of a linear address are equal."""
    return 0 <= laddr < 1 << 47 or (1 << 64) - (1 << 47) <= laddr < 1 << 64


def flag_names(entry: int) -> str:
    """Spell the flags of an entry: "P RW US"."""
    return " ".join(name for bit, name in _FLAG_NAMES if entry & bit)


@dataclass(frozen=True)
class Leaf:
    """One mapped page: where it begins, how large it is, and its entry."""

    laddr: int
    size: int
    entry: int

    @property
    def paddr(self) -> int:
        """Physical address of the page's first byte."""
        return self.entry & ADDRESS & -self.size

    @property
    def flags(self) -> int:
        """Bits of the entry without its address; PS is left out."""
        return self.entry & ~ADDRESS & ~(PS if self.size > PAGE_SIZE else 0)


class UserEntries(PageEntries):
    """What the memory manager asks of entries of user pages, as `mm.pagetable.PageTable` has it."""

    PRESENT, ACCESSED, SWAPPED, ADDRESS = P, A, SWAPPED, ADDRESS

    @staticmethod
    def user_flags(prot: int) -> int:
        """Return the flags of a user page with PROT_READ, PROT_WRITE and PROT_EXEC."""
        if not prot:
            return US | NX
        return P | US | (RW if prot & PROT_WRITE else 0) | (0 if prot & PROT_EXEC else NX)

    @staticmethod
    def is_writable(entry: int) -> bool:
        """Say whether a write to the page can succeed."""
        return entry & (P | RW) == P | RW

    @staticmethod
    def read_only(entry: int) -> int:
        """Return an entry without the right to write."""
        return entry & ~RW
