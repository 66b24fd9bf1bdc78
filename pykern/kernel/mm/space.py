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
from pykern.kernel.core.units import PAGE_SIZE, page_down, page_up
from pykern.kernel.mm.fault import PagedMemory
from pykern.kernel.mm.layout import Limits, UserLayout
from pykern.kernel.mm.locking import unlock
from pykern.kernel.mm.maps import describe, maps
from pykern.kernel.mm.pager import SharedMemory
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
)
from pykern.kernel.x86.paging import user_table

__all__ = ["AddressSpace", "Backing", "Limits", "SpaceStatistics", "UserLayout"]

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.pager import Pager
    from pykern.kernel.mm.pagetable import PageTable

_PROT = PROT_READ | PROT_WRITE | PROT_EXEC


@dataclass(frozen=True)
class Backing:
    """A pager and where in it a mapping begins, bytes.

    `read_only` : shared mappings of it can never be written, as the file is open for reading.
    """

    pager: Pager
    offset: int = 0
    read_only: bool = False


@dataclass(frozen=True)
class SpaceStatistics:
    """Bytes.

    Attributes
    ----------
    vsz, rss : mapped, and resident, page tables left out
    peak : the most that has ever been resident
    anonymous : resident in areas without a file or shared memory behind them
    tables : of page tables
    """

    vsz: int
    rss: int
    peak: int
    anonymous: int
    tables: int


