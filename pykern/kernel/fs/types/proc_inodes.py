"""What procfs is made of: directories, files and links whose content is a function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from stat import S_IFDIR, S_IFLNK, S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.file import File, PlacedFile
from pykern.kernel.fs.flags import SEEK_CUR, SEEK_SET
from pykern.kernel.fs.inode import FileSystem, Inode
from pykern.kernel.fs.stat import DirEntry

if TYPE_CHECKING:
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.proc_tree import Text

__all__ = ["Maker", "ProcDirectory", "ProcFile", "ProcLink", "TableDirectory"]

# Makes the inode of one name, given the directory it stands in.
Maker = Callable[["ProcDirectory"], Inode]


class ProcDirectory(Inode, ABC):
    """A directory; a subclass tells which names it has."""

    def __init__(self, fs: FileSystem, ino: int, parent: Inode | None = None) -> None:
        super().__init__(fs, S_IFDIR | 0o555, ino=ino)
        self.parent = parent or self

    @abstractmethod
    def names(self) -> Iterable[bytes]:
        """Return all names."""

    @abstractmethod
    def child(self, name: bytes) -> Inode | None:
        """Return the file of a name; None: there is none."""

    def lookup(self, name: bytes) -> Inode:
        """Return the file of a name."""
        child = self.child(name)
        if child is None:
            raise SysError(Errno.ENOENT)
        return child

    def entries(self) -> Iterable[DirEntry]:
        """Return the names; what goes away meanwhile is left out."""
        found = [(name, self.child(name)) for name in self.names()]
        return [DirEntry(name, child.ino, child.kind) for name, child in found if child]


class TableDirectory(ProcDirectory):
    """A directory whose names do not change.

    Parameters
    ----------
    table : what makes the file of each name
    """

    def __init__(
        self, fs: FileSystem, ino: int, table: Mapping[bytes, Maker], parent: Inode | None = None
    ) -> None:
        super().__init__(fs, ino, parent)
        self._table = table

    def names(self) -> Iterable[bytes]:
        """Return all names."""
        return self._table

    def child(self, name: bytes) -> Inode | None:
        """Return the file of a name; None: there is none."""
        maker = self._table.get(name)
        return maker(self) if maker else None


class ProcFile(Inode):
    """A file whose content is a function.

    Parameters
    ----------
    generate : returns the content
    mode : permissions
    store : takes what is written; None: nothing can be written
    """

    def __init__(
        self,
        fs: FileSystem,
        ino: int,
        generate: Callable[[], Text],
        *,
        mode: int = 0o444,
        store: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(fs, S_IFREG | mode, ino=ino)
        self.generate = generate
        self.accept = store

    def content(self) -> bytes:
        """Return the content as of now."""
        text = self.generate()
        return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")

    def read_at(self, offset: int, size: int) -> bytes:
        """Return content as of now."""
        return self.content()[offset : offset + size]

    def truncate(self, size: int) -> None:
        """Do nothing: `echo 1 > file` truncates first."""

    def open(self, location: Location, flags: int) -> File:
        """Return an open file that keeps what it generated."""
        return ProcText(location, flags, self)


class ProcText(PlacedFile):
    """An open file of procfs: the content is that of the first read, and of each from 0."""

    def __init__(self, location: Location, flags: int, source: ProcFile) -> None:
        super().__init__(location, flags)
        self._source = source
        self._content: bytes | None = None

    async def pread(self, dst: Buffer, offset: int) -> int:
        """Read from `offset`.

        Raises
        ------
        SysError(ESRCH) : it tells of a process that is gone
        """
        self.require_readable()
        if offset < 0:
            raise SysError(Errno.EINVAL)
        if self._content is None or offset == 0:
            self._content = self._source.content()
        data = self._content[offset : offset + dst.remaining]
        dst.put(data)
        return len(data)

    async def write(self, src: Buffer) -> int:
        """Hand all of it to who registered the file.

        Raises
        ------
        SysError(EINVAL) : it is no value for this file
        SysError(EIO) : nothing can be written to it
        """
        self.require_writable()
        if self._source.accept is None:
            raise SysError(Errno.EIO)
        data = src.take(src.remaining)
        self._source.accept(data)
        self._content = None
        return len(data)

    def lseek(self, offset: int, whence: int) -> int:
        """Move to another place; the end is not known."""
        place = offset + self.offset if whence == SEEK_CUR else offset
        if whence not in {SEEK_SET, SEEK_CUR} or place < 0:
            raise SysError(Errno.EINVAL)
        self.offset = place
        return place


class ProcLink(Inode):
    """A symbolic link whose target is a function.

    Parameters
    ----------
    target : returns what readlink shows
    place : returns where it leads, past any path; None: it is to be walked
    """

    def __init__(
        self,
        fs: FileSystem,
        ino: int,
        target: Callable[[], bytes],
        place: Callable[[], Location] | None = None,
    ) -> None:
        super().__init__(fs, S_IFLNK | 0o777, ino=ino)
        self._target = target
        self._place = place

    def readlink(self) -> bytes:
        """Return the target."""
        return self._target()

    def follow(self) -> Location | None:
        """Return where it leads."""
        return self._place() if self._place else None
