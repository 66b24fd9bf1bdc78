"""Cooperative: a thread runs until it yields, sleeps or ends, as in Myria OS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.sched.policies.round_robin import RoundRobin
from pykern.kernel.sched.policy import POLICIES

if TYPE_CHECKING:
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["Cooperative"]

_FOREVER_NS = 1 << 62


@POLICIES.register("cooperative")
class Cooperative(RoundRobin):
    """First come, first served; no tick takes the CPU away."""

    __slots__ = ()

    def quantum_of(self, _thread: Schedulable) -> int:
        """Return a slice that never ends."""
        return _FOREVER_NS
