"""A run up to a point, in which everything comes in from the journal that came in before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug.history.landing import (
    AtCount,
    AtPosition,
    AtTime,
    Either,
    LastInstruction,
    MissedError,
)
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gdbstub import Stop
    from pykern.debug.history.journal import Change, Journal
    from pykern.debug.history.landing import Landing
    from pykern.debug.history.position import Position
    from pykern.debug.history.reversible import Reversible
    from pykern.debug.landing_run import LandingRun


class Replay:
    """Runs a machine, and lets gdb's changes happen where they did.

    Parameters
    ----------
    views : of the machine, by name
    journal : what comes in

    Attributes
    ----------
    hostcall : that the goal was in the middle of, and is still to be served
    """

    def __init__(self, views: Mapping[str, Reversible], journal: Journal) -> None:
        self._views = views
        self._view = next(iter(views.values()))
        self._journal = journal
        self._goal: Landing | None = None
        self._write: Change | None = None
        self._arrived = False
        self.hostcall: Exit | None = None

    def use(self, view: Reversible) -> None:
        """Run as one of the views wants."""
        if view is not self._view:
            self.aim(None)
            self._view = view

    def aim(self, goal: Landing | None) -> None:
        """Have the run end at a goal; None: nowhere in particular."""
        if self._goal is not None:
            self._goal.close()
        self._goal, self._arrived = goal, False
        self._route()

    def run(self, until_ns: int | None, look: Callable[[], Stop | None]) -> Exit | Stop | None:
        """Run as `Execution.run` does; return None at the goal.

        Raises
        ------
        MissedError : this is not the run that was recorded
        """
        self._change_here()
        while not self._arrived:
            execution = self._execution
            ended = execution.run(until_ns, look)
            if not execution.landed:
                return ended
            self.hostcall = ended if isinstance(ended, Exit) and _is_hostcall(ended) else None
            if self._write is None or self._in_time:
                break
            vcpu = self._write.position.vcpu
            if self._change(self._write) or vcpu is None:
                continue
            if execution.hidden is not None:
                return execution.hidden
            stop = execution.stop_here(vcpu)
            if stop is not None:
                return stop
        self.aim(None)
        return None

    @property
    def _execution(self) -> LandingRun:
        """Return what runs the machine."""
        execution: LandingRun = self._view.execution
        return execution

    def _route(self) -> None:
        """Let the next change that comes before the goal be landed at, or the goal."""
        execution = self._execution
        if execution.landing is not None:
            execution.landing.close()
        self._write = None if self._goal is None else self._journal.next_write()
        execution.landing = self._goal
        if self._write is None or not self._comes_first(self._write.position):
            self._write = None
            return
        there, goal = AtPosition(self._view.machine, self._write.position), self._goal
        execution.landing = Either(there, goal) if isinstance(goal, AtTime) else there

    @property
    def _in_time(self) -> bool:
        """Whether the goal was a time, and has come before the change."""
        landing = self._execution.landing
        return isinstance(landing, Either) and landing.in_time

    def _change_here(self) -> None:
        """Change what gdb has changed where the machine stands, before it goes on."""
        here = self._execution.position(self._journal.cursor)
        if self._write is not None and not here.hostcall and same_place(here, self._write.position):
            self._change(self._write)

    def _comes_first(self, position: Position) -> bool:
        end = self._end
        if isinstance(self._goal, AtCount):
            return position.total < self._goal.total
        return end is None or position.entries < end.entries

    @property
    def _end(self) -> Position | None:
        """Return the position that the goal is; None: it is another kind of goal."""
        return self._goal.position if isinstance(self._goal, AtPosition | LastInstruction) else None

    def _change(self, write: Change) -> bool:
        """Change what gdb has changed; tell whether the goal is the very place."""
        self._journal.cursor += 1
        try:
            write.apply(self._views)
        except (TargetError, ValueError, OverflowError) as error:
            raise MissedError(f"what gdb wrote cannot be written again: {error}") from None
        here, there = write.position, self._end
        if there is not None:
            self._arrived = there.entries == self._journal.cursor and same_place(here, there)
        if self._arrived:
            return True
        following = self._journal.next_write()
        if following is not None and same_place(write.position, following.position):
            return self._change(following)
        self._route()
        return False


def same_place(one: Position, other: Position) -> bool:
    """Tell whether two positions differ only in what has come in at the very place."""
    return replace(one, entries=0, now=0) == replace(other, entries=0, now=0)


def _is_hostcall(exit_: Exit) -> bool:
    return exit_.reason is ExitReason.HOSTCALL
