"""Which driver is behind a device node.

A node is a number; the table says who opens it, whatever file system the node stands in.

References
----------
Linux Documentation/admin-guide/devices.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from stat import S_IFBLK, S_IFCHR, S_IFMT
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.stat import makedev

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pykern.kernel.fs.block import BlockDevice
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.location import Location

__all__ = ["DeviceNode", "DeviceTable", "Opener"]

Opener = Callable[["Location", int], "File"]


@dataclass(frozen=True)
class DeviceNode:
    """A node as /dev shows it; `mode` is type and permissions."""

    name: bytes
    mode: int
    rdev: int


class DeviceTable:
    """Drivers by type and number, and the names that /dev gives them."""

    def __init__(self) -> None:
        self._openers: dict[tuple[int, int], Opener] = {}
        self._nodes: dict[bytes, DeviceNode] = {}
        self._volumes: dict[int, BlockDevice] = {}
        self._added: list[Callable[[DeviceNode], None]] = []
        self._removed: list[Callable[[DeviceNode], None]] = []

    def __iter__(self) -> Iterator[DeviceNode]:
        return iter(self._nodes.values())

    def add(
        self, name: str, number: tuple[int, int], opener: Opener, *, mode: int = S_IFCHR | 0o666
    ) -> None:
        """Register a driver; it shows up in every /dev at once.

        Parameters
        ----------
        name : path below /dev, such as `null` or `pts/0`
        number : major and minor
        opener : called with the place and the flags of each open
        mode : type and permissions

        Raises
        ------
        ValueError : the number or the name is taken
        """
        if S_IFMT(mode) not in {S_IFCHR, S_IFBLK}:
            raise ValueError(f"/dev/{name}: mode {mode:#o} is neither S_IFCHR nor S_IFBLK")
        node = DeviceNode(name.encode(), mode, makedev(*number))
        key = (S_IFMT(mode), node.rdev)
        if key in self._openers or node.name in self._nodes:
            raise ValueError(f"/dev/{name}, number {number}: there is a driver already")
        self._openers[key] = opener
        self._nodes[node.name] = node
        for tell in self._added:
            tell(node)

    def add_volume(self, number: tuple[int, int], device: BlockDevice) -> None:
        """Let a block device be mounted."""
        self._volumes[makedev(*number)] = device

    @property
    def volumes(self) -> Iterable[BlockDevice]:
        """What can be mounted."""
        return self._volumes.values()

    def volume(self, rdev: int) -> BlockDevice:
        """Return the block device of a number.

        Raises
        ------
        SysError(ENXIO) : no driver has it
        """
        if rdev not in self._volumes:
            raise SysError(Errno.ENXIO)
        return self._volumes[rdev]

    def remove(self, name: str) -> None:
        """Forget a driver; who has it open keeps it.

        Raises
        ------
        ValueError : there is none of that name
        """
        node = self._nodes.pop(name.encode(), None)
        if node is None:
            raise ValueError(f"/dev/{name}: there is no driver")
        del self._openers[S_IFMT(node.mode), node.rdev]
        for tell in self._removed:
            tell(node)

    def watch(
        self, added: Callable[[DeviceNode], None], removed: Callable[[DeviceNode], None]
    ) -> None:
        """Call for each node that comes or goes later."""
        self._added.append(added)
        self._removed.append(removed)

    def open(self, location: Location, flags: int) -> File:
        """Return the open file of a device node.

        Raises
        ------
        SysError(ENXIO) : no driver has this number
        """
        inode = location.inode
        opener = self._openers.get((inode.kind, inode.rdev))
        if opener is None:
            raise SysError(Errno.ENXIO)
        return opener(location, flags)
