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
    from collections.abc import Callable, Iterator

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
        children = list(_eligible(process, wanted, options))
        if not children:
            raise SysError(Errno.ECHILD)
        for child in children:
            status = _news(child, options)
            if status is None:
                continue
            if child.status is not None and not options & WNOWAIT:
                system.processes.forget(child)
            return News(child.pid, child.credentials.user.real, status, child.cpu_ns)
        if not options & WEXITED and all(child.status is not None for child in children):
            raise SysError(Errno.ECHILD)  # nothing that is asked for can still come
        if options & WNOHANG:
            return None
        await process.child_events.wait()


def _eligible(
    process: Process, wanted: Callable[[Process], bool], options: int
) -> Iterator[Process]:
    """Return the children that are meant: those that send SIGCHLD, or with WCLONE the others."""
    for child in process.children.values():
        cloned = child.exit_signal != Signal.SIGCHLD
        if wanted(child) and (options & WALL or cloned == bool(options & WCLONE)):
            yield child


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
