"""Inodes and the file system they belong to.

An `Inode` trusts its caller: `entries.py`, `open.py` and `attributes.py` have looked at names,
permissions and read-only mounts before. What a type of file system does not offer answers with the
errno that Linux gives where the operation is missing.

References
----------
Linux Documentation/filesystems/vfs.rst, "struct inode_operations".
"""

from __future__ import annotations

from stat import S_IFMT, S_ISDIR, S_ISLNK, S_ISREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.notify import IN_ATTRIB, IN_MODIFY, tell, tell_gone
from pykern.kernel.fs.stat import DirEntry, Stat, StatFs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pykern.kernel.fs.block import BlockDevice
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.locks import Locks
    from pykern.kernel.fs.notify import Watch
    from pykern.kernel.fs.pipe import Pipe
    from pykern.kernel.fs.sockets.socket import Socket
    from pykern.kernel.mm.file_pager import FilePager

__all__ = ["BLOCK_SIZE", "FileSystem", "Inode"]

BLOCK_SIZE = 4096
DAY_NS = 86_400_000_000_000


class FileSystem:
    """One instance of a type: what a mount shows.

    Parameters
    ----------
    dev : device number, unique while the kernel runs
    now : realtime in ns since the epoch

    Attributes
    ----------
    root : its root directory
    type_name : as in /proc/mounts
    magic : `f_type` of statfs
    watching : watches of its files (inotify)
    moves : names that were changed while something was watched
    device : what it was mounted from, if that is a block device
    """

    type_name = "none"
    magic = 0
    root: Inode

    def __init__(self, dev: int, now: Callable[[], int]) -> None:
        self.dev = dev
        self.now = now
        self._last_ino = 0
        self.watching = 0
        self.moves = 0
        self.device: BlockDevice | None = None

    async def sync(self) -> None:
        """Wait until all changes are on a disk, where there is one behind it.

        Raises
        ------
        SysError(EIO) : some could not be written
        """

    def next_ino(self) -> int:
        """Return an inode number that was not in use before."""
        self._last_ino += 1
        return self._last_ino

    def statfs(self) -> StatFs:
        """Return sizes; nothing is counted unless the type does."""
        return StatFs(self.magic, BLOCK_SIZE, 0, 0, 0, 0, 0, self.dev)


