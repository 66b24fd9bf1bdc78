"""Keeping CPUs equally busy: pull, push and steal.

*Steal*: a CPU about to idle takes a waiting thread from the longest queue. *Push*: at a tick, a CPU
with a queue gives to one that idles, which may have no tick of its own. *Pull*: every few ticks a
CPU takes half the difference from the busiest, and a thread that waits elsewhere although it is
more urgent than what runs here. *Rotate*: where the difference is one and cannot be halved, the odd
thread goes round, so that in the long run all have the same share.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pykern.kernel.sched.placement import lowest_bit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.sched.run_queue import RunQueue
    from pykern.kernel.sched.run_queues import RunQueues
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["Balancer"]

# Even, so that of two threads that take turns, now the one and now the other is found waiting.
_PULL_TICKS = 4
# How far a queue is searched for a thread that another CPU may run; bounds the work of a tick.
_SEARCHED = 32


class Balancer:
    """Move threads between the queues of all CPUs."""

    def __init__(self, run_queues: RunQueues) -> None:
        self._run_queues = run_queues

    def tick(self, rq: RunQueue) -> None:
        """Push and pull, at a tick of one CPU, while threads wait on some."""
        if rq.load > 1 and self._run_queues.idle & self._run_queues.online:
            self._push(rq)
        pulls, rest = divmod(rq.times.timer_ticks, _PULL_TICKS)
        if rest == 0 and self._run_queues.online & rq.bit:
            self._pull(rq, rotate=pulls % len(self._run_queues.queues) == rq.cpu)

    def steal(self, rq: RunQueue) -> Schedulable | None:
        """Take a thread for a CPU that has none; it is queued nowhere afterwards."""
        others = self._run_queues.waiting & ~rq.bit
        if not others or not self._run_queues.online & rq.bit:
            return None
        # One that has a single thread and does not run it yet has just been interrupted for it.
        busy_ones = [other for other in self._in(others) if other.load > 1]
        for busy in sorted(busy_ones, key=lambda other: -len(other.policy)):
            thread = next(_movable(iter(busy.policy), rq.bit), None)
            if thread is not None:
                self._run_queues.migrate(thread, rq.cpu)
                rq.need_resched = False
                return rq.policy.pick_next()
        return None

    def _pull(self, rq: RunQueue, *, rotate: bool) -> None:
        others = tuple(self._in(self._run_queues.waiting & ~rq.bit))
        if not others:
            return
        cpus = len(self._run_queues.queues)
        busiest = max(others, key=lambda other: (other.load, (rq.cpu - other.cpu) % cpus))
        difference = busiest.load - rq.load
        if difference > 1:
            last = _movable(reversed(busiest.policy), rq.bit)
            self._take(rq, list(islice(last, difference // 2)))
        elif difference == 1 and rotate and rq.current is not None:
            self._rotate(rq, busiest)
        self._pull_urgent(rq, others)

    def _rotate(self, rq: RunQueue, busiest: RunQueue) -> None:
        """Take one thread that has run since it last went round.

        Where slices are longer than the time between two rounds it would never have its turn.
        """
        movable = _movable(iter(busiest.policy), rq.bit)
        rested = [thread for thread in movable if thread.rotated_at != thread.switches]
        for thread in sorted(rested, key=lambda thread: thread.migrations)[:1]:
            thread.rotated_at = thread.switches
            self._run_queues.migrate(thread, rq.cpu)

    def _take(self, rq: RunQueue, threads: list[Schedulable]) -> None:
        for thread in threads:
            self._run_queues.migrate(thread, rq.cpu)

    def _pull_urgent(self, rq: RunQueue, others: tuple[RunQueue, ...]) -> None:
        mine = rq.current
        if mine is None:
            return
        rank = rq.policy.rank
        highest_here = max(rank(mine), rank(next(iter(rq.policy), mine)))
        for other in others:
            thread = next(_movable(iter(other.policy), rq.bit), None)
            if thread is not None and rank(thread) > highest_here:
                self._run_queues.migrate(thread, rq.cpu)
                return

    def _push(self, rq: RunQueue) -> None:
        idle = self._run_queues.idle & self._run_queues.online
        thread = next(_movable(iter(rq.policy), idle), None)
        if thread is not None:
            self._run_queues.migrate(thread, lowest_bit(thread.affinity & idle))

    def _in(self, mask: int) -> Iterator[RunQueue]:
        while mask:
            yield self._run_queues.queues[lowest_bit(mask)]
            mask &= mask - 1


def _movable(threads: Iterator[Schedulable], cpus: int) -> Iterator[Schedulable]:
    """Yield those of the first threads that may run on one of some CPUs."""
    return (thread for thread in islice(threads, _SEARCHED) if thread.affinity & cpus)
