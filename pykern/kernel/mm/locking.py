"""Keep pages of a program in memory: mlock.

A locked page is pinned, as it is while a system call works on it, so that it does not go to swap
space.

References
----------
POSIX.1-2017, mlock; Linux, mlock(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SHIFT, PAGE_SIZE
from pykern.kernel.mm.vma import PROT_WRITE

if TYPE_CHECKING:
    from pykern.kernel.mm.space import AddressSpace

__all__ = ["lock", "unlock"]


def lock(space: AddressSpace, start: int, end: int) -> None:
    """Bring the pages of a mapped range in and keep them; what may not be accessed is passed over.

    Raises
    ------
    SysError(ENOMEM) : no frame is free; the pages before are locked
    BusError : a file is too short
    """
    pages = space.pages
    for vma in space.vmas.overlapping(start, end):
        part = vma.slice(start, end)
        writes = bool(vma.prot & PROT_WRITE) and not vma.shared
        for laddr in range(part.start, part.end, PAGE_SIZE):
            number = laddr >> PAGE_SHIFT
            if number in space.locked or not space.resolve(laddr, write=writes):
                continue
            paddr = pages.table.paddr_of(pages.entry(laddr))
            space.locked[number] = pages.frames.get(paddr)
            pages.pinned[number] = pages.pinned.get(number, 0) + 1


def unlock(space: AddressSpace, start: int, end: int) -> None:
    """Let the pages of a range go again."""
    if not space.locked:
        return
    first, last = start >> PAGE_SHIFT, end >> PAGE_SHIFT
    pages = space.pages
    for number in [number for number in space.locked if first <= number < last]:
        pins = pages.pinned[number] - 1
        if pins:
            pages.pinned[number] = pins
        else:
            del pages.pinned[number]
        pages.frames.put(space.locked.pop(number))
