"""Where the pages of a mapping come from: the seam between memory and files.

The file layer implements `Pager` on its page cache; `SharedMemory` is the one for anonymous
memory that several processes see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Collection

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator


class BusError(Exception):
    """There is no page at this offset: the file has become shorter (SIGBUS)."""


class Loader(Protocol):
    """What brings something into memory: a pager, or a cache of what is on a disk."""

    @property
    def name(self) -> str:
        """Of the file or device."""
        ...

    async def load(self, offset: int, /) -> None:
        """Bring in what lies at `offset`; whoever wanted it asks again."""
        ...


class NotResident(Exception):  # noqa: N818 - a condition, not an error
    """A page has to be loaded first, which may sleep: await `pager.load(offset)`, try again."""

    def __init__(self, pager: Loader, offset: int) -> None:
        super().__init__(f"page at offset {offset:#x} of {pager.name} is not in memory")
        self.pager, self.offset = pager, offset


class Mapper(Protocol):
    """An address space, as a pager sees it."""

    def lost(self, pager: Pager, offset: int, /) -> None:
        """Take note that a pager has nothing from `offset` on any more."""
        ...


class Pager(Protocol):
    """The object behind a mapping: pages by byte offset, each in a frame of its own.

    The pager holds one reference to each frame it returns; whoever maps the frame adds its own.
    """

    @property
    def name(self) -> str:
        """Path, as maps() shows it."""
        ...

    @property
    def identity(self) -> tuple[int, int, int]:
        """Device major, minor and inode number."""
        ...

    def frame(self, offset: int, /) -> int | None:
        """Return the frame of the page at `offset` (page aligned), or None: it must be loaded.

        Raises
        ------
        BusError : the object does not reach so far
        SysError(ENOMEM) : no frame is free
        """
        ...

    def peek(self, offset: int, memory: PhysicalMemory, /) -> bytes:
        """Return the contents of the page at `offset`; whether it is in memory stays as it is.

        Raises
        ------
        BusError : the object does not reach so far
        """
        ...

    @property
    def cached(self) -> Collection[int]:
        """The frames that it has."""
        ...

    async def load(self, offset: int, /) -> None:
        """Bring the page at `offset` into memory; may sleep.

        Raises
        ------
        BusError, SysError(EIO), Interrupted
        """
        ...

    def dirtied(self, offset: int, /) -> None:
        """Take note that a shared mapping is about to write to the page at `offset`."""
        ...

    def opened(self, space: Mapper, /) -> None:
        """Take note of one more address space that maps this object."""
        ...

    def closed(self, space: Mapper, /) -> None:
        """Take note of one address space fewer; the last one may free the pages."""
        ...


class SharedMemory:
    """Anonymous pages that several address spaces share (MAP_SHARED | MAP_ANONYMOUS, shm).

    Parameters
    ----------
    frames : where pages come from
    size : bytes
    name : what maps() shows
    """

    def __init__(
        self, frames: FrameAllocator, size: int, name: str = "/dev/zero (deleted)"
    ) -> None:
        self._frames, self.size, self.name = frames, size, name
        self.identity = (0, 1, 0)
        self._pages: dict[int, int] = {}
        self._users = 0

    @property
    def resident(self) -> int:
        """Bytes of frames in use."""
        return len(self._pages) * PAGE_SIZE

    @property
    def cached(self) -> Collection[int]:
        """The frames that it has."""
        return self._pages.values()

    def frame(self, offset: int) -> int:
        """Return the frame at `offset`, a new zero page the first time."""
        if offset >= self.size:
            raise BusError(f"offset {offset:#x} of {self.name} with {self.size:#x} bytes")
        paddr = self._pages.get(offset)
        if paddr is None:
            paddr = self._pages[offset] = self._frames.alloc()
        return paddr

    def peek(self, offset: int, memory: PhysicalMemory) -> bytes:
        """Return a page's contents, zeros where nobody has touched it."""
        if offset >= self.size:
            raise BusError(f"offset {offset:#x} of {self.name} with {self.size:#x} bytes")
        paddr = self._pages.get(offset)
        return bytes(PAGE_SIZE) if paddr is None else memory.read(paddr, PAGE_SIZE)

    async def load(self, offset: int) -> None:
        """Do nothing: `frame` never asks for it."""

    def dirtied(self, offset: int) -> None:
        """Do nothing: there is no file to write to."""

    def opened(self, _space: Mapper) -> None:
        """Count one more address space."""
        self._users += 1

    def closed(self, _space: Mapper) -> None:
        """Count one address space fewer; free the pages with the last one."""
        self._users -= 1
        if self._users == 0:
            for paddr in self._pages.values():
                self._frames.put(paddr)
            self._pages.clear()
