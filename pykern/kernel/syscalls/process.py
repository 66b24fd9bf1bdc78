"""Processes and threads: identity, birth, death, programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.syscalls.arguments import Int, UInt
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import UserThread


@syscall
def getpid(thread: UserThread) -> int:
    """Return the process's identifier."""
    return thread.process.pid


@syscall
def gettid(thread: UserThread) -> int:
    """Return the thread's identifier."""
    return thread.tid


@syscall
def getppid(thread: UserThread) -> int:
    """Return the parent's identifier, 0 for the first process."""
    parent = thread.process.parent
    return parent.pid if parent else 0


# -- groups and sessions


def _target(thread: UserThread, pid: int) -> Process:
    return thread.process if pid == 0 else thread.system.processes.get(pid)


@syscall
def setpgid(thread: UserThread, pid: Int, pgid: Int) -> int:
    """Put a process into a process group."""
    if pgid < 0:
        raise SysError(Errno.EINVAL)
    me, process = thread.process, _target(thread, pid)
    if process is not me and process.parent is not me:
        raise SysError(Errno.ESRCH)
    if process is not me and process.has_executed:
        raise SysError(Errno.EACCES)
    group = pgid or process.pid
    if process.sid != me.sid or process.sid == process.pid:
        raise SysError(Errno.EPERM)
    members = list(thread.system.processes.group(group))
    if group != process.pid and not any(p.sid == me.sid for p in members):
        raise SysError(Errno.EPERM)
    process.pgid = group
    return 0


@syscall
def getpgid(thread: UserThread, pid: Int) -> int:
    """Return the process group of a process."""
    return _target(thread, pid).pgid


@syscall
def getpgrp(thread: UserThread) -> int:
    """Return the process group."""
    return thread.process.pgid


@syscall
def setsid(thread: UserThread) -> int:
    """Make a session of its own."""
    process = thread.process
    if any(True for _ in thread.system.processes.group(process.pid)):
        raise SysError(Errno.EPERM)
    process.sid = process.pgid = process.pid
    return process.pid


@syscall
def getsid(thread: UserThread, pid: Int) -> int:
    """Return the session of a process."""
    return _target(thread, pid).sid


@syscall
def umask(thread: UserThread, mask: UInt) -> int:
    """Set the permissions that new files do not get."""
    return thread.process.fs.set_umask(mask & 0o777)
