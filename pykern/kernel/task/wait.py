"""wait4 and waitid: learn what has become of children.

References
----------
POSIX.1-2017, wait, waitid; Linux, wait4(2), waitid(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.task.exit import (
    CLD_CONTINUED,
    CLD_DUMPED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_STOPPED,
)
from pykern.kernel.task.sigaction import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

WNOHANG, WSTOPPED, WEXITED, WCONTINUED = 1, 2, 4, 8
WNOWAIT = 0x0100_0000
WNOTHREAD, WALL, WCLONE = 0x2000_0000, 0x4000_0000, 0x8000_0000
CONTINUED_STATUS = 0xFFFF
_STOPPED = 0x7F


class News(NamedTuple):
    """What has become of a child.

    Attributes
    ----------
    status : as wait4 gives it
    cpu_ns : processor time, of one that has ended
    """

    pid: int
    uid: int
    status: int
    cpu_ns: int

    @property
    def code(self) -> tuple[int, int]:
        """`si_code` and `si_status` of waitid."""
        if self.status == CONTINUED_STATUS:
            return CLD_CONTINUED, Signal.SIGCONT
        if self.status & 0xFF == _STOPPED:
            return CLD_STOPPED, self.status >> 8
        if self.status & _STOPPED:
            return CLD_DUMPED if self.status & 0x80 else CLD_KILLED, self.status & _STOPPED
        return CLD_EXITED, self.status >> 8


async def wait(
    system: System, process: Process, wanted: Callable[[Process], bool], options: int
) -> News | None:
    """Wait for a child to end, stop or go on.

    Parameters
    ----------
    wanted : which children
    options : WEXITED, WSTOPPED, WCONTINUED: what to wait for; WNOHANG, WNOWAIT, WALL, WCLONE

    Returns
    -------
    None with WNOHANG: nothing has happened

    Raises
    ------
    SysError(ECHILD) : there is no such child
    Interrupted : a signal came first
    """
    while True:
        for child in filter(_may_have_news, process.children.values()):
            status = _news(child, options) if _is_eligible(child, wanted, options) else None
            if status is None:
                continue
            if child.status is not None and not options & WNOWAIT:
                system.processes.forget(child)
            return News(child.pid, child.credentials.user.real, status, child.cpu_ns)
        if not _can_have_news(process, wanted, options):
            raise SysError(Errno.ECHILD)
        if options & WNOHANG:
            return None
        await process.child_events.wait()


def _may_have_news(child: Process) -> bool:
    """Say whether anything may be told of a child; of most of many there is nothing."""
    return child.status is not None or child.stop_status is not None or child.continued


def _can_have_news(process: Process, wanted: Callable[[Process], bool], options: int) -> bool:
    """Say whether what is asked for can still come."""
    return any(
        (options & WEXITED or child.status is None) and _is_eligible(child, wanted, options)
        for child in process.children.values()
    )


def _is_eligible(child: Process, wanted: Callable[[Process], bool], options: int) -> bool:
    """Say whether a child is meant: it sends SIGCHLD, or with WCLONE something else."""
    cloned = child.exit_signal != Signal.SIGCHLD
    return wanted(child) and bool(options & WALL or cloned == bool(options & WCLONE))


def _news(child: Process, options: int) -> int | None:
    """Return what is to be told of a child, and note that it was told."""
    keep = options & WNOWAIT
    if child.status is not None:
        return child.status if options & WEXITED else None
    if options & WSTOPPED and child.stop_status is not None:
        status = child.stop_status
        child.stop_status = status if keep else None
        return status
    if options & WCONTINUED and child.continued:
        child.continued = bool(keep)
        return CONTINUED_STATUS
    return None
