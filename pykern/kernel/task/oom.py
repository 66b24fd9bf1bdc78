"""What is done when a program needs a page and there is none: the largest job has to go.

A job is a process group, so that a program that has forked a thousand times counts as one, and so
that those who have done nothing stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.task.sigaction import SigInfo, Signal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

__all__ = ["OutOfMemory"]


class OutOfMemory:
    """Frees memory at the expense of whoever has most of it.

    Parameters
    ----------
    system : whose processes they are
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._dying: list[Process] = []

    def relieve(self, thread: UserThread) -> bool:
        """Let a thread wait for a page, having killed for it the job that has most.

        Returns
        -------
        False: only the first process is left, and it is not killed for its own sake.
        """
        self._dying = [process for process in self._dying if process.alive]
        if not self._dying:
            self._dying = self._largest()
            if not self._dying:
                return False
            self._kill()
        self._system.scheduler.yield_now(thread.cpu)
        self._system.signals.kick(thread)
        return True

    def _largest(self) -> list[Process]:
        """Return the processes of the job that has most pages; the first process is in none."""
        jobs: dict[int, list[Process]] = {}
        for process in self._system.processes.by_pid.values():
            if process.alive and process is not self._system.processes.first:
                jobs.setdefault(process.pgid, []).append(process)
        return max(jobs.values(), key=_pages, default=[])

    def _kill(self) -> None:
        pgid, name = self._dying[0].pgid, self._dying[0].name
        self._system.log.subsystem("MM").warn(
            f"out of memory: job {pgid} ({name}) has most, {len(self._dying)} processes with "
            f"{_pages(self._dying) * PAGE_SIZE >> 10} kB: killed by SIGKILL"
        )
        for process in self._dying:
            self._system.signals.send(process, SigInfo(Signal.SIGKILL))


def _pages(job: Iterable[Process]) -> int:
    """Return how many pages a job has; what two of its processes share counts for both."""
    return sum(process.space.pages.resident for process in job)
