"""What address spaces need of a page table, so that another processor's can take its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykern.kernel.core.page_entries import Entries, Mask


class ManyEntries(Protocol):
    """What `PageTable` says of one entry, of arrays of them."""

    def are_swapped(self, entries: Entries, /) -> Mask:
        """Say of each entry what `is_swapped` says."""
        ...

    def are_accessed(self, entries: Entries, /) -> Mask:
        """Say of each entry what `is_accessed` says."""
        ...

    def unaccessed_all(self, entries: Entries, /) -> Entries:
        """Return what `unaccessed` makes of each entry."""
        ...

    def paddrs_of(self, entries: Entries, /) -> Entries:
        """Return the frame of each entry."""
        ...


class PageTable(ManyEntries, Protocol):
    """One translation tree with pages of 4 KiB; entries and flags are opaque integers.

    An entry of 0 is empty. One that is not 0 and not present still has a frame, which no access
    reaches, unless it is swapped: then it has a slot of swap space.
    `pykern.kernel.x86.paging.PageTable` says more about each method.
    """

    root: int
    tables: int
    invalidate: Callable[[int, int], object]
    allow_wx: bool

    def entry(self, laddr: int, /) -> int:
        """Return the entry of a page."""
        ...

    def set_entry(self, laddr: int, paddr: int, flags: int, /) -> None:
        """Put a page, whatever was there; the caller invalidates."""
        ...

    def change(self, laddr: int, size: int, new: Callable[[int, int], int], /) -> None:
        """Replace every entry that is not 0 in a range; then invalidate."""
        ...

    def spans(self, laddr: int, size: int, /) -> Iterator[tuple[int, list[int]]]:
        """Iterate over what tables hold in a range: (laddr of the first page, entries)."""
        ...

    def last_tables(self) -> list[tuple[int, Entries]]:
        """Return the tables of the user half that map pages: (laddr of the first page, entries).

        The entries are the tables themselves, for reading.
        """
        ...

    def set_span(self, laddr: int, entries: list[int], /) -> None:
        """Put the pages of one such span, whatever was there; nobody is told."""
        ...

    def table_frames(self) -> list[int]:
        """Return the physical addresses of the root and of the tables of the user half."""
        ...

    def user_flags(self, prot: int, /) -> int:
        """Return the flags of a user page with PROT_ bits."""
        ...

    def is_present(self, entry: int, /) -> bool:
        """Say whether any access can succeed."""
        ...

    def is_writable(self, entry: int, /) -> bool:
        """Say whether a write can succeed."""
        ...

    def read_only(self, entry: int, /) -> int:
        """Return an entry without the right to write."""
        ...

    def is_accessed(self, entry: int, /) -> bool:
        """Say whether the page was used since `unaccessed`."""
        ...

    def unaccessed(self, entry: int, /) -> int:
        """Return an entry whose next use will be seen."""
        ...

    def swap_entry(self, slot: int, /) -> int:
        """Return the entry of a page that has a slot of swap space instead of a frame."""
        ...

    def is_swapped(self, entry: int, /) -> bool:
        """Say whether a page has a slot instead of a frame."""
        ...

    def slot_of(self, entry: int, /) -> int:
        """Return the slot of such an entry."""
        ...

    def paddr_of(self, entry: int, /) -> int:
        """Return the frame of an entry."""
        ...

    def release(self) -> None:
        """Free the tables of the user half and the root."""
        ...
