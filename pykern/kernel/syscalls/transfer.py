"""Reading and writing many buffers at a place, and moving bytes from file to file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import splice as moving
from pykern.kernel.fs.flags import O_APPEND
from pykern.kernel.fs.pipe import PipeFile
from pykern.kernel.syscalls.arguments import Fd, Int, Long, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.io import MAX_RW_COUNT, read_vector, transfer

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File
    from pykern.kernel.task.thread import UserThread

_HIPRI, _DSYNC, _SYNC, _NOWAIT, _APPEND = 1, 2, 4, 8, 0x10
_RWF = _HIPRI | _DSYNC | _SYNC | _NOWAIT | _APPEND
_SPLICE_NONBLOCK, _SPLICE_ALL = 2, 0xF
_HERE = -1


@syscall
async def preadv(thread: UserThread, fd: Fd, iov: UserPtr, iovcnt: Int, pos: Long) -> int:
    """Read from a place into several buffers."""
    return await _readv(thread, fd, (iov, iovcnt), _Place(pos))


@syscall
async def pwritev(thread: UserThread, fd: Fd, iov: UserPtr, iovcnt: Int, pos: Long) -> int:
    """Write to a place from several buffers."""
    return await _writev(thread, fd, (iov, iovcnt), _Place(pos))


@syscall
async def preadv2(
    thread: UserThread, fd: Fd, iov: UserPtr, iovcnt: Int, pos: Long, pos_h: Long, flags: UInt
) -> int:
    """Read from a place, or from where the file stands (-1), with flags."""
    del pos_h  # the upper half of a place, where registers have 32 bits
    return await _readv(thread, fd, (iov, iovcnt), _Place(pos, flags, here=True))


@syscall
async def pwritev2(
    thread: UserThread, fd: Fd, iov: UserPtr, iovcnt: Int, pos: Long, pos_h: Long, flags: UInt
) -> int:
    """Write to a place, or to where the file stands (-1), with flags."""
    del pos_h
    return await _writev(thread, fd, (iov, iovcnt), _Place(pos, flags, here=True))


class _Place(NamedTuple):
    """Where in a file, and how.

    Attributes
    ----------
    here : -1 is where the file stands
    """

    pos: int
    flags: int = 0
    here: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is not simply where the file stands."""
        return not (self.here and self.pos == _HERE)


async def _readv(thread: UserThread, fd: int, vector: tuple[int, int], place: _Place) -> int:
    file = _file(thread, fd, place)
    file.require_readable()
    ranges = read_vector(thread, *vector)
    if place.flags & _APPEND:
        raise SysError(Errno.EOPNOTSUPP)
    pin = thread.process.space.pin_vector(ranges, write=True)
    return await (
        transfer(pin, file.pread, place.pos) if place.counts else transfer(pin, file.read)
    )


async def _writev(thread: UserThread, fd: int, vector: tuple[int, int], place: _Place) -> int:
    file = _file(thread, fd, place)
    file.require_writable()
    ranges = read_vector(thread, *vector)
    pin = thread.process.space.pin_vector(ranges, write=False)
    if place.flags & _APPEND and file.inode.is_regular():
        return await transfer(pin, file.pwrite, file.inode.size)
    return await (
        transfer(pin, file.pwrite, place.pos) if place.counts else transfer(pin, file.write)
    )


def _file(thread: UserThread, fd: int, place: _Place) -> File:
    """Return the file, which can do what the flags say."""
    if place.pos < 0 and place.counts:
        raise SysError(Errno.EINVAL)
    file = thread.process.files.get(fd)
    if place.flags & ~_RWF or (place.flags & _NOWAIT and file.queues):
        raise SysError(Errno.EOPNOTSUPP)
    return file


# -- from file to file


def _place(thread: UserThread, uaddr: int) -> int | None:
    """Return the place that a pointer leads to; None: the one where the file stands."""
    if not uaddr:
        return None
    (place,) = struct.unpack("<q", thread.process.space.copy_in(uaddr, 8))
    if place < 0:
        raise SysError(Errno.EINVAL)
    return int(place)


def _move_on(thread: UserThread, uaddr: int, place: int | None, size: int) -> None:
    if place is not None:
        thread.process.space.copy_out(uaddr, struct.pack("<q", place + size))


