"""Files of the target that gdb reads: vFile.

Numbers are hexadecimal in both directions; a structure is big-endian.

References
----------
Debugging with GDB, File-I/O Remote Protocol Extension: Protocol-specific Representation of
Datatypes; Host I/O Packets.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gdbstub.replies import MOST_HEX, UNSUPPORTED
from gdbstub.requests import RequestError, fields, number, text_of
from gdbstub.target import SupportsFiles, SupportsLinks

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub.session import Session

_ENOENT, _EBADF, _EMFILE, _EINVAL, _EROFS = 2, 9, 24, 22, 30
_ACCESS_MODE, _READ_ONLY = 3, 0
_MOST_FILES = 64
_REGULAR_READABLE = 0o100444
_BLOCK = 512
# st_dev st_ino st_mode st_nlink st_uid st_gid st_rdev st_size st_blksize st_blocks st_*time
_STAT = struct.Struct(">7I3Q3I")


class _FileError(Exception):
    """What the operation gives as its errno."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


def operation(session: Session, rest: bytes) -> bytes:
    """vFile:OPERATION:ARGUMENTS."""
    name, _, arguments = rest.removeprefix(b":").partition(b":")
    function = _OPERATIONS.get(name)
    if function is None or not isinstance(session.target, SupportsFiles):
        return UNSUPPORTED
    try:
        return function(session, arguments)
    except _FileError as error:
        return b"F-1,%x" % error.errno
    except RequestError:
        return b"F-1,%x" % _EINVAL


def _set_file_system(_session: Session, arguments: bytes) -> bytes:
    """Every process sees the same files."""
    number(arguments)
    return b"F0"


def _open(session: Session, arguments: bytes) -> bytes:
    name, flags, _mode = fields(arguments, 3)
    contents = _contents(session, text_of(name))
    if number(flags) & _ACCESS_MODE != _READ_ONLY:
        raise _FileError(_EROFS)
    if len(session.files) >= _MOST_FILES:
        raise _FileError(_EMFILE)
    fd = next(n for n in range(_MOST_FILES) if n not in session.files)
    session.files[fd] = contents
    return b"F%x" % fd


def _contents(session: Session, path: str) -> bytes:
    assert isinstance(session.target, SupportsFiles)
    try:
        return session.target.open_file(path)
    except FileNotFoundError:
        raise _FileError(_ENOENT) from None


def _file(session: Session, text: bytes) -> bytes:
    contents = session.files.get(number(text))
    if contents is None:
        raise _FileError(_EBADF)
    return contents


def _pread(session: Session, arguments: bytes) -> bytes:
    fd, count, offset = fields(arguments, 3)
    start, size = number(offset), min(number(count), MOST_HEX)
    data = _file(session, fd)[start : start + size]
    return b"F%x;%b" % (len(data), data)


def _close(session: Session, arguments: bytes) -> bytes:
    _file(session, arguments)
    del session.files[number(arguments)]
    return b"F0"


def _stat_reply(contents: bytes) -> bytes:
    size = len(contents)
    blocks = -(-size // _BLOCK)
    record = _STAT.pack(0, 0, _REGULAR_READABLE, 1, 0, 0, 0, size, _BLOCK, blocks, 0, 0, 0)
    return b"F%x;%b" % (len(record), record)


def _fstat(session: Session, arguments: bytes) -> bytes:
    return _stat_reply(_file(session, arguments))


def _stat(session: Session, arguments: bytes) -> bytes:
    return _stat_reply(_contents(session, text_of(arguments)))


def _readlink(session: Session, arguments: bytes) -> bytes:
    path = text_of(arguments)
    if not isinstance(session.target, SupportsLinks):
        raise _FileError(_ENOENT)
    try:
        where = session.target.read_link(path).encode("utf-8", "surrogateescape")
    except FileNotFoundError:
        raise _FileError(_ENOENT) from None
    return b"F%x;%b" % (len(where), where)


_OPERATIONS: dict[bytes, Callable[[Session, bytes], bytes]] = {
    b"setfs": _set_file_system,
    b"open": _open,
    b"pread": _pread,
    b"close": _close,
    b"fstat": _fstat,
    b"stat": _stat,
    b"lstat": _stat,
    b"readlink": _readlink,
}
