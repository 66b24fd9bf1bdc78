"""devtmpfs: a tmpfs in which the nodes of all drivers stand.

References
----------
Linux Documentation/admin-guide/devices.txt, "Compulsory links".
"""

from __future__ import annotations

from stat import S_IFCHR, S_IFDIR
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.fs.stat import makedev
from pykern.kernel.fs.types.registry import Options, types
from pykern.kernel.fs.types.tmpfs import TmpFs

if TYPE_CHECKING:
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.devices import DeviceNode
    from pykern.kernel.fs.inode import Inode

__all__ = ["PTMX", "DevFs", "DevPts", "mount_devfs", "mount_devpts"]

PTMX = makedev(5, 2)
LINKS = {
    b"fd": b"/proc/self/fd",
    b"stdin": b"/proc/self/fd/0",
    b"stdout": b"/proc/self/fd/1",
    b"stderr": b"/proc/self/fd/2",
}


class DevFs(TmpFs):
    """One instance; nodes of later drivers appear by themselves.

    Parameters
    ----------
    prefix : only nodes whose names begin so, shown without it
    """

    type_name = "devtmpfs"

    def __init__(self, vfs: Vfs, prefix: bytes = b"") -> None:
        super().__init__(vfs.next_dev(), vfs.now, mode=0o755)
        self._prefix = prefix
        for node in vfs.devices:
            self._add(node)
        vfs.devices.watch(self._add, self._remove)

    def _add(self, node: DeviceNode) -> None:
        if not node.name.startswith(self._prefix):
            return
        *directories, name = node.name.removeprefix(self._prefix).split(b"/")
        where = self.root
        for directory in directories:
            where = _subdirectory(where, directory)
        where.mknod(name, node.mode, node.rdev)

    def _remove(self, node: DeviceNode) -> None:
        """Take a node away, unless somebody has done so, or has put something else there."""
        where, *names = self.root, *node.name.removeprefix(self._prefix).split(b"/")
        try:
            for name in names[:-1]:
                where = where.lookup(name)
            found = where.lookup(names[-1])
        except SysError:
            return
        if (found.mode, found.rdev) == (node.mode, node.rdev):
            where.unlink(names[-1])


class DevPts(DevFs):
    """The terminals of pty.py alone, for those who mount it at /dev/pts."""

    type_name = "devpts"
    magic = 0x1CD1

    def __init__(self, vfs: Vfs) -> None:
        super().__init__(vfs, b"pts/")
        self.root.mknod(b"ptmx", S_IFCHR | 0o666, PTMX)


def _subdirectory(parent: Inode, name: bytes) -> Inode:
    try:
        return parent.lookup(name)
    except SysError:
        return parent.mkdir(name, S_IFDIR | 0o755)


@types.register("devtmpfs")
def mount_devfs(_source: bytes, _options: Options, vfs: Vfs) -> DevFs:
    """Return a new instance."""
    fs = DevFs(vfs)
    for name, target in LINKS.items():
        fs.root.symlink(name, target)
    fs.root.mkdir(b"shm", S_IFDIR | 0o1777)
    _subdirectory(fs.root, b"pts")
    return fs


@types.register("devpts")
def mount_devpts(_source: bytes, _options: Options, vfs: Vfs) -> DevPts:
    """Return a new instance."""
    return DevPts(vfs)
