"""A machine as gdb's target that can go back in time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pykern.debug.execution import thread_of
from pykern.debug.history import commands, save_commands
from pykern.debug.history.errands import Whose
from pykern.debug.history.journal import Evaluation
from pykern.debug.history.reversible import Reversible
from pykern.debug.machine_target import MachineTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gdbstub import Stop, ThreadId
    from pykern.debug.python_source.debugger import PythonSource
    from pykern_c import Vcpu

_SETTINGS = ("architecture", "physical_memory")
"""What gdb has set, beside breakpoints; a machine that goes back keeps it."""


class ReversibleTarget(Reversible, MachineTarget):
    """What gdb sees of a machine that has a past."""

    view = "cpu"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._monitor.add(commands.commands(lambda: self.history))
        self._monitor.add(save_commands.commands(self, lambda: self.history))

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Set registers by gdb's names."""
        super().write_registers(thread, values)
        self._wrote(thread, values)

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Write memory, whatever its protection."""
        super().write_memory(thread, address, data)
        self._wrote_memory(thread, address, data)

    def use_python(self, source: PythonSource) -> None:
        """Show hosted functions as the Python they are, and record what may change them."""
        super().use_python(source)
        source.changed = lambda expression: self.history.enter(
            lambda here: Evaluation(here, expression)
        )

    def whose(self, thread: ThreadId) -> Whose:
        """Return a processor."""
        return Whose(vcpu=self.vcpu(thread).index)

    def executes(self, vcpu: Vcpu, whose: Whose) -> bool:
        """Tell whether it is that processor."""
        return vcpu.index == whose.vcpu

    def stopped_on(self, index: int) -> ThreadId:
        """Return the thread that a processor is."""
        return thread_of(index)

    def fit(self, stop: Stop) -> Stop:
        """Return a stop of a processor; of nobody's, of the one whose turn it is."""
        if any(known.id == stop.thread for known in self.threads()):
            return stop
        return replace(stop, thread=thread_of(self.execution.where.turn or 0))

    # -- for the copy that takes this one's place

    def sought(self) -> frozenset[Any]:
        """Return the breakpoints."""
        return frozenset(self.execution.breakpoints)

    def seek(self, sought: frozenset[Any]) -> None:
        """Have them."""
        self.execution.breakpoints = set(sought)

    def renew(self) -> None:
        """Do nothing: they belong to no program."""

    def wake(self) -> None:
        """Want nothing: this copy is to work."""
        self.stopped = self.interrupted = False
        self.request = ""
        self.tracer.clear()
        self.execution.forget()
        self.fault_stops.forget()
        if self.python is not None:
            self.python.forget()

    def settings(self) -> dict[str, Any]:
        """Return what gdb has set."""
        settings = {name: getattr(self, name) for name in _SETTINGS}
        lines = () if self.python is None else tuple(self.python.lines())
        return {
            **super().settings(),
            **settings,
            "branches": {i: trace.most for i, trace in self.execution.branches.items()},
            "step_others": self.execution.step_others,
            "step_mode": self.execution.step_mode,
            "faults": frozenset(self.fault_stops.wanted),
            "breakpoints": frozenset(self.execution.breakpoints),
            "lines": lines,
        }

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Set it, and stand still."""
        super().set_settings(settings)
        for name in _SETTINGS:
            setattr(self, name, settings[name])
        self.execution.forget()
        self.execution.step_others = settings["step_others"]
        self.execution.step_mode = settings["step_mode"]
        self.execution.breakpoints |= settings["breakpoints"]
        self.fault_stops.wanted |= settings["faults"]
        for line in settings["lines"]:
            assert self.python is not None
            self.python.insert(line)
        for index, most in settings["branches"].items():
            self.execution.trace_branches(index, most)
        self.stopped = True
