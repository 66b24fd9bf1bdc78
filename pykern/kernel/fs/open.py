"""Open: from a path and flags to an open file.

References
----------
POSIX.1-2024, open(); Linux open(2), fs/namei.c path_openat().
"""

from __future__ import annotations

from functools import partial
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.entries import create
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import (
    MS_NODEV,
    O_ACCMODE,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOCTTY,
    O_NOFOLLOW,
    O_ONLY_WHILE_OPENING,
    O_PATH,
    O_RDONLY,
    O_TRUNC,
    R_OK,
    W_OK,
)
from pykern.kernel.fs.notify import IN_OPEN, tell
from pykern.kernel.fs.path import LastName, Walk, path_of, step
from pykern.kernel.fs.pipe import open_fifo
from pykern.kernel.fs.regular import DirectoryFile, RegularFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.mount import Mounts

__all__ = ["open_at", "open_location"]


async def open_at(
    ctx: FsContext, path: bytes, flags: int, mode: int = 0, start: Location | None = None
) -> File:
    """Open a file, make it first if O_CREAT asks for that; it sleeps on a FIFO without a peer.

    Parameters
    ----------
    flags : `O_*`; O_CLOEXEC is for the table of descriptors
    mode : permissions of a new file, before the umask
    start : where a relative path starts; the working directory unless given

    Raises
    ------
    SysError(ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EACCES) : as `walk`
    SysError(EEXIST) : O_EXCL, and the name is taken
    SysError(EISDIR) : a directory for writing, or with O_CREAT
    SysError(ENOTDIR) : O_DIRECTORY, and it is none
    SysError(ELOOP) : O_NOFOLLOW, and it is a symbolic link
    SysError(EROFS) : for writing, and mounted read-only
    SysError(ENXIO) : a device without a driver, a socket, a FIFO for writing without a reader
    SysError(EINVAL) : O_CREAT with O_DIRECTORY
    """
    if flags & O_PATH:
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW
    if flags & O_CREAT and flags & O_DIRECTORY:
        raise SysError(Errno.EINVAL)
    location, name_it, made = _find(ctx, path, flags, mode, start or ctx.cwd)
    if flags & O_CREAT and location.inode.is_directory():
        raise SysError(Errno.EISDIR)
    if flags & O_DIRECTORY and not location.inode.is_directory():
        raise SysError(Errno.ENOTDIR)
    file = await open_location(ctx, location, flags, fresh=made)
    file.name_it = name_it
    return file


async def open_location(
    ctx: FsContext, location: Location, flags: int, *, fresh: bool = False
) -> File:
    """Open what stands at a place.

    Parameters
    ----------
    fresh : it was made by this call, whose flags its permissions need not allow

    Raises
    ------
    SysError : as `open_at`
    """
    status = flags & ~O_ONLY_WHILE_OPENING
    if flags & O_PATH:
        return File(location, status)
    if not fresh:
        _check_access(ctx, location, flags)
    if flags & O_TRUNC and location.inode.is_regular() and not fresh:
        location.inode.resize(0)
    status |= flags & O_NOCTTY
    file = location.inode.open(location, status) or await _open_kind(ctx, location, status)
    file.flags &= ~O_NOCTTY
    tell(location.inode, IN_OPEN)
    return file


async def _open_kind(ctx: FsContext, location: Location, flags: int) -> File:
    """Return the open file of a kind that is the same in all types of file systems."""
    mode = location.inode.mode
    if S_ISREG(mode):
        return RegularFile(location, flags)
    if S_ISDIR(mode):
        return DirectoryFile(location, flags)
    if S_ISCHR(mode) or S_ISBLK(mode):
        return ctx.vfs.devices.open(location, flags)
    if S_ISFIFO(mode):
        return await open_fifo(location, flags, ctx.vfs.on_broken_pipe)
    assert S_ISSOCK(mode)
    raise SysError(Errno.ENXIO)


def _check_access(ctx: FsContext, location: Location, flags: int) -> None:
    inode = location.inode
    if S_ISLNK(inode.mode):
        raise SysError(Errno.ELOOP)
    writes = flags & O_ACCMODE != O_RDONLY or bool(flags & O_TRUNC)
    if writes and inode.is_directory():
        raise SysError(Errno.EISDIR)
    device = S_ISCHR(inode.mode) or S_ISBLK(inode.mode)
    if device and location.mount.flags & MS_NODEV:
        raise SysError(Errno.EACCES)
    special = device or S_ISFIFO(inode.mode)
    if writes and location.mount.read_only and not special:
        raise SysError(Errno.EROFS)
    reads = flags & O_ACCMODE in {0, 2}
    ctx.require(inode, (R_OK if reads else 0) | (W_OK if writes else 0))


def _find(
    ctx: FsContext, path: bytes, flags: int, mode: int, start: Location
) -> tuple[Location, Callable[[], bytes], bool]:
    """Return the place, what tells its path, and whether it was made.

    The last name is looked up here and not by `Walk.to`, because O_CREAT makes what a dangling
    symbolic link points at.
    """
    resolution = Walk(ctx)
    follow = not flags & O_NOFOLLOW and not (flags & O_CREAT and flags & O_EXCL)
    while True:
        last = resolution.to_parent(path, start)
        name_it = partial(_name, ctx.vfs, ctx.mounts, last)
        there = _last(ctx, last, flags)
        if there is None:
            return create(ctx, last, mode), name_it, True
        if flags & O_CREAT and flags & O_EXCL:
            raise SysError(Errno.EEXIST)
        if not there.inode.is_symlink() or not (follow or last.slash):
            break
        if (magic := resolution.enter_link(there)) is not None:
            return magic, partial(bytes, there.inode.readlink()), False
        start, path = last.parent, there.inode.readlink() + b"/" * last.slash
    if last.slash and not there.inode.is_directory():
        raise SysError(Errno.ENOTDIR)
    return there, name_it, False


def _last(ctx: FsContext, last: LastName, flags: int) -> Location | None:
    """Return what the last name leads to; None if it is free and O_CREAT may take it."""
    if not last.name:
        return last.parent
    if flags & O_CREAT and last.slash and last.ordinary:
        raise SysError(Errno.EISDIR)
    try:
        return step(ctx, last.parent, last.name)
    except SysError as error:
        if error.errno != Errno.ENOENT or not flags & O_CREAT:
            raise
        return None


def _name(vfs: Vfs, mounts: Mounts, last: LastName) -> bytes:
    """Return the path from the root of all; a directory that is gone has none."""
    try:
        above = path_of(FsContext.at_root(vfs, mounts), last.parent)
    except SysError:
        return last.name
    return above.rstrip(b"/") + b"/" + last.name if last.name else above
