"""Round robin: everybody in turn, whatever the priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.sched.policies.levels import LevelPolicy
from pykern.kernel.sched.policy import POLICIES

if TYPE_CHECKING:
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["RoundRobin"]


@POLICIES.register("rr")
class RoundRobin(LevelPolicy):
    """One level."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(1)

    def level_of(self, _thread: Schedulable) -> int:
        """Return the only level."""
        return 0
