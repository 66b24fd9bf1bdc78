"""What tells two runs of one machine apart, and which points lie on the way to another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.debug.history.journal import Entry
    from pykern.debug.history.position import Position


@dataclass(frozen=True)
class Timeline:
    """What tells two runs of one machine apart.

    Attributes
    ----------
    entries : what had come in
    epoch : how often something had been done by then that is in no journal; 0: never
    """

    entries: Sequence[Entry]
    epoch: int

    def leads(self, start: Position, goal: Position, other: Timeline) -> bool:
        """Tell whether a point of this timeline lies on another one's way to a goal."""
        count = start.entries
        if self.epoch != other.epoch or count > len(other.entries):
            return False
        if list(self.entries[:count]) != list(other.entries[:count]):
            return False
        following = [entry.position for entry in other.entries[count : count + 1]]
        return all(_not_behind(start, later) for later in (*following, goal))


def _not_behind(start: Position, later: Position) -> bool:
    """Tell whether a point comes after another, or is the same."""
    here, there = (start.total, start.now), (later.total, later.now)
    if here != there:
        return here < there
    if start.vcpu is None and later.vcpu is not None:
        return True
    return replace(start, entries=0) == replace(later, entries=0)
