"""Structures of Linux on x86-64, as they lie in user memory.

References
----------
Linux, arch/x86/include/uapi/asm/stat.h, include/uapi/asm-generic/statfs.h,
include/uapi/linux/stat.h.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.kernel.fs.stat import Stat, StatFs

_STAT = struct.Struct("<QQQIIIIQqqqqqqqqq24x")
_STATFS = struct.Struct("<qqqqqqqqqqq32x")
_STATX = struct.Struct("<IIQIIIH2xQQQQqIiqIiqIiqIiIIII112x")
_STATX_BASIC = 0x7FF
_NS_PER_S = 1_000_000_000
_MINOR_LOW, _MINOR_HIGH = 0xFF, 0xFFF00


def pack_stat(stat: Stat) -> bytes:
    """Return a struct stat."""
    times = [
        part
        for ns in (stat.atime_ns, stat.mtime_ns, stat.ctime_ns)
        for part in divmod(ns, _NS_PER_S)
    ]
    return _STAT.pack(
        stat.dev,
        stat.ino,
        stat.nlink,
        stat.mode,
        stat.uid,
        stat.gid,
        0,
        stat.rdev,
        stat.size,
        stat.blksize,
        stat.blocks,
        *times,
    )


def pack_statfs(fs: StatFs) -> bytes:
    """Return a struct statfs."""
    return _STATFS.pack(
        fs.type, fs.bsize, fs.blocks, fs.bfree, fs.bavail, fs.files, fs.ffree, fs.fsid,
        fs.namelen, fs.bsize, fs.flags,
    )  # fmt: skip


def _split(dev: int) -> tuple[int, int]:
    """Return major and minor of a device number."""
    return dev >> 8 & 0xFFF, dev & _MINOR_LOW | dev >> 12 & _MINOR_HIGH


def pack_statx(stat: Stat) -> bytes:
    """Return a struct statx with the basic attributes."""
    times: list[int] = []
    for ns in (stat.atime_ns, 0, stat.ctime_ns, stat.mtime_ns):
        seconds, rest = divmod(ns, _NS_PER_S)
        times += [seconds, rest, 0]
    return _STATX.pack(
        _STATX_BASIC, stat.blksize, 0, stat.nlink, stat.uid, stat.gid, stat.mode,
        stat.ino, stat.size, stat.blocks, 0, *times, *_split(stat.rdev), *_split(stat.dev),
    )  # fmt: skip
