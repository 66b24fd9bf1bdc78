"""wait4: learn what has become of children.

References
----------
POSIX.1-2017, wait, waitpid; Linux, wait4(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

WNOHANG, WUNTRACED, WCONTINUED = 1, 2, 8
CONTINUED_STATUS = 0xFFFF


async def wait(
    system: System, process: Process, pid: int, options: int
) -> tuple[int, int, Process | None]:
    """Wait for a child to end, stop or go on.

    Parameters
    ----------
    pid : > 0 that child, -1 any, 0 any of the caller's group, < -1 any of group -pid

    Returns
    -------
    (pid, status, the zombie that was reaped or None) ; pid 0 with WNOHANG: nothing has happened

    Raises
    ------
    SysError(ECHILD) : there is no such child
    SysError(EINVAL) : unknown options
    Interrupted : a signal came first
    """
    if options & ~(WNOHANG | WUNTRACED | WCONTINUED | 0xE000_0000):
        raise SysError(Errno.EINVAL)
    while True:
        children = list(_wanted(process, pid))
        if not children:
            raise SysError(Errno.ECHILD)
        for child in children:
            status = _news(child, options)
            if status is None:
                continue
            if child.status is not None:
                system.processes.forget(child)
                return child.pid, status, child
            return child.pid, status, None
        if options & WNOHANG:
            return 0, 0, None
        await process.child_events.wait()


def _wanted(process: Process, pid: int) -> Iterator[Process]:
    if pid > 0:
        return (child for child in process.children.values() if child.pid == pid)
    if pid == -1:
        return iter(process.children.values())
    group = -pid if pid else process.pgid
    return (child for child in process.children.values() if child.pgid == group)


def _news(child: Process, options: int) -> int | None:
    """Return what wait4 has to tell of a child, and note that it was told."""
    if child.status is not None:
        return child.status
    if options & WUNTRACED and child.stop_status is not None:
        status, child.stop_status = child.stop_status, None
        return status
    if options & WCONTINUED and child.continued:
        child.continued = False
        return CONTINUED_STATUS
    return None
