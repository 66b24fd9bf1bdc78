"""vfat: FAT32 volumes with long names, in a file or on a block device (MIC-18, MEL-51).

Names differ in more than case. There are no links, no owners, and no rights but the read-only bit;
what else is asked for is kept while the volume is mounted.

References
----------
Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03. Linux,
Documentation/filesystems/vfat.rst.
"""

from __future__ import annotations

from stat import S_IFDIR, S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.inode import FileSystem, Inode
from pykern.kernel.fs.stat import DirEntry, StatFs
from pykern.kernel.fs.types.fat_names import (
    ARCHIVE,
    DELETED,
    DIRECTORY,
    SLOT,
    Entry,
    check_name,
    encode,
    key_of,
    parse,
    short_name,
)
from pykern.kernel.fs.types.fat_volume import Volume
from pykern.kernel.fs.types.registry import Options, volume_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.types.fat_volume import Content

__all__ = ["FatDirectory", "FatFile", "FatFs", "mount_fat"]

_FILE_MAX = 0xFFFF_FFFF
_MODE = 0o755


class FatFs(FileSystem):
    """A mounted volume.

    Parameters
    ----------
    volume : its tables and clusters
    """

    type_name = "vfat"
    magic = 0x4D44

    def __init__(self, dev: int, now: Callable[[], int], volume: Volume) -> None:
        super().__init__(dev, now)
        self.volume = volume
        self.root = FatDirectory(self, volume.root)

    async def sync(self) -> None:
        """Wait for the device; a volume in a file has none."""
        if self.device is not None:
            await self.device.sync()

    def make_room(self) -> None:
        """Let nobody write faster than the device."""
        if self.device is not None:
            self.device.make_room()

    def statfs(self) -> StatFs:
        """Return the clusters, and how many are free."""
        volume = self.volume
        return StatFs(
            self.magic, volume.cluster_size, volume.clusters, volume.free, volume.free, 0, 0,
            self.dev,
        )  # fmt: skip


class _Node(Inode):
    """What has a chain of clusters, and an entry in a directory; the root has none.

    Attributes
    ----------
    record : its entry in the directory; None once its name is gone
    """

    fs: FatFs

    def __init__(self, fs: FatFs, mode: int, cluster: int, entry: Entry | None = None) -> None:
        super().__init__(fs, mode)
        self.chain = fs.volume.chain(cluster)
        self.record = entry
        self.directory: FatDirectory | None = None
        if entry is not None:
            self.atime_ns = self.mtime_ns = self.ctime_ns = entry.mtime_ns

    @property
    def blocks(self) -> int:
        """Storage in use, in 512 bytes."""
        return len(self.chain) * self.fs.volume.cluster_size // 512

    def grow(self, clusters: int) -> None:
        """Have at least so many clusters, new ones clear.

        Raises
        ------
        SysError(ENOSPC) : those that there were have been added
        """
        while len(self.chain) < clusters:
            after = self.chain[-1] if self.chain else 0
            self.chain.append(self.fs.volume.allocate(after))

    def shrink(self, clusters: int) -> None:
        """Have at most so many clusters."""
        gone, self.chain = self.chain[clusters:], self.chain[:clusters]
        if gone:
            self.fs.volume.release(gone, self.chain[-1] if self.chain else 0)

    def evict(self) -> None:
        """Give back the storage."""
        self.shrink(0)

    def get(self, offset: int, size: int) -> bytes:
        """Return bytes of the chain. Precondition: it is that long."""
        volume, parts = self.fs.volume, []
        while size:
            index, start = divmod(offset, volume.cluster_size)
            step = min(size, volume.cluster_size - start)
            parts.append(volume.read(self.chain[index], start, step))
            offset, size = offset + step, size - step
        return b"".join(parts)

    def put(self, offset: int, data: bytes) -> None:
        """Change bytes of the chain. Precondition: it is that long."""
        volume, view = self.fs.volume, memoryview(data)
        while view:
            index, start = divmod(offset, volume.cluster_size)
            step = min(len(view), volume.cluster_size - start)
            volume.write(self.chain[index], start, bytes(view[:step]))
            offset, view = offset + step, view[step:]

    def save(self) -> None:
        """Write what the directory says of it."""
        if self.record is None or self.directory is None:
            return
        self.record.cluster = self.chain[0] if self.chain else 0
        self.record.size = 0 if self.is_directory() else self.size
        self.record.mtime_ns = self.mtime_ns
        self.directory.rewrite(self.record)


