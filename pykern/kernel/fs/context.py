"""Surroundings of the file layer: the `Vfs` of the kernel, the `FsContext` of a process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from stat import S_IFDIR
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.devices import DeviceTable
from pykern.kernel.fs.inode import FileSystem, Inode
from pykern.kernel.fs.mount import Mount
from pykern.kernel.fs.proc_tree import ProcTree
from pykern.kernel.fs.sockets.message import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.mount import Mounts
    from pykern.kernel.fs.sockets.socket import Socket

__all__ = ["FsContext", "Vfs"]


class _Unnamed(FileSystem):
    """Files that stand in no directory."""

    type_name = "pipefs"
    magic = 0x50495045

    def __init__(self, dev: int, now: Callable[[], int]) -> None:
        super().__init__(dev, now)
        self.root = Inode(self, S_IFDIR | 0o700)


def _nobody() -> None:
    """Nobody is to be told."""


@dataclass
class Vfs:
    """What all files of a kernel share.

    Attributes
    ----------
    now : realtime in ns since the epoch, from the virtual clock
    devices : drivers behind device nodes
    proc : who tells what in /proc
    on_broken_pipe : called when a write finds no reader, for SIGPIPE to the caller
    caller : who makes the call, for the other end of a socket
    monotonic : ns since boot, for waits that end
    abstract_sockets : sockets with a name that is no path
    unnamed : where pipes and other files without a path live
    """

    now: Callable[[], int]
    devices: DeviceTable = field(default_factory=DeviceTable)
    proc: ProcTree = field(default_factory=ProcTree)
    on_broken_pipe: Callable[[], None] = _nobody
    caller: Callable[[], Credentials] = lambda: Credentials(0, 0, 0)
    monotonic: Callable[[], int] = lambda: 0
    abstract_sockets: dict[bytes, Socket] = field(default_factory=dict)
    unnamed: Mount = field(init=False)
    _last_dev: int = 0

    def __post_init__(self) -> None:
        fs = _Unnamed(self.next_dev(), self.now)
        self.unnamed = Mount(fs, fs.root, None)

    def next_dev(self) -> int:
        """Return a device number for a file system without a device."""
        self._last_dev += 1
        return self._last_dev


@dataclass
class FsContext:
    """What a process brings to a call: where it stands and who it is.

    Attributes
    ----------
    root : where `/` is
    cwd : where relative paths start
    umask : permissions that new files do not get
    resolve : RESOLVE_*, where paths may not lead (openat2)
    uid, gid, groups : checked against permissions; uid 0 passes
    """

    vfs: Vfs
    mounts: Mounts
    root: Location
    cwd: Location
    umask: int = 0o022
    uid: int = 0
    gid: int = 0
    groups: frozenset[int] = frozenset()
    resolve: int = 0

    @classmethod
    def at_root(cls, vfs: Vfs, mounts: Mounts) -> FsContext:
        """Return the context of the first process."""
        return cls(vfs, mounts, mounts.root, mounts.root)

    def copy(self) -> FsContext:
        """Return the context of a child (without CLONE_FS)."""
        return replace(self)

    def set_umask(self, mask: int) -> int:
        """Set the mask and return the one before."""
        before, self.umask = self.umask, mask & 0o777
        return before

    def may(self, inode: Inode, wanted: int) -> bool:
        """Whether the permissions allow `wanted`, a sum of R_OK 4, W_OK 2, X_OK 1.

        References
        ----------
        POSIX.1-2024, File Access Permissions.
        """
        if self.uid == 0:
            runnable = inode.is_directory() or inode.mode & 0o111
            return not wanted & 1 or bool(runnable)
        if self.uid == inode.uid:
            granted = inode.mode >> 6
        elif self.gid == inode.gid or inode.gid in self.groups:
            granted = inode.mode >> 3
        else:
            granted = inode.mode
        return wanted & ~granted & 7 == 0

    def require(self, inode: Inode, wanted: int) -> None:
        """Check permissions.

        Raises
        ------
        SysError(EACCES) : they do not allow it
        """
        if not self.may(inode, wanted):
            raise SysError(Errno.EACCES)

    def owns(self, inode: Inode) -> bool:
        """Whether the caller may change the attributes."""
        return self.uid in {0, inode.uid}
