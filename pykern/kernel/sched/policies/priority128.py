"""128 priorities, as Scarlett OS has them: a level each.

0         idle
1 ... 31  low
32 ... 95 normal, 64 by default
96 .. 126 high
127       real-time
"""

from __future__ import annotations

from enum import IntEnum

from pykern.kernel.sched.policies.levels import LevelPolicy
from pykern.kernel.sched.policy import POLICIES

__all__ = ["Band", "Priority128"]


class Band(IntEnum):
    """The first priority of each band, and the default one."""

    IDLE = 0
    LOW = 1
    NORMAL_FIRST = 32
    NORMAL = 64
    HIGH = 96
    REALTIME = 127

    @classmethod
    def of(cls, priority: int) -> Band:
        """Return the band that a priority lies in.

        Raises
        ------
        ValueError : the priority is not 0 to 127
        """
        if not 0 <= priority <= cls.REALTIME:
            raise ValueError(f"priority {priority}, expected 0 to {int(cls.REALTIME)}")
        first = max(band for band in cls if band <= priority and band is not cls.NORMAL)
        return cls.NORMAL if first is cls.NORMAL_FIRST else first


@POLICIES.register("priority128")
class Priority128(LevelPolicy):
    """The highest priority runs; round robin within it."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(128)
