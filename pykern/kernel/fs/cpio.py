"""cpio archives in the "new ASCII" format, in which an initramfs comes.

====== ==== ==================================================================
offset size field, each number as 8 hexadecimal digits
====== ==== ==================================================================
0      6    magic: 070701, or 070702 with a checksum
6      8    ino; members with the same ino and device are names of one file
14     40   mode, uid, gid, nlink, mtime
54     8    filesize, bytes of the content
62     32   device of the file system; device of a node: major, minor
94     8    namesize, with the zero byte at its end
102    8    check: sum of all bytes of the content
110    –    name, then content, each padded to a multiple of 4 bytes
====== ==== ==================================================================

References
----------
Linux Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5), "New ASCII Format".
"""

from __future__ import annotations

from stat import S_ISREG
from typing import TYPE_CHECKING

from construct import Bytes, Container, Struct

from pykern.kernel.fs.archive import ArchiveError, Member
from pykern.kernel.fs.flags import PATH_MAX
from pykern.kernel.fs.stat import makedev

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAGICS", "CpioReader"]

PLAIN, SUMMED = MAGICS = (b"070701", b"070702")
TRAILER = b"TRAILER!!!"
NUMBERS = (
    "ino", "mode", "uid", "gid", "nlink", "mtime", "filesize", "devmajor", "devminor",
    "rdevmajor", "rdevminor", "namesize", "check",
)  # fmt: skip
Header = Struct("magic" / Bytes(6), *(name / Bytes(8) for name in NUMBERS))
DIGITS = frozenset(b"0123456789abcdefABCDEF")


class CpioReader:
    """One archive.

    Parameters
    ----------
    data : the archive, and perhaps more behind it
    start : where in `data` it begins
    label : what errors call it

    Attributes
    ----------
    end : behind the trailer, once all members were read
    """

    def __init__(self, data: bytes, start: int = 0, *, label: str = "cpio archive") -> None:
        self._data = data
        self._place = start
        self._label = label
        self._names: dict[tuple[int, int, int], bytes] = {}
        self.end = start

    def members(self) -> Iterator[Member]:
        """Return the members in their order.

        Raises
        ------
        ArchiveError : it ends too early, or a field is not what it must be
        """
        while True:
            at = self._place
            header = self._header(at)
            name = self._take(header["namesize"], at, "name", padded_from=at)
            if name[-1:] != b"\0":
                raise self._error(at, f"name ends with {name[-1:]!r}, expected a zero byte")
            name = name[:-1]
            if name == TRAILER:
                self.end = self._place
                return
            data = self._take(header["filesize"], at, "content", padded_from=at)
            self._check(at, header, name, data)
            yield self._member(header, name, data)

    def _header(self, at: int) -> dict[str, int]:
        raw = self._data[at : at + Header.sizeof()]
        if len(raw) < Header.sizeof():
            raise self._error(
                at, f"{len(raw)} bytes left, expected a header of {Header.sizeof()} (TRAILER!!! is"
                " the last member)"
            )  # fmt: skip
        fields: Container = Header.parse(raw)
        if fields.magic not in MAGICS:
            raise self._error(at, f"magic is {fields.magic!r}, expected b'070701' or b'070702'")
        self._place = at + len(raw)
        numbers = {name: self._number(at, name, fields[name]) for name in NUMBERS}
        if not 1 <= numbers["namesize"] <= PATH_MAX:
            raise self._error(at, f"namesize is {numbers['namesize']}, expected 1 to {PATH_MAX}")
        return numbers | {"summed": fields.magic == SUMMED}

    def _number(self, at: int, name: str, digits: bytes) -> int:
        if not DIGITS.issuperset(digits):
            raise self._error(at, f"{name} is {digits!r}, expected 8 hexadecimal digits")
        return int(digits, 16)

    def _take(self, size: int, at: int, what: str, *, padded_from: int) -> bytes:
        taken = self._data[self._place : self._place + size]
        if len(taken) < size:
            raise self._error(at, f"{what} has {size} bytes, only {len(taken)} are left")
        used = self._place + size - padded_from
        self._place = padded_from + (used + 3 & ~3)
        return taken

    def _check(self, at: int, header: dict[str, int], name: bytes, data: bytes) -> None:
        found = sum(data) & 0xFFFFFFFF
        if header["summed"] and S_ISREG(header["mode"]) and found != header["check"]:
            raise self._error(
                at, f"{name!r}: bytes add up to {found:#x}, expected {header['check']:#x}"
            )

    def _member(self, header: dict[str, int], name: bytes, data: bytes) -> Member:
        key = (header["ino"], header["devmajor"], header["devminor"])
        first = None
        if header["nlink"] > 1 and S_ISREG(header["mode"]):
            first = self._names.setdefault(key, name)
        return Member(
            name,
            header["mode"],
            data,
            header["uid"],
            header["gid"],
            header["mtime"],
            makedev(header["rdevmajor"], header["rdevminor"]),
            None if first == name else first,
        )

    def _error(self, at: int, text: str) -> ArchiveError:
        return ArchiveError(f"{self._label}: member at offset {at:#x}: {text}")