@syscall
async def sendfile(thread: UserThread, out_fd: Fd, in_fd: Fd, offset: UserPtr, count: Size) -> int:
    """Copy from a file with places to another file."""
    files = thread.process.files
    place = _place(thread, offset)
    source = files.get(in_fd)
    source.require_readable()
    if not _has_places(source):
        raise SysError(Errno.EINVAL if place is None else Errno.ESPIPE)
    target = files.get(out_fd)
    target.require_writable()
    if target.flags & O_APPEND:
        raise SysError(Errno.EINVAL)
    size = await moving.copy(source, target, min(count, MAX_RW_COUNT), at=place)
    _move_on(thread, offset, place, size)
    return size


def _has_places(file: File) -> bool:
    try:
        file.lseek(0, 1)
    except SysError:
        return False
    return True


@syscall
async def copy_file_range(
    thread: UserThread,
    fd_in: Fd,
    off_in: UserPtr,
    fd_out: Fd,
    off_out: UserPtr,
    len_: Size,
    flags: UInt,
) -> int:
    """Copy a range of a file to another file, or within one."""
    files = thread.process.files
    source, target = files.get(fd_in), files.get(fd_out)
    at, to = _place(thread, off_in), _place(thread, off_out)
    if flags:
        raise SysError(Errno.EINVAL)
    first = source.offset if at is None else at
    second = target.offset if to is None else to
    _check_copy(source, target)
    count = min(len_, MAX_RW_COUNT, max(source.inode.size - first, 0))
    if source.inode.same(target.inode) and first < second + count and second < first + count:
        raise SysError(Errno.EINVAL)
    size = await moving.copy(source, target, count, at=at, to=to)
    _move_on(thread, off_in, at, size)
    _move_on(thread, off_out, to, size)
    return size


def _check_copy(source: File, target: File) -> None:
    """Check that a range can be copied."""
    if source.inode.is_directory() or target.inode.is_directory():
        raise SysError(Errno.EISDIR)
    if not source.inode.is_regular() or not target.inode.is_regular():
        raise SysError(Errno.EINVAL)
    source.require_readable()
    target.require_writable()
    if target.flags & O_APPEND:
        raise SysError(Errno.EBADF)


@syscall
async def splice(
    thread: UserThread,
    fd_in: Fd,
    off_in: UserPtr,
    fd_out: Fd,
    off_out: UserPtr,
    len_: Size,
    flags: UInt,
) -> int:
    """Move bytes into a pipe, or out of one."""
    if not len_:
        return 0
    if flags & ~_SPLICE_ALL:
        raise SysError(Errno.EINVAL)
    files = thread.process.files
    source, target = files.get(fd_in), files.get(fd_out)
    source.require_readable()
    target.require_writable()
    for file, off in ((source, off_in), (target, off_out)):
        if off and isinstance(file, PipeFile):
            raise SysError(Errno.ESPIPE)
    if isinstance(source, PipeFile) and target.flags & O_APPEND:
        raise SysError(Errno.EINVAL)
    at, to = _place(thread, off_in), _place(thread, off_out)
    nonblock = bool(flags & _SPLICE_NONBLOCK)
    count = min(len_, MAX_RW_COUNT)
    size = await moving.splice(source, target, count, at=at, to=to, nonblock=nonblock)
    _move_on(thread, off_in, at, size)
    _move_on(thread, off_out, to, size)
    return size


@syscall
async def tee(thread: UserThread, fd_in: Fd, fd_out: Fd, len_: Size, flags: UInt) -> int:
    """Copy bytes from pipe to pipe, and leave them in the first one."""
    if flags & ~_SPLICE_ALL:
        raise SysError(Errno.EINVAL)
    if not len_:
        return 0
    files = thread.process.files
    source, target = files.get(fd_in), files.get(fd_out)
    source.require_readable()
    target.require_writable()
    nonblock = bool(flags & _SPLICE_NONBLOCK)
    return await moving.tee(source, target, min(len_, MAX_RW_COUNT), nonblock=nonblock)


@syscall
async def vmsplice(thread: UserThread, fd: Fd, iov: UserPtr, nr_segs: Size, flags: UInt) -> int:
    """Write memory to a pipe, or read from it; the pages are copied."""
    if flags & ~_SPLICE_ALL:
        raise SysError(Errno.EINVAL)
    file, space = thread.process.files.get(fd), thread.process.space
    if not isinstance(file, PipeFile):
        raise SysError(Errno.EBADF)
    ranges = read_vector(thread, iov, min(nr_segs, 1 << 30))
    if not ranges:
        return 0
    if flags & _SPLICE_NONBLOCK and file.writable and not file.pipe.room:
        raise SysError(Errno.EAGAIN)
    if file.writable:
        return await transfer(space.pin_vector(ranges, write=False), file.write)
    return await transfer(space.pin_vector(ranges, write=True), file.read)
