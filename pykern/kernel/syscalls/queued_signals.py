"""Signals with data, and signals that are fetched: sigqueue, sigtimedwait, signalfd, pidfd."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted, WaitQueue
from pykern.kernel.fs.flags import O_CLOEXEC, O_NONBLOCK
from pykern.kernel.syscalls.arguments import Fd, Int, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.signal import SET_SIZE, check_allowed, look, thread_of
from pykern.kernel.syscalls.time import read_timespec
from pykern.kernel.task.pidfd import make_pidfd, process_of
from pykern.kernel.task.sigaction import SI_TKILL, SI_USER, UNBLOCKABLE, SigInfo
from pykern.kernel.task.sigframe import SIGINFO_SIZE, siginfo
from pykern.kernel.task.signalfd import SignalFile, make_signalfd, take_pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.file import File
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread


def _given(thread: UserThread, uaddr: int, number: int, pid: int) -> SigInfo:
    """Return what a program says of a signal.

    Raises
    ------
    SysError(EPERM) : as if it came from the kernel or from kill(), and not to the caller itself
    """
    raw = thread.process.space.copy_in(uaddr, SIGINFO_SIZE)
    (code,) = struct.unpack_from("<i", raw, 8)
    if (code >= 0 or code == SI_TKILL) and pid != thread.process.pid:
        raise SysError(Errno.EPERM)
    return SigInfo(number, code, raw=raw)


@syscall
def rt_sigqueueinfo(thread: UserThread, tgid: Int, sig: Int, info: UserPtr) -> int:
    """Send a signal with data to a process."""
    given = _given(thread, info, sig, tgid)
    target = thread.system.processes.get(tgid)
    check_allowed(thread, target, sig)
    if sig:
        thread.system.signals.send(target, given)
    return 0


@syscall
def rt_tgsigqueueinfo(thread: UserThread, tgid: Int, tid: Int, sig: Int, info: UserPtr) -> int:
    """Send a signal with data to a thread of a process."""
    if tgid <= 0 or tid <= 0:
        raise SysError(Errno.EINVAL)
    given = _given(thread, info, sig, tgid)
    target = thread_of(thread, tid, tgid)
    check_allowed(thread, target.process, sig)
    if sig:
        thread.system.signals.send_thread(target, given)
    return 0


@syscall
async def rt_sigtimedwait(
    thread: UserThread, set_: UserPtr, info: UserPtr, timeout: UserPtr, sigsetsize: Size
) -> int:
    """Take a signal of a set, waiting for one if need be; the result is its number."""
    if sigsetsize != SET_SIZE:
        raise SysError(Errno.EINVAL)
    wanted = thread.process.space.read_u64(set_) & ~UNBLOCKABLE
    wait_ns = read_timespec(thread, timeout) if timeout else None
    found = take_pending(thread, wanted)
    if found is None and wait_ns != 0:
        found = await _wait_for(thread, wanted, wait_ns)
    if found is None:
        raise SysError(Errno.EAGAIN)
    if info:
        thread.process.space.copy_out(info, siginfo(found))
    return found.signal


async def _wait_for(thread: UserThread, wanted: int, wait_ns: int | None) -> SigInfo | None:
    """Let the signals of a set through to end a sleep, and take the one that did."""
    deadline = None if wait_ns is None else thread.system.clock.now_ns + wait_ns
    before = thread.really_blocked = thread.blocked
    thread.blocked = before & ~wanted
    timed_out = False
    try:
        timed_out = not await WaitQueue().wait(deadline_ns=deadline)
    except Interrupted:
        pass
    finally:
        thread.blocked, thread.really_blocked = before, 0
    found = take_pending(thread, wanted)
    look(thread)
    if found is None and not timed_out:
        raise SysError(Errno.EINTR)
    return found


# -- signals as files


def _install(thread: UserThread, file: File, *, cloexec: bool) -> int:
    """Give a new file a descriptor; it is closed again where there is none."""
    try:
        return thread.process.files.install(file, cloexec=cloexec)
    except SysError:
        file.put()
        raise


@syscall
def signalfd(thread: UserThread, fd: Fd, mask: UserPtr, sizemask: Size) -> int:
    """Make a file of the signals of a set, or give it another set."""
    return _signalfd(thread, fd, mask, sizemask, 0)


@syscall
def signalfd4(thread: UserThread, fd: Fd, mask: UserPtr, sizemask: Size, flags: UInt) -> int:
    """Make a file of the signals of a set, or give it another set, with flags."""
    return _signalfd(thread, fd, mask, sizemask, flags)


def _caller(system: System) -> Callable[[], UserThread]:
    """Return what tells the thread that makes a call."""

    def caller() -> UserThread:
        cpu = system.clock.this_cpu
        assert cpu is not None
        current: UserThread = cpu.current
        return current

    return caller


def _signalfd(thread: UserThread, fd: int, mask: int, size: int, flags: int) -> int:
    if size != SET_SIZE or flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise SysError(Errno.EINVAL)
    wanted = thread.process.space.read_u64(mask) & ~UNBLOCKABLE
    if fd == -1:
        file = make_signalfd(thread.system.vfs, wanted, _caller(thread.system), flags)
        return _install(thread, file, cloexec=bool(flags & O_CLOEXEC))
    known = thread.process.files.get(fd)
    if not isinstance(known, SignalFile):
        raise SysError(Errno.EINVAL)
    known.mask = wanted
    thread.process.signal_arrived.wake_all()
    return fd


# -- processes as files


@syscall
def pidfd_open(thread: UserThread, pid: Int, flags: UInt) -> int:
    """Make a file of a process."""
    if flags & ~O_NONBLOCK or pid <= 0:
        raise SysError(Errno.EINVAL)
    target = thread.system.processes.by_pid.get(pid)
    if target is None:
        known = thread.system.threads.user(pid)
        raise SysError(Errno.ESRCH if known is None else Errno.ENOENT)
    return _install(thread, make_pidfd(thread.system.vfs, target, flags), cloexec=True)


@syscall
def pidfd_send_signal(thread: UserThread, pidfd: Fd, sig: Int, info: UserPtr, flags: UInt) -> int:
    """Send a signal to the process of a file."""
    if flags:
        raise SysError(Errno.EINVAL)
    process = thread.process
    target = process_of(thread.system, process.files, pidfd)
    sent = SigInfo(sig, SI_USER, process.pid, process.credentials.user.real)
    if info:
        sent = _given(thread, info, sig, target.pid)
        if struct.unpack_from("<i", sent.raw) != (sig,):
            raise SysError(Errno.EINVAL)
    check_allowed(thread, target, sig)
    if sig:
        thread.system.signals.send(target, sent)
    return 0


@syscall
def pidfd_getfd(thread: UserThread, pidfd: Fd, targetfd: Fd, flags: UInt) -> int:
    """Take a copy of a descriptor of another process."""
    if flags:
        raise SysError(Errno.EINVAL)
    target = process_of(thread.system, thread.process.files, pidfd)
    if not thread.process.credentials.owns(target.credentials):
        raise SysError(Errno.EPERM)
    if not target.alive:
        raise SysError(Errno.ESRCH)
    return _install(thread, target.files.get(targetfd).get(), cloexec=True)
