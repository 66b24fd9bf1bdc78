"""Resizing and moving areas, and bringing pages in before they are touched.

References
----------
Linux mremap(2), mincore(2), mmap(2) (MAP_POPULATE).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE, page_up
from pykern.kernel.mm.vma import PROT_WRITE, Vma

if TYPE_CHECKING:
    from pykern.kernel.mm.space import AddressSpace

MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2


def remap(
    space: AddressSpace, laddr: int, old_size: int, size: int, flags: int, target: int = 0
) -> int:
    """Resize an area, and move it if it may and must; return where it is.

    Parameters
    ----------
    laddr, old_size : what there is, inside of one area; bytes
    size : what is wanted, bytes
    flags : MREMAP_MAYMOVE, MREMAP_FIXED
    target : with MREMAP_FIXED, where to

    Raises
    ------
    SysError(EINVAL) : unaligned, size 0, unknown flags, overlapping target
    SysError(EFAULT) : the old range is not part of one area
    SysError(ENOMEM) : no room, or over the limit; nothing has changed
    """
    fixed = bool(flags & MREMAP_FIXED)
    if laddr & (PAGE_SIZE - 1) or not size or flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED):
        raise SysError(Errno.EINVAL)
    if fixed and not flags & MREMAP_MAYMOVE:
        raise SysError(Errno.EINVAL)
    old_size, size = page_up(old_size), page_up(size)
    vma = space.vmas.find(laddr)
    if vma is None or laddr + old_size > vma.end:
        raise SysError(Errno.EFAULT)
    if not old_size:
        raise SysError(Errno.EINVAL)
    if fixed:
        _check_target(space, laddr, old_size, target, size)
        return _move(space, vma, laddr, old_size, target, size)
    if size <= old_size:
        if size < old_size:
            space.munmap(laddr + size, old_size - size)
        return laddr
    space.check_growth(size - old_size)
    if _grows_in_place(space, vma, laddr, old_size, size):
        return laddr
    if not flags & MREMAP_MAYMOVE:
        raise SysError(Errno.ENOMEM)
    return _move(space, vma, laddr, old_size, space.place(None, size), size)


def populate(space: AddressSpace, laddr: int, size: int) -> None:
    """Bring the pages of a mapped range in, as far as that needs no sleep (MAP_POPULATE).

    Raises
    ------
    SysError(ENOMEM) : no frame is free; what is there stays
    """
    for page in range(laddr, laddr + page_up(size), PAGE_SIZE):
        vma = space.vmas.find(page)
        if vma is not None and vma.prot:
            space.resolve(page, write=bool(vma.prot & PROT_WRITE) and not vma.shared)


def resident(space: AddressSpace, laddr: int, size: int) -> bytes:
    """Return a byte per page, 1 where it is in memory (mincore).

    Raises
    ------
    SysError(EINVAL) : unaligned
    SysError(ENOMEM) : some page is not mapped
    """
    if laddr & (PAGE_SIZE - 1):
        raise SysError(Errno.EINVAL)
    end = laddr + page_up(size)
    if not space.vmas.covers(laddr, end):
        raise SysError(Errno.ENOMEM)
    return bytes(space.pages.has_frame(page) for page in range(laddr, end, PAGE_SIZE))


def _check_target(space: AddressSpace, laddr: int, old_size: int, target: int, size: int) -> None:
    layout = space.layout
    if target & (PAGE_SIZE - 1) or not layout.bottom <= target <= layout.top - size:
        raise SysError(Errno.EINVAL)
    if target < laddr + old_size and laddr < target + size:
        raise SysError(Errno.EINVAL)
    taken = space.vmas.overlapping(target, target + size)
    replaced = sum(vma.slice(target, target + size).size for vma in taken)
    space.check_growth(size - old_size - replaced)
    space.remove(target, target + size)


def _grows_in_place(space: AddressSpace, vma: Vma, laddr: int, old_size: int, size: int) -> bool:
    """Extend an area that ends where the range ends, if nothing is behind it."""
    end = laddr + size
    if laddr + old_size != vma.end or end > space.layout.top:
        return False
    if not space.vmas.is_free(vma.end, end):
        return False
    space.insert(_successor(vma, vma.end, end))
    return True


def _successor(vma: Vma, start: int, end: int) -> Vma:
    """Return an area [start, end) that goes on with what `vma` shows at `start`."""
    offset = vma.offset + start - vma.start if vma.pager else 0
    return replace(vma, start=start, end=end, offset=offset)


def _move(space: AddressSpace, vma: Vma, laddr: int, old_size: int, target: int, size: int) -> int:
    """Move pages and area; Precondition: the target is free."""
    offset = vma.offset + laddr - vma.start if vma.pager else 0
    kept = min(old_size, size)
    space.pages.move(laddr, laddr + kept, target)
    space.insert(replace(vma, start=target, end=target + size, offset=offset))
    space.remove(laddr, laddr + old_size)
    return target
