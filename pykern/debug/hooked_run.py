"""Running a machine from hook to hook: what all who debug it have in common, whatever they call it.

Nothing in the guest is changed for it. A hook of the core ends a run before an instruction, and the
next run begins with it; so a run passes the same states at the same virtual times whether it is
stopped a thousand times or not at all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop
from pykern.debug.points import Points
from pykern.debug.registers import linear_pc
from pykern.debug.tracing import Tracing
from pykern.debug.watching import Accesses
from pykern.machine.shutdown import explain_shutdown
from pykern_c.exits import ExitReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gdbstub import ThreadId
    from pykern.debug.agent import Agent
    from pykern.debug.points import Point
    from pykern.debug.some_processors import SomeProcessors
    from pykern_c import Machine, Vcpu
    from pykern_c.exits import Exit

_LAST_VECTOR = 255
_PATIENCE = 2048
"""Hooks that nobody wants between two looks at the debugger."""
_WATCHED_NS = 250_000
"""Virtual time between two looks while memory is watched, or conditions are evaluated."""
_STEPPING_NS = 50_000
"""The same while a processor steps that may have halted for ever."""
_SIGABRT = 6
OUR_STOP = "debugger"


class HookedRun(ABC):
    """Runs a machine; subclasses say whose the breakpoints are, and what steps.

    Parameters
    ----------
    machine : the computer
    agent : evaluates conditions of breakpoints, and knows the address spaces

    Attributes
    ----------
    agent : as given
    tracing : the tracepoints
    """

    def __init__(self, machine: Machine, agent: Agent) -> None:
        self._machine = machine
        self.agent = agent
        self._accesses = Accesses(machine, agent.spaces, self._thread, self._stop_soon)
        self._points = Points(machine, agent, self._watcher)
        self.tracing = Tracing(machine, agent, self, self._look_closely)
        self._interrupt_hook = 0
        self._looked_at: frozenset[int] = frozenset()
        self._stopped: dict[int, tuple[int, int]] = {}
        self._alone: SomeProcessors | None = None
        self._found: Stop | None = None

    # -- what subclasses decide

    @abstractmethod
    def _meant(self, vcpu: Vcpu, pc: int) -> list[Point]:
        """Return the points at an address that count for what a processor executes now."""

    @abstractmethod
    def _thread(self, vcpu: Vcpu, owner: int) -> ThreadId | None:
        """Return who has touched what an owner watches, by a processor; None: nobody it means."""

    @abstractmethod
    def who(self, vcpu: Vcpu) -> ThreadId:
        """Return who executes a processor's next instruction."""

    def repeats(self, vcpu: Vcpu) -> bool:
        """Tell whether the next instruction has been hit, and has not been executed since."""
        del vcpu
        return False

    @abstractmethod
    def _stop_for(self, vcpu: Vcpu, points: Iterable[Point]) -> Stop:
        """Return the stop at the next instruction, which these are at."""

    @abstractmethod
    def _at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before any instruction of a processor that is looked at closely."""

    @abstractmethod
    def _interrupted(self, vcpu: Vcpu, *, external: bool) -> None:
        """Take note of an interrupt or exception while something steps."""

    @abstractmethod
    def _processor(self, index: int) -> ThreadId:
        """Return what gdb calls a processor."""

    def _hooked(self, vcpu: Vcpu) -> Stop | None:
        """Decide before an instruction at which there is a hook."""
        return self._at_breakpoint(vcpu)

    def _arrived(self, exit_: Exit | None) -> Exit | None:
        """Return what ends the run whatever gdb wants, after a part of it; None: before."""
        del exit_
        return None

    def _find(self, stop: Stop, access: tuple[int, bool] | None) -> None:
        """Take the first stop that something in the middle of an instruction is."""
        del access
        self._found = stop

    # -- hooks

    def _place(self, points: Iterable[Point]) -> None:
        """Have the hooks that these need; gdb takes all out and in at every stop.

        Raises
        ------
        TargetError : the core has not so many
        """
        points = tuple(points)
        self._points.place(points)
        self._accesses.watch(points)

    def _forget_stops(self) -> None:
        """Have it forgotten where stops were, of processors that are there no longer."""
        self._stopped = {i: at for i, at in self._stopped.items() if at == self._moment(i)}

    def _look_at(self, indexes: Iterable[int], *, stepping: bool) -> None:
        """Look at every instruction of these processors, and no longer at those of others.

        Parameters
        ----------
        stepping : something steps, and interrupts come between
        """
        self._looked_at = frozenset(indexes)
        self._look_closely()
        if stepping == bool(self._interrupt_hook):
            return
        if stepping:
            self._interrupt_hook = self._machine.add_hook(
                self._interrupt, kinds="int", first=0, last=_LAST_VECTOR
            )
            return
        self._machine.remove_hook(self._interrupt_hook)
        self._interrupt_hook = 0

    def _look_closely(self) -> None:
        """Have the processors looked at that are wanted, and those that a walk may be on."""
        walkers = self.tracing.walkers
        processors = (
            {self._processor(vcpu.index) for vcpu in self._machine.vcpus} if walkers else set()
        )
        anywhere = not walkers.keys() <= processors
        for vcpu in self._machine.vcpus:
            walks = anywhere or self._processor(vcpu.index) in walkers
            wanted = walks or vcpu.index in self._looked_at
            if vcpu.single_steps != wanted:
                vcpu.single_steps = wanted

    def _interrupt(self, vcpu: Vcpu, _vector: int, _error: int, external: bool) -> None:
        self._interrupted(vcpu, external=external)

    def _watcher(self, wanted: Point) -> Callable[[Vcpu, int, int, bool], None]:
        """Return what is called in the middle of an instruction that accesses watched memory."""

        def accessed(vcpu: Vcpu, laddr: int, size: int, write: bool) -> None:
            if self._listens_to(vcpu):
                self._accesses.note(vcpu, wanted, (laddr, size), write)

        return accessed

    def _listens_to(self, vcpu: Vcpu) -> bool:
        """Tell whether what a processor does is of interest."""
        return self._alone is None or vcpu in self._alone

    def stop_after(self, stop: Stop) -> None:
        """Stop when the present instruction is done."""
        if self._found is None:
            self._find(stop, None)
        self._stop_soon()

    def _stop_soon(self) -> None:
        self._machine.stop(OUR_STOP)

    def _take_access(self) -> None:
        """Make a stop of what has been done to watched memory, unless there is one already."""
        stop = self._accesses.stop() if self._found is None else None
        if stop is not None:
            self._find(stop, self._accesses.last)

    # -- the run

    def run(self, until_ns: int | None, look: Callable[[], Stop | None]) -> Exit | Stop:
        """Run until virtual time `until_ns`, a stop, or what only the owner can deal with.

        Parameters
        ----------
        look : called now and then where many hooks make the run slow; what it returns ends it
        """
        hooks = 0
        ended: Exit | Stop | None = self._arrived(None)
        while ended is None:
            exit_ = self._advance(until_ns)
            self._take_access()
            ended = self._arrived(exit_)
            if ended is not None:
                break
            ended, self._found = self._found, None
            if exit_.reason is ExitReason.HOOK:
                hooks += 1
                ended = self._at_hook(exit_)
                if ended is None and hooks % _PATIENCE == 0:
                    ended = look()
            elif exit_.reason is ExitReason.BUDGET and not self._reached(until_ns):
                ended = look()
            elif not self._is_ours(exit_):
                self._accesses.server = self._machine.vcpus[exit_.vcpu]
                return exit_
        return ended

    def _advance(self, until_ns: int | None) -> Exit:
        if self._alone is None:
            return self._machine.run(self._soon(until_ns))
        return self._alone.turn(until_ns)

    def _soon(self, until_ns: int | None) -> int | None:
        """Return the time to look at the debugger: a machine may be slow, or a step never end."""
        if not self._looked_at and not self._points.slow:
            return until_ns
        soon = self._machine.now + (_STEPPING_NS if self._interrupt_hook else _WATCHED_NS)
        return soon if until_ns is None else min(soon, until_ns)

    def _reached(self, until_ns: int | None) -> bool:
        """Tell whether the owner wants to have the machine back."""
        if self._alone is not None:
            return True
        return until_ns is not None and self._machine.now >= until_ns

    def _is_ours(self, exit_: Exit) -> bool:
        """Tell whether the machine was only stopped for what has been found meanwhile."""
        return exit_.reason is ExitReason.STOPPED and exit_.what == OUR_STOP

    # -- before an instruction

    def _at_hook(self, exit_: Exit) -> Stop | None:
        """Decide before an instruction whether to stop."""
        vcpu = self._machine.vcpus[exit_.vcpu]
        if not exit_.code and self.tracing.walkers:
            self.tracing.note(vcpu)
        stop = self._hooked(vcpu) if exit_.code else self._at_instruction(vcpu)
        if stop is not None:
            self._stopped[vcpu.index] = self._moment(vcpu.index)
        return stop

    def _moment(self, index: int) -> tuple[int, int]:
        """Return what tells this execution of an instruction from all others."""
        vcpu = self._machine.vcpus[index]
        return vcpu.retired, linear_pc(vcpu)

    def _here(self, vcpu: Vcpu) -> list[Point]:
        """Return the breakpoints of the next instruction that are meant, and whose stop is due."""
        pc = linear_pc(vcpu)
        here = [p for p in self._meant(vcpu, pc) if p.breakpoint.kind <= BreakpointKind.HARDWARE]
        if not here or not self._listens_to(vcpu) or self.repeats(vcpu):
            return []
        if self._stopped.get(vcpu.index) == (vcpu.retired, pc):
            here = [point for point in here if point.breakpoint.commands]  # it has been reported
        return [point for point in here if self.agent.holds(point.breakpoint, vcpu)]

    def _breaks(self, vcpu: Vcpu) -> bool:
        """Tell whether a breakpoint stops at the next instruction, when its own hook comes."""
        return any(not point.breakpoint.commands for point in self._here(vcpu))

    def _at_breakpoint(self, vcpu: Vcpu, *, silent: bool = False) -> Stop | None:
        """Decide before a hooked instruction whether to stop; execute commands.

        Parameters
        ----------
        silent : commands have been executed in this place before
        """
        here = self._here(vcpu)
        for point in () if silent else here:
            self.agent.execute(point.breakpoint, vcpu)
        stopping = [point for point in here if not point.breakpoint.commands]
        return self._stop_for(vcpu, stopping) if stopping else None

    def shutdown_stop(self, exit_: Exit) -> Stop:
        """Return the stop for a triple fault, with its explanation."""
        lines = explain_shutdown(self._machine.vcpus[exit_.vcpu], exit_)
        text = "".join(f"{line}\n" for line in lines)
        return Stop(self._processor(exit_.vcpu), _SIGABRT, text=text)


def place_of(vcpu: Vcpu) -> tuple[int, int]:
    """Return where an interrupt that comes now returns to: RIP and RSP."""
    return vcpu.read_register("rip"), vcpu.read_register("rsp")
