"""The system as a whole: names, limits, random numbers, scheduling, power."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.sched import SchedClass
from pykern.kernel.syscalls.arguments import Int, Size, UInt, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_UTS_FIELD = 65
RELEASE = "6.1.0-pykern"
"""What uname says; programs of the C library look for a Linux that is new enough."""
_SYSINFO = struct.Struct("<q3Q6QH6xQQI4x")
_LIMITS = 16
RLIM_INFINITY = (1 << 64) - 1
RLIMIT_STACK, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_AS = 3, 6, 7, 9
_GRND_MOST = 1 << 20
LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2 = 0xFEE1DEAD, (672274793, 85072278, 369367448, 537993216)
CMD_RESTART, CMD_HALT, CMD_CAD_ON, CMD_CAD_OFF = 0x01234567, 0xCDEF0123, 0x89ABCDEF, 0
CMD_POWER_OFF = 0x4321FEDC
PRIO_PROCESS = 0
_SYSLOG_READ_ALL, _SYSLOG_SIZE_BUFFER, _SYSLOG_SIZE_UNREAD = 3, 10, 9


@syscall
def uname(thread: UserThread, buf: UserPtr) -> int:
    """Tell what this is."""
    fields = ("Linux", "pykern", RELEASE, "#1 SMP hosted in Python", "x86_64", "(none)")
    raw = b"".join(text.encode().ljust(_UTS_FIELD, b"\0") for text in fields)
    thread.process.space.copy_out(buf, raw)
    return 0


@syscall
def sysinfo(thread: UserThread, info: UserPtr) -> int:
    """Tell how the machine is doing."""
    system = thread.system
    memory = system.frames.statistics()
    raw = _SYSINFO.pack(
        system.clock.now_ns // 1_000_000_000,
        *(0, 0, 0),
        *(memory.total, memory.free, 0, 0, 0, 0),
        len(system.processes.by_pid),
        *(0, 0),
        1,
    )
    thread.process.space.copy_out(info, raw)
    return 0


@syscall
def getrandom(thread: UserThread, buf: UserPtr, buflen: Size, flags: UInt) -> int:
    """Give random bytes; the machine's seed decides which."""
    del flags
    size = min(buflen, _GRND_MOST)
    thread.process.space.copy_out(buf, thread.system.random_bytes(size))
    return size


@syscall
def getcpu(thread: UserThread, cpu: UserPtr, node: UserPtr) -> int:
    """Tell which processor the thread is on."""
    for uaddr, value in ((cpu, thread.cpu), (node, 0)):
        if uaddr:
            thread.process.space.copy_out(uaddr, struct.pack("<I", value))
    return 0


# -- limits


def _limit(thread: UserThread, resource: int) -> tuple[int, int]:
    if not 0 <= resource < _LIMITS:
        raise SysError(Errno.EINVAL)
    process = thread.process
    soft = {
        RLIMIT_STACK: process.space.limits.stack,
        RLIMIT_NOFILE: process.files.limit,
        RLIMIT_AS: process.space.limits.address_space,
    }.get(resource, RLIM_INFINITY)
    return soft, RLIM_INFINITY


@syscall
def getrlimit(thread: UserThread, resource: Int, rlim: UserPtr) -> int:
    """Tell a limit."""
    thread.process.space.copy_out(rlim, struct.pack("<QQ", *_limit(thread, resource)))
    return 0


@syscall
def setrlimit(thread: UserThread, resource: Int, rlim: UserPtr) -> int:
    """Set a limit."""
    soft, hard = struct.unpack("<QQ", thread.process.space.copy_in(rlim, 16))
    _set_limit(thread, resource, soft, hard)
    return 0


def _set_limit(thread: UserThread, resource: int, soft: int, hard: int) -> None:
    _limit(thread, resource)
    if soft > hard:
        raise SysError(Errno.EINVAL)
    limits = thread.process.space.limits
    if resource == RLIMIT_STACK:
        limits.stack = soft
    elif resource == RLIMIT_NOFILE:
        thread.process.files.limit = min(soft, 1 << 20)
    elif resource == RLIMIT_AS:
        limits.address_space = soft


@syscall
def prlimit64(thread: UserThread, pid: Int, resource: Int, new: UserPtr, old: UserPtr) -> int:
    """Set and tell a limit of the calling process."""
    if pid not in {0, thread.process.pid}:
        thread.system.processes.get(pid)
        raise SysError(Errno.EPERM)
    space, before = thread.process.space, _limit(thread, resource)
    if new:
        _set_limit(thread, resource, *struct.unpack("<QQ", space.copy_in(new, 16)))
    if old:
        space.copy_out(old, struct.pack("<QQ", *before))
    return 0


# -- scheduling


def _thread_of(thread: UserThread, pid: int) -> UserThread:
    if pid == 0:
        return thread
    found = thread.system.threads.user(pid)
    if found is None:
        raise SysError(Errno.ESRCH)
    return found


