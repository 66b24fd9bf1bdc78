"""Timers that a program makes: timer_create.

References
----------
POSIX.1-2017, timer_create, timer_settime, timer_getoverrun; Linux, timer_create(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.task.sigaction import SI_TIMER, SigInfo

if TYPE_CHECKING:
    from pykern.kernel.core.clock import Timer
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

__all__ = ["PosixTimer", "PosixTimers"]

_MOST_OVERRUN = 0x7FFF_FFFF


class PosixTimer:
    """One timer.

    Parameters
    ----------
    number : its identifier in the process
    signal : what it sends; 0: nothing
    value : what comes with the signal
    thread : who gets it; None: the process
    realtime : absolute times count since 1970, not since boot

    Attributes
    ----------
    overrun : how often it has expired again while its last signal was not yet delivered
    """

    def __init__(
        self,
        system: System,
        process: Process,
        number: int,
        signal: int,
        value: int,
        *,
        thread: UserThread | None = None,
        realtime: bool = False,
    ) -> None:
        self._system, self._process, self._thread = system, process, thread
        self.number, self._signal, self._value = number, signal, value
        self.realtime = realtime
        self.overrun = 0
        self.interval_ns = 0
        self._due_ns: int | None = None
        self._timer: Timer | None = None
        self._sent: SigInfo | None = None

    def remaining_ns(self) -> int:
        """Return how long until it expires; 0: it does not run."""
        if self._due_ns is None:
            return 0
        return max(self._due_ns - self._system.clock.now_ns, 1)

    def set(self, due_ns: int | None, interval_ns: int) -> None:
        """Have it expire at a time, and then again and again if there is an interval."""
        self.stop()
        self.interval_ns = interval_ns
        if due_ns is not None:
            self._arm(due_ns)

    def stop(self) -> None:
        """Stop it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._due_ns = None, None

    def _arm(self, due_ns: int) -> None:
        self._due_ns = due_ns
        self._timer = self._system.clock.at(due_ns, self._expire)

    def _expire(self) -> None:
        due_ns, self._timer, self._due_ns = self._due_ns, None, None
        self._send()
        if self.interval_ns and due_ns is not None:
            self._arm(due_ns + self.interval_ns)

    def _send(self) -> None:
        if not self._signal:
            return
        thread = self._thread
        target = self._process if thread is None else thread
        if self._sent is not None and target.pending.holds(self._sent):
            self.overrun = min(self.overrun + 1, _MOST_OVERRUN)
            return
        self.overrun = 0
        self._sent = SigInfo(self._signal, SI_TIMER, value=self._value, timer=self)
        if thread is None:
            self._system.signals.send(self._process, self._sent)
        elif thread in self._process.threads:
            self._system.signals.send_thread(thread, self._sent)


class PosixTimers:
    """The timers of a process; a child begins without any."""

    def __init__(self) -> None:
        self._timers: dict[int, PosixTimer] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._timers)

    def next_number(self) -> int:
        """Return an identifier that no timer has had."""
        self._next += 1
        return self._next - 1

    def add(self, timer: PosixTimer) -> None:
        """Keep a timer."""
        self._timers[timer.number] = timer

    def get(self, number: int) -> PosixTimer:
        """Return a timer.

        Raises
        ------
        SysError(EINVAL) : there is none
        """
        if number not in self._timers:
            raise SysError(Errno.EINVAL)
        return self._timers[number]

    def delete(self, number: int) -> None:
        """Stop and forget a timer; SysError(EINVAL) if there is none."""
        self.get(number).stop()
        del self._timers[number]

    def delete_all(self) -> None:
        """Stop and forget all (exec, exit)."""
        for number in list(self._timers):
            self.delete(number)
