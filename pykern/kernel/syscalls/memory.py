"""Memory of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE, page_up
from pykern.kernel.fs.flags import FILE_SIZE_MAX
from pykern.kernel.mm.file_pager import FilePager, pager_of
from pykern.kernel.mm.locking import lock, unlock
from pykern.kernel.mm.pager import BusError
from pykern.kernel.mm.remap import populate, remap, resident
from pykern.kernel.mm.space import Backing
from pykern.kernel.mm.vma import MAP_ANONYMOUS, MAP_POPULATE, MAP_TYPES, PROT_EXEC
from pykern.kernel.syscalls.arguments import Fd, Int, Long, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.task.rlimit import Resource

if TYPE_CHECKING:
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.thread import UserThread

MADV_DONTNEED, MADV_FREE = 4, 8
_KNOWN_ADVICE = frozenset(range(26))
MLOCK_ONFAULT = 1
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
MEMBARRIER_ALL = 0x7F
"""GLOBAL, GLOBAL_EXPEDITED, PRIVATE_EXPEDITED, …_SYNC_CORE, and how they are announced."""
MEMBARRIER_EXPEDITED = {8: 0x10, 0x20: 0x40}
MS_ASYNC, MS_INVALIDATE, MS_SYNC = 1, 2, 4


@syscall
def mmap(
    thread: UserThread, addr: UserPtr, length: Size, prot: Int, flags: Int, fd: Fd, offset: Long
) -> int:
    """Map memory, or the content of a file."""
    space = thread.process.space
    if offset % PAGE_SIZE:
        raise SysError(Errno.EINVAL)
    backing = None if flags & MAP_ANONYMOUS else _file_behind(thread, fd, offset)
    if backing is not None and prot & PROT_EXEC and thread.system.trusted_keys:
        raise SysError(Errno.EACCES)  # nobody has looked at its signature
    where = space.mmap(addr or None, length, prot, flags & MAP_TYPES, backing)
    if flags & MAP_POPULATE:
        populate(space, where, length)
    return where


def _file_behind(thread: UserThread, fd: int, offset: int) -> Backing:
    """Return what a mapping of an open file shows.

    Raises
    ------
    SysError : EBADF, EACCES not open for reading, ENODEV no regular file, EINVAL the offset
    """
    file = thread.process.files.get(fd)
    if not file.readable:
        raise SysError(Errno.EACCES)
    if not file.inode.is_regular():
        raise SysError(Errno.ENODEV)
    if not 0 <= offset <= FILE_SIZE_MAX:
        raise SysError(Errno.EINVAL)
    stat = file.inode.stat()
    pager = pager_of(
        file.inode,
        thread.system.frames,
        thread.system.machine,
        file.name.decode("utf-8", "surrogateescape"),
        (stat.dev >> 8, stat.dev & 0xFF, stat.ino),
    )
    return Backing(pager, offset, read_only=not file.writable)


@syscall
def munmap(thread: UserThread, addr: UserPtr, length: Size) -> int:
    """Unmap memory."""
    thread.process.space.munmap(addr, length)
    return 0


@syscall
def mprotect(thread: UserThread, addr: UserPtr, length: Size, prot: Int) -> int:
    """Change what may be done with memory."""
    space = thread.process.space
    if addr >= space.layout.top and addr % PAGE_SIZE == 0:
        raise SysError(Errno.ENOMEM)
    if prot & PROT_EXEC and thread.system.trusted_keys:
        for vma in space.vmas.overlapping(addr, addr + page_up(length)):
            if vma.pager is not None:
                raise SysError(Errno.EACCES)
    if length:
        space.mprotect(addr, page_up(length), prot)
    return 0


@syscall
def mremap(
    thread: UserThread, old: UserPtr, old_size: Size, new_size: Size, flags: Int, new: UserPtr
) -> int:
    """Resize a mapping, and move it if it may and must."""
    return remap(thread.process.space, old, old_size, new_size, flags, new)


@syscall
def mincore(thread: UserThread, addr: UserPtr, length: Size, vec: UserPtr) -> int:
    """Tell which pages are in memory."""
    space = thread.process.space
    space.copy_out(vec, resident(space, addr, length))
    return 0


@syscall
def brk(thread: UserThread, addr: UserPtr) -> int:
    """Move the end of the program's data; the result is where it is, whatever was asked for."""
    return thread.process.space.brk(addr)


