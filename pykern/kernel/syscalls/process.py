"""Processes and threads: identity, birth, death, programs."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.syscalls.arguments import Int, Long, UInt, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.task import clone as cloning
from pykern.kernel.task.exec import execute
from pykern.kernel.task.exit import exit_group as end_process
from pykern.kernel.task.exit import exit_status, exit_thread
from pykern.kernel.task.sigaction import Signal

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import UserThread

_STRINGS_LIMIT = 128 * 1024
ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004
_USER_TOP = 1 << 47
PR_SET_NAME, PR_GET_NAME = 15, 16
_COMM = 16


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


@syscall
async def fork(thread: UserThread) -> int:
    """Make a copy of the process."""
    return await cloning.clone(thread.system, thread, Signal.SIGCHLD, 0, 0, 0, 0)


@syscall
async def vfork(thread: UserThread) -> int:
    """Make a process that borrows the memory until it runs a program or ends."""
    flags = cloning.CLONE_VFORK | cloning.CLONE_VM | Signal.SIGCHLD
    return await cloning.clone(thread.system, thread, flags, 0, 0, 0, 0)


@syscall
async def clone(
    thread: UserThread,
    flags: Long,
    stack: UserPtr,
    parent_tid: UserPtr,
    child_tid: UserPtr,
    tls: UserPtr,
) -> int:
    """Make a process or a thread."""
    return await cloning.clone(thread.system, thread, flags, stack, parent_tid, child_tid, tls)


@syscall
async def execve(thread: UserThread, pathname: UserStr, argv: UserPtr, envp: UserPtr) -> None:
    """Run another program in this process."""
    space = thread.process.space
    path = space.read_cstring(pathname)
    arguments, environment = _strings(thread, argv), _strings(thread, envp)
    await execute(thread.system, thread, path, arguments or [path], environment)


def _strings(thread: UserThread, uaddr: int) -> list[bytes]:
    """Return the strings that an array of pointers in user memory leads to."""
    if not uaddr:
        return []
    space, out, left = thread.process.space, [], _STRINGS_LIMIT
    for pointer in space.read_pointers(uaddr):
        out.append(space.read_cstring(pointer, left))
        left -= len(out[-1]) + 1
        if left <= 0:
            raise SysError(Errno.E2BIG)
    return out


@syscall
def exit_(thread: UserThread, status: Int) -> None:
    """End the thread."""
    exit_thread(thread.system, thread, exit_status(status))


@syscall
def exit_group(thread: UserThread, status: Int) -> None:
    """End the process."""
    end_process(thread.system, thread.process, exit_status(status))


@syscall
def set_tid_address(thread: UserThread, tidptr: UserPtr) -> int:
    """Say where a 0 is written when the thread ends."""
    thread.clear_child_tid = tidptr
    return thread.tid


@syscall
def set_robust_list(thread: UserThread, head: UserPtr, size: Long) -> int:
    """Accept the list of locks to release at the thread's end; only its size is checked."""
    if size != 24:
        raise SysError(Errno.EINVAL)
    return 0


@syscall
def arch_prctl(thread: UserThread, op: Int, addr: UserPtr) -> int:
    """Set or get the base of FS or GS."""
    cpu = thread.system.cpus[thread.cpu]
    names = {
        ARCH_SET_FS: "fs.base",
        ARCH_SET_GS: "kernel_gs_base",
        ARCH_GET_FS: "fs.base",
        ARCH_GET_GS: "kernel_gs_base",
    }
    if op not in names:
        raise SysError(Errno.EINVAL)
    if op in {ARCH_GET_FS, ARCH_GET_GS}:
        value = cpu.vcpu.read_register(names[op])
        thread.process.space.copy_out(addr, struct.pack("<Q", value))
        return 0
    if addr >= _USER_TOP:
        raise SysError(Errno.EPERM)
    cpu.vcpu.write_register(names[op], addr)
    return 0


@syscall
def prctl(thread: UserThread, op: Int, arg2: UserPtr) -> int:
    """Set or get the thread's name."""
    space = thread.process.space
    if op == PR_SET_NAME:
        thread.name = space.read_cstring(arg2, _COMM)[: _COMM - 1].decode("utf-8", "replace")
        return 0
    if op == PR_GET_NAME:
        space.copy_out(arg2, thread.name.encode()[: _COMM - 1].ljust(_COMM, b"\0"))
        return 0
    raise SysError(Errno.EINVAL)


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
