"""Advisory locks: flock, and the range locks of fcntl."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import locks
from pykern.kernel.fs.locks import F_RDLCK, F_UNLCK, F_WRLCK, RangeLock, range_of
from pykern.kernel.syscalls.arguments import Fd, Int
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File
    from pykern.kernel.task.thread import UserThread

__all__ = ["RANGE_COMMANDS", "lock_range"]

_F_GETLK, _F_SETLK, _F_SETLKW = 5, 6, 7
_F_OFD_GETLK, _F_OFD_SETLK, _F_OFD_SETLKW = 36, 37, 38
_OFD = {_F_OFD_GETLK, _F_OFD_SETLK, _F_OFD_SETLKW}
RANGE_COMMANDS = {_F_GETLK, _F_SETLK, _F_SETLKW} | _OFD
_FLOCK = struct.Struct("<hh4xqqi4x")
"""`struct flock`: type, whence, start, length, pid."""
_SEEK_SET = 0
_END = locks.END


@syscall
async def flock(thread: UserThread, fd: Fd, operation: Int) -> int:
    """Hold a whole file shared or alone, or give it up."""
    await locks.flock(thread.process.files.get(fd), operation)
    return 0


async def lock_range(thread: UserThread, fd: int, op: int, arg: int) -> int:
    """Do F_GETLK, F_SETLK, F_SETLKW, and those of open files (F_OFD_…).

    Raises
    ------
    SysError(EFAULT) : `arg` is not the address of a `struct flock`
    SysError(EINVAL, EBADF, EAGAIN, EDEADLK, EOVERFLOW) : as `set_range` and `range_of`
    """
    process = thread.process
    file = process.files.get(fd)
    kind, whence, start, length, pid = _FLOCK.unpack(process.space.copy_in(arg, _FLOCK.size))
    if op in _OFD and pid:
        raise SysError(Errno.EINVAL)
    owner, pid = (file, -1) if op in _OFD else (process.files, process.pid)
    wanted = RangeLock(kind, *range_of(file, whence, start, length), owner, pid)
    if op in {_F_GETLK, _F_OFD_GETLK}:
        process.space.copy_out(arg, _told(file, wanted, whence, start, length))
    else:
        await locks.set_range(file, wanted, wait=op in {_F_SETLKW, _F_OFD_SETLKW})
    return 0


def _told(file: File, wanted: RangeLock, whence: int, start: int, length: int) -> bytes:
    """Return the `struct flock` of what is in the way, or the one that was given, unlocked."""
    if wanted.kind not in {F_RDLCK, F_WRLCK}:
        raise SysError(Errno.EINVAL)
    found = locks.blocking_range(file, wanted)
    if found is None:
        return _FLOCK.pack(F_UNLCK, whence, start, length, 0)
    size = 0 if found.end == _END else found.end - found.start
    return _FLOCK.pack(found.kind, _SEEK_SET, found.start, size, found.pid)
