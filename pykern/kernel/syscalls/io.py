"""Reading and writing open files."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.fcntl import fcntl as change_descriptor
from pykern.kernel.fs.flags import O_CLOEXEC, O_NONBLOCK
from pykern.kernel.fs.ioctl import ioctl as control
from pykern.kernel.fs.pipe import make_pipe
from pykern.kernel.fs.poll import poll as wait_for_files
from pykern.kernel.syscalls.arguments import Fd, Int, Long, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import ended_by_handlers, syscall
from pykern.kernel.syscalls.locks import RANGE_COMMANDS, lock_range
from pykern.kernel.syscalls.signal import masked
from pykern.kernel.syscalls.time import NS_PER_S, deadline_after, goes_on, read_timespec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.table import FileTable
    from pykern.kernel.mm.user import UserBuffer
    from pykern.kernel.task.thread import UserThread

MAX_RW_COUNT = 0x7FFF_F000
_CHUNK = 1 << 20
"""Bytes that are pinned at once."""
IOV_MAX = 1024
_POLLFD = struct.Struct("<ihh")
_POLL_MOST = 4096
_FD_SETSIZE = 1024
_POLLIN, _POLLPRI, _POLLOUT, _POLLERR, _POLLHUP = 1, 2, 4, 8, 0x10
_READ_SET, _WRITE_SET, _EXCEPT_SET = _POLLIN | _POLLHUP | _POLLERR, _POLLOUT | _POLLERR, _POLLPRI


async def transfer(
    pin: Awaitable[UserBuffer], operation: Callable[..., Awaitable[int]], *place: int
) -> int:
    """Hold user memory while a file fills or drains it; return the bytes."""
    buffer = await pin
    try:
        return await operation(buffer, *place)
    finally:
        buffer.release()


@syscall
async def read(thread: UserThread, fd: Fd, buf: UserPtr, count: Size) -> int:
    """Read from a file."""
    file = thread.process.files.get(fd)
    file.require_readable()
    pin = thread.process.space.pin(buf, min(count, _CHUNK), write=True)
    return await transfer(pin, file.read)


@syscall
async def write(thread: UserThread, fd: Fd, buf: UserPtr, count: Size) -> int:
    """Write to a file."""
    file = thread.process.files.get(fd)
    file.require_writable()
    pin = thread.process.space.pin(buf, min(count, _CHUNK), write=False)
    return await transfer(pin, file.write)


@syscall
async def pread64(thread: UserThread, fd: Fd, buf: UserPtr, count: Size, offset: Long) -> int:
    """Read from a place in a file."""
    file = thread.process.files.get(fd)
    if offset < 0:
        raise SysError(Errno.EINVAL)
    file.require_readable()
    pin = thread.process.space.pin(buf, min(count, _CHUNK), write=True)
    return await transfer(pin, file.pread, offset)


@syscall
async def pwrite64(thread: UserThread, fd: Fd, buf: UserPtr, count: Size, offset: Long) -> int:
    """Write to a place in a file."""
    file = thread.process.files.get(fd)
    if offset < 0:
        raise SysError(Errno.EINVAL)
    file.require_writable()
    pin = thread.process.space.pin(buf, min(count, _CHUNK), write=False)
    return await transfer(pin, file.pwrite, offset)


def read_vector(thread: UserThread, iov: int, count: int) -> list[tuple[int, int]]:
    """Return the ranges of a struct iovec array."""
    if not 0 <= count <= IOV_MAX:
        raise SysError(Errno.EINVAL)
    raw = thread.process.space.copy_in(iov, 16 * count)
    ranges = list(struct.iter_unpack("<QQ", raw))
    if sum(size for _, size in ranges) > MAX_RW_COUNT:
        raise SysError(Errno.EINVAL)
    return [(base, size) for base, size in ranges if size]


@syscall
async def readv(thread: UserThread, fd: Fd, iov: UserPtr, iovcnt: Int) -> int:
    """Read into several buffers."""
    file = thread.process.files.get(fd)
    file.require_readable()
    ranges = read_vector(thread, iov, iovcnt)
    pin = thread.process.space.pin_vector(ranges, write=True)
    return await transfer(pin, file.read)


@syscall
async def writev(thread: UserThread, fd: Fd, iov: UserPtr, iovcnt: Int) -> int:
    """Write from several buffers."""
    file = thread.process.files.get(fd)
    file.require_writable()
    ranges = read_vector(thread, iov, iovcnt)
    pin = thread.process.space.pin_vector(ranges, write=False)
    return await transfer(pin, file.write)


@syscall
def lseek(thread: UserThread, fd: Fd, offset: Long, whence: Int) -> int:
    """Move to another place of a file."""
    return thread.process.files.get(fd).lseek(offset, whence)


@syscall
def close(thread: UserThread, fd: Fd) -> int:
    """Close a file descriptor."""
    thread.process.files.close(fd)
    return 0


@syscall
def dup(thread: UserThread, oldfd: Fd) -> int:
    """Give an open file another number, the lowest."""
    return thread.process.files.dup(oldfd)


@syscall
def dup2(thread: UserThread, oldfd: Fd, newfd: Fd) -> int:
    """Give an open file a certain number."""
    return thread.process.files.dup2(oldfd, newfd)


@syscall
def dup3(thread: UserThread, oldfd: Fd, newfd: Fd, flags: UInt) -> int:
    """Give an open file a certain number, with flags."""
    if flags & ~O_CLOEXEC:
        raise SysError(Errno.EINVAL)
    return thread.process.files.dup3(oldfd, newfd, cloexec=bool(flags & O_CLOEXEC))


@syscall
async def fcntl(thread: UserThread, fd: Fd, op: Int, arg: Long) -> int:
    """Change a file descriptor, or lock a range of the file."""
    if op in RANGE_COMMANDS:
        return await lock_range(thread, fd, op, arg)
    return change_descriptor(thread.process.files, fd, op, arg)


@syscall
def pipe(thread: UserThread, pipefd: UserPtr) -> int:
    """Make a pipe."""
    return _pipe(thread, pipefd, 0)


@syscall
def pipe2(thread: UserThread, pipefd: UserPtr, flags: UInt) -> int:
    """Make a pipe, with flags."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise SysError(Errno.EINVAL)
    return _pipe(thread, pipefd, flags)


