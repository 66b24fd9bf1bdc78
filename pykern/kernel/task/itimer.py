"""The interval timer of a process that counts real time: alarm() and setitimer(ITIMER_REAL).

References
----------
POSIX.1-2017, alarm, getitimer; Linux, setitimer(2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.task.sigaction import SigInfo, Signal

if TYPE_CHECKING:
    from pykern.kernel.core.clock import Timer
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

_SI_KERNEL = 0x80


@dataclass
class IntervalTimer:
    """A timer that sends SIGALRM.

    Attributes
    ----------
    due_ns : when; None: it does not run
    interval_ns : from one to the next; 0: once
    """

    due_ns: int | None = None
    interval_ns: int = 0
    _timer: Timer | None = None

    def remaining_ns(self, now_ns: int) -> int:
        """Return how long until it sends; 0: it does not run."""
        return 0 if self.due_ns is None else max(self.due_ns - now_ns, 1)

    def set(self, system: System, process: Process, after_ns: int, interval_ns: int) -> None:
        """Start it anew; `after_ns` 0 stops it."""
        self.stop()
        self.interval_ns = interval_ns
        if after_ns:
            self._arm(system, process, system.clock.now_ns + after_ns)

    def stop(self) -> None:
        """Stop it: the process has ended, or wants no more signals."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.due_ns = None, None

    def _arm(self, system: System, process: Process, due_ns: int) -> None:
        def expire() -> None:
            self._timer, self.due_ns = None, None
            system.signals.send(process, SigInfo(Signal.SIGALRM, _SI_KERNEL))
            if self.interval_ns:
                self._arm(system, process, due_ns + self.interval_ns)

        self.due_ns = due_ns
        self._timer = system.clock.at(due_ns, expire)
