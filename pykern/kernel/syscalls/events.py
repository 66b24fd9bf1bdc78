"""Sets of files, counters and timers: epoll, eventfd, timerfd."""

from __future__ import annotations

import struct
from itertools import starmap
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.epoll import EPOLL_CTL_DEL, EpollFile, make_epoll
from pykern.kernel.fs.eventfd import EFD_SEMAPHORE, make_eventfd
from pykern.kernel.fs.flags import O_CLOEXEC, O_NONBLOCK
from pykern.kernel.fs.timerfd import TimerFile, make_timerfd
from pykern.kernel.syscalls.arguments import Fd, Int, UInt, UserPtr
from pykern.kernel.syscalls.entry import ended_by_handlers, syscall
from pykern.kernel.syscalls.signal import masked

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File
    from pykern.kernel.task.thread import UserThread

_EVENT = struct.Struct("<IQ")
"""`struct epoll_event`, which is packed on x86-64."""
_EVENTS_MOST = 4096
_ITIMERSPEC = struct.Struct("<4q")
"""`struct itimerspec`: interval and value, each in seconds and ns."""
_NS_PER_S = 1_000_000_000
_CLOCK_REALTIME, _CLOCK_MONOTONIC, _CLOCK_BOOTTIME = _CLOCKS = (0, 1, 7)
_ABSOLUTE, _CANCEL_ON_SET = 1, 2


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
@ended_by_handlers
async def epoll_wait(
    thread: UserThread, epfd: Fd, events: UserPtr, maxevents: Int, timeout: Int
) -> int:
    """Wait until a file of a set is ready, at most `timeout` milliseconds."""
    return await _wait(thread, epfd, events, maxevents, timeout)


@syscall
@ended_by_handlers
async def epoll_pwait(
    thread: UserThread,
    epfd: Fd,
    events: UserPtr,
    maxevents: Int,
    timeout: Int,
    sigmask: UserPtr,
) -> int:
    """Wait until a file of a set is ready, with another signal mask meanwhile."""
    with masked(thread, sigmask):
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


@syscall
def timerfd_create(thread: UserThread, clockid: Int, flags: UInt) -> int:
    """Make a timer that is not set."""
    if clockid not in _CLOCKS or flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise SysError(Errno.EINVAL)
    system = thread.system
    file = make_timerfd(system.vfs, system.clock, flags)
    file.realtime = clockid == _CLOCK_REALTIME
    return _install(thread, file, flags)


@syscall
def timerfd_settime(
    thread: UserThread, fd: Fd, flags: UInt, new_value: UserPtr, old_value: UserPtr
) -> int:
    """Set a timer, and tell what it was set to."""
    file, space, system = _timer(thread, fd), thread.process.space, thread.system
    interval_ns, value_ns = _read_itimerspec(space.copy_in(new_value, _ITIMERSPEC.size))
    before = _pack_itimerspec(file)
    if flags & ~(_ABSOLUTE | _CANCEL_ON_SET):
        raise SysError(Errno.EINVAL)
    now_ns = system.clock.now_ns
    if flags & _ABSOLUTE and file.realtime:
        value_ns = max(value_ns - system.realtime_ns + now_ns, 1) if value_ns else 0
    deadline_ns = value_ns if flags & _ABSOLUTE else now_ns + value_ns
    file.set(deadline_ns if value_ns else None, interval_ns)
    if old_value:
        space.copy_out(old_value, before)
    return 0


@syscall
def timerfd_gettime(thread: UserThread, fd: Fd, curr_value: UserPtr) -> int:
    """Tell what a timer is set to."""
    thread.process.space.copy_out(curr_value, _pack_itimerspec(_timer(thread, fd)))
    return 0


def _timer(thread: UserThread, fd: int) -> TimerFile:
    file = thread.process.files.get(fd)
    if not isinstance(file, TimerFile):
        raise SysError(Errno.EINVAL)
    return file


def _read_itimerspec(raw: bytes) -> tuple[int, int]:
    """Return interval and value in ns."""
    words = _ITIMERSPEC.unpack(raw)
    if min(words) < 0 or max(words[1::2]) >= _NS_PER_S:
        raise SysError(Errno.EINVAL)
    return words[0] * _NS_PER_S + words[1], words[2] * _NS_PER_S + words[3]


def _pack_itimerspec(file: TimerFile) -> bytes:
    value_ns, interval_ns = file.remaining()
    return _ITIMERSPEC.pack(*divmod(interval_ns, _NS_PER_S), *divmod(value_ns, _NS_PER_S))


def _install(thread: UserThread, file: File, flags: int) -> int:
    """Give a new file a descriptor; it is closed again where there is none."""
    try:
        return thread.process.files.install(file, cloexec=bool(flags & O_CLOEXEC))
    except SysError:
        file.put()
        raise