@syscall
def madvise(thread: UserThread, addr: UserPtr, length: Size, advice: Int) -> int:
    """Take advice: of all kinds, only that pages are not needed changes something."""
    if advice not in _KNOWN_ADVICE or addr % 4096:
        raise SysError(Errno.EINVAL)
    if advice in {MADV_DONTNEED, MADV_FREE} and length:
        thread.process.space.discard(addr, page_up(length))
    return 0


@syscall
def msync(thread: UserThread, addr: UserPtr, length: Size, flags: Int) -> int:
    """Write what programs have written to mapped files to the files."""
    if addr % 4096 or flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC):
        raise SysError(Errno.EINVAL)
    if flags & MS_ASYNC and flags & MS_SYNC:
        raise SysError(Errno.EINVAL)
    vmas, end = thread.process.space.vmas, addr + page_up(length)
    for vma in vmas.overlapping(addr, end):
        part = vma.slice(addr, end)
        if vma.shared and isinstance(vma.pager, FilePager):
            vma.pager.write_back(part.offset, part.size)
    if not vmas.covers(addr, end):
        raise SysError(Errno.ENOMEM)
    return 0


# -- locking: what is touched later is not locked (MLOCK_ONFAULT, MCL_FUTURE), it may be swapped


def _lock(thread: UserThread, addr: int, size: int, *, on_fault: bool) -> int:
    process, start = thread.process, addr & -PAGE_SIZE
    size = page_up(addr + size - start)
    limit = process.limits.soft(Resource.MEMLOCK)
    if not process.credentials.privileged and size > limit:
        raise SysError(Errno.ENOMEM if limit else Errno.EPERM)
    if start + size >= 1 << 64:
        raise SysError(Errno.EINVAL)
    if not process.space.vmas.covers(start, start + size):
        raise SysError(Errno.ENOMEM)
    if size and not on_fault:
        _bring_in(process.space, start, start + size)
    return 0


def _bring_in(space: AddressSpace, start: int, end: int) -> None:
    try:
        lock(space, start, end)
    except BusError:
        raise SysError(Errno.ENOMEM) from None


@syscall
def mlock(thread: UserThread, addr: UserPtr, len_: Size) -> int:
    """Bring pages into memory and keep them there."""
    return _lock(thread, addr, len_, on_fault=False)


@syscall
def mlock2(thread: UserThread, addr: UserPtr, len_: Size, flags: Int) -> int:
    """Bring pages into memory and keep them there, now or when they are touched."""
    if flags & ~MLOCK_ONFAULT:
        raise SysError(Errno.EINVAL)
    return _lock(thread, addr, len_, on_fault=bool(flags & MLOCK_ONFAULT))


@syscall
def munlock(thread: UserThread, addr: UserPtr, len_: Size) -> int:
    """Let pages leave memory again."""
    start = addr & -PAGE_SIZE
    space, end = thread.process.space, page_up(addr + len_)
    if not space.vmas.covers(start, end):
        raise SysError(Errno.ENOMEM)
    unlock(space, start, end)
    return 0


@syscall
def mlockall(thread: UserThread, flags: Int) -> int:
    """Bring all of the process into memory and keep it there."""
    if not flags or flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) or flags == MCL_ONFAULT:
        raise SysError(Errno.EINVAL)
    process = thread.process
    limit = process.limits.soft(Resource.MEMLOCK)
    if not process.credentials.privileged and process.space.vmas.bytes > limit:
        raise SysError(Errno.ENOMEM if limit else Errno.EPERM)
    if flags & MCL_CURRENT and not flags & MCL_ONFAULT:
        for vma in list(process.space.vmas):
            _bring_in(process.space, vma.start, vma.end)
    return 0


@syscall
def munlockall(thread: UserThread) -> int:
    """Let all pages leave memory again."""
    space = thread.process.space
    unlock(space, 0, space.layout.top)
    return 0


@syscall
def membarrier(thread: UserThread, cmd: Int, flags: UInt, cpu_id: Int) -> int:
    """Order the memory accesses of all threads; while hosted code runs, all have stopped.

    References
    ----------
    Linux, membarrier(2).
    """
    del cpu_id
    if flags or (cmd & ~MEMBARRIER_ALL or cmd.bit_count() > 1):
        raise SysError(Errno.EINVAL)
    if not cmd:
        return MEMBARRIER_ALL
    if cmd in MEMBARRIER_EXPEDITED:
        if not thread.process.barriers & MEMBARRIER_EXPEDITED[cmd]:
            raise SysError(Errno.EPERM)
    else:
        thread.process.barriers |= cmd
    return 0
