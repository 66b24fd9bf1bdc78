"""Signals."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted, WaitQueue
from pykern.kernel.syscalls.arguments import Int, Size, UserPtr
from pykern.kernel.syscalls.entry import ended_by_handlers, syscall
from pykern.kernel.task import sigframe
from pykern.kernel.task.sigaction import (
    LAST,
    SI_TKILL,
    SI_USER,
    UNBLOCKABLE,
    SigAction,
    SigInfo,
    Signal,
    bit,
)
from pykern.kernel.task.thread import SignalStack

if TYPE_CHECKING:
    from collections.abc import Generator

    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import UserThread

_SIGACTION = struct.Struct("<QQQQ")
_STACK = struct.Struct("<QI4xQ")
SET_SIZE = 8
SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK = 0, 1, 2
MINSIGSTKSZ = 2048


def _check_number(number: int) -> None:
    if not 1 <= number <= LAST:
        raise SysError(Errno.EINVAL)


@syscall
def rt_sigaction(
    thread: UserThread, signum: Int, act: UserPtr, oldact: UserPtr, sigsetsize: Size
) -> int:
    """Set or get what happens at a signal."""
    _check_number(signum)
    if sigsetsize != SET_SIZE:
        raise SysError(Errno.EINVAL)
    if act and bit(signum) & UNBLOCKABLE:
        raise SysError(Errno.EINVAL)
    process = thread.process
    old = process.actions.get(signum)
    new = _SIGACTION.unpack(process.space.copy_in(act, _SIGACTION.size)) if act else None
    if oldact:
        raw = _SIGACTION.pack(old.handler, old.flags, old.restorer, old.mask)
        process.space.copy_out(oldact, raw)
    if new is not None:
        process.actions.table[signum] = SigAction(*new)
        if process.actions.ignores(signum):
            process.pending.discard(bit(signum))
    return 0


@syscall
def rt_sigprocmask(
    thread: UserThread, how: Int, set_: UserPtr, oldset: UserPtr, sigsetsize: Size
) -> int:
    """Set or get the signals that are blocked."""
    if sigsetsize != SET_SIZE:
        raise SysError(Errno.EINVAL)
    space, old = thread.process.space, thread.blocked
    if set_:
        mask = space.read_u64(set_)
        masks = {SIG_BLOCK: old | mask, SIG_UNBLOCK: old & ~mask, SIG_SETMASK: mask}
        if how not in masks:
            raise SysError(Errno.EINVAL)
        thread.blocked = masks[how] & ~UNBLOCKABLE
        look(thread)
    if oldset:
        space.copy_out(oldset, struct.pack("<Q", old))
    return 0


def look(thread: UserThread) -> None:
    """Have signals delivered that are not blocked any more."""
    if thread.system.signals.pending(thread):
        thread.system.signals.kick(thread)


@syscall
def rt_sigpending(thread: UserThread, uset: UserPtr, sigsetsize: Size) -> int:
    """Tell which blocked signals have been sent."""
    if sigsetsize > SET_SIZE:
        raise SysError(Errno.EINVAL)
    mask = (thread.pending.mask | thread.process.pending.mask) & thread.blocked
    thread.process.space.copy_out(uset, struct.pack("<Q", mask)[:sigsetsize])
    return 0


@syscall
def rt_sigreturn(thread: UserThread) -> None:
    """Go back to what a handler has interrupted."""
    cpu = thread.system.cpus[thread.cpu]
    try:
        mask = sigframe.pop(thread, cpu.vcpu)
    except SysError:
        thread.system.signals.send_thread(thread, SigInfo(Signal.SIGSEGV))
        return
    thread.blocked = mask & ~UNBLOCKABLE
    # All registers come from the frame: the way out is IRET, which a look at the work makes it.
    cpu.gprs[0] = thread.frame["rax"]
    thread.system.signals.kick(thread)


@syscall
@ended_by_handlers
async def rt_sigsuspend(thread: UserThread, mask: UserPtr, sigsetsize: Size) -> int:
    """Wait for a signal with another mask."""
    if sigsetsize != SET_SIZE:
        raise SysError(Errno.EINVAL)
    new = thread.process.space.read_u64(mask) & ~UNBLOCKABLE
    thread.saved_mask, thread.blocked = thread.blocked, new
    await _for_ever()
    return 0


@syscall
@ended_by_handlers
async def pause(thread: UserThread) -> int:
    """Wait for a signal."""
    del thread
    await _for_ever()
    return 0


async def _for_ever() -> None:
    """Sleep until a signal comes."""
    while True:
        await WaitQueue().wait()


@contextlib.contextmanager
def masked(thread: UserThread, mask: UserPtr) -> Generator[None]:
    """Have another signal mask while a call waits, if one is given.

    Where a signal ends the wait, the mask of before comes back behind the handler, or with the way
    out (`Signals.deliver`).
    """
    if not mask:
        yield
        return
    new = thread.process.space.read_u64(mask) & ~UNBLOCKABLE
    thread.saved_mask, thread.blocked = thread.blocked, new
    try:
        yield
    except Interrupted:
        raise
    except BaseException:
        _unmask(thread)
        raise
    _unmask(thread)


def _unmask(thread: UserThread) -> None:
    if thread.saved_mask is not None:
        thread.blocked, thread.saved_mask = thread.saved_mask, None
    look(thread)


@syscall
def sigaltstack(thread: UserThread, ss: UserPtr, old_ss: UserPtr) -> int:
    """Set or get the stack of handlers with SA_ONSTACK."""
    space, stack = thread.process.space, thread.signal_stack
    rsp = thread.frame["rsp"]
    new = _STACK.unpack(space.copy_in(ss, _STACK.size)) if ss else None
    if old_ss:
        space.copy_out(old_ss, _STACK.pack(*sigframe.stack_fields(stack, rsp)))
    if new is not None:
        if stack.size and stack.holds(rsp):
            raise SysError(Errno.EPERM)
        thread.signal_stack = _new_stack(*new)
    return 0


def _new_stack(base: int, flags: int, size: int) -> SignalStack:
    """Return the stack that a stack_t describes."""
    mode = flags & ~sigframe.SS_AUTODISARM
    if mode not in {0, sigframe.SS_ONSTACK, sigframe.SS_DISABLE}:
        raise SysError(Errno.EINVAL)
    if mode == sigframe.SS_DISABLE:
        return SignalStack()
    if size < MINSIGSTKSZ:
        raise SysError(Errno.ENOMEM)
    return SignalStack(base, size, bool(flags & sigframe.SS_AUTODISARM))


def check_allowed(thread: UserThread, target: Process, sig: int) -> None:
    """Check that a process may be sent a signal; 0 is none.

    Raises
    ------
    SysError(EINVAL) : there is no such signal
    SysError(EPERM) : the process belongs to somebody else
    """
    if not 0 <= sig <= LAST:
        raise SysError(Errno.EINVAL)
    me = thread.process
    if target is me or me.credentials.may_signal(target.credentials):
        return
    if sig != Signal.SIGCONT or target.sid != me.sid:
        raise SysError(Errno.EPERM)


@syscall
def kill(thread: UserThread, pid: Int, sig: Int) -> int:
    """Send a signal to a process (pid > 0), its own group (0), group -pid, or all others (-1)."""
    system, me = thread.system, thread.process
    if pid > 0:
        targets = [system.processes.get(pid)]
    elif pid == -1:
        first = system.processes.first
        targets = [p for p in system.processes.by_pid.values() if p is not me and p is not first]
    else:
        targets = list(system.processes.group(-pid if pid else me.pgid))
    refusal, sent = Errno.ESRCH, False
    for target in targets:
        try:
            check_allowed(thread, target, sig)
            if sig:
                system.signals.send(target, SigInfo(sig, SI_USER, me.pid, me.credentials.user.real))
            sent = True
        except SysError as error:
            refusal = error.errno
    if not sent:
        raise SysError(refusal)
    return 0


@syscall
def tkill(thread: UserThread, tid: Int, sig: Int) -> int:
    """Send a signal to a thread."""
    return _send_thread(thread, tid, sig, None)


@syscall
def tgkill(thread: UserThread, tgid: Int, tid: Int, sig: Int) -> int:
    """Send a signal to a thread of a process."""
    if tgid <= 0:
        raise SysError(Errno.EINVAL)
    return _send_thread(thread, tid, sig, tgid)


def thread_of(thread: UserThread, tid: int, tgid: int | None) -> UserThread:
    """Return a thread, of a certain process if one is given.

    Raises
    ------
    SysError(ESRCH) : there is none
    """
    target = thread.system.threads.user(tid)
    if target is None or (tgid is not None and target.process.pid != tgid):
        raise SysError(Errno.ESRCH)
    return target


def _send_thread(thread: UserThread, tid: int, sig: int, tgid: int | None) -> int:
    if tid <= 0:
        raise SysError(Errno.EINVAL)
    target, me = thread_of(thread, tid, tgid), thread.process
    check_allowed(thread, target.process, sig)
    if sig:
        info = SigInfo(sig, SI_TKILL, me.pid, me.credentials.user.real)
        thread.system.signals.send_thread(target, info)
    return 0