class FatFile(_Node):
    """A regular file."""

    def __init__(self, fs: FatFs, entry: Entry) -> None:
        super().__init__(fs, S_IFREG | _MODE, entry.cluster, entry)
        self._size = min(entry.size, len(self.chain) * fs.volume.cluster_size)

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    def read_at(self, offset: int, size: int) -> bytes:
        """Return content, less than `size` bytes at the end of the file."""
        return self.get(offset, max(0, min(size, self._size - offset)))

    def store(self, offset: int, data: bytes) -> int:
        """Store content as `write_at`, no faster than the device."""
        self.fs.make_room()
        return super().store(offset, data)

    def write_at(self, offset: int, data: bytes) -> int:
        """Store content and return how many bytes there was room for."""
        if not data:
            return 0
        if offset >= _FILE_MAX:
            raise SysError(Errno.EFBIG)
        data = data[: _FILE_MAX - offset]
        self._make_room(offset, offset + len(data))
        room = len(self.chain) * self.fs.volume.cluster_size - offset
        data = data[: max(room, 0)]
        if not data:
            self.shrink(-(-self._size // self.fs.volume.cluster_size))
            raise SysError(Errno.ENOSPC)
        self.put(offset, data)
        self._size = max(self._size, offset + len(data))
        self.modified()
        self.save()
        return len(data)

    def _make_room(self, start: int, end: int) -> None:
        """Have clusters up to `end`, if there are; what is between the end and `start` is zero."""
        size = self.fs.volume.cluster_size
        try:
            self.grow(-(-end // size))
        except SysError as error:
            if error.errno != Errno.ENOSPC:
                raise
        gap = min(start, len(self.chain) * size) - self._size
        if gap > 0:
            self.put(self._size, bytes(min(gap, -self._size % size)))

    def truncate(self, size: int) -> None:
        """Cut the file, or make it longer with zeroes.

        Raises
        ------
        SysError(EFBIG) : 4 GiB and more
        SysError(ENOSPC) : no room for the zeroes; nothing has changed
        """
        if size > _FILE_MAX:
            raise SysError(Errno.EFBIG)
        cluster, before = self.fs.volume.cluster_size, len(self.chain)
        try:
            self.grow(-(-size // cluster))
        except SysError:
            self.shrink(before)
            raise
        if size > self._size:
            self.put(self._size, bytes(min(size - self._size, -self._size % cluster)))
        self.shrink(-(-size // cluster))
        self._size = size
        self.modified()
        self.save()

    def set_times(self, atime_ns: int, mtime_ns: int) -> None:
        """Take new times; the one of changes is kept on the volume."""
        super().set_times(atime_ns, mtime_ns)
        self.save()


class FatDirectory(_Node):
    """A directory; its entries are read when they are first asked for."""

    def __init__(self, fs: FatFs, cluster: int, entry: Entry | None = None) -> None:
        super().__init__(fs, S_IFDIR | _MODE, cluster, entry)
        self._loaded: dict[str, _Node] | None = None
        self._slots: bytearray = bytearray()

    @property
    def size(self) -> int:
        """Bytes of the entries."""
        return len(self.chain) * self.fs.volume.cluster_size

    @property
    def _children(self) -> dict[str, _Node]:
        if self._loaded is None:
            self._slots = bytearray(self.get(0, self.size))
            self._loaded = {}
            for entry in parse(bytes(self._slots)):
                self._adopt(entry, _node(self.fs, entry))
        return self._loaded

    def lookup(self, name: bytes) -> Inode:
        """Return the file of that name."""
        node = self._children.get(key_of(name))
        if node is None:
            raise SysError(Errno.ENOENT)
        return node

    def entries(self) -> Iterable[DirEntry]:
        """Return the names."""
        return [
            DirEntry(node.record.name, node.ino, node.kind)
            for node in self._children.values()
            if node.record is not None
        ]

    def create(self, name: bytes, mode: int) -> Inode:
        """Make a regular file."""
        del mode
        entry = self._new_entry(name, ARCHIVE)
        self._write(entry)
        return self._adopt(entry, FatFile(self.fs, entry))

    def mkdir(self, name: bytes, mode: int) -> Inode:
        """Make a directory with `.` and `..`."""
        del mode
        entry = self._new_entry(name, DIRECTORY)
        entry.cluster = self.fs.volume.allocate()
        try:
            self._write(entry)
        except SysError:
            self.fs.volume.release([entry.cluster])
            raise
        child = FatDirectory(self.fs, entry.cluster, entry)
        child.put(0, _dots(entry, self._number))
        self._adopt(entry, child)
        return child

    def unlink(self, name: bytes) -> None:
        """Take a name away."""
        self._remove(name).unname()

    def rmdir(self, name: bytes) -> None:
        """Take an empty directory away."""
        self._require_empty(name)
        self._remove(name).unname()

    def rename(self, name: bytes, new_parent: Inode, new_name: bytes) -> None:
        """Move; what is in the way goes."""
        assert isinstance(new_parent, FatDirectory)
        check_name(new_name)
        node, victim = self._children[key_of(name)], new_parent._children.get(key_of(new_name))
        assert node.record is not None
        if victim is not None and victim is not node:
            new_parent._require_empty(new_name)
            new_parent._remove(new_name).unname()
        old = node.record
        entry = new_parent._new_entry(new_name, old.attributes)
        entry.cluster, entry.size, entry.mtime_ns = old.cluster, old.size, old.mtime_ns
        new_parent._write(entry)
        self._remove(name)
        new_parent._adopt(entry, node)
        if isinstance(node, FatDirectory):
            node._moved(_dots(entry, new_parent._number))

    def rewrite(self, entry: Entry) -> None:
        """Write the short entry of a file anew."""
        self._store(entry.slot + entry.slots - 1, entry.pack())

    def evict(self) -> None:
        """Give back the storage, which is empty."""
        super().evict()
        self._loaded, self._slots = {}, bytearray()

    # -- inside

    @property
    def _number(self) -> int:
        """The cluster that `..` of a directory in it has: 0 for the root."""
        return 0 if self.record is None else self.chain[0]

    def _moved(self, dots: bytes) -> None:
        """Write the first two slots anew."""
        self.put(0, dots)
        if self._loaded is not None:
            self._slots[: len(dots)] = dots

    def _new_entry(self, name: bytes, attributes: int) -> Entry:
        check_name(name)
        nodes = self._children.values()
        taken = {node.record.short for node in nodes if node.record is not None}
        return Entry(name, short_name(name, taken), attributes, 0, 0, self.fs.now())

    def _adopt(self, entry: Entry, node: _Node) -> _Node:
        assert self._loaded is not None
        self._loaded[key_of(entry.name)] = node
        node.record, node.directory = entry, self
        node.entry = self, entry.name
        if node.is_directory():
            node.parent = self
            self.nlink += 1
        return node

    def _remove(self, name: bytes) -> _Node:
        """Take a name away; who has it keeps its clusters."""
        node = self._children.pop(key_of(name))
        entry = node.record
        assert entry is not None
        for slot in range(entry.slot, entry.slot + entry.slots):
            self._store(slot, bytes([DELETED]))
        node.record = node.directory = None
        if node.is_directory():
            self.nlink -= 1
        self.modified()
        return node

    def _require_empty(self, name: bytes) -> None:
        node = self._children[key_of(name)]
        if isinstance(node, FatDirectory) and node._children:
            raise SysError(Errno.ENOTEMPTY)

    def _write(self, entry: Entry) -> None:
        """Find room for an entry, and write it."""
        data = encode(entry)
        entry.slots = len(data) // SLOT
        entry.slot = self._room(entry.slots)
        self._store(entry.slot, data)
        self.modified()

    def _room(self, count: int) -> int:
        """Return the first of so many free slots in a row; the directory grows for them."""
        run = 0
        total = len(self._slots) // SLOT
        for slot in range(total):
            run = run + 1 if self._slots[slot * SLOT] in {0, DELETED} else 0
            if run == count:
                return slot - count + 1
        size = self.fs.volume.cluster_size
        missing = count - run
        self.grow(len(self.chain) + -(-missing * SLOT // size))
        self._slots.extend(bytes(self.size - len(self._slots)))
        return total - run

    def _store(self, slot: int, data: bytes) -> None:
        self._slots[slot * SLOT : slot * SLOT + len(data)] = data
        self.put(slot * SLOT, data)


def _node(fs: FatFs, entry: Entry) -> _Node:
    return FatDirectory(fs, entry.cluster, entry) if entry.is_directory else FatFile(fs, entry)


def _dots(entry: Entry, parent: int) -> bytes:
    """Return the first two entries of a directory."""
    here = Entry(b".", b".".ljust(11), DIRECTORY, entry.cluster, 0, entry.mtime_ns)
    up = Entry(b"..", b"..".ljust(11), DIRECTORY, parent, 0, entry.mtime_ns)
    return here.pack() + up.pack()


@volume_types.register("vfat")
def mount_fat(content: Content, options: Options, vfs: Vfs) -> FatFs:
    """Return what a volume holds.

    Raises
    ------
    SysError(EINVAL) : an option, or no FAT32 volume
    """
    if options:
        raise SysError(Errno.EINVAL)
    return FatFs(vfs.next_dev(), vfs.now, Volume(content))
