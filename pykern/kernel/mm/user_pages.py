"""The pages of one user half: entries, references to frames, and a cache of translations."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.pagetable import PageTable

_NOTHING = nullcontext()
"""Without swap space no page loses its frame."""


class UserPages:
    """Resident pages; each holds one reference to its frame.

    `readable` and `writable` map page numbers to physical addresses of pages the user may access
    so: what lets a system call copy its arguments without a walk. Any change of an entry
    removes it from both.

    Parameters
    ----------
    table : the page table, whose user half belongs to this object
    frames : where frames go back to
    """

    def __init__(self, table: PageTable, frames: FrameAllocator) -> None:
        self.table, self.frames = table, frames
        self.readable: dict[int, int] = {}
        self.writable: dict[int, int] = {}
        self.pinned: dict[int, int] = {}
        self.resident = 0
        self._held: list[tuple[int, int]] = []
        if frames.reclaimer is not None:
            frames.reclaimer.attach(self)

    def detach(self) -> None:
        """Leave: nothing is mapped, nor will be."""
        if self.frames.reclaimer is not None:
            self.frames.reclaimer.detach(self)

    # -- pages that must stay, and pages that went

    def holding(self, start: int, end: int) -> AbstractContextManager[None]:
        """Let no page of a range lose its frame meanwhile: somebody knows where it is."""
        return _NOTHING if self.frames.reclaimer is None else self._holding(start, end)

    @contextmanager
    def _holding(self, start: int, end: int) -> Generator[None]:
        self._held.append((start, end))
        try:
            yield
        finally:
            self._held.pop()

    def is_held(self, laddr: int) -> bool:
        """Say whether a page must keep its frame now."""
        return any(start <= laddr < end for start, end in self._held)

    def swap_out(self, laddr: int, slot: int) -> None:
        """Give up a page's frame, whose content is in a slot of swap space."""
        paddr = self.table.paddr_of(self.table.entry(laddr))
        self.table.set_span(laddr, [self.table.swap_entry(slot)])
        self.forget(laddr, laddr + PAGE_SIZE)
        self.table.invalidate(laddr, PAGE_SIZE)
        self.resident -= 1
        self.frames.put(paddr)

    def swap_in(self, laddr: int, prot: int) -> None:
        """Give a swapped page a frame again, its own; nobody else writes to it.

        Raises
        ------
        SysError(ENOMEM) : no frame is free; nothing has changed
        """
        reclaimer, table = self.frames.reclaimer, self.table
        assert reclaimer is not None  # else nothing would be swapped
        paddr = reclaimer.bring_back(table.slot_of(table.entry(laddr)))
        table.set_entry(laddr, paddr, table.user_flags(prot))
        self.resident += 1
        reclaimer.admit(self, laddr)

    def entry(self, laddr: int) -> int:
        """Return the entry of a page, or 0."""
        return self.table.entry(laddr)

    def has_frame(self, laddr: int) -> bool:
        """Say whether a page is in memory."""
        entry = self.table.entry(laddr)
        return bool(entry) and not self.table.is_swapped(entry)

    def accessible(self, laddr: int, *, write: bool) -> int | None:
        """Return the physical address of a page the user may access now, or None."""
        entry = self.table.entry(laddr)
        if not self.table.is_present(entry):
            return None
        paddr = self.table.paddr_of(entry)
        if self.table.is_writable(entry):
            self.writable[laddr >> PAGE_SHIFT] = paddr
        elif write:
            return None
        self.readable[laddr >> PAGE_SHIFT] = paddr
        return paddr

    def install(self, laddr: int, paddr: int, prot: int) -> None:
        """Map a frame where nothing is; its reference now belongs to the mapping.

        Raises
        ------
        SysError(ENOMEM) : no frame for a table; the reference is still the caller's
        """
        self.table.set_entry(laddr, paddr, self.table.user_flags(prot))
        self.resident += 1
        if self.frames.reclaimer is not None:
            self.frames.reclaimer.admit(self, laddr)

    def exchange(self, laddr: int, paddr: int, prot: int) -> None:
        """Map another frame, or the same with other rights, in the place of a resident page."""
        old = self.table.paddr_of(self.table.entry(laddr))
        self.table.set_entry(laddr, paddr, self.table.user_flags(prot))
        self.forget(laddr, laddr + PAGE_SIZE)
        self.table.invalidate(laddr, PAGE_SIZE)
        if old != paddr:
            self.frames.put(old)

    def is_exclusive(self, laddr: int, paddr: int) -> bool:
        """Say whether nobody but this mapping and its own pins refers to a frame."""
        return self.frames.references(paddr) - self.pinned.get(laddr >> PAGE_SHIFT, 0) == 1

    def remove(self, start: int, end: int) -> None:
        """Unmap a range; its frames lose their reference after the processors forgot them."""
        gone: list[int] = []
        slots: list[int] = []
        table = self.table

        def take(_laddr: int, entry: int) -> int:
            if table.is_swapped(entry):
                slots.append(table.slot_of(entry))
            else:
                gone.append(table.paddr_of(entry))
            return 0

        self.forget(start, end)
        table.change(start, end - start, take)
        self.resident -= len(gone)
        self.frames.put_each(gone)
        if self.frames.reclaimer is not None:
            for slot in slots:
                self.frames.reclaimer.swap.put(slot)

    def move(self, start: int, end: int, target: int) -> None:
        """Map resident pages of a range elsewhere, where nothing is.

        Raises
        ------
        SysError(ENOMEM) : no frame for a table; nothing has changed
        """
        with self.holding(start, end), self.holding(target, target + end - start):
            self._move(start, end, target)

    def _move(self, start: int, end: int, target: int) -> None:
        entries = {
            laddr + i * PAGE_SIZE: entry
            for laddr, span in self.table.spans(start, end - start)
            for i, entry in enumerate(span)
            if entry
        }
        moved: list[int] = []
        try:
            for laddr, entry in entries.items():
                self.table.set_span(target + laddr - start, [entry])
                moved.append(target + laddr - start)
        except BaseException:
            for laddr in moved:
                self.table.change(laddr, PAGE_SIZE, lambda _laddr, _entry: 0)
            raise
        self.forget(start, end)
        self.table.change(start, end - start, lambda _laddr, _entry: 0)

    def protect(self, start: int, end: int, prot: int) -> None:
        """Change the rights of resident pages.

        A page that was not writable does not become so: its first write faults and finds out
        whether it has to be copied.
        """
        table, flags = self.table, self.table.user_flags(prot)
        narrow = table.read_only(flags)

        def change(_laddr: int, entry: int) -> int:
            if table.is_swapped(entry):  # gets its rights when it comes back
                return entry
            return table.paddr_of(entry) | (flags if table.is_writable(entry) else narrow)

        self.forget(start, end)
        table.change(start, end - start, change)

    def share_with(self, child: UserPages, start: int, end: int) -> None:
        """Give a child the pages of a private range, write-protected on both sides.

        A page that is pinned is copied at once: what a system call of the parent is about to put
        there must stay the parent's.

        Raises
        ------
        SysError(ENOMEM) : the child has got a part; the caller releases it
        """
        self.forget(start, end)
        for laddr, entries in self.table.spans(start, end - start):
            if any(entries):
                with self.holding(laddr, laddr + len(entries) * PAGE_SIZE):
                    self._share_span(child, laddr, entries)
        self.table.invalidate(start, end - start)

    def _share_span(self, child: UserPages, laddr: int, entries: list[int]) -> None:
        """Share the pages of one table."""
        frames, paddr_of, read_only = self.frames, self.table.paddr_of, self.table.read_only
        is_swapped = self.table.is_swapped
        narrow = [read_only(entry) for entry in entries]
        mine, theirs = narrow.copy(), narrow
        first = laddr >> PAGE_SHIFT
        copies = []
        try:
            for page in self.pinned.keys() & set(range(first, first + len(entries))):
                i = page - first
                if entries[i]:
                    paddr = paddr_of(entries[i])
                    copies.append(frames.copy(paddr))
                    mine[i], theirs[i] = entries[i], narrow[i] - paddr + copies[-1]
            child.table.set_span(laddr, theirs)
        except BaseException:
            frames.put_each(copies)
            raise
        own = set(copies)
        held = [paddr_of(entry) for entry in theirs if entry and not is_swapped(entry)]
        frames.get_each([paddr for paddr in held if paddr not in own])
        if frames.reclaimer is not None:
            for entry in filter(is_swapped, theirs):
                frames.reclaimer.swap.get(self.table.slot_of(entry))
        child.resident += len(held)
        if mine != entries:
            self.table.set_span(laddr, mine)

    def count(self, start: int, end: int) -> int:
        """Return how many pages of a range are resident."""
        is_swapped = self.table.is_swapped
        return sum(
            sum(1 for entry in entries if entry and not is_swapped(entry))
            for _, entries in self.table.spans(start, end - start)
        )

    def forget(self, start: int, end: int) -> None:
        """Drop cached translations of a range."""
        first, last = start >> PAGE_SHIFT, end >> PAGE_SHIFT
        for cache in (self.readable, self.writable):
            if last - first < len(cache):
                for page in range(first, last):
                    cache.pop(page, None)
                continue
            for page in [page for page in cache if first <= page < last]:
                del cache[page]
