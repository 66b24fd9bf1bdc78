"""Running a machine from hook to hook: the part of it that knows no processes.

A hook of the core ends a run before an instruction, and the next run begins with it; so a run
passes the same states at the same virtual times however often it is stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop, TargetError
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub import Breakpoint
    from pykern_c import Machine, Vcpu

_LAST_ADDRESS = (1 << 64) - 1
_LAST_VECTOR = 255
_ALONE = 4096
"""Instructions that a processor executes alone between two looks."""
_PATIENCE = 2048
"""Hooks that nobody wants between two looks at the debugger."""
_WATCHED_NS = 250_000
"""Virtual time between two looks while memory is watched."""
_OUR_STOP = "debugger"
_ACCESSES = {
    BreakpointKind.WRITE: "w",
    BreakpointKind.READ: "r",
    BreakpointKind.ACCESS: ("r", "w"),
}


class HookedRun(ABC):
    """Runs a machine; subclasses say where it has to stop.

    Parameters
    ----------
    machine : the computer

    Attributes
    ----------
    alone : the processor that runs while all others stand still; None: all run
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._hooks: dict[Breakpoint, int] = {}
        self._step_hooks: list[int] = []
        self._found: Stop | None = None
        self.alone: Vcpu | None = None

    # -- what subclasses decide

    @abstractmethod
    def at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before a hooked instruction whether to stop."""

    @abstractmethod
    def accessed(self, vcpu: Vcpu, wanted: Breakpoint, laddr: int) -> Stop | None:
        """Decide in the middle of an instruction that accesses watched memory."""

    @abstractmethod
    def interrupted(self, vcpu: Vcpu, *, external: bool) -> Stop | None:
        """Take note of an interrupt or exception while a thread steps."""

    # -- hooks

    def place(self, wanted: set[Breakpoint]) -> None:
        """Have the hooks that these need; gdb takes all out and in at every stop.

        Raises
        ------
        TargetError : the core has not so many
        """
        for gone in self._hooks.keys() - wanted:
            self._machine.remove_hook(self._hooks.pop(gone))
        for new in sorted(wanted - self._hooks.keys(), key=_order):
            try:
                self._hooks[new] = self._hook(new)
            except ValueError as error:
                raise TargetError(f"breakpoint at {new.address:#x}: {error}") from None

    def _hook(self, wanted: Breakpoint) -> int:
        kinds = _ACCESSES.get(wanted.kind)
        if kinds is None:
            return self._machine.add_hook(None, kinds="x", first=wanted.address)

        def accessed(vcpu: Vcpu, laddr: int, _size: int, _write: bool) -> None:
            if self.listens_to(vcpu):
                self._stop_after(self.accessed(vcpu, wanted, laddr))

        last = min(wanted.address + wanted.size - 1, _LAST_ADDRESS)
        return self._machine.add_hook(accessed, kinds=kinds, first=wanted.address, last=last)

    def hook_steps(self, *, stepping: bool) -> None:
        """Hook every instruction while something steps, and no longer."""
        if stepping == bool(self._step_hooks):
            return
        while self._step_hooks:
            self._machine.remove_hook(self._step_hooks.pop())
        if stepping:
            add = self._machine.add_hook
            self._step_hooks = [
                add(None, kinds="x", first=0, last=_LAST_ADDRESS),
                add(self._interrupt, kinds="int", first=0, last=_LAST_VECTOR),
            ]

    def _interrupt(self, vcpu: Vcpu, _vector: int, _error: int, external: bool) -> None:
        self._stop_after(self.interrupted(vcpu, external=external))

    def _stop_after(self, stop: Stop | None) -> None:
        """Stop when the present instruction is done."""
        if stop is None:
            return
        self._found = self._found or stop
        self._machine.stop(_OUR_STOP)

    def listens_to(self, vcpu: Vcpu) -> bool:
        """Tell whether what a processor does is of interest."""
        return self.alone is None or self.alone is vcpu

    # -- the run

    def run(self, until_ns: int | None, look: Callable[[], Stop | None]) -> Exit | Stop:
        """Run until virtual time `until_ns`, a stop, or what only the owner can deal with.

        Parameters
        ----------
        look : called now and then where many hooks make the run slow; what it returns ends it
        """
        hooks = 0
        while True:
            hooks += 1
            exit_ = self._advance(until_ns)
            found, self._found = self._found, None
            if exit_.reason is ExitReason.STOPPED and exit_.what == _OUR_STOP:
                if found is not None:
                    return found
                continue
            if exit_.reason not in {ExitReason.BUDGET, ExitReason.HOOK}:
                return exit_
            if exit_.reason is ExitReason.BUDGET and self._reached(until_ns):
                return exit_
            at_hook = exit_.reason is ExitReason.HOOK
            stop = self.at_instruction(self._machine.vcpus[exit_.vcpu]) if at_hook else None
            if stop is None and (not at_hook or hooks % _PATIENCE == 0):
                stop = look()
            if stop is not None:
                return stop

    def _advance(self, until_ns: int | None) -> Exit:
        if self.alone is None:
            return self._machine.run(self._soon(until_ns))
        exit_ = self.alone.step(_ALONE)
        return exit_ if exit_.reason is not ExitReason.HLT else Exit(ExitReason.BUDGET)

    def _soon(self, until_ns: int | None) -> int | None:
        """Return the time to look at the debugger: watched memory makes a machine slow."""
        if not any(wanted.kind in _ACCESSES for wanted in self._hooks):
            return until_ns
        soon = self._machine.now + _WATCHED_NS
        return soon if until_ns is None else min(soon, until_ns)

    def _reached(self, until_ns: int | None) -> bool:
        """Tell whether the owner wants to have the machine back."""
        if self.alone is not None:
            return True
        return until_ns is not None and self._machine.now >= until_ns


def _order(wanted: Breakpoint) -> tuple[int, int, int]:
    return wanted.kind, wanted.address, wanted.size
