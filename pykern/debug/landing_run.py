"""A run from hook to hook that can also end at an exact point, and knows where it stands."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.debug.history import landing as landings
from pykern.debug.history.position import Position, retired
from pykern.debug.hooked_run import OUR_STOP, HookedRun
from pykern.debug.registers import linear_pc
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from gdbstub import Stop
    from pykern.debug.agent import Agent
    from pykern.debug.history.landing import Landing
    from pykern_c import Machine, Vcpu

_OUR_STOPS = frozenset((OUR_STOP, landings.STOPPED))
_LANDED = Exit(ExitReason.STOPPED, what=landings.STOPPED)


@dataclass
class Whereabouts:
    """Where a machine stands, as far as the machine itself does not say it; all views share it.

    Attributes
    ----------
    turn : the processor that is in the middle of its turn
    access : (address, whether a write) of the access that was the last thing to happen
    in_hostcall : whether a hostcall is to be served
    """

    turn: int | None = None
    access: tuple[int, bool] | None = None
    in_hostcall: bool = False


class LandingRun(HookedRun):
    """Runs a machine, and lands where it is told to.

    Parameters
    ----------
    machine : the computer
    agent : evaluates conditions of breakpoints
    where : of the machine, if somebody else runs it as well

    Attributes
    ----------
    where : as given
    passes : whether gdb lets one processor step that is about to, as it does at a breakpoint
    landed : whether the last run has ended at that point
    hidden : the stop that there was besides, at an access
    landing : a point to stop at, whatever gdb wants; `run` returns its `landing.STOPPED` there
    """

    def __init__(self, machine: Machine, agent: Agent, where: Whereabouts | None = None) -> None:
        super().__init__(machine, agent)
        self.where = where or Whereabouts()
        self.passes = self.landed = False
        self.landing: Landing | None = None
        self.hidden: Stop | None = None

    @abstractmethod
    def _index(self, stop: Stop) -> int:
        """Return the processor that a stop in the middle of an instruction is about."""

    def _find(self, stop: Stop, access: tuple[int, bool] | None) -> None:
        """Take the first stop that something in the middle of an instruction is."""
        super()._find(stop, access)
        self.where.turn, self.where.access = self._index(stop), access

    def _take_access(self) -> None:
        """Make a stop of what has been done to watched memory, by whichever processor."""
        before = self._found
        super()._take_access()
        if self._found is not before:
            self.where.turn = self._accesses.by

    def _arrived(self, exit_: Exit | None) -> Exit | None:
        """Return what ends the run at a landing."""
        if not self._has_landed(exit_):
            return None
        hostcall = exit_ is not None and exit_.reason is ExitReason.HOSTCALL
        return exit_ if hostcall else _LANDED

    def _has_landed(self, exit_: Exit | None) -> bool:
        """Tell whether to stop here whatever gdb wants, and note whose turn it is."""
        self.landed, where = False, self.where
        if exit_ is not None:
            where.in_hostcall = exit_.reason is ExitReason.HOSTCALL
        if exit_ is not None and self._found is None:
            at_hook = exit_.reason is ExitReason.HOOK
            where.turn, where.access = exit_.vcpu if at_hook else None, None
        if self.landing is None or not self.landing.reached(exit_):
            return False
        self.hidden, self._found, self.landed = self._found, None, True
        if exit_ is not None:
            where.turn, where.access = self.landing.place
        return True

    @property
    def alone(self) -> bool:
        """Whether some processors run while the others stand still."""
        return self._alone is not None

    def stop_here(self, vcpu: int) -> Stop | None:
        """Return the stop that gdb wants before a processor's next instruction."""
        processor = self._machine.vcpus[vcpu]
        return self._at_instruction(processor) or self._hooked(processor)

    def _hooked(self, vcpu: Vcpu) -> Stop | None:
        """Decide before a hooked instruction; on the way to a landing commands are repeated."""
        return self._at_breakpoint(vcpu, silent=self.landing is not None)

    def position(self, entries: int) -> Position:
        """Return where the machine stands, behind so many entries of the journal."""
        where = self.where
        pc = 0 if where.turn is None else linear_pc(self._machine.vcpus[where.turn])
        now, counts = self._machine.now, retired(self._machine)
        return Position(counts, now, entries, where.turn, pc, where.access, where.in_hostcall)

    def between_turns(self) -> None:
        """Note that no processor is in the middle of its turn."""
        self.where.turn = self.where.access = None
        self.where.in_hostcall = False

    def _soon(self, until_ns: int | None) -> int | None:
        """Return how far to go at once: at most to where a landing wants to look."""
        near = None if self.landing is None else self.landing.approach()
        if near is not None:
            until_ns = near if until_ns is None else min(near, until_ns)
        return super()._soon(until_ns)

    def _is_ours(self, exit_: Exit) -> bool:
        return exit_.reason is ExitReason.STOPPED and exit_.what in _OUR_STOPS
