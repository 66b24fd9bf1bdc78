"""Names: make, link, move and remove them.

Each call checks what every type of file system needs checked, in the order in which Linux does.

References
----------
POSIX.1-2024, mkdir(), link(), rename(), symlink(), unlink(); Linux rename(2).
"""

from __future__ import annotations

from stat import S_IFDIR, S_IFMT, S_IFREG, S_ISVTX
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import PATH_MAX, RENAME_EXCHANGE, RENAME_NOREPLACE, W_OK, X_OK
from pykern.kernel.fs.location import Location
from pykern.kernel.fs.notify import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE,
    moved,
    tell_entry,
    tell_self,
)
from pykern.kernel.fs.path import LastName, lookup, walk_parent

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.inode import Inode

__all__ = ["create", "link", "mkdir", "mknod", "rename", "rmdir", "symlink", "unlink"]


def create(ctx: FsContext, last: LastName, mode: int) -> Location:
    """Make a regular file of a name that is free (open with O_CREAT)."""
    _require_change(ctx, last.parent)
    return _own(ctx, last, last.parent.inode.create(last.name, S_IFREG | _masked(ctx, mode)))


def mkdir(ctx: FsContext, path: bytes, mode: int, start: Location | None = None) -> Location:
    """Make a directory.

    Raises
    ------
    SysError(EEXIST) : the name is taken
    SysError(EROFS, EACCES, EPERM, ENOSPC) : nothing can be made there
    """
    last = _free_name(ctx, path, start, directory=True)
    return _own(ctx, last, last.parent.inode.mkdir(last.name, S_IFDIR | _masked(ctx, mode)))


def mknod(
    ctx: FsContext, path: bytes, mode: int, rdev: int = 0, start: Location | None = None
) -> Location:
    """Make a FIFO, a socket, a device node or a regular file.

    Raises
    ------
    SysError(EPERM) : a directory, or a device for a caller without uid 0
    SysError(EINVAL) : an unknown type
    """
    kind = S_IFMT(mode) or S_IFREG
    if kind == S_IFDIR:
        raise SysError(Errno.EPERM)
    if kind not in {S_IFREG, 0o010000, 0o020000, 0o060000, 0o140000}:
        raise SysError(Errno.EINVAL)
    last = _free_name(ctx, path, start)
    if kind in {0o020000, 0o060000} and ctx.uid != 0:
        raise SysError(Errno.EPERM)
    if kind == S_IFREG:
        return create(ctx, last, mode)
    return _own(ctx, last, last.parent.inode.mknod(last.name, kind | _masked(ctx, mode), rdev))


def symlink(ctx: FsContext, target: bytes, path: bytes, start: Location | None = None) -> Location:
    """Make a symbolic link.

    Raises
    ------
    SysError(ENOENT) : the target is empty
    SysError(ENAMETOOLONG) : the target is over 4095 bytes
    SysError(EEXIST) : the name is taken
    """
    if not target:
        raise SysError(Errno.ENOENT)
    if len(target) >= PATH_MAX:
        raise SysError(Errno.ENAMETOOLONG)
    last = _free_name(ctx, path, start)
    return _own(ctx, last, last.parent.inode.symlink(last.name, target))


def link(ctx: FsContext, old: Location, path: bytes, start: Location | None = None) -> None:
    """Give a file one more name.

    Raises
    ------
    SysError(EXDEV) : another mount
    SysError(EPERM) : a directory
    SysError(ENOENT) : the file has no name left
    """
    last = _free_name(ctx, path, start)
    if old.mount is not last.parent.mount:
        raise SysError(Errno.EXDEV)
    if old.inode.is_directory():
        raise SysError(Errno.EPERM)
    if old.inode.nlink == 0:
        raise SysError(Errno.ENOENT)
    last.parent.inode.link(last.name, old.inode)
    tell_self(old.inode, IN_ATTRIB)
    tell_entry(last.parent.inode, IN_CREATE, last.name, is_directory=False)


def unlink(ctx: FsContext, path: bytes, start: Location | None = None) -> None:
    """Take a name away from a file.

    Raises
    ------
    SysError(EISDIR) : a directory
    SysError(ENOTDIR) : slashes behind the name of what is no directory
    SysError(EBUSY) : something is mounted on it
    """
    last = walk_parent(ctx, path, start)
    if not last.ordinary:
        raise SysError(Errno.EISDIR)
    victim = _lookup(ctx, last)
    if last.slash and not victim.is_directory():
        raise SysError(Errno.ENOTDIR)
    _require_removal(ctx, last.parent, victim)
    if victim.is_directory():
        raise SysError(Errno.EISDIR)
    _require_unmounted(ctx, victim)
    tell_self(victim, IN_ATTRIB)
    last.parent.inode.unlink(last.name)
    tell_entry(last.parent.inode, IN_DELETE, last.name, is_directory=False)


def rmdir(ctx: FsContext, path: bytes, start: Location | None = None) -> None:
    """Remove an empty directory.

    Raises
    ------
    SysError(ENOTDIR) : no directory
    SysError(ENOTEMPTY) : it holds something, or the name is `..`
    SysError(EINVAL) : the name is `.`
    SysError(EBUSY) : the root, or something is mounted on it
    """
    last = walk_parent(ctx, path, start)
    if not last.ordinary:
        refusals = {b".": Errno.EINVAL, b"..": Errno.ENOTEMPTY, b"": Errno.EBUSY}
        raise SysError(refusals[last.name])
    victim = _lookup(ctx, last)
    _require_removal(ctx, last.parent, victim)
    if not victim.is_directory():
        raise SysError(Errno.ENOTDIR)
    _require_unmounted(ctx, victim)
    last.parent.inode.rmdir(last.name)
    tell_entry(last.parent.inode, IN_DELETE, last.name, is_directory=True)


