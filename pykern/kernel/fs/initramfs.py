"""Initial files: cpio or tar archives, plain or compressed, unpacked into a file system.

Archives may follow one another, with zeroes between them, as boot loaders join them.

References
----------
Linux Documentation/driver-api/early-userspace/buffer-format.rst; RFC 1952 (gzip).
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import replace
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import cpio, entries, tar
from pykern.kernel.fs.archive import ArchiveError, Member
from pykern.kernel.fs.path import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.inode import Inode

__all__ = ["SIZE_MAX", "members", "unpack"]

# What one archive may unpack to, bytes, unless the caller says otherwise.
SIZE_MAX = 1 << 30
NS_PER_S = 1_000_000_000
UNREADABLE = {
    b"070707": "a cpio archive in the old format; `cpio -H newc` writes the new one",
    b"\xc7\x71": "a cpio archive in the binary format; `cpio -H newc` writes the new one",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; gzip, bzip2 and xz are read",
    b"\x02\x21\x4c\x18": "compressed by lz4; gzip, bzip2 and xz are read",
    b"\x89LZO": "compressed by lzop; gzip, bzip2 and xz are read",
}


class Decompressor(Protocol):
    """What the decompressors of the standard library have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed data was seen."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the compressed data."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most so many bytes."""
        ...


DECOMPRESSORS: dict[bytes, tuple[str, Callable[[], Decompressor]]] = {
    b"\x1f\x8b": ("gzip", lambda: zlib.decompressobj(wbits=31)),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\0": ("xz", lzma.LZMADecompressor),
}


def unpack(
    ctx: FsContext, archive: bytes, *, label: str = "initrd", size_max: int = SIZE_MAX
) -> int:
    """Make the files of an archive below the root, and return how many members there were.

    Permissions, owners and times are those of the archive; directories that it forgot are made, and
    what has the name already is replaced.

    Parameters
    ----------
    label : what errors call it
    size_max : bytes that it may decompress to

    Raises
    ------
    ArchiveError : it cannot be read, or a file cannot be made; names the member and the reason
    """
    ctx = replace(ctx, uid=0, umask=0)
    count = 0
    directories: list[tuple[Inode, int]] = []
    for member in members(archive, label=label, size_max=size_max):
        count += 1
        try:
            inode = _place(ctx, member)
        except SysError as error:
            raise ArchiveError(f"{label}: {member.name!r}: {error.errno.name}") from error
        if inode.is_directory():
            directories.append((inode, member.mtime_s))
    # Last, because each new name in a directory sets its times.
    for inode, mtime_s in directories:
        inode.set_times(mtime_s * NS_PER_S, mtime_s * NS_PER_S)
    return count


def members(archive: bytes, *, label: str = "initrd", size_max: int = SIZE_MAX) -> Iterator[Member]:
    """Return the members of all archives in `archive`.

    Raises
    ------
    ArchiveError : it cannot be read
    """
    at = _skip_zeroes(archive, 0)
    while at < len(archive):
        if archive.startswith(cpio.MAGICS, at):
            reader = cpio.CpioReader(archive, at, label=label)
            yield from reader.members()
            at = reader.end
        elif (magic := _compression(archive, at)) is not None:
            inner, rest = _decompress(archive[at:], magic, label, at, size_max)
            yield from members(inner, label=label, size_max=size_max)
            archive, at = rest, 0
        elif archive.startswith(tar.MAGIC, at + tar.MAGIC_OFFSET):
            yield from tar.read_tar(archive[at:], label=label)
            return
        else:
            raise _unknown(archive, at, label)
        at = _skip_zeroes(archive, at)


def _skip_zeroes(archive: bytes, at: int) -> int:
    while at < len(archive) and not archive[at]:
        at += 1
    return at


def _compression(archive: bytes, at: int) -> bytes | None:
    return next((magic for magic in DECOMPRESSORS if archive.startswith(magic, at)), None)


def _decompress(
    data: bytes, magic: bytes, label: str, at: int, size_max: int
) -> tuple[bytes, bytes]:
    """Return the content, and what follows the compressed data."""
    name, make = DECOMPRESSORS[magic]
    decompressor = make()
    try:
        content = decompressor.decompress(data, size_max + 1)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError) as error:
        raise ArchiveError(f"{label}: {name} data at offset {at:#x}: {error}") from error
    if len(content) > size_max:
        raise ArchiveError(
            f"{label}: {name} data at offset {at:#x}: more than {size_max} bytes when decompressed"
        )
    if not decompressor.eof:
        raise ArchiveError(f"{label}: {name} data at offset {at:#x}: it ends too early")
    if _compression(content, 0) is not None:
        raise ArchiveError(f"{label}: {name} data at offset {at:#x}: compressed more than once")
    return content, decompressor.unused_data


def _unknown(archive: bytes, at: int, label: str) -> ArchiveError:
    found = next((text for magic, text in UNREADABLE.items() if archive.startswith(magic, at)), "")
    return ArchiveError(
        f"{label}: at offset {at:#x}: found {found or archive[at : at + 8]!r},"
        " expected a cpio archive (070701) or a tar archive (ustar)"
    )


# --- making the files ----------------------------------------------------------------------------


def _place(ctx: FsContext, member: Member) -> Inode:
    """Make one file and return it."""
    name = b"/" + member.name.strip(b"/")
    kind = S_IFMT(member.mode) or S_IFREG
    _make_parents(ctx, name)
    inode = _find(ctx, name)
    if inode is None or not inode.is_directory() or kind != S_IFDIR:
        if inode is not None:
            entries.unlink(ctx, name)
        inode = _make(ctx, name, kind, member)
    inode.set_owner(member.uid, member.gid)
    if kind != S_IFLNK:
        inode.set_mode(member.mode)
    inode.set_times(member.mtime_s * NS_PER_S, member.mtime_s * NS_PER_S)
    return inode


def _make(ctx: FsContext, name: bytes, kind: int, member: Member) -> Inode:
    if kind == S_IFDIR:
        return entries.mkdir(ctx, name, member.mode).inode
    if kind == S_IFLNK:
        return entries.symlink(ctx, member.data, name).inode
    if member.link is None:
        inode = entries.mknod(ctx, name, kind | member.mode & 0o7777, member.rdev).inode
    else:
        first = walk(ctx, b"/" + member.link.strip(b"/"), follow=False)
        entries.link(ctx, first, name)
        inode = first.inode
    if kind == S_IFREG and member.data and inode.write_at(0, member.data) < len(member.data):
        raise SysError(Errno.ENOSPC)
    return inode


def _make_parents(ctx: FsContext, name: bytes) -> None:
    parents = name.split(b"/")[1:-1]
    if not parents or _find(ctx, b"/" + b"/".join(parents)) is not None:
        return
    for depth in range(1, len(parents) + 1):
        directory = b"/" + b"/".join(parents[:depth])
        if _find(ctx, directory) is None:
            entries.mkdir(ctx, directory, 0o755)


def _find(ctx: FsContext, name: bytes) -> Inode | None:
    try:
        return walk(ctx, name, follow=False).inode
    except SysError as error:
        if error.errno == Errno.ENOENT:
            return None
        raise
