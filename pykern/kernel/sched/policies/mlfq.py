"""Multilevel feedback queues, with the five priorities of the memory and process kernel.

A thread starts at the level of its priority. Whoever uses up a slice sinks by one level, whoever
slept rises by one, never above its own; once a second all rise to their own again, so that nobody
starves. Idle and Realtime stay where they are. Higher levels have longer slices.

References
----------
R. and A. Arpaci-Dusseau, Operating Systems: Three Easy Pieces, Scheduling: The Multi-Level
Feedback Queue.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from pykern.kernel.core.clock import NS_PER_S
from pykern.kernel.sched.policies.levels import HALF_TICK_NS, SLICE_NS, LevelPolicy
from pykern.kernel.sched.policy import POLICIES, Reason

if TYPE_CHECKING:
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["SLICES_NS", "Feedback", "MultilevelFeedback"]

BOOST_NS = NS_PER_S
_AFRESH = (Reason.NEW, Reason.CHANGED)


class Feedback(IntEnum):
    """The priorities; each is a level."""

    IDLE = 0
    LOW = 1
    NORMAL = 2
    HIGH = 3
    REALTIME = 4


SLICES_NS = tuple((level + 1) * SLICE_NS for level in Feedback)
"""Slice by level, in ns."""


@POLICIES.register("mlfq")
class MultilevelFeedback(LevelPolicy):
    """Five levels with feedback."""

    __slots__ = ("_since_boost_ns", "_sunk")

    def __init__(self) -> None:
        super().__init__(len(Feedback))
        self._since_boost_ns = 0
        # Those queued below their own level; few, however many there are.
        self._sunk: dict[Schedulable, None] = {}

    def enqueue(self, thread: Schedulable, reason: Reason) -> None:
        """Queue at the level that the thread's own doing has brought it to."""
        base = super().level_of(thread)
        if reason in _AFRESH or base == Feedback.IDLE or base == Feedback.REALTIME:
            thread.level = base
        elif reason is Reason.WAKEUP:
            thread.level = min(thread.level + 1, base)
        elif reason is Reason.PREEMPTED and thread.slice_ns < HALF_TICK_NS:
            thread.level = max(thread.level - 1, Feedback.LOW)
        if thread.level < base:
            self._sunk[thread] = None
        super().enqueue(thread, reason)

    def dequeue(self, thread: Schedulable) -> None:
        """Let go of a thread."""
        self._sunk.pop(thread, None)
        super().dequeue(thread)

    def level_of(self, thread: Schedulable) -> int:
        """Return where the thread is now."""
        return thread.level

    def quantum_of(self, thread: Schedulable) -> int:
        """Return the slice of the thread's level."""
        return SLICES_NS[thread.level]

    def charge(self, thread: Schedulable, ran_ns: int) -> None:
        """Take the time off the slice, and once a second raise all."""
        super().charge(thread, ran_ns)
        self._since_boost_ns += ran_ns
        if self._since_boost_ns >= BOOST_NS:
            self._since_boost_ns = 0
            self._boost()

    def tick(self, current: Schedulable) -> bool:
        """Make room when the slice is over, for lower levels too: the thread is to sink."""
        sinks = current.slice_ns < HALF_TICK_NS and len(self) > 0
        return sinks or super().tick(current)

    def _boost(self) -> None:
        sunk, self._sunk = self._sunk, {}
        for thread in sunk:
            if self.holds(thread):
                self.dequeue(thread)
                self.enqueue(thread, Reason.CHANGED)
            else:  # it runs
                thread.level = super().level_of(thread)
                thread.slice_ns = self.quantum_of(thread)
