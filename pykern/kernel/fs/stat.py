"""What stat and statfs tell; how it lies in memory is the business of an ABI.

References
----------
POSIX.1-2024, <sys/stat.h>, <sys/statvfs.h>.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["DirEntry", "Stat", "StatFs", "major", "makedev", "minor"]


@dataclass(frozen=True, slots=True)
class Stat:
    """Attributes of a file; times in ns since the epoch, `blocks` in 512 bytes."""

    dev: int
    ino: int
    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    blksize: int
    blocks: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class StatFs:
    """Attributes of a file system; sizes in blocks of `bsize` bytes."""

    type: int
    bsize: int
    blocks: int
    bfree: int
    bavail: int
    files: int
    ffree: int
    fsid: int
    namelen: int = 255
    flags: int = 0


class DirEntry(NamedTuple):
    """One name in a directory; `kind` is the `S_IFMT` part of the mode."""

    name: bytes
    ino: int
    kind: int


def makedev(major: int, minor: int) -> int:
    """Return the device number, as user programs see it.

    References
    ----------
    Linux include/linux/kdev_t.h, new_encode_dev().
    """
    return minor & 0xFF | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12


def major(dev: int) -> int:
    """Return the number of the driver."""
    return dev >> 8 & 0xFFF


def minor(dev: int) -> int:
    """Return the number of the device of its driver."""
    return dev & 0xFF | dev >> 12 & ~0xFF
