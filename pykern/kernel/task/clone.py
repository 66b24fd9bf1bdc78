"""fork, vfork and clone: new processes and threads.

References
----------
POSIX.1-2017, fork; Linux, clone(2).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.sched import SchedClass
from pykern.kernel.task.rlimit import INFINITY, Resource

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND = 0x100, 0x200, 0x400, 0x800
CLONE_VFORK, CLONE_THREAD, CLONE_SYSVSEM, CLONE_SETTLS = 0x4000, 0x10000, 0x40000, 0x80000
CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID = 0x100000, 0x200000
CLONE_DETACHED, CLONE_CHILD_SETTID = 0x400000, 0x1000000
_SIGNAL = 0xFF
_KNOWN = (
    _SIGNAL | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK | CLONE_THREAD
    | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED
    | CLONE_CHILD_SETTID
)  # fmt: skip


async def clone(
    system: System,
    parent: UserThread,
    flags: int,
    stack: int,
    parent_tid: int,
    child_tid: int,
    tls: int,
) -> int:
    """Make a process or a thread that goes on where the caller is; return its identifier.

    Parameters
    ----------
    stack : its RSP; 0: that of the caller
    parent_tid, child_tid : where identifiers are written, by flags
    tls : its FS base, by flags

    Raises
    ------
    SysError(EINVAL) : flags that contradict each other, or are not known
    SysError(ENOMEM, EAGAIN) : no room
    """
    _check(flags)
    process = parent.process
    _check_number(system, process)
    if flags & CLONE_THREAD:
        child = system.processes.new_thread(process, parent.name)
    else:
        child = _new_process(system, process, parent.name, flags)
    _inherit(system, parent, child, stack)
    if not flags & CLONE_VM or flags & CLONE_VFORK:
        child.signal_stack = parent.signal_stack
    if flags & CLONE_SETTLS:
        child.context.fs_base = tls
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_child_tid = child_tid
    tid = struct.pack("<i", child.tid)
    if flags & CLONE_PARENT_SETTID:
        process.space.copy_out(parent_tid, tid)
    if flags & CLONE_CHILD_SETTID and child.process is not None:
        child.process.space.copy_out(child_tid, tid)
    system.scheduler.add(child)
    if flags & CLONE_VFORK and child.process is not None:
        while child.process.alive and child.process.sharing_parent_space:
            await child.process.vfork_done.wait(uninterruptible=True)
    return child.tid


def _check(flags: int) -> None:
    if flags & ~_KNOWN:
        raise SysError(Errno.EINVAL)
    if flags & CLONE_THREAD and not flags & CLONE_SIGHAND:
        raise SysError(Errno.EINVAL)
    if flags & CLONE_SIGHAND and not flags & CLONE_VM:
        raise SysError(Errno.EINVAL)
    # Memory that two processes share for good is not there; until exec (vfork) it is.
    if flags & CLONE_VM and not flags & (CLONE_THREAD | CLONE_VFORK):
        raise SysError(Errno.EINVAL)


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


def _new_process(system: System, parent: Process, name: str, flags: int) -> UserThread:
    """Make the process of a fork: a copy of memory, files, actions."""
    shared = bool(flags & CLONE_VM)
    space = parent.space if shared else parent.space.fork()
    child = system.processes.create(parent, space, parent.files.fork(), parent.fs.copy())
    child.sharing_parent_space = shared
    child.actions = parent.actions.copy()
    child.credentials, child.limits = parent.credentials.copy(), parent.limits.copy()
    child.exit_signal = flags & _SIGNAL
    child.arguments, child.environment = parent.arguments, parent.environment
    child.executable = parent.executable
    try:
        return system.processes.new_thread(child, name, child.pid)
    except SysError:
        child.files.close_all()
        if not shared:
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
    for name in ("priority", "nice", "sched_class", "rt_priority", "affinity"):
        setattr(child, name, getattr(parent, name))
    if parent.reset_on_fork:
        child.nice, child.rt_priority = max(parent.nice, 0), 0
        if parent.sched_class in {SchedClass.FIFO, SchedClass.RR}:
            child.sched_class = SchedClass.OTHER
