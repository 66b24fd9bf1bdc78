"""Robust futexes: locks whose owner has ended say so to whoever takes them next.

References
----------
Linux, Documentation/locking/robust-futex-ABI.rst, get_robust_list(2).
"""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError

if TYPE_CHECKING:
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

__all__ = ["release_robust_list"]

_HEAD = struct.Struct("<QqQ")
"""`struct robust_list_head`: first entry, from an entry to its futex, entry in the making."""
_MOST_ENTRIES = 2048
_WAITERS, _OWNER_DIED, _OWNER = 0x8000_0000, 0x4000_0000, 0x3FFF_FFFF
_PRIORITY_INHERITANCE = 1


def release_robust_list(system: System, thread: UserThread) -> None:
    """Mark the locks that a thread leaves behind, and wake one who waits for each.

    The list is the program's and may be anything: what cannot be read ends it.

    Raises
    ------
    NotResident : a page of it has to be loaded first; then all of it can be done again
    """
    if not thread.robust_list:
        return
    # Nothing that the kernel relies on.
    with contextlib.suppress(SysError):
        _walk(system, thread, thread.robust_list)
    thread.robust_list = 0


def _walk(system: System, thread: UserThread, head: int) -> None:
    space = thread.process.space
    entry, offset, pending = _HEAD.unpack(space.copy_in(head, _HEAD.size))
    for _ in range(_MOST_ENTRIES):
        at = entry & ~_PRIORITY_INHERITANCE
        if at == head:
            break
        following = space.read_u64(at)
        if at != pending & ~_PRIORITY_INHERITANCE:
            _release(system, thread, at + offset)
        entry = following
    if pending:
        _release(system, thread, (pending & ~_PRIORITY_INHERITANCE) + offset)


def _release(system: System, thread: UserThread, uaddr: int) -> None:
    space = thread.process.space
    word = space.read_u32(uaddr)
    if word & _OWNER != thread.tid:
        return
    space.copy_out(uaddr, struct.pack("<I", word & _WAITERS | _OWNER_DIED))
    if word & _WAITERS:
        system.futexes.wake(space, uaddr, 1)
