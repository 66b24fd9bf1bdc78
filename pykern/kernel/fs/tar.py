"""tar archives: ustar, pax and GNU, read by the standard library.

References
----------
POSIX.1-2024, pax, "ustar Interchange Format" and "pax Interchange Format".
"""

from __future__ import annotations

import io
import tarfile
from stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.fs.archive import ArchiveError, Member
from pykern.kernel.fs.stat import makedev

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAGIC", "MAGIC_OFFSET", "read_tar"]

MAGIC, MAGIC_OFFSET = b"ustar", 257

KINDS = {
    tarfile.REGTYPE: S_IFREG, tarfile.AREGTYPE: S_IFREG, tarfile.CONTTYPE: S_IFREG,
    tarfile.LNKTYPE: S_IFREG, tarfile.SYMTYPE: S_IFLNK, tarfile.DIRTYPE: S_IFDIR,
    tarfile.CHRTYPE: S_IFCHR, tarfile.BLKTYPE: S_IFBLK, tarfile.FIFOTYPE: S_IFIFO,
    tarfile.GNUTYPE_SPARSE: S_IFREG,
}  # fmt: skip

# What the library raises on archives that are damaged.
DAMAGE = (tarfile.TarError, EOFError, ValueError, OverflowError, IndexError, OSError)


def read_tar(data: bytes, *, label: str = "tar archive") -> Iterator[Member]:
    """Return the members in their order.

    Raises
    ------
    ArchiveError : it ends too early, a field is not what it must be, or a type is unknown
    """
    place = 0
    try:
        with tarfile.open(
            fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for info in archive:
                place = info.offset
                yield _member(archive, info, label)
    except ArchiveError:
        raise
    except DAMAGE as error:
        raise ArchiveError(f"{label}: member at or behind offset {place:#x}: {error}") from error


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, label: str) -> Member:
    kind = KINDS.get(info.type)
    name = _bytes(info.name)
    if kind is None:
        raise ArchiveError(
            f"{label}: member {name!r} at offset {info.offset:#x}: type is {info.type!r},"
            " expected a file, directory, link, device or FIFO"
        )
    return Member(
        name,
        kind | info.mode & 0o7777,
        _content(archive, info),
        max(info.uid, 0),
        max(info.gid, 0),
        int(info.mtime),
        makedev(info.devmajor, info.devminor),
        _bytes(info.linkname) if info.islnk() else None,
    )


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if info.issym():
        return _bytes(info.linkname)
    if not info.isreg():
        return b""
    file = archive.extractfile(info)
    assert file is not None
    data = file.read()
    if len(data) < info.size:
        raise EOFError(f"{info.name!r} has {info.size} bytes, only {len(data)} are left")
    return data


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
