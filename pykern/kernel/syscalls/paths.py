"""From a path argument to a place: what all calls about paths share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.table import base

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.location import Location
    from pykern.kernel.task.thread import UserThread


def read_path(thread: UserThread, uaddr: int) -> bytes:
    """Return a path from user memory."""
    return thread.process.space.read_cstring(uaddr)


def start_of(thread: UserThread, dirfd: int, path: bytes) -> Location:
    """Return where the path of an …at call starts."""
    return base(thread.process.fs, thread.process.files, dirfd, path)


def check_flags(flags: int, known: int) -> None:
    """Refuse flags that a call does not have."""
    if flags & ~known:
        raise SysError(Errno.EINVAL)


def locate(
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
    path, fs = read_path(thread, uaddr), fs or thread.process.fs
    if not path and flags & AT_EMPTY_PATH:
        return fs.cwd if dirfd == AT_FDCWD else thread.process.files.get(dirfd).location
    if flags & AT_SYMLINK_NOFOLLOW:
        follow = False
    return walk(fs, path, start_of(thread, dirfd, path), follow=follow)
