"""Resource limits."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.syscalls.arguments import Int, UserPtr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import UserThread

_RLIMIT = struct.Struct("<QQ")


@syscall
def getrlimit(thread: UserThread, resource: Int, rlim: UserPtr) -> int:
    """Tell a limit."""
    process = thread.process
    process.space.copy_out(rlim, _RLIMIT.pack(*process.limits.get(resource)))
    return 0


@syscall
def setrlimit(thread: UserThread, resource: Int, rlim: UserPtr) -> int:
    """Set a limit."""
    process = thread.process
    _set(thread, process, resource, process.space.copy_in(rlim, _RLIMIT.size))
    return 0


def _set(thread: UserThread, target: Process, resource: int, raw: bytes) -> None:
    privileged = thread.process.credentials.privileged
    target.limits.set(resource, *_RLIMIT.unpack(raw), privileged=privileged)
    target.limits.apply(target.space.limits, target.files)


@syscall
def prlimit64(thread: UserThread, pid: Int, resource: Int, new: UserPtr, old: UserPtr) -> int:
    """Set and tell a limit of a process."""
    me, space = thread.process, thread.process.space
    target = me if not pid else thread.system.processes.get(pid)
    raw = space.copy_in(new, _RLIMIT.size) if new else b""
    mine, theirs = me.credentials, target.credentials
    same = mine.user.real, mine.group.real
    if target is not me and not mine.privileged:
        users = {theirs.user.real, theirs.user.effective, theirs.user.saved, same[0]}
        groups = {theirs.group.real, theirs.group.effective, theirs.group.saved, same[1]}
        if len(users) > 1 or len(groups) > 1:
            raise SysError(Errno.EPERM)
    before = target.limits.get(resource)
    if raw:
        _set(thread, target, resource, raw)
    if old:
        space.copy_out(old, _RLIMIT.pack(*before))
    return 0
