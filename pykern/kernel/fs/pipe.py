"""Pipes and FIFOs.

References
----------
POSIX.1-2024, pipe(), read(), write(), open(); Linux pipe(7), fifo(7).
"""

from __future__ import annotations

from stat import S_IFIFO
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted, WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import (
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    PIPE_BUF,
    POLLERR,
    POLLHUP,
    READABLE,
    WRITABLE,
)
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.file import IoctlArgument

__all__ = ["CAPACITY", "CAPACITY_MAX", "Pipe", "PipeFile", "make_pipe", "open_fifo"]

CAPACITY = 65536
CAPACITY_MAX = 1 << 20
FIONREAD = 0x541B


class Pipe:
    """Bytes on their way, and how many hold each end.

    Attributes
    ----------
    capacity : bytes
    readers, writers : open files
    readable : woken by bytes, and by the last writer going
    writable : woken by room, and by the last reader going
    opened : woken by an end being opened
    """

    def __init__(self) -> None:
        self.capacity = CAPACITY
        self.data = bytearray()
        self.readers = 0
        self.writers = 0
        # How often each end was opened: who waits for a peer may miss a short visit.
        self.readers_ever = 0
        self.writers_ever = 0
        self.readable = WaitQueue()
        self.writable = WaitQueue()
        self.opened = WaitQueue()

    @property
    def room(self) -> int:
        """Bytes that can be written without sleeping."""
        return self.capacity - len(self.data)

    def take(self, size: int) -> bytes:
        """Return and remove the first bytes."""
        taken = bytes(self.data[:size])
        del self.data[:size]
        self.writable.wake_all()
        if self.data:
            self.readable.wake()
        return taken

    def put(self, data: bytes) -> None:
        """Add bytes; there is room for them."""
        self.data += data
        self.readable.wake()

    def resize(self, capacity: int) -> None:
        """Set the capacity, rounded up to a power of two of pages (F_SETPIPE_SZ).

        Raises
        ------
        SysError(EBUSY) : it holds more
        SysError(EPERM) : over 1 MiB
        """
        capacity = max(PIPE_BUF, 1 << (capacity - 1).bit_length()) if capacity > 0 else PIPE_BUF
        if capacity > CAPACITY_MAX:
            raise SysError(Errno.EPERM)
        if capacity < len(self.data):
            raise SysError(Errno.EBUSY)
        self.capacity = capacity
        self.writable.wake_all()

    def join(self, *, reads: bool, writes: bool) -> None:
        """Count an open file."""
        self.readers += reads
        self.writers += writes
        self.readers_ever += reads
        self.writers_ever += writes
        self.opened.wake_all()

    def leave(self, *, reads: bool, writes: bool) -> None:
        """Count an open file less; the other end learns of the last one."""
        self.readers -= reads
        self.writers -= writes
        if not self.readers:
            self.writable.wake_all()
        if not self.writers:
            self.readable.wake_all()


