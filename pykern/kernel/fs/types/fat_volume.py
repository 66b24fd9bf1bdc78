"""A FAT32 volume: its boot sector, its tables, its clusters.

All changes go to the volume at once, to every copy of the table, so that it can be read elsewhere
at any time. The table is kept in memory as well.

References
----------
Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03: Boot Sector and BPB
Structure; FAT Data Structure; FAT32 FSInfo Sector Structure.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.errno import Errno, SysError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Content", "Volume"]

FIRST_CLUSTER = 2
END_OF_CHAIN, _BAD, _MASK = 0x0FFF_FFF8, 0x0FFF_FFF7, 0x0FFF_FFFF
_LAST = 0x0FFF_FFFF
_BPB = struct.Struct("<11xHBHBHHxH")
_BPB32 = struct.Struct("<32xII4xIH")
_SIGNATURE_AT, _SIGNATURE = 510, b"\x55\xaa"
_INFO_LEAD, _INFO_STRUCT = 0x4161_5252, 0x6141_7272
_INFO_FREE_AT = 488
_ENTRY_SIZE = 4
FAT32_LEAST = 65525
"""Clusters of the smallest volume that is FAT32, and not FAT16."""


class Content(Protocol):
    """What holds a volume: a file, or a block device; an inode is one."""

    @property
    def size(self) -> int:
        """Bytes."""

    def load(self, offset: int, size: int, /) -> bytes:
        """Return content."""

    def store(self, offset: int, data: bytes, /) -> int:
        """Store content."""


@dataclass(frozen=True)
class _Geometry:
    """Where things are, in bytes."""

    cluster: int
    tables: tuple[int, ...]
    table_size: int
    data: int
    clusters: int
    root: int
    info: int


class Volume:
    """A volume that is mounted.

    Parameters
    ----------
    content : where it lies

    Raises
    ------
    SysError(EINVAL) : it is no FAT32 volume; `detail` says what was found
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._at = geometry = _read_geometry(content)
        self.cluster_size, self.root = geometry.cluster, geometry.root
        self.clusters = geometry.clusters
        raw = content.load(geometry.tables[0], (self.clusters + FIRST_CLUSTER) * _ENTRY_SIZE)
        self._table = array("I", raw)
        self.free = sum(1 for entry in self._table[FIRST_CLUSTER:] if not entry & _MASK)
        self._hint = FIRST_CLUSTER

    # -- clusters

    def read(self, cluster: int, offset: int, size: int) -> bytes:
        """Return a part of one cluster."""
        return self._content.load(self._place(cluster) + offset, size)

    def write(self, cluster: int, offset: int, data: bytes) -> None:
        """Change a part of one cluster."""
        self._content.store(self._place(cluster) + offset, data)

    def chain(self, first: int) -> list[int]:
        """Return the clusters of a chain that begins at `first`; 0: none.

        Raises
        ------
        SysError(EIO) : it leads out of the volume, or in a circle
        """
        chain: list[int] = []
        cluster = first
        while cluster and cluster < END_OF_CHAIN:
            inside = FIRST_CLUSTER <= cluster < self.clusters + FIRST_CLUSTER
            if not inside or len(chain) > self.clusters:
                raise SysError(Errno.EIO, f"cluster {cluster:#x} of {self.clusters} in a chain")
            chain.append(cluster)
            cluster = self._table[cluster] & _MASK
        return chain

    def allocate(self, after: int = 0) -> int:
        """Take a free cluster, clear it, and put it behind another one; 0: behind none.

        Raises
        ------
        SysError(ENOSPC) : none is free
        """
        if not self.free:
            raise SysError(Errno.ENOSPC)
        end = self.clusters + FIRST_CLUSTER
        cluster = self._hint
        while self._table[cluster] & _MASK:
            cluster = cluster + 1 if cluster + 1 < end else FIRST_CLUSTER
        self._set(cluster, _LAST)
        if after:
            self._set(after, cluster)
        self.free -= 1
        self._hint = cluster + 1 if cluster + 1 < end else FIRST_CLUSTER
        self._write_info()
        self.write(cluster, 0, bytes(self.cluster_size))
        return cluster

    def release(self, chain: Sequence[int], last: int = 0) -> None:
        """Give clusters back; `last` is where the chain ends from now on, if some of it stays."""
        if last:
            self._set(last, _LAST)
        for cluster in chain:
            self._set(cluster, 0)
        self.free += len(chain)
        if chain:
            self._write_info()

    # -- inside

    def _place(self, cluster: int) -> int:
        return self._at.data + (cluster - FIRST_CLUSTER) * self.cluster_size

    def _set(self, cluster: int, value: int) -> None:
        """Change an entry of all tables; its upper four bits stay."""
        entry = self._table[cluster] & ~_MASK & 0xFFFF_FFFF | value
        self._table[cluster] = entry
        for table in self._at.tables:
            self._content.store(table + cluster * _ENTRY_SIZE, entry.to_bytes(4, "little"))

    def _write_info(self) -> None:
        """Tell others how many clusters are free, and where to look for one."""
        info = self._at.info
        if info:
            self._content.store(info + _INFO_FREE_AT, struct.pack("<II", self.free, self._hint))


def _read_geometry(content: Content) -> _Geometry:
    raw = content.load(0, 512)
    if len(raw) < 512 or raw[_SIGNATURE_AT:] != _SIGNATURE:
        raise SysError(Errno.EINVAL, "FAT: no boot sector, expected 55 AA at its end")
    sector, per_cluster, reserved, copies, root_entries, total16, size16 = _BPB.unpack_from(raw)
    total32, size32, root, info = _BPB32.unpack_from(raw)
    if sector not in {512, 1024, 2048, 4096} or not per_cluster or not copies:
        raise SysError(Errno.EINVAL, f"FAT: {sector} bytes/sector, {per_cluster} sectors/cluster")
    if size16 or root_entries or not size32:
        raise SysError(Errno.EINVAL, "FAT: a FAT12 or FAT16 volume, expected FAT32")
    data = reserved + copies * size32
    clusters = min(((total32 or total16) - data) // per_cluster, size32 * sector // 4 - 2)
    if clusters <= 0 or (data + clusters * per_cluster) * sector > content.size:
        raise SysError(
            Errno.EINVAL, f"FAT: {clusters} clusters, the volume has {content.size} bytes"
        )
    return _Geometry(
        cluster=per_cluster * sector,
        tables=tuple((reserved + copy * size32) * sector for copy in range(copies)),
        table_size=size32 * sector,
        data=data * sector,
        clusters=clusters,
        root=root,
        info=_info_at(content, info, reserved, sector),
    )


def _info_at(content: Content, info: int, reserved: int, sector: int) -> int:
    """Return where the FSInfo sector is; 0: there is none."""
    if not 0 < info < reserved:
        return 0
    raw = content.load(info * sector, 512)
    lead, struct_ = struct.unpack_from("<I480xI", raw)
    return info * sector if (lead, struct_) == (_INFO_LEAD, _INFO_STRUCT) else 0
