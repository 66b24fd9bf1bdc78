"""Directory entries of FAT: 32 bytes for a short name, and as many before it as a long name takes.

References
----------
Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03: FAT Directory
Structure; FAT Long Directory Entries.
"""

from __future__ import annotations

import calendar
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

__all__ = ["Entry", "check_name", "encode", "key_of", "parse", "short_name"]

SLOT = 32
DIRECTORY, _VOLUME_ID, _LONG, ARCHIVE = 0x10, 0x08, 0x0F, 0x20
DELETED, _END = 0xE5, 0x00
_LONG_LAST = 0x40
_UNITS = 13
_ENTRY = struct.Struct("<11sBBBHHHHHHHI")
_LONG_ENTRY = struct.Struct("<B10sBBB12sH4s")
_LOWER_STEM, _LOWER_EXTENSION = 0x08, 0x10
_FORBIDDEN = frozenset('"*/:<>?\\|')
_SHORT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$%'-_@~`!(){}^#&")
_LONGEST = 255
_NS_PER_S = 1_000_000_000
_FIRST_YEAR = 1980


@dataclass
class Entry:
    """A file as its directory has it.

    Attributes
    ----------
    name : as programs see it
    short : the 11 bytes of the short name
    cluster : the first one; 0: none
    size : bytes; 0 for directories
    mtime_ns : since 1970, two seconds exact
    slot, slots : its first 32 bytes in the directory, and how many there are
    """

    name: bytes
    short: bytes
    attributes: int
    cluster: int
    size: int
    mtime_ns: int
    slot: int = 0
    slots: int = 1

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return bool(self.attributes & DIRECTORY)

    def pack(self) -> bytes:
        """Return the 32 bytes of the short name."""
        time, date = _fat_time(self.mtime_ns)
        return _ENTRY.pack(
            self.short, self.attributes, 0, 0, time, date, date, self.cluster >> 16, time, date,
            self.cluster & 0xFFFF, self.size,
        )  # fmt: skip


def parse(data: bytes) -> Iterator[Entry]:
    """Return the files that a directory names, without `.`, `..` and the volume's own name."""
    long: list[bytes] = []
    for slot in range(len(data) // SLOT):
        raw = data[slot * SLOT : (slot + 1) * SLOT]
        if raw[0] == _END:
            return
        if raw[0] == DELETED:
            long = []
        elif raw[11] & 0x3F == _LONG:
            if raw[0] & _LONG_LAST:
                long = []
            long.append(raw)
        else:
            entry = _entry(raw, long, slot)
            long = []
            if not entry.attributes & _VOLUME_ID and entry.name not in {b".", b".."}:
                yield entry


def _entry(raw: bytes, long: list[bytes], slot: int) -> Entry:
    short, attributes, case, _, _, _, _, high, time, date, low, size = _ENTRY.unpack(raw)
    name = _long_name(long, short)
    slots = 1 + len(long) if name is not None else 1
    return Entry(
        _short_text(short, case) if name is None else name,
        short,
        attributes,
        high << 16 | low,
        0 if attributes & DIRECTORY else size,
        _time_ns(time, date),
        slot - slots + 1,
        slots,
    )


def _long_name(long: list[bytes], short: bytes) -> bytes | None:
    """Return the long name, unless there is none or it is another file's."""
    wanted = list(range(len(long), 0, -1))
    if not long or [raw[0] & ~_LONG_LAST for raw in long] != wanted:
        return None
    if any(raw[13] != _checksum(short) for raw in long):
        return None
    units = b"".join(raw[1:11] + raw[14:26] + raw[28:32] for raw in reversed(long))
    text = units.decode("utf-16-le", "surrogatepass").split("\0", 1)[0]
    return text.encode("utf-8", "surrogatepass")


def _short_text(short: bytes, case: int) -> bytes:
    if short[0] == 0x05:
        short = b"\xe5" + short[1:]
    stem, extension = short[:8].rstrip(b" "), short[8:].rstrip(b" ")
    stem = stem.lower() if case & _LOWER_STEM else stem
    extension = extension.lower() if case & _LOWER_EXTENSION else extension
    whole = stem + b"." + extension if extension else stem
    return whole.decode("cp437").encode()


def key_of(name: bytes) -> str:
    """Return what two names have in common that are one to FAT: they differ in case only."""
    return name.decode("utf-8", "surrogateescape").upper()


def check_name(name: bytes) -> None:
    """Refuse what cannot be a name.

    Raises
    ------
    SysError(EINVAL) : a forbidden character, no UTF-8, or a dot or blank at the end
    SysError(ENAMETOOLONG) : more than 255 units of UTF-16
    """
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise SysError(Errno.EINVAL, "no UTF-8") from None
    if any(c in _FORBIDDEN or c < " " for c in text) or text[-1:] in {".", " "}:
        raise SysError(Errno.EINVAL, f"{text!r} is no name on a FAT volume")
    if len(text.encode("utf-16-le")) > 2 * _LONGEST:
        raise SysError(Errno.ENAMETOOLONG)


def short_name(name: bytes, taken: Container[bytes]) -> bytes:
    """Return a short name that nobody has for a name."""
    stem, _, extension = name.upper().rpartition(b".")
    if not stem:
        stem, extension = extension, b""
    plain = [bytes(c for c in part if c in _SHORT) for part in (stem, extension)]
    short = plain[0][:8].ljust(8) + plain[1][:3].ljust(3)
    fits = plain == [stem, extension] and len(stem) <= 8 and len(extension) <= 3
    if fits and short not in taken:
        return short
    number = 1
    while True:
        tail = b"~%d" % number
        short = (plain[0][: 8 - len(tail)] + tail).ljust(8) + plain[1][:3].ljust(3)
        if short not in taken:
            return short
        number += 1


def encode(entry: Entry) -> bytes:
    """Return the bytes of an entry, long name and all."""
    if entry.name == _short_text(entry.short, 0):
        return entry.pack()
    units = entry.name.decode().encode("utf-16-le")
    count = -(-len(units) // (2 * _UNITS))
    if len(units) < count * 2 * _UNITS:
        units = (units + b"\0\0").ljust(count * 2 * _UNITS, b"\xff")
    checksum = _checksum(entry.short)
    slots = []
    for number in range(count, 0, -1):
        part = units[(number - 1) * 2 * _UNITS : number * 2 * _UNITS]
        order = number | (_LONG_LAST if number == count else 0)
        slots.append(
            _LONG_ENTRY.pack(order, part[:10], _LONG, 0, checksum, part[10:22], 0, part[22:])
        )
    return b"".join(slots) + entry.pack()


def _checksum(short: bytes) -> int:
    total = 0
    for byte in short:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    return total


def _fat_time(ns: int) -> tuple[int, int]:
    """Return time and date; what is before 1980 is 1980."""
    when = datetime.fromtimestamp(ns // _NS_PER_S, UTC)
    if when.year < _FIRST_YEAR:
        return 0, 1 << 5 | 1
    date = (when.year - _FIRST_YEAR & 0x7F) << 9 | when.month << 5 | when.day
    return when.hour << 11 | when.minute << 5 | when.second // 2, date


def _time_ns(time: int, date: int) -> int:
    year, month, day = (date >> 9) + _FIRST_YEAR, date >> 5 & 15, date & 31
    clock = (time >> 11, time >> 5 & 63, (time & 31) * 2)
    return calendar.timegm((year, max(month, 1), max(day, 1), *clock)) * _NS_PER_S
