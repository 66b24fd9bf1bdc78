"""States that are kept under a name: each is a checkpoint of its own, which is never thinned out.

A saved state outlives the history it was made in. Of what is known of the past when one goes back
to it, that part stays which lies on the way there; the rest belonged to another future.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug.history.channel import Channel
from pykern.debug.history.checkpoints import Checkpoint
from pykern.debug.history.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pykern.debug.history.journal import Entry
    from pykern.debug.history.position import Position

MOST = 32
"""States that may be kept: one message takes the channels of all of them."""


@dataclass(frozen=True)
class Saved:
    """A state with a name.

    Attributes
    ----------
    checkpoint : stands exactly there
    timeline : of the run that has led there
    """

    checkpoint: Checkpoint
    timeline: Timeline

    @property
    def position(self) -> Position:
        """Where it is."""
        return self.checkpoint.position


Packed = tuple[str, "Position", int, int, "Sequence[Entry]", int]
"""Name, position, process, size, entries and epoch of a state; its channel goes beside it."""


class SavedStates:
    """The states that are kept, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Saved] = {}

    def __iter__(self) -> Iterator[tuple[str, Saved]]:
        return iter(self._by_name.items())

    def find(self, name: str) -> Saved:
        """Return one.

        Raises
        ------
        TargetError : there is none of that name
        """
        if name not in self._by_name:
            known = ", ".join(self._by_name) or "none"
            raise TargetError(f"no state {name!r} is kept; there are: {known}")
        return self._by_name[name]

    def check_room(self, name: str) -> None:
        """See that there may be one more.

        Raises
        ------
        TargetError : there are too many
        """
        if len(self._by_name) == MOST and name not in self._by_name:
            raise TargetError(f"{MOST} states are kept already; `monitor delvm NAME` drops one")

    def keep(self, name: str, saved: Saved) -> None:
        """Have another one, in place of the one that had its name."""
        if name in self._by_name:
            self.drop(name)
        self._by_name[name] = saved

    def drop(self, name: str) -> None:
        """Keep one no longer.

        Raises
        ------
        TargetError : there is none of that name
        """
        self.find(name).checkpoint.channel.close()
        del self._by_name[name]

    def clear(self) -> None:
        """Drop all."""
        for name in list(self._by_name):
            self.drop(name)

    # -- for the copy that takes the place of this process

    def pack(self) -> list[Packed]:
        """Return what they are, without their channels."""
        return [
            (name, s.position, s.checkpoint.pid, s.checkpoint.size, s.timeline.entries,
             s.timeline.epoch)
            for name, s in self
        ]  # fmt: skip

    def unpack(self, packed: Sequence[Packed], channels: Iterator[int]) -> None:
        """Have those that another process had; their channels come in the same order."""
        for name, position, pid, size, entries, epoch in packed:
            checkpoint = Checkpoint(position, pid, Channel.of(next(channels)), size)
            self._by_name[name] = Saved(checkpoint, Timeline(entries, epoch))