def _pipe(thread: UserThread, pipefd: int, flags: int) -> int:
    files, ends = thread.process.files, make_pipe(thread.system.vfs, flags)
    numbers: list[int] = []
    try:
        for file in ends:
            number = files.install(file, cloexec=bool(flags & O_CLOEXEC))
            numbers.append(number)
        thread.process.space.copy_out(pipefd, struct.pack("<ii", *numbers))
    except SysError:
        for number in numbers:
            files.close(number)
        for file in ends[len(numbers) :]:
            file.put()
        raise
    return 0


class _Argument:
    """The third argument of ioctl."""

    def __init__(self, thread: UserThread, value: int) -> None:
        self._space = thread.process.space
        self.value = value

    def read(self, size: int) -> bytes:
        return self._space.copy_in(self.value, size)

    def write(self, data: bytes) -> None:
        self._space.copy_out(self.value, data)


@syscall
async def ioctl(thread: UserThread, fd: Fd, request: UInt, argp: UserPtr) -> int:
    """Do what every descriptor can, or what is particular to a device."""
    return await control(thread.process.files, fd, request, _Argument(thread, argp))


# -- poll and select


@syscall
@ended_by_handlers
async def poll(thread: UserThread, fds: UserPtr, nfds: UInt, timeout: Int) -> int:
    """Wait until a file is ready, at most `timeout` milliseconds."""
    ns = None if timeout < 0 else timeout * 1_000_000
    return await _poll(thread, fds, nfds, ns)


