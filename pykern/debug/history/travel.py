"""Going back: which copies are sent where, by the one that lives."""

from __future__ import annotations

import os
import select
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from gdbstub import BreakpointKind, Stop, StopKind, ThreadId
from gdbstub.target import SIGINT
from pykern.debug.history.channel import Channel, ChannelClosed
from pykern.debug.history.checkpoints import Checkpoint
from pykern.debug.history.errands import (
    Arrived,
    Divide,
    Divided,
    Failed,
    Found,
    Goal,
    Search,
    Travel,
    Whose,
)
from pykern.debug.history.journal import Input
from pykern.debug.history.replay import same_place
from pykern.debug.history.timeline import Timeline
from pykern.debug.points import Point

if TYPE_CHECKING:
    from gdbstub import Breakpoint
    from pykern.debug.history.history import History
    from pykern.debug.history.journal import Change
    from pykern.debug.history.position import Position
    from pykern.debug.history.recording import Recording
    from pykern.debug.history.saved import Saved

_SHORT_NS = 20_000
"""An interval that is searched as a whole, instruction by instruction."""
_MOST_WATCHED = 200_000
"""Instructions that are searched as a whole for accesses: each may be one."""
_CLOSEST_NS, _FACTOR = 7_000, 8
"""Where checkpoints are put before a point: this long before it, and so many times as long."""
_ACCESSES = frozenset((StopKind.WATCH, StopKind.RWATCH, StopKind.AWATCH))
NOBODY = ThreadId(0, 0)
"""Stands for the thread that is found where a state was saved."""
NO_SIGNAL = 0
"""gdb stops at that whatever it was about, even in the middle of a step past a breakpoint."""


class _GivenUp(Exception):  # noqa: N818 - somebody wanted it
    """Nobody wants to go back any more."""


class _Failed(Exception):  # noqa: N818
    """A copy could not do what it was sent for."""


def _is_left(start: Checkpoint, goal: Goal) -> bool:
    """Tell whether there is any way to go from a checkpoint."""
    return goal.position is None or start.position.before(goal.position)


def _nothing_between(start: Position, end: Position, vcpu: int | None) -> bool:
    """Tell whether nothing was executed between two points, by one processor or by all."""
    if vcpu is None:
        return start.total == end.total
    return start.retired[vcpu] == end.retired[vcpu]


def _watches(wanted: Breakpoint | Point) -> bool:
    one = wanted.breakpoint if isinstance(wanted, Point) else wanted
    return one.kind > BreakpointKind.HARDWARE