def rename(
    ctx: FsContext,
    old_path: bytes,
    new_path: bytes,
    *,
    old_start: Location | None = None,
    new_start: Location | None = None,
    flags: int = 0,
) -> None:
    """Move a file to another name; what has that name goes.

    Parameters
    ----------
    flags : RENAME_NOREPLACE, RENAME_EXCHANGE

    Raises
    ------
    SysError(EXDEV) : another mount
    SysError(EBUSY) : one is `/`, `.`, `..`, or something is mounted on it
    SysError(EINVAL) : into itself
    SysError(EISDIR, ENOTDIR) : a file onto a directory, a directory onto a file
    SysError(ENOTEMPTY) : the directory in the way holds something
    SysError(EEXIST) : RENAME_NOREPLACE, and the name is taken
    """
    if flags not in {0, RENAME_NOREPLACE, RENAME_EXCHANGE}:
        raise SysError(Errno.EINVAL)
    old, new = walk_parent(ctx, old_path, old_start), walk_parent(ctx, new_path, new_start)
    if old.parent.mount is not new.parent.mount:
        raise SysError(Errno.EXDEV)
    if not old.ordinary or not new.ordinary:
        taken = flags & RENAME_NOREPLACE and old.ordinary
        raise SysError(Errno.EEXIST if taken else Errno.EBUSY)
    source, victim = _lookup(ctx, old), _find(ctx, new)
    _check_flags(victim, flags)
    _check_shape(old, new, source, victim, exchange=bool(flags & RENAME_EXCHANGE))
    if victim is not None and source.same(victim):
        return
    _require_removal(ctx, old.parent, source)
    _require_change(ctx, new.parent)
    if victim is not None:
        _require_removal(ctx, new.parent, victim)
        _require_unmounted(ctx, victim)
    _require_unmounted(ctx, source)
    move = old.parent.inode.exchange if flags & RENAME_EXCHANGE else old.parent.inode.rename
    names = (old.parent.inode, old.name), (new.parent.inode, new.name)
    if victim is not None:
        victim.users += 1
    try:
        move(old.name, new.parent.inode, new.name)
        moved(source, *names, None if flags & RENAME_EXCHANGE else victim)
        if flags & RENAME_EXCHANGE and victim is not None:
            moved(victim, names[1], names[0], None)
    finally:
        if victim is not None:
            victim.drop()


def _check_flags(victim: Inode | None, flags: int) -> None:
    if flags & RENAME_NOREPLACE and victim is not None:
        raise SysError(Errno.EEXIST)
    if flags & RENAME_EXCHANGE and victim is None:
        raise SysError(Errno.ENOENT)


def _check_shape(
    old: LastName, new: LastName, source: Inode, victim: Inode | None, *, exchange: bool
) -> None:
    """Check that source and victim fit, and that neither holds the other."""
    if not source.is_directory() and (old.slash or (new.slash and not exchange)):
        raise SysError(Errno.ENOTDIR)
    if exchange and new.slash and victim is not None and not victim.is_directory():
        raise SysError(Errno.ENOTDIR)
    if _inside(new.parent.inode, source):
        raise SysError(Errno.EINVAL)
    if victim is None:
        return
    if _inside(old.parent.inode, victim):
        raise SysError(Errno.EINVAL if exchange else Errno.ENOTEMPTY)
    if exchange or source.same(victim):
        return
    if source.is_directory() and not victim.is_directory():
        raise SysError(Errno.ENOTDIR)
    if victim.is_directory() and not source.is_directory():
        raise SysError(Errno.EISDIR)


def _inside(directory: Inode, ancestor: Inode) -> bool:
    """Whether `ancestor` is the directory or above it."""
    while not directory.same(ancestor):
        if directory.parent.same(directory):
            return False
        directory = directory.parent
    return True


def _free_name(
    ctx: FsContext, path: bytes, start: Location | None, *, directory: bool = False
) -> LastName:
    last = walk_parent(ctx, path, start)
    if not last.ordinary or _find(ctx, last) is not None:
        raise SysError(Errno.EEXIST)
    if last.slash and not directory:
        raise SysError(Errno.ENOENT)
    _require_change(ctx, last.parent)
    return last


def _find(ctx: FsContext, last: LastName) -> Inode | None:
    try:
        return _lookup(ctx, last)
    except SysError as error:
        if error.errno == Errno.ENOENT:
            return None
        raise


def _lookup(ctx: FsContext, last: LastName) -> Inode:
    ctx.require(last.parent.inode, X_OK)
    return lookup(last.parent.inode, last.name)


def _require_change(ctx: FsContext, parent: Location) -> None:
    if parent.mount.read_only:
        raise SysError(Errno.EROFS)
    ctx.require(parent.inode, W_OK | X_OK)
    if parent.inode.nlink == 0:
        raise SysError(Errno.ENOENT)


def _require_removal(ctx: FsContext, parent: Location, victim: Inode) -> None:
    _require_change(ctx, parent)
    sticky = parent.inode.mode & S_ISVTX
    if sticky and not ctx.owns(victim) and not ctx.owns(parent.inode):
        raise SysError(Errno.EPERM)


def _require_unmounted(ctx: FsContext, inode: Inode) -> None:
    if ctx.mounts.is_mountpoint(inode):
        raise SysError(Errno.EBUSY)


def _masked(ctx: FsContext, mode: int) -> int:
    return mode & 0o7777 & ~ctx.umask


def _own(ctx: FsContext, last: LastName, inode: Inode) -> Location:
    inode.uid, inode.gid = ctx.uid, ctx.gid
    tell_entry(last.parent.inode, IN_CREATE, last.name, is_directory=inode.is_directory())
    return Location(last.parent.mount, inode)
