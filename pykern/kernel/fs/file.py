"""Open file descriptions: what a file descriptor leads to.

Calls that may sleep are `async`; what a kind of file does not offer answers with the errno that
Linux gives. Descriptors share a description by counting: `get` and `put`.

References
----------
POSIX.1-2024, Open File Description; Linux include/linux/fs.h, struct file_operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import (
    O_ACCMODE,
    O_PATH,
    O_RDONLY,
    O_SETTABLE,
    O_WRONLY,
    READABLE,
    WRITABLE,
)
from pykern.kernel.fs.locks import forget
from pykern.kernel.fs.notify import IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pykern.kernel.core.wait import WaitQueue
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.stat import Stat

__all__ = ["File", "IoctlArgument", "PlacedFile"]


class IoctlArgument(Protocol):
    """The third argument of ioctl: a number, or the address of a structure."""

    @property
    def value(self) -> int:
        """The argument as a number."""
        ...

    def read(self, size: int) -> bytes:
        """Return the structure at the address; SysError(EFAULT) if it is not readable."""
        ...

    def write(self, data: bytes) -> None:
        """Store the structure at the address; SysError(EFAULT) if it is not writable."""
        ...


class File:  # noqa: PLR0904 - one method per operation
    """An open file; the base of all kinds, in which every operation is missing.

    Parameters
    ----------
    location : what was opened
    flags : `O_*`: access mode and status

    Attributes
    ----------
    offset : where read and write go on, bytes
    name_it : returns `name`; found out only where somebody asks, since that is dear
    """

    def __init__(self, location: Location, flags: int) -> None:
        self.location = location
        self.inode = location.inode
        self.flags = flags
        self.offset = 0
        self.name_it: Callable[[], bytes] = bytes
        self._users = 1
        location.mount.users += 1
        location.inode.users += 1

    @property
    def name(self) -> bytes:
        """The path it was opened by, absolute, or what /proc/PID/fd shows for it."""
        return self.name_it()

    # --- sharing ------------------------------------------------------------------------------

    def get(self) -> File:
        """Count one more user and return the file."""
        self._users += 1
        return self

    def put(self) -> None:
        """Count one user less; the last one closes it."""
        self._users -= 1
        if self._users:
            return
        self.location.mount.users -= 1
        forget(self.inode, self)
        self.release()
        if not self.flags & O_PATH:
            tell(self.inode, IN_CLOSE_WRITE if self.writable else IN_CLOSE_NOWRITE)
        self.inode.drop()

    def __enter__(self) -> Self:
        """Keep the file open while somebody sleeps in it, whoever closes its descriptor."""
        self._users += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.put()

    @property
    def closed(self) -> bool:
        """Whether the last user has gone."""
        return self._users == 0

    def release(self) -> None:
        """Give back what the open file holds: called once."""

    # --- access -------------------------------------------------------------------------------

    @property
    def readable(self) -> bool:
        """Whether it is open for reading."""
        return not self.flags & O_PATH and self.flags & O_ACCMODE != O_WRONLY

    @property
    def writable(self) -> bool:
        """Whether it is open for writing."""
        return not self.flags & O_PATH and self.flags & O_ACCMODE != O_RDONLY

    def require_readable(self) -> None:
        """Check the access mode.

        Raises
        ------
        SysError(EBADF) : not open for reading
        """
        if not self.readable:
            raise SysError(Errno.EBADF)

    def require_writable(self) -> None:
        """Check the access mode.

        Raises
        ------
        SysError(EBADF) : not open for writing
        """
        if not self.writable:
            raise SysError(Errno.EBADF)

    def set_status(self, flags: int) -> None:
        """Take new status flags (F_SETFL); the others stay."""
        self.flags = self.flags & ~O_SETTABLE | flags & O_SETTABLE

    # --- content ------------------------------------------------------------------------------

    async def read(self, dst: Buffer) -> int:
        """Read from where the file stands; return the bytes, 0 at the end.

        Raises
        ------
        SysError(EBADF) : not open for reading
        SysError(EINVAL) : nothing to read in this kind of file
        SysError(EAGAIN) : it would sleep, and O_NONBLOCK is set
        Interrupted : a signal came before anything was read
        """
        self.require_readable()
        raise SysError(Errno.EINVAL)

    async def write(self, src: Buffer) -> int:
        """Write to where the file stands; return the bytes.

        Raises
        ------
        SysError(EBADF) : not open for writing
        SysError(EINVAL) : nothing can be written to this kind of file
        SysError(EAGAIN) : it would sleep, and O_NONBLOCK is set
        Interrupted : a signal came before anything was written
        """
        self.require_writable()
        raise SysError(Errno.EINVAL)

    async def pread(self, dst: Buffer, offset: int) -> int:
        """Read from `offset`; the file stays where it stands.

        Raises
        ------
        SysError(ESPIPE) : it has no places
        """
        raise SysError(Errno.ESPIPE)

    async def pwrite(self, src: Buffer, offset: int) -> int:
        """Write to `offset`; the file stays where it stands.

        Raises
        ------
        SysError(ESPIPE) : it has no places
        """
        raise SysError(Errno.ESPIPE)

    def lseek(self, offset: int, whence: int) -> int:
        """Move to another place and return it.

        Raises
        ------
        SysError(ESPIPE) : it has no places
        SysError(EINVAL) : an unknown `whence`, or the place is negative
        SysError(ENXIO) : SEEK_DATA or SEEK_HOLE from behind the end
        """
        raise SysError(Errno.ESPIPE)

    def truncate(self, size: int) -> None:
        """Set the size.

        Raises
        ------
        SysError(EINVAL) : it has none, or it is not open for writing
        """
        raise SysError(Errno.EINVAL)

    async def sync(self) -> None:
        """Write back (fsync).

        Raises
        ------
        SysError(EINVAL) : a pipe, a terminal: there is nothing to write to
        """
        raise SysError(Errno.EINVAL)

    def getdents(self, dst: Buffer, *, old: bool = False) -> int:
        """Fill with directory records and return their bytes, 0 at the end.

        Parameters
        ----------
        old : in the form of the first getdents

        Raises
        ------
        SysError(ENOTDIR) : not a directory
        SysError(EINVAL) : not even one record fits
        """
        raise SysError(Errno.ENOTDIR)

    # --- the rest -----------------------------------------------------------------------------

    def poll(self, events: int) -> int:
        """Return which of `events` hold now, and POLLERR, POLLHUP whether asked for or not."""
        return events & (READABLE | WRITABLE)

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently; empty: it never does."""
        return ()

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Do what is particular to a device.

        Raises
        ------
        SysError(ENOTTY) : not in this kind of file
        """
        raise SysError(Errno.ENOTTY)

    def stat(self) -> Stat:
        """Return the attributes of what was opened."""
        return self.inode.stat()


class PlacedFile(File):
    """A file whose bytes have places: reading and writing go on where they ended."""

    async def read(self, dst: Buffer) -> int:
        """Read from where the file stands; return the bytes, 0 at the end."""
        count = await self.pread(dst, self.offset)
        self.offset += count
        return count

    async def write(self, src: Buffer) -> int:
        """Write to where the file stands; return the bytes."""
        count = await self.pwrite(src, self.offset)
        self.offset += count
        return count
