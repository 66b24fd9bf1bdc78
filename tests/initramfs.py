"""An initial RAM file system for Linux, from Python data.

References
----------
The Linux Kernel documentation, initramfs buffer format: newc headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A file of any kind.

    Attributes
    ----------
    name : path from the root, without a leading slash
    mode : type and permissions, as `st_mode`
    data : contents; of a symbolic link, its target
    device : major and minor number of a device file
    """

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def _record(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    fields = (
        number,
        entry.mode,
        *(0, 0, 1, 0),  # uid, gid, links, modification time
        len(entry.data),
        *(0, 0),  # the device that the file is on
        *entry.device,
        len(name),
        0,  # checksum
    )
    header = _MAGIC + b"".join(b"%08X" % value for value in fields) + name
    return _padded(header) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def archive(entries: list[Entry]) -> bytes:
    """Return a cpio archive of the entries, parents first."""
    records = list(starmap(_record, enumerate(entries, 1)))
    return b"".join(records) + _record(0, Entry(_TRAILER, 0))
