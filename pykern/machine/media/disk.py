"""A hard disk in a file: what a guest writes stays in memory until somebody wants it written back.

The file is opened for reading alone, and never read as a whole: it may be larger than memory.
"""

from __future__ import annotations

import os
import stat
import weakref
from typing import TYPE_CHECKING

from pykern.machine.media.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SECTOR", "DiskImage"]

SECTOR = 512
"""Bytes of a sector."""


class DiskImage:
    """The sectors of a file, and those that were changed.

    Parameters
    ----------
    path : of a file whose size is a multiple of 512 bytes

    Attributes
    ----------
    sectors : how many there are
    changed : sectors as the guest has written them, by number

    Raises
    ------
    MediaError : it cannot be read, or is no whole number of sectors
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # A pipe would wait for its writer.
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            weakref.finalize(self, os.close, self._fd)
            mode = os.fstat(self._fd).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
                raise MediaError(f"{path}: neither a file nor a block device, expected a disk")
            size = os.lseek(self._fd, 0, os.SEEK_END)
        except OSError as error:
            raise MediaError(f"{path}: {error.strerror}") from None
        if not size or size % SECTOR:
            raise MediaError(f"{path}: {size} bytes, expected a multiple of {SECTOR} for a disk")
        self.sectors = size // SECTOR
        self.changed: dict[int, bytes] = {}

    def read(self, lba: int, count: int) -> bytes:
        """Return sectors. Precondition: there are that many.

        Raises
        ------
        OSError : the host cannot read them
        """
        data = os.pread(self._fd, count * SECTOR, lba * SECTOR).ljust(count * SECTOR, b"\0")
        changed = self.changed
        if not changed:
            return data
        parts = [changed.get(lba + n) or data[n * SECTOR : (n + 1) * SECTOR] for n in range(count)]
        return b"".join(parts)

    def write(self, lba: int, data: bytes) -> None:
        """Take whole sectors. Precondition: there are that many."""
        for n in range(len(data) // SECTOR):
            self.changed[lba + n] = bytes(data[n * SECTOR : (n + 1) * SECTOR])

    def write_back(self) -> None:
        """Write to the file what was changed, in place."""
        if not self.changed:
            return
        with self.path.open("r+b") as file:
            for lba, data in sorted(self.changed.items()):
                file.seek(lba * SECTOR)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
