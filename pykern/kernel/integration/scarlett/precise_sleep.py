"""Sleeping by the HPET: one comparator, one interrupt thread, any number of sleepers (SCA-25)."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from pykern.kernel.core.clock import NS_PER_MS
from pykern.kernel.core.wait import WaitQueue, sleep_until
from pykern.kernel.drivers import hpet
from pykern.kernel.sched.policies.priority128 import Band

if TYPE_CHECKING:
    from pykern.kernel.interrupts import Line
    from pykern.kernel.kernel import Kernel

_COMPARATOR = 0


class PreciseSleep:
    """Lets threads sleep; without an HPET by the processor's own timer.

    Parameters
    ----------
    kernel : whose

    Attributes
    ----------
    line : the HPET's interrupt; None: there is no HPET, or nobody has slept yet
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._hpet: hpet.Hpet | None = None
        self._started = False
        self.line: Line | None = None
        self._sleepers: list[tuple[int, int, WaitQueue]] = []
        self._order = itertools.count()

    def _start(self) -> None:
        """Start the HPET, and the thread that its interrupt wakes, with the first who sleeps."""
        kernel, self._started = self._kernel, True
        self._hpet = found = hpet.find(kernel.acpi, lambda: kernel.acting)
        if found is None:
            return
        found.start()
        gsi = found.routes(_COMPARATOR)[0]
        self.line = kernel.interrupts.request(gsi, "hpet", work=self._wake, priority=Band.REALTIME)

    async def sleep(self, ms: int) -> None:
        """Sleep for milliseconds."""
        if not self._started:
            self._start()
        if self._hpet is None:
            await sleep_until(self._kernel.clock.now_ns + ms * NS_PER_MS)
            return
        due = self._hpet.counter + self._hpet.counts(ms * NS_PER_MS)
        woken = WaitQueue()
        heapq.heappush(self._sleepers, (due, next(self._order), woken))
        if self._arm():
            await woken.wait()

    def _arm(self) -> bool:
        """Set the comparator to who is to wake first; False: nobody is left."""
        assert self._hpet is not None
        assert self.line is not None
        while self._sleepers:
            if self._hpet.arm(_COMPARATOR, self.line.gsi, self._sleepers[0][0]):
                return True
            heapq.heappop(self._sleepers)[2].wake_all()
        return False

    async def _wake(self) -> None:
        self._arm()
