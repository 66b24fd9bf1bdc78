"""Attributes of files: permissions, owner, times, size.

References
----------
POSIX.1-2024, access(), chmod(), chown(), futimens(), truncate(); Linux utimensat(2).
"""

from __future__ import annotations

from stat import S_ISGID, S_ISUID
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import F_OK, FILE_SIZE_MAX, R_OK, W_OK, X_OK

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.location import Location

__all__ = ["access", "chmod", "chown", "touch", "truncate", "utimens"]


def access(ctx: FsContext, location: Location, mode: int) -> None:
    """Check whether the caller could read, write or execute.

    Raises
    ------
    SysError(EINVAL) : unknown bits in `mode`
    SysError(EACCES) : it could not
    SysError(EROFS) : to write, and mounted read-only
    """
    if mode & ~(R_OK | W_OK | X_OK):
        raise SysError(Errno.EINVAL)
    if mode == F_OK:
        return
    special = not location.inode.is_regular() and not location.inode.is_directory()
    if mode & W_OK and location.mount.read_only and not special:
        raise SysError(Errno.EROFS)
    ctx.require(location.inode, mode)


def chmod(ctx: FsContext, location: Location, mode: int) -> None:
    """Set permissions.

    Raises
    ------
    SysError(EPERM) : not the owner
    SysError(EOPNOTSUPP) : a symbolic link
    SysError(EROFS) : mounted read-only
    """
    _require_writable_mount(location)
    if location.inode.is_symlink():
        raise SysError(Errno.EOPNOTSUPP)
    if not ctx.owns(location.inode):
        raise SysError(Errno.EPERM)
    location.inode.set_mode(mode)


def chown(ctx: FsContext, location: Location, uid: int, gid: int) -> None:
    """Set owner and group; -1 leaves one as it is.

    Set-user-ID and set-group-ID of a program do not survive a new owner.

    Raises
    ------
    SysError(EPERM) : only uid 0 gives away, only to one's own groups
    SysError(EROFS) : mounted read-only
    """
    _require_writable_mount(location)
    inode = location.inode
    uid = inode.uid if uid == -1 else uid
    gid = inode.gid if gid == -1 else gid
    own_group = gid in {inode.gid, ctx.gid} or gid in ctx.groups
    if ctx.uid != 0 and (uid != inode.uid or not ctx.owns(inode) or not own_group):
        raise SysError(Errno.EPERM)
    if not inode.is_directory():
        group_bit = S_ISGID if inode.mode & 0o010 else 0
        inode.set_mode(inode.mode & ~(S_ISUID | group_bit))
    inode.set_owner(uid, gid)


def utimens(ctx: FsContext, location: Location, atime_ns: int | None, mtime_ns: int | None) -> None:
    """Set times.

    Parameters
    ----------
    atime_ns, mtime_ns : since the epoch; None leaves one as it is (UTIME_OMIT)

    Raises
    ------
    SysError(EPERM) : not the owner
    SysError(EROFS) : mounted read-only
    """
    if atime_ns is None and mtime_ns is None:
        return
    _require_writable_mount(location)
    inode = location.inode
    if not ctx.owns(inode):
        raise SysError(Errno.EPERM)
    inode.set_times(
        inode.atime_ns if atime_ns is None else atime_ns,
        inode.mtime_ns if mtime_ns is None else mtime_ns,
    )


def touch(ctx: FsContext, location: Location) -> None:
    """Set both times to now, for which permission to write is enough.

    Raises
    ------
    SysError(EACCES) : neither the owner nor allowed to write
    SysError(EROFS) : mounted read-only
    """
    _require_writable_mount(location)
    if not ctx.owns(location.inode):
        ctx.require(location.inode, W_OK)
    now = location.inode.fs.now()
    location.inode.set_times(now, now)


def truncate(ctx: FsContext, location: Location, size: int) -> None:
    """Set the size of a file by its place (ftruncate: `File.truncate`).

    Raises
    ------
    SysError(EINVAL) : negative, or it has no size
    SysError(EFBIG) : over the largest size
    SysError(EISDIR) : a directory
    SysError(EACCES) : no permission to write
    SysError(EROFS) : mounted read-only
    """
    if size < 0:
        raise SysError(Errno.EINVAL)
    if size > FILE_SIZE_MAX:
        raise SysError(Errno.EFBIG)
    inode = location.inode
    if inode.is_directory():
        raise SysError(Errno.EISDIR)
    if not inode.is_regular():
        raise SysError(Errno.EINVAL)
    ctx.require(inode, W_OK)
    _require_writable_mount(location)
    inode.resize(size)


def _require_writable_mount(location: Location) -> None:
    if location.mount.read_only:
        raise SysError(Errno.EROFS)
