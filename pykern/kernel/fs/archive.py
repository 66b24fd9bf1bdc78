"""Members of an archive, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ArchiveError", "Member"]


class ArchiveError(ValueError):
    """An archive that cannot be read: what was found, where, and what was expected."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file.

    Attributes
    ----------
    name : path relative to the root
    mode : type and permissions
    data : content, or the target of a symbolic link
    link : name of the member that this is another name of; None: it is a file of its own
    """

    name: bytes
    mode: int
    data: bytes = b""
    uid: int = 0
    gid: int = 0
    mtime_s: int = 0
    rdev: int = 0
    link: bytes | None = None
