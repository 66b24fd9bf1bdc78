"""fork, vfork and clone: new processes and threads.

References
----------
POSIX.1-2017, fork; Linux, clone(2).
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.sched import SchedClass
from pykern.kernel.task.pidfd import make_pidfd
from pykern.kernel.task.rlimit import INFINITY, Resource
from pykern.kernel.task.sigaction import LAST, Signal

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND = 0x100, 0x200, 0x400, 0x800
CLONE_PIDFD, CLONE_PTRACE, CLONE_VFORK, CLONE_PARENT = 0x1000, 0x2000, 0x4000, 0x8000
CLONE_THREAD, CLONE_SYSVSEM, CLONE_SETTLS = 0x10000, 0x40000, 0x80000
CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID = 0x100000, 0x200000
CLONE_DETACHED, CLONE_UNTRACED, CLONE_CHILD_SETTID = 0x400000, 0x800000, 0x1000000
CLONE_IO = 0x80000000
CLONE_CLEAR_SIGHAND = 0x100000000
SIGNAL = 0xFF
_IGNORED = CLONE_PTRACE | CLONE_SYSVSEM | CLONE_DETACHED | CLONE_UNTRACED | CLONE_IO
"""Nothing is traced, and there is nothing else of this to share."""
_KNOWN = (
    _IGNORED | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_PIDFD | CLONE_VFORK
    | CLONE_PARENT | CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID
    | CLONE_CHILD_SETTID | CLONE_CLEAR_SIGHAND
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What clone is asked for.

    Attributes
    ----------
    flags : CLONE_*, without the signal
    exit_signal : what the parent gets when the child ends; 0: nothing
    stack : its RSP; 0: that of the caller
    parent_tid, child_tid, pidfd : where identifiers are written, by flags
    tls : its FS base, by flags
    """

    flags: int = 0
    exit_signal: int = Signal.SIGCHLD
    stack: int = 0
    parent_tid: int = 0
    child_tid: int = 0
    pidfd: int = 0
    tls: int = 0


async def clone(system: System, parent: UserThread, request: Request) -> int:
    """Make a process or a thread that goes on where the caller is; return its identifier.

    Raises
    ------
    SysError(EINVAL) : flags that contradict each other, or are not known
    SysError(ENOMEM, EAGAIN) : no room
    """
    flags, process = request.flags, parent.process
    _check(system, process, request)
    _check_number(system, process)
    if flags & CLONE_THREAD:
        child = system.processes.new_thread(process, parent.name)
    else:
        child = _new_process(system, process, parent.name, request)
    _inherit(system, parent, child, request.stack)
    if not flags & CLONE_VM or flags & CLONE_VFORK:
        child.signal_stack = parent.signal_stack
    if flags & CLONE_SETTLS:
        child.context.fs_base = request.tls
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_child_tid = request.child_tid
    _tell_identifiers(system, process, child, request)
    system.scheduler.add(child)
    if flags & CLONE_VFORK:
        while child.process.alive and child.process.sharing_parent_space:
            await child.process.vfork_done.wait(uninterruptible=True)
    return child.tid


def _tell_identifiers(
    system: System, process: Process, child: UserThread, request: Request
) -> None:
    """Write the child's identifiers where the flags say; an address that is none is passed over."""
    tid = struct.pack("<i", child.tid)
    with contextlib.suppress(SysError):
        if request.flags & CLONE_PARENT_SETTID:
            process.space.copy_out(request.parent_tid, tid)
    with contextlib.suppress(SysError):
        if request.flags & CLONE_CHILD_SETTID:
            child.process.space.copy_out(request.child_tid, tid)
    if request.flags & CLONE_PIDFD:
        file = make_pidfd(system.vfs, child.process)
        number = process.files.install(file, cloexec=True)
        process.space.copy_out(request.pidfd, struct.pack("<i", number))


