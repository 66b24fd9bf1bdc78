"""What processors' page-table entries have in common for whoever gives frames to pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np

    Entries = np.ndarray[tuple[int], np.dtype[np.int64]]
    Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

__all__ = ["PageEntries"]

_SHIFT = 12


class PageEntries:
    """Entries of pages of 4 KiB, part of `mm.pagetable.PageTable`; 0 is empty.

    Attributes
    ----------
    PRESENT : bit without which every access faults; then the processor looks at no other
    ACCESSED : bit that the processor sets when the page is used
    SWAPPED : bit of software's: where the address would be, a slot of swap space is
    ADDRESS : bits of the frame's address
    """

    PRESENT: ClassVar[int]
    ACCESSED: ClassVar[int]
    SWAPPED: ClassVar[int]
    ADDRESS: ClassVar[int]

    @classmethod
    def is_present(cls, entry: int) -> bool:
        """Say whether any access to the page can succeed."""
        return bool(entry & cls.PRESENT)

    @classmethod
    def is_accessed(cls, entry: int) -> bool:
        """Say whether the page was used since the bit was cleared."""
        used = cls.PRESENT | cls.ACCESSED
        return entry & used == used

    @classmethod
    def unaccessed(cls, entry: int) -> int:
        """Return an entry whose next use will be seen."""
        return entry & ~cls.ACCESSED

    @classmethod
    def swap_entry(cls, slot: int) -> int:
        """Return the entry of a page without a frame, whose content is in a slot of swap space."""
        return slot << _SHIFT | cls.SWAPPED

    @classmethod
    def is_swapped(cls, entry: int) -> bool:
        """Say whether the page has a slot instead of a frame."""
        return entry & (cls.PRESENT | cls.SWAPPED) == cls.SWAPPED

    @classmethod
    def slot_of(cls, entry: int) -> int:
        """Return the slot of a page that has one."""
        return (entry & cls.ADDRESS) >> _SHIFT

    @classmethod
    def paddr_of(cls, entry: int) -> int:
        """Return the frame of an entry."""
        return entry & cls.ADDRESS

    # Many at once: the same, of arrays of entries.

    @classmethod
    def are_accessed(cls, entries: Entries) -> Mask:
        """Say of each entry whether the page was used since the bit was cleared."""
        used = cls.PRESENT | cls.ACCESSED
        found: Mask = entries & used == used
        return found

    @classmethod
    def unaccessed_all(cls, entries: Entries) -> Entries:
        """Return entries whose next use will be seen."""
        return entries & ~cls.ACCESSED

    @classmethod
    def are_swapped(cls, entries: Entries) -> Mask:
        """Say of each entry whether the page has a slot instead of a frame."""
        found: Mask = entries & (cls.PRESENT | cls.SWAPPED) == cls.SWAPPED
        return found

    @classmethod
    def paddrs_of(cls, entries: Entries) -> Entries:
        """Return the frame of each entry."""
        return entries & cls.ADDRESS
