"""Paths: opening, attributes, directories."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from pykern.kernel.abi.linux_structs import pack_stat, pack_statfs, pack_statx
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import attributes, entries
from pykern.kernel.fs.flags import (
    AT_EACCESS,
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW,
    O_CLOEXEC,
    O_CREAT,
    O_TRUNC,
    O_WRONLY,
)
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import path_of, walk
from pykern.kernel.fs.table import base
from pykern.kernel.syscalls.arguments import Fd, Id, Int, Long, Size, UInt, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.location import Location
    from pykern.kernel.task.thread import UserThread

_GETDENTS_MOST = 1 << 20
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
_NS_PER_S = 1_000_000_000


def _path(thread: UserThread, uaddr: int) -> bytes:
    """Return a path from user memory."""
    return thread.process.space.read_cstring(uaddr)


def _start(thread: UserThread, dirfd: int, path: bytes) -> Location:
    return base(thread.process.fs, thread.process.files, dirfd, path)


def _locate(
    thread: UserThread,
    dirfd: int,
    uaddr: int,
    flags: int = 0,
    *,
    follow: bool = True,
    fs: FsContext | None = None,
) -> Location:
    """Return the place that the path of an …at call leads to.

    Parameters
    ----------
    fs : who looks for it; the process unless given
    """
    path, fs = _path(thread, uaddr), fs or thread.process.fs
    if not path and flags & AT_EMPTY_PATH:
        return fs.cwd if dirfd == AT_FDCWD else thread.process.files.get(dirfd).location
    if flags & AT_SYMLINK_NOFOLLOW:
        follow = False
    return walk(fs, path, _start(thread, dirfd, path), follow=follow)


# -- opening


async def _open(thread: UserThread, dirfd: int, uaddr: int, flags: int, mode: int) -> int:
    process, path = thread.process, _path(thread, uaddr)
    file = await open_at(process.fs, path, flags, mode & 0o7777, _start(thread, dirfd, path))
    try:
        return process.files.install(file, cloexec=bool(flags & O_CLOEXEC))
    except SysError:
        file.put()
        raise


@syscall
async def open_(thread: UserThread, pathname: UserStr, flags: UInt, mode: UInt) -> int:
    """Open a file."""
    return await _open(thread, AT_FDCWD, pathname, flags, mode)


@syscall
async def openat(thread: UserThread, dirfd: Fd, pathname: UserStr, flags: UInt, mode: UInt) -> int:
    """Open a file below a directory."""
    return await _open(thread, dirfd, pathname, flags, mode)


@syscall
async def creat(thread: UserThread, pathname: UserStr, mode: UInt) -> int:
    """Make a file and open it for writing."""
    return await _open(thread, AT_FDCWD, pathname, O_CREAT | O_WRONLY | O_TRUNC, mode)


# -- attributes


@syscall
def stat(thread: UserThread, pathname: UserStr, statbuf: UserPtr) -> int:
    """Tell the attributes of a file."""
    found = _locate(thread, AT_FDCWD, pathname)
    thread.process.space.copy_out(statbuf, pack_stat(found.inode.stat()))
    return 0


@syscall
def lstat(thread: UserThread, pathname: UserStr, statbuf: UserPtr) -> int:
    """Tell the attributes of a file, or of the symbolic link that it is."""
    found = _locate(thread, AT_FDCWD, pathname, follow=False)
    thread.process.space.copy_out(statbuf, pack_stat(found.inode.stat()))
    return 0


@syscall
def fstat(thread: UserThread, fd: Fd, statbuf: UserPtr) -> int:
    """Tell the attributes of an open file."""
    found = thread.process.files.get(fd).stat()
    thread.process.space.copy_out(statbuf, pack_stat(found))
    return 0


@syscall
def newfstatat(
    thread: UserThread, dirfd: Fd, pathname: UserStr, statbuf: UserPtr, flags: UInt
) -> int:
    """Tell the attributes of a file below a directory."""
    found = _locate(thread, dirfd, pathname, flags)
    thread.process.space.copy_out(statbuf, pack_stat(found.inode.stat()))
    return 0


@syscall
def statx(
    thread: UserThread, dirfd: Fd, pathname: UserStr, flags: UInt, mask: UInt, statxbuf: UserPtr
) -> int:
    """Tell the attributes of a file in the newer form; always all of them."""
    del mask
    found = _locate(thread, dirfd, pathname, flags)
    thread.process.space.copy_out(statxbuf, pack_statx(found.inode.stat()))
    return 0


@syscall
def statfs(thread: UserThread, path: UserStr, buf: UserPtr) -> int:
    """Tell the attributes of a file system."""
    found = _locate(thread, AT_FDCWD, path)
    thread.process.space.copy_out(buf, pack_statfs(found.mount.fs.statfs()))
    return 0


@syscall
def fstatfs(thread: UserThread, fd: Fd, buf: UserPtr) -> int:
    """Tell the attributes of an open file's file system."""
    found = thread.process.files.get(fd).location
    thread.process.space.copy_out(buf, pack_statfs(found.mount.fs.statfs()))
    return 0


