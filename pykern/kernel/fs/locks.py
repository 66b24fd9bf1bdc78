"""Advisory locks: whole files (flock) and ranges of bytes (fcntl).

The two kinds do not see each other. An owner of ranges is whatever holds them: the descriptors of a
process (F_SETLK), or an open file (F_OFD_SETLK).

References
----------
POSIX.1-2024, fcntl(), File Locking; Linux fcntl(2), flock(2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs.flags import FILE_SIZE_MAX, SEEK_CUR, SEEK_END, SEEK_SET

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.inode import Inode

__all__ = [
    "F_RDLCK", "F_UNLCK", "F_WRLCK", "LOCK_EX", "LOCK_NB", "LOCK_SH", "LOCK_UN", "Locks",
    "RangeLock", "blocking_range", "flock", "forget", "range_of", "set_range",
]  # fmt: skip

F_RDLCK, F_WRLCK, F_UNLCK = range(3)
LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN = 1, 2, 4, 8
END = FILE_SIZE_MAX + 1


@dataclass(frozen=True)
class RangeLock:
    """A locked range.

    Attributes
    ----------
    kind : F_RDLCK, F_WRLCK; F_UNLCK to give it up
    start, end : bytes; `end` is the first behind
    owner : who holds it
    pid : told by F_GETLK
    """

    kind: int
    start: int
    end: int
    owner: object = field(compare=False)
    pid: int = -1

    def conflicts(self, other: RangeLock) -> bool:
        """Whether both cannot be held at once."""
        apart = self.end <= other.start or other.end <= self.start
        return not apart and self.owner is not other.owner and F_WRLCK in {self.kind, other.kind}


class Locks:
    """The locks on one file.

    Attributes
    ----------
    ranges : those that are held, by their start
    whole : those of flock: LOCK_SH or LOCK_EX by open file
    changed : woken when something is given up
    """

    def __init__(self) -> None:
        self.ranges: list[RangeLock] = []
        self.whole: dict[File, int] = {}
        self.changed = WaitQueue()
        # Who waits for whom, to find those who would wait for each other.
        self.waiting: dict[object, list[object]] = {}

    def blocking(self, wanted: RangeLock) -> list[RangeLock]:
        """Return the ranges of others that are in the way."""
        return [held for held in self.ranges if held.conflicts(wanted)]

    def take(self, wanted: RangeLock) -> None:
        """Hold a range, or give it up; what the owner had there before is replaced."""
        own = [held for held in self.ranges if held.owner is wanted.owner]
        kept = [held for held in self.ranges if held.owner is not wanted.owner]
        for held in own:
            touches = held.start <= wanted.end and wanted.start <= held.end
            if held.kind == wanted.kind and touches:
                start, end = min(held.start, wanted.start), max(held.end, wanted.end)
                wanted = replace(wanted, start=start, end=end)
                continue
            if held.start < wanted.start:
                kept.append(replace(held, end=min(held.end, wanted.start)))
            if held.end > wanted.end:
                kept.append(replace(held, start=max(held.start, wanted.end)))
        if wanted.kind != F_UNLCK:
            kept.append(wanted)
        self.ranges = sorted(kept, key=lambda held: held.start)
        self.changed.wake_all()

    def deadlocks(self, owner: object, blockers: list[object]) -> bool:
        """Whether one of `blockers` waits, over however many others, for `owner`."""
        seen: list[object] = []
        todo = list(blockers)
        while todo:
            blocker = todo.pop()
            if blocker is owner:
                return True
            if not any(blocker is one for one in seen):
                seen.append(blocker)
                todo += self.waiting.get(blocker, [])
        return False


def _locks(inode: Inode) -> Locks:
    if inode.locks is None:
        inode.locks = Locks()
    return inode.locks


# --- ranges --------------------------------------------------------------------------------------


def range_of(file: File, whence: int, start: int, length: int) -> tuple[int, int]:
    """Return first byte and end of `struct flock`.

    Raises
    ------
    SysError(EINVAL) : an unknown `whence`, or it starts before the file
    SysError(EOVERFLOW) : it ends behind the largest file
    """
    bases = {SEEK_SET: 0, SEEK_CUR: file.offset, SEEK_END: file.inode.size}
    if whence not in bases:
        raise SysError(Errno.EINVAL)
    first = bases[whence] + start
    if first > FILE_SIZE_MAX or (length > 0 and first + length > END):
        raise SysError(Errno.EOVERFLOW)
    if length < 0:
        first, end = first + length, first
    else:
        end = first + length if length else END
    if first < 0:
        raise SysError(Errno.EINVAL)
    return first, end


def blocking_range(file: File, wanted: RangeLock) -> RangeLock | None:
    """Return the first lock in the way (F_GETLK); None: it could be held."""
    found = file.inode.locks.blocking(wanted) if file.inode.locks else []
    return found[0] if found else None


async def set_range(file: File, wanted: RangeLock, *, wait: bool) -> None:
    """Hold a range or give it up (F_SETLK, and F_SETLKW to wait).

    Raises
    ------
    SysError(EBADF) : not open for reading, to share; not for writing, to have it alone
    SysError(EAGAIN) : somebody else holds it
    SysError(EDEADLK) : those who hold it wait for the caller
    Interrupted : a signal came first
    """
    if wanted.kind == F_RDLCK:
        file.require_readable()
    elif wanted.kind == F_WRLCK:
        file.require_writable()
    elif wanted.kind != F_UNLCK:
        raise SysError(Errno.EINVAL)
    with file:
        await _set_range(_locks(file.inode), wanted, wait=wait)


async def _set_range(locks: Locks, wanted: RangeLock, *, wait: bool) -> None:
    while wanted.kind != F_UNLCK and (blockers := locks.blocking(wanted)):
        if not wait:
            raise SysError(Errno.EAGAIN)
        owners = [held.owner for held in blockers]
        if locks.deadlocks(wanted.owner, owners):
            raise SysError(Errno.EDEADLK)
        locks.waiting[wanted.owner] = owners
        try:
            await locks.changed.wait()
        finally:
            locks.waiting.pop(wanted.owner, None)
    locks.take(wanted)


def forget(inode: Inode, owner: object) -> None:
    """Give up all that an owner holds: it has closed the file."""
    locks = inode.locks
    if locks is None or not (locks.ranges or locks.whole):
        return
    locks.whole = {file: kind for file, kind in locks.whole.items() if file is not owner}
    locks.take(RangeLock(F_UNLCK, 0, END, owner))


# --- whole files ---------------------------------------------------------------------------------


async def flock(file: File, operation: int) -> None:
    """Hold a whole file shared or alone, or give it up.

    Parameters
    ----------
    operation : LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB not to wait

    Raises
    ------
    SysError(EINVAL) : none of them
    SysError(EAGAIN) : somebody else holds it, and LOCK_NB
    Interrupted : a signal came first; what was held before is given up
    """
    kind = operation & ~LOCK_NB
    if kind not in {LOCK_SH, LOCK_EX, LOCK_UN}:
        raise SysError(Errno.EINVAL)
    with file:
        await _flock(_locks(file.inode), file, kind, wait=not operation & LOCK_NB)


async def _flock(locks: Locks, file: File, kind: int, *, wait: bool) -> None:
    if locks.whole.get(file) == kind:
        return
    if locks.whole.pop(file, None) is not None:
        locks.changed.wake_all()
    while kind != LOCK_UN and _is_held(locks, kind):
        if not wait:
            raise SysError(Errno.EAGAIN)
        await locks.changed.wait()
    if kind != LOCK_UN:
        locks.whole[file] = kind


def _is_held(locks: Locks, kind: int) -> bool:
    return LOCK_EX in locks.whole.values() or (kind == LOCK_EX and bool(locks.whole))