class PipeFile(File):
    """One end of a pipe, or both ends of a FIFO that was opened for both.

    Parameters
    ----------
    on_broken_pipe : called when a write finds no reader
    """

    def __init__(
        self, location: Location, flags: int, pipe: Pipe, on_broken_pipe: Callable[[], None]
    ) -> None:
        super().__init__(location, flags)
        self.pipe = pipe
        self._on_broken_pipe = on_broken_pipe
        self._writers_before = pipe.writers_ever
        pipe.join(reads=self.readable, writes=self.writable)

    def release(self) -> None:
        """Give the end up."""
        self.pipe.leave(reads=self.readable, writes=self.writable)
        if not self.pipe.readers and not self.pipe.writers:
            self.inode.pipe = None

    async def read(self, dst: Buffer) -> int:
        """Read what is there, at least one byte; 0 once no writer is left."""
        self.require_readable()
        if not dst.remaining:
            return 0
        if not self.pipe.data:
            with self:
                await self.wait_for_data()
        data = self.pipe.take(dst.remaining)
        dst.put(data)
        return len(data)

    async def wait_for_data(self, *, nonblock: bool = False) -> None:
        """Sleep until there is something, or no writer.

        Raises
        ------
        SysError(EAGAIN) : it would sleep, and O_NONBLOCK is set or `nonblock` given
        """
        while not self.pipe.data and self.pipe.writers:
            if nonblock or self.flags & O_NONBLOCK:
                raise SysError(Errno.EAGAIN)
            await self.pipe.readable.wait()

    async def wait_for_room(self, *, nonblock: bool = False) -> None:
        """Sleep until something can be put into the pipe.

        Raises
        ------
        SysError(EAGAIN) : as `wait_for_data`
        SysError(EPIPE) : no reader
        """
        while True:
            if not self.pipe.readers:
                self._on_broken_pipe()
                raise SysError(Errno.EPIPE)
            if self.pipe.room:
                return
            if nonblock or self.flags & O_NONBLOCK:
                raise SysError(Errno.EAGAIN)
            await self.pipe.writable.wait()

    async def write(self, src: Buffer) -> int:
        """Write all; up to PIPE_BUF bytes are never mixed with those of others.

        Raises
        ------
        SysError(EPIPE) : no reader
        """
        self.require_writable()
        with self:
            return await self._write(src)

    async def _write(self, src: Buffer) -> int:
        total = src.remaining
        needed = total if total <= PIPE_BUF else 1
        while src.remaining:
            if not self.pipe.readers:
                self._on_broken_pipe()
                return _partial(total - src.remaining, Errno.EPIPE)
            if self.pipe.room >= needed:
                self.pipe.put(src.take(self.pipe.room))
                continue
            if self.flags & O_NONBLOCK:
                return _partial(total - src.remaining, Errno.EAGAIN)
            try:
                await self.pipe.writable.wait()
            except Interrupted:
                if src.remaining == total:
                    raise
                break
        return total - src.remaining

    def poll(self, events: int) -> int:
        """Return what holds: an end without a peer is ready for a call that says so."""
        mask = 0
        if self.readable:
            if self.pipe.data:
                mask |= READABLE
            if not self.pipe.writers and self.pipe.writers_ever != self._writers_before:
                mask |= POLLHUP
        if self.writable:
            if self.pipe.room >= PIPE_BUF:
                mask |= WRITABLE
            if not self.pipe.readers:
                mask |= POLLERR
        return mask & (events | POLLERR | POLLHUP)

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self.pipe.readable, self.pipe.writable)

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Tell how many bytes can be read (FIONREAD)."""
        if request != FIONREAD:
            raise SysError(Errno.ENOTTY)
        argument.write(len(self.pipe.data).to_bytes(4, "little"))
        return 0


def _partial(count: int, errno: Errno) -> int:
    """Return what was done; an error only if that is nothing."""
    if not count:
        raise SysError(errno)
    return count


def make_pipe(vfs: Vfs, flags: int = 0) -> tuple[PipeFile, PipeFile]:
    """Return both ends of a new pipe, the reading one first.

    Parameters
    ----------
    flags : O_NONBLOCK
    """
    inode = Inode(vfs.unnamed.fs, S_IFIFO | 0o600)
    pipe = inode.pipe = Pipe()
    location = Location(vfs.unnamed, inode)
    status = flags & O_NONBLOCK
    reader = PipeFile(location, O_RDONLY | status, pipe, vfs.on_broken_pipe)
    writer = PipeFile(location, O_WRONLY | status, pipe, vfs.on_broken_pipe)
    reader.name_it = writer.name_it = lambda: b"pipe:[%d]" % inode.ino
    return reader, writer


async def open_fifo(location: Location, flags: int, on_broken_pipe: Callable[[], None]) -> PipeFile:
    """Open a FIFO; it sleeps until the other end is opened as well.

    Raises
    ------
    SysError(ENXIO) : for writing with O_NONBLOCK, and nobody reads
    Interrupted : a signal came before a peer did
    """
    inode = location.inode
    pipe = inode.pipe = inode.pipe or Pipe()
    only_writes = flags & 3 == O_WRONLY
    if only_writes and flags & O_NONBLOCK and not pipe.readers:
        if not pipe.writers:
            inode.pipe = None
        raise SysError(Errno.ENXIO)
    file = PipeFile(location, flags, pipe, on_broken_pipe)
    try:
        await _meet(file)
    except BaseException:
        file.put()
        raise
    return file


async def _meet(file: PipeFile) -> None:
    """Sleep until the other end has been opened, even if only for a moment."""
    pipe = file.pipe
    if file.flags & O_NONBLOCK or (file.readable and file.writable):
        return
    before = pipe.writers_ever if file.readable else pipe.readers_ever
    while not (pipe.writers if file.readable else pipe.readers):
        if before != (pipe.writers_ever if file.readable else pipe.readers_ever):
            return
        await pipe.opened.wait()
