"""How a machine runs while somebody debugs it: to breakpoints, accesses, and the next instruction.

A single step is the run that there would be anyway (`HookedRun`), up to the processor's next
instruction; other processors take their turns meanwhile. Only where gdb locks the scheduler do some
processors run without the others.

An interrupt that arrives during a step is served first: the step ends where the program goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop, StopKind, ThreadId
from gdbstub.x86 import X86_64
from pykern.debug.agent import Agent
from pykern.debug.branches import BranchTrace
from pykern.debug.hooked_run import place_of
from pykern.debug.landing_run import LandingRun
from pykern.debug.points import Point
from pykern.debug.registers import linear_pc
from pykern.debug.some_processors import SomeProcessors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gdbstub import Action, Breakpoint, Resume
    from pykern_c import Machine, Vcpu

NO_INTERRUPTS_IN_STEPS = 7
"""What QEMU does unless told otherwise: single steps (1), interrupts (2) and timers (4) masked."""
_STOP_KINDS = {
    BreakpointKind.SOFTWARE: StopKind.SWBREAK,
    BreakpointKind.HARDWARE: StopKind.HWBREAK,
}


@dataclass
class _Step:
    """A processor that is to stop at an instruction soon.

    Attributes
    ----------
    retired : instructions it had retired when the step began
    start : where
    within : addresses at which it goes on stepping
    returns_to : (RIP, RSP) at which the interrupt returns that has come between
    """

    retired: int
    start: int
    within: tuple[int, int] | None
    returns_to: tuple[int, int] | None = None


def thread_of(vcpu: int) -> ThreadId:
    """Return the name of a processor as a thread of process 1."""
    return ThreadId(1, vcpu + 1)


class Execution(LandingRun):
    """Runs a machine, and tells where it has to stop.

    Parameters
    ----------
    machine : the computer

    Attributes
    ----------
    branches : what processors have executed, of those that are recorded, by index
    breakpoints : where to stop
    step_others : whether other processors run while one steps
    step_mode : as QEMU's `sstep`; without bit 1 a step may end at the handler of an interrupt
    non_stop : whether processors go on and stop one by one
    going : indexes of those that go on, in non-stop mode
    """

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Agent(machine, X86_64))
        self.step_others = True
        self.step_mode = NO_INTERRUPTS_IN_STEPS
        self.non_stop = False
        self.going: set[int] = set()
        self.breakpoints: set[Breakpoint] = set()
        self.branches: dict[int, BranchTrace] = {}
        self._steps: dict[int, _Step] = {}
        self._lifted: frozenset[Breakpoint] = frozenset()
        self._placed: frozenset[Breakpoint] = frozenset()

    # -- before a run

    def prepare(self, actions: Resume) -> None:
        """Make ready for going on as gdb wants.

        Raises
        ------
        TargetError : the core cannot watch so much; nothing has changed
        """
        vcpus = {thread.tid - 1: action for thread, action in actions.items()}
        if self.non_stop:
            self._add(vcpus)
            return
        stepping = {index: action for index, action in vcpus.items() if action.step}
        self.passes = self._alone is None and self.step_others and self._is_next(vcpus)
        if stepping and not self.step_others:
            vcpus = stepping
        self._lifted = self._lift(vcpus) if self.passes else frozenset()
        self.place_hooks()
        self._forget_stops()
        self._alone = None
        if len(vcpus) < len(self._machine.vcpus) and not self.passes:
            chosen = [
                self._machine.vcpus[index]
                for index in sorted(vcpus, key=lambda i: (vcpus[i].step, i))
            ]
            self._alone = SomeProcessors(self._machine, chosen)
        self._steps = _steps(self._machine, vcpus)
        self._hook_steps()

    def _add(self, vcpus: dict[int, Action]) -> None:
        """Let processors go on besides those that do."""
        self.place_hooks()
        self.going |= vcpus.keys()
        self._steps |= _steps(self._machine, vcpus)
        self._hook_steps()
        self._choose_going()

    def trace_branches(self, index: int, most: int) -> None:
        """Record what a processor executes, the newest blocks, so many; 0: no longer."""
        self.branches.pop(index, None)
        if most:
            self.branches[index] = BranchTrace(self._machine.vcpus[index], most)
        self._hook_steps()

    def halt(self, index: int) -> None:
        """Let a processor go on no longer, in non-stop mode."""
        self.going.discard(index)
        self._steps.pop(index, None)
        self._hook_steps()
        self._choose_going()

    def _choose_going(self) -> None:
        vcpus = self._machine.vcpus
        all_go = len(self.going) == len(vcpus)
        chosen = [vcpus[i] for i in sorted(self.going)]
        self._alone = None if all_go else SomeProcessors(self._machine, chosen)

    def _is_next(self, vcpus: Mapping[int, Action]) -> bool:
        """Tell whether only the processor is to step whose turn it is: then nobody else runs.

        That is how gdb goes on from a breakpoint. What it asks for and what an undisturbed run
        does differ only where the turn ends.
        """
        (index, action), *others = vcpus.items()
        return not others and action.step and index == self.where.turn

    def _lift(self, vcpus: Mapping[int, Action]) -> frozenset[Breakpoint]:
        """Return the breakpoints that gdb has taken out only to let one processor pass."""
        pc = linear_pc(self._machine.vcpus[next(iter(vcpus))])
        gone = self._placed - self.breakpoints
        return frozenset(b for b in gone if b.kind in _STOP_KINDS and b.address == pc)

    def forget(self) -> None:
        """Have no breakpoints, and no step under way."""
        self.breakpoints.clear()
        self._steps.clear()
        self.branches.clear()
        self._alone = None
        self.step_others, self.step_mode = True, NO_INTERRUPTS_IN_STEPS
        self.non_stop = False
        self.going.clear()
        self._lifted = frozenset()
        self.place_hooks()
        self._hook_steps()

    def place_hooks(self) -> None:
        """Have the hooks that the breakpoints need; gdb takes all out and in at every stop."""
        self._place(Point(0, wanted) for wanted in self.breakpoints | self._lifted)
        self._placed = frozenset(self.breakpoints)

    def _index(self, stop: Stop) -> int:
        """Return the processor that a stop is about."""
        return stop.thread.tid - 1

    def _hook_steps(self) -> None:
        """Look at every instruction of a processor that steps, and no longer."""
        self._look_at(self._steps.keys() | self.branches.keys(), stepping=bool(self._steps))

    def _interrupted(self, vcpu: Vcpu, *, external: bool) -> None:
        """Note where an interrupt returns to; an exception is where the step leads."""
        step = self._steps.get(vcpu.index)
        if step is None or step.returns_to is not None:
            return
        if external and self.step_mode & 2:
            step.returns_to = place_of(vcpu)
        else:
            self.stop_after(Stop(thread_of(vcpu.index)))

    # -- steps into hosted functions and out of them

    def range_step(self, index: int) -> tuple[int, int] | None:
        """Return the addresses in which a processor steps, if it is there; None: it does not."""
        step = self._steps.get(index)
        if step is None or step.within is None or step.returns_to is not None:
            return None
        pc = linear_pc(self._machine.vcpus[index])
        return step.within if step.within[0] <= pc < step.within[1] else None

    def step_from_thunk(
        self, index: int, within: tuple[int, int] | None, _thread: ThreadId
    ) -> None:
        """Stop where a processor's thread goes on in the guest, whichever processor that is on."""
        there = place_of(self._machine.vcpus[index])
        for vcpu in [self._machine.vcpus[index]] if self._alone else self._machine.vcpus:
            self._steps[vcpu.index] = _Step(-1, -1, within, there)
        self._hook_steps()

    # -- whom it is about

    def _processor(self, index: int) -> ThreadId:
        """Return the thread that a processor is."""
        return thread_of(index)

    def who(self, vcpu: Vcpu) -> ThreadId:
        """Return the thread that a processor is."""
        return thread_of(vcpu.index)

    def _thread(self, vcpu: Vcpu, owner: int) -> ThreadId:
        """Return the processor that has touched what is watched."""
        del owner
        return thread_of(vcpu.index)

    def _at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before an instruction of a processor that steps whether to stop."""
        step, branches = self._steps.get(vcpu.index), self.branches.get(vcpu.index)
        if branches is not None:
            branches.note()
        if step is None:
            return None
        if step.returns_to is not None:
            if place_of(vcpu) != step.returns_to:
                return None
            step.returns_to = None
            if linear_pc(vcpu) == step.start:
                step.retired = vcpu.retired
        if vcpu.retired == step.retired:
            return None
        pc = linear_pc(vcpu)
        if step.within is not None and step.within[0] <= pc < step.within[1]:
            return None
        if self._breaks(vcpu):
            return None  # its own hook comes next
        return Stop(thread_of(vcpu.index))

    def _meant(self, vcpu: Vcpu, pc: int) -> list[Point]:
        """Return the breakpoints at an address that count for a processor."""
        others_lifted = frozenset() if vcpu.index in self._steps else self._lifted
        wanted = self.breakpoints | others_lifted
        return [Point(0, one) for one in wanted if one.address == pc]

    def _stop_for(self, vcpu: Vcpu, points: Iterable[Point]) -> Stop:
        """Return the stop of a processor at a breakpoint."""
        # gdb goes on without a word where its own idea of the PC has no breakpoint.
        kind = _STOP_KINDS[min(point.breakpoint.kind for point in points)]
        if linear_pc(vcpu) != vcpu.read_register("rip"):
            kind = StopKind.SIGNAL
        return Stop(thread_of(vcpu.index), kind=kind)


def _steps(machine: Machine, vcpus: dict[int, Action]) -> dict[int, _Step]:
    """Return the steps that actions begin, by index of the processor."""
    return {
        index: _Step(vcpu.retired, linear_pc(vcpu), action.within)
        for index, action in vcpus.items()
        if action.step
        for vcpu in [machine.vcpus[index]]
    }
