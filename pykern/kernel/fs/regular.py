"""Open regular files and directories: what all types of file systems share.

References
----------
POSIX.1-2024, read(), write(), lseek(); Linux getdents64(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.file import File, PlacedFile
from pykern.kernel.fs.flags import (
    FILE_SIZE_MAX,
    O_APPEND,
    O_NOATIME,
    SEEK_CUR,
    SEEK_DATA,
    SEEK_END,
    SEEK_HOLE,
    SEEK_SET,
)
from pykern.kernel.fs.notify import IN_ACCESS, IN_MODIFY, tell
from pykern.kernel.fs.stat import DirEntry
from pykern.kernel.mm.pager import NotResident

if TYPE_CHECKING:
    from pykern.kernel.fs.buffer import Buffer

__all__ = ["DirectoryFile", "RegularFile", "dirent64"]

_CHUNK = 1 << 20


class RegularFile(PlacedFile):
    """A file with content and places in it; it sleeps while content comes from a disk."""

    async def pread(self, dst: Buffer, offset: int) -> int:
        """Read from `offset`; the file stays where it stands.

        Raises
        ------
        SysError(EBADF) : not open for reading
        SysError(EINVAL) : a negative offset
        """
        _require_place(offset)
        self.require_readable()
        try:
            data = self.inode.load(offset, dst.remaining)
        except NotResident as missing:
            data = await self._load(missing, offset, min(dst.remaining, _CHUNK))
        dst.put(data)
        if not self.flags & O_NOATIME:
            self.inode.accessed()
        if data:
            tell(self.inode, IN_ACCESS)
        return len(data)

    async def _load(self, missing: NotResident, offset: int, size: int) -> bytes:
        """Return content once it has come from a disk, no more than can be there at once."""
        with self:
            while True:
                await missing.pager.load(missing.offset)
                try:
                    return self.inode.load(offset, size)
                except NotResident as more:
                    missing = more

    async def write(self, src: Buffer) -> int:
        """Write to where the file stands, or to the end with O_APPEND; return the bytes."""
        if self.flags & O_APPEND:
            self.offset = self.inode.size
        count = await self._write_at(src, self.offset)
        self.offset += count
        return count

    async def pwrite(self, src: Buffer, offset: int) -> int:
        """Write to `offset`, or to the end with O_APPEND; the file stays where it stands.

        Raises
        ------
        SysError(EBADF) : not open for writing
        SysError(EINVAL) : a negative offset
        SysError(EFBIG) : behind the largest size
        """
        _require_place(offset)
        return await self._write_at(src, self.inode.size if self.flags & O_APPEND else offset)

    async def _write_at(self, src: Buffer, offset: int) -> int:
        self.require_writable()
        if not src.remaining:
            return 0
        room = FILE_SIZE_MAX - offset
        if room <= 0:
            raise SysError(Errno.EFBIG)
        count = self.inode.store(offset, src.take(min(src.remaining, room)))
        tell(self.inode, IN_MODIFY)
        return count

    def lseek(self, offset: int, whence: int) -> int:
        """Move to another place and return it."""
        place = self._place(offset, whence)
        _require_place(place)
        self.offset = place
        return place

    def _place(self, offset: int, whence: int) -> int:
        if whence == SEEK_SET:
            return offset
        if whence == SEEK_CUR:
            return self.offset + offset
        if whence == SEEK_END:
            return self.inode.size + offset
        if whence not in {SEEK_DATA, SEEK_HOLE}:
            raise SysError(Errno.EINVAL)
        if not 0 <= offset < self.inode.size:
            raise SysError(Errno.ENXIO)
        found = (
            self.inode.next_data(offset) if whence == SEEK_DATA else self.inode.next_hole(offset)
        )
        if found is None:
            raise SysError(Errno.ENXIO)
        return found

    def truncate(self, size: int) -> None:
        """Set the size."""
        if size < 0 or not self.writable:
            raise SysError(Errno.EINVAL)
        self.inode.resize(size)

    async def sync(self) -> None:
        """Wait until what lies on a disk is there."""
        await self.inode.fs.sync()


class DirectoryFile(File):
    """A directory; the names are those of the moment when reading starts or is rewound."""

    _entries: list[DirEntry] | None = None

    async def read(self, dst: Buffer) -> int:
        """Refuse: names are read by `getdents`.

        Raises
        ------
        SysError(EISDIR) : always
        """
        self.require_readable()
        raise SysError(Errno.EISDIR)

    async def pread(self, dst: Buffer, offset: int) -> int:
        """Refuse, as `read`."""
        _require_place(offset)
        return await self.read(dst)

    def lseek(self, offset: int, whence: int) -> int:
        """Move to a place that `getdents` gave, or to 0: read the names again."""
        if whence not in {SEEK_SET, SEEK_CUR}:
            raise SysError(Errno.EINVAL)
        place = offset if whence == SEEK_SET else self.offset + offset
        _require_place(place)
        self.offset = place
        if place == 0:
            self._entries = None
        return place

    def getdents(self, dst: Buffer, *, old: bool = False) -> int:
        """Fill with `struct linux_dirent64` and return their bytes, 0 at the end."""
        self.require_readable()
        written, pack = 0, dirent if old else dirent64
        for entry in self._listing()[self.offset :]:
            record = pack(entry, self.offset + 1)
            if len(record) > dst.remaining:
                if not written:
                    raise SysError(Errno.EINVAL)
                break
            dst.put(record)
            written += len(record)
            self.offset += 1
        self.inode.accessed()
        tell(self.inode, IN_ACCESS)
        return written

    async def sync(self) -> None:
        """Wait until what lies on a disk is there."""
        await self.inode.fs.sync()

    def _listing(self) -> list[DirEntry]:
        if self._entries is None:
            if not self.inode.nlink:
                raise SysError(Errno.ENOENT)
            kind = self.inode.kind
            dots = [(b".", self.inode.ino), (b"..", self.inode.parent.ino)]
            found = self.inode.entries()
            self._entries = [DirEntry(name, ino, kind) for name, ino in dots]
            self._entries += found
        return self._entries


def dirent64(entry: DirEntry, next_offset: int) -> bytes:
    """Return one record of getdents64.

    ====== ==== =====================================
    offset size field
    ====== ==== =====================================
    0      8    d_ino
    8      8    d_off: the place of the next record
    16     2    d_reclen, a multiple of 8
    18     1    d_type: S_IFMT >> 12
    19     –    d_name, with a zero byte
    ====== ==== =====================================

    References
    ----------
    Linux include/linux/dirent.h, struct linux_dirent64.
    """
    size = (19 + len(entry.name) + 1 + 7) & ~7
    head = (
        entry.ino.to_bytes(8, "little")
        + next_offset.to_bytes(8, "little")
        + size.to_bytes(2, "little")
        + (entry.kind >> 12).to_bytes(1, "little")
    )
    return (head + entry.name).ljust(size, b"\0")


def dirent(entry: DirEntry, next_offset: int) -> bytes:
    """Return one record of the first getdents: the kind stands behind the name.

    References
    ----------
    Linux fs/readdir.c, struct linux_dirent.
    """
    size = (18 + len(entry.name) + 2 + 7) & ~7
    head = (
        entry.ino.to_bytes(8, "little")
        + next_offset.to_bytes(8, "little")
        + size.to_bytes(2, "little")
    )
    return (head + entry.name).ljust(size - 1, b"\0") + bytes([entry.kind >> 12])


def _require_place(offset: int) -> None:
    if not 0 <= offset <= FILE_SIZE_MAX:
        raise SysError(Errno.EINVAL)
