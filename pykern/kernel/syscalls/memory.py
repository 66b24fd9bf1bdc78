"""Memory of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import page_up
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED_NOREPLACE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)
from pykern.kernel.syscalls.arguments import Fd, Int, Long, Size, UserPtr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import Thread

MREMAP_MAYMOVE = 1
MADV_DONTNEED, MADV_FREE = 4, 8
_KNOWN_ADVICE = frozenset(range(26))


@syscall
async def mmap(
    thread: Thread, addr: UserPtr, length: Size, prot: Int, flags: Int, fd: Fd, offset: Long
) -> int:
    """Map memory, or the content of a file."""
    space = thread.process.space
    if flags & MAP_ANONYMOUS:
        return space.mmap(addr or None, length, prot, flags)
    return await _map_file(thread, addr, length, prot, flags, fd, offset)


async def _map_file(
    thread: Thread, addr: int, length: int, prot: int, flags: int, fd: int, offset: int
) -> int:
    """Map a private copy of a part of a file, taken now.

    Shared mappings that can be written need a page cache, which there is not: EOPNOTSUPP.
    """
    space, file = thread.process.space, thread.process.files.get(fd)
    if offset % 4096 or offset < 0:
        raise SysError(Errno.EINVAL)
    if not file.readable:
        raise SysError(Errno.EACCES)
    if flags & MAP_SHARED and prot & PROT_WRITE:
        raise SysError(Errno.EOPNOTSUPP)
    buffer = BytesBuffer(size=min(length, max(file.stat().size - offset, 0)))
    while buffer.remaining and await file.pread(buffer, offset + len(buffer.done)):
        pass
    private = flags & ~MAP_SHARED | 2 | MAP_ANONYMOUS
    where = space.mmap(addr or None, length, PROT_READ | PROT_WRITE, private)
    space.copy_out(where, buffer.done)
    space.mprotect(where, page_up(length), prot)
    return where


@syscall
def munmap(thread: Thread, addr: UserPtr, length: Size) -> int:
    """Unmap memory."""
    thread.process.space.munmap(addr, length)
    return 0


@syscall
def mprotect(thread: Thread, addr: UserPtr, length: Size, prot: Int) -> int:
    """Change what may be done with memory."""
    if length:
        thread.process.space.mprotect(addr, page_up(length), prot)
    return 0


@syscall
def mremap(
    thread: Thread, old: UserPtr, old_size: Size, new_size: Size, flags: Int, new: UserPtr
) -> int:
    """Make a mapping larger or smaller; larger moves it."""
    del new
    space = thread.process.space
    old_size, new_size = page_up(old_size), page_up(new_size)
    vma = space.vmas.find(old)
    if flags & ~MREMAP_MAYMOVE or old % 4096 or not new_size:
        raise SysError(Errno.EINVAL)
    if vma is None or vma.end < old + old_size:
        raise SysError(Errno.EFAULT)
    if new_size <= old_size:
        if new_size < old_size:
            space.munmap(old + new_size, old_size - new_size)
        return old
    private = 2 | MAP_ANONYMOUS
    try:
        space.mmap(
            old + old_size, new_size - old_size, vma.prot, private | MAP_FIXED_NOREPLACE
        )
    except SysError:
        if not flags & MREMAP_MAYMOVE:
            raise SysError(Errno.ENOMEM) from None
    else:
        return old
    where = space.mmap(None, new_size, PROT_READ | PROT_WRITE, private)
    space.copy_out(where, space.copy_in(old, old_size))
    space.mprotect(where, new_size, vma.prot)
    space.munmap(old, old_size)
    return where


@syscall
def brk(thread: Thread, addr: UserPtr) -> int:
    """Move the end of the program's data; the result is where it is, whatever was asked for."""
    return thread.process.space.brk(addr)


@syscall
def madvise(thread: Thread, addr: UserPtr, length: Size, advice: Int) -> int:
    """Take advice: of all kinds, only that pages are not needed changes something."""
    if advice not in _KNOWN_ADVICE or addr % 4096:
        raise SysError(Errno.EINVAL)
    if advice in {MADV_DONTNEED, MADV_FREE} and length:
        thread.process.space.discard(addr, page_up(length))
    return 0


@syscall
def msync(thread: Thread, addr: UserPtr, length: Size, flags: Int) -> int:
    """Write changes back: all mappings are private or memory, so there is nothing to do."""
    del thread, length, flags
    if addr % 4096:
        raise SysError(Errno.EINVAL)
    return 0


