"""The address space of a process: areas, pages, and everything that changes them.

`mmap` only notes an area; pages come with the first access. Operations check first and change
afterwards, so that one that fails has changed nothing.

References
----------
POSIX.1-2017, mmap, munmap, mprotect; Linux mmap(2), brk(2), proc(5).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import GIB, MIB, PAGE_SIZE, page_down, page_up
from pykern.kernel.mm.pager import NotResident, SharedMemory
from pykern.kernel.mm.user import UserMemory
from pykern.kernel.mm.user_pages import UserPages
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    Vma,
    VmaMap,
)
from pykern.kernel.x86.paging import PF_I, PF_RSVD, PF_W, user_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.pager import Pager
    from pykern.kernel.mm.pagetable import PageTable

_PROT = PROT_READ | PROT_WRITE | PROT_EXEC


@dataclass(frozen=True)
class UserLayout:
    """Where user memory lies: linear addresses, page aligned.

    Parameters
    ----------
    bottom : lowest address that may be mapped; what lies below catches null pointers
    top : end of the user half and of the stack of a program
    mmap_top : areas without an address are put below it, downward
    """

    bottom: int = 0x1_0000
    top: int = 0x7FFF_FFFF_F000
    mmap_top: int = 0x7FFF_F7FF_F000


@dataclass
class Limits:
    """What one address space may take: bytes, and areas.

    Parameters
    ----------
    address_space, data, stack : RLIMIT_AS, RLIMIT_DATA (of brk), RLIMIT_STACK
    areas : as vm.max_map_count of Linux
    allow_wx : let memory be writable and executable at once
    """

    address_space: int = 128 << 40
    data: int = 128 * GIB
    stack: int = 8 * MIB
    areas: int = 65530
    allow_wx: bool = False


@dataclass(frozen=True)
class Backing:
    """A pager and where in it a mapping begins, bytes."""

    pager: Pager
    offset: int = 0


@dataclass(frozen=True)
class SpaceStatistics:
    """Bytes: mapped, resident, largest ever resident; page tables are not counted."""

    vsz: int
    rss: int
    peak: int


class AddressSpace(UserMemory):
    """The memory of a process.

    Parameters
    ----------
    frames : where pages come from
    memory : guest RAM
    kernel_half : physical address of the PML4 whose upper half is taken over; None: empty
    layout, limits : addresses and bounds
    on_unmap : called with (space, laddr, pages) when processors that use the space must forget
    """

    def __init__(
        self,
        frames: FrameAllocator,
        memory: PhysicalMemory,
        kernel_half: int | None = None,
        *,
        layout: UserLayout | None = None,
        limits: Limits | None = None,
        on_unmap: Callable[[AddressSpace, int, int], object] | None = None,
    ) -> None:
        self.frames, self.layout = frames, layout or UserLayout()
        self.limits = limits or Limits()
        self._kernel_half, self._on_unmap = kernel_half, on_unmap
        table: PageTable = user_table(memory, frames, kernel_half)
        table.allow_wx = self.limits.allow_wx
        table.invalidate = self._invalidate
        super().__init__(memory, UserPages(table, frames))
        self.vmas = VmaMap()
        self._pagers: Counter[Pager] = Counter()
        self.start_brk = self.end_brk = 0
        self._peak = 0

    @property
    def pml4(self) -> int:
        """Physical address for CR3."""
        return self.pages.table.root

    # -- areas

    def mmap(
        self,
        laddr: int | None,
        size: int,
        prot: int,
        flags: int,
        backing: Backing | None = None,
        *,
        name: str = "",
    ) -> int:
        """Map memory; return the address.

        Parameters
        ----------
        laddr : where (MAP_FIXED), or about where; None: anywhere
        size : bytes, rounded up to pages
        prot, flags : as mmap(2)
        backing : required unless MAP_ANONYMOUS
        name : of an anonymous area, for maps()

        Raises
        ------
        SysError(EINVAL) : size 0, unaligned, neither or both of MAP_SHARED and MAP_PRIVATE
        SysError(ENOMEM) : no room, too many areas, or over the limit
        SysError(EEXIST) : MAP_FIXED_NOREPLACE and something is there
        SysError(EPERM) : MAP_FIXED below the lowest address
        SysError(EACCES) : writable and executable at once, where that is not allowed
        SysError(EOVERFLOW) : the range leaves the 64-bit offsets of a file
        """
        size = page_up(size)
        self._check_mmap(size, prot, flags, backing)
        fixed = bool(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
        start = self._place_fixed(laddr, size, flags) if fixed else self._place(laddr, size)
        replaced = sum(v.slice(start, start + size).size for v in self._touched(start, size))
        self._check_growth(size - replaced)
        if flags & MAP_SHARED and backing is None:
            backing = Backing(SharedMemory(self.frames, size))
        if replaced:
            self._remove(start, start + size)
        self._insert(
            Vma(
                start,
                start + size,
                prot,
                shared=bool(flags & MAP_SHARED),
                grows_down=bool(flags & MAP_GROWSDOWN),
                pager=backing.pager if backing else None,
                offset=backing.offset if backing else 0,
                name=name,
            )
        )
        return start

    def munmap(self, laddr: int, size: int) -> None:
        """Unmap a range; parts of it may be unmapped already.

        Raises
        ------
        SysError(EINVAL) : unaligned, size 0, or outside of the user half
        SysError(ENOMEM) : cutting an area in two would make too many
        """
        size = self._check_range(laddr, size)
        if size == 0:
            raise SysError(Errno.EINVAL)
        self._check_areas(1)
        self._remove(laddr, laddr + size)

    def mprotect(self, laddr: int, size: int, prot: int) -> None:
        """Change the rights of a range that is mapped throughout.

        Raises
        ------
        SysError(EINVAL) : unaligned, or unknown bits in prot
        SysError(ENOMEM) : some page is not mapped, or too many areas
        SysError(EACCES) : writable and executable at once, where that is not allowed
        """
        size = self._check_range(laddr, size)
        self._check_prot(prot)
        if not size:
            return
        if not self.vmas.covers(laddr, laddr + size):
            raise SysError(Errno.ENOMEM)
        self._check_areas(2)
        for vma in self.vmas.remove(laddr, laddr + size):
            self.pages.protect(vma.start, vma.end, prot)
            self.vmas.insert(replace(vma, prot=prot))

    def set_brk(self, laddr: int) -> None:
        """Say where the heap of the program begins: behind its data."""
        self.start_brk = self.end_brk = page_up(laddr)

    def brk(self, laddr: int) -> int:
        """Move the end of the heap; return where it is, unchanged if that is not possible."""
        old, new = page_up(self.end_brk), page_up(laddr)
        if laddr < self.start_brk or laddr - self.start_brk > self.limits.data:
            return self.end_brk
        if new < old:
            self._remove(new, old)
        elif new > old:
            if new > self.layout.top or not self.vmas.is_free(old, new):
                return self.end_brk
            try:
                self._check_growth(new - old)
            except SysError:
                return self.end_brk
            self._insert(Vma(old, new, PROT_READ | PROT_WRITE, name="[heap]"))
        self.end_brk = laddr
        return laddr

    def map_stack(self, size: int, prot: int = PROT_READ | PROT_WRITE) -> int:
        """Map the stack of a program, which grows on demand; return its top."""
        top = self.layout.top
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN
        self.mmap(top - page_up(size), size, prot, flags, name="[stack]")
        return top

    def discard(self, laddr: int, size: int) -> None:
        """Throw pages away, keep the areas (MADV_DONTNEED): anonymous memory is zero again.

        Raises
        ------
        SysError(EINVAL) : unaligned
        SysError(ENOMEM) : some page is not mapped
        """
        size = self._check_range(laddr, size)
        if not size:
            return
        if not self.vmas.covers(laddr, laddr + size):
            raise SysError(Errno.ENOMEM)
        self.pages.remove(laddr, laddr + size)

    # -- pages

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
        entry = self.pages.entry(page)
        if not entry:
            self._bring_in(vma, page, write=write)
            self._peak = max(self._peak, self.pages.resident)
        elif write and not self.pages.table.is_writable(entry):
            self._make_writable(vma, page, self.pages.table.paddr_of(entry))
        else:  # another processor was faster, or ours remembers narrower rights
            self._invalidate(page, PAGE_SIZE)
        return True

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

    # -- life

    def fork(self) -> AddressSpace:
        """Return a copy; private pages are shared until one side writes.

        Raises
        ------
        SysError(ENOMEM) : nothing is left of the copy
        """
        child = AddressSpace(
            self.frames,
            self.memory,
            self._kernel_half,
            layout=self.layout,
            limits=replace(self.limits),
            on_unmap=self._on_unmap,
        )
        child.start_brk, child.end_brk = self.start_brk, self.end_brk
        try:
            for vma in self.vmas:
                child._insert(vma)
                if not vma.shared:
                    self.pages.share_with(child.pages, vma.start, vma.end)
        except BaseException:
            child.release()
            raise
        child._peak = child.pages.resident
        return child

    def clear(self) -> None:
        """Unmap everything (exec)."""
        self._remove(0, page_up(self.layout.top))
        self.start_brk = self.end_brk = 0

    def release(self) -> None:
        """Unmap everything and free the page tables. Precondition: no CR3 holds them."""
        self.clear()
        self.pages.table.release()

    # -- reports

    def statistics(self) -> SpaceStatistics:
        """Return the sizes that ps shows."""
        rss = self.pages.resident * PAGE_SIZE
        return SpaceStatistics(self.vmas.bytes, rss, max(self._peak * PAGE_SIZE, rss))

    # -- inside

    def _insert(self, vma: Vma) -> None:
        self.vmas.insert(vma)
        if vma.pager is None:
            return
        if vma.pager not in self._pagers:
            vma.pager.opened()
        self._pagers[vma.pager] += vma.size

    def _remove(self, start: int, end: int) -> None:
        cut = self.vmas.remove(start, end)
        if not cut:
            return
        self.pages.remove(cut[0].start, cut[-1].end)
        for vma in cut:
            if vma.pager is None:
                continue
            self._pagers[vma.pager] -= vma.size
            if not self._pagers[vma.pager]:
                del self._pagers[vma.pager]
                vma.pager.closed()

    def _touched(self, start: int, size: int) -> list[Vma]:
        return self.vmas.overlapping(start, start + size)

    def _invalidate(self, laddr: int, size: int) -> None:
        if self._on_unmap is not None:
            self._on_unmap(self, laddr, size // PAGE_SIZE)

    def _place(self, hint: int | None, size: int) -> int:
        """Choose an address."""
        layout = self.layout
        if hint:
            start = max(page_down(hint), layout.bottom)
            if start + size <= layout.top and self.vmas.is_free(start, start + size):
                return start
        for top in (layout.mmap_top, layout.top):
            found = self.vmas.gap_below(top, size, layout.bottom)
            if found is not None:
                return found
        raise SysError(Errno.ENOMEM)

    def _place_fixed(self, laddr: int | None, size: int, flags: int) -> int:
        """Return the address that is asked for, or say why not."""
        if laddr is None or laddr & (PAGE_SIZE - 1):
            raise SysError(Errno.EINVAL)
        if laddr < self.layout.bottom:
            raise SysError(Errno.EPERM)
        if laddr + size > self.layout.top:
            raise SysError(Errno.ENOMEM)
        if flags & MAP_FIXED_NOREPLACE and not self.vmas.is_free(laddr, laddr + size):
            raise SysError(Errno.EEXIST)
        return laddr

    def _check_mmap(self, size: int, prot: int, flags: int, backing: Backing | None) -> None:
        kind = flags & (MAP_SHARED | MAP_PRIVATE)
        if not size or kind not in {MAP_SHARED, MAP_PRIVATE}:
            raise SysError(Errno.EINVAL)
        if (backing is None) != bool(flags & MAP_ANONYMOUS):
            raise SysError(Errno.EINVAL)
        if backing and backing.offset & (PAGE_SIZE - 1):
            raise SysError(Errno.EINVAL)
        if backing and backing.offset + size > 1 << 63:
            raise SysError(Errno.EOVERFLOW)
        self._check_prot(prot)
        self._check_areas(2)

    def _check_prot(self, prot: int) -> None:
        if prot & ~_PROT:
            raise SysError(Errno.EINVAL)
        wx = PROT_WRITE | PROT_EXEC
        if prot & wx == wx and not self.limits.allow_wx:
            raise SysError(Errno.EACCES)

    def _check_range(self, laddr: int, size: int) -> int:
        """Return the size in whole pages."""
        if laddr & (PAGE_SIZE - 1) or laddr < 0:
            raise SysError(Errno.EINVAL)
        size = page_up(size)
        if laddr + size > self.layout.top:
            raise SysError(Errno.EINVAL)
        return size

    def _check_growth(self, size: int) -> None:
        if self.vmas.bytes + size > self.limits.address_space:
            raise SysError(Errno.ENOMEM)

    def _check_areas(self, more: int) -> None:
        if len(self.vmas) + more > self.limits.areas:
            raise SysError(Errno.ENOMEM)
