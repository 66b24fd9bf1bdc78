"""Keeping CPUs equally busy: pull, push and steal.

*Steal*: a CPU about to idle takes a waiting thread from the longest queue. *Push*: at a tick, a CPU
with a queue gives to one that idles, which may have no tick of its own. *Pull*: every few ticks,
staggered by CPU, a CPU takes half the difference from the busiest, and a thread that waits
elsewhere although it is more urgent than what runs here.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pykern.kernel.sched.placement import lowest_bit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.sched.run_queue import RunQueue
    from pykern.kernel.sched.schedulable import Schedulable
    from pykern.kernel.sched.scheduler import Scheduler

__all__ = ["Balancer"]

_INTERVAL_TICKS = 4
# How far a queue is searched for a thread that another CPU may run; bounds the work of a tick.
_SEARCHED = 32


class Balancer:
    """Move threads between the queues of a scheduler."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def tick(self, rq: RunQueue) -> None:
        """Push and pull, at a tick of one CPU."""
        if not self._scheduler.waiting:
            return
        if len(rq.policy) and self._scheduler.idle:
            self._push(rq)
        if (rq.times.timer_ticks + rq.cpu) % _INTERVAL_TICKS == 0:
            self.pull(rq)

    def steal(self, rq: RunQueue) -> Schedulable | None:
        """Take a thread for a CPU that has none; it is queued nowhere afterwards."""
        others = self._scheduler.waiting & ~rq.bit
        if not others or not self._scheduler.online & rq.bit:
            return None
        for busy in sorted(self._in(others), key=lambda other: -len(other.policy)):
            thread = next(_movable(iter(busy.policy), rq.bit), None)
            if thread is not None:
                self._scheduler.migrate(thread, rq.cpu)
                rq.need_resched = False
                return rq.policy.pick_next()
        return None

    def pull(self, rq: RunQueue) -> int:
        """Even out with the busiest CPU; return how many threads have come."""
        if not self._scheduler.online & rq.bit:
            return 0
        others = tuple(self._in(self._scheduler.waiting & ~rq.bit))
        if not others:
            return 0
        busiest = max(others, key=lambda other: other.load)
        excess = (busiest.load - rq.load) // 2
        moved = list(islice(_movable(reversed(busiest.policy), rq.bit), max(excess, 0)))
        for thread in moved:
            self._scheduler.migrate(thread, rq.cpu)
        return len(moved) + self._pull_urgent(rq, others)

    def _pull_urgent(self, rq: RunQueue, others: tuple[RunQueue, ...]) -> int:
        current = rq.current
        if current is None or rq.need_resched:
            return 0
        for other in others:
            thread = next(_movable(iter(other.policy), rq.bit), None)
            if thread is not None and rq.policy.outranks(thread, current):
                self._scheduler.migrate(thread, rq.cpu)
                return 1
        return 0

    def _push(self, rq: RunQueue) -> None:
        idle = self._scheduler.idle
        thread = next(_movable(iter(rq.policy), idle), None)
        if thread is not None:
            self._scheduler.migrate(thread, lowest_bit(thread.affinity & idle))

    def _in(self, mask: int) -> Iterator[RunQueue]:
        while mask:
            yield self._scheduler.queues[lowest_bit(mask)]
            mask &= mask - 1


def _movable(threads: Iterator[Schedulable], cpus: int) -> Iterator[Schedulable]:
    """Yield those of the first threads that may run on one of some CPUs."""
    return (thread for thread in islice(threads, _SEARCHED) if thread.affinity & cpus)
