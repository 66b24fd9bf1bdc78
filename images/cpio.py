"""Write a cpio archive in the `newc` format, which Linux and pykern take as initrd.

The same files give the same bytes: inode numbers count from 1, owner is root, dates are fixed.

References
----------
Linux, Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5), New ASCII Format.
"""

from __future__ import annotations

import posixpath
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAGIC = "070701"
_TRAILER = "TRAILER!!!"
_BLOCK = 512


@dataclass(frozen=True)
class Member:
    """A file of the archive.

    Attributes
    ----------
    path : absolute or relative; stored without the leading slash
    data : contents, or the target of a symbolic link
    mode : file type and permission bits as in st_mode
    """

    path: str
    data: bytes
    mode: int = stat.S_IFREG | 0o644


def archive(members: Iterable[Member], mtime: int) -> bytes:
    """Return an archive of the members and of the directories they are in, sorted by path.

    Parameters
    ----------
    mtime : date of every member, seconds since 1970

    Raises
    ------
    ValueError : two members have one path, or a file is another's directory
    """
    files: dict[str, Member] = {}
    for member in members:
        path = member.path.strip("/")
        if path in files:
            raise ValueError(f"/{path} is there twice")
        files[path] = Member(path, member.data, member.mode)
    folders = {parent for path in files for parent in _parents(path)}
    for folder in folders:
        given = files.get(folder)
        if given is not None and not stat.S_ISDIR(given.mode):
            raise ValueError(f"/{folder} is a file and a directory")
        files[folder] = given or Member(folder, b"", stat.S_IFDIR | 0o755)
    parts = [_record(files[path], ino, mtime) for ino, path in enumerate(sorted(files), 1)]
    whole = b"".join([*parts, _record(Member(_TRAILER, b"", 0), 0, 0)])
    return whole + bytes(-len(whole) % _BLOCK)


def _parents(path: str) -> list[str]:
    parents = []
    while path := posixpath.dirname(path):
        parents.append(path)
    return parents


def _record(member: Member, ino: int, mtime: int) -> bytes:
    name = member.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(member.mode) else 1
    fields = (ino, member.mode, 0, 0, links, mtime, len(member.data), 0, 0, 0, 0, len(name), 0)
    header = (_MAGIC + "".join(f"{value:08x}" for value in fields)).encode()
    return _padded(header + name) + _padded(member.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
