"""Timers that a program makes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.syscalls.arguments import Int, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.time import NS_PER_S, TIMER_ABSTIME
from pykern.kernel.task.posix_timer import PosixTimer
from pykern.kernel.task.sigaction import LAST, Signal

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_SIGEVENT = struct.Struct("<Qiii")
"""The value, the signal, how to notify, and which thread."""
_ITIMERSPEC = struct.Struct("<4q")
_SIGEV_SIGNAL, _SIGEV_NONE, _SIGEV_THREAD, _SIGEV_THREAD_ID = 0, 1, 2, 4
_REALTIME = {0, 8, 11}
_MONOTONIC = {1, 7, 9}
_CPU_TIME = {2, 3}


@syscall
def timer_create(thread: UserThread, clockid: Int, sevp: UserPtr, timerid: UserPtr) -> int:
    """Make a timer that is not set."""
    process = thread.process
    if clockid in _CPU_TIME:
        raise SysError(Errno.EOPNOTSUPP)
    if clockid not in _REALTIME | _MONOTONIC:
        raise SysError(Errno.EINVAL)
    number = process.timers.next_number()
    value, signal, notify, tid = number, int(Signal.SIGALRM), _SIGEV_SIGNAL, 0
    if sevp:
        value, signal, notify, tid = _SIGEVENT.unpack(process.space.copy_in(sevp, _SIGEVENT.size))
    target = _target(thread, signal, notify, tid)
    timer = PosixTimer(
        thread.system,
        process,
        number,
        0 if notify == _SIGEV_NONE else signal,
        value,
        thread=target,
        realtime=clockid in _REALTIME,
    )
    process.space.copy_out(timerid, struct.pack("<i", number))
    process.timers.add(timer)
    return 0


def _target(thread: UserThread, signal: int, notify: int, tid: int) -> UserThread | None:
    """Return which thread gets the signal; None: any.

    Raises
    ------
    SysError(EINVAL) : no such signal, no such thread of the process, no such way
    """
    if notify == _SIGEV_NONE:
        return None
    if notify not in {_SIGEV_SIGNAL, _SIGEV_THREAD, _SIGEV_THREAD_ID} or not 1 <= signal <= LAST:
        raise SysError(Errno.EINVAL)
    if notify != _SIGEV_THREAD_ID:
        return None
    target = thread.system.threads.user(tid)
    if target is None or target.process is not thread.process:
        raise SysError(Errno.EINVAL)
    return target


@syscall
def timer_settime(
    thread: UserThread, timerid: Int, flags: Int, new_value: UserPtr, old_value: UserPtr
) -> int:
    """Set a timer, and tell what it was set to."""
    if not new_value:
        raise SysError(Errno.EINVAL)
    space, system = thread.process.space, thread.system
    words = _ITIMERSPEC.unpack(space.copy_in(new_value, _ITIMERSPEC.size))
    if min(words) < 0 or max(words[1::2]) >= NS_PER_S:
        raise SysError(Errno.EINVAL)
    timer = thread.process.timers.get(timerid)
    before = _pack(timer)
    interval_ns, value_ns = (words[i] * NS_PER_S + words[i + 1] for i in (0, 2))
    now_ns, due_ns = system.clock.now_ns, None
    if value_ns:
        due_ns = value_ns if flags & TIMER_ABSTIME else now_ns + value_ns
        if flags & TIMER_ABSTIME and timer.realtime:
            due_ns = value_ns - system.realtime_ns + now_ns
        due_ns = max(due_ns, now_ns)
    timer.set(due_ns, interval_ns)
    if old_value:
        space.copy_out(old_value, before)
    return 0


def _pack(timer: PosixTimer) -> bytes:
    parts = (timer.interval_ns, timer.remaining_ns())
    return _ITIMERSPEC.pack(*(word for ns in parts for word in divmod(ns, NS_PER_S)))


@syscall
def timer_gettime(thread: UserThread, timerid: Int, curr_value: UserPtr) -> int:
    """Tell what a timer is set to."""
    thread.process.space.copy_out(curr_value, _pack(thread.process.timers.get(timerid)))
    return 0


@syscall
def timer_getoverrun(thread: UserThread, timerid: Int) -> int:
    """Tell how often a timer has expired again before its last signal was delivered."""
    return thread.process.timers.get(timerid).overrun


@syscall
def timer_delete(thread: UserThread, timerid: Int) -> int:
    """Stop and forget a timer."""
    thread.process.timers.delete(timerid)
    return 0
