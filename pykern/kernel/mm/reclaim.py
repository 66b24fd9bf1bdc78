"""Taking frames back from processes: their pages go to swap space, and come back when touched.

`FrameAllocator` asks when no frame is free. Which pages are used is read from the accessed bits of
the page tables, and reading clears them; the policy, to which a page is a number (`page_scan`),
decides.

A page may go if nobody but page tables refers to its frame: `references` of the frame equals the
entries that map it. So a frame that is pinned, that a pager has, or that is being copied, stays.
After a fork a frame has several entries; it goes from all of them at once, into one slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.page_scan import PageScan, PageScanner, key_of, laddr_of, space_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.replacement import Replacement
    from pykern.kernel.mm.swap import SwapSpace
    from pykern.kernel.mm.user_pages import UserPages

__all__ = ["Reclaimer", "SwapCounters"]

_SHARE = 32
"""This part of all pages goes at once, because to look at all page tables takes long."""


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
        policy: Replacement[int],
        counters: SwapCounters,
        *,
        under_pressure: Callable[[], object] = lambda: None,
    ) -> None:
        self._frames, self._memory = frames, memory
        self.swap, self._policy = swap, policy
        self._counters = counters
        self._under_pressure = under_pressure
        self._attached: dict[UserPages, int] = {}
        self._spaces: dict[int, UserPages] = {}
        self._next_space = 0
        self._scanner = PageScanner()
        self._known: set[int] = set()
        self._most_known = 2 * frames.total_bytes // PAGE_SIZE
        self._working = False
        frames.reclaimer = self

    @property
    def spaces(self) -> int:
        """How many address spaces it looks after."""
        return len(self._attached)

    # -- told by address spaces

    def attach(self, pages: UserPages) -> None:
        """Take note of an address space."""
        self._attached[pages] = self._next_space
        self._spaces[self._next_space] = pages
        self._next_space += 1

    def detach(self, pages: UserPages) -> None:
        """Forget an address space that has no pages any more."""
        number = self._attached.pop(pages, None)
        if number is not None:
            del self._spaces[number]

    def admit(self, pages: UserPages, laddr: int) -> None:
        """Take note of a page that has got a frame, in the order in which they do."""
        page = key_of(self._attached[pages], laddr)
        if page in self._known:
            self._policy.forget(page)
        self._known.add(page)
        self._policy.admit(page)
        if len(self._known) > self._most_known:  # most of them have gone, and nobody looked
            self.sample()
            self._most_known = max(self._most_known, 2 * len(self._known))

    def use(self, policy: Replacement[int]) -> None:
        """Let another policy decide from now on. Precondition: it knows no page."""
        for page in sorted(self._known):
            policy.admit(page)
        self._policy = policy

    # -- looking

    def sample(self) -> PageScan:
        """Tell the policy which pages are new, gone, or were used; clear their accessed bits."""
        scan = self._scanner.scan(self._attached)
        policy, known = self._policy, self._known
        seen = scan.keys.tolist()
        for page, accessed in zip(seen, scan.accessed.tolist(), strict=True):
            if page not in known:
                policy.admit(page)
            if accessed:
                policy.touch(page)
        scan.clear_accessed()
        for page in sorted(known.difference(seen)):
            policy.forget(page)
        self._known = set(seen)
        return scan

    # -- taking

    def relieve(self, wanted: int) -> bool:
        """Free some frames; return whether there is one more than before."""
        if self._working:  # whoever stores pages must not need any
            return False
        self._working = True
        try:
            shared = self.sample().mapped_by(self._frames)
            wanted = max(wanted, len(self._known) // _SHARE)
            return self._evict_some(wanted, shared)
        finally:
            self._working = False
            self._under_pressure()

    def _evict_some(self, wanted: int, shared: dict[int, list[int]]) -> bool:
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

    def _evict(self, page: int, shared: dict[int, list[int]]) -> bool:
        """Write a page to swap space and free its frame, if nothing but page tables has it.

        Raises
        ------
        SysError(ENOMEM) : there is no room for it; nothing has changed
        """
        owner, laddr = self._spaces[space_of(page)], laddr_of(page)
        paddr = owner.table.paddr_of(owner.entry(laddr))
        mapped_by = shared.get(paddr, [page])
        if self._frames.references(paddr) != len(mapped_by):
            return False
        if any(self._spaces[space_of(key)].is_held(laddr_of(key)) for key in mapped_by):
            return False
        slot = self.swap.store(self._memory.read(paddr, PAGE_SIZE), len(mapped_by))
        for key in mapped_by:
            self._spaces[space_of(key)].swap_out(laddr_of(key), slot)
            self._known.discard(key)
            if key != page:
                self._policy.forget(key)
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
