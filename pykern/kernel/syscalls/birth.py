"""New processes and threads, new programs, and the end of both."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from pykern.kernel.syscalls.arguments import Fd, Int, Long, Size, UInt, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.paths import check_flags, locate
from pykern.kernel.task import clone as cloning
from pykern.kernel.task.clone import Request
from pykern.kernel.task.exec import execute
from pykern.kernel.task.exit import exit_group as end_process
from pykern.kernel.task.exit import exit_status, exit_thread

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_STRINGS_LIMIT = 128 * 1024
_CLONE_ARGS = struct.Struct("<8Q")
_SET_TID, _CGROUP = struct.Struct("<QQ"), struct.Struct("<Q")
_LARGEST_ARGS = 4096


@syscall
async def fork(thread: UserThread) -> int:
    """Make a copy of the process."""
    return await cloning.clone(thread.system, thread, Request())


@syscall
async def vfork(thread: UserThread) -> int:
    """Make a process that borrows the memory until it runs a program or ends."""
    request = Request(cloning.CLONE_VFORK | cloning.CLONE_VM)
    return await cloning.clone(thread.system, thread, request)


@syscall
async def clone(
    thread: UserThread,
    flags: Long,
    stack: UserPtr,
    parent_tid: UserPtr,
    child_tid: UserPtr,
    tls: UserPtr,
) -> int:
    """Make a process or a thread."""
    signal, flags = flags & cloning.SIGNAL, flags & 0xFFFF_FFFF & ~cloning.SIGNAL
    both = cloning.CLONE_PIDFD | cloning.CLONE_PARENT_SETTID
    if flags & both == both:  # one argument for two
        raise SysError(Errno.EINVAL)
    request = Request(flags, signal, stack, parent_tid, child_tid, parent_tid, tls)
    return await cloning.clone(thread.system, thread, request)


@syscall
async def clone3(thread: UserThread, cl_args: UserPtr, size: Size) -> int:
    """Make a process or a thread; what is asked for is a structure."""
    if size > _LARGEST_ARGS:
        raise SysError(Errno.E2BIG)
    if size < _CLONE_ARGS.size:
        raise SysError(Errno.EINVAL)
    raw = thread.process.space.copy_in(cl_args, size)
    fields = _CLONE_ARGS.unpack_from(raw)
    flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls = fields
    if any(raw[_CLONE_ARGS.size + _SET_TID.size + _CGROUP.size :]):
        raise SysError(Errno.E2BIG)
    wanted_tids = any(raw[_CLONE_ARGS.size : _CLONE_ARGS.size + _SET_TID.size])
    child = cloning.CLONE_THREAD | cloning.CLONE_PARENT
    if flags & (cloning.SIGNAL | cloning.CLONE_DETACHED) or (flags & child and exit_signal):
        raise SysError(Errno.EINVAL)
    if wanted_tids or bool(stack) != bool(stack_size):
        raise SysError(Errno.EINVAL)
    request = Request(flags, exit_signal, stack + stack_size, parent_tid, child_tid, pidfd, tls)
    return await cloning.clone(thread.system, thread, request)


@syscall
async def execve(thread: UserThread, pathname: UserStr, argv: UserPtr, envp: UserPtr) -> None:
    """Run another program in this process."""
    path = thread.process.space.read_cstring(pathname)
    arguments, environment = _strings(thread, argv), _strings(thread, envp)
    await execute(thread.system, thread, path, arguments or [b""], environment)


@syscall
async def execveat(
    thread: UserThread, dirfd: Fd, pathname: UserStr, argv: UserPtr, envp: UserPtr, flags: UInt
) -> None:
    """Run another program below a directory, or the one of a descriptor."""
    check_flags(flags, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)
    path = thread.process.space.read_cstring(pathname)
    place = locate(thread, dirfd, pathname, flags)
    if place.inode.is_symlink():
        raise SysError(Errno.ELOOP)
    if dirfd != AT_FDCWD and not path.startswith(b"/"):
        path = b"/dev/fd/%d" % dirfd + (b"/" + path if path else b"")
    arguments, environment = _strings(thread, argv), _strings(thread, envp)
    await execute(thread.system, thread, path, arguments or [b""], environment, place)


def _strings(thread: UserThread, uaddr: int) -> list[bytes]:
    """Return the strings that an array of pointers in user memory leads to."""
    if not uaddr:
        return []
    space, out, left = thread.process.space, [], _STRINGS_LIMIT
    for pointer in space.read_pointers(uaddr):
        out.append(space.read_cstring(pointer, left))
        left -= len(out[-1]) + 1
        if left <= 0:
            raise SysError(Errno.E2BIG)
    return out


@syscall
def exit_(thread: UserThread, status: Int) -> None:
    """End the thread."""
    exit_thread(thread.system, thread, exit_status(status))


@syscall
def exit_group(thread: UserThread, status: Int) -> None:
    """End the process."""
    end_process(thread.system, thread.process, exit_status(status))
