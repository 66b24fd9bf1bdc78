"""File descriptors of a process.

References
----------
POSIX.1-2024, close(), dup(), fcntl(); Linux dup(2), fcntl(2).
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import AT_FDCWD
from pykern.kernel.fs.locks import forget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.location import Location

__all__ = ["FILES_MAX", "FileTable", "base"]

FILES_MAX = 1024


class FileTable:
    """Open files by number; a new one gets the lowest that is free.

    Parameters
    ----------
    limit : RLIMIT_NOFILE, one more than the highest number
    """

    def __init__(self, limit: int = FILES_MAX) -> None:
        self.limit = limit
        self._files: dict[int, File] = {}
        self._cloexec: set[int] = set()
        # Free numbers below `_next`; one may be stale after `dup2` took it.
        self._free: list[int] = []
        self._next = 0
        self._users = 1

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[tuple[int, File]]:
        return iter(sorted(self._files.items()))

    def get(self, fd: int) -> File:
        """Return the open file.

        Raises
        ------
        SysError(EBADF) : not open
        """
        file = self._files.get(fd)
        if file is None:
            raise SysError(Errno.EBADF)
        return file

    def install(self, file: File, *, cloexec: bool = False, minimum: int = 0) -> int:
        """Give a file the lowest free number and return it; the table takes over the count.

        Parameters
        ----------
        minimum : the lowest number to give

        Raises
        ------
        SysError(EMFILE) : none is free; the caller still has to `put` the file
        """
        fd = self._lowest(minimum)
        if fd >= self.limit:
            raise SysError(Errno.EMFILE)
        self._set(fd, file, cloexec=cloexec)
        return fd

    def require_free(self) -> None:
        """Check that there is a free number; SysError(EMFILE) if there is none."""
        if self._lowest(0) >= self.limit:
            raise SysError(Errno.EMFILE)

    def _lowest(self, minimum: int) -> int:
        if minimum > 0:
            fd = minimum
            while fd in self._files:
                fd += 1
            return fd
        while self._free and (self._free[0] in self._files or self._free[0] >= self._next):
            heappop(self._free)
        if self._free:
            return self._free[0]
        while self._next in self._files:
            self._next += 1
        return self._next

    def _set(self, fd: int, file: File, *, cloexec: bool) -> None:
        self._files[fd] = file
        if cloexec:
            self._cloexec.add(fd)
        else:
            self._cloexec.discard(fd)

    def close(self, fd: int) -> None:
        """Free a number.

        Raises
        ------
        SysError(EBADF) : not open
        """
        file = self.get(fd)
        del self._files[fd]
        self._cloexec.discard(fd)
        if fd < self._next:
            heappush(self._free, fd)
        self._put(file)

    def close_range(self, first: int, last: int, *, cloexec: bool = False) -> None:
        """Free all numbers of a range, or mark them to be freed by exec.

        Raises
        ------
        SysError(EINVAL) : it ends before it begins
        """
        if first > last:
            raise SysError(Errno.EINVAL)
        for fd in sorted(fd for fd in self._files if first <= fd <= last):
            if cloexec:
                self._cloexec.add(fd)
            else:
                self.close(fd)

    def _put(self, file: File) -> None:
        """Let go of a file; whichever descriptor of it is closed, the range locks are gone."""
        forget(file.inode, self)
        file.put()

    def share(self) -> FileTable:
        """Count one more process that uses the table, and return it."""
        self._users += 1
        return self

    def close_all(self) -> None:
        """Count one process less (exit); the last one frees all numbers, lowest first."""
        self._users -= 1
        if self._users:
            return
        for fd in sorted(self._files):
            self.close(fd)

    def close_on_exec(self) -> None:
        """Free the numbers that are marked so (exec)."""
        for fd in sorted(self._cloexec):
            self.close(fd)

    def fork(self) -> FileTable:
        """Return a table of the same open files, for a child."""
        child = FileTable(self.limit)
        for fd, file in self._files.items():
            child._set(fd, file.get(), cloexec=fd in self._cloexec)
        return child

    # --- dup ----------------------------------------------------------------------------------

    def dup(self, fd: int, *, minimum: int = 0, cloexec: bool = False) -> int:
        """Give an open file one more number (dup, F_DUPFD).

        Raises
        ------
        SysError(EBADF) : not open
        SysError(EINVAL) : `minimum` is beyond the limit
        SysError(EMFILE) : no number is free
        """
        file = self.get(fd)
        if not 0 <= minimum < self.limit:
            raise SysError(Errno.EINVAL)
        new = self.install(file, cloexec=cloexec, minimum=minimum)
        file.get()
        return new

    def dup2(self, old: int, new: int) -> int:
        """Give an open file this number, and close what had it.

        Raises
        ------
        SysError(EBADF) : `old` is not open, or `new` is beyond the limit
        """
        if old == new:
            self.get(old)
            return new
        return self.dup3(old, new, cloexec=False)

    def dup3(self, old: int, new: int, *, cloexec: bool) -> int:
        """Give an open file this number, and close what had it.

        Raises
        ------
        SysError(EINVAL) : both are the same
        SysError(EBADF) : `old` is not open, or `new` is beyond the limit
        """
        if old == new:
            raise SysError(Errno.EINVAL)
        file = self.get(old)
        if not 0 <= new < self.limit:
            raise SysError(Errno.EBADF)
        file.get()
        before = self._files.get(new)
        self._set(new, file, cloexec=cloexec)
        if before is not None:
            self._put(before)
        return new

    # --- flags --------------------------------------------------------------------------------

    def cloexec(self, fd: int) -> bool:
        """Whether exec closes it (F_GETFD).

        Raises
        ------
        SysError(EBADF) : not open
        """
        self.get(fd)
        return fd in self._cloexec

    def set_cloexec(self, fd: int, *, cloexec: bool) -> None:
        """Set whether exec closes it (F_SETFD).

        Raises
        ------
        SysError(EBADF) : not open
        """
        self._set(fd, self.get(fd), cloexec=cloexec)


def base(ctx: FsContext, files: FileTable, dirfd: int, path: bytes) -> Location:
    """Return where the path of an …at call starts.

    Raises
    ------
    SysError(EBADF) : `dirfd` is not open and the path is relative
    SysError(ENOTDIR) : `dirfd` is no directory
    """
    if dirfd == AT_FDCWD or path.startswith(b"/"):
        return ctx.cwd
    location = files.get(dirfd).location
    if path and not location.inode.is_directory():
        raise SysError(Errno.ENOTDIR)
    return location