@syscall
@ended_by_handlers
async def ppoll(
    thread: UserThread, fds: UserPtr, nfds: UInt, tmo_p: UserPtr, sigmask: UserPtr
) -> int:
    """Wait until a file is ready, with another signal mask meanwhile."""
    ns = read_timespec(thread, tmo_p) if tmo_p else None
    with masked(thread, sigmask):
        return await _poll(thread, fds, nfds, ns)


async def _poll(thread: UserThread, fds: int, count: int, wait_ns: int | None) -> int:
    if count > _POLL_MOST:
        raise SysError(Errno.EINVAL)
    space, files = thread.process.space, thread.process.files
    wanted = list(_POLLFD.iter_unpack(space.copy_in(fds, _POLLFD.size * count)))
    requests = [(_file(files, fd), events) for fd, events, _ in wanted if fd >= 0]
    deadline = None if wait_ns is None else deadline_after(thread, wait_ns)
    with goes_on(thread, deadline):
        found = iter(await wait_for_files(requests, deadline))
    masks = [next(found) if fd >= 0 else 0 for fd, _, _ in wanted]
    raw = b"".join(
        _POLLFD.pack(fd, events, mask) for (fd, events, _), mask in zip(wanted, masks, strict=True)
    )
    space.copy_out(fds, raw)
    return sum(1 for mask in masks if mask)


def _file(files: FileTable, fd: int) -> File | None:
    try:
        return files.get(fd)
    except SysError:
        return None


@syscall
@ended_by_handlers
async def select(
    thread: UserThread,
    nfds: Int,
    readfds: UserPtr,
    writefds: UserPtr,
    exceptfds: UserPtr,
    timeout: UserPtr,
) -> int:
    """Wait until a file of three sets is ready."""
    wait_ns = None
    if timeout:
        seconds, us = struct.unpack("<qq", thread.process.space.copy_in(timeout, 16))
        if seconds < 0 or us < 0:
            raise SysError(Errno.EINVAL)
        wait_ns = seconds * NS_PER_S + us * 1000
    return await _select(thread, nfds, (readfds, writefds, exceptfds), wait_ns)


@syscall
@ended_by_handlers
async def pselect6(
    thread: UserThread,
    nfds: Int,
    readfds: UserPtr,
    writefds: UserPtr,
    exceptfds: UserPtr,
    timeout: UserPtr,
    sig: UserPtr,
) -> int:
    """Wait until a file of three sets is ready, with another signal mask meanwhile.

    `sig` leads to the address of the mask and its size.
    """
    ns = read_timespec(thread, timeout) if timeout else None
    mask = thread.process.space.read_u64(sig) if sig else 0
    with masked(thread, mask):
        return await _select(thread, nfds, (readfds, writefds, exceptfds), ns)


async def _select(
    thread: UserThread, nfds: int, sets: tuple[int, int, int], wait_ns: int | None
) -> int:
    if not 0 <= nfds <= _FD_SETSIZE:
        raise SysError(Errno.EINVAL)
    space, files, size = thread.process.space, thread.process.files, -(-nfds // 64) * 8
    given = [int.from_bytes(space.copy_in(at, size), "little") if at else 0 for at in sets]
    kinds = (_READ_SET, _WRITE_SET, _EXCEPT_SET)
    wanted = []
    for fd in range(nfds):
        events = sum(kind for kind, mask in zip(kinds, given, strict=True) if mask >> fd & 1)
        if events:
            wanted.append((fd, events))
    requests = [(files.get(fd), events) for fd, events in wanted]
    deadline = None if wait_ns is None else deadline_after(thread, wait_ns)
    with goes_on(thread, deadline):
        masks = await wait_for_files(requests, deadline)
    count = 0
    for at, kind, mask in zip(sets, kinds, given, strict=True):
        ready = sum(
            1 << fd
            for (fd, _), found in zip(wanted, masks, strict=True)
            if found & kind and mask >> fd & 1
        )
        count += ready.bit_count()
        if at:
            space.copy_out(at, ready.to_bytes(size, "little"))
    return count
