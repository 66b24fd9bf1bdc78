"""Mounts: which file system is seen where.

Only the parent knows its children; a mount knows the place it covers, which is all that `..` needs.

References
----------
Linux mount(2), umount(2); Documentation/filesystems/vfs.rst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from pykern.kernel.fs.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.fs.inode import FileSystem, Inode

__all__ = ["Mount", "Mounts"]

FLAG_NAMES = {MS_NOSUID: "nosuid", MS_NODEV: "nodev", MS_NOEXEC: "noexec"}


class Mount:
    """One file system at one place.

    Parameters
    ----------
    fs : what is mounted
    root : the directory of it that is seen
    mountpoint : the directory that is covered; None for the root of all
    source : as in /proc/mounts
    flags : `MS_*`

    Attributes
    ----------
    number : counted from 1 in the order of mounting; 0: it stands in no tree
    users : open files and working directories that keep it from being unmounted
    """

    def __init__(
        self,
        fs: FileSystem,
        root: Inode,
        mountpoint: Location | None,
        *,
        source: bytes = b"none",
        flags: int = 0,
    ) -> None:
        self.fs = fs
        self.root = root
        self.mountpoint = mountpoint
        self.source = source
        self.flags = flags
        self.users = 0
        self.number = 0

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed through it."""
        return bool(self.flags & MS_RDONLY)

    @property
    def options(self) -> str:
        """As in /proc/mounts: `rw,nosuid`."""
        names = [name for flag, name in FLAG_NAMES.items() if self.flags & flag]
        return ",".join(["ro" if self.read_only else "rw", *names])

    def location(self) -> Location:
        """Return its root as a place."""
        return Location(self, self.root)


class Mounts:
    """All mounts; the first is the root.

    Parameters
    ----------
    fs : the root file system
    source : as in /proc/mounts
    """

    def __init__(self, fs: FileSystem, *, source: bytes = b"rootfs") -> None:
        self._mounts = [Mount(fs, fs.root, None, source=source)]
        self._mounts[0].number = self._last_number = 1
        self._covered: dict[tuple[Mount, int], Mount] = {}

    def __iter__(self) -> Iterator[Mount]:
        return iter(self._mounts)

    @property
    def root(self) -> Location:
        """The root of all, with what is mounted on it."""
        return self.down(self._mounts[0].location())

    def mount(
        self, at: Location, fs: FileSystem, *, source: bytes = b"none", flags: int = 0
    ) -> Mount:
        """Cover a directory with a file system.

        Raises
        ------
        SysError(ENOTDIR) : `at` is no directory
        SysError(EBUSY) : the same file system is already mounted there, or `at` is covered
        """
        return self._add(Mount(fs, fs.root, at, source=source, flags=flags))

    def bind(self, at: Location, source: Location) -> Mount:
        """Show a directory or file a second time (MS_BIND).

        Raises
        ------
        SysError(ENOTDIR) : one is a directory and the other is not
        """
        return self._add(
            Mount(
                source.mount.fs,
                source.inode,
                at,
                source=source.mount.source,
                flags=source.mount.flags,
            )
        )

    def _add(self, mount: Mount) -> Mount:
        at = mount.mountpoint
        assert at is not None
        if at.inode.is_directory() != mount.root.is_directory():
            raise SysError(Errno.ENOTDIR)
        if at.inode.same(mount.root) and at.mount.root.same(at.inode):
            raise SysError(Errno.EBUSY)
        if self.covers(at):
            raise SysError(Errno.EBUSY)
        self._last_number += 1
        mount.number = self._last_number
        self._mounts.append(mount)
        self._covered[at.mount, at.inode.ino] = mount
        return mount

    def umount(self, at: Location, *, lazy: bool = False) -> None:
        """Take the mount away whose root `at` is.

        Parameters
        ----------
        lazy : even if it is in use (MNT_DETACH); who holds it keeps it

        Raises
        ------
        SysError(EINVAL) : not the root of a mount, or the root of all
        SysError(EBUSY) : files are open in it, or something is mounted in it
        """
        mount = at.mount
        if mount not in self._mounts or not at.inode.same(mount.root) or mount.mountpoint is None:
            raise SysError(Errno.EINVAL)
        children = [m for m in self._mounts if m.mountpoint and m.mountpoint.mount is mount]
        if (mount.users or children) and not lazy:
            raise SysError(Errno.EBUSY)
        self._mounts.remove(mount)
        del self._covered[mount.mountpoint.mount, mount.mountpoint.inode.ino]

    def covers(self, at: Location) -> Mount | None:
        """Return what is mounted on this very place."""
        return self._covered.get((at.mount, at.inode.ino))

    def is_mountpoint(self, inode: Inode) -> bool:
        """Whether something is mounted on it anywhere, so that it cannot be removed."""
        return any(m.mountpoint and m.mountpoint.inode.same(inode) for m in self._mounts)

    def down(self, at: Location) -> Location:
        """Return what is seen at a place: the root of what is mounted there, or itself."""
        while mount := self.covers(at):
            at = mount.location()
        return at

    def up(self, at: Location) -> Location:
        """Return `..`: the parent, across the mount if `at` is its root."""
        while at.inode.same(at.mount.root):
            if at.mount.mountpoint is None:
                return at
            at = at.mount.mountpoint
        return self.down(Location(at.mount, at.inode.parent))
