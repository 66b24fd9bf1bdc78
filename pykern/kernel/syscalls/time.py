"""Clocks, sleeping, futexes."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted, sleep_until
from pykern.kernel.syscalls.arguments import Int, UInt, UserPtr
from pykern.kernel.syscalls.entry import ended_by_handlers, syscall

if TYPE_CHECKING:
    from collections.abc import Generator

    from pykern.kernel.task.thread import UserThread

NS_PER_S = 1_000_000_000
_TIMESPEC = struct.Struct("<qq")
CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS, CLOCK_THREAD = 0, 1, 2, 3
_REALTIME = frozenset({0, 5, 8, 11})
"""CLOCK_REALTIME, its COARSE and ALARM forms, CLOCK_TAI."""
_MONOTONIC = frozenset({1, 4, 6, 7, 9})
TIMER_ABSTIME = 1
FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE = 0, 1, 3, 4
FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET = 9, 10
_FUTEX_COMMAND = 0x7F
_FUTEX_CLOCK_REALTIME = 256
MELLOS_TICK_NS = 10_000_000


def read_timespec(thread: UserThread, uaddr: int) -> int:
    """Return a struct timespec as nanoseconds.

    Raises
    ------
    SysError(EINVAL) : negative, or more than 999999999 ns
    SysError(EFAULT) : it is not there
    """
    seconds, ns = _TIMESPEC.unpack(thread.process.space.copy_in(uaddr, _TIMESPEC.size))
    if seconds < 0 or not 0 <= ns < NS_PER_S:
        raise SysError(Errno.EINVAL)
    return int(seconds) * NS_PER_S + int(ns)


def write_timespec(thread: UserThread, uaddr: int, ns: int) -> None:
    """Store nanoseconds as a struct timespec."""
    thread.process.space.copy_out(uaddr, _TIMESPEC.pack(*divmod(ns, NS_PER_S)))


def deadline_after(thread: UserThread, wait_ns: int) -> int:
    """Return when a wait ends that a call asks for; one that goes on ends when it would have."""
    deadline, thread.restart_deadline_ns = thread.restart_deadline_ns, None
    return thread.system.clock.now_ns + wait_ns if deadline is None else deadline


@contextlib.contextmanager
def goes_on(thread: UserThread, deadline_ns: int | None) -> Generator[None, None, None]:
    """Remember the deadline of a wait that a signal interrupts, for when the call is made again."""
    try:
        yield
    except Interrupted:
        thread.restart_deadline_ns = deadline_ns
        raise


def _clock(thread: UserThread, clock: int) -> int:
    system = thread.system
    if clock in _REALTIME:
        return system.realtime_ns
    if clock in _MONOTONIC:
        return system.clock.now_ns
    running = system.clock.now_ns - thread.since_ns
    if clock == CLOCK_THREAD:
        return thread.cpu_ns + running
    if clock == CLOCK_PROCESS:
        return thread.process.cpu_ns + sum(t.cpu_ns for t in thread.process.threads) + running
    raise SysError(Errno.EINVAL)


@syscall
def clock_gettime(thread: UserThread, clockid: Int, tp: UserPtr) -> int:
    """Tell the time."""
    write_timespec(thread, tp, _clock(thread, clockid))
    return 0


def _set_realtime(thread: UserThread, ns: int) -> int:
    if not thread.process.credentials.privileged:
        raise SysError(Errno.EPERM)
    thread.system.boot_ns += ns - thread.system.realtime_ns
    return 0


@syscall
def clock_settime(thread: UserThread, clockid: Int, tp: UserPtr) -> int:
    """Set the clock of real time; timers that wait for it are not set anew."""
    if clockid != CLOCK_REALTIME:
        raise SysError(Errno.EINVAL)
    return _set_realtime(thread, read_timespec(thread, tp))


@syscall
def settimeofday(thread: UserThread, tv: UserPtr, tz: UserPtr) -> int:
    """Set the clock of real time in microseconds; the time zone stays UTC."""
    del tz
    if not tv:
        return 0
    seconds, us = struct.unpack("<qq", thread.process.space.copy_in(tv, 16))
    if seconds < 0 or not 0 <= us < NS_PER_S // 1000:
        raise SysError(Errno.EINVAL)
    return _set_realtime(thread, seconds * NS_PER_S + us * 1000)


@syscall
def clock_getres(thread: UserThread, clockid: Int, res: UserPtr) -> int:
    """Tell how fine a clock is: 1 ns."""
    _clock(thread, clockid)
    if res:
        write_timespec(thread, res, 1)
    return 0


@syscall
def gettimeofday(thread: UserThread, tv: UserPtr, tz: UserPtr) -> int:
    """Tell the time in microseconds; the time zone is UTC."""
    space = thread.process.space
    if tv:
        seconds, ns = divmod(thread.system.realtime_ns, NS_PER_S)
        space.copy_out(tv, struct.pack("<qq", seconds, ns // 1000))
    if tz:
        space.copy_out(tz, bytes(8))
    return 0


@syscall
def time(thread: UserThread, tloc: UserPtr) -> int:
    """Tell the time in seconds."""
    seconds = thread.system.realtime_ns // NS_PER_S
    if tloc:
        thread.process.space.copy_out(tloc, struct.pack("<q", seconds))
    return seconds


async def _sleep(thread: UserThread, deadline_ns: int, rem: int) -> int:
    """Sleep until a time of the monotonic clock; write what was left when a signal came."""
    try:
        with goes_on(thread, deadline_ns):
            await sleep_until(deadline_ns)
    except Interrupted:
        if rem:
            write_timespec(thread, rem, max(deadline_ns - thread.system.clock.now_ns, 0))
        raise
    return 0


@syscall
@ended_by_handlers
async def nanosleep(thread: UserThread, duration: UserPtr, rem: UserPtr) -> int:
    """Sleep."""
    deadline = deadline_after(thread, read_timespec(thread, duration))
    return await _sleep(thread, deadline, rem)


@syscall
@ended_by_handlers
async def clock_nanosleep(
    thread: UserThread, clockid: Int, flags: Int, t: UserPtr, remain: UserPtr
) -> int:
    """Sleep for a time, or until a time."""
    now, ns = _clock(thread, clockid), read_timespec(thread, t)
    if clockid == CLOCK_THREAD:
        raise SysError(Errno.EOPNOTSUPP)
    wait_ns = ns - now if flags & TIMER_ABSTIME else ns
    deadline = deadline_after(thread, max(wait_ns, 0))
    return await _sleep(thread, deadline, 0 if flags & TIMER_ABSTIME else remain)


_ITIMERVAL = struct.Struct("<qqqq")
ITIMER_REAL = 0


def _itimerval(thread: UserThread) -> bytes:
    """Return the state of the timer as a struct itimerval."""
    timer = thread.process.alarm
    parts = (timer.interval_ns, timer.remaining_ns(thread.system.clock.now_ns))
    return _ITIMERVAL.pack(*(x for ns in parts for x in (ns // NS_PER_S, ns % NS_PER_S // 1000)))


@syscall
def alarm(thread: UserThread, seconds: UInt) -> int:
    """Send SIGALRM after seconds, 0: never; return how many were left of the one before."""
    timer = thread.process.alarm
    left = timer.remaining_ns(thread.system.clock.now_ns)
    timer.set(thread.system, thread.process, seconds * NS_PER_S, 0)
    return -(-left // NS_PER_S)


@syscall
def getitimer(thread: UserThread, which: Int, value: UserPtr) -> int:
    """Tell how long until the timer of real time sends its signal."""
    if which != ITIMER_REAL:
        raise SysError(Errno.EINVAL)
    thread.process.space.copy_out(value, _itimerval(thread))
    return 0


@syscall
def setitimer(thread: UserThread, which: Int, new: UserPtr, old: UserPtr) -> int:
    """Set the timer of real time; those of CPU time there are not."""
    if which != ITIMER_REAL:
        raise SysError(Errno.EINVAL)
    space, before = thread.process.space, _itimerval(thread)
    values = _ITIMERVAL.unpack(space.copy_in(new, _ITIMERVAL.size)) if new else (0, 0, 0, 0)
    if any(us < 0 or us >= 1_000_000 for us in values[1::2]) or min(values[::2]) < 0:
        raise SysError(Errno.EINVAL)
    interval, after = (values[i] * NS_PER_S + values[i + 1] * 1000 for i in (0, 2))
    thread.process.alarm.set(thread.system, thread.process, after, interval)
    if old:
        space.copy_out(old, before)
    return 0


@syscall
async def sleep(thread: UserThread, ticks: UInt) -> int:
    """Sleep for ticks of 10 ms (MelloOS, MEL-14)."""
    clock = thread.system.clock
    first = -(-clock.now_ns // MELLOS_TICK_NS)
    await sleep_until((first + ticks) * MELLOS_TICK_NS)
    return 0


@syscall
async def futex(
    thread: UserThread,
    uaddr: UserPtr,
    op: Int,
    val: UInt,
    timeout: UserPtr,
    uaddr2: UserPtr,
    val3: UInt,
) -> int:
    """Sleep on a word, or wake those who do."""
    futexes, space = thread.system.futexes, thread.process.space
    command = op & _FUTEX_COMMAND
    if command in {FUTEX_WAIT, FUTEX_WAIT_BITSET}:
        deadline = _futex_deadline(thread, op, command, timeout)
        await futexes.wait(space, uaddr, val, deadline)
        return 0
    if command in {FUTEX_WAKE, FUTEX_WAKE_BITSET}:
        return futexes.wake(space, uaddr, val)
    if command == FUTEX_CMP_REQUEUE and space.read_u32(uaddr) != val3:
        raise SysError(Errno.EAGAIN)
    if command in {FUTEX_REQUEUE, FUTEX_CMP_REQUEUE}:
        return futexes.requeue(space, uaddr, val, timeout & 0x7FFF_FFFF, uaddr2)
    raise SysError(Errno.ENOSYS)


def _futex_deadline(thread: UserThread, op: int, command: int, timeout: int) -> int | None:
    """Return when a wait gives up: relative for FUTEX_WAIT, absolute for the bitset form."""
    if not timeout:
        return None
    ns, now = read_timespec(thread, timeout), thread.system.clock.now_ns
    if command == FUTEX_WAIT:
        return now + ns
    return now + ns - thread.system.realtime_ns if op & _FUTEX_CLOCK_REALTIME else ns