class Journey:
    """One way back.

    Parameters
    ----------
    history : of the process that lives
    thread : that gdb looks at
    """

    def __init__(self, history: History, thread: ThreadId) -> None:
        self._history = history
        self._checkpoints = history.checkpoints
        self._thread = thread
        assert history.here is not None
        self._here: Position = history.here

    def back(self, thread: ThreadId, whose: Whose | None) -> Stop:
        """Go to the previous instruction, or the last stop; return only if that fails.

        Parameters
        ----------
        whose : the instruction that is meant, of a thread; None: a stop is
        """
        return self._try(lambda: self._go_on() if whose is None else self._step(whose, thread))

    def to(self, goal: Goal) -> Stop:
        """Go to a goal; return only if that fails."""
        return self._try(lambda: self._leave_for(goal))

    def load(self, saved: Saved, name: str) -> Stop:
        """Go on from a state that was kept; return only if that fails."""
        errand = Travel(list(saved.timeline.entries), self._history.outputs.shown())
        return self._try(
            lambda: self._replace(saved.checkpoint, errand, saved.position, saved.timeline, name)
        )

    def load_recording(self, recording: Recording, name: str) -> Stop:
        """Go on from what a file says; return only if that fails."""
        return self._try(lambda: self._repeat(recording, name))

    def _try(self, way: Any) -> Stop:
        try:
            way()
        except _GivenUp:
            return Stop(self._thread, SIGINT)
        except (_Failed, ChannelClosed, OSError) as error:
            return Stop(self._thread, SIGINT, text=f"going back has failed: {error}\n")
        return Stop(self._thread, kind=StopKind.REPLAY_BEGIN)

    # -- what is looked for

    def _step(self, whose: Whose, thread: ThreadId) -> None:
        found = self._last_instruction(self._here, whose)
        if found is None:
            self._to_beginning()
            return
        self._travel(Goal(found), Stop(thread))

    def _go_on(self) -> None:
        found = self._last_stop()
        if found.position is None or found.stop is None:
            self._to_beginning()
            return
        position: Position | None = found.position
        if found.stop.kind in _ACCESSES:
            # gdb wants to see the memory as it was before the access, or before the hosted kernel
            # was called that has written.
            assert found.position.vcpu is not None
            whose = Whose(vcpu=found.position.vcpu)
            position = self._last_instruction(found.position, whose)
        if position is None:
            self._to_beginning()
            return
        self._travel(Goal(position), found.stop)

    def _last_instruction(self, end: Position, whose: Whose) -> Position | None:
        """Return where somebody was last about to execute an instruction before a point."""
        upper = end
        while start := self._start(upper):
            change = self._last_change(start, upper)
            if change is not None:
                if not same_place(change.position, upper):
                    behind = replace(change.position, entries=change.position.entries + 1)
                    self._put(start, [Goal(behind)])
                else:
                    upper = change.position
            elif _nothing_between(start.position, upper, whose.vcpu):
                upper = start.position
            elif self._is_long(start, upper):
                upper = self._divide(start, upper)
            else:
                found = self._search(start, upper, whose=whose)
                if found.position is not None:
                    return found.position
                upper = start.position
        return None

    def _last_change(self, start: Checkpoint, end: Position) -> Change | None:
        """Return what gdb has changed last between a checkpoint and a point, if anything.

        A search for instructions cannot stand still on its way to change something.
        """
        entries = self._history.journal.entries[start.position.entries : end.entries]
        changes = (entry for entry in reversed(entries) if not isinstance(entry, Input))
        return next(changes, None)

    def _last_stop(self) -> Found:
        """Return where a run would have stopped last."""
        active = self._history.active
        breakpoints = active.sought()
        watches = any(_watches(one) for one in active.execution.breakpoints)
        upper = self._here
        while breakpoints and (start := self._start(upper)):
            many = watches and upper.total - start.position.total > _MOST_WATCHED
            if self._is_long(start, upper) and (many or upper is self._here):
                upper = self._divide(start, upper)
                continue
            found = self._search(start, upper, breakpoints=breakpoints)
            if found.position is not None:
                return found
            upper = start.position
        return Found()

    # -- intervals

    def _start(self, upper: Position) -> Checkpoint | None:
        """Return the last checkpoint before a point."""
        return next(iter(self._checkpoints.before(upper)), None)

    def _is_long(self, start: Checkpoint, upper: Position) -> bool:
        return upper.now - start.position.now > _SHORT_NS

    def _divide(self, start: Checkpoint, upper: Position) -> Position:
        """Have checkpoints in an interval, closer to each other towards its end; return its end."""
        goals, distance = [], _CLOSEST_NS
        while upper.now - distance > start.position.now:
            goals.append(Goal(time=upper.now - distance))
            distance *= _FACTOR
        self._put(start, goals[::-1])
        return upper

    def _put(self, start: Checkpoint, goals: list[Goal]) -> None:
        """Have checkpoints at some points behind another one."""
        channel = start.wake(Divide(*self._recording(), goals))
        while True:
            answer, files = self._answer(channel)
            if not isinstance(answer, Divided):
                return
            new = Checkpoint(answer.position, answer.pid, Channel.of(files[0]))
            self._checkpoints.add(new)

    def _search(self, start: Checkpoint, end: Position, **what: Any) -> Found:
        view = self._history.active.view
        channel = start.wake(Search(*self._recording(), end, view, **what))
        answer, _ = self._answer(channel)
        channel.close()
        assert isinstance(answer, Found)
        return answer

    def _recording(self) -> tuple[Any, Any]:
        return self._history.journal.entries, self._history.outputs.shown()

    # -- the way

    def _forget_others(self, goal: Position, timeline: Timeline) -> None:
        """Forget whatever does not lie on the way to a point of another timeline."""
        history = self._history
        mine = history.journal.timeline
        for checkpoint in list(self._checkpoints):
            if not mine.leads(checkpoint.position, goal, timeline):
                self._checkpoints.discard(checkpoint)
        marks = history.bookmarks.items()
        history.bookmarks = {n: p for n, p in marks if mine.leads(p, goal, timeline)}

    def _repeat(self, recording: Recording, name: str) -> None:
        history, timeline = self._history, Timeline(recording.entries, 0)
        goal, known = recording.position, history.journal.timeline
        starts = [c for c in history.checkpoints if known.leads(c.position, goal, timeline)]
        kept = [saved for _, saved in history.saved]
        starts += [s.checkpoint for s in kept if s.timeline.leads(s.position, goal, timeline)]
        if not starts:
            raise _Failed(
                "no checkpoint of this session lies on the way there; boot --load begins anew"
            )
        start = max(starts, key=lambda c: c.position.order)
        errand = Travel(
            list(recording.entries), history.outputs.shown(), Goal(goal), recording.state
        )
        self._replace(start, errand, goal, timeline, name)

    def _replace(
        self, start: Checkpoint, errand: Travel, goal: Position, timeline: Timeline, name: str
    ) -> NoReturn:
        """Go to where another run was, and have no future that is known."""
        channel = start.wake(errand)
        answer, _ = self._answer(channel)
        assert isinstance(answer, Arrived)
        self._forget_others(goal, timeline)
        text = f"{name}: {goal.now} ns, {goal.total} instructions\n"
        self._leave(channel, Stop(NOBODY, NO_SIGNAL, text=text), None)

    def _to_beginning(self) -> None:
        """Go to where history begins, unless the machine stands there."""
        first = self._checkpoints.first
        if first is not None and first.position.before(self._here):
            stop = Stop(self._thread, kind=StopKind.REPLAY_BEGIN)
            self._go(first, Travel(*self._recording()), stop)

    def _leave_for(self, goal: Goal) -> None:
        if self._nearest(goal) is None:
            self._to_beginning()
        else:
            self._travel(goal, Stop(self._thread))

    def _travel(self, goal: Goal, stop: Stop) -> None:
        start = self._nearest(goal)
        if start is None:
            raise _Failed("there is no checkpoint before that point")
        self._go(start, Travel(*self._recording(), goal), stop)

    def _nearest(self, goal: Goal) -> Checkpoint | None:
        """Return the last checkpoint before a goal."""
        checkpoints = reversed(list(self._checkpoints))
        return next(
            (c for c in checkpoints if not goal.behind(c.position) and _is_left(c, goal)), None
        )

    def _go(self, start: Checkpoint, errand: Travel, stop: Stop) -> NoReturn:
        """Let a copy take the place of this process."""
        channel = start.wake(errand)
        answer, _ = self._answer(channel)
        assert isinstance(answer, Arrived)
        self._leave(channel, stop, self._history.journal.end or self._here)

    def _leave(self, channel: Channel, stop: Stop, end: Position | None) -> NoReturn:
        """Hand everything over to the copy that is where gdb wants to be."""
        channel.send(*self._history.life(stop, end))
        channel.receive()
        os._exit(0)

    def _answer(self, channel: Channel) -> tuple[Any, list[int]]:
        """Wait for a copy's answer; gdb may lose interest meanwhile.

        Raises
        ------
        _GivenUp : it has
        _Failed : the copy has not found what it was sent for
        """
        listener = self._history.listener
        while True:
            readable, _, _ = select.select([channel, listener], [], [])
            if channel in readable:
                answer, files = channel.receive()
                if isinstance(answer, Failed):
                    raise _Failed(answer.why)
                return answer, files
            listener.poll()
            if self._history.active.interrupted or not listener.connected:
                self._history.active.interrupted = False
                channel.close()
                raise _GivenUp
