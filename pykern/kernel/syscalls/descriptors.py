"""Descriptors that come without a path or go by the dozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.memfd import make_memfd
from pykern.kernel.syscalls.arguments import Fd, Int, Long, UInt, UserStr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_CLOSE_RANGE_UNSHARE, _CLOSE_RANGE_CLOEXEC = 2, 4
_MFD_CLOEXEC, _MFD_ALLOW_SEALING = 1, 2
_ADVICE = range(6)


@syscall
def close_range(thread: UserThread, first: UInt, last: UInt, flags: UInt) -> int:
    """Close all descriptors of a range, or have exec close them.

    Tables are shared by the threads of a process alone, so that there is nothing to unshare for one
    that has a single thread; for others that flag is refused.
    """
    if flags & ~(_CLOSE_RANGE_UNSHARE | _CLOSE_RANGE_CLOEXEC):
        raise SysError(Errno.EINVAL)
    process = thread.process
    if flags & _CLOSE_RANGE_UNSHARE and len(process.threads) > 1:
        raise SysError(Errno.EINVAL)
    process.files.close_range(first, last, cloexec=bool(flags & _CLOSE_RANGE_CLOEXEC))
    return 0


@syscall
def memfd_create(thread: UserThread, name: UserStr, flags: UInt) -> int:
    """Make a file in memory that has no name."""
    if flags & ~(_MFD_CLOEXEC | _MFD_ALLOW_SEALING):
        raise SysError(Errno.EINVAL)
    process = thread.process
    file = make_memfd(thread.system.vfs, process.space.read_cstring(name))
    try:
        return process.files.install(file, cloexec=bool(flags & _MFD_CLOEXEC))
    except SysError:
        file.put()
        raise


@syscall
def fadvise64(thread: UserThread, fd: Fd, offset: Long, len_: Long, advice: Int) -> int:
    """Take note of how a file will be read: all of it is in memory, so that nothing follows."""
    del offset
    file = thread.process.files.get(fd)
    if file.queues:
        raise SysError(Errno.ESPIPE)
    if len_ < 0 or advice not in _ADVICE:
        raise SysError(Errno.EINVAL)
    return 0