@syscall
def sched_yield(thread: UserThread) -> int:
    """Let others of the same urgency go first."""
    thread.system.scheduler.yield_now(thread.cpu)
    thread.system.signals.kick(thread)
    return 0


@syscall
def sched_getaffinity(thread: UserThread, pid: Int, cpusetsize: Size, mask: UserPtr) -> int:
    """Tell on which processors a thread may run; the result is the bytes of the mask."""
    target = _thread_of(thread, pid)
    allowed = target.affinity & thread.system.scheduler.online
    size = 8
    if cpusetsize < size or cpusetsize % 8:
        raise SysError(Errno.EINVAL)
    thread.process.space.copy_out(mask, allowed.to_bytes(size, "little"))
    return size


@syscall
def sched_setaffinity(thread: UserThread, pid: Int, cpusetsize: Size, mask: UserPtr) -> int:
    """Say on which processors a thread may run."""
    target = _thread_of(thread, pid)
    raw = thread.process.space.copy_in(mask, min(cpusetsize, 128))
    wanted = int.from_bytes(raw, "little") & thread.system.scheduler.online
    if not wanted:
        raise SysError(Errno.EINVAL)
    thread.system.scheduler.set_affinity(target, wanted)
    thread.system.signals.kick(thread)
    return 0


@syscall
def getpriority(thread: UserThread, which: Int, who: Int) -> int:
    """Tell the nice value of a process, as 20 minus that."""
    if which != PRIO_PROCESS:
        raise SysError(Errno.EINVAL)
    return 20 - _thread_of(thread, who).nice


@syscall
def setpriority(thread: UserThread, which: Int, who: Int, prio: Int) -> int:
    """Set the nice value of a process."""
    if which != PRIO_PROCESS:
        raise SysError(Errno.EINVAL)
    nice = max(-20, min(prio, 19))
    thread.system.scheduler.set_priority(_thread_of(thread, who), nice=nice)
    return 0


def _asked(thread: UserThread, pid: int) -> UserThread:
    if pid < 0:
        raise SysError(Errno.EINVAL)
    return _thread_of(thread, pid)


@syscall
def sched_getscheduler(thread: UserThread, pid: Int) -> int:
    """Tell the scheduling class of a thread."""
    return _asked(thread, pid).sched_class


@syscall
def sched_getparam(thread: UserThread, pid: Int, param: UserPtr) -> int:
    """Tell the real-time priority of a thread."""
    priority = _asked(thread, pid).rt_priority
    thread.process.space.copy_out(param, struct.pack("<i", priority))
    return 0


@syscall
def sched_get_priority_max(thread: UserThread, policy: Int) -> int:
    """Tell the highest real-time priority of a class."""
    del thread
    return _priorities(policy)[1]


def _priorities(policy: int) -> tuple[int, int]:
    """Return the lowest and the highest real-time priority of a class."""
    if policy not in set(SchedClass):
        raise SysError(Errno.EINVAL)
    return (1, 99) if policy in {SchedClass.FIFO, SchedClass.RR} else (0, 0)


@syscall
def sched_get_priority_min(thread: UserThread, policy: Int) -> int:
    """Tell the lowest real-time priority of a class."""
    del thread
    return _priorities(policy)[0]


# -- power, log, names


@syscall
def reboot(thread: UserThread, magic: UInt, magic2: UInt, op: UInt) -> int | None:
    """Turn the machine off, or restart it."""
    if magic != LINUX_REBOOT_MAGIC1 or magic2 not in LINUX_REBOOT_MAGIC2:
        raise SysError(Errno.EINVAL)
    if op in {CMD_POWER_OFF, CMD_HALT}:
        thread.system.power_off()
    elif op == CMD_RESTART:
        thread.system.restart()
    elif op not in {CMD_CAD_ON, CMD_CAD_OFF}:
        raise SysError(Errno.EINVAL)
    return 0


@syscall
def syslog(thread: UserThread, type_: Int, bufp: UserPtr, size: Int) -> int:
    """Read the kernel's log."""
    text = thread.system.log.dmesg().encode()
    if type_ == _SYSLOG_READ_ALL:
        text = text[-max(size, 0) :] if size else b""
        thread.process.space.copy_out(bufp, text)
        return len(text)
    if type_ in {_SYSLOG_SIZE_BUFFER, _SYSLOG_SIZE_UNREAD}:
        return max(len(text), 1)
    if 0 <= type_ <= _SYSLOG_SIZE_BUFFER:
        return 0
    raise SysError(Errno.EINVAL)


@syscall
def sethostname(thread: UserThread, name: UserStr, len_: Size) -> int:
    """Refuse another name: it is pykern."""
    del thread, name, len_
    raise SysError(Errno.EPERM)
