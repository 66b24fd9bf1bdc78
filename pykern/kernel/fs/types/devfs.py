"""devtmpfs: a tmpfs in which the nodes of all drivers stand.

References
----------
Linux Documentation/admin-guide/devices.txt, "Compulsory links".
"""

from __future__ import annotations

from stat import S_IFDIR
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.fs.types.registry import Options, types
from pykern.kernel.fs.types.tmpfs import TmpFs

if TYPE_CHECKING:
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.devices import DeviceNode
    from pykern.kernel.fs.inode import Inode

__all__ = ["DevFs", "mount_devfs"]

LINKS = {
    b"fd": b"/proc/self/fd",
    b"stdin": b"/proc/self/fd/0",
    b"stdout": b"/proc/self/fd/1",
    b"stderr": b"/proc/self/fd/2",
}


class DevFs(TmpFs):
    """One instance; nodes of later drivers appear by themselves."""

    type_name = "devtmpfs"

    def __init__(self, vfs: Vfs) -> None:
        super().__init__(vfs.next_dev(), vfs.now, mode=0o755)
        for name, target in LINKS.items():
            self.root.symlink(name, target)
        for name in (b"shm", b"pts"):
            self.root.mkdir(name, S_IFDIR | (0o1777 if name == b"shm" else 0o755))
        for node in vfs.devices:
            self._add(node)
        vfs.devices.watch(self._add)

    def _add(self, node: DeviceNode) -> None:
        *directories, name = node.name.split(b"/")
        where = self.root
        for directory in directories:
            where = _subdirectory(where, directory)
        where.mknod(name, node.mode, node.rdev)


def _subdirectory(parent: Inode, name: bytes) -> Inode:
    try:
        return parent.lookup(name)
    except SysError:
        return parent.mkdir(name, S_IFDIR | 0o755)


@types.register("devtmpfs")
def mount_devfs(_source: bytes, _options: Options, vfs: Vfs) -> DevFs:
    """Return a new instance."""
    return DevFs(vfs)
