"""The system as a whole: names, limits, random numbers, scheduling, power."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.syscalls.arguments import Int, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_UTS_FIELD = 65
RELEASE = "6.1.0-pykern"
"""What uname says; programs of the C library look for a Linux that is new enough."""
_SYSINFO = struct.Struct("<q3Q6QH6xQQI4x")
_PER_LINUX32 = 8
_LOAD_ONE = 1 << 16
_GRND_KNOWN, _GRND_BOTH = 7, 6
_GRND_MOST = 1 << 20
LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2 = 0xFEE1DEAD, (672274793, 85072278, 369367448, 537993216)
CMD_RESTART, CMD_HALT, CMD_CAD_ON, CMD_CAD_OFF = 0x01234567, 0xCDEF0123, 0x89ABCDEF, 0
CMD_POWER_OFF = 0x4321FEDC
_SYSLOG_READ_ALL, _SYSLOG_SIZE_BUFFER, _SYSLOG_SIZE_UNREAD = 3, 10, 9


@syscall
def uname(thread: UserThread, buf: UserPtr) -> int:
    """Tell what this is."""
    machine = "i686" if thread.process.personality & 0xFF == _PER_LINUX32 else "x86_64"
    system, version = thread.system, "#1 SMP hosted in Python"
    fields = ("Linux", system.host_name, RELEASE, version, machine, system.domain_name)
    raw = b"".join(
        text.encode("utf-8", "surrogateescape").ljust(_UTS_FIELD, b"\0") for text in fields
    )
    thread.process.space.copy_out(buf, raw)
    return 0


@syscall
def sysinfo(thread: UserThread, info: UserPtr) -> int:
    """Tell how the machine is doing."""
    system = thread.system
    memory = system.frames.statistics()
    raw = _SYSINFO.pack(
        system.clock.now_ns // 1_000_000_000,
        *(round(load * _LOAD_ONE) for load in system.scheduler.load_averages()),
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
    if flags & ~_GRND_KNOWN or flags & _GRND_BOTH == _GRND_BOTH:
        raise SysError(Errno.EINVAL)
    size = min(buflen, _GRND_MOST)
    thread.process.space.copy_out(buf, thread.system.random_bytes(size))
    return size


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


def _new_name(thread: UserThread, uaddr: int, size: int) -> str:
    """Return a name that user 0 gives to the system."""
    if not thread.process.credentials.privileged:
        raise SysError(Errno.EPERM)
    if not 0 <= size < _UTS_FIELD:
        raise SysError(Errno.EINVAL)
    return thread.process.space.copy_in(uaddr, size).decode("utf-8", "surrogateescape")


@syscall
def sethostname(thread: UserThread, name: UserPtr, len_: Int) -> int:
    """Give the machine another name."""
    thread.system.host_name = _new_name(thread, name, len_)
    return 0


@syscall
def setdomainname(thread: UserThread, name: UserPtr, len_: Int) -> int:
    """Give the machine's domain another name."""
    thread.system.domain_name = _new_name(thread, name, len_)
    return 0
