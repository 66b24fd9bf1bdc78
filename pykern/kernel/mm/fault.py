"""Page faults: demand-zero memory, copy-on-write, stacks that grow, pages of files, swapped ones.

References
----------
SDM Vol. 3A, Page-Fault Exceptions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE, page_down
from pykern.kernel.mm.pager import NotResident
from pykern.kernel.mm.user import UserMemory
from pykern.kernel.mm.user_pages import UserPages
from pykern.kernel.mm.vma import PROT_WRITE, Vma, VmaMap
from pykern.kernel.x86.paging import PF_I, PF_RSVD, PF_W

if TYPE_CHECKING:
    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.layout import Limits, UserLayout
    from pykern.kernel.mm.pagetable import PageTable


class PagedMemory(UserMemory):
    """Areas, and the pages of them that are resident; the others come when they are touched.

    Parameters
    ----------
    frames : where pages come from
    memory : guest RAM
    table : the page table, whose user half is this object's
    layout, limits : addresses and bounds
    """

    def __init__(
        self,
        frames: FrameAllocator,
        memory: PhysicalMemory,
        table: PageTable,
        layout: UserLayout,
        limits: Limits,
    ) -> None:
        super().__init__(memory, UserPages(table, frames))
        self.frames, self.layout, self.limits = frames, layout, limits
        self.vmas = VmaMap()
        self.peak = 0

    def fault(self, laddr: int, error_code: int) -> bool:
        """Handle a page fault; return whether the instruction may be tried again.

        Parameters
        ----------
        laddr : CR2
        error_code : as the processor pushed it

        Raises
        ------
        NotResident : the page must be loaded first: use `fault_in`
        BusError : the file behind the area has no such page (SIGBUS)
        SysError(ENOMEM) : no frame is free; nothing has changed

        References
        ----------
        SDM Vol. 3A, Page-Fault Exceptions.
        """
        if error_code & PF_RSVD:
            return False
        return self.resolve(laddr, write=bool(error_code & PF_W), fetch=bool(error_code & PF_I))

    async def fault_in(self, laddr: int, error_code: int) -> bool:
        """As `fault`, and load the page if need be."""
        while True:
            try:
                return self.fault(laddr, error_code)
            except NotResident as missing:
                pager, offset = missing.pager, missing.offset
            await pager.load(offset)

    def resolve(self, laddr: int, *, write: bool, fetch: bool = False) -> bool:
        """Make the page of an address accessible; False: the access is not allowed."""
        vma = self.vmas.find(laddr) or self._grown_stack(laddr)
        if vma is None or not vma.permits(write=write, fetch=fetch):
            return False
        page = page_down(laddr)
        with self.pages.holding(page, page + PAGE_SIZE):
            self._give(vma, page, write=write)
        return True

    def _give(self, vma: Vma, page: int, *, write: bool) -> None:
        """Let a page be accessed as its area permits."""
        entry = self.pages.entry(page)
        if not entry:
            self._bring_in(vma, page, write=write)
            self.peak = max(self.peak, self.pages.resident)
        elif self.pages.table.is_swapped(entry):
            self.pages.swap_in(page, vma.prot)
        elif write and not self.pages.table.is_writable(entry):
            self._make_writable(vma, page, self.pages.table.paddr_of(entry))
        else:  # another processor was faster, or ours remembers narrower rights
            self.pages.table.invalidate(page, PAGE_SIZE)

    def _bring_in(self, vma: Vma, page: int, *, write: bool) -> None:
        """Map a page that is not resident."""
        prot, frames = vma.prot, self.frames
        if vma.pager is None:
            paddr = frames.alloc()
        else:
            offset = vma.offset + page - vma.start
            source = vma.pager.frame(offset)
            if source is None:
                raise NotResident(vma.pager, offset)
            if vma.shared and write:
                vma.pager.dirtied(offset)
            copies = write and not vma.shared
            paddr = frames.copy(source) if copies else frames.get(source)
            prot = prot if write else prot & ~PROT_WRITE
        try:
            self.pages.install(page, paddr, prot)
        except SysError:
            frames.put(paddr)
            raise

    def _make_writable(self, vma: Vma, page: int, paddr: int) -> None:
        """Serve the first write to a resident page."""
        if vma.shared and vma.pager:
            vma.pager.dirtied(vma.offset + page - vma.start)
        elif not self.pages.is_exclusive(page, paddr):
            paddr = self.frames.copy(paddr)
        self.pages.exchange(page, paddr, vma.prot)

    def _grown_stack(self, laddr: int) -> Vma | None:
        """Return the stack right above an address, after it has grown down to it."""
        vma = self.vmas.above(laddr)
        if vma is None or not vma.grows_down or laddr < self.layout.bottom:
            return None
        start = page_down(laddr)
        if vma.end - start > self.limits.stack:
            return None
        below = self.vmas.below(start)
        if below is not None and below.end > start - vma.guard_gap and below.prot:
            return None
        if self.vmas.bytes + vma.start - start > self.limits.address_space:
            return None
        self.vmas.remove(vma.start, vma.end)
        return self.vmas.insert(replace(vma, start=start))