class AddressSpace(PagedMemory):  # noqa: PLR0904 - one method per operation
    """The memory of a process.

    Parameters
    ----------
    frames : where pages come from
    memory : guest RAM
    kernel_half : physical address of the PML4 whose upper half is taken over; None: empty
    layout, limits : addresses and bounds
    new_table : makes its page table, of whatever processor; as `x86.paging.user_table`
    on_unmap : called with (space, laddr, pages) when processors that use the space must forget
    on_release : called with the space when processors that still have its CR3 must get another

    Attributes
    ----------
    cpus : bit n is set while CPU n may be on it; who puts a thread on a CPU sets it, who finds that
        it has left clears it
    locked : page number → frame that is kept in memory (mlock)
    """

    def __init__(
        self,
        frames: FrameAllocator,
        memory: PhysicalMemory,
        kernel_half: int | None = None,
        *,
        layout: UserLayout | None = None,
        limits: Limits | None = None,
        new_table: Callable[..., PageTable] = user_table,
        on_unmap: Callable[[AddressSpace, int, int], object] | None = None,
        on_release: Callable[[AddressSpace], object] | None = None,
    ) -> None:
        limits = limits or Limits()
        table = new_table(memory, frames, kernel_half)
        table.allow_wx = limits.allow_wx
        table.invalidate = self._invalidate
        super().__init__(frames, memory, table, layout or UserLayout(), limits)
        self._kernel_half, self._new_table = kernel_half, new_table
        self._on_unmap, self._on_release = on_unmap, on_release
        self._pagers: Counter[Pager] = Counter()
        self.cpus = 0
        self.start_brk = self.end_brk = 0
        self.locked: dict[int, int] = {}
        self._users = 1

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
        SysError(EACCES) : writable and executable at once, where that is not allowed; a shared
            writable mapping of what is read-only
        SysError(EOVERFLOW) : the range leaves the 64-bit offsets of a file
        """
        size = page_up(size)
        self._check_mmap(size, prot, flags, backing)
        fixed = bool(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
        start = self._place_fixed(laddr, size, flags) if fixed else self.place(laddr, size)
        replaced = sum(v.slice(start, start + size).size for v in self._touched(start, size))
        self.check_growth(size - replaced)
        if flags & MAP_SHARED and backing is None:
            backing = Backing(SharedMemory(self.frames, size))
        if replaced:
            self.remove(start, start + size)
        self.insert(
            Vma(
                start,
                start + size,
                prot,
                shared=bool(flags & MAP_SHARED),
                grows_down=bool(flags & MAP_GROWSDOWN),
                pager=backing.pager if backing else None,
                offset=backing.offset if backing else 0,
                name=name,
                may=_PROT & ~PROT_WRITE if _is_read_only(backing, flags) else _PROT,
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
        self.remove(laddr, laddr + size)

    def mprotect(self, laddr: int, size: int, prot: int) -> None:
        """Change the rights of a range that is mapped throughout.

        Raises
        ------
        SysError(EINVAL) : unaligned, or unknown bits in prot
        SysError(ENOMEM) : some page is not mapped, or too many areas
        SysError(EACCES) : writable and executable at once, where that is not allowed; more than
            the file behind it was opened for
        """
        size = self._check_range(laddr, size)
        self._check_prot(prot)
        if not size:
            return
        if not self.vmas.covers(laddr, laddr + size):
            raise SysError(Errno.ENOMEM)
        if any(prot & ~vma.may for vma in self._touched(laddr, size)):
            raise SysError(Errno.EACCES)
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
            self.remove(new, old)
        elif new > old:
            if new > self.layout.top or not self.vmas.is_free(old, new):
                return self.end_brk
            try:
                self.check_growth(new - old)
            except SysError:
                return self.end_brk
            self.insert(Vma(old, new, PROT_READ | PROT_WRITE, name="[heap]"))
        self.end_brk = laddr
        return laddr

    def map_stack(self, size: int, prot: int = PROT_READ | PROT_WRITE) -> int:
        """Map the stack of a program, which grows on demand; return its top."""
        top = self.layout.stack_top
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN
        bottom = top - page_up(size)
        self.mmap(bottom, size, prot, flags, name="[stack]")
        if self.layout.stack_guards:
            for guard in (bottom - PAGE_SIZE, top):
                flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
                self.mmap(guard, PAGE_SIZE, 0, flags, name="[guard]")
        return top

    def discard(self, laddr: int, size: int) -> None:
        """Throw pages away, keep the areas (MADV_DONTNEED): anonymous memory is zero again.

        Raises
        ------
        SysError(EINVAL) : unaligned, or some page is locked
        SysError(ENOMEM) : some page is not mapped
        """
        size = self._check_range(laddr, size)
        if not size:
            return
        if not self.vmas.covers(laddr, laddr + size):
            raise SysError(Errno.ENOMEM)
        if any(laddr <= number * PAGE_SIZE < laddr + size for number in self.locked):
            raise SysError(Errno.EINVAL)
        self.pages.remove(laddr, laddr + size)

    def lost(self, pager: Pager, offset: int) -> None:
        """Unmap the pages that show what a pager had from `offset` on: it has become shorter.

        The next access finds nothing there (SIGBUS). Private copies go as well, as in Linux.
        """
        for vma in self.vmas:
            if vma.pager is pager and vma.offset + vma.size > offset:
                self.pages.remove(max(vma.start, vma.start + offset - vma.offset), vma.end)

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
            new_table=self._new_table,
            on_unmap=self._on_unmap,
            on_release=self._on_release,
        )
        child.start_brk, child.end_brk = self.start_brk, self.end_brk
        try:
            for vma in self.vmas:
                child.insert(vma)
                if not vma.shared:
                    self.pages.share_with(child.pages, vma.start, vma.end)
        except BaseException:
            child.release()
            raise
        child.peak = child.pages.resident
        return child

    def clear(self) -> None:
        """Unmap everything (exec)."""
        self.remove(0, page_up(self.layout.top))
        self.start_brk = self.end_brk = 0

    def share(self) -> AddressSpace:
        """Count one more process that lives in it, and return it."""
        self._users += 1
        return self

    def release(self) -> None:
        """Count one process less; the last one frees everything.

        The page tables go once no processor walks them any more.
        """
        self._users -= 1
        if self._users:
            return
        if self._on_release is not None:
            self._on_release(self)
        self.clear()
        self.pages.detach()
        self.pages.table.release()

    # -- reports

    def statistics(self) -> SpaceStatistics:
        """Return the sizes that ps shows."""
        rss = self.pages.resident * PAGE_SIZE
        backed = sum(self.pages.count(v.start, v.end) for v in self.vmas if v.pager is not None)
        return SpaceStatistics(
            vsz=self.vmas.bytes,
            rss=rss,
            peak=max(self.peak * PAGE_SIZE, rss),
            anonymous=rss - backed * PAGE_SIZE,
            tables=self.pages.table.tables * PAGE_SIZE,
        )

    def shared_key(self, uaddr: int) -> tuple[object, int]:
        """Return what names a word of memory for all who share it (futex).

        Raises
        ------
        SysError(EFAULT) : nothing is mapped there
        """
        vma = self.vmas.find(uaddr)
        if vma is None:
            raise SysError(Errno.EFAULT)
        if vma.shared and vma.pager is not None:
            return vma.pager, vma.offset + uaddr - vma.start
        return self, uaddr

    def maps(self) -> str:
        """Return the text of /proc/PID/maps."""
        return maps(self.vmas)

    def describe(self, laddr: int) -> str:
        """Say what lies at an address."""
        return describe(self.vmas, laddr)

    # -- what operations on areas are made of

    def insert(self, vma: Vma) -> None:
        """Add an area where there is none."""
        self.vmas.insert(vma)
        if vma.pager is None:
            return
        if vma.pager not in self._pagers:
            vma.pager.opened(self)
        self._pagers[vma.pager] += vma.size

    def remove(self, start: int, end: int) -> None:
        """Cut a range out, pages and all."""
        cut = self.vmas.remove(start, end)
        if not cut:
            return
        unlock(self, start, end)
        self.pages.remove(cut[0].start, cut[-1].end)
        for vma in cut:
            if vma.pager is None:
                continue
            self._pagers[vma.pager] -= vma.size
            if not self._pagers[vma.pager]:
                del self._pagers[vma.pager]
                vma.pager.closed(self)

    def place(self, hint: int | None, size: int) -> int:
        """Choose an address for a new area; SysError(ENOMEM) if there is none."""
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

    def check_growth(self, size: int) -> None:
        """Raise SysError(ENOMEM) if `size` bytes more are over the limit."""
        if self.vmas.bytes + size > self.limits.address_space:
            raise SysError(Errno.ENOMEM)

    # -- inside

    def _invalidate(self, laddr: int, size: int) -> None:
        if self._on_unmap is not None:
            self._on_unmap(self, laddr, size // PAGE_SIZE)

    def _touched(self, start: int, size: int) -> list[Vma]:
        return self.vmas.overlapping(start, start + size)

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
        if prot & PROT_WRITE and _is_read_only(backing, flags):
            raise SysError(Errno.EACCES)
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

    def _check_areas(self, more: int) -> None:
        if len(self.vmas) + more > self.limits.areas:
            raise SysError(Errno.ENOMEM)


def _is_read_only(backing: Backing | None, flags: int) -> bool:
    return backing is not None and backing.read_only and bool(flags & MAP_SHARED)
