"""Watching files and directories: inotify.

References
----------
Linux, inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import AT_FDCWD, O_CLOEXEC, O_NONBLOCK, R_OK
from pykern.kernel.fs.inotify import IN_MASK_ADD, IN_MASK_CREATE, InotifyFile, make_inotify
from pykern.kernel.fs.notify import IN_ALL_EVENTS
from pykern.kernel.syscalls.arguments import Fd, Int, UInt, UserStr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.paths import locate

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_ONLYDIR, _DONT_FOLLOW = 0x0100_0000, 0x0200_0000
_KNOWN = 0xF700_E000 | IN_ALL_EVENTS


@syscall
def inotify_init(thread: UserThread) -> int:
    """Make a queue of events."""
    return _init(thread, 0)


@syscall
def inotify_init1(thread: UserThread, flags: UInt) -> int:
    """Make a queue of events, with flags."""
    return _init(thread, flags)


def _init(thread: UserThread, flags: int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise SysError(Errno.EINVAL)
    file = make_inotify(thread.system.vfs, flags)
    try:
        return thread.process.files.install(file, cloexec=bool(flags & O_CLOEXEC))
    except SysError:
        file.put()
        raise


def _queue(thread: UserThread, fd: int) -> InotifyFile:
    file = thread.process.files.get(fd)
    if not isinstance(file, InotifyFile):
        raise SysError(Errno.EINVAL)
    return file


@syscall
def inotify_add_watch(thread: UserThread, fd: Fd, pathname: UserStr, mask: UInt) -> int:
    """Watch a file or a directory; the result is the number of the watch."""
    if not mask & _KNOWN or (mask & IN_MASK_ADD and mask & IN_MASK_CREATE):
        raise SysError(Errno.EINVAL)
    queue = _queue(thread, fd)
    inode = locate(thread, AT_FDCWD, pathname, follow=not mask & _DONT_FOLLOW).inode
    if mask & _ONLYDIR and not inode.is_directory():
        raise SysError(Errno.ENOTDIR)
    thread.process.fs.require(inode, R_OK)
    return queue.watch(inode, mask)


@syscall
def inotify_rm_watch(thread: UserThread, fd: Fd, wd: Int) -> int:
    """Watch something no more."""
    _queue(thread, fd).unwatch(wd)
    return 0