class Inode:  # noqa: PLR0904 - one method per operation
    """A file without its name.

    Parameters
    ----------
    fs : where it lives
    mode : type and permissions
    ino : its number; a new one unless given
    rdev : which device, for device nodes

    Attributes
    ----------
    parent : the directory that holds this directory; itself for a root
    nlink : names; 0 once the last is gone
    users : open files; content without a name lives as long as they do
    watches : who is told what is done with it
    entry : directory and name that it was last given, where the file system says so
    socket : who is bound to a name of it
    pipe : what the openers of a FIFO share
    locks : advisory locks; None: there never was one
    pager : its pages while it is mapped; whoever changes the content tells it
    """

    def __init__(self, fs: FileSystem, mode: int, *, ino: int | None = None, rdev: int = 0) -> None:
        self.fs = fs
        self.ino = fs.next_ino() if ino is None else ino
        self.mode = mode
        self.rdev = rdev
        self.uid = 0
        self.gid = 0
        self.nlink = 2 if S_ISDIR(mode) else 1
        self.parent: Inode = self
        self.users = 0
        self.pipe: Pipe | None = None
        self.socket: Socket | None = None
        self.watches: tuple[Watch, ...] = ()
        self.entry: tuple[Inode, bytes] | None = None
        self.pager: FilePager | None = None
        self.locks: Locks | None = None
        self.atime_ns = self.mtime_ns = self.ctime_ns = fs.now()

    @property
    def kind(self) -> int:
        """The `S_IFMT` part of the mode."""
        return S_IFMT(self.mode)

    @property
    def size(self) -> int:
        """Bytes."""
        return 0

    @property
    def blocks(self) -> int:
        """Storage in use, in 512 bytes."""
        return 0

    def same(self, other: Inode) -> bool:
        """Whether both are the same file; some types make the object anew for each lookup."""
        return self is other or (self.fs is other.fs and self.ino == other.ino)

    # --- life ---------------------------------------------------------------------------------

    def drop(self) -> None:
        """Count one open file less."""
        self.users -= 1
        if not self.users and not self.nlink:
            tell_gone(self)
            self.evict()

    def unname(self) -> None:
        """Count one name less; the last one of a directory takes `.` with it."""
        self.nlink = 0 if self.is_directory() else self.nlink - 1
        self.changed()
        if not self.users and not self.nlink:
            tell_gone(self)
            self.evict()

    def evict(self) -> None:
        """Give back the storage: no name and no open file is left."""

    # --- attributes ---------------------------------------------------------------------------

    def stat(self) -> Stat:
        """Return all attributes."""
        return Stat(
            self.fs.dev, self.ino, self.mode, self.nlink, self.uid, self.gid, self.rdev,
            self.size, BLOCK_SIZE, self.blocks, self.atime_ns, self.mtime_ns, self.ctime_ns,
        )  # fmt: skip

    def changed(self) -> None:
        """Note that attributes changed."""
        self.ctime_ns = self.fs.now()

    def modified(self) -> None:
        """Note that the content changed."""
        self.mtime_ns = self.ctime_ns = self.fs.now()

    def accessed(self) -> None:
        """Note that the content was read: once after each change and once a day (relatime)."""
        now = self.fs.now()
        if self.atime_ns <= max(self.mtime_ns, self.ctime_ns) or now - self.atime_ns >= DAY_NS:
            self.atime_ns = now

    def set_mode(self, mode: int) -> None:
        """Take new permissions."""
        self.mode = S_IFMT(self.mode) | mode & 0o7777
        self.changed()
        tell(self, IN_ATTRIB)

    def set_owner(self, uid: int, gid: int) -> None:
        """Take a new owner."""
        self.uid, self.gid = uid, gid
        self.changed()
        tell(self, IN_ATTRIB)

    def set_times(self, atime_ns: int, mtime_ns: int) -> None:
        """Take new times."""
        self.atime_ns, self.mtime_ns = atime_ns, mtime_ns
        self.changed()
        tell(self, IN_ATTRIB)

    # --- content ------------------------------------------------------------------------------

    def open(self, location: Location, flags: int) -> File | None:
        """Return the open file of a type that brings its own; None for what all share."""
        return None

    def read_at(self, offset: int, size: int) -> bytes:
        """Return content, less than `size` bytes at the end of the file.

        Raises
        ------
        SysError(EISDIR) : a directory
        SysError(EINVAL) : no content
        """
        raise SysError(Errno.EISDIR if S_ISDIR(self.mode) else Errno.EINVAL)

    def write_at(self, offset: int, data: bytes) -> int:
        """Store content and return how many bytes there was room for.

        Raises
        ------
        SysError(ENOSPC) : room for nothing
        SysError(EINVAL) : no content
        """
        raise SysError(Errno.EINVAL)

    def truncate(self, size: int) -> None:
        """Cut the file, or make it longer with zeroes.

        Raises
        ------
        SysError(EISDIR) : a directory
        SysError(EINVAL) : its size cannot be set
        """
        raise SysError(Errno.EISDIR if S_ISDIR(self.mode) else Errno.EINVAL)

    def allocate(self, offset: int, size: int) -> None:
        """Give a range its storage; the size of the file stays.

        Raises
        ------
        SysError(ENOSPC) : no room; some of it may have been given
        SysError(EOPNOTSUPP) : not in this type of file system
        """
        raise SysError(Errno.EOPNOTSUPP)

    def clear_at(self, offset: int, size: int, *, keep_space: bool) -> None:
        """Fill a range with zeroes, or make a hole of it; the size of the file stays.

        Raises
        ------
        SysError(ENOSPC, EOPNOTSUPP) : as `allocate`
        """
        raise SysError(Errno.EOPNOTSUPP)

    def clear(self, offset: int, size: int, *, keep_space: bool) -> None:
        """Fill a range with zeroes as `clear_at`, also where it is mapped."""
        if self.pager is None:
            self.clear_at(offset, size, keep_space=keep_space)
            return
        self.pager.write_back(offset, size)
        self.clear_at(offset, size, keep_space=keep_space)
        self.pager.written(offset, size)

    def load(self, offset: int, size: int) -> bytes:
        """Return content as `read_at`, with what programs have written to it where it is mapped."""
        if self.pager is not None:
            self.pager.write_back(offset, size)
        return self.read_at(offset, size)

    def store(self, offset: int, data: bytes) -> int:
        """Store content as `write_at`, and show it where it is mapped."""
        if self.pager is None:
            return self.write_at(offset, data)
        self.pager.write_back(offset, len(data))
        count = self.write_at(offset, data)
        self.pager.written(offset, count)
        return count

    def resize(self, size: int) -> None:
        """Set the size as `truncate`, also for those who have mapped it."""
        if self.pager is not None:
            self.pager.write_back()
        self.truncate(size)
        if self.pager is not None:
            self.pager.truncated()
        tell(self, IN_MODIFY)

    def next_data(self, offset: int) -> int | None:
        """Return where data begins at or behind `offset`; None: a hole up to the end."""
        return offset

    def next_hole(self, offset: int) -> int:
        """Return where a hole begins at or behind `offset`; the end of the file is one."""
        return self.size

    def readlink(self) -> bytes:
        """Return the target of a symbolic link.

        Raises
        ------
        SysError(EINVAL) : not a symbolic link
        """
        raise SysError(Errno.EINVAL)

    def follow(self) -> Location | None:
        """Return where a magic link leads, past any path; None: read it and walk."""
        return None

    # --- directory ----------------------------------------------------------------------------

    def lookup(self, name: bytes) -> Inode:
        """Return the file of that name.

        Raises
        ------
        SysError(ENOENT) : no such name
        SysError(ENOTDIR) : not a directory
        """
        raise SysError(Errno.ENOTDIR)

    def entries(self) -> Iterable[DirEntry]:
        """Return the names, without `.` and `..`.

        Raises
        ------
        SysError(ENOTDIR) : not a directory
        """
        raise SysError(Errno.ENOTDIR)

    def create(self, name: bytes, mode: int) -> Inode:
        """Make a regular file; there is none of that name.

        Raises
        ------
        SysError(EACCES) : not in this type of file system
        """
        raise SysError(Errno.EACCES)

    def mknod(self, name: bytes, mode: int, rdev: int) -> Inode:
        """Make a FIFO, socket or device node; there is none of that name."""
        raise SysError(Errno.EPERM)

    def mkdir(self, name: bytes, mode: int) -> Inode:
        """Make a directory; there is none of that name."""
        raise SysError(Errno.EPERM)

    def symlink(self, name: bytes, target: bytes) -> Inode:
        """Make a symbolic link; there is none of that name."""
        raise SysError(Errno.EPERM)

    def link(self, name: bytes, inode: Inode) -> None:
        """Give a file one more name; there is none of that name."""
        raise SysError(Errno.EPERM)

    def unlink(self, name: bytes) -> None:
        """Take a name away; it is there and no directory."""
        raise SysError(Errno.EPERM)

    def rmdir(self, name: bytes) -> None:
        """Take an empty directory away; it is there.

        Raises
        ------
        SysError(ENOTEMPTY) : it holds something
        """
        raise SysError(Errno.EPERM)

    def rename(self, name: bytes, new_parent: Inode, new_name: bytes) -> None:
        """Move; what is in the way goes, and may (an empty directory, or no directory).

        Raises
        ------
        SysError(ENOTEMPTY) : a directory in the way holds something
        """
        raise SysError(Errno.EPERM)

    def exchange(self, name: bytes, new_parent: Inode, new_name: bytes) -> None:
        """Swap two names.

        Raises
        ------
        SysError(EINVAL) : not in this type of file system
        """
        raise SysError(Errno.EINVAL)

    def is_directory(self) -> bool:
        """Whether names can be looked up in it."""
        return S_ISDIR(self.mode)

    def is_symlink(self) -> bool:
        """Whether it leads elsewhere."""
        return S_ISLNK(self.mode)

    def is_regular(self) -> bool:
        """Whether it is plain content."""
        return S_ISREG(self.mode)
