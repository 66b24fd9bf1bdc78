"""Fair shares: whoever has had the least of its share runs next.

Each thread has a virtual runtime, which advances while it runs, the slower the greater its weight;
the smallest one runs. The weights are those of nice values in Linux: a step of one is 10 % of CPU
time between two threads.

The virtual runtime of a thread that does not belong to a queue is kept relative to the queue's, so
that one that comes back, or comes to another CPU, is as far ahead or behind as it was. What it
slept brings it forward, at most by half a period: a thread cannot save up sleep and then hog.

References
----------
Linux Documentation/scheduler/sched-design-CFS.rst, sched-nice-design.rst; the weight table is
sched_prio_to_weight of kernel/sched/core.c.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from pykern.kernel.core.clock import NS_PER_MS
from pykern.kernel.sched.policy import POLICIES, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["NICE_0_WEIGHT", "Fair", "weight_of"]

NICE_0_WEIGHT = 1024

# fmt: off
_WEIGHTS = (
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,  # -20 to -11
    9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,            # -10 to -1
    1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,                     # 0 to 9
    110, 87, 70, 56, 45, 36, 29, 23, 18, 15,                               # 10 to 19
)
# fmt: on

_PERIOD_NS = 20 * NS_PER_MS
_WAKEUP_LEAD_NS = 2 * NS_PER_MS
_STALE_ENTRIES = 64


def weight_of(nice: int) -> int:
    """Return the weight of a nice value; nice 0 is 1024.

    Raises
    ------
    ValueError : it is not -20 to 19
    """
    if not -20 <= nice <= 19:
        raise ValueError(f"nice {nice}, expected -20 to 19")
    return _WEIGHTS[nice + 20]


@POLICIES.register("fair")
class Fair:
    """The smallest virtual runtime runs."""

    __slots__ = ("_heap", "_queued", "_sequence", "min_vruntime")

    def __init__(self) -> None:
        # Entries (vruntime, sequence, thread); one whose sequence is not the thread's is stale.
        self._heap: list[tuple[int, int, Schedulable]] = []
        self._queued: dict[Schedulable, int] = {}
        self._sequence = 0
        self.min_vruntime = 0

    def enqueue(self, thread: Schedulable, reason: Reason) -> None:
        """Queue by virtual runtime."""
        weight_of(thread.nice)
        if reason is Reason.NEW:
            thread.vruntime = self.min_vruntime
        elif reason is Reason.WAKEUP:
            awake = max(thread.vruntime - thread.slept_ns, -_PERIOD_NS // 2)
            thread.vruntime = self.min_vruntime + min(thread.vruntime, awake)
        elif reason in {Reason.MIGRATED, Reason.CHANGED}:
            thread.vruntime += self.min_vruntime
        elif reason is Reason.YIELD:
            self._go_behind(thread)
        self._sequence += 1
        self._queued[thread] = self._sequence
        heappush(self._heap, (thread.vruntime, self._sequence, thread))

    def dequeue(self, thread: Schedulable) -> None:
        """Let go of a thread; its virtual runtime is relative from now on."""
        self._queued.pop(thread, None)
        thread.vruntime -= self.min_vruntime
        if len(self._heap) > 2 * len(self._queued) + _STALE_ENTRIES:
            self._sweep()

    def pick_next(self) -> Schedulable | None:
        """Take the smallest virtual runtime."""
        heap, queued = self._heap, self._queued
        while heap:
            vruntime, sequence, thread = heappop(heap)
            if queued.get(thread) != sequence:
                continue
            del queued[thread]
            self.min_vruntime = max(self.min_vruntime, vruntime)
            return thread
        return None

    def set_next(self, thread: Schedulable) -> None:
        """Take one thread off the queue, because it runs."""
        del self._queued[thread]

    def charge(self, thread: Schedulable, ran_ns: int) -> None:
        """Advance the virtual runtime of the running thread."""
        thread.vruntime += ran_ns * NICE_0_WEIGHT // _WEIGHTS[thread.nice + 20]
        first = self._first()
        least = thread.vruntime if first is None else min(first.vruntime, thread.vruntime)
        self.min_vruntime = max(self.min_vruntime, least)

    def tick(self, current: Schedulable) -> bool:
        """Make room for a thread that has had less."""
        first = self._first()
        return first is not None and first.vruntime < current.vruntime

    def preempts(self, woken: Schedulable, current: Schedulable) -> bool:
        """Preempt when the lead is worth a switch."""
        lead = _WAKEUP_LEAD_NS * NICE_0_WEIGHT // weight_of(woken.nice)
        return woken.vruntime + lead < current.vruntime

    def rank(self, _thread: Schedulable) -> int:
        """Shares have no rank."""
        return 0

    def __len__(self) -> int:
        return len(self._queued)

    def __iter__(self) -> Iterator[Schedulable]:
        # The order of arrival is near enough for choosing whom to move, and needs no sorting.
        return iter(self._queued)

    def __reversed__(self) -> Iterator[Schedulable]:
        return reversed(self._queued)

    def _first(self) -> Schedulable | None:
        heap, queued = self._heap, self._queued
        while heap:
            _, sequence, thread = heap[0]
            if queued.get(thread) == sequence:
                return thread
            heappop(heap)
        return None

    def _go_behind(self, thread: Schedulable) -> None:
        """Let the thread that yields go behind the one that is next."""
        first = self._first()
        if first is not None:
            thread.vruntime = max(thread.vruntime, first.vruntime)

    def _sweep(self) -> None:
        """Drop the stale entries; amortised, each was paid for when it was pushed."""
        self._heap = sorted((t.vruntime, sequence, t) for t, sequence in self._queued.items())
