"""Three priorities, High, Normal and Low, as MelloOS has them.

MelloOS names three levels and logs tasks with priorities 10, 8, 5 and 3. Both hold: the numbers
fall into three bands.

    0 ... 3   Low
    4 ... 7   Normal
    8 ...     High
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from pykern.kernel.sched.policies.levels import LevelPolicy
from pykern.kernel.sched.policy import POLICIES

if TYPE_CHECKING:
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["Priority3", "TaskPriority"]

_LOW, _NORMAL, _HIGH = range(3)


class TaskPriority(IntEnum):
    """A priority by name, as a number in its band."""

    LOW = 3
    NORMAL = 5
    HIGH = 10


@POLICIES.register("priority3")
class Priority3(LevelPolicy):
    """The highest band that has a runnable thread runs; round robin within it."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(3)

    def level_of(self, thread: Schedulable) -> int:
        """Return the band of a thread's priority."""
        priority = thread.priority
        if priority >= 8:
            return _HIGH
        return _NORMAL if priority >= 4 else _LOW
