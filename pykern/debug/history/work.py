"""A copy of the emulator at work on its errand."""

from __future__ import annotations

import os
import select
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn

from gdbstub import Action, Stop
from pykern.debug.history.channel import Channel, ChannelClosed
from pykern.debug.history.errands import (
    NOWHERE,
    Arrived,
    Divide,
    Divided,
    Done,
    Failed,
    Found,
    Goal,
    Life,
    Search,
    Travel,
)
from pykern.debug.history.landing import (
    AtCount,
    AtPosition,
    AtTime,
    Landing,
    LastInstruction,
    MissedError,
)
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from pykern.debug.history.history import History
    from pykern.debug.history.position import Position
    from pykern_c import Machine, Vcpu

_LOOK_NS = 20_000_000
"""Virtual time between two looks whether anybody still wants the answer."""
_HARMLESS = frozenset((ExitReason.HOSTCALL, ExitReason.BUDGET, ExitReason.HLT))


class Work(ABC):
    """What every errand has: a run, and somebody who waits for the answer.

    Parameters
    ----------
    history : of this copy
    channel : to who has sent it

    Attributes
    ----------
    records : whether checkpoints are made on the way
    """

    records = False

    def __init__(self, history: History, channel: Channel) -> None:
        self._history = history
        self._machine = history.target.machine
        self._channel = channel

    def run(self, until_ns: int | None) -> Exit | Stop | None:
        """Go on: an exit is for the session, a stop is where this copy begins to live.

        Returns None if the work has changed: this is another copy now.
        """
        try:
            while True:
                ended = self._history.replay.run(self._soon(until_ns), self._look)
                if ended is None:
                    return self._arrived()
                if isinstance(ended, Stop):
                    self._stopped(ended)
                elif not _is_early(ended, until_ns, self._machine.now):
                    return self._checked(ended)
        except MissedError as error:
            self._answer(Failed(str(error)))
        except ChannelClosed:
            os._exit(0)

    def _soon(self, until_ns: int | None) -> int:
        soon = self._machine.now + _LOOK_NS
        return soon if until_ns is None else min(soon, until_ns)

    def _look(self) -> None:
        """End when nobody waits any more."""
        if select.select([self._channel], [], [], 0)[0]:
            os._exit(0)

    def _checked(self, ended: Exit) -> Exit:
        """Return an exit that does not end the machine's life."""
        if ended.reason in _HARMLESS or ended.what == "reset":
            return ended
        self._answer(Failed(f"the run has ended before the point was reached: {ended}"))

    def _position(self) -> Position:
        return self._history.position()

    def _answer(self, message: Any) -> NoReturn:
        try:
            self._channel.send(message)
        finally:
            os._exit(0)

    @abstractmethod
    def _arrived(self) -> Stop | None: ...

    def _stopped(self, stop: Stop) -> None:
        self._answer(Failed(f"a stop that nobody has asked for came on the way: {stop}"))


def _is_early(ended: Exit, until_ns: int | None, now: int) -> bool:
    """Tell whether a run has ended before its owner wants it back."""
    return ended.reason is ExitReason.BUDGET and (until_ns is None or now < until_ns)


class _Travelling(Work):
    def __init__(self, history: History, channel: Channel, errand: Travel) -> None:
        super().__init__(history, channel)
        self._stays = errand.goal == NOWHERE
        self._state = errand.state
        if not self._stays:
            history.replay.aim(landing_at(self._machine, errand.goal))

    def run(self, until_ns: int | None) -> Exit | Stop | None:
        """Go there, unless it is here."""
        if not self._stays:
            return super().run(until_ns)
        try:
            return self._arrived()
        except ChannelClosed:
            os._exit(0)

    def _arrived(self) -> Stop:
        if self._state and (found := self._history.origin.state_hash()) != self._state:
            self._answer(Failed(f"the state there has the hash {found}, expected {self._state}"))
        self._channel.send(Arrived(self._position()))
        life, files = self._channel.receive()
        assert isinstance(life, Life)
        self._history.live(life, files)
        self._channel.send(Done())
        self._channel.close()
        return self._history.active.fit(life.stop)


def landing_at(machine: Machine, goal: Goal) -> Landing:
    """Return what makes a run stop at a goal."""
    if goal.position is not None:
        return AtPosition(machine, goal.position)
    if goal.time is not None:
        return AtTime(machine, goal.time)
    assert goal.count is not None
    return AtCount(machine, goal.count)


class _Searching(Work):
    """Finds the last stop at a breakpoint."""

    def __init__(self, history: History, channel: Channel, errand: Search) -> None:
        super().__init__(history, channel)
        self._found = Found()
        view: Any = history.views[errand.view]
        history.replay.use(view)
        execution = view.execution
        view.seek(errand.breakpoints)
        self._view = view
        execution.prepare({t.id: Action() for t in view.threads()})
        here = self._position()
        stop = None if here.vcpu is None else execution.stop_here(here.vcpu)
        if stop is not None:
            self._stopped(stop)
        history.replay.aim(AtPosition(self._machine, errand.end))

    def run(self, until_ns: int | None) -> Exit | Stop | None:
        """Go on, to the breakpoints of whatever there is by now."""
        self._view.renew()
        return super().run(until_ns)

    def _stopped(self, stop: Stop) -> None:
        self._found = Found(self._position(), stop)

    def _arrived(self) -> NoReturn:
        self._answer(self._found)


class _SearchingInstruction(Work):
    """Finds the last instruction of a processor."""

    def __init__(self, history: History, channel: Channel, errand: Search) -> None:
        super().__init__(history, channel)
        view, whose = history.views[errand.view], errand.whose
        assert whose is not None

        def wanted(vcpu: Vcpu) -> bool:
            return vcpu.index == whose.vcpu if whose.thread is None else view.executes(vcpu, whose)

        self._landing = LastInstruction(self._machine, errand.end, wanted, history.journal)
        history.replay.aim(self._landing)

    def _arrived(self) -> NoReturn:
        self._answer(Found(self._landing.last))


class _Dividing(Work):
    """Makes checkpoints on its way."""

    def __init__(self, history: History, channel: Channel, errand: Divide) -> None:
        super().__init__(history, channel)
        self._goals = list(errand.goals)
        self._next()

    def _next(self) -> None:
        if not self._goals:
            self._answer(Done())
        self._history.replay.aim(landing_at(self._machine, self._goals.pop(0)))

    def _arrived(self) -> None:
        position = self._position()
        made = self._history.make_checkpoint()
        if made is None:
            return
        pid, channel = made
        self._channel.send(Divided(position, pid), (channel.fileno(),))
        channel.close()
        self._next()


def begin(history: History, errand: Any, channel: Channel) -> Work:
    """Return the work that an errand is."""
    if isinstance(errand, Travel):
        return _Travelling(history, channel, errand)
    if isinstance(errand, Divide):
        return _Dividing(history, channel, errand)
    if errand.whose is None:
        return _Searching(history, channel, errand)
    return _SearchingInstruction(history, channel, errand)
