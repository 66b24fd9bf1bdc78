"""Priority levels with a queue each, and a bitmap of those that are not empty.

Choosing is finding the highest set bit, so it takes the same time with one thread and with
thousands. Within a level threads take turns, a slice each.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from pykern.kernel.core.clock import NS_PER_MS
from pykern.kernel.sched.policy import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["HALF_TICK_NS", "SLICE_NS", "LevelPolicy"]

SLICE_NS = 10 * NS_PER_MS
"""One turn: a tick at 100 Hz."""

HALF_TICK_NS = SLICE_NS // 2
_PREEMPTED = Reason.PREEMPTED
_ABSENT = object()


class LevelPolicy:
    """The most urgent level runs, round robin within it.

    A slice ends at the tick nearest to its nominal end, and what it was too long or too short is
    carried over into the next, so that turns are equal in the long run wherever the ticks fall.

    Parameters
    ----------
    levels : how many there are; level 0 is the least urgent
    """

    __slots__ = ("_bitmap", "_count", "_queues")

    def __init__(self, levels: int) -> None:
        # Ordered dictionaries: a thread leaves from the middle in O(1) when it is moved or killed.
        self._queues: list[OrderedDict[Schedulable, None]] = [OrderedDict() for _ in range(levels)]
        self._bitmap = 0
        self._count = 0

    # --- what a policy of this kind chooses ---------------------------------------------------

    def level_of(self, thread: Schedulable) -> int:
        """Return the level that a thread is queued in."""
        level = thread.priority
        if not 0 <= level < len(self._queues):
            last = len(self._queues) - 1
            raise ValueError(f"thread {thread.tid}: priority {level}, expected 0 to {last}")
        return level

    def quantum_of(self, _thread: Schedulable) -> int:
        """Return the slice of a thread in ns."""
        return SLICE_NS

    # --- Policy -------------------------------------------------------------------------------

    def enqueue(self, thread: Schedulable, reason: Reason) -> None:
        """Queue at the end; at the head where the slice was cut short by one more urgent."""
        thread.level = level = self.level_of(thread)
        cut_short = reason is _PREEMPTED and thread.slice_ns >= HALF_TICK_NS
        if not cut_short:
            quantum = self.quantum_of(thread)
            carried = max(thread.slice_ns, -quantum) if reason is _PREEMPTED else 0
            thread.slice_ns = quantum + carried
        queue = self._queues[level]
        queue[thread] = None
        if cut_short:
            queue.move_to_end(thread, last=False)
        self._bitmap |= 1 << level
        self._count += 1

    def dequeue(self, thread: Schedulable) -> None:
        """Take a thread off its queue; one that runs is on none."""
        level = thread.level
        queue = self._queues[level]
        if queue.pop(thread, _ABSENT) is _ABSENT:
            return
        self._count -= 1
        if not queue:
            self._bitmap ^= 1 << level

    def pick_next(self) -> Schedulable | None:
        """Take the first of the highest level that is not empty."""
        bitmap = self._bitmap
        if not bitmap:
            return None
        level = bitmap.bit_length() - 1
        queue = self._queues[level]
        thread, _ = queue.popitem(last=False)
        if not queue:
            self._bitmap = bitmap ^ (1 << level)
        self._count -= 1
        return thread

    def set_next(self, thread: Schedulable) -> None:
        """Take one thread off its queue, because it runs."""
        self.dequeue(thread)

    def charge(self, thread: Schedulable, ran_ns: int) -> None:
        """Take the time off the slice."""
        thread.slice_ns -= ran_ns

    def tick(self, current: Schedulable) -> bool:
        """Make room when the slice is over and somebody as urgent waits."""
        rivals = self._bitmap >> current.level
        if rivals > 1:
            return True
        if current.slice_ns >= HALF_TICK_NS:
            return False
        if not rivals:
            current.slice_ns += self.quantum_of(current)
        return rivals != 0

    def preempts(self, woken: Schedulable, current: Schedulable) -> bool:
        """Higher levels preempt at once."""
        return woken.level > current.level

    def rank(self, thread: Schedulable) -> int:
        """Return its level."""
        return self.level_of(thread)

    def holds(self, thread: Schedulable) -> bool:
        """Return whether a thread is queued here."""
        return thread in self._queues[thread.level]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Schedulable]:
        bitmap = self._bitmap
        while bitmap:
            level = bitmap.bit_length() - 1
            yield from self._queues[level]
            bitmap ^= 1 << level

    def __reversed__(self) -> Iterator[Schedulable]:
        bitmap = self._bitmap
        while bitmap:
            lowest = bitmap & -bitmap
            yield from reversed(self._queues[lowest.bit_length() - 1])
            bitmap ^= lowest
