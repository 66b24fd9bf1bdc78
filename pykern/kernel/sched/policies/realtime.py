"""Real-time threads above all others: SCHED_FIFO and SCHED_RR by priority, the rest in fair shares.

References
----------
POSIX.1-2017, Scheduling Policies; sched(7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.clock import NS_PER_MS
from pykern.kernel.sched.policies.fair import Fair
from pykern.kernel.sched.policies.levels import LevelPolicy
from pykern.kernel.sched.policy import POLICIES, Reason
from pykern.kernel.sched.schedulable import SchedClass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["RR_SLICE_NS", "RealTime"]

RR_SLICE_NS = 100 * NS_PER_MS
_FOREVER_NS = 1 << 62
_MAX_RT_PRIORITY = 99
_FIFO, _RR = SchedClass.FIFO, SchedClass.RR


class _RealTimeLevels(LevelPolicy):
    """Priorities 1 to 99."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_MAX_RT_PRIORITY + 1)

    def level_of(self, thread: Schedulable) -> int:
        level = thread.rt_priority
        if not 1 <= level <= _MAX_RT_PRIORITY:
            raise ValueError(f"thread {thread.tid}: real-time priority {level}, expected 1 to 99")
        return level

    def quantum_of(self, thread: Schedulable) -> int:
        return RR_SLICE_NS if thread.sched_class is _RR else _FOREVER_NS


def _is_realtime(thread: Schedulable) -> bool:
    return thread.sched_class is _FIFO or thread.sched_class is _RR


@POLICIES.register("realtime")
class RealTime:
    """Two policies, one on top of the other; each thread belongs to one of them."""

    __slots__ = ("_fair", "_realtime")

    def __init__(self) -> None:
        self._realtime = _RealTimeLevels()
        self._fair = Fair()

    def enqueue(self, thread: Schedulable, reason: Reason) -> None:
        """Queue with its kind."""
        self._of(thread).enqueue(thread, reason)

    def dequeue(self, thread: Schedulable) -> None:
        """Let go of a thread."""
        self._of(thread).dequeue(thread)

    def pick_next(self) -> Schedulable | None:
        """Take a real-time thread, or else the one with the least of its share."""
        return self._realtime.pick_next() or self._fair.pick_next()

    def set_next(self, thread: Schedulable) -> None:
        """Take one thread off its queue, because it runs."""
        self._of(thread).set_next(thread)

    def charge(self, thread: Schedulable, ran_ns: int) -> None:
        """Account with its kind."""
        self._of(thread).charge(thread, ran_ns)

    def tick(self, current: Schedulable) -> bool:
        """Ask its kind; a real-time thread that waits goes before any other."""
        if _is_realtime(current):
            return self._realtime.tick(current)
        return len(self._realtime) > 0 or self._fair.tick(current)

    def preempts(self, woken: Schedulable, current: Schedulable) -> bool:
        """Compare kinds, then within the kind."""
        if _is_realtime(woken) != _is_realtime(current):
            return _is_realtime(woken)
        return self._of(woken).preempts(woken, current)

    def rank(self, thread: Schedulable) -> int:
        """Return its real-time priority; all others have none."""
        return self._realtime.rank(thread) if _is_realtime(thread) else 0

    def __len__(self) -> int:
        return len(self._realtime) + len(self._fair)

    def __iter__(self) -> Iterator[Schedulable]:
        yield from self._realtime
        yield from self._fair

    def __reversed__(self) -> Iterator[Schedulable]:
        yield from reversed(self._fair)
        yield from reversed(self._realtime)

    def _of(self, thread: Schedulable) -> LevelPolicy | Fair:
        return self._realtime if _is_realtime(thread) else self._fair
