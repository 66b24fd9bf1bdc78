"""A machine as gdb's target that can go back in time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from gdbstub import TargetError
from pykern.debug.history import commands, save_commands
from pykern.debug.history.journal import Evaluation, Write
from pykern.debug.history.travel import Journey
from pykern.debug.machine_target import MachineTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gdbstub import Resume, Stop, ThreadId
    from pykern.debug.history.history import History
    from pykern.debug.python_source.debugger import PythonSource

_SETTINGS = ("architecture", "physical_memory")
"""What gdb has set, beside breakpoints; a machine that goes back keeps it."""


class ReversibleTarget(MachineTarget):
    """What gdb sees of a machine that has a past.

    Attributes
    ----------
    history : its past; set by whoever makes both
    backward : how gdb wants to go back; None: it does not
    loading : what `monitor load` has said to go on from, whichever way gdb goes next
    """

    history: History

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._monitor.add(commands.commands(lambda: self.history))
        self._monitor.add(save_commands.commands(self, lambda: self.history))
        self.backward: Callable[[Journey], Stop] | None = None
        self.loading: Callable[[Journey], Stop] | None = None

    # -- gdbstub.Target, and going back

    def reverse(self, thread: ThreadId, *, step: bool) -> None:
        """Go back when the machine's owner looks next."""
        if self._loads():
            return
        if self.history.here is None or self.history.checkpoints.first is None:
            raise TargetError("there is no history")
        history, here = self.history, self.history.here
        goal, history.destination = history.destination, None
        way = goal is not None and not step and goal.behind(here)
        vcpu = self.vcpu(thread).index
        if way:
            assert goal is not None
            self.backward = functools.partial(Journey.to, goal=goal)
        else:
            self.backward = functools.partial(Journey.back, vcpu=vcpu, step=step)

    def _loads(self) -> bool:
        """Have the machine go on from a state that gdb has chosen; tell whether there is one."""
        self.backward, self.loading = self.loading, None
        return self.backward is not None

    def resume(self, actions: Resume) -> None:
        """Go on; what processors do that run alone cannot be repeated, so history ends there."""
        if self._loads():
            return
        super().resume(actions)
        if self.execution.alone:
            self.history.begin_here("processors have run while others stood still")
        self.history.replay_on()
        self.history.here = None

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Set registers by gdb's names."""
        super().write_registers(thread, values)
        self.history.enter(lambda here: Write(here, thread, dict(values)))

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Write memory, whatever its protection."""
        super().write_memory(thread, address, data)
        physical = self.physical_memory
        self.history.enter(
            lambda here: Write(here, thread, address=address, data=data, physical=physical)
        )

    def use_python(self, source: PythonSource) -> None:
        """Show hosted functions as the Python they are, and record what may change them."""
        super().use_python(source)
        source.changed = lambda expression: self.history.enter(
            lambda here: Evaluation(here, expression)
        )

    def detach(self) -> None:
        """Forget breakpoints and let the machine go on."""
        super().detach()
        self.loading = None
        self.history.replay_on()
        self.history.here = None

    # -- for the copy that takes this one's place

    def settings(self) -> dict[str, Any]:
        """Return what gdb has set."""
        settings = {name: getattr(self, name) for name in _SETTINGS}
        lines = () if self.python is None else tuple(self.python.lines())
        return {
            **settings,
            "step_others": self.execution.step_others,
            "step_mode": self.execution.step_mode,
            "faults": frozenset(self.fault_stops.wanted),
            "breakpoints": frozenset(self.execution.breakpoints),
            "lines": lines,
        }

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Set it, and stand still."""
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
        self.stopped = True
