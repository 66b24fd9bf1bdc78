"""What a thread or process says of itself: prctl, personality, segment bases, lists of locks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.syscalls.arguments import Int, Long, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.task.sigaction import LAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.task.thread import UserThread

ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004
_USER_TOP = 1 << 47
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 1, 2, 3, 4
PR_GET_KEEPCAPS, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP = 7, 15, 16, 21
PR_CAPBSET_READ, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK = 23, 29, 30
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS = 38, 39, 40
PR_CAP_AMBIENT, _AMBIENT_RAISE = 47, 2
_COMM = 16
_DEFAULT_SLACK_NS = 50_000
_LAST_CAPABILITY = 40
_ROBUST_LIST_SIZE = 24
_ASK = 0xFFFF_FFFF


@syscall
def set_tid_address(thread: UserThread, tidptr: UserPtr) -> int:
    """Say where a 0 is written when the thread ends."""
    thread.clear_child_tid = tidptr
    return thread.tid


@syscall
def set_robust_list(thread: UserThread, head: UserPtr, size: Long) -> int:
    """Say where the list of locks is that are released when the thread ends."""
    if size != _ROBUST_LIST_SIZE:
        raise SysError(Errno.EINVAL)
    thread.robust_list = head
    return 0


@syscall
def get_robust_list(thread: UserThread, pid: Int, head_ptr: UserPtr, len_ptr: UserPtr) -> int:
    """Tell where the list of locks of a thread is."""
    target = thread.system.threads.user(pid) if pid else thread
    if target is None:
        raise SysError(Errno.ESRCH)
    if not thread.process.credentials.owns(target.process.credentials):
        raise SysError(Errno.EPERM)
    space = thread.process.space
    space.copy_out(len_ptr, struct.pack("<Q", _ROBUST_LIST_SIZE))
    space.copy_out(head_ptr, struct.pack("<Q", target.robust_list))
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
def personality(thread: UserThread, persona: UInt) -> int:
    """Set which system the program takes this for; uname shows it, nothing else does."""
    process = thread.process
    before = process.personality
    if persona != _ASK:
        process.personality = persona
    return before


@syscall
def prctl(thread: UserThread, op: Int, arg2: Size, arg3: Size, arg4: Size, arg5: Size) -> int:
    """Set or tell one of many things."""
    if op in _WITHOUT_MORE and (arg3 or arg4 or arg5):
        raise SysError(Errno.EINVAL)
    if op == PR_CAP_AMBIENT:
        return _ambient(arg2, arg3)
    do = _OPERATIONS.get(op)
    if do is None:
        raise SysError(Errno.EINVAL)
    return do(thread, arg2)


def _ambient(what: int, capability: int) -> int:
    """Tell that there are no ambient capabilities, and none can be raised."""
    if what not in range(1, 5) or capability > _LAST_CAPABILITY:
        raise SysError(Errno.EINVAL)
    if what == _AMBIENT_RAISE:
        raise SysError(Errno.EPERM)
    return 0


def _set_name(thread: UserThread, uaddr: int) -> int:
    space = thread.process.space
    try:
        raw = space.read_cstring(uaddr, _COMM - 1)
    except SysError as error:
        if error.errno is not Errno.ENAMETOOLONG:
            raise
        raw = space.copy_in(uaddr, _COMM - 1)
    thread.name = raw.decode("utf-8", "replace")
    return 0


def _get_name(thread: UserThread, uaddr: int) -> int:
    name = thread.name.encode()[: _COMM - 1].ljust(_COMM, b"\0")
    thread.process.space.copy_out(uaddr, name)
    return 0


def _set_death_signal(thread: UserThread, number: int) -> int:
    if number > LAST:
        raise SysError(Errno.EINVAL)
    thread.process.pdeath_signal = number
    return 0


def _set_dumpable(thread: UserThread, value: int) -> int:
    if value not in {0, 1}:
        raise SysError(Errno.EINVAL)
    thread.process.dumpable = value
    return 0


def _capability(_thread: UserThread, number: int) -> int:
    if number > _LAST_CAPABILITY:
        raise SysError(Errno.EINVAL)
    return 1


def _set_slack(thread: UserThread, ns: int) -> int:
    thread.timer_slack_ns = ns or _DEFAULT_SLACK_NS
    return 0


def _set_subreaper(thread: UserThread, value: int) -> int:
    thread.process.subreaper = bool(value)
    return 0


def _set_no_new_privileges(thread: UserThread, value: int) -> int:
    if value != 1:
        raise SysError(Errno.EINVAL)
    thread.process.credentials.no_new_privileges = True
    return 0


def _get_no_new_privileges(thread: UserThread, value: int) -> int:
    if value:
        raise SysError(Errno.EINVAL)
    return int(thread.process.credentials.no_new_privileges)


def _tell(size: int, value: Callable[[UserThread], int]) -> Callable[[UserThread, int], int]:
    """Return what stores a number at the address that is the argument."""

    def tell(thread: UserThread, uaddr: int) -> int:
        thread.process.space.copy_out(uaddr, value(thread).to_bytes(size, "little"))
        return 0

    return tell


_OPERATIONS: dict[int, Callable[[UserThread, int], int]] = {
    PR_SET_PDEATHSIG: _set_death_signal,
    PR_GET_PDEATHSIG: _tell(4, lambda thread: thread.process.pdeath_signal),
    PR_GET_DUMPABLE: lambda thread, _argument: thread.process.dumpable,
    PR_SET_DUMPABLE: _set_dumpable,
    PR_GET_KEEPCAPS: lambda _thread, _argument: 0,
    PR_SET_NAME: _set_name,
    PR_GET_NAME: _get_name,
    PR_GET_SECCOMP: lambda _thread, _argument: 0,
    PR_CAPBSET_READ: _capability,
    PR_SET_TIMERSLACK: _set_slack,
    PR_GET_TIMERSLACK: lambda thread, _argument: thread.timer_slack_ns,
    PR_SET_CHILD_SUBREAPER: _set_subreaper,
    PR_GET_CHILD_SUBREAPER: _tell(4, lambda thread: int(thread.process.subreaper)),
    PR_SET_NO_NEW_PRIVS: _set_no_new_privileges,
    PR_GET_NO_NEW_PRIVS: _get_no_new_privileges,
    PR_GET_TID_ADDRESS: _tell(8, lambda thread: thread.clear_child_tid),
}
_WITHOUT_MORE = {PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS}
