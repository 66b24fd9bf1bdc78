"""How a machine runs while somebody debugs it: to breakpoints, accesses, and the next instruction.

Nothing in the guest is changed for it. An instruction is stopped before by a hook of the core, so a
run passes the same states at the same virtual times whether it is stopped a thousand times or not
at all. A single step is the same run up to the processor's next instruction; other processors take
their turns meanwhile. Only where gdb locks the scheduler do some processors run without the
others.

An interrupt that arrives during a step is served first: the step ends where the program goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop, StopKind, ThreadId
from gdbstub.x86 import X86_64
from pykern.debug.agent import Agent
from pykern.debug.branches import BranchTrace
from pykern.debug.history import landing as landings
from pykern.debug.history.position import Position, retired
from pykern.debug.points import Points
from pykern.debug.registers import linear_pc
from pykern.debug.some_processors import SomeProcessors
from pykern.debug.watching import Accesses
from pykern.machine.shutdown import explain_shutdown
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gdbstub import Action, Breakpoint, Resume
    from pykern.debug.history.landing import Landing
    from pykern_c import Machine, Vcpu

_LAST_VECTOR = 255
_PATIENCE = 2048
"""Hooks that nobody wants between two looks at the debugger."""
_WATCHED_NS = 250_000
"""Virtual time between two looks while memory is watched, or conditions are evaluated."""
_STEPPING_NS = 50_000
"""The same while a processor steps that may have halted for ever."""
_SIGABRT = 6
_OUR_STOP = "debugger"
NO_INTERRUPTS_IN_STEPS = 7
"""What QEMU does unless told otherwise: single steps (1), interrupts (2) and timers (4) masked."""
_OUR_STOPS = frozenset((_OUR_STOP, landings.STOPPED))
_LANDED = Exit(ExitReason.STOPPED, what=landings.STOPPED)
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


class Execution:
    """Runs a machine, and tells where it has to stop.

    Parameters
    ----------
    machine : the computer

    Attributes
    ----------
    agent : evaluates conditions of breakpoints
    branches : what processors have executed, of those that are recorded, by index
    breakpoints : where to stop
    step_others : whether other processors run while one steps
    step_mode : as QEMU's `sstep`; without bit 1 a step may end at the handler of an interrupt
    non_stop : whether processors go on and stop one by one
    going : indexes of those that go on, in non-stop mode
    passes : whether gdb lets one processor step that is about to, as it does at a breakpoint
    landed : whether the last run has ended at that point
    hidden : the stop that there was besides, at an access
    landing : a point to stop at, whatever gdb wants; `run` returns its `landing.STOPPED` there
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.step_others = True
        self.step_mode = NO_INTERRUPTS_IN_STEPS
        self.non_stop = False
        self.going: set[int] = set()
        self.breakpoints: set[Breakpoint] = set()
        self.agent = Agent(machine, X86_64)
        self._accesses = Accesses(machine, lambda: machine.stop(_OUR_STOP))
        self._points = Points(machine, self.agent, self._watcher)
        self.branches: dict[int, BranchTrace] = {}
        self._step_hook = 0
        self._stopped: dict[int, tuple[int, int]] = {}
        self._steps: dict[int, _Step] = {}
        self._alone: SomeProcessors | None = None
        self._found: Stop | None = None
        self.passes = self.landed = self._in_hostcall = False
        self.landing: Landing | None = None
        self.hidden: Stop | None = None
        self._turn: int | None = None
        self._lifted: frozenset[Breakpoint] = frozenset()
        self._placed: frozenset[Breakpoint] = frozenset()
        self._access: tuple[int, bool] | None = None

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
        self._stopped = {i: at for i, at in self._stopped.items() if at == self._moment(i)}
        self._alone = None
        if len(vcpus) < len(self._machine.vcpus) and not self.passes:
            chosen = [
                self._machine.vcpus[index]
                for index in sorted(vcpus, key=lambda i: (vcpus[i].step, i))
            ]
            self._alone = SomeProcessors(chosen)
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
        self._alone = None if all_go else SomeProcessors([vcpus[i] for i in sorted(self.going)])

    def _is_next(self, vcpus: Mapping[int, Action]) -> bool:
        """Tell whether only the processor is to step whose turn it is: then nobody else runs.

        That is how gdb goes on from a breakpoint. What it asks for and what an undisturbed run
        does differ only where the turn ends.
        """
        (index, action), *others = vcpus.items()
        return not others and action.step and index == self._turn

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
        self._points.place(self.breakpoints | self._lifted)
        self._accesses.watch(self.breakpoints)
        self._placed = frozenset(self.breakpoints)

    def _moment(self, vcpu: int) -> tuple[int, int]:
        """Return what tells this execution of an instruction from all others."""
        return self._machine.vcpus[vcpu].retired, linear_pc(self._machine.vcpus[vcpu])

    def _watcher(self, wanted: Breakpoint) -> Callable[[Vcpu, int, int, bool], None]:
        """Return what is called in the middle of an instruction that accesses watched memory."""

        def accessed(vcpu: Vcpu, laddr: int, size: int, write: bool) -> None:
            if self._listens_to(vcpu):
                self._accesses.note(vcpu, wanted, (laddr, size), write)

        return accessed

    def _listens_to(self, vcpu: Vcpu) -> bool:
        return self._alone is None or vcpu in self._alone

    def stop_after(self, stop: Stop) -> None:
        """Stop when the present instruction is done."""
        self._find(stop, None)
        self._machine.stop(_OUR_STOP)

    def _find(self, stop: Stop, access: tuple[int, bool] | None) -> None:
        if self._found is None:
            self._found, self._turn, self._access = stop, stop.thread.tid - 1, access

    def _take_access(self) -> None:
        """Make a stop of what has been done to watched memory, unless there is one already."""
        stop = self._accesses.stop() if self._found is None else None
        if stop is not None:
            self._find(stop, self._accesses.last)

    def _hook_steps(self) -> None:
        """Look at every instruction of a processor that steps, and no longer."""
        for vcpu in self._machine.vcpus:
            wanted = vcpu.index in self._steps or vcpu.index in self.branches
            if vcpu.single_steps != wanted:
                vcpu.single_steps = wanted
        if bool(self._steps) == bool(self._step_hook):
            return
        if self._steps:
            self._step_hook = self._machine.add_hook(
                self._interrupted, kinds="int", first=0, last=_LAST_VECTOR
            )
            return
        self._machine.remove_hook(self._step_hook)
        self._step_hook = 0

    def _interrupted(self, vcpu: Vcpu, _vector: int, _error: int, external: bool) -> None:
        """Note where an interrupt returns to; an exception is where the step leads."""
        step = self._steps.get(vcpu.index)
        if step is None or step.returns_to is not None:
            return
        if external and self.step_mode & 2:
            step.returns_to = _place(vcpu)
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
        there = _place(self._machine.vcpus[index])
        for vcpu in [self._machine.vcpus[index]] if self._alone else self._machine.vcpus:
            self._steps[vcpu.index] = _Step(-1, -1, within, there)
        self._hook_steps()

    # -- the run

    def run(self, until_ns: int | None, look: Callable[[], Stop | None]) -> Exit | Stop:
        """Run until virtual time `until_ns`, a stop, or what only the owner can deal with.

        Parameters
        ----------
        look : called now and then where many hooks make the run slow; what it returns ends it
        """
        hooks = 0
        if self._has_landed(None):
            return _LANDED
        while True:
            exit_ = self._advance(until_ns)
            self._take_access()
            if self._has_landed(exit_):
                return exit_ if exit_.reason is ExitReason.HOSTCALL else _LANDED
            stop, self._found = self._found, None
            if exit_.reason is ExitReason.HOOK:
                hooks += 1
                stop = self._at_hook(exit_)
                if stop is None and hooks % _PATIENCE == 0:
                    stop = look()
            elif exit_.reason is ExitReason.BUDGET and not self._reached(until_ns):
                stop = look()
            elif exit_.reason is not ExitReason.STOPPED or exit_.what not in _OUR_STOPS:
                self._accesses.server = self._machine.vcpus[exit_.vcpu]
                return exit_
            if stop is not None:
                return stop

    def _at_hook(self, exit_: Exit) -> Stop | None:
        """Decide before an instruction whether to stop."""
        vcpu = self._machine.vcpus[exit_.vcpu]
        stop = self._at_breakpoint(vcpu) if exit_.code else self._at_instruction(vcpu)
        if stop is not None:
            self._stopped[vcpu.index] = self._moment(vcpu.index)
        return stop

    def _has_landed(self, exit_: Exit | None) -> bool:
        """Tell whether to stop here whatever gdb wants, and note whose turn it is."""
        self.landed = False
        if exit_ is not None:
            self._in_hostcall = exit_.reason is ExitReason.HOSTCALL
        if exit_ is not None and self._found is None:
            at_hook = exit_.reason is ExitReason.HOOK
            self._turn, self._access = exit_.vcpu if at_hook else None, None
        if self.landing is None or not self.landing.reached(exit_):
            return False
        self.hidden, self._found, self.landed = self._found, None, True
        if exit_ is not None:
            self._turn, self._access = self.landing.place
        return True

    @property
    def alone(self) -> bool:
        """Whether some processors run while the others stand still."""
        return self._alone is not None

    def stop_here(self, vcpu: int) -> Stop | None:
        """Return the stop that gdb wants before a processor's next instruction."""
        processor = self._machine.vcpus[vcpu]
        return self._at_instruction(processor) or self._at_breakpoint(processor)

    def position(self, entries: int) -> Position:
        """Return where the machine stands, behind so many entries of the journal."""
        pc = 0 if self._turn is None else linear_pc(self._machine.vcpus[self._turn])
        now, counts = self._machine.now, retired(self._machine)
        return Position(counts, now, entries, self._turn, pc, self._access, self._in_hostcall)

    def between_turns(self) -> None:
        """Note that no processor is in the middle of its turn."""
        self._turn = self._access = None
        self._in_hostcall = False

    def _advance(self, until_ns: int | None) -> Exit:
        if self._alone is None:
            return self._machine.run(self._soon(until_ns))
        return self._alone.turn()

    def _soon(self, until_ns: int | None) -> int | None:
        """Return the time to look at the debugger: a machine may be slow, or a step never end."""
        near = None if self.landing is None else self.landing.approach()
        if near is not None:
            until_ns = near if until_ns is None else min(near, until_ns)
        if not self._points.slow and not self._steps and not self.branches:
            return until_ns
        soon = self._machine.now + (_STEPPING_NS if self._steps else _WATCHED_NS)
        return soon if until_ns is None else min(soon, until_ns)

    def _reached(self, until_ns: int | None) -> bool:
        """Tell whether the owner wants to have the machine back."""
        if self._alone is not None:
            return True
        return until_ns is not None and self._machine.now >= until_ns

    def _at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before an instruction of a processor that steps whether to stop."""
        step, branches = self._steps.get(vcpu.index), self.branches.get(vcpu.index)
        if branches is not None:
            branches.note()
        if step is None:
            return None
        if step.returns_to is not None:
            if _place(vcpu) != step.returns_to:
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

    def _here(self, vcpu: Vcpu) -> list[Breakpoint]:
        """Return the breakpoints of the next instruction that are meant."""
        pc = linear_pc(vcpu)
        others_lifted = frozenset() if vcpu.index in self._steps else self._lifted
        wanted = self.breakpoints | others_lifted
        here = [b for b in wanted if b.address == pc and b.kind in _STOP_KINDS]
        if not here or not self._listens_to(vcpu):
            return []
        if self._stopped.get(vcpu.index) == (vcpu.retired, pc):
            here = [b for b in here if b.commands]  # the stop has been reported
        return [b for b in here if self.agent.holds(b, vcpu)]

    def _breaks(self, vcpu: Vcpu) -> bool:
        return any(not breakpoint_.commands for breakpoint_ in self._here(vcpu))

    def _at_breakpoint(self, vcpu: Vcpu) -> Stop | None:
        """Decide before a hooked instruction whether to stop; execute commands."""
        here = self._here(vcpu)
        for breakpoint_ in here if self.landing is None else ():
            self.agent.execute(breakpoint_, vcpu)
        kinds = [b.kind for b in here if not b.commands]
        if not kinds:
            return None
        # gdb goes on without a word where its own idea of the PC has no breakpoint.
        kind = _STOP_KINDS[min(kinds)]
        if linear_pc(vcpu) != vcpu.read_register("rip"):
            kind = StopKind.SIGNAL
        return Stop(thread_of(vcpu.index), kind=kind)

    def shutdown_stop(self, exit_: Exit) -> Stop:
        """Return the stop for a triple fault, with its explanation."""
        lines = explain_shutdown(self._machine.vcpus[exit_.vcpu], exit_)
        text = "".join(f"{line}\n" for line in lines)
        return Stop(thread_of(exit_.vcpu), _SIGABRT, text=text)


def _steps(machine: Machine, vcpus: dict[int, Action]) -> dict[int, _Step]:
    """Return the steps that actions begin, by index of the processor."""
    return {
        index: _Step(vcpu.retired, linear_pc(vcpu), action.within)
        for index, action in vcpus.items()
        if action.step
        for vcpu in [machine.vcpus[index]]
    }


def _place(vcpu: Vcpu) -> tuple[int, int]:
    return vcpu.read_register("rip"), vcpu.read_register("rsp")
