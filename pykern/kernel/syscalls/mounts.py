"""Mounting and unmounting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.fs.attach import attach, detach
from pykern.kernel.fs.path import walk
from pykern.kernel.syscalls.arguments import Int, Size, UserPtr, UserStr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread


@syscall
def mount(
    thread: UserThread,
    source: UserStr,
    target: UserStr,
    filesystemtype: UserStr,
    mountflags: Size,
    data: UserPtr,
) -> int:
    """Show a file system at a directory."""
    process = thread.process
    words = [process.space.read_cstring(u) if u else b"" for u in (source, filesystemtype, data)]
    name, options = (word.decode("utf-8", "surrogateescape") for word in words[1:])
    at = walk(process.fs, process.space.read_cstring(target))
    attach(process.fs, words[0], at, name, mountflags, options)
    return 0


@syscall
async def umount2(thread: UserThread, target: UserStr, flags: Int) -> int:
    """Take a file system away from where it is seen."""
    fs = detach(thread.process.fs, thread.process.space.read_cstring(target), flags)
    await fs.sync()
    return 0
