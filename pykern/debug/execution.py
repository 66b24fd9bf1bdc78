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
from typing import TYPE_CHECKING, Any

from gdbstub import Breakpoint, BreakpointKind, Stop, StopKind, TargetError, ThreadId
from pykern.debug.history import landing as landings
from pykern.debug.history.position import Position, retired
from pykern.debug.registers import linear_pc
from pykern.debug.some_processors import SomeProcessors
from pykern.machine.shutdown import explain_shutdown
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gdbstub import Action, Resume
    from pykern.debug.history.landing import Landing
    from pykern_c import Machine, Vcpu

_LAST_ADDRESS = (1 << 64) - 1
_LAST_VECTOR = 255
_PATIENCE = 2048
"""Hooks that nobody wants between two looks at the debugger."""
_WATCHED_NS = 250_000
"""Virtual time between two looks while memory is watched."""
_SIGABRT = 6
_OUR_STOP = "debugger"
NO_INTERRUPTS_IN_STEPS = 7
"""What QEMU does unless told otherwise: single steps (1), interrupts (2) and timers (4) masked."""
_OUR_STOPS = frozenset((_OUR_STOP, landings.STOPPED))
_LANDED = Exit(ExitReason.STOPPED, what=landings.STOPPED)
_HOOK_KINDS = {
    BreakpointKind.SOFTWARE: "x",
    BreakpointKind.HARDWARE: "x",
    BreakpointKind.WRITE: "w",
    BreakpointKind.READ: "r",
    BreakpointKind.ACCESS: ("r", "w"),
}
_INSTRUCTION = frozenset((BreakpointKind.SOFTWARE, BreakpointKind.HARDWARE))
_STOP_KINDS = {
    BreakpointKind.SOFTWARE: StopKind.SWBREAK,
    BreakpointKind.HARDWARE: StopKind.HWBREAK,
    BreakpointKind.WRITE: StopKind.WATCH,
    BreakpointKind.READ: StopKind.RWATCH,
    BreakpointKind.ACCESS: StopKind.AWATCH,
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
    breakpoints : where to stop
    step_others : whether other processors run while one steps
    step_mode : as QEMU's `sstep`; without bit 1 a step may end at the handler of an interrupt
    non_stop : whether processors go on and stop one by one
    going : indexes of those that go on, in non-stop mode
    passes : whether gdb lets one processor step that is about to, as it does at a breakpoint
    landed : whether the last run has ended at that point
    landing : a point to stop at, whatever gdb wants; `run` returns its `landing.STOPPED` there
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.step_others = True
        self.step_mode = NO_INTERRUPTS_IN_STEPS
        self.non_stop = False
        self.going: set[int] = set()
        self.breakpoints: set[Breakpoint] = set()
        self._hooks: dict[Breakpoint, int] = {}
        self._step_hooks: list[int] = []
        self._steps: dict[int, _Step] = {}
        self._alone: SomeProcessors | None = None
        self._found: Stop | None = None
        self.passes = self.landed = self._in_hostcall = False
        self.landing: Landing | None = None
        self._turn: int | None = None
        self._lifted: frozenset[Breakpoint] = frozenset()
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
        gone = self._hooks.keys() - self.breakpoints
        return frozenset(b for b in gone if b.kind in _INSTRUCTION and b.address == pc)

    def forget(self) -> None:
        """Have no breakpoints, and no step under way."""
        self.breakpoints.clear()
        self._steps.clear()
        self._alone = None
        self.step_others, self.step_mode = True, NO_INTERRUPTS_IN_STEPS
        self.non_stop = False
        self.going.clear()
        self._lifted = frozenset()
        self.place_hooks()
        self._hook_steps()

    def place_hooks(self) -> None:
        """Have the hooks that the breakpoints need; gdb takes all out and in at every stop."""
        for gone in self._hooks.keys() - self.breakpoints:
            self._machine.remove_hook(self._hooks.pop(gone))
        for new in sorted(self.breakpoints - self._hooks.keys(), key=_order):
            try:
                self._hooks[new] = self._hook(new)
            except ValueError as error:
                raise TargetError(f"breakpoint at {new.address:#x}: {error}") from None

    def _hook(self, wanted: Breakpoint) -> int:
        if wanted.kind <= BreakpointKind.HARDWARE:
            return self._machine.add_hook(None, kinds="x", first=wanted.address)
        last = min(wanted.address + wanted.size - 1, _LAST_ADDRESS)
        return self._machine.add_hook(
            self._watcher(wanted), kinds=_HOOK_KINDS[wanted.kind], first=wanted.address, last=last
        )

    def _watcher(self, wanted: Breakpoint) -> Callable[[Vcpu, int, int, bool], None]:
        """Return what is called in the middle of an instruction that accesses watched memory."""

        def accessed(vcpu: Vcpu, laddr: int, _size: int, write: bool) -> None:
            if not self._listens_to(vcpu):
                return
            address = max(laddr, wanted.address)
            self.stop_after(
                Stop(thread_of(vcpu.index), kind=_STOP_KINDS[wanted.kind], address=address),
                (address, write),
            )

        return accessed

    def _listens_to(self, vcpu: Vcpu) -> bool:
        return self._alone is None or vcpu in self._alone

    def stop_after(self, stop: Stop, access: tuple[int, bool] | None = None) -> None:
        """Stop when the present instruction is done."""
        if self._found is None:
            self._found, self._turn, self._access = stop, stop.thread.tid - 1, access
        self._machine.stop(_OUR_STOP)

    def _hook_steps(self) -> None:
        """Hook every instruction while a processor steps, and no longer."""
        if bool(self._steps) == bool(self._step_hooks):
            return
        if self._steps:
            add = self._machine.add_hook
            self._step_hooks = [
                add(None, kinds="x", first=0, last=_LAST_ADDRESS),
                add(self._interrupted, kinds="int", first=0, last=_LAST_VECTOR),
            ]
            return
        while self._step_hooks:
            self._machine.remove_hook(self._step_hooks.pop())

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
            hooks += 1
            exit_ = self._advance(until_ns)
            if self._has_landed(exit_):
                return exit_ if exit_.reason is ExitReason.HOSTCALL else _LANDED
            stop, self._found = self._found, None
            if exit_.reason is ExitReason.STOPPED and exit_.what not in _OUR_STOPS:
                return exit_
            if exit_.reason is ExitReason.HOOK:
                stop = self._at_instruction(self._machine.vcpus[exit_.vcpu])
                if stop is None and hooks % _PATIENCE == 0:
                    stop = look()
            elif exit_.reason is ExitReason.BUDGET and not self._reached(until_ns):
                stop = look()
            elif exit_.reason is not ExitReason.STOPPED:
                return exit_
            if stop is not None:
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
        self._found, self.landed = None, True
        if exit_ is not None:
            self._turn, self._access = self.landing.place
        return True

    @property
    def alone(self) -> bool:
        """Whether some processors run while the others stand still."""
        return self._alone is not None

    def stop_here(self, vcpu: int) -> Stop | None:
        """Return the stop that gdb wants before a processor's next instruction."""
        return self._at_instruction(self._machine.vcpus[vcpu])

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
        """Return the time to look at the debugger: watched memory makes a machine slow."""
        near = None if self.landing is None else self.landing.approach()
        if near is not None:
            until_ns = near if until_ns is None else min(near, until_ns)
        if all(wanted.kind <= BreakpointKind.HARDWARE for wanted in self._hooks):
            return until_ns
        soon = self._machine.now + _WATCHED_NS
        return soon if until_ns is None else min(soon, until_ns)

    def _reached(self, until_ns: int | None) -> bool:
        """Tell whether the owner wants to have the machine back."""
        if self._alone is not None:
            return True
        return until_ns is not None and self._machine.now >= until_ns

    def _at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before a hooked instruction whether to stop."""
        step = self._steps.get(vcpu.index)
        if step is None:
            return self._at_breakpoint(vcpu)
        if step.returns_to is not None:
            if _place(vcpu) != step.returns_to:
                return self._at_breakpoint(vcpu)
            step.returns_to = None
            if linear_pc(vcpu) == step.start:
                step.retired = vcpu.retired
        if vcpu.retired == step.retired:
            return None
        stop = self._at_breakpoint(vcpu)
        if stop is not None:
            return stop
        pc = linear_pc(vcpu)
        if step.within is not None and step.within[0] <= pc < step.within[1]:
            return None
        return Stop(thread_of(vcpu.index))

    def _at_breakpoint(self, vcpu: Vcpu) -> Stop | None:
        """Return the stop for a breakpoint at a processor's next instruction."""
        pc = linear_pc(vcpu)
        wanted = self.breakpoints
        if self._lifted and vcpu.index not in self._steps:
            wanted = {*wanted, *self._lifted}
        kinds = [b.kind for b in wanted if b.address == pc and b.kind in _INSTRUCTION]
        if not kinds or not self._listens_to(vcpu):
            return None
        # gdb goes on without a word where its own idea of the PC has no breakpoint.
        kind = _STOP_KINDS[min(kinds)]
        if pc != vcpu.read_register("rip"):
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


def _order(breakpoint: Breakpoint) -> tuple[Any, ...]:  # noqa: A002
    return breakpoint.kind, breakpoint.address, breakpoint.size
