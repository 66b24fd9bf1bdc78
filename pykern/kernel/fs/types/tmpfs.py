"""tmpfs: files in memory.

Content lies in pages; a page that was never written is a hole and costs nothing.

References
----------
Linux Documentation/filesystems/tmpfs.rst.
"""

from __future__ import annotations

from stat import S_IFDIR, S_IFLNK
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.inode import BLOCK_SIZE, FileSystem, Inode
from pykern.kernel.fs.stat import DirEntry, StatFs
from pykern.kernel.fs.types.registry import Options, types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pykern.kernel.fs.context import Vfs

__all__ = ["TmpFs", "TmpfsDirectory", "TmpfsFile", "TmpfsSymlink", "mount_tmpfs"]

PAGE = BLOCK_SIZE
# What statfs tells of an instance without a limit.
UNLIMITED = 1 << 40


class TmpFs(FileSystem):
    """One instance.

    Parameters
    ----------
    size : limit of the content in bytes; None: none
    inodes : limit of the files; None: none
    mode : permissions of the root directory
    """

    type_name = "tmpfs"
    magic = 0x01021994

    def __init__(
        self,
        dev: int,
        now: Callable[[], int],
        *,
        size: int | None = None,
        inodes: int | None = None,
        mode: int = 0o1777,
    ) -> None:
        super().__init__(dev, now)
        self._pages_max = None if size is None else -(-size // PAGE)
        self._inodes_max = inodes
        self.pages = 0
        self.inodes = 0
        self.root = TmpfsDirectory(self, S_IFDIR | mode)

    def charge(self, pages: int) -> None:
        """Count pages in use.

        Raises
        ------
        SysError(ENOSPC) : over the limit
        """
        if pages > 0 and self._pages_max is not None and self.pages + pages > self._pages_max:
            raise SysError(Errno.ENOSPC)
        self.pages += pages

    def charge_inode(self) -> None:
        """Count one file.

        Raises
        ------
        SysError(ENOSPC) : over the limit
        """
        if self._inodes_max is not None and self.inodes >= self._inodes_max:
            raise SysError(Errno.ENOSPC)
        self.inodes += 1

    def statfs(self) -> StatFs:
        """Return the limits and what is left of them."""
        blocks = UNLIMITED // PAGE if self._pages_max is None else self._pages_max
        files = UNLIMITED // PAGE if self._inodes_max is None else self._inodes_max
        free = blocks - self.pages
        return StatFs(self.magic, PAGE, blocks, free, free, files, files - self.inodes, self.dev)


class _Counted(Inode):
    """An inode of tmpfs: the instance counts it."""

    fs: TmpFs

    def __init__(self, fs: TmpFs, mode: int, rdev: int = 0) -> None:
        fs.charge_inode()
        super().__init__(fs, mode, rdev=rdev)

    def evict(self) -> None:
        """Give back the storage."""
        self.fs.inodes -= 1


class TmpfsSymlink(_Counted):
    """A symbolic link."""

    def __init__(self, fs: TmpFs, target: bytes) -> None:
        super().__init__(fs, S_IFLNK | 0o777)
        self._target = target

    @property
    def size(self) -> int:
        """Bytes of the target."""
        return len(self._target)

    def readlink(self) -> bytes:
        """Return the target."""
        return self._target


class TmpfsFile(_Counted):
    """A regular file."""

    def __init__(self, fs: TmpFs, mode: int) -> None:
        super().__init__(fs, mode)
        self._size = 0
        self._pages: dict[int, bytearray] = {}

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    @property
    def blocks(self) -> int:
        """Storage in use, in 512 bytes."""
        return len(self._pages) * (PAGE // 512)

    def evict(self) -> None:
        """Give back the storage."""
        super().evict()
        self._drop_pages(0)

    def page(self, index: int) -> bytearray:
        """Return a page of the content, for mapping; a hole gets storage.

        Raises
        ------
        SysError(ENOSPC) : over the limit
        """
        page = self._pages.get(index)
        if page is None:
            self.fs.charge(1)
            page = self._pages[index] = bytearray(PAGE)
        return page

    def read_at(self, offset: int, size: int) -> bytes:
        """Return content, less than `size` bytes at the end of the file."""
        end = min(offset + size, self._size)
        parts = []
        while offset < end:
            index, start = divmod(offset, PAGE)
            count = min(PAGE - start, end - offset)
            page = self._pages.get(index)
            parts.append(bytes(count) if page is None else page[start : start + count])
            offset += count
        return b"".join(parts)

    def write_at(self, offset: int, data: bytes) -> int:
        """Store content and return how many bytes there was room for."""
        view, done = memoryview(data), 0
        while done < len(view):
            index, start = divmod(offset + done, PAGE)
            part = view[done : done + PAGE - start]
            try:
                page = self.page(index)
            except SysError:
                if not done:
                    raise
                break
            page[start : start + len(part)] = part
            done += len(part)
        self._size = max(self._size, offset + done)
        self.modified()
        return done

    def allocate(self, offset: int, size: int) -> None:
        """Give a range its storage; what was given stays where there is not enough."""
        for index in range(offset // PAGE, -(-(offset + size) // PAGE)):
            self.page(index)
        self.changed()

    def clear_at(self, offset: int, size: int, *, keep_space: bool) -> None:
        """Fill a range with zeroes, or make a hole of the pages that it covers."""
        end = offset + size
        for index in [n for n in self._pages if offset < (n + 1) * PAGE and n * PAGE < end]:
            first, last = max(offset - index * PAGE, 0), min(end - index * PAGE, PAGE)
            if (first, last) == (0, PAGE) and not keep_space:
                del self._pages[index]
                self.fs.charge(-1)
            else:
                self._pages[index][first:last] = bytes(last - first)
        if keep_space:
            self.allocate(offset, size)
        self.modified()

    def truncate(self, size: int) -> None:
        """Cut the file, or make it longer with a hole."""
        if size < self._size:
            last, used = divmod(size, PAGE)
            self._drop_pages(last + bool(used))
            if page := self._pages.get(last):
                page[used:] = bytes(PAGE - used)
        self._size = size
        self.modified()

    def next_data(self, offset: int) -> int | None:
        """Return where data begins at or behind `offset`; None: a hole up to the end."""
        index = offset // PAGE
        if index in self._pages:
            return offset
        later = [i for i in self._pages if i > index and i * PAGE < self._size]
        return min(later) * PAGE if later else None

    def next_hole(self, offset: int) -> int:
        """Return where a hole begins at or behind `offset`; the end of the file is one."""
        index = offset // PAGE
        if index not in self._pages:
            return offset
        while index in self._pages:
            index += 1
        return min(index * PAGE, self._size)

    def _drop_pages(self, first: int) -> None:
        gone = [index for index in self._pages if index >= first]
        for index in gone:
            del self._pages[index]
        self.fs.charge(-len(gone))


class TmpfsDirectory(_Counted):
    """A directory."""

    def __init__(self, fs: TmpFs, mode: int, parent: Inode | None = None) -> None:
        super().__init__(fs, mode)
        self.parent = parent or self
        self._children: dict[bytes, Inode] = {}

    @property
    def size(self) -> int:
        """A measure of the entries, as Linux gives it."""
        return 20 * (len(self._children) + 2)

    def lookup(self, name: bytes) -> Inode:
        """Return the file of that name."""
        inode = self._children.get(name)
        if inode is None:
            raise SysError(Errno.ENOENT)
        return inode

    def entries(self) -> Iterable[DirEntry]:
        """Return the names, the oldest first."""
        return [DirEntry(name, i.ino, i.kind) for name, i in self._children.items()]

    def create(self, name: bytes, mode: int) -> Inode:
        """Make a regular file."""
        return self._add(name, TmpfsFile(self.fs, mode))

    def mknod(self, name: bytes, mode: int, rdev: int) -> Inode:
        """Make a FIFO, socket or device node."""
        return self._add(name, _Counted(self.fs, mode, rdev))

    def mkdir(self, name: bytes, mode: int) -> Inode:
        """Make a directory."""
        inode = TmpfsDirectory(self.fs, mode, self)
        self.nlink += 1
        return self._add(name, inode)

    def symlink(self, name: bytes, target: bytes) -> Inode:
        """Make a symbolic link."""
        return self._add(name, TmpfsSymlink(self.fs, target))

    def link(self, name: bytes, inode: Inode) -> None:
        """Give a file one more name."""
        inode.nlink += 1
        inode.changed()
        self._add(name, inode)

    def unlink(self, name: bytes) -> None:
        """Take a name away."""
        self._remove(name).unname()

    def rmdir(self, name: bytes) -> None:
        """Take an empty directory away."""
        _require_empty(self._children[name])
        self._remove(name).unname()

    def rename(self, name: bytes, new_parent: Inode, new_name: bytes) -> None:
        """Move; what is in the way goes."""
        assert isinstance(new_parent, TmpfsDirectory)
        victim = new_parent._children.get(new_name)
        if victim is not None:
            _require_empty(victim)
            new_parent._remove(new_name).unname()
        inode = self._remove(name)
        new_parent._adopt(new_name, inode)
        inode.changed()

    def exchange(self, name: bytes, new_parent: Inode, new_name: bytes) -> None:
        """Swap two names."""
        assert isinstance(new_parent, TmpfsDirectory)
        mine, other = self._remove(name), new_parent._remove(new_name)
        self._adopt(name, other)
        new_parent._adopt(new_name, mine)
        mine.changed()
        other.changed()

    def _add(self, name: bytes, inode: Inode) -> Inode:
        self._children[name] = inode
        inode.entry = self, name
        self.modified()
        return inode

    def _adopt(self, name: bytes, inode: Inode) -> None:
        if inode.is_directory():
            inode.parent = self
            self.nlink += 1
        self._add(name, inode)

    def _remove(self, name: bytes) -> Inode:
        inode = self._children.pop(name)
        if inode.is_directory():
            self.nlink -= 1
        self.modified()
        return inode


def _require_empty(inode: Inode) -> None:
    if isinstance(inode, TmpfsDirectory) and inode._children:
        raise SysError(Errno.ENOTEMPTY)


@types.register("tmpfs")
def mount_tmpfs(_source: bytes, options: Options, vfs: Vfs) -> TmpFs:
    """Return a new instance: `size=`, `nr_inodes=`, `mode=`.

    Raises
    ------
    SysError(EINVAL) : an unknown option, or a value that is no number
    """
    if not options.keys() <= {"size", "nr_inodes", "mode"}:
        raise SysError(Errno.EINVAL)
    size, inodes = options.get("size"), options.get("nr_inodes")
    try:
        return TmpFs(
            vfs.next_dev(),
            vfs.now,
            size=None if size is None else parse_size(size),
            inodes=None if inodes is None else parse_size(inodes),
            mode=int(options.get("mode", "1777"), 8),
        )
    except ValueError as error:
        raise SysError(Errno.EINVAL) from error


def parse_size(text: str) -> int:
    """Return the number of `4096`, `64k`, `16M`, `2g`.

    Raises
    ------
    ValueError : none of these
    """
    shift = {"k": 10, "m": 20, "g": 30}.get(text[-1:].lower(), 0)
    number = int(text[:-1] if shift else text)
    if number < 0:
        raise ValueError(f"{text!r} is negative")
    return number << shift
