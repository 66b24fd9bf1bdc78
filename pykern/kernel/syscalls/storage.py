"""Space of files, and writing them back: to a disk, where one is behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import FILE_SIZE_MAX
from pykern.kernel.syscalls.arguments import Fd, Int, Long, Size, UInt
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_KEEP_SIZE, _PUNCH_HOLE, _ZERO_RANGE = 1, 2, 0x10
_KINDS = {0, _PUNCH_HOLE, _ZERO_RANGE}
_SYNC_FILE_RANGE = 7


@syscall
def fallocate(thread: UserThread, fd: Fd, mode: Int, offset: Long, len_: Long) -> int:
    """Give a range of a file its space, take it away, or fill it with zeroes."""
    file = thread.process.files.get(fd)
    if offset < 0 or len_ <= 0:
        raise SysError(Errno.EINVAL)
    kind = mode & ~_KEEP_SIZE
    if kind not in _KINDS or (kind == _PUNCH_HOLE and not mode & _KEEP_SIZE):
        raise SysError(Errno.EOPNOTSUPP)
    file.require_writable()
    if not file.inode.is_regular():
        raise SysError(Errno.ESPIPE if file.queues else Errno.ENODEV)
    if offset + len_ > FILE_SIZE_MAX:
        raise SysError(Errno.EFBIG)
    inode = file.inode
    if kind:
        inode.clear(offset, len_, keep_space=kind == _ZERO_RANGE)
    else:
        inode.allocate(offset, len_)
    if not mode & _KEEP_SIZE and offset + len_ > inode.size:
        inode.resize(offset + len_)
    return 0


@syscall
async def fsync(thread: UserThread, fd: Fd) -> int:
    """Write a file back."""
    await thread.process.files.get(fd).sync()
    return 0


@syscall
async def fdatasync(thread: UserThread, fd: Fd) -> int:
    """Write a file's content back."""
    await thread.process.files.get(fd).sync()
    return 0


@syscall
async def sync(thread: UserThread) -> int:
    """Write everything back."""
    for device in thread.process.fs.vfs.devices.volumes:
        await device.write_out()
    return 0


@syscall
async def syncfs(thread: UserThread, fd: Fd) -> int:
    """Write a file system back."""
    await thread.process.files.get(fd).inode.fs.sync()
    return 0


@syscall
def sync_file_range(thread: UserThread, fd: Fd, offset: Long, nbytes: Long, flags: UInt) -> int:
    """Write a range of a file back."""
    file = thread.process.files.get(fd)
    if flags & ~_SYNC_FILE_RANGE or offset < 0 or nbytes < 0:
        raise SysError(Errno.EINVAL)
    if not file.inode.is_regular() and not file.inode.is_directory():
        raise SysError(Errno.ESPIPE)
    return 0


@syscall
def readahead(thread: UserThread, fd: Fd, offset: Long, count: Size) -> int:
    """Bring a range of a file into memory, where it is."""
    del offset, count
    file = thread.process.files.get(fd)
    file.require_readable()
    if not file.inode.is_regular():
        raise SysError(Errno.EINVAL)
    return 0
