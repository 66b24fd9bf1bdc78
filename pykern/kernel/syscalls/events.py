"""Sets of files and counters: epoll and eventfd."""

from __future__ import annotations

import struct
from itertools import starmap
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.epoll import EPOLL_CTL_DEL, EpollFile, make_epoll
from pykern.kernel.fs.eventfd import EFD_SEMAPHORE, make_eventfd
from pykern.kernel.fs.flags import O_CLOEXEC, O_NONBLOCK
from pykern.kernel.syscalls.arguments import Fd, Int, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File
    from pykern.kernel.task.thread import UserThread

_EVENT = struct.Struct("<IQ")
"""`struct epoll_event`, which is packed on x86-64."""
_EVENTS_MOST = 4096
_SIGSET_SIZE = 8


@syscall
def epoll_create(thread: UserThread, size: Int) -> int:
    """Make a set of files; the size says nothing any more."""
    if size <= 0:
        raise SysError(Errno.EINVAL)
    return _install(thread, make_epoll(thread.system.vfs), 0)


@syscall
def epoll_create1(thread: UserThread, flags: UInt) -> int:
    """Make a set of files."""
    if flags & ~O_CLOEXEC:
        raise SysError(Errno.EINVAL)
    return _install(thread, make_epoll(thread.system.vfs), flags)


@syscall
def epoll_ctl(thread: UserThread, epfd: Fd, op: Int, fd: Fd, event: UserPtr) -> int:
    """Add a file to a set, change what is asked of it, or remove it."""
    files = thread.process.files
    events, data = 0, 0
    if op != EPOLL_CTL_DEL:
        events, data = _EVENT.unpack(thread.process.space.copy_in(event, _EVENT.size))
    epoll, file = files.get(epfd), files.get(fd)
    if not isinstance(epoll, EpollFile):
        raise SysError(Errno.EINVAL)
    epoll.control(op, fd, file, events, data)
    return 0


@syscall
async def epoll_wait(
    thread: UserThread, epfd: Fd, events: UserPtr, maxevents: Int, timeout: Int
) -> int:
    """Wait until a file of a set is ready, at most `timeout` milliseconds."""
    return await _wait(thread, epfd, events, maxevents, timeout)


@syscall
async def epoll_pwait(
    thread: UserThread,
    epfd: Fd,
    events: UserPtr,
    maxevents: Int,
    timeout: Int,
    sigmask: UserPtr,
) -> int:
    """Wait until a file of a set is ready, with another signal mask meanwhile."""
    if sigmask:
        mask = thread.process.space.read_u64(sigmask)
        thread.saved_mask, thread.blocked = thread.blocked, mask
    return await _wait(thread, epfd, events, maxevents, timeout)


async def _wait(thread: UserThread, epfd: int, events: int, count: int, timeout_ms: int) -> int:
    file = thread.process.files.get(epfd)
    if not isinstance(file, EpollFile):
        raise SysError(Errno.EINVAL)
    now_ns = thread.system.clock.now_ns
    deadline = None if timeout_ms < 0 else now_ns + timeout_ms * 1_000_000
    found = await file.wait(min(count, _EVENTS_MOST), deadline)
    raw = b"".join(starmap(_EVENT.pack, found))
    thread.process.space.copy_out(events, raw)
    return len(found)


@syscall
def eventfd(thread: UserThread, initval: UInt) -> int:
    """Make a counter."""
    return _install(thread, make_eventfd(thread.system.vfs, initval), 0)


@syscall
def eventfd2(thread: UserThread, initval: UInt, flags: UInt) -> int:
    """Make a counter, with flags."""
    if flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK):
        raise SysError(Errno.EINVAL)
    return _install(thread, make_eventfd(thread.system.vfs, initval, flags), flags)


def _install(thread: UserThread, file: File, flags: int) -> int:
    """Give a new file a descriptor; it is closed again where there is none."""
    try:
        return thread.process.files.install(file, cloexec=bool(flags & O_CLOEXEC))
    except SysError:
        file.put()
        raise
