"""openat2: opening, with bounds on where the path may lead.

References
----------
Linux, openat2(2), include/uapi/linux/openat2.h.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import (
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_NOFOLLOW,
    O_PATH,
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_KNOWN,
)
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.table import base
from pykern.kernel.syscalls.arguments import Fd, Size, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_HOW = struct.Struct("<QQQ")
_LARGEST = 4096
_KNOWN_FLAGS = 0o37777703 | O_CLOEXEC
_PATH_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC


def _how(thread: UserThread, uaddr: int, size: int) -> tuple[int, int, int]:
    """Return flags, mode and bounds of a struct open_how."""
    if size < _HOW.size:
        raise SysError(Errno.EINVAL)
    if size > _LARGEST:
        raise SysError(Errno.E2BIG)
    raw = thread.process.space.copy_in(uaddr, size)
    if any(raw[_HOW.size :]):
        raise SysError(Errno.E2BIG)
    flags, mode, resolve = _HOW.unpack_from(raw)
    if flags & ~_KNOWN_FLAGS or resolve & ~RESOLVE_KNOWN or mode & ~0o7777:
        raise SysError(Errno.EINVAL)
    if resolve & RESOLVE_BENEATH and resolve & RESOLVE_IN_ROOT:
        raise SysError(Errno.EINVAL)
    if (mode and not flags & O_CREAT) or (flags & O_PATH and flags & ~_PATH_FLAGS):
        raise SysError(Errno.EINVAL)
    return flags, mode, resolve


@syscall
async def openat2(
    thread: UserThread, dirfd: Fd, pathname: UserStr, how: UserPtr, size: Size
) -> int:
    """Open a file, if its path stays within bounds."""
    flags, mode, resolve = _how(thread, how, size)
    process, fs = thread.process, thread.process.fs
    path = process.space.read_cstring(pathname)
    bounded = resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)
    start = base(fs, process.files, dirfd, path.lstrip(b"/") or b"." if bounded else path)
    root = start if bounded else fs.root
    fs = replace(fs, root=root, cwd=start, resolve=resolve)
    file = await open_at(fs, path, flags, mode, start)
    try:
        return process.files.install(file, cloexec=bool(flags & O_CLOEXEC))
    except SysError:
        file.put()
        raise
