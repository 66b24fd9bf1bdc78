"""Open block devices: /dev/sda and its partitions.

References
----------
Linux Documentation/admin-guide/devices.txt; include/uapi/linux/fs.h.
"""

from __future__ import annotations

from stat import S_IFBLK
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.block import SECTOR
from pykern.kernel.fs.file import PlacedFile
from pykern.kernel.fs.flags import SEEK_CUR, SEEK_END, SEEK_SET
from pykern.kernel.mm.pager import NotResident

if TYPE_CHECKING:
    from pykern.kernel.fs.block import BlockDevice
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.devices import DeviceTable
    from pykern.kernel.fs.file import IoctlArgument
    from pykern.kernel.fs.location import Location

__all__ = ["BlockFile", "add_block_device"]

BLKROGET, BLKGETSIZE, BLKFLSBUF, BLKSSZGET, BLKPBSZGET = 0x125E, 0x1260, 0x1261, 0x1268, 0x127B
BLKBSZGET, BLKGETSIZE64 = 0x8008_1270, 0x8008_1272
_BLOCK = 4096


class BlockFile(PlacedFile):
    """A block device as a file of fixed size.

    Parameters
    ----------
    device : what is behind the node
    """

    def __init__(self, location: Location, flags: int, device: BlockDevice) -> None:
        super().__init__(location, flags)
        self._device = device

    async def pread(self, dst: Buffer, offset: int) -> int:
        """Read from `offset`; 0 at the end.

        Raises
        ------
        SysError(EIO) : it could not be read
        """
        self.require_readable()
        with self:
            data = await self._load(offset, dst.remaining)
        dst.put(data)
        return len(data)

    async def _load(self, offset: int, size: int) -> bytes:
        while True:
            try:
                return self._device.load(offset, size)
            except NotResident as missing:
                loading = missing.pager.load(missing.offset)
            await loading

    async def pwrite(self, src: Buffer, offset: int) -> int:
        """Write to `offset`.

        Raises
        ------
        SysError(ENOSPC) : at the end
        """
        self.require_writable()
        room = self._device.size - offset
        if room <= 0 < src.remaining:
            raise SysError(Errno.ENOSPC)
        self._device.make_room()
        return self._device.store(offset, src.take(max(min(src.remaining, room), 0)))

    def lseek(self, offset: int, whence: int) -> int:
        """Move to another place and return it."""
        ends = {SEEK_SET: 0, SEEK_CUR: self.offset, SEEK_END: self._device.size}
        if whence not in ends or not 0 <= ends[whence] + offset <= self._device.size:
            raise SysError(Errno.EINVAL)
        self.offset = ends[whence] + offset
        return self.offset

    async def sync(self) -> None:
        """Wait until all of it is on the medium."""
        await self._device.sync()

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Tell the size of the device and of its sectors, or write it back."""
        answers = {
            BLKGETSIZE64: (self._device.size, 8),
            BLKGETSIZE: (self._device.size // SECTOR, 8),
            BLKBSZGET: (_BLOCK, 4),
            BLKSSZGET: (SECTOR, 4),
            BLKPBSZGET: (SECTOR, 4),
            BLKROGET: (0, 4),
        }
        if request == BLKFLSBUF:
            await self._device.sync()
        elif request in answers:
            value, size = answers[request]
            argument.write(value.to_bytes(size, "little"))
        else:
            raise SysError(Errno.ENOTTY)
        return 0


def add_block_device(
    devices: DeviceTable, name: str, number: tuple[int, int], device: BlockDevice
) -> None:
    """Register a device, for those who open its node and for those who mount it."""
    devices.add(name, number, lambda at, flags: BlockFile(at, flags, device), mode=S_IFBLK | 0o660)
    devices.add_volume(number, device)
