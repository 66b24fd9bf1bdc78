"""Taking frames back from processes: their pages go to swap space, and come back when touched.

`FrameAllocator` asks when no frame is free. Which pages are used is read from the accessed bits of
the page tables, and reading clears them; the policy decides.

A page may go if nobody but page tables refers to its frame: `references` of the frame equals the
entries that map it. So a frame that is pinned, that a pager has, or that is being copied, stays.
After a fork a frame has several entries; it goes from all of them at once, into one slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.replacement import Replacement
    from pykern.kernel.mm.swap import SwapSpace
    from pykern.kernel.mm.user_pages import UserPages

    Page = tuple[UserPages, int]
    """Whose, and its linear address."""

__all__ = ["Reclaimer", "SwapCounters"]

_SHARE = 32
"""This part of all pages goes at once, because to look at all page tables takes long."""
_LOWER_HALF = 1 << 47


class SwapCounters(Protocol):
    """Where pages are counted; the kernel's metrics are one."""

    swap_ins: int
    swap_outs: int


class Reclaimer:
    """Finds frames when none is free.

    Parameters
    ----------
    frames : it works for this allocator, and sets itself up there
    memory : guest RAM
    swap : where pages go
    policy : which ones go
    counters : where they are counted
    under_pressure : called whenever frames were short; it should have `sample` called soon after
    """

    def __init__(
        self,
        frames: FrameAllocator,
        memory: PhysicalMemory,
        swap: SwapSpace,
        policy: Replacement[Page],
        counters: SwapCounters,
        *,
        under_pressure: Callable[[], object] = lambda: None,
    ) -> None:
        self._frames, self._memory = frames, memory
        self.swap, self._policy = swap, policy
        self._counters = counters
        self._under_pressure = under_pressure
        self._attached: dict[UserPages, None] = {}
        # In an order, that of a dictionary: those of a set depend on where the host has objects.
        self._known: dict[Page, None] = {}
        self._working = False
        frames.reclaimer = self

    @property
    def spaces(self) -> int:
        """How many address spaces it looks after."""
        return len(self._attached)

    # -- told by address spaces

    def attach(self, pages: UserPages) -> None:
        """Take note of an address space."""
        self._attached[pages] = None

    def detach(self, pages: UserPages) -> None:
        """Forget an address space that has no pages any more."""
        self._attached.pop(pages, None)

    def admit(self, pages: UserPages, laddr: int) -> None:
        """Take note of a page that has got a frame, in the order in which they do."""
        page = pages, laddr
        if page in self._known:
            self._policy.forget(page)
        self._known[page] = None
        self._policy.admit(page)

    def use(self, policy: Replacement[Page]) -> None:
        """Let another policy decide from now on. Precondition: it knows no page."""
        for page in sorted(self._known, key=lambda page: page[1]):
            policy.admit(page)
        self._policy = policy

    # -- looking

    def sample(self) -> dict[int, list[Page]]:
        """Tell the policy which pages are new, gone, or were used; clear their accessed bits.

        Returns
        -------
        Entries that map a frame, by its physical address, of frames with several references.
        """
        shared: dict[int, list[Page]] = {}
        seen: dict[Page, None] = {}
        for pages in self._attached:
            for laddr, entries in pages.table.spans(0, _LOWER_HALF):
                if any(entries):
                    self._sample_span(pages, laddr, entries, seen, shared)
        for page in self._known:
            if page not in seen:
                self._policy.forget(page)
        self._known = seen
        return shared

    def _sample_span(
        self,
        pages: UserPages,
        laddr: int,
        entries: list[int],
        seen: dict[Page, None],
        shared: dict[int, list[Page]],
    ) -> None:
        """Look at the entries of one table."""
        table, policy, known = pages.table, self._policy, self._known
        unused = entries.copy()
        for i, entry in enumerate(entries):
            if not entry or table.is_swapped(entry):
                continue
            page = pages, laddr + i * PAGE_SIZE
            seen[page] = None
            if page not in known:
                policy.admit(page)
            if table.is_accessed(entry):
                policy.touch(page)
                unused[i] = table.unaccessed(entry)
            paddr = table.paddr_of(entry)
            if self._frames.references(paddr) > 1:
                shared.setdefault(paddr, []).append(page)
        if unused != entries:
            table.set_span(laddr, unused)
            table.invalidate(laddr, len(entries) * PAGE_SIZE)

    # -- taking

    def relieve(self, wanted: int) -> bool:
        """Free some frames; return whether there is one more than before."""
        if self._working:  # whoever stores pages must not need any
            return False
        self._working = True
        try:
            shared = self.sample()
            wanted = max(wanted, len(self._known) // _SHARE)
            return self._evict_some(wanted, shared)
        finally:
            self._working = False
            self._under_pressure()

    def _evict_some(self, wanted: int, shared: dict[int, list[Page]]) -> bool:
        """Evict until so many frames are free, or nothing more can go."""
        kept, freed = [], 0
        while freed < wanted and len(self._policy):
            page = self._policy.victim()
            try:
                gone = self._evict(page, shared)
            except SysError:  # the swap space is full
                kept.append(page)
                break
            freed += gone
            if not gone:
                kept.append(page)
        for page in kept:
            self._policy.admit(page)
        return freed > 0

    def _evict(self, page: Page, shared: dict[int, list[Page]]) -> bool:
        """Write a page to swap space and free its frame, if nothing but page tables has it.

        Raises
        ------
        SysError(ENOMEM) : there is no room for it; nothing has changed
        """
        paddr = page[0].table.paddr_of(page[0].entry(page[1]))
        mapped_by = shared.get(paddr, [page])
        if self._frames.references(paddr) != len(mapped_by):
            return False
        if any(pages.is_held(laddr) for pages, laddr in mapped_by):
            return False
        slot = self.swap.store(self._memory.read(paddr, PAGE_SIZE), len(mapped_by))
        for pages, laddr in mapped_by:
            pages.swap_out(laddr, slot)
            self._known.pop((pages, laddr), None)
            if (pages, laddr) != page:
                self._policy.forget((pages, laddr))
        self._counters.swap_outs += 1
        return True

    # -- bringing back

    def bring_back(self, slot: int) -> int:
        """Return a new frame with the content of a slot, whose reference is dropped.

        Raises
        ------
        SysError(ENOMEM) : no frame is free; nothing has changed
        """
        data = self.swap.load(slot)
        self.swap.put(slot)  # where the swap space is full, the page that makes room goes there
        try:
            paddr = self._frames.alloc(zero=False)
        except SysError:
            self.swap.take_back(slot, data)
            raise
        self._memory.write(paddr, data)
        self._counters.swap_ins += 1
        return paddr