def _check(system: System, process: Process, request: Request) -> None:
    flags = request.flags
    if flags & ~_KNOWN or request.exit_signal > LAST:
        raise SysError(Errno.EINVAL)
    if flags & CLONE_THREAD and not flags & CLONE_SIGHAND:
        raise SysError(Errno.EINVAL)
    if flags & CLONE_SIGHAND and (not flags & CLONE_VM or flags & CLONE_CLEAR_SIGHAND):
        raise SysError(Errno.EINVAL)
    if flags & CLONE_PARENT and process is system.processes.first:
        raise SysError(Errno.EINVAL)
    if flags & CLONE_PIDFD:
        if flags & (CLONE_THREAD | CLONE_DETACHED):
            raise SysError(Errno.EINVAL)
        # Whatever can fail does so before there is a child.
        process.space.copy_out(request.pidfd, process.space.copy_in(request.pidfd, 4))
        process.files.require_free()


def _check_number(system: System, process: Process) -> None:
    """Check that a user has not too many threads; user 0 may have any number.

    Raises
    ------
    SysError(EAGAIN) : as many as RLIMIT_NPROC allows
    """
    user = process.credentials.user.real
    most = process.limits.soft(Resource.NPROC)
    if most == INFINITY or not user or process.credentials.privileged:
        return
    owned = (p for p in system.processes.by_pid.values() if p.credentials.user.real == user)
    if sum(max(len(p.threads), 1) for p in owned) >= most:
        raise SysError(Errno.EAGAIN)


def _new_process(system: System, caller: Process, name: str, request: Request) -> UserThread:
    """Make the process of a fork: what flags do not share is a copy."""
    flags = request.flags
    space = caller.space.share() if flags & CLONE_VM else caller.space.fork()
    files = caller.files.share() if flags & CLONE_FILES else caller.files.fork()
    # CLONE_FS too: who a process is lies in it, and that is not shared.
    fs = caller.fs.copy()
    parent = caller.parent if flags & CLONE_PARENT and caller.parent is not None else caller
    child = system.processes.create(parent, space, files, fs)
    child.pgid, child.sid = caller.pgid, caller.sid
    child.sharing_parent_space = bool(flags & CLONE_VFORK)
    child.actions = caller.actions if flags & CLONE_SIGHAND else caller.actions.copy()
    if flags & CLONE_CLEAR_SIGHAND:
        child.actions.reset_handlers()
    child.credentials, child.limits = caller.credentials.copy(), caller.limits.copy()
    child.exit_signal = caller.exit_signal if flags & CLONE_PARENT else request.exit_signal
    child.arguments, child.environment = caller.arguments, caller.environment
    child.executable = caller.executable
    for field in ("dumpable", "personality"):
        setattr(child, field, getattr(caller, field))
    try:
        return system.processes.new_thread(child, name, child.pid)
    except SysError:
        child.files.close_all()
        space.release()
        system.processes.forget(child)
        raise


def _inherit(system: System, parent: UserThread, child: UserThread, stack: int) -> None:
    """Copy registers: the child returns from the same call, with 0."""
    frame = parent.frame.read()
    frame["rax"] = 0
    if stack:
        frame["rsp"] = stack
    child.frame.write(frame)
    cpu = system.cpus[parent.cpu]
    parent.context.save(cpu.vcpu)
    context = parent.context.copy()
    context.rip, context.rsp = child.context.rip, child.context.rsp
    context.rflags, context.cr3 = child.context.rflags, child.context.cr3
    child.context = context
    child.blocked = parent.blocked
    _inherit_urgency(parent, child)


def _inherit_urgency(parent: UserThread, child: UserThread) -> None:
    """Let the child be as urgent as its parent is, unless that has said otherwise."""
    for name in ("priority", "nice", "sched_class", "rt_priority", "io_priority", "affinity"):
        setattr(child, name, getattr(parent, name))
    if parent.reset_on_fork:
        child.nice, child.rt_priority = max(parent.nice, 0), 0
        if parent.sched_class in {SchedClass.FIFO, SchedClass.RR}:
            child.sched_class = SchedClass.OTHER