def _access(thread: UserThread, dirfd: int, pathname: int, mode: int, flags: int) -> int:
    """Check permissions: those of the real user, unless AT_EACCESS is given."""
    if flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise SysError(Errno.EINVAL)
    who, fs = thread.process.credentials, thread.process.fs
    if not flags & AT_EACCESS:
        fs = replace(fs, uid=who.user.real, gid=who.group.real)
    attributes.access(fs, _locate(thread, dirfd, pathname, flags, fs=fs), mode)
    return 0


@syscall
def access(thread: UserThread, pathname: UserStr, mode: Int) -> int:
    """Tell whether a file may be used so."""
    return _access(thread, AT_FDCWD, pathname, mode, 0)


@syscall
def faccessat(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: Int) -> int:
    """Tell whether a file below a directory may be used so."""
    return _access(thread, dirfd, pathname, mode, 0)


@syscall
def faccessat2(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: Int, flags: UInt) -> int:
    """Tell whether a file below a directory may be used so, with flags."""
    return _access(thread, dirfd, pathname, mode, flags)


@syscall
def chmod(thread: UserThread, pathname: UserStr, mode: UInt) -> int:
    """Set permissions."""
    attributes.chmod(thread.process.fs, _locate(thread, AT_FDCWD, pathname), mode & 0o7777)
    return 0


@syscall
def fchmod(thread: UserThread, fd: Fd, mode: UInt) -> int:
    """Set permissions of an open file."""
    where = thread.process.files.get(fd).location
    attributes.chmod(thread.process.fs, where, mode & 0o7777)
    return 0


@syscall
def fchmodat(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: UInt) -> int:
    """Set permissions of a file below a directory."""
    attributes.chmod(thread.process.fs, _locate(thread, dirfd, pathname), mode & 0o7777)
    return 0


@syscall
def chown(thread: UserThread, pathname: UserStr, owner: Id, group: Id) -> int:
    """Set owner and group."""
    attributes.chown(thread.process.fs, _locate(thread, AT_FDCWD, pathname), owner, group)
    return 0


@syscall
def lchown(thread: UserThread, pathname: UserStr, owner: Id, group: Id) -> int:
    """Set owner and group, of a symbolic link too."""
    where = _locate(thread, AT_FDCWD, pathname, follow=False)
    attributes.chown(thread.process.fs, where, owner, group)
    return 0


@syscall
def fchown(thread: UserThread, fd: Fd, owner: Id, group: Id) -> int:
    """Set owner and group of an open file."""
    where = thread.process.files.get(fd).location
    attributes.chown(thread.process.fs, where, owner, group)
    return 0


@syscall
def fchownat(
    thread: UserThread, dirfd: Fd, pathname: UserStr, owner: Id, group: Id, flags: UInt
) -> int:
    """Set owner and group of a file below a directory."""
    where = _locate(thread, dirfd, pathname, flags)
    attributes.chown(thread.process.fs, where, owner, group)
    return 0


@syscall
def utimensat(thread: UserThread, dirfd: Fd, pathname: UserStr, times: UserPtr, flags: UInt) -> int:
    """Set times of access and modification."""
    process = thread.process
    if pathname:
        where = _locate(thread, dirfd, pathname, flags)
    else:
        where = process.files.get(dirfd).location
    if not times:
        attributes.touch(process.fs, where)
        return 0
    now = thread.system.realtime_ns
    pair = struct.unpack("<qqqq", process.space.copy_in(times, 32))
    chosen = [_time(pair[0], pair[1], now), _time(pair[2], pair[3], now)]
    attributes.utimens(process.fs, where, *chosen)
    return 0


def _time(seconds: int, ns: int, now: int) -> int | None:
    if ns == _UTIME_OMIT:
        return None
    if ns == _UTIME_NOW:
        return now
    if not 0 <= ns < _NS_PER_S:
        raise SysError(Errno.EINVAL)
    return seconds * _NS_PER_S + ns


@syscall
def truncate(thread: UserThread, path: UserStr, length: Long) -> int:
    """Set the size of a file."""
    attributes.truncate(thread.process.fs, _locate(thread, AT_FDCWD, path), length)
    return 0


