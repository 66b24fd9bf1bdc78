"""Names: directories, links, moving and removing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import entries
from pykern.kernel.fs.flags import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
)
from pykern.kernel.fs.path import path_of
from pykern.kernel.syscalls.arguments import Fd, Size, UInt, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.paths import check_flags, locate, read_path, start_of

if TYPE_CHECKING:
    from pykern.kernel.fs.location import Location
    from pykern.kernel.task.thread import UserThread

_GETDENTS_MOST = 1 << 20


@syscall
async def getdents64(thread: UserThread, fd: Fd, dirp: UserPtr, count: UInt) -> int:
    """Read entries of a directory."""
    return await _getdents(thread, fd, dirp, count, old=False)


@syscall
async def getdents(thread: UserThread, fd: Fd, dirp: UserPtr, count: UInt) -> int:
    """Read entries of a directory in the older form."""
    return await _getdents(thread, fd, dirp, count, old=True)


async def _getdents(thread: UserThread, fd: int, dirp: int, count: int, *, old: bool) -> int:
    file = thread.process.files.get(fd)
    buffer = await thread.process.space.pin(dirp, min(count, _GETDENTS_MOST), write=True)
    try:
        return file.getdents(buffer, old=old)
    finally:
        buffer.release()


@syscall
def getcwd(thread: UserThread, buf: UserPtr, size: Size) -> int:
    """Tell the working directory; the result is its length, NUL included."""
    fs = thread.process.fs
    path = path_of(fs, fs.cwd) + b"\0"
    if len(path) > size:
        raise SysError(Errno.ERANGE)
    thread.process.space.copy_out(buf, path)
    return len(path)


@syscall
def chdir(thread: UserThread, path: UserStr) -> int:
    """Set the working directory."""
    _enter(thread, locate(thread, AT_FDCWD, path))
    return 0


@syscall
def fchdir(thread: UserThread, fd: Fd) -> int:
    """Set the working directory to an open one."""
    _enter(thread, thread.process.files.get(fd).location)
    return 0


def _enter(thread: UserThread, where: Location) -> None:
    if not where.inode.is_directory():
        raise SysError(Errno.ENOTDIR)
    thread.process.fs.require(where.inode, 1)
    thread.process.fs.cwd = where


@syscall
def chroot(thread: UserThread, path: UserStr) -> int:
    """Set the root directory."""
    where = locate(thread, AT_FDCWD, path)
    if not where.inode.is_directory():
        raise SysError(Errno.ENOTDIR)
    if not thread.process.credentials.privileged:
        raise SysError(Errno.EPERM)
    thread.process.fs.root = where
    return 0


@syscall
def mkdir(thread: UserThread, pathname: UserStr, mode: UInt) -> int:
    """Make a directory."""
    entries.mkdir(thread.process.fs, read_path(thread, pathname), mode & 0o7777)
    return 0


@syscall
def mkdirat(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: UInt) -> int:
    """Make a directory below a directory."""
    path = read_path(thread, pathname)
    entries.mkdir(thread.process.fs, path, mode & 0o7777, start_of(thread, dirfd, path))
    return 0


@syscall
def rmdir(thread: UserThread, pathname: UserStr) -> int:
    """Remove an empty directory."""
    entries.rmdir(thread.process.fs, read_path(thread, pathname))
    return 0


@syscall
def unlink(thread: UserThread, pathname: UserStr) -> int:
    """Remove a name."""
    entries.unlink(thread.process.fs, read_path(thread, pathname))
    return 0


@syscall
def unlinkat(thread: UserThread, dirfd: Fd, pathname: UserStr, flags: UInt) -> int:
    """Remove a name below a directory."""
    if flags & ~AT_REMOVEDIR:
        raise SysError(Errno.EINVAL)
    path = read_path(thread, pathname)
    remove = entries.rmdir if flags & AT_REMOVEDIR else entries.unlink
    remove(thread.process.fs, path, start_of(thread, dirfd, path))
    return 0


@syscall
def link(thread: UserThread, oldpath: UserStr, newpath: UserStr) -> int:
    """Give a file another name."""
    old = locate(thread, AT_FDCWD, oldpath, follow=False)
    entries.link(thread.process.fs, old, read_path(thread, newpath))
    return 0


@syscall
def linkat(
    thread: UserThread, olddirfd: Fd, oldpath: UserStr, newdirfd: Fd, newpath: UserStr, flags: UInt
) -> int:
    """Give a file another name, below directories."""
    check_flags(flags, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)
    follow = bool(flags & AT_SYMLINK_FOLLOW)
    old = locate(thread, olddirfd, oldpath, flags & AT_EMPTY_PATH, follow=follow)
    path = read_path(thread, newpath)
    entries.link(thread.process.fs, old, path, start_of(thread, newdirfd, path))
    return 0


@syscall
def symlink(thread: UserThread, target: UserStr, linkpath: UserStr) -> int:
    """Make a symbolic link."""
    entries.symlink(thread.process.fs, read_path(thread, target), read_path(thread, linkpath))
    return 0


@syscall
def symlinkat(thread: UserThread, target: UserStr, newdirfd: Fd, linkpath: UserStr) -> int:
    """Make a symbolic link below a directory."""
    path = read_path(thread, linkpath)
    start = start_of(thread, newdirfd, path)
    entries.symlink(thread.process.fs, read_path(thread, target), path, start)
    return 0


def _readlink(thread: UserThread, dirfd: int, pathname: int, buf: int, size: int) -> int:
    where = locate(thread, dirfd, pathname, AT_EMPTY_PATH, follow=False)
    if not size:
        raise SysError(Errno.EINVAL)
    target = where.inode.readlink()[:size]
    thread.process.space.copy_out(buf, target)
    return len(target)


@syscall
def readlink(thread: UserThread, pathname: UserStr, buf: UserPtr, bufsiz: Size) -> int:
    """Tell where a symbolic link leads."""
    return _readlink(thread, AT_FDCWD, pathname, buf, bufsiz)


@syscall
def readlinkat(thread: UserThread, dirfd: Fd, pathname: UserStr, buf: UserPtr, bufsiz: Size) -> int:
    """Tell where a symbolic link below a directory leads."""
    return _readlink(thread, dirfd, pathname, buf, bufsiz)


@syscall
def rename(thread: UserThread, oldpath: UserStr, newpath: UserStr) -> int:
    """Move a file to another name."""
    entries.rename(thread.process.fs, read_path(thread, oldpath), read_path(thread, newpath))
    return 0


@syscall
def renameat(
    thread: UserThread, olddirfd: Fd, oldpath: UserStr, newdirfd: Fd, newpath: UserStr
) -> int:
    """Move a file to another name, below directories."""
    return _renameat(thread, (olddirfd, oldpath), (newdirfd, newpath), 0)


@syscall
def renameat2(
    thread: UserThread, olddirfd: Fd, oldpath: UserStr, newdirfd: Fd, newpath: UserStr, flags: UInt
) -> int:
    """Move a file to another name, with flags."""
    return _renameat(thread, (olddirfd, oldpath), (newdirfd, newpath), flags)


def _renameat(thread: UserThread, old: tuple[int, int], new: tuple[int, int], flags: int) -> int:
    old_path, new_path = read_path(thread, old[1]), read_path(thread, new[1])
    entries.rename(
        thread.process.fs,
        old_path,
        new_path,
        old_start=start_of(thread, old[0], old_path),
        new_start=start_of(thread, new[0], new_path),
        flags=flags,
    )
    return 0


@syscall
def mknod(thread: UserThread, pathname: UserStr, mode: UInt, dev: UInt) -> int:
    """Make a file of any kind."""
    entries.mknod(thread.process.fs, read_path(thread, pathname), mode, dev)
    return 0


@syscall
def mknodat(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: UInt, dev: UInt) -> int:
    """Make a file of any kind below a directory."""
    path = read_path(thread, pathname)
    entries.mknod(thread.process.fs, path, mode, dev, start_of(thread, dirfd, path))
    return 0
