"""Waiting for children, and how much processor time was used."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import O_NONBLOCK
from pykern.kernel.syscalls.arguments import Int, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.task import wait as waiting
from pykern.kernel.task.pidfd import PidFile
from pykern.kernel.task.sigaction import Signal
from pykern.kernel.task.wait import WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import UserThread

_RUSAGE = struct.Struct("<4q14q")
_MARKS = waiting.WNOTHREAD | waiting.WALL | waiting.WCLONE
P_ALL, P_PID, P_PGID, P_PIDFD = range(4)
_RUSAGE_SELF, _RUSAGE_CHILDREN, _RUSAGE_THREAD = 0, -1, 1
_NS_PER_TICK = 10_000_000


@syscall
async def wait4(
    thread: UserThread, pid: Int, wstatus: UserPtr, options: Int, rusage: UserPtr
) -> int:
    """Wait for a child."""
    options &= 0xFFFF_FFFF
    if options & ~(WNOHANG | WSTOPPED | WCONTINUED | _MARKS):
        raise SysError(Errno.EINVAL)
    if pid == -(1 << 31):
        raise SysError(Errno.ESRCH)
    wanted = _by_pid(thread.process, pid)
    news = await waiting.wait(thread.system, thread.process, wanted, options | WEXITED)
    if news is None:
        return 0
    space = thread.process.space
    if wstatus:
        space.copy_out(wstatus, struct.pack("<i", news.status))
    if rusage:
        space.copy_out(rusage, _usage(news.cpu_ns))
    return news.pid


def _by_pid(process: Process, pid: int) -> Callable[[Process], bool]:
    """Return which children wait4 means: > 0 one, -1 all, 0 those of the own group, or of -pid."""
    if pid > 0:
        return lambda child: child.pid == pid
    if pid == -1:
        return lambda _child: True
    return lambda child: child.pgid == (-pid or process.pgid)


@syscall
async def waitid(
    thread: UserThread, which: Int, upid: Int, infop: UserPtr, options: Int, ru: UserPtr
) -> int:
    """Wait for a child and learn what has become of it as a siginfo_t."""
    options &= 0xFFFF_FFFF
    what = WEXITED | WSTOPPED | WCONTINUED
    if options & ~(WNOHANG | WNOWAIT | what | _MARKS) or not options & what:
        raise SysError(Errno.EINVAL)
    wanted, impatient = _by_id(thread, which, upid)
    if impatient:
        options |= WNOHANG
    space = thread.process.space
    try:
        news = await waiting.wait(thread.system, thread.process, wanted, options)
    except SysError:
        _tell(thread, infop, (0, 0, 0, 0, 0))
        raise
    if news is None:
        _tell(thread, infop, (0, 0, 0, 0, 0))
        if impatient:
            raise SysError(Errno.EAGAIN)
        return 0
    if ru:
        space.copy_out(ru, _usage(news.cpu_ns))
    code, status = news.code
    _tell(thread, infop, (Signal.SIGCHLD, code, news.pid, news.uid, status))
    return 0


def _tell(thread: UserThread, infop: int, fields: tuple[int, int, int, int, int]) -> None:
    """Store signal, code, pid, uid and status where a siginfo_t has them."""
    if infop:
        space, (signal, code, pid, uid, status) = thread.process.space, fields
        space.copy_out(infop, struct.pack("<iii", signal, 0, code))
        space.copy_out(infop + 16, struct.pack("<iIi", pid, uid, status))


def _by_id(thread: UserThread, which: int, upid: int) -> tuple[Callable[[Process], bool], bool]:
    """Return which children waitid means, and whether it is not to sleep."""
    process = thread.process
    if which == P_ALL:
        return (lambda _child: True), False
    if which == P_PID and upid > 0:
        return (lambda child: child.pid == upid), False
    if which == P_PGID and upid >= 0:
        return (lambda child: child.pgid == (upid or process.pgid)), False
    if which == P_PIDFD and upid >= 0:
        file = process.files.get(upid)
        if not isinstance(file, PidFile):
            raise SysError(Errno.EBADF)
        return (lambda child: child is file.process), bool(file.flags & O_NONBLOCK)
    raise SysError(Errno.EINVAL)


# -- processor time


def _usage(cpu_ns: int, pages: int = 0) -> bytes:
    """Return a struct rusage; all time counts as user time.

    Parameters
    ----------
    pages : most that were ever resident
    """
    seconds, ns = divmod(cpu_ns, 1_000_000_000)
    return _RUSAGE.pack(seconds, ns // 1000, 0, 0, pages * 4, *[0] * 13)


@syscall
def getrusage(thread: UserThread, who: Int, usage: UserPtr) -> int:
    """Tell how much CPU time was used."""
    process = thread.process
    spent = {
        _RUSAGE_SELF: _spent(process),
        _RUSAGE_CHILDREN: process.child_cpu_ns,
        _RUSAGE_THREAD: thread.cpu_ns,
    }
    if who not in spent:
        raise SysError(Errno.EINVAL)
    pages = 0 if who == _RUSAGE_CHILDREN else max(process.space.peak, process.space.pages.resident)
    process.space.copy_out(usage, _usage(spent[who], pages))
    return 0


def _spent(process: Process) -> int:
    return process.cpu_ns + sum(thread.cpu_ns for thread in process.threads)


@syscall
def times(thread: UserThread, buf: UserPtr) -> int:
    """Tell CPU times in ticks of 10 ms."""
    process = thread.process
    if buf:
        ticks = [_spent(process) // _NS_PER_TICK, 0, process.child_cpu_ns // _NS_PER_TICK, 0]
        process.space.copy_out(buf, struct.pack("<4q", *ticks))
    return thread.system.clock.now_ns // _NS_PER_TICK
