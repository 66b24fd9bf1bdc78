"""Pages that are still on another machine: each comes when it is touched, or before (post-copy)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.migration.wire import LinkClosed, Type, Wire
from pykern.kernel.mm.pager import BusError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.pager import Mapper

__all__ = ["RemotePages"]


class RemotePages:
    """The pager of a process whose pages follow it; offsets are linear addresses.

    Parameters
    ----------
    frames : where pages come from
    memory : guest RAM
    wire : to where they are
    resident : the pages that hold something there; all others are zero

    Attributes
    ----------
    pulled : pages that were asked for
    """

    name = "[remote]"
    identity = (0, 2, 0)

    def __init__(
        self, frames: FrameAllocator, memory: PhysicalMemory, wire: Wire, resident: Iterable[int]
    ) -> None:
        self._frames, self._memory, self._wire = frames, memory, wire
        self._missing = set(resident)
        self._pages: dict[int, int] = {}
        self._came = WaitQueue()
        self._users = 0
        self._asked: set[int] = set()
        self._closed = False
        self.pulled = 0

    @property
    def missing(self) -> int:
        """Pages that have not come yet."""
        return len(self._missing)

    @property
    def cached(self) -> Collection[int]:
        """The frames of pages that have come."""
        return self._pages.values()

    def frame(self, offset: int) -> int | None:
        """Return the frame of a page; None: it has not come yet."""
        if offset in self._missing:
            if self._closed:
                raise BusError(f"page {offset:#x} was lost with the machine that it was on")
            return None
        paddr = self._pages.get(offset)
        if paddr is None:
            paddr = self._pages[offset] = self._frames.alloc()
        return paddr

    def peek(self, offset: int, memory: PhysicalMemory) -> bytes:
        """Return a page's contents."""
        if offset in self._missing:
            raise BusError(f"page {offset:#x} has not come yet")
        paddr = self._pages.get(offset)
        return bytes(PAGE_SIZE) if paddr is None else memory.read(paddr, PAGE_SIZE)

    async def load(self, offset: int) -> None:
        """Ask for a page and wait for it.

        Raises
        ------
        BusError : the other machine is gone
        """
        if offset in self._missing and offset not in self._asked and not self._closed:
            self._asked.add(offset)
            self.pulled += 1
            try:
                self._wire.send(Type.PULL, offset)
            except LinkClosed:
                self.close()
        while offset in self._missing:
            if self._closed:
                raise BusError(f"page {offset:#x} was lost with the machine that it was on")
            await self._came.wait(uninterruptible=True)

    def arrived(self, offset: int, data: bytes) -> None:
        """Take a page that has come; one that came before is not taken again."""
        if offset not in self._missing:
            return
        paddr = self._frames.alloc()
        self._memory.write(paddr, data)
        self._pages[offset] = paddr
        self._missing.discard(offset)
        self._came.wake_all()

    def close(self) -> None:
        """Expect no page any more."""
        self._closed = True
        self._came.wake_all()

    def dirtied(self, offset: int) -> None:
        """Do nothing: mappings are private."""

    def opened(self, _space: Mapper) -> None:
        """Count one more address space."""
        self._users += 1

    def closed(self, _space: Mapper) -> None:
        """Count one address space fewer; the last one frees the pages, and more are not taken."""
        self._users -= 1
        if not self._users:
            for paddr in self._pages.values():
                self._frames.put(paddr)
            self._pages.clear()
            self._missing.clear()
