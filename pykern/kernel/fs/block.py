"""Block devices: disks and their partitions, behind a cache of sectors.

File systems are code that does not sleep. What they read has to be in the cache; where it is not,
`NotResident` makes whoever asked wait for it and ask again, as for a page of a mapping. What they
write goes into the cache, of which a sector may be known in parts only, and from there to the disk
by a thread of the device, in order of place.

References
----------
Linux Documentation/filesystems/vfs.rst, "Handling errors during writeback"; block/partitions.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.mm.pager import NotResident

if TYPE_CHECKING:
    from pykern.kernel.fs.inode import FileSystem

__all__ = ["SECTOR", "BlockDevice", "Disk", "Drive", "Partition", "partitions"]

SECTOR = 512
_ALL = (1 << SECTOR) - 1
_CACHED_MOST = 32768
_DIRTY_MOST = 4096
_READ_AHEAD = 128
_REQUEST_MOST = 256
"""Sectors: kept in memory, waiting to be written, read at once, and of one request."""
_TABLE, _ENTRY = 446, struct.Struct("<B3xB3xII")
_SIGNATURE = b"\x55\xaa"


class Drive(Protocol):
    """What a driver offers.

    Attributes
    ----------
    sectors : how many there are
    """

    sectors: int

    async def read(self, lba: int, count: int, /) -> bytes:
        """Return sectors; SysError(EIO) if it cannot."""

    async def write(self, lba: int, data: bytes, /) -> None:
        """Store sectors; SysError(EIO) if it cannot."""

    async def flush(self) -> None:
        """Have all that was written on the medium; SysError(EIO) if it cannot."""


class BlockDevice(Protocol):
    """What a file system lies on, and what is behind a device node.

    Attributes
    ----------
    fs : what is mounted from it
    """

    fs: FileSystem | None

    @property
    def size(self) -> int:
        """Bytes."""

    def load(self, offset: int, size: int, /) -> bytes:
        """Return content, less than `size` bytes at the end.

        Raises
        ------
        NotResident : some of it has to be read first
        SysError(EIO) : it could not be read
        """

    def store(self, offset: int, data: bytes, /) -> int:
        """Take content and return how many bytes there was room for."""

    def make_room(self) -> None:
        """Let nobody write faster than the disk.

        Raises
        ------
        NotResident : much waits to be written
        """

    async def write_out(self) -> None:
        """Wait until all that was stored is on the medium, or could not be written."""

    async def sync(self) -> None:
        """As `write_out`, and tell of what could not be written.

        Raises
        ------
        SysError(EIO) : some of it could not be written since the last `sync`
        """


class _Missing:
    """Sectors that are to be read."""

    def __init__(self, disk: Disk, first: int, count: int) -> None:
        self.name = disk.name
        self._disk, self._first, self._count = disk, first, count

    async def load(self, _offset: int) -> None:
        """Read them; that it failed is told to whoever asks for them again."""
        await self._disk.fetch(self._first, self._count)


class _Full:
    """Too much that waits to be written."""

    def __init__(self, disk: Disk) -> None:
        self.name = disk.name
        self._disk = disk

    async def load(self, _offset: int) -> None:
        """Wait until half of it has been."""
        await self._disk.drain(_DIRTY_MOST // 2)


class Disk:
    """A disk and its cache.

    Parameters
    ----------
    name : as in /dev
    drive : its driver
    """

    def __init__(self, name: str, drive: Drive) -> None:
        self.name = name
        self.fs: FileSystem | None = None
        self._drive = drive
        self.size = drive.sectors * SECTOR
        self._whole: OrderedDict[int, bytes] = OrderedDict()
        self._parts: dict[int, tuple[bytearray, int]] = {}
        self._dirty: set[int] = set()
        self._writing: set[int] = set()
        self._unreadable: set[int] = set()
        self._room = _CACHED_MOST
        self._work, self._written = WaitQueue(), WaitQueue()
        self._failed = False

    # -- for file systems

    def load(self, offset: int, size: int) -> bytes:
        """Return content, as `BlockDevice.load`."""
        size = max(min(size, self.size - offset), 0)
        first, end = offset // SECTOR, -(-(offset + size) // SECTOR)
        if not size:
            return b""
        self._room = max(self._room, 2 * (end - first))
        found = []
        for number in range(first, end):
            low = max(offset - number * SECTOR, 0)
            high = min(offset + size - number * SECTOR, SECTOR)
            part = self._known(number, low, high)
            if part is None:
                raise self._miss(number, end)
            found.append(part)
        return b"".join(found)

    def _known(self, number: int, low: int, high: int) -> bytes | None:
        """Return bytes of a sector, if they are in the cache."""
        data = self._whole.get(number)
        if data is not None:
            self._whole.move_to_end(number)
            return data[low:high] if high - low < SECTOR else data
        part, known = self._parts.get(number, (b"", 0))
        wanted = _mask(low, high)
        return bytes(part[low:high]) if known & wanted == wanted else None

    def _miss(self, first: int, end: int) -> Exception:
        """Return what to raise for a sector that is not in the cache."""
        if first in self._unreadable:
            self._unreadable.discard(first)
            return SysError(Errno.EIO, f"{self.name}: sector {first} cannot be read")
        return NotResident(_Missing(self, first, max(end - first, _READ_AHEAD)), first * SECTOR)

    def store(self, offset: int, data: bytes) -> int:
        """Take content, as `BlockDevice.store`."""
        data = data[: max(self.size - offset, 0)]
        done = 0
        while done < len(data):
            number, low = divmod(offset + done, SECTOR)
            piece = data[done : done + SECTOR - low]
            self._put(number, low, piece)
            done += len(piece)
        if done:
            self._work.wake()
        return done

    def _put(self, number: int, low: int, piece: bytes) -> None:
        self._dirty.add(number)
        if len(piece) == SECTOR:
            self._parts.pop(number, None)
            self._whole[number] = bytes(piece)
            return
        known = self._whole.get(number)
        if known is not None:
            self._whole[number] = known[:low] + piece + known[low + len(piece) :]
            return
        part, mask = self._parts.get(number, (bytearray(SECTOR), 0))
        part[low : low + len(piece)] = piece
        mask |= _mask(low, low + len(piece))
        if mask == _ALL:
            self._parts.pop(number, None)
            self._whole[number] = bytes(part)
        else:
            self._parts[number] = part, mask

    def make_room(self) -> None:
        """Let nobody write faster than the disk, as `BlockDevice.make_room`."""
        if len(self._dirty) > _DIRTY_MOST:
            raise NotResident(_Full(self), 0)

    # -- what sleeps

    async def fetch(self, first: int, count: int) -> None:
        """Bring sectors into the cache, those that cannot be read excepted."""
        end = min(first + count, self.size // SECTOR)
        while first < end:
            step = min(end - first, _REQUEST_MOST)
            if not await self._fetch(first, step) and step > 1:
                # The one that is wanted may be sound, and what was read ahead not.
                await self._fetch(first, 1)
                return
            first += step

    async def _fetch(self, first: int, count: int) -> bool:
        try:
            data = await self._drive.read(first, count)
        except SysError:
            if count == 1:
                self._unreadable.add(first)
            return False
        for n in range(count):
            self._arrived(first + n, data[n * SECTOR : (n + 1) * SECTOR])
        self._evict()
        return True

    def _arrived(self, number: int, data: bytes) -> None:
        """Keep a sector of the medium, under what was stored since."""
        self._unreadable.discard(number)
        if number in self._whole:
            return
        part, mask = self._parts.pop(number, (b"", 0))
        if mask:
            data = bytes(
                p if mask >> n & 1 else d for n, (p, d) in enumerate(zip(part, data, strict=True))
            )
        self._whole[number] = data

    def _evict(self) -> None:
        """Forget what was not used for longest, and is on the medium."""
        for _ in range(len(self._whole) - self._room):
            number = next(iter(self._whole))
            if number in self._dirty or number in self._writing:
                self._whole.move_to_end(number)
            else:
                del self._whole[number]

    async def drain(self, most: int = 0) -> None:
        """Wait until at most so many sectors wait to be written; with 0 all are."""
        while len(self._dirty) > most or (not most and self._writing):
            await self._written.wait(uninterruptible=True)

    async def write_out(self) -> None:
        """Wait for the medium."""
        await self.drain()
        try:
            await self._drive.flush()
        except SysError:
            self._failed = True

    async def sync(self) -> None:
        """Wait for the medium, as `BlockDevice.sync`."""
        await self.write_out()
        failed, self._failed = self._failed, False
        if failed:
            raise SysError(Errno.EIO, f"{self.name}: some of it could not be written")

    async def write_behind(self) -> None:
        """Be the thread that writes to the medium what was stored."""
        while True:
            while not self._dirty:
                await self._work.wait(uninterruptible=True)
            await self._write_some()
            self._written.wake_all()

    async def _write_some(self) -> None:
        first = number = min(self._dirty)
        while number in self._dirty and number - first < _REQUEST_MOST:
            if number in self._parts and not await self._fetch(number, 1):
                break
            number += 1
        if number == first:
            self._give_up([first])
            return
        run = range(first, number)
        self._dirty.difference_update(run)
        self._writing.update(run)
        try:
            await self._drive.write(first, b"".join(self._whole[n] for n in run))
        except SysError:
            self._give_up([n for n in run if n not in self._dirty])
        self._writing.clear()

    def _give_up(self, lost: list[int]) -> None:
        """Forget what could not be written, so that readers see what is there."""
        self._failed = True
        for number in lost:
            self._dirty.discard(number)
            self._unreadable.discard(number)
            self._whole.pop(number, None)
            self._parts.pop(number, None)


class Partition:
    """A part of a disk.

    Parameters
    ----------
    first, count : sectors
    """

    def __init__(self, disk: Disk, first: int, count: int) -> None:
        self._disk, self._base = disk, first * SECTOR
        self.size = count * SECTOR
        self.fs: FileSystem | None = None

    def load(self, offset: int, size: int) -> bytes:
        """Return content, as `BlockDevice.load`."""
        return self._disk.load(self._base + offset, max(min(size, self.size - offset), 0))

    def store(self, offset: int, data: bytes) -> int:
        """Take content, as `BlockDevice.store`."""
        return self._disk.store(self._base + offset, data[: max(self.size - offset, 0)])

    def make_room(self) -> None:
        """Let nobody write faster than the disk."""
        self._disk.make_room()

    async def write_out(self) -> None:
        """Wait for the medium."""
        await self._disk.write_out()

    async def sync(self) -> None:
        """Wait for the medium."""
        await self._disk.sync()


def partitions(record: bytes, sectors: int) -> dict[int, tuple[int, int]]:
    """Return the primary partitions of a master boot record: number → (first, count).

    Parameters
    ----------
    record : the first sector of a disk
    sectors : of the disk; what reaches beyond is none, and so is what a boot sector of a volume
        without partitions looks like
    """
    if record[510:512] != _SIGNATURE:
        return {}
    found = {}
    for number in range(4):
        active, kind, first, count = _ENTRY.unpack_from(record, _TABLE + number * _ENTRY.size)
        if active not in {0, 0x80}:
            return {}
        if kind and first and count and first + count <= sectors:
            found[number + 1] = first, count
    return found


def _mask(low: int, high: int) -> int:
    return (1 << high) - (1 << low)
