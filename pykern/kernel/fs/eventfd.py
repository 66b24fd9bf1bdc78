"""eventfd: a counter as a file.

References
----------
Linux eventfd(2).
"""

from __future__ import annotations

from stat import S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_NONBLOCK, O_RDWR, READABLE, WRITABLE
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location

if TYPE_CHECKING:
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.context import Vfs

__all__ = ["EFD_SEMAPHORE", "EventFile", "make_eventfd"]

EFD_SEMAPHORE = 1
MAX = (1 << 64) - 2


class EventFile(File):
    """A counter: write adds, read takes all of it, or 1 of a semaphore."""

    def __init__(self, location: Location, flags: int, count: int, *, semaphore: bool) -> None:
        super().__init__(location, flags)
        self.name_it = lambda: b"anon_inode:[eventfd]"
        self.count = count
        self._semaphore = semaphore
        self._changed = WaitQueue()

    async def read(self, dst: Buffer) -> int:
        """Take the counter, waiting until it is not 0.

        Raises
        ------
        SysError(EINVAL) : less than 8 bytes
        """
        if dst.remaining < 8:
            raise SysError(Errno.EINVAL)
        with self:
            while not self.count:
                await self._wait()
        taken = 1 if self._semaphore else self.count
        self.count -= taken
        dst.put(taken.to_bytes(8, "little"))
        self._changed.wake_all()
        return 8

    async def write(self, src: Buffer) -> int:
        """Add to the counter, waiting until there is room.

        Raises
        ------
        SysError(EINVAL) : less than 8 bytes, or 2⁶⁴ − 1
        """
        if src.remaining < 8:
            raise SysError(Errno.EINVAL)
        added = int.from_bytes(src.take(8), "little")
        if added > MAX:
            raise SysError(Errno.EINVAL)
        with self:
            while self.count + added > MAX:
                await self._wait()
        self.count += added
        self._changed.wake_all()
        return 8

    async def _wait(self) -> None:
        if self.flags & O_NONBLOCK:
            raise SysError(Errno.EAGAIN)
        await self._changed.wait()

    def poll(self, events: int) -> int:
        """Return whether there is something to take, and room for 1."""
        mask = (READABLE if self.count else 0) | (WRITABLE if self.count < MAX else 0)
        return events & mask

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self._changed,)


def make_eventfd(vfs: Vfs, count: int, flags: int = 0) -> EventFile:
    """Return a new counter.

    Parameters
    ----------
    flags : O_NONBLOCK, EFD_SEMAPHORE
    """
    location = Location(vfs.unnamed, Inode(vfs.unnamed.fs, S_IFREG | 0o600))
    semaphore = bool(flags & EFD_SEMAPHORE)
    return EventFile(location, O_RDWR | flags & O_NONBLOCK, count, semaphore=semaphore)
