"""Files by their paths: opening, attributes."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from pykern.kernel.abi.linux_structs import pack_stat, pack_statfs, pack_statx
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import attributes
from pykern.kernel.fs.flags import (
    AT_EACCESS,
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    O_CLOEXEC,
    O_CREAT,
    O_TRUNC,
    O_WRONLY,
)
from pykern.kernel.fs.open import open_at
from pykern.kernel.syscalls.arguments import Fd, Id, Int, Long, UInt, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.paths import check_flags, locate, read_path, start_of

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

AT_NO_AUTOMOUNT, _STATX_SYNC, _STATX_RESERVED = 0x800, 0x6000, 0x8000_0000
_GETDENTS_MOST = 1 << 20
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
_NS_PER_S, _US_PER_S = 1_000_000_000, 1_000_000


# -- opening


async def _open(thread: UserThread, dirfd: int, uaddr: int, flags: int, mode: int) -> int:
    process, path = thread.process, read_path(thread, uaddr)
    file = await open_at(process.fs, path, flags, mode & 0o7777, start_of(thread, dirfd, path))
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
    found = locate(thread, AT_FDCWD, pathname)
    thread.process.space.copy_out(statbuf, pack_stat(found.inode.stat()))
    return 0


@syscall
def lstat(thread: UserThread, pathname: UserStr, statbuf: UserPtr) -> int:
    """Tell the attributes of a file, or of the symbolic link that it is."""
    found = locate(thread, AT_FDCWD, pathname, follow=False)
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
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)
    found = locate(thread, dirfd, pathname, flags)
    thread.process.space.copy_out(statbuf, pack_stat(found.inode.stat()))
    return 0


@syscall
def statx(
    thread: UserThread, dirfd: Fd, pathname: UserStr, flags: UInt, mask: UInt, statxbuf: UserPtr
) -> int:
    """Tell the attributes of a file in the newer form; always all of them."""
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | _STATX_SYNC)
    if mask & _STATX_RESERVED or flags & _STATX_SYNC == _STATX_SYNC:
        raise SysError(Errno.EINVAL)
    found = locate(thread, dirfd, pathname, flags)
    thread.process.space.copy_out(statxbuf, pack_statx(found.inode.stat()))
    return 0


@syscall
def statfs(thread: UserThread, path: UserStr, buf: UserPtr) -> int:
    """Tell the attributes of a file system."""
    found = locate(thread, AT_FDCWD, path)
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
    attributes.access(fs, locate(thread, dirfd, pathname, flags, fs=fs), mode)
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
    attributes.chmod(thread.process.fs, locate(thread, AT_FDCWD, pathname), mode & 0o7777)
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
    attributes.chmod(thread.process.fs, locate(thread, dirfd, pathname), mode & 0o7777)
    return 0


@syscall
def fchmodat2(thread: UserThread, dirfd: Fd, pathname: UserStr, mode: UInt, flags: UInt) -> int:
    """Set permissions of a file below a directory, with flags."""
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    where = locate(thread, dirfd, pathname, flags)
    attributes.chmod(thread.process.fs, where, mode & 0o7777)
    return 0


@syscall
def chown(thread: UserThread, pathname: UserStr, owner: Id, group: Id) -> int:
    """Set owner and group."""
    attributes.chown(thread.process.fs, locate(thread, AT_FDCWD, pathname), owner, group)
    return 0


@syscall
def lchown(thread: UserThread, pathname: UserStr, owner: Id, group: Id) -> int:
    """Set owner and group, of a symbolic link too."""
    where = locate(thread, AT_FDCWD, pathname, follow=False)
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
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    where = locate(thread, dirfd, pathname, flags)
    attributes.chown(thread.process.fs, where, owner, group)
    return 0


@syscall
def utimensat(thread: UserThread, dirfd: Fd, pathname: UserStr, times: UserPtr, flags: UInt) -> int:
    """Set times of access and modification."""
    process = thread.process
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    if pathname:
        where = locate(thread, dirfd, pathname, flags)
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
def utime(thread: UserThread, filename: UserStr, times: UserPtr) -> int:
    """Set times of access and modification in seconds."""
    pair = struct.unpack("<qq", thread.process.space.copy_in(times, 16)) if times else None
    return _utimes(thread, AT_FDCWD, filename, pair and (pair[0], 0, pair[1], 0))


@syscall
def utimes(thread: UserThread, filename: UserStr, times: UserPtr) -> int:
    """Set times of access and modification in microseconds."""
    return _utimes(thread, AT_FDCWD, filename, _timevals(thread, times))


@syscall
def futimesat(thread: UserThread, dirfd: Fd, pathname: UserStr, times: UserPtr) -> int:
    """Set times of access and modification of a file below a directory, in microseconds."""
    return _utimes(thread, dirfd, pathname, _timevals(thread, times))


def _timevals(thread: UserThread, uaddr: int) -> tuple[int, int, int, int] | None:
    """Return two struct timeval; None: now."""
    if not uaddr:
        return None
    values = struct.unpack("<qqqq", thread.process.space.copy_in(uaddr, 32))
    if any(not 0 <= us < _US_PER_S for us in values[1::2]):
        raise SysError(Errno.EINVAL)
    return values[0], values[1], values[2], values[3]


def _utimes(
    thread: UserThread, dirfd: int, pathname: int, times: tuple[int, int, int, int] | None
) -> int:
    fs = thread.process.fs
    where = (
        locate(thread, dirfd, pathname) if pathname else thread.process.files.get(dirfd).location
    )
    if times is None:
        attributes.touch(fs, where)
        return 0
    first, second = (times[i] * _NS_PER_S + times[i + 1] * 1000 for i in (0, 2))
    attributes.utimens(fs, where, first, second)
    return 0


@syscall
def truncate(thread: UserThread, path: UserStr, length: Long) -> int:
    """Set the size of a file."""
    attributes.truncate(thread.process.fs, locate(thread, AT_FDCWD, path), length)
    return 0


@syscall
def ftruncate(thread: UserThread, fd: Fd, length: Long) -> int:
    """Set the size of an open file."""
    thread.process.files.get(fd).truncate(length)
    return 0