@syscall
def ftruncate(thread: UserThread, fd: Fd, length: Long) -> int:
    """Set the size of an open file."""
    thread.process.files.get(fd).truncate(length)
    return 0


# -- directories


@syscall
async def getdents64(thread: UserThread, fd: Fd, dirp: UserPtr, count: UInt) -> int:
    """Read entries of a directory."""
    file = thread.process.files.get(fd)
    buffer = await thread.process.space.pin(dirp, min(count, _GETDENTS_MOST), write=True)
    try:
        return file.getdents(buffer)
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
    _enter(thread, _locate(thread, AT_FDCWD, path))
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
    where = _locate(thread, AT_FDCWD, path)
    if not where.inode.is_directory():
        raise SysError(Errno.ENOTDIR)
    if not thread.process.credentials.privileged:
        raise SysError(Errno.EPERM)
    thread.process.fs.root = where
    return 0


@syscall
def mkdir(thread: UserThread, pathname: UserStr, mode: UInt) -> int:
    """Make a directory."""
    entries.mkdir(thread.process.fs, _path(thread, pathname), mode & 0o7777)
    return 0


@syscall
def mkdirat(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: UInt) -> int:
    """Make a directory below a directory."""
    path = _path(thread, pathname)
    entries.mkdir(thread.process.fs, path, mode & 0o7777, _start(thread, dirfd, path))
    return 0


@syscall
def rmdir(thread: UserThread, pathname: UserStr) -> int:
    """Remove an empty directory."""
    entries.rmdir(thread.process.fs, _path(thread, pathname))
    return 0


@syscall
def unlink(thread: UserThread, pathname: UserStr) -> int:
    """Remove a name."""
    entries.unlink(thread.process.fs, _path(thread, pathname))
    return 0


@syscall
def unlinkat(thread: UserThread, dirfd: Fd, pathname: UserStr, flags: UInt) -> int:
    """Remove a name below a directory."""
    if flags & ~AT_REMOVEDIR:
        raise SysError(Errno.EINVAL)
    path = _path(thread, pathname)
    remove = entries.rmdir if flags & AT_REMOVEDIR else entries.unlink
    remove(thread.process.fs, path, _start(thread, dirfd, path))
    return 0


@syscall
def link(thread: UserThread, oldpath: UserStr, newpath: UserStr) -> int:
    """Give a file another name."""
    old = _locate(thread, AT_FDCWD, oldpath, follow=False)
    entries.link(thread.process.fs, old, _path(thread, newpath))
    return 0


@syscall
def linkat(
    thread: UserThread, olddirfd: Fd, oldpath: UserStr, newdirfd: Fd, newpath: UserStr, flags: UInt
) -> int:
    """Give a file another name, below directories."""
    follow = bool(flags & AT_SYMLINK_FOLLOW)
    old = _locate(thread, olddirfd, oldpath, flags & AT_EMPTY_PATH, follow=follow)
    path = _path(thread, newpath)
    entries.link(thread.process.fs, old, path, _start(thread, newdirfd, path))
    return 0


@syscall
def symlink(thread: UserThread, target: UserStr, linkpath: UserStr) -> int:
    """Make a symbolic link."""
    entries.symlink(thread.process.fs, _path(thread, target), _path(thread, linkpath))
    return 0


@syscall
def symlinkat(thread: UserThread, target: UserStr, newdirfd: Fd, linkpath: UserStr) -> int:
    """Make a symbolic link below a directory."""
    path = _path(thread, linkpath)
    start = _start(thread, newdirfd, path)
    entries.symlink(thread.process.fs, _path(thread, target), path, start)
    return 0


def _readlink(thread: UserThread, dirfd: int, pathname: int, buf: int, size: int) -> int:
    where = _locate(thread, dirfd, pathname, AT_EMPTY_PATH, follow=False)
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
    entries.rename(thread.process.fs, _path(thread, oldpath), _path(thread, newpath))
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
    old_path, new_path = _path(thread, old[1]), _path(thread, new[1])
    entries.rename(
        thread.process.fs,
        old_path,
        new_path,
        old_start=_start(thread, old[0], old_path),
        new_start=_start(thread, new[0], new_path),
        flags=flags,
    )
    return 0


@syscall
def mknod(thread: UserThread, pathname: UserStr, mode: UInt, dev: UInt) -> int:
    """Make a file of any kind."""
    entries.mknod(thread.process.fs, _path(thread, pathname), mode, dev)
    return 0


@syscall
def mknodat(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: UInt, dev: UInt) -> int:
    """Make a file of any kind below a directory."""
    path = _path(thread, pathname)
    entries.mknod(thread.process.fs, path, mode, dev, _start(thread, dirfd, path))
    return 0
